//! The organisational part (phần tổ chức) of an office: the controls about the office as a whole, each with how to fulfil it.

use policies::outcome::Verdict;
use policies::text;
use policies::text::visible;

use crate::store::judgement::word;
use crate::view::OrganisationalView;
use crate::web::catalogue::Catalogue;

/// The longest text of what was found: it quotes machines.
const LONGEST: usize = 600;

/// One control about the office.
#[derive(Debug)]
pub(super) struct OrganisationalRow {
    pub(super) control: String,
    pub(super) title: String,
    /// Class of its colour.
    pub(super) code: &'static str,
    pub(super) verdict: String,
    pub(super) found: String,
    pub(super) wanted: String,
    /// Empty when nothing is to be done.
    pub(super) steps: Vec<String>,
    pub(super) effort: String,
    pub(super) clauses: String,
}

/// The controls, in the order of the policy.
pub(super) fn organisational_rows(judged: &[OrganisationalView], t: Catalogue) -> Vec<OrganisationalRow> {
    let row = |judged: &OrganisationalView| {
        let outcome = &judged.outcome;
        let to_fix = matches!(outcome.verdict, Verdict::Fail | Verdict::Unknown);
        let clauses: Vec<String> = judged.clauses.iter().map(|clause| visible(&clause.to_string(), 120)).collect();
        OrganisationalRow {
            control: outcome.control.clone(),
            title: visible(t.pick(&judged.title), LONGEST),
            code: word(outcome.verdict),
            verdict: format!("{} - {}", t.pick(&outcome.verdict.text()), t.pick(&judged.severity.text())),
            found: visible(t.pick(&outcome.found), LONGEST),
            wanted: visible(t.pick(&outcome.wanted), LONGEST),
            steps: judged.fix.iter().filter(|_| to_fix).map(|step| visible(t.pick(step), LONGEST)).collect(),
            effort: t.own(text!(
                "Khoảng {0} phút; người khắc phục được: {1}.",
                "About {0} min; who can do it: {1}.",
                judged.minutes,
                t.pick(&judged.lifted_by.text())
            )),
            clauses: format!("{} ({})", clauses.join("; "), t.pick(&judged.duty.text())),
        }
    };
    judged.iter().map(row).collect()
}
