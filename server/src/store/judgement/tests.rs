//! Verdicts are kept and read as given, on both databases.

use super::*;
use crate::store::test_database::{self, on_both};

fn state(control: &str, verdict: Verdict) -> VerdictState {
    VerdictState {
        control: control.to_owned(),
        verdict,
        since_at: 5,
        failing_since_at: (verdict == Verdict::Fail).then_some(-3),
        no_reader: verdict == Verdict::Unknown,
        agent_too_old: verdict == Verdict::NotApplicable,
        implied_by: (verdict == Verdict::Fail).then(|| "cause".to_owned()),
    }
}

fn judgement(machine: &str, policy: &str, verdict: Verdict) -> Judgement {
    let verdicts = vec![state("antivirus", verdict), state("firewall", Verdict::Pass)];
    Judgement {
        machine: machine.to_owned(),
        policy: policy.to_owned(),
        role: Role::Workstation,
        judged_at: 7,
        verdicts,
    }
}

#[test]
fn verdicts_survive_their_form() {
    use Verdict::{Fail, NotApplicable, Pass, Unknown, Waived};
    let states: Vec<VerdictState> = [Pass, Fail, Unknown, NotApplicable, Waived].map(|v| state("x-1", v)).into();
    assert_eq!(decode("m", &encode(&states)), states);
    assert_eq!(decode("m", "x-1 pass\n\nx-2 perhaps 1 - reader -\n"), []);
}

on_both! {
    async fn a_judgement_replaces_the_one_before(test_database: &TestDatabase) {
        let mut tx = test_database.db.write().await.unwrap();
        let office = test_database::office(&mut tx, "Phường 1", None).await;
        let machine = test_database::machine(&mut tx, &office).await;
        let other = test_database::machine(&mut tx, &office).await;
        tx.judgement_put(&[judgement(&machine, "p1", Verdict::Fail), judgement(&other, "p1", Verdict::Pass)]).await.unwrap();
        let second = judgement(&machine, "p2", Verdict::Unknown);
        tx.judgement_put(std::slice::from_ref(&second)).await.unwrap();
        assert_eq!(tx.judgement_get(&Scope::whole(), &machine).await.unwrap(), Some(second.clone()));
        let change = VerdictChange { control: "antivirus".to_owned(), before: Some(Verdict::Fail), after: Verdict::Unknown };
        tx.outcome_change_insert(&second, &[change], JudgedFor::Policy).await.unwrap();
        let kept = tx.outcome_change_list(&Scope::whole(), &machine, 10).await.unwrap();
        assert_eq!((kept.len(), kept[0].before.as_deref(), kept[0].cause), (1, Some("fail"), JudgedFor::Policy));
        let listed = tx.machine_judged_list(&Scope::whole(), &office).await.unwrap();
        assert_eq!(listed.len(), 2);
        assert!(listed.iter().all(|listed| listed.judgement.is_some() && listed.received_at.is_none()));
        // Without a report there is nothing to judge.
        assert_eq!(tx.machine_behind("p3", i64::MAX, "", 10).await.unwrap(), []);
    }
}
