//! The signed policy in use, the machine's result under it, and what the server last decided. May use `identity` (whose keys sign
//! policies) and `state`.

pub(crate) mod judgement;
pub(crate) mod last_answer;
pub(crate) mod notice;
pub(crate) mod store;
