//! Logs that somebody cleared: event 1102 in `Security` for itself, 104 in `System` for all others. Both name the person, which is not
//! kept. A log that is archived or overwritten when full is no such event. Sources: learn.microsoft.com, "1102(S): The audit log was
//! cleared"; published events (104: `LogFileCleared` with `Channel`).

use jiff::{Timestamp, ToSpan};
use policies::fact::{ClearedLog, Fact, List};

use crate::text::capped;
use crate::windows::context::{CheckContext, unknown};
use crate::windows::log::{Log, LogExcerpt};
use os::windows::Event;

const PROVIDER: &str = "Microsoft-Windows-Eventlog";
const SECURITY: Log = Log { channel: "Security", provider: None, ids: &[1102], most: MOST };
const OTHERS: Log = Log { channel: "System", provider: Some(PROVIDER), ids: &[104], most: MOST };
/// The most events read from each.
const MOST: usize = 100;
/// How many hours to look back.
const HOURS: i64 = 30 * 24;

/// The cleared logs, newest first. The list is marked as cut when one of the two could not be read, or does not reach back
/// that far.
pub(super) fn list(context: &CheckContext) -> Fact<List<ClearedLog>> {
    let since = context.now.saturating_sub(HOURS.hours()).unwrap_or(Timestamp::UNIX_EPOCH);
    let [security, others] = [SECURITY, OTHERS].map(|log| log.since(context, since));
    let whole = |told: &Result<LogExcerpt, _>| told.as_ref().is_ok_and(|told| told.whole);
    let whole = whole(&security) && whole(&others);
    let mut found = Vec::new();
    for (told, itself) in [(&security, Some(SECURITY.channel)), (&others, None)] {
        let events = told.as_ref().map(|told| told.events.as_slice()).unwrap_or_default();
        found.extend(events.iter().filter_map(|event| cleared(event, itself)));
    }
    if let (true, Some(error)) = (found.is_empty(), security.err().or(others.err())) {
        return unknown(&error);
    }
    found.sort_by_key(|one| std::cmp::Reverse(one.at));
    let mut list = List::capped(found);
    list.left_out = list.left_out.max(u32::from(!whole));
    Fact::Known(list)
}

fn cleared(event: &Event, itself: Option<&str>) -> Option<ClearedLog> {
    let channel = || event.data.iter().find(|(name, _)| name == "Channel").map_or("", |(_, channel)| channel.trim());
    let at = Timestamp::from_millisecond(event.at).ok()?;
    Some(ClearedLog { at, log: capped(itself.unwrap_or_else(channel)) })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use policies::fact::Reason;

    use super::*;
    use os::windows::recorded::Recorded;

    const NOW: &str = "2026-11-22T03:00:00Z";

    fn event(id: u32, at: &str, data: &[(&str, &str)]) -> Event {
        let at = at.parse::<Timestamp>().unwrap().as_millisecond();
        let data = data.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        Event { id, level: 4, at, record: 1, data }
    }

    fn machine(security: Vec<Event>, system: Vec<Event>) -> Recorded {
        let mut os = Recorded::new().log("Security", 0).log("System", 0).provided("System", PROVIDER, system);
        os.events.insert("Security".to_owned(), security);
        os
    }

    fn listed(os: Recorded) -> Fact<List<ClearedLog>> {
        list(&CheckContext::new(Arc::new(os), NOW.parse().unwrap()))
    }

    #[test]
    fn a_log_that_was_emptied_is_told_with_its_channel_and_without_who_did_it() {
        let who = [("SubjectUserSid", "S-1-5-21-1-2-3-1001"), ("SubjectUserName", "hoa")];
        let other = [who.as_slice(), &[("Channel", "Microsoft-Windows-PowerShell/Operational"), ("BackupPath", "")]];
        let os = machine(
            vec![event(1102, "2026-11-20T01:00:00Z", &who)],
            vec![
                event(104, "2026-11-21T01:00:00Z", &other.concat()),
                event(104, "2026-11-19T01:00:00Z", &[("Channel", "System")]),
                // In the future, and older than a month.
                event(104, "2026-11-23T01:00:00Z", &[("Channel", "System")]),
                event(104, "2026-10-01T01:00:00Z", &[("Channel", "System")]),
            ],
        );
        let found = listed(os);
        let found = found.known().unwrap();
        let logs: Vec<&str> = found.items.iter().map(|one| one.log.as_str()).collect();
        assert_eq!(logs, ["Microsoft-Windows-PowerShell/Operational", "Security", "System"]);
        assert_eq!(found.left_out, 0);
        assert_eq!(listed(machine(Vec::new(), Vec::new())), Fact::Known(List::default()));
    }

    #[test]
    fn a_log_that_is_not_read_or_does_not_go_back_proves_nothing() {
        let young = "2026-11-21T00:00:00Z".parse::<Timestamp>().unwrap().as_millisecond();
        let cut = listed(machine(Vec::new(), Vec::new()).log("Security", young));
        assert_eq!(cut.known().map(|list| (list.items.len(), list.left_out)), Some((0, 1)));
        let mut half = machine(Vec::new(), vec![event(104, "2026-11-19T01:00:00Z", &[("Channel", "System")])]);
        half.events.clear();
        assert_eq!(listed(half).known().map(|list| (list.items.len(), list.left_out)), Some((1, 1)));
        let none = listed(Recorded::new());
        assert!(matches!(none, Fact::Unknown(why) if why.reason == Reason::SourceMissing));
    }
}
