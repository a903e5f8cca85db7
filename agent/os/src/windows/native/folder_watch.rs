//! Reports when something in a folder changes. A thread sleeps until Windows wakes it: there is no polling, and quiet folders cost
//! nothing.
//!
//! Windows does not say what changed; the receiver has to look. Reading a file is not a change.
#![expect(unsafe_code, reason = "no safe crate waits for a folder's changes without looking again and again")]

use std::io::{Error, Result};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use windows::Win32::Foundation::{HANDLE, WAIT_FAILED, WAIT_OBJECT_0};
use windows::Win32::Storage::FileSystem::{
    FILE_NOTIFY_CHANGE_DIR_NAME, FILE_NOTIFY_CHANGE_FILE_NAME, FILE_NOTIFY_CHANGE_LAST_WRITE, FILE_NOTIFY_CHANGE_SIZE,
    FindCloseChangeNotification, FindFirstChangeNotificationW, FindNextChangeNotification,
};
use windows::Win32::System::Threading::{INFINITE, WaitForMultipleObjects, WaitForSingleObject};
use windows::core::HSTRING;

use super::signal::Signal;

/// Folders per thread: Windows waits for 64 objects at a time, one of which is the stop signal.
const AT_ONCE: usize = 60;
/// A folder that changes constantly wakes its thread no more often than this.
const REST: Duration = Duration::from_secs(1);
/// The stack of a thread, in bytes.
const STACK: usize = 128 << 10;

/// A message from a watch.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FolderNews {
    /// Something in this folder may have changed. Sent once for every folder when its watch starts: earlier changes are not
    /// reported.
    Look(PathBuf),
    /// This folder is no longer watched, usually because it was removed.
    Ended(PathBuf),
}

/// Watches folders until dropped.
#[derive(Debug)]
pub struct FolderWatch {
    end: Arc<Signal>,
}

impl FolderWatch {
    /// Watches `folders`, but not what lies deeper; calls `tell` with each message. A folder that cannot be watched is logged.
    ///
    /// # Errors
    /// When the system gives no events or threads.
    pub fn start(folders: &[PathBuf], tell: impl Fn(FolderNews) + Clone + Send + 'static) -> Result<Self> {
        // A manual-reset event: every thread sees it.
        let end = Arc::new(Signal::new(true)?);
        let watch = Self { end: Arc::clone(&end) };
        for part in folders.chunks(AT_ONCE) {
            let (part, end, tell) = (part.to_vec(), Arc::clone(&end), tell.clone());
            // Requested in the thread, because a thread's requests end with it.
            let work = move || attend(part.into_iter().filter_map(|path| watched(path, &tell)).collect(), &end, &tell);
            thread::Builder::new().name("folders".to_owned()).stack_size(STACK).spawn(work)?;
        }
        Ok(watch)
    }
}

impl Drop for FolderWatch {
    fn drop(&mut self) {
        self.end.give();
    }
}

fn watched(path: PathBuf, tell: &impl Fn(FolderNews)) -> Option<Watched> {
    match Change::of(&path) {
        Ok(change) => return Some(Watched { path, change }),
        Err(error) if path.is_dir() => {
            tracing::warn!(folder = %path.display(), %error, "the folder cannot be watched; its changes are seen at the next full check");
        }
        // Removed at this very moment.
        Err(_) => tell(FolderNews::Ended(path)),
    }
    None
}

/// Waits, reports and waits again. A watch is re-armed before its change is reported, so that no change is missed.
fn attend(mut folders: Vec<Watched>, end: &Signal, tell: &impl Fn(FolderNews)) {
    for folder in &folders {
        tell(FolderNews::Look(folder.path.clone()));
    }
    while !folders.is_empty() {
        let handles: Vec<HANDLE> =
            std::iter::once(end.handle()).chain(folders.iter().map(|folder| folder.change.0)).collect();
        // SAFETY: all handles are open while `end` and `folders` live.
        let woken = unsafe { WaitForMultipleObjects(&handles, false, INFINITE) };
        if woken == WAIT_FAILED {
            // It would fail again immediately, forever.
            tracing::warn!(error = %Error::last_os_error(), "folders are watched no more; their changes are seen at full checks");
            return;
        }
        if woken == WAIT_OBJECT_0 {
            return;
        }
        // All that changed, not only the first: one that changes constantly must not hide the others.
        let mut gone = Vec::new();
        folders.retain(|folder| {
            if !folder.change.happened() {
                return true;
            }
            let goes_on = folder.change.arm();
            if goes_on {
                tell(FolderNews::Look(folder.path.clone()));
            } else {
                gone.push(folder.path.clone());
            }
            goes_on
        });
        // Reported after closing it: until then a removed folder still exists.
        gone.into_iter().map(FolderNews::Ended).for_each(tell);
        if end.came_within(REST) {
            return;
        }
    }
}

/// One folder.
struct Watched {
    path: PathBuf,
    change: Change,
}

/// The handle for a folder's next change.
struct Change(HANDLE);

impl Change {
    fn of(folder: &Path) -> Result<Self> {
        let which = FILE_NOTIFY_CHANGE_FILE_NAME
            | FILE_NOTIFY_CHANGE_DIR_NAME
            | FILE_NOTIFY_CHANGE_SIZE
            | FILE_NOTIFY_CHANGE_LAST_WRITE;
        // SAFETY: the name ends with a zero and outlives the call.
        unsafe { FindFirstChangeNotificationW(&HSTRING::from(folder), false, which) }.map(Self).map_err(Error::from)
    }

    /// True when there was a change since it was armed.
    fn happened(&self) -> bool {
        // SAFETY: the handle is open.
        unsafe { WaitForSingleObject(self.0, 0) == WAIT_OBJECT_0 }
    }

    /// Re-arms it for the next change. False when there will be none.
    fn arm(&self) -> bool {
        // SAFETY: the handle is open.
        unsafe { FindNextChangeNotification(self.0) }.is_ok()
    }
}

impl Drop for Change {
    fn drop(&mut self) {
        // SAFETY: it is open, and closed once. A failure cannot be handled.
        let _closed = unsafe { FindCloseChangeNotification(self.0) };
    }
}
