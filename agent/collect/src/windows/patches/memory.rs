//! Caches expensive answers: a Windows Update Agent search costs an old machine up to a minute of processor time, the list of
//! updates a second or two.

use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use policies::fact::{Fact, InstalledUpdate, List};

use super::installed::PACKAGES;
use crate::windows::context::{CheckContext, Setting};
use crate::windows::version::VERSION;
use os::Answer;
use os::windows::UpdateSearch;

/// How many seconds a search is cached: Windows itself searches about once a day.
const SEARCH: i64 = 6 * 3_600;

/// What changes when an update is installed or removed: the revision, and the write time of the package list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct State {
    revision: Option<u64>,
    packages_at: i64,
}

impl State {
    /// The state of the machine; none when unknown, and then nothing is cached.
    pub(super) fn of(context: &CheckContext) -> Option<Self> {
        let revision = match context.number(VERSION, "UBR") {
            Setting::Set(revision) => Some(revision),
            Setting::Absent => None,
            Setting::Unreadable(_) => return None,
        };
        Some(Self { revision, packages_at: context.os.written_at(PACKAGES).ok()? })
    }
}

/// Answers of earlier checks.
#[derive(Debug, Default)]
pub(in crate::windows) struct Memory {
    search: Mutex<Option<(State, Timestamp, UpdateSearch)>>,
    installed: Mutex<Option<(State, List<InstalledUpdate>)>>,
}

impl Memory {
    /// The cached search if nothing has changed since, else a new one. Failures are not cached.
    pub(super) fn search(
        &self,
        state: Option<State>,
        now: Timestamp,
        ask: impl FnOnce() -> Answer<UpdateSearch>,
    ) -> Answer<UpdateSearch> {
        let mut kept = locked(&self.search);
        if let (Some((of, at, search)), Some(state)) = (&*kept, state)
            && *of == state
            && (0..SEARCH).contains(&now.duration_since(*at).as_secs())
        {
            return Ok(search.clone());
        }
        let answer = ask();
        *kept = match (&answer, state) {
            (Ok(search), Some(state)) if search.refused.is_none() => Some((state, now, search.clone())),
            _ => None,
        };
        answer
    }

    /// The cached list of updates if nothing has changed since, else a new one.
    pub(super) fn installed(
        &self,
        state: Option<State>,
        ask: impl FnOnce() -> Fact<List<InstalledUpdate>>,
    ) -> Fact<List<InstalledUpdate>> {
        let mut kept = locked(&self.installed);
        if let (Some((of, list)), Some(state)) = (&*kept, state)
            && *of == state
        {
            return Fact::Known(list.clone());
        }
        let answer = ask();
        *kept = match (&answer, state) {
            (Fact::Known(list), Some(state)) => Some((state, list.clone())),
            _ => None,
        };
        answer
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use os::OsError;

    #[test]
    fn a_search_is_asked_again_when_something_was_installed_time_passed_or_it_failed() {
        let (memory, asked) = (Memory::default(), Cell::new(0));
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let state = |packages_at| Some(State { revision: Some(7807), packages_at });
        let search = |state, now: &str, answer: Answer<UpdateSearch>| {
            let ask = || {
                asked.set(asked.get() + 1);
                answer
            };
            memory.search(state, at(now), ask).is_ok()
        };
        let good = || Ok(UpdateSearch::default());
        for (state, now, expected) in [
            (state(1), "2026-11-22T03:00:00Z", 1),
            (state(1), "2026-11-22T08:59:59Z", 1),
            (state(2), "2026-11-22T08:59:59Z", 2),
            (state(2), "2026-11-22T03:00:00Z", 3),
            (state(2), "2026-11-22T09:00:00Z", 4),
            (None, "2026-11-22T09:00:01Z", 5),
            (state(2), "2026-11-22T09:00:01Z", 6),
        ] {
            assert!(search(state, now, good()));
            assert_eq!(asked.get(), expected, "{now}");
        }
        let later = "2026-11-23T03:00:00Z";
        assert!(!search(state(2), later, Err(OsError::TimedOut("updates".to_owned()))));
        let refused = UpdateSearch { refused: Some("0x8024402C".to_owned()), ..UpdateSearch::default() };
        assert!(search(state(2), later, Ok(refused)));
        assert!(search(state(2), later, good()));
        assert_eq!(asked.get(), 9);
    }

    #[test]
    fn the_list_is_asked_again_when_something_was_installed() {
        let (memory, asked) = (Memory::default(), Cell::new(0));
        let state = |packages_at| Some(State { revision: None, packages_at });
        for (state, expected) in [(state(1), 1), (state(1), 1), (state(2), 2), (None, 3), (state(2), 4)] {
            let ask = || {
                asked.set(asked.get() + 1);
                Fact::Known(List::default())
            };
            assert!(memory.installed(state, ask).known().is_some());
            assert_eq!(asked.get(), expected);
        }
    }
}
