//! dpkg's own state of each package (`/var/lib/dpkg/status`).

use std::io::{BufRead, BufReader, Read};

use crate::collect::linux::scene::Scene;
use crate::collect::linux::text::capped;
use crate::os::{Answer, OsError, failed};

/// Where it is kept.
pub(super) const STATUS: &str = "/var/lib/dpkg/status";
/// The most bytes of one line.
const LINE_CAP: u64 = 1 << 20;

/// The packages, each by the name that apt prints: that of another architecture has it behind a colon.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Packages {
    /// All that are there, also those that are not set up yet.
    pub(super) installed: Vec<String>,
    /// Those that are held back, sorted.
    pub(super) held: Vec<String>,
    /// Those whose installation did not end, sorted: what `dpkg --audit` names.
    pub(super) broken: Vec<String>,
}

#[derive(Clone, Debug, Default)]
struct Stanza {
    package: String,
    architecture: String,
    /// What is wanted, a flag, and the state.
    status: String,
}

/// Reads all of it. A file that names no package is an error: dpkg at least has itself.
pub(super) fn packages(scene: &Scene) -> Answer<Packages> {
    let stanzas = stanzas(BufReader::new(scene.os.open(STATUS)?))?;
    let native = stanzas.iter().find(|stanza| stanza.package == "dpkg").map(|stanza| stanza.architecture.clone());
    let native = native.ok_or_else(|| OsError::Failed(STATUS.to_owned(), "does not name dpkg".to_owned()))?;
    let mut packages = Packages::default();
    for stanza in stanzas {
        let mut words = stanza.status.split_ascii_whitespace();
        let (want, flag, state) = (words.next(), words.next(), words.next());
        let name = match stanza.architecture.as_str() {
            own if own == native || own == "all" => capped(&stanza.package),
            other => capped(&format!("{}:{other}", stanza.package)),
        };
        let there = matches!(
            state,
            Some("installed" | "unpacked" | "half-configured" | "triggers-awaited" | "triggers-pending")
        );
        if flag == Some("reinstreq") || state == Some("half-installed") || (there && state != Some("installed")) {
            packages.broken.push(name.clone());
        }
        if there && want == Some("hold") {
            packages.held.push(name.clone());
        }
        if there {
            packages.installed.push(name);
        }
    }
    packages.held.sort_unstable();
    packages.broken.sort_unstable();
    Ok(packages)
}

fn stanzas(mut reader: impl BufRead) -> Answer<Vec<Stanza>> {
    let (mut stanzas, mut stanza, mut line) = (Vec::new(), Stanza::default(), Vec::new());
    loop {
        line.clear();
        let read = reader.by_ref().take(LINE_CAP).read_until(b'\n', &mut line);
        let read = read.map_err(|error| failed(STATUS, &error))?;
        let text = String::from_utf8_lossy(line.trim_ascii_end());
        if text.is_empty() {
            let ended = std::mem::take(&mut stanza);
            if !ended.package.is_empty() {
                stanzas.push(ended);
            }
            if read == 0 {
                return Ok(stanzas);
            }
            continue;
        }
        match text.split_once(": ") {
            Some(("Package", value)) => value.clone_into(&mut stanza.package),
            Some(("Architecture", value)) => value.clone_into(&mut stanza.architecture),
            Some(("Status", value)) => value.clone_into(&mut stanza.status),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::os::recorded::Recorded;

    fn read(text: &str) -> Answer<Packages> {
        packages(&Scene::new(Arc::new(Recorded::new().file(STATUS, text)), jiff::Timestamp::UNIX_EPOCH))
    }

    #[test]
    fn packages_are_named_as_apt_names_them() {
        let text = "Package: dpkg\nStatus: install ok installed\nArchitecture: amd64\n\n\
            Package: tzdata\r\nStatus: hold ok installed\r\nArchitecture: all\r\n\r\n\
            Package: gone\nStatus: deinstall ok config-files\nArchitecture: amd64\n\n\
            Package: libc6\nStatus: install ok installed\nArchitecture: i386\nDescription: x\n .\n Package: y";
        let packages = read(text).unwrap();
        assert_eq!(packages.installed, ["dpkg", "tzdata", "libc6:i386"]);
        assert_eq!(packages.held, ["tzdata"]);
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
