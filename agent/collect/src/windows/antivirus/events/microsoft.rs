//! What Defender found and when it was switched off, from its channel. Security Essentials, on Windows 7, wrote the same to the channel
//! `System`, without data names: there the position of a datum shows what it is.
//!
//! 1006 and 1116 report a finding, 1007 and 1117 what was done about it, 1008, 1118 and 1119 that this failed; one finding has one
//! `Detection ID`. An action is logged when it was tried: its status and error show whether it succeeded. 5001, 5010 and 5012 report that
//! real-time protection, spyware scanning and virus scanning were switched off. Sources: learn.microsoft.com, "Review event logs and error
//! codes to troubleshoot issues with Microsoft Defender Antivirus", "MSFT_MpThreatDetection" (`ThreatStatusID`); for Essentials the
//! messages of its program (`MpEvMsg.dll`) and published events.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use policies::fact::{Detection, Fact, ThreatAction, ThreatPlace};

use super::super::defender::is_essentials;
use super::{Found, MOST, of_last_month, place};
use crate::text::capped;
use crate::windows::context::CheckContext;
use crate::windows::log::Log;
use os::Answer;
use os::windows::Event;

pub(super) const CHANNEL: &str = "Microsoft-Windows-Windows Defender/Operational";
/// The channel and provider of Essentials.
pub(super) const ESSENTIALS: (&str, &str) = ("System", "Microsoft Antimalware");
const FINDINGS: &[u32] = &[1006, 1007, 1008, 1116, 1117, 1118, 1119];
const FOUND: [u32; 2] = [1006, 1116];
const FAILED: [u32; 3] = [1008, 1118, 1119];
const SWITCHED_OFF: &[u32] = &[5001, 5010, 5012];
/// The position of each datum in events without names.
const PLACES: [(usize, &str); 7] = [
    (2, "Detection ID"),
    (7, "Threat Name"),
    (13, "Status Code"),
    (21, "Path"),
    (22, "Origin ID"),
    (29, "Action ID"),
    (32, "Error Code"),
];
/// A report about the same finding within this time after an action is not a new finding.
const AGAIN: SignedDuration = SignedDuration::from_mins(1);

/// The findings.
pub(super) fn findings(context: &CheckContext, drives: &[char]) -> Answer<Found<Detection>> {
    let told = of_last_month(context, &log(context, FINDINGS))?;
    Ok(Found { items: together(&told.events, drives), whole: told.whole })
}

/// When protection was switched off.
pub(super) fn stops(context: &CheckContext) -> Answer<Found<Timestamp>> {
    let told = of_last_month(context, &log(context, SWITCHED_OFF))?;
    let times = told.events.iter().filter_map(|event| Timestamp::from_millisecond(event.at).ok());
    Ok(Found { items: times.collect(), whole: told.whole })
}

fn log(context: &CheckContext, ids: &'static [u32]) -> Log<'static> {
    if is_essentials(context) {
        Log { channel: ESSENTIALS.0, provider: Some(ESSENTIALS.1), ids, most: MOST }
    } else {
        Log { channel: CHANNEL, provider: None, ids, most: MOST }
    }
}

/// The findings in the events, each once, with the latest report of what was done.
fn together(events: &[Event], removable: &[char]) -> Vec<Detection> {
    let mut findings: BTreeMap<String, (Detection, Timestamp)> = BTreeMap::new();
    // In the order of writing: a finding comes before what was done about it.
    for event in events.iter().rev() {
        let data = |name: &str| datum(event, name);
        let Ok(at) = Timestamp::from_millisecond(event.at) else { continue };
        // An event without an id is a separate finding.
        let id = match data("Detection ID") {
            "" => format!("{} {} {}", event.at, event.record, event.id),
            id => id.to_owned(),
        };
        let action = action(event);
        let (finding, last) = findings.entry(id).or_insert_with(|| {
            let place = place_of(data("Path"), data("Origin ID"), removable);
            (Detection { at, threat: capped(data("Threat Name")), action, place }, at)
        });
        finding.at = finding.at.min(at);
        if !FOUND.contains(&event.id) {
            (finding.action, *last) = (action, at);
        } else if last.duration_until(at) > AGAIN {
            // It was reported as handled and has come back.
            (finding.action, *last) = (ThreatAction::Nothing, at);
        }
    }
    findings.into_values().map(|(finding, _)| finding).collect()
}

/// The datum of this name, or at its position where none has a name; empty when missing.
fn datum<'a>(event: &'a Event, name: &str) -> &'a str {
    let found = if event.data.iter().all(|(key, _)| key.is_empty()) {
        let at = PLACES.iter().find(|(_, named)| *named == name).map(|(at, _)| *at);
        // If it does not begin as such events do, these positions hold other things.
        let same = event.data.get(2).is_some_and(|(_, id)| id.starts_with('{') && id.ends_with('}'));
        at.filter(|_| same).and_then(|at| event.data.get(at))
    } else {
        event.data.iter().find(|(key, _)| key.eq_ignore_ascii_case(name))
    };
    found.map(|(_, value)| value.as_str()).unwrap_or_default()
}

/// What this event says was done about the threat: the action tried, if it succeeded.
fn action(event: &Event) -> ThreatAction {
    if FAILED.contains(&event.id) {
        return ThreatAction::Nothing;
    }
    let tried = match datum(event, "Action ID").trim() {
        "1" => ThreatAction::Cleaned,
        "2" => ThreatAction::Quarantined,
        "3" => ThreatAction::Removed,
        "6" => ThreatAction::Allowed,
        "9" => ThreatAction::Nothing,
        "10" => ThreatAction::Blocked,
        _ => ThreatAction::NotStated,
    };
    match (failed(datum(event, "Status Code"), 100), failed(datum(event, "Error Code"), 1)) {
        (Some(true), _) | (_, Some(true)) => ThreatAction::Nothing,
        (Some(false), Some(false)) => tried,
        // Doing nothing is not a success that missing data could hide.
        _ if tried == ThreatAction::Nothing => tried,
        _ => ThreatAction::NotStated,
    }
}

/// True for a code of at least `from`: statuses from 102 on mean that an action failed or was abandoned; any error but 0 (`0x80508023`)
/// is a failure. An empty code is not a failure; `None` for what is not a code.
fn failed(code: &str, from: u32) -> Option<bool> {
    let code = code.trim();
    let number = match code.strip_prefix("0x").or_else(|| code.strip_prefix("0X")) {
        _ if code.is_empty() => return Some(false),
        Some(hexadecimal) => u32::from_str_radix(hexadecimal, 16).ok()?,
        // Some write an error as a signed number.
        None => code.parse::<i64>().ok()?.unsigned_abs().try_into().ok()?,
    };
    Some(number >= from)
}

/// The kind of place of the first object that has one, `file:_E:\a.exe; process:_pid:12,ProcessStart:13; behavior:_process: C:\b.exe`.
fn place_of(objects: &str, origin: &str, removable: &[char]) -> Fact<ThreatPlace> {
    /// `Origin ID`: 2 network share, 3 Internet.
    const SHARE: &str = "2";
    const INTERNET: &str = "3";
    let mut places = objects.split(';').map(|object| place_of_one(object.trim(), removable));
    let first = places.next().unwrap_or_else(|| (false, place::of("", removable)));
    let (from_internet, of_path) = if first.1.known().is_some() {
        first
    } else {
        places.find(|(_, place)| place.known().is_some()).unwrap_or(first)
    };
    match of_path {
        Fact::Known(ThreatPlace::Share | ThreatPlace::Removable) => of_path,
        _ if origin.trim() == SHARE => Fact::Known(ThreatPlace::Share),
        _ if from_internet || origin.trim() == INTERNET => Fact::Known(ThreatPlace::Download),
        of_path => of_path,
    }
}

/// Where one object is, and whether it was downloaded from the Internet.
fn place_of_one(object: &str, removable: &[char]) -> (bool, Fact<ThreatPlace>) {
    let (scheme, path) = object.split_once(":_").unwrap_or(("", object));
    let of_path = match place::of(path, removable) {
        Fact::Known(place) => Fact::Known(place),
        // The path of a behaviour's process comes after words.
        none => place::paths(path).first().map_or(none, |path| place::of(path, removable)),
    };
    (scheme.eq_ignore_ascii_case("webfile"), of_path)
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

    #[test]
    fn objects_that_are_no_files_have_the_place_of_their_program_or_of_the_next_object() {
        let known = |path: &str| place_of(path, "", &['E']).known().copied();
        let command = r"CmdLine:_C:\Windows\System32\cmd.exe /c del x";
        assert_eq!(known(command), Some(ThreatPlace::Local));
        assert_eq!(known(r"CmdLine:_E:\Hồ sơ\chay.exe -s"), Some(ThreatPlace::Removable));
        let behaviour = r"behavior:_process: C:\Users\Hoà\AppData\Local\Temp\a.exe, pid:7712:8819; process:_pid:7712,ProcessStart:133";
        assert_eq!(known(behaviour), Some(ThreatPlace::Local));
        assert_eq!(known(r"process:_pid:7712,ProcessStart:133;file:_E:\a.exe"), Some(ThreatPlace::Removable));
        assert_eq!(known(r"containerfile:_E:\a.zip;file:_E:\a.zip->b.exe"), Some(ThreatPlace::Removable));
        assert_eq!(known(r"regkey:_HKLM\SOFTWARE\x; process:_pid:7"), None);
    }

    #[test]
    fn a_status_or_an_error_says_that_an_action_failed() {
        for (status, error, expected) in [
            ("3", "0x00000000", ThreatAction::Quarantined),
            ("", "", ThreatAction::Quarantined),
            ("103", "0x80508023", ThreatAction::Nothing),
            ("103", "0x00000000", ThreatAction::Nothing),
            ("106", "", ThreatAction::Nothing),
            ("3", "0x80508014", ThreatAction::Nothing),
            ("", "-2142207965", ThreatAction::Nothing),
            ("ba", "0x0", ThreatAction::NotStated),
            ("3", "0xKHONG", ThreatAction::NotStated),
        ] {
            let data = [("Action ID", "2"), ("Status Code", status), ("Error Code", error)];
            let data = data.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
            for id in [1007, 1117] {
                let event = Event { id, level: 0, at: 0, record: 0, data: data.clone() };
                assert_eq!(action(&event), expected, "{status} {error}");
            }
        }
    }
}
