//! Adding what a witness (parent, police) signed to a checkpoint of the evidence log.

use protocol::log::note::{SIGNATURES, Signature};
use protocol::log::{Checkpoint, Note, NoteKey, cosignature};

use super::By;
use crate::audit::Action;
use crate::store::log::read::{Contradiction, KeptCheckpoint};
use crate::store::{Db, StoreError};

/// Why a cosignature is not added.
#[derive(Debug, thiserror::Error)]
pub enum CosignError {
    /// It is of another log than this: somebody should look.
    #[error("the log and this checkpoint contradict each other: {0:?}")]
    Contradiction(Contradiction),
    /// None of the named witnesses signed it.
    #[error("none of the named witnesses cosigned it")]
    Unsigned,
    /// More would make a note that nobody reads.
    #[error("a checkpoint has at most {SIGNATURES} signatures")]
    TooMany,
    /// A signature of a named witness does not fit.
    #[error(transparent)]
    Wrong(#[from] protocol::log::key::NotSigned),
    /// The database failed, or the log was not opened.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// One witness of a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Witness {
    /// The name of its key.
    pub name: String,
    /// When it cosigned, in seconds since 1970.
    pub time: u64,
}

/// Keeps with `checkpoint`, read from `note` and signed by this server, the cosignatures in it by these witnesses' keys.
///
/// # Errors
/// The log does not continue the checkpoint, no named witness signed it, or the database fails.
pub async fn checkpoint_cosign(
    db: &Db,
    by: &By,
    note: &Note,
    checkpoint: &Checkpoint,
    keys: &[NoteKey],
) -> Result<Vec<Witness>, CosignError> {
    let mut lines = Vec::new();
    for key in keys {
        match key.verify(note) {
            Ok(line) => lines.push(line.clone()),
            Err(protocol::log::key::NotSigned::Absent(_)) => {}
            Err(wrong) => return Err(wrong.into()),
        }
    }
    let witness = |line: &Signature| Some(Witness { name: line.name.clone(), time: cosignature::time(line)? });
    let witnesses: Vec<Witness> = lines.iter().filter_map(witness).collect();
    if witnesses.is_empty() {
        return Err(CosignError::Unsigned);
    }
    let mut tx = db.write().await?;
    if let Err(contradiction) = tx.log_compare(checkpoint).await? {
        return Err(CosignError::Contradiction(contradiction));
    }
    let origin = db.log_signer()?.origin(checkpoint.origin.epoch).to_string();
    let mut kept = tx.log_checkpoint_of(checkpoint).await?.unwrap_or_else(|| note.clone());
    // Only the server's own line and lines of named witnesses are kept; a newer one replaces an older one.
    kept.signatures.retain(|line| !lines.iter().any(|new| (&new.name, new.id) == (&line.name, line.id)));
    let known = |line: &Signature| line.name == origin || cosignature::time(line).is_some();
    kept.signatures.retain(known);
    kept.signatures.extend(lines);
    if kept.signatures.len() > SIGNATURES {
        return Err(CosignError::TooMany);
    }
    let (epoch, size) = (checkpoint.origin.epoch.cast_signed(), checkpoint.size.cast_signed());
    tx.log_checkpoint_put(&KeptCheckpoint { epoch, size, made_at: by.at, note: kept.to_string() }).await?;
    let names: Vec<&str> = witnesses.iter().map(|witness| witness.name.as_str()).collect();
    let change = by.change(Action::LogCosigned, None, names.join(" ")).with("epoch", epoch).with("size_leaves", size);
    by.conclude(tx, &change, &[]).await?;
    Ok(witnesses)
}
