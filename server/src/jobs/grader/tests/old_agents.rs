//! Facts that older agents misread: outside the sums for a time, then unknown; never the old value.

use policies::grade::Grade;

use super::*;
use crate::store::judgement::VerdictState;

/// The control that reads a misread fact.
const CLOCK: &str = "time-synchronised";

/// A report each day: old agents misread the clock but not the logs.
fn seen_facts() -> Facts {
    let mut facts = facts(true);
    facts.logging.running = Fact::Known(true);
    facts
}

async fn clock(db: &Db, machine: &str) -> VerdictState {
    let judgement = db.read().await.unwrap().judgement_get(&Scope::whole(), machine).await.unwrap().unwrap();
    judgement.verdicts.into_iter().find(|state| state.control == CLOCK).unwrap()
}

fn counts_clock(grade: &Grade) -> bool {
    let title = judge("p1").rules().control(CLOCK).unwrap().title.clone();
    grade.ledger.iter().any(|line| line.kind == LineKind::Unknown && line.title == title)
}

on_both! {
    async fn an_old_agents_wrong_answers_leave_the_sums_for_thirty_days(test_database: &TestDatabase) {
        let (db, judge) = (&test_database.db, judge("p1"));
        let mut tx = db.write().await.unwrap();
        tx.schema_claim(NOW).await.unwrap();
        let office = test_database::office(&mut tx, "Xã An", None).await;
        let machine = test_database::machine(&mut tx, &office).await;
        declare(&mut tx, &office).await;
        tx.roster_line_insert(&Scope::whole(), &line(&office, "PC-01", Some(&machine))).await.unwrap();
        tx.commit().await.unwrap();
        let days = [0, 29, 30, 44, 45];
        let mut scores = Vec::new();
        for (number, day) in days.into_iter().enumerate() {
            let at = NOW + day * DAY;
            let mut tx = db.write().await.unwrap();
            report_by(&mut tx, &machine, number as u64 + 1, &seen_facts(), at, 1).await;
            judged(&mut tx, &judge, &machine, at).await;
            tx.commit().await.unwrap();
            let state = clock(db, &machine).await;
            assert_eq!((state.verdict, state.agent_too_old), (Verdict::Unknown, true), "day {day}");
            let view = seen(db, &judge, &office, at).await;
            assert!(view.machines[0].needs_agent());
            assert_eq!(view.old_agents_until, Some(NOW + 30 * DAY));
            let grade = view.grade.unwrap();
            assert_eq!(counts_clock(&grade), day >= 30, "day {day}");
            scores.push(grade.score);
        }
        assert_eq!(scores[0], scores[1]);
        assert!(scores[2] < scores[1], "the same machine earns less once it counts: {scores:?}");
        assert!(scores[0] > Points::ZERO);

        // The new agent says the same, and is believed.
        let at = NOW + 45 * DAY + 1;
        let mut tx = db.write().await.unwrap();
        report(&mut tx, &machine, 6, &seen_facts(), at).await;
        judged(&mut tx, &judge, &machine, at).await;
        tx.commit().await.unwrap();
        assert_eq!(clock(db, &machine).await.verdict, Verdict::Pass);
        let view = seen(db, &judge, &office, at).await;
        assert!(!view.machines[0].needs_agent() && view.old_agents_until.is_none());
        assert!(view.grade.unwrap().score > scores[0]);
    }

    /// The time to replace an agent runs from its next version, regardless of later ones.
    async fn a_further_version_gives_an_old_agent_no_new_time(test_database: &TestDatabase) {
        let (db, judge) = (&test_database.db, judge("p1"));
        let mut tx = db.write().await.unwrap();
        tx.schema_claim(NOW).await.unwrap();
        test_database::schema_known(&mut tx, SCHEMA_VERSION + 1, NOW + 40 * DAY).await;
        let office = test_database::office(&mut tx, "Xã An", None).await;
        let machine = test_database::machine(&mut tx, &office).await;
        report_by(&mut tx, &machine, 1, &seen_facts(), NOW + 41 * DAY, 1).await;
        judged(&mut tx, &judge, &machine, NOW + 41 * DAY).await;
        tx.commit().await.unwrap();
        let view = seen(db, &judge, &office, NOW + 41 * DAY).await;
        assert_eq!(view.old_agents_until, Some(NOW + 30 * DAY));
        assert!(counts_clock(&view.grade.unwrap()));
    }

    /// A machine that had the new agent and goes back to an old one is not excused, not even for a day.
    async fn a_machine_that_goes_back_to_an_old_agent_is_not_excused(test_database: &TestDatabase) {
        let (db, judge) = (&test_database.db, judge("p1"));
        let mut tx = db.write().await.unwrap();
        tx.schema_claim(NOW).await.unwrap();
        let office = test_database::office(&mut tx, "Xã An", None).await;
        let machine = test_database::machine(&mut tx, &office).await;
        tx.commit().await.unwrap();
        // Even one that only claimed a newer version than exists.
        for (number, (schema, excused)) in [(1, true), (2, false), (1, false), (99, false), (1, false)].into_iter().enumerate() {
            let at = NOW + number as i64 * DAY;
            let mut tx = db.write().await.unwrap();
            report_by(&mut tx, &machine, number as u64 + 1, &seen_facts(), at, schema).await;
            judged(&mut tx, &judge, &machine, at).await;
            tx.commit().await.unwrap();
            let expected = if schema == 1 { Verdict::Unknown } else { Verdict::Pass };
            assert_eq!(clock(db, &machine).await.verdict, expected, "{number}");
            let view = seen(db, &judge, &office, at).await;
            assert_eq!(view.machines[0].gone_back(), number == 2 || number == 4, "{number}");
            assert_eq!(counts_clock(&view.grade.unwrap()), schema == 1 && !excused, "{number}");
        }
    }

    /// The old agent back on the same hardware as another machine, the one before revoked, is treated the same.
    async fn a_machine_enrolled_anew_with_an_old_agent_is_not_excused(test_database: &TestDatabase) {
        let (db, judge) = (&test_database.db, judge("p1"));
        let mut tx = db.write().await.unwrap();
        tx.schema_claim(NOW).await.unwrap();
        let office = test_database::office(&mut tx, "Xã An", None).await;
        let before = test_database::machine(&mut tx, &office).await;
        report(&mut tx, &before, 1, &seen_facts(), NOW).await;
        let after = test_database::machine(&mut tx, &office).await;
        report_by(&mut tx, &after, 1, &seen_facts(), NOW + 1, 1).await;
        judged(&mut tx, &judge, &after, NOW + 1).await;
        tx.commit().await.unwrap();
        let back = async || {
            let view = seen(db, &judge, &office, NOW + 2).await;
            let line = view.machines.iter().find(|line| line.machine.as_deref() == Some(after.as_str())).unwrap();
            line.gone_back()
        };
        assert!(!back().await, "two machines may be alike");
        let mut tx = db.write().await.unwrap();
        tx.machine_revoke(&Scope::whole(), &before, NOW + 2, "lan", "").await.unwrap();
        tx.commit().await.unwrap();
        assert!(back().await);
        assert!(counts_clock(&seen(db, &judge, &office, NOW + 2).await.grade.unwrap()));
    }

    /// A failure confirmed by a new agent dates from that agent, even if it reports before the store is judged again.
    async fn a_failure_that_a_new_agent_finds_dates_from_it(test_database: &TestDatabase) {
        let (db, judge) = (&test_database.db, judge("p1"));
        let mut failing = seen_facts();
        failing.time.synchronised = Fact::Known(false);
        failing.logging.running = Fact::Known(false);
        for catches_up in [true, false] {
            let mut tx = db.write().await.unwrap();
            let office = test_database::office(&mut tx, "Xã An", None).await;
            let machine = test_database::machine(&mut tx, &office).await;
            report(&mut tx, &machine, 1, &failing, NOW).await;
            judged(&mut tx, &judge, &machine, NOW).await;
            test_database::from_schema_1(&mut tx).await;
            tx.commit().await.unwrap();
            if catches_up {
                grades_catch_up(db, &judge, NOW + DAY).await.unwrap();
            }
            let at = NOW + 2 * DAY;
            let mut tx = db.write().await.unwrap();
            report(&mut tx, &machine, 2, &failing, at).await;
            judged_after(&mut tx, &judge, &machine, at, 1).await;
            tx.commit().await.unwrap();
            let found = clock(db, &machine).await;
            assert_eq!((found.verdict, found.since_at, found.failing_since_at), (Verdict::Fail, at, Some(at)), "{catches_up}");
            let judgement = db.read().await.unwrap().judgement_get(&Scope::whole(), &machine).await.unwrap().unwrap();
            let logging = judgement.verdicts.into_iter().find(|state| state.control == "logging-running").unwrap();
            assert_eq!(logging.failing_since_at, Some(NOW), "what was read rightly fails since it was seen");
        }
    }

    /// A failure that a new agent saw keeps its date when the store is judged again, even if it is unknown meanwhile.
    async fn a_failure_that_a_new_agent_saw_keeps_its_date(test_database: &TestDatabase) {
        let (db, judge) = (&test_database.db, judge("p1"));
        let mut failing = seen_facts();
        failing.time.synchronised = Fact::Known(false);
        let mut tx = db.write().await.unwrap();
        let office = test_database::office(&mut tx, "Xã An", None).await;
        let machine = test_database::machine(&mut tx, &office).await;
        report(&mut tx, &machine, 1, &failing, NOW).await;
        judged(&mut tx, &judge, &machine, NOW).await;
        failing.time.synchronised = Fact::unknown(Reason::Unreadable, "");
        report(&mut tx, &machine, 2, &failing, NOW + DAY).await;
        judged(&mut tx, &judge, &machine, NOW + DAY).await;
        test_database::unjudged(&mut tx).await;
        tx.commit().await.unwrap();
        grades_catch_up(db, &judge, NOW + 2 * DAY).await.unwrap();
        let state = clock(db, &machine).await;
        assert_eq!((state.verdict, state.failing_since_at), (Verdict::Unknown, Some(NOW)));
    }

    /// A new agent that claims to be too old is not excused: only the version of its facts is believed.
    async fn an_agent_that_calls_itself_too_old_counts_as_unknown(test_database: &TestDatabase) {
        let (db, judge) = (&test_database.db, judge("p1"));
        let mut tx = db.write().await.unwrap();
        tx.schema_claim(NOW).await.unwrap();
        let office = test_database::office(&mut tx, "Xã An", None).await;
        let machine = test_database::machine(&mut tx, &office).await;
        let mut said = seen_facts();
        said.time.synchronised = Fact::unknown(Reason::AgentTooOld, "");
        report(&mut tx, &machine, 1, &said, NOW).await;
        judged(&mut tx, &judge, &machine, NOW).await;
        tx.commit().await.unwrap();
        assert!(clock(db, &machine).await.agent_too_old);
        let view = seen(db, &judge, &office, NOW).await;
        assert!(!view.machines[0].needs_agent() && counts_clock(&view.grade.unwrap()));
    }

    /// A machine that reported to the older server and has been silent since keeps no "pass", and the office is not blamed.
    async fn a_store_of_before_is_judged_again(test_database: &TestDatabase) {
        let (db, judge) = (&test_database.db, judge("p1"));
        let mut tx = db.write().await.unwrap();
        let office = test_database::office(&mut tx, "Xã An", None).await;
        let machine = test_database::machine(&mut tx, &office).await;
        report(&mut tx, &machine, 1, &seen_facts(), NOW).await;
        tx.commit().await.unwrap();
        grades_catch_up(db, &judge, NOW).await.unwrap();
        assert_eq!(clock(db, &machine).await.verdict, Verdict::Pass);
        let before = seen(db, &judge, &office, NOW).await.grade.unwrap().score;

        let mut tx = db.write().await.unwrap();
        test_database::from_schema_1(&mut tx).await;
        tx.schema_claim(NOW).await.unwrap();
        tx.commit().await.unwrap();
        grades_catch_up(db, &judge, NOW + 1).await.unwrap();
        assert_eq!(clock(db, &machine).await.verdict, Verdict::Unknown);
        let view = seen(db, &judge, &office, NOW + 1).await;
        assert!(view.machines[0].needs_agent());
        let after = view.grade.unwrap().score;
        assert!(after < before, "what it earned by that left both sums");
        let last = &view.history[0].movement;
        assert_eq!((last.office, last.policy), (Points::ZERO, after - before));
    }

    /// A failure that an old agent misread was none: nothing dates from it.
    async fn a_failure_that_was_read_wrongly_leaves_no_date(test_database: &TestDatabase) {
        let (db, judge) = (&test_database.db, judge("p1"));
        let mut failing = seen_facts();
        failing.time.synchronised = Fact::Known(false);
        let mut tx = db.write().await.unwrap();
        let office = test_database::office(&mut tx, "Xã An", None).await;
        let machine = test_database::machine(&mut tx, &office).await;
        report(&mut tx, &machine, 1, &failing, NOW).await;
        tx.commit().await.unwrap();
        grades_catch_up(db, &judge, NOW).await.unwrap();
        let before = clock(db, &machine).await;
        assert_eq!((before.verdict, before.failing_since_at.is_some()), (Verdict::Fail, true));

        let mut tx = db.write().await.unwrap();
        test_database::from_schema_1(&mut tx).await;
        tx.schema_claim(NOW).await.unwrap();
        tx.commit().await.unwrap();
        grades_catch_up(db, &judge, NOW + 1).await.unwrap();
        let after = clock(db, &machine).await;
        assert_eq!((after.verdict, after.failing_since_at), (Verdict::Unknown, None));
    }
}
