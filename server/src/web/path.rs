//! Where an office stands in the tree, as links from the top of the reader's part of it.

use policies::text::visible;

use crate::store::{Scope, StoreResult, Tx};

/// One office on the way.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    /// Its id.
    pub(crate) id: String,
    /// Its name, made safe.
    pub(crate) name: String,
}

/// The way to `office`, itself included.
pub(crate) async fn path_find(tx: &mut Tx, scope: &Scope, office: &str) -> StoreResult<Vec<Step>> {
    let offices = tx.office_path(scope, office).await?;
    Ok(offices.into_iter().map(|office| Step { name: visible(&office.name, 120), id: office.id }).collect())
}
