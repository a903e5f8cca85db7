//! Facts that older agents misread. A value that such an agent calls known would be believed, right or wrong, until its machine is updated;
//! so it reads as unknown, whatever it says. When the meaning of a fact is fixed, raise [`SCHEMA_VERSION`] and add a line here.

use super::{Facts, Family, Reason, SCHEMA_VERSION, Section, Unknown};

/// One fact that agents of a family misread.
#[derive(Clone, Copy, Debug)]
pub struct Misread {
    /// The fact, `section.name`, or the field of a list's records, `section.name.field`.
    pub fact: &'static str,
    /// The family of systems.
    pub family: Family,
    /// The machines of that family affected.
    pub on: On,
    /// The first version of the facts' meaning that reads it correctly.
    pub right_from: u32,
}

/// The machines of a family on which a fact was misread. A machine that does not report what it is counts among them.
#[derive(Clone, Copy, Debug)]
pub enum On {
    /// All.
    All,
    /// Those of one system (`system.id`).
    System(&'static str),
    /// Evaluation copies of Windows. Windows says so in its product name, which is not translated.
    Evaluation,
}

impl On {
    fn is(self, facts: &Facts) -> bool {
        let system = &facts.system;
        match self {
            Self::All => true,
            Self::System(id) => system.id.known().is_none_or(|known| known == id),
            Self::Evaluation => system.title.known().is_none_or(|title| title.to_ascii_lowercase().contains("eval")),
        }
    }
}

const fn windows(fact: &'static str, right_from: u32) -> Misread {
    Misread { fact, family: Family::Windows, on: On::All, right_from }
}

const fn linux(fact: &'static str, right_from: u32) -> Misread {
    Misread { fact, family: Family::Linux, on: On::All, right_from }
}

impl Misread {
    /// True when it is that fact, or a field of its records.
    pub fn is_of(&self, section: Section, fact: &str) -> bool {
        let rest = self.fact.strip_prefix(section.name()).and_then(|rest| rest.strip_prefix('.'));
        rest.and_then(|rest| rest.strip_prefix(fact)).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    }
}

/// The table.
pub const MISREAD: &[Misread] = &[
    // Rules that bind an app package, an owner or a driver were read as rules that let everybody in.
    windows("lan.open_inbound", 2),
    windows("lan.firewall_blocks_inbound", 2),
    // A product registered twice counted twice, and a leftover one counted as active.
    windows("lan.firewalls", 2),
    windows("lan.firewall_active", 2),
    // Names that lead to this machine were reported by name and not by address, on both systems.
    windows("lan.host_overrides", 2),
    // An empty text ended the list of files to be replaced; files to be deleted asked for a restart.
    windows("patches.reboot_needed", 2),
    // A pause of quality updates and a switched off update orchestrator were missed; future times counted.
    windows("patches.automatic", 2),
    windows("patches.last_upgrade_at", 2),
    windows("patches.failing", 2),
    // Free companions and leftovers counted as protection, one product could be listed twice.
    windows("antivirus.products", 2),
    windows("antivirus.protection", 2),
    windows("antivirus.real_time", 2),
    windows("antivirus.definitions_at", 2),
    // What a product tried and failed to do was reported as done; stops follow from the same events.
    windows("antivirus.detections", 2),
    windows("antivirus.stops", 2),
    // The machine itself and "no address" were reported as sources of password guesses.
    windows("accounts.failed_logons", 2),
    // A missing setting was read as on.
    windows("accounts.uac", 2),
    // Groups and profiles that could not be read counted as none.
    windows("accounts.users.administrator", 2),
    windows("accounts.users.last_used_at", 2),
    windows("accounts.screen_lock", 2),
    // Events dated in the future decided.
    windows("time.synchronised", 2),
    windows("time.source", 2),
    // A log that is overwritten counted as archived, an empty subscription as one.
    windows("logging.kept", 2),
    windows("logging.forwarded", 2),
    // Renamed downloads were not recognised; places that could not be read counted as empty.
    windows("remote.control_programs", 2),
    windows("remote.winrm", 2),
    windows("lan.proxies", 2),
    windows("lan.netbios", 2),
    windows("software.removable_seen", 2),
    // The guest account and everybody in the network did not count as anybody.
    windows("sharing.shares", 2),
    // Backups dated in the future counted.
    windows("backup.products", 2),
    // Only the server driver was checked.
    windows("sharing.smb1", 2),
    // An evaluation copy of Windows expires long before the support of its edition.
    Misread { fact: "system.supported_until", family: Family::Windows, on: On::Evaluation, right_from: 2 },
    // Chains, tables and programs that merely exist counted as a firewall, and rules that may let a stranger in were not seen as such.
    linux("lan.firewalls", 2),
    linux("lan.firewall_active", 2),
    linux("lan.firewall_blocks_inbound", 2),
    linux("lan.host_overrides", 2),
    // Static addresses in drop-ins and old state of NetworkManager were reported as DHCP.
    linux("lan.interfaces.addressing", 2),
    // Without a security archive, with old lists, held or pinned packages nothing seemed to be pending.
    linux("patches.pending", 2),
    linux("patches.pending_security", 2),
    linux("patches.pending_names", 2),
    // The newest of all lists counted, including those of other makers' archives.
    linux("patches.lists_at", 2),
    // Settings counted where no timer or service ever runs.
    linux("patches.automatic", 2),
    // Logs that begin after an upgrade counted as no upgrade.
    linux("patches.last_upgrade_at", 2),
    // Only the kernel counted.
    linux("patches.reboot_needed", 2),
    // System accounts with a shell, accounts opened by a key and members of groups that equal root were missing or wrong.
    linux("accounts.users", 2),
    // A log that nobody writes any more counted as an answer.
    linux("accounts.failed_logons", 2),
    // Rules were read differently from sudo, and files with odd names not at all.
    linux("accounts.sudo_without_password", 2),
    // The orders of PAM modules, their drop-ins and login.defs, and values in a shell's words.
    linux("accounts.password_min_length", 2),
    linux("accounts.password_min_classes", 2),
    linux("accounts.password_max_age", 2),
    linux("accounts.lockout_tries", 2),
    linux("accounts.lockout_time", 2),
    linux("accounts.shell_timeout", 2),
    // The file was read, not the running program with its options; a second program not at all.
    linux("remote.ssh_root_login", 2),
    linux("remote.ssh_password", 2),
    linux("remote.ssh_empty_password", 2),
    linux("remote.ssh_max_tries", 2),
    linux("remote.ssh_idle", 2),
    linux("remote.ssh_limited", 2),
    linux("remote.ssh_x11", 2),
    linux("remote.ssh_weak_algorithms", 2),
    // Guest access for all shares, and shares that people make themselves, were missed.
    linux("sharing.shares", 2),
    // Scanners that run but do not protect counted; those of unknown makers did not count at all.
    linux("antivirus.products", 2),
    linux("antivirus.protection", 2),
    linux("antivirus.real_time", 2),
    linux("antivirus.updater", 2),
    // The kernel's flag was believed before the time service; openntpd was not known.
    linux("time.synchronised", 2),
    linux("time.source", 2),
    linux("time.within_a_second", 2),
    // Many ways to start a backup were missed.
    linux("backup.products", 2),
    // Rotation was read differently from logrotate.
    linux("logging.kept", 2),
    // Routes of VPN programs (two halves, other tables, without a router), and servers for some names, were not read.
    windows("lan.gateways", 3),
    windows("lan.dns_servers", 3),
    // The same; a local resolver was taken for another that happened to have left a file, and a file without servers for none.
    linux("lan.gateways", 3),
    linux("lan.dns_servers", 3),
    // Paid extended support was not read.
    Misread { fact: "system.supported_until", family: Family::Linux, on: On::System("ubuntu"), right_from: 2 },
];

impl Facts {
    /// What an agent of `schema` misreads on this machine. A machine that does not report its family gets the lines of both: what
    /// cannot be ruled out is not believed.
    pub fn misread_by(&self, schema: u32) -> Vec<&'static Misread> {
        if schema >= SCHEMA_VERSION {
            return Vec::new();
        }
        let family = self.system.family.known().copied();
        let on_this = |misread: &&Misread| family.is_none_or(|family| family == misread.family) && misread.on.is(self);
        MISREAD.iter().filter(|misread| misread.right_from > schema).filter(on_this).collect()
    }

    /// Makes unknown what an agent of `schema` misreads.
    pub fn forget_misread(&mut self, schema: u32) {
        for misread in self.misread_by(schema) {
            let detail = format!("read wrongly before version {} of the facts", misread.right_from);
            self.forget_fact(misread.fact, &Unknown { reason: Reason::AgentTooOld, detail });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fact::{Fact, Kind, find};

    #[test]
    fn every_line_names_a_fact_or_a_field_that_exists_once() {
        let mut seen = std::collections::BTreeSet::new();
        for misread in MISREAD {
            let mut parts = misread.fact.splitn(3, '.');
            let name = format!("{}.{}", parts.next().unwrap(), parts.next().unwrap());
            let (_, _, field) = find(&name).unwrap_or_else(|| panic!("{name}"));
            if let Some(part) = parts.next() {
                let Kind::List(Kind::Record(fields)) = field.kind else { panic!("{name} has no fields") };
                assert!(fields.iter().any(|field| field.name == part), "{}", misread.fact);
            }
            assert!((2..=SCHEMA_VERSION).contains(&misread.right_from), "{}", misread.fact);
            assert!(seen.insert((misread.family, misread.fact)), "{} twice", misread.fact);
        }
    }

    #[test]
    fn an_old_answer_counts_as_unknown_only_on_the_system_where_it_was_wrong() {
        let known = |family: Option<Family>| {
            let mut facts = Facts::unknown(Reason::NotCollected);
            facts.system.family = family.map_or_else(|| Fact::unknown(Reason::Unreadable, ""), Fact::Known);
            facts.lan.firewall_active = Fact::Known(true);
            facts.accounts.uac = Fact::Known(true);
            facts.accounts.shell_timeout = Fact::Known(crate::fact::Seconds(900));
            facts.lan.forwards = Fact::Known(false);
            facts
        };
        let after = |family, schema| {
            let mut facts = known(family);
            facts.forget_misread(schema);
            [
                facts.lan.firewall_active.known().is_some(),
                facts.accounts.uac.known().is_some(),
                facts.accounts.shell_timeout.known().is_some(),
                facts.lan.forwards.known().is_some(),
            ]
        };
        assert_eq!(after(Some(Family::Windows), 1), [false, false, true, true]);
        assert_eq!(after(Some(Family::Linux), 1), [false, true, false, true]);
        assert_eq!(after(None, 1), [false, false, false, true]);
        assert_eq!(after(None, 0), [false, false, false, true]);
        for schema in [SCHEMA_VERSION, SCHEMA_VERSION + 1] {
            assert_eq!(after(None, schema), [true; 4], "{schema}");
        }
    }

    #[test]
    fn support_is_forgotten_on_ubuntu_alone() {
        let after = |id: &str| {
            let mut facts = Facts::unknown(Reason::NotCollected);
            facts.system.family = Fact::Known(Family::Linux);
            facts.system.id = Fact::Known(id.to_owned());
            facts.system.supported_until = Fact::Known(jiff::Timestamp::UNIX_EPOCH);
            facts.forget_misread(1);
            facts.system.supported_until
        };
        let Fact::Unknown(why) = after("ubuntu") else { panic!() };
        assert_eq!(
            (why.reason, why.detail.as_str()),
            (Reason::AgentTooOld, "read wrongly before version 2 of the facts")
        );
        assert!(after("debian").known().is_some());
    }

    #[test]
    fn support_is_forgotten_on_copies_to_try_windows_with() {
        let known = |title: Option<&str>, schema| {
            let mut facts = Facts::unknown(Reason::NotCollected);
            facts.system.family = Fact::Known(Family::Windows);
            facts.system.title =
                title.map_or_else(|| Fact::unknown(Reason::Unreadable, ""), |title| Fact::Known(title.to_owned()));
            facts.system.supported_until = Fact::Known(jiff::Timestamp::UNIX_EPOCH);
            facts.forget_misread(schema);
            facts.system.supported_until.known().is_some()
        };
        for title in ["Windows 10 Enterprise Evaluation", "Windows Server 2022 Standard Evaluation"] {
            assert!(!known(Some(title), 1) && known(Some(title), 2), "{title}");
        }
        assert!(!known(None, 1), "what cannot be excluded is not believed");
        assert!(known(Some("Windows 10 Enterprise"), 1));
    }

    #[test]
    fn a_line_is_of_its_fact_and_of_no_longer_name() {
        let of = |fact: &'static str, section, name: &str| windows(fact, 2).is_of(section, name);
        assert!(of("accounts.users", Section::Accounts, "users"));
        assert!(of("accounts.users.administrator", Section::Accounts, "users"));
        assert!(!of("accounts.users", Section::Accounts, "user") && !of("accounts.users", Section::Lan, "users"));
        assert!(!of("lan.firewalls", Section::Lan, "firewall"));
    }

    #[test]
    fn a_field_of_a_lists_records_is_forgotten_and_its_neighbours_stay() {
        let mut facts = Facts::unknown(Reason::NotCollected);
        let text = br#"{"users":{"known":{"items":[{"name":"lan","id":1000,"enabled":{"known":true},"last_used_at":{"known":"2026-11-01T00:00:00Z"}}]}}}"#;
        facts.decode(Section::Accounts, text).unwrap();
        let why = Unknown { reason: Reason::AgentTooOld, detail: String::new() };
        facts.forget_fact("accounts.users.last_used_at", &why);
        let user = &facts.accounts.users.known().unwrap().items[0];
        assert_eq!((&user.enabled, &user.last_used_at), (&Fact::Known(true), &Fact::Unknown(why)));
    }
}
