//! Rules as printed by `cvtsudoers`, and reasons why it cannot be asked.

use super::source::{FILE, PROGRAM};
use super::*;
use crate::linux::context::CheckContext;
use os::recorded::Recorded;
use os::{Answer, Output, Program};

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
    read(&CheckContext::of(os))
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
    assert_eq!(of(&[rule(CANBO, r#"{"username":"ALL"},{"username":"root","negated":true}"#, SPARED, ALL)]), (no, no));
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
