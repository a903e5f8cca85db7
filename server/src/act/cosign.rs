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
    let mut kept = tx.log_checkpoint_of(checkpoint).await?.unwrap_or_else(|| note.clone());
    let own = db.log_signer()?.line(&kept, checkpoint.origin.epoch).cloned().ok_or(CosignError::Unsigned)?;
    // The server's own line comes first, then those of witnesses; a newer one replaces an older one.
    kept.signatures.retain(|line| !lines.iter().any(|new| (&new.name, new.id) == (&line.name, line.id)));
    // Some signatures of the server are as long as a cosignature.
    kept.signatures.retain(|line| line.name != own.name && cosignature::time(line).is_some());
    kept.signatures.insert(0, own);
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

#[cfg(test)]
mod tests {
    use data_encoding::BASE64;
    use ring::signature::{Ed25519KeyPair, KeyPair};

    use super::*;
    use crate::audit::{Actor, Change};
    use crate::store::Scope;
    use crate::store::test_database::on_both;

    on_both! {
        /// Whoever reads only the first line, as a leaf about a checkpoint does, finds the server's.
        async fn the_servers_line_stands_first_wherever_the_file_has_it(test_database: &TestDatabase) {
            let db = &test_database.db;
            let mut tx = db.write().await.unwrap();
            tx.audit_append(1, &Change::new(Actor::Program, Action::TokenMade, None, "1")).await.unwrap();
            tx.commit().await.unwrap();
            let mut note = db.read().await.unwrap().log_checkpoint().await.unwrap().unwrap();
            let own = note.signatures[0].clone();
            let checkpoint = test_database.signer.verify(&note).unwrap();
            let by = By::person("lan", Scope::whole(), 2);
            for (seed, name) in [(1, "police.example/w1"), (2, "province.example/w2"), (1, "police.example/w1")] {
                let pair = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap();
                let key = NoteKey::witness(name, pair.public_key().as_ref().try_into().unwrap()).unwrap();
                let id = key.to_string().split('+').nth(1).unwrap().to_owned();
                let id = data_encoding::HEXLOWER.decode(id.as_bytes()).unwrap();
                let time = 1_796_000_000_u64;
                let signed = pair.sign(cosignature::message(time, &note.text).as_bytes());
                let bytes = [id.as_slice(), &time.to_be_bytes(), signed.as_ref()].concat();
                let line: Note = format!("{}\n— {name} {}\n", note.text, BASE64.encode(&bytes)).parse().unwrap();
                note.signatures.insert(0, line.signatures[0].clone());
                checkpoint_cosign(db, &by, &note, &checkpoint, &[key]).await.unwrap();
            }
            let kept = db.read().await.unwrap().log_checkpoint_of(&checkpoint).await.unwrap().unwrap();
            assert_eq!((kept.signatures.len(), &kept.signatures[0]), (3, &own));
            assert!(kept.signatures[1..].iter().all(|line| cosignature::time(line).is_some()));
        }
    }
}
