//! Antivirus on the recorded door: documented states, sources that agree or contradict each other, servers, hanging
//! sources.

use std::sync::Arc;

use super::*;
use os::windows::recorded::Recorded;
use os::windows::{Registry, Row, Variant};

mod evidence;

const CENTER: &str = r"ROOT\SecurityCenter2";
const DEFENDER: &str = r"ROOT\Microsoft\Windows\Defender";
const STORE: &str = r"HKLM\SOFTWARE\Microsoft\Security Center\Provider\Av";
const SIGNATURES: &str = r"HKLM\SOFTWARE\Microsoft\Windows Defender\Signature Updates";
const NT: &str = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion";
const AVAST: &str = r"C:\Program Files\Avast Software\Avast\wsc_proxy.exe";

fn row(name: &str, program: &str, number: i64) -> Row {
    let guid = if name == "Windows Defender" { "{D68DDC3A-831F-4fae-9E44-DA132C1ACF46}" } else { "{0-0}" };
    Row::from([
        ("displayName".to_owned(), Variant::Text(name.to_owned())),
        ("instanceGuid".to_owned(), Variant::Text(guid.to_owned())),
        ("pathToSignedReportingExe".to_owned(), Variant::Text(program.to_owned())),
        ("productState".to_owned(), Variant::Number(number)),
    ])
}

/// A computer on which Defender is what its row says; its service runs.
fn office(rows: Vec<Row>) -> Recorded {
    Recorded::new()
        .number(NT, "CurrentBuildNumber", 19_045)
        .text(NT, "InstallationType", "Client")
        .text(r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion", "ProgramFilesDir", r"C:\Program Files")
        .service("WinDefend", true)
        .service("wscsvc", true)
        .process(4, "System")
        .rows(CENTER, "AntiVirusProduct", rows)
}

fn defender(number: i64) -> Row {
    row("Windows Defender", "windowsdefender://", number)
}

fn status(mode: &str, real_time: bool) -> Row {
    Row::from([
        ("AMRunningMode".to_owned(), Variant::Text(mode.to_owned())),
        ("AMServiceEnabled".to_owned(), Variant::Bool(true)),
        ("AntivirusEnabled".to_owned(), Variant::Bool(true)),
        ("RealTimeProtectionEnabled".to_owned(), Variant::Bool(real_time)),
        ("AntivirusSignatureLastUpdated".to_owned(), Variant::Text("20250311015218.000000+000".to_owned())),
        ("AntivirusSignatureVersion".to_owned(), Variant::Text("1.425.12.0".to_owned())),
        ("AMProductVersion".to_owned(), Variant::Text("4.18.25010.11".to_owned())),
    ])
}

fn collected(os: Recorded) -> Antivirus {
    collect(&CheckContext::new(Arc::new(os), "2026-11-22T03:00:00Z".parse().unwrap()))
}

fn why<T>(fact: &Fact<T>) -> Option<Reason> {
    match fact {
        Fact::Known(_) => None,
        Fact::Unknown(unknown) => Some(unknown.reason),
    }
}

#[test]
fn an_office_machine_with_defender() {
    let os = office(vec![defender(397_568)]).rows(DEFENDER, "MSFT_MpComputerStatus", vec![status("Normal", true)]);
    // As recorded on one machine: 2016-12-29 04:10:54 UTC.
    let applied = Registry::Bytes(vec![0x00, 0x9B, 0x55, 0x8C, 0x89, 0x61, 0xD2, 0x01]);
    let antivirus = collected(os.clone().set(SIGNATURES, "AVSignatureApplied", applied));
    assert_eq!(antivirus.protection, Fact::Known(Protection::On));
    assert_eq!((antivirus.real_time, antivirus.definitions_current), (Fact::Known(true), Fact::Known(true)));
    assert_eq!(antivirus.definitions_at, Fact::Known("2016-12-29T04:10:54Z".parse().unwrap()));
    let [product] = antivirus.products.known().unwrap().items.as_slice() else { panic!("one product") };
    assert_eq!((product.maker, product.name.as_str()), (Maker::Microsoft, "Windows Defender"));
    assert_eq!(product.version, Fact::Known("4.18.25010.11".to_owned()));
    assert_eq!(product.definitions_version, Fact::Known("1.425.12.0".to_owned()));
    // Without the registry Defender's own report stands; damaged bytes are not ignored.
    assert_eq!(collected(os.clone()).definitions_at, Fact::Known("2025-03-11T01:52:18Z".parse().unwrap()));
    let damaged = collected(os.set(SIGNATURES, "AVSignatureApplied", Registry::Bytes(vec![1, 2, 3])));
    assert_eq!(why(&damaged.definitions_at), Some(Reason::Unreadable));
}

#[test]
fn the_same_row_is_true_or_not_as_defender_itself_says() {
    let with = |status: Row| {
        collected(office(vec![defender(397_568)]).rows(DEFENDER, "MSFT_MpComputerStatus", vec![status])).protection
    };
    assert_eq!(with(status("Normal", true)), Fact::Known(Protection::On));
    assert_eq!(with(status("Normal", false)), Fact::Known(Protection::Off));
    for mode in ["Passive Mode", "SxS Passive Mode", "Not running"] {
        assert_eq!(with(status(mode, true)), Fact::Known(Protection::Off), "{mode}");
    }
    assert_eq!(why(&with(status("EDR Block Mode", true))), Some(Reason::Unreadable));
    assert_eq!(why(&with(Row::new())), Some(Reason::Unreadable));
}

#[test]
fn defender_that_hangs_is_read_a_second_time_in_the_registry() {
    let mut os = office(vec![defender(397_568)]);
    os.hanging.push(DEFENDER.to_owned());
    assert_eq!(collected(os.clone()).protection, Fact::Known(Protection::On));
    let policy = r"HKLM\SOFTWARE\Policies\Microsoft\Windows Defender\Real-Time Protection";
    let antivirus = collected(os.number(policy, "DisableRealtimeMonitoring", 1));
    assert_eq!(why(&antivirus.protection), Some(Reason::Contradictory));
    assert_eq!(why(&antivirus.real_time), Some(Reason::Contradictory));
}

#[test]
fn defender_without_its_service_guards_nothing_whatever_its_row_says() {
    let mut os = office(vec![defender(397_568)]);
    os.services.as_mut().unwrap()[0].state = 1;
    assert_eq!(collected(os).protection, Fact::Known(Protection::Off));
}

#[test]
fn beside_another_product_defender_is_off_and_is_not_asked() {
    let mut os =
        office(vec![defender(393_472), row("Avast Antivirus", AVAST, 266_240)]).service("avast! Antivirus", true).text(
            r"HKLM\SYSTEM\CurrentControlSet\Services\avast! Antivirus",
            "ImagePath",
            "\"C:\\Avast\\AvastSvc.exe\" /runassvc",
        );
    os.hanging.push(DEFENDER.to_owned());
    os.file_versions.insert(r"c:\avast\avastsvc.exe".to_owned(), "24.1.8821.762".to_owned());
    let antivirus = collected(os);
    assert_eq!((antivirus.protection, antivirus.real_time), (Fact::Known(Protection::On), Fact::Known(true)));
    let products = antivirus.products.known().unwrap();
    let running: Vec<_> = products.items.iter().map(|product| (product.maker, product.running.clone())).collect();
    assert_eq!(running, [(Maker::Microsoft, Fact::Known(false)), (Maker::Avast, Fact::Known(true))]);
    assert_eq!(products.items[1].version, Fact::Known("24.1.8821.762".to_owned()));
    // Avast reports no date, but says that its definitions are current.
    assert_eq!(
        (why(&antivirus.definitions_at), antivirus.definitions_current),
        (Some(Reason::NoReader), Fact::Known(true))
    );
}

#[test]
fn what_its_user_switched_off_or_did_not_pay_for_does_not_protect() {
    for number in [270_336, 0x04_3000] {
        let os =
            office(vec![defender(393_472), row("Avast Antivirus", AVAST, number)]).service("avast! Antivirus", true);
        let antivirus = collected(os);
        assert_eq!(antivirus.protection, Fact::Known(Protection::Off), "{number:#x}");
        assert_eq!(antivirus.real_time, Fact::Known(false));
    }
}

#[test]
fn a_row_left_over_from_a_product_that_is_gone_does_not_protect() {
    let program = r"%ProgramFiles%\Kaspersky Lab\KES\wmiav.exe";
    let os = office(vec![defender(393_472), row("Kaspersky", program, 266_240)]);
    assert_eq!(collected(os.clone()).protection, Fact::Known(Protection::Off));
    // If its program is still on disk and nothing runs, the state is unknown.
    let there = os.file(r"C:\Program Files\Kaspersky Lab\KES\wmiav.exe", "");
    let antivirus = collected(there.clone());
    assert_eq!(why(&antivirus.protection), Some(Reason::Contradictory));
    assert_eq!(why(&antivirus.definitions_at), Some(Reason::Contradictory));
    let data = r"HKLM\SOFTWARE\KasperskyLab\protected\KES\Data";
    let antivirus = collected(there.service("AVP21.3", true).number(data, "LastSuccessfulUpdate", 1_740_000_000));
    assert_eq!(antivirus.protection, Fact::Known(Protection::On));
    assert_eq!(antivirus.definitions_at, Fact::Known(jiff::Timestamp::from_second(1_740_000_000).unwrap()));
}

#[test]
fn a_row_that_says_off_while_the_product_runs_is_open() {
    let os = office(vec![defender(393_472), row("McAfee Endpoint Security", "", 393_216)]).service("McShield", true);
    assert_eq!(why(&collected(os).protection), Some(Reason::Contradictory));
    // Next to a Defender that protects, whether the machine is protected is no longer open.
    let os = office(vec![defender(397_568), row("Malwarebytes", "", 393_216)]).service("MBAMService", true).rows(
        DEFENDER,
        "MSFT_MpComputerStatus",
        vec![status("Normal", true)],
    );
    let antivirus = collected(os);
    assert_eq!((antivirus.protection, antivirus.real_time), (Fact::Known(Protection::On), Fact::Known(true)));
}

#[test]
fn two_rows_of_one_product_are_one_product() {
    let rows = vec![defender(393_472), row("Bitdefender", "", 262_144), row("Bitdefender", "", 266_256)];
    let antivirus = collected(office(rows).process(9, "bdservicehost.exe"));
    assert_eq!(antivirus.products.known().unwrap().items.len(), 2);
    assert_eq!((antivirus.protection, antivirus.definitions_current), (Fact::Known(Protection::On), Fact::Known(true)));
}

#[test]
fn a_server_has_no_security_center() {
    let server = bare;
    let os = server().service("WinDefend", true).rows(DEFENDER, "MSFT_MpComputerStatus", vec![status("Normal", true)]);
    assert_eq!(collected(os).protection, Fact::Known(Protection::On));
    let hanging = Recorded { hanging: vec![DEFENDER.to_owned()], ..server().service("WinDefend", true) };
    assert_eq!(why(&collected(hanging).protection), Some(Reason::TimedOut));
    // Finding nothing does not prove that there is nothing.
    assert_eq!(why(&collected(server().service("Dhcp", true)).protection), Some(Reason::SourceMissing));
    assert_eq!(collected(server().service("WinDefend", false)).protection, Fact::Known(Protection::Off));
    let other = collected(server().service("ntrtscan", true));
    assert_eq!(other.protection, Fact::Known(Protection::On));
    assert_eq!(why(&other.definitions_current), Some(Reason::NoReader));
}

#[test]
fn windows_7_needs_more_than_the_defender_of_its_time() {
    let os = |service: &str| {
        let os = Recorded::new().number(NT, "CurrentBuildNumber", 7_601).process(4, "System");
        os.service(service, true).service("wscsvc", true).rows(CENTER, "AntiVirusProduct", Vec::new())
    };
    assert_eq!(collected(os("WinDefend")).protection, Fact::Known(Protection::None));
    let program = r"C:\Program Files\Microsoft Security Client\MsMpEng.exe";
    let rows = vec![row("Microsoft Security Essentials", program, 397_568)];
    let antivirus = collected(os("MsMpSvc").rows(CENTER, "AntiVirusProduct", rows));
    assert_eq!(antivirus.protection, Fact::Known(Protection::On));
}

#[test]
fn a_security_center_that_hangs_is_read_from_its_own_store_and_otherwise_not_known() {
    let mut os = office(Vec::new());
    os.services.as_mut().unwrap()[0].state = 1;
    os.hanging.push(CENTER.to_owned());
    assert_eq!(why(&collected(os.clone()).protection), Some(Reason::TimedOut));
    let key = format!(r"{STORE}\{{4C17E7AE-043A-D732-91B8-D139C9EB6B26}}");
    let stored = os
        .text(&key, "DISPLAYNAME", "火绒安全软件")
        .text(&key, "REPORTINGEXE", r"D:\Sysdiag\Huorong\Sysdiag\bin\wsctrlsvc.exe")
        .number(&key, "STATE", 266_240)
        .process(12, "wsctrlsvc.exe");
    let antivirus = collected(stored.clone());
    assert_eq!(antivirus.protection, Fact::Known(Protection::On));
    assert_eq!(antivirus.products.known().unwrap().items[1].name, "火绒安全软件");
    // A store that nothing maintains proves nothing about an otherwise unknown product.
    let key = format!(r"{STORE}\{{1-1}}");
    let mut stale = stored.text(&key, "DISPLAYNAME", "Phần mềm lạ").number(&key, "STATE", 266_240);
    stale.processes = Some(Vec::new());
    stale.services.as_mut().unwrap()[1].state = 1;
    assert_eq!(why(&collected(stale).protection), Some(Reason::Contradictory));
}

#[test]
fn odd_and_hostile_rows_are_shown_and_not_believed() {
    let hostile = "\u{202E}exe.Kaspersky\u{7}".repeat(100);
    let rows = vec![
        row(&hostile, r"C:\x\%SystemRoot%\..\a.exe", 344_064),
        Row::from([("displayName".to_owned(), Variant::Text("no number".to_owned()))]),
        Row::from([("productState".to_owned(), Variant::Text("266240".to_owned()))]),
        row("Phần mềm lạ", "", -5),
    ];
    let mut os = office(rows);
    os.services.as_mut().unwrap().remove(0);
    let antivirus = collected(os);
    assert_eq!(why(&antivirus.protection), Some(Reason::Unreadable));
    let products = &antivirus.products.known().unwrap().items;
    assert_eq!(products.len(), 2);
    assert!(products.iter().all(|product| product.name.len() <= 256 && !product.name.contains('\u{7}')));
}

#[test]
fn nothing_there_and_nothing_said_are_told_apart() {
    let empty = collected(Recorded::new());
    assert_eq!(why(&empty.protection), Some(Reason::SourceMissing));
    let mut os = office(Vec::new());
    os.services.as_mut().unwrap().remove(0);
    let antivirus = collected(os.clone());
    assert_eq!(antivirus.protection, Fact::Known(Protection::None));
    assert_eq!((antivirus.real_time, antivirus.updater), (Fact::Known(false), Fact::Known(false)));
    os.processes = None;
    assert!(collected(os).protection.known().is_none());
}

const SERVICES: &str = r"HKLM\SYSTEM\CurrentControlSet\Services";

/// With a service or driver whose file names a company.
fn with(os: Recorded, name: &str, kind: u32, running: bool, company: &str) -> Recorded {
    let file = format!(r"C:\Program Files\{name}\{name}.exe");
    let mut os = os.text(&format!(r"{SERVICES}\{name}"), "ImagePath", &file).service(name, running);
    os.services.as_mut().unwrap().last_mut().unwrap().kind = kind;
    os.file_companies.insert(file.to_lowercase(), company.to_owned());
    os
}

/// With a driver of the group for antivirus.
fn filtering(os: Recorded, name: &str, company: &str) -> Recorded {
    with(os, name, 2, true, company).text(&format!(r"{SERVICES}\{name}"), "Group", "FSFilter Anti-Virus")
}

/// A server.
fn bare() -> Recorded {
    let os = Recorded::new().number(NT, "CurrentBuildNumber", 20_348).text(NT, "InstallationType", "Server");
    os.process(4, "System")
}

fn seen(antivirus: &Antivirus) -> Vec<(Maker, Option<bool>)> {
    let products = &antivirus.products.known().unwrap().items;
    products.iter().map(|product| (product.maker, product.running.known().copied())).collect()
}

#[test]
fn a_maker_whose_services_have_no_known_names_is_recognised_by_its_company() {
    const VIETTEL: &str = "Viettel Cyber Security Company";
    let guarded = filtering(bare(), "vtflt", VIETTEL);
    let running = collected(with(guarded.clone(), "vtagent", 0x10, true, VIETTEL));
    assert_eq!(seen(&running), [(Maker::Viettel, Some(true))]);
    assert_eq!(running.protection, Fact::Known(Protection::On));
    let stopped = collected(with(guarded, "vtagent", 0x10, false, VIETTEL));
    assert_eq!(stopped.protection, Fact::Known(Protection::Off));
    // A driver alone does not contradict what was reported to Security Center.
    let listed = filtering(office(vec![row("Viettel Endpoint", "", 266_240)]), "vtflt", VIETTEL);
    assert_eq!(seen(&collected(listed))[1], (Maker::Viettel, Some(true)));
    // Its signature token driver protects nothing; nor does a driver of another group.
    let token = with(bare(), "ViettelCAToken", 0x10, true, "Viettel Group");
    assert_eq!(seen(&collected(token.clone())), []);
    let other =
        with(token, "vtcrypt", 2, true, VIETTEL).text(&format!(r"{SERVICES}\vtcrypt"), "Group", "FSFilter Encryption");
    assert_eq!(seen(&collected(other)), []);
    // A service that runs as anti-malware needs no driver as well.
    let protected = with(bare(), "vtprotect", 0x10, true, VIETTEL);
    let protected = protected.number(&format!(r"{SERVICES}\vtprotect"), "LaunchProtected", 3);
    assert_eq!(seen(&collected(protected)), [(Maker::Viettel, Some(true))]);
}

#[test]
fn a_driver_that_is_sold_to_many_is_cmcs_by_its_altitude() {
    let driver = |altitude: &str| {
        let os = with(bare(), "cbfilter20", 2, true, "Callback Technologies, Inc.");
        let os = os.text(&format!(r"{SERVICES}\cbfilter20\Instances\Default"), "Altitude", altitude);
        with(os, "CmcNewService", 0x10, true, "CMC Cyber Security")
    };
    assert_eq!(seen(&collected(driver("321120.5"))), [(Maker::Cmc, Some(true))]);
    assert_eq!(seen(&collected(driver("389251"))), []);
    assert_eq!(seen(&collected(driver("32112"))), []);
}

#[test]
fn a_product_that_nobody_knows_leaves_a_server_open_and_not_bare() {
    let unknown = |running| {
        let os = with(bare(), "NewGuard", 0x10, running, "New Guard Ltd.").service("WinDefend", false);
        os.number(&format!(r"{SERVICES}\NewGuard"), "LaunchProtected", 3)
    };
    let antivirus = collected(unknown(true));
    assert_eq!(seen(&antivirus), [(Maker::Microsoft, Some(false)), (Maker::Other, None)]);
    assert_eq!(antivirus.products.known().unwrap().items[1].name, "New Guard Ltd.");
    assert_eq!(why(&antivirus.protection), Some(Reason::NoReader));
    assert_eq!(collected(unknown(false)).protection, Fact::Known(Protection::Off));
    // So does a driver that looks for viruses.
    let driver = collected(filtering(bare().service("WinDefend", false), "ngflt", "New Guard Ltd."));
    assert_eq!((seen(&driver)[1], why(&driver.protection)), ((Maker::Other, None), Some(Reason::NoReader)));
    let own = filtering(bare().service("WinDefend", false), "WdFilter", "");
    assert_eq!(collected(own).protection, Fact::Known(Protection::Off));
    let left = filtering(bare().service("WinDefend", false), "klif", "");
    assert_eq!(collected(left).protection, Fact::Known(Protection::Off));
    // Windows' own services run so as well.
    let windows = with(bare(), "SecurityHealthService", 0x10, true, "Microsoft Corporation");
    let windows = windows.number(&format!(r"{SERVICES}\SecurityHealthService"), "LaunchProtected", 3);
    assert_eq!(seen(&collected(windows)), []);
}

#[test]
fn a_row_left_over_lends_nothing_to_another_product_of_its_maker() {
    let there = r"C:\Program Files\Kaspersky Lab\KES\avp.exe";
    let rows = vec![
        row("Kaspersky Internet Security", r"C:\Program Files\Kaspersky Lab\KIS\avp.exe", 266_240),
        // Its licence has ended.
        row("Kaspersky Endpoint Security", there, 274_432),
    ];
    let os = office(rows).file(there, "").service("AVP.KES.21", true);
    let antivirus = collected(os);
    let kaspersky = antivirus.products.known().unwrap().items.iter().find(|product| product.maker == Maker::Kaspersky);
    assert_eq!(kaspersky.unwrap().running, Fact::Known(false));
}
