//! The path to an office as links, from the top of the reader's scope.

use policies::text::visible;

use crate::store::office::Office;

/// One office on the path.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    /// Its id.
    pub(crate) id: String,
    /// Its name, made safe.
    pub(crate) name: String,
}

/// The offices on the path as links.
pub(crate) fn steps(offices: Vec<Office>) -> Vec<Step> {
    offices.into_iter().map(|office| Step { name: visible(&office.name, 120), id: office.id }).collect()
}
