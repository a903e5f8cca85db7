//! The agent at work: its state between start and end, and the two ways of driving it, one check ([`once`]) and the loop ([`run`]) with
//! its schedule and watches. May use everything but the command line, `install` and `airgap`.

pub mod debounce;
pub mod exchange;
pub mod once;
pub mod renew;
pub mod run;
pub mod schedule;
pub mod station;
pub mod watch;
