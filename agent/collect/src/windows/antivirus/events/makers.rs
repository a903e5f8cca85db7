//! Event log entries of other makers' products, as far as they can be read in every language: the event number shows that something was
//! found and when, the paths in it show where, and the threat's name is read where the maker's names have a distinct form. For other makers
//! no log is known (Bkav, CMC, Viettel, ESET, Bitdefender, Trend Micro, Avast, 360), or none with published numbers.
//!
//! Sources: published events (EvtxECmd's maps, Chainsaw's rules); Broadcom, "Endpoint Protection event log entries"; McAfee, KB52417.

use policies::fact::{AntivirusProduct, Detection, Fact, Maker, Reason, ThreatAction, ThreatPlace};

use jiff::Timestamp;

use super::{MOST, of_last_month, place};
use crate::text::capped;
use crate::windows::context::CheckContext;
use crate::windows::log::Log;
use os::windows::Event;
use os::{Answer, OsError};

/// The content of an event besides its time.
#[derive(Debug, PartialEq)]
struct Finding {
    threat: String,
    action: ThreatAction,
    place: Fact<ThreatPlace>,
}

/// A log in which a maker's products record findings.
struct Known {
    maker: Maker,
    log: Log<'static>,
    /// `None` for an event that reports no finding.
    read: fn(&Event, &[char]) -> Option<Finding>,
}

const fn known(
    maker: Maker,
    channel: &'static str,
    provider: Option<&'static str>,
    ids: &'static [u32],
    read: fn(&Event, &[char]) -> Option<Finding>,
) -> Known {
    Known { maker, log: Log { channel, provider, ids, most: MOST }, read }
}

const LOGS: &[Known] = &[
    // Endpoint Security's log has one of two names, depending on the version.
    known(Maker::Kaspersky, "Kaspersky Event Log", Some("avp"), &[302], kaspersky),
    known(Maker::Kaspersky, "Kaspersky Endpoint Security", Some("avp"), &[302], kaspersky),
    known(Maker::Symantec, "Symantec Endpoint Protection Client", None, &[51], symantec),
    known(Maker::Symantec, "Application", Some("Symantec AntiVirus"), &[51], symantec),
    known(Maker::Mcafee, "Application", Some("McAfee Endpoint Security"), &[3], mcafee),
    known(Maker::Mcafee, "Application", Some("Trellix Endpoint Security"), &[3], mcafee),
    known(Maker::Sophos, "Application", Some("Sophos Anti-Virus"), &[32], sophos),
    known(Maker::Sophos, "Application", Some("Sophos System Protection"), &[42], sophos),
    known(Maker::SentinelOne, "SentinelOne/Operational", None, &[31], sentinel_one),
];

/// The findings of the products that are not known to be off.
///
/// # Errors
/// When an existing log cannot be read.
pub(super) fn findings(
    context: &CheckContext,
    products: &[AntivirusProduct],
    drives: &[char],
) -> Answer<Vec<Detection>> {
    let works = |maker| products.iter().any(|product| product.maker == maker && product.running != Fact::Known(false));
    let mut found = Vec::new();
    for known in LOGS.iter().filter(|known| works(known.maker)) {
        let told = match of_last_month(context, &known.log) {
            Err(OsError::Missing(_)) => continue,
            answer => answer?,
        };
        found.extend(told.events.iter().filter_map(|event| {
            let Finding { threat, action, place } = (known.read)(event, drives)?;
            Some(Detection { at: Timestamp::from_millisecond(event.at).ok()?, threat, action, place })
        }));
    }
    Ok(found)
}

/// All data of an event as one text.
fn text(event: &Event) -> String {
    event.data.iter().map(|(_, value)| value.as_str()).collect::<Vec<_>>().join("\n")
}

/// Lines of a label in the product's language, a colon and a value. The last path is the object's: those of the program that
/// accessed it come before.
fn kaspersky(event: &Event, drives: &[char]) -> Option<Finding> {
    let text = text(event);
    let values = || text.lines().filter_map(|line| Some(line.split_once(':')?.1.trim()));
    Some(Finding {
        threat: values().find(|value| is_verdict(value)).map(capped).unwrap_or_default(),
        action: ThreatAction::NotStated,
        place: place::of(place::paths(&text).last().copied().unwrap_or_default(), drives),
    })
}

/// Kaspersky's names: `HEUR:Trojan-Downloader.MSOffice.Agent.gen`; behaviour, platform, family, variant.
fn is_verdict(value: &str) -> bool {
    const PLATFORMS: [&str; 32] = [
        "acrobat",
        "androidos",
        "autoit",
        "bat",
        "boot",
        "dos",
        "html",
        "java",
        "js",
        "linux",
        "msexcel",
        "msil",
        "msoffice",
        "msppoint",
        "msword",
        "multi",
        "nsis",
        "ole2",
        "osx",
        "pdf",
        "php",
        "powershell",
        "python",
        "rtf",
        "script",
        "swf",
        "vbs",
        "win16",
        "win32",
        "win64",
        "winlnk",
        "winreg",
    ];
    let plain = |part: &str| {
        !part.is_empty() && part.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_".contains(letter))
    };
    let (before, name) = value.rsplit_once(':').unwrap_or(("", value));
    let parts: Vec<&str> = name.split('.').collect();
    value == "EICAR-Test-File"
        || before.split(':').all(|part| part.is_empty() || plain(part))
            && parts.len() >= 3
            && parts.iter().all(|part| plain(part))
            && PLATFORMS.contains(&parts[1].to_ascii_lowercase().as_str())
}

/// A sentence in the product's language.
fn symantec(event: &Event, drives: &[char]) -> Option<Finding> {
    let text = text(event);
    let place = place::of(place::paths(&text).first().copied().unwrap_or_default(), drives);
    Some(Finding { threat: String::new(), action: ThreatAction::NotStated, place })
}

/// `EventID=1027` and a sentence in the product's language, with the path of the accessing program and that of the object in an order
/// that depends on the language.
fn mcafee(event: &Event, drives: &[char]) -> Option<Finding> {
    let text = text(event);
    let number = text.trim_start().strip_prefix("EventID=")?;
    let number = number.split(|letter: char| !letter.is_ascii_digit()).next()?.parse::<u32>().ok()?;
    let action = match number {
        1025 | 1060 => ThreatAction::Cleaned,
        1027 | 1028 | 1054 | 1101 => ThreatAction::Removed,
        1032 | 1056 | 1102 => ThreatAction::Quarantined,
        1024 | 1026 | 1037 | 1091 => ThreatAction::Blocked,
        1061 | 1103 => ThreatAction::Nothing,
        // Found by heuristics, removed at the next start, removed once nothing uses it.
        1053 | 1055 | 1100 | 1104 | 1428 => ThreatAction::NotStated,
        _ => return None,
    };
    // Its own names have a part after an exclamation mark: `Artemis!5FE4EA367CEE`.
    let is_name = |word: &&str| {
        let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./!".contains(letter);
        word.chars().all(plain) && word.split_once('!').is_some_and(|(name, part)| !name.is_empty() && !part.is_empty())
    };
    let threat = text.split_whitespace().map(|word| word.trim_end_matches(['.', ','])).find(is_name);
    let mut places = place::paths(&text).into_iter().map(|path| place::of(path, drives));
    let place = match places.next() {
        None => place::of("", drives),
        Some(first) if places.all(|place| place == first) => first,
        Some(_) => Fact::unknown(Reason::Unreadable, "the event names several places"),
    };
    Some(Finding { threat: threat.map(capped).unwrap_or_default(), action, place })
}

/// Kind of object, its path, the threat, and more that is not needed.
fn sophos(event: &Event, drives: &[char]) -> Option<Finding> {
    let datum = |at: usize| event.data.get(at).map_or("", |(_, value)| value.trim());
    let place = place::of(datum(1), drives);
    // If the path is not in its place, neither is the name.
    let threat = if place.known().is_some() { capped(datum(2)) } else { String::new() };
    Some(Finding { threat, action: ThreatAction::NotStated, place })
}

/// Named data; the name in it is the program's.
fn sentinel_one(event: &Event, drives: &[char]) -> Option<Finding> {
    let path = event.data.iter().find(|(name, _)| name == "Path").map_or("", |(_, value)| value.trim());
    Some(Finding { threat: String::new(), action: ThreatAction::NotStated, place: place::of(path, drives) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(data: &[&str]) -> Event {
        Event {
            id: 1,
            level: 0,
            at: 0,
            record: 0,
            data: data.iter().map(|&value| (String::new(), value.to_owned())).collect(),
        }
    }

    fn told(
        read: fn(&Event, &[char]) -> Option<Finding>,
        data: &[&str],
    ) -> Option<(String, ThreatAction, Option<ThreatPlace>)> {
        read(&event(data), &['E']).map(|told| (told.threat, told.action, told.place.known().copied()))
    }

    fn found(
        threat: &str,
        action: ThreatAction,
        place: Option<ThreatPlace>,
    ) -> Option<(String, ThreatAction, Option<ThreatPlace>)> {
        Some((threat.to_owned(), action, place))
    }

    #[test]
    fn kasperskys_lines_are_read_by_their_values() {
        let lines = "Event type: Malicious object detected\nUser: XA\\hoa (Initiator)\nComponent: Virus Scan\nType: Trojan\n\
            Name: Packed.Win32.Dico.gen\nPath to object: C:\\Users\\hoa\\Downloads\\a.zip//x/Help\nObject name: Help.Win32.exe";
        let expected = found("Packed.Win32.Dico.gen", ThreatAction::NotStated, Some(ThreatPlace::Download));
        assert_eq!(told(kaspersky, &[lines]), expected);
        let older = "Loại sự kiện: Phát hiện đối tượng độc hại\nỨng dụng\\Đường dẫn: C:\\Windows\\\n\
            Kết quả\\Tên:     HEUR:Trojan.Script.Generic\nĐối tượng\\Đường dẫn: E:\\Danh sách\\\nLý do: x";
        let expected = found("HEUR:Trojan.Script.Generic", ThreatAction::NotStated, Some(ThreatPlace::Removable));
        assert_eq!(told(kaspersky, &[older]), expected);
        assert_eq!(told(kaspersky, &["::::\n.."]), found("", ThreatAction::NotStated, None));
        assert_eq!(told(kaspersky, &[]), found("", ThreatAction::NotStated, None));
        for name in ["EICAR-Test-File", "not-a-virus:RiskTool.Win64.BitMiner.a", "Trojan.Multi.GenAutorunReg.a"] {
            assert!(is_verdict(name), "{name}");
        }
        for other in
            ["www.xa.gov.vn", "21.11.2026 10:00:00", "PowerDVD_Help.exe", "Trojan", "Trojan..Win32", "Mã độc.Win32.a"]
        {
            assert!(!is_verdict(other), "{other}");
        }
    }

    #[test]
    fn of_symantecs_sentence_only_the_place_is_read() {
        let sentence =
            "\nSecurity Risk Found! Hacktool.XYZ in File: E:\\a.exe by: Auto-Protect scan.  Action: Delete failed.";
        assert_eq!(told(symantec, &[sentence]), found("", ThreatAction::NotStated, Some(ThreatPlace::Removable)));
        assert_eq!(told(symantec, &["???"]), found("", ThreatAction::NotStated, None));
    }

    #[test]
    fn mcafees_own_number_tells_what_became_of_it() {
        let deleted = "EventID=1027\n\nXA-01\\hoa ran C:\\Program Files\\7-Zip\\7zG.exe, which attempted to access \
            C:\\Temp\\1.exe. The Trojan named Artemis!5FE4EA367CEE was detected and deleted.";
        let expected = found("Artemis!5FE4EA367CEE", ThreatAction::Removed, Some(ThreatPlace::Local));
        assert_eq!(told(mcafee, &[deleted]), expected);
        let two = "EventID=1025\r\n\r\nC:\\Windows\\explorer.exe E:\\x.exe Packed-GDT!EA62D92F33DA.";
        assert_eq!(told(mcafee, &[two]), found("Packed-GDT!EA62D92F33DA", ThreatAction::Cleaned, None));
        // Updates and rules, and events of other kinds.
        for other in ["EventID=1118\n\nx", "EventID=1092", "EventID=", "EventID=99999999999", "Cập nhật", ""] {
            assert_eq!(told(mcafee, &[other]), None, "{other}");
        }
    }

    #[test]
    fn sophos_and_sentinel_one_have_places_and_names_for_their_data() {
        let data = ["File", r"\\may-chu\chung\hoá đơn.doc", "Troj/DocDl-VWM", "-1", "VEA", "Đã chặn.", "539295806"];
        assert_eq!(told(sophos, &data), found("Troj/DocDl-VWM", ThreatAction::NotStated, Some(ThreatPlace::Share)));
        assert_eq!(told(sophos, &["File, C:\\a.exe, Troj/x"]), found("", ThreatAction::NotStated, None));
        let named =
            Event { data: vec![("Path".to_owned(), r"\Device\HarddiskVolume2\a.exe".to_owned())], ..event(&[]) };
        assert_eq!(sentinel_one(&named, &[]).map(|told| told.place.known().copied()), Some(None));
    }
}
