//! The system's folder watch, which only says that something in a folder changed: what changed is found by comparison.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::Event;
use super::snapshot::{Snapshot, changes};
use os::windows::{FolderNews, FolderWatch};

/// The watched folders.
#[derive(Debug)]
pub(super) struct Folders {
    watch: Option<FolderWatch>,
    sender: UnboundedSender<FolderNews>,
    news: UnboundedReceiver<FolderNews>,
    /// How each folder looked at the last comparison.
    seen: BTreeMap<PathBuf, Snapshot>,
}

impl Folders {
    /// Watches nothing yet.
    ///
    /// # Errors
    /// None here; the other systems' version has some.
    #[expect(clippy::unnecessary_wraps, reason = "other systems have errors")]
    pub(super) fn new() -> io::Result<Self> {
        // Unbounded, because the watching thread cannot wait; it buffers events until the agent's next turn.
        let (sender, news) = unbounded_channel();
        Ok(Self { watch: None, sender, news, seen: BTreeMap::new() })
    }

    /// Watches exactly these folders.
    pub(super) fn watch(&mut self, folders: BTreeSet<PathBuf>) {
        self.seen.retain(|folder, _| folders.contains(folder));
        let list: Vec<PathBuf> = folders.iter().cloned().collect();
        for folder in folders {
            // Taken before the watch starts, and known snapshots stay: a new watch has every folder compared once at
            // its start.
            self.seen.entry(folder).or_insert_with_key(|folder| Snapshot::of(folder));
        }
        let sender = self.sender.clone();
        // The receiver is only gone when the agent stops watching.
        let tell = move |news| {
            let _received = sender.send(news);
        };
        // Known folders too: one that was removed and created again needs a new watch.
        match FolderWatch::start(&list, tell) {
            Ok(watch) => self.watch = Some(watch),
            Err(error) => {
                tracing::warn!(%error, "folders cannot be watched; their changes are seen at the next full check");
            }
        }
    }

    /// Waits for events and returns all there are, perhaps none.
    ///
    /// # Errors
    /// When the watch has ended.
    pub(super) async fn events(&mut self) -> io::Result<Vec<Event>> {
        let ended = || io::Error::other("the system's watch on files has ended");
        let mut told = BTreeSet::from([self.news.recv().await.ok_or_else(ended)?]);
        while let Ok(news) = self.news.try_recv() {
            told.insert(news);
        }
        let mut events = Vec::new();
        for news in told {
            let (FolderNews::Look(folder) | FolderNews::Ended(folder)) = &news;
            // The event may be older than the decision to stop watching that folder.
            let Some(before) = self.seen.get_mut(folder) else { continue };
            let now = Snapshot::of(folder);
            events.extend(changes(folder, before, &now));
            *before = now;
            if let FolderNews::Ended(folder) = news {
                events.push(Event::Changed(folder));
            }
        }
        Ok(events)
    }
}
