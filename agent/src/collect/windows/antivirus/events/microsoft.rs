//! What Defender found and when it was switched off, from its channel; Security Essentials, on Windows 7, wrote the same to the channel
//! `System`, without names: there the place of a datum tells what it is.
//!
//! 1006 and 1116 say that something was found, 1007 and 1117 what became of it, 1008 and 1118 that this failed; one finding has one
//! `Detection ID`. 5001, 5010 and 5012 say that real-time protection, the search for spyware and for viruses were switched off. Sources:
//! learn.microsoft.com, "Review event logs and error codes to troubleshoot issues with Microsoft Defender Antivirus"; for Essentials the
//! messages of its program (`MpEvMsg.dll`) and published events.

use std::collections::BTreeMap;

use jiff::Timestamp;
use policies::fact::{Detection, Fact, ThreatAction, ThreatPlace};

use super::super::defender::is_essentials;
use super::{MOST, Source, place};
use crate::collect::text::capped;
use crate::collect::windows::scene::Scene;
use crate::os::Answer;
use crate::os::windows::Event;

pub(super) const CHANNEL: &str = "Microsoft-Windows-Windows Defender/Operational";
/// Where Essentials writes, and as whom.
pub(super) const ESSENTIALS: (&str, &str) = ("System", "Microsoft Antimalware");
const FOUND: &[u32] = &[1006, 1007, 1008, 1116, 1117, 1118];
const FAILED: [u32; 2] = [1008, 1118];
const SWITCHED_OFF: &[u32] = &[5001, 5010, 5012];
/// The place of each datum among those without names.
const PLACES: [(usize, &str); 5] =
    [(2, "Detection ID"), (7, "Threat Name"), (21, "Path"), (22, "Origin ID"), (29, "Action ID")];

/// What was found.
pub(super) fn findings(scene: &Scene, drives: &[char]) -> Answer<Vec<Detection>> {
    Ok(together(&source(scene, FOUND).events(scene)?, drives))
}

/// When protection was switched off.
pub(super) fn stops(scene: &Scene) -> Answer<Vec<Timestamp>> {
    let events = source(scene, SWITCHED_OFF).events(scene)?;
    Ok(events.iter().filter_map(|event| Timestamp::from_millisecond(event.at).ok()).collect())
}

fn source(scene: &Scene, ids: &'static [u32]) -> Source {
    if is_essentials(scene) {
        Source { channel: ESSENTIALS.0, provider: Some(ESSENTIALS.1), ids, most: MOST }
    } else {
        Source { channel: CHANNEL, provider: None, ids, most: MOST }
    }
}

/// The findings that the events tell of, each once.
fn together(events: &[Event], removable: &[char]) -> Vec<Detection> {
    let mut findings: BTreeMap<String, Detection> = BTreeMap::new();
    // Oldest first: a finding comes before what became of it.
    for event in events.iter().rev() {
        let data = |name: &str| datum(event, name);
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
            place: place_of(data("Path"), data("Origin ID"), removable),
        });
        finding.at = finding.at.min(at);
        if matches!(finding.action, ThreatAction::Nothing | ThreatAction::Untold) && !FAILED.contains(&event.id) {
            finding.action = action;
        }
    }
    findings.into_values().collect()
}

/// The datum of this name, or at its place where none has a name; empty when there is none.
fn datum<'a>(event: &'a Event, name: &str) -> &'a str {
    let found = if event.data.iter().all(|(key, _)| key.is_empty()) {
        let at = PLACES.iter().find(|(_, named)| *named == name).map(|(at, _)| *at);
        // What does not begin as such events do has other things in these places.
        let same = event.data.get(2).is_some_and(|(_, id)| id.starts_with('{') && id.ends_with('}'));
        at.filter(|_| same).and_then(|at| event.data.get(at))
    } else {
        event.data.iter().find(|(key, _)| key.eq_ignore_ascii_case(name))
    };
    found.map(|(_, value)| value.as_str()).unwrap_or_default()
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
        "9" => ThreatAction::Nothing,
        "10" => ThreatAction::Blocked,
        _ => ThreatAction::Untold,
    }
}

/// The kind of place of the first of the paths, `file:_E:\a.exe; file:_...`.
fn place_of(paths: &str, origin: &str, removable: &[char]) -> Fact<ThreatPlace> {
    /// `Origin ID`: 2 network share, 3 Internet.
    const SHARE: &str = "2";
    const INTERNET: &str = "3";
    let first = paths.split(';').next().unwrap_or_default().trim();
    let (scheme, path) = first.split_once(":_").unwrap_or(("", first));
    let of_path = place::of(path, removable);
    match of_path {
        Fact::Known(ThreatPlace::Share | ThreatPlace::Removable) => of_path,
        _ if origin.trim() == SHARE => Fact::Known(ThreatPlace::Share),
        _ if scheme.eq_ignore_ascii_case("webfile") || origin.trim() == INTERNET => Fact::Known(ThreatPlace::Download),
        of_path => of_path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_it_came_from_tells_the_place_unless_the_path_says_more() {
        let known = |path: &str, origin: &str| place_of(path, origin, &['E']).known().copied();
        assert_eq!(known(r"file:_C:\Users\Hoà\Downloads\a.exe", "1"), Some(ThreatPlace::Download));
        assert_eq!(known(r"webfile:_C:\a.exe|http://x/a.exe|pid:1", ""), Some(ThreatPlace::Download));
        assert_eq!(known(r"containerfile:_\\?\e:\a.zip", "3"), Some(ThreatPlace::Removable));
        assert_eq!(known(r"file:_Z:\a.exe", "2"), Some(ThreatPlace::Share));
        assert_eq!(known(r"file:_C:\a.exe", "1"), Some(ThreatPlace::Local));
        assert_eq!(known("", ""), None);
    }
}
