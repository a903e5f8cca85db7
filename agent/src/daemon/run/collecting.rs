//! What the daemon collects next, and what it does with the facts.

use policies::fact::{Facts, Section};
use protocol::{AgentEventKind, limits};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::Daemon;
use crate::daemon::exchange;

/// A collection in progress.
pub(super) struct Collecting {
    pub(super) sections: Vec<Section>,
    pub(super) observed_at: i64,
    pub(super) why: Trigger,
    /// The orders it fulfils.
    pub(super) orders: Vec<String>,
    pub(super) facts: JoinHandle<Facts>,
}

/// Why sections are collected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trigger {
    /// Something in them changed.
    Changed,
    /// A part of a full check, but not the last: its findings are reported with the last part.
    Part,
    /// Everything, or the last part of a full check. Reported even when nothing changed: it renews the evidence.
    Full,
}

impl Daemon {
    /// What to collect now, and why.
    pub(super) fn due(&mut self, now: Instant) -> Option<(Trigger, Vec<Section>)> {
        let ordered = !self.ordered.is_empty() && now >= self.order_not_before;
        let scheduled = self.schedule.is_due(self.now());
        // Somebody is waiting for the result of an order, or for the first result of a machine.
        if ordered || scheduled && self.agent_state.observation.is_empty() {
            self.routine.end();
            self.wanted.clear();
            return Some((Trigger::Full, Section::ALL.to_vec()));
        }
        if !self.wanted.is_empty() {
            return Some((Trigger::Changed, std::mem::take(&mut self.wanted).into_iter().collect()));
        }
        if scheduled && !self.routine.is_under_way() {
            self.routine.begin(now);
        }
        let part = self.routine.take(now)?;
        Some((if self.routine.is_under_way() { Trigger::Part } else { Trigger::Full }, part))
    }

    pub(super) fn collect(&mut self, why: Trigger, sections: Vec<Section>) {
        let orders = if why == Trigger::Full && sections == Section::ALL {
            std::mem::take(&mut self.ordered)
        } else {
            Vec::new()
        };
        if !orders.is_empty() {
            self.order_not_before = Instant::now() + limits::CHECK_APART;
        }
        let collector = self.agent_state.collector.clone();
        let instant = self.agent_state.clock.instant();
        let asked = sections.clone();
        let facts = tokio::task::spawn_blocking(move || collector.collect(&asked, instant));
        self.collecting = Some(Collecting { sections, observed_at: instant.as_millisecond(), why, orders, facts });
    }

    pub(super) fn collected(&mut self, collecting: Collecting, facts: Option<Box<Facts>>) {
        let Collecting { sections, observed_at, why, orders, .. } = collecting;
        if why == Trigger::Part {
            self.routine.rest(Instant::now());
        }
        if why == Trigger::Full {
            self.schedule.checked(self.now());
            self.done.extend(orders);
            if let Some(watch) = &mut self.watch {
                watch.arm();
            }
        }
        let Some(facts) = facts else {
            tracing::error!("the collection broke off");
            return;
        };
        if let Some(jump) = self.agent_state.observation.clock_jump(&facts) {
            self.agent_state.journal.note(AgentEventKind::ClockChanged, Some(jump), self.agent_state.clock.now());
        }
        let changed = match self.agent_state.observation.take_in(&sections, *facts, observed_at) {
            Ok(changed) => changed,
            Err(error) => {
                tracing::error!(%error, "the facts cannot be reported");
                return;
            }
        };
        if why == Trigger::Full || changed && why == Trigger::Changed {
            self.judge();
            exchange::report(&mut self.agent_state, self.outcomes);
        }
    }
}
