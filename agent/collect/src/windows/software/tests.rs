//! On the recorded door: programs of the machine, of people who are logged on and of those who are not.

use policies::fact::{BrowserKind, List, Program};

use super::*;
use crate::windows::accounts::PROFILES;
use os::windows::Registry;
use os::windows::recorded::{Recorded, Saved};

const UNINSTALL: &str = r"Microsoft\Windows\CurrentVersion\Uninstall";
const APP_PATHS: &str = r"Microsoft\Windows\CurrentVersion\App Paths";
const SID: &str = "S-1-5-21-1004336348-1177238915-682003330-1001";

fn collected(os: Recorded) -> Software {
    collect(&CheckContext::of(os))
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
    assert_eq!((&programs[1].for_one_person, &programs[2].for_one_person), (&Fact::Known(false), &Fact::Known(true)));
    assert!(programs[1].installed_at.known().is_none());
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
    assert_eq!(collected(os.clone()).removable_seen, Fact::Known(3));
    let hidden = os.denying(&format!(r"{HISTORY}\Disk&Ven_SanDisk&Prod_X"));
    assert!(collected(hidden).removable_seen.known().is_none());
}

#[test]
fn a_closed_machine_tells_nothing() {
    let software = collected(Recorded::new().denying(r"HKLM\SOFTWARE"));
    assert!(software.programs.known().is_none() && software.removable_denied.known().is_none());
    assert!(collected(Recorded::new()).programs.known().unwrap().items.is_empty());
}

/// The list of a machine, and what is missing in it.
fn listed(os: Recorded) -> (Vec<String>, u32) {
    let List { items, left_out } = collected(os).programs.known().unwrap().clone();
    (items.into_iter().map(|Program { name, .. }| name).collect(), left_out)
}

/// Somebody who has a profile and is not logged on.
fn person(os: Recorded, number: u32, folder: &str) -> (Recorded, String) {
    let os = os.text(&format!(r"{PROFILES}\S-1-5-21-1-2-3-{number}"), "ProfileImagePath", folder);
    (os, format!(r"{folder}\NTUSER.DAT"))
}

#[test]
fn programs_and_browsers_of_people_who_are_not_logged_on() {
    let (mut os, file) = person(office(), 1005, r"C:\Users\Nguyễn Văn Hoà");
    os = os.saved(&file, &format!(r"Software\{UNINSTALL}"), "KeToan", "DisplayName", "Kế toán xã");
    os = os.saved(&file, &format!(r"Software\{UNINSTALL}"), "part", "DisplayVersion", "1");
    os = os.saved(&file, &format!(r"Software\WOW6432Node\{UNINSTALL}"), "old", "DisplayName", "Bản cũ 32-bit");
    let path = r"C:\Users\Nguyễn Văn Hoà\AppData\Local\CocCoc\browser.exe";
    os = os.saved(&file, &format!(r"Software\{APP_PATHS}"), "Browser.exe", "", path);
    os = os.saved(&file, &format!(r"Software\{APP_PATHS}"), "winget.exe", "", r"C:\winget.exe");
    os.file_versions.insert(path.to_lowercase(), "130.0".to_owned());
    assert_eq!(
        listed(os.clone()),
        (["Bản cũ 32-bit", "Kế toán xã", "Phần mềm kế toán xã", "UltraViewer", "Zalo"].map(str::to_owned).to_vec(), 0)
    );
    let software = collected(os);
    let program = software.programs.known().unwrap().items[1].clone();
    assert_eq!((program.name.as_str(), program.for_one_person), ("Kế toán xã", Fact::Known(true)));
    let browsers = software.browsers.known().unwrap();
    assert_eq!((browsers.items.len(), browsers.left_out), (1, 0));
    assert_eq!(
        (browsers.items[0].kind, browsers.items[0].version.known().unwrap().as_str()),
        (BrowserKind::CocCoc, "130.0")
    );
}

#[test]
fn files_that_cannot_be_read_leave_the_rest_and_are_counted() {
    let odd = [
        Saved::Denied,
        Saved::Hangs,
        Saved::Unreadable("is damaged: a key is none".to_owned()),
        Saved::Unreadable("is in use".to_owned()),
    ];
    for odd in odd {
        let (mut os, file) = person(office(), 1005, r"C:\Users\hoa");
        os.saved.insert(file.to_lowercase(), odd.clone());
        let (names, left_out) = listed(os.clone());
        assert_eq!((names.len(), left_out), (3, 1), "{odd:?}");
        assert_eq!(collected(os).browsers.known().unwrap().left_out, 1, "{odd:?}");
    }
}

#[test]
fn a_disk_that_hangs_is_not_asked_for_the_others() {
    let (os, first) = person(office(), 1005, r"C:\Users\a");
    let (os, second) = person(os, 1006, r"C:\Users\b");
    let mut os = os.saved(&second, &format!(r"Software\{UNINSTALL}"), "x", "DisplayName", "Của người thứ hai");
    os.saved.insert(first.to_lowercase(), Saved::Hangs);
    assert_eq!(listed(os.clone()).1, 2);
    os.saved.insert(first.to_lowercase(), Saved::Denied);
    let (names, left_out) = listed(os);
    assert!(names.contains(&"Của người thứ hai".to_owned()) && left_out == 1, "{names:?}");
}

#[test]
fn a_profile_whose_folder_is_gone_is_nobody() {
    let (os, _) = person(office(), 1005, r"C:\Users\gone");
    assert_eq!(listed(os).1, 0);
    let os = office().key(&format!(r"{PROFILES}\S-1-5-21-1-2-3-1006"));
    assert_eq!(listed(os).1, 0);
}

#[test]
fn who_is_logged_on_is_read_from_the_registry_alone() {
    let file = r"C:\Users\hoa\NTUSER.DAT";
    let twice = |os: Recorded| os.saved(file, &format!(r"Software\{UNINSTALL}"), "x", "DisplayName", "Bản lưu cũ");
    let os = twice(office().text(&format!(r"{PROFILES}\{SID}"), "ProfileImagePath", r"C:\Users\hoa"));
    let (names, left_out) = listed(os.clone());
    assert!(names.contains(&"Zalo".to_owned()) && !names.contains(&"Bản lưu cũ".to_owned()), "{names:?}");
    assert_eq!(left_out, 0);
    // A row of a former account for the same folder: the file is the other's, and in use.
    let (mut os, _) = person(os, 1, r"C:\USERS\Hoa");
    os.saved.insert(file.to_lowercase(), Saved::Unreadable("in use".to_owned()));
    assert_eq!(listed(os).1, 0);
    // A 32-bit program of somebody who is logged on.
    let os = installed(office(), &format!(r"HKU\{SID}\Software\WOW6432Node"), "old", "Bản cũ 32-bit", "1");
    assert!(listed(os).0.contains(&"Bản cũ 32-bit".to_owned()));
}

#[test]
fn folders_of_profiles_are_found_through_variables_and_services_have_none() {
    let os = office().text(r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion", "SystemRoot", r"D:\Windows");
    let (os, _) = person(os, 1005, r"%SystemDrive%\Users\hoa");
    let os = os.saved(r"D:\Users\hoa\NTUSER.DAT", &format!(r"Software\{UNINSTALL}"), "x", "DisplayName", "Kế toán");
    for other in ["S-1-5-18", "S-1-5-80-1-2", "S-1-5-21-1-2-3-1007.bak"] {
        let folder = r"D:\Windows\config";
        let key = format!(r"{PROFILES}\{other}");
        let os = os.clone().text(&key, "ProfileImagePath", folder);
        let os =
            os.saved(&format!(r"{folder}\NTUSER.DAT"), &format!(r"Software\{UNINSTALL}"), "y", "DisplayName", "Khác");
        let (names, left_out) = listed(os);
        assert!(names.contains(&"Kế toán".to_owned()) && !names.contains(&"Khác".to_owned()), "{other}: {names:?}");
        assert_eq!(left_out, 0);
    }
    for nowhere in [r"%NOBODY%\hoa", "hoa", r"\\server\share\hoa"] {
        assert_eq!(listed(person(office(), 1005, nowhere).0).1, 1, "{nowhere}");
    }
    let number = Registry::Number(1);
    assert_eq!(listed(office().set(&format!(r"{PROFILES}\S-1-5-21-1"), "ProfileImagePath", number)).1, 1);
    assert_eq!(listed(office().denying(PROFILES)).1, 1);
}

#[test]
fn what_cannot_be_read_of_somebody_who_is_logged_on_is_counted_too() {
    let (names, left_out) = listed(office().denying(&format!(r"HKU\{SID}\Software\{UNINSTALL}")));
    assert_eq!((names.len(), left_out), (2, 1));
    let (names, left_out) = listed(office().denying(&format!(r"HKLM\SOFTWARE\{UNINSTALL}\{{1}}")));
    assert_eq!((names.len(), left_out), (2, 1));
}
