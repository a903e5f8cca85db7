//! dpkg's state of each package (`/var/lib/dpkg/status`).

use std::collections::{HashMap, HashSet};
use std::io::BufReader;

use crate::linux::context::CheckContext;
use crate::linux::text::capped;
use os::{Answer, OsError};
use stanza::each_of;

/// Where it is kept.
pub(super) const STATUS: &str = "/var/lib/dpkg/status";

/// An installed package, whether or not it is configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Installed {
    /// Its name as apt prints it: one of another architecture has that appended after a colon.
    pub(super) name: String,
    pub(super) version: String,
    /// True when it is held back.
    pub(super) held: bool,
    /// What the archives offer for it.
    pub(super) offers: Vec<Offer>,
}

/// One version on offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Offer {
    pub(super) version: String,
    /// How it compares with the installed one.
    pub(super) order: std::cmp::Ordering,
    /// Index of the archive, and of the list in it.
    pub(super) list: (usize, usize),
}

/// The packages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Packages {
    /// Those installed, by [`key`]; `all` counts as the machine's own architecture.
    pub(super) installed: HashMap<Vec<u8>, Installed>,
    /// Their bare names.
    pub(super) names: HashSet<Vec<u8>>,
    /// The machine's own architecture, which is dpkg's.
    pub(super) native: Vec<u8>,
    /// Those whose installation was not completed, sorted: what `dpkg --audit` names.
    pub(super) broken: Vec<String>,
}

impl Packages {
    /// Those that are held back, sorted.
    pub(super) fn held(&self) -> Vec<String> {
        let held = self.installed.values().filter(|installed| installed.held).map(|installed| installed.name.clone());
        let mut held: Vec<String> = held.collect();
        held.sort_unstable();
        held
    }
}

/// Writes into `to` the package name with its architecture, in the form in which lists are compared: `bash:amd64`.
pub(super) fn key(to: &mut Vec<u8>, package: &[u8], architecture: &[u8]) {
    to.clear();
    for part in [package, b":", architecture] {
        to.extend_from_slice(part);
    }
}

/// Reads the whole file. A file that does not contain dpkg itself is an error.
pub(super) fn packages(context: &CheckContext) -> Answer<Packages> {
    let mut stanzas = Vec::new();
    let mut reader = BufReader::new(context.os.open(STATUS)?);
    each_of(&mut reader, STATUS, &|name| !name.is_empty(), &mut |stanza| stanzas.push(stanza))?;
    let native = stanzas.iter().find(|stanza| stanza.package == b"dpkg").map(|stanza| stanza.architecture.clone());
    let native = native.ok_or_else(|| OsError::Failed(STATUS.to_owned(), "does not name dpkg".to_owned()))?;
    let mut packages = Packages { native, ..Packages::default() };
    for stanza in stanzas {
        let own = stanza.architecture == packages.native || stanza.architecture == b"all";
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let name = if own {
            capped(&text(&stanza.package))
        } else {
            capped(&format!("{}:{}", text(&stanza.package), text(&stanza.architecture)))
        };
        let status = text(&stanza.status);
        let mut words = status.split_ascii_whitespace();
        let (want, flag, state) = (words.next(), words.next(), words.next());
        let there = matches!(
            state,
            Some("installed" | "unpacked" | "half-configured" | "triggers-awaited" | "triggers-pending")
        );
        if flag == Some("reinstreq") || state == Some("half-installed") || (there && state != Some("installed")) {
            packages.broken.push(name.clone());
        }
        if there {
            let mut place = Vec::new();
            key(&mut place, &stanza.package, if own { &packages.native } else { &stanza.architecture });
            let installed =
                Installed { name, version: text(&stanza.version), held: want == Some("hold"), offers: Vec::new() };
            packages.installed.insert(place, installed);
            packages.names.insert(stanza.package);
        }
    }
    packages.broken.sort_unstable();
    Ok(packages)
}

#[cfg(test)]
mod tests {
    use super::*;
    use os::recorded::Recorded;

    fn read(text: &str) -> Answer<Packages> {
        packages(&CheckContext::of(Recorded::new().file(STATUS, text)))
    }

    #[test]
    fn packages_are_named_as_apt_names_them() {
        let text = "Package: dpkg\nStatus: install ok installed\nArchitecture: amd64\n\n\
            Package: tzdata\r\nStatus: hold ok installed\r\nArchitecture: all\r\n\r\n\
            Package: gone\nStatus: deinstall ok config-files\nArchitecture: amd64\n\n\
            Package: libc6\nStatus: install ok installed\nArchitecture: i386\nDescription: x\n .\n Package: y";
        let packages = read(text).unwrap();
        let mut names: Vec<&str> = packages.installed.values().map(|installed| installed.name.as_str()).collect();
        names.sort_unstable();
        assert_eq!(names, ["dpkg", "libc6:i386", "tzdata"]);
        assert_eq!(packages.held(), ["tzdata"]);
        assert_eq!(packages.native, b"amd64");
        assert!(packages.broken.is_empty());
        for broken in ["", "\n\n\n", "Package: x", "Version: 1\n\nPackage: \n"] {
            assert!(read(broken).is_err(), "{broken}");
        }
    }

    #[test]
    fn a_package_whose_installation_did_not_end_is_broken() {
        let state = |state: &str| {
            let text = "Package: dpkg\nStatus: install ok installed\nArchitecture: amd64\n\n";
            read(&format!("{text}Package: x\nStatus: install {state}\nArchitecture: amd64\n")).unwrap().broken.len()
        };
        for broken in [
            "ok unpacked",
            "ok half-configured",
            "ok triggers-awaited",
            "ok triggers-pending",
            "reinstreq half-installed",
            "reinstreq installed",
        ] {
            assert_eq!(state(broken), 1, "{broken}");
        }
        assert_eq!(state("ok installed") + state("ok not-installed") + state("ok config-files"), 0);
    }
}
