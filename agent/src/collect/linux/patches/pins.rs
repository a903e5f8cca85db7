//! apt's choice among the versions on offer: priorities of releases and the administrator's pins (`apt_preferences(5)`).

use std::cmp::Ordering;

use super::index::{Installed, PackageList};
use super::version::compare;
use crate::collect::linux::text::{fits, unquoted};

/// The pins, and the release that is preferred to all others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Pins {
    pins: Vec<Pin>,
    target: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Pin {
    packages: Vec<String>,
    on: On,
    priority: i32,
}

/// What a pin speaks of.
#[derive(Clone, Debug, PartialEq, Eq)]
enum On {
    /// A release, by its fields.
    Release(Vec<(char, String)>),
    /// A host.
    Host(String),
    /// A version.
    Version(String),
}

impl Pins {
    /// Reads preference files. An error names what is not read here; apt itself must then be asked.
    pub(super) fn read(texts: &[String], target: Option<&str>) -> Result<Self, String> {
        if let Some(target) = target.filter(|target| target.contains(['/', '*', '?'])) {
            return Err(format!("default release {target}"));
        }
        let mut pins = Self { pins: Vec::new(), target: target.map(str::to_owned) };
        for text in texts {
            for stanza in text.replace('\r', "").split("\n\n") {
                pins.add(stanza)?;
            }
        }
        Ok(pins)
    }

    fn add(&mut self, stanza: &str) -> Result<(), String> {
        let field = |key: &str| {
            let found = stanza.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once(':'));
            let mut named = found.filter(|(name, _)| name.trim().eq_ignore_ascii_case(key));
            named.next().map(|(_, value)| value.trim())
        };
        let (Some(packages), Some(pin), Some(priority)) = (field("Package"), field("Pin"), field("Pin-Priority"))
        else {
            return Ok(());
        };
        let priority = priority.parse().map_err(|_| format!("priority {priority}"))?;
        let packages: Vec<String> = packages.split_ascii_whitespace().map(str::to_owned).collect();
        if let Some(odd) = packages.iter().find(|name| name.contains(['/', '[', ':'])) {
            return Err(format!("pin on {odd}"));
        }
        let (kind, rest) = pin.split_once(char::is_whitespace).unwrap_or((pin, ""));
        let rest = rest.trim();
        let on = match kind {
            "version" => On::Version(rest.to_owned()),
            "origin" => On::Host(unquoted(rest).to_owned()),
            "release" => On::Release(release_fields(rest)?),
            other => return Err(format!("pin on {other}")),
        };
        self.pins.push(Pin { packages, on, priority });
        Ok(())
    }

    /// The priority of one version of a package in one list: the first pin on the package, else the first on all packages,
    /// else by the release.
    fn priority(&self, name: &str, version: &str, list: &PackageList) -> i32 {
        let general = |pin: &&Pin| pin.packages == ["*"];
        let speaks = |pin: &&Pin| match &pin.on {
            On::Release(fields) => fields.iter().all(|(key, value)| release_has(list, *key, value)),
            On::Host(host) => fits(host, &list.host),
            On::Version(pattern) => fits(pattern, version),
        };
        let named = |pin: &&Pin| pin.packages.iter().any(|pattern| fits(pattern, name));
        let specific = self.pins.iter().filter(|pin| !general(pin) && named(pin)).find(speaks);
        let pin = specific.or_else(|| self.pins.iter().filter(general).find(speaks));
        if let Some(pin) = pin {
            return pin.priority;
        }
        let targeted =
            self.target.as_ref().is_some_and(|target| [&list.suite, &list.codename, &list.version].contains(&target));
        match (list.not_automatic, list.but_automatic_upgrades) {
            _ if targeted => 990,
            (true, true) => 100,
            (true, false) => 1,
            (false, _) => 500,
        }
    }

    /// The version that apt would install in place of the installed one; `None` when it would leave it.
    pub(super) fn upgrade<'a>(&self, name: &str, installed: &'a Installed, lists: &[PackageList]) -> Option<&'a str> {
        const STATUS: i32 = 100;
        let priority = |version: &str| {
            let offers = installed.offered.iter().filter(|(offered, _)| compare(offered, version) == Ordering::Equal);
            offers.map(|(offered, list)| self.priority(name, offered, &lists[*list])).max()
        };
        let kept = priority(&installed.version).unwrap_or(STATUS).max(STATUS);
        installed
            .offered
            .iter()
            .map(|(version, _)| version.as_str())
            .filter(|version| compare(version, &installed.version) == Ordering::Greater)
            .map(|version| (priority(version).unwrap_or(0), version))
            .filter(|(priority, _)| *priority >= kept)
            .max_by(|one, other| one.0.cmp(&other.0).then_with(|| compare(one.1, other.1)))
            .map(|(_, version)| version)
    }
}

fn release_fields(text: &str) -> Result<Vec<(char, String)>, String> {
    let field = |part: &str| {
        let (key, value) = part.split_once('=').ok_or_else(|| format!("pin on release {part}"))?;
        let value = unquoted(value.trim());
        match (key.trim(), value.contains(['/', '['])) {
            (key @ ("a" | "n" | "o" | "l" | "v" | "c"), false) => {
                Ok((key.chars().next().unwrap_or('a'), value.to_owned()))
            }
            _ => Err(format!("pin on release {part}")),
        }
    };
    text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(field).collect()
}

fn release_has(list: &PackageList, key: char, pattern: &str) -> bool {
    let value = match key {
        'a' => &list.suite,
        'n' => &list.codename,
        'o' => &list.origin,
        'l' => &list.label,
        'v' => &list.version,
        _ => &list.component,
    };
    fits(pattern, value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(suite: &str, origin: &str) -> PackageList {
        PackageList {
            suite: suite.to_owned(),
            origin: origin.to_owned(),
            host: "deb.example".to_owned(),
            ..PackageList::default()
        }
    }

    fn chosen(preferences: &str, target: Option<&str>, offered: &[(&str, usize)]) -> Option<String> {
        let mut lists = vec![list("stable", "Debian"), list("stable-backports", "Debian"), list("other", "Other")];
        lists[1].not_automatic = true;
        lists[1].but_automatic_upgrades = true;
        let offered = offered.iter().map(|&(version, position)| (version.to_owned(), position)).collect();
        let installed = Installed { version: "2".to_owned(), held: false, offered };
        let pins = Pins::read(&[preferences.to_owned()], target).unwrap();
        pins.upgrade("nginx", &installed, &lists).map(str::to_owned)
    }

    #[test]
    fn the_newest_of_the_highest_priority_is_chosen() {
        assert_eq!(chosen("", None, &[("2", 0), ("3", 0), ("4", 2)]).as_deref(), Some("4"));
        assert_eq!(chosen("", None, &[("2", 0), ("5~bpo", 1)]), None, "backports only follow what came from them");
        assert_eq!(chosen("", None, &[("2", 1), ("3", 1)]).as_deref(), Some("3"));
        assert_eq!(chosen("", Some("stable"), &[("2", 0), ("9", 2)]), None);
        assert_eq!(chosen("", None, &[]), None);
    }

    #[test]
    fn pins_hold_back_and_push_forward() {
        let origin = "Package: nginx\nPin: release o=Other\nPin-Priority: -1\n";
        assert_eq!(chosen(origin, None, &[("2", 0), ("9", 2)]), None);
        let version = "Explanation: x\r\nPackage: ngin* apache\r\nPin: version 3*\r\nPin-Priority: 1001\r\n";
        assert_eq!(chosen(version, None, &[("2", 0), ("3.1", 0), ("4", 0)]).as_deref(), Some("3.1"));
        let host = "Package: *\nPin: origin \"deb.example\"\nPin-Priority: 50\n\nPackage: nginx\nPin: release a=stable\nPin-Priority: 500\n";
        assert_eq!(chosen(host, None, &[("3", 0)]).as_deref(), Some("3"));
        assert_eq!(chosen(host, None, &[("3", 2)]), None);
    }

    #[test]
    fn what_is_not_read_here_is_an_error() {
        for text in [
            "Package: /^x/\nPin: version 1\nPin-Priority: 1",
            "Package: x\nPin: release b=amd64\nPin-Priority: 1",
            "Package: x\nPin: release stable\nPin-Priority: 1",
            "Package: x\nPin: moon 1\nPin-Priority: 1",
            "Package: src:x\nPin: version 1\nPin-Priority: 1",
        ] {
            assert!(Pins::read(&[text.to_owned()], None).is_err(), "{text}");
        }
        assert!(Pins::read(&[String::new(), "# only a comment\n\nPackage: x\n".to_owned()], None).is_ok());
        assert!(Pins::read(&[], Some("/^book/")).is_err());
    }
}
