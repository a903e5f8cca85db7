//! A machine as it was at an instant of the past: its signed reports are taken in again one after the other, and judged by the judge
//! whenever it was judged then: after a report that changed something or an hour after the last, under a new policy, and by waivers.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use policies::fact::{Facts, Reason, SCHEMA_VERSION, Section};
use protocol::Header;

use super::shelf::Shelf;
use crate::ingest::{JUDGED_AGAIN_MS, sections_of, spoken_by};
use crate::judge::machines::ToJudge;
use crate::judge::waivers::turn;
use crate::policy::CompiledPolicy;
use crate::store::agent::AgentState;
use crate::store::judgement::{JudgedMachine, Judgement};
use crate::store::machine::{Machine, MachineStatus};
use crate::store::report::StoredReport;
use crate::store::section::Sections;
use crate::store::waiver::{InForce, Waiver, WaiverState};
use crate::store::{Db, StoreResult};

/// Verdicts that began before everything was stored are settled after this long, whatever came before: no cap and no letter depends on an
/// older beginning. Milliseconds: 30 days.
const SETTLED_AFTER: i64 = 30 * 24 * 60 * 60 * 1000;
/// Reports of a machine kept in memory at once.
const AHEAD: i64 = 32;

/// What the newest report taken in said.
struct Seen {
    sections: Sections,
    received_at: i64,
    agent: String,
    schema: u32,
    traits: String,
}

/// What happens between reports.
enum Event {
    Policy(String),
    Waiver,
}

/// A machine while its past is taken in again.
pub(super) struct Past {
    pub(super) machine: Machine,
    waivers: Vec<Waiver>,
    /// Publications, and beginnings and ends of its waivers, in order.
    events: VecDeque<(i64, Event)>,
    policy: Option<String>,
    waiting: VecDeque<StoredReport>,
    after: (i64, i64),
    facts: Facts,
    /// Sections whose content is not stored.
    lacking: BTreeSet<String>,
    /// Since when nothing is lacking, where something was.
    whole_since: Option<i64>,
    seen: Option<Seen>,
    schema_best: u32,
    judgement: Option<Judgement>,
    /// A second branch, or a report that cannot be read: from then on its state does not follow from its reports.
    lost: bool,
}

impl Past {
    /// The machine before its first report; `policies` are all that were published, with their times.
    pub(super) fn new(machine: Machine, waivers: Vec<Waiver>, policies: &[(i64, String)], is_forked: bool) -> Self {
        let published = policies.iter().map(|(at, address)| (*at, Event::Policy(address.clone())));
        let turns = waivers
            .iter()
            .flat_map(|waiver| [waiver.decided_at.filter(|_| waiver.state != WaiverState::Refused), waiver.ended_at]);
        let mut events: Vec<(i64, Event)> = published.chain(turns.flatten().map(|at| (at, Event::Waiver))).collect();
        events.sort_by_key(|(at, _)| *at);
        Self {
            lost: is_forked || machine.clone_at.is_some(),
            machine,
            waivers,
            events: events.into(),
            policy: None,
            waiting: VecDeque::new(),
            after: (0, 0),
            facts: Facts::unknown(Reason::NotCollected),
            lacking: BTreeSet::new(),
            whole_since: None,
            seen: None,
            schema_best: 0,
            judgement: None,
        }
    }

    /// Whether its state at `at`, to which it was taken, follows from what is stored.
    pub(super) fn is_known(&self, at: i64) -> bool {
        let is_settled = self.whole_since.is_none_or(|since| since.saturating_add(SETTLED_AFTER) <= at);
        !self.lost && self.lacking.is_empty() && is_settled
    }

    /// When the next thing happens, a report or another.
    pub(super) async fn next_at(&mut self, db: &Db) -> StoreResult<Option<i64>> {
        if self.waiting.is_empty() {
            let page = db.read().await?.report_page(&self.machine.id, self.after, AHEAD).await?;
            if let Some(last) = page.last() {
                self.after = (last.segment, last.number);
            }
            self.waiting.extend(page);
        }
        let report = self.waiting.front().map(|report| report.received_at);
        let event = self.events.front().map(|(at, _)| *at);
        Ok(report.into_iter().chain(event).min())
    }

    /// Takes in everything up to `to`.
    pub(super) async fn go(&mut self, db: &Db, shelf: &mut Shelf<'_>, to: i64) -> StoreResult<()> {
        while let Some(at) = self.next_at(db).await?.filter(|at| *at <= to) {
            if self.events.front().is_some_and(|(event, _)| *event == at) {
                let Some((_, event)) = self.events.pop_front() else { return Ok(()) };
                self.event(db, shelf, at, event).await?;
            } else if let Some(report) = self.waiting.pop_front() {
                self.report(db, shelf, report).await?;
            }
        }
        Ok(())
    }

    async fn event(&mut self, db: &Db, shelf: &mut Shelf<'_>, at: i64, event: Event) -> StoreResult<()> {
        let in_force = InForce::at(&self.waivers, at);
        match event {
            Event::Waiver => {
                if let Some(judgement) = &mut self.judgement {
                    turn(judgement, &in_force, at);
                }
            }
            Event::Policy(address) => {
                self.policy = Some(address);
                if let Some(seen_at) = self.seen.as_ref().map(|seen| seen.received_at) {
                    let schema = self.seen.as_ref().map_or(0, |seen| seen.schema);
                    self.judge(db, shelf, (seen_at, seen_at), schema, &in_force).await?;
                }
            }
        }
        Ok(())
    }

    async fn report(&mut self, db: &Db, shelf: &mut Shelf<'_>, report: StoredReport) -> StoreResult<()> {
        let at = report.received_at;
        if report.header.is_empty() {
            // Retention removed it: what follows begins anew, and is settled after a while.
            (self.seen, self.judgement, self.whole_since) = (None, None, Some(i64::MAX));
            self.facts = Facts::unknown(Reason::NotCollected);
            self.lacking.clear();
            return Ok(());
        }
        let Ok(header) = Header::decode(&report.header) else {
            self.lost = true;
            return Ok(());
        };
        let sections = sections_of(&header, at, self.machine.enrolled_at);
        let before = self.seen.as_ref().map(|seen| &seen.sections);
        let is_same = |name: &String, of: &Sections| {
            let digest = |sections: &Sections| sections.0.get(name).map(|state| state.digest);
            before.is_some_and(|before| digest(before) == digest(of))
        };
        let names = sections.0.keys().chain(before.into_iter().flat_map(|before| before.0.keys()));
        let changed: BTreeSet<String> = names.filter(|name| !is_same(name, &sections)).cloned().collect();
        for name in &changed {
            let section = Section::from_name(name);
            let text = match sections.0.get(name) {
                Some(state) => db.read().await?.body_text(&self.machine.id, name, &state.digest.to_string()).await?,
                None => None,
            };
            if text.is_none() && sections.0.contains_key(name) {
                self.lacking.insert(name.clone());
            } else {
                self.lacking.remove(name);
            }
            let Some(section) = section else { continue };
            match text.map(|text| self.facts.decode(section, &text)) {
                Some(Ok(())) => {}
                Some(Err(error)) => self.facts.forget(section, Reason::Unreadable, &error.to_string()),
                None => self.facts.forget(section, Reason::NotCollected, ""),
            }
        }
        if !self.lacking.is_empty() {
            self.whole_since = Some(i64::MAX);
        } else if self.whole_since == Some(i64::MAX) {
            self.whole_since = Some(at);
        }
        let (agent, schema) = spoken_by(&header);
        let schema_before = self.seen.as_ref().map_or(schema, |seen| seen.schema);
        let observed_at = sections.0.values().map(|state| state.observed_at).max().unwrap_or(at);
        self.schema_best = self.schema_best.max(schema);
        self.seen = Some(Seen { sections, received_at: at, agent, schema, traits: header.traits.to_string() });
        let is_due = !changed.is_empty()
            || schema != schema_before
            || self.judgement.as_ref().is_none_or(|judgement| {
                Some(&judgement.policy) != self.policy.as_ref() || at - judgement.judged_at >= JUDGED_AGAIN_MS
            });
        if is_due {
            let in_force = InForce::at(&self.waivers, at);
            self.judge(db, shelf, (observed_at, at), schema_before, &in_force).await?;
        }
        Ok(())
    }

    async fn judge(
        &mut self,
        db: &Db,
        shelf: &mut Shelf<'_>,
        (seen_at, as_at): (i64, i64),
        schema_before: u32,
        in_force: &InForce,
    ) -> StoreResult<()> {
        let Some(address) = &self.policy else { return Ok(()) };
        let Some(policy): Option<Arc<CompiledPolicy>> = shelf.get(db, address).await? else {
            self.lost = true;
            return Ok(());
        };
        let schema = self.seen.as_ref().map_or(0, |seen| seen.schema);
        let machine = self.machine.id.clone();
        let item = ToJudge { machine, role: self.machine.role, seen_at, as_at, schema, schema_before };
        let mut facts = self.facts.clone();
        facts.forget_misread(schema);
        self.judgement = Some(policy.judge(&item, &facts, self.judgement.as_ref(), in_force).judgement);
        Ok(())
    }

    /// As a grade reads it, at `at`, to which it was taken.
    pub(super) fn judged(&self, at: i64) -> JudgedMachine {
        let Machine { id, name, place, role, enrolled_at, .. } = self.machine.clone();
        let is_before = |moment: Option<i64>| moment.is_some_and(|moment| moment <= at);
        let status = if is_before(self.machine.revoked_at) {
            MachineStatus::Revoked
        } else if is_before(self.machine.confirmed_at) {
            MachineStatus::Confirmed
        } else {
            MachineStatus::Pending
        };
        let seen = self.seen.as_ref();
        let agent = seen.map(|seen| AgentState {
            version: seen.agent.clone(),
            schema: seen.schema,
            too_old: seen.schema < SCHEMA_VERSION,
            schema_best: self.schema_best,
        });
        JudgedMachine {
            id,
            name,
            place,
            role,
            status,
            enrolled_at,
            clone_at: None,
            received_at: seen.map(|seen| seen.received_at),
            sections: seen.map(|seen| seen.sections.encode()),
            seen: seen.map(|seen| seen.sections.encode_seen()),
            agent,
            traits: seen.map(|seen| seen.traits.clone()),
            judgement: self.judgement.clone(),
        }
    }
}
