//! A console on Windows: Ctrl-C, the closing of its window and the end of the session as the wish to stop.

use std::io;

use tokio::signal::windows::{
    CtrlBreak, CtrlC, CtrlClose, CtrlShutdown, ctrl_break, ctrl_c, ctrl_close, ctrl_shutdown,
};

/// The wish to stop.
#[derive(Debug)]
pub struct Stop {
    interrupt: CtrlC,
    broken: CtrlBreak,
    closed: CtrlClose,
    shutdown: CtrlShutdown,
}

impl Stop {
    /// Listens from now on, instead of ending at once.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn listen() -> io::Result<Self> {
        Ok(Self { interrupt: ctrl_c()?, broken: ctrl_break()?, closed: ctrl_close()?, shutdown: ctrl_shutdown()? })
    }

    /// Waits for the wish.
    pub async fn asked(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.broken.recv() => {}
            _ = self.closed.recv() => {}
            _ = self.shutdown.recv() => {}
        }
    }
}

/// Who is told that the program is up or ending: nobody, a console needs no telling.
#[derive(Debug)]
pub struct Notifier;

impl Notifier {
    /// Nobody to tell.
    ///
    /// # Errors
    /// None; other systems have some.
    pub fn new(_named: Option<std::ffi::OsString>) -> io::Result<Self> {
        Ok(Self)
    }

    /// Nothing to say.
    pub fn ready(&self) {}

    /// Nothing to say.
    pub fn stopping(&self) {}
}
