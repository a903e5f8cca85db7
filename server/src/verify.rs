//! Verifying what is stored, as somebody would who does not trust it: signed reports and their bodies ([`evidence`]), verdicts ([`verdicts`])
//! and grades ([`grade`]) made again by the functions that made them, and what people decided against the audit log ([`trail`]). Only reads,
//! in short transactions; owns no SQL and no wording.

mod evidence;
mod figures;
mod grade;
mod keys;
mod past;
mod shelf;
#[cfg(test)]
mod tests;
mod trail;
mod verdicts;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::audit::Break;
use crate::config::retention::Retention;
use crate::evidence::Subject;
use crate::policy::Policies;
use crate::store::log::check::About;
use crate::store::log::fault::Fault;
use crate::store::machine::Machine;
use crate::store::{Db, Scope, StoreResult};
use protocol::log::Checkpoint;
use shelf::Shelf;

/// Differences that are named; more are only counted.
const NAMED: usize = 10_000;

words! {
    /// What a difference is about.
    What {
        /// A machine's key is not the one of its id.
        Key = "key_changed",
        /// A report's signed bytes do not have its hash, or name another place.
        Report = "report_changed",
        /// A signature is not by the key that the machine had then.
        Signature = "signature_wrong",
        /// A report does not follow the one before it.
        Chain = "chain_broken",
        /// The stored end of a chain is not its last report.
        Head = "head_changed",
        /// The stored state of a machine's sections is not what its last report signed.
        Sections = "sections_changed",
        /// A stored section is not what was signed.
        Body = "body_changed",
        /// A section that was signed is not stored, though no retention has ended.
        BodyMissing = "body_missing",
        /// A stored section that no report signed.
        BodyAdded = "body_added",
        /// A verdict is not what the facts give.
        Verdict = "verdict_changed",
        /// A policy is missing, or is not signed by a known key.
        Policy = "policy_changed",
        /// A waiver is not what the audit log says.
        Waiver = "waiver_changed",
        /// A line of a roster is not what the audit log says.
        Line = "roster_changed",
        /// The roster's declaration is not what the audit log says.
        Declaration = "declaration_changed",
        /// A grade is not what verdicts, roster and waivers give.
        Grade = "grade_changed",
        /// A frozen figure is not what was stored at its time.
        Figure = "figure_changed",
        /// The chain of the audit log.
        Audit = "audit_changed",
    }
}

/// Where a difference is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A report, fork, audit entry or figure.
    Of(Subject),
    /// A machine as a whole.
    Machine(String),
    /// A key of a machine.
    Key(String, String),
    /// A section of a machine, and a digest.
    Section(String, String, String),
    /// A control on a machine.
    Control(String, String),
    /// A waiver: machine, control, id.
    Waiver(String, String, String),
    /// A line of an office's roster: office, id.
    Line(String, String),
    /// An office, and which of its values.
    Office(String, &'static str),
    /// A frozen figure, and which of its values: office, day, revision.
    Figure(String, String, i64, &'static str),
    /// A policy's address.
    Policy(String),
}

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What it is about.
    pub what: What,
    /// Where it is.
    pub place: Place,
    /// As stored; `None` where nothing is.
    pub stored: Option<String>,
    /// As it should be; `None` where nothing should be.
    pub recomputed: Option<String>,
}

words! {
    /// Why something cannot be verified.
    Why {
        /// Retention ended, and sections were deleted.
        BodyRemoved = "body_removed_by_retention",
        /// Retention ended, and signed headers were deleted.
        HeaderRemoved = "header_removed_by_retention",
        /// Two machines seem to use one key: the sections stay as they were.
        Cloned = "cloned",
        /// The machine waits to be judged.
        AwaitsJudging = "awaits_judging",
        /// Something came after the grade was made: it waits to be made again.
        AwaitsGrade = "awaits_grade",
        /// What figures were made from is not all there.
        FigureNotReproducible = "figure_not_reproducible",
    }
}

/// What cannot be verified: how much, and the instant before (or, where something waits, after) which it cannot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unchecked {
    /// How many.
    pub count: u64,
    /// Milliseconds UTC.
    pub since_at: i64,
}

/// What a verification found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// How many of each kind were verified, by their names in JSON.
    pub checked: BTreeMap<&'static str, u64>,
    /// Faults of the evidence log.
    pub faults: Vec<Fault>,
    /// Everything that differs, the first [`NAMED`].
    pub differences: Vec<Difference>,
    /// How many differ.
    pub differing: u64,
    /// What cannot be verified, by reason, and the machine or office.
    pub unchecked: BTreeMap<(Why, String), Unchecked>,
}

impl Findings {
    /// Whether nothing differs.
    pub fn is_intact(&self) -> bool {
        self.faults.is_empty() && self.differing == 0
    }

    fn count(&mut self, name: &'static str, more: u64) {
        *self.checked.entry(name).or_default() += more;
    }

    fn differ(&mut self, what: What, place: Place, stored: Option<String>, recomputed: Option<String>) {
        self.differing += 1;
        if self.differences.len() < NAMED {
            self.differences.push(Difference { what, place, stored, recomputed });
        }
    }

    /// Notes a difference between two values, if there is one.
    fn compare(&mut self, what: What, place: Place, stored: Option<String>, recomputed: Option<String>) {
        if stored != recomputed {
            self.differ(what, place, stored, recomputed);
        }
    }

    fn uncheck(&mut self, why: Why, of: &str, at: i64) {
        let unchecked = self.unchecked.entry((why, of.to_owned())).or_default();
        unchecked.count += 1;
        unchecked.since_at = unchecked.since_at.max(at);
    }
}

/// A verification of one store.
#[derive(Debug)]
pub struct Verifying<'a> {
    db: &'a Db,
    shelf: Shelf<'a>,
    retention: &'a Retention,
    now: Timestamp,
    findings: Findings,
}

impl<'a> Verifying<'a> {
    /// Verifies `db` as of `now`; `policies` knows who may sign one.
    pub fn new(db: &'a Db, policies: &'a Policies, retention: &'a Retention, now: Timestamp) -> Self {
        Self { db, shelf: Shelf::new(policies), retention, now, findings: Findings::default() }
    }

    /// The evidence log with everything in it: each machine's signed reports and their bodies too. `against` was kept elsewhere.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn log(mut self, against: Option<&Checkpoint>) -> StoreResult<Findings> {
        self.leaves(&About::All, against).await?;
        let mut after = String::new();
        loop {
            let machines = self.db.read().await?.machine_page(&after).await?;
            let Some(last) = machines.last() else { return Ok(self.findings) };
            after.clone_from(&last.id);
            for machine in &machines {
                self.machine_evidence(machine).await?;
            }
        }
    }

    /// The audit log: its chain, and its leaves in the evidence log.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn audit(mut self) -> StoreResult<Findings> {
        match self.db.audit_verify().await? {
            Ok(entries) => self.findings.count("entries", entries.unsigned_abs()),
            Err(broken) => {
                let (number, stored, recomputed) = match broken {
                    Break::Missing { expected, found } => (expected, None, Some((expected, found))),
                    Break::Unlinked(number) | Break::Changed(number) => (number, Some(number), None),
                    Break::Cut { expected, found } => (found + 1, None, Some((expected, found))),
                };
                let recomputed = recomputed.map(|(expected, _)| expected.to_string());
                let place = Place::Of(Subject::Audit { number });
                self.findings.differ(What::Audit, place, stored.map(|number| number.to_string()), recomputed);
            }
        }
        self.leaves(&About::Audit, None).await?;
        Ok(self.findings)
    }

    /// A machine: its signed reports, bodies, verdicts and waivers, and their leaves.
    ///
    /// # Errors
    /// [`crate::store::StoreError::NotFound`] when there is none.
    pub async fn machine(mut self, id: &str) -> StoreResult<Findings> {
        let machine = self.db.read().await?.machine_require(&Scope::whole(), id).await?;
        self.leaves(&About::Of { machines: BTreeSet::from([machine.id.clone()]), office: None }, None).await?;
        self.machine_judged(&machine).await?;
        self.waivers(&BTreeSet::from([machine.id])).await?;
        Ok(self.findings)
    }

    /// An office: its machines, roster, grade and frozen figures, and their leaves.
    ///
    /// # Errors
    /// [`crate::store::StoreError::NotFound`] when there is none.
    pub async fn office(mut self, id: &str) -> StoreResult<Findings> {
        let mut tx = self.db.read().await?;
        tx.office_require(&Scope::whole(), id).await?;
        let machines = tx.machine_list(&Scope::whole(), id).await?;
        drop(tx);
        let ids: BTreeSet<String> = machines.iter().map(|listed| listed.machine.id.clone()).collect();
        self.leaves(&About::Of { machines: ids.clone(), office: Some(id.to_owned()) }, None).await?;
        for listed in &machines {
            self.machine_judged(&listed.machine).await?;
        }
        self.waivers(&ids).await?;
        self.roster(id).await?;
        self.grade(id).await?;
        self.figures(id).await?;
        Ok(self.findings)
    }

    async fn machine_judged(&mut self, machine: &Machine) -> StoreResult<()> {
        self.findings.count("machines", 1);
        self.machine_evidence(machine).await?;
        self.verdicts(&machine.id).await
    }

    async fn leaves(&mut self, about: &About, against: Option<&Checkpoint>) -> StoreResult<()> {
        let checked = self.db.log_check(about, against).await?;
        self.findings.count("leaves", checked.leaves);
        self.findings.count("checkpoints", checked.checkpoints);
        self.findings.faults = checked.faults;
        Ok(())
    }
}
