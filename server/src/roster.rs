//! Matching roster lines to enrolled machines. A serial number that an office typed and the firmware reports is proof enough to link the
//! two; a hardware address or a name is only a proposal: adapters move between machines, and names are a machine's own claim. Owns no
//! SQL.

use std::collections::BTreeSet;

use policies::fact::{Facts, InterfaceKind};
use serde::Serialize;
use unicode_normalization::UnicodeNormalization;

use crate::store::machine::{Machine, MachineStatus, Role};
use crate::store::roster::RosterLine;
use crate::store::{Scope, StoreResult, Tx};

/// Longest serial number that is compared, in characters.
const SERIAL_MOST: usize = 64;
/// Shortest serial number that identifies anything.
const SERIAL_LEAST: usize = 4;
/// What makers leave in the firmware in place of a number; compared with letters and digits only. Fillers without any digit need no entry.
const FILLERS: [&str; 10] = [
    "FILLEDBY",
    "DEFAULT",
    "INVALID",
    "SERIALNUM",
    "SERNUM",
    "NOTSPECIFIED",
    "NOTAPPLICABLE",
    "NOTAVAILABLE",
    "UNKNOWN",
    "UNDEFINED",
];

/// A serial number as it is compared: letters and digits, upper case. `None` for what identifies nothing: too short, without a digit,
/// one character repeated, characters in sequence (`1234567890`), or a maker's filler (`Default string`, `To be filled by O.E.M.`).
pub fn serial_key(text: &str) -> Option<String> {
    let key: String =
        text.chars().filter(|sign| sign.is_alphanumeric()).flat_map(char::to_uppercase).take(SERIAL_MOST).collect();
    let significant = key.trim_start_matches('0');
    let signs: Vec<char> = significant.chars().collect();
    let follows = |pair: &[char]| match (pair[0], pair[1]) {
        ('9', '0' | 'A') => true,
        (one, next) => u32::from(one) + 1 == u32::from(next),
    };
    let filler = signs.len() < SERIAL_LEAST
        || !signs.iter().any(char::is_ascii_digit)
        || signs.windows(2).all(|pair| pair[0] == pair[1])
        || signs.windows(2).all(follows)
        || FILLERS.iter().any(|filler| key.contains(filler));
    (!filler).then_some(key)
}

/// A hardware address as it is compared: lower case with colons. `None` for anything that is not the address of one adapter.
pub fn mac_key(text: &str) -> Option<String> {
    let digits: Vec<char> = text.chars().filter(|sign| !matches!(sign, ':' | '-' | '.' | ' ')).collect();
    if digits.len() != 12 || !digits.iter().all(char::is_ascii_hexdigit) {
        return None;
    }
    let pairs: Vec<String> = digits.chunks(2).map(|pair| pair.iter().collect::<String>().to_lowercase()).collect();
    let group = u8::from_str_radix(&pairs[0], 16).is_ok_and(|first| first & 1 == 1);
    (!group && pairs.iter().any(|pair| pair != "00")).then(|| pairs.join(":"))
}

/// Text normalised for comparison: case, spaces, punctuation and the way diacritics were typed do not matter.
pub fn plain(text: &str) -> String {
    let text: String = text.nfc().collect();
    let words: Vec<&str> = text.split(|sign: char| !sign.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    words.join(" ").to_lowercase()
}

/// True when one of a machine's `words` (its name, or what was typed at it) means the line: its label, its room with its person, or its
/// person.
fn is_named(line: &RosterLine, words: [&str; 2]) -> bool {
    let wanted = words.map(plain);
    let known = [plain(&line.label), plain(&format!("{} {}", line.room, line.person)), plain(&line.person)];
    known.iter().any(|known| !known.is_empty() && wanted.contains(known))
}

/// The one line of `office` that a machine which just enrolled matches by one of its `words` (its name, or what was typed at it): the
/// line's label, its room with its person, or its person; of the same role and without a machine. `None` when none or more than one
/// matches.
///
/// # Errors
/// When the database fails.
pub async fn line_match(
    tx: &mut Tx,
    scope: &Scope,
    office: &str,
    words: [&str; 2],
    role: Role,
) -> StoreResult<Option<RosterLine>> {
    let mut matching = tx.roster_line_list(scope, office).await?;
    matching.retain(|line| line.machine.is_none() && line.role == role && is_named(line, words));
    Ok(if matching.len() == 1 { matching.pop() } else { None })
}

/// Every machine of an office, revoked ones included, with what identifies it.
///
/// # Errors
/// When the database fails.
pub async fn known_list(tx: &mut Tx, scope: &Scope, office: &str) -> StoreResult<Vec<Known>> {
    let machines: Vec<Machine> =
        tx.machine_list(scope, office).await?.into_iter().map(|listed| listed.machine).collect();
    let ids: Vec<String> = machines.iter().map(|machine| machine.id.clone()).collect();
    let facts = tx.facts_of_hardware(&ids).await?;
    let known = |machine: Machine| {
        let facts = facts.get(&machine.id);
        Known::new(machine, facts)
    };
    Ok(machines.into_iter().map(known).collect())
}

/// A machine of an office with what identifies it.
#[derive(Clone, Debug)]
pub struct Known {
    /// The machine.
    pub machine: Machine,
    /// Serial number, as it is compared.
    pub serial: Option<String>,
    /// Addresses of its adapters, as they are compared.
    pub macs: BTreeSet<String>,
}

impl Known {
    /// The machine with the identifiers in its facts; `facts` is `None` when it never reported.
    pub fn new(machine: Machine, facts: Option<&Facts>) -> Self {
        let serial = facts.and_then(|facts| facts.system.serial.known()).and_then(|serial| serial_key(serial));
        let interfaces = facts.and_then(|facts| facts.lan.interfaces.known()).map(|list| list.items.as_slice());
        let macs = interfaces
            .unwrap_or_default()
            .iter()
            .filter(|interface| matches!(interface.kind, InterfaceKind::Wired | InterfaceKind::Wireless))
            .filter_map(|interface| mac_key(interface.mac.known()?))
            .collect();
        Self { machine, serial, macs }
    }

    fn is_live(&self) -> bool {
        self.machine.status != MachineStatus::Revoked
    }
}

/// Why a machine may belong to a line, strongest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MatchReason {
    /// The same serial number.
    Serial,
    /// The same hardware address.
    Mac,
    /// The same name, or room and person.
    Name,
}

impl MatchReason {
    /// Its key in the pages' catalogue.
    pub fn word(self) -> &'static str {
        match self {
            Self::Serial => "serial",
            Self::Mac => "mac",
            Self::Name => "name",
        }
    }
}

/// A line and an enrolled machine without a line that may be the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Proposal {
    /// Id of the line.
    pub line: String,
    /// Its label.
    pub label: String,
    /// Id of the machine.
    pub machine: String,
    /// The name it gives itself: hostile text.
    pub name: String,
    /// The reasons for it.
    pub why: Vec<MatchReason>,
    /// The machine that has the line now and would be revoked: a reinstalled one has a new id.
    pub replaces: Option<String>,
}

/// The machine of a line, or its last one.
fn former<'k>(line: &RosterLine, machines: &'k [Known]) -> Option<&'k Known> {
    let of_line = |known: &&Known| match &line.machine {
        Some(machine) => known.machine.id == *machine,
        None => known.machine.line.as_deref() == Some(&line.id),
    };
    machines.iter().filter(of_line).max_by_key(|known| known.machine.enrolled_at)
}

/// The machines without a line that are not revoked.
fn free<'k>(lines: &[RosterLine], machines: &'k [Known]) -> Vec<&'k Known> {
    let taken: BTreeSet<&str> = lines.iter().filter_map(|line| line.machine.as_deref()).collect();
    machines.iter().filter(|known| known.is_live() && !taken.contains(known.machine.id.as_str())).collect()
}

/// What a person should look at: every pair of a line of an office and a machine without a line that may be the same, in the order of lines.
pub fn propose(lines: &[RosterLine], machines: &[Known]) -> Vec<Proposal> {
    let free = free(lines, machines);
    let mut proposals = Vec::new();
    for line in lines {
        let before = former(line, machines);
        for known in &free {
            let machine = &known.machine;
            let later = before.is_none_or(|before| before.machine.enrolled_at <= machine.enrolled_at);
            let why = why(line, before, known);
            // Another role is proposed only when the machine is surely the same: linking then tells the person what to correct.
            let fits = machine.role == line.role || why.contains(&MatchReason::Serial);
            if !later || !fits || why.is_empty() {
                continue;
            }
            proposals.push(Proposal {
                line: line.id.clone(),
                label: line.label.clone(),
                machine: machine.id.clone(),
                name: machine.name.clone(),
                why,
                replaces: line.machine.clone(),
            });
        }
    }
    proposals
}

fn why(line: &RosterLine, before: Option<&Known>, known: &Known) -> Vec<MatchReason> {
    let typed = Some(&line.serial).filter(|serial| !serial.is_empty());
    let said = typed.or_else(|| before.and_then(|before| before.serial.as_ref()));
    let mut why = Vec::new();
    if let Some(serial) = &known.serial {
        if said == Some(serial) || serial_key(&line.label).as_ref() == Some(serial) {
            why.push(MatchReason::Serial);
        } else if said.is_some() {
            // Two numbers that are known and differ, so it is another machine whatever its name.
            return why;
        }
    }
    let before_macs = before.map(|before| &before.macs);
    if known.macs.contains(&line.mac) || before_macs.is_some_and(|macs| !macs.is_disjoint(&known.macs)) {
        why.push(MatchReason::Mac);
    }
    let machine = &known.machine;
    let same_name = before.is_some_and(|before| plain(&before.machine.name) == plain(&machine.name));
    if is_named(line, [&machine.name, &machine.place]) || same_name {
        why.push(MatchReason::Name);
    }
    why
}

/// The pairs that need no review: lines without a machine, and machines without a line of the same role, whose serial number nobody else in
/// the office has.
pub fn certain<'k>(lines: &[RosterLine], machines: &'k [Known]) -> Vec<(RosterLine, &'k Known)> {
    let free = free(lines, machines);
    let serial = |line: &RosterLine| match line.serial.as_str() {
        "" => former(line, machines).and_then(|before| before.serial.clone()),
        serial => Some(serial.to_owned()),
    };
    let wanted: Vec<(&RosterLine, String)> =
        lines.iter().filter(|line| line.machine.is_none()).filter_map(|line| Some((line, serial(line)?))).collect();
    let alone = |serial: &str| {
        wanted.iter().filter(|(_, other)| other == serial).count() == 1
            && machines.iter().filter(|known| known.is_live() && known.serial.as_deref() == Some(serial)).count() == 1
    };
    wanted
        .iter()
        .filter(|(_, serial)| alone(serial))
        .filter_map(|(line, serial)| {
            let found =
                free.iter().find(|known| known.serial.as_ref() == Some(serial) && known.machine.role == line.role)?;
            Some(((*line).clone(), *found))
        })
        .collect()
}

#[cfg(test)]
mod tests;
