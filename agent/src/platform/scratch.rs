//! A temporary folder for a program that writes even when it only reads: dnf needs a log, and a lock next to its cache. So the machine
//! stays unchanged, and dnf works on a read-only root as well.

use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;

use os::linux::Scratch;

/// A folder for dnf's log, and one with links to its cache.
#[derive(Debug)]
struct Folders(tempfile::TempDir);

/// A temporary folder for the dnf at `program`, version 4 or 5; its cache is read through links.
pub(super) fn for_dnf(program: &str) -> io::Result<Box<dyn Scratch>> {
    let program = std::fs::canonicalize(program)?;
    let fifth = program.file_name().is_some_and(|name| name == "dnf5");
    let folders = Folders::linked(Path::new(if fifth { "/var/cache/libdnf5" } else { "/var/cache/dnf" }))?;
    Ok(Box::new(folders))
}

impl Folders {
    fn linked(cache: &Path) -> io::Result<Self> {
        let place = tempfile::Builder::new().prefix("tram-an-dnf-").tempdir()?;
        std::fs::create_dir(place.path().join("log"))?;
        std::fs::create_dir(place.path().join("cache"))?;
        match std::fs::read_dir(cache) {
            Ok(entries) => {
                for entry in entries {
                    let entry = entry?;
                    // Its lock is left out: this folder gets its own.
                    if entry.path().extension().is_none_or(|extension| extension != "pid") {
                        symlink(entry.path(), place.path().join("cache").join(entry.file_name()))?;
                    }
                }
            }
            // dnf itself reports that it has none.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        Ok(Self(place))
    }
}

impl Scratch for Folders {
    fn options(&self) -> Vec<String> {
        let option = |name: &str| format!("--setopt={name}dir={}", self.0.path().join(name).display());
        vec![option("log"), option("cache")]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_is_seen_and_what_is_written_stays_in_the_throw_away_place() {
        let cache = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(cache.path().join("baseos-0123/repodata")).unwrap();
        std::fs::write(cache.path().join("baseos-0123/repodata/repomd.xml"), "<repomd/>").unwrap();
        std::fs::write(cache.path().join("metadata_lock.pid"), "1").unwrap();
        let scratch = Folders::linked(cache.path()).unwrap();
        let places = scratch.options();
        let [log, seen] = ["--setopt=logdir=", "--setopt=cachedir="]
            .map(|start| places.iter().find_map(|option| option.strip_prefix(start)).expect("dnf is told of it"));
        assert_eq!(std::fs::read(format!("{seen}/baseos-0123/repodata/repomd.xml")).unwrap(), b"<repomd/>");
        std::fs::write(format!("{seen}/metadata_lock.pid"), "2").unwrap();
        assert_eq!(std::fs::read(cache.path().join("metadata_lock.pid")).unwrap(), b"1");
        assert!(std::fs::metadata(log).unwrap().is_dir());
        drop(scratch);
        assert!(!Path::new(seen).exists() && cache.path().join("baseos-0123").exists());
        assert!(Folders::linked(Path::new("/no/such/cache")).is_ok());
    }
}
