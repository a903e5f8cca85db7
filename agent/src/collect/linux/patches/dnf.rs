//! Pending updates of dnf, from its cache only (`-C`): the metadata that its own timer fetches.

use policies::fact::{Fact, Instant, Reason};

use super::{Updates, apt, files, fingerprint};
use crate::collect::linux::memory::Fingerprint;
use crate::collect::linux::scene::{Scene, unknown};
use crate::collect::linux::text::{capped, ini_value, lines, yes};
use crate::os::{Answer, OsError, Output, Program};

const CHECK: &[&str] = &["-C", "-q", "--setopt=logfilelevel=0", "check-update"];
const SECURITY: &[&str] = &["-C", "-q", "--setopt=logfilelevel=0", "updateinfo", "list", "--security"];
const CACHES: [&str; 2] = ["/var/cache/dnf", "/var/cache/libdnf5"];

pub(super) fn installed(scene: &Scene) -> bool {
    Program::Dnf.paths().iter().any(|path| scene.os.exists(path))
}

/// Everything the answer depends on: the database of packages and the fetched metadata.
pub(super) fn sources(scene: &Scene) -> Fingerprint {
    let databases = ["/var/lib/rpm", "/usr/lib/sysimage/rpm"].iter().flat_map(|folder| {
        ["rpmdb.sqlite", "rpmdb.sqlite-wal", "Packages", "Packages.db"].map(|name| format!("{folder}/{name}"))
    });
    let locks = ["/etc/dnf/plugins/versionlock.list".to_owned(), "/etc/dnf/versionlock.toml".to_owned()];
    fingerprint(scene, databases.chain(metadata(scene)).chain(locks))
}

fn metadata(scene: &Scene) -> Vec<String> {
    let folders = CACHES.iter().flat_map(|cache| files(scene, cache, |_| true));
    folders.map(|folder| format!("{folder}/repodata/repomd.xml")).filter(|path| scene.os.exists(path)).collect()
}

pub(super) fn updates(scene: &Scene) -> Updates {
    let held = held(scene);
    let pending = match ask(scene, CHECK) {
        Ok(output) => Fact::Known(count(&output.stdout)),
        Err(error) => unknown(&error),
    };
    let security = match (&pending, ask(scene, SECURITY)) {
        (Fact::Known(0), _) => Fact::Known(Vec::new()),
        (_, Ok(output)) => Fact::Known(advised(&output.stdout)),
        (_, Err(error)) => unknown(&error),
    };
    Updates { pending, security, held }
}

/// Status 100 says that updates wait.
fn ask(scene: &Scene, arguments: &[&str]) -> Answer<Output> {
    let output = scene.os.run(Program::Dnf, arguments)?;
    let said = output.stderr.lines().find(|line| !line.trim().is_empty()).map(capped).unwrap_or_default();
    match output.status {
        Some(0 | 100) if !output.cut => Ok(output),
        _ if said.contains("no cache") || said.contains("cache-only") => {
            Err(OsError::Missing("dnf's cache of metadata".to_owned()))
        }
        _ => Err(OsError::Failed(Program::Dnf.paths()[0].to_owned(), said)),
    }
}

/// Architectures of rpm packages.
const ARCHITECTURES: [&str; 9] = ["x86_64", "noarch", "i686", "i586", "i386", "aarch64", "ppc64le", "s390x", "riscv64"];

fn has_architecture(word: &str) -> bool {
    word.rsplit_once('.').is_some_and(|(name, architecture)| !name.is_empty() && ARCHITECTURES.contains(&architecture))
}

/// `name.arch   version   repository`, up to the list of packages that others make obsolete.
fn count(text: &str) -> i64 {
    let updates = text.lines().take_while(|line| !line.to_lowercase().starts_with("obsoleting")).filter(|line| {
        line.split_whitespace().count() == 3 && line.split_whitespace().next().is_some_and(has_architecture)
    });
    i64::try_from(updates.count()).unwrap_or(i64::MAX)
}

/// The names of the packages in a list of advisories, in the columns of either generation of dnf.
fn advised(text: &str) -> Vec<String> {
    let name = |line: &str| {
        let package = line.split_whitespace().find(|word| has_architecture(word))?;
        let (package, _) = package.rsplit_once('.')?;
        let mut parts = package.rsplitn(3, '-');
        let (_, _, name) = (parts.next()?, parts.next()?, parts.next()?);
        Some(capped(name))
    };
    let mut names: Vec<String> = text.lines().filter_map(name).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// What the version lock holds.
fn held(scene: &Scene) -> Fact<Vec<String>> {
    match scene.text("/etc/dnf/plugins/versionlock.list") {
        Ok(text) => {
            let mut held: Vec<String> = lines(&text).filter(|line| !line.starts_with('!')).map(capped).collect();
            held.sort_unstable();
            Fact::Known(held)
        }
        Err(OsError::Missing(_)) if scene.os.exists("/etc/dnf/versionlock.toml") => {
            Fact::unknown(Reason::NoReader, "/etc/dnf/versionlock.toml")
        }
        Err(OsError::Missing(_)) => Fact::Known(Vec::new()),
        Err(error) => unknown(&error),
    }
}

pub(super) fn lists_at(scene: &Scene) -> Fact<Instant> {
    apt::newest(scene, &metadata(scene))
        .map_or_else(|| Fact::unknown(Reason::SourceMissing, "no metadata was fetched"), Fact::Known)
}

/// The last upgrade that `dnf.rpm.log` tells of.
pub(super) fn last_upgrade_at(scene: &Scene) -> Fact<Instant> {
    for path in ["/var/log/dnf.rpm.log", "/var/log/dnf.rpm.log.1", "/var/log/dnf.rpm.log.2"] {
        match scene.os.tail(path, 1 << 20) {
            Ok(text) => {
                if let Some(at) = last_upgrade(&String::from_utf8_lossy(&text)) {
                    return Fact::Known(at);
                }
            }
            Err(OsError::Missing(_)) => {}
            Err(error) => return unknown(&error),
        }
    }
    Fact::unknown(Reason::SourceMissing, "no log that is kept tells of one")
}

/// `2024-05-21T08:15:33+0700 SUBDEBUG Upgrade: bash-5.1.8-9.el9.x86_64`
fn last_upgrade(text: &str) -> Option<Instant> {
    text.lines().rev().find_map(|line| {
        let mut words = line.split_ascii_whitespace();
        let (at, _, what) = (words.next()?, words.next()?, words.next()?);
        ["Upgrade:", "Upgraded:"].contains(&what).then_some(())?;
        jiff::fmt::strtime::parse("%Y-%m-%dT%H:%M:%S%z", at).ok()?.to_timestamp().ok()
    })
}

/// True when dnf-automatic is started by its timer and set to install.
pub(super) fn automatic(scene: &Scene) -> Fact<bool> {
    let enabled = |unit: &str| scene.systemd() && scene.unit_enabled(unit);
    if enabled("dnf-automatic-install.timer") {
        return Fact::Known(true);
    }
    if !enabled("dnf-automatic.timer") && !enabled("dnf5-automatic.timer") {
        return Fact::Known(false);
    }
    match scene.text("/etc/dnf/automatic.conf") {
        Ok(text) => Fact::Known(ini_value(&text, "commands", "apply_updates").is_some_and(|value| yes(&value))),
        Err(OsError::Missing(_)) => Fact::Known(false),
        Err(error) => unknown(&error),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::os::recorded::Recorded;

    const WAITING: &str = "\nbash.x86_64                    5.1.8-9.el9                 baseos\r\nkernel.x86_64   5.14.0-427.16.1.el9_4   baseos\n\
        tzdata.noarch 2024a-1.el9 baseos\nObsoleting Packages\ngrub2-tools.x86_64 1:2.06-80.el9 baseos\n    grub2-tools.x86_64 1:2.06-70.el9 @anaconda\n";
    const DNF4: &str = "ALSA-2024:2394 Important/Sec. kernel-5.14.0-427.16.1.el9_4.x86_64\nALSA-2024:2394 Important/Sec. kernel-core-5.14.0-427.16.1.el9_4.x86_64\n\
        ALSA-2024:2500 Moderate/Sec.  kernel-5.14.0-427.13.1.el9_4.x86_64\n";
    const DNF5: &str = "Name                   Type     Severity  Package                     Issued\nFEDORA-2024-0a1b2c3d4e security Moderate  glibc-2.39-13.fc40.x86_64   2024-05-01 01:02:03\n";

    fn scene(os: Recorded) -> Scene {
        Scene::new(Arc::new(os), jiff::Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn both_generations_of_dnf_are_read() {
        let os = Recorded::new()
            .answering(Program::Dnf, CHECK, 100, WAITING)
            .answering(Program::Dnf, SECURITY, 0, DNF4)
            .file("/etc/dnf/plugins/versionlock.list", "# Added lock\nnginx-1:1.20.1-14.el9.*\n!mariadb-0:10-*\n");
        let updates = updates(&scene(os));
        assert_eq!(updates.pending, Fact::Known(3));
        assert_eq!(updates.security, Fact::Known(vec!["kernel".to_owned(), "kernel-core".to_owned()]));
        assert_eq!(updates.held, Fact::Known(vec!["nginx-1:1.20.1-14.el9.*".to_owned()]));
        assert_eq!(advised(DNF5), ["glibc"]);
        for broken in ["", "x", ".x86_64", "a-b.x86_64", "\u{1b}[1mx.noarch"] {
            assert!(advised(broken).is_empty() && count(broken) == 0, "{broken}");
        }
    }

    #[test]
    fn an_empty_cache_is_not_an_up_to_date_machine() {
        let mut os = Recorded::new();
        let output = Output {
            status: Some(1),
            stderr: "\nError: Cache-only enabled but no cache for 'appstream'\n".to_owned(),
            ..Output::default()
        };
        os.runs = vec![(Program::Dnf, CHECK.iter().map(|&word| word.to_owned()).collect(), output)];
        let updates = updates(&scene(os));
        assert!(matches!(updates.pending, Fact::Unknown(unknown) if unknown.reason == Reason::SourceMissing));
        assert!(updates.security.known().is_none());
    }

    #[test]
    fn the_last_upgrade_and_the_automatic_ones() {
        let log = "2024-05-20T08:15:33+0700 SUBDEBUG Upgraded: bash-5.1.8-8.el9.x86_64\n2024-05-21T08:15:33+0700 SUBDEBUG Installed: x-1-1.noarch\n";
        let os = Recorded::new().file("/var/log/dnf.rpm.log", log);
        assert_eq!(last_upgrade_at(&scene(os)).known().unwrap().to_string(), "2024-05-20T01:15:33Z");
        assert!(last_upgrade_at(&scene(Recorded::new())).known().is_none());
        let timer = Recorded::new().folder("/run/systemd/system").symlink(
            "/etc/systemd/system/timers.target.wants/dnf-automatic.timer",
            "/usr/lib/systemd/system/dnf-automatic.timer",
        );
        assert_eq!(automatic(&scene(timer.clone())), Fact::Known(false));
        let applies = timer.file("/etc/dnf/automatic.conf", "[commands]\napply_updates = yes\n");
        assert_eq!(automatic(&scene(applies)), Fact::Known(true));
    }
}
