//! The score of one machine: which controls count, what each weighs, and which failure explains which.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::{Control, Controls, Judged, Points};
use crate::outcome::Verdict;
use crate::policy::{LiftedBy, Weights};

/// Which controls a score covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum View {
    /// All (điểm chung).
    Overall,
    /// Those that can be fixed on the spot (khắc phục được tại chỗ).
    OnSpot,
    /// All, with what is waived counted as not held.
    WithoutWaivers,
}

/// Why a control that counts earned nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Loss {
    /// It fails.
    Failed,
    /// It is not known whether it holds.
    Unknown,
    /// The evidence is too old.
    Stale,
}

/// One control that earned nothing on one machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lost<'a> {
    /// The control.
    pub(crate) control: &'a str,
    /// Why it earned nothing.
    pub(crate) loss: Loss,
    /// Its cost within the applicable weight.
    pub(crate) weight: u64,
    /// The failures it explains.
    pub(crate) explains: Vec<&'a str>,
}

/// The sums of one machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally<'a> {
    /// Weight of what holds.
    pub(crate) passed: u64,
    /// Weight of what counts.
    pub(crate) applicable: u64,
    /// Weight of what is waived.
    pub(crate) waived: u64,
    /// What earned nothing; its weights and `passed` add up to `applicable`.
    pub(crate) lost: Vec<Lost<'a>>,
}

impl Tally<'_> {
    /// `100 x passed / applicable`, rounded down to a millionth; `None` when nothing applies.
    pub(crate) fn score(&self) -> Option<Points> {
        let full = Points::FULL.0.unsigned_abs();
        let exact = (u128::from(self.passed) * u128::from(full)).checked_div(u128::from(self.applicable))?;
        i64::try_from(exact).ok().map(Points)
    }
}

/// Adds up the outcomes of one machine. Evidence from before `fresh_from` is stale. Outcomes of controls that the policy no
/// longer has are skipped.
///
/// What another failure explains is left out of the sums, so that one cause costs once. With that alone, a machine whose
/// system is no longer supported (weight 4) would explain away missing patches (8) and antivirus (8) and score *above* a
/// supported machine with the same failures. So a cause weighs what it explains, if that is more than its own weight.
pub(crate) fn tally<'a>(
    controls: &'a Controls,
    weights: Weights,
    outcomes: &'a [Judged],
    fresh_from: Timestamp,
    view: View,
) -> Tally<'a> {
    let causes = causes(controls, outcomes, fresh_from);
    let mut explained: BTreeMap<&str, (u64, Vec<&str>)> = BTreeMap::new();
    for (&control, &cause) in &causes {
        let entry = explained.entry(cause).or_default();
        entry.0 += controls.get(control).map_or(0, |control| u64::from(weights.get(control.severity)));
        entry.1.push(control);
    }
    let mut tally = Tally::default();
    let mut seen: BTreeSet<*const Control> = BTreeSet::new();
    for outcome in outcomes {
        let Some((id, control)) = controls.get_key_value(&outcome.control) else { continue };
        // There is one outcome per control; a second one must not count twice.
        if !seen.insert(control) || (view == View::OnSpot && control.lifted_by != LiftedBy::OnSpot) {
            continue;
        }
        let id = id.as_str();
        let own = u64::from(weights.get(control.severity));
        match standing(outcome, fresh_from) {
            Stands::Outside => {}
            Stands::Waived => {
                tally.waived += own;
                if view == View::WithoutWaivers {
                    tally.lose(id, Loss::Failed, own, Vec::new());
                }
            }
            Stands::Holds => {
                tally.passed += own;
                tally.applicable += own;
            }
            Stands::Lost(Loss::Failed | Loss::Unknown) if causes.contains_key(id) => {}
            Stands::Lost(loss) => {
                let (weight, explains) = match loss {
                    Loss::Failed => explained.remove(id).unwrap_or_default(),
                    Loss::Unknown | Loss::Stale => (0, Vec::new()),
                };
                tally.lose(id, loss, own.max(weight), explains);
            }
        }
    }
    tally
}

impl<'a> Tally<'a> {
    fn lose(&mut self, control: &'a str, loss: Loss, weight: u64, explains: Vec<&'a str>) {
        self.applicable += weight;
        self.lost.push(Lost { control, loss, weight, explains });
    }
}

/// How an outcome enters the sums.
enum Stands {
    Outside,
    Waived,
    Holds,
    Lost(Loss),
}

fn standing(outcome: &Judged, fresh_from: Timestamp) -> Stands {
    match outcome.verdict {
        Verdict::NotApplicable => Stands::Outside,
        Verdict::Unknown if outcome.excused => Stands::Outside,
        Verdict::Waived => Stands::Waived,
        _ if outcome.observed_at < fresh_from => Stands::Lost(Loss::Stale),
        Verdict::Pass => Stands::Holds,
        Verdict::Fail => Stands::Lost(Loss::Failed),
        Verdict::Unknown => Stands::Lost(Loss::Unknown),
    }
}

/// What a failure explains (`implied_by`), failing or unknown, each with its root failure. A cause that does not fail itself
/// (waived, unknown, gone from the policy) explains nothing, and neither does a cycle.
pub(crate) fn causes<'a>(
    controls: &'a Controls,
    outcomes: &'a [Judged],
    fresh_from: Timestamp,
) -> BTreeMap<&'a str, &'a str> {
    if outcomes.iter().all(|outcome| outcome.implied_by.is_none()) {
        return BTreeMap::new();
    }
    let lost: BTreeMap<&str, (Loss, Option<&str>)> = outcomes
        .iter()
        .filter_map(|outcome| {
            let (id, _) = controls.get_key_value(&outcome.control)?;
            match standing(outcome, fresh_from) {
                Stands::Lost(loss @ (Loss::Failed | Loss::Unknown)) => {
                    Some((id.as_str(), (loss, outcome.implied_by.as_deref())))
                }
                _ => None,
            }
        })
        .collect();
    let cause = |id: &str| {
        let (&cause, &(loss, _)) = lost.get_key_value(lost.get(id)?.1?)?;
        (loss == Loss::Failed).then_some(cause)
    };
    let mut roots = BTreeMap::new();
    for &id in lost.keys() {
        let (mut root, mut steps) = (id, 0);
        while let Some(next) = cause(root)
            && steps <= lost.len()
        {
            (root, steps) = (next, steps + 1);
        }
        if root != id && steps <= lost.len() {
            roots.insert(id, root);
        }
    }
    roots
}

#[cfg(test)]
mod tests;
