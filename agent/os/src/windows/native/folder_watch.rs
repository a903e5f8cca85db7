//! Tells when something in a folder changes. A thread that sleeps until Windows wakes it: nothing is looked at in between, and quiet
//! folders cost nothing.
//!
//! Windows does not say what changed; whoever is told looks. Files that are read change nothing here.
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

/// Folders that one thread waits for: Windows waits for 64 things at a time, one of which is the end.
const AT_ONCE: usize = 60;
/// Folders that never rest wake their thread no more often than this.
const REST: Duration = Duration::from_secs(1);
/// The stack of a thread, in bytes.
const STACK: usize = 128 << 10;

/// What a watch tells.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FolderNews {
    /// Something in this folder may have changed. Told once of every folder when it begins to be watched: what happened before
    /// that is not told.
    Look(PathBuf),
    /// This folder is watched no more. Mostly it was removed.
    Ended(PathBuf),
}

/// Watched folders, until it is dropped.
#[derive(Debug)]
pub struct FolderWatch {
    end: Arc<Signal>,
}

impl FolderWatch {
    /// Watches `folders`, not what lies deeper; `tell` is called with what happens. A folder that cannot be watched is logged.
    ///
    /// # Errors
    /// When the system gives no events or threads.
    pub fn start(folders: &[PathBuf], tell: impl Fn(FolderNews) + Clone + Send + 'static) -> Result<Self> {
        // Of the kind that stays signalled: every thread sees it.
        let end = Arc::new(Signal::new(true)?);
        let watch = Self { end: Arc::clone(&end) };
        for part in folders.chunks(AT_ONCE) {
            let (part, end, tell) = (part.to_vec(), Arc::clone(&end), tell.clone());
            // Asked in the thread, because what a thread asked for ends with it.
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
        // Removed in this very moment.
        Err(_) => tell(FolderNews::Ended(path)),
    }
    None
}

/// Waits, tells and waits again. What is told of was armed again before, so that no change falls in between.
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
            // It would fail again at once and for ever.
            tracing::warn!(error = %Error::last_os_error(), "folders are watched no more; their changes are seen at full checks");
            return;
        }
        if woken == WAIT_OBJECT_0 {
            return;
        }
        // All that changed, not only the first: one that never rests must not hide the others.
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
        // Told when it is closed: a removed folder is there until then.
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

/// A folder's next change.
struct Change(HANDLE);

impl Change {
    fn of(folder: &Path) -> Result<Self> {
        let which = FILE_NOTIFY_CHANGE_FILE_NAME
            | FILE_NOTIFY_CHANGE_DIR_NAME
            | FILE_NOTIFY_CHANGE_SIZE
            | FILE_NOTIFY_CHANGE_LAST_WRITE;
        // SAFETY: the name ends with a zero and lives during the call.
        unsafe { FindFirstChangeNotificationW(&HSTRING::from(folder), false, which) }.map(Self).map_err(Error::from)
    }

    /// True when there was one since it was armed.
    fn happened(&self) -> bool {
        // SAFETY: the handle is open.
        unsafe { WaitForSingleObject(self.0, 0) == WAIT_OBJECT_0 }
    }

    /// Waits for the next one. False when there will be none.
    fn arm(&self) -> bool {
        // SAFETY: the handle is open.
        unsafe { FindNextChangeNotification(self.0) }.is_ok()
    }
}

impl Drop for Change {
    fn drop(&mut self) {
        // SAFETY: it is open, and closed once. Nothing is to be done when that fails.
        let _closed = unsafe { FindCloseChangeNotification(self.0) };
    }
}
