//! The archives in apt's sources, as apt itself reports them, and what has been downloaded of each.

use jiff::Timestamp;

use super::ask;
use crate::linux::context::{CheckContext, optional};
use crate::linux::text::assigned;
use os::{Answer, Program};

/// Where apt keeps its downloaded lists.
pub(super) const LISTS: &str = "/var/lib/apt/lists";
/// Downloads and writes nothing.
pub(super) const SOURCES: &[&str] = &["update", "--print-uris"];

/// One archive of the sources in force.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Archive {
    /// Site and distribution: `http://mirror.example/debian bookworm`.
    pub(super) place: String,
    /// Its release file, if downloaded.
    pub(super) release: Option<Release>,
    /// Its package lists.
    pub(super) lists: Vec<List>,
    /// The base URL of its files.
    base: String,
}

/// One package list of an archive.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct List {
    /// `main`, `universe` ...; empty for an archive without components.
    pub(super) component: String,
    /// Its path, if downloaded.
    pub(super) path: Option<String>,
    /// True when the archive may lack it.
    optional: bool,
}

/// The fields at the head of a release file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Release {
    /// Its path.
    pub(super) path: String,
    pub(super) origin: String,
    pub(super) label: String,
    pub(super) suite: String,
    pub(super) codename: String,
    /// The priority apt gives its versions without pins: 500, lower for an archive that is only used on request.
    pub(super) priority: i32,
}

impl Archive {
    /// True when its address looks like a security archive, whether or not anything was downloaded.
    pub(super) fn sounds_secure(&self) -> bool {
        self.place.contains("security") || self.place.ends_with("/updates")
    }

    /// True when part of it has not been downloaded.
    pub(super) fn missing(&self) -> bool {
        self.release.is_none() || self.lists.iter().any(|list| list.path.is_none() && !list.optional)
    }
}

impl Release {
    /// True when it is the maker's archive of security updates for this release of the system. The host does not matter: a
    /// mirror has another.
    pub(super) fn is_security(&self, codenames: &[String]) -> bool {
        let names = [&self.suite, &self.codename];
        let secure = self.label.ends_with("-Security")
            || names.iter().any(|name| name.ends_with("-security") || name.ends_with("/updates"));
        let own = |codename: &String| {
            self.codename.strip_prefix(codename).is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '/']))
        };
        secure && codenames.iter().any(own)
    }
}

/// The code names that archives use for this release of the system.
pub(super) fn codenames(context: &CheckContext) -> Answer<Vec<String>> {
    let text = context.text("/etc/os-release").or_else(|_| context.text("/usr/lib/os-release"))?;
    let keys = ["VERSION_CODENAME", "UBUNTU_CODENAME", "DEBIAN_CODENAME"];
    Ok(keys.iter().filter_map(|key| assigned(&text, key)).filter(|name| !name.is_empty()).map(str::to_owned).collect())
}

/// All archives of the sources in force.
pub(super) fn archives(context: &CheckContext) -> Answer<Vec<Archive>> {
    let text = ask(context, Program::AptGet, SOURCES, &[0])?;
    let fetched = optional(context.os.list(LISTS))?.unwrap_or_default();
    let found = |file: &str| {
        const PACKED: [&str; 7] = ["", ".lz4", ".gz", ".xz", ".zst", ".bz2", ".lzma"];
        let name = fetched.iter().find(|name| name.strip_prefix(file).is_some_and(|rest| PACKED.contains(&rest)));
        name.map(|name| format!("{LISTS}/{name}"))
    };
    let mut archives: Vec<Archive> = Vec::new();
    for (address, file) in text.lines().filter_map(target) {
        if let Some(base) = address.strip_suffix("InRelease").or_else(|| address.strip_suffix("/Release")) {
            let stem = file.trim_end_matches("InRelease").trim_end_matches("Release");
            let path = ["InRelease", "Release"].iter().find_map(|name| found(&format!("{stem}{name}")));
            let release = path.map(|path| release(context, path)).transpose()?;
            let base = format!("{}/", base.trim_end_matches('/'));
            archives.push(Archive { place: place(&base), release, lists: Vec::new(), base });
        } else if file.ends_with("_Packages")
            && let Some(archive) = archives.iter_mut().rfind(|archive| address.starts_with(&archive.base))
        {
            let (component, rest) = address[archive.base.len()..].split_once("/binary-").unwrap_or_default();
            let (component, optional) = (component.to_owned(), rest.starts_with("all/"));
            archive.lists.push(List { component, path: found(&file), optional });
        }
    }
    Ok(archives)
}

/// Parses `'http://mirror.example/debian/dists/bookworm/InRelease' mirror.example_debian_dists_bookworm_InRelease 0`: the
/// address without password, and the file name.
fn target(line: &str) -> Option<(String, String)> {
    let (address, rest) = line.strip_prefix('\'')?.split_once("' ")?;
    let (scheme, path) = address.split_once(':')?;
    let host = path.strip_prefix("//").map_or("", |path| path.split('/').next().unwrap_or_default());
    let address = match host.rsplit_once('@') {
        Some((secret, _)) => format!("{scheme}://{}", &path[2 + secret.len() + 1..]),
        None => address.to_owned(),
    };
    Some((address, rest.split(' ').next()?.to_owned()))
}

fn place(base: &str) -> String {
    match base.split_once("/dists/") {
        Some((site, distribution)) => format!("{site} {}", distribution.trim_end_matches('/')),
        None => base.to_owned(),
    }
}

fn head(context: &CheckContext, path: &str) -> Answer<String> {
    Ok(String::from_utf8_lossy(&context.os.head(path, 8 << 10)?).replace('\r', ""))
}

fn field<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':')).map(str::trim)
}

fn release(context: &CheckContext, path: String) -> Answer<Release> {
    let text = head(context, &path)?;
    let field = |key: &str| field(&text, key).unwrap_or_default().to_owned();
    Ok(Release {
        path,
        origin: field("Origin"),
        label: field("Label"),
        suite: field("Suite"),
        codename: field("Codename"),
        priority: match (field("NotAutomatic").as_str(), field("ButAutomaticUpgrades").as_str()) {
            ("yes", "yes") => 100,
            ("yes", _) => 1,
            _ => 500,
        },
    })
}

/// When the archive published the release file at `path`, which is never later than the download: the earlier of the date
/// in the file and the file's own time, which apt sets to the archive's.
pub(super) fn published_at(context: &CheckContext, path: &str) -> Option<Timestamp> {
    let file = Timestamp::from_millisecond(context.os.stat(path).ok()?.modified_at).ok()?;
    let text = head(context, path).ok()?;
    let said = field(&text, "Date").and_then(|date| jiff::fmt::rfc2822::parse(&date.replace("UTC", "+0000")).ok());
    Some(said.map_or(file, |said| said.timestamp().min(file)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use os::recorded::Recorded;

    fn read(printed: &str, os: Recorded) -> Vec<Archive> {
        let os = os.answering(Program::AptGet, SOURCES, 0, printed);
        archives(&CheckContext::of(os)).unwrap()
    }

    #[test]
    fn archives_are_told_by_their_release_file_and_not_by_their_host() {
        let printed = "'https://canbo:mat@mirror.tinh.vn/sec/dists/stable-security/InRelease' mirror.tinh.vn_sec_dists_stable-security_InRelease 0 \n\
            'mirror+file:/etc/apt/mirrors/debian.list/dists/bookworm/InRelease' x_dists_bookworm_InRelease 0 \n\
            'https://own.example/deb/./InRelease' own.example_deb_._InRelease 0 \n\
            'https://mirror.tinh.vn/sec/dists/stable-security/main/binary-amd64/Packages.xz' mirror.tinh.vn_sec_dists_stable-security_main_binary-amd64_Packages 0 \n\
            'https://mirror.tinh.vn/sec/dists/stable-security/main/binary-all/Packages.xz' mirror.tinh.vn_sec_dists_stable-security_main_binary-all_Packages 0 \n\
            'https://own.example/deb/./Packages.xz' own.example_deb_._Packages 0 \nnonsense\n'\n";
        let release = "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nOrigin: Debian\nLabel: Debian-Security\nSuite: stable-security\nCodename: bookworm-security\nMD5Sum:\n";
        let os = Recorded::new()
            .file(&format!("{LISTS}/mirror.tinh.vn_sec_dists_stable-security_InRelease"), release)
            .file(&format!("{LISTS}/mirror.tinh.vn_sec_dists_stable-security_main_binary-amd64_Packages.lz4"), "");
        let archives = read(printed, os);
        let places: Vec<&str> = archives.iter().map(|archive| archive.place.as_str()).collect();
        let security = "https://mirror.tinh.vn/sec stable-security";
        assert_eq!(
            places,
            [security, "mirror+file:/etc/apt/mirrors/debian.list bookworm", "https://own.example/deb/./"]
        );
        assert!(!archives[0].missing() && archives[1].missing() && archives[2].missing());
        let release = archives[0].release.as_ref().unwrap();
        assert!(release.is_security(&["bookworm".to_owned()]));
        assert!(!release.is_security(&["trixie".to_owned()]), "that of another release");
        assert!(!release.is_security(&[]));
    }

    #[test]
    fn security_archives_of_each_maker_are_known() {
        let of = |label: &str, suite: &str, codename: &str| {
            let [label, suite, codename] = [label, suite, codename].map(str::to_owned);
            let release = Release { label, suite, codename, ..Release::default() };
            release.is_security(&["wilma".to_owned(), "noble".to_owned(), "buster".to_owned()])
        };
        assert!(of("Ubuntu", "noble-security", "noble"));
        assert!(of("UbuntuESM", "noble-infra-security", "noble"));
        assert!(of("Debian-Security", "oldoldstable", "buster/updates"));
        assert!(!of("Ubuntu", "noble-updates", "noble"));
        assert!(!of("Ubuntu", "jammy-security", "jammy"));
        assert!(!of("Google", "stable", "stable"));
    }

    #[test]
    fn a_release_is_as_old_as_it_says() {
        let path = format!("{LISTS}/x_InRelease");
        let at = |text: &str| {
            let os = Recorded::new().file(&path, text).modified(&path, 1_740_045_600_000);
            published_at(&CheckContext::of(os), &path).unwrap().to_string()
        };
        assert_eq!(at("Date: Sat, 11 Jan 2025 10:00:00 UTC\n"), "2025-01-11T10:00:00Z");
        assert_eq!(at("Date: Sat, 11 Jan 2031 10:00:00 UTC\n"), "2025-02-20T10:00:00Z");
        assert_eq!(at("Date: when the moon is full\n"), "2025-02-20T10:00:00Z");
    }
}
