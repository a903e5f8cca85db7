//! Working time: when a number of working days has passed. The days themselves come from the policy
//! ([`CalendarDays`]); this only counts with them.
//!
//! Time is counted, not dates: three working days are 72 hours on Mondays to Fridays that are not holidays. So the
//! nine days of Tết do not count, and what starts later never ends earlier.

use jiff::civil::{Date, DateTime};
use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp, ToSpan};

use crate::policy::CalendarDays;

/// How many days a search covers before it gives up: a calendar without any working day must not hang a server.
const FURTHEST_DAYS: u32 = 3_660;

/// Counts working time by the days of a policy.
#[derive(Clone, Copy, Debug)]
pub struct Calendar<'a> {
    days: &'a CalendarDays,
}

impl<'a> Calendar<'a> {
    /// The calendar of these days.
    pub const fn new(days: &'a CalendarDays) -> Self {
        Self { days }
    }

    /// True when people work on `date`: a weekday that is not a holiday, or a day worked in exchange (làm bù).
    pub fn is_working(&self, date: Date) -> bool {
        self.days.worked.contains(&date)
            || !(self.days.weekend.contains(&date.weekday()) || self.days.holidays.contains(&date))
    }

    /// The office's local date at `at`.
    pub fn date(&self, at: Timestamp) -> Date {
        self.local(at).date()
    }

    /// The last instant at which no more than `days` working days have passed since `from`: something becomes older
    /// than that from the next moment, and never on a weekend or holiday. When the calendar holds too few working days
    /// in ten years the answer is the end of time: a broken calendar makes nothing overdue.
    pub fn after_working_days(&self, from: Timestamp, days: u32) -> Timestamp {
        let mut left = SignedDuration::from_hours(24 * i64::from(days));
        let mut at = self.local(from);
        for _ in 0..FURTHEST_DAYS {
            let Ok(next) = at.date().tomorrow().map(|date| date.at(0, 0, 0, 0)) else { break };
            if self.is_working(at.date()) {
                let day = at.duration_until(next);
                if left < day {
                    return at.checked_add(left).map_or(Timestamp::MAX, |end| self.instant(end));
                }
                left -= day;
            }
            at = next;
        }
        Timestamp::MAX
    }

    /// The earliest instant from which at most `days` working days have passed until `now`: evidence from before it is
    /// older than `days` working days. The beginning of time when the calendar holds too few working days.
    pub fn before_working_days(&self, now: Timestamp, days: u32) -> Timestamp {
        let mut left = SignedDuration::from_hours(24 * i64::from(days));
        let mut date = self.date(now);
        let mut end = self.local(now);
        for _ in 0..FURTHEST_DAYS {
            let begin = date.at(0, 0, 0, 0);
            if self.is_working(date) {
                let day = begin.duration_until(end);
                if left < day {
                    return end.checked_sub(left).map_or(Timestamp::MIN, |begin| self.instant(begin));
                }
                left -= day;
            }
            let Ok(before) = date.yesterday() else { break };
            date = before;
            end = begin;
        }
        Timestamp::MIN
    }

    /// True when the holidays around `at` are listed; after the last listed year only weekends are known.
    pub fn is_known(&self, at: Timestamp) -> bool {
        self.date(at).year() <= self.days.known_to_year
    }

    fn offset(&self) -> Offset {
        Offset::from_seconds(self.days.utc_offset_minutes.saturating_mul(60)).unwrap_or(Offset::UTC)
    }

    fn local(&self, at: Timestamp) -> DateTime {
        self.offset().to_datetime(at)
    }

    fn instant(&self, local: DateTime) -> Timestamp {
        self.offset().to_timestamp(local).unwrap_or(Timestamp::MAX)
    }
}

/// `at` plus `days` days of 24 hours.
pub fn after_days(at: Timestamp, days: u32) -> Timestamp {
    at.checked_add((24 * i64::from(days)).hours()).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use jiff::civil::{Weekday, date};
    use jiff::{SignedDuration, Timestamp};
    use proptest::prelude::*;

    use super::Calendar;
    use crate::policy::CalendarDays;

    /// Weekends, the working days of Tết 2026, and a Saturday worked in exchange.
    fn days() -> CalendarDays {
        CalendarDays {
            utc_offset_minutes: 420,
            weekend: vec![Weekday::Saturday, Weekday::Sunday],
            holidays: (16..=20).map(|day| date(2026, 2, day)).collect(),
            worked: BTreeSet::from([date(2026, 8, 22)]),
            known_to_year: 2026,
        }
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[track_caller]
    fn after(from: &str, count: u32, expected: &str) {
        assert_eq!(Calendar::new(&days()).after_working_days(at(from), count), at(expected));
    }

    #[test]
    fn working_days_skip_weekends_and_holidays() {
        after("2026-11-02T14:00:00+07", 3, "2026-11-05T14:00:00+07");
        after("2026-10-30T17:00:00+07", 5, "2026-11-06T17:00:00+07");
        // Over a weekend no working time passes: what ends on Friday is overdue from Monday.
        after("2026-10-31T10:00:00+07", 5, "2026-11-09T00:00:00+07");
        // The nine days of Tết.
        after("2026-02-13T17:00:00+07", 5, "2026-02-27T17:00:00+07");
        // A Saturday worked in exchange counts.
        after("2026-08-21T10:00:00+07", 1, "2026-08-22T10:00:00+07");
        // The office's day, not that of London: Monday 01:00 here is Sunday there.
        after("2026-11-01T18:00:00Z", 1, "2026-11-02T18:00:00Z");
    }

    #[test]
    fn a_calendar_without_working_days_hangs_nothing() {
        let mut days = days();
        days.weekend =
            [Weekday::Monday, Weekday::Tuesday, Weekday::Wednesday, Weekday::Thursday, Weekday::Friday].into();
        days.weekend.extend([Weekday::Saturday, Weekday::Sunday]);
        let calendar = Calendar::new(&days);
        assert_eq!(calendar.after_working_days(at("2026-11-02T14:00:00+07"), 1), Timestamp::MAX);
        assert_eq!(calendar.before_working_days(at("2026-11-02T14:00:00+07"), 1), Timestamp::MIN);
        assert_eq!(calendar.after_working_days(Timestamp::MAX, 1), Timestamp::MAX);
        assert_eq!(calendar.before_working_days(Timestamp::MIN, 1), Timestamp::MIN);
    }

    #[test]
    fn holidays_are_known_to_the_end_of_the_listed_years() {
        let days = days();
        assert!(Calendar::new(&days).is_known(at("2026-12-31T23:00:00+07")));
        assert!(!Calendar::new(&days).is_known(at("2026-12-31T18:00:00Z")));
    }

    proptest! {
        /// What starts later never ends earlier, and both directions agree on what is older than a number of working days.
        #[test]
        fn later_never_ends_earlier(hours in 0..9_000_i64, later in 0..900_i64, count in 0..12_u32) {
            let days = days();
            let calendar = Calendar::new(&days);
            let from = at("2026-01-01T00:30:00+07") + SignedDuration::from_hours(hours);
            let then = from + SignedDuration::from_hours(later);
            prop_assert!(calendar.after_working_days(from, count) <= calendar.after_working_days(then, count));
            prop_assert_eq!(calendar.after_working_days(from, count) < then, from < calendar.before_working_days(then, count));
        }
    }
}
