//! How the judge sees a fact without knowing its Rust type: a [`Kind`] at reading time of a policy, a [`Value`] at judging time.

use super::{Fact, Gap, Instant, List, Unknown};

/// What a fact can hold; known when a policy is read, so that a comparison that can never hold is refused there.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// Yes or no.
    Bool,
    /// A whole number.
    Integer(Unit),
    /// Free text from the machine: hostile.
    Text,
    /// A point in time.
    Instant,
    /// One of a fixed set.
    Choice(&'static [ChoiceItem]),
    /// A list of texts, numbers or records.
    List(&'static Self),
    /// A record with named fields; only inside a list.
    Record(&'static [Field]),
}

/// The unit of a whole number, for the words around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A bare number.
    Count,
    /// Seconds.
    Seconds,
    /// Days.
    Days,
    /// Mebibytes.
    Mebibytes,
    /// Milliseconds.
    Milliseconds,
}

/// One value of a choice with the words a person reads.
#[derive(Clone, Copy, Debug)]
pub struct ChoiceItem {
    /// The word in policies and on the wire.
    pub code: &'static str,
    /// Vietnamese.
    pub vi: &'static str,
    /// English.
    pub en: &'static str,
}

/// The description of one fact, or of one field of a record.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// The name in policies and on the wire, without its section.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// Vietnamese label.
    pub vi: &'static str,
    /// English label.
    pub en: &'static str,
    /// True when it says something about a person (a name, a habit): marked wherever facts are shown.
    pub personal: bool,
    /// Where the product cannot read it.
    pub gaps: &'static [Gap],
    /// The doc comment: meaning, unit, example.
    pub doc: &'static str,
}

impl Field {
    /// True when it, or a part of it, is personal.
    pub fn tells_of_people(&self) -> bool {
        self.personal || self.kind.tells_of_people()
    }
}

impl Kind {
    fn tells_of_people(&self) -> bool {
        match self {
            Self::List(item) => item.tells_of_people(),
            Self::Record(fields) => fields.iter().any(Field::tells_of_people),
            _ => false,
        }
    }
}

/// A fact's value as the judge sees it.
#[derive(Clone, Debug)]
pub enum Value<'a> {
    /// Not known.
    Unknown(&'a Unknown),
    /// Yes or no.
    Bool(bool),
    /// A whole number in the unit of its kind.
    Integer(i64),
    /// Text from the machine.
    Text(&'a str),
    /// A point in time.
    Instant(Instant),
    /// The code of a choice.
    Choice(&'static ChoiceItem),
    /// A list and how many items were left out of it.
    List(Vec<Self>, u32),
    /// A record.
    Record(&'a dyn Record),
}

/// A record whose fields can be asked for by position.
pub trait Record: std::fmt::Debug + Send + Sync {
    /// The descriptions, in order.
    fn fields(&self) -> &'static [Field];
    /// The value of the field at `index` of [`Record::fields`]; panics when out of range, which a read policy cannot ask for.
    fn value(&self, index: usize) -> Value<'_>;
}

/// A type that can be used as a fact or as a field of a record.
pub trait Facet {
    /// What it holds.
    const KIND: Kind;
    /// The value as the judge sees it.
    fn facet(&self) -> Value<'_>;
    /// Makes a known [`Fact`] unknown, or with a `path` those that it leads to within.
    fn forget(&mut self, _path: &str, _why: &Unknown) {}
}

impl Facet for bool {
    const KIND: Kind = Kind::Bool;
    fn facet(&self) -> Value<'_> {
        Value::Bool(*self)
    }
}

impl Facet for i64 {
    const KIND: Kind = Kind::Integer(Unit::Count);
    fn facet(&self) -> Value<'_> {
        Value::Integer(*self)
    }
}

impl Facet for String {
    const KIND: Kind = Kind::Text;
    fn facet(&self) -> Value<'_> {
        Value::Text(self)
    }
}

impl Facet for Instant {
    const KIND: Kind = Kind::Instant;
    fn facet(&self) -> Value<'_> {
        Value::Instant(*self)
    }
}

impl<T: Facet> Facet for Fact<T> {
    const KIND: Kind = T::KIND;
    fn facet(&self) -> Value<'_> {
        match self {
            Self::Known(value) => value.facet(),
            Self::Unknown(unknown) => Value::Unknown(unknown),
        }
    }
    fn forget(&mut self, path: &str, why: &Unknown) {
        match self {
            Self::Known(value) if !path.is_empty() => value.forget(path, why),
            Self::Known(_) => *self = Self::Unknown(why.clone()),
            // It already has its own reason.
            Self::Unknown(_) => {}
        }
    }
}

impl<T: Facet> Facet for List<T> {
    const KIND: Kind = Kind::List(&T::KIND);
    fn facet(&self) -> Value<'_> {
        Value::List(self.items.iter().map(Facet::facet).collect(), self.left_out)
    }
    fn forget(&mut self, path: &str, why: &Unknown) {
        self.items.iter_mut().for_each(|item| item.forget(path, why));
    }
}

/// A whole number with a unit, distinguished by type so that the words come out right.
macro_rules! quantity {
    ($(#[$doc:meta])* $name:ident, $unit:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl Facet for $name {
            const KIND: Kind = Kind::Integer($unit);
            fn facet(&self) -> Value<'_> {
                Value::Integer(self.0)
            }
        }
    };
}

quantity!(/** Seconds. */ Seconds, Unit::Seconds);
quantity!(/** Days. */ Days, Unit::Days);
quantity!(/** Mebibytes. */ Mebibytes, Unit::Mebibytes);
quantity!(/** Milliseconds. */ Milliseconds, Unit::Milliseconds);
