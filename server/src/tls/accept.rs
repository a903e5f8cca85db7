//! Accepting a connection: the handshake with its deadline, how many strangers may be connected at once, and who the peer is,
//! told to handlers as a [`Peer`] in the request's extensions.

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Extension;
use axum::middleware::AddExtension;
use axum_server::accept::Accept;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::{Instant, Sleep};
use tokio_rustls::server::TlsStream;
use tower::Layer;
use x509_parser::extensions::GeneralName;

use crate::ca::MACHINE_SUFFIX;
use crate::ca::csr::key_id;

/// How long a connection may keep the server waiting, and how many strangers may wait.
#[derive(Clone, Copy, Debug)]
pub struct Deadlines {
    /// From the connection to the end of the handshake. Default 10 s.
    pub handshake: Duration,
    /// Without a byte either way, for a peer without certificate. Default 5 min; event streams to pages write more often.
    pub idle_stranger: Duration,
    /// Without a byte either way, for a machine. Default 45 min: a poll is held for at most 24.
    pub idle_machine: Duration,
    /// Handshakes at the same time; more wait within their deadline. Default 1,024.
    pub handshakes: usize,
    /// Connections without certificate at the same time. Default 1,024.
    pub strangers: usize,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(10),
            idle_stranger: Duration::from_secs(5 * 60),
            idle_machine: Duration::from_secs(45 * 60),
            handshakes: 1024,
            strangers: 1024,
        }
    }
}

/// Who is at the other end of a connection.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Where it connects from.
    pub address: SocketAddr,
    /// The certificate it showed in the handshake, checked against the client CA; people have none.
    pub certificate: Option<Arc<PeerCertificate>>,
}

/// A machine's certificate, as far as handlers need it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerCertificate {
    /// The machine's id, from the name that the client CA certified.
    pub machine: String,
    /// Id of its key: SHA-256 of the SubjectPublicKeyInfo, hexadecimal.
    pub key: String,
    /// The last instant at which it is valid; milliseconds since 1970 UTC.
    pub valid_until_ms: i64,
}

impl PeerCertificate {
    /// Reads a certificate that a handshake has already checked; `None` when it is not in the form this server gives.
    pub fn read(der: &[u8]) -> Option<Self> {
        let (_, parsed) = x509_parser::parse_x509_certificate(der).ok()?;
        let names = parsed.subject_alternative_name().ok()??;
        let machine = names.value.general_names.iter().find_map(|name| match name {
            GeneralName::DNSName(name) => name.strip_suffix(MACHINE_SUFFIX),
            _ => None,
        })?;
        Some(Self {
            machine: machine.to_owned(),
            key: key_id(parsed.public_key().raw),
            valid_until_ms: parsed.validity().not_after.timestamp().saturating_mul(1000),
        })
    }
}

/// Turns a TCP connection into a TLS one and tells handlers who is there.
#[derive(Clone)]
pub struct Acceptor {
    tls: tokio_rustls::TlsAcceptor,
    deadlines: Deadlines,
    handshakes: Arc<Semaphore>,
    strangers: Arc<Strangers>,
}

impl std::fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Acceptor").field("deadlines", &self.deadlines).finish_non_exhaustive()
    }
}

impl Acceptor {
    /// An acceptor with these rules.
    pub fn new(config: Arc<ServerConfig>, deadlines: Deadlines) -> Self {
        Self {
            tls: config.into(),
            deadlines,
            handshakes: Arc::new(Semaphore::new(deadlines.handshakes)),
            strangers: Arc::new(Strangers { most: deadlines.strangers, now: Mutex::default() }),
        }
    }

    async fn shake(self, stream: TcpStream) -> io::Result<(Guarded, Peer)> {
        let address = stream.peer_addr()?;
        stream.set_nodelay(true)?;
        keep_alive(&stream)?;
        let handshake = async {
            let _turn = self.handshakes.acquire().await.map_err(io::Error::other)?;
            self.tls.accept(stream).await
        };
        let stream = match tokio::time::timeout(self.deadlines.handshake, handshake).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => {
                tracing::debug!(%address, "handshake refused: {error}");
                return Err(error);
            }
            Err(_) => {
                tracing::debug!(%address, "handshake not finished in time");
                return Err(io::ErrorKind::TimedOut.into());
            }
        };
        let certificate = match stream.get_ref().1.peer_certificates().and_then(<[_]>::first) {
            Some(der) => Some(Arc::new(PeerCertificate::read(der).ok_or(io::ErrorKind::InvalidData)?)),
            None => None,
        };
        let (place, idle) = match certificate {
            Some(_) => (None, self.deadlines.idle_machine),
            None => match Strangers::enter(&self.strangers, address.ip()) {
                Some(place) => (Some(place), self.deadlines.idle_stranger),
                None => {
                    tracing::warn!(%address, "too many connections without certificate: one more is closed");
                    return Err(io::ErrorKind::ConnectionRefused.into());
                }
            },
        };
        Ok((Guarded::new(stream, idle, place), Peer { address, certificate }))
    }
}

impl<S: Send + 'static> Accept<TcpStream, S> for Acceptor {
    type Stream = Guarded;
    type Service = AddExtension<S, Peer>;
    type Future = Pin<Box<dyn Future<Output = io::Result<(Guarded, AddExtension<S, Peer>)>> + Send>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let shaken = self.clone().shake(stream);
        Box::pin(async move {
            let (stream, peer) = shaken.await?;
            Ok((stream, Extension(peer).layer(service)))
        })
    }
}

/// Lets routers on the way forget an idle connection less readily, and finds peers that are gone (design 5: 4 min).
fn keep_alive(stream: &TcpStream) -> io::Result<()> {
    rustix::net::sockopt::set_socket_keepalive(stream, true)?;
    rustix::net::sockopt::set_tcp_keepidle(stream, Duration::from_secs(4 * 60))?;
    Ok(())
}

/// Counts connections without certificate. One address may hold half of the places: an office behind one address never
/// comes near, and one computer cannot keep everybody else out.
#[derive(Debug)]
struct Strangers {
    most: usize,
    now: Mutex<StrangersNow>,
}

#[derive(Debug, Default)]
struct StrangersNow {
    all: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// One place among the strangers, given back when dropped.
#[derive(Debug)]
struct Place {
    strangers: Arc<Strangers>,
    address: IpAddr,
}

impl Strangers {
    fn enter(strangers: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let mut now = strangers.now.lock().unwrap_or_else(PoisonError::into_inner);
        let mine = now.by_address.get(&address).copied().unwrap_or(0);
        if now.all >= strangers.most || mine >= strangers.most.div_ceil(2) {
            return None;
        }
        now.all += 1;
        now.by_address.insert(address, mine + 1);
        Some(Place { strangers: Arc::clone(strangers), address })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut now = self.strangers.now.lock().unwrap_or_else(PoisonError::into_inner);
        now.all -= 1;
        if let Some(mine) = now.by_address.get_mut(&self.address) {
            *mine -= 1;
            if *mine == 0 {
                now.by_address.remove(&self.address);
            }
        }
    }
}

/// A connection that ends after a time without a byte either way.
#[derive(Debug)]
pub struct Guarded {
    stream: TlsStream<TcpStream>,
    idle: Duration,
    active_at: Instant,
    alarm: Pin<Box<Sleep>>,
    _place: Option<Place>,
}

impl Guarded {
    fn new(stream: TlsStream<TcpStream>, idle: Duration, place: Option<Place>) -> Self {
        Self { stream, idle, active_at: Instant::now(), alarm: Box::pin(tokio::time::sleep(idle)), _place: place }
    }

    /// Ready when nothing has passed for too long. The alarm is set again only when it rings, not at every byte.
    fn poll_idle(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        loop {
            ready!(self.alarm.as_mut().poll(context));
            let end = self.active_at + self.idle;
            if end <= Instant::now() {
                return Poll::Ready(io::ErrorKind::TimedOut.into());
            }
            self.alarm.as_mut().reset(end);
        }
    }

    fn noted<T>(&mut self, context: &mut Context<'_>, outcome: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            self.active_at = Instant::now();
            return outcome;
        }
        self.poll_idle(context).map(Err)
    }
}

impl AsyncRead for Guarded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.noted(context, outcome)
    }
}

impl AsyncWrite for Guarded {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.noted(context, outcome)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_holds_at_most_half_of_the_places() {
        let strangers = Arc::new(Strangers { most: 4, now: Mutex::default() });
        let here: IpAddr = [127, 0, 0, 1].into();
        let there: IpAddr = [127, 0, 0, 2].into();
        let first = Strangers::enter(&strangers, here).unwrap();
        let second = Strangers::enter(&strangers, here).unwrap();
        assert!(Strangers::enter(&strangers, here).is_none());
        let _third = Strangers::enter(&strangers, there).unwrap();
        drop(first);
        let _fourth = Strangers::enter(&strangers, here).unwrap();
        drop(second);
        assert!(Strangers::enter(&strangers, here).is_some());
        assert_eq!(strangers.now.lock().unwrap().all, 2);
    }
}
