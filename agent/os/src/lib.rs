//! The only door to the machine: read files, list folders, ask what only this family of systems knows. Nothing here writes.
//!
//! [`Os`] is what every system answers; `linux` and `windows` add their own questions, each with the real machine and a
//! twin that replays what was captured. Collectors get a door and nothing else.

use std::io::{Read, Seek, SeekFrom};

mod files;
mod hardware;
pub mod isolated;
#[cfg(target_os = "linux")]
pub mod linux;
mod tree;
#[cfg(any(windows, test, feature = "windows-recorded"))]
pub mod windows;

#[cfg(target_os = "linux")]
pub use linux::{KernelClock, Linux as ThisMachine, LinuxOs, Output, Owner, Program, recorded};
#[cfg(windows)]
pub use windows::Windows as ThisMachine;

/// What may go wrong when the machine is asked something.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OsError {
    /// The file, folder or program does not exist.
    #[error("{0} does not exist")]
    Missing(String),
    /// This user may not read it.
    #[error("{0} may not be read by this user")]
    Denied(String),
    /// It holds more than the caller is prepared to read.
    #[error("{0} is larger than {1} bytes")]
    TooLarge(String, usize),
    /// The program, or the file system, gave no answer before its deadline.
    #[error("{0} gave no answer before its deadline")]
    TimedOut(String),
    /// Anything else.
    #[error("{0}: {1}")]
    Failed(String, String),
}

/// The answer to a question to the machine.
pub type Answer<T> = Result<T, OsError>;

/// An opened file.
pub trait Source: Read + Seek + Send {}
impl<T: Read + Seek + Send> Source for T {}

/// What stands at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Stat {
    /// What it is.
    pub kind: FileKind,
    /// Size in bytes; of a folder, meaningless.
    #[serde(default)]
    pub size: u64,
    /// When its content was last changed, in milliseconds since 1970 UTC.
    #[serde(default)]
    pub modified_at: i64,
    /// Which file it is on its file system, where that has numbers.
    #[serde(default)]
    pub number: u64,
}

/// The kind of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileKind {
    /// An ordinary file.
    File,
    /// A folder.
    Folder,
    /// A socket, device, pipe.
    Other,
}

/// What the machine is made of.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Hardware {
    /// Main memory in bytes; 0 when not known.
    pub memory: u64,
    /// Logical processors; 0 when not known.
    pub processors: u64,
    /// The processor's name; empty when not known.
    pub processor: String,
    /// When the system was started, in seconds since 1970 UTC; 0 when not known.
    pub booted_at: i64,
}

/// The machine as the collectors see it. Paths are absolute.
pub trait Os: Send + Sync {
    /// Opens an ordinary file. Never waits for a pipe or device to be ready.
    ///
    /// # Errors
    /// [`OsError::Missing`], [`OsError::Denied`], or [`OsError::Failed`] also when it is no ordinary file.
    fn open(&self, path: &str) -> Answer<Box<dyn Source>>;

    /// The names in a folder, sorted.
    ///
    /// # Errors
    /// As [`Os::open`], and [`OsError::Failed`] when a name is not UTF-8 or there are more than [`FOLDER_CAP`].
    fn list(&self, path: &str) -> Answer<Vec<String>>;

    /// What stands at `path`, links followed.
    ///
    /// # Errors
    /// As [`Os::open`].
    fn stat(&self, path: &str) -> Answer<Stat>;

    /// True when the agent may read what only an administrator may.
    fn administrator(&self) -> bool;

    /// Memory, processors, start of the system.
    fn hardware(&self) -> Hardware;

    /// Size in bytes of the file system that holds `path`.
    ///
    /// # Errors
    /// As [`Os::open`].
    fn disk_size(&self, path: &str) -> Answer<u64>;

    /// The whole of a file of at most `cap` bytes.
    ///
    /// # Errors
    /// As [`Os::open`], and [`OsError::TooLarge`].
    fn read(&self, path: &str, cap: usize) -> Answer<Vec<u8>> {
        let bytes = read_up_to(self.open(path)?, path, cap.saturating_add(1))?;
        if bytes.len() > cap {
            return Err(OsError::TooLarge(path.to_owned(), cap));
        }
        Ok(bytes)
    }

    /// A text file of at most [`TEXT_CAP`] bytes; what is not UTF-8 is replaced.
    ///
    /// # Errors
    /// As [`Os::read`].
    fn text(&self, path: &str) -> Answer<String> {
        Ok(lossy(self.read(path, TEXT_CAP)?))
    }

    /// The first `length` bytes of a file, fewer when it is shorter.
    ///
    /// # Errors
    /// As [`Os::open`].
    fn head(&self, path: &str, length: usize) -> Answer<Vec<u8>> {
        read_up_to(self.open(path)?, path, length)
    }

    /// `length` bytes of a file from `offset`, fewer when it ends before.
    ///
    /// # Errors
    /// As [`Os::open`].
    fn range(&self, path: &str, offset: u64, length: usize) -> Answer<Vec<u8>> {
        let mut file = self.open(path)?;
        file.seek(SeekFrom::Start(offset)).map_err(|error| failed(path, &error))?;
        read_up_to(file, path, length)
    }

    /// The last `length` bytes of a file, all of it when it is shorter.
    ///
    /// # Errors
    /// As [`Os::open`].
    fn tail(&self, path: &str, length: usize) -> Answer<Vec<u8>> {
        let mut file = self.open(path)?;
        let end = file.seek(SeekFrom::End(0)).map_err(|error| failed(path, &error))?;
        let start = end.saturating_sub(length as u64);
        file.seek(SeekFrom::Start(start)).map_err(|error| failed(path, &error))?;
        read_up_to(file, path, length)
    }

    /// True when something stands at `path`. What may not be looked at counts as not there.
    fn exists(&self, path: &str) -> bool {
        self.stat(path).is_ok()
    }
}

/// The most bytes of a text file that are read: a configuration file beyond it is not one.
pub const TEXT_CAP: usize = 1 << 20;

/// The most names of one folder that are read (a machine with more processes than that is not ours to inspect).
pub const FOLDER_CAP: usize = 65_536;

/// Bytes as text; what is not UTF-8 becomes U+FFFD.
pub fn lossy(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// An input or output error of `path` in the words of [`OsError`].
pub fn failed(path: &str, error: &std::io::Error) -> OsError {
    use std::io::ErrorKind;
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => OsError::Missing(path.to_owned()),
        ErrorKind::PermissionDenied => OsError::Denied(path.to_owned()),
        ErrorKind::TimedOut => OsError::TimedOut(path.to_owned()),
        _ => OsError::Failed(path.to_owned(), error.to_string()),
    }
}

fn read_up_to(file: Box<dyn Source>, path: &str, length: usize) -> Answer<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(length as u64).read_to_end(&mut bytes).map_err(|error| failed(path, &error))?;
    Ok(bytes)
}
