//! Section `accounts`: local accounts, their password rules, and what protects an unattended session.
//!
//! Sources: network management (`NetUserEnum`, `NetLocalGroupGetMembers`, `NetUserModalsGet`), the account database's own rules in
//! `HKLM\SAM` (readable only by the system), `Winlogon`, the policies of User Account Control. Groups and built-in accounts are
//! identified by number, never by name, because names depend on the system's language. Failed logons come from the event log, which is
//! not watched: every one of them would trigger a new collection.

use policies::fact::{Accounts, Days, Fact, List, Reason, Seconds};

use super::context::{CheckContext, answered, unknown};
use os::windows::{AccountRules, Registry};
use os::{Answer, OsError};

mod failures;
mod outsiders;
mod people;
mod session;

pub(super) use people::PROFILES;
pub(super) use session::{is_person, loaded};

const WINLOGON: &str = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion\Winlogon";
const CONTROL: &str = r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Policies\System";
const DATABASE: &str = r"HKLM\SAM\SAM\Domains\Account";

/// Registry keys whose change triggers a new collection of this section.
pub(super) const WATCHED: &[&str] = &[
    WINLOGON,
    CONTROL,
    session::EXPLORER,
    r"HKLM\SAM\SAM\Domains\Account\Users\Names",
    // Screen lock and autorun of everyone logged on.
    r"HKU\*\Control Panel\Desktop",
    r"HKU\*\Software\Policies\Microsoft\Windows\Control Panel\Desktop",
    r"HKU\*\Software\Microsoft\Windows\CurrentVersion\Policies\Explorer",
    r"HKU\*\Software\Microsoft\Windows\CurrentVersion\Explorer\AutoplayHandlers",
];

/// The number of days that stands for a password that never has to be changed.
const NEVER: i64 = 99_999;

pub(super) fn collect(context: &CheckContext) -> Accounts {
    let rules = context.os.account_rules();
    let rule = |read: fn(&AccountRules) -> i64| answered(rules.clone(), |rules| Fact::Known(read(&rules)));
    let sessions = session::loaded(context);
    Accounts {
        users: people::list(context),
        domain_administrators: outsiders::list(context),
        extra_roots: people::built_in(context),
        password_min_length: rule(|rules| rules.min_length.into()),
        password_min_classes: classes(context.os.value(DATABASE, "F")),
        password_max_age: rule(|rules| match rules.max_age {
            u32::MAX => NEVER,
            seconds => i64::from(seconds / 86_400),
        })
        .map(Days),
        lockout_tries: rule(|rules| rules.lockout_tries.into()),
        lockout_time: rule(|rules| match rules.lockout_time {
            // Until an administrator unlocks it.
            u32::MAX => 0,
            seconds => seconds.into(),
        })
        .map(Seconds),
        automatic_logon: automatic_logon(context),
        screen_lock: session::screen_lock(context, &sessions),
        autorun_off: session::autorun_off(context, &sessions),
        uac: uac(context),
        failed_logons: failures::list(context),
        ..Accounts::unknown(Reason::NoReader, "Windows has no such setting")
    }
}

/// True when somebody is logged on automatically at boot. The password for that may be hidden from the registry, so its absence
/// proves nothing; it is never read.
fn automatic_logon(context: &CheckContext) -> Fact<bool> {
    context.text(WINLOGON, "AutoAdminLogon").or(Fact::Known(false), |value| {
        let odd = || Fact::unknown(Reason::Unreadable, format!("AutoAdminLogon {value}"));
        value.trim().parse::<u32>().map_or_else(|_| odd(), |value| Fact::Known(value != 0))
    })
}

/// True when Windows asks before a program may act as administrator. Every Windows is installed with `EnableLUA` set, so a missing value
/// is unknown; `ConsentPromptBehaviorAdmin` has a default that asks (learn.microsoft.com, "User Account Control settings and
/// configuration").
fn uac(context: &CheckContext) -> Fact<bool> {
    let missing = Fact::unknown(Reason::SourceMissing, format!("{CONTROL} : EnableLUA"));
    let asks = |name: &str, absent| context.number(CONTROL, name).or(absent, |value| Fact::Known(value != 0));
    match (asks("EnableLUA", missing), asks("ConsentPromptBehaviorAdmin", Fact::Known(true))) {
        (Fact::Known(false), _) | (_, Fact::Known(false)) => Fact::Known(false),
        (Fact::Unknown(unknown), _) | (_, Fact::Unknown(unknown)) => Fact::Unknown(unknown),
        (Fact::Known(true), Fact::Known(true)) => Fact::Known(true),
    }
}

/// Character classes that a password needs: Windows requires three or none. It is a bit (`DOMAIN_PASSWORD_COMPLEX`) in the account
/// database's rules (`DOMAIN_ACCOUNT_F`), which only the system itself may read.
fn classes(rules: Answer<Registry>) -> Fact<i64> {
    const PROPERTIES: usize = 76;
    const COMPLEX: u32 = 1;
    match rules {
        Ok(Registry::Bytes(bytes)) => match bytes.get(PROPERTIES..PROPERTIES + 4).and_then(|word| word.try_into().ok())
        {
            Some(word) => Fact::Known(if u32::from_le_bytes(word) & COMPLEX == 0 { 1 } else { 3 }),
            None => Fact::unknown(Reason::Unreadable, "the rules of the account database are too short"),
        },
        Ok(_) => Fact::unknown(Reason::Unreadable, "the rules of the account database are of another type"),
        // Windows gives this answer to everyone but the system.
        Err(OsError::Missing(what)) => unknown(&OsError::Denied(what)),
        Err(error) => unknown(&error),
    }
}

/// A list in a stable order.
fn sorted(mut names: Vec<String>) -> List<String> {
    names.sort_unstable();
    names.dedup();
    List::capped(names)
}

#[cfg(test)]
mod tests;
