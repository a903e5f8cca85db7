//! The roster (danh mục máy tính) of an office as rows, and what is said of it.

use policies::text::visible;

use crate::judge::view::MachineLine;
use crate::store::roster::{Roster, RosterState};
use crate::web::number::Numbers;
use crate::web::words::Words;

/// A line of the roster.
#[derive(Debug)]
pub(super) struct LineRow {
    pub(super) label: String,
    pub(super) role: String,
    pub(super) room: String,
    pub(super) person: String,
    pub(super) state: String,
    /// Id of the enrolled machine.
    pub(super) machine: Option<String>,
}

/// The lines, in the order of the roster.
pub(super) fn roster_rows(machines: &[MachineLine], t: Words, n: &Numbers) -> Vec<LineRow> {
    let lines = machines.iter().filter_map(|machine| Some((machine.line.as_ref()?, machine.machine.as_ref())));
    lines
        .map(|(line, machine)| {
            let state = t.word("roster_state", line.state.word());
            LineRow {
                label: visible(&line.label, 120),
                role: t.word("role", line.role.word()),
                room: visible(&line.room, 120),
                person: visible(&line.person, 120),
                state: match (line.state, line.state_until_at) {
                    (RosterState::InUse, _) | (_, None) => state,
                    (_, Some(until)) => t.say2("office.until", state, n.date(until)),
                },
                machine: machine.cloned(),
            }
        })
        .collect()
}

/// Whether the roster is declared, by whom; and how many machines are kept out of it for state secrets.
pub(super) fn roster_words(roster: Option<&Roster>, t: Words, n: &Numbers) -> Vec<String> {
    let Some(roster) = roster else { return vec![t.say("office.undeclared").to_owned()] };
    let mut words = vec![t.say2("office.declared", n.moment(roster.declared_at), t.actor(&roster.declared_by))];
    if roster.secret_machines > 0 {
        words.push(t.say1("office.secret", n.count(roster.secret_machines)));
    }
    words
}
