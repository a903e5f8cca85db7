//! Reports when a relevant file or registry key changes: the sources of a section, the policy, the agent's own configuration.
//!
//! Watches folders rather than files, so that a file that is replaced as a whole, or created later, is noticed. Reading a
//! file is no change and does not wake the agent.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use policies::fact::Section;

#[cfg(not(windows))]
mod folders;
#[cfg(windows)]
#[path = "watch/folders_windows.rs"]
mod folders;
#[cfg(any(windows, test))]
mod hives;
#[cfg(windows)]
mod keys;
#[cfg(not(windows))]
#[path = "watch/no_keys.rs"]
mod keys;
#[cfg(any(windows, test))]
mod snapshot;

/// What a change concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Subject {
    /// The sources of a section.
    Section(Section),
    /// The policy's folder.
    Policy,
    /// The agent's configuration.
    Config,
    /// The addresses of this machine.
    #[cfg_attr(not(windows), expect(dead_code, reason = "only Windows tells"))]
    Network,
}

/// Watched paths.
#[derive(Debug)]
pub(crate) struct Watch {
    wanted: Vec<Wanted>,
    folders: folders::Folders,
    keys: keys::Keys,
}

/// One path, and its target when it is a link.
#[derive(Clone, Debug)]
struct Wanted {
    path: PathBuf,
    target: Option<PathBuf>,
    subject: Subject,
}

/// What happened in a watched folder.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Event {
    /// Something at this path was written, created, moved or removed.
    Changed(PathBuf),
    /// Events were lost: anything may have changed.
    Lost,
}

impl Watch {
    /// Watches `wanted`. Paths that do not exist yet are noticed once they are created.
    ///
    /// # Errors
    /// When the system provides no watch.
    pub(crate) fn new(wanted: impl IntoIterator<Item = (PathBuf, Subject)>) -> std::io::Result<Self> {
        let wanted = wanted.into_iter().map(|(path, subject)| Wanted { path, target: None, subject }).collect();
        let (folders, keys) = (folders::Folders::new()?, keys::Keys::new(Vec::new()));
        let mut watch = Self { wanted, folders, keys };
        watch.arm();
        Ok(watch)
    }

    /// Also watches registry keys (`HKLM\SOFTWARE\...`; `HKU\*\...` is a key of every user). Only Windows has any.
    #[must_use]
    pub(crate) fn with_keys(mut self, keys: impl IntoIterator<Item = (&'static str, Subject)>) -> Self {
        self.keys = keys::Keys::new(keys.into_iter().collect());
        self.keys.arm();
        self
    }

    /// Watches the folders as they are now: links may have new targets, folders may have been created since.
    pub(crate) fn arm(&mut self) {
        let mut folders = BTreeSet::new();
        for wanted in &mut self.wanted {
            wanted.target = std::fs::canonicalize(&wanted.path).ok().filter(|target| *target != wanted.path);
            for path in [Some(&wanted.path), wanted.target.as_ref()].into_iter().flatten() {
                if path.is_dir() {
                    folders.insert(path.clone());
                }
                folders.extend(nearest_folder(path));
            }
        }
        self.folders.watch(folders);
        self.keys.arm();
    }

    /// Waits for a change and returns what it concerns.
    ///
    /// # Errors
    /// When the system takes the watch away.
    pub(crate) async fn changed(&mut self) -> std::io::Result<BTreeSet<Subject>> {
        loop {
            let mut subjects = BTreeSet::new();
            let mut arm = false;
            let events = tokio::select! {
                events = self.folders.events() => events?,
                subjects = self.keys.changed() => return subjects,
            };
            for event in events {
                match event {
                    Event::Lost => {
                        arm = true;
                        subjects.extend(self.wanted.iter().map(|wanted| wanted.subject));
                    }
                    Event::Changed(path) => {
                        for wanted in &self.wanted {
                            let concern = concerns(wanted, &path);
                            arm |= concern == Concern::Anew;
                            if concern != Concern::None {
                                subjects.insert(wanted.subject);
                            }
                        }
                    }
                }
            }
            if arm {
                self.arm();
            }
            if !subjects.is_empty() {
                return Ok(subjects);
            }
        }
    }
}

/// How a change at a path concerns a wanted path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Concern {
    None,
    /// Something inside the wanted folder.
    Within,
    /// The wanted path itself, or a folder above it: the folders to watch have to be found again.
    Anew,
}

fn concerns(wanted: &Wanted, changed: &Path) -> Concern {
    for path in [Some(&wanted.path), wanted.target.as_ref()].into_iter().flatten() {
        if path.starts_with(changed) {
            return Concern::Anew;
        }
        if changed.parent() == Some(path) {
            return Concern::Within;
        }
    }
    Concern::None
}

/// The nearest existing folder above `path`.
fn nearest_folder(path: &Path) -> Option<PathBuf> {
    path.ancestors().skip(1).find(|folder| folder.is_dir()).map(Path::to_owned)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    async fn next(watch: &mut Watch) -> Vec<Subject> {
        let changed = tokio::time::timeout(Duration::from_secs(30), watch.changed()).await;
        changed.expect("no event within 30 s").unwrap().into_iter().collect()
    }

    /// Waits until `subject` is reported. A change may be reported in several parts, so parts of an earlier change may come
    /// first.
    async fn told(watch: &mut Watch, subject: Subject) {
        while !next(watch).await.contains(&subject) {}
    }

    fn run(test: impl Future<Output = ()>) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
    }

    #[test]
    fn files_are_seen_when_written_replaced_made_and_linked() {
        run(async {
            let folder = tempfile::tempdir().unwrap();
            let root = folder.path().canonicalize().unwrap();
            let (hosts, later) = (root.join("hosts"), root.join("made/later/file"));
            let (link, elsewhere) = (root.join("link"), root.join("elsewhere"));
            std::fs::write(&hosts, "1").unwrap();
            std::fs::create_dir(&elsewhere).unwrap();
            std::fs::write(elsewhere.join("target"), "1").unwrap();
            std::os::unix::fs::symlink(elsewhere.join("target"), &link).unwrap();
            let wanted = [
                (hosts.clone(), Subject::Section(Section::Lan)),
                (later.clone(), Subject::Config),
                (link.clone(), Subject::Policy),
            ];
            let mut watch = Watch::new(wanted).unwrap();

            let (lan, config) = (Subject::Section(Section::Lan), Subject::Config);
            std::fs::write(&hosts, "2").unwrap();
            told(&mut watch, lan).await;

            std::fs::create_dir(root.join("made")).unwrap();
            told(&mut watch, config).await;
            std::fs::write(root.join("hosts.new"), "3").unwrap();
            std::fs::rename(root.join("hosts.new"), &hosts).unwrap();
            told(&mut watch, lan).await;
            std::fs::create_dir(root.join("made/later")).unwrap();
            told(&mut watch, config).await;
            std::fs::write(&hosts, "4").unwrap();
            told(&mut watch, lan).await;
            std::fs::write(&later, "x").unwrap();
            told(&mut watch, config).await;

            std::fs::write(elsewhere.join("target"), "2").unwrap();
            told(&mut watch, Subject::Policy).await;
        });
    }

    #[test]
    fn reading_and_neighbours_are_no_change() {
        run(async {
            let folder = tempfile::tempdir().unwrap();
            let root = folder.path().canonicalize().unwrap();
            let (hosts, other, config) = (root.join("hosts"), root.join("other"), root.join("agent.toml"));
            std::fs::write(&hosts, "1").unwrap();
            let wanted = [(hosts.clone(), Subject::Section(Section::Lan)), (config.clone(), Subject::Config)];
            let mut watch = Watch::new(wanted).unwrap();
            std::fs::read(&hosts).unwrap();
            std::fs::write(&other, "1").unwrap();
            std::fs::write(&config, "1").unwrap();
            // The read and the change of the neighbouring file came before it, and would have been reported before it.
            assert_eq!(next(&mut watch).await, [Subject::Config]);
        });
    }

    #[test]
    fn a_folder_is_watched_for_its_entries() {
        run(async {
            let folder = tempfile::tempdir().unwrap();
            let root = folder.path().canonicalize().unwrap();
            let definitions = root.join("clamav");
            std::fs::create_dir(&definitions).unwrap();
            let mut watch = Watch::new([(definitions.clone(), Subject::Section(Section::Antivirus))]).unwrap();
            std::fs::write(definitions.join("daily.cld"), "1").unwrap();
            assert_eq!(next(&mut watch).await, [Subject::Section(Section::Antivirus)]);
        });
    }
}
