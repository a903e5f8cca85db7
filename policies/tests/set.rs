//! The three files together: what belongs to a policy, and what one file cannot see of another.

use policies::policy::{OFFICE_FILE, PolicySet, Role, SHIPPED};
use policies::text::Language;

/// The shipped files with one of them changed.
fn changed(name: &str, change: impl Fn(&str) -> String) -> Vec<(&'static str, String)> {
    SHIPPED.iter().map(|(file, text)| (*file, if *file == name { change(text) } else { (*text).to_owned() })).collect()
}

fn refusal(files: Vec<(&str, String)>) -> String {
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
    let without =
        |name: &str| SHIPPED.iter().filter(|(file, _)| *file != name).map(|(f, t)| (*f, (*t).to_owned())).collect();
    assert_eq!(
        refusal(without("level-2-server.toml")),
        "level-2-server.toml: thiếu tệp này (có: level-2-workstation.toml, level-2.toml)"
    );
    assert!(refusal(without(OFFICE_FILE)).starts_with("level-2.toml: thiếu tệp này"));
    assert_eq!(refusal(Vec::new()), "level-2.toml: thiếu tệp này");
}

#[test]
fn a_file_that_no_other_names_is_refused() {
    let mut files: Vec<(&str, String)> = changed("", str::to_owned);
    files.push(("thêm.toml", String::new()));
    assert_eq!(refusal(files), "thêm.toml: tệp `thêm.toml` không thuộc bộ tiêu chí này");
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
    let files = SHIPPED.map(|(name, text)| (name, text.replacen("minutes = 30", "minutes = -30", 1)));
    let refusal = refusal(files.to_vec());
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
