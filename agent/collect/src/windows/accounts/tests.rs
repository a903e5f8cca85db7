//! Accounts, sessions and rules on the recorded door: an office machine, absent values, odd or refused answers.

use std::sync::Arc;

use jiff::Timestamp;
use policies::fact::{Account, Instant};

use super::*;
use crate::windows::version::VERSION;
use os::windows::recorded::Recorded;
use os::windows::{Member, UserAccount};

const NOW: &str = "2026-11-22T03:00:00Z";
const AUTHORITY: &str = "S-1-5-21-1004336348-1177238915-682003330";
const PROFILES: &str = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion\ProfileList";
const SYSTEM: &str = r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Policies\System";

fn at(text: &str) -> Instant {
    text.parse().unwrap()
}

fn collected(os: Recorded) -> Accounts {
    collect(&CheckContext::new(Arc::new(os), at(NOW)))
}

fn account(name: &str, rid: u32, flags: u32, last_logon: &str, password_days: u32) -> UserAccount {
    let last_logon = last_logon.parse::<Timestamp>().map_or(0, |at| u32::try_from(at.as_second()).unwrap());
    UserAccount { name: name.to_owned(), rid, flags, password_age: password_days * 86_400, last_logon }
}

fn member(sid: String, kind: u32) -> Member {
    Member { sid, kind, name: "?".to_owned() }
}

fn windows(build: &str) -> Recorded {
    Recorded::new().text(VERSION, "CurrentBuildNumber", build).text(VERSION, "InstallationType", "Client")
}

/// A Windows 10 office machine with typical settings.
fn office() -> Recorded {
    let mut os = windows("19045");
    os.accounts = Some(vec![
        account("Văn thư Nguyễn Thị Hoà", 1001, 0x1_0221, "2026-11-21T01:00:00Z", 700),
        account("Administrator", 500, 0x1_0203, "", 0),
        account("Guest", 501, 0x1_0223, "", 0),
        account("ketoan", 1002, 0x201, "2026-08-01T01:00:00Z", 30),
        account("cũ", 1003, 0x201, "", 400),
    ]);
    os.members.insert(
        "S-1-5-32-544".to_owned(),
        vec![
            member(format!("{AUTHORITY}-500"), 1),
            member(format!("{AUTHORITY}-1001"), 1),
            member("S-1-5-21-1-2-3-1002".to_owned(), 1),
            member("S-1-5-21-1-2-3-512".to_owned(), 2),
        ],
    );
    os.account_rules =
        Some(AccountRules { min_length: 0, max_age: 42 * 86_400, history: 0, lockout_tries: 0, lockout_time: 1_800 });
    os.number(CONTROL, "EnableLUA", 1).number(CONTROL, "ConsentPromptBehaviorAdmin", 5)
}

fn person<'a>(accounts: &'a Accounts, name: &str) -> &'a Account {
    accounts.users.known().unwrap().items.iter().find(|account| account.name == name).unwrap()
}

#[test]
fn people_of_an_office_computer() {
    let accounts = collected(office());
    let hoa = person(&accounts, "Văn thư Nguyễn Thị Hoà");
    assert_eq!((hoa.id, &hoa.administrator, &hoa.enabled), (1001, &Fact::Known(true), &Fact::Known(true)));
    assert_eq!(hoa.last_logon_at, Fact::Known(at("2026-11-21T01:00:00Z")));
    assert_eq!(hoa.password_changed_at, Fact::Known(at("2024-12-22T03:00:00Z")));
    assert_eq!((&hoa.password_never_expires, &hoa.password_required), (&Fact::Known(true), &Fact::Known(false)));
    let ketoan = person(&accounts, "ketoan");
    assert_eq!(ketoan.administrator, Fact::Known(false), "the administrator 1002 is one of a domain");
    assert_eq!(ketoan.password_required, Fact::Known(true));
    let old = person(&accounts, "cũ");
    assert!(old.last_logon_at.known().is_none());
    assert_eq!(old.last_used_at, old.password_changed_at);
    assert_eq!(person(&accounts, "Guest").enabled, Fact::Known(false));
    assert_eq!(accounts.extra_roots, Fact::Known(List::default()));
    assert_eq!(accounts.password_min_length, Fact::Known(0));
    assert_eq!(accounts.password_max_age, Fact::Known(Days(42)));
    assert_eq!((accounts.lockout_tries, accounts.lockout_time), (Fact::Known(0), Fact::Known(Seconds(1_800))));
    assert_eq!((accounts.automatic_logon, accounts.uac), (Fact::Known(false), Fact::Known(true)));
}

#[test]
fn an_account_of_microsoft_is_noted_at_its_profile() {
    let ticks = u64::try_from(at("2026-11-22T01:00:00Z").as_second() + 11_644_473_600).unwrap() * 10_000_000;
    let load = |os: Recorded, rid: u32, ticks: u64| {
        let key = format!(r"{PROFILES}\{AUTHORITY}-{rid}");
        os.number(&key, "LocalProfileLoadTimeHigh", ticks >> 32).number(
            &key,
            "LocalProfileLoadTimeLow",
            ticks & 0xFFFF_FFFF,
        )
    };
    let accounts = collected(load(load(office(), 1003, ticks), 1002, u64::MAX));
    assert_eq!(person(&accounts, "cũ").last_used_at, Fact::Known(at("2026-11-22T01:00:00Z")));
    assert_eq!(person(&accounts, "ketoan").last_used_at, Fact::Known(at("2026-08-01T01:00:00Z")), "no time to come");
}

#[test]
fn accounts_that_windows_comes_with_are_found_by_number() {
    let mut os = office();
    let accounts = os.accounts.as_mut().unwrap();
    accounts[1].flags = 0x1_0201;
    accounts[1].name = "Quản trị".to_owned();
    assert_eq!(collected(os).extra_roots.known().unwrap().items, ["Quản trị"]);
}

#[test]
fn administrators_of_whom_there_are_none_are_not_known() {
    let mut os = office();
    os.members.insert("S-1-5-32-544".to_owned(), Vec::new());
    let accounts = collected(os);
    assert!(accounts.users.known().unwrap().items.iter().all(|account| account.administrator.known().is_none()));
}

#[test]
fn rules_without_an_end_and_complexity() {
    let mut os = office();
    os.account_rules.as_mut().unwrap().max_age = u32::MAX;
    os.account_rules.as_mut().unwrap().lockout_time = u32::MAX;
    let accounts = collected(os);
    assert_eq!(accounts.password_max_age, Fact::Known(Days(99_999)));
    assert_eq!(accounts.lockout_time, Fact::Known(Seconds(0)));
    assert!(
        matches!(accounts.password_min_classes, Fact::Unknown(unknown) if unknown.reason == Reason::NeedsAdministrator)
    );
    let complex = |properties: u8| {
        let mut bytes = vec![0; 0x60];
        bytes[76] = properties;
        collected(office().set(DATABASE, "F", Registry::Bytes(bytes))).password_min_classes
    };
    assert_eq!((complex(0), complex(1), complex(0x11)), (Fact::Known(1), Fact::Known(3), Fact::Known(3)));
    assert!(
        collected(office().set(DATABASE, "F", Registry::Bytes(vec![1; 40]))).password_min_classes.known().is_none()
    );
}

#[test]
fn automatic_logon_and_account_control() {
    let logon = |value: &str| collected(office().text(WINLOGON, "AutoAdminLogon", value)).automatic_logon;
    assert_eq!((logon("1"), logon("0"), logon("")), (Fact::Known(true), Fact::Known(false), Fact::Known(false)));
    assert!(logon("có").known().is_none());
    assert_eq!(collected(office().number(CONTROL, "EnableLUA", 0)).uac, Fact::Known(false));
    assert_eq!(collected(office().number(CONTROL, "ConsentPromptBehaviorAdmin", 0)).uac, Fact::Known(false));
    // Every Windows has the first value; the second has a default, which asks.
    assert!(collected(windows("7601")).uac.known().is_none());
    assert_eq!(collected(windows("7601").number(CONTROL, "EnableLUA", 1)).uac, Fact::Known(true));
    let silent = windows("7601").number(CONTROL, "ConsentPromptBehaviorAdmin", 0);
    assert_eq!(collected(silent).uac, Fact::Known(false));
    assert!(collected(office().denying(CONTROL)).uac.known().is_none());
}

/// Somebody who is logged on, with a screen saver.
fn logged_on(os: Recorded, rid: u32, secure: &str, time_out: &str) -> Recorded {
    let desktop = format!(r"HKU\{AUTHORITY}-{rid}\Control Panel\Desktop");
    os.key(&format!(r"HKU\{AUTHORITY}-{rid}_Classes"))
        .text(&desktop, "ScreenSaveActive", "1")
        .text(&desktop, "ScreenSaverIsSecure", secure)
        .text(&desktop, "ScreenSaveTimeOut", time_out)
        .text(&desktop, "SCRNSAVE.EXE", r"C:\Windows\system32\scrnsave.scr")
}

#[test]
fn a_screen_locks_as_late_as_that_of_the_slowest_person() {
    let lock = |os: Recorded| collected(os).screen_lock.known().map(|seconds| seconds.0);
    let system = |os: Recorded, seconds: u64| os.number(SYSTEM, "InactivityTimeoutSecs", seconds);
    assert_eq!(lock(office().key(r"HKU\.DEFAULT")), None, "nobody is logged on");
    assert_eq!(lock(system(office().key("HKU"), 900)), Some(900));
    assert_eq!(lock(system(windows("7601").key("HKU"), 900)), None, "Windows 7 does not know it");
    assert_eq!(lock(logged_on(office(), 1001, "1", "600")), Some(600));
    assert_eq!(lock(logged_on(logged_on(office(), 1001, "1", "600"), 1002, "1", "1200")), Some(1200));
    assert_eq!(lock(logged_on(logged_on(office(), 1001, "1", "600"), 1002, "0", "300")), Some(0));
    assert_eq!(lock(system(logged_on(logged_on(office(), 1001, "1", "600"), 1002, "0", "300"), 900)), Some(900));
    assert_eq!(lock(system(logged_on(office(), 1001, "1", "600"), 900)), Some(600));
    let policy = format!(r"HKU\{AUTHORITY}-1001\Software\Policies\Microsoft\Windows\Control Panel\Desktop");
    assert_eq!(
        lock(logged_on(office(), 1001, "0", "9999").text(&policy, "ScreenSaverIsSecure", "1").text(
            &policy,
            "ScreenSaveTimeOut",
            "300"
        )),
        Some(300)
    );
    assert_eq!(lock(logged_on(office(), 1001, "1", "600").text(&policy, "ScreenSaveActive", "0")), Some(0));
    let without = format!(r"HKU\{AUTHORITY}-1001\Control Panel\Desktop");
    assert_eq!(lock(logged_on(office(), 1001, "1", "600").text(&without, "SCRNSAVE.EXE", "")), Some(0));
    assert_eq!(lock(logged_on(office(), 1001, "1", "mười phút")), None);
}

#[test]
fn media_start_nothing_where_the_machine_or_everybody_says_so() {
    let off = |os: Recorded| collected(os).autorun_off.known().copied();
    let one = || logged_on(office(), 1001, "1", "600");
    assert_eq!(off(office()), None);
    assert_eq!(off(one()), Some(false));
    assert_eq!(off(one().number(session::EXPLORER, "NoDriveTypeAutoRun", 0xFF)), Some(true));
    assert_eq!(off(one().number(session::EXPLORER, "NoDriveTypeAutoRun", 0x91)), Some(false));
    assert_eq!(
        off(one().set(session::EXPLORER, "NoDriveTypeAutoRun", Registry::Bytes(vec![0xFF, 0, 0, 0]))),
        Some(true)
    );
    assert_eq!(off(one().set(session::EXPLORER, "NoDriveTypeAutoRun", Registry::Bytes(vec![0xFF]))), None);
    let handlers = format!(r"HKU\{AUTHORITY}-1001\Software\Microsoft\Windows\CurrentVersion\Explorer\AutoplayHandlers");
    assert_eq!(off(one().number(&handlers, "DisableAutoplay", 1)), Some(true));
    assert_eq!(off(logged_on(one().number(&handlers, "DisableAutoplay", 1), 1002, "1", "600")), Some(false));
}

#[test]
fn nothing_is_invented_on_an_empty_or_closed_machine() {
    let accounts = collected(Recorded::new());
    assert!(accounts.users.known().is_none() && accounts.password_min_length.known().is_none());
    assert!(accounts.screen_lock.known().is_none() && accounts.autorun_off.known().is_none());
    let mut os = office();
    os.members.clear();
    assert!(person(&collected(os), "ketoan").administrator.known().is_none());
}
