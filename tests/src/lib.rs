//! Tests of the whole product: starts the real programs as a person would and looks only at what they answer. Owns no rule of the product.
//!
//! [`quickstart`] is the first of the two commands of the README; the rest supports it, the stories in `tests/tests` and
//! the benchmarks. Nothing here reaches into the agent or the server: every step is one of their commands.

#[cfg(feature = "fake-agents")]
pub mod bench;
pub mod checkout;
pub mod debian;
#[cfg(feature = "fake-agents")]
pub mod fake_agent;
#[cfg(feature = "fuzz")]
pub mod fuzz;
pub mod linux;
pub mod postgres;
pub mod process;
pub mod quickstart;
pub mod relay;
pub mod small_disk;
pub mod test_agent;
pub mod test_server;
pub mod wait;
pub mod windows;
