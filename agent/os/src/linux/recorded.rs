//! The recorded Linux door: replays a recording of a machine, or what a test sets up. Works on every system.
//!
//! A recording is a folder with `os.json` (a [`Recorded`]) and a tree `root/` with the files.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Cursor;
use std::path::Path;

use super::{KernelClock, LinuxOs, Output, Owner, Program};
use crate::{Answer, FileKind, Hardware, Os, OsError, Route, Source, Stat, tree};

/// A machine whose answers are in memory.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Recorded {
    /// Whether the caller counts as administrator.
    pub administrator: bool,
    /// Memory and processors.
    pub hardware: Hardware,
    /// State of the kernel's clock; none when it cannot be read.
    pub kernel_clock: Option<KernelClock>,
    /// IPv4 addresses: interface, address with prefix length.
    pub addresses: Vec<(String, String)>,
    /// Routes; none when they cannot be asked.
    pub routes: Option<Vec<Route>>,
    /// Size of every file system, in bytes.
    pub disk: u64,
    /// Symbolic links.
    pub links: BTreeMap<String, String>,
    /// Folders with no recorded content.
    pub folders: BTreeSet<String>,
    /// Paths that may not be read.
    pub denied: BTreeSet<String>,
    /// Paths that are neither file nor folder.
    pub others: BTreeMap<String, Stat>,
    /// Owners other than root, and permissions that let others than root write.
    pub owners: BTreeMap<String, Owner>,
    /// Modification times, where a collector looks at them; milliseconds since 1970.
    pub modified: BTreeMap<String, i64>,
    /// Results of programs: program, arguments, output.
    pub runs: Vec<(Program, Vec<String>, Output)>,
    /// Files: path and content.
    #[serde(skip)]
    pub files: BTreeMap<String, Vec<u8>>,
}

impl Recorded {
    /// A machine with administrator rights on which nothing is installed.
    pub fn new() -> Self {
        Self { administrator: true, ..Self::default() }
    }

    /// Reads a recording from its folder.
    ///
    /// # Errors
    /// When `os.json` or a file under `root/` cannot be read.
    pub fn load(folder: &Path) -> anyhow::Result<Self> {
        use anyhow::Context;
        let file = folder.join("os.json");
        let text = std::fs::read_to_string(&file).with_context(|| format!("read {}", file.display()))?;
        let mut recorded: Self = serde_json::from_str(&text).with_context(|| format!("read {}", file.display()))?;
        let files = tree::files(&folder.join("root"))?;
        recorded.files.extend(files.into_iter().map(|(path, bytes)| (format!("/{path}"), bytes)));
        Ok(recorded)
    }

    /// Adds a file.
    #[must_use]
    pub fn file(mut self, path: &str, content: impl AsRef<[u8]>) -> Self {
        self.files.insert(path.to_owned(), content.as_ref().to_vec());
        self
    }

    /// Adds an empty folder.
    #[must_use]
    pub fn folder(mut self, path: &str) -> Self {
        self.folders.insert(path.to_owned());
        self
    }

    /// Adds a symbolic link.
    #[must_use]
    pub fn symlink(mut self, path: &str, target: &str) -> Self {
        self.links.insert(path.to_owned(), target.to_owned());
        self
    }

    /// Adds a path that may not be read.
    #[must_use]
    pub fn denying(mut self, path: &str) -> Self {
        self.denied.insert(path.to_owned());
        self
    }

    /// Sets a modification time, in milliseconds since 1970.
    #[must_use]
    pub fn modified(mut self, path: &str, at: i64) -> Self {
        self.modified.insert(path.to_owned(), at);
        self
    }

    /// Sets owner and permissions of a file, folder or process that is not root's or has other permissions.
    #[must_use]
    pub fn owned(mut self, path: &str, user: u32, mode: u32) -> Self {
        self.owners.insert(path.to_owned(), Owner { user, group: user, mode });
        self
    }

    /// Adds a program run that ends with `status` and prints `stdout`.
    #[must_use]
    pub fn answering(mut self, program: Program, arguments: &[&str], status: i32, stdout: &str) -> Self {
        let output = Output { status: Some(status), stdout: stdout.to_owned(), ..Output::default() };
        self.runs.push((program, arguments.iter().map(|&argument| argument.to_owned()).collect(), output));
        self
    }

    /// Adds a running process, and process 1, which is always there.
    #[must_use]
    pub fn process(mut self, pid: u32, name: &str, executable: &str) -> Self {
        self.files.entry("/proc/1/comm".to_owned()).or_insert_with(|| b"systemd\n".to_vec());
        self.file(&format!("/proc/{pid}/comm"), format!("{name}\n")).symlink(&format!("/proc/{pid}/exe"), executable)
    }

    /// Adds a route, such as `0.0.0.0`, 0 by `eth0`, with its next router if it has one.
    #[must_use]
    pub fn route(mut self, interface: &str, (destination, prefix): (&str, u8), gateway: Option<&str>) -> Self {
        let address = |text: &str| text.parse().unwrap_or(std::net::IpAddr::from([0; 4]));
        let routes = self.routes.get_or_insert_default();
        let metric = u32::try_from(routes.len()).unwrap_or(u32::MAX);
        let (destination, gateway) = (address(destination), gateway.map(address));
        routes.push(Route { interface: interface.to_owned(), destination, prefix, gateway, metric });
        self
    }

    /// Makes the caller no administrator.
    #[must_use]
    pub fn unprivileged(mut self) -> Self {
        self.administrator = false;
        self
    }

    /// The path with all links resolved; an error where access is denied.
    fn resolve(&self, path: &str) -> Answer<String> {
        let mut resolved = path.to_owned();
        for _ in 0..40 {
            if let Some(denied) = self.denied.iter().find(|denied| within(&resolved, denied)) {
                return Err(OsError::Denied(denied.clone()));
            }
            let Some((link, target)) = self.links.iter().find(|(link, _)| within(&resolved, link)) else {
                return Ok(resolved);
            };
            let rest = &resolved[link.len()..];
            let parent = link.rsplit_once('/').map_or("", |(parent, _)| parent);
            resolved = if target.starts_with('/') { format!("{target}{rest}") } else { join(parent, target, rest) };
        }
        Err(OsError::Failed(path.to_owned(), "too many links".to_owned()))
    }

    fn is_folder(&self, path: &str) -> bool {
        let inside = |known: &String| known.len() > path.len() && within(known, path);
        let nearest = |keys: &mut dyn Iterator<Item = &String>| keys.next().is_some_and(inside);
        let start = format!("{}/", path.trim_end_matches('/'));
        self.folders.contains(path)
            || nearest(&mut self.files.range(start.clone()..).map(|(key, _)| key))
            || nearest(&mut self.links.range(start.clone()..).map(|(key, _)| key))
            || nearest(&mut self.others.range(start.clone()..).map(|(key, _)| key))
            || nearest(&mut self.folders.range(start.clone()..))
            || nearest(&mut self.denied.range(start..))
    }
}

/// True when `path` is `folder` or lies below it.
fn within(path: &str, folder: &str) -> bool {
    let folder = folder.trim_end_matches('/');
    path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// `target`, which may begin with `../`, relative to `parent`, with `rest` appended.
fn join(parent: &str, target: &str, rest: &str) -> String {
    let mut parts: Vec<&str> = parent.split('/').filter(|part| !part.is_empty()).collect();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            name => parts.push(name),
        }
    }
    format!("/{}{rest}", parts.join("/"))
}

impl Os for Recorded {
    fn open(&self, path: &str) -> Answer<Box<dyn Source>> {
        let resolved = self.resolve(path)?;
        match self.files.get(&resolved) {
            Some(bytes) => Ok(Box::new(Cursor::new(bytes.clone()))),
            None if self.is_folder(&resolved) => Err(OsError::Failed(path.to_owned(), "is a folder".to_owned())),
            None => Err(OsError::Missing(path.to_owned())),
        }
    }

    fn list(&self, path: &str) -> Answer<Vec<String>> {
        let resolved = self.resolve(path)?;
        if !self.is_folder(&resolved) {
            return Err(OsError::Missing(path.to_owned()));
        }
        let start = format!("{}/", resolved.trim_end_matches('/'));
        let known = self.files.keys().chain(self.links.keys()).chain(&self.folders).chain(&self.denied);
        let names: BTreeSet<&str> = known
            .chain(self.others.keys())
            .filter_map(|known| known.strip_prefix(&start))
            .filter_map(|rest| rest.split('/').next())
            .filter(|name| !name.is_empty())
            .collect();
        Ok(names.into_iter().map(str::to_owned).collect())
    }

    fn stat(&self, path: &str) -> Answer<Stat> {
        let resolved = match self.resolve(path) {
            // A file that may not be read can still be seen.
            Err(OsError::Denied(denied)) if denied == path => denied,
            other => other?,
        };
        let modified_at = self.modified.get(&resolved).copied().unwrap_or_default();
        let stat = |kind, size| Stat { kind, size, modified_at, number: 0 };
        if let Some(other) = self.others.get(&resolved) {
            return Ok(*other);
        }
        if let Some(bytes) = self.files.get(&resolved) {
            return Ok(stat(FileKind::File, bytes.len() as u64));
        }
        if self.is_folder(&resolved) {
            return Ok(stat(FileKind::Folder, 0));
        }
        if self.denied.contains(&resolved) || self.modified.contains_key(&resolved) {
            return Ok(stat(FileKind::File, 0));
        }
        Err(OsError::Missing(path.to_owned()))
    }

    fn administrator(&self) -> bool {
        self.administrator
    }

    fn hardware(&self) -> Hardware {
        self.hardware.clone()
    }

    fn disk_size(&self, path: &str) -> Answer<u64> {
        if self.disk == 0 { Err(OsError::Missing(path.to_owned())) } else { Ok(self.disk) }
    }
}

impl LinuxOs for Recorded {
    fn link(&self, path: &str) -> Answer<String> {
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
        let parent = self.resolve(parent)?;
        let path = format!("{parent}/{name}");
        if self.denied.contains(&path) {
            return Err(OsError::Denied(path));
        }
        self.links.get(&path).cloned().ok_or(OsError::Missing(path))
    }

    fn run(&self, program: Program, arguments: &[&str]) -> Answer<Output> {
        let found = self.runs.iter().find(|(known, with, _)| {
            *known == program && with.iter().map(String::as_str).eq(arguments.iter().copied())
        });
        let name = || program.paths()[0].to_owned();
        let (_, _, output) = found.ok_or_else(|| OsError::Missing(name()))?;
        Ok(output.clone())
    }

    fn owner(&self, path: &str) -> Answer<Owner> {
        self.stat(path)?;
        let resolved = self.resolve(path).unwrap_or_else(|_| path.to_owned());
        Ok(self.owners.get(&resolved).copied().unwrap_or(Owner { user: 0, group: 0, mode: 0o644 }))
    }

    fn addresses(&self) -> Answer<Vec<(String, String)>> {
        Ok(self.addresses.clone())
    }

    fn routes(&self) -> Answer<Vec<Route>> {
        self.routes.clone().ok_or_else(|| OsError::Failed("routes".to_owned(), "not captured".to_owned()))
    }

    fn kernel_clock(&self) -> Answer<KernelClock> {
        self.kernel_clock.ok_or_else(|| OsError::Failed("adjtimex".to_owned(), "not captured".to_owned()))
    }
}
