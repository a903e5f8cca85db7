//! A log file that never grows beyond its cap: when full it becomes the former file and replaces the one before.

use std::fs::{File, OpenOptions};
use std::io::{Result, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tracing_subscriber::fmt::MakeWriter;

/// The most bytes of the file; the former file is as large.
const MOST: u64 = 512 * 1024;

/// The log file. Lines are written immediately.
#[derive(Debug)]
pub(super) struct CappedFile {
    open: Mutex<Open>,
    most: u64,
}

#[derive(Debug)]
struct Open {
    path: PathBuf,
    file: File,
    length: u64,
}

impl CappedFile {
    /// Opens the file at `path` to append, creating it when missing.
    ///
    /// # Errors
    /// When the system refuses.
    pub(super) fn open(path: PathBuf) -> Result<Self> {
        let file = append(&path)?;
        let length = file.metadata()?.len();
        Ok(Self { open: Mutex::new(Open { path, file, length }), most: MOST })
    }
}

fn append(path: &Path) -> Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}

impl Open {
    fn begin_anew(&mut self) -> Result<()> {
        let mut former = self.path.clone().into_os_string();
        former.push(".1");
        std::fs::rename(&self.path, &former)?;
        self.file = append(&self.path)?;
        self.length = 0;
        Ok(())
    }
}

/// A writer for one line.
pub(super) struct Line<'a> {
    open: MutexGuard<'a, Open>,
    most: u64,
}

impl Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        if self.open.length > 0 && self.open.length + bytes.len() as u64 > self.most {
            self.open.begin_anew()?;
        }
        let written = self.open.file.write(bytes)?;
        self.open.length += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> Result<()> {
        self.open.file.flush()
    }
}

impl<'a> MakeWriter<'a> for CappedFile {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line { open: self.open.lock().unwrap_or_else(PoisonError::into_inner), most: self.most }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_the_newest_lines_and_never_more_than_its_cap() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("agent.log");
        std::fs::write(&path, "before\n").unwrap();
        let mut file = CappedFile::open(path.clone()).unwrap();
        file.most = 40;
        for number in 0..100 {
            writeln!(file.make_writer(), "line {number:04}").unwrap();
        }
        let (newest, former) = (
            std::fs::read_to_string(&path).unwrap(),
            std::fs::read_to_string(folder.path().join("agent.log.1")).unwrap(),
        );
        assert!(newest.len() <= 40 && former.len() <= 40, "{newest:?} {former:?}");
        assert!(newest.ends_with("line 0099\n"));
        let all: Vec<String> = format!("{former}{newest}").lines().map(str::to_owned).collect();
        let numbers = 100 - all.len()..100;
        assert_eq!(all, numbers.map(|number| format!("line {number:04}")).collect::<Vec<_>>());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}
