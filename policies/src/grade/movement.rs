//! Why a score moved: what the office did, what a change of the policy did, and what a change of the roster did. The three
//! parts add up to the movement exactly.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::exact::Exact;
use super::{Grade, MachineGrade, MachineState, Points, Rules};

/// What happened between two grades, apart from the roster (which shows by itself).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Machines reported, or did not.
    Office,
    /// Everything stored was judged again under another policy.
    Policy,
}

/// A movement of the score by cause. Successive movements add up, part by part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Movement {
    /// What the office did: fixed, broke, reported, fell silent.
    pub office: Points,
    /// What a change of the policy did.
    pub policy: Points,
    /// What a change of the roster did: machines added, removed, confirmed, away.
    pub roster: Points,
}

impl Movement {
    /// The movement from `before` to `after`. The roster's part is the change when machines that counted before keep
    /// their old state and the others come and go; the rest is due to `cause`.
    pub fn between(rules: &Rules, before: &Grade, after: &Grade, cause: Cause) -> Self {
        let was: BTreeMap<&str, &MachineGrade> =
            counted(before).map(|machine| (machine.id.as_str(), machine)).collect();
        let unchanged: Vec<&MachineGrade> =
            counted(after).map(|machine| was.get(machine.id.as_str()).copied().unwrap_or(machine)).collect();
        let roster = technical(rules, &unchanged) - technical(rules, &counted(before).collect::<Vec<_>>());
        let rest = after.score - before.score - roster;
        match cause {
            Cause::Office => Self { office: rest, policy: Points::ZERO, roster },
            Cause::Policy => Self { office: Points::ZERO, policy: rest, roster },
        }
    }

    /// The whole movement.
    pub fn total(self) -> Points {
        self.office + self.policy + self.roster
    }
}

impl std::ops::Add for Movement {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            office: self.office + other.office,
            policy: self.policy + other.policy,
            roster: self.roster + other.roster,
        }
    }
}

fn counted(grade: &Grade) -> impl Iterator<Item = &MachineGrade> {
    grade.machines.iter().filter(|machine| !matches!(machine.state, MachineState::Away | MachineState::Pending))
}

/// The technical part of a score with these machines.
fn technical(rules: &Rules, machines: &[&MachineGrade]) -> Points {
    let share = u64::from(rules.office.shares.technical_percent);
    let mut exact = Exact::default();
    for machine in machines.iter().filter(|machine| machine.state == MachineState::Scored) {
        exact.add(machine.passed * share, machine.applicable * machines.len() as u64 * 100);
    }
    i64::try_from(exact.whole(Points::FULL.0.unsigned_abs())).map_or(Points::ZERO, Points)
}
