//! Findings of all makers, on recorded events.

use std::sync::Arc;

use policies::fact::{ThreatAction, ThreatPlace};

use super::microsoft::{CHANNEL, ESSENTIALS};
use super::*;
use os::windows::recorded::Recorded;
use os::windows::{Event, Registry};

const NOW: &str = "2026-11-22T03:00:00Z";
const VERSION: &str = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion";

pub(super) fn event(id: u32, at: &str, data: &[(&str, &str)]) -> Event {
    let at: Timestamp = at.parse().unwrap();
    let data = data.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
    Event { id, level: 0, at: at.as_millisecond(), record: 0, data }
}

fn office() -> Recorded {
    let usb: Vec<u8> = r"_??_USBSTOR#Disk&Ven_Kingston".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let drives = r"HKLM\SYSTEM\MountedDevices";
    let since = "2026-09-01T00:00:00Z".parse::<Timestamp>().unwrap().as_millisecond();
    Recorded::new()
        .log(CHANNEL, since)
        .log("System", since)
        .log("Application", since)
        .set(drives, r"\DosDevices\E:", Registry::Bytes(usb))
        .set(drives, r"\DosDevices\C:", Registry::Bytes(vec![1, 2, 3, 4]))
}

fn defender(events: Vec<Event>) -> Recorded {
    let mut os = office();
    os.events.insert(CHANNEL.to_owned(), events);
    os
}

fn context(os: Recorded) -> CheckContext {
    CheckContext::new(Arc::new(os), NOW.parse().unwrap())
}

pub(super) fn product(maker: Maker, running: bool) -> AntivirusProduct {
    let no_reader = || Fact::unknown(Reason::NoReader, "");
    AntivirusProduct {
        maker,
        name: String::new(),
        version: Fact::unknown(Reason::NoReader, ""),
        running: Fact::Known(running),
        real_time: no_reader(),
        definitions_at: Fact::unknown(Reason::NoReader, ""),
        definitions_current: no_reader(),
        definitions_version: Fact::unknown(Reason::NoReader, ""),
        updater: no_reader(),
    }
}

#[test]
fn a_finding_and_what_became_of_it_are_one() {
    let path = r"file:_E:\Danh sách\hoá đơn.exe; file:_C:\x";
    let one = [("Detection ID", "{1}"), ("Threat Name", "Trojan:Win32/Wacatac.B!ml"), ("Path", path)];
    let share = r"\\may-chu\chung\a.exe";
    let events = vec![
        event(1116, "2026-11-20T01:00:00Z", &[one.as_slice(), &[("Action ID", "9")]].concat()),
        event(1117, "2026-11-20T01:00:09Z", &[one.as_slice(), &[("Action ID", "2")]].concat()),
        event(1116, "2026-11-21T01:00:00Z", &[("Threat Name", "PUA:Win32/x"), ("Path", share), ("Action ID", "9")]),
        event(1118, "2026-11-21T01:00:01Z", &[("Detection ID", "{3}"), ("Action ID", "2"), ("Path", "")]),
        // Older than a month.
        event(1116, "2026-10-01T01:00:00Z", &one),
    ];
    let found = detections(&context(defender(events)), &[]);
    let found = &found.known().unwrap().items;
    let shown: Vec<_> = found.iter().map(|found| (found.at.to_string(), found.action)).collect();
    assert_eq!(
        shown,
        [
            ("2026-11-21T01:00:01Z".to_owned(), ThreatAction::Nothing),
            ("2026-11-21T01:00:00Z".to_owned(), ThreatAction::Nothing),
            ("2026-11-20T01:00:00Z".to_owned(), ThreatAction::Quarantined),
        ]
    );
    assert_eq!(found[1].place, Fact::Known(ThreatPlace::Share));
    assert_eq!(found[2].place, Fact::Known(ThreatPlace::Removable));
    assert_eq!(found[2].threat, "Trojan:Win32/Wacatac.B!ml");
    assert!(found[0].place.known().is_none());
}

/// An Essentials event as published, in the order of its program's messages.
fn essentials(id: u32, at: &str, detection: &str, path: &str, action: &str) -> Event {
    let mut data = vec![("", ""); 42];
    let set = [
        (0, "%%860"),
        (1, "4.10.209.0"),
        (2, detection),
        (3, "2026-11-20T01:00:00.827Z"),
        (6, "268617"),
        (7, "App:TeamRedMiner"),
        (8, "2"),
        (9, "Trung bình"),
        (17, "%%820"),
        (21, path),
        (22, "1"),
        (23, "%%845"),
        (29, action),
        (30, "%%887"),
    ];
    for (at, value) in set {
        data[at] = ("", value);
    }
    event(id, at, &data)
}

#[test]
fn on_windows_7_essentials_writes_to_the_systems_log_and_places_tell_what_a_datum_is() {
    let path = r"file:_E:\zeb\service.exe;regkey:_HKLM\SOFTWARE";
    let (channel, provider) = ESSENTIALS;
    let events = vec![
        essentials(1116, "2026-11-20T01:00:00Z", "{E9FF2015}", path, "9"),
        essentials(1117, "2026-11-20T01:00:05Z", "{E9FF2015}", path, "3"),
        // Damaged: too short, and without an identifier where one belongs.
        event(1116, "2026-11-19T01:00:00Z", &[("", "%%860"), ("", "4.10"), ("", "{1}")]),
        essentials(1116, "2026-11-18T01:00:00Z", "4.10", path, "3"),
    ];
    let os = office()
        .text(VERSION, "CurrentBuildNumber", "7601")
        .provided(channel, provider, events)
        .provided(channel, provider, vec![event(5001, "2026-11-21T01:00:00Z", &[])])
        .provided(channel, "another", vec![event(1116, "2026-11-21T01:00:00Z", &[]), event(5001, NOW, &[])]);
    let found = detections(&context(os.clone()), &[]);
    let found = &found.known().unwrap().items;
    assert_eq!(found.len(), 3);
    assert_eq!((found[0].threat.as_str(), found[0].action), ("App:TeamRedMiner", ThreatAction::Removed));
    assert_eq!(found[0].place, Fact::Known(ThreatPlace::Removable));
    for damaged in &found[1..] {
        assert_eq!((damaged.threat.as_str(), damaged.action), ("", ThreatAction::NotStated));
        assert!(damaged.place.known().is_none());
    }
    assert_eq!(stops(&context(os), &[]).known().unwrap().items.len(), 1);
}

#[test]
fn essentials_tells_by_place_that_an_action_failed() {
    let became = |status: &str, error: &str| {
        let mut tried = essentials(1117, "2026-11-20T01:00:05Z", "{E9FF2015}", r"file:_C:\a.exe", "2");
        (tried.data[13].1, tried.data[32].1) = (status.to_owned(), error.to_owned());
        let found = essentials(1116, "2026-11-20T01:00:00Z", "{E9FF2015}", r"file:_C:\a.exe", "9");
        let os = office().text(VERSION, "CurrentBuildNumber", "7601");
        let os = os.provided(ESSENTIALS.0, ESSENTIALS.1, vec![found, tried]);
        detections(&context(os), &[]).known().unwrap().items[0].action
    };
    assert_eq!(became("3", "0x00000000"), ThreatAction::Quarantined);
    assert_eq!(became("103", "0x80508023"), ThreatAction::Nothing);
    assert_eq!(became("3", "0x80508023"), ThreatAction::Nothing);
}

/// What was done about the single finding in these events, in the order of writing: number, minute, action, status, error.
fn series(events: &[(u32, i64, &str, &str, &str)]) -> (ThreatAction, String) {
    let start: Timestamp = "2026-11-20T01:00:00Z".parse().unwrap();
    let written = events.iter().zip(1..).map(|(&(id, minute, action, status, error), record)| {
        let at = start + SignedDuration::from_mins(minute);
        let data = [("Detection ID", "{9}"), ("Action ID", action), ("Status Code", status), ("Error Code", error)];
        Event { record, ..event(id, &at.to_string(), &data) }
    });
    let found = detections(&context(defender(written.collect())), &[]);
    let [found] = found.known().unwrap().items.as_slice() else { panic!("one finding") };
    (found.action, found.at.to_string())
}

#[test]
fn an_action_that_failed_is_none_and_the_last_word_counts() {
    const OK: &str = "0x00000000";
    const FAILED: &str = "0x80508023";
    let found = (1116, 0, "9", "1", OK);
    let of = |events: &[(u32, i64, &str, &str, &str)]| series(events).0;
    assert_eq!(of(&[found, (1117, 0, "2", "103", FAILED)]), ThreatAction::Nothing);
    assert_eq!(of(&[found, found, found, (1117, 0, "2", "3", OK)]), ThreatAction::Quarantined);
    // It fails and is retried; or is partly handled and the rest fails.
    let (failed, done) = ((1117, 1, "2", "103", FAILED), (1117, 9, "3", "4", OK));
    assert_eq!(series(&[found, failed, done]), (ThreatAction::Removed, "2026-11-20T01:00:00Z".to_owned()));
    assert_eq!(of(&[found, (1117, 1, "3", "4", OK), (1117, 9, "2", "103", FAILED)]), ThreatAction::Nothing);
    assert_eq!(of(&[found, done, (1119, 10, "2", "", "")]), ThreatAction::Nothing);
    // Allowing it did not succeed either.
    assert_eq!(of(&[found, (1117, 1, "6", "105", FAILED)]), ThreatAction::Nothing);
    assert_eq!(of(&[found, (1117, 1, "6", "5", OK)]), ThreatAction::Allowed);
    // A report at the same moment is not a new finding; one an hour later is.
    assert_eq!(of(&[found, done, (1116, 9, "9", "1", OK)]), ThreatAction::Removed);
    assert_eq!(of(&[found, done, (1116, 69, "9", "1", OK)]), ThreatAction::Nothing);
    // The order is that of the log: the clock was set back between the two.
    assert_eq!(of(&[found, (1117, 90, "2", "103", FAILED), (1117, 9, "2", "3", OK)]), ThreatAction::Quarantined);
}

#[test]
fn a_log_that_cannot_tell_all_proves_no_clean_month() {
    let month = || defender(Vec::new());
    assert_eq!(detections(&context(month()), &[]), Fact::Known(List::default()));
    assert_eq!(stops(&context(month()), &[]), Fact::Known(List::default()));
    let yesterday = "2026-11-21T00:00:00Z".parse::<Timestamp>().unwrap().as_millisecond();
    let cleared = detections(&context(month().log(CHANNEL, yesterday)), &[]);
    assert_eq!(cleared.known().map(|list| (list.items.len(), list.left_out)), Some((0, 1)));
    let cleared = stops(&context(month().log(CHANNEL, yesterday)), &[]);
    assert_eq!(cleared.known().map(|list| (list.items.len(), list.left_out)), Some((0, 1)));
    // A future event was written while the clock was ahead.
    let ahead = defender(vec![event(1116, "2026-11-22T03:00:01Z", &[]), event(5001, "2027-01-01T00:00:00Z", &[])]);
    assert_eq!(detections(&context(ahead.clone()), &[]), Fact::Known(List::default()));
    assert_eq!(stops(&context(ahead), &[]), Fact::Known(List::default()));
}

#[test]
fn where_a_drive_may_be_a_stick_no_place_is_told() {
    let path = [("Detection ID", "{1}"), ("Path", r"file:_E:\a.exe")];
    let os = defender(vec![event(1116, "2026-11-20T01:00:00Z", &path)]);
    let place = |os: Recorded| detections(&context(os), &[]).known().unwrap().items[0].place.clone();
    assert_eq!(place(os.clone()), Fact::Known(ThreatPlace::Removable));
    assert!(place(os.denying(r"HKLM\SYSTEM\MountedDevices")).known().is_none());
}

#[test]
fn findings_of_another_maker_are_known_and_an_empty_log_of_its_is_not() {
    let sophos = [("", "File"), ("", r"E:\a.doc"), ("", "Troj/DocDl-VWM")];
    let log = |events| office().provided("Application", "Sophos Anti-Virus", events);
    let products = [product(Maker::Sophos, true), product(Maker::Microsoft, false)];
    let found = detections(&context(log(vec![event(32, "2026-11-20T01:00:00Z", &sophos)])), &products);
    assert_eq!(found.known().unwrap().items[0].threat, "Troj/DocDl-VWM");
    let empty = detections(&context(log(Vec::new())), &products);
    assert!(matches!(&empty, Fact::Unknown(why) if why.reason == Reason::NoReader), "{empty:?}");
    // A product that is off logs nothing; whose findings these are no longer matters.
    let off = [product(Maker::Sophos, false), product(Maker::Eset, true)];
    let off = detections(&context(log(vec![event(32, "2026-11-20T01:00:00Z", &sophos)])), &off);
    assert!(off.known().is_none());
}

#[test]
fn a_product_that_may_guard_leaves_its_findings_open() {
    let open = AntivirusProduct { running: Fact::unknown(Reason::Contradictory, ""), ..product(Maker::Eset, true) };
    for own in [None, Some(false)] {
        let products: Vec<_> =
            own.map(|own| product(Maker::Microsoft, own)).into_iter().chain([open.clone()]).collect();
        let none = detections(&context(defender(Vec::new())), &products);
        assert!(matches!(&none, Fact::Unknown(why) if why.reason == Reason::NoReader), "{own:?} {none:?}");
        // What Defender found while it still protected is reported.
        let found = defender(vec![event(1116, "2026-11-19T01:00:00Z", &[("Threat Name", "PUA:Win32/x")])]);
        let found = detections(&context(found), &products);
        assert_eq!(found.known().map(|list| (list.items.len(), list.left_out)), Some((1, 1)));
    }
    // Beside a Defender that guards the list is cut.
    let beside = detections(&context(defender(Vec::new())), &[product(Maker::Microsoft, true), open]);
    assert_eq!(beside.known().map(|list| (list.items.len(), list.left_out)), Some((0, 1)));
}

#[test]
fn where_two_guard_their_findings_are_one_list() {
    let os = defender(vec![event(1116, "2026-11-19T01:00:00Z", &[("Threat Name", "PUA:Win32/x")])]);
    let risk = event(51, "2026-11-20T01:00:00Z", &[("", r"Rủi ro: X trong tệp: C:\a.exe")]);
    let mut os = os.provided("Application", "Symantec AntiVirus", vec![risk.clone()]);
    // The same finding is in two logs.
    os.events.insert("Symantec Endpoint Protection Client".to_owned(), vec![risk]);
    let both = [product(Maker::Symantec, true), product(Maker::Microsoft, true)];
    let found = detections(&context(os), &both);
    let found: Vec<&str> = found.known().unwrap().items.iter().map(|found| found.threat.as_str()).collect();
    assert_eq!(found, ["", "PUA:Win32/x"]);
}

#[test]
fn stops_are_listed_and_long_lists_are_cut() {
    let start: Timestamp = "2026-11-20T01:00:00Z".parse().unwrap();
    let minutes = |number: i64| start + SignedDuration::from_mins(5 * number);
    // Each is logged twice.
    let off = (0..300).rev().map(|number| event(5001, &minutes(number / 2).to_string(), &[])).collect();
    let all = stops(&context(defender(off)), &[]);
    let all = all.known().unwrap();
    assert_eq!((all.items.len(), all.left_out), (KEPT, 50));
    assert!(stops(&context(Recorded::new()), &[]).known().is_none());
    assert!(detections(&context(Recorded::new()), &[]).known().is_none());
}
