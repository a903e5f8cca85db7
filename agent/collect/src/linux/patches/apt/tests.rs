//! Machines with apt, built from apt's own output and downloaded lists.

use super::*;
use os::recorded::Recorded;

const MAIN: &str = "mirror.example_debian_dists_bookworm";
const SECURITY: &str = "security.mirror.example_debian-security_dists_bookworm-security";
const CHROME: &str = "dl.google.com_linux_chrome_deb_dists_stable";
const OPENSSL: (&str, &str, &str) = ("openssl", "install ok installed", "3.0.11-1");

/// apt's output for one archive.
fn printed(name: &str) -> String {
    let (site, distribution) = name.split_once("_dists_").unwrap();
    let base = format!("http://{}/dists/{distribution}", site.replace('_', "/"));
    format!(
        "'{base}/InRelease' {name}_InRelease 0 \n'{base}/main/binary-amd64/Packages.xz' {name}_main_binary-amd64_Packages 0 \n\
         '{base}/main/binary-all/Packages.xz' {name}_main_binary-all_Packages 0 \n"
    )
}

/// A list of packages, or dpkg's own state of them.
fn stanzas(packages: &[(&str, &str, &str)]) -> String {
    let stanza = |(name, status, version): &(&str, &str, &str)| {
        format!("Package: {name}\nStatus: {status}\nArchitecture: amd64\nVersion: {version}\n\n")
    };
    packages.iter().map(stanza).collect()
}

fn list(name: &str) -> String {
    format!("{LISTS}/{name}_main_binary-amd64_Packages")
}

fn release(name: &str) -> String {
    format!("{LISTS}/{name}_InRelease")
}

/// Adds one downloaded archive.
fn fetched(os: Recorded, name: &str, label: &str, codename: &str, offered: &[(&str, &str, &str)]) -> Recorded {
    let origin = label.split('-').next().unwrap();
    os.file(&release(name), format!("Origin: {origin}\nLabel: {label}\nSuite: {codename}\nCodename: {codename}\n"))
        .modified(&release(name), 1_740_045_600_000)
        .file(&list(name), stanzas(offered))
}

/// A machine with dpkg and openssl, a list for each archive, and apt's output about them.
struct Machine {
    os: Recorded,
    sources: String,
    installed: Vec<(&'static str, &'static str, &'static str)>,
    dump: &'static str,
}

impl Machine {
    fn new() -> Self {
        let os = Recorded::new().file("/etc/os-release", "ID=debian\nVERSION_CODENAME=bookworm\n");
        let os = fetched(os, MAIN, "Debian", "bookworm", &[("dpkg", "", "1"), ("openssl", "", "3.0.15-1")]);
        Self {
            os: fetched(os, SECURITY, "Debian-Security", "bookworm-security", &[("openssl", "", "3.0.14-1")]),
            sources: printed(MAIN) + &printed(SECURITY),
            installed: vec![OPENSSL],
            dump: "",
        }
    }

    fn up_to_date() -> Self {
        Self { installed: vec![("openssl", "install ok installed", "3.0.15-1")], ..Self::new() }
    }

    fn context(&self) -> CheckContext {
        let status = stanzas(&[("dpkg", "install ok installed", "1")]) + &stanzas(&self.installed);
        let os = self.os.clone().file(dpkg::STATUS, status);
        let os = os.answering(Program::AptGet, archives::SOURCES, 0, &self.sources).answering(
            Program::AptConfig,
            &["dump"],
            0,
            self.dump,
        );
        CheckContext::of(os)
    }

    fn updates(&self) -> Updates {
        updates(&self.context())
    }

    fn security(&self) -> Option<Vec<String>> {
        self.updates().security.known().cloned()
    }
}

fn openssl() -> Vec<String> {
    vec!["openssl".to_owned()]
}

#[test]
fn an_update_that_overtook_a_security_update_still_mends_it() {
    let updates = Machine::new().updates();
    assert_eq!(updates.pending, Fact::Known(1));
    assert_eq!(updates.security, Fact::Known(openssl()));
    assert_eq!((updates.held, updates.broken), (Fact::Known(vec![]), Fact::Known(vec![])));
    assert_eq!(updates.automatic, Fact::Known(false));
}

#[test]
fn a_machine_that_has_every_update_has_none_waiting() {
    let machine = Machine::up_to_date();
    assert_eq!((machine.updates().pending, machine.security()), (Fact::Known(0), Some(vec![])));
}

#[test]
fn the_security_update_of_a_held_package_waits_too() {
    let held = Machine { installed: vec![("openssl", "hold ok installed", "3.0.11-1")], ..Machine::new() }.updates();
    assert_eq!(held.pending, Fact::Known(0));
    assert_eq!(held.security, Fact::Known(openssl()));
    assert_eq!(held.held, Fact::Known(openssl()));
}

#[test]
fn a_security_archive_that_is_pinned_away_still_tells_what_is_missing() {
    let pin = "Package: *\nPin: release l=Debian-Security\nPin-Priority: -1\n";
    let mut pinned = Machine::new();
    pinned.os = pinned.os.file("/etc/apt/preferences.d/ours", pin).answering(Program::AptGet, SIMULATE, 0, "");
    assert_eq!((pinned.updates().pending, pinned.security()), (Fact::Known(0), Some(openssl())));
    let mut preferred = Machine { dump: "APT::Default-Release \"bookworm\";\n", ..Machine::new() };
    assert_eq!((preferred.updates().pending.known(), preferred.security()), (None, Some(openssl())), "apt fails");
    let simulation = "Inst openssl [3.0.11-1] (3.0.15-1 Debian:12.9/stable [amd64])\n\
        Inst linux-image-6.1.0-30-amd64 (6.1.124-1 Debian-Security:12/stable-security [amd64])\nConf openssl (3.0.15-1 Debian:12.9/stable [amd64])\n";
    preferred.os = preferred.os.answering(Program::AptGet, SIMULATE, 0, simulation);
    assert_eq!((preferred.updates().pending, preferred.security()), (Fact::Known(1), Some(openssl())));
}

#[test]
fn apt_is_asked_only_where_a_pin_may_change_its_choice() {
    let asked = |pin: &str| {
        let mut machine = Machine::new();
        machine.os =
            machine.os.file("/etc/apt/preferences.d/x.pref", format!("Package: *\n{pin}\nPin-Priority: 510\n"));
        machine.updates().pending.known().is_none()
    };
    for idle in
        ["Pin: release o=UbuntuESMApps, n=noble-apps-security", "Pin: origin deb.nodesource.com", "# Pin: version 1"]
    {
        assert!(!asked(idle), "{idle}");
    }
    for pin in [
        "Pin: release o=Debian",
        "Pin: release a=stable",
        "Pin:\n release o=Other",
        "pin: origin \"\"",
        "Pin: version 1*",
    ] {
        assert!(asked(pin), "{pin}");
    }
}

#[test]
fn without_a_security_archive_nothing_is_said_of_security() {
    let none = Machine { sources: printed(MAIN), ..Machine::up_to_date() };
    assert_eq!((none.updates().pending, none.security()), (Fact::Known(0), None));
    let mut other = Machine::up_to_date();
    other.os = fetched(other.os, SECURITY, "Debian-Security", "bullseye-security", &[]);
    assert_eq!(other.security(), None, "that of another release");
}

#[test]
fn a_list_that_was_not_fetched_is_not_an_empty_one() {
    for file in [list(SECURITY), release(SECURITY)] {
        let mut failed = Machine::up_to_date();
        failed.os.files.remove(&file).unwrap();
        let updates = failed.updates();
        assert!(updates.security.known().is_none() && updates.pending.known().is_none(), "{file}");
        assert!(updates.lists.known().is_none(), "{file}");
    }
    let mut other = Machine::up_to_date();
    other.sources += &printed(CHROME);
    assert_eq!((other.updates().pending.known(), other.security()), (None, Some(vec![])), "not one of security");
    let mut none = Machine::up_to_date();
    none.os.files.retain(|path, _| !path.starts_with(LISTS));
    let updates = none.updates();
    assert!(matches!(updates.pending, Fact::Unknown(unknown) if unknown.reason == Reason::SourceMissing));
    assert!(updates.held.known().is_some() && updates.lists.known().is_none());
}

#[test]
fn a_part_of_the_archive_without_a_security_list_is_not_covered() {
    let mut machine = Machine::up_to_date();
    let base = "http://mirror.example/debian/dists/bookworm/contrib";
    machine.sources += &format!("'{base}/binary-amd64/Packages.xz' {MAIN}_contrib_binary-amd64_Packages 0 \n");
    let contrib = format!("{LISTS}/{MAIN}_contrib_binary-amd64_Packages");
    machine.os = machine.os.file(&contrib, stanzas(&[("absent", "", "1")]));
    assert_eq!(machine.security(), Some(vec![]), "nothing from there is installed");
    machine.os = machine.os.file(&contrib, stanzas(&[("dpkg", "", "1")]));
    assert_eq!(machine.security(), None);
}

#[test]
fn another_makers_package_that_is_preferred_by_a_pin_is_not_judged() {
    let mut machine = Machine::new();
    machine.os = fetched(machine.os, CHROME, "Google", "stable", &[("openssl", "", "3.0.11-1")]);
    machine.sources += &printed(CHROME);
    assert_eq!(machine.security(), Some(openssl()), "no pin prefers it");
    let pin = "Package: openssl\nPin: release o=Google\nPin-Priority: 1001\n";
    machine.os = machine.os.file("/etc/apt/preferences", pin).answering(Program::AptGet, SIMULATE, 0, "");
    assert_eq!(machine.security(), None);
}

#[test]
fn archives_that_are_used_only_when_asked_for_offer_nothing() {
    let mut machine = Machine::up_to_date();
    machine.os = fetched(machine.os, CHROME, "Debian", "bookworm", &[("openssl", "", "9")]);
    machine.sources += &printed(CHROME);
    assert_eq!(machine.updates().pending, Fact::Known(1));
    let backports = "Origin: Debian\nCodename: bookworm-backports\nNotAutomatic: yes\nButAutomaticUpgrades: yes\n";
    machine.os = machine.os.file(&release(CHROME), backports);
    assert_eq!(machine.updates().pending, Fact::Known(0));
}

#[test]
fn the_lists_are_as_old_as_those_of_security() {
    let mut machine = Machine::new();
    machine.os = fetched(machine.os, CHROME, "Google", "stable", &[]);
    machine.sources += &printed(CHROME);
    let old = |name: &str| machine.os.clone().modified(&release(name), 1_735_689_600_000);
    let at = |os: Recorded| {
        let context = Machine { os, sources: machine.sources.clone(), ..Machine::new() }.context();
        super::super::lists_at(&context, &updates(&context).lists).known().map(ToString::to_string)
    };
    assert_eq!(at(machine.os.clone()).as_deref(), Some("2025-02-20T10:00:00Z"));
    assert_eq!(at(old(SECURITY)).as_deref(), Some("2025-01-01T00:00:00Z"));
    assert_eq!(at(old(CHROME)).as_deref(), Some("2025-02-20T10:00:00Z"));
    // A release's main archive only changes with a point release.
    assert_eq!(at(old(MAIN)).as_deref(), Some("2025-02-20T10:00:00Z"));
}

#[test]
fn an_answer_that_failed_or_cannot_be_read_is_unknown() {
    let unknown = |machine: &Machine| {
        let updates = machine.updates();
        updates.pending.known().is_none() && updates.security.known().is_none()
    };
    assert!(unknown(&Machine { sources: String::new(), ..Machine::new() }));
    let mut packed = Machine::new();
    packed.os.files.remove(&list(MAIN)).unwrap();
    packed.os = packed.os.file(&format!("{}.xz", list(MAIN)), "");
    assert!(unknown(&packed));
    let os = Machine::new().os.file(dpkg::STATUS, stanzas(&[("dpkg", "install ok installed", "1")]));
    let context = CheckContext::of(os);
    assert!(updates(&context).security.known().is_none(), "no apt");
}

#[test]
fn everything_that_waits_to_be_repaired_is_named() {
    let half = ("openssl", "install ok half-configured", "3.0.11-1");
    let updates = Machine { installed: vec![half], ..Machine::new() }.updates();
    assert_eq!((updates.broken, updates.security), (Fact::Known(openssl()), Fact::Known(openssl())));
}
