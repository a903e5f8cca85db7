//! Frozen figures of an office, made again: its machines are taken through their past ([`super::past`]), its roster through the audit log,
//! and the grade is made by the functions that made it. A figure is the grade as last made when it was frozen, at most about an hour before:
//! it is reproduced when a grade of that hour gives it.

use std::collections::{BTreeMap, BTreeSet};

use policies::fact::SCHEMA_VERSION;
use policies::grade::{Line, LineKind, Points};

use super::past::Past;
use super::trail::RosterTold;
use super::{Place, StoreResult, Verifying, What, Why};
use crate::judge::office::{GRADE_AGAIN_AFTER, OfficeRows, instant};
use crate::store::figure::OfficeDay;
use crate::store::grade::StoredGrade;
use crate::store::office::Office;
use crate::store::roster::{Roster, RosterLine};
use crate::store::{Noun, Scope, StoreError};

/// How long before it was frozen a figure's grade may have been made. Milliseconds.
const MADE_WITHIN: i64 = GRADE_AGAIN_AFTER + 5 * 60 * 1000;

/// An office while its past is gone through.
struct OfficePast {
    office: Office,
    roster: Option<Roster>,
    lines: Vec<RosterLine>,
    told: RosterTold,
    machines: Vec<Past>,
    schema_known: BTreeMap<u32, i64>,
}

impl OfficePast {
    /// Everything its grade depended on at `at`, to which its machines were taken.
    fn rows(&self, at: i64) -> OfficeRows {
        let enrolled: Vec<&Past> = self.machines.iter().filter(|past| past.machine.enrolled_at <= at).collect();
        let lines = self.lines.iter().filter(|line| line.created_at <= at);
        let lines = lines.filter(|line| line.removed_at.is_none_or(|removed_at| removed_at > at)).map(|line| {
            let is_of = |past: &&&Past| {
                past.machine.line.as_ref() == Some(&line.id)
                    && past.machine.revoked_at.is_none_or(|revoked_at| revoked_at > at)
            };
            let machine = enrolled.iter().find(is_of);
            let reported_at = machine.and_then(|past| past.judged(at).received_at);
            let state = self.told.state_at(line, at, reported_at);
            RosterLine { machine: machine.map(|past| past.machine.id.clone()), removed_at: None, ..state }
        });
        let (roster, lines) = (self.told.declared_by(at).then(|| self.roster.clone()).flatten(), lines.collect());
        let machines = enrolled.iter().map(|past| past.judged(at)).collect();
        OfficeRows::new(self.office.clone(), roster, lines, machines, self.schema_known.clone())
    }
}

/// The ledger without the controls about the office as a whole, which cost nothing: the network of then is not kept.
fn ledger(text: &str) -> Option<Vec<Line>> {
    let lines: Vec<Line> = serde_json::from_str(text).ok()?;
    let is_of_office = |line: &Line| {
        line.machines.is_empty()
            && line.points == Points::ZERO
            && matches!(line.kind, LineKind::Failed | LineKind::Unknown)
    };
    Some(lines.into_iter().filter(|line| !is_of_office(line)).collect())
}

/// Each value of a figure by its name.
fn values(figure: &OfficeDay) -> [(&'static str, Option<String>); 6] {
    let OfficeDay { score, spot_score, letter, expected, covered, ledger: text, .. } = figure;
    let shown = |value: &Option<i64>| value.map(|value| value.to_string());
    let lines = ledger(text).and_then(|lines| serde_json::to_string(&lines).ok());
    [
        ("score", shown(score)),
        ("on_spot", shown(spot_score)),
        ("letter", letter.clone()),
        ("expected", Some(expected.to_string())),
        ("covered", Some(covered.to_string())),
        ("ledger", lines),
    ]
}

impl Verifying<'_> {
    pub(super) async fn figures(&mut self, office: &str) -> StoreResult<()> {
        if self.db.read().await?.office_day_page(office, ("", 0)).await?.is_empty() {
            return Ok(());
        }
        let mut past = self.office_past(office).await?;
        let mut after = (String::new(), 0);
        loop {
            let page = self.db.read().await?.office_day_page(office, (&after.0, after.1)).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = (last.day.clone(), last.revision);
            for figure in page {
                self.findings.count("figures", 1);
                let place = Place::Figure(figure.office.clone(), figure.day.clone(), figure.revision, "hash");
                let hash = (Some(figure.hash.clone()), Some(figure.compute_hash()));
                self.findings.compare(What::Figure, place, hash.0, hash.1);
                self.figure(&mut past, &figure).await?;
            }
        }
    }

    async fn office_past(&mut self, id: &str) -> StoreResult<OfficePast> {
        let mut tx = self.db.read().await?;
        let written = tx.audit_written().await?;
        let office =
            tx.office_get(&Scope::whole(), id).await?.ok_or_else(|| StoreError::not_found(Noun::Office, id))?;
        let roster = tx.roster_get(&Scope::whole(), id).await?;
        let lines = tx.roster_line_all(id).await?;
        let schema_known = tx.schema_known().await?;
        let policies = tx.policy_publications().await?;
        let listed = tx.machine_list(&Scope::whole(), id).await?;
        drop(tx);
        let told = self.roster_told(id, written).await?;
        let mut machines = Vec::with_capacity(listed.len());
        for listed in listed {
            let mut tx = self.db.read().await?;
            let waivers = tx.waiver_list_of_machine(&Scope::whole(), &listed.machine.id).await?;
            let is_forked = !tx.fork_page(&listed.machine.id, "").await?.is_empty();
            machines.push(Past::new(listed.machine, waivers, &policies, is_forked));
        }
        Ok(OfficePast { office, roster, lines, told, machines, schema_known })
    }

    async fn figure(&mut self, past: &mut OfficePast, figure: &OfficeDay) -> StoreResult<()> {
        let (from, to) = (figure.frozen_at.saturating_sub(MADE_WITHIN), figure.frozen_at);
        let unknown = |verifying: &mut Self| verifying.findings.uncheck(Why::FigureNotReproducible, &figure.office, to);
        // What is not undone in `rows`, or was judged by another version of the program.
        let is_of_now =
            past.told.fixed_since <= from && past.schema_known.get(&SCHEMA_VERSION).is_none_or(|at| *at <= from);
        let policy = self.shelf.get(self.db, &figure.policy).await?;
        let Some(policy) = policy.filter(|_| is_of_now && figure.revision == 1) else {
            unknown(self);
            return Ok(());
        };
        let mut moments = BTreeSet::from([from]);
        let mut at = from;
        loop {
            let mut next: Option<i64> = None;
            for machine in &mut past.machines {
                machine.go(self.db, &mut self.shelf, at).await?;
                next = machine.next_at(self.db).await?.into_iter().chain(next).min();
            }
            let rows = past.rows(at);
            // Something grows too old between what happens: the grade is made then, too.
            moments.extend([at, next.map_or(to, |next| next - 1).min(to)]);
            for moment in std::mem::take(&mut moments) {
                let grade = rows.grade(&policy, instant(moment)).grade;
                let made = StoredGrade {
                    office: figure.office.clone(),
                    policy: figure.policy.clone(),
                    graded_at: moment,
                    next_at: moment,
                    grade,
                };
                let Ok(made) = made.freeze(&figure.day, to) else { continue };
                if values(&made) == values(figure) {
                    self.findings.count("reproduced", 1);
                    return Ok(());
                }
                if moment >= to {
                    if past.machines.iter().any(|machine| machine.machine.enrolled_at <= to && !machine.is_known(to)) {
                        unknown(self);
                        return Ok(());
                    }
                    for ((value, stored), (_, made)) in values(figure).into_iter().zip(values(&made)) {
                        let place = Place::Figure(figure.office.clone(), figure.day.clone(), figure.revision, value);
                        self.findings.compare(What::Figure, place, stored, made);
                    }
                    return Ok(());
                }
            }
            at = next.unwrap_or(to).clamp(at + 1, to);
        }
    }
}
