//! What sudo grants: the rules as printed by sudo's own parser, evaluated for one person at a time.
//!
//! If several rules match a command, the last one counts. What depends on something unknown here (a netgroup, another machine's
//! name in a pattern) is `None` throughout this file.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::groups::Person;
use crate::linux::text::fits;

mod source;

pub(super) use source::read;

/// The rules in order.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Sudoers {
    #[serde(default, rename = "Defaults")]
    defaults: Vec<Defaults>,
    #[serde(default, rename = "User_Specs")]
    rules: Vec<Rule>,
    /// True when sources other than the files may grant more.
    #[serde(skip)]
    elsewhere: bool,
    #[serde(skip)]
    host: Host,
}

/// `Defaults:user setting`; for everybody without a binding.
#[derive(Debug, Deserialize)]
struct Defaults {
    #[serde(default, rename = "Binding")]
    binding: Vec<Member>,
    #[serde(default, rename = "Options")]
    options: Vec<BTreeMap<String, Value>>,
}

/// `users hosts = (runas) tags: commands`.
#[derive(Debug, Deserialize)]
struct Rule {
    #[serde(rename = "User_List")]
    users: Vec<Member>,
    #[serde(rename = "Host_List")]
    hosts: Vec<Member>,
    #[serde(rename = "Cmnd_Specs")]
    grants: Vec<Grants>,
}

#[derive(Debug, Deserialize)]
struct Grants {
    runasusers: Option<Vec<Member>>,
    runasgroups: Option<Vec<Member>>,
    #[serde(default, rename = "Options")]
    options: Vec<BTreeMap<String, Value>>,
    #[serde(rename = "Commands")]
    commands: Vec<Member>,
}

/// A list item: its kind, such as `usergroup`, with its value, and `negated`.
type Member = BTreeMap<String, Value>;

/// This machine, as rules may name it.
#[derive(Debug, Default)]
struct Host {
    name: String,
    addresses: Vec<(String, String)>,
}

/// What a person may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rights {
    /// Run everything as root.
    pub(super) everything: Option<bool>,
    /// Run something as root without giving a password.
    pub(super) without_password: Option<bool>,
}

/// No rights at all.
pub(super) const NONE: Rights = Rights { everything: Some(false), without_password: Some(false) };

/// What has been granted so far for one command.
struct Granted<'a> {
    command: &'a str,
    without_password: Option<bool>,
    certain: bool,
}

impl Sudoers {
    /// What `person` may do on this machine.
    pub(super) fn rights(&self, person: &Person, root: &Person) -> Rights {
        let mut granted: Vec<Granted> = Vec::new();
        for rule in &self.rules {
            let concerned = and(users(&rule.users, person), self.host.is_one_of(&rule.hosts));
            for grants in rule.grants.iter().filter(|_| concerned != Some(false)) {
                let certain = and(concerned, self.as_root(grants, root));
                if certain == Some(false) {
                    continue;
                }
                for command in &grants.commands {
                    let name = text(command, "command").unwrap_or_default();
                    // The last matching one counts for what it covers.
                    let covers = |earlier: &Granted| name == "ALL" || earlier.command == name;
                    if certain == Some(true) {
                        granted.retain(|earlier| !covers(earlier));
                    } else {
                        granted
                            .iter_mut()
                            .filter(|earlier| covers(earlier))
                            .for_each(|earlier| earlier.certain = false);
                    }
                    if !negated(command) {
                        let without_password = self.without_password(person, root, grants, name);
                        granted.push(Granted { command: name, without_password, certain: certain == Some(true) });
                    }
                }
            }
        }
        let decide = |found: &dyn Fn(&Granted) -> Option<bool>| {
            let certain = granted.iter().any(|granted| granted.certain && found(granted) == Some(true));
            let possible = self.elsewhere || granted.iter().any(|granted| found(granted) != Some(false));
            if certain { Some(true) } else { (!possible).then_some(false) }
        };
        Rights {
            everything: decide(&|granted| Some(granted.command == "ALL")),
            without_password: decide(&|granted| granted.without_password),
        }
    }

    /// True when a rule spares a user or group who is not `here` the password; the callback gets kind and name.
    pub(super) fn spares_others(&self, here: &dyn Fn(&str, &str) -> bool) -> bool {
        let general = self.setting("authenticate").and_then(Value::as_bool) == Some(false);
        let spares = |grants: &Grants| {
            let tag = grants.options.iter().rev().find_map(|options| options.get("authenticate")?.as_bool());
            tag.map_or(general, |asks| !asks)
        };
        let other = |member: &Member| {
            let unknown =
                |(kind, name): (&String, &Value)| kind != "negated" && !here(kind, name.as_str().unwrap_or_default());
            !negated(member) && member.iter().any(unknown)
        };
        self.rules.iter().any(|rule| rule.users.iter().any(other) && rule.grants.iter().any(spares))
    }

    /// Whether the grants are for root, which is the default when no user is named.
    fn as_root(&self, grants: &Grants, root: &Person) -> Option<bool> {
        match (&grants.runasusers, &grants.runasgroups) {
            (Some(named), _) => users(named, root),
            // As the same user, in another group.
            (None, Some(_)) => Some(false),
            (None, None) => match self.setting("runas_default") {
                Some(Value::String(name)) => Some(name == "root" || name == "#0"),
                _ => Some(true),
            },
        }
    }

    /// Whether a granted command needs no password: by its tag, else by the defaults.
    fn without_password(&self, person: &Person, root: &Person, grants: &Grants, command: &str) -> Option<bool> {
        let exempt = match self.setting("exempt_group") {
            Some(Value::String(group)) => person.groups.iter().any(|(name, _)| name == group),
            _ => false,
        };
        // Asked once after boot and never again.
        let once = self.setting("timestamp_timeout").and_then(number).is_some_and(|minutes| minutes < 0.0);
        let tag = grants.options.iter().rev().find_map(|options| options.get("authenticate")?.as_bool());
        if exempt || once || tag == Some(false) {
            return Some(true);
        }
        if tag == Some(true) {
            return Some(false);
        }
        let general = self.setting("authenticate").and_then(Value::as_bool).is_some_and(|asks| !asks);
        let mut without = Some(general);
        for defaults in self.defaults.iter().filter(|defaults| !defaults.binding.is_empty()) {
            let Some(asks) = defaults.options.iter().rev().find_map(|options| options.get("authenticate")?.as_bool())
            else {
                continue;
            };
            // The parser does not say whether the name is that of the caller or of the target user.
            let commands: Vec<&str> = defaults.binding.iter().filter_map(|member| text(member, "command")).collect();
            let hosts = defaults
                .binding
                .iter()
                .any(|member| text(member, "hostname").or(text(member, "networkaddr")).is_some());
            let bound = match () {
                () if hosts => self.host.is_one_of(&defaults.binding),
                () if !commands.is_empty() => Some(command == "ALL" || commands.contains(&command)),
                () => match (users(&defaults.binding, person), users(&defaults.binding, root)) {
                    (Some(true), _) => Some(true),
                    (Some(false), Some(false)) => Some(false),
                    _ => None,
                },
            };
            match bound {
                Some(true) => without = Some(!asks),
                None if without != Some(!asks) => without = None,
                _ => {}
            }
        }
        without
    }

    /// The last value of a setting that applies to everyone.
    fn setting(&self, name: &str) -> Option<&Value> {
        let general = self.defaults.iter().rev().filter(|defaults| defaults.binding.is_empty());
        general.flat_map(|defaults| defaults.options.iter().rev()).find_map(|options| options.get(name))
    }
}

impl Host {
    fn is_one_of(&self, list: &[Member]) -> Option<bool> {
        decided(list, |member| {
            if let Some(network) = text(member, "networkaddr") {
                return self.lies_in(network);
            }
            let pattern = text(member, "hostname")?;
            let short = self.name.split('.').next().unwrap_or_default();
            match () {
                () if pattern == "ALL" || fits(pattern, &self.name) || fits(pattern, short) => Some(true),
                // The fully qualified name is not known here.
                () if fits(pattern.split('.').next().unwrap_or_default(), short) || self.name.is_empty() => None,
                () => Some(false),
            }
        })
    }

    fn lies_in(&self, network: &str) -> Option<bool> {
        let (first, length) = network.split_once('/').unwrap_or((network, "32"));
        let first = u32::from(first.parse::<std::net::Ipv4Addr>().ok()?);
        let mask = match length.parse::<u32>() {
            Ok(length) => u32::MAX.checked_shl(32_u32.checked_sub(length)?).unwrap_or(0),
            Err(_) => u32::from(length.parse::<std::net::Ipv4Addr>().ok()?),
        };
        let own = self.addresses.iter().filter_map(|(_, address)| address.split('/').next()?.parse().ok());
        Some(own.map(|address: std::net::Ipv4Addr| u32::from(address)).any(|own| own & mask == first & mask))
    }
}

/// Whether `person` is among `list`.
fn users(list: &[Member], person: &Person) -> Option<bool> {
    let own = |value: &Value| number(value).is_some_and(|id| id == f64::from(person.id));
    let group = |value: &Value| person.groups.iter().any(|(_, id)| number(value) == Some(f64::from(*id)));
    decided(list, |member| {
        let of = |key: &str| member.get(key);
        match () {
            () if of("username").is_some() => text(member, "username").map(|name| name == "ALL" || name == person.name),
            () if of("usergroup").is_some() => {
                text(member, "usergroup").map(|name| person.groups.iter().any(|(own, _)| *own == name))
            }
            () => of("userid").map(own).or_else(|| of("usergid").map(group)),
        }
    })
}

/// The last matching item of a list decides.
fn decided(list: &[Member], fits: impl Fn(&Member) -> Option<bool>) -> Option<bool> {
    for member in list.iter().rev() {
        match fits(member) {
            Some(true) => return Some(!negated(member)),
            Some(false) => {}
            None => return None,
        }
    }
    Some(false)
}

fn and(one: Option<bool>, other: Option<bool>) -> Option<bool> {
    match (one, other) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), Some(true)) => Some(true),
        _ => None,
    }
}

fn text<'a>(member: &'a Member, key: &str) -> Option<&'a str> {
    member.get(key)?.as_str()
}

fn negated(member: &Member) -> bool {
    member.get("negated").and_then(Value::as_bool).unwrap_or(false)
}

/// A number, which some versions print as text.
fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.parse().ok())
}

#[cfg(test)]
mod tests;
