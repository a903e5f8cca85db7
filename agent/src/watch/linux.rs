//! inotify, asked only for changes. (The crate `notify` 8 also asks for every *opening* of a file: in `/etc` that is one
//! wake-up for each program that anybody starts.)

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::io::Errno;
use tokio::io::unix::AsyncFd;

use super::Event;

/// The watched folders.
#[derive(Debug)]
pub(super) struct Folders {
    inotify: AsyncFd<OwnedFd>,
    watched: BTreeMap<i32, PathBuf>,
}

impl Folders {
    /// Watches nothing yet.
    pub(super) fn new() -> io::Result<Self> {
        let inotify = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
        #[expect(
            deprecated,
            reason = "the doubt is about types that give another file at each question; an OwnedFd does not, and the successor is unsafe"
        )]
        let inotify = AsyncFd::new(inotify)?;
        Ok(Self { inotify, watched: BTreeMap::new() })
    }

    /// Watches exactly these folders.
    pub(super) fn watch(&mut self, folders: BTreeSet<PathBuf>) {
        let changes = WatchFlags::CLOSE_WRITE
            | WatchFlags::CREATE
            | WatchFlags::DELETE
            | WatchFlags::MOVED_FROM
            | WatchFlags::MOVED_TO
            | WatchFlags::ATTRIB
            | WatchFlags::ONLYDIR;
        let mut watched = BTreeMap::new();
        for folder in folders {
            match inotify::add_watch(&self.inotify, &folder, changes) {
                // The same folder by another name has the same number.
                Ok(number) => drop(watched.insert(number, folder)),
                Err(error) => {
                    tracing::warn!(folder = %folder.display(), %error, "the folder cannot be watched; its changes are seen at the next full check");
                }
            }
        }
        for number in self.watched.keys().filter(|number| !watched.contains_key(number)) {
            // It may be gone already together with its folder.
            let _gone = inotify::remove_watch(&self.inotify, *number);
        }
        self.watched = watched;
    }

    /// Waits for events and gives all there are.
    pub(super) async fn events(&mut self) -> io::Result<Vec<Event>> {
        loop {
            let mut ready = self.inotify.readable().await?;
            let mut buffer = [MaybeUninit::uninit(); 4096];
            let mut reader = inotify::Reader::new(ready.get_inner(), &mut buffer);
            let mut events = Vec::new();
            loop {
                let event = match reader.next() {
                    Ok(event) => event,
                    Err(Errno::AGAIN) => break,
                    Err(error) => return Err(error.into()),
                };
                if event.events().contains(ReadFlags::QUEUE_OVERFLOW) {
                    events.push(Event::Lost);
                } else if let (Some(folder), Some(name)) = (self.watched.get(&event.wd()), event.file_name()) {
                    let changed = Event::Changed(folder.join(OsStr::from_bytes(name.to_bytes())));
                    if events.last() != Some(&changed) {
                        events.push(changed);
                    }
                }
            }
            ready.clear_ready();
            if !events.is_empty() {
                return Ok(events);
            }
        }
    }
}
