//! Where an office stands in the tree, as links from the top of the reader's part of it.

use policies::text::visible;

use crate::store::office::Office;

/// One office on the way.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    /// Its id.
    pub(crate) id: String,
    /// Its name, made safe.
    pub(crate) name: String,
}

/// The offices on the way as links.
pub(crate) fn steps(offices: Vec<Office>) -> Vec<Step> {
    offices.into_iter().map(|office| Step { name: visible(&office.name, 120), id: office.id }).collect()
}
