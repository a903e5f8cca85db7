//! Watches the registry keys of sections, including those in every loaded user's hive, and the machine's addresses.

use std::collections::BTreeSet;
use std::io;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::Subject;
use super::hives::expanded;
use os::windows::{KeyWatch, NetworkWatch, Windows, WindowsOs};

/// Watched keys.
#[derive(Debug)]
pub(super) struct Keys {
    wanted: Vec<(&'static str, Subject)>,
    watched: BTreeSet<(String, Subject)>,
    watch: Option<KeyWatch>,
    network: Option<NetworkWatch>,
    sender: UnboundedSender<Subject>,
    changes: UnboundedReceiver<Subject>,
}

impl Keys {
    /// Watches nothing yet.
    pub(super) fn new(wanted: Vec<(&'static str, Subject)>) -> Self {
        let (sender, changes) = unbounded_channel();
        Self { wanted, watched: BTreeSet::new(), watch: None, network: None, sender, changes }
    }

    /// Watches the keys as they are now: users may have logged on and off.
    pub(super) fn arm(&mut self) {
        if self.wanted.is_empty() {
            return;
        }
        if self.network.is_none() {
            self.network = self.network();
        }
        let hives = Windows::default().keys("HKU").unwrap_or_default();
        let keys: BTreeSet<(String, Subject)> = self
            .wanted
            .iter()
            .flat_map(|(key, subject)| expanded(key, &hives).into_iter().map(|key| (key, *subject)))
            .collect();
        if keys == self.watched {
            return;
        }
        let sender = self.sender.clone();
        // The receiver is only gone when the agent stops watching.
        let tell = move |subject| {
            let _received = sender.send(subject);
        };
        let list: Vec<(String, Subject)> = keys.iter().cloned().collect();
        match KeyWatch::start(&list, tell) {
            Ok(watch) => {
                self.watch = Some(watch);
                self.watched = keys;
            }
            Err(error) => {
                tracing::warn!(%error, "registry keys cannot be watched; their changes are seen at the next full check");
            }
        }
    }

    fn network(&self) -> Option<NetworkWatch> {
        let sender = self.sender.clone();
        let tell = move || {
            let _received = sender.send(Subject::Network);
        };
        let watch = NetworkWatch::start(tell);
        watch.inspect_err(|error| tracing::warn!(%error, "a change of the network is not seen at once")).ok()
    }

    /// Waits until a key or an address changes and returns what that concerns.
    ///
    /// # Errors
    /// None here; watching folders has some.
    pub(super) async fn changed(&mut self) -> io::Result<BTreeSet<Subject>> {
        let mut subjects: BTreeSet<Subject> = self.changes.recv().await.into_iter().collect();
        while let Ok(subject) = self.changes.try_recv() {
            subjects.insert(subject);
        }
        Ok(subjects)
    }
}
