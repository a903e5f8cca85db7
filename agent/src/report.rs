//! The path of a report: the observation, the text and digest of each section, the signed chain, the spool, delivery and receipts.
//! May use `identity` (the key that signs) and `state`.

pub(crate) mod chain;
pub(crate) mod delivery;
pub(crate) mod draft;
pub(crate) mod journal;
pub(crate) mod observation;
pub(crate) mod receipts;
pub(crate) mod sections;
pub(crate) mod spool;
