//! A full check that nobody is waiting for: done in parts with pauses between them, so that an old machine is never
//! busy for long.

use std::collections::VecDeque;
use std::time::Duration;

use policies::fact::Section;
use tokio::time::Instant;

/// The most expensive sections: each is a part of its own, after the part with all the others.
const HEAVY: [Section; 3] = [Section::Antivirus, Section::Software, Section::Patches];
/// The pause between two parts.
const REST: Duration = Duration::from_secs(30);

/// The parts still to do.
#[derive(Debug, Default)]
pub(super) struct Routine {
    parts: VecDeque<Vec<Section>>,
    not_before: Option<Instant>,
}

impl Routine {
    /// Starts over with the first part.
    pub(super) fn begin(&mut self, now: Instant) {
        let light = Section::ALL.iter().copied().filter(|section| !HEAVY.contains(section)).collect();
        self.parts = std::iter::once(light).chain(HEAVY.iter().map(|&section| vec![section])).collect();
        self.not_before = Some(now);
    }

    /// Drops the remaining parts: a check of everything at once replaces them.
    pub(super) fn end(&mut self) {
        *self = Self::default();
    }

    /// True until the last part has been taken.
    pub(super) fn is_under_way(&self) -> bool {
        !self.parts.is_empty()
    }

    /// When the next part may start; none when no part is left.
    pub(super) fn next(&self) -> Option<Instant> {
        self.not_before.filter(|_| self.is_under_way())
    }

    /// The next part if it may start at `now`.
    pub(super) fn take(&mut self, now: Instant) -> Option<Vec<Section>> {
        self.next().filter(|&next| now >= next)?;
        // The part itself may take long: the pause counts from its end.
        self.not_before = None;
        self.parts.pop_front()
    }

    /// Notes that a part has ended.
    pub(super) fn rest(&mut self, now: Instant) {
        self.not_before = Some(now + REST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_section_comes_once_and_what_costs_most_alone_after_a_rest() {
        let mut routine = Routine::default();
        let mut now = Instant::now();
        assert_eq!((routine.take(now), routine.next()), (None, None));
        routine.begin(now);
        let mut seen = Vec::new();
        while routine.is_under_way() {
            let part = routine.take(now).unwrap();
            assert!(part.len() == 1 || !part.iter().any(|section| HEAVY.contains(section)), "{part:?}");
            seen.extend(part);
            assert_eq!(routine.take(now + REST), None, "a part starts only after the one before has ended");
            routine.rest(now);
            assert_eq!(routine.take(now), None, "no rest");
            now += REST;
        }
        seen.sort();
        let mut all = Section::ALL.to_vec();
        all.sort();
        assert_eq!(seen, all);
        routine.begin(now);
        routine.end();
        assert_eq!((routine.is_under_way(), routine.next()), (false, None));
    }
}
