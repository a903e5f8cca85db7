//! The files together: what belongs to a policy, what one file cannot see of another, and which part of it agents are sent.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::collections::BTreeMap;

use policies::policy::{
    CATALOGUE_FILE, CONTROLS_FILE, Control, OFFICE_FILE, Policy, PolicySet, Role, SHIPPED, WindowsCatalogue,
};
use policies::text::Language;

/// The shipped files as sent to agents, with one of them changed.
fn changed(name: &str, change: impl Fn(&str) -> String) -> Vec<(String, String)> {
    let files = PolicySet::read(SHIPPED).unwrap().files_for_agents().unwrap();
    files.into_iter().map(|(file, text)| if file == name { (file, change(&text)) } else { (file, text) }).collect()
}

fn refusal<N: AsRef<str>>(files: Vec<(N, String)>) -> String {
    match PolicySet::read(files) {
        Ok(_) => panic!("the files were accepted"),
        Err(errors) => errors.show(Language::Vi),
    }
}

#[test]
fn the_role_picks_the_file() {
    let set = PolicySet::read(SHIPPED).unwrap();
    for role in [Role::Workstation, Role::Server] {
        assert_eq!(set.controls(role).role(), role);
        assert_eq!(set.controls(role).id(), format!("level-2-{}", role.code()));
    }
    assert!(set.controls(Role::Server).control("static-address").is_some());
    assert!(set.controls(Role::Workstation).control("static-address").is_none());
}

#[test]
fn the_exact_texts_are_kept() {
    let set = PolicySet::read(SHIPPED).unwrap();
    let kept: Vec<(&str, &str)> = set.files().iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let mut shipped = SHIPPED.to_vec();
    shipped.sort_unstable();
    assert_eq!(kept, shipped);
}

#[test]
fn a_missing_file_is_named_with_those_that_are_there() {
    let without = |name: &str| changed("", str::to_owned).into_iter().filter(|(file, _)| file != name).collect();
    assert_eq!(
        refusal(without("level-2-server.toml")),
        "level-2-server.toml: thiếu tệp này (có: level-2-workstation.toml, level-2.toml)"
    );
    assert!(refusal(without(OFFICE_FILE)).starts_with("level-2.toml: thiếu tệp này"));
    assert_eq!(refusal(Vec::<(&str, String)>::new()), "level-2.toml: thiếu tệp này");
}

#[test]
fn a_file_that_no_other_names_is_refused() {
    let mut files = changed("", str::to_owned);
    files.push(("thêm.toml".to_owned(), String::new()));
    assert_eq!(refusal(files), "thêm.toml: tệp `thêm.toml` không thuộc bộ tiêu chí này");
    // Either the source or what is made from it.
    let mut files = changed("", str::to_owned);
    files.push((CONTROLS_FILE.to_owned(), SHIPPED[1].1.to_owned()));
    assert!(refusal(files).contains("tệp `level-2-server.toml` không thuộc bộ tiêu chí này"));
}

/// The exact text of a control; conditions by their meaning.
fn said(control: &Control) -> String {
    let fixes: Vec<String> = control.fixes().iter().map(|fix| format!("{:?} {:?}", fix.when, fix.steps)).collect();
    format!(
        "{} {:?} {:?} {:?} {:?} {} {:?} {:?} {:?} {:?} {fixes:#?}",
        control.id(),
        control.title(),
        control.severity(),
        control.duty(),
        control.lifted_by(),
        control.minutes(),
        control.applies(),
        control.require(),
        control.wanted(),
        control.implied_by(),
    )
}

/// The policy that was signed before the controls had one source.
fn first_bundle() -> PolicySet {
    let signed: serde_json::Value = serde_json::from_str(include_str!("bundles/format-1.json")).unwrap();
    let bundle: serde_json::Value = serde_json::from_str(signed["bundle"].as_str().unwrap()).unwrap();
    let files: BTreeMap<String, String> = serde_json::from_value(bundle["files"].clone()).unwrap();
    PolicySet::read(files).unwrap()
}

/// Controls of the first bundle that say something else today, on purpose.
const CHANGED: &[&str] = &["forwarding-off", "accounts-one-root", "uac", "remote-control", "nfs-remote-root"];

#[test]
fn the_source_says_what_the_two_files_said() {
    let before = first_bundle();
    let source = PolicySet::read(SHIPPED).unwrap();
    let sent = PolicySet::read(source.files_for_agents().unwrap()).unwrap();
    assert_eq!(format!("{:?}", before.office().weights), format!("{:?}", source.office().weights));
    for &role in Role::ALL {
        let (before, source, sent) = (before.controls(role), source.controls(role), sent.controls(role));
        assert_eq!((before.id(), before.title()), (source.id(), source.title()));
        assert_eq!((before.id(), before.title(), sent.role()), (sent.id(), sent.title(), role));
        let is_old = |control: &&Control| before.control(control.id()).is_some();
        let ids = |policy: &Policy| -> Vec<String> {
            policy.controls().iter().filter(is_old).map(|control| control.id().to_owned()).collect()
        };
        assert_eq!(ids(before), ids(source), "the same controls in the same order");
        let ids = |policy: &Policy| policy.controls().iter().map(|c| c.id().to_owned()).collect::<Vec<_>>();
        assert_eq!(ids(source), ids(sent));
        for (source, sent) in source.controls().iter().zip(sent.controls()) {
            assert_eq!(said(source), said(sent));
            assert_eq!(&source.clauses()[..1], sent.clauses(), "agents demand one and show none");
            let Some(before) = before.control(source.id()).filter(|old| !CHANGED.contains(&old.id())) else { continue };
            assert_eq!(said(before), said(source));
            assert_eq!(before.clauses(), source.clauses(), "{}", source.id());
        }
    }
}

#[test]
fn the_catalogue_and_the_numbers_go_to_agents_to_the_letter() {
    let catalogue = include_str!("../windows-catalogue.toml");
    assert!(WindowsCatalogue::read(CATALOGUE_FILE, catalogue).is_ok());
    let set = PolicySet::read(SHIPPED.into_iter().chain([(CATALOGUE_FILE, catalogue)])).unwrap();
    let sent = set.files_for_agents().unwrap();
    let names: Vec<&str> = sent.keys().map(String::as_str).collect();
    assert_eq!(names, ["level-2-server.toml", "level-2-workstation.toml", "level-2.toml", CATALOGUE_FILE]);
    assert_eq!((sent[CATALOGUE_FILE].as_str(), sent[OFFICE_FILE].as_str()), (catalogue, SHIPPED[0].1));
    // What is about an office is for the server alone, and without it the agents' files are the same bytes.
    assert!(!set.office_controls().is_empty() && sent.values().all(|text| !text.contains("office.foreign")));
    let controls = SHIPPED[1].1;
    let of_office = controls.find("[[control]]\nid = \"gateways-approved\"").unwrap();
    let older =
        PolicySet::read([SHIPPED[0], (CONTROLS_FILE, &controls[..of_office]), (CATALOGUE_FILE, catalogue)]).unwrap();
    assert!(older.office_controls().is_empty());
    assert_eq!(older.files_for_agents().unwrap(), sent);
    // Older files are sent unchanged.
    assert_eq!(PolicySet::read(&sent).unwrap().files_for_agents().unwrap(), sent);
}

#[test]
fn the_files_of_the_roles_cannot_be_exchanged() {
    let files = changed(OFFICE_FILE, |text| {
        text.replace("workstation = \"level-2-workstation", "workstation = \"level-2-server")
    });
    let refusal = refusal(files);
    assert!(refusal.contains("tệp này có `for = \"server\"`, cần `\"workstation\"`"), "{refusal}");
}

#[test]
fn errors_of_both_control_files_are_said_together() {
    let files = changed("", str::to_owned).into_iter();
    let refusal =
        refusal(files.map(|(name, text)| (name, text.replacen("minutes = 30", "minutes = -30", 1))).collect());
    assert!(refusal.contains("level-2-workstation.toml:") && refusal.contains("level-2-server.toml:"), "{refusal}");
}

/// With the definitions critical as well, a machine without any anti-malware would leave more out of its sums than it lost.
#[test]
fn a_policy_under_which_failing_pays_is_refused() {
    let files = changed("level-2-workstation.toml", |text| {
        let at = text.find("id = \"antivirus-real-time\"").unwrap();
        let (before, after) = text.split_at(at);
        before.to_owned() + &after.replacen("severity = \"medium\"", "severity = \"high\"", 1)
    });
    let refusal = refusal(files);
    assert!(refusal.contains("`antivirus-running` nặng 10, hơn chính nó (8)"), "{refusal}");
}

/// An error in the source is reported once, at its place.
#[test]
fn an_error_in_the_source_is_said_once_for_both_roles() {
    let files = SHIPPED.map(|(name, text)| (name, text.replacen("minutes = 30", "minutes = -30", 1)));
    let said = refusal(files.to_vec());
    assert!(said.starts_with("level-2-controls.toml:") && said.lines().count() == 1, "{said}");
    let paying = SHIPPED.map(|(name, text)| {
        let (before, after) = text.split_once("id = \"antivirus-real-time\"").unwrap_or((text, ""));
        let id = if after.is_empty() { "" } else { "id = \"antivirus-real-time\"" };
        (name, format!("{before}{id}{}", after.replacen("severity = \"medium\"", "severity = \"high\"", 1)))
    });
    let said = refusal(paying.to_vec());
    assert!(said.starts_with("level-2-controls.toml: ") && said.lines().count() == 1, "{said}");
}
