//! The roster (danh mục máy tính) of an office as rows, and the sentences about it.

use policies::text;
use policies::text::visible;

use crate::roster::Proposal;
use crate::store::roster::{Roster, RosterState};
use crate::view::MachineLine;
use crate::web::catalogue::Catalogue;
use crate::web::number::Numbers;

/// A line of the roster.
#[derive(Debug)]
pub(super) struct LineRow {
    pub(super) label: String,
    pub(super) role: String,
    pub(super) room: String,
    pub(super) person: String,
    pub(super) state: String,
    /// Id of the enrolled machine, if any.
    pub(super) machine: Option<String>,
}

/// The lines, in the order of the roster.
pub(super) fn roster_rows(machines: &[MachineLine], t: Catalogue, n: &Numbers) -> Vec<LineRow> {
    let lines = machines.iter().filter_map(|machine| Some((machine.line.as_ref()?, machine.machine.as_ref())));
    lines
        .map(|(line, machine)| {
            let state = t.pick(&line.state.text()).to_owned();
            LineRow {
                label: visible(&line.label, 120),
                role: t.word("role", line.role.code()),
                room: visible(&line.room, 120),
                person: visible(&line.person, 120),
                state: match (line.state, line.state_until_at) {
                    (RosterState::InUse, _) | (_, None) => state,
                    (_, Some(until)) => t.own(text!("{0}, đến {1}", "{0}, until {1}", state, n.date(until))),
                },
                machine: machine.cloned(),
            }
        })
        .collect()
}

/// A line and an enrolled machine that may be the same.
#[derive(Debug)]
pub(super) struct ProposalRow {
    pub(super) line: String,
    pub(super) label: String,
    pub(super) machine: String,
    pub(super) name: String,
    pub(super) why: String,
    /// The machine that has the line now would be revoked.
    pub(super) replaces: bool,
}

/// The proposals, in the order of the roster.
pub(super) fn proposal_rows(proposals: Vec<Proposal>, t: Catalogue) -> Vec<ProposalRow> {
    proposals
        .into_iter()
        .map(|proposal| {
            let why: Vec<String> = proposal.why.iter().map(|why| t.word("same", why.word())).collect();
            ProposalRow {
                line: proposal.line,
                label: visible(&proposal.label, 120),
                machine: proposal.machine,
                name: visible(&proposal.name, 120),
                why: why.join(", "),
                replaces: proposal.replaces.is_some(),
            }
        })
        .collect()
}

/// Whether the roster is declared, by whom; and how many state-secret machines are kept out of it.
pub(super) fn roster_words(roster: Option<&Roster>, t: Catalogue, n: &Numbers) -> Vec<String> {
    let Some(roster) = roster else {
        return vec![t.text("Chưa khai danh mục máy tính nên chưa đủ căn cứ xếp loại. Khai bằng lệnh posture-server office roster declare.", "The roster is not declared, so there is not enough to grade on. Declare it with posture-server office roster declare.").to_owned()];
    };
    let mut words = vec![t.own(text!(
        "Đã khai lúc {0} bởi {1}.",
        "Declared at {0} by {1}.",
        n.moment(roster.declared_at),
        t.actor(&roster.declared_by)
    ))];
    if roster.secret_machines > 0 {
        words.push(t.own(text!(
            "Ngoài ra có {0} máy soạn thảo bí mật nhà nước, không đưa vào phần mềm và không tính điểm.",
            "Besides, {0} machines for state secrets, which are kept out of this software and of every sum.",
            n.count(roster.secret_machines)
        )));
    }
    words
}
