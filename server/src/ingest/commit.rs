//! Writing a batch: one transaction, few statements, one commit. When a statement fails, the batch is written again one
//! machine at a time, each in a savepoint, so that only the one that cannot be written is refused.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use policies::fact::{Facts, SCHEMA_VERSION, Section};
use protocol::{Digest, Header};

use super::answered::{Answered, failed, refusals};
use super::judging::{Evidence, FactsKept, Judge};
use super::pending::Room;
use super::plan::{Answer, Known, Plan, plan, questions, sections_of, spoken_by};
use super::recent::Recent;
use super::refusal::{Counters, Reason};
use super::{Checked, Form, Job, Taken, TakenMachine};
use crate::store::head::{Head, HeadMove, StoredMachine};
use crate::store::machine::MachineStatus;
use crate::store::outbox::{EventKind, NewEvent};
use crate::store::section::SectionChange;
use crate::store::{Db, Scope, StoreError, StoreResult, Tx};

/// An unchanged machine is judged again after this long, because outcomes also change by time. Milliseconds.
pub(crate) const JUDGED_AGAIN_MS: i64 = 60 * 60 * 1000;

/// Machines remembered, of about 2.5 kB each: more than report in an hour to a large server.
const MACHINES: usize = 32_768;

/// A machine's clock that is off by more is logged once. Milliseconds.
const CLOCK_OFF_MS: u64 = 5 * 60 * 1000;

/// Writes batches.
#[derive(Debug)]
pub(super) struct Committer {
    db: Db,
    judge: Arc<dyn Judge>,
    counters: Arc<Counters>,
    facts: FactsKept,
    /// Machines as this committer left them; the store says which are so no longer.
    machines: Recent<StoredMachine>,
}

/// One machine's part of a batch.
#[derive(Debug)]
struct Work {
    stored_machine: StoredMachine,
    plan: Plan,
    /// Whether everything planned is written.
    moved: bool,
    /// Sections that travelled with the reports, as facts; later ones replace earlier ones.
    brought: Vec<(Section, Facts)>,
}

impl Committer {
    pub(super) fn new(db: Db, judge: Arc<dyn Judge>, counters: Arc<Counters>) -> Self {
        Self { db, judge, counters, facts: FactsKept::default(), machines: Recent::new(MACHINES) }
    }

    /// Writes a batch, one job per machine, ordered by machine, and answers every job.
    pub(super) async fn commit(&mut self, batch: Vec<Job>, now: i64) {
        let signs = batch.iter().any(|job| job.form == Form::Signed);
        let (replies, jobs): (Vec<_>, Vec<_>) =
            batch.into_iter().map(|job| ((job.reply, job.reports.len()), (job.machine, job.reports))).unzip();
        let counts = self.counters.take();
        let outcome = self.transact(jobs, signs, &counts, now).await.map_err(|error| self.db.health().noted(error));
        if outcome.is_err() {
            self.db.health().reports_note(false);
        }
        let taken = match outcome {
            Ok(taken) => taken,
            Err(error) => {
                tracing::error!("reports could not be stored: {error:#}", error = anyhow::Error::new(error));
                self.counters.give_back(counts);
                replies.iter().map(|(_, reports)| failed(*reports)).collect()
            }
        };
        for ((reply, _), taken) in replies.into_iter().zip(taken) {
            for answer in &taken.answers {
                if let Answer::Refused { reason, detail, .. } = answer
                    && *reason != Reason::AfterRefused
                {
                    self.counters.count(now, *reason, taken.id.as_deref().unwrap_or(""), detail);
                }
            }
            // The requester may be gone; the reports are stored all the same.
            let _ = reply.send(taken.taken);
        }
    }

    /// Stores the refusals counted since the last commit.
    pub(super) async fn counters_write(&self) {
        let counts = self.counters.take();
        if counts.is_empty() {
            return;
        }
        let written = async {
            let mut tx = self.db.write().await?;
            tx.refusal_add(&Counters::rows(&counts)).await?;
            tx.commit().await
        };
        if let Err(error) = written.await {
            tracing::error!("refusals could not be counted: {error:#}", error = anyhow::Error::new(error));
            self.counters.give_back(counts);
        }
    }

    async fn transact(
        &mut self,
        jobs: Vec<(String, Vec<Checked>)>,
        signs: bool,
        counts: &BTreeMap<(i64, Reason, String), i64>,
        now: i64,
    ) -> StoreResult<Vec<Answered>> {
        let mut tx = self.db.write().await?;
        let machines: Vec<String> = jobs.iter().map(|(machine, _)| machine.clone()).collect();
        let remembered = machines.iter().filter_map(|machine| Some((machine.clone(), self.machines.take(machine)?)));
        let mut stored_machines = tx.stored_machines(&machines, remembered.collect()).await?;
        let mut works = Vec::with_capacity(jobs.len());
        let mut refused = HashMap::new();
        let mut room = Room::ask(&mut tx, stored_machines.values()).await?;
        for (machine, reports) in jobs {
            match stored_machines.remove(&machine) {
                Some(stored_machine) if stored_machine.status != MachineStatus::Revoked => {
                    works.push(work(&mut tx, stored_machine, reports, &mut room, now).await?);
                }
                _ => {
                    refused.insert(machine, reports.len());
                }
            }
        }
        let mut events = Vec::new();
        let all: Vec<usize> = (0..works.len()).collect();
        let mut judged = Vec::new();
        let mut failed = None;
        match self.try_write(&mut tx, &mut works, &all, now).await? {
            Ok(written) => {
                events.extend(written.events);
                judged.extend(written.judged);
            }
            Err(error) => {
                tracing::warn!(
                    "a batch is written one machine at a time: {error:#}",
                    error = anyhow::Error::new(error)
                );
                for index in 0..works.len() {
                    match self.try_write(&mut tx, &mut works, &[index], now).await? {
                        Ok(written) => {
                            events.extend(written.events);
                            judged.extend(written.judged);
                        }
                        Err(error) => {
                            let error = anyhow::Error::new(error);
                            tracing::error!(
                                machine = works[index].plan.machine,
                                "a report could not be stored: {error:#}"
                            );
                            failed = error.downcast().ok();
                            works[index].plan.refuse_all(Reason::ServerFailed, "the store refused it");
                        }
                    }
                }
            }
        }
        if !counts.is_empty() {
            tx.refusal_add(&Counters::rows(counts)).await?;
        }
        let audit_head = match signs {
            true => tx.audit_head().await?.hash.parse().unwrap_or(Digest::ZERO),
            false => Digest::ZERO,
        };
        tx.change_append(now, &events).await?;
        let logged = tx.commit_logged().await?.map(Arc::new);
        let stored = failed.as_ref().is_none_or(StoreError::is_refusal);
        self.db.health().reports_note(stored);
        if let Some(error) = failed {
            // A small commit that succeeded proves nothing about the reports that found no room.
            self.db.health().noted(error);
        }
        let policy = self.judge.policy().map(|policy| policy.to_string());
        let judged: HashSet<String> = judged
            .into_iter()
            .map(|Evidence { machine, schema, sections, facts, .. }| {
                self.facts.put(&machine, schema, &sections, facts);
                machine
            })
            .collect();
        let mut answered: HashMap<String, Taken> = works
            .into_iter()
            .map(|Work { mut stored_machine, plan, moved, .. }| {
                let machine = Some(TakenMachine {
                    office: stored_machine.office_name.clone(),
                    role: stored_machine.role,
                    status: stored_machine.status,
                });
                if judged.contains(&plan.machine) {
                    (stored_machine.judged_at, stored_machine.judged_policy) = (Some(now), policy.clone());
                }
                if moved && plan.cloned.is_none() {
                    stored_machine.head = plan.head;
                    self.machines.put(plan.machine.clone(), stored_machine);
                }
                (plan.machine, Taken { answers: plan.answers, machine, audit_head, logged: logged.clone() })
            })
            .collect();
        Ok(machines
            .into_iter()
            .map(|machine| {
                let taken = answered.remove(&machine).unwrap_or_else(|| Taken {
                    answers: refusals(Reason::Revoked, "revoked", refused.get(&machine).copied().unwrap_or(0)),
                    machine: None,
                    audit_head,
                    logged: None,
                });
                Answered { id: Some(machine), taken }
            })
            .collect())
    }

    /// Writes the works at these indices in a savepoint of their own; the inner error concerns only them.
    ///
    /// # Errors
    /// The transaction has ended: a full disk ends it, and nothing more may be written through it.
    async fn try_write(
        &mut self,
        tx: &mut Tx,
        works: &mut [Work],
        indices: &[usize],
        now: i64,
    ) -> StoreResult<StoreResult<Written>> {
        tx.savepoint().await?;
        match self.write(tx, works, indices, now).await {
            Ok(written) => {
                tx.savepoint_release().await?;
                Ok(Ok(written))
            }
            Err(error) => {
                indices.iter().for_each(|&index| works[index].moved = false);
                tx.savepoint_rollback().await?;
                Ok(Err(error))
            }
        }
    }

    async fn write(&mut self, tx: &mut Tx, works: &mut [Work], indices: &[usize], now: i64) -> StoreResult<Written> {
        for &index in indices {
            clone_settle(tx, &mut works[index], now).await?;
        }
        let moves: Vec<HeadMove<'_>> = indices
            .iter()
            .filter_map(|&index| {
                let Work { stored_machine, plan, .. } = &works[index];
                Some(HeadMove { machine: &plan.machine, from: stored_machine.head.as_ref(), to: plan.head.as_ref()? })
            })
            .collect();
        let moved = tx.head_move(&moves).await?;
        if moved < moves.len() {
            let [only] = indices else { return Err(StoreError::Contended) };
            works[*only].plan.refuse_all(Reason::Contended, "another server moved the chain first");
            return Ok(Written::default());
        }
        for &index in indices {
            works[index].moved = works[index].plan.head.is_some();
        }
        let works: Vec<&Work> = indices.iter().map(|&index| &works[index]).collect();
        let moved_works = || works.iter().filter(|work| work.moved);

        let reports: Vec<_> = moved_works().flat_map(|work| &work.plan.reports).collect();
        tx.report_insert(&reports).await?;
        let is_current = |plan: &Plan, section: &str, digest| plan.changed.get(section) == Some(&Some(digest));
        let bodies: Vec<_> = moved_works()
            .flat_map(|work| {
                let plan = &work.plan;
                plan.bodies.iter().map(move |body| (body, is_current(plan, &body.section, body.digest)))
            })
            .collect();
        tx.body_insert(&bodies, now).await?;
        let (mut retired, mut restored) = (Vec::new(), Vec::new());
        for work in moved_works().filter(|work| work.stored_machine.head.is_some()) {
            for (section, &digest) in &work.plan.changed {
                let changed = SectionChange { machine: work.plan.machine.clone(), section: section.clone(), digest };
                let travelled =
                    work.plan.bodies.iter().any(|body| body.section == *section && Some(body.digest) == digest);
                if digest.is_some() && !travelled {
                    restored.push(changed.clone());
                }
                retired.push(changed);
            }
        }
        tx.body_retire(&retired, now).await?;
        tx.body_restore(&restored, now).await?;
        let segments: Vec<_> = moved_works().flat_map(|work| &work.plan.segments).collect();
        tx.segment_insert(&segments).await?;
        for work in moved_works() {
            for fork in &work.plan.forks {
                tx.fork_insert(fork).await?;
            }
        }
        let reported = || moved_works().filter(|work| !work.plan.reports.is_empty());
        let returned: Vec<String> = reported().map(|work| work.plan.machine.clone()).collect();
        let mut offices: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for work in reported() {
            offices.entry(&work.stored_machine.office).or_default().push(&work.plan.machine);
        }
        let mut events: Vec<NewEvent> =
            offices.into_iter().map(|(office, machines)| NewEvent::reported(office, &machines)).collect();
        for work in moved_works().filter(|work| work.plan.cloned.is_some()) {
            events.push(NewEvent::of_machine(EventKind::Machine, &work.stored_machine.office, &work.plan.machine));
        }
        for office in tx.roster_line_return(&returned).await? {
            events.push(NewEvent::of_office(EventKind::Roster, &office));
        }
        let due: Vec<&Work> = moved_works().filter(|work| self.is_due(work, now)).copied().collect();
        let judged = self.evidence(tx, &due).await?;
        if !judged.is_empty() {
            events.extend(self.judge.judge(tx, &judged, now).await?);
        }
        Ok(Written { events, judged })
    }

    /// Whether a machine must be judged: something changed, the policy changed, or enough time has passed.
    fn is_due(&self, work: &Work, now: i64) -> bool {
        let Some(policy) = self.judge.policy() else { return false };
        if !work.plan.judged && work.plan.cloned.is_none() {
            return false;
        }
        let stored_machine = &work.stored_machine;
        let schema = |head: &Option<Head>| head.as_ref().map(|head| head.schema);
        !work.plan.changed.is_empty()
            || schema(&stored_machine.head) != schema(&work.plan.head)
            || stored_machine.judged_policy.as_deref() != Some(policy.to_string().as_str())
            // A time in the future: judged while the clock was ahead.
            || stored_machine.judged_at.is_none_or(|at| at > now || now.saturating_sub(at) >= JUDGED_AGAIN_MS)
    }

    /// The newest facts of these machines: from memory if they are known there, else from the store.
    async fn evidence(&mut self, tx: &mut Tx, works: &[&Work]) -> StoreResult<Vec<Evidence>> {
        let mut evidence = Vec::with_capacity(works.len());
        let mut missing = Vec::new();
        for work in works {
            let Some(head) = &work.plan.head else { continue };
            let known = match (&work.stored_machine.head, &work.plan.cloned) {
                (None, _) => Some(Arc::new(Facts::unknown(policies::fact::Reason::NotCollected))),
                // What an older agent read wrongly was dropped from the kept facts; a newer one may say the same and be right.
                (Some(before), None) if before.schema == head.schema => {
                    self.facts.take(&work.plan.machine, before.schema, &before.sections)
                }
                (Some(_), _) => None,
            };
            let facts = known.and_then(|known| facts_after(known, work, head));
            if facts.is_none() {
                missing.push(work.plan.machine.clone());
            }
            evidence.push(Evidence {
                machine: work.plan.machine.clone(),
                office: work.stored_machine.office.clone(),
                role: work.stored_machine.role,
                facts: facts.unwrap_or_default(),
                schema: head.schema,
                schema_before: work.stored_machine.head.as_ref().map_or(head.schema, |before| before.schema),
                sections: head.sections.clone(),
            });
        }
        if !missing.is_empty() {
            let mut loaded = tx.facts_load(&missing).await?;
            for item in &mut evidence {
                if let Some(facts) = loaded.remove(&item.machine) {
                    item.facts = Arc::new(facts);
                }
            }
        }
        Ok(evidence)
    }
}

/// The result of writing some machines.
#[derive(Debug, Default)]
struct Written {
    events: Vec<NewEvent>,
    judged: Vec<Evidence>,
}

impl Plan {
    /// Refuses the whole job: nothing of it is written.
    fn refuse_all(&mut self, reason: Reason, detail: &str) {
        self.answers = refusals(reason, detail, self.answers.len());
    }
}

/// Reads what planning needs from the store, and plans.
async fn work(
    tx: &mut Tx,
    stored_machine: StoredMachine,
    reports: Vec<Checked>,
    room: &mut Room,
    now: i64,
) -> StoreResult<Work> {
    let questions = questions(&stored_machine, &reports);
    let mut known = Known { room: room.of(&stored_machine, now), ..Known::default() };
    for (section, digest) in questions.bodies {
        if tx.body_exists(&stored_machine.machine, &section, digest).await? {
            known.bodies.insert((section, digest));
        }
    }
    for (segment, number) in questions.reports {
        if let Some(report) = tx.report_get(&stored_machine.machine, segment, number).await? {
            let hash = report.hash.parse().unwrap_or(Digest::ZERO);
            known.reports.insert((segment, number), (hash, report.received_at));
        }
    }
    if questions.behind {
        known.behind = tx.segments_behind(&stored_machine.machine).await?;
    }
    let mut brought = Vec::new();
    let mut reports = reports;
    for checked in &mut reports {
        for section in checked.bodies.keys().filter_map(|name| Section::from_name(name)) {
            let mut only = Facts::default();
            only.swap_section(section, &mut checked.facts);
            brought.push((section, checked.header.sections[section.name()].digest, only));
        }
    }
    let plan = plan(&stored_machine, reports, &known, now);
    let stored = |head: &Option<Head>| head.as_ref().map(|head| head.stored_all);
    if let Some(after) = stored(&plan.head) {
        room.take(&stored_machine, after - stored(&stored_machine.head).unwrap_or(0));
    }
    let offset = |head: &Option<Head>| head.as_ref().map_or(0, |head| head.clock_offset);
    let (before_ms, after_ms) = (offset(&stored_machine.head), offset(&plan.head));
    if after_ms.unsigned_abs() > CLOCK_OFF_MS && before_ms.unsigned_abs() <= CLOCK_OFF_MS {
        tracing::info!(
            machine = stored_machine.machine,
            offset_ms = after_ms,
            "the clocks of this machine and of this server differ"
        );
    }
    // Only what became the newest state counts; a section of a refused report does not.
    let newest = |section: Section, digest| plan.changed.get(section.name()) == Some(&Some(digest));
    let brought = brought
        .into_iter()
        .filter(|(section, digest, _)| newest(*section, *digest))
        .map(|(section, _, facts)| (section, facts))
        .collect();
    Ok(Work { stored_machine, plan, moved: false, brought })
}

/// The facts after a job, given those before it; `None` when a section changed to a body that was not sent with it.
fn facts_after(before: Arc<Facts>, work: &Work, head: &Head) -> Option<Arc<Facts>> {
    let mut facts = before;
    for (name, digest) in &work.plan.changed {
        let Some(section) = Section::from_name(name) else { continue };
        let target = Arc::make_mut(&mut facts);
        if digest.is_none() {
            target.forget(section, policies::fact::Reason::NotCollected, "");
            continue;
        }
        let (_, brought) = work.brought.iter().rfind(|(brought, _)| *brought == section)?;
        target.swap_section(section, &mut brought.clone());
    }
    if head.schema < SCHEMA_VERSION {
        Arc::make_mut(&mut facts).forget_misread(head.schema);
    }
    debug_assert!(!head.sections.0.is_empty() || work.plan.changed.values().all(Option::is_none));
    Some(facts)
}

/// A machine that turns out to be two: marked, and its sections reset to where the branches parted.
async fn clone_settle(tx: &mut Tx, work: &mut Work, now: i64) -> StoreResult<()> {
    let Some(cloned) = work.plan.cloned.clone() else { return Ok(()) };
    let machine = work.plan.machine.clone();
    tx.machine_clone_set(&Scope::whole(), &machine, now, cloned.why).await?;
    let (Some((segment, number)), Some(head)) = (cloned.before, &mut work.plan.head) else { return Ok(()) };
    let Some(before) = tx.report_get(&machine, segment, number).await? else { return Ok(()) };
    let Ok(header) = Header::decode(&before.header) else { return Ok(()) };
    let stood = sections_of(&header, before.received_at, work.stored_machine.enrolled_at);
    work.plan.changed = head.sections.0.keys().map(|name| (name.clone(), None)).collect();
    work.plan.changed.extend(stood.0.iter().map(|(name, state)| (name.clone(), Some(state.digest))));
    head.sections = stood;
    (head.agent, head.schema) = spoken_by(&header);
    Ok(())
}
