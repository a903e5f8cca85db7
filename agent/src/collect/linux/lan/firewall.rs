//! The host firewalls: what the kernel's packet filter really does, and whose tables they are.

use policies::fact::{Fact, Firewall, FirewallKind, List, Reason};

use super::filter::{Protocol, Table};
use super::{iptables, nftables};
use crate::collect::linux::scene::{Scene, unknown};
use crate::collect::linux::text::{assigned, capped};
use crate::os::{Answer, OsError, Output, Program};

/// All host firewalls found, in force or only installed.
pub(super) fn firewalls(scene: &Scene) -> Fact<List<Firewall>> {
    if !scene.os.administrator() {
        return Fact::unknown(Reason::NeedsAdministrator, "the packet filter shows its rules to an administrator only");
    }
    let tables = match tables(scene) {
        Fact::Known(tables) => tables,
        Fact::Unknown(unknown) => return Fact::Unknown(unknown),
    };
    let interfaces = interfaces(scene);
    let mut found: Vec<Firewall> = Vec::new();
    for table in tables.iter().filter(|table| table.filters_inbound()) {
        let kind = kind(table);
        if !found.iter().any(|firewall| firewall.kind == kind) {
            let own: Vec<&Table> = tables.iter().filter(|other| self::kind(other) == kind).collect();
            found.push(Firewall {
                kind,
                active: true,
                blocks_inbound: Fact::Known(blocks(&own, &interfaces, has_ipv6(scene))),
                profiles_off: Fact::Known(List::default()),
            });
        }
    }
    // Two tools may each cover one protocol; what holds for the machine is what they do together.
    let all: Vec<&Table> = tables.iter().collect();
    if blocks(&all, &interfaces, has_ipv6(scene))
        && !found.iter().any(|firewall| firewall.blocks_inbound == Fact::Known(true))
    {
        for firewall in &mut found {
            firewall.blocks_inbound = Fact::Known(true);
        }
    }
    for (kind, installed) in
        [(FirewallKind::Ufw, ufw_installed(scene)), (FirewallKind::Firewalld, firewalld_installed(scene))]
    {
        if installed && !found.iter().any(|firewall| firewall.kind == kind) {
            found.push(Firewall {
                kind,
                active: false,
                blocks_inbound: Fact::Known(false),
                profiles_off: Fact::Known(List::default()),
            });
        }
    }
    found.sort_unstable_by_key(|firewall| firewall.kind);
    Fact::Known(List::capped(found))
}

/// Whether the firewalls together drop what no rule allows.
pub(super) fn blocks_inbound(firewalls: &[Firewall]) -> Fact<bool> {
    Fact::Known(firewalls.iter().any(|firewall| firewall.active && firewall.blocks_inbound == Fact::Known(true)))
}

/// Whose table it is, by the names each tool gives.
fn kind(table: &Table) -> FirewallKind {
    let has = |name: &str| table.chains.contains_key(name);
    match () {
        () if table.name == "firewalld" || has("IN_public") => FirewallKind::Firewalld,
        () if has("ufw-user-input")
            || has("ufw6-user-input")
            || has("ufw-before-input")
            || has("ufw6-before-input") =>
        {
            FirewallKind::Ufw
        }
        () if table.name == "filter" && has("INPUT") => FirewallKind::Iptables,
        () => FirewallKind::Nftables,
    }
}

/// True when a stranger's packet is dropped on every interface and in every protocol the machine speaks.
fn blocks(tables: &[&Table], interfaces: &[String], ipv6: bool) -> bool {
    let dropped =
        |protocol| interfaces.iter().all(|interface| tables.iter().any(|table| table.drops(protocol, interface)));
    dropped(Protocol::Ipv4) && (!ipv6 || dropped(Protocol::Ipv6))
}

/// Interfaces with hardware behind them; a made-up one when there is none, so that "all" is not true of nothing.
fn interfaces(scene: &Scene) -> Vec<String> {
    let names = scene.os.list("/sys/class/net").unwrap_or_default();
    let real: Vec<String> =
        names.into_iter().filter(|name| scene.os.exists(&format!("/sys/class/net/{name}/device"))).collect();
    if real.is_empty() { vec!["eth0".to_owned()] } else { real }
}

fn has_ipv6(scene: &Scene) -> bool {
    scene.text("/proc/net/if_inet6").is_ok_and(|text| text.lines().any(|line| !line.trim_end().ends_with(" lo")))
}

/// The kernel's filter tables. nftables' tool shows its own and those of the newer iptables; the older iptables keeps its
/// own apart.
fn tables(scene: &Scene) -> Fact<Vec<Table>> {
    let mut tables = match nft(scene) {
        Ok(tables) => tables,
        Err(error) => return unknown(&error),
    };
    for (names, program, protocol) in [
        ("/proc/net/ip_tables_names", Program::IptablesSave, Protocol::Ipv4),
        ("/proc/net/ip6_tables_names", Program::Ip6tablesSave, Protocol::Ipv6),
    ] {
        match scene.text(names) {
            Ok(text) if !text.trim().is_empty() => match checked(scene.os.run(program, &[]), program) {
                Ok(output) => tables.extend(iptables::tables(&output.stdout, protocol)),
                Err(error) => return unknown(&error),
            },
            Ok(_) | Err(OsError::Missing(_)) => {}
            Err(error) => return unknown(&error),
        }
    }
    Fact::Known(tables)
}

fn nft(scene: &Scene) -> Answer<Vec<Table>> {
    // Asking would load the module; a module that is not loaded holds no rules.
    if nf_tables_is_an_unloaded_module(scene) {
        return Ok(Vec::new());
    }
    let answer = match scene.os.run(Program::Nft, &["-j", "-t", "list", "ruleset"]) {
        // Without nftables' tool, the newer iptables may still have made tables.
        Err(OsError::Missing(path)) => {
            let mut tables = Vec::new();
            for (program, protocol) in
                [(Program::IptablesSave, Protocol::Ipv4), (Program::Ip6tablesSave, Protocol::Ipv6)]
            {
                match scene.os.run(program, &[]) {
                    Err(OsError::Missing(_)) => return Err(OsError::Missing(path)),
                    answer => tables.extend(iptables::tables(&checked(answer, program)?.stdout, protocol)),
                }
            }
            return Ok(tables);
        }
        answer => checked(answer, Program::Nft)?,
    };
    nftables::tables(&answer.stdout).map_err(|error| OsError::Failed(Program::Nft.paths()[0].to_owned(), error))
}

/// The answer of a program that ended well and was not cut.
fn checked(answer: Answer<Output>, program: Program) -> Answer<Output> {
    let output = answer?;
    let path = program.paths()[0].to_owned();
    if output.cut {
        return Err(OsError::TooLarge(path, program.output_cap()));
    }
    if output.status != Some(0) {
        let said = output.stderr.lines().next().unwrap_or_default();
        let denied = said.contains("Operation not permitted") || said.contains("Permission denied");
        return Err(if denied { OsError::Denied(path) } else { OsError::Failed(path, capped(said)) });
    }
    Ok(output)
}

fn nf_tables_is_an_unloaded_module(scene: &Scene) -> bool {
    let Ok(modules) = scene.text("/proc/modules") else { return false };
    if modules.lines().any(|line| line.starts_with("nf_tables ")) {
        return false;
    }
    let release = scene.line("/proc/sys/kernel/osrelease").unwrap_or_default();
    let folder = format!("/lib/modules/{release}/kernel/net/netfilter");
    scene.os.list(&folder).is_ok_and(|names| names.iter().any(|name| name.starts_with("nf_tables.ko")))
}

fn ufw_installed(scene: &Scene) -> bool {
    scene.os.exists("/usr/sbin/ufw")
        && scene.text("/etc/ufw/ufw.conf").is_ok_and(|text| assigned(&text, "ENABLED").is_some())
}

fn firewalld_installed(scene: &Scene) -> bool {
    scene.os.exists("/usr/sbin/firewalld")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::os::recorded::Recorded;

    const ARGUMENTS: &[&str] = &["-j", "-t", "list", "ruleset"];
    const NFT: &str = r#"{"nftables":[{"table":{"family":"inet","name":"filter","handle":1}},
        {"chain":{"family":"inet","table":"filter","name":"input","type":"filter","hook":"input","prio":0,"policy":"drop"}}]}"#;
    const UFW: &str = "*filter\n:INPUT DROP [0:0]\n:ufw-user-input - [0:0]\nCOMMIT\n";

    fn of(os: Recorded) -> Fact<List<Firewall>> {
        firewalls(&Scene::new(Arc::new(os), jiff::Timestamp::UNIX_EPOCH))
    }

    fn shown(os: Recorded) -> Vec<(FirewallKind, bool, bool)> {
        let found = of(os);
        let items = &found.known().unwrap().items;
        items.iter().map(|one| (one.kind, one.active, one.blocks_inbound == Fact::Known(true))).collect()
    }

    #[test]
    fn the_kernels_rules_decide_and_not_the_configuration() {
        let installed = Recorded::new().file("/usr/sbin/ufw", "").file("/etc/ufw/ufw.conf", "ENABLED=yes\n");
        let empty = installed.clone().answering(Program::Nft, ARGUMENTS, 0, "{\"nftables\":[]}");
        assert_eq!(shown(empty), [(FirewallKind::Ufw, false, false)]);
        let in_force = installed.answering(Program::Nft, ARGUMENTS, 0, NFT);
        assert_eq!(shown(in_force), [(FirewallKind::Nftables, true, true), (FirewallKind::Ufw, false, false)]);
    }

    #[test]
    fn one_protocol_left_open_is_open() {
        let os = Recorded::new()
            .answering(Program::Nft, ARGUMENTS, 0, "{\"nftables\":[]}")
            .file("/proc/net/ip_tables_names", "filter\n")
            .answering(Program::IptablesSave, &[], 0, UFW);
        assert_eq!(shown(os.clone()), [(FirewallKind::Ufw, true, true)]);
        let speaks_ipv6 = os.file("/proc/net/if_inet6", "fe80000000000000021122fffe334455 02 40 20 80     eth0\n");
        assert_eq!(shown(speaks_ipv6.clone()), [(FirewallKind::Ufw, true, false)]);
        let both =
            speaks_ipv6.file("/proc/net/ip6_tables_names", "filter\n").answering(Program::Ip6tablesSave, &[], 0, UFW);
        assert_eq!(shown(both), [(FirewallKind::Ufw, true, true)]);
    }

    #[test]
    fn what_cannot_be_asked_is_unknown_with_its_reason() {
        let reason = |os: Recorded| match of(os) {
            Fact::Unknown(unknown) => unknown.reason,
            Fact::Known(known) => panic!("{known:?}"),
        };
        assert_eq!(reason(Recorded::new().unprivileged()), Reason::NeedsAdministrator);
        assert_eq!(reason(Recorded::new()), Reason::SourceMissing);
        assert_eq!(reason(Recorded::new().answering(Program::Nft, ARGUMENTS, 1, "")), Reason::Unreadable);
        assert_eq!(reason(Recorded::new().answering(Program::Nft, ARGUMENTS, 0, "{")), Reason::Unreadable);
    }

    #[test]
    fn a_module_that_is_not_loaded_holds_no_rules() {
        let os = Recorded::new()
            .file("/proc/modules", "ext4 1 2 - Live 0x0\n")
            .file("/proc/sys/kernel/osrelease", "6.1.0-18-amd64\n")
            .file("/lib/modules/6.1.0-18-amd64/kernel/net/netfilter/nf_tables.ko", "");
        assert_eq!(shown(os), []);
    }
}
