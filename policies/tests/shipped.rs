//! The policy that comes with the product: it reads, every control of it can pass and can fail, and it cites what the standards
//! really contain.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use policies::evaluate::evaluate;
use policies::fact::{Fact, Facts, Family, Instant, List, Reason};
use policies::outcome::{Outcome, Verdict};
use policies::policy::{Clause, Control, Duty, LiftedBy, Policy, PolicySet, Role, Severity};
use policies::text::Language;

#[path = "machines/made.rs"]
mod machines;

use machines::{bad, good, windows_bad, windows_good};

fn shipped() -> PolicySet {
    PolicySet::shipped().unwrap_or_else(|errors| panic!("{}", errors.show(Language::Vi)))
}

fn now() -> Instant {
    "2026-11-22T03:00:00Z".parse().unwrap()
}

fn machine(json: &str) -> Facts {
    serde_json::from_str(json).unwrap()
}

fn judge(policy: &Policy, json: &str) -> Vec<Outcome> {
    evaluate(policy, &machine(json), now())
}

const ROLES: [Role; 2] = [Role::Workstation, Role::Server];

fn controls(set: &PolicySet) -> impl Iterator<Item = (Role, &Control)> {
    ROLES.into_iter().flat_map(|role| set.controls(role).controls().iter().map(move |control| (role, control)))
}

#[test]
fn each_file_has_enough_controls() {
    let set = shipped();
    for role in ROLES {
        assert!(set.controls(role).controls().len() >= 30, "{role:?}");
    }
}

/// Each control gets this verdict on at least one of these machines: what is meant for one family or kind only, on a machine of it.
fn on_some(machines: &[&str], wanted: Verdict) {
    let set = shipped();
    for role in ROLES {
        let judged: Vec<Vec<Outcome>> = machines.iter().map(|json| judge(set.controls(role), json)).collect();
        for (place, control) in set.controls(role).controls().iter().enumerate() {
            let outcomes: Vec<&Outcome> = judged.iter().map(|outcomes| &outcomes[place]).collect();
            let Some(outcome) = outcomes.iter().find(|outcome| outcome.verdict == wanted) else {
                panic!("{role:?} {}: {outcomes:?}", control.id())
            };
            assert!(!outcome.found.vi.is_empty() && !outcome.wanted.vi.is_empty(), "{}", control.id());
        }
    }
}

#[test]
fn every_control_can_pass() {
    let laptop = windows_good().replace("\"kind\": \"wired\"", "\"kind\": \"wireless\"");
    assert_ne!(laptop, windows_good());
    on_some(&[good(), windows_good(), &laptop], Verdict::Pass);
}

#[test]
fn every_control_can_fail() {
    on_some(&[bad(), windows_bad()], Verdict::Fail);
}

#[test]
fn a_machine_in_order_fails_nothing() {
    let set = shipped();
    for (role, json) in ROLES.into_iter().flat_map(|role| [(role, good()), (role, windows_good())]) {
        for outcome in judge(set.controls(role), json) {
            let excused = outcome.verdict == Verdict::Unknown && outcome.no_reader;
            let fine = matches!(outcome.verdict, Verdict::Pass | Verdict::NotApplicable) || excused;
            assert!(fine, "{role:?} {}: {}", outcome.control, outcome.found.vi);
        }
    }
}

fn verdict(json: &str, id: &str) -> Verdict {
    let set = shipped();
    let outcomes = judge(set.controls(Role::Workstation), json);
    outcomes.iter().find(|outcome| outcome.control == id).unwrap().verdict
}

#[test]
fn paid_updates_keep_a_windows_supported_as_long_as_they_come() {
    assert_eq!(verdict(windows_bad(), "system-supported"), Verdict::Fail);
    let enrolled = windows_bad()
        .replace("\"paid_updates\": {\n      \"known\": false\n", "\"paid_updates\": {\n      \"known\": true\n");
    assert_ne!(enrolled, windows_bad());
    assert_eq!(verdict(&enrolled, "system-supported"), Verdict::Pass);
    let ended = enrolled.replace("2028-10-10T16:59:59Z", "2026-10-13T16:59:59Z");
    assert_eq!(verdict(&ended, "system-supported"), Verdict::Fail);
}

#[test]
fn a_windows_that_searched_long_ago_is_not_believed_to_be_up_to_date() {
    let quiet = windows_bad().replace("\"known\": 3\n", "\"known\": 0\n");
    assert_ne!(quiet, windows_bad());
    assert_eq!(verdict(&quiet, "patches-monthly"), Verdict::Fail);
    let searched = quiet.replace("2026-05-21T22:00:00Z", "2026-11-21T22:00:00Z");
    assert_eq!(verdict(&searched, "patches-monthly"), Verdict::Pass);
    assert_eq!(verdict(&searched, "patches-cumulative"), Verdict::Fail, "the build says otherwise");
}

#[test]
fn old_lists_say_nothing_of_today_on_any_system() {
    assert_eq!(verdict(good(), "patches-monthly"), Verdict::Pass);
    let old = good().replace("2026-11-21T23:10:00Z", "2025-10-18T23:10:00Z");
    assert_ne!(old, good());
    assert_eq!(verdict(&old, "patches-monthly"), Verdict::Fail);
    let mut never = machine(good());
    never.patches.lists_at = Fact::unknown(Reason::SourceMissing, "");
    let outcomes = evaluate(shipped().controls(Role::Server), &never, now());
    let monthly = outcomes.iter().find(|outcome| outcome.control == "patches-monthly").unwrap();
    assert!(monthly.verdict == Verdict::Unknown && !monthly.no_reader);
}

#[test]
fn one_upgrade_of_anything_does_not_make_up_for_fixes_that_wait() {
    let mut facts = machine(good());
    facts.patches.pending_security = Fact::Known(39);
    facts.patches.last_upgrade_at = Fact::Known("2026-11-21T03:00:00Z".parse().unwrap());
    let outcomes = evaluate(shipped().controls(Role::Workstation), &facts, now());
    let monthly = outcomes.iter().find(|outcome| outcome.control == "patches-monthly").unwrap();
    assert_eq!(monthly.verdict, Verdict::Fail);
}

#[test]
fn a_windows_without_internet_is_judged_by_its_build_while_that_tells_something() {
    let judged = |change: &dyn Fn(&mut Facts)| {
        let mut facts = machine(windows_good());
        // It once searched and found nothing; since then updates were installed by hand.
        facts.patches.lists_at = Fact::Known("2026-05-21T22:00:00Z".parse().unwrap());
        facts.patches.known_to = Fact::Known("2026-11-20T16:59:59Z".parse().unwrap());
        facts.patches.missing = Fact::Known(List::default());
        change(&mut facts);
        let outcomes = evaluate(shipped().controls(Role::Workstation), &facts, now());
        outcomes.iter().find(|outcome| outcome.control == "patches-monthly").unwrap().verdict
    };
    assert_eq!(judged(&|_| ()), Verdict::Pass);
    assert_eq!(judged(&|facts| facts.patches.pending_security = Fact::Known(1)), Verdict::Fail);
    let unread = Fact::unknown(Reason::NoReader, "");
    // Neither an old catalogue nor a build that gets no more updates is left out of the sums.
    let old = || Fact::Known("2026-08-01T16:59:59Z".parse().unwrap());
    assert_eq!(
        judged(&|facts| {
            facts.patches.known_to = old();
            facts.patches.missing = unread.clone();
        }),
        Verdict::Fail
    );
    assert_eq!(
        judged(&|facts| {
            facts.system.supported_until = old();
            facts.system.paid_updates = Fact::Known(false);
            facts.patches.missing = unread.clone();
        }),
        Verdict::Fail
    );
}

#[test]
fn the_steps_are_the_same_in_both_files() {
    let set = shipped();
    for json in [good(), bad(), windows_good(), windows_bad()] {
        let facts = machine(json);
        for control in set.controls(Role::Workstation).controls() {
            let Some(other) = set.controls(Role::Server).control(control.id()) else { continue };
            assert_eq!(control.fix_for(&facts, now()), other.fix_for(&facts, now()), "{}", control.id());
        }
    }
}

#[test]
fn the_button_that_cards_name_is_on_the_machines_page() {
    let text = |name: &str| {
        std::fs::read_to_string(format!("{}/../server/locales/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
    };
    assert!(text("vi.toml").contains("check = \"Kiểm tra lại\""));
    assert!(text("en.toml").contains("check = \"Check again\""));
}

#[test]
fn who_was_knocked_at_is_kept_from_the_page_that_all_may_read() {
    let set = shipped();
    for role in ROLES {
        assert!(set.controls(role).control("logons-guessed").unwrap().tells_of_people());
        assert!(!set.controls(role).control("backup-at-work").unwrap().tells_of_people());
    }
}

#[test]
fn guesses_from_many_addresses_count_as_well() {
    assert_eq!(verdict(good(), "logons-guessed"), Verdict::Pass);
    let mut facts = machine(good());
    let judged = |facts: &Facts| {
        let outcomes = evaluate(shipped().controls(Role::Server), facts, now());
        outcomes.iter().find(|outcome| outcome.control == "logons-guessed").unwrap().verdict
    };
    let Fact::Known(list) = &mut facts.accounts.failed_logons else { panic!("it is known") };
    // Nobody knows what the rest is like.
    list.left_out = 1;
    assert_eq!(judged(&facts), Verdict::Unknown);
    let Fact::Known(list) = &mut facts.accounts.failed_logons else { panic!("it is known") };
    list.items = vec![list.items[0].clone(); 200];
    assert_eq!(judged(&facts), Verdict::Fail);
}

#[test]
fn a_backup_that_does_not_tell_when_it_ended_leaves_the_sums() {
    let set = shipped();
    let outcomes = judge(set.controls(Role::Server), good());
    let recent = outcomes.iter().find(|outcome| outcome.control == "backup-recent").unwrap();
    assert!(recent.verdict == Verdict::Unknown && recent.no_reader);
    assert_eq!(verdict(good(), "backup-at-work"), Verdict::Pass);
    assert_eq!(verdict(windows_bad(), "backup-at-work"), Verdict::Pass);
    assert_eq!(verdict(windows_bad(), "backup-recent"), Verdict::Fail, "it ended well long ago");
}

#[test]
fn what_is_implied_costs_once() {
    let set = shipped();
    let outcomes = judge(set.controls(Role::Workstation), bad());
    let cause = |id: &str| outcomes.iter().find(|outcome| outcome.control == id).and_then(|o| o.implied_by.clone());
    assert_eq!(cause("antivirus-definitions").as_deref(), Some("antivirus-running"));
    assert_eq!(cause("firewall-blocks-inbound").as_deref(), Some("firewall-active"));
    assert_eq!(cause("antivirus-running"), None);
}

#[test]
fn nothing_known_is_unknown_and_never_a_failure() {
    let set = shipped();
    let facts = Facts::unknown(Reason::NotCollected);
    for role in ROLES {
        for outcome in evaluate(set.controls(role), &facts, now()) {
            assert_eq!(outcome.verdict, Verdict::Unknown, "{}", outcome.control);
            assert!(!outcome.no_reader, "{}", outcome.control);
            assert!(outcome.found.vi.contains("chưa thu thập"), "{}: {}", outcome.control, outcome.found.vi);
        }
    }
}

#[test]
fn what_an_older_agent_read_wrongly_is_unknown_and_says_why() {
    let set = shipped();
    for (file, family) in [
        (good(), Family::Linux),
        (bad(), Family::Linux),
        (windows_good(), Family::Windows),
        (windows_bad(), Family::Windows),
    ] {
        let mut facts = machine(file);
        assert_eq!(facts.system.family, Fact::Known(family));
        let before = evaluate(set.controls(Role::Workstation), &facts, now());
        facts.forget_misread(1);
        let after = evaluate(set.controls(Role::Workstation), &facts, now());
        let firewall = after.iter().find(|outcome| outcome.control == "firewall-active").unwrap();
        assert!(firewall.verdict == Verdict::Unknown && firewall.agent_too_old && !firewall.no_reader);
        assert!(firewall.found.vi.contains("phiên bản phần mềm trên máy quá cũ"), "{}", firewall.found.vi);
        // Less knowledge never reverses an answer.
        for (before, after) in before.iter().zip(&after) {
            assert!(after.verdict == before.verdict || after.verdict == Verdict::Unknown, "{}", after.control);
            // What a failure explained costs no more after the failure is forgotten.
            if before.verdict == Verdict::Unknown && before.implied_by.is_some() {
                assert!(after.implied_by.is_some() || after.agent_too_old, "{}", after.control);
            }
        }
    }
}

#[test]
fn what_is_for_linux_only_does_not_apply_to_windows() {
    let set = shipped();
    let mut facts = Facts::unknown(Reason::NoReader);
    facts.system.family = Fact::Known(Family::Windows);
    let outcomes = evaluate(set.controls(Role::Workstation), &facts, now());
    for id in [
        "sudo-password",
        "shell-timeout",
        "private-files",
        "password-storage",
        "patches-held",
        "forwarding-off",
        "time-accurate",
    ] {
        let outcome = outcomes.iter().find(|outcome| outcome.control == id).unwrap();
        assert_eq!(outcome.verdict, Verdict::NotApplicable, "{id}");
    }
    for id in ["antivirus-running", "firewall-active", "accounts-empty-password"] {
        let outcome = outcomes.iter().find(|outcome| outcome.control == id).unwrap();
        assert_eq!(outcome.verdict, Verdict::Unknown, "{id}");
    }
}

/// The standards by their full names; the year is always given, because editions number their clauses differently.
const STANDARDS: [&str; 3] = ["TCVN 14423:2026", "TCVN 11930:2017", "TT 12/2022/TT-BTTTT"];

#[test]
fn every_control_cites_the_current_and_the_older_standard() {
    let set = shipped();
    let of_office = set.office_controls().iter().map(|control| (None, control));
    for (role, control) in controls(&set).map(|(role, control)| (Some(role), control)).chain(of_office) {
        let id = control.id();
        let from = |standard: &str| control.clauses().iter().any(|clause| clause.standard == standard);
        assert!(from("TCVN 14423:2026"), "{role:?} {id}");
        assert!(from("TCVN 11930:2017") || from("TT 12/2022/TT-BTTTT"), "{role:?} {id}");
        for Clause { standard, clause } in control.clauses() {
            assert!(STANDARDS.contains(&standard.as_str()), "{id}: {standard}");
            match standard.as_str() {
                // Level 2 is part 4 of the edition of 2026.
                "TCVN 14423:2026" => assert!(clause.starts_with("4."), "{id}: {clause}"),
                "TCVN 11930:2017" => {
                    assert!(clause.starts_with("6."), "{id}: {clause}");
                    // Not in the table of TT 12/2022, or only from level 3 on.
                    assert!(!["6.2.1.1", "6.1.5.6", "6.1.5.7", "6.1.5.8"].contains(&clause.as_str()), "{id}: {clause}");
                    // 6.2.2 is about servers.
                    assert!(role == Some(Role::Server) || !clause.starts_with("6.2.2."), "{id}: {clause}");
                }
                _ => assert!(clause.contains("Phụ lục II"), "{id}: {clause}"),
            }
        }
    }
}

#[test]
fn only_what_can_be_fixed_on_the_spot_is_critical() {
    let mut critical = 0;
    for (_, control) in controls(&shipped()) {
        if control.severity() == Severity::Critical {
            critical += 1;
            assert_eq!(control.lifted_by(), LiftedBy::OnSpot, "{}", control.id());
            assert_ne!(control.duty(), Duty::Suggested, "{}", control.id());
        }
    }
    assert!(critical >= 6);
}

#[test]
fn every_failure_has_steps_for_every_machine() {
    let set = shipped();
    for facts in [machine(bad()), machine(windows_bad()), Facts::unknown(Reason::NotCollected)] {
        for (_, control) in controls(&set) {
            let steps = control.fix_for(&facts, now());
            assert!((1..=6).contains(&steps.len()), "{}", control.id());
            // Vietnamese without diacritics would be another language.
            let marked = steps.iter().any(|step| !step.vi.is_ascii());
            assert!(marked && steps.iter().all(|step| step.vi != step.en), "{}", control.id());
        }
    }
}

#[test]
fn the_steps_are_those_of_the_machines_system() {
    let set = shipped();
    let control = set.controls(Role::Workstation).control("antivirus-running").unwrap();
    let facts = machine(bad());
    assert!(control.fix_for(&facts, now())[1].vi.contains("apt install clamav"));
}

#[test]
fn the_steps_on_windows_name_nothing_of_linux() {
    let set = shipped();
    let facts = machine(windows_bad());
    for role in ROLES {
        for outcome in judge(set.controls(role), windows_bad()) {
            if outcome.verdict != Verdict::Fail {
                continue;
            }
            let control = set.controls(role).control(&outcome.control).unwrap();
            for step in control.fix_for(&facts, now()) {
                for word in ["sudo", "/etc/", "systemctl", "cửa sổ lệnh", "PowerShell"] {
                    assert!(!step.vi.contains(word), "{}: {}", outcome.control, step.vi);
                }
            }
        }
    }
}

#[test]
fn a_command_for_the_registry_is_whole() {
    let set = shipped();
    for (_, control) in controls(&set) {
        let steps = control.fixes().iter().flat_map(|fix| &fix.steps);
        for text in steps.flat_map(|step| [&step.vi, &step.en]) {
            assert_eq!(text.matches('"').count() % 2, 0, "{}: {text}", control.id());
            for command in text.split("reg add ").skip(1) {
                assert!([" /v ", " /t REG_", " /d ", " /f"].iter().all(|part| command.contains(part)), "{text}");
            }
        }
    }
}

#[test]
fn both_files_say_the_same_of_a_control_they_share() {
    let set = shipped();
    for control in set.controls(Role::Workstation).controls() {
        let Some(other) = set.controls(Role::Server).control(control.id()) else { continue };
        assert_eq!(control.title(), other.title());
        assert_eq!(control.duty(), other.duty());
        assert_eq!(control.implied_by(), other.implied_by());
    }
}

#[test]
fn a_machine_without_a_graphical_session_needs_no_screen_lock() {
    let mut facts = machine(bad());
    facts.system.desktop = Fact::Known(false);
    let outcomes = evaluate(shipped().controls(Role::Workstation), &facts, now());
    let outcome = outcomes.iter().find(|outcome| outcome.control == "screen-lock").unwrap();
    assert_eq!(outcome.verdict, Verdict::NotApplicable);
    assert_eq!(outcome.found.vi, "có giao diện đồ hoạ: không");
}

#[test]
fn the_office_numbers_are_those_of_the_design() {
    let set = shipped();
    let office = set.office();
    assert_eq!(Severity::ALL.iter().map(|severity| office.weights.get(*severity)).collect::<Vec<_>>(), [8, 4, 2, 1]);
    assert_eq!((office.letters.a, office.letters.b, office.letters.c, office.letters.d), (90, 75, 60, 40));
    assert_eq!((office.shares.technical_percent, office.shares.organisational_percent), (100, 0));
    assert_eq!(office.evidence.stale_after_working_days, 5);
    assert_eq!(office.start_up.days, 30);
    assert!(office.calendar.holidays.contains(&jiff::civil::date(2027, 2, 6)));
}
