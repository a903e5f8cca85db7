//! The organisational part (phần tổ chức) of a grade: controls about the office as a whole. Until attestations exist its share is 0, so
//! what it lacks is listed and costs nothing.

use super::{Grade, Line, LineKind, Points};
use crate::outcome::{Outcome, Verdict};
use crate::policy::{Control, LiftedBy};
use crate::text::Text;

impl Grade {
    /// The grade with the outcomes of the controls about the office: each that fails or is unknown gets a line of 0 points at the end of
    /// the ledger, unless another one explains it.
    #[must_use]
    pub fn with_organisational(mut self, controls: &[Control], outcomes: Vec<Outcome>) -> Self {
        let lines = outcomes.iter().filter(|outcome| outcome.implied_by.is_none()).filter_map(|outcome| {
            let control = controls.iter().find(|control| control.id() == outcome.control)?;
            let explains = outcomes.iter().filter(|other| other.implied_by.as_ref() == Some(&outcome.control));
            line(control, outcome.verdict, explains.map(|other| other.control.clone()).collect())
        });
        self.ledger.extend(lines);
        self.organisational = outcomes;
        self
    }
}

/// The line of a control; `None` when nothing is to be done.
fn line(control: &Control, verdict: Verdict, explains: Vec<String>) -> Option<Line> {
    let (kind, lifted_by, lift) = match verdict {
        Verdict::Fail => (
            LineKind::Failed,
            control.lifted_by(),
            Text::new(
                "Làm theo các bước của tiêu chí này ở mục Phần tổ chức.",
                "Follow the steps of this control under The office as a whole.",
            ),
        ),
        Verdict::Unknown => (
            LineKind::Unknown,
            LiftedBy::OnSpot,
            Text::new(
                "Xem lý do chưa xác định ở mục Phần tổ chức và xử lý lý do đó.",
                "Read under The office as a whole why it is unknown and remove that reason.",
            ),
        ),
        Verdict::Pass | Verdict::NotApplicable | Verdict::Waived => return None,
    };
    Some(Line {
        kind,
        control: Some(control.id().to_owned()),
        title: control.title().clone(),
        points: Points::ZERO,
        machines: Vec::new(),
        minutes: u64::from(control.minutes()),
        lifted_by,
        lift,
        explains,
    })
}
