//! Accepting a connection: the handshake with its deadline, and who the peer is, passed to handlers as a [`Peer`] in the
//! request's extensions. `connections` limits how many there may be.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Extension;
use axum::middleware::AddExtension;
use axum_server::accept::Accept;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::{Instant, Sleep};
use tokio_rustls::server::TlsStream;
use tower::Layer;
use x509_parser::extensions::GeneralName;

use super::connection::Connection;
use super::connections::{Connections, Slot};
use super::deadlines::Deadlines;
use crate::ca::MACHINE_SUFFIX;
use crate::ca::csr::key_id;

/// Bytes the system buffers for a peer that does not read them (it doubles what is asked for).
const SENDING: usize = 128 * 1024;
/// Who is at the other end of a connection.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Where it connects from.
    pub address: SocketAddr,
    /// The certificate it presented in the handshake, checked against the client CA; people have none.
    pub certificate: Option<Arc<PeerCertificate>>,
}

/// A machine's certificate, with what handlers need.
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
    /// Reads a certificate that a handshake has already checked; `None` when it is not in the form this server issues.
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

/// Turns a TCP connection into a TLS one and tells handlers who the peer is: a [`Peer`] and its [`Connection`].
#[derive(Clone)]
pub struct Acceptor {
    tls: tokio_rustls::TlsAcceptor,
    deadlines: Deadlines,
    connections: Arc<Connections>,
}

impl std::fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Acceptor").field("deadlines", &self.deadlines).finish_non_exhaustive()
    }
}

impl Acceptor {
    /// An acceptor with these rules.
    pub fn new(config: Arc<ServerConfig>, deadlines: Deadlines) -> Self {
        Self { tls: config.into(), deadlines, connections: Connections::new(deadlines) }
    }

    async fn shake(self, stream: TcpStream) -> io::Result<(Guarded, Peer)> {
        let address = stream.peer_addr()?;
        let (mut place, mut closed) = self.connections.accept(address.ip());
        stream.set_nodelay(true)?;
        keep_alive(&stream)?;
        rustix::net::sockopt::set_socket_send_buffer_size(&stream, SENDING)?;
        let handshake = async {
            tokio::select! {
                _ = &mut closed => Err(io::ErrorKind::ConnectionAborted.into()),
                shaken = self.tls.accept(stream) => shaken,
            }
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
        place.settle(certificate.as_ref().map(|certificate| certificate.machine.as_str()));
        Ok((Guarded::new(stream, place, closed), Peer { address, certificate }))
    }
}

impl<S: Send + 'static> Accept<TcpStream, S> for Acceptor {
    type Stream = Guarded;
    type Service = AddExtension<AddExtension<S, Arc<Connection>>, Peer>;
    type Future = Pin<Box<dyn Future<Output = io::Result<(Self::Stream, Self::Service)>> + Send>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let shaken = self.clone().shake(stream);
        Box::pin(async move {
            let (stream, peer) = shaken.await?;
            let connection = Arc::clone(&stream.place.connection);
            Ok((stream, Extension(peer).layer(Extension(connection).layer(service))))
        })
    }
}

/// Sets TCP keep-alive, so that routers do not drop idle connections and dead peers are found (design 5: 4 min).
fn keep_alive(stream: &TcpStream) -> io::Result<()> {
    rustix::net::sockopt::set_socket_keepalive(stream, true)?;
    rustix::net::sockopt::set_tcp_keepidle(stream, Duration::from_secs(4 * 60))?;
    Ok(())
}

/// A connection that ends when it exceeds a deadline or must give way.
#[derive(Debug)]
pub struct Guarded {
    stream: TlsStream<TcpStream>,
    place: Slot,
    closed: oneshot::Receiver<()>,
    /// True once it must give way.
    gives_way: bool,
    /// Since when the peer has taken nothing of what was written.
    blocked_at: Option<Instant>,
    unread: Duration,
    alarm: Pin<Box<Sleep>>,
}

impl Guarded {
    fn new(stream: TlsStream<TcpStream>, place: Slot, closed: oneshot::Receiver<()>) -> Self {
        let alarm = Box::pin(tokio::time::sleep_until(place.connection.ends_at()));
        let unread = place.connection.deadlines().unread;
        Self { stream, place, closed, gives_way: false, blocked_at: None, unread, alarm }
    }

    fn ends_at(&self) -> Instant {
        let ends = self.place.connection.ends_at();
        self.blocked_at.map_or(ends, |since| ends.min(since + self.unread))
    }

    /// Ready when the connection must end. The timer may fire early, never late.
    fn poll_end(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        if self.gives_way || Pin::new(&mut self.closed).poll(context).is_ready() {
            self.gives_way = true;
            return Poll::Ready(io::ErrorKind::ConnectionAborted.into());
        }
        let mut ends = self.ends_at();
        if self.alarm.deadline() > ends {
            self.alarm.as_mut().reset(ends);
        }
        loop {
            ready!(self.alarm.as_mut().poll(context));
            ends = self.ends_at();
            if ends <= Instant::now() {
                return Poll::Ready(io::ErrorKind::TimedOut.into());
            }
            self.alarm.as_mut().reset(ends);
        }
    }

    fn noted<T>(&mut self, context: &mut Context<'_>, outcome: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            self.place.connection.active();
            return outcome;
        }
        self.poll_end(context).map(Err)
    }

    /// The same for outgoing data. Flushing nothing is no sign of life.
    fn flushed<T>(&mut self, context: &mut Context<'_>, outcome: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            self.blocked_at = None;
            return outcome;
        }
        self.blocked_at.get_or_insert_with(Instant::now);
        self.poll_end(context).map(Err)
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
        if outcome.is_ready() {
            self.place.connection.active();
        }
        self.flushed(context, outcome)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_flush(context);
        self.flushed(context, outcome)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_shutdown(context);
        self.flushed(context, outcome)
    }
}
