//! The part of the office tree a caller may see and change.

/// An office and everything below it, or the whole tree. Every method of the store that touches offices, machines or tokens
/// takes one; what lies outside does not exist for the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope(String);

impl Scope {
    /// The whole tree: for the server itself, its command line and people without an office.
    pub fn whole() -> Self {
        Self("*".to_owned())
    }

    /// The office `id` and everything below it.
    pub fn office(id: &str) -> Self {
        // An id is a UUID; anything else matches no row, and '*' in particular must not widen the scope.
        Self(if id == "*" { String::new() } else { id.to_owned() })
    }

    /// The scope of a person: `None` is the whole tree.
    pub fn of(office: Option<&str>) -> Self {
        office.map_or_else(Self::whole, Self::office)
    }

    /// True for the whole tree.
    pub fn is_whole(&self) -> bool {
        self.0 == "*"
    }

    /// The value that SQL compares with `office_within.ancestor`.
    pub(in crate::store) fn ancestor(&self) -> &str {
        &self.0
    }
}
