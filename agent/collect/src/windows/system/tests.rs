//! Section `system` on the recorded door.

use std::sync::Arc;

use super::*;
use os::windows::recorded::Recorded;
use os::windows::{Registry, Row, Variant};

fn collected(os: Recorded) -> System {
    collect(&CheckContext::of(os))
}

fn office() -> Recorded {
    let mut os = Recorded::new()
        .text(VERSION, "ProductName", "Windows 10 Pro")
        .text(VERSION, "DisplayVersion", "22H2")
        .text(VERSION, "ReleaseId", "2009")
        .text(VERSION, "CurrentBuildNumber", "19045")
        .number(VERSION, "UBR", 5487)
        .text(VERSION, "InstallationType", "Client")
        .text(FIRMWARE, "SystemManufacturer", "Dell Inc.")
        .text(FIRMWARE, "SystemProductName", "OptiPlex 3080");
    os.computer_name = Some("MÁY-VĂN-THƯ".to_owned());
    os.disk = 250 << 30;
    os
}

#[test]
fn an_office_computer_is_described() {
    let system = collected(office());
    assert_eq!(system.name, Fact::Known("MÁY-VĂN-THƯ".to_owned()));
    assert_eq!(system.title, Fact::Known("Windows 10 Pro".to_owned()));
    assert_eq!(system.version, Fact::Known("22H2".to_owned()));
    assert_eq!(system.build, Fact::Known("19045.5487".to_owned()));
    assert_eq!(system.model, Fact::Known("Dell Inc. OptiPlex 3080".to_owned()));
    assert_eq!(system.disk, Fact::Known(Mebibytes(256_000)));
    assert_eq!(system.desktop, Fact::Known(true));
}

#[test]
fn windows_11_calls_itself_10_and_is_called_by_its_name() {
    let eleven = office().text(VERSION, "CurrentBuildNumber", "26100");
    assert_eq!(collected(eleven.clone()).title, Fact::Known("Windows 11 Pro".to_owned()));
    let server = eleven.text(VERSION, "InstallationType", "Server").text(VERSION, "ProductName", "Windows Server 2025");
    assert_eq!(collected(server).title, Fact::Known("Windows Server 2025".to_owned()));
}

#[test]
fn windows_7_has_no_revision_and_no_release() {
    let os = Recorded::new().text(VERSION, "ProductName", "Windows 7 Professional").text(
        VERSION,
        "CurrentBuildNumber",
        "7601",
    );
    let system = collected(os);
    assert_eq!(system.build, Fact::Known("7601".to_owned()));
    assert!(matches!(system.version, Fact::Unknown(unknown) if unknown.reason == Reason::SourceMissing));
}

#[test]
fn nothing_is_invented_on_an_empty_or_closed_machine() {
    let system = collected(Recorded::new());
    assert!(system.title.known().is_none() && system.build.known().is_none() && system.memory.known().is_none());
    let system = collected(Recorded::new().denying(VERSION));
    assert!(matches!(system.title, Fact::Unknown(unknown) if unknown.reason == Reason::NeedsAdministrator));
}

#[test]
fn the_processor_is_the_machines_and_not_that_of_the_agents_program() {
    let of = |machine| collected(Recorded { machine, ..office() }).architecture;
    for (number, name) in [(0x8664, "x86_64"), (0x14C, "x86"), (0xAA64, "aarch64")] {
        assert_eq!(of(Some(number)), Fact::Known(name.to_owned()));
    }
    assert!(of(Some(0x200)).known().is_none() && of(None).known().is_none());
}

#[test]
fn the_firmware_tells_shape_serial_age_and_what_is_plugged_in() {
    let mut os = office();
    os.firmware = Some(smbios::tests::office());
    os.hardware.memory = 7 << 30;
    let system = collected(os.clone());
    assert_eq!(system.chassis, Fact::Known(Chassis::Desktop));
    assert_eq!(system.serial, Fact::Known("7XK2Q63".to_owned()));
    assert_eq!(system.memory, Fact::Known(Mebibytes(40_960)));
    assert_eq!(system.firmware_at, Fact::Known("2020-06-11T17:00:00Z".parse().unwrap()));
    os.firmware = Some(vec![0xFF; 40]);
    let damaged = collected(os);
    assert_eq!(damaged.memory, Fact::Known(Mebibytes(7168)));
    assert!(damaged.chassis.known().is_none() && damaged.serial.known().is_none());
    let virtual_one = Tables { product: Some("VMware7,1".to_owned()), chassis: Some(1), ..Tables::default() };
    assert_eq!(chassis(&virtual_one), Fact::Known(Chassis::Virtual));
    // Microsoft also makes computers of its own.
    let surface = Tables { maker: Some("Microsoft Corporation".to_owned()), chassis: Some(9), ..Tables::default() };
    assert_eq!(chassis(&surface), Fact::Known(Chassis::Laptop));
}

#[test]
fn support_ends_by_build_edition_and_kind() {
    let until = |os: Recorded| collected(os).supported_until.known().map(ToString::to_string);
    let eleven = || office().text(VERSION, "CurrentBuildNumber", "26100");
    assert_eq!(until(office()).as_deref(), Some("2025-10-14T16:59:59Z"));
    assert_eq!(until(eleven().text(VERSION, "EditionID", "Core")).as_deref(), Some("2026-10-13T16:59:59Z"));
    assert_eq!(until(eleven().text(VERSION, "EditionID", "Enterprise")).as_deref(), Some("2027-10-12T16:59:59Z"));
    assert_eq!(until(eleven().text(VERSION, "EditionID", "EnterpriseS")).as_deref(), Some("2029-10-09T16:59:59Z"));
    // An evaluation copy expires at an unknown time; but not after the support of its edition.
    let trial = |id: &str| collected(eleven().text(VERSION, "EditionID", id)).supported_until;
    for id in ["EnterpriseEval", "EnterpriseSEval"] {
        assert!(matches!(trial(id), Fact::Unknown(why) if why.reason == Reason::SourceMissing), "{id}");
    }
    let old = CheckContext::new(
        Arc::new(office().text(VERSION, "EditionID", "EnterpriseEval")),
        "2026-11-22T03:00:00Z".parse().unwrap(),
    );
    assert_eq!(collect(&old).supported_until, Fact::Known("2025-10-14T16:59:59Z".parse().unwrap()));
    let server = eleven().text(VERSION, "InstallationType", "Server");
    let trial = collected(server.clone().text(VERSION, "EditionID", "ServerStandardEval"));
    assert_eq!(
        (trial.id.known().map(String::as_str), trial.supported_until.known()),
        (Some("windows-server-2025"), None)
    );
    assert_eq!(until(server.clone()).as_deref(), Some("2034-11-14T16:59:59Z"));
    assert_eq!(collected(server.clone()).id, Fact::Known("windows-server-2025".to_owned()));
    assert_eq!(collected(server).server_edition, Fact::Known(true));
    let young = collected(eleven().text(VERSION, "CurrentBuildNumber", "30000"));
    assert_eq!(young.id, Fact::Known("windows-11".to_owned()));
    assert!(matches!(young.supported_until, Fact::Unknown(unknown) if unknown.reason == Reason::NoReader));
}

#[test]
fn whoever_has_an_update_from_after_the_end_gets_the_paid_ones() {
    let paid = |revision| collected(office().number(VERSION, "UBR", revision)).paid_updates;
    assert_eq!(paid(6456), Fact::Known(false));
    assert_eq!(paid(6575), Fact::Known(true));
    let system = collected(office().text(VERSION, "CurrentBuildNumber", "26100"));
    assert_eq!(system.paid_updates, Fact::Known(false), "none are sold");
    let seven = collected(office().text(VERSION, "CurrentBuildNumber", "7601"));
    assert_eq!(seven.id, Fact::Known("windows-7".to_owned()));
    assert_eq!(seven.paid_until, Fact::Known("2023-01-10T16:59:59Z".parse().unwrap()));
    assert!(seven.paid_updates.known().is_none());
}

fn volume(letter: &str, protection: i64, kind: Option<i64>) -> os::windows::Row {
    let mut row = os::windows::Row::new();
    row.insert("DriveLetter".to_owned(), Variant::Text(letter.to_owned()));
    row.insert("ProtectionStatus".to_owned(), Variant::Number(protection));
    if let Some(kind) = kind {
        row.insert("VolumeType".to_owned(), Variant::Number(kind));
    }
    row
}

#[test]
fn every_fixed_volume_must_be_protected() {
    let namespace = r"ROOT\CIMV2\Security\MicrosoftVolumeEncryption";
    let encrypted = |volumes: &[(&str, i64, Option<i64>)]| {
        let rows = volumes.iter().map(|(letter, protection, kind)| volume(letter, *protection, *kind)).collect();
        collected(office().rows(namespace, "Win32_EncryptableVolume", rows)).disk_encrypted
    };
    assert_eq!(encrypted(&[("C:", 1, Some(0)), ("D:", 1, Some(1)), ("E:", 0, Some(2))]), Fact::Known(true));
    assert_eq!(encrypted(&[("C:", 1, Some(0)), ("D:", 0, Some(1))]), Fact::Known(false));
    assert_eq!(encrypted(&[("c:", 1, None), ("E:", 0, None)]), Fact::Known(true));
    assert!(encrypted(&[("C:", 2, Some(0))]).known().is_none());
    assert!(encrypted(&[]).known().is_none());
    assert!(collected(office()).disk_encrypted.known().is_none());
    let mut hanging = office();
    hanging.hanging.push(namespace.to_owned());
    assert!(matches!(collected(hanging).disk_encrypted, Fact::Unknown(unknown) if unknown.reason == Reason::TimedOut));
}

#[test]
fn an_edition_that_cannot_be_read_has_no_end_of_support() {
    let odd = collected(office().set(VERSION, "EditionID", Registry::Bytes(vec![1])));
    assert!(odd.supported_until.known().is_none() && odd.id.known().is_none());
}

#[test]
fn security_of_the_hardware_domain_and_language() {
    let tpm = |rows| office().rows(r"ROOT\CIMV2\Security\MicrosoftTpm", "Win32_Tpm", rows);
    let ready =
        ["IsEnabled_InitialValue", "IsActivated_InitialValue"].map(|name| (name.to_owned(), Variant::Bool(true)));
    assert_eq!(collected(tpm(vec![ready.into_iter().collect()])).tpm, Fact::Known(true));
    assert_eq!(collected(tpm(Vec::new())).tpm, Fact::Known(false));
    let silent = Row::from([("IsEnabled_InitialValue".to_owned(), Variant::Null)]);
    assert!(collected(tpm(vec![silent])).tpm.known().is_none());
    assert_eq!(collected(office()).secure_boot, Fact::Known(false));
    let secure = office().number(protection::SECURE_BOOT, "UEFISecureBootEnabled", 1);
    assert_eq!(collected(secure).secure_boot, Fact::Known(true));
    let mut joined = office().text(LANGUAGE, "InstallLanguage", "042a");
    joined.join = Some(Join::Domain("XA.TINH.GOV.VN".to_owned()));
    let system = collected(joined);
    assert_eq!(system.language, Fact::Known(1066));
    assert_eq!(system.domains.known().unwrap().items, ["xa.tinh.gov.vn"]);
    let mut workgroup = office();
    workgroup.join = Some(Join::Workgroup("PHÒNG-VĂN-THƯ".to_owned()));
    assert_eq!(collected(workgroup).domains, Fact::Known(List::default()));
}
