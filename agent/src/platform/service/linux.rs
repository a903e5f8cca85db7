//! systemd: SIGTERM (and Ctrl-C) as the wish to stop, and the readiness protocol of `sd_notify(3)` over a datagram socket.

use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{ServiceEvent, StopReason};

/// Does `work` for whoever started the program; readiness is told where `NOTIFY_SOCKET` names somebody.
///
/// # Errors
/// Those of `work`, and when the named socket cannot be used.
pub fn attend(work: impl FnOnce(Manager) -> anyhow::Result<()> + Send + 'static) -> anyhow::Result<()> {
    work(Manager::new(std::env::var_os("NOTIFY_SOCKET"))?)
}

/// Whoever started the program; readiness is told nowhere when nobody asked.
#[derive(Debug)]
pub struct Manager {
    to: Option<(UnixDatagram, SocketAddr)>,
}

impl Manager {
    /// The socket that `NOTIFY_SOCKET` names: a path, or a name beginning with `@` that is no file.
    ///
    /// # Errors
    /// When there is such a name and it cannot be used.
    pub fn new(named: Option<std::ffi::OsString>) -> io::Result<Self> {
        let Some(name) = named.filter(|name| !name.is_empty()) else { return Ok(Self { to: None }) };
        let address = match name.as_bytes().strip_prefix(b"@") {
            Some(name) => SocketAddr::from_abstract_name(name)?,
            None => SocketAddr::from_pathname(&name)?,
        };
        Ok(Self { to: Some((UnixDatagram::unbound()?, address)) })
    }

    /// True when nobody sees the program's standard error: never, the journal keeps it.
    pub fn is_service(&self) -> bool {
        false
    }

    /// Listens for wishes from now on, instead of ending at once; within a runtime.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn service_events(&mut self) -> io::Result<ServiceEvents> {
        Ok(ServiceEvents { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Says that the service is up.
    pub fn ready(&self) {
        self.say("READY=1");
    }

    /// Says that the service is ending.
    pub fn stopping(&self) {
        self.say("STOPPING=1");
    }

    fn say(&self, words: &str) {
        if let Some((socket, address)) = &self.to
            && let Err(error) = socket.send_to_addr(words.as_bytes(), address)
        {
            tracing::warn!(%error, words, "the service manager could not be told");
        }
    }
}

/// The wishes of whoever started the program.
#[derive(Debug)]
pub struct ServiceEvents {
    terminate: Signal,
    interrupt: Signal,
}

impl ServiceEvents {
    /// Waits for the next wish.
    pub async fn next(&mut self) -> ServiceEvent {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
        ServiceEvent::Stop(StopReason::Asked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(socket: &UnixDatagram) -> String {
        socket.set_read_timeout(Some(std::time::Duration::from_secs(30))).unwrap();
        let mut buffer = [0; 64];
        let length = socket.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    }

    #[test]
    fn readiness_is_told_to_a_path_and_to_an_abstract_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        let manager = Manager::new(Some(path.into_os_string())).unwrap();
        manager.ready();
        manager.stopping();
        assert_eq!((heard(&socket), heard(&socket)), ("READY=1".to_owned(), "STOPPING=1".to_owned()));

        let name = format!("tram-an-test-{}", std::process::id());
        let socket = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        Manager::new(Some(format!("@{name}").into())).unwrap().ready();
        assert_eq!(heard(&socket), "READY=1");
    }

    #[test]
    fn nobody_asked_is_no_error() {
        Manager::new(None).unwrap().ready();
        Manager::new(Some("".into())).unwrap().stopping();
    }
}
