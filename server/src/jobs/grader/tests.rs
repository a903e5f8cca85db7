//! Grades of stored offices, on both databases.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use policies::fact::{Fact, Facts, Reason, SCHEMA_VERSION, Section};
use policies::grade::{LetterResult, LineKind, MachineState, NoLetter, Points};
use policies::outcome::Verdict;
use policies::policy::SHIPPED;
use protocol::{Digest, Position};

use super::Todo;
use super::{grades_catch_up, grades_make, office_grade_make};
use crate::judge::machines::{ToJudge, judge_all, judged_put};
use crate::policy::CompiledPolicy;
use crate::store::head::{Head, HeadMove};
use crate::store::judgement::JudgedFor;
use crate::store::machine::Role;
use crate::store::roster::{Roster, RosterLine};
use crate::store::section::{Body, SectionChange, SectionState, Sections};
use crate::store::test_database::{self, on_both};
use crate::store::{Db, Scope, Tx, new_id};
use crate::view::{MachineView, OfficeView, machine_view, office_view};

mod ghosts;
mod old_agents;
mod upgrade;
mod waivers;

/// Tuesday 3 November 2026, 10:00 in Hà Nội.
const NOW: i64 = 1_793_674_800_000;
const DAY: i64 = 24 * 60 * 60 * 1000;

/// The shipped policy; at another address the clock matters more.
fn judge(address: &str) -> Arc<CompiledPolicy> {
    let heavier = |text: &str| {
        let (before, control) = text.split_once("id = \"time-synchronised\"").unwrap();
        format!(
            "{before}id = \"time-synchronised\"{}",
            control.replacen("severity = \"medium\"", "severity = \"high\"", 1)
        )
    };
    let files: BTreeMap<String, String> = SHIPPED
        .into_iter()
        .map(|(name, text)| {
            let changed = address != "p1" && name == "level-2-controls.toml";
            (name.to_owned(), if changed { heavier(text) } else { text.to_owned() })
        })
        .collect();
    Arc::new(CompiledPolicy::new(address, &files).unwrap())
}

/// Facts of which only the clock is known.
fn facts(synchronised: bool) -> Facts {
    let mut facts = Facts::unknown(Reason::NotCollected);
    facts.time.synchronised = Fact::Known(synchronised);
    facts
}

/// What a report of `machine` leaves in the store.
async fn report(tx: &mut Tx, machine: &str, number: u64, facts: &Facts, at: i64) {
    report_by(tx, machine, number, facts, at, SCHEMA_VERSION).await;
}

/// The same from an agent that reads by this version of the facts' meaning.
async fn report_by(tx: &mut Tx, machine: &str, number: u64, facts: &Facts, at: i64, schema: u32) {
    let texts: Vec<(Section, String)> =
        Section::ALL.iter().map(|&section| (section, facts.encode(section).unwrap())).collect();
    let state = |text: &str| SectionState {
        digest: Digest::of(text.as_bytes()),
        observed_at: at,
        received_at: at,
        known: true,
    };
    let sections = Sections(texts.iter().map(|(section, text)| (section.name().to_owned(), state(text))).collect());
    let body = |section: Section, text: &str| Body {
        machine: machine.to_owned(),
        section: section.name().to_owned(),
        digest: Digest::of(text.as_bytes()),
        text: text.to_owned(),
    };
    let before = tx.head_get(&Scope::whole(), machine).await.unwrap();
    let changed: Vec<SectionChange> = texts
        .iter()
        .map(|(section, text)| SectionChange {
            machine: machine.to_owned(),
            section: section.name().to_owned(),
            digest: Some(Digest::of(text.as_bytes())),
        })
        .collect();
    let bodies: Vec<(Body, bool)> = texts.iter().map(|(section, text)| (body(*section, text), true)).collect();
    tx.body_retire(&changed, at).await.unwrap();
    let bodies: Vec<_> = bodies.iter().map(|(body, current)| (body, *current)).collect();
    tx.body_insert(&bodies, at).await.unwrap();
    tx.body_restore(&changed, at).await.unwrap();
    let head = Head {
        position: Position { segment: 1, number, hash: Digest::of(&number.to_be_bytes()) },
        starts: Vec::new(),
        traits: Digest::of(b"traits"),
        received_at: at,
        made_at: at,
        clock_offset: 0,
        sections,
        agent: "0.2.0".to_owned(),
        schema,
        stored_day: 0,
        stored_bytes: 0,
        stored_all: 0,
    };
    assert_eq!(tx.head_move(&[HeadMove { machine, from: before.as_ref(), to: &head }]).await.unwrap(), 1);
}

async fn judged(tx: &mut Tx, judge: &CompiledPolicy, machine: &str, at: i64) -> Vec<String> {
    let schema = tx.head_get(&Scope::whole(), machine).await.unwrap().unwrap().schema;
    judged_after(tx, judge, machine, at, schema).await
}

/// The same after a report from another agent, whose previous report was read by this version of the facts' meaning.
async fn judged_after(tx: &mut Tx, judge: &CompiledPolicy, machine: &str, at: i64, schema_before: u32) -> Vec<String> {
    let schema = tx.head_get(&Scope::whole(), machine).await.unwrap().unwrap().schema;
    let machine = machine.to_owned();
    let item = ToJudge { machine, role: Role::Workstation, seen_at: at, as_at: at, schema, schema_before };
    let ids = [item.machine.clone()];
    let previous = tx.judgement_load(&ids).await.unwrap();
    let facts = tx.facts_load(&ids).await.unwrap();
    let in_force = tx.waiver_in_force(&ids, at).await.unwrap();
    let judged = judge_all(judge, &[item], &facts, &previous, &in_force);
    judged_put(tx, &judged, &previous, JudgedFor::Report).await.unwrap()
}

fn line(office: &str, label: &str, machine: Option<&str>) -> RosterLine {
    RosterLine { machine: machine.map(str::to_owned), ..test_database::line(office, label) }
}

async fn declare(tx: &mut Tx, office: &str) {
    let roster =
        Roster { office: office.to_owned(), declared_at: 1, declared_by: "lan".to_owned(), secret_machines: 0 };
    tx.roster_declare(&Scope::whole(), &roster).await.unwrap();
}

async fn seen(db: &Db, judge: &CompiledPolicy, office: &str, now: i64) -> OfficeView {
    let now = Timestamp::from_millisecond(now).unwrap();
    office_view(&mut db.read().await.unwrap(), Some(judge), &Scope::whole(), office, now).await.unwrap()
}

fn adds_up(view: &OfficeView) {
    let grade = view.grade.as_ref().unwrap();
    assert_eq!(grade.score + grade.ledger.iter().map(|line| line.points).sum(), Points::FULL);
}

on_both! {
    /// From a report to a letter, a fix, another machine and another policy; every movement has its cause.
    async fn a_grade_moves_and_says_why(test_database: &TestDatabase) {
        let (db, first) = (&test_database.db, judge("p1"));
        let mut tx = db.write().await.unwrap();
        let office = test_database::office(&mut tx, "Phường Đức Nhuận", None).await;
        let machine = test_database::machine(&mut tx, &office).await;
        report(&mut tx, &machine, 1, &facts(false), NOW).await;
        assert_eq!(judged(&mut tx, &first, &machine, NOW).await, std::slice::from_ref(&machine));
        tx.commit().await.unwrap();

        // Without a roster: a score and no letter.
        assert!(office_grade_make(db, &first, &office, NOW).await.unwrap());
        let view = seen(db, &first, &office, NOW).await;
        let grade = view.grade.clone().unwrap();
        assert_eq!(grade.result, LetterResult::NoLetter { reason: NoLetter::NoRoster });
        adds_up(&view);

        let mut tx = db.write().await.unwrap();
        declare(&mut tx, &office).await;
        tx.roster_line_insert(&Scope::whole(), &line(&office, "PC-01", Some(&machine))).await.unwrap();
        tx.commit().await.unwrap();
        office_grade_make(db, &first, &office, NOW).await.unwrap();
        let low = seen(db, &first, &office, NOW).await.grade.unwrap();
        assert!(low.letter().is_some());

        // The clock is corrected: all of the gain is the office's.
        let mut tx = db.write().await.unwrap();
        report(&mut tx, &machine, 2, &facts(true), NOW + 1000).await;
        assert_eq!(judged(&mut tx, &first, &machine, NOW + 1000).await, std::slice::from_ref(&machine));
        tx.commit().await.unwrap();
        office_grade_make(db, &first, &office, NOW + 1000).await.unwrap();
        let view = seen(db, &first, &office, NOW + 1000).await;
        let fixed = view.grade.clone().unwrap();
        assert!(fixed.score > low.score);
        assert_eq!(view.history[0].movement.office, fixed.score - low.score);
        assert!(!office_grade_make(db, &first, &office, NOW + 1000).await.unwrap(), "nothing moved");

        // A second machine is rostered and never reported: caused by the roster.
        let mut tx = db.write().await.unwrap();
        tx.roster_line_insert(&Scope::whole(), &line(&office, "PC-02", None)).await.unwrap();
        tx.commit().await.unwrap();
        office_grade_make(db, &first, &office, NOW + 2000).await.unwrap();
        let view = seen(db, &first, &office, NOW + 2000).await;
        adds_up(&view);
        let halved = view.grade.clone().unwrap();
        assert_eq!(view.history[0].movement.roster, halved.score - fixed.score);
        assert_eq!(view.history[0].movement.office, Points::ZERO);
        let lines: Vec<LineKind> = halved.ledger.iter().map(|line| line.kind).collect();
        assert!(lines.contains(&LineKind::Unreported));
        assert_eq!(view.machines[1].grade.as_ref().unwrap().state, MachineState::Unreported);

        // Another policy gives the clock more weight; the stored facts are judged again.
        let second = judge("p2");
        grades_catch_up(db, &second, NOW + 3000).await.unwrap();
        let view = seen(db, &second, &office, NOW + 3000).await;
        let other = view.grade.clone().unwrap();
        assert!(other.score > halved.score);
        assert_eq!(view.history[0].movement.policy, other.score - halved.score);
        // The first grade is not a movement; the rest adds up.
        let first_score = view.history.last().unwrap().score_after;
        assert_eq!(view.movement.total(), other.score - first_score);
        adds_up(&view);
    }

    /// Changes caused by time alone are found without any event: evidence becomes stale, and the view says what is due.
    async fn silence_is_found_by_time(test_database: &TestDatabase) {
        let (db, judge) = (&test_database.db, judge("p1"));
        let mut tx = db.write().await.unwrap();
        let office = test_database::office(&mut tx, "Xã An", None).await;
        let machine = test_database::machine(&mut tx, &office).await;
        declare(&mut tx, &office).await;
        report(&mut tx, &machine, 1, &facts(true), NOW).await;
        tx.commit().await.unwrap();
        // Nothing was judged when the report came; catching up judges and grades.
        grades_catch_up(db, &judge, NOW).await.unwrap();
        let scored = seen(db, &judge, &office, NOW).await;
        assert!(scored.grade.unwrap().score > Points::ZERO);
        let mut todo = Todo::default();
        grades_make(db, Some(&judge), NOW + 8 * DAY, &mut todo).await.unwrap();
        let view = seen(db, &judge, &office, NOW + 8 * DAY).await;
        assert_eq!(view.history[0].score_after, Points::ZERO);
        assert_eq!(view.machines[0].grade.as_ref().unwrap().state, MachineState::Stale);
        adds_up(&view);
    }

    /// A machine's page: every control with what was found, since when, and how verdicts changed.
    async fn a_machine_shows_its_outcomes(test_database: &TestDatabase) {
        let (db, judge) = (&test_database.db, judge("p1"));
        let mut tx = db.write().await.unwrap();
        let office = test_database::office(&mut tx, "Xã An", None).await;
        let machine = test_database::machine(&mut tx, &office).await;
        for (number, synchronised) in [(1, true), (2, false)] {
            let at = NOW + i64::try_from(number).unwrap();
            report(&mut tx, &machine, number, &facts(synchronised), at).await;
            judged(&mut tx, &judge, &machine, at).await;
        }
        tx.commit().await.unwrap();
        let now = Timestamp::from_millisecond(NOW + DAY).unwrap();
        let mut tx = db.read().await.unwrap();
        let view: MachineView = machine_view(&mut tx, Some(&judge), &Scope::whole(), &machine, now).await.unwrap();
        let clock = view.outcomes.iter().find(|outcome| outcome.outcome.control == "time-synchronised").unwrap();
        assert_eq!((clock.outcome.verdict, clock.since_at, clock.failing_since_at), (Verdict::Fail, Some(NOW + 2), Some(NOW + 2)));
        assert!(!clock.fix.is_empty() && !clock.clauses.is_empty());
        assert_eq!(view.history[0].control, "time-synchronised");
        assert_eq!((view.history[0].before.as_deref(), view.history[0].after.as_deref()), (Some("pass"), Some("fail")));
        assert_eq!(view.outcomes.len(), judge.set().controls(policies::policy::Role::Workstation).controls().len());
        let elsewhere = test_database::office(&mut db.write().await.unwrap(), "nowhere", None).await;
        assert!(machine_view(&mut tx, Some(&judge), &Scope::office(&elsewhere), &machine, now).await.is_err());
    }

    /// A parent's score is the mean of the offices below it; the number of machines is shown.
    async fn a_parent_shows_its_children(test_database: &TestDatabase) {
        let (db, judge) = (&test_database.db, judge("p1"));
        let mut tx = db.write().await.unwrap();
        let top = test_database::office(&mut tx, "Tỉnh", None).await;
        let ward = test_database::office(&mut tx, "Phường", Some(&top)).await;
        let room = test_database::office(&mut tx, "Phòng", Some(&ward)).await;
        for office in [&ward, &room] {
            let machine = test_database::machine(&mut tx, office).await;
            declare(&mut tx, office).await;
            report(&mut tx, &machine, 1, &facts(true), NOW).await;
        }
        tx.roster_line_insert(&Scope::whole(), &line(&room, "PC-09", None)).await.unwrap();
        tx.commit().await.unwrap();
        grades_catch_up(db, &judge, NOW).await.unwrap();
        let alone = seen(db, &judge, &room, NOW).await.grade.unwrap().score;
        let own = seen(db, &judge, &ward, NOW).await.grade.unwrap().score;
        let view = seen(db, &judge, &top, NOW).await;
        let whole = view.whole.unwrap();
        assert_eq!(whole.machines, 3);
        assert_eq!(whole.score, Some(Points((own.0 + 2 * alone.0) / 3)));
        assert_eq!((view.children.len(), view.children[0].expected, view.children[0].covered), (1, 3, 2));
    }

    /// Two servers on one database grade the same office: one of them keeps the change.
    async fn two_servers_keep_one_change(test_database: &TestDatabase) {
        let (db, judge) = (&test_database.db, judge("p1"));
        let mut tx = db.write().await.unwrap();
        let office = test_database::office(&mut tx, "Xã An", None).await;
        declare(&mut tx, &office).await;
        tx.commit().await.unwrap();
        office_grade_make(db, &judge, &office, NOW).await.unwrap();
        let mut tx = db.write().await.unwrap();
        tx.roster_line_insert(&Scope::whole(), &line(&office, "PC-01", None)).await.unwrap();
        let machine = test_database::machine(&mut tx, &office).await;
        report(&mut tx, &machine, 1, &facts(true), NOW).await;
        judged(&mut tx, &judge, &machine, NOW).await;
        tx.commit().await.unwrap();
        let other = test_database.second().await;
        let (one, two) = tokio::join!(
            office_grade_make(db, &judge, &office, NOW + 1),
            office_grade_make(&other, &judge, &office, NOW + 2)
        );
        assert_eq!([one.unwrap(), two.unwrap()].into_iter().filter(|changed| *changed).count(), 1);
        let view = seen(db, &judge, &office, NOW + 3).await;
        assert_eq!(view.history.len(), 2);
        other.close().await;
    }
}
