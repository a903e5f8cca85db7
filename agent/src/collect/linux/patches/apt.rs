//! Pending updates of apt, from its own files: installed versions, fetched lists, pins. apt itself is asked (`-s`, which
//! changes nothing) only where its configuration says something that is not read here.

use jiff::Timestamp;
use jiff::civil::DateTime;
use policies::fact::{Fact, Instant, Reason};

use super::index::{self, LISTS, PackageList};
use super::pins::Pins;
use super::version::compare;
use super::{Updates, configuration, files, fingerprint};
use crate::collect::linux::memory::Fingerprint;
use crate::collect::linux::scene::{Scene, unknown};
use crate::collect::linux::text::capped;
use crate::os::{Answer, OsError, Program};

/// Simulates in memory: the empty names keep it from writing its caches.
const SIMULATE: &[&str] =
    &["-s", "-qq", "-o", "Dir::Cache::pkgcache=", "-o", "Dir::Cache::srcpkgcache=", "dist-upgrade"];

/// Everything the answer depends on.
pub(super) fn sources(scene: &Scene) -> Fingerprint {
    let mut paths = vec!["/var/lib/dpkg/status".to_owned()];
    paths.extend(files(scene, LISTS, |name| name.contains("_Packages") || name.ends_with("Release")));
    paths.extend(preference_files(scene));
    paths.extend(configuration::files(scene));
    fingerprint(scene, paths)
}

fn preference_files(scene: &Scene) -> Vec<String> {
    let used = |name: &str| !name.starts_with('.') && (!name.contains('.') || name.ends_with(".pref"));
    let mut paths = vec!["/etc/apt/preferences".to_owned()];
    paths.extend(files(scene, "/etc/apt/preferences.d", used));
    paths
}

/// What waits and what is held.
pub(super) fn updates(scene: &Scene) -> Updates {
    let (mut packages, native) = match index::installed(scene) {
        Ok(found) => found,
        Err(error) => return Updates { pending: unknown(&error), security: unknown(&error), held: unknown(&error) },
    };
    let mut held: Vec<String> =
        packages.iter().filter(|(_, installed)| installed.held).map(|((name, _), _)| shown(name)).collect();
    held.sort_unstable();
    let held = Fact::Known(held);
    let lists = match index::lists(scene) {
        Ok(lists) if lists.is_empty() => Err(OsError::Missing(format!("a list of packages in {LISTS}"))),
        lists => lists,
    };
    let lists = match lists {
        Ok(lists) => lists,
        Err(error) => return Updates { pending: unknown(&error), security: unknown(&error), held },
    };
    let pins = match pins(scene) {
        Ok(pins) => pins,
        Err(Unread::Odd) => return simulated(scene, held),
        Err(Unread::Os(error)) => return Updates { pending: unknown(&error), security: unknown(&error), held },
    };
    for (position, list) in lists.iter().enumerate() {
        match index::read_list(scene, list, position, &mut packages, &native) {
            Ok(()) => {}
            // Packed in a way that is not read here, or broken: apt has the last word.
            Err(OsError::Failed(..)) => return simulated(scene, held),
            Err(error) => return Updates { pending: unknown(&error), security: unknown(&error), held },
        }
    }
    let (mut pending, mut security) = (0, Vec::new());
    for ((name, _), installed) in packages.iter().filter(|(_, installed)| !installed.held) {
        let name = shown(name);
        let Some(upgrade) = pins.upgrade(&name, installed, &lists) else { continue };
        pending += 1;
        if mends_security(installed, upgrade, &lists) {
            security.push(name);
        }
    }
    security.sort_unstable();
    Updates { pending: Fact::Known(pending), security: Fact::Known(security), held }
}

/// True when the way to `upgrade` passes a version that came by a security list, be it the upgrade itself or one before it.
fn mends_security(installed: &index::Installed, upgrade: &str, lists: &[PackageList]) -> bool {
    installed.offered.iter().any(|(version, list)| {
        lists[*list].is_security() && compare(version, &installed.version).is_gt() && compare(version, upgrade).is_le()
    })
}

fn shown(name: &[u8]) -> String {
    capped(&String::from_utf8_lossy(name))
}

/// Why the pins are not known.
enum Unread {
    /// They say something that is not read here.
    Odd,
    /// A file could not be read.
    Os(OsError),
}

fn pins(scene: &Scene) -> Result<Pins, Unread> {
    let mut texts = Vec::new();
    for path in preference_files(scene) {
        match scene.text(&path) {
            Ok(text) => texts.push(text),
            Err(OsError::Missing(_)) => {}
            Err(error) => return Err(Unread::Os(error)),
        }
    }
    let configuration = configuration::read(scene).map_err(Unread::Os)?;
    let target = configuration.get("APT::Default-Release");
    Pins::read(&texts, target).map_err(|_| Unread::Odd)
}

/// apt's own word, where the files say something that is not read here.
fn simulated(scene: &Scene, held: Fact<Vec<String>>) -> Updates {
    let output = match scene.os.run(Program::AptGet, SIMULATE) {
        Ok(output) if output.status == Some(0) && !output.cut => output,
        Ok(output) => {
            let said = output.stderr.lines().next().map(capped).unwrap_or_default();
            return Updates::unknown(Reason::Unreadable, format!("apt-get -s: {said}"), held);
        }
        Err(error) => return Updates { pending: unknown(&error), security: unknown(&error), held },
    };
    let (pending, security) = read_simulation(&output.stdout);
    Updates { pending: Fact::Known(pending), security: Fact::Known(security), held }
}

/// `Inst bash [5.2.15-2+b2] (5.2.15-2+b7 Debian:12.9/stable, Debian-Security:12/stable-security [amd64])`; a line without
/// the version in brackets is a new package and no update.
fn read_simulation(text: &str) -> (i64, Vec<String>) {
    let updates = text.lines().filter_map(|line| {
        let (name, rest) = line.strip_prefix("Inst ")?.split_once(' ')?;
        let (_, offer) = rest.strip_prefix('[')?.split_once("] (")?;
        Some((name, offer.contains("Debian-Security:") || offer.contains("-security")))
    });
    let (mut pending, mut security) = (0, Vec::new());
    for (name, mends) in updates {
        pending += 1;
        if mends {
            security.push(capped(name));
        }
    }
    security.sort_unstable();
    security.dedup();
    (pending, security)
}

/// The newest release file: apt gives it the time at which the archive was published, which a fetch cannot precede. A stamp
/// of a fetch that succeeded counts as well.
pub(super) fn lists_at(scene: &Scene) -> Fact<Instant> {
    let mut paths = files(scene, LISTS, |name| name.ends_with("Release"));
    paths.push("/var/lib/apt/periodic/update-success-stamp".to_owned());
    newest(scene, &paths).map_or_else(|| Fact::unknown(Reason::SourceMissing, "no list was fetched"), Fact::Known)
}

/// The latest time of change among `paths`.
pub(super) fn newest(scene: &Scene, paths: &[String]) -> Option<Instant> {
    let at = paths.iter().filter_map(|path| scene.os.stat(path).ok()).map(|stat| stat.modified_at).max()?;
    Timestamp::from_millisecond(at).ok()
}

/// The last line of `dpkg.log` that tells of an upgrade, in the newest of its files that has one.
pub(super) fn last_upgrade_at(scene: &Scene) -> Fact<Instant> {
    const TAIL: usize = 1 << 20;
    let mut read_any = false;
    for number in 0..=12 {
        let plain = if number == 0 { "/var/log/dpkg.log".to_owned() } else { format!("/var/log/dpkg.log.{number}") };
        let text = match scene.os.tail(&plain, TAIL) {
            Err(OsError::Missing(_)) => unpacked(scene, &format!("{plain}.gz")),
            answer => answer,
        };
        match text {
            Ok(text) => {
                read_any = true;
                if let Some(at) = last_upgrade(&String::from_utf8_lossy(&text), scene) {
                    return Fact::Known(at);
                }
            }
            Err(OsError::Missing(_)) => {}
            Err(error) => return unknown(&error),
        }
    }
    let detail = if read_any { "the logs that are kept tell of none" } else { "there is no dpkg.log" };
    Fact::unknown(Reason::SourceMissing, detail)
}

fn unpacked(scene: &Scene, path: &str) -> Answer<Vec<u8>> {
    use std::io::Read;
    const CAP: u64 = 16 << 20;
    let mut text = Vec::new();
    #[expect(clippy::disallowed_methods, reason = "the next call caps what comes out")]
    let mut reader = flate2::read::GzDecoder::new(scene.os.open(path)?).take(CAP);
    reader.read_to_end(&mut text).map_err(|error| crate::os::failed(path, &error))?;
    Ok(text)
}

/// `2024-05-21 08:15:33 upgrade bash:amd64 5.2.15-2+b2 5.2.15-2+b7`, in the machine's zone. The same version again is a
/// reinstallation.
fn last_upgrade(text: &str, scene: &Scene) -> Option<Instant> {
    text.lines().rev().find_map(|line| {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let [day, hour, "upgrade", _, old, new] = words[..] else { return None };
        let local: DateTime = format!("{day}T{hour}").parse().ok()?;
        (old != new).then(|| local.to_zoned(scene.zone().clone()).ok()).flatten().map(|zoned| zoned.timestamp())
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::Arc;

    use super::*;
    use crate::os::recorded::Recorded;

    const STATUS: &str = "Package: dpkg\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1\n\n\
        Package: openssl\nStatus: install ok installed\nArchitecture: amd64\nVersion: 3.0.11-1~deb12u1\n\n\
        Package: nano\nStatus: install ok installed\nArchitecture: amd64\nVersion: 7.2-1\n\n\
        Package: vim\nStatus: hold ok installed\nArchitecture: amd64\nVersion: 9.0-1\n";
    const MAIN: &str = "Package: openssl\nArchitecture: amd64\nVersion: 3.0.15-1~deb12u1\n\nPackage: nano\nArchitecture: amd64\nVersion: 7.2-1+deb12u1\n\n\
        Package: vim\nArchitecture: amd64\nVersion: 9.0-2\n\nPackage: absent\nArchitecture: amd64\nVersion: 1\n";
    const SECURITY: &str = "Package: openssl\nArchitecture: amd64\nVersion: 3.0.14-1~deb12u2\n";

    fn machine() -> Recorded {
        Recorded::new()
            .file("/var/lib/dpkg/status", STATUS)
            .file(
                "/var/lib/apt/lists/deb.debian.org_debian_dists_bookworm_InRelease",
                "Origin: Debian\nLabel: Debian\nSuite: stable\n",
            )
            .file("/var/lib/apt/lists/deb.debian.org_debian_dists_bookworm_main_binary-amd64_Packages", MAIN)
            .file(
                "/var/lib/apt/lists/security.debian.org_dists_bookworm-security_InRelease",
                "Label: Debian-Security\nSuite: stable-security\n",
            )
            .file("/var/lib/apt/lists/security.debian.org_dists_bookworm-security_main_binary-amd64_Packages", SECURITY)
    }

    fn scene(os: Recorded) -> Scene {
        Scene::new(Arc::new(os), Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn an_update_that_overtook_a_security_update_still_mends_it() {
        let updates = updates(&scene(machine()));
        assert_eq!(updates.pending, Fact::Known(2));
        assert_eq!(updates.security, Fact::Known(vec!["openssl".to_owned()]));
        assert_eq!(updates.held, Fact::Known(vec!["vim".to_owned()]));
    }

    #[test]
    fn without_lists_nothing_is_said_to_be_up_to_date() {
        let updates = updates(&scene(Recorded::new().file("/var/lib/dpkg/status", STATUS)));
        assert!(matches!(updates.pending, Fact::Unknown(unknown) if unknown.reason == Reason::SourceMissing));
        assert!(updates.held.known().is_some());
    }

    #[test]
    fn apt_is_asked_where_a_pin_is_not_read() {
        let simulation = "Inst openssl [3.0.11-1~deb12u1] (3.0.15-1~deb12u1 Debian:12.9/stable, Debian-Security:12/stable-security [amd64])\n\
            Inst linux-image-6.1.0-30-amd64 (6.1.124-1 Debian-Security:12/stable-security [amd64])\nInst nano [7.2-1] (7.2-1+deb12u1 Debian:12.9/stable [amd64]) []\n\
            Conf nano (7.2-1+deb12u1 Debian:12.9/stable [amd64])\n";
        let odd =
            machine().file("/etc/apt/preferences.d/x.pref", "Package: /lib.*/\nPin: version 1\nPin-Priority: 1\n");
        let updates_asked = updates(&scene(odd.clone().answering(Program::AptGet, SIMULATE, 0, simulation)));
        assert_eq!(updates_asked.pending, Fact::Known(2));
        assert_eq!(updates_asked.security, Fact::Known(vec!["openssl".to_owned()]));
        let failing = updates(&scene(odd.answering(Program::AptGet, SIMULATE, 100, "")));
        assert!(matches!(failing.pending, Fact::Unknown(unknown) if unknown.reason == Reason::Unreadable));
        assert_eq!(read_simulation("Inst\nInst x\nInst x [1\nInst x [1] 2\n"), (0, Vec::new()));
    }

    #[test]
    fn the_last_upgrade_is_found_in_old_logs_too() {
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed
            .write_all(
                b"2024-03-01 10:00:00 upgrade bash:amd64 1 2\n2024-03-01 10:00:01 status installed bash:amd64 2\n",
            )
            .unwrap();
        let os = Recorded::new()
            .file(
                "/var/log/dpkg.log",
                "2024-05-21 08:15:33 upgrade nano:amd64 7 7\r\n2024-05-21 08:15:33 install x:all <none> 1\r\n",
            )
            .file("/var/log/dpkg.log.2.gz", packed.finish().unwrap());
        assert_eq!(last_upgrade_at(&scene(os.clone())).known().unwrap().to_string(), "2024-03-01T10:00:00Z");
        let newer = os.file(
            "/var/log/dpkg.log.1",
            "2024-04-01 10:00:00 upgrade a:all 1 2\n2024-04-02 11:00:00 upgrade b:all 1 2\ncut",
        );
        assert_eq!(last_upgrade_at(&scene(newer)).known().unwrap().to_string(), "2024-04-02T11:00:00Z");
        assert!(last_upgrade_at(&scene(Recorded::new())).known().is_none());
        assert!(last_upgrade_at(&scene(Recorded::new().file("/var/log/dpkg.log.1.gz", "broken"))).known().is_none());
    }

    #[test]
    fn the_lists_are_as_old_as_their_newest_release() {
        let os = machine()
            .modified("/var/lib/apt/lists/security.debian.org_dists_bookworm-security_InRelease", 1_716_250_533_000);
        assert_eq!(lists_at(&scene(os)).known().unwrap().to_string(), "2024-05-21T00:15:33Z");
        assert!(lists_at(&scene(Recorded::new())).known().is_none());
    }
}
