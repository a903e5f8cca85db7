//! Offices within a scope as rows of a list.

use policies::grade::{Figures, Points};
use policies::policy::Letter;
use policies::text;
use policies::text::visible;

use super::catalogue::Catalogue;
use super::grade::Mark;
use super::number::Numbers;
use crate::store::grade::GradeRow;
use crate::view::Tree;

/// One office as a row of a list.
#[derive(Debug)]
pub(crate) struct OfficeRow {
    pub(crate) id: String,
    pub(crate) name: String,
    /// Name of the parent office, if the list spans several levels.
    pub(crate) above: String,
    pub(crate) mark: Mark,
    pub(crate) score: String,
    pub(crate) on_spot: String,
    pub(crate) coverage: String,
    pub(crate) note: String,
    /// Parents first, then offices without a letter, then the worst.
    order: (u8, u8, i64),
}

/// Every office as a row, those that need attention first.
pub(crate) fn all_rows(tree: &Tree, t: Catalogue, n: &Numbers) -> Vec<OfficeRow> {
    sorted(tree.all().map(|(row, figures, above)| office_row(row, figures, above, t, n)).collect())
}

/// The offices directly below `id` as rows.
pub(crate) fn child_rows(tree: &Tree, id: &str, t: Catalogue, n: &Numbers) -> Vec<OfficeRow> {
    sorted(tree.below(id).map(|(row, figures)| office_row(row, figures, None, t, n)).collect())
}

/// A stable sort: names stay in order among equals.
fn sorted(mut rows: Vec<OfficeRow>) -> Vec<OfficeRow> {
    rows.sort_by_key(|row| row.order);
    rows
}

fn office_row(row: &GradeRow, figures: Figures, above: Option<&str>, t: Catalogue, n: &Numbers) -> OfficeRow {
    let letter = figures.letter;
    let score = figures.score.filter(|_| figures.expected > 0);
    let note = match (figures.below, figures.score) {
        (0, None) => t.text("chưa chấm điểm", "not graded yet").to_owned(),
        (0, Some(_)) => String::new(),
        (below, _) => t.own(text!("gồm {0} đơn vị", "with {0} offices", n.count(below))),
    };
    let shown = |points: Option<Points>| points.map_or_else(|| "–".to_owned(), |points| n.hundredths_of(points.0));
    let urgency = match letter {
        None => 0,
        Some(Letter::E | Letter::D) => 1,
        Some(Letter::C) => 2,
        Some(Letter::B | Letter::A) => 3,
    };
    OfficeRow {
        id: row.office.clone(),
        name: visible(&row.name, 120),
        above: above.map_or_else(String::new, |above| visible(above, 120)),
        mark: Mark::of(t, letter),
        score: shown(score),
        on_spot: shown(figures.on_spot),
        coverage: t.own(text!(
            "{0} trên {1} máy",
            "{0} of {1} machines",
            n.count(figures.covered),
            n.count(figures.expected)
        )),
        note,
        order: (u8::from(figures.below == 0), urgency, score.map_or(-1, |score| score.0)),
    }
}
