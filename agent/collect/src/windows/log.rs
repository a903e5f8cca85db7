//! Reads event logs in one uniform way: future events are left out, and the result says whether the log is complete for the
//! period asked about.
//!
//! The clock may have been wrong when an event was written. A clock that was ahead leaves events with future times, which say nothing about
//! today. Finding no event only proves that nothing happened if the log reaches back far enough: it is overwritten when full, and can be
//! cleared. Nor does an inactive log prove it: its service is stopped, or it is disabled.

use jiff::{SignedDuration, Timestamp};

use super::context::{CheckContext, RUNNING, Setting};
use super::version::VERSION;
use os::Answer;
use os::windows::{Event, EventQuery, LogFile};

/// One key per log of the newer kind.
const CHANNELS: &str = r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\WINEVT\Channels";
/// Below it Windows stores its earlier version at every in-place upgrade.
const SETUP: &str = r"HKLM\SYSTEM\Setup";
const FORMER: &str = "source os";
/// How long after installation a log of Windows may begin.
const FIRST_USE: SignedDuration = SignedDuration::from_hours(24);

/// Which events to read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Log<'a> {
    pub(super) channel: &'a str,
    /// The provider, where others write to the channel as well.
    pub(super) provider: Option<&'a str>,
    pub(super) ids: &'a [u32],
    /// The most events to read.
    pub(super) most: usize,
}

/// The events of a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct LogExcerpt {
    /// The events, last written first.
    pub(super) events: Vec<Event>,
    /// True when these are all events of the period asked about.
    pub(super) whole: bool,
}

impl Log<'_> {
    /// The events since that time.
    ///
    /// # Errors
    /// See [`os::windows::WindowsOs::events`].
    pub(super) fn since(&self, context: &CheckContext, since: Timestamp) -> Answer<LogExcerpt> {
        let query = EventQuery {
            channel: self.channel.to_owned(),
            ids: self.ids.to_vec(),
            since: since.as_millisecond(),
            most: self.most,
        };
        let mut events = match self.provider {
            Some(provider) => context.os.events_of(provider, &query),
            None => context.os.events(&query),
        }?;
        let cut = events.len() >= self.most;
        events.retain(|event| event.at <= context.now.as_millisecond());
        Ok(LogExcerpt {
            events,
            whole: !cut && is_written(context, self.channel) && reaches(context, self.channel, since),
        })
    }
}

/// False when the log is known to be inactive: then it says nothing about today.
fn is_written(context: &CheckContext, channel: &str) -> bool {
    let stopped = matches!(context.service("EventLog"), Ok(Some(service)) if service.state != RUNNING);
    let off = context.number(&format!(r"{CHANNELS}\{channel}"), "Enabled") == Setting::Set(0);
    !stopped && !off
}

/// True when the log reaches back to that time, or this Windows was installed later.
pub(super) fn reaches(context: &CheckContext, channel: &str, since: Timestamp) -> bool {
    let Ok(LogFile { oldest_at: Some(oldest), .. }) = context.os.log_file(channel) else { return false };
    let Ok(oldest) = Timestamp::from_millisecond(oldest) else { return false };
    oldest <= since
        || installed(context)
            .is_some_and(|at| (since..=context.now).contains(&at) && at.duration_until(oldest) <= FIRST_USE)
}

/// When Windows was newly installed; `None` when unknown, or when it upgraded an older one whose logs it may not have kept.
fn installed(context: &CheckContext) -> Option<Timestamp> {
    let Setting::Set(seconds) = context.number(VERSION, "InstallDate") else { return None };
    let upgraded = context.os.keys(SETUP).ok()?.iter().any(|key| key.to_ascii_lowercase().starts_with(FORMER));
    let at = Timestamp::from_second(i64::try_from(seconds).ok()?).ok()?;
    (!upgraded).then_some(at)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use os::windows::recorded::Recorded;

    const NOW: &str = "2026-11-22T03:00:00Z";
    const SINCE: &str = "2026-10-23T03:00:00Z";
    const LOG: Log = Log { channel: "Security", provider: None, ids: &[7], most: 3 };

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn told(times: &[&str], change: impl FnOnce(Recorded) -> Recorded) -> (Vec<String>, bool) {
        let event = |time: &&str| Event { id: 7, level: 0, at: at(time).as_millisecond(), record: 0, data: Vec::new() };
        let mut os = Recorded::new().log("Security", at("2026-01-01T00:00:00Z").as_millisecond());
        os.events.insert("Security".to_owned(), times.iter().map(event).collect());
        let told = LOG.since(&CheckContext::new(Arc::new(change(os)), at(NOW)), at(SINCE)).unwrap();
        let time = |event: &Event| Timestamp::from_millisecond(event.at).unwrap().to_string();
        (told.events.iter().map(time).collect(), told.whole)
    }

    fn whole(change: impl FnOnce(Recorded) -> Recorded) -> bool {
        told(&[], change).1
    }

    #[test]
    fn what_has_not_come_yet_is_left_out() {
        let times = ["2026-11-22T03:00:01Z", "2026-11-22T03:00:00Z", "2031-01-01T00:00:00Z"];
        let (left, whole) = told(&times, |os| os);
        assert_eq!(left, ["2026-11-22T03:00:00Z"]);
        // There may be more behind those that were read.
        assert!(!whole);
        assert!(told(&times[..2], |os| os).1);
    }

    #[test]
    fn a_log_that_begins_later_than_asked_about_does_not_tell_all() {
        let begins = |time: &str| {
            let time = at(time).as_millisecond();
            whole(|os| os.log("Security", time))
        };
        assert!(begins(SINCE) && !begins("2026-10-23T03:00:01Z"));
        // Its start is unknown, or it is empty.
        assert!(!whole(|mut os| {
            os.log_files.clear();
            os
        }));
        assert!(!whole(|mut os| {
            os.log_files.insert("Security".to_owned(), LogFile { size: 69_632, oldest_at: None });
            os
        }));
    }

    #[test]
    fn a_log_that_nobody_writes_tells_nothing_of_today() {
        assert!(whole(|os| os.service("EventLog", true)));
        assert!(!whole(|os| os.service("EventLog", false)));
        let enabled = |on| whole(|os| os.number(&format!(r"{CHANNELS}\Security"), "Enabled", on));
        assert!(enabled(1) && !enabled(0));
    }

    #[test]
    fn a_windows_that_is_younger_than_asked_about_has_no_older_log() {
        let young = |installed: &str, oldest: &str| {
            let seconds = u64::try_from(at(installed).as_second()).unwrap();
            let oldest = at(oldest).as_millisecond();
            move |os: Recorded| os.log("Security", oldest).number(VERSION, "InstallDate", seconds).key(SETUP)
        };
        let new = young("2026-11-15T00:00:00Z", "2026-11-15T01:00:00Z");
        assert!(whole(new));
        // Cleared since, or an upgrade that may have left the old logs behind.
        assert!(!whole(young("2026-11-15T00:00:00Z", "2026-11-18T01:00:00Z")));
        assert!(!whole(|os| new(os).key(&format!(r"{SETUP}\Source OS (Updated on 11/15/2026 08:00:00)"))));
        assert!(!whole(young("2020-11-15T00:00:00Z", "2026-11-15T01:00:00Z")));
        assert!(!whole(young("2031-11-15T00:00:00Z", "2026-11-15T01:00:00Z")));
    }
}
