//! A condition on facts: comparisons joined by `all`, `any` and `not`. Valid once read: every name is resolved and every operand has
//! the kind of its subject.

pub(crate) mod read;
pub(crate) mod words;

use crate::fact::{ChoiceItem, Field, Kind, Section};

/// A condition. Its value is true, false or unknown (Kleene).
#[derive(Clone, Debug)]
pub enum Condition {
    /// Every part holds. Never empty.
    All(Vec<Self>),
    /// Some part holds. Never empty.
    Any(Vec<Self>),
    /// The part does not hold.
    Not(Box<Self>),
    /// A comparison.
    Test(Test),
}

/// One comparison.
#[derive(Clone, Debug)]
pub struct Test {
    /// What is compared.
    pub subject: Subject,
    /// The operator and its operand.
    pub matcher: Matcher,
}

/// The subject of a comparison.
#[derive(Clone, Copy, Debug)]
pub enum Subject {
    /// A fact, by its place in the facts.
    Fact {
        /// Its section.
        section: Section,
        /// Its position in the section.
        index: usize,
        /// Its description.
        field: &'static Field,
    },
    /// A field of the current list item.
    Field {
        /// Its position in the record.
        index: usize,
        /// Its description.
        field: &'static Field,
    },
    /// The current list item itself.
    Item(Kind),
}

impl Subject {
    /// What the subject holds.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Fact { field, .. } | Self::Field { field, .. } => field.kind,
            Self::Item(kind) => *kind,
        }
    }

    /// True when both have the same subject.
    pub(crate) fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Fact { section, index, .. }, Self::Fact { section: section2, index: index2, .. }) => {
                section == section2 && index == index2
            }
            (Self::Field { index, .. }, Self::Field { index: index2, .. }) => index == index2,
            (Self::Item(_), Self::Item(_)) => true,
            _ => false,
        }
    }
}

/// How a subject is compared. The operators' meaning is in [`super::Operator`].
#[derive(Clone, Debug)]
pub enum Matcher {
    /// `is`.
    Is(Operand),
    /// `is_not`.
    IsNot(Operand),
    /// `one_of`.
    OneOf(Vec<Operand>),
    /// `none_of`.
    NoneOf(Vec<Operand>),
    /// `at_most`, `at_least` on numbers.
    Number(Bound, i64),
    /// `starts_with`.
    StartsWith(String),
    /// `at_most_days_ago`, `at_least_days_ago`.
    DaysAgo(Bound, i64),
    /// `at_most_days_ahead`, `at_least_days_ahead`.
    DaysAhead(Bound, i64),
    /// `any` over a list.
    AnyItem(Box<Condition>),
    /// `all` over a list.
    AllItems(Box<Condition>),
    /// `none` over a list.
    NoItem(Box<Condition>),
    /// `count` over a list.
    Count {
        /// Which items are counted; all when `None`.
        filter: Option<Box<Condition>>,
        /// How the number is compared.
        bound: CountBound,
        /// The operand.
        number: i64,
    },
}

/// The side of a bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// The operand or less.
    AtMost,
    /// The operand or more.
    AtLeast,
}

/// How a number of items is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CountBound {
    /// The operand or less.
    AtMost,
    /// The operand or more.
    AtLeast,
    /// The operand.
    Is,
}

/// A value to compare with, of the kind of its subject.
#[derive(Clone, Debug)]
pub enum Operand {
    /// Yes or no.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// A text.
    Text(String),
    /// The code of a choice.
    Choice(&'static ChoiceItem),
}

impl Condition {
    /// Calls `visit` with every comparison, those on the items of lists included.
    pub fn visit<'c>(&'c self, visit: &mut impl FnMut(&'c Test)) {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().for_each(|part| part.visit(visit)),
            Self::Not(part) => part.visit(visit),
            Self::Test(test) => {
                visit(test);
                match &test.matcher {
                    Matcher::AnyItem(inner) | Matcher::AllItems(inner) | Matcher::NoItem(inner) => inner.visit(visit),
                    Matcher::Count { filter: Some(inner), .. } => inner.visit(visit),
                    _ => {}
                }
            }
        }
    }
}
