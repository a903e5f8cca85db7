//! Whether the store can be trusted now: what failed last, since when nothing could be written, what is known to be damaged. Kept in
//! memory: a restart finds out again.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::StoreError;

/// What is known of the store's state.
#[derive(Debug, Default)]
pub struct Health {
    state: Mutex<State>,
    /// Statements sent so far; a test bounds what a report costs.
    statements: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    /// The last failure that a connection may have been part of.
    failed: Option<Instant>,
    /// The first failure since the last commit, if any.
    failing: Option<Instant>,
    /// When reports first could not be stored, since the last time all could. Kept apart: on a full disk small writes may still succeed.
    unstored: Option<Instant>,
    /// What a check found, in the database's words.
    damage: Option<String>,
}

impl Health {
    /// Records a failure and returns it.
    pub fn noted(&self, error: StoreError) -> StoreError {
        if !error.is_refusal() {
            let now = Instant::now();
            let mut state = self.state();
            state.failing.get_or_insert(now);
            // Nothing is wrong with connections when all were merely busy.
            if !matches!(error, StoreError::Database(sqlx::Error::PoolTimedOut)) {
                state.failed = Some(now);
            }
            if error.is_damage() {
                state.damage.get_or_insert_with(|| format!("{error:#}"));
            }
        }
        error
    }

    /// Counts a statement.
    pub(in crate::store) fn statement_count(&self) {
        self.statements.fetch_add(1, Ordering::Relaxed);
    }

    /// Statements sent so far, those that begin and end transactions left out.
    #[cfg(test)]
    pub(crate) fn statements(&self) -> u64 {
        self.statements.load(Ordering::Relaxed)
    }

    /// Records a successful write.
    pub(in crate::store) fn written(&self) {
        self.state().failing = None;
    }

    /// Records whether the newest reports could all be stored.
    pub fn reports_note(&self, stored: bool) {
        let mut state = self.state();
        if stored {
            state.unstored = None;
        } else {
            state.unstored.get_or_insert_with(Instant::now);
        }
    }

    /// Records what a check found.
    pub fn damage_note(&self, found: String) {
        self.state().damage = Some(found);
    }

    /// How long nothing could be read or written; `None` when both work.
    pub fn failing_for(&self) -> Option<Duration> {
        let state = self.state();
        state.failing.into_iter().chain(state.unstored).min().map(|since| since.elapsed())
    }

    /// The damage found, in the database's words; kept until a restart.
    pub fn damage(&self) -> Option<String> {
        self.state().damage.clone()
    }

    /// True when something failed within the last `age`: the age of a connection that was open then.
    pub(in crate::store) fn failed_within(&self, age: Duration) -> bool {
        self.state().failed.is_some_and(|failed| failed.elapsed() < age)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trouble_lasts_until_something_is_written_and_damage_stays() {
        let health = Health::default();
        drop(health.noted(StoreError::not_found(crate::store::Noun::Office, "x")));
        assert!(health.failing_for().is_none() && !health.failed_within(Duration::MAX));
        drop(health.noted(StoreError::Database(sqlx::Error::PoolTimedOut)));
        assert!(health.failing_for().is_some() && !health.failed_within(Duration::MAX));
        drop(health.noted(StoreError::Database(sqlx::Error::WorkerCrashed)));
        assert!(health.failed_within(Duration::MAX) && !health.failed_within(Duration::ZERO));
        health.damage_note("page 3".to_owned());
        health.reports_note(false);
        health.written();
        assert!(health.failing_for().is_some(), "something else was written");
        health.reports_note(true);
        assert!(health.failing_for().is_none() && health.damage().is_some());
    }
}
