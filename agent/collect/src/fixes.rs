//! Tests that the remedy of every control works. `policies/tests/fixes/` describes what the steps of each control change in a machine's
//! answers; this is applied to every recorded machine that fails the control, and the control is judged again. The description must match
//! what the commands on the card do, and every line of it must change some machine. Where a control applies to no machine of a family
//! nothing is required.

mod change;
mod machine;
mod steps;

use std::collections::{BTreeMap, BTreeSet};

use policies::evaluate::evaluate;
use policies::outcome::{Outcome, Verdict};
use policies::policy::{PolicySet, Role};
use policies::text::Text;

use change::Remedy;
use machine::{Family, Machine};
use steps::{Effect, effects};

/// The time of all checks; the machines' times are set for it.
const NOW: &str = "2026-11-22T03:00:00Z";
const ROLES: [Role; 2] = [Role::Workstation, Role::Server];

type Outcomes = BTreeMap<(Role, String), Outcome>;

fn judged(set: &PolicySet, machine: &Machine) -> Outcomes {
    let (facts, now) = (machine.facts(NOW.parse().unwrap()), NOW.parse().unwrap());
    let outcomes = |role: Role| evaluate(set.controls(role), &facts, now);
    let named = |role| outcomes(role).into_iter().map(move |outcome| ((role, outcome.control.clone()), outcome));
    ROLES.into_iter().flat_map(named).collect()
}

/// The controls that passed before a remedy but not after it.
fn broken<'a>(before: &'a Outcomes, after: &'a Outcomes) -> impl Iterator<Item = &'a str> {
    let passes = [Verdict::Pass, Verdict::NotApplicable];
    let lost = move |key: &(Role, String)| after.get(key).is_none_or(|outcome| !passes.contains(&outcome.verdict));
    before
        .iter()
        .filter(move |(key, outcome)| outcome.verdict == Verdict::Pass && lost(key))
        .map(|((_, control), _)| control.as_str())
}

/// What the commands on the card do on this machine.
fn steps_of(set: &PolicySet, role: Role, id: &str, machine: &Machine) -> Vec<Effect> {
    let now = NOW.parse().unwrap();
    let control = set.controls(role).controls().iter().find(|control| control.id() == id);
    let steps = control.map(|control| control.fix_for(&machine.facts(now), now)).unwrap_or_default();
    effects(steps.iter().map(|step| step.en.as_str()))
}

/// The lines of a remedy that change none of the machines it is applied to, and those that match nothing on their
/// cards.
fn unused(set: &PolicySet, id: &str, remedy: &Remedy, machines: &[&Machine]) -> Vec<String> {
    if remedy.never.is_some() {
        return Vec::new();
    }
    if machines.is_empty() {
        return vec![format!("all of it, on {:?}", remedy.on)];
    }
    let for_nobody = |name: &&String| !machines.iter().any(|machine| machine.name.starts_with(name.as_str()));
    let mut found: Vec<String> = remedy.on.iter().filter(for_nobody).cloned().collect();
    let lines = remedy.lines().into_iter();
    found.extend(
        lines.filter(|(_, line)| !machines.iter().any(|machine| machine.is_changed_by(line))).map(|(name, _)| name),
    );
    let cards = || machines.iter().flat_map(|machine| ROLES.map(|role| steps_of(set, role, id, machine)));
    let named = |name: &str| cards().flatten().any(|effect| effect.name() == name);
    found.extend(remedy.other_way.iter().filter(|name| !named(name)).cloned());
    found
}

/// What is wrong with the remedies of one family: one sentence each.
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
            let applies = |outcomes: &Outcomes| {
                ROLES
                    .iter()
                    .filter_map(|role| outcomes.get(&(*role, id.to_owned())))
                    .any(|outcome| outcome.verdict != Verdict::NotApplicable)
            };
            if before.iter().any(applies) {
                faults.push(format!("{id}: nobody says what its steps change"));
            }
            continue;
        };
        let mut failed = 0;
        let mut uses: Vec<Vec<&Machine>> = vec![Vec::new(); known.len()];
        for (machine, outcomes) in machines.iter().zip(&before) {
            let failing = |role: &Role| {
                outcomes.get(&(*role, id.to_owned())).is_some_and(|outcome| outcome.verdict == Verdict::Fail)
            };
            let roles: Vec<Role> = ROLES.into_iter().filter(failing).collect();
            if roles.is_empty() {
                continue;
            }
            failed += 1;
            let chosen = known.iter().position(|remedy| remedy.is_for(&machine.name));
            if let Some(at) = chosen {
                uses[at].push(machine);
            }
            match chosen.map(|at| &known[at]) {
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
                            let steps = steps_of(&set, role, id, machine);
                            for effect in steps.iter().filter(|effect| !remedy.leaves(effect)) {
                                if !changed.is_as(effect) {
                                    faults.push(format!("{id}: {}: is not as the steps say: {effect:?}", machine.name));
                                }
                            }
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
        for (remedy, machines) in known.iter().zip(&uses) {
            faults.extend(
                unused(&set, id, remedy, machines).into_iter().map(|line| format!("{id}: changes nothing: {line}")),
            );
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

#[test]
fn both_languages_of_a_card_give_the_same_commands() {
    let set = PolicySet::shipped().unwrap();
    for control in ROLES.iter().flat_map(|role| set.controls(*role).controls()) {
        for fix in control.fixes() {
            let of = |text: fn(&Text) -> &str| effects(fix.steps.iter().map(text));
            assert_eq!(of(|step| &step.vi), of(|step| &step.en), "{}", control.id());
        }
    }
}
