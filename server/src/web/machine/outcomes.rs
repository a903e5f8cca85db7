//! The outcomes of a machine as its page shows them: what fails first, each with what was found and wanted, how to fix it,
//! in how many minutes, and who can.

use std::collections::HashMap;

use jiff::Timestamp;
use policies::calendar::Calendar;
use policies::fact::Facts;
use policies::outcome::{Outcome, Verdict};
use policies::policy::{Control, Role};
use policies::text::visible;

use crate::judge::Judge;
use crate::store::judgement::{VerdictState, word};
use crate::store::section::Sections;
use crate::web::number::Numbers;
use crate::web::words::Words;

/// The longest text of what was found: it quotes the machine.
const LONGEST: usize = 600;

/// Outcomes with the same verdict.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) code: &'static str,
    pub(super) title: String,
    pub(super) open: bool,
    pub(super) outcomes: Vec<OutcomeView>,
}

/// One outcome.
#[derive(Debug)]
pub(super) struct OutcomeView {
    pub(super) control: String,
    pub(super) title: String,
    /// Class of its colour.
    pub(super) code: &'static str,
    /// Stands beside the word, for a quick look.
    pub(super) sign: &'static str,
    pub(super) verdict: String,
    pub(super) found: String,
    pub(super) wanted: String,
    pub(super) since: Option<String>,
    pub(super) implied_by: Option<String>,
    pub(super) steps: Vec<String>,
    pub(super) effort: String,
    pub(super) clauses: String,
}

/// What the outcomes are read from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading<'a> {
    pub(super) t: Words,
    pub(super) n: &'a Numbers,
    pub(super) judge: &'a Judge,
    pub(super) role: Role,
    pub(super) facts: &'a Facts,
    pub(super) sections: Option<&'a Sections>,
    pub(super) now: Timestamp,
}

const ORDER: [(Verdict, &str); 5] = [
    (Verdict::Fail, "machine.group_fail"),
    (Verdict::Unknown, "machine.group_unknown"),
    (Verdict::Waived, "machine.group_waived"),
    (Verdict::Pass, "machine.group_pass"),
    (Verdict::NotApplicable, "machine.group_not_applicable"),
];

impl Reading<'_> {
    /// Judges the facts as at now and groups what comes out, the worst first.
    pub(super) fn groups(&self, states: &[VerdictState]) -> Vec<Group> {
        let states: HashMap<&str, &VerdictState> = states.iter().map(|state| (state.control.as_str(), state)).collect();
        let mut outcomes = self.judge.outcomes(self.role, self.facts, self.now);
        let policy = self.judge.set().controls(self.role);
        outcomes.sort_by_key(|outcome| policy.control(&outcome.control).map(Control::severity));
        ORDER
            .into_iter()
            .filter_map(|(verdict, title)| {
                let of_group: Vec<OutcomeView> = outcomes
                    .iter()
                    .filter(|outcome| outcome.verdict == verdict)
                    .filter_map(|outcome| self.outcome(outcome, states.get(outcome.control.as_str()).copied()))
                    .collect();
                let open = matches!(verdict, Verdict::Fail | Verdict::Unknown | Verdict::Waived);
                let title = self.t.say(title).to_owned();
                (!of_group.is_empty()).then(|| Group { code: word(verdict), title, open, outcomes: of_group })
            })
            .collect()
    }

    fn outcome(&self, outcome: &Outcome, state: Option<&VerdictState>) -> Option<OutcomeView> {
        let policy = self.judge.set().controls(self.role);
        let control = policy.control(&outcome.control)?;
        let title = |control: &Control| visible(self.t.pick(control.title()), LONGEST);
        let to_fix = matches!(outcome.verdict, Verdict::Fail | Verdict::Unknown);
        let steps: Vec<String> = if to_fix {
            let steps = control.fix_for(self.facts, self.now).iter();
            steps.map(|step| visible(self.t.pick(step), LONGEST)).collect()
        } else {
            Vec::new()
        };
        let clauses: Vec<String> = control.clauses().iter().map(|clause| visible(&clause.to_string(), 120)).collect();
        let stale = self.is_stale(outcome);
        let verdict = if stale {
            self.t.say("outcome.stale").to_owned()
        } else {
            self.t.pick(&outcome.verdict.text()).to_owned()
        };
        Some(OutcomeView {
            title: title(control),
            code: if stale { "stale" } else { word(outcome.verdict) },
            sign: sign(outcome.verdict),
            verdict: format!("{verdict} - {}", self.t.pick(&control.severity().text())),
            found: visible(self.t.pick(&outcome.found), LONGEST),
            wanted: visible(self.t.pick(&outcome.wanted), LONGEST),
            // What the store has is of the last judgement; a verdict that only time changed since began unseen.
            since: state
                .filter(|state| state.verdict == outcome.verdict)
                .map(|state| self.n.moment(state.failing_since_at.unwrap_or(state.since_at))),
            implied_by: outcome.implied_by.as_deref().and_then(|cause| policy.control(cause)).map(title),
            steps,
            effort: self.t.say2("machine.effort", control.minutes(), self.t.pick(&control.lifted_by().text())),
            clauses: clauses.join("; "),
            control: outcome.control.clone(),
        })
    }

    /// True when some evidence of an outcome that counts is too old.
    fn is_stale(&self, outcome: &Outcome) -> bool {
        if outcome.verdict == Verdict::NotApplicable {
            return false;
        }
        let office = &self.judge.rules().office;
        let days = office.evidence.stale_after_working_days;
        let oldest = Calendar::new(&office.calendar).before_working_days(self.now, days).as_millisecond();
        let read = self.judge.sections_read(self.role, &outcome.control);
        read.iter().any(|section| {
            let state = self.sections.and_then(|sections| sections.0.get(section.name()));
            state.is_some_and(|state| state.observed_at < oldest)
        })
    }
}

fn sign(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "✓",
        Verdict::Fail => "✗",
        Verdict::Unknown => "?",
        Verdict::NotApplicable => "–",
        Verdict::Waived => "…",
    }
}
