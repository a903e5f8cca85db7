//! What Defender found and when it was switched off: its channel `Microsoft-Windows-Windows Defender/Operational`, by numbers.
//!
//! 1006 and 1116 say that something was found, 1007 and 1117 what became of it, 1008 and 1118 that this failed; one finding has one
//! `Detection ID`. 5001, 5010 and 5012 say that real-time protection, the search for spyware and for viruses were switched off.
//! Of a path only the kind of place is kept. Source: learn.microsoft.com, "Review event logs and error codes to troubleshoot
//! issues with Microsoft Defender Antivirus".

use std::collections::BTreeMap;

use jiff::{Timestamp, ToSpan};
use policies::fact::{AntivirusProduct, Detection, Fact, List, Maker, Reason, ThreatAction, ThreatPlace};

use crate::collect::products::is_running;
use crate::collect::text::capped;
use crate::collect::windows::scene::{Scene, answered};
use crate::os::Answer;
use crate::os::windows::{Event, EventQuery, Registry};

const CHANNEL: &str = "Microsoft-Windows-Windows Defender/Operational";
const FOUND: [u32; 6] = [1006, 1007, 1008, 1116, 1117, 1118];
const FAILED: [u32; 2] = [1008, 1118];
const SWITCHED_OFF: [u32; 3] = [5001, 5010, 5012];
/// How far back is looked.
const HOURS: i64 = 30 * 24;
/// The most events that are read: several stand for one finding.
const MOST: usize = 400;
/// The most findings and stops that are kept.
const KEPT: usize = 100;

/// The findings, newest first.
pub(super) fn detections(scene: &Scene, products: &[AntivirusProduct]) -> Fact<List<Detection>> {
    if another_guards(products) {
        return Fact::unknown(Reason::NoReader, "another product guards");
    }
    answered(events(scene, &FOUND), |events| {
        let drives = removable(scene);
        let mut found = findings(&events, &drives);
        found.sort_by(|one, other| (other.at, &one.threat).cmp(&(one.at, &other.threat)));
        Fact::Known(short(found))
    })
}

/// When protection was switched off, newest first.
pub(super) fn stops(scene: &Scene, products: &[AntivirusProduct]) -> Fact<List<Timestamp>> {
    if another_guards(products) {
        return Fact::unknown(Reason::NoReader, "another product guards");
    }
    answered(events(scene, &SWITCHED_OFF), |events| {
        Fact::Known(short(events.iter().filter_map(|event| Timestamp::from_millisecond(event.at).ok()).collect()))
    })
}

/// True when a product other than Defender guards: its findings lie where it likes.
fn another_guards(products: &[AntivirusProduct]) -> bool {
    let guards = |product: &&AntivirusProduct| is_running(product);
    let mut guarding = products.iter().filter(guards);
    guarding.clone().next().is_some() && !guarding.any(|product| product.maker == Maker::Microsoft)
}

fn events(scene: &Scene, ids: &[u32]) -> Answer<Vec<Event>> {
    let since = scene.now.saturating_sub(HOURS.hours()).map_or(0, Timestamp::as_millisecond);
    scene.os.events(&EventQuery { channel: CHANNEL.to_owned(), ids: ids.to_vec(), since, most: MOST })
}

fn short<T>(mut items: Vec<T>) -> List<T> {
    let more = items.len().saturating_sub(KEPT);
    items.truncate(KEPT);
    List { items, left_out: u32::try_from(more).unwrap_or(u32::MAX) }
}

/// One for each `Detection ID`: found at the first hour, with what became of it last. `events` come newest first.
fn findings(events: &[Event], removable: &[char]) -> Vec<Detection> {
    let mut findings: BTreeMap<String, Detection> = BTreeMap::new();
    for event in events {
        let data = |name: &str| {
            let found = event.data.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.as_str()).unwrap_or_default()
        };
        let Ok(at) = Timestamp::from_millisecond(event.at) else { continue };
        // An event without an id is a finding of its own.
        let id = match data("Detection ID") {
            "" => format!("{} {}", event.at, event.id),
            id => id.to_owned(),
        };
        let action = action(event.id, data("Action ID"));
        let finding = findings.entry(id).or_insert_with(|| Detection {
            at,
            threat: capped(data("Threat Name")),
            action,
            place: place(data("Path"), data("Origin ID"), removable),
        });
        finding.at = finding.at.min(at);
        if finding.action == ThreatAction::Nothing && !FAILED.contains(&event.id) {
            finding.action = action;
        }
    }
    findings.into_values().collect()
}

fn action(id: u32, number: &str) -> ThreatAction {
    if FAILED.contains(&id) {
        return ThreatAction::Nothing;
    }
    match number.trim() {
        "1" => ThreatAction::Cleaned,
        "2" => ThreatAction::Quarantined,
        "3" => ThreatAction::Removed,
        "6" => ThreatAction::Allowed,
        "10" => ThreatAction::Blocked,
        _ => ThreatAction::Nothing,
    }
}

/// The kind of place of the first of the paths, `file:_E:\a.exe; file:_...`. The folder of downloads is called so on the disk in every
/// language.
fn place(paths: &str, origin: &str, removable: &[char]) -> Fact<ThreatPlace> {
    /// `Origin ID`: 2 network share, 3 Internet.
    const SHARE: &str = "2";
    const INTERNET: &str = "3";
    let first = paths.split(';').next().unwrap_or_default().trim();
    let (scheme, path) = first.split_once(":_").unwrap_or(("", first));
    let drive = path.strip_prefix(r"\\?\").unwrap_or(path).chars().next().map(|drive| drive.to_ascii_uppercase());
    match () {
        () if path.starts_with(r"\\") && !path.starts_with(r"\\?\") => Fact::Known(ThreatPlace::Share),
        () if drive.is_some_and(|drive| removable.contains(&drive)) => Fact::Known(ThreatPlace::Removable),
        () if origin.trim() == SHARE => Fact::Known(ThreatPlace::Share),
        () if scheme.eq_ignore_ascii_case("webfile") || origin.trim() == INTERNET => Fact::Known(ThreatPlace::Download),
        () if path.to_ascii_lowercase().contains(r"\downloads\") => Fact::Known(ThreatPlace::Download),
        () if path.is_empty() => Fact::unknown(Reason::SourceMissing, "the event names no path"),
        () => Fact::Known(ThreatPlace::Local),
    }
}

/// Letters of drives that are USB storage, also of those that are no longer plugged in.
fn removable(scene: &Scene) -> Vec<char> {
    let is_usb = |bytes: &[u8]| {
        let units: Vec<u16> = bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
        let text = String::from_utf16_lossy(&units).to_ascii_uppercase();
        text.contains("USBSTOR#") || text.contains("REMOVABLEMEDIA")
    };
    let values = scene.os.values(r"HKLM\SYSTEM\MountedDevices").unwrap_or_default();
    let drive = |(name, value): (String, Registry)| match value {
        Registry::Bytes(bytes) if is_usb(&bytes) => {
            name.to_ascii_uppercase().strip_prefix(r"\DOSDEVICES\")?.chars().next()
        }
        _ => None,
    };
    values.into_iter().filter_map(drive).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::os::windows::recorded::Recorded;

    const NOW: &str = "2026-11-22T03:00:00Z";

    fn event(id: u32, at: &str, data: &[(&str, &str)]) -> Event {
        let at: Timestamp = at.parse().unwrap();
        let data = data.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        Event { id, at: at.as_millisecond(), data }
    }

    fn scene(events: Vec<Event>) -> Scene {
        let usb: Vec<u8> = r"_??_USBSTOR#Disk&Ven_Kingston".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let mut os = Recorded::new().set(r"HKLM\SYSTEM\MountedDevices", r"\DosDevices\E:", Registry::Bytes(usb)).set(
            r"HKLM\SYSTEM\MountedDevices",
            r"\DosDevices\C:",
            Registry::Bytes(vec![1, 2, 3, 4]),
        );
        os.events.insert(CHANNEL.to_owned(), events);
        Scene::new(Arc::new(os), NOW.parse().unwrap())
    }

    #[test]
    fn a_finding_and_what_became_of_it_are_one() {
        let path = r"file:_E:\Danh sách\hoá đơn.exe; file:_C:\x";
        let one = [("Detection ID", "{1}"), ("Threat Name", "Trojan:Win32/Wacatac.B!ml"), ("Path", path)];
        let events = vec![
            event(1116, "2026-11-20T01:00:00Z", &[one.as_slice(), &[("Action ID", "9")]].concat()),
            event(1117, "2026-11-20T01:00:09Z", &[one.as_slice(), &[("Action ID", "2")]].concat()),
            event(1116, "2026-11-21T01:00:00Z", &[("Threat Name", "PUA:Win32/x"), ("Path", r"\\may-chu\chung\a.exe")]),
            event(1118, "2026-11-21T01:00:01Z", &[("Detection ID", "{3}"), ("Action ID", "2"), ("Path", "")]),
            // Older than a month.
            event(1116, "2026-10-01T01:00:00Z", &one),
        ];
        let found = detections(&scene(events), &[]);
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

    #[test]
    fn of_a_path_only_the_kind_of_place_is_kept() {
        let known = |path: &str, origin: &str| place(path, origin, &['E']).known().copied();
        assert_eq!(known(r"file:_C:\Users\Hoà\Downloads\a.exe", "1"), Some(ThreatPlace::Download));
        assert_eq!(known(r"webfile:_C:\a.exe|http://x/a.exe|pid:1", ""), Some(ThreatPlace::Download));
        assert_eq!(known(r"containerfile:_\\?\e:\a.zip", ""), Some(ThreatPlace::Removable));
        assert_eq!(known(r"file:_Z:\a.exe", "2"), Some(ThreatPlace::Share));
        assert_eq!(known(r"file:_C:\a.exe", "1"), Some(ThreatPlace::Local));
        assert_eq!(known("", ""), None);
    }

    #[test]
    fn stops_are_listed_and_long_lists_are_cut() {
        let off = (0..150).map(|_| event(5001, "2026-11-20T01:00:00Z", &[])).collect();
        let stops = stops(&scene(off), &[]);
        let stops = stops.known().unwrap();
        assert_eq!((stops.items.len(), stops.left_out), (KEPT, 50));
        assert!(super::stops(&Scene::new(Arc::new(Recorded::new()), NOW.parse().unwrap()), &[]).known().is_none());
    }
}
