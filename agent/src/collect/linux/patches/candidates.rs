//! What `apt-cache policy NAMES` prints: the versions of each package, newest first, with the archives that offer them.

use crate::collect::linux::text::capped;

/// One package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Package<'a> {
    pub(super) name: &'a str,
    /// The version that apt would install.
    candidate: &'a str,
    /// The versions, newest first.
    versions: Vec<Version<'a>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Version<'a> {
    name: &'a str,
    installed: bool,
    offers: Vec<Offer<'a>>,
}

/// One archive that offers a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Offer<'a> {
    /// What pins and releases give it.
    pub(super) priority: i32,
    /// As [`super::archives::Archive::place`].
    pub(super) place: String,
    pub(super) component: &'a str,
}

impl<'a> Package<'a> {
    /// The name, as it may be reported.
    pub(super) fn shown(&self) -> String {
        capped(self.name)
    }

    /// True when it is installed.
    pub(super) fn installed(&self) -> bool {
        self.versions.iter().any(|version| version.installed)
    }

    fn newer(&self) -> impl Iterator<Item = &Version<'a>> {
        self.versions.iter().take_while(|version| !version.installed)
    }

    /// True when apt would replace the installed version by a newer one.
    pub(super) fn waits(&self) -> bool {
        self.newer().any(|version| version.name == self.candidate)
    }

    /// Offers of versions that are newer than the installed one, whether pins let them in or not.
    pub(super) fn newer_offers(&self) -> impl Iterator<Item = &Offer<'a>> {
        self.newer().flat_map(|version| &version.offers)
    }

    /// Offers of the installed version.
    pub(super) fn own_offers(&self) -> impl Iterator<Item = &Offer<'a>> {
        self.versions.iter().filter(|version| version.installed).flat_map(|version| &version.offers)
    }

    /// Offers of all its versions.
    pub(super) fn offers(&self) -> impl Iterator<Item = &Offer<'a>> {
        self.versions.iter().flat_map(|version| &version.offers)
    }
}

/// Reads the packages one by one.
pub(super) fn packages(text: &str) -> impl Iterator<Item = Package<'_>> {
    let mut lines = text.lines().peekable();
    std::iter::from_fn(move || {
        let name = loop {
            match lines.next()?.strip_suffix(':') {
                Some(name) if !name.starts_with(' ') => break name,
                _ => {}
            }
        };
        let mut package = Package { name, candidate: "", versions: Vec::new() };
        while let Some(line) = lines.next_if(|line| line.starts_with(' ')) {
            package.add(line);
        }
        Some(package)
    })
}

impl<'a> Package<'a> {
    /// `  Candidate: 1.2`, ` *** 1.2 500`, `     1.1 500 (phased 20%)`,
    /// `        500 http://deb.debian.org/debian bookworm/main amd64 Packages`.
    fn add(&mut self, line: &'a str) {
        if let Some(candidate) = line.strip_prefix("  Candidate: ") {
            self.candidate = candidate;
        } else if let Some(version) = line.strip_prefix(" *** ").or_else(|| line.strip_prefix("     "))
            && !version.starts_with(' ')
        {
            let name = version.split(' ').next().unwrap_or_default();
            self.versions.push(Version { name, installed: line.starts_with(" ***"), offers: Vec::new() });
        } else if let Some(version) = self.versions.last_mut()
            && let [priority, site @ .., archive, _, "Packages"] = &line.split_whitespace().collect::<Vec<_>>()[..]
            && let (Ok(priority), Some((distribution, component))) = (priority.parse(), archive.rsplit_once('/'))
        {
            version.offers.push(Offer { priority, place: format!("{} {distribution}", site.join(" ")), component });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPENSSL: &str = "openssl:\n  Installed: 3.0.11-1\n  Candidate: 3.0.15-1\n  Version table:\n     3.0.15-1 500\n        500 http://deb.debian.org/debian bookworm/main amd64 Packages\n     \
        3.0.14-1 -1 (phased 20%)\n         -1 http://security.debian.org/debian-security bookworm-security/main amd64 Packages\n *** 3.0.11-1 100\n        100 /var/lib/dpkg/status\n";

    #[test]
    fn versions_and_their_archives_are_read() {
        let text = format!("{OPENSSL}alone:\n  Installed: 1\n  Candidate: 1\n  Version table:\n *** 1 100\n        100 /var/lib/dpkg/status\n");
        let packages: Vec<Package<'_>> = packages(&text).collect();
        assert_eq!(packages.iter().map(Package::shown).collect::<Vec<_>>(), ["openssl", "alone"]);
        let offers: Vec<(i32, &str)> =
            packages[0].newer_offers().map(|offer| (offer.priority, offer.place.as_str())).collect();
        let security = "http://security.debian.org/debian-security bookworm-security";
        assert_eq!(offers, [(500, "http://deb.debian.org/debian bookworm"), (-1, security)]);
        assert!(packages[0].waits() && packages[0].installed() && !packages[1].waits());
        assert_eq!(packages[0].own_offers().count(), 0);
    }

    #[test]
    fn what_is_no_such_table_names_no_installed_package() {
        for text in ["", ":", "x:\n", "N: Unable to locate package x\n", "x:\n *** \n", "x:\n        500 a b/c d Packages\n"] {
            assert!(packages(text).all(|package| !package.waits() && package.offers().count() == 0), "{text}");
        }
    }
}
