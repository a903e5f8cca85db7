//! Section `software`: installed programs, browsers, removable storage.
//!
//! Sources: the `Uninstall` keys of the machine (64-bit and 32-bit) and of everybody whose settings are loaded; `App Paths` and the
//! programs' own version blocks for browsers; `RemovableStorageDevices`; the history in `Enum\USBSTOR`. `Win32_Product` is never asked: it
//! repairs what it lists.

use jiff::civil::Date;
use policies::fact::{Browser, BrowserKind, Fact, Instant, List, Program, Reason, Software};

use super::accounts::loaded;
use super::scene::{Scene, Setting, unknown};
use crate::collect::text::capped;
use crate::os::{Answer, OsError};

const UNINSTALL: &str = r"Microsoft\Windows\CurrentVersion\Uninstall";
const APP_PATHS: &str = r"Microsoft\Windows\CurrentVersion\App Paths";
const REMOVABLE: &str = r"HKLM\SOFTWARE\Policies\Microsoft\Windows\RemovableStorageDevices";
const HISTORY: &str = r"HKLM\SYSTEM\CurrentControlSet\Enum\USBSTOR";
/// Removable disks among the classes of removable storage.
const DISKS: &str = "{53f5630d-b6bf-11d0-94f2-00a0c91efb8b}";

/// The registry keys whose change makes it worth collecting this section again.
pub(super) const WATCHED: &[&str] = &[
    r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Uninstall",
    r"HKLM\SOFTWARE\WOW6432Node\Microsoft\Windows\CurrentVersion\Uninstall",
    REMOVABLE,
    HISTORY,
];

/// The file names of browsers. `browser.exe` is that of Cốc Cốc.
const BROWSERS: [(&str, BrowserKind); 6] = [
    ("chrome.exe", BrowserKind::Chrome),
    ("msedge.exe", BrowserKind::Edge),
    ("firefox.exe", BrowserKind::Firefox),
    ("browser.exe", BrowserKind::CocCoc),
    ("opera.exe", BrowserKind::Opera),
    ("brave.exe", BrowserKind::Brave),
];

pub(super) fn collect(scene: &Scene) -> Software {
    let mut roots = vec![(r"HKLM\SOFTWARE".to_owned(), false), (r"HKLM\SOFTWARE\WOW6432Node".to_owned(), false)];
    let people = loaded(scene).unwrap_or_default();
    roots.extend(people.iter().map(|sid| (format!(r"HKU\{sid}\Software"), true)));
    Software {
        programs: programs(scene, &roots),
        browsers: browsers(scene, &roots),
        removable_denied: denied(scene),
        removable_seen: match scene.os.keys(HISTORY) {
            Ok(models) => Fact::Known(seen(scene, &models)),
            Err(OsError::Missing(_)) => Fact::Known(0),
            Err(error) => unknown(&error),
        },
    }
}

fn programs(scene: &Scene, roots: &[(String, bool)]) -> Fact<List<Program>> {
    let mut found = Vec::new();
    for (root, for_one_person) in roots {
        let key = format!(r"{root}\{UNINSTALL}");
        match scene.os.keys(&key) {
            Ok(names) => {
                let program = |name: &String| program(scene, &format!(r"{key}\{name}"), *for_one_person);
                found.extend(names.iter().filter_map(program));
            }
            Err(OsError::Missing(_)) => {}
            Err(error) => return unknown(&error),
        }
    }
    found.sort_by(|one, other| {
        (one.name.to_lowercase(), version_of(one)).cmp(&(other.name.to_lowercase(), version_of(other)))
    });
    found.dedup_by(|one, other| one.name == other.name && version_of(one) == version_of(other));
    Fact::Known(List::capped(found))
}

fn version_of(program: &Program) -> Option<&String> {
    program.version.known()
}

/// What a person would see in the list of programs: parts of others and updates are not in it.
fn program(scene: &Scene, key: &str, for_one_person: bool) -> Option<Program> {
    let text = |name: &str| match scene.text(key, name) {
        Setting::Set(text) => Some(text),
        Setting::Absent | Setting::Unreadable(_) => None,
    };
    let name = text("DisplayName")?;
    let part = scene.number(key, "SystemComponent") == Setting::Set(1) || text("ParentKeyName").is_some();
    let update = text("ReleaseType").is_some();
    if part || update {
        return None;
    }
    let told = |name: &str| text(name).map_or_else(|| Fact::unknown(Reason::SourceMissing, ""), Fact::Known);
    Some(Program {
        name,
        version: told("DisplayVersion"),
        maker: told("Publisher"),
        installed_at: match text("InstallDate").as_deref().map(installed_on) {
            Some(Some(at)) => Fact::Known(at),
            Some(None) => Fact::unknown(Reason::Unreadable, "InstallDate"),
            None => Fact::unknown(Reason::SourceMissing, ""),
        },
        for_one_person: Fact::Known(for_one_person),
    })
}

/// `InstallDate` is written `20251015`.
fn installed_on(text: &str) -> Option<Instant> {
    let text = text.trim();
    if text.len() != 8 || !text.is_ascii() {
        return None;
    }
    let date = Date::new(text[..4].parse().ok()?, text[4..6].parse().ok()?, text[6..].parse().ok()?).ok()?;
    format!("{date}T00:00:00+07:00").parse().ok()
}

fn browsers(scene: &Scene, roots: &[(String, bool)]) -> Fact<List<Browser>> {
    let mut found = Vec::new();
    for (file, kind) in BROWSERS {
        let paths = roots.iter().filter_map(|(root, _)| match scene.text(&format!(r"{root}\{APP_PATHS}\{file}"), "") {
            Setting::Set(path) => Some(path.trim_matches('"').to_owned()),
            Setting::Absent | Setting::Unreadable(_) => None,
        });
        let mut paths: Vec<String> = paths.collect();
        paths.sort_unstable_by_key(|path| path.to_lowercase());
        paths.dedup_by_key(|path| path.to_lowercase());
        found.extend(paths.iter().filter_map(|path| {
            let version = match scene.os.file_version(path) {
                Ok(version) => Fact::Known(capped(&version)),
                // What was removed leaves its path behind.
                Err(OsError::Missing(_)) => return None,
                Err(error) => unknown(&error),
            };
            Some(Browser { kind, version })
        }));
    }
    Fact::Known(List::capped(found))
}

/// Whether a policy denies reading or writing of all removable storage or of removable disks.
fn denied(scene: &Scene) -> Fact<bool> {
    let questions = [
        (REMOVABLE.to_owned(), "Deny_All"),
        (format!(r"{REMOVABLE}\{DISKS}"), "Deny_Read"),
        (format!(r"{REMOVABLE}\{DISKS}"), "Deny_Write"),
    ];
    let mut denied = Fact::Known(false);
    for (key, name) in questions {
        match scene.number(&key, name).or(Fact::Known(false), |value| Fact::Known(value == 1)) {
            Fact::Known(true) => return Fact::Known(true),
            Fact::Known(false) => {}
            Fact::Unknown(unknown) => denied = Fact::Unknown(unknown),
        }
    }
    denied
}

/// Drives below their models: `USBSTOR\Disk&Ven_X&Prod_Y\SERIAL`.
fn seen(scene: &Scene, models: &[String]) -> i64 {
    let drives = |model: &String| -> Answer<usize> { Ok(scene.os.keys(&format!(r"{HISTORY}\{model}"))?.len()) };
    let count: usize = models.iter().map(|model| drives(model).unwrap_or(0)).sum();
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jiff::Timestamp;

    use super::*;
    use crate::os::windows::recorded::Recorded;

    const SID: &str = "S-1-5-21-1004336348-1177238915-682003330-1001";

    fn collected(os: Recorded) -> Software {
        collect(&Scene::new(Arc::new(os), Timestamp::UNIX_EPOCH))
    }

    fn installed(os: Recorded, root: &str, key: &str, name: &str, version: &str) -> Recorded {
        let key = format!(r"{root}\{UNINSTALL}\{key}");
        os.text(&key, "DisplayName", name).text(&key, "DisplayVersion", version)
    }

    fn office() -> Recorded {
        let mut os = installed(Recorded::new(), r"HKLM\SOFTWARE", "{1}", "Phần mềm kế toán xã", "3.2");
        os = os.text(&format!(r"HKLM\SOFTWARE\{UNINSTALL}\{{1}}"), "Publisher", "Công ty ABC");
        os = os.text(&format!(r"HKLM\SOFTWARE\{UNINSTALL}\{{1}}"), "InstallDate", "20251015");
        os = installed(os, r"HKLM\SOFTWARE\WOW6432Node", "UltraViewer_is1", "UltraViewer", "6.6");
        os = installed(os, &format!(r"HKU\{SID}\Software"), "Zalo", "Zalo", "25.1");
        os = installed(os, r"HKLM\SOFTWARE", "part", "Part of something", "1");
        os = os.number(&format!(r"HKLM\SOFTWARE\{UNINSTALL}\part"), "SystemComponent", 1);
        os = installed(os, r"HKLM\SOFTWARE", "update", "Security Update", "1");
        os = os.text(&format!(r"HKLM\SOFTWARE\{UNINSTALL}\update"), "ReleaseType", "Security Update");
        os.key(&format!(r"HKLM\SOFTWARE\{UNINSTALL}\empty"))
    }

    #[test]
    fn programs_of_the_machine_and_of_one_person() {
        let software = collected(office());
        let programs = &software.programs.known().unwrap().items;
        let names: Vec<&str> = programs.iter().map(|program| program.name.as_str()).collect();
        assert_eq!(names, ["Phần mềm kế toán xã", "UltraViewer", "Zalo"]);
        assert_eq!(programs[0].maker, Fact::Known("Công ty ABC".to_owned()));
        assert_eq!(programs[0].installed_at, Fact::Known("2025-10-14T17:00:00Z".parse().unwrap()));
        assert_eq!(
            (&programs[1].for_one_person, &programs[2].for_one_person),
            (&Fact::Known(false), &Fact::Known(true))
        );
        assert!(programs[1].installed_at.known().is_none());
        for odd in ["2025-10-15", "20251315", "15102025", "ngày mai", ""] {
            assert!(installed_on(odd).is_none(), "{odd}");
        }
    }

    #[test]
    fn browsers_tell_their_version_and_removed_ones_are_gone() {
        let path = r"C:\Users\Hoà\AppData\Local\CocCoc\Browser\Application\browser.exe";
        let mut os = office()
            .text(
                &format!(r"HKLM\SOFTWARE\{APP_PATHS}\chrome.exe"),
                "",
                r"C:\Program Files\Google\Chrome\Application\chrome.exe",
            )
            .text(&format!(r"HKLM\SOFTWARE\WOW6432Node\{APP_PATHS}\firefox.exe"), "", r"C:\gone\firefox.exe")
            .text(&format!(r"HKU\{SID}\Software\{APP_PATHS}\browser.exe"), "", &format!("\"{path}\""));
        os.file_versions
            .insert(r"c:\program files\google\chrome\application\chrome.exe".to_owned(), "142.0.7444.60".to_owned());
        os.file_versions.insert(path.to_lowercase(), "130.0.6723.10".to_owned());
        let software = collected(os);
        let browsers = &software.browsers.known().unwrap().items;
        let known: Vec<(BrowserKind, &str)> =
            browsers.iter().map(|browser| (browser.kind, browser.version.known().unwrap().as_str())).collect();
        assert_eq!(known, [(BrowserKind::Chrome, "142.0.7444.60"), (BrowserKind::CocCoc, "130.0.6723.10")]);
    }

    #[test]
    fn removable_storage() {
        assert_eq!(collected(office()).removable_denied, Fact::Known(false));
        assert_eq!(collected(office().number(REMOVABLE, "Deny_All", 1)).removable_denied, Fact::Known(true));
        let write = office().number(&format!(r"{REMOVABLE}\{DISKS}"), "Deny_Write", 1);
        assert_eq!(collected(write).removable_denied, Fact::Known(true));
        assert!(collected(office().denying(REMOVABLE)).removable_denied.known().is_none());
        assert_eq!(collected(office()).removable_seen, Fact::Known(0));
        let os = office()
            .key(&format!(r"{HISTORY}\Disk&Ven_Kingston&Prod_DT\001"))
            .key(&format!(r"{HISTORY}\Disk&Ven_Kingston&Prod_DT\002"))
            .key(&format!(r"{HISTORY}\Disk&Ven_SanDisk&Prod_X\003"));
        assert_eq!(collected(os).removable_seen, Fact::Known(3));
    }

    #[test]
    fn a_closed_machine_tells_nothing() {
        let software = collected(Recorded::new().denying(r"HKLM\SOFTWARE"));
        assert!(software.programs.known().is_none() && software.removable_denied.known().is_none());
        assert!(collected(Recorded::new()).programs.known().unwrap().items.is_empty());
    }
}
