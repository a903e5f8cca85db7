use std::sync::Arc;

use super::*;
use crate::os::recorded::Recorded;

const MAIN: &str = "deb.debian.org_debian_dists_bookworm";
const SECURITY: &str = "security.debian.org_debian-security_dists_bookworm-security";
const CHROME: &str = "dl.google.com_linux_chrome_deb_dists_stable";

/// apt's words on one archive.
fn printed(name: &str, component: &str) -> String {
    let (site, distribution) = name.split_once("_dists_").unwrap();
    let base = format!("http://{}/dists/{distribution}", site.replacen('_', "/", 9));
    format!(
        "'{base}/InRelease' {name}_InRelease 0 \n'{base}/{component}/binary-amd64/Packages.xz' {name}_{component}_binary-amd64_Packages 0 \n"
    )
}

/// One archive as fetched.
fn fetched(os: Recorded, name: &str, label: &str, codename: &str) -> Recorded {
    let origin = label.split('-').next().unwrap();
    os.file(
        &format!("{LISTS}/{name}_InRelease"),
        format!("Origin: {origin}\nLabel: {label}\nSuite: {codename}\nCodename: {codename}\n"),
    )
    .modified(&format!("{LISTS}/{name}_InRelease"), 1_740_045_600_000)
    .file(&format!("{LISTS}/{name}_main_binary-amd64_Packages.lz4"), "")
}

fn status(states: &[(&str, &str)]) -> String {
    let stanza = |(name, state): &(&str, &str)| format!("Package: {name}\nStatus: {state}\nArchitecture: amd64\n\n");
    std::iter::once(&("dpkg", "install ok installed")).chain(states).map(stanza).collect()
}

const DPKG: &str = "dpkg:\n  Installed: 1\n  Candidate: 1\n  Version table:\n *** 1 500\n        500 http://deb.debian.org/debian bookworm/main amd64 Packages\n        100 /var/lib/dpkg/status\n";
const OPENSSL: &str = "openssl:\n  Installed: 3.0.11-1\n  Candidate: 3.0.15-1\n  Version table:\n     3.0.15-1 500\n        500 http://deb.debian.org/debian bookworm/main amd64 Packages\n     3.0.14-1 500\n        500 http://security.debian.org/debian-security bookworm-security/main amd64 Packages\n *** 3.0.11-1 100\n        100 /var/lib/dpkg/status\n";

/// A machine with dpkg and openssl, a list of each archive, and what apt says of them.
struct Machine {
    os: Recorded,
    sources: String,
    status: String,
    policy: String,
}

impl Machine {
    fn new() -> Self {
        let os = Recorded::new().file("/etc/os-release", "ID=debian\nVERSION_CODENAME=bookworm\n");
        let os = fetched(os, MAIN, "Debian", "bookworm");
        Self {
            os: fetched(os, SECURITY, "Debian-Security", "bookworm-security"),
            sources: printed(MAIN, "main") + &printed(SECURITY, "main"),
            status: status(&[("openssl", "install ok installed")]),
            policy: format!("{DPKG}{OPENSSL}"),
        }
    }

    fn scene(&self) -> Scene {
        let os = self.os.clone().file(dpkg::STATUS, &self.status);
        let names = dpkg::packages(&Scene::new(Arc::new(os.clone()), jiff::Timestamp::UNIX_EPOCH)).unwrap().installed;
        let arguments: Vec<&str> = POLICY.iter().copied().chain(names.iter().map(String::as_str)).collect();
        let os = os
            .answering(Program::AptGet, archives::SOURCES, 0, &self.sources)
            .answering(Program::AptConfig, &["dump"], 0, "")
            .answering(Program::AptCache, &arguments, 0, &self.policy);
        Scene::new(Arc::new(os), jiff::Timestamp::UNIX_EPOCH)
    }

    fn updates(&self) -> Updates {
        updates(&self.scene())
    }

    fn security(&self) -> Option<Vec<String>> {
        self.updates().security.known().cloned()
    }
}

#[test]
fn an_update_that_overtook_a_security_update_still_mends_it() {
    let updates = Machine::new().updates();
    assert_eq!(updates.pending, Fact::Known(1));
    assert_eq!(updates.security, Fact::Known(vec!["openssl".to_owned()]));
    assert_eq!((updates.held, updates.broken), (Fact::Known(vec![]), Fact::Known(vec![])));
    assert_eq!(updates.automatic, Fact::Known(false));
}

#[test]
fn a_machine_that_has_every_update_has_none_waiting() {
    let up_to_date = Machine { status: status(&[]), policy: DPKG.to_owned(), ..Machine::new() };
    assert_eq!((up_to_date.updates().pending, up_to_date.security()), (Fact::Known(0), Some(vec![])));
}

#[test]
fn the_security_update_of_a_held_package_waits_too() {
    let held = Machine { status: status(&[("openssl", "hold ok installed")]), ..Machine::new() }.updates();
    assert_eq!(held.pending, Fact::Known(0));
    assert_eq!(held.security, Fact::Known(vec!["openssl".to_owned()]));
    assert_eq!(held.held, Fact::Known(vec!["openssl".to_owned()]));
}

#[test]
fn a_security_archive_that_is_pinned_away_still_tells_what_is_missing() {
    let policy = Machine::new().policy.replace("3.0.14-1 500\n        500", "3.0.14-1 -1\n         -1");
    let pinned = Machine { policy: policy.replace("Candidate: 3.0.15-1", "Candidate: 3.0.11-1"), ..Machine::new() };
    assert_eq!((pinned.updates().pending, pinned.security()), (Fact::Known(0), Some(vec!["openssl".to_owned()])));
}

#[test]
fn without_a_security_archive_nothing_is_said_of_security() {
    let mut none = Machine { status: status(&[]), policy: DPKG.to_owned(), ..Machine::new() };
    none.sources = printed(MAIN, "main");
    assert_eq!((none.updates().pending, none.security()), (Fact::Known(0), None));
    let other_release = fetched(none.os.clone(), SECURITY, "Debian-Security", "bullseye-security");
    none = Machine { os: other_release, sources: Machine::new().sources, ..none };
    assert_eq!(none.security(), None, "that of another release");
}

#[test]
fn a_list_that_was_not_fetched_is_not_an_empty_one() {
    let up_to_date = || Machine { status: status(&[]), policy: DPKG.to_owned(), ..Machine::new() };
    for file in ["InRelease", "main_binary-amd64_Packages.lz4"] {
        let mut failed = up_to_date();
        failed.os.files.remove(&format!("{LISTS}/{SECURITY}_{file}")).unwrap();
        let updates = failed.updates();
        assert!(updates.security.known().is_none() && updates.pending.known().is_none(), "{file}");
    }
    let mut other = up_to_date();
    other.sources += &printed(CHROME, "main");
    assert_eq!((other.updates().pending.known(), other.security()), (None, Some(vec![])), "not one of security");
    let mut none = up_to_date();
    none.os.files.retain(|path, _| !path.starts_with(LISTS));
    let updates = none.updates();
    assert!(matches!(updates.pending, Fact::Unknown(unknown) if unknown.reason == Reason::SourceMissing));
    assert!(updates.held.known().is_some() && updates.lists.known().is_none());
}

#[test]
fn a_part_of_the_archive_without_a_security_list_is_not_covered() {
    let policy = DPKG.replace("bookworm/main", "bookworm/contrib");
    let machine = Machine { status: status(&[]), policy, ..Machine::new() };
    assert_eq!(machine.security(), None);
}

#[test]
fn another_makers_package_that_is_preferred_by_a_pin_is_not_judged() {
    let policy = format!("{DPKG}openssl:\n  Installed: 3.0.11-1\n  Candidate: 3.0.11-1\n  Version table:\n     3.0.14-1 500\n        500 http://security.debian.org/debian-security bookworm-security/main amd64 Packages\n *** 3.0.11-1 1001\n       1001 http://dl.google.com/linux/chrome/deb stable/main amd64 Packages\n        100 /var/lib/dpkg/status\n");
    let new = Machine::new();
    let os = fetched(new.os, CHROME, "Google", "stable");
    let mut machine = Machine { os, policy, sources: new.sources + &printed(CHROME, "main"), status: new.status };
    assert_eq!(machine.security(), None);
    machine.policy = machine.policy.replace("1001", "500");
    assert_eq!(machine.security(), Some(vec!["openssl".to_owned()]), "no pin prefers it");
}

#[test]
fn the_lists_are_as_old_as_those_of_security() {
    let mut machine = Machine::new();
    machine.os = fetched(machine.os, CHROME, "Google", "stable");
    machine.sources += &printed(CHROME, "main");
    let old = |os: Recorded, name: &str| os.modified(&format!("{LISTS}/{name}_InRelease"), 1_735_689_600_000);
    let at = |os: Recorded| {
        let machine = Machine { os, sources: machine.sources.clone(), ..Machine::new() };
        let scene = machine.scene();
        super::super::lists_at(&scene, &updates(&scene).lists).known().map(ToString::to_string)
    };
    assert_eq!(at(machine.os.clone()).as_deref(), Some("2025-02-20T10:00:00Z"));
    assert_eq!(at(old(machine.os.clone(), SECURITY)).as_deref(), Some("2025-01-01T00:00:00Z"));
    assert_eq!(at(old(machine.os.clone(), CHROME)).as_deref(), Some("2025-02-20T10:00:00Z"));
    // The main archive of a release changes with a point release only.
    assert_eq!(at(old(machine.os.clone(), MAIN)).as_deref(), Some("2025-02-20T10:00:00Z"));
}

#[test]
fn an_answer_that_is_cut_failed_or_leaves_packages_out_is_unknown() {
    let unknown = |machine: &Machine| {
        let updates = machine.updates();
        updates.pending.known().is_none() && updates.security.known().is_none()
    };
    assert!(unknown(&Machine { policy: DPKG.to_owned(), ..Machine::new() }));
    assert!(unknown(&Machine { sources: String::new(), ..Machine::new() }));
    let scene = Scene::new(
        Arc::new(Machine::new().os.file(dpkg::STATUS, status(&[]))),
        jiff::Timestamp::UNIX_EPOCH,
    );
    assert!(updates(&scene).security.known().is_none(), "no apt");
}

#[test]
fn everything_that_waits_to_be_repaired_is_named() {
    let broken = Machine { status: status(&[("openssl", "install ok half-configured")]), ..Machine::new() }.updates();
    assert_eq!(broken.broken, Fact::Known(vec!["openssl".to_owned()]));
    assert_eq!(broken.security, Fact::Known(vec!["openssl".to_owned()]));
}
