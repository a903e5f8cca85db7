//! Extracts from the source of all controls the part meant for one role, in the form of that role's control file. Does not
//! interpret it: the reader of control files does that with the result.

use std::borrow::Cow;

use toml::Spanned;
use toml::de::{DeArray, DeString, DeTable, DeValue};

use super::Role;
use super::source::Source;
use super::table::{Node, text, unknown_value};
use crate::text;

/// The file with the controls of all roles.
pub const CONTROLS_FILE: &str = "level-2-controls.toml";

/// Whom a control may be meant for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whom {
    /// The machines of a role.
    Machines(Role),
    /// An office as a whole.
    Office,
}

impl Whom {
    /// All of them.
    pub(super) const ALL: [Self; 3] = [Self::Machines(Role::Workstation), Self::Machines(Role::Server), Self::Office];

    /// The word in files.
    pub(super) const fn code(self) -> &'static str {
        match self {
            Self::Machines(role) => role.code(),
            Self::Office => "office",
        }
    }

    /// The part of `whole`, the parsed source, meant for these. For an office that is controls only: they have no file of their own.
    pub(super) fn part<'t>(self, source: &Source<'t>, whole: &Spanned<DeTable<'t>>) -> Spanned<DeTable<'t>> {
        let mut part = whole.clone();
        self.keep(source, part.get_mut());
        part
    }

    fn keep<'t>(self, source: &Source<'_>, entries: &mut DeTable<'t>) {
        for (key, node) in entries.iter_mut() {
            let control = key.get_ref() == "control";
            if !control && self == Self::Office {
                continue;
            }
            self.keep_of(source, key.get_ref(), node);
            if let DeValue::Array(controls) = node.get_mut()
                && control
            {
                for control in controls.iter_mut() {
                    if let DeValue::Table(entries) = control.get_mut() {
                        entries.iter_mut().for_each(|(key, node)| self.keep_of(source, key.get_ref(), node));
                    }
                }
            }
        }
        if !entries.contains_key("for") {
            let key: DeString<'t> = Cow::Borrowed("for");
            let whom = DeValue::String(Cow::Borrowed(self.code()));
            entries.insert(Spanned::new(0..0, key), Spanned::new(0..0, whom));
        }
    }

    /// Keeps the part of the value of `key` that is meant for these. If the key takes one value, a list holds one for each role.
    fn keep_of<'t>(self, source: &Source<'_>, key: &str, node: &mut Node<'t>) {
        let span = node.span();
        let DeValue::Array(items) = node.get_mut() else { return };
        let all = std::mem::replace(items, DeArray::new()).into_iter();
        let mut kept: Vec<Node<'t>> = all.filter_map(|item| self.take(source, item, key == "control")).collect();
        if matches!(key, "control" | "clauses" | "fix") {
            *items = kept.into_iter().collect();
            return;
        }
        let count = kept.len();
        match kept.pop() {
            Some(item) if count == 1 => {
                *node = if matches!(key, "title" | "applies" | "require") { item } else { unwrapped(item) };
            }
            _ => {
                let whom = self.code();
                source.error(
                    &span,
                    text!(
                        "cần đúng một giá trị cho `{whom}`, nhưng có {count}",
                        "expected one value for `{whom}`, found {count}"
                    ),
                );
            }
        }
    }

    /// `item` without its `for`, or `None` if that names others. A control that names nobody is meant for machines.
    fn take<'t>(self, source: &Source<'_>, mut item: Node<'t>, control: bool) -> Option<Node<'t>> {
        let DeValue::Table(entries) = item.get_mut() else { return Some(item) };
        let Some(node) = entries.remove("for") else { return (!control || self != Self::Office).then_some(item) };
        let Some(code) = text(source, &node, 100) else { return Some(item) };
        let known = Self::ALL.iter().map(|whom| whom.code());
        if !known.clone().any(|known| known == code) {
            source.error(&node.span(), unknown_value(code, known));
        }
        (code == self.code()).then_some(item)
    }
}

/// The word or number of `{ is = ... }`.
fn unwrapped(mut item: Node<'_>) -> Node<'_> {
    match item.get_mut() {
        DeValue::Table(entries) if entries.len() == 1 => entries.remove("is").unwrap_or(item),
        _ => item,
    }
}
