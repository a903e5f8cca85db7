//! One rule of the Windows firewall: `v2.30|Action=Allow|Active=TRUE|Dir=In|Protocol=6|Profile=Private|LPort=3389|RA4=LocalSubnet|...`
//! (MS-GPFAS 2.2.2.19).
//!
//! Every word is a condition, and all of them must hold. What a word says is true, false or not known; a word or value that nobody here
//! knows makes its condition unknown, so that it never widens the rule. The same holds of a rule that blocks: only what it surely blocks
//! is closed. Names and descriptions are not looked at.

use std::collections::BTreeSet;

use policies::evaluate::Truth;
use policies::fact::{FirewallProfile, InboundService};

use super::machine::Machine;
use super::ranges::{Family, Ranges};
use os::windows::Adapter;

/// What a rule does with the connections it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Allow,
    Block,
    /// Lets in those who prove who they are, even where others are blocked.
    ByPass,
}

/// A new connection over TCP that a stranger tries.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attempt {
    /// To what; `None` for whatever listens there.
    pub(super) service: Option<InboundService>,
    /// At which port; `None` when it is not known where the service listens.
    pub(super) port: Option<u16>,
    /// In a network of this profile.
    pub(super) profile: FirewallProfile,
    /// Over this protocol.
    pub(super) family: Family,
}

/// The addresses from which a rule is for an attempt.
#[derive(Clone, Debug, Default)]
pub(super) struct Sources {
    /// Surely.
    pub(super) sure: Ranges,
    /// Perhaps.
    pub(super) perhaps: Ranges,
}

/// Words and values of an inbound rule that is switched on.
#[derive(Clone, Debug)]
pub(super) struct Rule<'t> {
    /// `None` when it cannot be told.
    action: Option<Action>,
    /// False where it is written too badly to be sure of it.
    whole: bool,
    /// Keys in lower case.
    fields: Vec<(String, &'t str)>,
}

/// Words that may stand in a rule once.
const SINGLE: [&str; 13] = [
    "action", "active", "dir", "protocol", "app", "svc", "luown", "apppkgid", "luauth", "ruauth", "rmauth", "pfn",
    "skipver",
];
/// Words that narrow nothing: texts, how far a packet may have come, what is looked at elsewhere.
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
/// Keywords of ports that are none of those asked for.
const PORT_WORDS: [&str; 10] =
    ["rpc", "rpc-epmap", "teredo", "iptlsin", "iphttpsin", "dhcp", "ply2disc", "playtodiscovery", "mdns", "tcpcdpsvc"];
/// Keywords of addresses that are few and near.
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
/// Kinds of traffic that Windows recognises by itself; Remote Desktop, WinRM and file sharing are none.
const TRAFFIC: [&str; 8] =
    ["proximity", "proxsharing", "wfdprint", "wfddisplay", "wfddevices", "wfdkmdriver", "upnp", "wfdcdpsvc"];
/// Accounts of the system, and groups that hold them, as SDDL writes them.
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
    /// Reads a rule; `None` when it is switched off or for outgoing packets.
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
        // A rule is off unless it says that it is on.
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

    /// Something that stands where a rule should and cannot be read at all.
    pub(super) const fn odd() -> Self {
        Self { action: None, whole: false, fields: Vec::new() }
    }

    /// From where it lets the attempt in.
    pub(super) fn allows(&self, attempt: &Attempt, machine: &Machine) -> Sources {
        match self.action {
            // Whoever proves who they are is no stranger.
            Some(Action::Block | Action::ByPass) => Sources::default(),
            Some(Action::Allow) => self.sources(attempt, machine, false),
            None => Sources { sure: Ranges::default(), ..self.sources(attempt, machine, false) },
        }
    }

    /// From where it keeps the attempt out.
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

    /// The values of a word, whatever version of the format it is from (`LPort`, `LPort2_10`).
    fn of(&self, word: &str) -> impl Iterator<Item = &'t str> {
        self.fields.iter().filter(move |(key, _)| base(key) == word).map(|(_, value)| *value)
    }

    /// Without a word of them it is for all profiles.
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

    /// Whether it is for the program that offers the service: `svchost.exe` with `TermService` for Remote Desktop (and the system itself
    /// before Windows 8, which is how its rule is written there), the system itself for WinRM (by http.sys) and file sharing.
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
                // The system itself is no service; what Windows makes of such a rule is not documented.
                (_, "*" | "") | (InboundService::Smb, "lanmanserver") | (InboundService::Winrm, "winrm") => {
                    Truth::Unknown
                }
                _ => Truth::False,
            });
        }
        holds
    }

    /// Whether it is for every program: one that names a program or a service is for what that one offers.
    fn any_program(&self) -> Truth {
        let named = self.of("app").any(|app| app != "*") || self.of("svc").any(|name| !matches!(name, "*" | ""));
        match (named, self.of("svc").next()) {
            (true, _) => Truth::False,
            (false, Some(_)) => Truth::Unknown,
            (false, None) => Truth::True,
        }
    }

    /// Whether it is for the addresses at which the machine is reached.
    fn local(&self, family: Family, machine: &Machine, blocks: bool) -> Truth {
        let (ranges, odd) = self.ranges("la", family);
        match ranges {
            None => Truth::True,
            Some(ranges) if ranges == Ranges::all(family) => Truth::True,
            Some(_) if odd => Truth::Unknown,
            Some(ranges) => machine.reached_at(family, &ranges, blocks),
        }
    }

    /// Whether it is for an adapter by which one may come: by its identifier, by its kind (`IF_TYPE_ETHERNET_CSMACD`,
    /// `IF_TYPE_IEEE80211`, `IF_TYPE_PPP` and tunnels). A name in place of an identifier is nobody's here.
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

    /// Whether it is for ordinary traffic.
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

    /// From where it is for anybody. A rule that names an address of one family is not for the other family.
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

    /// The addresses of a word, `None` when it stands for neither family; and whether some of them are not known.
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

    /// `2:6:2` is Windows 8 alone, with `GTEQ` behind the last one also what came after it. Without any it is for all.
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

/// What one word says, of those that need no other.
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
        // Whoever comes chooses the port they come from.
        "rport" if !blocks || matches!(lower.as_str(), "*" | "0-65535" | "1-65535") => Truth::True,
        "rport" => Truth::False,
        // Only for those who prove who they are.
        "security" | "ruauth" | "rmauth" if blocks || value.is_empty() => Truth::Unknown,
        "security" if !matches!(lower.as_str(), "authenticate" | "authenticateencrypt" | "an-noencap" | "ane-nego") => {
            Truth::Unknown
        }
        "security" | "ruauth" | "rmauth" => Truth::False,
        // For the apps of one package.
        "apppkgid" | "pfn" if !value.is_empty() => Truth::False,
        // For what a person's programs own.
        "luown" if value.starts_with("S-1-5-21-") || value.starts_with("S-1-12-1-") => Truth::False,
        // For programs that certain people run.
        "luauth" if lower.contains("(a;") && !SYSTEM_ACCOUNTS.iter().any(|account| value.contains(account)) => {
            Truth::False
        }
        // Marks that narrow a rule where they are set.
        "lom" | "btoif" | "systemosonly" | "sytesmosonly" | "gameosonly" | "devmode" | "caudit" | "applb"
            if lower == "false" =>
        {
            Truth::True
        }
        _ => Truth::Unknown,
    }
}

/// The word without the version of the format that brought it: `lport` for `lport2_10`, `ra` for `ra42`.
fn base(key: &str) -> &str {
    key.trim_end_matches(|last: char| last.is_ascii_digit() || last == '_')
}
