//! Reports when registry keys change. Threads sleep until Windows wakes them: there is no polling, and a quiet registry costs nothing.
//!
//! A key that does not exist is awaited in its nearest existing parent; the parent's other values and deeper keys wake
//! nobody.
#![expect(unsafe_code, reason = "no safe crate asks the registry to tell of changes")]

use std::io::Result;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use windows::Win32::Foundation::{HANDLE, WAIT_OBJECT_0};
use windows::Win32::System::Registry::{
    HKEY, REG_NOTIFY_CHANGE_LAST_SET, REG_NOTIFY_CHANGE_NAME, RegNotifyChangeKeyValue,
};
use windows::Win32::System::Threading::{INFINITE, WaitForMultipleObjects};
use windows_registry::Key;

use super::registry;
use super::signal::Signal;

/// Keys per thread: Windows waits for 64 objects at a time, one of which is the stop signal.
const AT_ONCE: usize = 60;
/// A key that changes constantly wakes its thread no more often than this.
const REST: Duration = Duration::from_millis(50);
/// The stack of a thread, in bytes.
const STACK: usize = 128 << 10;

/// Watches keys until dropped.
#[derive(Debug)]
pub struct KeyWatch {
    end: Arc<Signal>,
}

impl KeyWatch {
    /// Watches `keys` (`HKLM\SOFTWARE\...`) with everything below them. Calls `tell` with the value paired with a key when the
    /// key, or a value in it, changed, appeared or disappeared.
    ///
    /// # Errors
    /// When the system gives no events or threads.
    pub fn start<K: Copy + Send + 'static>(
        keys: &[(String, K)],
        tell: impl Fn(K) + Clone + Send + 'static,
    ) -> Result<Self> {
        // A manual-reset event: every thread sees it.
        let end = Arc::new(Signal::new(true)?);
        let watch = Self { end: Arc::clone(&end) };
        for part in keys.chunks(AT_ONCE) {
            let (part, end, tell) = (part.to_vec(), Arc::clone(&end), tell.clone());
            let work = move || {
                // Made here, because an open key belongs to its thread.
                let watched: Result<Vec<Watched<K>>> =
                    part.iter().map(|(path, what)| Watched::new(path, *what)).collect();
                match watched {
                    Ok(watched) => attend(watched, &end, tell),
                    Err(error) => tracing::warn!(%error, "registry keys cannot be watched"),
                }
            };
            thread::Builder::new().name("registry".to_owned()).stack_size(STACK).spawn(work)?;
        }
        Ok(watch)
    }
}

impl Drop for KeyWatch {
    fn drop(&mut self) {
        self.end.give();
    }
}

/// Waits, reports and waits again. A key is re-armed before its change is reported, so that no change is missed.
fn attend<K: Copy>(mut watched: Vec<Watched<K>>, end: &Signal, tell: impl Fn(K)) {
    watched.iter_mut().for_each(Watched::arm);
    let handles: Vec<HANDLE> =
        std::iter::once(end.handle()).chain(watched.iter().map(|watched| watched.changed.handle())).collect();
    loop {
        // SAFETY: all events are open while `end` and `watched` live.
        let woken = unsafe { WaitForMultipleObjects(&handles, false, INFINITE) };
        let Some(watched) = woken.0.checked_sub(WAIT_OBJECT_0.0 + 1).and_then(|at| watched.get_mut(at as usize)) else {
            // The stop signal, or an error that would repeat immediately forever: then changes are only seen by full
            // checks.
            return;
        };
        let was_there = watched.is_there;
        watched.arm();
        if was_there || watched.is_there {
            tell(watched.what);
        }
        if end.came_within(REST) {
            return;
        }
    }
}

/// One key, or the nearest existing one above it.
struct Watched<K> {
    path: String,
    what: K,
    changed: Signal,
    open: Option<Key>,
    /// True when the key itself is watched.
    is_there: bool,
}

impl<K> Watched<K> {
    fn new(path: &str, what: K) -> Result<Self> {
        Ok(Self { path: path.to_owned(), what, changed: Signal::new(false)?, open: None, is_there: false })
    }

    /// Requests notification of the next change. If even that is refused, changes of the key are only seen by full
    /// checks.
    fn arm(&mut self) {
        if self.is_there && self.open.as_ref().is_some_and(|key| notify(key, true, &self.changed)) {
            return;
        }
        self.open = None;
        self.is_there = false;
        let mut path = self.path.as_str();
        // The next key on the path from the watched key to the wanted one: if it can be opened now, it was created meanwhile.
        let mut wanted = None::<&str>;
        loop {
            let Ok(key) = registry::open(path) else {
                wanted = Some(path);
                match path.rsplit_once('\\') {
                    Some((above, _)) => path = above,
                    None => return,
                }
                continue;
            };
            let is_there = wanted.is_none();
            if !notify(&key, is_there, &self.changed) {
                return;
            }
            self.open = Some(key);
            self.is_there = is_there;
            match wanted {
                Some(below) if registry::open(below).is_ok() => {
                    path = self.path.as_str();
                    wanted = None;
                }
                _ => return,
            }
        }
    }
}

/// Has `changed` signalled at the next change: of the key and everything below it, or only of the names of its direct
/// subkeys.
fn notify(key: &Key, all_below: bool, changed: &Signal) -> bool {
    let which = if all_below { REG_NOTIFY_CHANGE_NAME | REG_NOTIFY_CHANGE_LAST_SET } else { REG_NOTIFY_CHANGE_NAME };
    // SAFETY: key and event are open; both stay so while the request is pending, or are closed together, which ends it.
    let answer = unsafe { RegNotifyChangeKeyValue(HKEY(key.as_raw()), all_below, which, Some(changed.handle()), true) };
    answer.is_ok()
}
