//! The remedy of every control clears it. `policies/tests/fixes/` says what the steps of each control change in the answers of a machine;
//! that is done to every recorded machine that fails the control, and the control is judged again.

mod change;
mod machine;

use std::collections::{BTreeMap, BTreeSet};

use policies::evaluate::evaluate;
use policies::outcome::{Outcome, Verdict};
use policies::policy::{PolicySet, Role};

use change::Remedy;
use machine::{Family, Machine};

/// The hour at which all machines are looked at; their times are set for it.
const NOW: &str = "2026-11-22T03:00:00Z";
const ROLES: [Role; 2] = [Role::Workstation, Role::Server];

type Outcomes = BTreeMap<(Role, String), Outcome>;

fn judged(set: &PolicySet, machine: &Machine) -> Outcomes {
    let (facts, now) = (machine.facts(NOW.parse().unwrap()), NOW.parse().unwrap());
    let outcomes = |role: Role| evaluate(set.controls(role), &facts, now);
    let named = |role| outcomes(role).into_iter().map(move |outcome| ((role, outcome.control.clone()), outcome));
    ROLES.into_iter().flat_map(named).collect()
}

/// The controls that passed before a remedy and no longer do after it.
fn broken<'a>(before: &'a Outcomes, after: &'a Outcomes) -> impl Iterator<Item = &'a str> {
    let passes = [Verdict::Pass, Verdict::NotApplicable];
    let lost = move |key: &(Role, String)| after.get(key).is_none_or(|outcome| !passes.contains(&outcome.verdict));
    before
        .iter()
        .filter(move |(key, outcome)| outcome.verdict == Verdict::Pass && lost(key))
        .map(|((_, control), _)| control.as_str())
}

/// What is wrong with the remedies of one family: a sentence each.
fn faults(family: Family) -> Vec<String> {
    let set = PolicySet::shipped().unwrap();
    let remedies = Remedy::all(family);
    let machines = Machine::all(family);
    let before: Vec<_> = machines.iter().map(|machine| judged(&set, machine)).collect();
    let controls: BTreeSet<&str> =
        ROLES.iter().flat_map(|role| set.controls(*role).controls()).map(|control| control.id()).collect();

    let mut faults: Vec<String> = remedies
        .keys()
        .filter(|id| !controls.contains(id.as_str()))
        .map(|id| format!("{id}: no such control"))
        .collect();
    for id in controls {
        let Some(known) = remedies.get(id) else {
            faults.push(format!("{id}: nobody says what its steps change"));
            continue;
        };
        let mut failed = 0;
        for (machine, outcomes) in machines.iter().zip(&before) {
            let failing = |role: &Role| {
                outcomes.get(&(*role, id.to_owned())).is_some_and(|outcome| outcome.verdict == Verdict::Fail)
            };
            let roles: Vec<Role> = ROLES.into_iter().filter(failing).collect();
            if roles.is_empty() {
                continue;
            }
            failed += 1;
            match known.iter().find(|remedy| remedy.is_for(&machine.name)) {
                None => {
                    faults.push(format!("{id}: {} fails and nobody says what the steps change there", machine.name))
                }
                Some(Remedy { never: Some(_), .. }) => {
                    faults.push(format!("{id}: {} fails all the same", machine.name))
                }
                Some(Remedy { unchanged: Some(_), .. }) => {}
                Some(remedy) => match machine.changed(remedy) {
                    Err(error) => faults.push(format!("{id}: {}: {error:#}", machine.name)),
                    Ok(changed) => {
                        let after = judged(&set, &changed);
                        for role in roles {
                            let outcome = &after[&(role, id.to_owned())];
                            if outcome.verdict != Verdict::Pass {
                                let found = &outcome.found.en;
                                faults.push(format!("{id}: {}: still {:?}: {found}", machine.name, outcome.verdict));
                            }
                        }
                        faults.extend(
                            broken(outcomes, &after).map(|other| format!("{id}: {}: breaks {other}", machine.name)),
                        );
                    }
                },
            }
        }
        if failed == 0 && known.iter().all(|remedy| remedy.never.is_none()) {
            let verdicts: Vec<_> = before
                .iter()
                .flat_map(|outcomes| ROLES.map(|role| outcomes.get(&(role, id.to_owned()))))
                .flatten()
                .map(|outcome| format!("{:?} ({})", outcome.verdict, outcome.found.en))
                .collect();
            faults.push(format!("{id}: no machine fails it: {verdicts:?}"));
        }
    }
    faults
}

#[test]
fn the_remedy_of_every_control_clears_it_on_windows() {
    let faults = faults(Family::Windows);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[cfg(target_os = "linux")]
#[test]
fn the_remedy_of_every_control_clears_it_on_linux() {
    let faults = faults(Family::Linux);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
