//! Pending updates of dnf, from its cache only (`-C`): the metadata that its own timer downloads.

use jiff::Timestamp;
use policies::fact::{Fact, Instant, Reason};

use super::automatic::masked;
use super::{Updates, ask, files, fingerprint, never_since};
use crate::linux::context::{CheckContext, answered, unknown};
use crate::linux::memory::Fingerprint;
use crate::linux::text::{capped, ini, ini_value, lines, yes};
use os::{Answer, OsError, Program};

const CHECK: &[&str] = &["-C", "-q", "--setopt=logfilelevel=0", "check-update"];
const SECURITY: &[&str] = &["-C", "-q", "--setopt=logfilelevel=0", "updateinfo", "list", "--security"];
const REPOSITORIES: &[&str] = &["-C", "-q", "--setopt=logfilelevel=0", "repolist"];
const CACHES: [&str; 2] = ["/var/cache/dnf", "/var/cache/libdnf5"];

pub(super) fn installed(context: &CheckContext) -> bool {
    Program::Dnf.paths().iter().any(|path| context.os.exists(path))
}

/// Everything the answer depends on: the package database and the downloaded metadata.
pub(super) fn sources(context: &CheckContext) -> Fingerprint {
    let databases = ["/var/lib/rpm", "/usr/lib/sysimage/rpm"].iter().flat_map(|folder| {
        ["rpmdb.sqlite", "rpmdb.sqlite-wal", "Packages", "Packages.db"].map(|name| format!("{folder}/{name}"))
    });
    let settings = ["/etc/dnf/plugins/versionlock.list", "/etc/dnf/versionlock.toml", "/etc/dnf/dnf.conf"];
    let settings = settings.map(str::to_owned).into_iter().chain(files(context, "/etc/yum.repos.d", |_| true));
    fingerprint(context, databases.chain(metadata(context)).chain(settings))
}

fn metadata(context: &CheckContext) -> Vec<String> {
    let folders = CACHES.iter().flat_map(|cache| files(context, cache, |_| true));
    folders.map(|folder| format!("{folder}/repodata/repomd.xml")).filter(|path| context.os.exists(path)).collect()
}

pub(super) fn updates(context: &CheckContext) -> Updates {
    let held = held(context);
    let core_at = core_at(context);
    let found = asked(context, CHECK).and_then(|pending| Ok((pending, asked(context, REPOSITORIES)?)));
    let (pending, repositories) = match found {
        Ok(found) => found,
        Err(error) => return Updates { held, core_at, ..Updates::unknown(&error) },
    };
    let rows = rows(&pending);
    let lists = system_lists(context, &repositories);
    let security = match (asked(context, SECURITY).map(|text| advised(&text)), &lists, &held) {
        (Err(error), ..) => unknown(&error),
        (Ok(names), ..) if !names.is_empty() => Fact::Known(names),
        (_, Fact::Unknown(why), _) | (_, _, Fact::Unknown(why)) => Fact::Unknown(why.clone()),
        (_, _, Fact::Known(held)) if !held.is_empty() || excludes(context) => {
            Fact::unknown(Reason::SourceMissing, "updates of packages that are held or excluded are not told")
        }
        (Ok(names), ..) => match rows.iter().find(|(_, repository)| !advises(context, repository)) {
            Some((_, repository)) => Fact::unknown(
                Reason::SourceMissing,
                format!("the repository {} does not tell security updates apart", capped(repository)),
            ),
            None => Fact::Known(names),
        },
    };
    let pending = Fact::Known(i64::try_from(rows.len()).unwrap_or(i64::MAX));
    Updates { pending, security, held, lists, core_at, ..Updates::unknown(&OsError::Missing(String::new())) }
}

/// Status 100 means that updates are pending.
fn asked(context: &CheckContext, arguments: &[&str]) -> Answer<String> {
    match ask(context, Program::Dnf, arguments, &[0, 100]) {
        Err(OsError::Failed(_, said)) if said.contains("no cache") || said.contains("cache-only") => {
            Err(OsError::Missing("dnf's cache of metadata".to_owned()))
        }
        answer => answer,
    }
}

/// The metadata folders of the system's own enabled repositories, by their names in the distributions.
fn system_lists(context: &CheckContext, repositories: &str) -> Fact<Vec<String>> {
    let ids = repositories.lines().filter_map(|line| line.split_whitespace().next()).filter(|id| {
        let id = id.to_lowercase();
        let apart = ["source", "debug"].iter().any(|kind| id.contains(kind));
        !apart && (id == "updates" || id.contains("baseos") || id.contains("appstream"))
    });
    let ids: Vec<&str> = ids.collect();
    if ids.iter().all(|id| id.to_lowercase().contains("appstream")) {
        return Fact::unknown(Reason::SourceMissing, "no repository of the system's own is on");
    }
    let folders = ids.iter().map(|id| metadata_of(context, id));
    match folders.clone().zip(&ids).find(|(folder, _)| folder.is_none()) {
        Some((_, id)) => {
            Fact::unknown(Reason::SourceMissing, format!("the metadata of {} was not fetched", capped(id)))
        }
        None => Fact::Known(folders.flatten().collect()),
    }
}

/// The newest metadata folder of a repository: its name is the repository's plus a checksum.
fn metadata_of(context: &CheckContext, id: &str) -> Option<String> {
    let is_of = |path: &String| {
        let folder = path.rsplit('/').nth(2).unwrap_or_default();
        let rest = folder.strip_prefix(id).and_then(|rest| rest.strip_prefix('-'));
        rest.is_some_and(|sum| !sum.is_empty() && sum.chars().all(|digit| digit.is_ascii_hexdigit()))
    };
    let newest = |path: &String| context.os.stat(path).map_or(0, |stat| stat.modified_at);
    let file = metadata(context).into_iter().filter(is_of).max_by_key(newest)?;
    file.strip_suffix("/repomd.xml").map(str::to_owned)
}

/// True when the repository publishes advisories, which identify security updates.
fn advises(context: &CheckContext, repository: &str) -> bool {
    let text = metadata_of(context, repository).and_then(|folder| context.text(&format!("{folder}/repomd.xml")).ok());
    text.is_some_and(|text| text.contains("type=\"updateinfo\""))
}

/// True when the configuration excludes packages from updates, or cannot be read.
fn excludes(context: &CheckContext) -> bool {
    let excludes = |(_, key, value): (String, String, String)| key.starts_with("exclude") && !value.is_empty();
    let texts = context.gathered(&["/etc/yum.repos.d/*.repo", "/etc/dnf/dnf.conf"]);
    texts.map_or(true, |texts| texts.iter().flat_map(|text| ini(text)).any(excludes))
}

/// Packages that every program holds in memory, as in `needs-restarting -r`.
fn core_question() -> Vec<&'static str> {
    let names = "glibc kernel-core linux-firmware microcode_ctl systemd dbus dbus-broker dbus-daemon openssl-libs";
    ["-q", "--qf", "%{NAME} %{INSTALLTIME}\n"].into_iter().chain(names.split(' ')).collect()
}

/// When a part that only a reboot replaces in memory was last installed.
fn core_at(context: &CheckContext) -> Fact<Instant> {
    // Its status counts the packages that are not installed.
    answered(ask(context, Program::Rpm, &core_question(), &[0, 1, 2, 3, 4, 5, 6, 7, 8]), |text| {
        let rows: Vec<(&str, i64)> = text
            .lines()
            .filter_map(|line| line.split_once(' '))
            .filter_map(|(name, at)| Some((name, at.parse().ok()?)))
            .collect();
        let last = rows.iter().map(|(_, at)| *at).max().filter(|_| rows.iter().any(|(name, _)| *name == "glibc"));
        match last.and_then(|at| Timestamp::from_second(at).ok()) {
            Some(at) => Fact::Known(at),
            None => Fact::unknown(Reason::Unreadable, "rpm does not tell when glibc was installed"),
        }
    })
}

/// Architectures of rpm packages.
const ARCHITECTURES: [&str; 9] = ["x86_64", "noarch", "i686", "i586", "i386", "aarch64", "ppc64le", "s390x", "riscv64"];

fn has_architecture(word: &str) -> bool {
    word.rsplit_once('.').is_some_and(|(name, architecture)| !name.is_empty() && ARCHITECTURES.contains(&architecture))
}

/// Parses `name.arch   version   repository`, up to the list of obsoleted packages, into name and repository.
fn rows(text: &str) -> Vec<(&str, &str)> {
    let updates = text.lines().take_while(|line| !line.to_lowercase().starts_with("obsoleting"));
    let row = |line| match words(line)[..] {
        [name, _, repository] if has_architecture(name) => Some((name, repository)),
        _ => None,
    };
    updates.filter_map(row).collect()
}

fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

/// The package names in a list of advisories, in the columns of either dnf version.
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

/// The packages in the version lock.
fn held(context: &CheckContext) -> Fact<Vec<String>> {
    match context.text("/etc/dnf/plugins/versionlock.list") {
        Ok(text) => {
            let mut held: Vec<String> = lines(&text).filter(|line| !line.starts_with('!')).map(capped).collect();
            held.sort_unstable();
            Fact::Known(held)
        }
        Err(OsError::Missing(_)) if context.os.exists("/etc/dnf/versionlock.toml") => {
            Fact::unknown(Reason::NoReader, "/etc/dnf/versionlock.toml")
        }
        Err(OsError::Missing(_)) => Fact::Known(Vec::new()),
        Err(error) => unknown(&error),
    }
}

/// The last upgrade recorded in `dnf.rpm.log`.
pub(super) fn last_upgrade_at(context: &CheckContext) -> Fact<Instant> {
    let mut begins = None;
    for path in ["", ".1", ".2", ".3", ".4"].map(|number| format!("/var/log/dnf.rpm.log{number}")) {
        match context.os.tail(&path, 1 << 20) {
            Ok(text) => {
                let text = String::from_utf8_lossy(&text);
                let upgrade = |(at, what)| ["Upgrade:", "Upgraded:"].contains(&what).then_some(at);
                if let Some(at) = text.lines().rev().filter_map(event).find_map(upgrade) {
                    return Fact::Known(at);
                }
                begins = text.lines().find_map(event).map(|(at, _)| at).or(begins);
            }
            Err(OsError::Missing(_)) => {}
            Err(error) => return unknown(&error),
        }
    }
    begins.map_or_else(
        || Fact::unknown(Reason::SourceMissing, "there is no dnf.rpm.log"),
        |begins| never_since(context, begins),
    )
}

/// `2024-05-21T08:15:33+0700 SUBDEBUG Upgrade: bash-5.1.8-9.el9.x86_64`
fn event(line: &str) -> Option<(Instant, &str)> {
    let mut words = line.split_ascii_whitespace();
    let (at, _, what) = (words.next()?, words.next()?, words.next()?);
    Some((jiff::fmt::strtime::parse("%Y-%m-%dT%H:%M:%S%z", at).ok()?.to_timestamp().ok()?, what))
}

/// True when dnf-automatic is started by its timer and configured to install.
pub(super) fn automatic(context: &CheckContext) -> Fact<bool> {
    let on = |timer: &str| -> Answer<bool> {
        let service = timer.replace(".timer", ".service");
        Ok(context.systemd() && context.unit_enabled(timer) && !masked(context, timer)? && !masked(context, &service)?)
    };
    let answer = || -> Answer<bool> {
        if on("dnf-automatic-install.timer")? {
            return Ok(true);
        }
        if !on("dnf-automatic.timer")? && !on("dnf5-automatic.timer")? {
            return Ok(false);
        }
        let texts = context.gathered(&["/etc/dnf/dnf5-plugins/automatic.conf", "/etc/dnf/automatic.conf"])?;
        let applies = |text: &String| ini_value(text, "commands", "apply_updates").is_some_and(|value| yes(&value));
        Ok(texts.first().is_some_and(applies))
    };
    answered(answer(), Fact::Known)
}

#[cfg(test)]
mod tests {
    use super::*;
    use os::recorded::Recorded;

    const WAITING: &str = "\nbash.x86_64                    5.1.8-9.el9                 baseos\r\nkernel.x86_64   5.14.0-427.16.1.el9_4   baseos\n\
        tzdata.noarch 2024a-1.el9 baseos\nObsoleting Packages\ngrub2-tools.x86_64 1:2.06-80.el9 baseos\n    grub2-tools.x86_64 1:2.06-70.el9 @anaconda\n";
    const DNF4: &str = "ALSA-2024:2394 Important/Sec. kernel-5.14.0-427.16.1.el9_4.x86_64\nALSA-2024:2394 Important/Sec. kernel-core-5.14.0-427.16.1.el9_4.x86_64\n\
        ALSA-2024:2500 Moderate/Sec.  kernel-5.14.0-427.13.1.el9_4.x86_64\n";
    const DNF5: &str = "Name                   Type     Severity  Package                     Issued\nFEDORA-2024-0a1b2c3d4e security Moderate  glibc-2.39-13.fc40.x86_64   2024-05-01 01:02:03\n";

    const REPOS: &str = "repo id       repo name\nappstream     AlmaLinux 9 - AppStream\nbaseos        AlmaLinux 9 - BaseOS\nepel          EPEL\n";
    const TIMES: &str =
        "glibc 1715000000\nkernel-core 1715000000\nkernel-core 1716000000\npackage dbus-daemon is not installed\n";

    fn repomd(os: Recorded, folder: &str, data: &str) -> Recorded {
        os.file(&format!("/var/cache/dnf/{folder}/repodata/repomd.xml"), format!("<data type=\"{data}\">"))
    }

    fn machine(waiting: &str, advised: &str) -> Recorded {
        let os = ["baseos-8a0e", "appstream-8a0f"]
            .iter()
            .fold(Recorded::new(), |os, folder| repomd(os, folder, "updateinfo"));
        repomd(os, "epel-77", "primary")
            .answering(Program::Dnf, CHECK, 100, waiting)
            .answering(Program::Dnf, SECURITY, 0, advised)
            .answering(Program::Dnf, REPOSITORIES, 0, REPOS)
            .answering(Program::Rpm, &core_question(), 1, TIMES)
    }

    #[test]
    fn both_generations_of_dnf_are_read() {
        let os = machine(WAITING, DNF4)
            .file("/etc/dnf/plugins/versionlock.list", "# Added lock\nnginx-1:1.20.1-14.el9.*\n!mariadb-0:10-*\n");
        let updates = updates(&CheckContext::of(os));
        assert_eq!(updates.pending, Fact::Known(3));
        assert_eq!(updates.security, Fact::Known(vec!["kernel".to_owned(), "kernel-core".to_owned()]));
        assert_eq!(updates.held, Fact::Known(vec!["nginx-1:1.20.1-14.el9.*".to_owned()]));
        assert_eq!(updates.core_at, Fact::Known(Timestamp::from_second(1_716_000_000).unwrap()));
        assert_eq!(advised(DNF5), ["glibc"]);
        for broken in ["", "x", ".x86_64", "a-b.x86_64", "\u{1b}[1mx.noarch"] {
            assert!(advised(broken).is_empty() && rows(broken).is_empty(), "{broken}");
        }
    }

    #[test]
    fn no_advisory_means_no_security_update_only_where_advisories_are_published() {
        let security = |os: Recorded| updates(&CheckContext::of(os)).security.known().map(Vec::len);
        let repository = |name: &str| format!("nginx.x86_64 1:1.24-1 {name}\n");
        assert_eq!(security(machine("", "")), Some(0));
        assert_eq!(security(machine(&repository("baseos"), "")), Some(0));
        assert_eq!(security(machine(&repository("epel"), "")), None);
        assert_eq!(security(machine(&repository("unheard-of"), "")), None);
        let locked = machine("", "").file("/etc/dnf/plugins/versionlock.list", "nginx-1:1.20.1-14.el9.*\n");
        assert_eq!(security(locked), None, "a fix for what is held is not told");
        assert_eq!(security(machine("", "").file("/etc/dnf/dnf.conf", "[main]\nexcludepkgs=kernel*\n")), None);
        let mut own_off = machine("", "");
        own_off.runs.retain(|(_, arguments, _)| arguments != REPOSITORIES);
        let own_off = own_off.answering(Program::Dnf, REPOSITORIES, 0, "repo id  repo name\nepel  EPEL\n");
        assert_eq!(security(own_off), None, "no repository of the system's own");
        let mut not_fetched = machine("", "");
        not_fetched.files.retain(|path, _| !path.contains("baseos"));
        assert_eq!(security(not_fetched), None);
    }

    #[test]
    fn an_empty_cache_is_not_an_up_to_date_machine() {
        let mut os = Recorded::new();
        let output = os::Output {
            status: Some(1),
            stderr: "\nError: Cache-only enabled but no cache for 'appstream'\n".to_owned(),
            ..os::Output::default()
        };
        os.runs = vec![(Program::Dnf, CHECK.iter().map(|&word| word.to_owned()).collect(), output)];
        let updates = updates(&CheckContext::of(os));
        assert!(matches!(updates.pending, Fact::Unknown(unknown) if unknown.reason == Reason::SourceMissing));
        assert!(updates.security.known().is_none());
    }

    #[test]
    fn the_last_upgrade_and_the_automatic_ones() {
        let log = "2024-05-20T08:15:33+0700 SUBDEBUG Upgraded: bash-5.1.8-8.el9.x86_64\n2024-05-21T08:15:33+0700 SUBDEBUG Installed: x-1-1.noarch\n";
        let os = Recorded::new().file("/var/log/dnf.rpm.log", log);
        assert_eq!(last_upgrade_at(&CheckContext::of(os)).known().unwrap().to_string(), "2024-05-20T01:15:33Z");
        assert!(last_upgrade_at(&CheckContext::of(Recorded::new())).known().is_none());
        let timer = Recorded::new().folder("/run/systemd/system").symlink(
            "/etc/systemd/system/timers.target.wants/dnf-automatic.timer",
            "/usr/lib/systemd/system/dnf-automatic.timer",
        );
        assert_eq!(automatic(&CheckContext::of(timer.clone())), Fact::Known(false));
        let applies = timer.file("/etc/dnf/automatic.conf", "[commands]\napply_updates = yes\n");
        assert_eq!(automatic(&CheckContext::of(applies.clone())), Fact::Known(true));
        let masked = applies.symlink("/etc/systemd/system/dnf-automatic.timer", "/dev/null");
        assert_eq!(automatic(&CheckContext::of(masked)), Fact::Known(false));
    }
}
