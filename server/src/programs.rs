//! What offices install on their machines: the agent's programs and installers in the folder that the configuration names.
//! The packaging scripts make them; this server hands them out and says what they are.

use std::io::{ErrorKind, Read, Result};
use std::path::{Path, PathBuf};

use protocol::Digest;

/// The largest program; the agent's budget is 5 MB.
const MOST: u64 = 64 << 20;

/// A file that an office installs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// Its name: letters, digits, `-`, `_`, `.`, `~`.
    pub name: String,
    /// What it is for.
    pub kind: Kind,
    /// Bytes.
    pub size: u64,
    /// SHA-256, to compare and to allow by.
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
    /// The word by which the catalogue names it.
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

    /// By the ends that the packaging scripts give; none for anything else in the folder.
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

/// The folder of programs.
#[derive(Clone, Debug)]
pub struct Programs(PathBuf);

impl Programs {
    /// The folder at `path`, which need not exist.
    pub fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// What is in it, by kind and name; nothing when there is no folder.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn list(&self) -> Result<Vec<Program>> {
        let entries = match std::fs::read_dir(&self.0) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut programs = Vec::new();
        for entry in entries {
            let Ok(name) = entry?.file_name().into_string() else { continue };
            let Some(kind) = Kind::of(&name) else { continue };
            let bytes = self.read(&name)?;
            programs.push(Program { size: bytes.len() as u64, digest: Digest::of(&bytes), name, kind });
        }
        programs.sort_unstable_by(|one, other| (one.kind, &one.name).cmp(&(other.kind, &other.name)));
        Ok(programs)
    }

    /// The bytes of the program called `name`.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when it is none of them; when it is too large or cannot be read.
    pub fn read(&self, name: &str) -> Result<Vec<u8>> {
        if Kind::of(name).is_none() {
            return Err(ErrorKind::NotFound.into());
        }
        let mut bytes = Vec::new();
        std::fs::File::open(self.0.join(name))?.take(MOST + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > MOST {
            return Err(std::io::Error::other(format!("{name} is larger than any program of ours")));
        }
        Ok(bytes)
    }

    /// The newest program of a kind: the last by name.
    ///
    /// # Errors
    /// As [`Programs::list`].
    pub fn newest(&self, kind: Kind) -> Result<Option<Vec<u8>>> {
        let last = self.list()?.into_iter().rev().find(|program| program.kind == kind);
        last.map(|program| self.read(&program.name)).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_packaging_makes_is_handed_out() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Programs::new(folder.path().join("none")).list().unwrap().is_empty());
        for name in
            ["posture-agent-0.1.0-x86_64.exe", "a b.deb", ".deb", "notes.txt", "tram-an-agent_0.1.0~1_amd64.deb"]
        {
            std::fs::write(folder.path().join(name), name).unwrap();
        }
        let programs = Programs::new(folder.path().to_owned());
        let names: Vec<String> = programs.list().unwrap().into_iter().map(|program| program.name).collect();
        assert_eq!(names, ["posture-agent-0.1.0-x86_64.exe", "tram-an-agent_0.1.0~1_amd64.deb"]);
        for name in ["../secrets/x-i686.exe", "notes.txt", "/etc/x.deb", "absent-i686.exe"] {
            assert_eq!(programs.read(name).unwrap_err().kind(), ErrorKind::NotFound, "{name}");
        }
        assert_eq!(programs.newest(Kind::Windows64).unwrap().unwrap(), b"posture-agent-0.1.0-x86_64.exe");
        assert_eq!(programs.newest(Kind::Rpm).unwrap(), None);
    }
}
