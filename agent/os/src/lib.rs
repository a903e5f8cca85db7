//! The only door to the machine: reads files, lists folders, asks what only one family of systems knows. Nothing here
//! writes.
//!
//! [`Os`] is what every system can answer; `linux` and `windows` add their own questions. Each has a native door and a
//! recorded one that replays a recording. Collectors get a door and nothing else.

use std::io::{Read, Seek, SeekFrom};

mod files;
mod hardware;
pub mod isolated;
#[cfg(target_os = "linux")]
pub mod linux;
#[cfg(windows)]
pub mod priority;
mod tree;
#[cfg(any(windows, test, feature = "windows-recorded"))]
pub mod windows;

#[cfg(target_os = "linux")]
pub use linux::{KernelClock, Linux as ThisMachine, LinuxOs, Output, Owner, Program, recorded};
#[cfg(windows)]
pub use windows::Windows as ThisMachine;

/// Why a question to the machine has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OsError {
    /// The file, folder or program does not exist; says which.
    #[error("{0} does not exist")]
    Missing(String),
    /// This user may not read it; says what.
    #[error("{0} may not be read by this user")]
    Denied(String),
    /// It is larger than the caller's cap: what, and the cap.
    #[error("{0} is larger than {1} bytes")]
    TooLarge(String, usize),
    /// The program or file system did not answer before its deadline; says which.
    #[error("{0} gave no answer before its deadline")]
    TimedOut(String),
    /// Any other error: what was asked, and why it failed.
    #[error("{0}: {1}")]
    Failed(String, String),
}

/// The result of a question to the machine.
pub type Answer<T> = Result<T, OsError>;

/// An opened file.
pub trait Source: Read + Seek + Send {}
impl<T: Read + Seek + Send> Source for T {}

/// What is at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Stat {
    /// What it is.
    pub kind: FileKind,
    /// Size in bytes; meaningless for a folder.
    #[serde(default)]
    pub size: u64,
    /// When its content was last changed, in milliseconds since 1970 UTC.
    #[serde(default)]
    pub modified_at: i64,
    /// File number on its file system, where that has numbers.
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
    /// A socket, device or pipe.
    Other,
}

/// Memory, processor and boot time.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Hardware {
    /// Main memory in bytes; 0 when unknown.
    pub memory: u64,
    /// Logical processors; 0 when unknown.
    pub processors: u64,
    /// The processor's name; empty when unknown.
    pub processor: String,
    /// When the system booted, in seconds since 1970 UTC; 0 when unknown.
    pub booted_at: i64,
}

/// A route to addresses elsewhere, whether or not something else is preferred to it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Route {
    /// The interface it leaves by: on Linux its name, on Windows its index. Empty when it is not known.
    pub interface: String,
    /// The lowest address it leads to.
    pub destination: std::net::IpAddr,
    /// How many leading bits of an address count; 0 for a default route.
    pub prefix: u8,
    /// The next router; none where the destination is reached without one.
    pub gateway: Option<std::net::IpAddr>,
    /// Smaller is preferred.
    pub metric: u32,
}

/// The machine as the collectors see it. Paths are absolute.
pub trait Os: Send + Sync {
    /// Opens an ordinary file. Never waits for a pipe or device to be ready.
    ///
    /// # Errors
    /// [`OsError::Missing`], [`OsError::Denied`] or [`OsError::Failed`]; the last also when it is not an ordinary file.
    fn open(&self, path: &str) -> Answer<Box<dyn Source>>;

    /// The names in a folder, sorted.
    ///
    /// # Errors
    /// See [`Os::open`]; also [`OsError::Failed`] when a name is not UTF-8 or there are more than [`FOLDER_CAP`].
    fn list(&self, path: &str) -> Answer<Vec<String>>;

    /// What is at `path`, following links.
    ///
    /// # Errors
    /// See [`Os::open`].
    fn stat(&self, path: &str) -> Answer<Stat>;

    /// True when the agent may read what is reserved for administrators.
    fn administrator(&self) -> bool;

    /// Memory, processors and boot time.
    fn hardware(&self) -> Hardware;

    /// Size in bytes of the file system that holds `path`.
    ///
    /// # Errors
    /// See [`Os::open`].
    fn disk_size(&self, path: &str) -> Answer<u64>;

    /// The whole content of a file of at most `cap` bytes.
    ///
    /// # Errors
    /// See [`Os::open`]; also [`OsError::TooLarge`].
    fn read(&self, path: &str, cap: usize) -> Answer<Vec<u8>> {
        let bytes = read_up_to(self.open(path)?, path, cap.saturating_add(1))?;
        if bytes.len() > cap {
            return Err(OsError::TooLarge(path.to_owned(), cap));
        }
        Ok(bytes)
    }

    /// A text file of at most [`TEXT_CAP`] bytes; invalid UTF-8 is replaced.
    ///
    /// # Errors
    /// See [`Os::read`].
    fn text(&self, path: &str) -> Answer<String> {
        Ok(lossy(self.read(path, TEXT_CAP)?))
    }

    /// The first `length` bytes of a file, fewer when it is shorter.
    ///
    /// # Errors
    /// See [`Os::open`].
    fn head(&self, path: &str, length: usize) -> Answer<Vec<u8>> {
        read_up_to(self.open(path)?, path, length)
    }

    /// `length` bytes of a file from `offset`, fewer when it ends before.
    ///
    /// # Errors
    /// See [`Os::open`].
    fn range(&self, path: &str, offset: u64, length: usize) -> Answer<Vec<u8>> {
        let mut file = self.open(path)?;
        file.seek(SeekFrom::Start(offset)).map_err(|error| failed(path, &error))?;
        read_up_to(file, path, length)
    }

    /// The last `length` bytes of a file, all of it when it is shorter.
    ///
    /// # Errors
    /// See [`Os::open`].
    fn tail(&self, path: &str, length: usize) -> Answer<Vec<u8>> {
        let mut file = self.open(path)?;
        let end = file.seek(SeekFrom::End(0)).map_err(|error| failed(path, &error))?;
        let start = end.saturating_sub(length as u64);
        file.seek(SeekFrom::Start(start)).map_err(|error| failed(path, &error))?;
        read_up_to(file, path, length)
    }

    /// True when there is something at `path`. What may not be looked at counts as absent.
    fn exists(&self, path: &str) -> bool {
        self.stat(path).is_ok()
    }
}

/// The most bytes read of a text file: no configuration file is larger.
pub const TEXT_CAP: usize = 1 << 20;

/// The most names read of one folder (a machine with more processes than that is out of scope for this agent).
pub const FOLDER_CAP: usize = 65_536;

/// Bytes as text; invalid UTF-8 becomes U+FFFD.
pub fn lossy(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// Translates an I/O error at `path` into an [`OsError`].
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
