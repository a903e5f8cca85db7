//! Patches on the recorded door: builds behind and ahead, searches, restarts, settings by policy and by hand.

use std::sync::Arc;

use super::*;
use crate::windows::version::VERSION;
use os::windows::answer::WaitingUpdate;
use os::windows::recorded::Recorded;
use os::windows::{Registry, Variant};

const AU: &str = r"HKLM\SOFTWARE\Policies\Microsoft\Windows\WindowsUpdate\AU";
const PACKAGES: &str = r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Component Based Servicing\Packages";
const NOW: &str = "2026-11-22T03:00:00Z";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn collected(os: Recorded) -> Patches {
    collect(&CheckContext::new(Arc::new(os), at(NOW)), &Memory::default())
}

fn windows(build: &str, revision: u64, kind: &str) -> Recorded {
    Recorded::new()
        .text(VERSION, "CurrentBuildNumber", build)
        .number(VERSION, "UBR", revision)
        .text(VERSION, "EditionID", "Professional")
        .text(VERSION, "InstallationType", kind)
}

fn package(os: Recorded, name: &str, state: u64, installed: &str) -> Recorded {
    let ticks = u64::try_from(at(installed).as_second() + 11_644_473_600).unwrap() * 10_000_000;
    let key = format!(r"{PACKAGES}\{name}");
    os.number(&key, "CurrentState", state).number(&key, "InstallTimeHigh", ticks >> 32).number(
        &key,
        "InstallTimeLow",
        ticks & 0xFFFF_FFFF,
    )
}

fn waiting(kb: &str, category: &str, severity: &str) -> WaitingUpdate {
    let (kb, categories) = (vec![kb.to_owned()], vec![category.to_owned()]);
    WaitingUpdate { kb, categories, severity: severity.to_owned(), hidden: false }
}

/// An office computer with October's updates and an optional one pending.
fn office() -> Recorded {
    let mut os = windows("19045", 7807, "Client");
    os = package(os, "Package_for_RollupFix~31bf3856ad364e35~amd64~~19041.7807.1.5", 0x70, "2026-10-20T02:00:00Z");
    os = package(os, "Package_for_RollupFix~31bf3856ad364e35~amd64~~19041.7725.1.5", 0x50, "2026-11-01T02:00:00Z");
    os = package(os, "Microsoft-Windows-Foundation-Package~31bf~amd64~~10.0.1", 0x70, "2026-11-20T02:00:00Z");
    os.updates = Some(UpdateSearch {
        waiting: vec![waiting("5011048", "b54e7d24-7add-428f-8b75-90a396fa584f", "")],
        searched_at: Some(at("2026-11-21T22:00:00Z").as_millisecond()),
        installed_at: Some(at("2026-11-21T22:30:00Z").as_millisecond()),
        reboot: Some(false),
        ..UpdateSearch::default()
    });
    let row = |id: &str, on: &str| {
        [("HotFixID", id), ("InstalledOn", on)]
            .map(|(name, text)| (name.to_owned(), Variant::Text(text.to_owned())))
            .into()
    };
    let rows = vec![row("KB5066791", "10/20/2026"), row("File 1", ""), row("KB5031539", "quen")];
    os.rows(r"ROOT\CIMV2", "Win32_QuickFixEngineering", rows)
}

#[test]
fn an_office_computer_with_recent_updates() {
    let patches = collected(office());
    assert_eq!(patches.system, Fact::Known(PackageSystem::WindowsUpdate));
    assert_eq!(patches.pending, Fact::Known(1));
    assert_eq!(patches.pending_security, Fact::Known(0));
    assert_eq!(patches.missing, Fact::Known(List::default()));
    assert_eq!(patches.lists_at, Fact::Known(at("2026-11-21T22:00:00Z")));
    assert_eq!(patches.last_upgrade_at, Fact::Known(at("2026-10-20T02:00:00Z")), "neither superseded nor no update");
    assert_eq!(patches.automatic, Fact::Known(true));
    assert_eq!(patches.reboot_needed, Fact::Known(false));
    assert_eq!(patches.servers, Fact::Known(List::default()));
    let names: Vec<&str> = patches.installed.known().unwrap().items.iter().map(|update| update.name.as_str()).collect();
    assert_eq!(names, ["KB5031539", "KB5066791"]);
    assert!(patches.installed.known().unwrap().items[0].installed_at.known().is_none());
}

#[test]
fn the_build_decides_over_an_update_history_that_knows_nothing() {
    let behind = office().number(VERSION, "UBR", 7548);
    let patches = collected(behind);
    let builds: Vec<&str> = patches.missing.known().unwrap().items.iter().map(|update| update.build.as_str()).collect();
    assert_eq!(builds, ["19045.7663", "19045.7725", "19045.7807"]);
    assert_eq!(patches.missing.known().unwrap().items[0].released_at, at("2026-08-11T16:59:59Z"));
    assert_eq!(patches.pending_security, Fact::Known(1));
    assert_eq!(patches.pending_names.known().unwrap().items, ["19045.7807"]);

    let mut broken = windows("19045", 7548, "Client");
    broken.updates =
        Some(UpdateSearch { refused: Some("0x8024402C".to_owned()), reboot: Some(true), ..Default::default() });
    let patches = collected(broken);
    assert_eq!(patches.pending_security, Fact::Known(1), "known to be missing whatever the search says");
    assert!(matches!(&patches.pending, Fact::Unknown(unknown) if unknown.detail.contains("0x8024402C")));
    assert_eq!(patches.reboot_needed, Fact::Known(true), "a failed search takes nothing else with it");
}

#[test]
fn security_updates_are_told_by_their_identifier() {
    let mut os = office();
    os.updates.as_mut().unwrap().waiting.extend([
        waiting("5066792", "0FA1201D-4330-4FA8-8AE9-B877473B6441", ""),
        waiting("5066793", "28bc880e-0592-4cbf-8f95-c79b17911d5f", "Critical"),
        waiting("2267602", DEFINITIONS, "Important"),
    ]);
    let patches = collected(os);
    assert_eq!(patches.pending, Fact::Known(4));
    assert_eq!(patches.pending_names.known().unwrap().items, ["KB5066792", "KB5066793"]);
}

#[test]
fn a_security_update_that_somebody_hid_waits_all_the_same() {
    let mut os = office();
    let hidden = |update: WaitingUpdate| WaitingUpdate { hidden: true, ..update };
    os.updates.as_mut().unwrap().waiting.extend([
        hidden(waiting("5066792", "0fa1201d-4330-4fa8-8ae9-b877473b6441", "")),
        hidden(waiting("3035583", "cd5ffd1e-e932-4e3a-bf74-18bf0b1bbd83", "")),
    ]);
    let patches = collected(os);
    assert_eq!((patches.pending, patches.pending_security), (Fact::Known(2), Fact::Known(1)));
}

#[test]
fn what_cannot_be_known_of_missing_updates_is_said() {
    let reason = |os: Recorded| match collected(os).missing {
        Fact::Unknown(unknown) => unknown,
        Fact::Known(known) => panic!("{known:?}"),
    };
    assert!(reason(windows("7601", 24_545, "Client")).detail.contains("no updates are known"));
    assert!(reason(windows("40000", 1, "Client")).detail.contains("not in the catalogue"));
    assert_eq!(reason(Recorded::new()).reason, Reason::SourceMissing);
    assert_eq!(reason(Recorded::new().denying(VERSION)).reason, Reason::NeedsAdministrator);
    let seven = Recorded::new().text(VERSION, "CurrentBuildNumber", "9600").text(VERSION, "InstallationType", "Server");
    assert!(reason(seven).detail.contains("no update revision"));
    // A year later this catalogue cannot show that nothing is missing; what is missing stays missing.
    let later = |revision| {
        let context = CheckContext::new(Arc::new(windows("19045", revision, "Client")), at("2027-11-22T03:00:00Z"));
        missing::collect(&context)
    };
    assert!(matches!(later(7807), Fact::Unknown(unknown) if unknown.reason == Reason::NoReader));
    assert_eq!(later(7725).known().unwrap().items.len(), 1);
    // A machine without paid updates cannot miss any of them; the last free ones can be missing.
    let free = |revision| collected(windows("19045", revision, "Client")).missing;
    assert!(matches!(free(6456), Fact::Unknown(unknown) if unknown.detail.contains("no update after 2025-10-14")));
    assert_eq!(free(6000).known().unwrap().items.len(), 1);
    // The same build of a server has revisions of its own.
    let server = collected(windows("26100", 9711, "Server")).missing;
    assert_eq!(server.known().unwrap().items.len(), 6);
    assert!(collected(windows("26100", 9711, "Client")).missing.known().unwrap().items.is_empty());
}

#[test]
fn automatic_updates_follow_policy_then_machine_then_version() {
    let automatic = |os: Recorded| collected(os).automatic.known().copied();
    let ten = || windows("19045", 7807, "Client");
    let service = r"HKLM\SYSTEM\CurrentControlSet\Services\wuauserv";
    assert_eq!(automatic(ten()), Some(true));
    assert_eq!(automatic(ten().number(AU, "NoAutoUpdate", 1)), Some(false));
    let barred =
        ten().number(r"HKLM\SOFTWARE\Policies\Microsoft\Windows\WindowsUpdate", "DisableWindowsUpdateAccess", 1);
    assert_eq!(automatic(barred), Some(false));
    assert_eq!(automatic(ten().number(AU, "AUOptions", 3)), Some(false));
    assert_eq!(automatic(ten().number(AU, "AUOptions", 4)), Some(true));
    assert_eq!(automatic(ten().number(AU, "AUOptions", 5)), Some(true));
    assert_eq!(automatic(ten().number(service, "Start", 4).number(AU, "AUOptions", 4)), Some(false));
    assert_eq!(
        automatic(ten().text(automatic::SETTINGS, "PauseUpdatesExpiryTime", "2077-01-01T00:00:00Z")),
        Some(false)
    );
    assert_eq!(
        automatic(ten().text(automatic::SETTINGS, "PauseUpdatesExpiryTime", "2026-01-01T00:00:00Z")),
        Some(true)
    );
    let orchestrator = r"HKLM\SYSTEM\CurrentControlSet\Services\UsoSvc";
    assert_eq!(automatic(ten().number(orchestrator, "Start", 4)), Some(false));
    assert_eq!(automatic(ten().number(orchestrator, "Start", 2)), Some(true));
    let quality = "PauseQualityUpdatesEndTime";
    assert_eq!(automatic(ten().text(automatic::SETTINGS, quality, "2077-01-01T00:00:00Z")), Some(false));
    // An invalid time may mean a pause forever.
    assert_eq!(automatic(ten().text(automatic::SETTINGS, quality, "mãi mãi")), None);
    let managed = r"HKLM\SOFTWARE\Microsoft\PolicyManager\current\device\Update";
    assert_eq!(
        [5, 2].map(|option| automatic(ten().number(managed, "AllowAutoUpdate", option))),
        [Some(false), Some(true)]
    );
    assert_eq!(automatic(ten().service("Dhcp", true)), Some(false), "its service was removed");
    assert_eq!(automatic(ten().service("wuauserv", false)), Some(true));
    let seven = || windows("7601", 0, "Client");
    assert_eq!(automatic(seven()), Some(false), "nobody chose it");
    assert_eq!(automatic(seven().number(automatic::LOCAL, "AUOptions", 4)), Some(true));
    assert_eq!(automatic(seven().number(automatic::LOCAL, "AUOptions", 2)), Some(false));
    assert_eq!(automatic(windows("20348", 1, "Server")), None);
    assert_eq!(automatic(ten().set(AU, "AUOptions", Registry::Bytes(vec![4]))), None, "of another type");
}

#[test]
fn what_windows_7_was_told_before_it_became_windows_10_decides_no_longer() {
    let left = |build| collected(windows(build, 7807, "Client").number(automatic::LOCAL, "AUOptions", 2)).automatic;
    assert_eq!([left("19045"), left("26200")], [Fact::Known(true), Fact::Known(true)]);
    assert_eq!(left("9600"), Fact::Known(false));
    let server = windows("14393", 1, "Server").number(automatic::LOCAL, "AUOptions", 4);
    assert_eq!(collected(server).automatic, Fact::Known(true));
}

#[test]
fn updates_from_nowhere_do_not_come_by_themselves() {
    let from = |os: Recorded, server: &str| {
        collected(os.number(AU, "UseWUServer", 1).text(automatic::POLICY, "WUServer", server)).automatic
    };
    let ten = || Recorded {
        computer_name: Some("XA-MT-01".to_owned()),
        ..windows("19045", 7807, "Client").number(AU, "AUOptions", 4)
    };
    assert_eq!(from(ten(), "http://xa-mt-01:8530"), Fact::Known(false), "its own name");
    for nowhere in [
        "http://127.0.0.1",
        "https://localhost:8531/",
        "LOCALHOST",
        "http://[::1]:8530",
        "::1",
        "127.1.2.3:8530",
        "0.0.0.0",
        "http://",
        "http://wsus.invalid",
    ] {
        assert_eq!(from(ten(), nowhere), Fact::Known(false), "{nowhere}");
        // A server may be its own.
        assert_eq!(from(windows("20348", 1, "Server").number(AU, "AUOptions", 4), nowhere).known(), None, "{nowhere}");
    }
    for server in ["http://wsus.tinh.gov.vn:8530", "https://10.1.2.3", "wsus", "http://[fd00::5]:8530"] {
        assert_eq!(from(ten(), server), Fact::Known(true), "{server}");
    }
    // The effect of a server without a name is unknown, and so is what another policy downloads from elsewhere.
    assert_eq!(from(ten(), " ").known(), None);
    assert_eq!(collected(ten().number(AU, "UseWUServer", 1)).automatic.known(), None);
    assert_eq!(from(ten().number(AU, "UseUpdateClassPolicySource", 1), "http://127.0.0.1").known(), None);
    assert_eq!(collected(ten().text(automatic::POLICY, "WUServer", "http://127.0.0.1")).automatic, Fact::Known(true));
    // What is certainly off is off, whatever else is unknown.
    assert_eq!(from(ten().number(AU, "NoAutoUpdate", 1), " "), Fact::Known(false));
}

#[test]
fn a_policy_pauses_updates_for_five_weeks() {
    let since = |day| {
        let os = windows("19045", 7807, "Client").text(automatic::POLICY, "PauseQualityUpdatesStartTime", day);
        collected(os).automatic.known().copied()
    };
    assert_eq!(
        [since("2026-11-01"), since("2026-11-01T00:00:00Z"), since("2026-09-01")],
        [Some(false), Some(false), Some(true)]
    );
    assert_eq!(since("mãi"), None);
}

#[test]
fn an_update_server_counts_only_when_it_is_used() {
    let os = || office().text(automatic::POLICY, "WUServer", "http://wsus.tinh.gov.vn:8530");
    assert_eq!(collected(os()).servers, Fact::Known(List::default()));
    let servers = collected(os().number(AU, "UseWUServer", 1)).servers;
    assert_eq!(servers.known().unwrap().items, ["http://wsus.tinh.gov.vn:8530"]);
}

#[test]
fn every_sign_of_a_restart_counts() {
    let needed = |os: Recorded| collected(os).reboot_needed;
    let servicing = r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Component Based Servicing\RebootPending";
    let session = r"HKLM\SYSTEM\CurrentControlSet\Control\Session Manager";
    let rename = |target: &str| Registry::Texts(vec![r"\??\C:\Windows\Temp\new".to_owned(), target.to_owned()]);
    assert_eq!(needed(office().key(servicing)), Fact::Known(true));
    assert_eq!(needed(office().key(&format!(r"{}\RebootRequired", automatic::LOCAL))), Fact::Known(true));
    for list in ["PendingFileRenameOperations", "PendingFileRenameOperations2"] {
        let system = rename(r"!\??\C:\Windows\System32\win32k.sys");
        assert_eq!(needed(office().set(session, list, system)), Fact::Known(true), "{list}");
        let browser = rename(r"\??\C:\Program Files\Google\Chrome\old_chrome.exe");
        assert_eq!(needed(office().set(session, list, browser)), Fact::Known(false), "{list}");
        // A list of another type, or one that is not made of pairs, is useless; but it does not hide what is known.
        assert!(needed(office().text(session, list, r"\??\C:\Temp\a")).known().is_none(), "{list}");
        let odd = || office().set(session, list, Registry::Texts(vec![r"\??\C:\Temp\a".to_owned()]));
        assert!(needed(odd()).known().is_none(), "{list}");
        assert_eq!(needed(odd().key(servicing)), Fact::Known(true), "{list}");
    }
    assert!(needed(office().denying(servicing)).known().is_none());
    assert_eq!(needed(office().denying(session).key(servicing)), Fact::Known(true));
}

#[test]
fn nothing_is_invented_on_an_empty_machine() {
    let patches = collected(Recorded::new());
    assert!(patches.pending.known().is_none() && patches.pending_security.known().is_none());
    assert!(patches.last_upgrade_at.known().is_none() && patches.lists_at.known().is_none());
    assert!(patches.automatic.known().is_none() && patches.installed.known().is_none());
    // An agent that never searched finds nothing waiting.
    let mut os = windows("7601", 0, "Client");
    os.updates = Some(UpdateSearch::default());
    assert!(matches!(collected(os).pending, Fact::Unknown(unknown) if unknown.reason == Reason::SourceMissing));
}
