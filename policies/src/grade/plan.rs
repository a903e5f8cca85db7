//! What to do for the next letter: the cheapest set of fixes that reaches it. Caps and critical failures come first,
//! then what brings the most points per minute.
//!
//! The set is found with each fix's own gain and then checked by grading the office as it would be, so the plan never
//! promises more than it brings (as far as machines that never reported can be predicted).

mod fix;

use std::collections::BTreeMap;

pub use fix::FixReason;
use fix::{Exemplars, Fix, candidates, carry_out, exemplars};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::machine::View;
use super::office::letter_under_caps;
use super::survey::Survey;
use super::{LineKind, OfficeState, Points, Rules, caps, office};
use crate::policy::{Letter, LiftedBy};
use crate::text::Text;

/// The fixes that lead to the next letter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The letter aimed at.
    pub target: Letter,
    /// What to do, in this order.
    pub steps: Vec<Step>,
    /// Minutes for all of it.
    pub minutes: u64,
    /// The score when all is done.
    pub score: Points,
    /// The letter when all is done: `target` or better, unless even everything together does not reach it.
    pub letter: Letter,
    /// True when machines that never reported are among the steps: their score is taken to be that of the middle machine.
    pub foretold: bool,
}

/// One thing to do on some machines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Why it is at this place in the plan.
    pub why: FixReason,
    /// What kind of line of the ledger it removes.
    pub kind: LineKind,
    /// The control to fix; `None` for making machines report.
    pub control: Option<String>,
    /// What a person reads.
    pub title: Text,
    /// On which machines.
    pub machines: Vec<String>,
    /// Minutes for all of them.
    pub minutes: u64,
    /// Who can do it.
    pub lifted_by: LiftedBy,
}

/// The plan for the next better letter of an office as of `now`; `None` when it has an A (or would have one if it were not being set up).
pub fn plan_next_letter(rules: &Rules, office: &OfficeState, now: Timestamp) -> Option<Plan> {
    let survey = Survey::new(rules, &office.machines, now);
    let score = office::score(&survey, &office.attested, View::Overall).unwrap_or(Points::ZERO);
    let caps = caps::caps(&survey);
    let letter = letter_under_caps(rules, score, &caps);
    let target = Letter::ALL.into_iter().rev().find(|better| *better < letter)?;
    let exemplars = exemplars(&survey);
    let floor = Points::whole(rules.office.letters.lowest(target));
    let goal = Goal { survey: &survey, exemplars: &exemplars, office, target, floor };
    let fixes = candidates(&survey, &exemplars, &caps, target);
    let chosen = goal.choose(&fixes, score);
    let (score, letter) = goal.graded(&chosen);
    Some(Plan {
        target,
        minutes: chosen.iter().map(|fix| u64::from(fix.minutes)).sum(),
        score,
        letter,
        foretold: chosen.iter().any(|fix| fix.kind == LineKind::Unreported),
        steps: steps(rules, &chosen),
    })
}

/// The target letter and the starting point.
struct Goal<'a> {
    survey: &'a Survey<'a>,
    exemplars: &'a Exemplars<'a>,
    office: &'a OfficeState,
    target: Letter,
    floor: Points,
}

impl Goal<'_> {
    /// The first fixes of the ordered list that reach the goal, minus those that turn out not to be needed.
    fn choose<'f>(&self, fixes: &'f [Fix<'f>], score: Points) -> Vec<&'f Fix<'f>> {
        let must = fixes.iter().take_while(|fix| fix.why != FixReason::Points).count();
        let mut sum = score;
        let mut count = 0;
        while count < fixes.len() && (count < must || sum < self.floor) {
            sum = sum + fixes[count].gain;
            count += 1;
        }
        // Fixes may help each other less than their gains say: take more until the grade itself says that it is enough.
        let mut more = 1;
        while count < fixes.len() && !self.reached(&fixes[..count].iter().collect::<Vec<_>>()) {
            count = (count + more).min(fixes.len());
            more *= 2;
        }
        let all: Vec<&Fix<'_>> = fixes[..count].iter().collect();
        let pruned = self.prune(&all, must, sum);
        if self.reached(&pruned) { pruned } else { all }
    }

    /// Removes fixes the goal does not need, the most expensive first. The mandatory first ones stay.
    fn prune<'f>(&self, chosen: &[&'f Fix<'f>], must: usize, sum: Points) -> Vec<&'f Fix<'f>> {
        let mut spare = sum - self.floor;
        let mut keep = vec![true; chosen.len()];
        let mut order: Vec<usize> = (must.min(chosen.len())..chosen.len()).collect();
        order.sort_by_key(|&index| std::cmp::Reverse((chosen[index].minutes, index)));
        for index in order {
            if chosen[index].gain <= spare {
                spare = spare - chosen[index].gain;
                keep[index] = false;
            }
        }
        chosen.iter().zip(keep).filter_map(|(fix, keep)| keep.then_some(*fix)).collect()
    }

    fn reached(&self, fixes: &[&Fix<'_>]) -> bool {
        self.graded(fixes).1 <= self.target
    }

    /// Score and letter of the office after these fixes.
    fn graded(&self, fixes: &[&Fix<'_>]) -> (Points, Letter) {
        let changed = carry_out(self.survey, fixes, self.exemplars, self.survey.now);
        let survey = self.survey.with(&changed);
        let score = office::score(&survey, &self.office.attested, View::Overall).unwrap_or(Points::ZERO);
        (score, letter_under_caps(survey.rules, score, &caps::caps(&survey)))
    }
}

/// The chosen fixes grouped by what is to be done, in the order of the first of each.
fn steps(rules: &Rules, chosen: &[&Fix<'_>]) -> Vec<Step> {
    let mut places: BTreeMap<(FixReason, LineKind, Option<&str>), usize> = BTreeMap::new();
    let mut steps: Vec<Step> = Vec::new();
    for fix in chosen {
        let place = *places.entry((fix.why, fix.kind, fix.control)).or_insert_with(|| {
            let control = fix.control.and_then(|id| rules.control(id));
            steps.push(Step {
                why: fix.why,
                kind: fix.kind,
                control: fix.control.map(str::to_owned),
                title: control.map_or_else(|| super::ledger::title(fix.kind), |control| control.title.clone()),
                machines: Vec::new(),
                minutes: 0,
                lifted_by: fix.lifted_by,
            });
            steps.len() - 1
        });
        steps[place].machines.push(fix.machine.to_owned());
        steps[place].minutes += u64::from(fix.minutes);
    }
    steps
}
