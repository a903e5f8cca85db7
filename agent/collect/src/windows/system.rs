//! Section `system`: edition, build, support and hardware of a Windows machine.
//!
//! Sources: `HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion` (`ProductName`, `DisplayVersion`, `ReleaseId`, `SystemRoot`), none of
//! which Windows translates; the firmware's tables; `Nls\Language`.

use jiff::Timestamp;
use jiff::civil::Date;
use policies::fact::{Chassis, Fact, Family, Instant, List, Mebibytes, Reason, System};
use policies::policy::WindowsKind;

use super::context::{CheckContext, Setting, answered};
use super::version::{self, VERSION, Version, WINDOWS_11};
use crate::firmware::{chassis_of, filled_in};
use crate::text::capped;
use os::windows::Join;

mod protection;
mod smbios;
mod support;

use smbios::Tables;

const FIRMWARE: &str = r"HKLM\HARDWARE\DESCRIPTION\System\BIOS";
const LANGUAGE: &str = r"HKLM\SYSTEM\CurrentControlSet\Control\Nls\Language";

/// Registry keys whose change triggers a new collection of this section.
pub(super) const WATCHED: &[&str] = &[VERSION, protection::SECURE_BOOT];

pub(super) fn collect(context: &CheckContext) -> System {
    let version = version::read(context);
    let support = support::of(context, &version);
    let tables = context.os.firmware().map(|bytes| smbios::read(&bytes));
    let hardware = context.os.hardware();
    let mebibytes = |bytes: u64| Mebibytes(i64::try_from(bytes >> 20).unwrap_or(i64::MAX));
    let drive = drive(context);
    System {
        name: answered(context.os.computer_name(), |name| Fact::Known(capped(&name))),
        family: Fact::Known(Family::Windows),
        id: support.id,
        title: context
            .text(VERSION, "ProductName")
            .or(missing("ProductName"), |product| Fact::Known(title(&product, &version))),
        version: context
            .text(VERSION, "DisplayVersion")
            .else_by(|| context.text(VERSION, "ReleaseId"))
            .else_by(|| support.release.map_or(Setting::Absent, Setting::Set))
            .or(missing("DisplayVersion"), Fact::Known),
        build: build(context),
        supported_until: support.until,
        paid_until: support.paid_until,
        paid_updates: support.paid,
        architecture: answered(context.os.machine(), architecture),
        booted_at: match Timestamp::from_second(hardware.booted_at) {
            Ok(at) if hardware.booted_at > 0 => Fact::Known(at),
            _ => Fact::unknown(Reason::Unreadable, "no start time"),
        },
        desktop: context
            .text(VERSION, "InstallationType")
            .or(missing("InstallationType"), |kind| Fact::Known(!kind.eq_ignore_ascii_case("Server Core"))),
        server_edition: version::kind(context).map(|kind| kind == WindowsKind::Server),
        chassis: answered(tables.clone(), |tables| chassis(&tables)),
        model: model(context),
        serial: answered(tables.clone(), |tables| match tables.serial.as_deref().and_then(filled_in) {
            Some(serial) => Fact::Known(serial),
            None => Fact::unknown(Reason::SourceMissing, "the firmware holds a maker's filler"),
        }),
        processor: match hardware.processor.trim() {
            "" => Fact::unknown(Reason::SourceMissing, ""),
            name => Fact::Known(capped(name)),
        },
        processors: known(hardware.processors, |count| i64::try_from(count).unwrap_or(i64::MAX)),
        // The firmware knows the installed memory; the system only what it was given.
        memory: match &tables {
            Ok(tables) if tables.memory > 0 => Fact::Known(mebibytes(tables.memory)),
            _ => known(hardware.memory, mebibytes),
        },
        firmware_at: answered(tables, |tables| released(&tables)),
        disk: answered(context.os.disk_size(&format!(r"{drive}\")), |bytes| known(bytes, mebibytes)),
        disk_encrypted: protection::disk_encrypted(context, &drive),
        secure_boot: protection::secure_boot(context),
        tpm: protection::tpm(context),
        language: context.text(LANGUAGE, "InstallLanguage").or(missing("InstallLanguage"), |code| {
            i64::from_str_radix(code.trim(), 16).map_or_else(|_| Fact::unknown(Reason::Unreadable, code), Fact::Known)
        }),
        domains: answered(context.os.join(), |join| {
            Fact::Known(match join {
                Join::Domain(name) => [capped(&name).to_lowercase()].into_iter().collect(),
                Join::Workgroup(_) | Join::None => List::default(),
            })
        }),
        ..System::unknown(Reason::NoReader, "")
    }
}

/// The processor type from its `IMAGE_FILE_MACHINE_*`, in Linux' terms.
fn architecture(machine: u16) -> Fact<String> {
    let name = match machine {
        0x8664 => "x86_64",
        0x014C => "x86",
        0xAA64 => "aarch64",
        0x01C4 => "arm",
        other => return Fact::unknown(Reason::Unreadable, format!("IMAGE_FILE_MACHINE {other:#06X}")),
    };
    Fact::Known(name.to_owned())
}

/// The drive of the system, such as `C:`.
fn drive(context: &CheckContext) -> String {
    match context.text(VERSION, "SystemRoot") {
        Setting::Set(root) if root.chars().nth(1) == Some(':') => root.chars().take(2).collect(),
        _ => "C:".to_owned(),
    }
}

fn build(context: &CheckContext) -> Fact<String> {
    context.number(VERSION, "CurrentBuildNumber").or(missing("CurrentBuildNumber"), |build| {
        // Before Windows 10, builds had no update revision.
        context
            .number(VERSION, "UBR")
            .or(Fact::Known(build.to_string()), |revision| Fact::Known(format!("{build}.{revision}")))
    })
}

/// The product name, corrected where Windows 11 calls itself 10.
fn title(product: &str, version: &Fact<Version>) -> String {
    match (version, product.strip_prefix("Windows 10")) {
        (Fact::Known(version), Some(rest)) if version.kind == WindowsKind::Client && version.build >= WINDOWS_11 => {
            format!("Windows 11{rest}")
        }
        _ => product.to_owned(),
    }
}

fn model(context: &CheckContext) -> Fact<String> {
    let maker = context.text(FIRMWARE, "SystemManufacturer");
    let filler = || Fact::unknown(Reason::SourceMissing, "the firmware holds a maker's filler");
    context.text(FIRMWARE, "SystemProductName").or(missing("SystemProductName"), |product| {
        let maker = match &maker {
            Setting::Set(maker) => filled_in(maker),
            Setting::Absent | Setting::Unreadable(_) => None,
        };
        match (maker, filled_in(&product)) {
            (Some(maker), Some(product)) if !product.starts_with(&maker) => {
                Fact::Known(capped(&format!("{maker} {product}")))
            }
            (_, Some(named)) | (Some(named), None) => Fact::Known(named),
            (None, None) => filler(),
        }
    })
}

/// Makers of virtual machines, by maker or product in the firmware's tables.
const VIRTUAL: [&str; 8] =
    ["vmware", "qemu", "innotek gmbh", "virtualbox", "xen", "parallels", "bochs", "virtual machine"];

fn chassis(tables: &Tables) -> Fact<Chassis> {
    let names = [&tables.maker, &tables.product].map(|name| name.as_deref().unwrap_or_default().to_lowercase());
    if tables.virtual_machine || VIRTUAL.iter().any(|maker| names.iter().any(|name| name.starts_with(maker))) {
        return Fact::Known(Chassis::Virtual);
    }
    match tables.chassis {
        Some(code) => chassis_of(code.into()),
        None => Fact::unknown(Reason::SourceMissing, "the firmware does not say"),
    }
}

/// `MM/DD/YYYY`; older tables have a two-digit year. The day begins at midnight in Viet Nam.
fn released(tables: &Tables) -> Fact<Instant> {
    let Some(text) = &tables.released else { return Fact::unknown(Reason::SourceMissing, "the firmware does not say") };
    let parts: Vec<Option<i16>> = text.split('/').map(|part| part.trim().parse().ok()).collect();
    let date = match parts.as_slice() {
        [Some(month), Some(day), Some(year)] => {
            let year = if (0..100).contains(year) { year + 1900 } else { *year };
            let (month, day) = (i8::try_from(*month), i8::try_from(*day));
            month.ok().zip(day.ok()).and_then(|(month, day)| Date::new(year, month, day).ok())
        }
        _ => None,
    };
    let at = date.and_then(|date| format!("{date}T00:00:00+07:00").parse().ok());
    at.map_or_else(|| Fact::unknown(Reason::Unreadable, capped(text)), Fact::Known)
}

fn known<T>(amount: u64, unit: impl FnOnce(u64) -> T) -> Fact<T> {
    if amount == 0 { Fact::unknown(Reason::Unreadable, "") } else { Fact::Known(unit(amount)) }
}

fn missing<T>(name: &str) -> Fact<T> {
    Fact::unknown(Reason::SourceMissing, format!("no {name}"))
}

#[cfg(test)]
mod tests;
