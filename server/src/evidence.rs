//! What the evidence log is made of: what a leaf says ([`leaf`]) and who signs ([`signer`]). Owns no SQL: leaves are appended by
//! `store` when a transaction commits.

pub mod leaf;
pub mod signer;

pub use leaf::{Leaf, Subject};
pub use signer::{Kept, Signer};
