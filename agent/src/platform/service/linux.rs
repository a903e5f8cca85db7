//! systemd: SIGTERM (and Ctrl-C) as the request to stop, and the readiness protocol of `sd_notify(3)` over a datagram
//! socket.

use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{ServiceEvent, StopReason};

/// Runs `work` under the service manager or console; readiness is sent to the socket in `NOTIFY_SOCKET`, if set.
///
/// # Errors
/// The error of `work`, or when the named socket cannot be used.
pub fn attend(work: impl FnOnce(Manager) -> anyhow::Result<()> + Send + 'static) -> anyhow::Result<()> {
    work(Manager::new(std::env::var_os("NOTIFY_SOCKET"))?)
}

/// The service manager or console that started the program; without a socket no messages are sent.
#[derive(Debug)]
pub struct Manager {
    to: Option<(UnixDatagram, SocketAddr)>,
}

impl Manager {
    /// Connects to the socket named in `NOTIFY_SOCKET`: a path, or an abstract name beginning with `@`.
    ///
    /// # Errors
    /// When there is a name and it cannot be used.
    pub fn new(named: Option<std::ffi::OsString>) -> io::Result<Self> {
        let Some(name) = named.filter(|name| !name.is_empty()) else { return Ok(Self { to: None }) };
        let address = match name.as_bytes().strip_prefix(b"@") {
            Some(name) => SocketAddr::from_abstract_name(name)?,
            None => SocketAddr::from_pathname(&name)?,
        };
        Ok(Self { to: Some((UnixDatagram::unbound()?, address)) })
    }

    /// True when nobody sees the program's standard error: never here, because the journal keeps it.
    pub fn is_service(&self) -> bool {
        false
    }

    /// From now on, receives signals as events instead of ending at once; call within a runtime.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn service_events(&mut self) -> io::Result<ServiceEvents> {
        Ok(ServiceEvents { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Tells the manager that the service is up.
    pub fn ready(&self) {
        self.say("READY=1");
    }

    /// Tells the manager that the service is stopping.
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

/// The events from whatever started the program.
#[derive(Debug)]
pub struct ServiceEvents {
    terminate: Signal,
    interrupt: Signal,
}

impl ServiceEvents {
    /// Waits for the next event.
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
