//! How the grade of an office moved, and why: what the office did, what the policy changed, what the roster changed.

use policies::grade::{Movement, Points};
use policies::policy::Letter;

use crate::store::grade::GradeChange;
use crate::view::OfficeView;
use crate::web::number::Numbers;
use crate::web::words::Words;

/// One change of the grade.
#[derive(Debug)]
pub(super) struct HistoryRow {
    pub(super) at: String,
    pub(super) score: String,
    pub(super) letter: String,
    pub(super) causes: String,
}

fn signed(n: &Numbers, points: Points) -> String {
    // Towards zero, so that no change looks larger than it is.
    let shown = n.hundredths(points.0 / 10_000);
    if points.0 > 0 { format!("+{shown}") } else { shown }
}

fn causes(t: Words, n: &Numbers, movement: Movement) -> String {
    let causes: Vec<String> = [
        ("grade.by_office", movement.office),
        ("grade.by_policy", movement.policy),
        ("grade.by_roster", movement.roster),
    ]
    .into_iter()
    .filter(|(_, points)| *points != Points::ZERO)
    .map(|(key, points)| t.say1(key, signed(n, points)))
    .collect();
    causes.join("; ")
}

/// How the score moved in the last 30 days; none when it did not.
pub(super) fn movement_words(view: &OfficeView, t: Words, n: &Numbers) -> Option<String> {
    let causes = causes(t, n, view.movement);
    (!causes.is_empty()).then(|| t.say2("grade.movement", signed(n, view.movement.total()), causes))
}

/// The changes, the newest first.
pub(super) fn history_rows(history: &[GradeChange], t: Words, n: &Numbers) -> Vec<HistoryRow> {
    let letter = |letter: Option<Letter>| letter.map_or("–", Letter::code);
    let row = |change: &GradeChange| {
        let after = n.hundredths_of(change.score_after.0);
        let (score, letter, causes) = match change.score_before {
            Some(before) => (
                format!("{} → {after}", n.hundredths_of(before.0)),
                format!("{} → {}", letter(change.letter_before), letter(change.letter_after)),
                causes(t, n, change.movement),
            ),
            None => (after, letter(change.letter_after).to_owned(), t.say("grade.first").to_owned()),
        };
        HistoryRow { at: n.moment(change.at), score, letter, causes }
    };
    history.iter().map(row).collect()
}
