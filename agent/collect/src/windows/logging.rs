//! Section `logging`: the event log, how far back it goes, what is audited, and whether it is also sent elsewhere.
//!
//! Sources: service `EventLog`; `Services\EventLog\Security` and the policy over it (`MaxSize`, `Retention`, `AutoBackupLogFiles`);
//! the log itself; the audit policy by subcategory id (ntsecapi.h), which is the same in every language.

use jiff::Timestamp;
use policies::fact::{Days, Fact, Instant, Logging, Mebibytes, Reason};

use super::context::{CheckContext, Setting, answered, unknown};
use os::windows::{LogFile, Registry};
use os::{Answer, OsError};

mod cleared;

const LOCAL: &str = r"HKLM\SYSTEM\CurrentControlSet\Services\EventLog\Security";
const POLICY: &str = r"HKLM\SOFTWARE\Policies\Microsoft\Windows\EventLog\Security";
const FORWARDING: &str = r"HKLM\SOFTWARE\Policies\Microsoft\Windows\EventLog\EventForwarding\SubscriptionManager";
/// Registry keys whose change triggers a new collection of this section.
pub(super) const WATCHED: &[&str] =
    &[LOCAL, POLICY, FORWARDING, r"HKLM\SYSTEM\CurrentControlSet\Services\EventLog", r"HKLM\SECURITY\Policy\PolAdtEv"];

/// The default size of a log, in bytes.
const USUAL: u64 = 20 << 20;
/// A log that is kept forever.
const FOR_EVER: Days = Days(99_999);

/// The minimum audit settings: subcategory, success (1) and failure (2). Logons; changes to accounts, groups and the audit
/// policy itself.
const AUDITED: [(&str, u32); 4] = [
    ("{0CCE9215-69AE-11D9-BED3-505054503030}", 3),
    ("{0CCE9235-69AE-11D9-BED3-505054503030}", 1),
    ("{0CCE9237-69AE-11D9-BED3-505054503030}", 1),
    ("{0CCE922F-69AE-11D9-BED3-505054503030}", 1),
];

/// Log shipping services, by key name.
const CARRIERS: [&str; 11] = [
    "nxlog",
    "winlogbeat",
    "filebeat",
    "elastic agent",
    "wazuhsvc",
    "ossecsvc",
    "splunkforwarder",
    "fluent-bit",
    "fluentdwinsvc",
    "azuremonitoragent",
    "snare",
];

pub(super) fn collect(context: &CheckContext) -> Logging {
    let running = context.service_runs("EventLog");
    let known = |running: Answer<bool>| answered(running, Fact::Known);
    let file = context.os.log_file("Security");
    Logging {
        services: answered(running.clone(), |running| {
            Fact::Known(running.then(|| "eventlog".to_owned()).into_iter().collect())
        }),
        running: known(running.clone()),
        // Event logs are files.
        persistent: known(running),
        kept: kept(context, &file),
        oldest_at: answered(file, oldest),
        forwarded: forwarded(context),
        audit: audit(context),
        largest: largest(context).or(mebibytes(USUAL), mebibytes),
        cleared: cleared::list(context),
    }
}

fn oldest(file: LogFile) -> Fact<Instant> {
    match file.oldest_at.map(Timestamp::from_millisecond) {
        Some(Ok(at)) => Fact::Known(at),
        Some(Err(_)) => Fact::unknown(Reason::Unreadable, "an impossible time"),
        None => Fact::unknown(Reason::SourceMissing, "the log is empty"),
    }
}

/// The maximum log size in bytes. A policy gives it in kibibytes.
fn largest(context: &CheckContext) -> Setting<u64> {
    match context.number(POLICY, "MaxSize") {
        Setting::Set(kibibytes) => Setting::Set(kibibytes.saturating_mul(1 << 10)),
        other => other.else_by(|| context.number(LOCAL, "MaxSize")),
    }
}

fn mebibytes(bytes: u64) -> Fact<Mebibytes> {
    Fact::Known(Mebibytes(i64::try_from(bytes >> 20).unwrap_or(i64::MAX)))
}

/// Days for which the configuration certainly keeps the log. It is archived when full if the same place sets archiving and says that old
/// events are not overwritten (learn.microsoft.com, "Eventlog key": `Retention` 0xFFFFFFFF, and the policy "Back up log automatically when
/// full"). A log that is overwritten or stops when full keeps none for certain; before it is full the number of days is unknown.
fn kept(context: &CheckContext, file: &Answer<LogFile>) -> Fact<Days> {
    /// The local `Retention` of a log that is never overwritten; a policy says 1.
    const NEVER: u64 = 0xFFFF_FFFF;
    let [retention, archive] =
        ["Retention", "AutoBackupLogFiles"].map(|name| (context.number(POLICY, name), context.number(LOCAL, name)));
    match (&retention, &archive) {
        ((Setting::Set(1), _), (Setting::Set(1), _))
        | ((Setting::Absent, Setting::Set(NEVER)), (Setting::Absent, Setting::Set(1))) => {
            return Fact::Known(FOR_EVER);
        }
        _ => {}
    }
    let archives = archive.0.else_by(|| archive.1).or(Fact::Known(false), |value| Fact::Known(value != 0));
    let overwrites = retention.0.else_by(|| retention.1).or(Fact::Known(true), |value| Fact::Known(value == 0));
    match (archives, overwrites, file, largest(context)) {
        (Fact::Known(true), Fact::Known(false), ..) => {
            Fact::unknown(Reason::Contradictory, "what is set does not say for certain that a full log is archived")
        }
        (Fact::Unknown(unknown), Fact::Known(false) | Fact::Unknown(_), ..)
        | (Fact::Known(true), Fact::Unknown(unknown), ..) => Fact::Unknown(unknown),
        (_, _, Err(error), _) => unknown(error),
        (_, _, _, Setting::Unreadable(error)) => unknown(&error),
        (_, _, Ok(file), largest) => {
            let largest = if let Setting::Set(largest) = largest { largest } else { USUAL };
            // The file grows in steps and never quite reaches its limit.
            if file.size >= largest - largest / 10 {
                Fact::Known(Days(0))
            } else {
                Fact::unknown(Reason::SourceMissing, "only its size limits the log, and it is not full yet")
            }
        }
    }
}

fn audit(context: &CheckContext) -> Fact<bool> {
    let subcategories = AUDITED.map(|(subcategory, _)| subcategory);
    answered(context.os.audit_policy(&subcategories), |settings| {
        let set =
            |wanted: &str| settings.iter().find(|(guid, _)| guid.eq_ignore_ascii_case(wanted)).map(|(_, set)| *set);
        let each: Option<Vec<bool>> =
            AUDITED.iter().map(|(subcategory, wanted)| Some(set(subcategory)? & wanted == *wanted)).collect();
        each.map_or_else(
            || Fact::unknown(Reason::Unreadable, "a subcategory was not answered"),
            |each| Fact::Known(each.into_iter().all(|audited| audited)),
        )
    })
}

/// True when a subscription takes events away, which the service WinRM does, or another service that carries them runs.
fn forwarded(context: &CheckContext) -> Fact<bool> {
    match context.os.values(FORWARDING) {
        Ok(values) if values.iter().any(|(_, value)| is_subscription(value)) => match context.service_runs("WinRM") {
            Ok(true) => return Fact::Known(true),
            Ok(false) => {}
            Err(error) => return unknown(&error),
        },
        Ok(_) | Err(OsError::Missing(_)) => {}
        Err(error) => return unknown(&error),
    }
    answered(context.services(), |services| {
        let carries = |name: &str| CARRIERS.contains(&name.to_ascii_lowercase().as_str());
        Fact::Known(services.iter().any(|service| service.state == super::context::RUNNING && carries(&service.name)))
    })
}

/// `Server=https://log.tinh.gov.vn:5986/wsman/SubscriptionManager/WEC,Refresh=60`.
fn is_subscription(value: &Registry) -> bool {
    let server = |text: &str| text.split(',').any(|part| part.trim().to_ascii_lowercase().starts_with("server=http"));
    matches!(value, Registry::Text(text) if server(text))
}

#[cfg(test)]
mod tests {
    use policies::fact::List;
    use std::collections::BTreeMap;

    use super::*;
    use os::windows::recorded::Recorded;

    fn collected(os: Recorded) -> Logging {
        collect(&CheckContext::of(os))
    }

    fn office(size: u64) -> Recorded {
        let mut os = Recorded::new().service("EventLog", true).number(LOCAL, "MaxSize", 20 << 20);
        let oldest_at = "2026-09-01T00:00:00Z".parse::<Timestamp>().unwrap().as_millisecond();
        os.log_files.insert("Security".to_owned(), LogFile { size, oldest_at: Some(oldest_at) });
        os.audit_policy = Some(AUDITED.iter().map(|(guid, wanted)| ((*guid).to_owned(), *wanted)).collect());
        os
    }

    #[test]
    fn an_office_computer_writes_down_what_happens() {
        let logging = collected(office(4 << 20));
        assert_eq!(logging.services, Fact::Known(["eventlog".to_owned()].into_iter().collect()));
        assert_eq!((logging.running, logging.persistent), (Fact::Known(true), Fact::Known(true)));
        assert_eq!(logging.oldest_at, Fact::Known("2026-09-01T00:00:00Z".parse().unwrap()));
        assert_eq!((logging.audit, logging.forwarded), (Fact::Known(true), Fact::Known(false)));
        assert_eq!(logging.largest, Fact::Known(Mebibytes(20)));
        assert!(logging.kept.known().is_none(), "it is not full");
        assert_eq!(collected(office(4 << 20).service("Dhcp", true)).running, Fact::Known(true));
        let stopped = collected(Recorded::new().service("EventLog", false));
        assert_eq!((stopped.running, stopped.services), (Fact::Known(false), Fact::Known(List::default())));
    }

    #[test]
    fn a_full_log_keeps_nothing_for_certain_and_an_archived_one_everything() {
        assert_eq!(collected(office(20 << 20)).kept, Fact::Known(Days(0)));
        assert_eq!(collected(office((20 << 20) - 65_536)).kept, Fact::Known(Days(0)));
        // As a Windows 7 was set: 4 MiB, archived when full, never overwritten.
        let archived = office(4 << 20).number(LOCAL, "MaxSize", 4 << 20).number(LOCAL, "AutoBackupLogFiles", 1);
        let kept = collected(archived.clone().number(LOCAL, "Retention", 0xFFFF_FFFF));
        assert_eq!((kept.kept, kept.largest), (Fact::Known(FOR_EVER), Fact::Known(Mebibytes(4))));
        // What is overwritten is not archived, whatever else is set.
        assert_eq!(collected(archived.clone().number(LOCAL, "Retention", 0)).kept, Fact::Known(Days(0)));
        assert_eq!(collected(archived.clone()).kept, Fact::Known(Days(0)));
        let policy = archived.clone().text(POLICY, "Retention", "1").text(POLICY, "AutoBackupLogFiles", "1");
        assert_eq!(collected(policy).kept, Fact::Known(FOR_EVER));
        assert!(collected(archived.text(LOCAL, "Retention", "mãi mãi")).kept.known().is_none());
        // A number of seconds, a number that only a policy has, half of a policy: nobody says what comes of it.
        let large = || office(4 << 20).number(LOCAL, "AutoBackupLogFiles", 1);
        for local in [604_800, 1, 2] {
            assert!(collected(large().number(LOCAL, "Retention", local)).kept.known().is_none(), "{local}");
        }
        assert!(collected(large().number(POLICY, "Retention", 1)).kept.known().is_none());
        let half = office(4 << 20).number(LOCAL, "Retention", 0xFFFF_FFFF).number(POLICY, "AutoBackupLogFiles", 1);
        assert!(collected(half).kept.known().is_none());
        let odd = office(20 << 20).number(POLICY, "Retention", 0xFFFF_FFFF).number(POLICY, "AutoBackupLogFiles", 1);
        assert!(collected(odd).kept.known().is_none());
        // Full, not overwritten and not archived: what comes is lost.
        let closed = office(20 << 20).number(LOCAL, "Retention", 0xFFFF_FFFF);
        assert_eq!(collected(closed).kept, Fact::Known(Days(0)));
        let larger = office(20 << 20).number(POLICY, "MaxSize", 196_608);
        assert_eq!(collected(larger.clone()).largest, Fact::Known(Mebibytes(192)));
        assert!(collected(larger).kept.known().is_none());
    }

    #[test]
    fn auditing_counts_when_all_of_it_is_on() {
        let with = |change: fn(&mut BTreeMap<String, u32>)| {
            let mut os = office(0);
            change(os.audit_policy.as_mut().unwrap());
            collected(os).audit
        };
        // As Windows 10 comes: logons that fail are not written down.
        assert_eq!(with(|policy| policy.extend([(AUDITED[0].0.to_owned(), 1)])), Fact::Known(false));
        assert_eq!(with(|policy| policy.extend([(AUDITED[1].0.to_owned(), 3)])), Fact::Known(true));
        assert!(with(BTreeMap::clear).known().is_none());
    }

    #[test]
    fn events_that_are_carried_away_count_as_forwarded() {
        let subscription = Registry::Text("Server=https://log.tinh.gov.vn:5986/wsman".to_owned());
        let subscribed = office(0).set(FORWARDING, "1", subscription);
        assert_eq!(collected(subscribed.clone().service("WinRM", true)).forwarded, Fact::Known(true));
        assert_eq!(collected(subscribed.service("WinRM", false)).forwarded, Fact::Known(false), "nobody carries them");
        assert_eq!(collected(office(0).service("WazuhSvc", true)).forwarded, Fact::Known(true));
        assert_eq!(collected(office(0).service("WazuhSvc", false)).forwarded, Fact::Known(false));
        assert!(collected(office(0).denying(FORWARDING)).forwarded.known().is_none());
        for nothing in ["", "Server=", "không"] {
            let subscription = Registry::Text(nothing.to_owned());
            assert_eq!(
                collected(office(0).service("WinRM", true).set(FORWARDING, "1", subscription)).forwarded,
                Fact::Known(false),
                "{nothing}"
            );
        }
    }

    #[test]
    fn nothing_is_invented_on_an_empty_machine() {
        let logging = collected(Recorded::new());
        assert!(logging.running.known().is_none() && logging.audit.known().is_none());
        assert!(logging.kept.known().is_none() && logging.oldest_at.known().is_none());
    }
}
