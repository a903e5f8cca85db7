//! The one table of the operators of the policy language: name, the kinds they are meant for, their operand and what they mean.
//! Reading, the schema for editors and the README's test all use this table.

use crate::fact::Kind;
use crate::text::Text;

/// A comparison of one fact, one field or one item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// Equal.
    Is,
    /// Not equal.
    IsNot,
    /// Equal to one of several.
    OneOf,
    /// Equal to none of several.
    NoneOf,
    /// A number not above the operand.
    AtMost,
    /// A number not below the operand.
    AtLeast,
    /// A text that begins with the operand.
    StartsWith,
    /// An instant in the past, at most a number of days ago.
    AtMostDaysAgo,
    /// An instant in the past, at least a number of days ago.
    AtLeastDaysAgo,
    /// An instant at most a number of days ahead; the past counts.
    AtMostDaysAhead,
    /// An instant at least a number of days ahead.
    AtLeastDaysAhead,
    /// Some item of a list meets a condition.
    Any,
    /// Every item of a list meets a condition.
    All,
    /// No item of a list meets a condition.
    None,
    /// How many items of a list meet a condition.
    Count,
}

/// What an operator is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// A value of the fact's own kind.
    Value,
    /// Several values of the fact's own kind.
    Values,
    /// A whole number.
    Number,
    /// A text.
    Text,
    /// A number of days, 0 or more.
    Days,
    /// A condition on each item.
    Condition,
    /// `{ where = condition, at_least | at_most | is = number }`.
    Counting,
}

impl Operator {
    /// All operators, in the order they are documented.
    pub const ALL: &'static [Self] = &[
        Self::Is,
        Self::IsNot,
        Self::OneOf,
        Self::NoneOf,
        Self::AtMost,
        Self::AtLeast,
        Self::StartsWith,
        Self::AtMostDaysAgo,
        Self::AtLeastDaysAgo,
        Self::AtMostDaysAhead,
        Self::AtLeastDaysAhead,
        Self::Any,
        Self::All,
        Self::None,
        Self::Count,
    ];

    /// The word in policies.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Is => "is",
            Self::IsNot => "is_not",
            Self::OneOf => "one_of",
            Self::NoneOf => "none_of",
            Self::AtMost => "at_most",
            Self::AtLeast => "at_least",
            Self::StartsWith => "starts_with",
            Self::AtMostDaysAgo => "at_most_days_ago",
            Self::AtLeastDaysAgo => "at_least_days_ago",
            Self::AtMostDaysAhead => "at_most_days_ahead",
            Self::AtLeastDaysAhead => "at_least_days_ahead",
            Self::Any => "any",
            Self::All => "all",
            Self::None => "none",
            Self::Count => "count",
        }
    }

    /// What it is compared with.
    pub const fn takes(self) -> Takes {
        match self {
            Self::Is | Self::IsNot => Takes::Value,
            Self::OneOf | Self::NoneOf => Takes::Values,
            Self::AtMost | Self::AtLeast => Takes::Number,
            Self::StartsWith => Takes::Text,
            Self::AtMostDaysAgo | Self::AtLeastDaysAgo | Self::AtMostDaysAhead | Self::AtLeastDaysAhead => Takes::Days,
            Self::Any | Self::All | Self::None => Takes::Condition,
            Self::Count => Takes::Counting,
        }
    }

    /// True when a value of `kind` can be compared with it.
    pub const fn suits(self, kind: Kind) -> bool {
        match self {
            Self::Is | Self::IsNot => matches!(kind, Kind::Bool | Kind::Integer(_) | Kind::Text | Kind::Choice(_)),
            Self::OneOf | Self::NoneOf => matches!(kind, Kind::Integer(_) | Kind::Text | Kind::Choice(_)),
            Self::AtMost | Self::AtLeast => matches!(kind, Kind::Integer(_)),
            Self::StartsWith => matches!(kind, Kind::Text),
            Self::AtMostDaysAgo | Self::AtLeastDaysAgo | Self::AtMostDaysAhead | Self::AtLeastDaysAhead => {
                matches!(kind, Kind::Instant)
            }
            Self::Any | Self::All | Self::None | Self::Count => matches!(kind, Kind::List(_)),
        }
    }

    /// What it means, for the schema: one sentence, English.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Is => "equal to the value",
            Self::IsNot => "not equal to the value",
            Self::OneOf => "equal to one of the values",
            Self::NoneOf => "equal to none of the values",
            Self::AtMost => "not above the number",
            Self::AtLeast => "not below the number",
            Self::StartsWith => "begins with the text, upper and lower case told apart",
            Self::AtMostDaysAgo => {
                "not longer ago than so many whole days of 24 hours; an instant over a day in the future makes the answer unknown"
            }
            Self::AtLeastDaysAgo => {
                "so many whole days of 24 hours ago or longer; an instant over a day in the future makes the answer unknown"
            }
            Self::AtMostDaysAhead => "so many days ahead or less; an instant in the past holds",
            Self::AtLeastDaysAhead => "so many days ahead or more; 0 means not yet past",
            Self::Any => "some item meets the condition; an empty list does not hold",
            Self::All => "every item meets the condition; an empty list holds",
            Self::None => "no item meets the condition; an empty list holds",
            Self::Count => "how many items meet the condition (all items without `where`); an empty list counts 0",
        }
    }
}

/// A kind as a policy's author knows it.
pub(crate) fn kind_text(kind: Kind) -> Text {
    let (vi, en) = match kind {
        Kind::Bool => ("true/false", "true/false"),
        Kind::Integer(_) => ("số nguyên", "a whole number"),
        Kind::Text => ("chuỗi", "a text"),
        Kind::Instant => ("thời điểm", "an instant"),
        Kind::Choice(_) => ("lựa chọn", "a choice"),
        Kind::List(_) => ("danh sách", "a list"),
        Kind::Record(_) => ("bản ghi", "a record"),
    };
    Text::new(vi, en)
}
