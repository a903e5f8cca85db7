//! Whether a stranger can connect, as the product reports it, compared with real connections between two network
//! namespaces.
//!
//! Each test runs itself again as root of its own namespaces: the machine is that process, the stranger a thread moved into
//! the other namespace. Where the product reports that strangers are kept out, no connection may succeed; where it reports
//! that they are not, one must.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]
#![cfg(target_os = "linux")]

#[path = "stranger/cases.rs"]
mod cases;
#[path = "support/debootstrap.rs"]
mod debootstrap;
#[path = "stranger/front_ends.rs"]
mod front_ends;
#[path = "stranger/generator.rs"]
mod generator;
#[path = "stranger/network.rs"]
mod network;

use collect::Collector;
use jiff::Timestamp;
use policies::fact::{Fact, Lan, Section};

use cases::{Case, Expected};
use network::{Layout, Network, alone};

fn lan() -> Lan {
    #[expect(clippy::disallowed_methods, reason = "the real machine is looked at now")]
    let now = Timestamp::now();
    Collector::of_this_machine(agent::platform::door()).collect(&[Section::Lan], now).lan
}

/// What is wrong with the product's answer, if anything.
fn compare(network: &Network, case: &Case) -> Result<Fact<bool>, String> {
    network.apply(case)?;
    let lan = lan();
    let wrong = |what: &str| {
        format!(
            "{}: {what}\nactive {:?}\nblocks {:?}\n{}",
            case.name,
            lan.firewall_active,
            lan.firewall_blocks_inbound,
            case.shown()
        )
    };
    match lan.firewall_blocks_inbound {
        Fact::Known(true) if network.stranger_connects(case, network::BRIEFLY) => {
            return Err(wrong("strangers are said to be kept out, and come in"));
        }
        Fact::Known(false) if !case.partly && !network.stranger_connects(case, network::LONG) => {
            return Err(wrong("strangers are said to come in, and cannot"));
        }
        _ => {}
    }
    let expected = match case.expected {
        Expected::Any => true,
        Expected::KeptOut => {
            lan.firewall_blocks_inbound == Fact::Known(true) && lan.firewall_active == Fact::Known(true)
        }
        Expected::LetIn => lan.firewall_blocks_inbound == Fact::Known(false),
        Expected::NoFirewall => {
            lan.firewall_blocks_inbound == Fact::Known(false)
                && lan.firewall_active == Fact::Known(false)
                && lan
                    .firewalls
                    .known()
                    .is_some_and(|firewalls| firewalls.items.iter().all(|firewall| !firewall.active))
        }
        Expected::Unknown => lan.firewall_blocks_inbound.known().is_none(),
    };
    if expected { Ok(lan.firewall_blocks_inbound.clone()) } else { Err(wrong(&format!("wanted {:?}", case.expected))) }
}

fn all(layout: Layout, cases: &[Case]) -> usize {
    let network = Network::new(layout);
    let answers: Vec<Result<Fact<bool>, String>> = cases.iter().map(|case| compare(&network, case)).collect();
    let wrong: Vec<&String> = answers.iter().filter_map(|answer| answer.as_ref().err()).collect();
    assert!(
        wrong.is_empty(),
        "{} of {} are wrong\n{}",
        wrong.len(),
        cases.len(),
        wrong.iter().map(|text| text.as_str()).collect::<Vec<_>>().join("\n\n")
    );
    answers.iter().filter(|answer| answer.as_ref().is_ok_and(|fact| fact.known().is_none())).count()
}

#[test]
fn rule_sets_by_hand_are_judged_as_a_stranger_meets_them() {
    if alone("rule_sets_by_hand_are_judged_as_a_stranger_meets_them") {
        let cases = cases::plain();
        assert!(cases.len() >= 40);
        all(Layout::Plain, &cases);
    }
}

#[test]
fn rule_sets_of_both_kinds_of_iptables_are_judged_as_a_stranger_meets_them() {
    if alone("rule_sets_of_both_kinds_of_iptables_are_judged_as_a_stranger_meets_them") {
        all(Layout::Plain, &cases::iptables());
    }
}

#[test]
fn bridges_are_judged_as_a_stranger_meets_them() {
    if alone("bridges_are_judged_as_a_stranger_meets_them") {
        all(Layout::Bridge, &cases::bridge());
    }
}

#[test]
fn interfaces_on_others_are_judged_as_a_stranger_meets_them() {
    if alone("interfaces_on_others_are_judged_as_a_stranger_meets_them") {
        all(Layout::Stacked, &cases::stacked());
    }
}

#[test]
fn ufw_and_firewalld_are_judged_as_a_stranger_meets_them() {
    // Made outside, where the user is the machine's root.
    let folder = front_ends::folder();
    if alone("ufw_and_firewalld_are_judged_as_a_stranger_meets_them") {
        front_ends::enter(&folder);
        let cases: Vec<Case> = front_ends::ufw().into_iter().chain(front_ends::firewalld()).collect();
        all(Layout::Plain, &cases);
    }
}

#[test]
fn made_up_rule_sets_are_judged_as_a_stranger_meets_them() {
    if alone("made_up_rule_sets_are_judged_as_a_stranger_meets_them") {
        let cases = generator::cases(120);
        let unknown = all(Layout::Plain, &cases);
        assert!(unknown * 5 <= cases.len(), "{unknown} of {} cannot be told: no judge", cases.len());
    }
}
