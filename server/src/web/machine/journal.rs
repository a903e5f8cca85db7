//! The signed events of a machine's agent as rows. Starts and shutdowns are left out: a list of them would be an attendance clock.

use policies::text;
use protocol::AgentEventKind;

use crate::view::{MachineEvent, MachineEvents};
use crate::web::catalogue::Catalogue;
use crate::web::number::Numbers;

/// The most events on the page.
const SHOWN: usize = 50;

/// One event.
#[derive(Debug)]
pub(super) struct JournalRow {
    /// By the machine's clock.
    pub(super) at: String,
    pub(super) what: String,
    pub(super) received: String,
}

/// The newest events that deserve a look.
pub(super) fn journal_rows(events: &MachineEvents, t: Catalogue, n: &Numbers) -> Vec<JournalRow> {
    let routine = |kind| matches!(kind, AgentEventKind::Started | AgentEventKind::Shutdown);
    let rows = events.events.iter().filter(|event| !routine(event.kind)).take(SHOWN);
    rows.map(|event| JournalRow {
        at: n.second(event.at),
        what: what(event, t, n),
        received: n.second(event.received_at),
    })
    .collect()
}

/// How many events never came, in words.
pub(super) fn missing_words(events: &MachineEvents, t: Catalogue, n: &Numbers) -> Option<String> {
    (events.missing > 0).then(|| {
        t.own(text!(
            "Máy đã ghi thêm {0} sự kiện nhưng máy chủ không nhận được.",
            "The machine noted {0} more events that never came.",
            n.count(events.missing)
        ))
    })
}

fn what(event: &MachineEvent, t: Catalogue, n: &Numbers) -> String {
    match (event.kind, event.value) {
        (AgentEventKind::ClockChanged, Some(jump)) => {
            let minutes = n.count(jump.unsigned_abs() / 60_000);
            if jump > 0 {
                t.own(text!(
                    "đồng hồ của máy bị chỉnh nhanh lên {0} phút",
                    "the machine's clock was set {0} minutes forward",
                    minutes
                ))
            } else {
                t.own(text!(
                    "đồng hồ của máy bị chỉnh lùi lại {0} phút",
                    "the machine's clock was set {0} minutes back",
                    minutes
                ))
            }
        }
        (AgentEventKind::LogContradiction, Some(size)) => t.own(text!(
            "nhật ký đối chứng của máy chủ mâu thuẫn với mốc {0} mục mà máy đang giữ",
            "the server's evidence log contradicts the checkpoint of {0} leaves that the machine keeps",
            n.count(size)
        )),
        (kind, _) => t.word("agent_event", word(kind)),
    }
}

/// The kind's key in the catalogue; the same word as on the wire.
pub(in crate::web) const fn word(kind: AgentEventKind) -> &'static str {
    match kind {
        AgentEventKind::Started => "started",
        AgentEventKind::BrokenOff => "broken_off",
        AgentEventKind::Stopped => "stopped",
        AgentEventKind::Shutdown => "shutdown",
        AgentEventKind::Uninstalled => "uninstalled",
        AgentEventKind::ClockChanged => "clock_changed",
        AgentEventKind::PolicyRefused => "policy_refused",
        AgentEventKind::AccessRepaired => "access_repaired",
        AgentEventKind::StateRepaired => "state_repaired",
        AgentEventKind::LogContradiction => "log_contradiction",
        AgentEventKind::Unknown => "unknown",
    }
}
