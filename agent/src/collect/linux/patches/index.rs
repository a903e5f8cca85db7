//! apt's files: the status of installed packages, and the lists of available ones with the release each belongs to.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read};

use crate::collect::linux::scene::Scene;
use crate::os::{Answer, OsError, failed};

/// Where apt keeps what it fetched.
pub(super) const LISTS: &str = "/var/lib/apt/lists";
/// The most bytes of one unpacked list that are read: ten times the largest known.
const LIST_CAP: u64 = 1 << 30;
/// The most bytes of one line.
const LINE_CAP: u64 = 1 << 20;

/// An installed package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Installed {
    /// Its version.
    pub(super) version: String,
    /// True when it is held back.
    pub(super) held: bool,
    /// Newer or equal versions that some list offers, each with the position of its list.
    pub(super) offered: Vec<(String, usize)>,
}

/// Installed packages by name and architecture; `all` counts as the machine's own architecture.
pub(super) type Packages = HashMap<(Vec<u8>, Vec<u8>), Installed>;

/// Reads `/var/lib/dpkg/status`.
pub(super) fn installed(scene: &Scene) -> Answer<(Packages, Vec<u8>)> {
    let mut stanzas = Vec::new();
    stanzas_of(BufReader::new(scene.os.open("/var/lib/dpkg/status")?), "/var/lib/dpkg/status", |stanza| {
        let mut words = stanza.status.split(|&byte| byte == b' ');
        let (want, _, state) = (words.next(), words.next(), words.next());
        if !matches!(state, None | Some(b"not-installed" | b"config-files" | b"")) {
            stanzas.push((stanza.clone(), want == Some(b"hold")));
        }
    })?;
    // The architecture of dpkg itself is the machine's own.
    let native =
        stanzas.iter().find(|(stanza, _)| stanza.package == b"dpkg").map(|(stanza, _)| stanza.architecture.clone());
    let native = native.unwrap_or_else(|| b"amd64".to_vec());
    let mut packages = Packages::new();
    for (stanza, held) in stanzas {
        let version = String::from_utf8_lossy(&stanza.version).into_owned();
        let key = (stanza.package, own_architecture(stanza.architecture, &native));
        packages.insert(key, Installed { version, held, offered: Vec::new() });
    }
    Ok((packages, native))
}

fn own_architecture(architecture: Vec<u8>, native: &[u8]) -> Vec<u8> {
    if architecture == b"all" { native.to_vec() } else { architecture }
}

/// One list of packages and the release it belongs to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct PackageList {
    /// Its path.
    pub(super) path: String,
    /// The host it was fetched from.
    pub(super) host: String,
    /// `main`, `universe` ...; empty for a list without.
    pub(super) component: String,
    /// `Origin`, `Label`, `Suite`, `Codename`, `Version` of the release.
    pub(super) origin: String,
    pub(super) label: String,
    pub(super) suite: String,
    pub(super) codename: String,
    pub(super) version: String,
    /// True when it is not used unless asked for (`NotAutomatic`).
    pub(super) not_automatic: bool,
    /// True when packages from it are still kept up to date from it.
    pub(super) but_automatic_upgrades: bool,
}

impl PackageList {
    /// True when the maker delivers security updates by it.
    pub(super) fn is_security(&self) -> bool {
        self.label == "Debian-Security" || [&self.suite, &self.codename].iter().any(|name| name.ends_with("-security"))
    }
}

/// All lists with their releases. A list without a release file belongs to none.
pub(super) fn lists(scene: &Scene) -> Answer<Vec<PackageList>> {
    let names = scene.os.list(LISTS)?;
    let releases: Vec<(&str, &String)> = names
        .iter()
        .filter_map(|name| Some((name.strip_suffix("InRelease").or_else(|| name.strip_suffix("Release"))?, name)))
        .collect();
    let mut lists = Vec::new();
    for name in names.iter().filter(|name| is_list(name)) {
        let release = releases.iter().filter(|(stem, _)| name.starts_with(stem)).max_by_key(|(stem, _)| stem.len());
        let mut list = match release {
            Some((_, file)) => release_of(&scene.os.head(&format!("{LISTS}/{file}"), 8 << 10)?),
            None => PackageList::default(),
        };
        list.path = format!("{LISTS}/{name}");
        list.host = name.split('_').next().unwrap_or_default().to_owned();
        let parts: Vec<&str> = name.split('_').collect();
        let binary = parts.iter().position(|part| part.starts_with("binary-"));
        list.component =
            binary.and_then(|position| parts.get(position.checked_sub(1)?)).copied().unwrap_or_default().to_owned();
        lists.push(list);
    }
    Ok(lists)
}

/// A list of binary packages, plain or compressed.
fn is_list(name: &str) -> bool {
    name.ends_with("_Packages") || name.rsplit_once('.').is_some_and(|(stem, _)| stem.ends_with("_Packages"))
}

/// The fields at the head of a release file.
fn release_of(head: &[u8]) -> PackageList {
    let text = String::from_utf8_lossy(head).replace('\r', "");
    let field = |key: &str| {
        let found = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
        found.map(|value| value.trim().to_owned()).unwrap_or_default()
    };
    PackageList {
        origin: field("Origin"),
        label: field("Label"),
        suite: field("Suite"),
        codename: field("Codename"),
        version: field("Version"),
        not_automatic: field("NotAutomatic") == "yes",
        but_automatic_upgrades: field("ButAutomaticUpgrades") == "yes",
        ..PackageList::default()
    }
}

/// Notes in `packages` what the list at `position` offers of them.
pub(super) fn read_list(
    scene: &Scene,
    list: &PackageList,
    position: usize,
    packages: &mut Packages,
    native: &[u8],
) -> Answer<()> {
    let file = scene.os.open(&list.path)?;
    let path = list.path.as_str();
    // Large enough that unpacking, not the copying of pieces, takes the time.
    let buffer = |reader: Box<dyn Read>| BufReader::with_capacity(64 << 10, reader.take(LIST_CAP));
    let reader = match path.rsplit_once('.').map(|(_, suffix)| suffix) {
        Some("lz4") => buffer(Box::new(lz4_flex::frame::FrameDecoder::new(file))),
        #[expect(clippy::disallowed_methods, reason = "`buffer` caps what comes out")]
        Some("gz") => buffer(Box::new(flate2::read::GzDecoder::new(file))),
        Some("xz" | "zst" | "bz2" | "lzma") => {
            return Err(OsError::Failed(path.to_owned(), "is packed in a way that is not read".to_owned()));
        }
        _ => buffer(Box::new(file)),
    };
    stanzas_of(reader, path, |stanza| {
        let architecture = own_architecture(std::mem::take(&mut stanza.architecture), native);
        let key = (std::mem::take(&mut stanza.package), architecture);
        if let Some(installed) = packages.get_mut(&key) {
            let version = String::from_utf8_lossy(&stanza.version).into_owned();
            if super::version::compare(&version, &installed.version).is_ge() {
                installed.offered.push((version, position));
            }
        }
    })
}

/// The fields of one stanza that matter here.
#[derive(Clone, Debug, Default)]
struct Stanza {
    package: Vec<u8>,
    version: Vec<u8>,
    architecture: Vec<u8>,
    status: Vec<u8>,
}

/// Calls `each` for every stanza; an input that ends inside one ends the stanza.
fn stanzas_of(mut reader: impl BufRead, path: &str, mut each: impl FnMut(&mut Stanza)) -> Answer<()> {
    let mut stanza = Stanza::default();
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = reader.by_ref().take(LINE_CAP).read_until(b'\n', &mut line).map_err(|error| failed(path, &error))?;
        let text = line.trim_ascii_end();
        if text.is_empty() {
            if !stanza.package.is_empty() && !stanza.version.is_empty() {
                each(&mut stanza);
            }
            stanza = Stanza::default();
            if read == 0 {
                return Ok(());
            }
            continue;
        }
        let place = match text {
            [b'P', rest @ ..] if rest.starts_with(b"ackage: ") => &mut stanza.package,
            [b'V', rest @ ..] if rest.starts_with(b"ersion: ") => &mut stanza.version,
            [b'A', rest @ ..] if rest.starts_with(b"rchitecture: ") => &mut stanza.architecture,
            [b'S', rest @ ..] if rest.starts_with(b"tatus: ") => &mut stanza.status,
            _ => continue,
        };
        let value = text.iter().position(|&byte| byte == b' ').map_or(text.len(), |position| position + 1);
        place.clear();
        place.extend_from_slice(&text[value..]);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::Arc;

    use super::*;
    use crate::os::recorded::Recorded;

    const STATUS: &str = "Package: dpkg\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1.21.22\n\n\
        Package: tzdata\r\nStatus: hold ok installed\r\nArchitecture: all\r\nVersion: 2024a\r\n\r\n\
        Package: gone\nStatus: deinstall ok config-files\nArchitecture: amd64\nVersion: 1\n\n\
        Package: libc6\nStatus: install ok installed\nArchitecture: i386\nVersion: 2.36-9\nDescription: x\n .\n Version: 9";

    fn key(name: &str, architecture: &str) -> (Vec<u8>, Vec<u8>) {
        (name.as_bytes().to_vec(), architecture.as_bytes().to_vec())
    }

    #[test]
    fn installed_packages_are_read() {
        let scene = |text: &str| {
            Scene::new(Arc::new(Recorded::new().file("/var/lib/dpkg/status", text)), jiff::Timestamp::UNIX_EPOCH)
        };
        let (packages, native) = installed(&scene(STATUS)).unwrap();
        assert_eq!((packages.len(), native), (3, b"amd64".to_vec()));
        assert!(packages[&key("tzdata", "amd64")].held);
        assert_eq!(packages[&key("libc6", "i386")].version, "2.36-9");
        for broken in ["", "\n\n\n", "Package: x", "Version: 1\n\nPackage: \n"] {
            assert!(installed(&scene(broken)).unwrap().0.is_empty(), "{broken}");
        }
    }

    #[test]
    fn lists_know_their_release_and_are_read_packed_or_not() {
        let text =
            "Package: tzdata\nArchitecture: all\nVersion: 2024b\n\nPackage: dpkg\nArchitecture: amd64\nVersion: 1.0\n";
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gz.write_all(text.as_bytes()).unwrap();
        let mut lz4 = lz4_flex::frame::FrameEncoder::new(Vec::new());
        lz4.write_all(text.as_bytes()).unwrap();
        let release = "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nOrigin: Debian\nLabel: Debian-Security\nSuite: oldstable-security\nCodename: bookworm-security\nMD5Sum:\n";
        let os = Recorded::new()
            .file("/var/lib/dpkg/status", STATUS)
            .file("/var/lib/apt/lists/deb.debian.org_debian-security_dists_bookworm-security_InRelease", release)
            .file("/var/lib/apt/lists/deb.debian.org_debian-security_dists_bookworm-security_main_binary-amd64_Packages.lz4", lz4.finish().unwrap())
            .file("/var/lib/apt/lists/own.example_deb_._Packages.gz", gz.finish().unwrap())
            .file("/var/lib/apt/lists/own.example_deb_._Translation-en", "");
        let scene = Scene::new(Arc::new(os), jiff::Timestamp::UNIX_EPOCH);
        let lists = lists(&scene).unwrap();
        assert_eq!(lists.len(), 2);
        assert!(lists[0].is_security() && !lists[1].is_security());
        assert_eq!((lists[0].component.as_str(), lists[0].host.as_str()), ("main", "deb.debian.org"));
        let (mut packages, native) = installed(&scene).unwrap();
        for (position, list) in lists.iter().enumerate() {
            read_list(&scene, list, position, &mut packages, &native).unwrap();
        }
        assert_eq!(packages[&key("tzdata", "amd64")].offered, [("2024b".to_owned(), 0), ("2024b".to_owned(), 1)]);
        assert!(packages[&key("dpkg", "amd64")].offered.is_empty(), "an older one is no offer");
    }

    #[test]
    fn a_broken_list_is_an_error() {
        let os = Recorded::new()
            .file("/var/lib/apt/lists/x_Packages.lz4", "no lz4")
            .file("/var/lib/apt/lists/y_Packages.xz", "");
        let scene = Scene::new(Arc::new(os), jiff::Timestamp::UNIX_EPOCH);
        for list in lists(&scene).unwrap() {
            assert!(read_list(&scene, &list, 0, &mut Packages::new(), b"amd64").is_err(), "{}", list.path);
        }
    }
}
