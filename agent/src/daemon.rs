//! The running agent: its state between start and end, and the two ways of driving it: a single check ([`once`]) and the loop ([`run`])
//! with its schedule and watches. May use everything but the command line, `install` and `airgap`.

pub(crate) mod agent_state;
pub(crate) mod debounce;
pub(crate) mod exchange;
pub(crate) mod once;
pub(crate) mod renew;
pub(crate) mod run;
pub(crate) mod schedule;
pub(crate) mod watch;
