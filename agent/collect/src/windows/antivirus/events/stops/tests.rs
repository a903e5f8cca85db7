//! Stops of products of any maker, on recorded events.

use std::sync::Arc;

use policies::fact::{Fact, Reason};

use super::super::tests::{event, product};
use super::super::{ONE_STOP, stops};
use super::*;
use os::windows::recorded::Recorded;
use os::windows::{Row, Variant};

/// As published, for the service `Spooler`.
const SPOOLER_STOPPED: &str = "530070006F006F006C00650072002F0031000000";

fn hexadecimal(text: &str) -> String {
    text.encode_utf16().chain([0]).map(|unit| format!("{:04X}", unit.swap_bytes())).collect()
}

fn changed(at: &str, service: &str, state: u32) -> Event {
    let binary = hexadecimal(&format!("{service}/{state}"));
    event(STATE_CHANGED, at, &[("param1", "Dịch vụ diệt vi-rút"), ("param2", "đã dừng"), ("", &binary)])
}

fn told(at: &str, name: &str, state: &str) -> Event {
    event(15, at, &[("", name), ("", state)])
}

fn machine(build: u64, services: Vec<Event>) -> Recorded {
    let since = "2026-09-01T00:00:00Z".parse::<Timestamp>().unwrap().as_millisecond();
    let os =
        Recorded::new().log("System", since).log("Application", since).number(VERSION, "CurrentBuildNumber", build);
    os.rows(r"ROOT\SecurityCenter2", "FirewallProduct", Vec::new()).provided(
        "System",
        "Service Control Manager",
        services,
    )
}

fn listed(os: Recorded, products: &[AntivirusProduct]) -> Fact<Vec<String>> {
    let context = CheckContext::new(Arc::new(os), "2026-11-22T03:00:00Z".parse().unwrap());
    match stops(&context, products) {
        Fact::Known(list) => Fact::Known(list.items.iter().map(Timestamp::to_string).collect()),
        Fact::Unknown(why) => Fact::Unknown(why),
    }
}

fn at(times: &[&str]) -> Fact<Vec<String>> {
    Fact::Known(times.iter().map(|&time| time.to_owned()).collect())
}

#[test]
fn a_service_that_stops_or_breaks_down_is_told_by_the_service_manager() {
    let broke = event(
        7031,
        "2026-11-19T08:00:00Z",
        &[("param1", "Bkav"), ("param2", "1"), ("", &hexadecimal("BkavSystemService"))],
    );
    let os = machine(
        19_045,
        vec![
            changed("2026-11-20T01:05:00Z", "BkavService", 4),
            changed("2026-11-20T01:00:40Z", "BkavSystemService", 1),
            changed("2026-11-20T01:00:00Z", "bkavservice", 1),
            changed("2026-11-20T00:30:00Z", "wuauserv", 1),
            broke,
        ],
    );
    // Two services of a product that stop together are one stop; also for a product that has not come back.
    let expected = at(&["2026-11-20T01:00:00Z", "2026-11-19T08:00:00Z"]);
    assert!(ONE_STOP > SignedDuration::from_secs(40));
    assert_eq!(listed(os.clone(), &[product(Maker::Bkav, true)]), expected);
    let mut defender = os.clone();
    defender.events.insert(super::super::microsoft::CHANNEL.to_owned(), Vec::new());
    assert_eq!(listed(defender, &[product(Maker::Bkav, false), product(Maker::Microsoft, true)]), expected);
    assert_eq!(listed(os, &[product(Maker::Eset, true)]), at(&[]));
}

#[test]
fn windows_going_down_is_no_stop_unless_the_product_did_not_come_back() {
    let os =
        machine(19_045, vec![changed("2026-11-20T10:00:00Z", "ekrn", 1), changed("2026-11-19T10:00:00Z", "ekrn", 1)]);
    let kernel = |os: Recorded, events| os.provided("System", "Microsoft-Windows-Kernel-General", events);
    let down = kernel(os, vec![event(13, "2026-11-20T10:00:20Z", &[]), event(12, "2026-11-19T09:58:00Z", &[])]);
    // A guard that stops soon after Windows started has stopped.
    assert_eq!(listed(down.clone(), &[product(Maker::Eset, true)]), at(&["2026-11-19T10:00:00Z"]));
    let log = down.provided("System", "EventLog", vec![event(6006, "2026-11-19T10:01:00Z", &[])]);
    assert_eq!(listed(log.clone(), &[product(Maker::Eset, true)]), at(&[]));
    // Switching it off and restarting Windows does not hide it.
    let mut off = log;
    off.events.insert(super::super::microsoft::CHANNEL.to_owned(), Vec::new());
    assert_eq!(listed(off, &[product(Maker::Eset, false)]), at(&["2026-11-20T10:00:00Z"]));
}

#[test]
fn a_product_that_comes_up_with_windows_did_not_stop() {
    let eset = AntivirusProduct { name: "ESET Security".to_owned(), ..product(Maker::Eset, true) };
    let os = machine(19_045, Vec::new()).provided(
        "Application",
        "SecurityCenter",
        vec![
            told("2026-11-20T07:01:00Z", "ESET Security", "SECURITY_PRODUCT_STATE_ON"),
            told("2026-11-20T07:00:10Z", "ESET Security", "SECURITY_PRODUCT_STATE_OFF"),
        ],
    );
    assert_eq!(listed(os.clone(), std::slice::from_ref(&eset)), at(&["2026-11-20T07:00:10Z"]));
    let start = vec![event(12, "2026-11-20T07:00:00Z", &[])];
    assert_eq!(listed(os.provided("System", "Microsoft-Windows-Kernel-General", start), &[eset]), at(&[]));
}

#[test]
fn a_maker_without_known_services_is_told_by_its_company_and_by_security_center() {
    let viettel = AntivirusProduct { name: "Viettel Endpoint".to_owned(), ..product(Maker::Viettel, true) };
    let key = r"HKLM\SYSTEM\CurrentControlSet\Services\vtguard";
    let mut os = machine(19_045, vec![changed("2026-11-20T01:00:00Z", "vtguard", 1)]);
    os = os.text(key, "ImagePath", r"C:\Program Files\VT\vtguard.exe");
    os.file_companies.insert(r"c:\program files\vt\vtguard.exe".to_owned(), "Viettel Cyber Security".to_owned());
    assert_eq!(listed(os.clone(), std::slice::from_ref(&viettel)), at(&["2026-11-20T01:00:00Z"]));
    let os = os.provided(
        "Application",
        "SecurityCenter",
        vec![
            told("2026-11-21T09:00:00Z", "Another", "SECURITY_PRODUCT_STATE_OFF"),
            told("2026-11-21T08:00:00Z", "Viettel Endpoint", "SECURITY_PRODUCT_STATE_ON"),
            told("2026-11-21T07:10:00Z", "Viettel Endpoint", "SECURITY_PRODUCT_STATE_OFF"),
            told("2026-11-21T07:00:00Z", "Viettel Endpoint", "SECURITY_PRODUCT_STATE_SNOOZED"),
            told("2026-11-21T06:00:00Z", "Viettel Endpoint", "SECURITY_PRODUCT_STATE_ON"),
            // Damaged.
            event(15, "2026-11-21T05:00:00Z", &[("", "Viettel Endpoint")]),
            told("2026-11-21T04:00:00Z", "Viettel Endpoint", "???"),
        ],
    );
    let both = at(&["2026-11-21T07:00:00Z", "2026-11-20T01:00:00Z"]);
    assert_eq!(listed(os.clone(), std::slice::from_ref(&viettel)), both);
    // What was switched off may be a firewall of the same name.
    let firewall = Row::from([
        ("displayName".to_owned(), Variant::Text("Viettel Endpoint".to_owned())),
        ("productState".to_owned(), Variant::Number(266_240)),
    ]);
    let os = os.rows(r"ROOT\SecurityCenter2", "FirewallProduct", vec![firewall]);
    assert_eq!(listed(os, &[viettel]), at(&["2026-11-20T01:00:00Z"]));
}

#[test]
fn where_windows_writes_nothing_of_a_product_nobody_says_that_it_never_stopped() {
    let other = AntivirusProduct { name: "New Guard".to_owned(), ..product(Maker::Other, true) };
    assert_eq!(listed(machine(19_045, Vec::new()), std::slice::from_ref(&other)), at(&[]));
    let no_reader = |stops: &Fact<_>| matches!(stops, Fact::Unknown(why) if why.reason == Reason::NoReader);
    let old = listed(machine(7_601, Vec::new()), std::slice::from_ref(&other));
    assert!(no_reader(&old), "{old:?}");
    // One that may guard may have stopped.
    let open = AntivirusProduct { running: Fact::unknown(Reason::Contradictory, ""), ..other.clone() };
    assert!(no_reader(&listed(machine(7_601, Vec::new()), &[open])));
    // What is known of another one is still reported, and that there may be more.
    let os = machine(7_601, vec![changed("2026-11-20T01:00:00Z", "ekrn", 1)]);
    let context = CheckContext::new(Arc::new(os), "2026-11-22T03:00:00Z".parse().unwrap());
    let both = stops(&context, &[product(Maker::Eset, true), other]);
    assert_eq!(both.known().map(|list| (list.items.len(), list.left_out)), Some((1, 1)));
}

#[test]
fn binary_data_is_read_and_nothing_is_made_of_damage() {
    let of = |id, binary: &str| ended(&event(id, "2026-11-20T01:00:00Z", &[("param1", "x"), ("", binary)]));
    assert_eq!(of(7036, SPOOLER_STOPPED).as_deref(), Some("Spooler"));
    assert_eq!(of(7036, &hexadecimal("Spooler/4")), None);
    assert_eq!(of(7034, &hexadecimal("Dịch vụ")).as_deref(), Some("Dịch vụ"));
    for damaged in ["", "0", "53007", "ZZZZ", "00D8", "0000", "đĐđĐ", "+530"] {
        assert_eq!(of(7034, damaged), None, "{damaged}");
        assert_eq!(of(7036, damaged), None, "{damaged}");
    }
    assert_eq!(ended(&event(7036, "2026-11-20T01:00:00Z", &[])), None);
}
