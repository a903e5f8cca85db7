//! The host firewalls: what the kernel's packet filter really does, and which tool its tables belong to.

use policies::fact::{Fact, Firewall, FirewallKind, List, PublishedPort, Reason, Transport};

use super::filter::{Family, Table};
use super::outside::{Outside, outsides};
use super::truth::Can;
use super::walk::{Judgement, judge, published};
use super::{iptables, nftables};
use crate::linux::context::{CheckContext, optional, unknown};
use crate::linux::text::{assigned, capped};
use crate::ways_out::WayOut;
use os::{Answer, OsError, Output, Program};

/// The machine's packet filters, and their effect on a stranger.
pub(super) struct Verdict {
    /// All host firewalls found, active or only installed.
    pub(super) firewalls: Fact<List<Firewall>>,
    /// See [`policies::fact::Lan::firewall_active`].
    pub(super) active: Fact<bool>,
    /// See [`policies::fact::Lan::firewall_blocks_inbound`].
    pub(super) blocks_inbound: Fact<bool>,
    /// See [`policies::fact::Lan::published_ports`].
    pub(super) published_ports: Fact<List<PublishedPort>>,
}

/// Reads the kernel's filters, whichever tool made them.
pub(super) fn firewalls(context: &CheckContext, ways: &[WayOut], forwards: &Fact<bool>) -> Verdict {
    let asked = match context.os.administrator() {
        true => filters(context),
        false => {
            Fact::unknown(Reason::NeedsAdministrator, "the packet filter shows its rules to an administrator only")
        }
    };
    let filters = match asked {
        Fact::Known(filters) => filters,
        Fact::Unknown(unknown) => {
            return Verdict {
                firewalls: Fact::Unknown(unknown.clone()),
                active: Fact::Unknown(unknown.clone()),
                blocks_inbound: Fact::Unknown(unknown.clone()),
                published_ports: Fact::Unknown(unknown),
            };
        }
    };
    let outsides = outsides(context, ways);
    let all: Vec<&Table> = filters.tables.iter().collect();
    let together = judge(&all, &outsides, filters.cut);
    Verdict {
        firewalls: Fact::Known(List::capped(found(context, &filters, &outsides, &together))),
        active: told(together.filters, &together),
        blocks_inbound: told(together.lets_in, &together).map(|lets_in| !lets_in),
        published_ports: match forwards {
            Fact::Known(false) => Fact::Known(List::default()),
            _ => published_ports(&all, &outsides, filters.cut),
        },
    }
}

fn published_ports(tables: &[&Table], outsides: &[Outside], cut: bool) -> Fact<List<PublishedPort>> {
    match published(tables, outsides) {
        Some(ranges) if !cut => {
            let ports = ranges.into_iter().flat_map(|(first, last)| first..=last).map(i64::from);
            Fact::Known(ports.map(|port| PublishedPort { transport: Transport::Tcp, port }).collect())
        }
        _ => Fact::unknown(Reason::Unreadable, "a rule may lead on ports that it does not name"),
    }
}

/// The firewalls by tool. What counts for the machine is their combined effect: two tools may each cover one IP
/// version.
fn found(context: &CheckContext, filters: &Filters, outsides: &[Outside], together: &Judgement) -> Vec<Firewall> {
    let none = || Fact::Known(List::default());
    let mut kinds: Vec<FirewallKind> =
        filters.tables.iter().filter(|table| !table.chains.is_empty()).map(kind).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let mut found: Vec<Firewall> = Vec::new();
    for kind in kinds {
        let own: Vec<&Table> = filters.tables.iter().filter(|table| self::kind(table) == kind).collect();
        let judgement = judge(&own, outsides, filters.cut);
        // Chains that block nothing for a stranger, such as those a program makes for its own purposes, are no
        // firewall.
        if judgement.filters == Can::Yes || matches!(kind, FirewallKind::Ufw | FirewallKind::Firewalld) {
            found.push(Firewall {
                kind,
                active: judgement.filters == Can::Yes,
                blocks_inbound: told(judgement.lets_in, &judgement).map(|lets_in| !lets_in),
                profiles_off: none(),
            });
        }
    }
    if together.lets_in == Can::No && !found.iter().any(|firewall| firewall.blocks_inbound == Fact::Known(true)) {
        for firewall in found.iter_mut().filter(|firewall| firewall.active) {
            firewall.blocks_inbound = Fact::Known(true);
        }
    }
    for (kind, installed) in
        [(FirewallKind::Ufw, ufw_installed(context)), (FirewallKind::Firewalld, firewalld_installed(context))]
    {
        if installed && !found.iter().any(|firewall| firewall.kind == kind) {
            found.push(Firewall { kind, active: false, blocks_inbound: Fact::Known(false), profiles_off: none() });
        }
    }
    found.sort_unstable_by_key(|firewall| firewall.kind);
    found
}

/// The result as a fact.
fn told(can: Can, judgement: &Judgement) -> Fact<bool> {
    match can {
        Can::No => Fact::Known(false),
        Can::Yes => Fact::Known(true),
        Can::Perhaps => Fact::unknown(
            Reason::Unreadable,
            match &judgement.doubt {
                Some(chain) => capped(&format!("what chain {chain} does with a new connection cannot be told")),
                None => "the packet filter has more rules than are read".to_owned(),
            },
        ),
    }
}

/// Which tool a table belongs to, by the names that each tool uses.
fn kind(table: &Table) -> FirewallKind {
    let has = |name: &str| table.chains.contains_key(name);
    match () {
        () if table.name == "firewalld" || has("IN_public") => FirewallKind::Firewalld,
        () if ["ufw-user-input", "ufw6-user-input", "ufw-before-input", "ufw6-before-input"]
            .iter()
            .any(|name| has(name)) =>
        {
            FirewallKind::Ufw
        }
        () if ["filter", "mangle", "raw", "nat", "security"].contains(&table.name.as_str())
            && ["INPUT", "PREROUTING", "FORWARD"].iter().any(|name| has(name)) =>
        {
            FirewallKind::Iptables
        }
        () => FirewallKind::Nftables,
    }
}

/// The kernel's packet filters.
struct Filters {
    tables: Vec<Table>,
    /// True when not all could be read.
    cut: bool,
}

/// The nftables tool shows its own tables and those of nft-based iptables, the latter not in full; legacy iptables keeps
/// its own separately.
fn filters(context: &CheckContext) -> Fact<Filters> {
    let mut filters = match nft(context) {
        Ok(filters) => filters,
        Err(error) => return unknown(&error),
    };
    for (names, program, ipv6) in [
        ("/proc/net/ip_tables_names", Program::IptablesSave, false),
        ("/proc/net/ip6_tables_names", Program::Ip6tablesSave, true),
    ] {
        let text = match optional(context.text(names)) {
            Ok(text) => text.unwrap_or_default(),
            Err(error) => return unknown(&error),
        };
        if text.trim().is_empty() {
            continue;
        }
        match checked(context.os.run(program, &[]), program) {
            Ok(output) if iptables::is_legacy(&output.stdout) => {
                filters.tables.extend(iptables::tables(&output.stdout, ipv6));
            }
            Ok(_) => {
                let why = "the tool of the older iptables is not on this machine";
                return Fact::unknown(Reason::SourceMissing, why);
            }
            Err(error) => return unknown(&error),
        }
    }
    Fact::Known(filters)
}

fn nft(context: &CheckContext) -> Answer<Filters> {
    // Asking would load the module; a module that is not loaded has no rules.
    if nf_tables_is_an_unloaded_module(context) {
        return Ok(Filters { tables: Vec::new(), cut: false });
    }
    let output = match context.os.run(Program::Nft, &["-j", "list", "ruleset"]) {
        // Without the nftables tool, nft-based iptables may still have made tables.
        Err(OsError::Missing(path)) => return without_nft(context, path),
        answer => ended(answer, Program::Nft)?,
    };
    let read = nftables::ruleset(&output.stdout, output.cut)
        .map_err(|error| OsError::Failed(Program::Nft.paths()[0].to_owned(), error))?;
    let mut tables = read.tables;
    for (family, program) in [(Family::Ip, Program::IptablesNftSave), (Family::Ip6, Program::Ip6tablesNftSave)] {
        let opaque: Vec<_> = read.opaque.iter().filter(|(table, ..)| tables[*table].family == family).collect();
        // What it does not show stays unknown.
        let Some(output) = (!opaque.is_empty()).then(|| ended(context.os.run(program, &[]), program).ok()).flatten()
        else {
            continue;
        };
        for shown in iptables::tables(&output.stdout, family == Family::Ip6) {
            for (index, table) in tables.iter_mut().enumerate() {
                if table.family == family && table.name == shown.name && table.whole {
                    let places = opaque.iter().filter(|(of, ..)| *of == index);
                    let places: Vec<_> = places.map(|(_, chain, rule)| (chain.clone(), *rule)).collect();
                    iptables::fill(table, &shown, &places);
                }
            }
        }
    }
    Ok(Filters { tables, cut: read.cut })
}

/// The tables of nft-based iptables alone. Whether another program made more cannot be determined.
fn without_nft(context: &CheckContext, path: String) -> Answer<Filters> {
    let mut tables = Vec::new();
    for (program, ipv6) in [(Program::IptablesNftSave, false), (Program::Ip6tablesNftSave, true)] {
        match context.os.run(program, &[]) {
            Err(OsError::Missing(_)) => return Err(OsError::Missing(path)),
            answer => tables.extend(iptables::tables(&checked(answer, program)?.stdout, ipv6)),
        }
    }
    Ok(Filters { tables, cut: false })
}

/// The output of a program that succeeded and was not cut.
fn checked(answer: Answer<Output>, program: Program) -> Answer<Output> {
    let output = ended(answer, program)?;
    if output.cut {
        return Err(OsError::TooLarge(program.paths()[0].to_owned(), program.output_cap()));
    }
    Ok(output)
}

/// The output of a program that succeeded.
fn ended(answer: Answer<Output>, program: Program) -> Answer<Output> {
    let output = answer?;
    let path = program.paths()[0].to_owned();
    if output.status != Some(0) {
        let said = output.stderr.lines().next().unwrap_or_default();
        let denied = said.contains("Operation not permitted") || said.contains("Permission denied");
        return Err(if denied { OsError::Denied(path) } else { OsError::Failed(path, capped(said)) });
    }
    Ok(output)
}

fn nf_tables_is_an_unloaded_module(context: &CheckContext) -> bool {
    let Ok(modules) = context.text("/proc/modules") else { return false };
    if modules.lines().any(|line| line.starts_with("nf_tables ")) {
        return false;
    }
    let release = context.line("/proc/sys/kernel/osrelease").unwrap_or_default();
    let folder = format!("/lib/modules/{release}/kernel/net/netfilter");
    context.os.list(&folder).is_ok_and(|names| names.iter().any(|name| name.starts_with("nf_tables.ko")))
}

fn ufw_installed(context: &CheckContext) -> bool {
    context.os.exists("/usr/sbin/ufw")
        && context.text("/etc/ufw/ufw.conf").is_ok_and(|text| assigned(&text, "ENABLED").is_some())
}

fn firewalld_installed(context: &CheckContext) -> bool {
    context.os.exists("/usr/sbin/firewalld")
}

#[cfg(test)]
mod tests;
