//! The stored grade of an office, made again from the present verdicts, roster and waivers as at the instant it was made.

use policies::grade::{Grade, MachineGrade};

use super::{Place, StoreResult, Verifying, What, Why};
use crate::judge::office::{OfficeRows, instant, office_rows};
use crate::store::Scope;
use crate::store::grade::letter_word;
use crate::store::reread::GradeColumns;

/// A report may wait this long for its commit, after the instant at which it counts as received: the grade before it does not know it.
/// Milliseconds.
const COMMIT_WAITS: i64 = 30 * 1000;

type Value = (&'static str, Option<String>);

/// The values of a grade that pages read one by one.
fn values(grade: &Grade) -> [Value; 6] {
    let shown = |value: i64| Some(value.to_string());
    let count = |value: u64| Some(value.to_string());
    [
        ("score", shown(grade.score.0)),
        ("on_spot", grade.on_spot.map(|points| points.0.to_string())),
        ("without_waivers", shown(grade.without_waivers.0)),
        ("letter", grade.letter().map(|letter| letter_word(letter).to_owned())),
        ("expected", count(grade.coverage.expected)),
        ("covered", count(grade.coverage.covered)),
    ]
}

fn column_values(columns: &GradeColumns) -> [Value; 6] {
    let GradeColumns { score, on_spot, without_waivers, letter, expected, covered, .. } = columns;
    [
        ("score", Some(score.to_string())),
        ("on_spot", on_spot.map(|points| points.to_string())),
        ("without_waivers", Some(without_waivers.to_string())),
        ("letter", letter.clone()),
        ("expected", Some(expected.to_string())),
        ("covered", Some(covered.to_string())),
    ]
}

/// The newest of what a grade is made from.
fn newest(rows: &OfficeRows, audited_at: i64) -> i64 {
    let machines = rows.places.iter().filter_map(|place| place.machine.as_ref());
    let times = machines.flat_map(|machine| {
        [machine.received_at, machine.clone_at, machine.judgement.as_ref().map(|judgement| judgement.judged_at)]
    });
    times.flatten().fold(audited_at, i64::max)
}

impl Verifying<'_> {
    pub(super) async fn grade(&mut self, office: &str) -> StoreResult<()> {
        let Some(graded) = self.db.read().await?.office_grade_columns(office).await? else { return Ok(()) };
        if graded.policy.is_empty() {
            self.findings.uncheck(Why::AwaitsGrade, office, graded.graded_at);
            return Ok(());
        }
        let Some(policy) = self.shelf.get(self.db, &graded.policy).await? else {
            self.findings.differ(What::Policy, Place::Policy(graded.policy), None, None);
            return Ok(());
        };
        let mut tx = self.db.read().await?;
        let Some(columns) = tx.office_grade_columns(office).await? else { return Ok(()) };
        let rows = office_rows(&mut tx, Some(&policy), &Scope::whole(), office).await?;
        let audited_at = tx.audit_newest(office).await?;
        drop(tx);
        let place = |value| Place::Office(office.to_owned(), value);
        self.findings.count("grades", 1);
        let Ok(stored) = serde_json::from_str::<Grade>(&columns.grade) else {
            self.findings.differ(What::Grade, place("grade"), Some("?".to_owned()), None);
            return Ok(());
        };
        for ((value, column), (_, whole)) in column_values(&columns).into_iter().zip(values(&stored)) {
            self.findings.compare(What::Grade, place(value), column, whole);
        }
        let made = rows.grade(&policy, instant(columns.graded_at)).grade;
        if made == stored && columns.policy == policy.address() {
            return Ok(());
        }
        let newest = newest(&rows, audited_at);
        if newest.saturating_add(COMMIT_WAITS) >= columns.graded_at || columns.policy != policy.address() {
            self.findings.uncheck(Why::AwaitsGrade, office, newest);
            return Ok(());
        }
        let before = self.findings.differing;
        for ((value, stored), (_, made)) in values(&stored).into_iter().zip(values(&made)) {
            self.findings.compare(What::Grade, place(value), stored, made);
        }
        let told = |machine: &MachineGrade| {
            let score = machine.score.map_or_else(|| "-".to_owned(), |points| points.0.to_string());
            format!("{:?} {score} {}/{}", machine.state, machine.passed, machine.applicable)
        };
        let find = |grade: &Grade, id: &str| grade.machines.iter().find(|machine| machine.id == id).map(told);
        let ids = stored.machines.iter().chain(&made.machines).map(|machine| machine.id.as_str());
        for id in ids.collect::<std::collections::BTreeSet<_>>() {
            self.findings.compare(What::Grade, Place::Machine(id.to_owned()), find(&stored, id), find(&made, id));
        }
        if self.findings.differing == before {
            // Something that none of these shows: caps, the ledger, the office as a whole.
            self.findings.differ(What::Grade, place("grade"), None, None);
        }
        Ok(())
    }
}
