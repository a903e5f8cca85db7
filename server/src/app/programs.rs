//! What offices install on their machines: the agent's programs and installers in the folder that the configuration names.
//! The packaging scripts make them; this server offers them for download and describes them.

use std::collections::HashMap;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{ErrorKind, Read, Result};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use protocol::Digest;
use ring::digest::{Context, SHA256};
use rustix::fs::OFlags;
use rustix::io::Errno;

/// The largest program, in bytes; the agent's budget is 5 MB.
pub const LARGEST: u64 = 64 << 20;

/// A file that an office installs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// File name: letters, digits, `-`, `_`, `.`, `~`.
    pub name: String,
    /// What it is for.
    pub kind: Kind,
    /// Bytes.
    pub size: u64,
    /// SHA-256, for comparison and allow lists.
    pub digest: Digest,
}

/// What a program is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Windows, 64-bit: the program alone.
    Windows64,
    /// Windows, 32-bit and 64-bit: the program alone.
    Windows32,
    /// Windows, 64-bit: installer.
    Installer64,
    /// Windows, 32-bit: installer.
    Installer32,
    /// Debian and Ubuntu.
    Deb,
    /// Red Hat, AlmaLinux, Fedora.
    Rpm,
}

impl Kind {
    /// Its key in the catalogue.
    pub fn word(self) -> &'static str {
        match self {
            Self::Windows64 => "windows64",
            Self::Windows32 => "windows32",
            Self::Installer64 => "installer64",
            Self::Installer32 => "installer32",
            Self::Deb => "deb",
            Self::Rpm => "rpm",
        }
    }

    /// By the suffix the packaging scripts give; `None` for any other file in the folder.
    fn of(name: &str) -> Option<Self> {
        let plain = |character: char| character.is_ascii_alphanumeric() || "-_.~".contains(character);
        let ends = [
            ("-x86_64.exe", Self::Windows64),
            ("-i686.exe", Self::Windows32),
            ("-x86_64.msi", Self::Installer64),
            ("-i686.msi", Self::Installer32),
            (".deb", Self::Deb),
            (".rpm", Self::Rpm),
        ];
        let found = ends.into_iter().find(|(end, _)| name.ends_with(end));
        found.filter(|_| name.chars().all(plain) && !name.starts_with('.')).map(|(_, kind)| kind)
    }
}

/// Why a file of the folder is not offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// A link, or a file that has another name elsewhere: it may be any file of the server.
    Link,
    /// A folder, pipe, socket or device.
    NoFile,
    /// Larger than any program of ours.
    TooLarge,
    /// It cannot be read.
    Unreadable,
}

impl Unfit {
    /// Its key in the catalogue.
    pub fn word(self) -> &'static str {
        match self {
            Self::Link => "unfit_link",
            Self::NoFile => "unfit_no_file",
            Self::TooLarge => "unfit_too_large",
            Self::Unreadable => "unfit_unreadable",
        }
    }
}

/// What is in the folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listed {
    /// The programs on offer, sorted by kind and name.
    pub programs: Vec<Program>,
    /// Files named like a program that are not usable as one, by name.
    pub unfit: Vec<(String, Unfit)>,
}

/// A program opened for download.
#[derive(Debug)]
pub struct Opened {
    /// Its content, from the beginning.
    pub file: File,
    /// Bytes.
    pub size: u64,
}

/// Why a program is not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotOpened {
    /// There is no program of that name.
    Unknown,
    /// The file of that name is not usable.
    Unfit(Unfit),
}

/// The folder of programs. Clones share one cache.
#[derive(Clone, Debug)]
pub struct Programs {
    folder: PathBuf,
    /// Cached digests: reading 5 MB for every page view is too much.
    digests: Arc<Mutex<HashMap<String, (State, Digest)>>>,
}

/// What changes when a file is written or replaced: device, inode, size, changed (seconds and nanoseconds).
type State = (u64, u64, u64, i64, i64);

fn state(metadata: &Metadata) -> State {
    (metadata.dev(), metadata.ino(), metadata.len(), metadata.ctime(), metadata.ctime_nsec())
}

impl Programs {
    /// The folder at `path`, which need not exist.
    pub fn new(path: PathBuf) -> Self {
        Self { folder: path, digests: Arc::default() }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.folder
    }

    /// Lists the folder; empty when there is no folder.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn list(&self) -> Result<Listed> {
        let entries = match std::fs::read_dir(&self.folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Listed::default()),
            entries => entries?,
        };
        let mut listed = Listed::default();
        for entry in entries {
            let Ok(name) = entry?.file_name().into_string() else { continue };
            let Some(kind) = Kind::of(&name) else { continue };
            let read = self.open_checked(&name).and_then(|(file, metadata)| {
                let digest = self.digest(&name, file, &metadata).map_err(|_| NotOpened::Unfit(Unfit::Unreadable))?;
                Ok(Program { name: name.clone(), kind, size: metadata.len(), digest })
            });
            match read {
                Ok(program) => listed.programs.push(program),
                // Removed meanwhile.
                Err(NotOpened::Unknown) => {}
                Err(NotOpened::Unfit(unfit)) => {
                    tracing::warn!(name, kind = unfit.word(), "a file in the folder of programs is not handed out");
                    listed.unfit.push((name, unfit));
                }
            }
        }
        listed.programs.sort_unstable_by(|one, other| (one.kind, &one.name).cmp(&(other.kind, &other.name)));
        listed.unfit.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        Ok(listed)
    }

    /// Opens the program called `name`.
    ///
    /// # Errors
    /// There is no such program, or it is not a plain file with a single name.
    pub fn open(&self, name: &str) -> std::result::Result<Opened, NotOpened> {
        if Kind::of(name).is_none() {
            return Err(NotOpened::Unknown);
        }
        let (file, metadata) = self.open_checked(name)?;
        Ok(Opened { file, size: metadata.len() })
    }

    /// The newest program of a kind: the last by name.
    ///
    /// # Errors
    /// As [`Programs::list`].
    pub fn newest(&self, kind: Kind) -> Result<Option<Opened>> {
        let last = self.list()?.programs.into_iter().rev().find(|program| program.kind == kind);
        Ok(last.and_then(|program| self.open(&program.name).ok()))
    }

    /// Opens first and then checks the opened file, so that nobody can swap it in between.
    fn open_checked(&self, name: &str) -> std::result::Result<(File, Metadata), NotOpened> {
        let flags = i32::try_from((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits()).unwrap_or(0);
        let opened = OpenOptions::new().read(true).custom_flags(flags).open(self.folder.join(name));
        let file = opened.map_err(|error| match Errno::from_io_error(&error) {
            Some(Errno::NOENT) => NotOpened::Unknown,
            Some(Errno::LOOP) => NotOpened::Unfit(Unfit::Link),
            Some(Errno::NXIO) => NotOpened::Unfit(Unfit::NoFile),
            _ => NotOpened::Unfit(Unfit::Unreadable),
        })?;
        let metadata = file.metadata().map_err(|_| NotOpened::Unfit(Unfit::Unreadable))?;
        let unfit = if !metadata.is_file() {
            Unfit::NoFile
        } else if metadata.nlink() > 1 {
            Unfit::Link
        } else if metadata.len() > LARGEST {
            Unfit::TooLarge
        } else {
            return Ok((file, metadata));
        };
        Err(NotOpened::Unfit(unfit))
    }

    fn digest(&self, name: &str, file: File, metadata: &Metadata) -> Result<Digest> {
        let state = state(metadata);
        let mut digests = self.digests.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((seen, digest)) = digests.get(name)
            && *seen == state
        {
            return Ok(*digest);
        }
        let (mut file, mut hash, mut piece) = (file.take(metadata.len()), Context::new(&SHA256), vec![0; 64 * 1024]);
        loop {
            match file.read(&mut piece)? {
                0 => break,
                read => hash.update(&piece[..read]),
            }
        }
        let text = data_encoding::HEXLOWER.encode(hash.finish().as_ref());
        let digest = text.parse().map_err(std::io::Error::other)?;
        digests.insert(name.to_owned(), (state, digest));
        Ok(digest)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn names(listed: &Listed) -> Vec<&str> {
        listed.programs.iter().map(|program| program.name.as_str()).collect()
    }

    #[test]
    fn only_what_the_packaging_makes_is_handed_out() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Programs::new(folder.path().join("none")).list().unwrap(), Listed::default());
        for name in
            ["posture-agent-0.1.0-x86_64.exe", "a b.deb", ".deb", "notes.txt", "tram-an-agent_0.1.0~1_amd64.deb"]
        {
            std::fs::write(folder.path().join(name), name).unwrap();
        }
        let programs = Programs::new(folder.path().to_owned());
        let listed = programs.list().unwrap();
        assert_eq!(names(&listed), ["posture-agent-0.1.0-x86_64.exe", "tram-an-agent_0.1.0~1_amd64.deb"]);
        assert_eq!(listed.programs[0].digest, Digest::of(b"posture-agent-0.1.0-x86_64.exe"));
        for name in ["../secrets/x-i686.exe", "notes.txt", "/etc/x.deb", "absent-i686.exe"] {
            assert_eq!(programs.open(name).unwrap_err(), NotOpened::Unknown, "{name}");
        }
        let mut newest = String::new();
        programs.newest(Kind::Windows64).unwrap().unwrap().file.read_to_string(&mut newest).unwrap();
        assert_eq!(newest, "posture-agent-0.1.0-x86_64.exe");
        assert!(programs.newest(Kind::Rpm).unwrap().is_none());
        std::fs::write(folder.path().join("posture-agent-0.1.0-x86_64.exe"), "another").unwrap();
        assert_eq!(programs.list().unwrap().programs[0].digest, Digest::of(b"another"), "read again when it changed");
    }

    #[test]
    fn links_folders_pipes_and_giants_are_refused_by_name_and_the_others_stay() {
        let place = tempfile::tempdir().unwrap();
        let (key, folder) = (place.path().join("key"), place.path().join("programs"));
        std::fs::write(&key, "secret").unwrap();
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("good.deb"), "good").unwrap();
        symlink(&key, folder.join("a-link.deb")).unwrap();
        symlink(folder.join("good.deb"), folder.join("b-link.deb")).unwrap();
        std::fs::hard_link(&key, folder.join("c-twin.deb")).unwrap();
        std::fs::create_dir(folder.join("d-folder.deb")).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, folder.join("e-pipe.deb"), rustix::fs::FileType::Fifo, 0o600.into(), 0)
            .unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(folder.join("f-socket.deb")).unwrap();
        File::create(folder.join("g-giant.deb")).unwrap().set_len(LARGEST + 1).unwrap();
        let programs = Programs::new(folder);
        let listed = programs.list().unwrap();
        assert_eq!(names(&listed), ["good.deb"]);
        let wanted =
            [Unfit::Link, Unfit::Link, Unfit::Link, Unfit::NoFile, Unfit::NoFile, Unfit::NoFile, Unfit::TooLarge];
        assert_eq!(listed.unfit.iter().map(|(_, unfit)| *unfit).collect::<Vec<_>>(), wanted);
        for (name, unfit) in &listed.unfit {
            assert_eq!(programs.open(name).unwrap_err(), NotOpened::Unfit(*unfit), "{name}");
        }
    }
}
