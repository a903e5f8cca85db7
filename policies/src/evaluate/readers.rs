//! What the product cannot read: the table of fact, system and maker that alone may excuse an unknown (it then leaves both sums). An
//! agent that says `no_reader` is believed only where this table agrees. Whoever writes a reader removes its line here.

use super::blame::Blame;
use crate::fact::{Antivirus, Fact, Facts, Family, List, Maker, Reason};

/// One thing that the product cannot read.
#[derive(Clone, Copy, Debug)]
pub struct Gap {
    /// The fact, `section.name`, or the field of a list's records, `section.name.field`.
    pub fact: &'static str,
    /// The family of systems.
    pub family: Family,
    /// Where on this family.
    pub makers: Makers,
    /// Identifiers of systems (`system.id`) for which there is a reader nevertheless.
    pub except_systems: &'static [&'static str],
}

/// For which anti-malware products a gap is believed.
#[derive(Clone, Copy, Debug)]
pub enum Makers {
    /// The fact has no maker.
    Any,
    /// Only where a product of a maker that is not among these is at work.
    Except(&'static [Maker]),
    /// Only where a product of one of these makers is at work.
    Of(&'static [Maker]),
}

/// The makers whose products can be asked on Linux.
const READ_ON_LINUX: Makers = Makers::Except(&[Maker::ClamAv]);
/// Makers of whose products nobody can tell even whether they guard.
const NOBODY_KNOWS: Makers = Makers::Of(&[Maker::Other]);
/// The makers that are asked themselves on Windows; of others Security Center tells what it was told.
const ASKED_ON_WINDOWS: Makers = Makers::Except(&[Maker::Microsoft]);
/// Linux systems whose package system is known.
const KNOWN_LINUX: &[&str] = &["debian", "ubuntu", "fedora", "rhel", "centos", "rocky", "almalinux", "ol", "linuxmint"];

const fn linux(fact: &'static str, makers: Makers, except_systems: &'static [&'static str]) -> Gap {
    Gap { fact, family: Family::Linux, makers, except_systems }
}

const fn windows(fact: &'static str, makers: Makers) -> Gap {
    Gap { fact, family: Family::Windows, makers, except_systems: &[] }
}

/// The table.
pub const GAPS: &[Gap] = &[
    linux("antivirus.protection", NOBODY_KNOWS, &[]),
    linux("antivirus.products.running", NOBODY_KNOWS, &[]),
    linux("antivirus.real_time", READ_ON_LINUX, &[]),
    linux("antivirus.definitions_at", READ_ON_LINUX, &[]),
    linux("antivirus.definitions_current", Makers::Any, &[]),
    linux("antivirus.updater", READ_ON_LINUX, &[]),
    linux("antivirus.products.version", Makers::Any, &[]),
    linux("antivirus.products.real_time", READ_ON_LINUX, &[]),
    linux("antivirus.products.definitions_at", READ_ON_LINUX, &[]),
    linux("antivirus.products.definitions_current", Makers::Any, &[]),
    linux("antivirus.products.definitions_version", READ_ON_LINUX, &[]),
    linux("antivirus.products.updater", READ_ON_LINUX, &[]),
    // What products found lies in logs of their own.
    linux("antivirus.detections", Makers::Any, &[]),
    linux("antivirus.stops", Makers::Any, &[]),
    // Rules of hand-written firewalls by service; names asked in the network; the network manager's view of a network.
    linux("lan.open_inbound", Makers::Any, &[]),
    linux("lan.llmnr", Makers::Any, &[]),
    linux("lan.netbios", Makers::Any, &[]),
    linux("lan.interfaces.category", Makers::Any, &[]),
    linux("lan.interfaces.wireless", Makers::Any, &[]),
    linux("sharing.lm_level", Makers::Any, &[]),
    // A release younger than the agent is in no table of it, whatever the system.
    linux("system.supported_until", Makers::Any, &[]),
    // File systems without a block device below them (ZFS, network, containers).
    linux("system.disk_encrypted", Makers::Any, &[]),
    linux("patches.system", Makers::Any, KNOWN_LINUX),
    linux("patches.pending", Makers::Any, KNOWN_LINUX),
    linux("patches.pending_security", Makers::Any, KNOWN_LINUX),
    linux("patches.pending_names", Makers::Any, KNOWN_LINUX),
    linux("patches.lists_at", Makers::Any, KNOWN_LINUX),
    linux("patches.last_upgrade_at", Makers::Any, KNOWN_LINUX),
    linux("patches.automatic", Makers::Any, KNOWN_LINUX),
    linux("patches.reboot_needed", Makers::Any, KNOWN_LINUX),
    // The version lock of dnf 5.
    linux("patches.held", Makers::Any, &[]),
    // Desktops keep it per person; only what is set for all is read.
    linux("accounts.screen_lock", Makers::Any, &[]),
    // Display managers besides gdm, lightdm, sddm and lxdm.
    linux("accounts.automatic_logon", Makers::Any, &[]),
    // Systems that keep logins in a database (lastlog2, wtmpdb).
    linux("accounts.users.last_logon_at", Makers::Any, &[]),
    linux("accounts.users.last_used_at", Makers::Any, &[]),
    // Other programs that carry logs away.
    linux("logging.forwarded", Makers::Any, &[]),
    // Where Security Center knows no such product (servers), other makers tell nobody whether they check files as they open.
    windows("antivirus.real_time", ASKED_ON_WINDOWS),
    windows("antivirus.definitions_at", ASKED_ON_WINDOWS),
    windows("antivirus.definitions_current", ASKED_ON_WINDOWS),
    windows("antivirus.updater", Makers::Any),
    windows("antivirus.detections", ASKED_ON_WINDOWS),
    windows("antivirus.stops", ASKED_ON_WINDOWS),
    windows("antivirus.products.version", Makers::Any),
    windows("antivirus.products.real_time", ASKED_ON_WINDOWS),
    windows("antivirus.products.definitions_at", ASKED_ON_WINDOWS),
    windows("antivirus.products.definitions_current", ASKED_ON_WINDOWS),
    windows("antivirus.products.definitions_version", ASKED_ON_WINDOWS),
    windows("antivirus.products.updater", Makers::Any),
    // Another maker's firewall tells Security Center that it is on, and nobody by which rules.
    windows("lan.firewall_blocks_inbound", Makers::Any),
    // Ports of virtual machines: portproxy and NAT networks have no reader.
    windows("lan.published_ports", Makers::Any),
    windows("lan.firewalls.blocks_inbound", Makers::Any),
    windows("lan.open_inbound", Makers::Any),
    // The settings of OpenSSH for Windows.
    windows("remote.ssh_root_login", Makers::Any),
    windows("remote.ssh_password", Makers::Any),
    windows("remote.ssh_empty_password", Makers::Any),
    windows("remote.ssh_max_tries", Makers::Any),
    windows("remote.ssh_idle", Makers::Any),
    windows("remote.ssh_limited", Makers::Any),
    windows("remote.ssh_x11", Makers::Any),
    windows("remote.ssh_weak_algorithms", Makers::Any),
    linux("logging.largest", Makers::Any, &[]),
    linux("logging.cleared", Makers::Any, &[]),
    linux("accounts.users.password_required", Makers::Any, &[]),
    linux("accounts.uac", Makers::Any, &[]),
    linux("accounts.domain_administrators", Makers::Any, &[]),
    linux("accounts.autorun_off", Makers::Any, &[]),
    linux("patches.installed", Makers::Any, &[]),
    linux("patches.failing", Makers::Any, &[]),
    linux("patches.missing", Makers::Any, &[]),
    linux("patches.known_to", Makers::Any, &[]),
    linux("patches.servers", Makers::Any, &[]),
    linux("system.server_edition", Makers::Any, &[]),
    linux("system.paid_until", Makers::Any, &[]),
    linux("system.paid_updates", Makers::Any, &[]),
    linux("system.secure_boot", Makers::Any, &[]),
    linux("system.tpm", Makers::Any, &[]),
    linux("system.language", Makers::Any, &[]),
    linux("system.firmware_at", Makers::Any, &[]),
    linux("software.programs", Makers::Any, &[]),
    linux("software.browsers", Makers::Any, &[]),
    linux("software.removable_denied", Makers::Any, &[]),
    linux("software.removable_seen", Makers::Any, &[]),
    // A build younger than the catalogue, or one without known updates; a catalogue that is too old.
    windows("system.supported_until", Makers::Any),
    windows("system.paid_until", Makers::Any),
    windows("system.paid_updates", Makers::Any),
    windows("patches.missing", Makers::Any),
    // Windows tells neither; to know an empty password one would have to try it.
    windows("accounts.users.empty_password", Makers::Any),
    windows("accounts.users.hash_method", Makers::Any),
    windows("accounts.sudo_without_password", Makers::Any),
    windows("accounts.shell_timeout", Makers::Any),
    windows("accounts.private_files", Makers::Any),
    // The time service tells its state in words of the user's language, its events not always; how far the clock is off in none.
    windows("time.synchronised", Makers::Any),
    windows("time.within_a_second", Makers::Any),
    // Windows holds nothing back by name.
    windows("patches.held", Makers::Any),
    // What programs that copy data away write down for nobody else; one of them (Déjà Dup) keeps even its schedule with each person.
    linux("backup.products.active", Makers::Any, &[]),
    linux("backup.products.scheduled", Makers::Any, &[]),
    linux("backup.products.last_success_at", Makers::Any, &[]),
    linux("backup.products.last_start_at", Makers::Any, &[]),
    linux("backup.products.place", Makers::Any, &[]),
    // Other makers tell nobody how their copies ended, nor when; a service that is started when it is needed, not whether anything needs it.
    windows("backup.products.active", Makers::Any),
    windows("backup.products.scheduled", Makers::Any),
    windows("backup.products.last_success_at", Makers::Any),
    windows("backup.products.last_start_at", Makers::Any),
    windows("backup.products.place", Makers::Any),
];

/// True when every unknown part is one that the product cannot read on this machine.
pub(super) fn excuse(unknown: &[Blame], facts: &Facts) -> bool {
    !unknown.is_empty() && unknown.iter().all(|blame| is_excused(blame, facts))
}

/// True when a newer agent would know every unknown part, but for those that the product cannot read on this machine.
pub(super) fn agent_too_old(unknown: &[Blame], facts: &Facts) -> bool {
    let too_old = |blame: &Blame| blame.reason == Some(Reason::AgentTooOld);
    unknown.iter().any(too_old) && unknown.iter().all(|blame| too_old(blame) || is_excused(blame, facts))
}

fn is_excused(blame: &Blame, facts: &Facts) -> bool {
    blame.reason == Some(Reason::NoReader) && is_gap(&blame.fact(), facts)
}

fn is_gap(fact: &str, facts: &Facts) -> bool {
    let Some(family) = facts.system.family.known() else { return false };
    let system = facts.system.id.known().map(String::as_str);
    GAPS.iter().any(|gap| {
        gap.fact == fact
            && gap.family == *family
            // Windows has no identifier of a distribution.
            && (gap.family == Family::Windows || system.is_some_and(|system| !gap.except_systems.contains(&system)))
            && match gap.makers {
                Makers::Any => true,
                Makers::Except(read) => works(&facts.antivirus, |maker| !read.contains(&maker)),
                Makers::Of(unknown) => works(&facts.antivirus, |maker| unknown.contains(&maker)),
            }
    })
}

/// True when some product that is not known to be off is by a maker that `wanted` names.
fn works(antivirus: &Antivirus, wanted: impl Fn(Maker) -> bool) -> bool {
    match &antivirus.products {
        Fact::Known(List { items, .. }) => {
            items.iter().any(|product| product.running != Fact::Known(false) && wanted(product.maker))
        }
        Fact::Unknown(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fact::{Kind, find};

    #[test]
    fn every_gap_names_a_fact_or_a_field_that_exists() {
        for gap in GAPS {
            let mut parts = gap.fact.splitn(3, '.');
            let name = format!("{}.{}", parts.next().unwrap(), parts.next().unwrap());
            let (_, _, field) = find(&name).unwrap_or_else(|| panic!("{name}"));
            if let Some(part) = parts.next() {
                let Kind::List(Kind::Record(fields)) = field.kind else { panic!("{name} has no fields") };
                assert!(fields.iter().any(|field| field.name == part), "{}", gap.fact);
            }
        }
    }
}
