//! The network of an office: what its machines use, held against what it approves; and the controls about the office as a whole.

use std::collections::BTreeMap;

use jiff::Timestamp;
use policies::fact::{Facts, OfficeFacts};
use policies::grade::{MachineGrade, MachineState, is_fresh};
use policies::office::{self, AddressRange, Evidence, InUse, LanMachine};

use super::{OfficeMachine, OfficeRows, instant};
use crate::policy::CompiledPolicy;
use crate::store::approved_address::{AddressKind, ApprovedAddress};
use crate::store::section::Sections;
use crate::store::{Scope, StoreResult, Tx};

/// What is stored about the network of an office.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LanRows {
    /// What is approved, by kind and address.
    pub approved: Vec<ApprovedAddress>,
    /// What its machines reported; those without a report are left out.
    pub facts: BTreeMap<String, Facts>,
}

/// What the expected machines of an office use.
#[derive(Clone, Debug, PartialEq)]
pub struct LanInUse {
    /// The machines that the positions in `gateways` and `dns_servers` mean, by their position in [`OfficeRows::places`].
    pub machines: Vec<usize>,
    /// Their gateways.
    pub gateways: InUse,
    /// Their DNS servers.
    pub dns_servers: InUse,
    /// What follows for the office.
    pub facts: OfficeFacts,
}

/// Reads what is stored about the network of an office with these machines.
///
/// # Errors
/// When the database fails.
pub async fn lan_rows(tx: &mut Tx, scope: &Scope, office: &str, places: &[OfficeMachine]) -> StoreResult<LanRows> {
    let machines = places.iter().filter_map(|place| place.machine.as_ref());
    let ids: Vec<String> = machines.filter(|machine| machine.received_at.is_some()).map(|one| one.id.clone()).collect();
    Ok(LanRows { approved: tx.approved_address_in_force(scope, office).await?, facts: tx.facts_of_lan(&ids).await? })
}

impl OfficeRows {
    /// What the expected machines use, as of `now`; `machines` are their grades.
    pub(super) fn lan_in_use(&self, judge: &CompiledPolicy, machines: &[MachineGrade], now: Timestamp) -> LanInUse {
        let expected: Vec<usize> = machines
            .iter()
            .enumerate()
            .filter(|(_, grade)| !matches!(grade.state, MachineState::Away | MachineState::Pending))
            .map(|(position, _)| position)
            .collect();
        let seen: Vec<LanMachine<'_>> =
            expected.iter().map(|&position| self.lan_machine(judge, &self.places[position], now)).collect();
        let approved = |kind| -> Vec<AddressRange> {
            let of_kind = self.lan.approved.iter().filter(|entry| entry.kind == kind);
            // Only what can be read again is stored.
            of_kind.filter_map(|entry| entry.address.parse().ok()).collect()
        };
        let gateways = office::gateways(&seen, &approved(AddressKind::Gateway));
        let dns_servers = office::dns_servers(&seen, &approved(AddressKind::Dns));
        let facts = office::facts(&seen, &gateways, &dns_servers);
        LanInUse { machines: expected, gateways, dns_servers, facts }
    }

    fn lan_machine<'a>(&'a self, judge: &CompiledPolicy, place: &'a OfficeMachine, now: Timestamp) -> LanMachine<'a> {
        let machine = place.machine.as_ref();
        let facts = machine.and_then(|machine| self.lan.facts.get(&machine.id));
        let observed_at = machine.and_then(|machine| {
            let sections = Sections::decode(
                machine.sections.as_deref().unwrap_or_default(),
                machine.seen.as_deref().unwrap_or_default(),
            );
            sections.0.get("lan").map(|section| section.observed_at).or(machine.received_at)
        });
        let evidence = match (facts, observed_at) {
            (Some(facts), Some(at)) if is_fresh(judge.rules(), instant(at), now) => Evidence::Fresh(&facts.lan),
            (_, Some(_)) => Evidence::Stale,
            (_, None) => Evidence::Never,
        };
        LanMachine { name: place.name(), evidence }
    }
}

impl OfficeMachine {
    /// The name people know it by: that of its roster line, else its own; hostile text.
    pub fn name(&self) -> &str {
        let label = self.line.as_ref().map(|line| line.label.as_str());
        label.or_else(|| self.machine.as_ref().map(|machine| machine.name.as_str())).unwrap_or_default()
    }
}
