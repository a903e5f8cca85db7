//! How ingest hands evidence to the judge, and the facts it keeps in memory so that an unchanged machine costs no reading.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use policies::fact::Facts;
use protocol::Digest;

use super::recent::Recent;
use crate::store::machine::Role;
use crate::store::outbox::NewEvent;
use crate::store::section::Sections;
use crate::store::{StoreResult, Tx};

/// The newest evidence of one machine, about to be committed.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// The machine's id.
    pub machine: String,
    /// Its office's id.
    pub office: String,
    /// Its role.
    pub role: Role,
    /// What is known of it.
    pub facts: Arc<Facts>,
    /// The version of the facts' meaning that its agent reads by.
    pub schema: u32,
    /// The version that it read by before this; the same when this is the first report.
    pub schema_before: u32,
    /// When each section was observed and received.
    pub sections: Sections,
}

/// What a judge returns: the events to publish.
pub type Judging<'a> = Pin<Box<dyn Future<Output = StoreResult<Vec<NewEvent>>> + Send + 'a>>;

/// Judges evidence within the transaction that stores it.
pub trait Judge: std::fmt::Debug + Send + Sync {
    /// The address of the policy in force; `None` while there is none.
    fn policy(&self) -> Option<Digest>;

    /// Judges each machine and writes outcomes, changes and summaries through `tx`, which the caller commits.
    fn judge<'a>(&'a self, tx: &'a mut Tx, evidence: &'a [Evidence], now: i64) -> Judging<'a>;
}

/// Facts of the machines that were judged last. An entry is used only for exactly the digests and the version it was made from, so several
/// servers may keep their own.
#[derive(Debug)]
pub(super) struct FactsKept(Recent<Kept>);

impl Default for FactsKept {
    fn default() -> Self {
        Self(Recent::new(Self::MOST))
    }
}

#[derive(Debug)]
struct Kept {
    digests: BTreeMap<String, Digest>,
    /// The version of the facts' meaning they were read by: for an older one, some facts were dropped.
    schema: u32,
    facts: Arc<Facts>,
}

impl FactsKept {
    /// Machines whose facts are kept.
    const MOST: usize = 4096;

    /// Takes the facts of a machine out, if they were made from the sections `before`, read by `schema`.
    pub(super) fn take(&mut self, machine: &str, schema: u32, before: &Sections) -> Option<Arc<Facts>> {
        let kept = self.0.take(machine)?;
        let same = kept.schema == schema
            && kept.digests.len() == before.0.len()
            && kept.digests.iter().zip(&before.0).all(|(kept, (name, state))| kept == (name, &state.digest));
        same.then_some(kept.facts)
    }

    /// Stores the facts of a machine that were made from `sections`.
    pub(super) fn put(&mut self, machine: &str, schema: u32, sections: &Sections, facts: Arc<Facts>) {
        self.0.put(machine.to_owned(), Kept { digests: digests(sections), schema, facts });
    }
}

fn digests(sections: &Sections) -> BTreeMap<String, Digest> {
    sections.0.iter().map(|(name, state)| (name.clone(), state.digest)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::section::SectionState;

    #[test]
    fn facts_are_believed_only_for_the_digests_they_were_made_from() {
        let sections = |text: &[u8]| {
            let state = SectionState { digest: Digest::of(text), observed_at: 1, received_at: 1, known: true };
            Sections(BTreeMap::from([("lan".to_owned(), state)]))
        };
        let mut kept = FactsKept::default();
        kept.put("m", 2, &sections(b"one"), Arc::default());
        assert!(kept.take("m", 2, &sections(b"other")).is_none());
        kept.put("m", 2, &sections(b"one"), Arc::default());
        assert!(kept.take("m", 2, &sections(b"one")).is_some());
        kept.put("m", 1, &sections(b"one"), Arc::default());
        assert!(kept.take("m", 2, &sections(b"one")).is_none(), "some of it was forgotten");
    }
}
