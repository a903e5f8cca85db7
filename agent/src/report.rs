//! The way of a report: what was observed, the text and digest of each section, the signed chain, the spool, delivery and receipts.
//! May use `identity` (the key that signs) and `state`.

pub mod chain;
pub mod delivery;
pub mod draft;
pub mod observation;
pub mod receipts;
pub mod sections;
pub mod spool;
