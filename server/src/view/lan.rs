//! The network of an office: what it approves, what its machines use, and for which of them it is not known.

use std::net::IpAddr;

use jiff::Timestamp;
use policies::office::{InUse, Unclear, UsedAddress};
use policies::text::Text;
use serde::Serialize;

use crate::judge::office::lan::{LanInUse, lan_rows};
use crate::judge::office::{OfficeRows, office_rows};
use crate::policy::CompiledPolicy;
use crate::store::approved_address::{AddressKind, ApprovedAddress};
use crate::store::office::Office;
use crate::store::{Scope, StoreResult, Tx};

/// How many changes of the lists a view shows.
const HISTORY: i64 = 100;
/// The most addresses in use that a view names, each with its machines.
const ADDRESSES: usize = 200;

/// The network of an office.
#[derive(Clone, Debug, Serialize)]
pub struct LanPage {
    /// The office.
    pub office: Office,
    /// The offices above it within the reader's scope, from the top.
    #[serde(skip)]
    pub above: Vec<Office>,
    /// Gateways, then DNS servers.
    pub lists: Vec<LanList>,
    /// Everything the office itself approved or took off, the newest first.
    pub history: Vec<ApprovedAddress>,
}

/// One of the two lists.
#[derive(Clone, Debug, Serialize)]
pub struct LanList {
    /// Which.
    pub kind: AddressKind,
    /// What is approved: by the office, or all by one office above it.
    pub approved: Vec<ApprovedAddress>,
    /// The addresses in use, those outside the list first; `None` before the first policy, which says what is fresh.
    pub in_use: Option<Vec<LanAddress>>,
    /// How many more there are.
    pub left_out: usize,
    /// The machines for which it is not known.
    pub unclear: Vec<UnclearMachine>,
}

/// An address in use.
#[derive(Clone, Debug, Serialize)]
pub struct LanAddress {
    /// The address.
    pub address: IpAddr,
    /// True when it is on the list.
    pub approved: bool,
    /// The machines that use it.
    pub machines: Vec<LanPlace>,
}

/// A machine of which it is not known what it uses.
#[derive(Clone, Debug, Serialize)]
pub struct UnclearMachine {
    /// Which.
    pub machine: LanPlace,
    /// Why not.
    pub why: Text,
}

/// A machine by name.
#[derive(Clone, Debug, Serialize)]
pub struct LanPlace {
    /// The label of its roster line, else its own name: hostile text.
    pub name: String,
    /// Id of the enrolled machine, if any.
    pub machine: Option<String>,
}

/// Reads the network of an office as of `now`.
///
/// # Errors
/// [`crate::store::StoreError::NotFound`] when it is not within `scope`.
pub async fn lan_page(
    tx: &mut Tx,
    judge: Option<&CompiledPolicy>,
    scope: &Scope,
    office: &str,
    now: Timestamp,
) -> StoreResult<LanPage> {
    let mut rows = office_rows(tx, None, scope, office).await?;
    rows.lan = lan_rows(tx, scope, office, &rows.places).await?;
    let mut above = tx.office_path(scope, office).await?;
    above.pop();
    let history = tx.approved_address_list(scope, office, HISTORY).await?;
    let in_use = judge.map(|judge| rows.grade(judge, now).lan);
    let list = |kind, of: fn(&LanInUse) -> &InUse| {
        let approved = rows.lan.approved.iter().filter(|entry| entry.kind == kind).cloned().collect();
        let used = in_use.as_ref().map(|in_use| (in_use, of(in_use)));
        LanList {
            kind,
            approved,
            in_use: used.map(|(all, used)| {
                used.addresses.iter().take(ADDRESSES).map(|used| lan_address(&rows, all, used)).collect()
            }),
            left_out: used.map_or(0, |(_, used)| used.addresses.len().saturating_sub(ADDRESSES)),
            unclear: used.map(|(all, used)| unclear(&rows, all, &used.unclear)).unwrap_or_default(),
        }
    };
    let lists = vec![
        list(AddressKind::Gateway, |in_use| &in_use.gateways),
        list(AddressKind::Dns, |in_use| &in_use.dns_servers),
    ];
    Ok(LanPage { lists, above, history, office: rows.office })
}

fn lan_address(rows: &OfficeRows, all: &LanInUse, used: &UsedAddress) -> LanAddress {
    let machines = used.machines.iter().filter_map(|index| lan_place(rows, all, *index)).collect();
    LanAddress { address: used.address, approved: used.approved, machines }
}

fn unclear(rows: &OfficeRows, all: &LanInUse, unclear: &[(usize, Unclear)]) -> Vec<UnclearMachine> {
    let one = |(index, why): &(usize, Unclear)| {
        Some(UnclearMachine { machine: lan_place(rows, all, *index)?, why: why.text() })
    };
    unclear.iter().filter_map(one).collect()
}

fn lan_place(rows: &OfficeRows, all: &LanInUse, index: usize) -> Option<LanPlace> {
    let place = rows.places.get(*all.machines.get(index)?)?;
    let machine = place.machine.as_ref().map(|machine| machine.id.clone());
    Some(LanPlace { name: place.name().to_owned(), machine })
}
