//! Reports when an address of this machine changes: a cable, another network, a tunnel.
#![expect(unsafe_code, reason = "no safe crate tells of changed addresses")]

use std::io::Result;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use windows::Win32::NetworkManagement::IpHelper::NotifyAddrChange;

/// One change comes in many parts; the thread pauses this long after each.
const REST: Duration = Duration::from_secs(1);
/// The stack of the thread, in bytes.
const STACK: usize = 64 << 10;

/// Watches the addresses. Once dropped, the thread ends at the next change.
#[derive(Debug)]
pub struct NetworkWatch {
    /// Dropped with the watch.
    _alive: Sender<()>,
}

impl NetworkWatch {
    /// Calls `tell` after each change. Where the system cannot report changes nothing is called.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(tell: impl Fn() + Send + 'static) -> Result<Self> {
        let (alive, dropped) = channel();
        thread::Builder::new().name("network".to_owned()).stack_size(STACK).spawn(move || {
            // SAFETY: without output pointers the call blocks here until an address changes.
            while unsafe { NotifyAddrChange(std::ptr::null_mut(), std::ptr::null()) } == 0 {
                tell();
                if dropped.recv_timeout(REST) != Err(RecvTimeoutError::Timeout) {
                    return;
                }
            }
        })?;
        Ok(Self { _alive: alive })
    }
}
