//! The vocabulary of Trạm An: what can be known of a machine (`fact`), what should hold (`policy`), the verdict
//! (`evaluate`), what can be known of an office (`office`) and its grade (`grade`).
//!
//! This crate is pure. It reads no clock, no file and no network, so that the agent and the server judge the same
//! way and a stored fact can be judged again under another policy.

pub mod calendar;
pub mod evaluate;
pub mod fact;
pub mod grade;
pub mod office;
pub mod outcome;
pub mod phrase;
pub mod policy;
pub mod text;
