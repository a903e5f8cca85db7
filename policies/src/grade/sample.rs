//! A small policy and machines for the tests of the grade. A Tuesday morning in Vietnam.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::civil::{Weekday, date};

use super::{Control, Controls, Judged, Machine, OfficeState, RosterState, RosterStatus, Rules};
use crate::outcome::Verdict;
use crate::policy::{
    CalendarDays, Caps, ControlFiles, CoverageCap, CriticalCap, Evidence, Letter, Letters, LiftedBy, Office, Role,
    Roster, Severity, Shares, StartUp, WaivedCap, Waivers, Weights, WidespreadCap,
};
use crate::text::Text;

/// Tuesday 3 November 2026, 10:00 in Hà Nội.
pub(crate) fn now() -> Timestamp {
    at("2026-11-03T10:00:00+07")
}

pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// Evidence from an hour ago.
pub(crate) fn fresh() -> Timestamp {
    at("2026-11-03T09:00:00+07")
}

pub(crate) const FRESH_FROM: Timestamp = Timestamp::UNIX_EPOCH;

pub(crate) fn office() -> Office {
    Office {
        id: "sample".to_owned(),
        title: Text::new("mẫu", "sample"),
        controls: ControlFiles { workstation: "w.toml".to_owned(), server: "s.toml".to_owned() },
        weights: Weights { critical: 8, high: 4, medium: 2, low: 1 },
        shares: Shares { technical_percent: 100, organisational_percent: 0 },
        letters: Letters { a: 90, b: 75, c: 60, d: 40 },
        caps: Caps {
            critical: CriticalCap { older_than_working_days: 3, at_most: Letter::B },
            widespread: WidespreadCap { over_percent: 10, at_least_machines: 2, at_most: Letter::C },
            coverage: CoverageCap { under_percent: 90, at_least_missing: 2, at_most: Letter::C },
            waived: WaivedCap { over_percent: 5, at_most: Letter::B },
        },
        evidence: Evidence { stale_after_working_days: 5, critical_unknown_after_days: 14 },
        waivers: Waivers { critical_at_most_days: 90, other_at_most_days: 365 },
        roster: Roster { away_at_most_days: 60 },
        start_up: StartUp { days: 30 },
        calendar: calendar_days(),
    }
}

/// Weekends, and the nine days of Tết 2026 (14 to 22 February) of which five are working days otherwise.
pub(crate) fn calendar_days() -> CalendarDays {
    CalendarDays {
        utc_offset_minutes: 420,
        weekend: vec![Weekday::Saturday, Weekday::Sunday],
        holidays: (16..=20).map(|day| date(2026, 2, day)).collect(),
        worked: BTreeSet::from([date(2026, 8, 22)]),
        known_to_year: 2026,
    }
}

pub(crate) fn control(severity: Severity, lifted_by: LiftedBy) -> Control {
    Control { title: Text::new("tiêu chí", "control"), severity, lifted_by, minutes: 10 }
}

/// Four controls on the spot (8, 4, 2, 1) and one that needs money (4): together 19.
pub(crate) fn rules() -> Rules {
    let controls: Controls = [
        ("antivirus", Severity::Critical, LiftedBy::OnSpot, 20),
        ("firewall", Severity::High, LiftedBy::OnSpot, 5),
        ("supported", Severity::High, LiftedBy::Money, 120),
        ("clock", Severity::Medium, LiftedBy::OnSpot, 5),
        ("banner", Severity::Low, LiftedBy::OnSpot, 5),
    ]
    .map(|(id, severity, lifted_by, minutes)| (id.to_owned(), Control { minutes, ..control(severity, lifted_by) }))
    .into();
    Rules { office: office(), workstation: controls.clone(), server: controls }
}

pub(crate) fn judged(control: &str, verdict: Verdict) -> Judged {
    Judged {
        control: control.to_owned(),
        verdict,
        since: fresh(),
        failing_since: (verdict == Verdict::Fail).then(fresh),
        observed_at: fresh(),
        excused: false,
        implied_by: None,
    }
}

pub(crate) fn passed(control: &str) -> Judged {
    judged(control, Verdict::Pass)
}

pub(crate) fn failed(control: &str) -> Judged {
    judged(control, Verdict::Fail)
}

pub(crate) fn unknown(control: &str) -> Judged {
    judged(control, Verdict::Unknown)
}

/// A failure first seen at `since`.
pub(crate) fn failed_since(control: &str, since: &str) -> Judged {
    Judged { since: at(since), failing_since: Some(at(since)), ..failed(control) }
}

/// A machine that reported an hour ago and on which all five controls hold but for `outcomes`.
pub(crate) fn machine(id: &str, outcomes: impl IntoIterator<Item = Judged>) -> Machine {
    let mut all: Vec<Judged> = ["antivirus", "firewall", "supported", "clock", "banner"].map(passed).into();
    for outcome in outcomes {
        all.retain(|other| other.control != outcome.control);
        all.push(outcome);
    }
    Machine {
        id: id.to_owned(),
        role: Role::Workstation,
        roster_status: RosterStatus::Expected,
        evidence_at: Some(fresh()),
        outcomes: all,
    }
}

pub(crate) fn unreported(id: &str) -> Machine {
    Machine { evidence_at: None, outcomes: Vec::new(), ..machine(id, []) }
}

/// An office past its start-up with a declared roster.
pub(crate) fn state(machines: impl IntoIterator<Item = Machine>) -> OfficeState {
    OfficeState {
        roster: RosterState::Declared,
        first_enrolled_at: Some(at("2026-01-05T08:00:00+07")),
        start_up_until: None,
        machines: machines.into_iter().collect(),
        attested: Vec::new(),
    }
}
