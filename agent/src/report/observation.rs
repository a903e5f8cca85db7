//! What is currently known about the machine: the facts, when each section was observed, and which of them go into a
//! report.

use std::collections::BTreeMap;

use policies::fact::{Facts, Reason, Section};
use protocol::header::SectionEntry;
use protocol::{Digest, limits};

use crate::report::draft::{self, Entries, Entry, ReportError};

/// Sections that change by the minute: sent at most hourly, unless an outcome changes.
const VOLATILE: [Section; 2] = [Section::Ports, Section::Neighbours];

/// A clock that is set by less is being adjusted.
const CLOCK_JUMP_MS: u64 = 5 * 60 * 1000;

/// The newest facts.
#[derive(Debug)]
pub(crate) struct Observation {
    facts: Facts,
    seen: BTreeMap<Section, SectionEntry>,
    traits: Option<Digest>,
    reported: BTreeMap<Section, Reported>,
    /// Digest of the outcomes at the last report.
    outcomes: Option<Digest>,
}

/// A volatile section as it was last put into a report.
#[derive(Clone, Copy, Debug)]
struct Reported {
    entry: SectionEntry,
    at: i64,
}

/// Whether a draft may leave volatile sections out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Volatile {
    /// They go out at most hourly.
    Hourly,
    /// They go out now: a segment opens, or an outcome changed.
    Now,
}

impl Default for Observation {
    fn default() -> Self {
        Self {
            facts: Facts::unknown(Reason::NotCollected),
            seen: BTreeMap::new(),
            traits: None,
            reported: BTreeMap::new(),
            outcomes: None,
        }
    }
}

impl Observation {
    /// The newest facts.
    pub(crate) fn facts(&self) -> &Facts {
        &self.facts
    }

    /// True when nothing has been observed yet.
    pub(crate) fn is_empty(&self) -> bool {
        self.seen.is_empty()
    }

    /// Stores the `sections` of `facts`, observed at `at`. True when one of them differs from before.
    ///
    /// # Errors
    /// When a section cannot be written as JSON, which cannot happen with the existing fact types.
    pub(crate) fn take_in(&mut self, sections: &[Section], mut facts: Facts, at: i64) -> Result<bool, ReportError> {
        let mut changed = false;
        for &section in sections {
            let entry = draft::entry(&facts, section, at)?.header;
            let before = self.seen.insert(section, entry);
            // Volatile sections go along with the next report; alone they are no reason for one.
            changed |= before.is_none_or(|before| before.digest != entry.digest) && !VOLATILE.contains(&section);
            self.facts.swap_section(section, &mut facts);
        }
        if self.traits.is_none() && sections.contains(&Section::System) && sections.contains(&Section::Lan) {
            // Once per start: a cable pulled later does not make it another machine.
            self.traits = Some(draft::traits(&self.facts));
        }
        Ok(changed)
    }

    /// True when every section was observed since the start, so that a report leaves none out.
    pub(crate) fn is_whole(&self) -> bool {
        self.seen.len() == Section::ALL.len()
    }

    /// By how many milliseconds the machine's clock was set forward since the system section was observed last, if `facts` were observed now.
    /// The system counts the start of the machine back from its clock: while it runs, only a clock that was set moves it.
    pub(crate) fn clock_jump(&self, facts: &Facts) -> Option<i64> {
        let started = |facts: &Facts| facts.system.booted_at.known().map(|at| at.as_millisecond());
        let jump = started(facts)?.saturating_sub(started(&self.facts)?);
        (jump.unsigned_abs() >= CLOCK_JUMP_MS).then_some(jump)
    }

    /// Digest of hardware traits.
    pub(crate) fn traits(&self) -> Digest {
        self.traits.unwrap_or(Digest::ZERO)
    }

    /// True when the outcomes, by digest, differ from those at the last report.
    pub(crate) fn outcomes_changed(&self, outcomes: Option<Digest>) -> bool {
        outcomes != self.outcomes
    }

    /// Every section as it goes into a report made at `now`.
    ///
    /// # Errors
    /// See [`Observation::take_in`].
    pub(crate) fn entries(&self, volatile: Volatile, now: i64) -> Result<Entries, ReportError> {
        let apart = i64::try_from(limits::VOLATILE_APART.as_millis()).unwrap_or(i64::MAX);
        let mut entries = Entries::new();
        for (&section, seen) in &self.seen {
            let held = self.reported.get(&section).filter(|reported| {
                volatile == Volatile::Hourly
                    && (0..apart).contains(&(now - reported.at))
                    && reported.entry.digest != seen.digest
            });
            let entry = match held {
                // The earlier text stands, with its observation time. It is not sent again, so it need not be
                // available.
                Some(reported) => Entry { text: String::new(), header: reported.entry },
                None => draft::entry(&self.facts, section, seen.observed_at)?,
            };
            entries.insert(section.name(), entry);
        }
        Ok(entries)
    }

    /// Records what a report contained.
    pub(crate) fn reported(&mut self, entries: &Entries, outcomes: Option<Digest>, now: i64) {
        for section in VOLATILE {
            if let Some(entry) = entries.get(section.name()).filter(|entry| !entry.text.is_empty()) {
                self.reported.insert(section, Reported { entry: entry.header, at: now });
            }
        }
        self.outcomes = outcomes;
    }
}

#[cfg(test)]
mod tests {
    use policies::fact::{Fact, List, Neighbour};

    use super::*;

    fn with_neighbours(count: usize) -> Facts {
        let mut facts = Facts::unknown(Reason::SourceMissing);
        let neighbour = Neighbour {
            address: "10.0.0.1".to_owned(),
            mac: "02:00:00:00:00:01".to_owned(),
            interface: "eth0".to_owned(),
        };
        facts.neighbours.seen = Fact::Known(vec![neighbour; count].into_iter().collect::<List<_>>());
        facts
    }

    #[test]
    fn what_changes_is_told_but_not_the_volatile() {
        let mut observation = Observation::default();
        assert!(observation.is_empty());
        assert!(observation.take_in(Section::ALL, with_neighbours(1), 1).unwrap());
        assert!(!observation.take_in(Section::ALL, with_neighbours(2), 2).unwrap());
        let mut facts = with_neighbours(2);
        facts.time.synchronised = Fact::Known(false);
        assert!(observation.take_in(&[Section::Time], facts, 3).unwrap());
        let entries = observation.entries(Volatile::Now, 3).unwrap();
        let observed = |section: Section| entries[section.name()].header.observed_at;
        assert_eq!((observed(Section::Time), observed(Section::Lan)), (3, 2));
    }

    #[test]
    fn volatile_sections_go_out_hourly_or_when_an_outcome_changes() {
        let hour = 3_600_000;
        let mut observation = Observation::default();
        observation.take_in(Section::ALL, with_neighbours(1), 0).unwrap();
        let first = observation.entries(Volatile::Hourly, 0).unwrap();
        observation.reported(&first, None, 0);
        observation.take_in(Section::ALL, with_neighbours(2), 10).unwrap();
        let of = |entries: &Entries| entries["neighbours"].header;
        let held = observation.entries(Volatile::Hourly, hour - 1).unwrap();
        assert_eq!(of(&held), of(&first));
        observation.reported(&held, None, hour - 1);
        let now = observation.entries(Volatile::Now, hour - 1).unwrap();
        assert_ne!(of(&now).digest, of(&first).digest);
        assert_eq!(of(&observation.entries(Volatile::Hourly, hour).unwrap()), of(&now));
        assert!(observation.outcomes_changed(Some(Digest::ZERO)));
    }

    #[test]
    fn a_clock_that_was_set_moves_the_start_of_the_machine() {
        let started = |seconds: i64| {
            let mut facts = Facts::unknown(Reason::SourceMissing);
            facts.system.booted_at = Fact::Known(jiff::Timestamp::from_second(1_795_305_600 + seconds).unwrap());
            facts
        };
        let mut observation = Observation::default();
        assert_eq!(observation.clock_jump(&started(0)), None, "nothing to compare with");
        observation.take_in(&[Section::System], started(0), 1).unwrap();
        assert!(!observation.is_whole());
        for (seconds, jump) in [(299, None), (300, Some(300_000)), (-3600, Some(-3_600_000))] {
            assert_eq!(observation.clock_jump(&started(seconds)), jump);
        }
        assert_eq!(observation.clock_jump(&with_neighbours(1)), None, "not observed this time");
    }

    #[test]
    fn traits_are_taken_once_for_each_start() {
        let mut observation = Observation::default();
        let mut facts = with_neighbours(1);
        facts.system.serial = Fact::Known("1".to_owned());
        observation.take_in(Section::ALL, facts, 0).unwrap();
        let traits = observation.traits();
        observation.take_in(Section::ALL, with_neighbours(1), 1).unwrap();
        assert_eq!(observation.traits(), traits);
    }
}
