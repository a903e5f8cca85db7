//! One rule of the Windows firewall: `v2.30|Action=Allow|Active=TRUE|Dir=In|Protocol=6|Profile=Private|LPort=3389|RA4=LocalSubnet|...`
//! (MS-GPFAS 2.2.2.19).
//!
//! Every field is a condition, and all must hold. A condition is true, false or unknown; an unknown field or value makes its condition
//! unknown, so that it never widens the rule. The same applies to a blocking rule: only what it certainly blocks is closed. Names and
//! descriptions are ignored.

use std::collections::BTreeSet;

use policies::evaluate::Truth;
use policies::fact::{FirewallProfile, InboundService};

use super::machine::Machine;
use super::ranges::{Family, Ranges};
use os::windows::Adapter;

/// What a rule does with matching connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Allow,
    Block,
    /// Lets in authenticated callers, even where others are blocked.
    ByPass,
}

/// A new TCP connection attempt by a stranger.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attempt {
    /// The service; `None` for anything that is listening.
    pub(super) service: Option<InboundService>,
    /// The port; `None` when it is unknown where the service listens.
    pub(super) port: Option<u16>,
    /// The profile of the network.
    pub(super) profile: FirewallProfile,
    /// The IP version.
    pub(super) family: Family,
}

/// The addresses from which a rule applies to an attempt.
#[derive(Clone, Debug, Default)]
pub(super) struct Sources {
    /// Certainly.
    pub(super) sure: Ranges,
    /// Perhaps.
    pub(super) perhaps: Ranges,
}

/// Fields and values of an enabled inbound rule.
#[derive(Clone, Debug)]
pub(super) struct Rule<'t> {
    /// `None` when unknown.
    action: Option<Action>,
    /// False when it is too malformed to be certain.
    whole: bool,
    /// Keys in lower case.
    fields: Vec<(String, &'t str)>,
}

/// Fields that may occur only once.
const SINGLE: [&str; 13] = [
    "action", "active", "dir", "protocol", "app", "svc", "luown", "apppkgid", "luauth", "ruauth", "rmauth", "pfn",
    "skipver",
];
/// Fields that narrow nothing: texts, how far a packet may have come, fields handled elsewhere.
const HARMLESS: [&str; 14] = [
    "action",
    "active",
    "dir",
    "name",
    "desc",
    "embedctxt",
    "edge",
    "defer",
    "lsm",
    "pcross",
    "authbypassout",
    "autogenipsec",
    "radynkey",
    "ra",
];
/// Port keywords other than those asked for.
const PORT_WORDS: [&str; 10] =
    ["rpc", "rpc-epmap", "teredo", "iptlsin", "iphttpsin", "dhcp", "ply2disc", "playtodiscovery", "mdns", "tcpcdpsvc"];
/// Keywords for few, nearby addresses.
const NEAR: [&str; 12] = [
    "localsubnet",
    "localsubnet4",
    "localsubnet6",
    "dns",
    "dhcp",
    "wins",
    "defaultgateway",
    "intranet",
    "rmtintranet",
    "ply2renders",
    "playtodevice",
    "captiveportal",
];
/// Kinds of traffic that Windows classifies itself; Remote Desktop, WinRM and file sharing are not among them.
const TRAFFIC: [&str; 8] =
    ["proximity", "proxsharing", "wfdprint", "wfddisplay", "wfddevices", "wfdkmdriver", "upnp", "wfdcdpsvc"];
/// System accounts, and groups that contain them, in SDDL notation.
const SYSTEM_ACCOUNTS: [&str; 14] = [
    ";WD)",
    ";AU)",
    ";SY)",
    ";NS)",
    ";LS)",
    ";SU)",
    ";BA)",
    ";S-1-1-0)",
    ";S-1-5-11)",
    ";S-1-5-18)",
    ";S-1-5-19)",
    ";S-1-5-20)",
    ";S-1-5-32-544)",
    ";S-1-5-80-",
];

impl<'t> Rule<'t> {
    /// Parses a rule; `None` when it is disabled or for outgoing packets.
    pub(super) fn read(text: &'t str) -> Option<Self> {
        let mut parts = text.split('|');
        let version = parts.next().unwrap_or_default();
        let numbered =
            version.strip_prefix('v').is_some_and(|number| number.starts_with(|digit: char| digit.is_ascii_digit()));
        let mut rule = Self { action: None, whole: numbered, fields: Vec::new() };
        for part in parts.filter(|part| !part.is_empty()) {
            match part.split_once('=') {
                Some((key, value)) => rule.fields.push((key.trim().to_ascii_lowercase(), value.trim())),
                None => rule.whole = false,
            }
        }
        let twice = |name: &str| rule.of(name).nth(1).is_some();
        let word = |name: &str| rule.of(name).next().unwrap_or_default().to_ascii_lowercase();
        let (active, direction, action) = (word("active"), word("dir"), word("action"));
        // A rule is disabled unless it says otherwise.
        let off = matches!(active.as_str(), "" | "false") && !twice("active");
        if off || direction == "out" && !twice("dir") {
            return None;
        }
        if SINGLE.into_iter().any(twice) {
            return Some(Self::odd());
        }
        rule.whole &= active == "true" && direction == "in";
        rule.action = match action.as_str() {
            "allow" => Some(Action::Allow),
            "block" => Some(Action::Block),
            "bypass" => Some(Action::ByPass),
            _ => None,
        };
        Some(rule)
    }

    /// Stands for something in place of a rule that cannot be parsed.
    pub(super) const fn odd() -> Self {
        Self { action: None, whole: false, fields: Vec::new() }
    }

    /// The addresses from which it lets the attempt in.
    pub(super) fn allows(&self, attempt: &Attempt, machine: &Machine) -> Sources {
        match self.action {
            // Authenticated callers are not strangers.
            Some(Action::Block | Action::ByPass) => Sources::default(),
            Some(Action::Allow) => self.sources(attempt, machine, false),
            None => Sources { sure: Ranges::default(), ..self.sources(attempt, machine, false) },
        }
    }

    /// The addresses from which it blocks the attempt.
    pub(super) fn blocks(&self, attempt: &Attempt, machine: &Machine) -> Sources {
        if self.action == Some(Action::Block) { self.sources(attempt, machine, true) } else { Sources::default() }
    }

    fn sources(&self, attempt: &Attempt, machine: &Machine, blocks: bool) -> Sources {
        let mut holds = if self.whole { Truth::True } else { Truth::Unknown };
        holds = holds.and(self.profile(attempt.profile)).and(self.port(attempt.port));
        // Most rules are for other ports.
        if holds == Truth::False {
            return Sources::default();
        }
        holds =
            holds.and(self.program(attempt.service, machine, blocks)).and(self.local(attempt.family, machine, blocks));
        holds = holds.and(self.platform(machine)).and(self.interfaces(machine, blocks)).and(self.traffic());
        for (key, value) in &self.fields {
            holds = holds.and(condition(key, value, blocks));
        }
        let sources = self.remote(attempt.family);
        match holds {
            Truth::True => sources,
            Truth::Unknown => Sources { sure: Ranges::default(), ..sources },
            Truth::False => Sources::default(),
        }
    }

    /// The values of a field, in any version of the format (`LPort`, `LPort2_10`).
    fn of(&self, word: &str) -> impl Iterator<Item = &'t str> {
        self.fields.iter().filter(move |(key, _)| base(key) == word).map(|(_, value)| *value)
    }

    /// Without a profile field the rule is for all profiles.
    fn profile(&self, profile: FirewallProfile) -> Truth {
        let (mut named, mut odd) = (BTreeSet::new(), false);
        for value in self.of("profile") {
            match value.to_ascii_lowercase().as_str() {
                "domain" => drop(named.insert(FirewallProfile::Domain)),
                "private" => drop(named.insert(FirewallProfile::Private)),
                "public" => drop(named.insert(FirewallProfile::Public)),
                _ => odd = true,
            }
        }
        match (named.contains(&profile) || named.is_empty() && !odd, odd) {
            (true, _) => Truth::True,
            (false, true) => Truth::Unknown,
            (false, false) => Truth::False,
        }
    }

    fn port(&self, port: Option<u16>) -> Truth {
        let mut found = Truth::False;
        let mut any = true;
        for value in self.of("lport") {
            any = false;
            let range = match value.split_once('-') {
                Some((first, last)) => first.trim().parse::<u16>().ok().zip(last.trim().parse().ok()),
                None => value.parse().ok().map(|port| (port, port)),
            };
            found = found.or(match (range, port) {
                _ if value == "*" => Truth::True,
                _ if PORT_WORDS.contains(&value.to_ascii_lowercase().as_str()) => Truth::False,
                (Some((first, last)), Some(port)) => Truth::from((first..=last).contains(&port)),
                (Some(_) | None, None) | (None, Some(_)) => Truth::Unknown,
            });
        }
        // Ports have a meaning with TCP and UDP only.
        let of_ports = self.of("protocol").any(|protocol| matches!(protocol, "6" | "17"));
        match (any, of_ports) {
            (true, _) => Truth::True,
            (false, true) => found,
            (false, false) => found.and(Truth::Unknown),
        }
    }

    /// Whether it covers the service's program: `svchost.exe` with `TermService` for Remote Desktop (and the system itself before
    /// Windows 8, as its rule is written there), the system itself for WinRM (through http.sys) and file sharing.
    fn program(&self, service: Option<InboundService>, machine: &Machine, blocks: bool) -> Truth {
        let Some(service) = service else { return self.any_program() };
        let rdp = service == InboundService::Rdp;
        let mut holds = Truth::True;
        for app in self.of("app") {
            let app = app.to_ascii_lowercase();
            holds = holds.and(match app.as_str() {
                "system" if rdp && blocks => Truth::Unknown,
                "system" => Truth::True,
                _ => match machine.is_svchost(&app) {
                    Truth::True => Truth::from(rdp),
                    other => other,
                },
            });
        }
        for name in self.of("svc") {
            holds = holds.and(match (service, name.to_ascii_lowercase().as_str()) {
                (InboundService::Rdp, "*" | "termservice") => Truth::True,
                // The system itself is not a service; the effect of such a rule is undocumented.
                (_, "*" | "") | (InboundService::Smb, "lanmanserver") | (InboundService::Winrm, "winrm") => {
                    Truth::Unknown
                }
                _ => Truth::False,
            });
        }
        holds
    }

    /// Whether it covers every program: a rule that names a program or service only covers that one.
    fn any_program(&self) -> Truth {
        let named = self.of("app").any(|app| app != "*") || self.of("svc").any(|name| !matches!(name, "*" | ""));
        match (named, self.of("svc").next()) {
            (true, _) => Truth::False,
            (false, Some(_)) => Truth::Unknown,
            (false, None) => Truth::True,
        }
    }

    /// Whether it covers the addresses at which the machine is reached.
    fn local(&self, family: Family, machine: &Machine, blocks: bool) -> Truth {
        let (ranges, odd) = self.ranges("la", family);
        match ranges {
            None => Truth::True,
            Some(ranges) if ranges == Ranges::all(family) => Truth::True,
            Some(_) if odd => Truth::Unknown,
            Some(ranges) => machine.reached_at(family, &ranges, blocks),
        }
    }

    /// Whether it covers an adapter that a stranger may arrive on: by id, or by type (`IF_TYPE_ETHERNET_CSMACD`,
    /// `IF_TYPE_IEEE80211`, `IF_TYPE_PPP` and tunnels). A name instead of an id matches nothing here.
    fn interfaces(&self, machine: &Machine, blocks: bool) -> Truth {
        let kind = |adapter: &Adapter, word: &str| match word.to_ascii_lowercase().as_str() {
            "lan" => adapter.kind == 6,
            "wireless" => adapter.kind == 71,
            "remoteaccess" => matches!(adapter.kind, 23 | 131),
            _ => false,
        };
        let told = |is_told: &dyn Fn(&Adapter, &str) -> bool, word: &str, odd: &dyn Fn(&str) -> bool| {
            let is_one = |adapter: &Adapter| self.of(word).any(|value| is_told(adapter, value));
            match machine.any_or_all(blocks, is_one) {
                _ if self.of(word).next().is_none() => Truth::True,
                Truth::False if self.of(word).any(odd) => Truth::Unknown,
                other => other,
            }
        };
        let by_name = |adapter: &Adapter, value: &str| adapter.guid.eq_ignore_ascii_case(value);
        let known = ["lan", "wireless", "remoteaccess"];
        told(&by_name, "if", &|value| !value.starts_with('{'))
            .and(told(&kind, "iftype", &|value| !known.contains(&value.to_ascii_lowercase().as_str())))
    }

    /// Whether it covers ordinary traffic.
    fn traffic(&self) -> Truth {
        match self
            .of("ttk")
            .map(|value| TRAFFIC.contains(&value.to_ascii_lowercase().as_str()))
            .reduce(|all, one| all && one)
        {
            None => Truth::True,
            Some(true) => Truth::False,
            Some(false) => Truth::Unknown,
        }
    }

    /// The remote addresses it covers. A rule with addresses of only one family does not cover the other.
    fn remote(&self, family: Family) -> Sources {
        let (ranges, odd) = self.ranges("ra", family);
        // Addresses that a program keeps up to date.
        let odd = odd || self.of("radynkey").next().is_some();
        let sure = match ranges {
            None if odd => Ranges::default(),
            None => Ranges::all(family),
            Some(ranges) => ranges,
        };
        Sources { perhaps: if odd { Ranges::all(family) } else { sure.clone() }, sure }
    }

    /// The addresses of a field, `None` when it has none of either family; and whether some of them are unknown.
    fn ranges(&self, word: &str, family: Family) -> (Option<Ranges>, bool) {
        let mut found = self.of(word).next().map(|_| Ranges::default());
        let mut odd = false;
        for (key, value) in self.fields.iter().filter(|(key, _)| base(key) == word) {
            match (key.as_bytes().get(word.len()), family) {
                (Some(b'4'), Family::Four) | (Some(b'6'), Family::Six) => {}
                (Some(b'4' | b'6'), _) => continue,
                _ => odd = true,
            }
            match Ranges::read(family, value) {
                _ if *value == "*" => found = Some(Ranges::all(family)),
                Some(more) => found.get_or_insert_default().add(&more),
                None if word == "ra" && NEAR.contains(&value.to_ascii_lowercase().as_str()) => {}
                None => odd = true,
            }
        }
        (found, odd)
    }

    /// `2:6:2` means Windows 8 only, with `GTEQ` appended also later versions. Without the field it is for all.
    fn platform(&self, machine: &Machine) -> Truth {
        let mut later = Truth::False;
        for operator in self.fields.iter().filter(|(key, _)| key == "platform2") {
            later = if operator.1.eq_ignore_ascii_case("GTEQ") { Truth::True } else { Truth::Unknown };
        }
        let platforms: Vec<&str> =
            self.fields.iter().filter(|(key, _)| key == "platform").map(|(_, value)| *value).collect();
        let Some(last) = platforms.len().checked_sub(1) else {
            return if later == Truth::False { Truth::True } else { Truth::Unknown };
        };
        let mut holds = Truth::False;
        for (at, text) in platforms.iter().enumerate() {
            let numbers: Vec<Option<u64>> = text.split(':').map(|part| part.parse().ok()).collect();
            let ([Some(kind), Some(major), Some(minor)], Some(own)) = (&numbers[..], machine.version()) else {
                return Truth::Unknown;
            };
            let named = (*major, *minor);
            let newer = Truth::from(own > named).and(if at == last { later } else { Truth::False });
            // `VER_PLATFORM_WIN32_NT`.
            holds = holds.or(Truth::from(own == named).or(newer).and(Truth::from(*kind == 2)));
        }
        holds
    }
}

/// The result of one field that depends on no other.
fn condition(key: &str, value: &str, blocks: bool) -> Truth {
    let lower = value.to_ascii_lowercase();
    match base(key) {
        word if HARMLESS.contains(&word) => Truth::True,
        "lport" | "la" | "app" | "svc" | "profile" | "if" | "iftype" | "ttk" => Truth::True,
        "platform" if matches!(key, "platform" | "platform2") => Truth::True,
        "protocol" => match value.parse::<u16>() {
            Ok(6 | 256) => Truth::True,
            Ok(_) => Truth::False,
            Err(_) => Truth::Unknown,
        },
        // The caller chooses the source port.
        "rport" if !blocks || matches!(lower.as_str(), "*" | "0-65535" | "1-65535") => Truth::True,
        "rport" => Truth::False,
        // Only for authenticated callers.
        "security" | "ruauth" | "rmauth" if blocks || value.is_empty() => Truth::Unknown,
        "security" if !matches!(lower.as_str(), "authenticate" | "authenticateencrypt" | "an-noencap" | "ane-nego") => {
            Truth::Unknown
        }
        "security" | "ruauth" | "rmauth" => Truth::False,
        // For the apps of one package.
        "apppkgid" | "pfn" if !value.is_empty() => Truth::False,
        // For programs owned by a person.
        "luown" if value.starts_with("S-1-5-21-") || value.starts_with("S-1-12-1-") => Truth::False,
        // For programs run by certain people.
        "luauth" if lower.contains("(a;") && !SYSTEM_ACCOUNTS.iter().any(|account| value.contains(account)) => {
            Truth::False
        }
        // Flags that narrow a rule when set.
        "lom" | "btoif" | "systemosonly" | "sytesmosonly" | "gameosonly" | "devmode" | "caudit" | "applb"
            if lower == "false" =>
        {
            Truth::True
        }
        _ => Truth::Unknown,
    }
}

/// The field name without the format version that introduced it: `lport` for `lport2_10`, `ra` for `ra42`.
fn base(key: &str) -> &str {
    key.trim_end_matches(|last: char| last.is_ascii_digit() || last == '_')
}
