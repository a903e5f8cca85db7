//! Whether the clock follows a server, from the time service's event log entries. The service itself only reports its state as text in
//! the user's language (`w32tm`); its events have numbers.
//!
//! Channel `System`: 35 a source was chosen, 37 it sends usable times (which proves no more than that), 36 for long (by default a day)
//! there was none and the clock is no longer synchronised. Since Windows 10 (1703) also the service's own channel: 260, every few hours,
//! its state with the protocol's leap indicator (3: not synchronised) and the last error. In each channel the event written last decides: a
//! clock that was ahead leaves events with later times. That one server of several does not answer (47, 129, 134) decides nothing. Sources:
//! learn.microsoft.com, "Windows Time for traceability"; RFC 5905, 7.3; published events.

use jiff::{Timestamp, ToSpan};
use policies::fact::{Fact, Reason};

use crate::windows::context::{CheckContext, unknown};
use crate::windows::log::{Log, LogExcerpt, reaches};
use os::OsError;
use os::windows::Event;

const PROVIDER: &str = "Microsoft-Windows-Time-Service";
const OWN_CHANNEL: &str = "Microsoft-Windows-Time-Service/Operational";
const CHOSEN: u32 = 35;
const LOST: u32 = 36;
const RECEIVES: u32 = 37;
const STATE: u32 = 260;
/// A machine outside a domain asks once a week; events older than two weeks say nothing about today.
const HOURS: i64 = 14 * 24;
/// The most events read from each channel: the newest decisive one is among the first.
const MOST: usize = 32;
/// `LOCL` as a number, first byte first or last: the machine's own clock as a source.
const OWN_CLOCK: [&str; 2] = ["1280262988", "1279479628"];

/// A statement about the clock, and when it was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Word {
    at: i64,
    follows: Option<bool>,
}

/// True when the last statement was that the clock follows a server.
pub(super) fn synchronised(context: &CheckContext) -> Fact<bool> {
    let since = context.now.saturating_sub(HOURS.hours()).unwrap_or(Timestamp::UNIX_EPOCH);
    let ask = |channel, provider, ids| Log { channel, provider, ids, most: MOST }.since(context, since);
    let told = ask("System", Some(PROVIDER), &[CHOSEN, LOST, RECEIVES]);
    let own = match ask(OWN_CHANNEL, None, &[STATE]) {
        // Before Windows 10 (1703) there is no such channel.
        Err(OsError::Missing(_)) => Ok(LogExcerpt::default()),
        answer => answer,
    };
    let events = |told: &Result<LogExcerpt, OsError>| told.as_ref().map(|told| told.events.clone()).unwrap_or_default();
    let (told_word, own_word) = (told_word(&events(&told)), events(&own).iter().find_map(state));
    let word = match (told_word, own_word) {
        (Some(told), Some(own)) => Some(if told.at > own.at { told } else { own }),
        (told, own) => told.or(own),
    };
    match (word.map(|word| word.follows), told.err().or(own.err())) {
        (Some(Some(follows)), _) => Fact::Known(follows),
        (Some(None), _) => Fact::unknown(Reason::Contradictory, "the time service does not say whether it follows"),
        (None, Some(error)) => unknown(&error),
        // A younger log may have lost such an event.
        (None, None) if !reaches(context, "System", since) => {
            Fact::unknown(Reason::SourceMissing, "the event log does not go back two weeks")
        }
        (None, None) => Fact::unknown(Reason::NoReader, "no word of the time service in the event logs of two weeks"),
    }
}

/// The last statement in the shared channel. Receiving times is no statement, but leaves open what happened before.
fn told_word(events: &[Event]) -> Option<Word> {
    let mut receives = false;
    for event in events {
        let follows = match event.id {
            RECEIVES => {
                receives = true;
                continue;
            }
            LOST => (!receives).then_some(false),
            CHOSEN => Some(!OWN_CLOCK.contains(&datum(event, "TimeSourceRefId"))),
            _ => continue,
        };
        return Some(Word { at: event.at, follows });
    }
    receives.then_some(Word { at: i64::MIN, follows: None })
}

/// The state reported by the service; `None` when damaged.
fn state(event: &Event) -> Option<Word> {
    let own_clock = datum(event, "ReferenceId").to_ascii_uppercase().contains("4C4F434C");
    let error: u32 = datum(event, "LastSyncError").parse().ok()?;
    let follows = match datum(event, "LeapIndicator") {
        "3" => Some(false),
        "0" | "1" | "2" if own_clock => Some(false),
        "0" | "1" | "2" if error == 0 => Some(true),
        // It followed a server that did not answer the last time.
        "0" | "1" | "2" => None,
        _ => return None,
    };
    Some(Word { at: event.at, follows })
}

fn datum<'a>(event: &'a Event, name: &str) -> &'a str {
    event.data.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.trim())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use os::windows::recorded::Recorded;

    const NOW: &str = "2026-11-22T03:00:00Z";

    fn event(id: u32, at: &str, data: &[(&str, &str)]) -> Event {
        let at: Timestamp = at.parse().unwrap();
        let data = data.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        Event { id, level: 0, at: at.as_millisecond(), record: 0, data }
    }

    fn collected(system: Vec<Event>, own: Option<Vec<Event>>) -> Fact<bool> {
        let mut os = Recorded::new().provided("System", PROVIDER, system).log("System", 0);
        // What others write under the same numbers is not the time service's.
        os = os.provided("System", "disk", vec![event(LOST, "2026-11-22T02:59:00Z", &[])]);
        os.events.extend(own.map(|own| (OWN_CHANNEL.to_owned(), own)));
        synchronised(&CheckContext::new(Arc::new(os), NOW.parse().unwrap()))
    }

    #[test]
    fn the_word_that_was_written_last_decides() {
        let source = ("TimeSource", "time.windows.com,0x9 (ntp.m|0x9|0.0.0.0:123->52.231.114.183:123)");
        let chosen = event(CHOSEN, "2026-11-20T01:00:01Z", &[source, ("TimeSourceRefId", "3077760820")]);
        let receives = event(RECEIVES, "2026-11-20T01:00:00Z", &[source]);
        let lost = |at| event(LOST, at, &[("TimeDifferenceMilliseconds", "86400")]);
        assert_eq!(collected(vec![chosen.clone(), receives], None), Fact::Known(true));
        assert_eq!(collected(vec![chosen.clone(), lost("2026-11-21T01:00:00Z")], None), Fact::Known(false));
        assert_eq!(collected(vec![chosen.clone(), lost("2026-11-19T01:00:00Z")], None), Fact::Known(true));
        let old = event(CHOSEN, "2026-11-01T01:00:00Z", &[source]);
        assert!(matches!(collected(vec![old], None), Fact::Unknown(why) if why.reason == Reason::NoReader));
        let itself = event(CHOSEN, "2026-11-20T01:00:01Z", &[("TimeSourceRefId", "1280262988")]);
        assert_eq!(collected(vec![itself], None), Fact::Known(false));
        // The clock was set back between the two: the log's order shows which was first.
        let ahead = Event { record: 7, ..chosen };
        let then = Event { record: 8, ..lost("2026-11-19T01:00:00Z") };
        assert_eq!(collected(vec![ahead, then], None), Fact::Known(false));
    }

    #[test]
    fn times_that_are_received_are_not_yet_followed() {
        let receives = |at| event(RECEIVES, at, &[]);
        let alone = collected(vec![receives("2026-11-20T01:00:00Z")], None);
        assert!(matches!(alone, Fact::Unknown(why) if why.reason == Reason::Contradictory));
        let again = vec![event(LOST, "2026-11-19T01:00:00Z", &[]), event(RECEIVES, "2026-11-20T01:00:00Z", &[])];
        assert_eq!(collected(again, None).known(), None);
        // Its own state shows it, before or after.
        let own = |leap: &str, error: &str| {
            let data = [("LeapIndicator", leap), ("LastSyncError", error)];
            Some(vec![event(STATE, "2026-11-20T00:00:00Z", &data)])
        };
        assert_eq!(collected(vec![receives("2026-11-20T01:00:00Z")], own("0", "0")), Fact::Known(true));
        assert_eq!(collected(vec![receives("2026-11-20T01:00:00Z")], own("3", "1")), Fact::Known(false));
        assert_eq!(collected(vec![receives("2026-11-20T01:00:00Z")], own("0", "1")).known(), None);
    }

    #[test]
    fn what_a_clock_that_ran_ahead_wrote_says_nothing_of_today() {
        let now = "2022-02-08T21:20:00Z";
        let state = [("LeapIndicator", "3"), ("LastSyncError", "1")];
        let mut os = Recorded::new().provided("System", PROVIDER, vec![event(RECEIVES, "2022-02-13T03:55:21Z", &[])]);
        os.events.insert(OWN_CHANNEL.to_owned(), vec![event(STATE, "2022-02-08T21:14:55Z", &state)]);
        assert_eq!(synchronised(&CheckContext::new(Arc::new(os), now.parse().unwrap())), Fact::Known(false));
    }

    #[test]
    fn the_services_own_state_is_read_by_its_numbers() {
        let state = |leap: &str, error: &str, reference: &str| {
            let data = [("LeapIndicator", leap), ("LastSyncError", error), ("ReferenceId", reference)];
            let lost = event(LOST, "2026-11-21T01:00:00Z", &[]);
            collected(vec![lost], Some(vec![event(STATE, "2026-11-22T01:00:00Z", &data)]))
        };
        assert_eq!(state("0", "0", "0x34E772B7"), Fact::Known(true));
        assert_eq!(state("3", "0", "0x00000000"), Fact::Known(false));
        assert_eq!(state("3", "1", "0x00000000"), Fact::Known(false));
        assert_eq!(state("0", "0", "0x4C4F434C"), Fact::Known(false));
        // A state with an error is unknown; a damaged event is ignored: the one before it counts.
        assert_eq!(state("0", "2", "0x34E772B7").known(), None);
        for (leap, error) in [("", ""), ("7", "0"), ("không", "0"), ("0", "")] {
            assert_eq!(state(leap, error, ""), Fact::Known(false), "{leap} {error}");
        }
        let odd = event(STATE, "2026-11-22T01:00:00Z", &[]);
        assert!(collected(Vec::new(), Some(vec![odd])).known().is_none());
    }

    #[test]
    fn logs_that_cannot_be_read_or_are_young_are_no_gap_of_the_product() {
        let reason = |os: Recorded| match synchronised(&CheckContext::new(Arc::new(os), NOW.parse().unwrap())) {
            Fact::Unknown(why) => why.reason,
            Fact::Known(known) => panic!("{known}"),
        };
        assert_eq!(reason(Recorded::new()), Reason::SourceMissing);
        let silent = || Recorded::new().provided("System", PROVIDER, Vec::new());
        assert_eq!(reason(silent().log("System", 0)), Reason::NoReader);
        let yesterday = "2026-11-21T03:00:00Z".parse::<Timestamp>().unwrap().as_millisecond();
        assert_eq!(reason(silent().log("System", yesterday)), Reason::SourceMissing);
    }
}
