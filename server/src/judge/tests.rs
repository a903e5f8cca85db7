//! Since when each verdict holds.

use policies::fact::{Fact, Facts, Reason, SCHEMA_VERSION};
use policies::outcome::Verdict;
use policies::policy::{Role, SHIPPED};

use super::Judged;
use super::machines::ToJudge;
use crate::policy::CompiledPolicy;
use crate::store::judgement::{Judgement, VerdictState};
use crate::store::machine;
use crate::store::waiver::InForce;

fn judge(address: &str) -> CompiledPolicy {
    let files = SHIPPED.into_iter().map(|(name, text)| (name.to_owned(), text.to_owned())).collect();
    CompiledPolicy::new(address, &files).unwrap()
}

fn state<'a>(judgement: &'a Judgement, control: &str) -> &'a VerdictState {
    judgement.verdicts.iter().find(|state| state.control == control).unwrap()
}

fn judged(judge: &CompiledPolicy, facts: &Facts, previous: Option<&Judgement>, seen_at: i64, as_at: i64) -> Judged {
    let item = ToJudge {
        machine: "m".to_owned(),
        role: machine::Role::Workstation,
        seen_at,
        as_at,
        schema: SCHEMA_VERSION,
        schema_before: SCHEMA_VERSION,
    };
    judge.judge(&item, facts, previous, &InForce::default())
}

const DAY: i64 = 24 * 60 * 60 * 1000;

/// A verdict keeps its start while it lasts; a failure keeps its first sighting while unknown, until it is fixed.
#[test]
fn a_failure_keeps_its_first_sight_until_it_is_mended() {
    use Verdict::{Fail, Pass, Unknown};
    let judge = judge("p1");
    let mut last: Option<Judgement> = None;
    let mut seen = Vec::new();
    for (day, verdict) in [(1, Fail), (2, Fail), (3, Unknown), (4, Unknown), (5, Fail), (6, Pass), (7, Fail)] {
        let (at, now) = (day * DAY, day * DAY + 5);
        let judged = judged(&judge, &facts(verdict), last.as_ref(), at, now);
        let state = state(&judged.judgement, clock());
        seen.push((state.since_at / DAY, state.failing_since_at.map(|at| at / DAY)));
        let changed = judged.changes.iter().any(|change| change.control == clock());
        assert_eq!(changed, last.is_some() && ![2, 4].contains(&day), "day {day}");
        last = Some(judged.judgement);
    }
    let first = Some(1);
    assert_eq!(seen, [(1, first), (1, first), (3, first), (3, first), (5, first), (6, None), (7, Some(7))]);
}

/// What fails only under a new policy fails since that policy, even if the machine has looked like this for long.
#[test]
fn a_new_policy_makes_no_failure_older_than_itself() {
    let (old, new) = (judge("p1"), judge("p2"));
    let before = judged(&old, &facts(Verdict::Pass), None, 0, DAY).judgement;
    let after = judged(&new, &facts(Verdict::Fail), Some(&before), DAY, 9 * DAY).judgement;
    assert_eq!(state(&after, clock()).failing_since_at, Some(9 * DAY));
    let kept = judged(&old, &facts(Verdict::Fail), None, 0, DAY).judgement;
    let after = judged(&new, &facts(Verdict::Fail), Some(&kept), DAY, 9 * DAY).judgement;
    assert_eq!(state(&after, clock()).failing_since_at, Some(0));
}

/// Every control of the shipped policy reads some section, or nothing could make its evidence old.
#[test]
fn every_control_reads_a_section() {
    let judge = judge("p1");
    for &role in Role::ALL {
        for control in judge.set().controls(role).controls() {
            assert!(!judge.sections_read(role, control.id()).is_empty(), "{}", control.id());
        }
    }
}

/// A control of the shipped policy that checks whether the clock is synchronised.
fn clock() -> &'static str {
    "time-synchronised"
}

/// Facts on which the clock control gives `verdict`, everything else unknown.
fn facts(verdict: Verdict) -> Facts {
    let mut facts = Facts::unknown(Reason::NotCollected);
    facts.time.synchronised = match verdict {
        Verdict::Pass => Fact::Known(true),
        Verdict::Fail => Fact::Known(false),
        _ => Fact::unknown(Reason::NotCollected, ""),
    };
    facts
}
