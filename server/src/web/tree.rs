//! Grades of a part of the office tree: each office by its own machines, or, with offices below it, as a parent by the mean
//! of them all weighted by machines.

use std::collections::HashMap;

use policies::grade::{Child, Points, Rules, grade_parent};
use policies::policy::Letter;
use policies::text::visible;

use super::grade::Mark;
use super::number::Numbers;
use super::words::Words;
use crate::store::grade::{GradeRow, letter_read};
use crate::text::text;

/// A part of the tree with what the store knows of every office in it.
#[derive(Debug)]
pub(crate) struct Tree {
    rows: Vec<GradeRow>,
    /// For every row its children, by position.
    children: Vec<Vec<usize>>,
    by_id: HashMap<String, usize>,
}

/// One office as a row of a list.
#[derive(Debug)]
pub(crate) struct OfficeRow {
    pub(crate) id: String,
    pub(crate) name: String,
    /// The office above, where the list spans several.
    pub(crate) above: String,
    pub(crate) mark: Mark,
    pub(crate) score: String,
    pub(crate) on_spot: String,
    pub(crate) coverage: String,
    pub(crate) note: String,
    /// Parents first, then offices without a letter, then the worst.
    order: (u8, u8, i64),
}

/// The figures of one office with everything below it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Figures {
    pub(crate) score: Option<Points>,
    pub(crate) letter: Option<Letter>,
    pub(crate) on_spot: Option<Points>,
    pub(crate) expected: u64,
    pub(crate) covered: u64,
    /// Offices below it.
    pub(crate) below: usize,
}

impl Tree {
    /// Arranges rows by who stands above whom.
    pub(crate) fn new(rows: Vec<GradeRow>) -> Self {
        let by_id: HashMap<String, usize> = rows.iter().enumerate().map(|(at, row)| (row.office.clone(), at)).collect();
        let mut children = vec![Vec::new(); rows.len()];
        for (at, row) in rows.iter().enumerate() {
            if let Some(&parent) = row.parent.as_ref().and_then(|parent| by_id.get(parent)) {
                children[parent].push(at);
            }
        }
        Self { rows, children, by_id }
    }

    /// The figures of the office `id`; none when it is not in this part of the tree.
    pub(crate) fn figures(&self, id: &str, rules: Option<&Rules>) -> Option<Figures> {
        self.by_id.get(id).map(|&at| self.figures_at(at, rules))
    }

    fn own(&self, at: usize) -> Figures {
        let row = &self.rows[at];
        let count = |count: Option<i64>| u64::try_from(count.unwrap_or(0)).unwrap_or(0);
        Figures {
            score: row.score.map(Points),
            letter: row.letter.as_deref().and_then(letter_read),
            on_spot: row.on_spot.map(Points),
            expected: count(row.expected),
            covered: count(row.covered),
            below: 0,
        }
    }

    /// The tree has no circles: an office is made below one that exists, and never moved.
    fn figures_at(&self, at: usize, rules: Option<&Rules>) -> Figures {
        let own = self.own(at);
        if self.children[at].is_empty() {
            return own;
        }
        let mut parts: Vec<Figures> = self.children[at].iter().map(|&child| self.figures_at(child, rules)).collect();
        let below = parts.iter().map(|part| part.below + 1).sum();
        parts.push(own);
        let child = |part: &Figures| Child {
            score: part.score.unwrap_or(Points::ZERO),
            letter: part.letter,
            machines: part.expected,
        };
        let whole = rules.map(|rules| grade_parent(rules, parts.iter().map(child)));
        let (mut sum, mut weight) = (0_i128, 0_i128);
        for part in &parts {
            if let Some(on_spot) = part.on_spot {
                sum += i128::from(on_spot.0) * i128::from(part.expected);
                weight += i128::from(part.expected);
            }
        }
        Figures {
            score: whole.and_then(|whole| whole.score),
            letter: whole.and_then(|whole| whole.letter()),
            on_spot: (weight > 0).then(|| Points(i64::try_from(sum.div_euclid(weight)).unwrap_or(0))),
            expected: parts.iter().map(|part| part.expected).sum(),
            covered: parts.iter().map(|part| part.covered).sum(),
            below,
        }
    }

    /// Every office as a row, those that need a look first.
    pub(crate) fn all(&self, rules: Option<&Rules>, t: Words, n: &Numbers) -> Vec<OfficeRow> {
        let mut rows: Vec<OfficeRow> = (0..self.rows.len()).map(|at| self.row(at, true, rules, t, n)).collect();
        // A stable sort: names stay in order among equals.
        rows.sort_by_key(|row| row.order);
        rows
    }

    /// The offices directly below `id` as rows.
    pub(crate) fn children(&self, id: &str, rules: Option<&Rules>, t: Words, n: &Numbers) -> Vec<OfficeRow> {
        let Some(&at) = self.by_id.get(id) else { return Vec::new() };
        let mut rows: Vec<OfficeRow> =
            self.children[at].iter().map(|&child| self.row(child, false, rules, t, n)).collect();
        rows.sort_by_key(|row| row.order);
        rows
    }

    fn row(&self, at: usize, with_above: bool, rules: Option<&Rules>, t: Words, n: &Numbers) -> OfficeRow {
        let row = &self.rows[at];
        let figures = self.figures_at(at, rules);
        let letter = figures.letter;
        let score = figures.score.filter(|_| figures.expected > 0);
        let above = row.parent.as_ref().filter(|_| with_above).and_then(|parent| self.by_id.get(parent));
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
            above: above.map_or_else(String::new, |&above| visible(&self.rows[above].name, 120)),
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
}
