//! Being asked to stop: Ctrl-C, SIGTERM, or the terminal going away.

use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};

/// Whether this program was asked to stop.
#[derive(Debug)]
pub struct Stop(Receiver<()>);

impl Stop {
    /// Starts listening for signals; from now on they no longer end the program by themselves.
    ///
    /// # Errors
    /// The system refuses to hand over the signals.
    pub fn listen() -> anyhow::Result<Self> {
        let (sender, receiver) = channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        let (mut interrupt, mut terminate, mut hangup) = {
            let _inside = runtime.enter();
            let listen = |kind| signal(kind).context("cannot listen for signals");
            (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?, listen(SignalKind::hangup())?)
        };
        std::thread::spawn(move || {
            runtime.block_on(async move {
                loop {
                    tokio::select! {
                        _ = interrupt.recv() => {}
                        _ = terminate.recv() => {}
                        _ = hangup.recv() => {}
                    }
                    if sender.send(()).is_err() {
                        return;
                    }
                }
            });
        });
        Ok(Self(receiver))
    }

    /// True if a stop was requested since the last call.
    pub fn asked(&self) -> bool {
        self.0.try_recv().is_ok()
    }

    /// Waits at most `patience`; true if a stop was requested.
    pub fn wait(&self, patience: Duration) -> bool {
        match self.0.recv_timeout(patience) {
            Ok(()) | Err(RecvTimeoutError::Disconnected) => true,
            Err(RecvTimeoutError::Timeout) => false,
        }
    }
}
