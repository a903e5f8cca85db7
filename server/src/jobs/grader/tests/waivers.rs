//! What a waiver does to verdicts and grades, and when it ends.

use policies::grade::{CapKind, CapState, Grade};

use super::*;
use crate::act::By;
use crate::act::waiver::{NewWaiver, waiver_ask, waiver_grant, waiver_withdraw};
use crate::audit::Actor;
use crate::store::judgement::VerdictState;
use crate::store::waiver::{Waiver, WaiverState};

/// Facts of which the firewall and routing are known and wrong; the clock and the log are right.
fn wrong() -> Facts {
    let mut facts = facts(true);
    facts.logging.running = Fact::Known(true);
    facts.system.family = Fact::Known(policies::fact::Family::Linux);
    facts.lan.forwards = Fact::Known(true);
    facts.lan.firewall_active = Fact::Known(false);
    facts
}

/// A commune below a province, with one machine that was wrong at `NOW`.
async fn scene(db: &Db, judge: &Arc<CompiledPolicy>) -> (String, String) {
    let mut tx = db.write().await.unwrap();
    let province = test_database::office(&mut tx, "Tỉnh", None).await;
    let office = test_database::office(&mut tx, "Xã An", Some(&province)).await;
    let machine = test_database::machine(&mut tx, &office).await;
    declare(&mut tx, &office).await;
    report(&mut tx, &machine, 1, &wrong(), NOW).await;
    judged(&mut tx, judge, &machine, NOW).await;
    tx.commit().await.unwrap();
    grades_catch_up(db, judge, NOW).await.unwrap();
    (office, machine)
}

fn by(login: &str, scope: Scope, at: i64) -> By {
    By { actor: Actor::Person { id: login.to_owned(), login: login.to_owned() }, scope, at }
}

/// Asks for a waiver at `at` and has it granted at once.
async fn granted(db: &Db, judge: &CompiledPolicy, machine: &str, control: &str, at: i64, until_at: i64) -> Waiver {
    let new = NewWaiver {
        machine: machine.to_owned(),
        control: control.to_owned(),
        reason: "Chờ thay thiết bị".to_owned(),
        until_at,
    };
    let asked = waiver_ask(db, &by("lan", Scope::whole(), at), Some(judge), &new).await.unwrap();
    waiver_grant(db, &by("minh", Scope::whole(), at), Some(judge), &asked.id).await.unwrap()
}

async fn state(db: &Db, machine: &str, control: &str) -> VerdictState {
    let judgement = db.read().await.unwrap().judgement_get(&Scope::whole(), machine).await.unwrap().unwrap();
    judgement.verdicts.into_iter().find(|state| state.control == control).unwrap()
}

async fn grade_at(db: &Db, judge: &Arc<CompiledPolicy>, office: &str, now: i64) -> Grade {
    grades_make(db, Some(judge), now, &mut Todo { changed: [office.to_owned()].into(), ..Todo::default() })
        .await
        .unwrap();
    seen(db, judge, office, now).await.grade.unwrap()
}

fn holds(grade: &Grade, kind: CapKind) -> bool {
    grade.caps.iter().any(|cap| cap.kind == kind && matches!(cap.state, CapState::Holding { .. }))
}

/// A light control that explains no other.
const ROUTING: &str = "forwarding-off";
const FIREWALL: &str = "firewall-active";

on_both! {
    /// A small waiver is left out of both sums, shows the score without it, and brings the failure back on its date, with no report and no event.
    async fn an_exception_ends_by_itself(test_database: &TestDatabase) {
        let (db, judge) = (&test_database.db, judge("p1"));
        let (office, machine) = scene(db, &judge).await;
        let before = seen(db, &judge, &office, NOW).await.grade.unwrap();
        let end = NOW + 2 * DAY;
        let waiver = granted(db, &judge, &machine, ROUTING, NOW + 10, end).await;
        let waived = state(db, &machine, ROUTING).await;
        assert_eq!((waived.verdict, waived.since_at, waived.failing_since_at), (Verdict::Waived, NOW + 10, Some(NOW)));
        assert_eq!(state(db, &machine, FIREWALL).await.verdict, Verdict::Fail, "another control is not touched");

        let grade = grade_at(db, &judge, &office, NOW + 10).await;
        assert_eq!(grade.without_waivers, before.score);
        assert!(grade.machines[0].applicable < before.machines[0].applicable);
        assert!(!grade.ledger.iter().any(|line| line.control.as_deref() == Some(ROUTING)));
        assert!(!holds(&grade, CapKind::Waived), "1 of about 120 is less than 5 %");
        let now = Timestamp::from_millisecond(NOW + 20).unwrap();
        let view = machine_view(&mut db.read().await.unwrap(), Some(&judge), &Scope::whole(), &machine, now).await.unwrap();
        let shown = view.outcomes.iter().find(|outcome| outcome.outcome.control == ROUTING).unwrap();
        assert_eq!(shown.outcome.verdict, Verdict::Waived);
        assert_eq!((view.history[0].cause, view.history[0].at), (JudgedFor::Waiver, NOW + 10));

        // A report and another policy meanwhile do not end it; a silent machine is judged as of its last report.
        let mut tx = db.write().await.unwrap();
        report(&mut tx, &machine, 2, &wrong(), NOW + DAY).await;
        judged(&mut tx, &judge, &machine, NOW + DAY).await;
        tx.commit().await.unwrap();
        assert_eq!(state(db, &machine, ROUTING).await.since_at, NOW + 10);
        let second = super::judge("p2");
        grades_catch_up(db, &second, NOW + DAY + 1).await.unwrap();
        assert_eq!(state(db, &machine, ROUTING).await.verdict, Verdict::Waived);
        assert_eq!(state(db, &machine, ROUTING).await.failing_since_at, Some(NOW));

        let score = grade_at(db, &second, &office, end - 1).await.score;
        assert_eq!(state(db, &machine, ROUTING).await.verdict, Verdict::Waived);
        // Nothing happened and no grade is due: the date alone changes it.
        grades_make(db, Some(&second), end, &mut Todo::default()).await.unwrap();
        let back = state(db, &machine, ROUTING).await;
        assert_eq!((back.verdict, back.since_at, back.failing_since_at), (Verdict::Fail, end, Some(NOW)));
        let view = seen(db, &second, &office, end).await;
        assert!(view.grade.unwrap().score < score);
        assert_eq!(view.history[0].at, end);
        let mut tx = db.read().await.unwrap();
        let over = tx.waiver_require(&Scope::whole(), &waiver.id).await.unwrap();
        assert_eq!((over.state, over.ended_at, over.ended_by.as_deref()), (WaiverState::Ended, Some(end), Some("program")));
        let log = tx.audit_list(&Scope::whole(), i64::MAX, 10).await.unwrap();
        let actions: Vec<&str> = log.iter().map(|entry| entry.action.as_str()).collect();
        assert_eq!(actions, ["waiver_ended", "waiver_granted", "waiver_asked"]);
        assert_eq!(tx.audit_verify().await.unwrap(), Ok(3));
        drop(tx);
        grades_make(db, Some(&second), end + 1, &mut Todo::default()).await.unwrap();
        assert_eq!(db.read().await.unwrap().audit_list(&Scope::whole(), i64::MAX, 10).await.unwrap().len(), 3, "once");
    }

    /// A critical failure caps as before while it is waived, and a heavy waiver caps by itself; withdrawing it undoes both
    /// the waiver and its cap.
    async fn an_exception_lifts_no_cap(test_database: &TestDatabase) {
        let (db, judge) = (&test_database.db, judge("p1"));
        let (office, machine) = scene(db, &judge).await;
        let now = NOW + 4 * DAY;
        let before = grade_at(db, &judge, &office, now).await;
        assert!(holds(&before, CapKind::Critical) && !holds(&before, CapKind::Waived));
        let waiver = granted(db, &judge, &machine, FIREWALL, now, now + 30 * DAY).await;
        let grade = grade_at(db, &judge, &office, now).await;
        assert_eq!(state(db, &machine, FIREWALL).await.verdict, Verdict::Waived);
        assert!(holds(&grade, CapKind::Critical), "{:?}", grade.caps);
        let cap = grade.caps.iter().find(|cap| cap.kind == CapKind::Waived).unwrap();
        assert_eq!((cap.at_most, cap.controls.as_slice()), (policies::policy::Letter::B, [FIREWALL.to_owned()].as_slice()));
        assert!(grade.without_waivers < grade.score);

        waiver_withdraw(db, &by("lan", Scope::office(&office), now + 1), &waiver.id).await.unwrap();
        let after = grade_at(db, &judge, &office, now + 1).await;
        assert_eq!(state(db, &machine, FIREWALL).await.verdict, Verdict::Fail);
        assert_eq!((after.score, holds(&after, CapKind::Waived)), (before.score, false));
    }

    /// A waiver of something that does not fail yet waives the failure when it comes, with the failure's age; what is fixed passes.
    async fn only_what_fails_is_waived(test_database: &TestDatabase) {
        let (db, judge) = (&test_database.db, judge("p1"));
        let (_, machine) = scene(db, &judge).await;
        granted(db, &judge, &machine, FIREWALL, NOW, NOW + 20 * DAY).await;
        granted(db, &judge, &machine, "antivirus-running", NOW, NOW + 20 * DAY).await;
        assert_eq!(state(db, &machine, "antivirus-running").await.verdict, Verdict::Unknown);
        let mut tx = db.write().await.unwrap();
        let mut now_known = wrong();
        now_known.lan.firewall_active = Fact::Known(true);
        now_known.antivirus.protection = Fact::Known(policies::fact::Protection::None);
        report(&mut tx, &machine, 2, &now_known, NOW + DAY).await;
        judged(&mut tx, &judge, &machine, NOW + DAY).await;
        tx.commit().await.unwrap();
        assert_eq!(state(db, &machine, FIREWALL).await.verdict, Verdict::Pass);
        let antivirus = state(db, &machine, "antivirus-running").await;
        assert_eq!((antivirus.verdict, antivirus.failing_since_at), (Verdict::Waived, Some(NOW + DAY)));
    }
}
