//! A stretch of network between an agent and a server that the test can break: requests arrive, answers may not.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Sent bytes of one connection: more than a handshake sends, less than a handshake and a request, for a machine that presents
/// no certificate yet.
pub const ENROLMENT: u64 = 900;

/// The relay. Ends with this value.
#[derive(Debug)]
pub struct Relay {
    shared: Arc<Shared>,
    port: u16,
}

#[derive(Debug)]
struct Shared {
    target: SocketAddr,
    /// Answers are lost on connections that have sent more than this.
    most: AtomicU64,
    open: Mutex<Vec<TcpStream>>,
    up: AtomicU64,
    down: AtomicU64,
    swallowed: AtomicU64,
}

impl Shared {
    fn open(&self) -> MutexGuard<'_, Vec<TcpStream>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Relay {
    /// Listens on a free port of 127.0.0.1 and forwards everything to `target`.
    ///
    /// # Errors
    /// The system gives no port.
    pub fn start(target: SocketAddr) -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        let shared = Arc::new(Shared {
            target,
            most: AtomicU64::new(u64::MAX),
            open: Mutex::default(),
            up: AtomicU64::new(0),
            down: AtomicU64::new(0),
            swallowed: AtomicU64::new(0),
        });
        let inner = Arc::clone(&shared);
        std::thread::spawn(move || {
            for near in listener.incoming().flatten() {
                // A target that is away closes the connection, as a network would.
                drop(inner.connect(near));
            }
        });
        Ok(Self { shared, port })
    }

    /// Where to dial instead of the target.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// From now on requests arrive and answers are lost, on every connection that has sent more than `beyond` bytes.
    pub fn lose_answers(&self, beyond: u64) {
        self.shared.most.store(beyond, Ordering::SeqCst);
    }

    /// From now on everything arrives again. Connections on which something was lost are broken.
    pub fn mend(&self) {
        self.shared.most.store(u64::MAX, Ordering::SeqCst);
        self.cut();
    }

    /// Breaks every open connection.
    pub fn cut(&self) {
        for stream in self.shared.open().drain(..) {
            drop(stream.shutdown(Shutdown::Both));
        }
    }

    /// Bytes passed on so far, up and down.
    pub fn passed(&self) -> (u64, u64) {
        (self.shared.up.load(Ordering::SeqCst), self.shared.down.load(Ordering::SeqCst))
    }

    /// Bytes of answers that were lost.
    pub fn swallowed(&self) -> u64 {
        self.shared.swallowed.load(Ordering::SeqCst)
    }
}

impl Shared {
    fn connect(self: &Arc<Self>, near: TcpStream) -> std::io::Result<()> {
        let far = TcpStream::connect(self.target)?;
        self.open().extend([near.try_clone()?, far.try_clone()?]);
        let sent = Arc::new(AtomicU64::new(0));
        let (up_from, up_to) = (near.try_clone()?, far.try_clone()?);
        let (this, count) = (Arc::clone(self), Arc::clone(&sent));
        std::thread::spawn(move || {
            pass(up_from, up_to, |bytes| {
                count.fetch_add(bytes, Ordering::SeqCst);
                this.up.fetch_add(bytes, Ordering::SeqCst);
                true
            });
        });
        let this = Arc::clone(self);
        std::thread::spawn(move || {
            pass(far, near, |bytes| {
                let lost = sent.load(Ordering::SeqCst) > this.most.load(Ordering::SeqCst);
                if lost { &this.swallowed } else { &this.down }.fetch_add(bytes, Ordering::SeqCst);
                !lost
            });
        });
        Ok(())
    }
}

/// Passes bytes on until either side ends; `keep` gets their number and decides whether they arrive.
fn pass(mut from: TcpStream, mut to: TcpStream, keep: impl Fn(u64) -> bool) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        if keep(count as u64) && to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    drop(to.shutdown(Shutdown::Both));
    drop(from.shutdown(Shutdown::Both));
}
