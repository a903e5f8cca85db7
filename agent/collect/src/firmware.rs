//! Firmware table values, shared by all systems: the chassis type, and placeholder texts.

use policies::fact::{Chassis, Fact, Reason};

use super::text::capped;

/// Chassis of an SMBIOS code: SMBIOS 3.7, table 17 (system enclosure or chassis types).
pub(super) fn chassis_of(code: u16) -> Fact<Chassis> {
    match code {
        3..=7 | 13 | 15 | 16 | 24 | 34..=36 => Fact::Known(Chassis::Desktop),
        8..=11 | 14 | 30..=32 => Fact::Known(Chassis::Laptop),
        17 | 23 | 25 | 28 | 29 => Fact::Known(Chassis::Server),
        1 | 2 => Fact::unknown(Reason::SourceMissing, "the firmware does not say"),
        12 | 18..=22 | 26 | 27 | 33 | 37..=255 => Fact::Known(Chassis::Other),
        _ => Fact::unknown(Reason::Unreadable, format!("chassis type {code}")),
    }
}

/// Placeholders that makers leave in the firmware when they fill in nothing.
const FILLERS: [&str; 14] = [
    "to be filled by o.e.m.",
    "to be filled by o.e.m",
    "default string",
    "system manufacturer",
    "system product name",
    "system serial number",
    "system version",
    "chassis serial number",
    "not specified",
    "not applicable",
    "none",
    "o.e.m.",
    "oem",
    "n/a",
];

/// `None` for a placeholder: an empty field, one repeated character, or a known phrase.
pub(super) fn filled_in(text: &str) -> Option<String> {
    let text = capped(text);
    let first = text.chars().next()?;
    let filler = FILLERS.contains(&text.to_lowercase().as_str())
        || text.chars().all(|character| character == first)
        || text == "123456789"
        || text == "0123456789";
    (!filler).then_some(text)
}
