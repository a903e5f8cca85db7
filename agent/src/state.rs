//! The agent's own folder, the only place it writes to. Mode 0700, one process at a time, files replaced whole.
//!
//! Owns how bytes reach the disk ([`records`] for appended data, [`slots`] for what must be writable on a full disk);
//! the meaning of the files belongs to their owners.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use policies::text;
use policies::text::Text;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub mod config;
pub mod records;
pub mod slots;
#[cfg(unix)]
#[path = "state/unix.rs"]
mod system;
#[cfg(windows)]
#[path = "state/windows.rs"]
mod system;

/// Default folder of the agent's state.
pub const DEFAULT: &str = if cfg!(windows) { r"C:\ProgramData\TramAn\agent" } else { "/var/lib/tram-an-agent" };
/// The name of the lock file.
const LOCK: &str = "lock";
/// The command that enrols a machine.
const CONNECT: &str = if cfg!(windows) { "posture-agent install" } else { "posture-agent enrol" };
/// The most bytes of a file that is read whole: enough for a policy bundle with its JSON escapes.
const MOST: u64 = 4 * 1024 * 1024;

/// The state folder, locked for this process until dropped.
#[derive(Debug)]
pub struct StateFolder {
    path: PathBuf,
    // The lock is held as long as the file is open.
    _lock: File,
}

/// What to do when the folder does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// Create it.
    Create,
    /// Report that the machine is not enrolled.
    Refuse,
}

/// How to recover from a damaged file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Nothing to do: the file is set aside and made again.
    None,
    /// The machine must be enrolled again: the content of the file cannot be obtained any other way.
    Connect,
}

impl Remedy {
    /// The remedy as a sentence, in both languages.
    pub fn text(self) -> Text {
        match self {
            Self::None => text!(
                "tệp được cất riêng và tạo lại, không cần làm gì",
                "it is set aside and created again; nothing needs to be done",
            ),
            Self::Connect => text!(
                "hãy xin mã đăng ký máy mới và kết nối lại máy này ({CONNECT}); tệp hỏng và báo cáo chưa gửi được cất riêng",
                "ask for a new token and connect this machine again ({CONNECT}); the damaged file and unsent reports are set aside"
            ),
        }
    }
}

/// Whether a written file must survive an immediate power cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// File and folder are synced to disk before the call returns.
    Synced,
    /// The system writes it when it chooses: for data that can be made again and is checked when read.
    Relaxed,
}

/// An error of the state folder.
#[derive(Debug, thiserror::Error)]
#[error("{}", self.text().en)]
pub enum StateError {
    /// Another process has locked it.
    Locked(PathBuf),
    /// It does not exist.
    Missing(PathBuf),
    /// Accounts other than its owner may read it.
    Exposed {
        /// The folder or file.
        path: PathBuf,
        /// Who may read it, in the system's notation.
        found: String,
        /// The command that closes the access.
        remedy: String,
    },
    /// A secret was sealed for another account on this machine, or its file is damaged.
    Sealed {
        /// The file.
        path: PathBuf,
        /// The system's error message.
        reason: String,
    },
    /// A file's content is invalid.
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
        /// How to recover.
        remedy: Remedy,
    },
    /// The system refused.
    #[error("cannot {doing} {path}")]
    Io {
        /// The operation that failed.
        doing: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
}

impl StateError {
    /// The error message for people, in both languages.
    pub fn text(&self) -> Text {
        match self {
            Self::Locked(path) => text!(
                "một tiến trình posture-agent khác đang dùng {0}; hãy dừng nó trước (systemctl stop posture-agent)",
                "another posture-agent is using {0}; stop it first (systemctl stop posture-agent)",
                path.display()
            ),
            Self::Missing(path) => text!(
                "chưa có thư mục {0}; hãy kết nối máy này trước (posture-agent enrol)",
                "{0} does not exist; connect this machine first (posture-agent enrol)",
                path.display()
            ),
            Self::Exposed { path, found, remedy } => text!(
                "người khác đọc được {0} ({found}); hãy đóng lại ({remedy})",
                "others can read {0} ({found}); close it ({remedy})",
                path.display()
            ),
            Self::Sealed { path, reason } => text!(
                "tài khoản đang chạy không mở được tệp {0} ({reason}); hãy kết nối lại máy này (posture-agent install)",
                "this account cannot open {0} ({reason}); connect this machine again (posture-agent install)",
                path.display()
            ),
            Self::Damaged { path, reason, remedy } => {
                let Text { vi, en } = remedy.text();
                text!("tệp {0} bị hỏng ({reason}); {vi}", "{0} is damaged ({reason}); {en}", path.display())
            }
            Self::Io { doing, path, source } => {
                let vi = match *doing {
                    "read" => "đọc",
                    "open" => "mở",
                    "set aside" => "cất riêng",
                    _ => "ghi",
                };
                text!("không {vi} được {0}: {source}", "cannot {doing} {0}: {source}", path.display())
            }
        }
    }
}

impl StateFolder {
    /// Opens the folder and locks out other processes.
    ///
    /// # Errors
    /// When it is missing, readable by others, in use, or the system refuses.
    pub fn open(path: &Path, missing: Missing) -> Result<Self, StateError> {
        if !path.is_dir() {
            match missing {
                Missing::Refuse => return Err(StateError::Missing(path.to_owned())),
                Missing::Create => system::folder_create(path).map_err(|source| io("create", path, source))?,
            }
        }
        check_exposure(path, Kind::Folder)?;
        let lock_path = path.join(LOCK);
        if lock_path.is_dir() {
            aside(&lock_path, DAMAGED)?;
        }
        let lock = system::file_open(&lock_path).map_err(|source| io("open", &lock_path, source))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), _lock: lock }),
            Err(std::fs::TryLockError::WouldBlock) => Err(StateError::Locked(path.to_owned())),
            Err(std::fs::TryLockError::Error(source)) => Err(io("lock", &lock_path, source)),
        }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Path of the file `name`.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The subfolder `name`, created when missing.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn folder(&self, name: &str) -> Result<PathBuf, StateError> {
        let path = self.path.join(name);
        if !path.is_dir() {
            if path.exists() {
                aside(&path, DAMAGED)?;
            }
            system::folder_create(&path).map_err(|source| io("create", &path, source))?;
        }
        Ok(path)
    }

    /// Renames the file or folder `name`, within the same folder, to a unique name that says `why`; nothing is ever deleted. Returns
    /// the new path; none when it did not exist.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn set_aside(&self, name: &str, why: &str) -> Result<Option<PathBuf>, StateError> {
        let path = self.file(name);
        if path.exists() { aside(&path, why).map(Some) } else { Ok(None) }
    }

    /// Sets aside a folder that has taken the place of the file `name`.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn way_clear(&self, name: &str) -> Result<(), StateError> {
        let path = self.file(name);
        if path.is_dir() {
            aside(&path, DAMAGED)?;
        }
        Ok(())
    }

    /// Opens the file `name` for reading and writing in place, creating it when missing.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn open_file(&self, name: &str) -> Result<File, StateError> {
        self.way_clear(name)?;
        let path = self.file(name);
        system::file_open(&path).map_err(|source| io("open", &path, source))
    }

    /// The bytes of the file `name`; none when it does not exist.
    ///
    /// # Errors
    /// When it cannot be read, or is longer than any file of ours.
    pub fn read(&self, name: &str) -> Result<Option<Vec<u8>>, StateError> {
        let path = self.file(name);
        if path.is_dir() {
            return Err(damaged(&path, "a folder stands in its place".to_owned()));
        }
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(io("open", &path, source)),
        };
        let mut bytes = Vec::new();
        file.take(MOST + 1).read_to_end(&mut bytes).map_err(|source| io("read", &path, source))?;
        if bytes.len() as u64 > MOST {
            return Err(damaged(&path, format!("more than {MOST} bytes")));
        }
        Ok(Some(bytes))
    }

    /// The parsed JSON of the file `name`; none when it does not exist.
    ///
    /// # Errors
    /// When it cannot be read; [`StateError::Damaged`] when it is not the expected JSON.
    pub fn read_json<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, StateError> {
        let Some(bytes) = self.read(name)? else { return Ok(None) };
        serde_json::from_slice(&bytes).map(Some).map_err(|error| damaged(&self.file(name), error.to_string()))
    }

    /// Like [`StateFolder::read_json`], for data that can be obtained again: a damaged file is logged, set aside and treated as
    /// missing.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read_replaceable<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, StateError> {
        match self.read_json(name) {
            Err(error @ StateError::Damaged { .. }) => {
                tracing::warn!("{error}");
                self.set_aside(name, DAMAGED)?;
                Ok(None)
            }
            read => read,
        }
    }

    /// Replaces the whole file `name`: a reader, or a restart at any moment, sees either the old bytes or the new ones.
    ///
    /// # Errors
    /// When the system refuses; the old content stays.
    pub fn write(&self, name: &str, bytes: &[u8], durability: Durability) -> Result<(), StateError> {
        self.way_clear(name)?;
        let path = self.file(name);
        file_replace(&path, bytes, durability).map_err(|source| io("write", &path, source))
    }

    /// Replaces the file `name` by the JSON of `value`.
    ///
    /// # Errors
    /// See [`StateFolder::write`].
    pub fn write_json<T: Serialize>(&self, name: &str, value: &T, durability: Durability) -> Result<(), StateError> {
        let path = self.file(name);
        let mut bytes = serde_json::to_vec_pretty(value).map_err(|error| damaged(&path, error.to_string()))?;
        bytes.push(b'\n');
        self.write(name, &bytes, durability)
    }

    /// The secret in the file `name`; none when it does not exist.
    ///
    /// # Errors
    /// See [`StateFolder::read`]; also when accounts other than its owner may read the file, and [`StateError::Sealed`] when
    /// this account may not.
    pub fn read_secret(&self, name: &str) -> Result<Option<Vec<u8>>, StateError> {
        let Some(bytes) = self.read(name)? else { return Ok(None) };
        self.check_private(name)?;
        let sealed = |error: std::io::Error| StateError::Sealed { path: self.file(name), reason: error.to_string() };
        system::unseal(bytes).map(Some).map_err(sealed)
    }

    /// Replaces the file `name` with a secret, synced to disk. On Windows only the account that wrote it can read it
    /// back.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn write_secret(&self, name: &str, secret: &[u8]) -> Result<(), StateError> {
        let sealed = system::seal(secret).map_err(|source| io("write", &self.file(name), source))?;
        self.write(name, &sealed, Durability::Synced)
    }

    /// Removes the file `name`, if it exists.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn remove(&self, name: &str) -> Result<(), StateError> {
        let path = self.file(name);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(io("remove", &path, error)),
            _ => Ok(()),
        }
    }

    /// Refuses the file `name` when accounts other than its owner may read it.
    ///
    /// # Errors
    /// [`StateError::Exposed`].
    pub fn check_private(&self, name: &str) -> Result<(), StateError> {
        check_exposure(&self.file(name), Kind::File)
    }
}

/// What kind of item to check for exposure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Folder,
    File,
}

/// The access that others have to a folder or file that should be ours alone.
struct Exposure {
    found: String,
    remedy: String,
}

fn check_exposure(path: &Path, kind: Kind) -> Result<(), StateError> {
    match system::exposure(path, kind).map_err(|source| io("open", path, source))? {
        None => Ok(()),
        Some(Exposure { found, remedy }) => Err(StateError::Exposed { path: path.to_owned(), found, remedy }),
    }
}

fn io(doing: &'static str, path: &Path, source: std::io::Error) -> StateError {
    StateError::Io { doing, path: path.to_owned(), source }
}

fn damaged(path: &Path, reason: String) -> StateError {
    StateError::Damaged { path: path.to_owned(), reason, remedy: Remedy::None }
}

/// The reason in the name of something set aside because it was damaged.
pub const DAMAGED: &str = "damaged";

static REPAIRED: AtomicBool = AtomicBool::new(false);

/// Notes that something damaged was set aside or begun anew.
pub(crate) fn repaired() {
    REPAIRED.store(true, Ordering::Relaxed);
}

/// True when that happened since the last time this was asked.
pub(crate) fn was_repaired() -> bool {
    REPAIRED.swap(false, Ordering::Relaxed)
}

fn aside(path: &Path, why: &str) -> Result<PathBuf, StateError> {
    if why == DAMAGED {
        repaired();
    }
    let named = |number: u32| {
        let mut name = path.as_os_str().to_owned();
        name.push(if number == 1 { format!(".{why}") } else { format!(".{why}-{number}") });
        PathBuf::from(name)
    };
    let free = (1..).map(named).find(|name| !name.exists()).unwrap_or_else(|| named(1));
    std::fs::rename(path, &free).map_err(|source| io("set aside", path, source))?;
    tracing::warn!(file = %path.display(), now = %free.display(), "set aside");
    Ok(free)
}

/// Replaces a file by writing a new one next to it and renaming.
fn file_replace(path: &Path, bytes: &[u8], durability: Durability) -> std::io::Result<()> {
    let mut fresh = path.as_os_str().to_owned();
    fresh.push(".new");
    let fresh = Path::new(&fresh);
    let write = || {
        let mut file = system::file_open(fresh)?;
        file.set_len(0)?;
        file.write_all(bytes)?;
        if durability == Durability::Synced {
            file.sync_all()?;
        }
        drop(file);
        std::fs::rename(fresh, path)
    };
    if let Err(error) = write() {
        // On a full disk a partial file would only make things worse.
        drop(std::fs::remove_file(fresh));
        return Err(error);
    }
    match (durability, path.parent()) {
        (Durability::Synced, Some(parent)) => system::folder_sync(parent),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_second_holder_is_told_so() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        assert!(matches!(StateFolder::open(&path, Missing::Refuse), Err(StateError::Missing(_))));
        let first = StateFolder::open(&path, Missing::Create).unwrap();
        let error = StateFolder::open(&path, Missing::Create).unwrap_err();
        assert!(matches!(error, StateError::Locked(_)));
        assert!(error.text().vi.contains("đang dùng"));
        drop(first);
        StateFolder::open(&path, Missing::Refuse).unwrap();
    }

    #[test]
    fn the_folder_and_its_files_are_private() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        let state = StateFolder::open(&path, Missing::Create).unwrap();
        state.write("key", b"x", Durability::Synced).unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(&state.file("key"))), (0o700, 0o600));
        std::fs::set_permissions(state.file("key"), std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(state.check_private("key"), Err(StateError::Exposed { found, .. }) if found == "mode 640"));
        drop(state);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        let error = StateFolder::open(&path, Missing::Create).unwrap_err();
        assert!(error.to_string().contains("chmod 700"), "{error}");
    }

    #[test]
    fn damage_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateFolder::open(&folder.path().join("s"), Missing::Create).unwrap();
        assert!(state.read_json::<u32>("number").unwrap().is_none());
        state.write_json("number", &7, Durability::Relaxed).unwrap();
        assert_eq!(state.read_json::<u32>("number").unwrap(), Some(7));
        state.write("number", b"{torn", Durability::Relaxed).unwrap();
        let error = state.read_json::<u32>("number").unwrap_err().to_string();
        assert!(error.contains("number is damaged"), "{error}");
        state.remove("number").unwrap();
        state.remove("number").unwrap();
    }
}
