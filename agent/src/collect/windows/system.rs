//! Section `system`: edition, build and hardware of a Windows machine.
//!
//! Source: `HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion` (`ProductName`, `DisplayVersion`, `ReleaseId`, `CurrentBuildNumber`,
//! `UBR`, `InstallationType`), none of which Windows translates.

use jiff::Timestamp;
use policies::fact::{Fact, Family, Mebibytes, Reason, System};

use super::scene::{Scene, Setting, answered};
use crate::collect::text::capped;

const VERSION: &str = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion";
const FIRMWARE: &str = r"HKLM\HARDWARE\DESCRIPTION\System\BIOS";
/// The first build of Windows 11. Its `ProductName` still says Windows 10.
const WINDOWS_11: u64 = 22_000;

pub(super) fn collect(scene: &Scene) -> System {
    let build = scene.number(VERSION, "CurrentBuildNumber");
    let product = scene.text(VERSION, "ProductName");
    let server = scene.text(VERSION, "InstallationType").or(missing("InstallationType"), |kind| {
        Fact::Known(kind.eq_ignore_ascii_case("Server") || kind.eq_ignore_ascii_case("Server Core"))
    });
    let hardware = scene.os.hardware();
    let mebibytes = |bytes: u64| Mebibytes(i64::try_from(bytes >> 20).unwrap_or(i64::MAX));
    System {
        name: answered(scene.os.computer_name(), |name| Fact::Known(capped(&name))),
        family: Fact::Known(Family::Windows),
        id: no_reader(),
        title: product.or(missing("ProductName"), |product| Fact::Known(title(&product, &build, &server))),
        version: scene
            .text(VERSION, "DisplayVersion")
            .else_by(|| scene.text(VERSION, "ReleaseId"))
            .or(missing("DisplayVersion"), Fact::Known),
        build: build.clone().or(missing("CurrentBuildNumber"), |build| {
            // Before Windows 10 builds had no update revision.
            scene
                .number(VERSION, "UBR")
                .or(Fact::Known(build.to_string()), |revision| Fact::Known(format!("{build}.{revision}")))
        }),
        supported_until: no_reader(),
        architecture: Fact::Known(std::env::consts::ARCH.to_owned()),
        booted_at: match Timestamp::from_second(hardware.booted_at) {
            Ok(at) if hardware.booted_at > 0 => Fact::Known(at),
            _ => Fact::unknown(Reason::Unreadable, "no start time"),
        },
        desktop: scene
            .text(VERSION, "InstallationType")
            .or(missing("InstallationType"), |kind| Fact::Known(!kind.eq_ignore_ascii_case("Server Core"))),
        chassis: no_reader(),
        model: model(scene),
        serial: no_reader(),
        processor: match hardware.processor.trim() {
            "" => Fact::unknown(Reason::SourceMissing, ""),
            name => Fact::Known(capped(name)),
        },
        processors: known(hardware.processors, |count| i64::try_from(count).unwrap_or(i64::MAX)),
        memory: known(hardware.memory, mebibytes),
        disk: answered(scene.os.disk_size(r"C:\"), |bytes| known(bytes, mebibytes)),
        disk_encrypted: no_reader(),
        domains: no_reader(),
    }
}

/// The product's name, corrected where Windows 11 calls itself 10.
fn title(product: &str, build: &Setting<u64>, server: &Fact<bool>) -> String {
    match (build, server, product.strip_prefix("Windows 10")) {
        (Setting::Set(build), Fact::Known(false), Some(rest)) if *build >= WINDOWS_11 => format!("Windows 11{rest}"),
        _ => product.to_owned(),
    }
}

fn model(scene: &Scene) -> Fact<String> {
    let maker = scene.text(FIRMWARE, "SystemManufacturer");
    scene.text(FIRMWARE, "SystemProductName").or(missing("SystemProductName"), |product| {
        Fact::Known(match maker {
            Setting::Set(maker) if !product.starts_with(&maker) => capped(&format!("{maker} {product}")),
            _ => product,
        })
    })
}

fn known<T>(amount: u64, unit: impl FnOnce(u64) -> T) -> Fact<T> {
    if amount == 0 { Fact::unknown(Reason::Unreadable, "") } else { Fact::Known(unit(amount)) }
}

fn missing<T>(name: &str) -> Fact<T> {
    Fact::unknown(Reason::SourceMissing, format!("no {name}"))
}

fn no_reader<T>() -> Fact<T> {
    Fact::unknown(Reason::NoReader, "this version reads it on Linux only")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::os::windows::recorded::Recorded;

    fn collected(os: Recorded) -> System {
        collect(&Scene::new(Arc::new(os), Timestamp::UNIX_EPOCH))
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
        let server =
            eleven.text(VERSION, "InstallationType", "Server").text(VERSION, "ProductName", "Windows Server 2025");
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
}
