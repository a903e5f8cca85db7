//! The signed policy in use, the machine's result by it, and what the server last decided. May use `identity` (whose keys sign policies)
//! and `state`.

pub mod judgement;
pub mod notice;
pub mod standing;
pub mod store;
