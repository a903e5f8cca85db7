//! Parses events from the XML that Windows renders: it holds numbers, names and values, never a message in the user's
//! language. Also builds the query for them.

use jiff::Timestamp;

use crate::windows::{Event, EventQuery};

/// Windows refuses queries with more than about twenty conditions.
const MOST_CONDITIONS: usize = 16;

/// The event log query (XPath) for the wanted events, of one provider or of all. If there are too many numbers it asks for all of
/// them, and the caller filters the result.
pub(in crate::windows) fn xpath(provider: Option<&str>, query: &EventQuery) -> String {
    let mut conditions = Vec::new();
    conditions.extend(provider.map(|provider| format!("Provider[@Name='{provider}']")));
    if query.ids.len() <= MOST_CONDITIONS {
        let ids: Vec<String> = query.ids.iter().map(|id| format!("EventID={id}")).collect();
        conditions.extend((!ids.is_empty()).then(|| format!("({})", ids.join(" or "))));
    }
    if let Ok(since) = Timestamp::from_millisecond(query.since) {
        conditions.push(format!("TimeCreated[@SystemTime>='{since:.3}']"));
    }
    if conditions.is_empty() { "*".to_owned() } else { format!("*[System[{}]]", conditions.join(" and ")) }
}

/// Parses one event; `None` when it has no number or no time.
///
/// The data is that of `EventData` (by its names, empty where there are none) or else the innermost elements of
/// `UserData`.
pub(in crate::windows) fn event(xml: &str) -> Option<Event> {
    let mut id = None;
    let mut at = None;
    let (mut level, mut record) = (0, 0);
    let mut data = Vec::new();
    // The open elements, and the one opened last.
    let mut open: Vec<&str> = Vec::new();
    let mut inner = None;
    for piece in pieces(xml) {
        match piece {
            Piece::Start { name, attributes, text, empty } => {
                if name == "TimeCreated" {
                    at = attribute(attributes, "SystemTime").and_then(|time| time.parse::<Timestamp>().ok());
                }
                let user = open.contains(&"UserData");
                if open.last() == Some(&"EventData") || user {
                    let key = attribute(attributes, "Name")
                        .unwrap_or_else(|| if user { name.to_owned() } else { String::new() });
                    inner = Some((key, unescaped(text)));
                }
                if name == "EventID" && open.last() == Some(&"System") {
                    id = text.trim().parse().ok();
                }
                if name == "Level" && open.last() == Some(&"System") {
                    level = text.trim().parse().unwrap_or_default();
                }
                if name == "EventRecordID" && open.last() == Some(&"System") {
                    record = text.trim().parse().unwrap_or_default();
                }
                if empty {
                    data.extend(inner.take());
                } else {
                    open.push(name);
                }
            }
            Piece::End => {
                open.pop();
                // Only the element opened last has a value: those around it contain elements.
                data.extend(inner.take());
            }
        }
    }
    Some(Event { id: id?, level, at: at?.as_millisecond(), record, data })
}

enum Piece<'a> {
    /// `<name attributes>text`, or `<name attributes/>`.
    Start { name: &'a str, attributes: &'a str, text: &'a str, empty: bool },
    /// `</name>`.
    End,
}

fn pieces(xml: &str) -> impl Iterator<Item = Piece<'_>> {
    xml.split('<').skip(1).filter_map(|piece| {
        let (tag, text) = piece.split_once('>')?;
        if tag.starts_with('/') {
            return Some(Piece::End);
        }
        if tag.starts_with(['?', '!']) {
            return None;
        }
        let empty = tag.ends_with('/');
        let tag = tag.trim_end_matches('/');
        let (name, attributes) = tag.split_once(char::is_whitespace).unwrap_or((tag, ""));
        Some(Piece::Start { name, attributes, text, empty })
    })
}

fn attribute(attributes: &str, name: &str) -> Option<String> {
    let mut rest = attributes;
    while let Some((before, after)) = rest.split_once('=') {
        let quote = after.trim_start().chars().next()?;
        let (value, later) = after.trim_start().get(1..)?.split_once(quote)?;
        if before.trim() == name {
            return Some(unescaped(value));
        }
        rest = later;
    }
    None
}

fn unescaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        plain.push_str(before);
        let known = after.split_once(';').and_then(|(entity, later)| Some((character(entity)?, later)));
        if let Some((character, later)) = known {
            plain.push(character);
            rest = later;
        } else {
            plain.push('&');
            rest = after;
        }
    }
    plain.push_str(rest);
    plain
}

fn character(entity: &str) -> Option<char> {
    match entity {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let number = entity.strip_prefix('#')?;
            let number = match number.strip_prefix(['x', 'X']) {
                Some(hexadecimal) => u32::from_str_radix(hexadecimal, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(number)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(event: &Event) -> Vec<(&str, &str)> {
        event.data.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }

    #[test]
    fn named_data_is_read_in_order() {
        let xml = "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System>\
            <Provider Name='Microsoft-Windows-Windows Defender' Guid='{11cd958a}'/><EventID>1116</EventID><Level>3</Level>\
            <TimeCreated SystemTime='2024-01-01T00:00:00.1234567Z'/><EventRecordID>917</EventRecordID><Security UserID='S-1-5-18'/></System>\
            <EventData><Data Name='Threat Name'>A &amp; B &lt;1&gt; &#273;</Data><Data Name='Path'></Data>\
            <Data Name=\"Severity ID\">5</Data><Data Name='Nothing'/></EventData></Event>";
        let event = event(xml).unwrap();
        assert_eq!((event.id, event.level, event.at, event.record), (1116, 3, 1_704_067_200_123, 917));
        assert_eq!(data(&event), [("Threat Name", "A & B <1> đ"), ("Path", ""), ("Severity ID", "5"), ("Nothing", "")]);
    }

    #[test]
    fn old_events_have_data_without_names_and_user_data_its_own_elements() {
        let old = event(
            "<Event><System><EventID Qualifiers='16384'>7036</EventID><TimeCreated SystemTime='2024-01-01T00:00:00Z'/>\
             </System><EventData><Data>Spooler</Data><Binary>00FF</Binary></EventData></Event>",
        );
        let old = old.unwrap();
        assert_eq!((old.id, old.level), (7036, 0));
        assert_eq!(data(&old), [("", "Spooler"), ("", "00FF")]);
        let cleared = event(
            "<Event><System><EventID>1102</EventID><TimeCreated SystemTime='2024-01-01T00:00:00Z'/></System>\
             <UserData><LogFileCleared xmlns='x'><SubjectUserName>an</SubjectUserName><Id>3</Id></LogFileCleared>\
             </UserData></Event>",
        );
        assert_eq!(data(&cleared.unwrap()), [("SubjectUserName", "an"), ("Id", "3")]);
    }

    #[test]
    fn what_is_no_event_is_none() {
        assert_eq!(event(""), None);
        assert_eq!(event("<Event><System><EventID>1</EventID></System></Event>"), None);
        assert_eq!(event("<Event><System><EventID>x</EventID><TimeCreated SystemTime='y'/></System></Event>"), None);
        assert_eq!(unescaped("a & b &unknown; &#xFFFFFFFF;"), "a & b &unknown; &#xFFFFFFFF;");
    }

    #[test]
    fn a_query_names_numbers_and_time() {
        let mut query = EventQuery { channel: "System".to_owned(), ids: vec![7, 8], since: 1_704_067_200_123, most: 5 };
        assert_eq!(
            xpath(None, &query),
            "*[System[(EventID=7 or EventID=8) and TimeCreated[@SystemTime>='2024-01-01T00:00:00.123Z']]]"
        );
        query.ids = vec![9];
        assert_eq!(
            xpath(Some("Sophos Anti-Virus"), &query),
            "*[System[Provider[@Name='Sophos Anti-Virus'] and (EventID=9) and \
             TimeCreated[@SystemTime>='2024-01-01T00:00:00.123Z']]]"
        );
        query.ids = (0..40).collect();
        assert_eq!(xpath(None, &query), "*[System[TimeCreated[@SystemTime>='2024-01-01T00:00:00.123Z']]]");
    }
}
