//! The offices within a scope, each with the figures of its own machines and everything below it.

use std::collections::HashMap;

use policies::grade::{Colour, Figures, Grade, ParentGrade, Points, Rules};
use policies::policy::Letter;
use serde::Serialize;

use crate::store::grade::{GradeRow, letter_read};
use crate::store::office::OfficeKind;
use crate::store::{Scope, StoreResult, Tx};

/// An office below another, with the figures of everything below it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ChildView {
    /// The office.
    pub office: String,
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: OfficeKind,
    /// The score; `None` when it has no machine or was never graded.
    pub score: Option<Points>,
    /// The letter.
    pub letter: Option<Letter>,
    /// The colour.
    pub colour: Colour,
    /// Machines expected.
    pub expected: u64,
    /// Machines with fresh evidence.
    pub covered: u64,
}

/// A part of the office tree. Figures cover each office alone until they are rolled up.
#[derive(Clone, Debug)]
pub struct Tree {
    offices: Vec<Node>,
    by_id: HashMap<String, usize>,
}

#[derive(Clone, Debug)]
struct Node {
    row: GradeRow,
    /// Offices directly below, by position, in order of names.
    below: Vec<usize>,
    figures: Figures,
    whole: Option<ParentGrade>,
}

/// Reads the offices from `top` down (`*`: all within `scope`) as they were graded last, rolled up.
///
/// # Errors
/// When the database fails.
pub async fn tree_view(tx: &mut Tx, scope: &Scope, top: &str, rules: Option<&Rules>) -> StoreResult<Tree> {
    let mut tree = Tree::new(tx.office_grade_tree(scope, top).await?);
    tree.roll_up(rules);
    Ok(tree)
}

impl Tree {
    /// Arranges rows into a tree.
    pub(super) fn new(rows: Vec<GradeRow>) -> Self {
        let by_id: HashMap<String, usize> = rows.iter().enumerate().map(|(at, row)| (row.office.clone(), at)).collect();
        let mut offices: Vec<Node> = rows
            .into_iter()
            .map(|row| Node { figures: stored_figures(&row), row, below: Vec::new(), whole: None })
            .collect();
        for at in 0..offices.len() {
            if let Some(&above) = offices[at].row.parent.as_ref().and_then(|parent| by_id.get(parent)) {
                offices[above].below.push(at);
            }
        }
        Self { offices, by_id }
    }

    /// Puts the grade just made of an office's own machines in place of the stored one.
    pub(super) fn own_set(&mut self, id: &str, grade: &Grade) {
        if let Some(&at) = self.by_id.get(id) {
            self.offices[at].figures = Figures {
                score: Some(grade.score),
                letter: grade.letter(),
                on_spot: grade.on_spot,
                expected: grade.coverage.expected,
                covered: grade.coverage.covered,
                below: 0,
            };
        }
    }

    /// Rolls the figures up. Call once.
    pub(super) fn roll_up(&mut self, rules: Option<&Rules>) {
        for at in 0..self.offices.len() {
            if self.above(at).is_none() {
                self.roll_up_at(at, rules);
            }
        }
    }

    /// The tree has no cycles: an office is made below one that exists, and never moved.
    fn roll_up_at(&mut self, at: usize, rules: Option<&Rules>) {
        let below = self.offices[at].below.clone();
        for &child in &below {
            self.roll_up_at(child, rules);
        }
        let parts: Vec<Figures> = below.iter().map(|&child| self.offices[child].figures).collect();
        let office = &mut self.offices[at];
        (office.figures, office.whole) = office.figures.roll_up(&parts, rules);
    }

    fn above(&self, at: usize) -> Option<usize> {
        self.offices[at].row.parent.as_ref().and_then(|parent| self.by_id.get(parent)).copied()
    }

    /// The grade of an office together with everything below it; `None` when nothing is below.
    pub(super) fn whole(&self, id: &str) -> Option<ParentGrade> {
        self.by_id.get(id).and_then(|&at| self.offices[at].whole)
    }

    /// The figures of an office; `None` when it is not in this part of the tree.
    pub fn figures(&self, id: &str) -> Option<Figures> {
        self.by_id.get(id).map(|&at| self.offices[at].figures)
    }

    /// Every office by name, with the name of its parent if that is in this part of the tree.
    pub fn all(&self) -> impl Iterator<Item = (&GradeRow, Figures, Option<&str>)> {
        self.offices.iter().enumerate().map(|(at, office)| {
            let above = self.above(at).map(|above| self.offices[above].row.name.as_str());
            (&office.row, office.figures, above)
        })
    }

    /// The offices directly below `id`, by name.
    pub fn below(&self, id: &str) -> impl Iterator<Item = (&GradeRow, Figures)> {
        let below = self.by_id.get(id).map_or(&[][..], |&at| self.offices[at].below.as_slice());
        below.iter().map(|&child| (&self.offices[child].row, self.offices[child].figures))
    }

    /// The same for JSON output.
    pub(super) fn children(&self, id: &str) -> Vec<ChildView> {
        let child = |(row, figures): (&GradeRow, Figures)| ChildView {
            office: row.office.clone(),
            name: row.name.clone(),
            kind: row.kind,
            score: figures.score,
            letter: figures.letter,
            colour: Colour::of(figures.letter),
            expected: figures.expected,
            covered: figures.covered,
        };
        self.below(id).map(child).collect()
    }
}

fn stored_figures(row: &GradeRow) -> Figures {
    let count = |count: Option<i64>| count.and_then(|count| u64::try_from(count).ok()).unwrap_or(0);
    Figures {
        score: row.score.map(Points),
        letter: row.letter.as_deref().and_then(letter_read),
        on_spot: row.on_spot.map(Points),
        expected: count(row.expected),
        covered: count(row.covered),
        below: 0,
    }
}
