//! The system's folder watch (crate `notify`), asked for changes only: notification of every *opening* of a file would wake the
//! agent for each program that anybody starts.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;

use notify::event::EventKindMask;
use notify::{Config, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;

use super::Event;

/// What counts as a change.
const CHANGES: EventKindMask = EventKindMask::CREATE
    .union(EventKindMask::REMOVE)
    .union(EventKindMask::MODIFY_NAME)
    .union(EventKindMask::MODIFY_META)
    // When a writer closes its file, which is better than on each write.
    .union(EventKindMask::ACCESS_CLOSE);

/// The watched folders.
#[derive(Debug)]
pub(super) struct Folders {
    watcher: RecommendedWatcher,
    events: mpsc::UnboundedReceiver<notify::Result<notify::Event>>,
    watched: BTreeSet<PathBuf>,
}

impl Folders {
    /// Watches nothing yet.
    pub(super) fn new() -> io::Result<Self> {
        // Unbounded, because the watcher's thread cannot wait; it buffers events until the agent's next turn.
        let (sender, events) = mpsc::unbounded_channel();
        let watcher = RecommendedWatcher::new(
            // The receiver is only gone when the agent stops watching.
            move |event| drop(sender.send(event)),
            Config::default().with_event_kinds(CHANGES).with_follow_symlinks(false),
        )
        .map_err(io::Error::other)?;
        Ok(Self { watcher, events, watched: BTreeSet::new() })
    }

    /// Watches exactly these folders.
    pub(super) fn watch(&mut self, folders: BTreeSet<PathBuf>) {
        for gone in self.watched.difference(&folders) {
            // It may already be gone together with its folder.
            let _gone = self.watcher.unwatch(gone);
        }
        // Known folders too: one that was removed and created again needs a new watch.
        self.watched = folders;
        for folder in &self.watched {
            if let Err(error) = self.watcher.watch(folder, RecursiveMode::NonRecursive) {
                tracing::warn!(folder = %folder.display(), %error, "the folder cannot be watched; its changes are seen at the next full check");
            }
        }
    }

    /// Waits for events and returns all there are.
    pub(super) async fn events(&mut self) -> io::Result<Vec<Event>> {
        let ended = || io::Error::other("the system's watch on files has ended");
        let mut events = read(self.events.recv().await.ok_or_else(ended)?);
        while let Ok(event) = self.events.try_recv() {
            events.extend(read(event));
        }
        Ok(events)
    }
}

/// Translates one event of the crate. An error of the watch may have hidden changes.
fn read(event: notify::Result<notify::Event>) -> Vec<Event> {
    match event {
        Ok(event) if event.need_rescan() => vec![Event::Lost],
        Ok(event) => event.paths.into_iter().map(Event::Changed).collect(),
        Err(_) => vec![Event::Lost],
    }
}
