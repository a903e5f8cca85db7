//! What a machine's agent reported about itself in the signed section of its reports: every body is a list of its last events, so the bodies
//! together are its journal. Nothing is stored besides them: they are kept, held and deleted like any other section.

use std::collections::BTreeMap;

use protocol::AgentEventKind;
use protocol::event::{Journal, KEPT, SECTION};
use serde::Serialize;

use crate::store::{Scope, StoreResult, Tx};

/// The newest bodies that are read: a machine that is switched on and off on every working day has as many in a quarter.
const BODIES: i64 = 200;

/// A machine's events.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct MachineEvents {
    /// The newest first.
    pub events: Vec<MachineEvent>,
    /// How many between those listed were noted at the machine and never came.
    pub missing: u64,
}

/// One event, as the machine states it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct MachineEvent {
    /// When its journal was begun, by the machine's clock; milliseconds UTC.
    pub since: i64,
    /// Its number in that journal.
    pub number: u64,
    /// When, by the machine's clock; milliseconds UTC.
    pub at: i64,
    /// When the server received it first.
    pub received_at: i64,
    /// What happened.
    pub kind: AgentEventKind,
    /// What the kind says it is.
    pub value: Option<i64>,
}

/// The events of a machine that its stored bodies still hold.
///
/// # Errors
/// [`crate::store::StoreError::NotFound`] when it is not within `scope`.
pub async fn machine_events(tx: &mut Tx, scope: &Scope, machine: &str) -> StoreResult<MachineEvents> {
    let bodies = tx.section_bodies(scope, machine, SECTION, BODIES).await?;
    Ok(merge(bodies.iter().rev().map(|(text, received_at)| (text.as_slice(), *received_at))))
}

/// Merges bodies, the oldest first. An event that came twice is as it came first.
fn merge<'a>(bodies: impl Iterator<Item = (&'a [u8], i64)>) -> MachineEvents {
    let mut found: BTreeMap<(i64, u64), MachineEvent> = BTreeMap::new();
    for (text, received_at) in bodies {
        // What cannot be read came from no agent of ours.
        let Ok(Journal { since, events }) = serde_json::from_slice(text) else { continue };
        for event in events.into_iter().take(KEPT) {
            found.entry((since, event.number)).or_insert(MachineEvent {
                since,
                number: event.number,
                at: event.at,
                received_at,
                kind: event.kind,
                value: event.value,
            });
        }
    }
    let gap = |((one, before), (other, after)): (&(i64, u64), &(i64, u64))| {
        if one == other { after.saturating_sub(*before).saturating_sub(1) } else { 0 }
    };
    let missing = found.keys().zip(found.keys().skip(1)).map(gap).fold(0, u64::saturating_add);
    let mut events: Vec<MachineEvent> = found.into_values().collect();
    events.sort_by_key(|event| std::cmp::Reverse((event.received_at, event.since, event.number)));
    MachineEvents { events, missing }
}

#[cfg(test)]
mod tests {
    use protocol::event::JournalEvent;

    use super::*;

    fn body(since: i64, numbers: &[u64]) -> Vec<u8> {
        let event = |&number: &u64| JournalEvent { number, at: 5, kind: AgentEventKind::Started, value: None };
        serde_json::to_vec(&Journal { since, events: numbers.iter().map(event).collect() }).unwrap()
    }

    #[test]
    fn bodies_are_merged_and_what_never_came_is_counted() {
        let bodies = [
            (body(1, &[1, 2, 3]), 10),
            (b"[]".to_vec(), 11),
            (body(1, &[2, 3, 4]), 12),
            (body(1, &[8, 9]), 13),
            (body(7, &[1]), 14),
        ];
        let MachineEvents { events, missing } = merge(bodies.iter().map(|(text, at)| (text.as_slice(), *at)));
        assert_eq!(missing, 3);
        let shown: Vec<_> = events.iter().map(|event| (event.since, event.number, event.received_at)).collect();
        assert_eq!(shown, [(7, 1, 14), (1, 9, 13), (1, 8, 13), (1, 4, 12), (1, 3, 10), (1, 2, 10), (1, 1, 10)]);
        let forged: Vec<u64> = (0..500).map(|number| number * (u64::MAX / 500)).collect();
        let MachineEvents { events, missing } = merge([(body(1, &forged).as_slice(), 1)].into_iter());
        assert!(events.len() == KEPT && missing > 0);
    }
}
