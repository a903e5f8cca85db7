//! Whether the clock follows a server, by what the time service wrote to the event logs. It tells its state itself in words of the user's
//! language only (`w32tm`); its events have numbers.
//!
//! Channel `System`: 35 a source was chosen, 37 it sends times that can be used, 36 for long (a day as Windows comes) there was none and the
//! clock is no longer synchronised. From Windows 10 (1703) on also the service's own channel: 260, every few hours, its state with the leap
//! indicator of the protocol (3: not synchronised) and the last error. The newest of these decides. That one server of several does not
//! answer (47, 129, 134) decides nothing. Sources: learn.microsoft.com, "Windows Time for traceability"; RFC 5905, 7.3; published events.

use jiff::{Timestamp, ToSpan};
use policies::fact::{Fact, Reason};

use crate::collect::windows::scene::{Scene, unknown};
use crate::os::windows::{Event, EventQuery};
use crate::os::{Answer, OsError};

const PROVIDER: &str = "Microsoft-Windows-Time-Service";
const OWN_CHANNEL: &str = "Microsoft-Windows-Time-Service/Operational";
const CHOSEN: u32 = 35;
const LOST: u32 = 36;
const RECEIVES: u32 = 37;
const STATE: u32 = 260;
/// A machine outside a domain asks once a week; what is older than two weeks says nothing of today.
const HOURS: i64 = 14 * 24;
/// The most events that are read of each channel: the newest that decides is among the first.
const MOST: usize = 32;
/// `LOCL` as a number, first byte first or last: the machine's own clock as a source.
const OWN_CLOCK: [&str; 2] = ["1280262988", "1279479628"];

/// True when the last word was that the clock follows a server.
pub(super) fn synchronised(scene: &Scene) -> Fact<bool> {
    let since = scene.now.saturating_sub(HOURS.hours()).map_or(0, Timestamp::as_millisecond);
    let query =
        |channel: &str, ids: &[u32]| EventQuery { channel: channel.to_owned(), ids: ids.to_vec(), since, most: MOST };
    let told = scene.os.events_of(PROVIDER, &query("System", &[CHOSEN, LOST, RECEIVES]));
    let own = match scene.os.events(&query(OWN_CHANNEL, &[STATE])) {
        // Windows before its version 10 (1703) has no such channel.
        Err(OsError::Missing(_)) => Ok(Vec::new()),
        answer => answer,
    };
    let last = [&told, &own].into_iter().flatten().flatten().filter_map(word).max_by_key(|(at, _)| *at);
    match (last, first_error(told, own)) {
        (Some((_, follows)), _) => Fact::Known(follows),
        (None, Some(error)) => unknown(&error),
        (None, None) => Fact::unknown(Reason::NoReader, "no word of the time service in the event logs of two weeks"),
    }
}

fn first_error(told: Answer<Vec<Event>>, own: Answer<Vec<Event>>) -> Option<OsError> {
    told.err().or(own.err())
}

/// What an event says, and when; `None` when it decides nothing.
fn word(event: &Event) -> Option<(i64, bool)> {
    let data = |name: &str| event.data.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.trim());
    let follows = match event.id {
        LOST => false,
        CHOSEN => !OWN_CLOCK.contains(&data("TimeSourceRefId")),
        RECEIVES => true,
        STATE => {
            let own_clock = data("ReferenceId").to_ascii_uppercase().contains("4C4F434C");
            match (data("LeapIndicator"), data("LastSyncError")) {
                ("3", _) => false,
                ("0" | "1" | "2", _) if own_clock => false,
                ("0" | "1" | "2", "0") => true,
                _ => return None,
            }
        }
        _ => return None,
    };
    Some((event.at, follows))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::os::windows::recorded::Recorded;

    const NOW: &str = "2026-11-22T03:00:00Z";

    fn event(id: u32, at: &str, data: &[(&str, &str)]) -> Event {
        let at: Timestamp = at.parse().unwrap();
        let data = data.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        Event { id, level: 0, at: at.as_millisecond(), data }
    }

    fn collected(system: Vec<Event>, own: Option<Vec<Event>>) -> Fact<bool> {
        let mut os = Recorded::new().provided("System", PROVIDER, system);
        // What others write under the same numbers is not the time service's.
        os = os.provided("System", "disk", vec![event(LOST, "2026-11-22T02:59:00Z", &[])]);
        os.events.extend(own.map(|own| (OWN_CHANNEL.to_owned(), own)));
        synchronised(&Scene::new(Arc::new(os), NOW.parse().unwrap()))
    }

    #[test]
    fn the_newest_word_decides() {
        let source = ("TimeSource", "time.windows.com,0x9 (ntp.m|0x9|0.0.0.0:123->52.231.114.183:123)");
        let chosen = event(CHOSEN, "2026-11-20T01:00:01Z", &[source, ("TimeSourceRefId", "3077760820")]);
        let receives = event(RECEIVES, "2026-11-20T01:00:00Z", &[source]);
        let lost = |at| event(LOST, at, &[("TimeDifferenceMilliseconds", "86400")]);
        assert_eq!(collected(vec![chosen.clone(), receives.clone()], None), Fact::Known(true));
        assert_eq!(collected(vec![chosen.clone(), lost("2026-11-21T01:00:00Z")], None), Fact::Known(false));
        assert_eq!(collected(vec![chosen, lost("2026-11-19T01:00:00Z")], None), Fact::Known(true));
        let old = event(CHOSEN, "2026-11-01T01:00:00Z", &[source]);
        assert!(matches!(collected(vec![old], None), Fact::Unknown(why) if why.reason == Reason::NoReader));
        let itself = event(CHOSEN, "2026-11-20T01:00:01Z", &[("TimeSourceRefId", "1280262988")]);
        assert_eq!(collected(vec![itself], None), Fact::Known(false));
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
        assert_eq!(state("0", "0", "0x4C4F434C"), Fact::Known(false));
        // Neither an error nor damage is a word: the one before stands.
        for (leap, error) in [("0", "2"), ("", ""), ("7", "0"), ("không", "0")] {
            assert_eq!(state(leap, error, ""), Fact::Known(false), "{leap} {error}");
        }
        let odd = event(STATE, "2026-11-22T01:00:00Z", &[]);
        assert!(collected(Vec::new(), Some(vec![odd])).known().is_none());
    }

    #[test]
    fn logs_that_cannot_be_read_are_no_gap_of_the_product() {
        let nothing = synchronised(&Scene::new(Arc::new(Recorded::new()), NOW.parse().unwrap()));
        assert!(matches!(nothing, Fact::Unknown(why) if why.reason == Reason::SourceMissing));
    }
}
