//! What this machine knows of its server's evidence log: a checkpoint a day, kept for good, and what did not fit together. A check that
//! fails is noted and told, and never holds up a report.

use policies::text;
use policies::text::Text;
use protocol::log::continuation::{Continued, checkpoint_read};
use protocol::log::{Checkpoint, Contradiction, LogAnswer};
use serde::{Deserialize, Serialize};

use crate::state::{Durability, StateError, StateFolder};

/// The file.
pub(crate) const FILE: &str = "evidence.json";
/// The least time between two daily questions, before its spread. Milliseconds.
pub(crate) const DAY_MS: i64 = 24 * 60 * 60 * 1000;
/// Contradictions, and breaks, that are kept: the first ones.
const KEPT: usize = 32;

/// What is stored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Known {
    /// When the server was last asked, by the machine's clock.
    #[serde(default)]
    pub(crate) asked_at: i64,
    /// The oldest first; each is proved to continue the one before, in the same epoch.
    #[serde(default)]
    pub(crate) days: Vec<Day>,
    /// What contradicts a checkpoint kept here.
    #[serde(default)]
    pub(crate) contradictions: Vec<Contradicted>,
    /// Epochs that the server began because its store was put back.
    #[serde(default)]
    pub(crate) restored: Vec<Restored>,
}

/// A kept checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Day {
    /// By the server's clock; milliseconds UTC.
    pub(crate) at: i64,
    /// As signed.
    pub(crate) checkpoint: String,
}

/// A contradiction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Contradicted {
    /// By the server's clock; milliseconds UTC.
    pub(crate) at: i64,
    /// What does not fit.
    pub(crate) kind: Contradiction,
    /// The epoch of the checkpoint kept here.
    pub(crate) epoch: u64,
    /// Its leaves.
    pub(crate) size: u64,
    /// The checkpoint that the server gave, as it gave it.
    pub(crate) said: String,
}

/// A break: the server's store was put back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Restored {
    /// By the server's clock; milliseconds UTC.
    pub(crate) at: i64,
    /// The epoch that began.
    pub(crate) epoch: u64,
    /// The last checkpoint that the server knew then, as signed.
    pub(crate) before: String,
}

/// The log as this machine sees it.
#[derive(Debug)]
pub(crate) struct Evidence {
    pub(crate) known: Known,
    /// The newest checkpoint that fits, with its text; the last day's after a start.
    newest: Option<(Checkpoint, String)>,
    /// What the server was asked about.
    asked: Option<String>,
    /// True when the server must be asked before the day is over.
    alarm: bool,
    /// Sizes of checkpoints found contradicted and not yet noted as events.
    news: Vec<u64>,
    server: String,
    point: Vec<u8>,
}

impl Evidence {
    /// Reads the file; a damaged one is set aside.
    ///
    /// # Errors
    /// When the system refuses.
    pub(crate) fn open(state: &StateFolder, server: &str, point: &[u8]) -> Result<Self, StateError> {
        let known: Known = state.read_replaceable(FILE)?.unwrap_or_default();
        let read = |day: &Day| Some((checkpoint_read(&day.checkpoint, server, point).ok()?, day.checkpoint.clone()));
        let newest = known.days.last().and_then(read);
        let (server, point) = (server.to_owned(), point.to_vec());
        Ok(Self { known, newest, asked: None, alarm: false, news: Vec::new(), server, point })
    }

    /// Deletes the file: the machine was enrolled again.
    ///
    /// # Errors
    /// When the system refuses.
    pub(crate) fn forget(state: &StateFolder) -> Result<(), StateError> {
        state.remove(FILE)
    }

    /// Takes in the checkpoint of an answer given at `at`; none when this server did not sign it. `in_order` is false for files, of which an
    /// older one may come later.
    pub(crate) fn seen(&mut self, note: &str, at: i64, in_order: bool, state: &StateFolder) -> Option<Checkpoint> {
        let checkpoint = match checkpoint_read(note, &self.server, &self.point) {
            Ok(checkpoint) => checkpoint,
            Err(kind) => {
                self.contradicted(kind, note, at, state);
                return None;
            }
        };
        let fits = match &self.newest {
            Some((newest, _)) if in_order => newest.precedes(&checkpoint),
            Some(_) => return Some(checkpoint),
            None => Ok(()),
        };
        match fits {
            Err(kind) => {
                self.alarm = true;
                self.contradicted(kind, note, at, state);
            }
            Ok(()) if self.newest.as_ref().is_some_and(|(newest, _)| newest.origin != checkpoint.origin) => {
                self.alarm = true;
            }
            Ok(()) => {
                self.newest = Some((checkpoint.clone(), note.to_owned()));
                if self.known.days.is_empty() {
                    self.keep(note, at, state);
                }
            }
        }
        Some(checkpoint)
    }

    /// Notes what does not fit to the newest checkpoint that does, once.
    pub(crate) fn contradicted(&mut self, kind: Contradiction, said: &str, at: i64, state: &StateFolder) {
        let newest = self.newest.as_ref().map(|(newest, _)| (newest.origin.epoch, newest.size));
        let (epoch, size) = newest.unwrap_or_default();
        tracing::error!(?kind, epoch, size, "the server contradicts what it said of its evidence log");
        let list = &mut self.known.contradictions;
        if list.iter().any(|known| known.kind == kind && known.epoch == epoch) || list.len() >= KEPT {
            return;
        }
        list.push(Contradicted { at, kind, epoch, size, said: said.chars().take(2048).collect() });
        self.news.push(size);
        self.save(state);
    }

    /// Sizes of the checkpoints that were contradicted since the last call: events of the agent.
    pub(crate) fn news(&mut self) -> Vec<u64> {
        std::mem::take(&mut self.news)
    }

    /// Whether the server must be asked before the day is over; says so once.
    pub(crate) fn alarmed(&mut self) -> bool {
        std::mem::take(&mut self.alarm)
    }

    /// When a daily question is due by the machine's clock, before its spread.
    pub(crate) fn due_at(&self) -> i64 {
        self.known.asked_at.saturating_add(DAY_MS)
    }

    /// The checkpoint to ask about at `now`; none before the first. The newest, when it is longer than the last one kept and the server may
    /// have forgotten it.
    pub(crate) fn question(&mut self, now: i64, state: &StateFolder) -> Option<String> {
        let smaller = |known: &Contradicted| known.kind == Contradiction::Smaller;
        let shows = self.known.contradictions.iter().any(smaller);
        let newest = self.newest.as_ref().filter(|_| shows).map(|(_, note)| note.clone());
        let asked = newest.or_else(|| self.known.days.last().map(|day| day.checkpoint.clone()))?;
        self.known.asked_at = now;
        self.save(state);
        self.asked = Some(asked.clone());
        Some(asked)
    }

    /// Judges the answer to the last question.
    pub(crate) fn answered(&mut self, answer: &LogAnswer, state: &StateFolder) {
        let Some(asked) = self.asked.take() else { return };
        let Ok(kept) = checkpoint_read(&asked, &self.server, &self.point) else { return };
        let at = answer.server_time_at;
        match answer.judge(&kept, &self.server, &self.point) {
            Err(kind) => self.contradicted(kind, &answer.checkpoint, at, state),
            Ok(Continued::Same(newest)) => {
                let longer = self.newest.as_ref().is_none_or(|(known, _)| known.precedes(&newest).is_ok());
                if longer && newest.size > kept.size {
                    self.newest = Some((newest, answer.checkpoint.clone()));
                    self.keep(&answer.checkpoint, at, state);
                }
            }
            Ok(Continued::Restored { newest, .. }) => {
                let before = answer.opened.as_ref().map(|opened| opened.before.clone()).unwrap_or_default();
                tracing::error!(epoch = newest.origin.epoch, "the server's store was put back (server_restored)");
                if self.known.restored.len() < KEPT {
                    self.known.restored.push(Restored { at, epoch: newest.origin.epoch, before });
                }
                self.newest = Some((newest, answer.checkpoint.clone()));
                self.keep(&answer.checkpoint, at, state);
            }
        }
    }

    fn keep(&mut self, checkpoint: &str, at: i64, state: &StateFolder) {
        self.known.days.push(Day { at, checkpoint: checkpoint.to_owned() });
        self.save(state);
    }

    fn save(&self, state: &StateFolder) {
        if let Err(error) = state.write_json(FILE, &self.known, Durability::Synced) {
            tracing::warn!(%error, "what is known of the evidence log could not be kept");
        }
    }
}

impl Known {
    /// What a person should know, one sentence each: contradictions, then breaks.
    pub(crate) fn sentences(&self) -> Vec<Text> {
        let contradictions = self.contradictions.iter().map(|found| {
            let Contradicted { epoch, size, .. } = found;
            let Text { vi, en } = found.kind.text();
            text!(
                "Nhật ký đối chứng của máy chủ mâu thuẫn với mốc máy này đang giữ (kỳ {epoch}, {size} mục): {vi}",
                "The server's evidence log contradicts the checkpoint kept here (epoch {epoch}, {size} leaves): {en}"
            )
        });
        let restored = self.restored.iter().map(|Restored { epoch, .. }| {
            text!(
                "Máy chủ đã được khôi phục từ bản sao (server_restored): nhật ký đối chứng mở kỳ {epoch}",
                "The server was put back from a copy (server_restored): its evidence log began epoch {epoch}"
            )
        });
        contradictions.chain(restored).collect()
    }
}
