//! Antivirus on the recorded twin: documented states, sources that agree or oppose each other, servers, what hangs.

use std::sync::Arc;

use super::*;
use crate::os::windows::recorded::Recorded;
use crate::os::windows::{Registry, Row, Variant};

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
    collect(&Scene::new(Arc::new(os), "2026-11-22T03:00:00Z".parse().unwrap()))
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
    // As one machine kept it: 2016-12-29 04:10:54 UTC.
    let applied = Registry::Bytes(vec![0x00, 0x9B, 0x55, 0x8C, 0x89, 0x61, 0xD2, 0x01]);
    let antivirus = collected(os.clone().set(SIGNATURES, "AVSignatureApplied", applied));
    assert_eq!(antivirus.protection, Fact::Known(Protection::On));
    assert_eq!((antivirus.real_time, antivirus.definitions_current), (Fact::Known(true), Fact::Known(true)));
    assert_eq!(antivirus.definitions_at, Fact::Known("2016-12-29T04:10:54Z".parse().unwrap()));
    let [product] = antivirus.products.known().unwrap().items.as_slice() else { panic!("one product") };
    assert_eq!((product.maker, product.name.as_str()), (Maker::Microsoft, "Windows Defender"));
    assert_eq!(product.version, Fact::Known("4.18.25010.11".to_owned()));
    assert_eq!(product.definitions_version, Fact::Known("1.425.12.0".to_owned()));
    // Without the registry Defender's own word stands; damaged bytes are not read around.
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
    // Avast tells no date, and says that its definitions are current.
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
    // With its program still on the disk and nothing running, nobody can tell.
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
    // Beside a Defender that guards it is open no longer whether the machine is protected.
    let os = office(vec![defender(397_568), row("Malwarebytes", "", 393_216)]).service("MBAMService", true).rows(
        DEFENDER,
        "MSFT_MpComputerStatus",
        vec![status("Normal", true)],
    );
    let antivirus = collected(os);
    assert_eq!((antivirus.protection, antivirus.real_time), (Fact::Known(Protection::On), Fact::Known(true)));
}

#[test]
fn a_guard_that_is_not_registered_is_open_where_security_center_runs() {
    // It may be passive or switched off, or simply not registered.
    let antivirus = collected(office(vec![defender(393_472)]).service("HipsDaemon", true));
    assert_eq!(why(&antivirus.protection), Some(Reason::Contradictory));
    assert_eq!(seen(&antivirus), [(Maker::Microsoft, Some(false)), (Maker::Huorong, None)]);
    let bkav = collected(office(vec![defender(393_472)]).process(7, "BKAVSERVICE.EXE"));
    assert_eq!(seen(&bkav)[1], (Maker::Bkav, None));
    // Where Security Center does not answer nobody knows what it was told.
    let mut hanging = office(Vec::new()).service("HipsDaemon", true);
    hanging.hanging.push(CENTER.to_owned());
    hanging.services.as_mut().unwrap()[0].state = 1;
    assert_eq!(why(&collected(hanging).protection), Some(Reason::TimedOut));
    // On a server there is none.
    let server = collected(bare().service("HipsDaemon", true));
    assert_eq!((server.protection, why(&server.real_time)), (Fact::Known(Protection::On), Some(Reason::NoReader)));
    assert_eq!(collected(bare().service("HipsDaemon", false)).protection, Fact::Known(Protection::Off));
    // Any program can be called as that of a guard.
    assert_eq!(why(&collected(bare().process(7, "avp.exe").service("Dhcp", true)).protection), Some(Reason::NoReader));
}

#[test]
fn a_free_companion_guards_nothing_whatever_is_registered() {
    let normal = |os: Recorded| os.rows(DEFENDER, "MSFT_MpComputerStatus", vec![status("Normal", true)]);
    let rows = |number| vec![defender(397_568), row("Malwarebytes", r"C:\Program Files\Malwarebytes\mbam.exe", number)];
    // Beside a Defender that guards it takes nothing away and adds nothing.
    for number in [397_312, 266_240] {
        let beside = collected(normal(office(rows(number)).service("MBAMService", true)));
        assert_eq!((&beside.protection, &beside.real_time), (&Fact::Known(Protection::On), &Fact::Known(true)));
        assert_eq!(seen(&beside), [(Maker::Microsoft, Some(true)), (Maker::Malwarebytes, None)]);
    }
    // Without Defender nobody can tell: another edition does guard, and is registered so as well.
    let alone = vec![defender(393_472), row("Malwarebytes", "", 266_240)];
    let alone = collected(office(alone).service("MBAMService", true).process(9, "mbam.exe"));
    assert_eq!(why(&alone.protection), Some(Reason::Contradictory));
    assert_eq!(why(&alone.real_time), Some(Reason::Contradictory));
    // Where it is not registered, its service proves nothing.
    let unregistered = collected(office(vec![defender(393_472)]).service("MBAMService", true));
    assert_eq!(unregistered.protection, Fact::Known(Protection::Off));
    assert_eq!(why(&collected(bare().service("MBAMService", true)).protection), Some(Reason::NoReader));
    assert_eq!(why(&collected(bare().service("clamd", true)).protection), Some(Reason::NoReader));
}

#[test]
fn what_runs_without_a_guard_as_well_bears_out_a_row_and_proves_nothing_alone() {
    for helper in ["mc-wps-secdashboardservice", "mc-fw-host", "mfemms"] {
        let rows = vec![defender(393_472), row("McAfee", r"C:\Program Files\McAfee\wps\mc-update.exe", 266_240)];
        let listed = collected(office(rows).service(helper, true));
        assert_eq!(seen(&listed), [(Maker::Microsoft, Some(false)), (Maker::Mcafee, Some(true))], "{helper}");
        let off = collected(office(vec![defender(393_472), row("McAfee", "", 393_216)]).service(helper, true));
        assert_eq!(off.protection, Fact::Known(Protection::Off), "{helper}");
    }
    // The agent of Deep Security runs where its search for viruses is not installed.
    assert_eq!(why(&collected(bare().service("ds_agent", true)).protection), Some(Reason::NoReader));
    let whole = collected(bare().service("ds_agent", true).service("Amsp", true));
    assert_eq!(whole.protection, Fact::Known(Protection::On));
}

#[test]
fn a_row_alone_is_no_proof_whoever_made_the_product() {
    let program = r"C:\Program Files\Cylance\Desktop\CylanceUI.exe";
    let row = || vec![defender(393_472), row("CylancePROTECT", program, 397_312)];
    let there = || office(row()).file(program, "");
    assert_eq!(why(&collected(there()).protection), Some(Reason::Contradictory));
    assert_eq!(collected(office(row())).protection, Fact::Known(Protection::Off), "it is gone");
    assert_eq!(collected(there().process(9, "cylanceui.EXE")).protection, Fact::Known(Protection::On));
    let service = |folder: &str| {
        there().service("CylanceSvc", true).text(
            &format!(r"{SERVICES}\CylanceSvc"),
            "ImagePath",
            &format!("\"C:\\Program Files\\{folder}\\CylanceSvc.exe\""),
        )
    };
    assert_eq!(collected(service(r"Cylance\Desktop")).protection, Fact::Known(Protection::On));
    assert_eq!(why(&collected(service("Other")).protection), Some(Reason::Contradictory));
    // A program of Windows runs for many.
    let windows = r"C:\Windows\System32\svchost.exe";
    let row = vec![defender(393_472), super::tests::row("Phần mềm lạ", windows, 266_240)];
    let os = office(row).text(NT, "SystemRoot", r"C:\Windows").file(windows, "").process(9, "svchost.exe");
    assert_eq!(why(&collected(os).protection), Some(Reason::Contradictory));
    // While processes cannot be listed, that nothing runs is not known.
    let mut blind = office(vec![defender(393_472), super::tests::row("CylancePROTECT", program, 397_312)]);
    blind.processes = None;
    assert_eq!(why(&collected(blind).protection), Some(Reason::SourceMissing));
}

#[test]
fn defender_is_asked_itself_where_its_row_says_off_and_nobody_else_is_seen_to_guard() {
    let program = r"%ProgramFiles%\Kaspersky Lab\KES\wmiav.exe";
    let rows = || vec![defender(393_472), row("Kaspersky", program, 266_240)];
    let orphan = |own: Row| office(rows()).rows(DEFENDER, "MSFT_MpComputerStatus", vec![own]);
    let guarded = collected(orphan(status("Normal", true)));
    assert_eq!((guarded.protection, guarded.real_time), (Fact::Known(Protection::On), Fact::Known(true)));
    for passive in [status("SxS Passive Mode", true), status("Normal", false), Row::new()] {
        assert_eq!(collected(orphan(passive)).protection, Fact::Known(Protection::Off));
    }
    // The other row is open: that Defender guards is known nevertheless.
    let there = orphan(status("Normal", true)).file(r"C:\Program Files\Kaspersky Lab\KES\wmiav.exe", "");
    assert_eq!(collected(there).protection, Fact::Known(Protection::On));
}

#[test]
fn what_nobody_can_read_is_no_none() {
    let bare = || {
        let mut os = office(Vec::new());
        os.services.as_mut().unwrap().remove(0);
        os
    };
    assert_eq!(collected(bare()).protection, Fact::Known(Protection::None));
    let odd = bare().rows(CENTER, "AntiVirusProduct", vec![Row::new()]);
    assert_eq!(why(&collected(odd).protection), Some(Reason::Unreadable));
    let hidden = bare().service("guard", true).denying(&format!(r"{SERVICES}\guard"));
    assert_eq!(why(&collected(hidden).protection), Some(Reason::NeedsAdministrator));
    // A protected service whose file does not tell its company may be anybody's.
    let nameless = bare().service("guard", true).number(&format!(r"{SERVICES}\guard"), "LaunchProtected", 3);
    let nameless = collected(nameless);
    assert_eq!((seen(&nameless), why(&nameless.protection)), (vec![(Maker::Other, None)], Some(Reason::NoReader)));
    let own = bare().service("WdNisSvc", true).number(&format!(r"{SERVICES}\WdNisSvc"), "LaunchProtected", 3);
    assert_eq!(collected(own).protection, Fact::Known(Protection::None));
    // Defender does not answer, and what would switch it off may not be read.
    let mut hanging = office(vec![defender(397_568)]);
    hanging.hanging.push(DEFENDER.to_owned());
    let policy = r"HKLM\SOFTWARE\Policies\Microsoft\Windows Defender";
    assert_eq!(why(&collected(hanging.denying(policy)).protection), Some(Reason::NeedsAdministrator));
}

#[test]
fn a_product_whose_files_name_another_company_is_listed_once() {
    for (name, program, service, company) in [
        ("Avast Antivirus", AVAST, "aswbIDSAgent", "Gen Digital Inc."),
        ("Norton 360", r"C:\Program Files\Norton\Suite\NortonUI.exe", "NortonSvc", "Gen Digital Inc."),
        ("AVG Antivirus", r"C:\Program Files\AVG\Antivirus\wsc_proxy.exe", "avgwd", "NortonLifeLock Inc."),
        (
            "Sentinel Agent",
            r"C:\Program Files\SentinelOne\A\SentinelUI.exe",
            "SentinelStaticEngine",
            "Sentinel Labs, Inc.",
        ),
    ] {
        let os = with(office(vec![defender(393_472), row(name, program, 266_240)]), service, 0x10, true, company);
        let os = os.number(&format!(r"{SERVICES}\{service}"), "LaunchProtected", 3);
        let makers: Vec<Maker> = seen(&collected(os)).into_iter().map(|(maker, _)| maker).collect();
        assert_eq!(makers.len(), 2, "{name}: {makers:?}");
        assert!(!makers.contains(&Maker::Other), "{name}: {makers:?}");
    }
    // By where it lies, whatever company it names.
    let os = with(
        office(vec![defender(393_472), row("Kaspersky", r"C:\Program Files\guard\a.exe", 266_240)]),
        "guard",
        0x10,
        true,
        "X",
    );
    let os = os.number(&format!(r"{SERVICES}\guard"), "LaunchProtected", 3);
    assert_eq!(seen(&collected(os)), [(Maker::Microsoft, Some(false)), (Maker::Kaspersky, Some(true))]);
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
    let server = || Recorded::new().number(NT, "CurrentBuildNumber", 20_348).process(4, "System");
    let os = server().service("WinDefend", true).rows(DEFENDER, "MSFT_MpComputerStatus", vec![status("Normal", true)]);
    assert_eq!(collected(os).protection, Fact::Known(Protection::On));
    let hanging = Recorded { hanging: vec![DEFENDER.to_owned()], ..server().service("WinDefend", true) };
    assert_eq!(why(&collected(hanging).protection), Some(Reason::TimedOut));
    // That nothing is found is not that nothing is there.
    assert_eq!(why(&collected(server().service("Dhcp", true)).protection), Some(Reason::SourceMissing));
    assert_eq!(collected(server().service("WinDefend", false)).protection, Fact::Known(Protection::Off));
    let other = collected(server().service("ntrtscan", true));
    assert_eq!(other.protection, Fact::Known(Protection::On));
    assert_eq!(why(&other.definitions_current), Some(Reason::NoReader));
}

#[test]
fn windows_7_needs_more_than_the_defender_of_its_time() {
    let os = |service: &str| {
        Recorded::new().number(NT, "CurrentBuildNumber", 7_601).process(4, "System").service(service, true).rows(
            CENTER,
            "AntiVirusProduct",
            Vec::new(),
        )
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
    // A store that nobody keeps in order proves nothing of a product of which nothing else is known.
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
    os.services = Some(Vec::new());
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
    os.services = Some(Vec::new());
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

fn bare() -> Recorded {
    Recorded::new().number(NT, "CurrentBuildNumber", 20_348).process(4, "System")
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
    // A driver alone does not speak against what Security Center was told.
    let listed = filtering(office(vec![row("Viettel Endpoint", "", 266_240)]), "vtflt", VIETTEL);
    assert_eq!(seen(&collected(listed))[1], (Maker::Viettel, Some(true)));
    // Its token for signatures guards nothing; nor does a driver of another group.
    let token = with(bare(), "ViettelCAToken", 0x10, true, "Viettel Group");
    assert_eq!(seen(&collected(token.clone())), []);
    let other =
        with(token, "vtcrypt", 2, true, VIETTEL).text(&format!(r"{SERVICES}\vtcrypt"), "Group", "FSFilter Encryption");
    assert_eq!(seen(&collected(other)), []);
    // What runs as anti-malware needs no driver beside it.
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
    // Windows's own services run so as well.
    let windows = with(bare(), "SecurityHealthService", 0x10, true, "Microsoft Corporation");
    let windows = windows.number(&format!(r"{SERVICES}\SecurityHealthService"), "LaunchProtected", 3);
    assert_eq!(seen(&collected(windows)), []);
}
