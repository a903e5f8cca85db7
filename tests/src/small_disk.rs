//! A small disk for one test: a file system in memory that only programs in its mount namespace see. It ends with the last of them.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};

use crate::process::{Running, command};
use crate::wait;

/// The file that takes up the room.
const BALLAST: &str = "ballast";

/// The disk, as long as this value lives.
#[derive(Debug)]
pub struct SmallDisk {
    holder: Running,
    folder: PathBuf,
}

impl SmallDisk {
    /// Mounts a disk of `mebibytes` on `folder`, which is created; its messages are added to the file `log`.
    ///
    /// # Errors
    /// Only root may mount; or `unshare` is missing.
    pub fn mount(folder: &Path, mebibytes: u32, log: &Path) -> anyhow::Result<Self> {
        ensure!(rustix::process::geteuid().is_root(), "a full disk can only be tried by root, as tests/run is in CI");
        std::fs::create_dir_all(folder)?;
        let mut unshare = command("unshare");
        unshare.args(["--mount", "sh", "-ec"]).arg(format!(
            "mount -t tmpfs -o size={mebibytes}m,mode=0755 tmpfs \"$0\"; echo mounted; exec sleep infinity"
        ));
        unshare.arg(folder);
        let mut holder = Running::start("the small disk", unshare, log)?;
        let said = holder.line(wait::PATIENCE)?;
        ensure!(said == "mounted", "{said}");
        Ok(Self { holder, folder: folder.to_path_buf() })
    }

    /// Where its programs see it.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The words in front of a program that is to see it.
    pub fn enter(&self) -> Vec<String> {
        vec!["nsenter".to_owned(), format!("--mount=/proc/{}/ns/mnt", self.holder.id()), "--".to_owned()]
    }

    /// Its path for all other programs. Not for SQLite, which asks the system for the real path.
    pub fn outside(&self) -> PathBuf {
        let inside = self.folder.strip_prefix("/").unwrap_or(&self.folder);
        PathBuf::from(format!("/proc/{}/root", self.holder.id())).join(inside)
    }

    /// Takes up the room until `left` bytes are left.
    ///
    /// # Errors
    /// The system refuses for a reason other than being full.
    pub fn fill(&self, left: u64) -> anyhow::Result<()> {
        let path = self.outside().join(BALLAST);
        let mut ballast = OpenOptions::new().create(true).append(true).open(&path)?;
        loop {
            match ballast.write(&[0; 4096]) {
                Ok(_) => {}
                Err(error) if [ErrorKind::StorageFull, ErrorKind::QuotaExceeded].contains(&error.kind()) => break,
                Err(error) => return Err(error).context("filling the small disk"),
            }
        }
        let length = ballast.metadata()?.len();
        Ok(ballast.set_len(length.saturating_sub(left))?)
    }

    /// Gives the room back.
    ///
    /// # Errors
    /// It was not taken.
    pub fn free(&self) -> anyhow::Result<()> {
        Ok(std::fs::remove_file(self.outside().join(BALLAST))?)
    }
}
