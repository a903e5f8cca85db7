//! The controls of an office that come with the product: they pass, fail and are unknown, and only they use facts of an office.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use policies::evaluate::evaluate_office;
use policies::fact::{Fact, ForeignAddress, Instant, List, OfficeFacts, Reason};
use policies::outcome::{Outcome, Verdict};
use policies::policy::PolicySet;
use policies::text::Language;

fn shipped() -> PolicySet {
    PolicySet::shipped().unwrap_or_else(|errors| panic!("{}", errors.show(Language::Vi)))
}

fn now() -> Instant {
    "2026-11-22T03:00:00Z".parse().unwrap()
}

fn judge_office(foreign: Fact<List<ForeignAddress>>) -> Vec<Outcome> {
    let facts = OfficeFacts { foreign_gateways: foreign.clone(), foreign_dns: foreign };
    evaluate_office(shipped().office_controls(), &facts, now())
}

#[test]
fn the_controls_of_an_office_pass_fail_and_are_unknown() {
    let foreign = |address: &str, machines: &[&str]| ForeignAddress {
        address: address.to_owned(),
        machines: machines.iter().map(|name| (*name).to_owned()).collect(),
    };
    let set = shipped();
    assert_eq!(set.office_controls().len(), 2);
    for (found, verdict, vi, en) in [
        (Fact::Known(List::default()), Verdict::Pass, "ngoài danh sách được duyệt: không có", "list: none"),
        (
            Fact::Known(
                [foreign("8.8.8.8", &["PC-01", "PC-02\u{202e}"]), foreign("10.9.9.9", &["PC-03"])]
                    .into_iter()
                    .collect(),
            ),
            Verdict::Fail,
            "ngoài danh sách được duyệt: 8.8.8.8 (PC-01, PC-02⟨U+202E⟩), 10.9.9.9 (PC-03)",
            "outside the approved list: 8.8.8.8 (PC-01, PC-02⟨U+202E⟩), 10.9.9.9 (PC-03)",
        ),
        (Fact::unknown(Reason::NotApproved, ""), Verdict::Unknown, "posture-server office lan", "page Local network"),
        (
            Fact::unknown(Reason::MachinesUnclear, ""),
            Verdict::Unknown,
            "có máy chưa xác định được",
            "for some machines it is not known",
        ),
        (Fact::unknown(Reason::NoMachine, ""), Verdict::Unknown, "chưa có máy nào", "no machine of the office"),
    ] {
        for outcome in judge_office(found.clone()) {
            assert_eq!(outcome.verdict, verdict, "{}: {found:?}", outcome.control);
            assert!(outcome.found.vi.contains(vi) && outcome.found.en.contains(en), "{:?}", outcome.found);
            assert!(!outcome.wanted.vi.is_empty() && !outcome.wanted.en.is_empty());
        }
    }
    let facts = OfficeFacts { foreign_gateways: Fact::default(), foreign_dns: Fact::default() };
    assert!(set.office_controls().iter().all(|control| control.fix_for_office(&facts, now()).len() >= 4));
}

/// What only the server can say of an office is not believed when a machine says it.
#[test]
fn the_reasons_of_an_office_are_no_words_of_a_machine() {
    for word in ["not_approved", "machines_unclear", "no_machine"] {
        let lan = format!(r#"{{"unknown":{{"reason":"{word}"}}}}"#);
        assert_eq!(serde_json::from_str::<Fact<bool>>(&lan).unwrap(), Fact::unknown(Reason::AgentTooOld, ""));
    }
}

#[test]
fn a_fact_of_an_office_is_for_controls_of_an_office_alone() {
    let source = policies::policy::SHIPPED[1].1;
    let changed = source.replace("fact = \"office.foreign_dns\"", "fact = \"lan.dns_servers\"");
    let said = PolicySet::read_controls(&changed).unwrap_err().show(Language::En);
    let line = source.lines().position(|line| line.contains("office.foreign_dns")).unwrap() + 1;
    assert!(said.starts_with(&format!("level-2-controls.toml:{line}:")), "{said}");
    assert!(said.contains("it is a fact of a machine; this control is for an office"), "{said}");
    let changed = source.replacen("fact = \"lan.firewall_active\"", "fact = \"office.foreign_dns\"", 1);
    let said = PolicySet::read_controls(&changed).unwrap_err().show(Language::En);
    assert!(said.contains("facts of an office are for controls with `for = \"office\"`"), "{said}");
    let changed = source.replace("office.foreign_dns", "office.foriegn_dns");
    let said = PolicySet::read_controls(&changed).unwrap_err().show(Language::En);
    assert!(said.contains("did you mean `office.foreign_dns`?"), "{said}");
}
