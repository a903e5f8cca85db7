//! What sudo grants: the rules as sudo's own reader prints them, weighed for one person after the other.
//!
//! Of several rules for the same command the last one counts. What depends on something unknown here (a netgroup, another machine's
//! name in a pattern) is `None`, as everywhere in this file.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::groups::Person;
use crate::collect::linux::scene::Scene;
use crate::collect::linux::text::{capped, fits, lines};
use crate::os::{Answer, OsError, Program};

const FILE: &str = "/etc/sudoers";
const PROGRAM: &str = "/usr/bin/sudo";

/// The rules in order.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Sudoers {
    #[serde(default, rename = "Defaults")]
    defaults: Vec<Defaults>,
    #[serde(default, rename = "User_Specs")]
    rules: Vec<Rule>,
    /// True when other sources than the files may grant more.
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

/// One of a list: its kind, such as `usergroup`, with its value, and `negated`.
type Member = BTreeMap<String, Value>;

/// The machine as rules name it.
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

/// Asks sudo's reader. `None` where sudo is not installed or refuses all of its files.
///
/// # Errors
/// When it cannot be asked, or some of what it reads would be refused by sudo itself.
pub(super) fn read(scene: &Scene) -> Answer<Option<Sudoers>> {
    match (scene.os.exists(PROGRAM), scene.os.exists(FILE)) {
        (false, false) => return Ok(None),
        _ if !scene.os.administrator() => return Err(OsError::Denied(FILE.to_owned())),
        (false, true) => return Err(failed("there are rules for a sudo that is elsewhere, or was removed")),
        (true, _) => {}
    }
    own_plugins(scene)?;
    let elsewhere = sources(scene)?;
    for file in files(scene)? {
        if refused(scene, &file)? {
            // Without its first file it does nothing; what a refused further one would have changed nobody knows.
            return if file == FILE && !elsewhere { Ok(None) } else { Err(failed(&format!("sudo refuses {file}"))) };
        }
    }
    let output = scene.os.run(Program::Cvtsudoers, &["-e", "-f", "json", FILE])?;
    if output.status != Some(0) || output.cut {
        return Err(failed(output.stderr.lines().next().unwrap_or("cvtsudoers")));
    }
    let mut sudoers: Sudoers = serde_json::from_str(&output.stdout).map_err(|error| failed(&error.to_string()))?;
    sudoers.elsewhere = elsewhere;
    let name = scene.line("/proc/sys/kernel/hostname").unwrap_or_default();
    sudoers.host = Host { name, addresses: scene.os.addresses()? };
    Ok(Some(sudoers))
}

fn failed(why: &str) -> OsError {
    OsError::Failed(FILE.to_owned(), capped(why))
}

/// Another plug-in than sudo's own, or another file, decides by rules that are not read here.
fn own_plugins(scene: &Scene) -> Answer<()> {
    let text = match scene.text("/etc/sudo.conf") {
        Err(OsError::Missing(_)) => return Ok(()),
        text => text?,
    };
    let own = |line: &str| {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        words.first() != Some(&"Plugin") || (words.len() == 3 && words[2] == "sudoers.so")
    };
    if lines(&text).all(own) { Ok(()) } else { Err(failed("sudo.conf names another plug-in or file")) }
}

/// Whether rules also come from elsewhere: LDAP, or a domain that sssd joined.
fn sources(scene: &Scene) -> Answer<bool> {
    let text = match scene.text("/etc/nsswitch.conf") {
        Err(OsError::Missing(_)) => return Ok(false),
        text => text?,
    };
    let Some(sources) = lines(&text).find_map(|line| line.strip_prefix("sudoers:")) else { return Ok(false) };
    let names: Vec<&str> = sources.split_ascii_whitespace().collect();
    if !names.contains(&"files") {
        return Err(failed("nsswitch.conf takes the rules from elsewhere"));
    }
    let joined = || {
        scene.os.exists("/etc/sssd/sssd.conf") || scene.os.list("/etc/sssd/conf.d").is_ok_and(|names| !names.is_empty())
    };
    Ok(names.contains(&"ldap") || names.contains(&"sss") && joined())
}

/// The files that sudo reads: `visudo -c` names each with what it thinks of it.
fn files(scene: &Scene) -> Answer<Vec<String>> {
    let output = scene.os.run(Program::Visudo, &["-c"])?;
    let mut files = Vec::new();
    for line in output.stdout.lines().chain(output.stderr.lines()) {
        let said = [": parsed OK", ": bad permissions, should be ", ": wrong owner (uid, gid) should be "];
        match said.iter().find_map(|said| line.split_once(said)) {
            Some((file, _)) => files.push(file.to_owned()),
            None if line.starts_with("visudo: ") => return Err(failed(line)),
            None => {}
        }
    }
    if output.cut || !files.iter().any(|file| file == FILE) {
        return Err(failed(output.stderr.lines().next().unwrap_or("visudo -c")));
    }
    Ok(files)
}

/// sudo takes files of root alone that nobody else may write to, except the group of root.
fn refused(scene: &Scene, file: &str) -> Answer<bool> {
    let owner = match scene.os.owner(file) {
        // Its name is not text.
        Err(OsError::Missing(_)) => return Err(failed(&format!("sudo reads {file}"))),
        owner => owner?,
    };
    Ok(owner.user != 0 || owner.mode & 0o002 != 0 || (owner.mode & 0o020 != 0 && owner.group != 0))
}

/// What was granted so far of one command.
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
                    // The last one counts for what it covers, if it holds at all.
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

    /// True when a rule spares a user or group the password who is not `here`: told the kind and the name.
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

    /// Whether the grants are for root, who is meant where nobody is named.
    fn as_root(&self, grants: &Grants, root: &Person) -> Option<bool> {
        match (&grants.runasusers, &grants.runasgroups) {
            (Some(named), _) => users(named, root),
            // As oneself, in another group.
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
        // Asked once after the start of the system and never again.
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
            // The reader does not say whether a name is of who asks or of whom he wants to be.
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

    /// The last value of a setting that holds for everybody.
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
                // The name with its domain is not known here.
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

/// Of a list the last member that fits decides.
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
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::os::Output;
    use crate::os::recorded::Recorded;

    /// A rule as `cvtsudoers` prints it.
    fn rule(users: &str, runas: &str, options: &str, commands: &str) -> String {
        let runas = if runas.is_empty() { String::new() } else { format!("\"runasusers\":[{runas}],") };
        format!(
            "{{\"User_List\":[{users}],\"Host_List\":[{{\"hostname\":\"ALL\"}}],\"Cmnd_Specs\":[{{{runas}\"Options\":[{options}],\"Commands\":[{commands}]}}]}}"
        )
    }

    const ALL: &str = r#"{"command":"ALL"}"#;
    const CANBO: &str = r#"{"username":"canbo"}"#;
    const SPARED: &str = r#"{"authenticate":false}"#;

    fn machine(defaults: &str, rules: &[String]) -> Recorded {
        let json = format!("{{\"Defaults\":[{defaults}],\"User_Specs\":[{}]}}", rules.join(","));
        Recorded::new()
            .file(PROGRAM, "")
            .file(FILE, "")
            .file("/proc/sys/kernel/hostname", "may-01\n")
            .answering(Program::Visudo, &["-c"], 0, "/etc/sudoers: parsed OK\n")
            .answering(Program::Cvtsudoers, &["-e", "-f", "json", FILE], 0, &json)
    }

    fn asked(os: Recorded) -> Answer<Option<Sudoers>> {
        read(&Scene::new(Arc::new(os), jiff::Timestamp::UNIX_EPOCH))
    }

    /// Everything, without a password: of canbo, who is in the group users.
    fn rights(os: Recorded) -> (Option<bool>, Option<bool>) {
        let person = Person { name: "canbo", id: 1000, groups: vec![("users", 100)] };
        let root = Person { name: "root", id: 0, groups: vec![("root", 0)] };
        let rights = asked(os).unwrap().unwrap().rights(&person, &root);
        (rights.everything, rights.without_password)
    }

    #[test]
    fn the_last_rule_that_covers_a_command_counts() {
        let of = |rules: &[String]| rights(machine("", rules));
        let (yes, no) = (Some(true), Some(false));
        let full = rule(CANBO, "", "", ALL);
        let spared = rule(CANBO, "", SPARED, ALL);
        assert_eq!(of(std::slice::from_ref(&full)), (yes, no));
        assert_eq!(of(&[full.clone(), spared.clone()]), (yes, yes));
        assert_eq!(of(&[spared.clone(), full]), (yes, no));
        assert_eq!(of(&[spared.clone(), rule(CANBO, "", "", r#"{"command":"ALL","negated":true}"#)]), (no, no));
        assert_eq!(of(&[rule(CANBO, "", SPARED, r#"{"command":"/bin/mount"}"#)]), (no, yes));
        assert_eq!(of(&[rule(CANBO, r#"{"username":"postgres"}"#, SPARED, ALL)]), (no, no));
        assert_eq!(
            of(&[rule(CANBO, r#"{"username":"ALL"},{"username":"root","negated":true}"#, SPARED, ALL)]),
            (no, no)
        );
        assert_eq!(of(&[spared, rule(r#"{"netgroup":"x"}"#, "", "", ALL)]), (None, None), "it may take it back");
    }

    #[test]
    fn users_are_told_by_all_their_forms() {
        let of = |users: &str| rights(machine("", &[rule(users, "", "", ALL)])).0;
        for users in [r#"{"username":"ALL"}"#, r#"{"userid":1000}"#, r#"{"usergroup":"users"}"#, r#"{"usergid":100}"#] {
            assert_eq!(of(users), Some(true), "{users}");
        }
        for users in [
            r#"{"username":"zabbix"}"#,
            r#"{"usergroup":"absent"}"#,
            r#"{"username":"ALL"},{"userid":1000,"negated":true}"#,
        ] {
            assert_eq!(of(users), Some(false), "{users}");
        }
        for users in [r#"{"netgroup":"x"}"#, r#"{"nonunixgroup":"x"}"#] {
            assert_eq!(of(users), None, "{users}");
        }
    }

    #[test]
    fn hosts_are_told_by_name_and_address() {
        let of = |host: &str| {
            let rule = rule(CANBO, "", "", ALL).replace(r#"{"hostname":"ALL"}"#, host);
            let mut os = machine("", &[rule]);
            os.addresses = vec![("eth0".to_owned(), "10.1.2.3/24".to_owned())];
            rights(os).0
        };
        assert_eq!(of(r#"{"hostname":"may-01"}"#), Some(true));
        assert_eq!(of(r#"{"networkaddr":"10.0.0.0/8"}"#), Some(true));
        assert_eq!(of(r#"{"networkaddr":"10.1.0.0/255.255.255.0"}"#), Some(false));
        assert_eq!(of(r#"{"hostname":"may-02"}"#), Some(false));
        assert_eq!(of(r#"{"hostname":"may-01.xa.gov.vn"}"#), None);
        assert_eq!(of(r#"{"networkaddr":"fe80::/10"}"#), None);
    }

    #[test]
    fn defaults_spare_the_password_too() {
        let of = |defaults: &str, options: &str| rights(machine(defaults, &[rule(CANBO, "", options, ALL)])).1;
        let set = |binding: &str, option: &str| format!("{{\"Binding\":[{binding}],\"Options\":[{option}]}}");
        assert_eq!(of(&set("", SPARED), ""), Some(true));
        assert_eq!(of(&set("", SPARED), r#"{"authenticate":true}"#), Some(false), "the rule's own word wins");
        assert_eq!(of(&set(CANBO, SPARED), ""), Some(true));
        assert_eq!(of(&set(r#"{"username":"zabbix"}"#, SPARED), ""), Some(false));
        assert_eq!(of(&set(r#"{"username":"root"}"#, SPARED), ""), None, "root's own, or for all who become root");
        assert_eq!(of(&set(r#"{"command":"/bin/ls"}"#, SPARED), ""), Some(true));
        assert_eq!(of(&set("", r#"{"timestamp_timeout":"-1"}"#), ""), Some(true));
        assert_eq!(of(&set("", r#"{"timestamp_timeout":5}"#), ""), Some(false));
        assert_eq!(of(&set("", r#"{"exempt_group":"users"}"#), r#"{"authenticate":true}"#), Some(true));
    }

    #[test]
    fn a_file_that_sudo_refuses_grants_nothing_for_sure() {
        let spared = || machine("", &[rule(CANBO, "", SPARED, ALL)]);
        assert!(asked(spared().owned(FILE, 0, 0o666)).unwrap().is_none(), "it does nothing at all");
        let named = |os: Recorded| {
            let mut os = os.file("/etc/sudoers.d/x", "");
            let said = "/etc/sudoers.d/x: bad permissions, should be mode 0440\n".to_owned();
            let output =
                Output { status: Some(1), stdout: "/etc/sudoers: parsed OK\n".to_owned(), stderr: said, cut: false };
            os.runs.insert(0, (Program::Visudo, vec!["-c".to_owned()], output));
            os
        };
        assert_eq!(rights(named(spared())).1, Some(true), "readable by others is no reason to refuse it");
        assert!(asked(named(spared()).owned("/etc/sudoers.d/x", 0, 0o666)).is_err());
        assert!(asked(named(spared()).owned("/etc/sudoers.d/x", 1000, 0o440)).is_err());
        let mut missing = named(spared());
        missing.files.remove("/etc/sudoers.d/x");
        assert!(asked(missing).is_err(), "its name is not text");
    }

    #[test]
    fn what_cannot_be_asked_is_said() {
        assert!(asked(Recorded::new()).unwrap().is_none());
        assert!(asked(Recorded::new().file(FILE, "")).is_err(), "sudo is elsewhere");
        assert!(asked(Recorded::new().file(PROGRAM, "").unprivileged()).is_err());
        let mut silent = machine("", &[]);
        silent.runs.retain(|(program, _, _)| *program == Program::Visudo);
        assert!(asked(silent.clone()).is_err());
        assert!(
            asked(silent.answering(Program::Cvtsudoers, &["-e", "-f", "json", FILE], 1, "")).is_err(),
            "a damaged rule"
        );
        assert!(asked(machine("", &[]).file("/etc/sudo.conf", "Plugin sudoers_policy x.so\n")).is_err());
        assert!(asked(machine("", &[]).file("/etc/sudo.conf", "Plugin sudoers_policy sudoers.so\n")).is_ok());
        let ldap = machine("", &[]).file("/etc/nsswitch.conf", "sudoers: files ldap\n");
        assert_eq!(rights(ldap), (None, None));
        let sss = machine("", &[]).file("/etc/nsswitch.conf", "sudoers: files sss\n");
        assert_eq!(rights(sss.clone()), (Some(false), Some(false)), "no domain was joined");
        assert_eq!(rights(sss.file("/etc/sssd/sssd.conf", "")), (None, None));
    }
}
