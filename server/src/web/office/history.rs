//! How the grade of an office moved, and why: what the office did, what the policy changed, what the roster changed.

use policies::grade::{Movement, Points};
use policies::policy::Letter;
use policies::text;
use policies::text::Text;

use crate::store::grade::GradeChange;
use crate::view::OfficeView;
use crate::web::catalogue::Catalogue;
use crate::web::number::Numbers;

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

fn causes(t: Catalogue, n: &Numbers, movement: Movement) -> String {
    let cause =
        |points: Points, words: fn(String) -> Text| (points != Points::ZERO).then(|| t.own(words(signed(n, points))));
    let causes: Vec<String> = [
        cause(movement.office, |points| text!("{0} do cơ quan", "{0} by the office", points)),
        cause(movement.policy, |points| {
            text!("{0} do bộ tiêu chí hoặc phiên bản máy chủ", "{0} by the policy or the server's version", points)
        }),
        cause(movement.roster, |points| text!("{0} do danh mục máy", "{0} by the roster", points)),
    ]
    .into_iter()
    .flatten()
    .collect();
    causes.join("; ")
}

/// How the score moved in the last 30 days; `None` when it did not.
pub(super) fn movement_words(view: &OfficeView, t: Catalogue, n: &Numbers) -> Option<String> {
    let causes = causes(t, n, view.movement);
    (!causes.is_empty()).then(|| {
        t.own(text!(
            "30 ngày qua: {0} điểm, trong đó {1}.",
            "Last 30 days: {0} points, of which {1}.",
            signed(n, view.movement.total()),
            causes
        ))
    })
}

/// The changes, the newest first.
pub(super) fn history_rows(history: &[GradeChange], t: Catalogue, n: &Numbers) -> Vec<HistoryRow> {
    let letter = |letter: Option<Letter>| letter.map_or("–", Letter::code);
    let row = |change: &GradeChange| {
        let after = n.hundredths_of(change.score_after.0);
        let (score, letter, causes) = match change.score_before {
            Some(before) => (
                format!("{} → {after}", n.hundredths_of(before.0)),
                format!("{} → {}", letter(change.letter_before), letter(change.letter_after)),
                causes(t, n, change.movement),
            ),
            None => {
                (after, letter(change.letter_after).to_owned(), t.text("lần chấm đầu tiên", "first grade").to_owned())
            }
        };
        HistoryRow { at: n.moment(change.at), score, letter, causes }
    };
    history.iter().map(row).collect()
}
