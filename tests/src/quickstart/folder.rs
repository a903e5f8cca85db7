//! The folder of a quickstart: what is stored where, who may use it, and which steps are done.

use std::fs::{DirBuilder, File};
use std::hash::{DefaultHasher, Hasher};
use std::net::TcpListener;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use crate::test_server::POLICY_FILES;

/// The file by which a folder is known as a quickstart's.
const MEMORY: &str = "quickstart.json";
/// The port when nobody asked for one.
const PORT: u16 = 8443;

/// The folder, locked by this process.
#[derive(Debug)]
pub struct QuickstartFolder {
    folder: PathBuf,
    // Locked as long as the file is open.
    _lock: File,
}

/// Which steps are done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Memory {
    /// The office's id; empty until it was made.
    pub office: String,
    /// The roster was declared.
    pub rostered: bool,
    /// What [`digest_of`] said of the policy files that were published.
    pub policies: String,
    /// A login was made.
    pub login: bool,
    /// This machine was enrolled.
    pub enrolled: bool,
    /// The port of the last start.
    pub port: Option<u16>,
}

impl QuickstartFolder {
    /// Takes `folder`, making it when it does not exist.
    ///
    /// # Errors
    /// It cannot be made or written, holds something that is not a quickstart's, or another quickstart uses it.
    pub fn open(folder: PathBuf) -> anyhow::Result<Self> {
        let shown = folder.display();
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&folder)
            .with_context(|| format!("cannot make the folder {shown}; choose another with --data"))?;
        let folder = folder.canonicalize().with_context(|| format!("cannot use the folder {shown}"))?;
        let strange = std::fs::read_dir(&folder)
            .with_context(|| format!("cannot read the folder {}", folder.display()))?
            .next()
            .is_some()
            && !folder.join(MEMORY).exists()
            && !folder.join("lock").exists();
        if strange {
            bail!("{} is not empty and not a quickstart's folder; choose another with --data", folder.display());
        }
        let lock = File::create(folder.join("lock"))
            .with_context(|| format!("cannot write in {}; choose another folder with --data", folder.display()))?;
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            bail!(
                "another quickstart is using {}; end it first, or choose another folder with --data",
                folder.display()
            );
        }
        let place = Self { folder, _lock: lock };
        DirBuilder::new().recursive(true).mode(0o700).create(place.folder.join("logs"))?;
        Ok(place)
    }

    /// The folder itself.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The server's data.
    pub fn server(&self) -> PathBuf {
        self.folder.join("server")
    }

    /// The agent's state.
    pub fn agent(&self) -> PathBuf {
        self.folder.join("agent")
    }

    /// The log of the program `name`.
    pub fn log(&self, name: &str) -> PathBuf {
        self.folder.join("logs").join(format!("{name}.log"))
    }

    /// The steps done by an earlier start; none in a fresh folder.
    ///
    /// # Errors
    /// The file is not of this version's form.
    pub fn recall(&self) -> anyhow::Result<Memory> {
        let path = self.folder.join(MEMORY);
        match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .with_context(|| format!("{} is damaged; delete the folder to start afresh", path.display())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Memory::default()),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
        }
    }

    /// Stores `memory` for the next start, replacing the whole file.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn remember(&self, memory: &Memory) -> anyhow::Result<()> {
        let path = self.folder.join(MEMORY);
        let fresh = path.with_extension("new");
        std::fs::write(&fresh, serde_json::to_vec_pretty(memory)?)
            .and_then(|()| std::fs::rename(&fresh, &path))
            .with_context(|| format!("cannot write {}", path.display()))
    }
}

/// The port to listen on: the one asked for, the one of the last start, or 8443. Checks that it is free, so that the
/// person knows before anything is started.
///
/// # Errors
/// It is taken.
pub fn choose_port(asked: Option<u16>, memory: &Memory) -> anyhow::Result<u16> {
    let port = asked.or(memory.port).unwrap_or(PORT);
    TcpListener::bind(("127.0.0.1", port)).with_context(|| {
        format!("port {port} of 127.0.0.1 cannot be used; choose another with --port (0 for any free one)")
    })?;
    Ok(port)
}

/// One number over the policy files of a folder, to see whether they changed. No more than that: it is not secure.
///
/// # Errors
/// They cannot be read.
pub fn digest_of(policies: &Path) -> anyhow::Result<String> {
    let mut digest = DefaultHasher::new();
    for name in POLICY_FILES {
        let path = policies.join(name);
        let bytes = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        digest.write_usize(bytes.len());
        digest.write(&bytes);
    }
    Ok(format!("{:016x}", digest.finish()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strange_folder_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("letter.txt"), "mine").unwrap();
        let complaint = QuickstartFolder::open(folder.path().to_path_buf()).unwrap_err().to_string();
        assert!(complaint.contains("not a quickstart's folder"), "{complaint}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_was_done_is_remembered_and_a_second_user_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/quickstart");
        let place = QuickstartFolder::open(path.clone()).unwrap();
        assert_eq!(place.recall().unwrap(), Memory::default());
        let memory = Memory { office: "o".to_owned(), port: Some(1), ..Memory::default() };
        place.remember(&memory).unwrap();
        assert!(QuickstartFolder::open(path.clone()).unwrap_err().to_string().contains("another quickstart"));
        drop(place);
        assert_eq!(QuickstartFolder::open(path).unwrap().recall().unwrap(), memory);
    }

    #[test]
    fn a_taken_port_is_named() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        let complaint = choose_port(Some(port), &Memory::default()).unwrap_err().to_string();
        assert!(complaint.contains(&port.to_string()) && complaint.contains("--port"), "{complaint}");
        let memory = Memory { port: Some(port), ..Memory::default() };
        assert!(choose_port(None, &memory).is_err(), "the port of the last start is taken first");
        assert_eq!(choose_port(Some(0), &memory).unwrap(), 0);
    }
}
