//! How much may be stored for machines that nobody has confirmed: one full report and small ones after it, less if one token or all of
//! them together sent a lot. A machine with no room left waits with its reports until an officer confirms it.

use std::collections::BTreeMap;

use protocol::limits;

use crate::clock::DAY_MS;
use crate::store::head::StoredMachine;
use crate::store::machine::MachineStatus;
use crate::store::{StoreResult, Tx};

/// Bytes for one machine at first: a full report.
const FIRST: i64 = limits::BODIES as i64 + 256 * 1024;
/// Additional bytes for each day since it enrolled.
const A_DAY: i64 = 512 * 1024;
/// The number of days after which nothing is added.
const DAYS: i64 = 30;
/// Bytes for all machines that one token enrolled.
const A_TOKEN: i64 = 512 << 20;
/// Bytes for all pending machines.
const ALL: i64 = 2 << 30;

/// The remaining room, for the duration of one commit.
#[derive(Debug)]
pub(super) struct Room {
    /// Bytes stored for pending machines, by token.
    stored: BTreeMap<String, i64>,
}

impl Room {
    /// Queries the store if any of these machines is pending.
    pub(super) async fn ask<'a>(
        tx: &mut Tx,
        mut stored_machines: impl Iterator<Item = &'a StoredMachine>,
    ) -> StoreResult<Self> {
        let waits = stored_machines.any(|stored_machine| stored_machine.status == MachineStatus::Pending);
        Ok(Self { stored: if waits { tx.head_pending_bytes().await? } else { BTreeMap::new() } })
    }

    /// Bytes that may still be stored for this machine; `None` when it is confirmed and so has no limit.
    pub(super) fn of(&self, stored_machine: &StoredMachine, now: i64) -> Option<i64> {
        if stored_machine.status != MachineStatus::Pending {
            return None;
        }
        let days = now.saturating_sub(stored_machine.enrolled_at).div_euclid(DAY_MS).clamp(0, DAYS);
        let own = FIRST + A_DAY * days - stored_machine.head.as_ref().map_or(0, |head| head.stored_all);
        let token = A_TOKEN - self.stored.get(&stored_machine.token).copied().unwrap_or(0);
        let all = ALL - self.stored.values().sum::<i64>();
        Some(own.min(token).min(all))
    }

    /// Counts what was planned for a pending machine.
    pub(super) fn take(&mut self, stored_machine: &StoredMachine, bytes: i64) {
        if stored_machine.status == MachineStatus::Pending {
            *self.stored.entry(stored_machine.token.clone()).or_default() += bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::machine::Role;

    fn stored_machine(status: MachineStatus, token: &str) -> StoredMachine {
        StoredMachine {
            machine: "m".to_owned(),
            office: String::new(),
            office_name: String::new(),
            role: Role::Workstation,
            status,
            token: token.to_owned(),
            enrolled_at: 0,
            clone_at: None,
            judged_at: None,
            judged_policy: None,
            head: None,
        }
    }

    #[test]
    fn room_is_bounded_by_machine_by_token_and_for_all_who_wait() {
        let mut room = Room { stored: BTreeMap::new() };
        let (one, other) = (stored_machine(MachineStatus::Pending, "a"), stored_machine(MachineStatus::Pending, "b"));
        assert_eq!(room.of(&one, 0), Some(FIRST));
        assert_eq!(room.of(&one, 2 * DAY_MS), Some(FIRST + 2 * A_DAY));
        assert_eq!(room.of(&one, -DAY_MS), Some(FIRST), "a clock that was set back");
        assert_eq!(room.of(&one, i64::MAX), Some(FIRST + DAYS * A_DAY));
        room.take(&one, A_TOKEN - 10);
        assert_eq!((room.of(&one, 0), room.of(&other, 0)), (Some(10), Some(FIRST)));
        room.stored.extend((0..4).map(|token| (token.to_string(), A_TOKEN)));
        assert!(room.of(&other, 0).is_some_and(|left| left < 0), "all together");
        assert_eq!(room.of(&stored_machine(MachineStatus::Confirmed, "a"), 0), None);
    }
}
