//! The grade of an office with others below it: the mean of its children weighted by machines, in whole millionths.

use serde::{Deserialize, Serialize};

use super::{Colour, LetterResult, NoLetter, Points, Rules, office};
use crate::policy::Letter;

/// What a parent needs to know of a child: an office below it, or its own machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Child {
    /// Its score.
    pub score: Points,
    /// Its letter, when it has one.
    pub letter: Option<Letter>,
    /// How many machines it is expected to have.
    pub machines: u64,
}

/// The grade of a parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParentGrade {
    /// The mean of the children's scores weighted by machines; `None` without any machine.
    pub score: Option<Points>,
    /// The letter of that mean, or why there is none.
    pub result: LetterResult,
    /// How many machines are in the mean.
    pub machines: u64,
    /// How many children have machines.
    pub children: u64,
    /// How many of these have a letter.
    pub with_letter: u64,
}

impl ParentGrade {
    /// The letter, when there is one.
    pub const fn letter(&self) -> Option<Letter> {
        self.result.letter()
    }

    /// The colour of the letter; grey without one.
    pub const fn colour(&self) -> Colour {
        Colour::of(self.letter())
    }
}

/// Grades a parent. Children without a letter count in the score all the same; when they hold so many machines that the rest
/// is less than the coverage the policy requires, the parent has no letter either: leaving offices undeclared must not pay.
pub fn grade_parent(rules: &Rules, children: impl IntoIterator<Item = Child>) -> ParentGrade {
    let (mut sum, mut machines, mut graded) = (0_i128, 0_u64, 0_u64);
    let (mut count, mut with_letter) = (0, 0);
    for child in children.into_iter().filter(|child| child.machines > 0) {
        sum += i128::from(child.score.0) * i128::from(child.machines);
        machines += child.machines;
        count += 1;
        if child.letter.is_some() {
            graded += child.machines;
            with_letter += 1;
        }
    }
    let score = sum.checked_div(i128::from(machines)).and_then(|mean| i64::try_from(mean).ok()).map(Points);
    let enough = graded * 100 >= machines * u64::from(rules.office.caps.coverage.under_percent);
    let result = match score {
        None => LetterResult::NoLetter { reason: NoLetter::NoMachine },
        Some(_) if !enough => LetterResult::NoLetter { reason: NoLetter::ChildrenWithout },
        Some(score) => {
            let letter = office::letter_by_score(rules, score);
            LetterResult::Letter { letter, by_score: letter }
        }
    };
    ParentGrade { score, result, machines, children: count, with_letter }
}

/// An office's figures in a list: for its own machines, or of these together with everything below it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// The score; `None` without any machine, or before the first grade.
    pub score: Option<Points>,
    /// The letter.
    pub letter: Option<Letter>,
    /// The score over what can be fixed on the spot; `None` when no such control applies.
    pub on_spot: Option<Points>,
    /// Machines expected.
    pub expected: u64,
    /// How many of these have fresh evidence.
    pub covered: u64,
    /// Offices below.
    pub below: u64,
}

impl Figures {
    /// The figures of an office's own machines together with those of the offices directly below it, and the grade of everything. Without
    /// offices below there is no combined grade, without `rules` no score.
    pub fn roll_up(self, below: &[Self], rules: Option<&Rules>) -> (Self, Option<ParentGrade>) {
        if below.is_empty() {
            return (self, None);
        }
        let parts = || below.iter().chain([&self]);
        let child = |part: &Self| Child {
            score: part.score.unwrap_or(Points::ZERO),
            letter: part.letter,
            machines: part.expected,
        };
        let whole = rules.map(|rules| grade_parent(rules, parts().map(child)));
        let (mut sum, mut weight) = (0_i128, 0_i128);
        for (on_spot, expected) in parts().filter_map(|part| Some((part.on_spot?, part.expected))) {
            sum += i128::from(on_spot.0) * i128::from(expected);
            weight += i128::from(expected);
        }
        let on_spot = sum.checked_div(weight).and_then(|mean| i64::try_from(mean).ok()).map(Points);
        let figures = Self {
            score: whole.and_then(|whole| whole.score),
            letter: whole.and_then(|whole| whole.letter()),
            on_spot,
            expected: parts().map(|part| part.expected).sum(),
            covered: parts().map(|part| part.covered).sum(),
            below: below.iter().map(|part| part.below + 1).sum(),
        };
        (figures, whole)
    }
}
