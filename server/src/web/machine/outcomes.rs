//! The outcomes of a machine as its page shows them: failures first, each with what was found and wanted, how to fix it,
//! in how many minutes, and who can.

use jiff::Timestamp;
use policies::calendar::Calendar;
use policies::outcome::{Outcome, Verdict};
use policies::policy::Role;
use policies::text;
use policies::text::visible;

use super::waivers::{AskView, MachineWaivers, WaiverView};
use crate::policy::CompiledPolicy;
use crate::store::judgement::word;
use crate::store::section::Sections;
use crate::view::OutcomeView as Judged;
use crate::web::catalogue::Catalogue;
use crate::web::number::Numbers;

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
    /// A symbol next to the word, for a quick look.
    pub(super) sign: &'static str,
    pub(super) verdict: String,
    pub(super) found: String,
    pub(super) wanted: String,
    pub(super) since: Option<String>,
    pub(super) implied_by: Option<String>,
    pub(super) steps: Vec<String>,
    pub(super) effort: String,
    pub(super) clauses: String,
    pub(super) waiver: Option<WaiverView>,
    pub(super) ask: Option<AskView>,
}

/// The data the outcomes are rendered from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading<'a> {
    pub(super) t: Catalogue,
    pub(super) n: &'a Numbers,
    pub(super) judge: &'a CompiledPolicy,
    pub(super) role: Role,
    pub(super) sections: Option<&'a Sections>,
    pub(super) machine_waivers: &'a MachineWaivers<'a>,
    pub(super) now: Timestamp,
    /// The machine needs the new agent.
    pub(super) old_agent: bool,
}

const ORDER: [(Verdict, &str, &str); 5] = [
    (Verdict::Fail, "Chưa đạt", "Fail"),
    (Verdict::Unknown, "Chưa xác định", "Unknown"),
    (Verdict::Waived, "Ngoại lệ có thời hạn", "Waived"),
    (Verdict::Pass, "Đạt", "Pass"),
    (Verdict::NotApplicable, "Không áp dụng", "Not applicable"),
];

impl Reading<'_> {
    /// Groups the outcomes, the worst first.
    pub(super) fn groups(&self, outcomes: &[Judged]) -> Vec<Group> {
        let mut outcomes: Vec<&Judged> = outcomes.iter().collect();
        outcomes.sort_by_key(|judged| judged.severity);
        ORDER
            .into_iter()
            .filter_map(|(verdict, vi, en)| {
                let of_group = outcomes.iter().filter(|judged| judged.outcome.verdict == verdict);
                let of_group: Vec<OutcomeView> = of_group.map(|judged| self.outcome(judged)).collect();
                let open = matches!(verdict, Verdict::Fail | Verdict::Unknown | Verdict::Waived);
                let title = self.t.text(vi, en).to_owned();
                (!of_group.is_empty()).then(|| Group { code: word(verdict), title, open, outcomes: of_group })
            })
            .collect()
    }

    fn outcome(&self, judged: &Judged) -> OutcomeView {
        let outcome = &judged.outcome;
        let to_fix = matches!(outcome.verdict, Verdict::Fail | Verdict::Unknown | Verdict::Waived);
        let waiver = self.machine_waivers.of(&outcome.control);
        // What an old agent cannot tell is fixed only by the new agent, by no other step on the machine.
        let steps: Vec<String> = if self.old_agent && outcome.agent_too_old {
            vec![self.t.text("Cài phần mềm bản mới đè lên bản cũ trên máy này (tải ở trang “Phần mềm cho các máy”); sau lần kiểm tra kế tiếp, tiêu chí được đánh giá lại.", "Install the new version of the software over the old one on this machine (see the page “Programs for the machines”); the control is judged again after the next check.").to_owned()]
        } else {
            judged.fix.iter().filter(|_| to_fix).map(|step| visible(self.t.pick(step), LONGEST)).collect()
        };
        let clauses: Vec<String> = judged.clauses.iter().map(|clause| visible(&clause.to_string(), 120)).collect();
        let stale = self.is_stale(outcome);
        let verdict = outcome.verdict.text();
        let verdict = match &waiver {
            _ if stale => self.t.text("số liệu quá hạn", "stale").to_owned(),
            Some(waiver) if outcome.verdict == Verdict::Waived => {
                self.t.own(text!("{0}, đến hết ngày {1}", "{0} through {1}", self.t.pick(&verdict), &waiver.until))
            }
            _ => self.t.pick(&verdict).to_owned(),
        };
        let cause = outcome.implied_by.as_deref();
        let cause = cause.and_then(|cause| self.judge.set().controls(self.role).control(cause));
        OutcomeView {
            title: visible(self.t.pick(&judged.title), LONGEST),
            code: if stale { "stale" } else { word(outcome.verdict) },
            sign: sign(outcome.verdict),
            verdict: format!("{verdict} - {}", self.t.pick(&judged.severity.text())),
            found: visible(self.t.pick(&outcome.found), LONGEST),
            wanted: visible(self.t.pick(&outcome.wanted), LONGEST),
            since: judged.failing_since_at.or(judged.since_at).map(|at| self.n.moment(at)),
            implied_by: cause.map(|control| visible(self.t.pick(control.title()), LONGEST)),
            steps,
            effort: self.t.own(text!(
                "Khoảng {0} phút; người khắc phục được: {1}.",
                "About {0} min; who can do it: {1}.",
                judged.minutes,
                self.t.pick(&judged.lifted_by.text())
            )),
            clauses: clauses.join("; "),
            ask: self.machine_waivers.ask(&outcome.control, outcome.verdict, judged.severity),
            waiver,
            control: outcome.control.clone(),
        }
    }

    /// True when some evidence of a counting outcome is stale.
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
