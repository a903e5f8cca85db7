//! What every handler may use: built once at start, the same in tests. Owns no behaviour.

use std::ops::Deref;
use std::sync::Arc;

use crate::clock::Clock;
use crate::config::Config;

/// The state of the server, cheap to clone.
#[derive(Clone, Debug)]
pub struct App(Arc<State>);

/// The parts of [`App`].
#[derive(Debug)]
pub struct State {
    /// `server.toml`, checked.
    pub config: Config,
    /// The only source of the time.
    pub clock: Clock,
}

impl App {
    /// Puts the parts together.
    pub fn new(state: State) -> Self {
        Self(Arc::new(state))
    }
}

impl Deref for App {
    type Target = State;

    fn deref(&self) -> &State {
        &self.0
    }
}
