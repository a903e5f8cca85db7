//! Recording which machines an office has, and declaring the list complete.

pub mod link;
pub mod refusal;
pub mod state;

use std::collections::BTreeSet;

pub use self::refusal::{Refusal, RosterError};
use super::By;
use crate::audit::Action;
use crate::roster::{mac_key, plain, serial_key};
use crate::store::machine::Role;
use crate::store::outbox::{EventKind, NewEvent};
use crate::store::roster::{Roster, RosterLine, RosterState};
use crate::store::{Db, Tx, new_id};

/// A machine to put on a roster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewLine {
    /// What the office calls it; a machine that enrols under this name finds its line.
    pub label: String,
    /// Where it stands; may be empty.
    pub room: String,
    /// The person who uses it; may be empty.
    pub person: String,
    /// Workstation or server.
    pub role: Role,
    /// Serial number; may be empty, and a maker's filler counts as empty.
    pub serial: String,
    /// Hardware address; may be empty.
    pub mac: String,
}

#[cfg(test)]
impl NewLine {
    /// A workstation of which only the name is known.
    pub(crate) fn named(label: &str) -> Self {
        let (room, person, serial, mac) = Default::default();
        Self { label: label.to_owned(), room, person, role: Role::Workstation, serial, mac }
    }
}

/// The outcome of importing a roster file.
#[derive(Debug, Default)]
pub struct Imported {
    /// New ones.
    pub added: Vec<RosterLine>,
    /// How many were already on the roster, identical.
    pub known: usize,
    /// How many were there without the serial number or address that the file has.
    pub completed: usize,
}

/// Adds lines to the roster of `office`, all or none. A line whose serial number matches an enrolled machine is linked to it at once.
///
/// # Errors
/// The office is not within scope, or a line with the same name, serial number or address exists, or twice in `lines`.
pub async fn roster_add(db: &Db, by: &By, office: &str, lines: &[NewLine]) -> Result<Vec<RosterLine>, RosterError> {
    let mut tx = db.write().await?;
    let there = roster_held(&mut tx, by, office).await?;
    let lines = read(by, office, lines)?;
    for line in &lines {
        if there.iter().any(|other| is_same_label(other, line)) {
            return Err(Refusal::LabelTaken(line.label.clone()).into());
        }
    }
    let added = insert(&mut tx, by, &there, lines).await?;
    conclude(tx, by, office, added).await
}

/// Adds the lines of a file: lines already on the roster change nothing, so importing a file twice is the same as once.
///
/// # Errors
/// As [`roster_add`]; or a line of the same name says something else.
pub async fn roster_import(db: &Db, by: &By, office: &str, lines: &[NewLine]) -> Result<Imported, RosterError> {
    let mut tx = db.write().await?;
    let there = roster_held(&mut tx, by, office).await?;
    let mut imported = Imported::default();
    let (mut new, mut touched) = (Vec::new(), Vec::new());
    for line in read(by, office, lines)? {
        let mut same = there.iter().filter(|other| is_same_label(other, &line));
        let (Some(known), None) = (same.next(), same.next()) else {
            new.push(line);
            continue;
        };
        if !is_compatible(known, &line) {
            return Err(Refusal::Different(line.label).into());
        }
        let (serial, mac) = (either(&known.serial, &line.serial), either(&known.mac, &line.mac));
        if (serial, mac) == (known.serial.as_str(), known.mac.as_str()) {
            imported.known += 1;
            continue;
        }
        let known = RosterLine { serial: serial.to_owned(), mac: mac.to_owned(), ..known.clone() };
        marks_check(&mut tx, &there, &known).await?;
        tx.roster_line_marks_set(&by.scope, &known.id, &known.serial, &known.mac).await?;
        let change = by.change(Action::RosterChanged, Some(office), subject(&known));
        tx.audit_append(by.at, &change.with("serial", &known.serial).with("mac", &known.mac)).await?;
        imported.completed += 1;
        touched.push(known);
    }
    if new.iter().any(|line| there.iter().any(|other| is_same_label(other, line))) {
        // Two existing lines share a name: it is unknown which one the file means.
        let labels: Vec<&str> = new.iter().map(|line| line.label.as_str()).collect();
        return Err(Refusal::LabelTaken(labels.join(", ")).into());
    }
    let added = insert(&mut tx, by, &there, new).await?;
    let count = added.len();
    touched.splice(0..0, added);
    let mut lines = conclude(tx, by, office, touched).await?;
    lines.truncate(count);
    imported.added = lines;
    Ok(imported)
}

/// Takes a line off the roster. Its machine, if it has one, stays enrolled and counts without a line.
///
/// # Errors
/// The office is not within scope, or there is not exactly one line of that name.
pub async fn roster_remove(db: &Db, by: &By, office: &str, line: &str) -> Result<RosterLine, RosterError> {
    let mut tx = db.write().await?;
    let line = line_find(&mut tx, by, office, line).await?;
    tx.roster_line_remove(&by.scope, &line.id, by.at).await?;
    let mut change = by.change(Action::RosterRemoved, Some(office), subject(&line));
    if let Some(machine) = &line.machine {
        change = change.with("machine", machine);
    }
    by.conclude(tx, &change, &[NewEvent::of_office(EventKind::Roster, office)]).await?;
    Ok(line)
}

/// Declares that the roster of `office` is complete. `secret_machines` is how many machines for state secrets it has in
/// addition: only their count is ever recorded.
///
/// # Errors
/// The office is not within scope, or its roster is empty.
pub async fn roster_declare(db: &Db, by: &By, office: &str, secret_machines: u32) -> Result<Roster, RosterError> {
    let roster = Roster {
        office: office.to_owned(),
        declared_at: by.at,
        declared_by: by.name(),
        secret_machines: secret_machines.into(),
    };
    let mut tx = db.write().await?;
    let lines = roster_held(&mut tx, by, office).await?.len();
    if lines == 0 {
        return Err(Refusal::Empty.into());
    }
    tx.roster_declare(&by.scope, &roster).await?;
    let change = by.change(Action::RosterDeclared, Some(office), office).with("lines", lines);
    by.conclude(tx, &change, &[NewEvent::of_office(EventKind::Roster, office)]).await?;
    Ok(roster)
}

/// The lines of a roster, locked against other changes until the commit.
async fn roster_held(tx: &mut Tx, by: &By, office: &str) -> Result<Vec<RosterLine>, RosterError> {
    tx.roster_hold(&by.scope, office).await?;
    Ok(tx.roster_line_list(&by.scope, office).await?)
}

/// The one line that `name` names by its id or label.
async fn line_find(tx: &mut Tx, by: &By, office: &str, name: &str) -> Result<RosterLine, RosterError> {
    let mut lines = roster_held(tx, by, office).await?;
    if lines.iter().any(|line| line.id == name) {
        lines.retain(|line| line.id == name);
    } else {
        let wanted = label_key(name);
        lines.retain(|line| label_key(&line.label) == wanted);
    }
    match (lines.pop(), lines.is_empty()) {
        (Some(line), true) => Ok(line),
        _ => Err(Refusal::NoLine(name.to_owned()).into()),
    }
}

/// The lines as stored, after checking that no two of them mean the same machine.
fn read(by: &By, office: &str, lines: &[NewLine]) -> Result<Vec<RosterLine>, Refusal> {
    let mut seen = BTreeSet::new();
    let mut read = Vec::with_capacity(lines.len());
    for line in lines {
        let label = line.label.trim();
        if label.is_empty() {
            return Err(Refusal::NoLabel);
        }
        let serial = serial_key(&line.serial).unwrap_or_default();
        let mac = match line.mac.trim() {
            "" => String::new(),
            mac => mac_key(mac).ok_or_else(|| Refusal::NoMac(mac.to_owned()))?,
        };
        for (kind, mark) in [("label", label_key(label)), ("serial", serial.clone()), ("mac", mac.clone())] {
            if !mark.is_empty() && !seen.insert((kind, mark)) {
                let shown = match kind {
                    "label" => label,
                    "serial" => line.serial.trim(),
                    _ => line.mac.trim(),
                };
                return Err(Refusal::Twice(shown.to_owned()));
            }
        }
        read.push(RosterLine {
            id: new_id(),
            office: office.to_owned(),
            label: label.to_owned(),
            room: line.room.trim().to_owned(),
            person: line.person.trim().to_owned(),
            role: line.role,
            state: RosterState::InUse,
            state_by: None,
            state_from_at: None,
            state_until_at: None,
            machine: None,
            created_at: by.at,
            removed_at: None,
            serial,
            mac,
        });
    }
    Ok(read)
}

async fn insert(
    tx: &mut Tx,
    by: &By,
    there: &[RosterLine],
    lines: Vec<RosterLine>,
) -> Result<Vec<RosterLine>, RosterError> {
    for line in &lines {
        marks_check(tx, there, line).await?;
        tx.roster_line_insert(&by.scope, line).await?;
        let change = by.change(Action::RosterAdded, Some(&line.office), subject(line)).with("role", line.role);
        tx.audit_append(by.at, &change).await?;
    }
    Ok(lines)
}

/// Checks that a machine is on one roster only, in one line.
async fn marks_check(tx: &mut Tx, there: &[RosterLine], line: &RosterLine) -> Result<(), RosterError> {
    let shares = |other: &&RosterLine| {
        let same = |one: &str, other: &str| !one.is_empty() && one == other;
        other.id != line.id && (same(&line.serial, &other.serial) || same(&line.mac, &other.mac))
    };
    if let Some(other) = there.iter().find(shares) {
        return Err(Refusal::MarkTaken(line.label.clone(), other.label.clone()).into());
    }
    if !line.serial.is_empty() && tx.roster_serial_elsewhere(&line.office, &line.serial).await? {
        return Err(Refusal::SerialElsewhere(line.label.clone()).into());
    }
    Ok(())
}

/// Links certain matches, notifies listeners and commits; returns the resulting lines.
async fn conclude(mut tx: Tx, by: &By, office: &str, lines: Vec<RosterLine>) -> Result<Vec<RosterLine>, RosterError> {
    let ids: Vec<&str> = lines.iter().map(|line| line.id.as_str()).collect();
    let linked = link::certain_link(&mut tx, by, office, &ids, link::Pending::Too).await?;
    let lines = lines
        .into_iter()
        .map(|line| linked.iter().find(|linked| linked.id == line.id).cloned().unwrap_or(line))
        .collect();
    tx.change_append(by.at, &[NewEvent::of_office(EventKind::Roster, office)]).await?;
    tx.commit().await?;
    Ok(lines)
}

fn subject(line: &RosterLine) -> String {
    format!("{} {}", line.id, line.label)
}

/// The key under which labels that people read as the same are equal; a label of punctuation alone is its own key.
fn label_key(label: &str) -> String {
    let key = plain(label);
    if key.is_empty() { label.trim().to_owned() } else { key }
}

fn is_same_label(one: &RosterLine, other: &RosterLine) -> bool {
    label_key(&one.label) == label_key(&other.label)
}

/// Whether `line` contradicts nothing in `known`; it may say less or fill gaps.
fn is_compatible(known: &RosterLine, line: &RosterLine) -> bool {
    let fits = |known: &str, new: &str| new.is_empty() || known.is_empty() || known == new;
    (&known.room, &known.person, known.role) == (&line.room, &line.person, line.role)
        && fits(&known.serial, &line.serial)
        && fits(&known.mac, &line.mac)
}

fn either<'t>(known: &'t str, new: &'t str) -> &'t str {
    if known.is_empty() { new } else { known }
}
