//! File systems that may block a reader forever: an unreachable server, a hanging program, an unplugged disk. Questions to them are
//! isolated calls with a deadline, so that only what is stored there is lost. File systems that the system itself lives on are asked
//! directly: without them nothing else runs either.

use std::io::{self, Read, Seek, SeekFrom};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::mountinfo::{Mount, holding, mounts};
use crate::isolated::Isolated;
use crate::{Answer, OsError, Source};

/// How long a question may take: enough for a sleeping disk or a distant server.
const DEADLINE: Duration = Duration::from_secs(4);
/// How long the mount table is cached.
const FRESH: Duration = Duration::from_secs(1);
/// The kernel's own file systems, which never block.
const KERNEL: [&str; 12] = [
    "cgroup",
    "cgroup2",
    "debugfs",
    "devpts",
    "devtmpfs",
    "mqueue",
    "proc",
    "ramfs",
    "securityfs",
    "sysfs",
    "tmpfs",
    "tracefs",
];
/// Where the system itself lives.
const SYSTEM: [&str; 9] = ["/", "/etc", "/opt", "/usr", "/usr/local", "/var", "/var/cache", "/var/lib", "/var/log"];
/// Local disk file systems. Others may hang with their server or program, even where the system lives.
const DISKS: [&str; 9] = ["btrfs", "erofs", "ext2", "ext3", "ext4", "f2fs", "squashfs", "xfs", "zfs"];

/// Workers by mount point: at most one waits for each, however often it is asked.
static APART: LazyLock<Isolated<String>> = LazyLock::new(Isolated::default);
static TABLE: Mutex<Option<(Instant, Vec<Mount>)>> = Mutex::new(None);

fn may_hang(mount: &Mount) -> bool {
    let (point, kind) = (mount.point.as_str(), mount.kind.as_str());
    // A root file system of another type belongs to a container; otherwise no program could be running.
    !(point == "/" || SYSTEM.contains(&point) && DISKS.contains(&kind) || KERNEL.contains(&kind))
}

/// Asks the file system that holds `path`, in an isolated call where it may hang.
///
/// # Errors
/// The error of `ask`; [`OsError::TimedOut`] when there is no answer before the deadline, and at once while an earlier question is
/// still waiting.
pub(super) fn ask<T: Send + 'static>(path: &str, ask: impl FnOnce(&str) -> Answer<T> + Send + 'static) -> Answer<T> {
    match waiting(path) {
        None => ask(path),
        Some(place) => apart(place, path, ask),
    }
}

/// Opens a file whose reads are isolated in the same way.
pub(super) fn open(
    path: &str,
    open: impl FnOnce(&str) -> Answer<std::fs::File> + Send + 'static,
) -> Answer<Box<dyn Source>> {
    match waiting(path) {
        None => Ok(Box::new(open(path)?)),
        Some(place) => {
            let file = apart(place.clone(), path, open)?;
            Ok(Box::new(Distant { file: Some(file), place }))
        }
    }
}

fn apart<T: Send + 'static>(
    place: String,
    path: &str,
    ask: impl FnOnce(&str) -> Answer<T> + Send + 'static,
) -> Answer<T> {
    let owned = path.to_owned();
    let answer = APART.run(place, "mount", DEADLINE, move || ask(&owned));
    answer.unwrap_or_else(|_| Err(OsError::TimedOut(path.to_owned())))
}

/// The mount point that holds `path`, if it may hang. Links that lead to such a place are not detected: for them only the section's
/// deadline applies.
fn waiting(path: &str) -> Option<String> {
    // By far the most questions are for these; nothing that may hang is mounted below.
    if ["/proc/", "/sys/"].iter().any(|own| path.starts_with(own)) {
        return None;
    }
    let mut table = TABLE.lock().unwrap_or_else(PoisonError::into_inner);
    if table.as_ref().is_none_or(|(read, _)| read.elapsed() > FRESH) {
        let text = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        *table = Some((Instant::now(), mounts(&text)));
    }
    let (_, mounts) = table.as_ref()?;
    holding(mounts, path).filter(|mount| may_hang(mount)).map(|mount| mount.point.clone())
}

/// A file on a file system that may hang.
struct Distant {
    file: Option<std::fs::File>,
    place: String,
}

impl Distant {
    /// Runs `work` on the file; the file is lost when the worker does not return.
    fn work<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut std::fs::File) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let late = || io::Error::new(io::ErrorKind::TimedOut, "no answer before its deadline");
        let mut file = self.file.take().ok_or_else(late)?;
        let done = APART.run(self.place.clone(), "mount", DEADLINE, move || (work(&mut file), file));
        let (result, file) = done.map_err(|_| late())?;
        self.file = Some(file);
        result
    }
}

impl Read for Distant {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = buffer.len();
        let read = self.work(move |file| {
            let mut bytes = vec![0; length];
            let read = file.read(&mut bytes)?;
            bytes.truncate(read);
            Ok(bytes)
        })?;
        buffer[..read.len()].copy_from_slice(&read);
        Ok(read.len())
    }
}

impl Seek for Distant {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.work(move |file| file.seek(to))
    }
}

#[cfg(test)]
mod tests;
