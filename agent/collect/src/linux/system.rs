//! Section `system`: the operating system and the hardware.

use jiff::Timestamp;
use policies::fact::{Chassis, Confinement, Fact, Family, List, Mebibytes, Reason, System};

use super::context::{CheckContext, WINDOWS_ONLY, answered, found, optional, unknown};
use crate::firmware::{chassis_of, filled_in};
use crate::linux::text::{assigned, capped, ini_value, lines};
use os::OsError;

mod disk;
mod support;

pub(super) fn collect(context: &CheckContext) -> System {
    let release = context.text("/etc/os-release").or_else(|_| context.text("/usr/lib/os-release"));
    let field = |key: &str| match &release {
        Ok(text) => assigned(text, key)
            .filter(|value| !value.is_empty())
            .map(capped)
            .map_or_else(|| Fact::unknown(Reason::SourceMissing, format!("os-release has no {key}")), Fact::Known),
        Err(error) => unknown(error),
    };
    let hardware = context.os.hardware();
    let mebibytes = |bytes: u64| Mebibytes(i64::try_from(bytes >> 20).unwrap_or(i64::MAX));
    System {
        name: line(context, "/proc/sys/kernel/hostname"),
        family: Fact::Known(Family::Linux),
        id: field("ID"),
        title: field("PRETTY_NAME"),
        version: field("VERSION_ID"),
        build: line(context, "/proc/sys/kernel/osrelease"),
        supported_until: answered(release.clone(), |text| support::supported_until(context, &text)),
        architecture: context.line("/proc/sys/kernel/arch").unwrap_or_else(|| std::env::consts::ARCH.to_owned()).into(),
        booted_at: match Timestamp::from_second(hardware.booted_at) {
            Ok(at) if hardware.booted_at > 0 => Fact::Known(at),
            _ => Fact::unknown(Reason::Unreadable, "/proc/stat has no btime"),
        },
        desktop: Fact::Known(has_desktop(context)),
        chassis: chassis(context),
        model: model(context),
        serial: serial(context),
        processor: stated(&hardware.processor),
        processors: quantity(hardware.processors, |count| i64::try_from(count).unwrap_or(i64::MAX)),
        memory: quantity(hardware.memory, mebibytes),
        disk: answered(context.os.disk_size("/"), |bytes| quantity(bytes, mebibytes)),
        disk_encrypted: disk::encrypted(context),
        domains: domains(context),
        confinement: confinement(context),
        ..System::unknown(Reason::NoReader, WINDOWS_ONLY)
    }
}

fn line(context: &CheckContext, path: &str) -> Fact<String> {
    answered(context.text(path), |text| match text.lines().next().map(capped) {
        Some(line) if !line.is_empty() => Fact::Known(line),
        _ => Fact::unknown(Reason::Unreadable, format!("{path} is empty")),
    })
}

fn stated(text: &str) -> Fact<String> {
    if text.trim().is_empty() { Fact::unknown(Reason::SourceMissing, "") } else { Fact::Known(capped(text)) }
}

fn quantity<T>(amount: u64, unit: impl FnOnce(u64) -> T) -> Fact<T> {
    if amount == 0 { Fact::unknown(Reason::Unreadable, "") } else { Fact::Known(unit(amount)) }
}

fn has_desktop(context: &CheckContext) -> bool {
    ["/usr/share/xsessions", "/usr/share/wayland-sessions"]
        .iter()
        .filter_map(|folder| context.os.list(folder).ok())
        .flatten()
        .any(|name| name.ends_with(".desktop"))
}

/// The processor itself reports whether a hypervisor runs it; only then is the chassis looked up in the firmware.
fn chassis(context: &CheckContext) -> Fact<Chassis> {
    let virtual_machine = context.os.head("/proc/cpuinfo", 1 << 14).is_ok_and(|bytes| {
        String::from_utf8_lossy(&bytes)
            .lines()
            .filter(|line| line.starts_with("flags"))
            .any(|flags| flags.split_ascii_whitespace().any(|flag| flag == "hypervisor"))
    });
    if virtual_machine {
        return Fact::Known(Chassis::Virtual);
    }
    answered(context.text("/sys/class/dmi/id/chassis_type"), |text| match text.trim().parse() {
        Ok(code) => chassis_of(code),
        Err(_) => Fact::unknown(Reason::Unreadable, format!("chassis type {}", capped(&text))),
    })
}

fn model(context: &CheckContext) -> Fact<String> {
    let read = |name: &str| context.text(&format!("/sys/class/dmi/id/{name}"));
    answered(read("product_name"), |product| {
        let maker = read("sys_vendor").ok().as_deref().and_then(filled_in);
        match (maker, filled_in(&product)) {
            (Some(maker), Some(product)) if product.starts_with(&maker) => Fact::Known(product),
            (Some(maker), Some(product)) => Fact::Known(capped(&format!("{maker} {product}"))),
            (None, Some(named)) | (Some(named), None) => Fact::Known(named),
            (None, None) => Fact::unknown(Reason::SourceMissing, "the firmware holds a maker's filler"),
        }
    })
}

fn serial(context: &CheckContext) -> Fact<String> {
    answered(context.text("/sys/class/dmi/id/product_serial"), |text| {
        found(filled_in(&text), "the firmware holds a maker's filler")
    })
}

/// Domain membership, by the programs that join one: sssd, Samba's winbind, FreeIPA.
fn domains(context: &CheckContext) -> Fact<List<String>> {
    let sssd = context.text("/etc/sssd/sssd.conf").map(|text| {
        ini_value(&text, "sssd", "domains")
            .map(|value| value.split([',', ' ']).filter(|name| !name.is_empty()).map(capped).collect::<Vec<_>>())
            .unwrap_or_default()
    });
    let samba = context.text("/etc/samba/smb.conf").map(|text| {
        let security = ini_value(&text, "global", "security").unwrap_or_default();
        let joined = ["ads", "domain"].iter().any(|kind| security.eq_ignore_ascii_case(kind));
        let name = ini_value(&text, "global", "realm").or_else(|| ini_value(&text, "global", "workgroup"));
        name.filter(|_| joined).iter().map(|name| capped(name).to_lowercase()).collect::<Vec<_>>()
    });
    let ipa = context.text("/etc/ipa/default.conf").map(|text| {
        let named = |line: &str| line.split_once('=').map(|(key, value)| (key.trim().to_owned(), capped(value)));
        lines(&text).filter_map(named).filter(|(key, _)| key == "domain").map(|(_, domain)| domain).collect::<Vec<_>>()
    });
    let mut names = Vec::new();
    for joined in [sssd, samba, ipa] {
        match optional(joined) {
            Ok(joined) => names.extend(joined.into_iter().flatten()),
            Err(error) => return unknown(&error),
        }
    }
    names.sort_unstable();
    names.dedup();
    Fact::Known(List::capped(names))
}

/// The kernel's report on its mandatory access control module. Kernels before 4.11 do not name their modules.
fn confinement(context: &CheckContext) -> Fact<Confinement> {
    let modules = context.text("/sys/kernel/security/lsm");
    let has = |name: &str| modules.as_ref().is_ok_and(|names| names.trim().split(',').any(|module| module == name));
    match (&context.text("/sys/fs/selinux/enforce"), &modules) {
        (Ok(mode), _) => match mode.trim() {
            "1" => Fact::Known(Confinement::Enforced),
            "0" => Fact::Known(Confinement::Permissive),
            other => Fact::unknown(Reason::Unreadable, format!("/sys/fs/selinux/enforce: {}", capped(other))),
        },
        (Err(OsError::Missing(_)), Ok(_)) if has("apparmor") => apparmor(context),
        (Err(OsError::Missing(_)), Ok(names)) if has("smack") || has("tomoyo") => {
            Fact::unknown(Reason::NoReader, capped(names))
        }
        // A kernel with SELinux but without its file system has no policy: `getenforce` prints "Disabled" there.
        (Err(OsError::Missing(_)), Ok(_)) => Fact::Known(Confinement::Off),
        (Err(OsError::Missing(_)), Err(error)) | (Err(error), _) => unknown(error),
    }
}

/// By the profiles loaded in the kernel: `/usr/sbin/cupsd (enforce)`.
fn apparmor(context: &CheckContext) -> Fact<Confinement> {
    answered(context.text("/sys/kernel/security/apparmor/profiles"), |profiles| {
        let blocks = |line: &str| line.ends_with("(enforce)") || line.ends_with("(kill)");
        Fact::Known(match profiles.trim() {
            "" => Confinement::Off,
            profiles if profiles.lines().any(blocks) => Confinement::Enforced,
            _ => Confinement::Permissive,
        })
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use os::Hardware;
    use os::recorded::Recorded;

    fn collected(os: Recorded) -> System {
        collect(&CheckContext::new(Arc::new(os), "2026-11-22T00:00:00Z".parse().unwrap()))
    }

    #[test]
    fn an_office_computer_is_described() {
        let mut os = Recorded::new()
            .file("/etc/os-release", "PRETTY_NAME=\"Ubuntu 22.04.5 LTS\"\nID=ubuntu\nVERSION_ID=\"22.04\"\n")
            .file("/proc/sys/kernel/hostname", "xa-mt-01\n")
            .file("/proc/sys/kernel/osrelease", "5.15.0-119-generic\n")
            .file("/proc/sys/kernel/arch", "x86_64\n")
            .file("/proc/cpuinfo", "processor : 0\nflags\t\t: fpu vme sse2\n")
            .file("/sys/class/dmi/id/chassis_type", "3\n")
            .file("/sys/class/dmi/id/sys_vendor", "Dell Inc.\n")
            .file("/sys/class/dmi/id/product_name", "OptiPlex 3080\n")
            .file("/sys/class/dmi/id/product_serial", "7XK2Q63\n")
            .file("/usr/share/xsessions/ubuntu.desktop", "");
        os.hardware = Hardware {
            memory: 8 << 30,
            processors: 6,
            processor: "Intel Core i5-10500".to_owned(),
            booted_at: 1_700_000_000,
        };
        os.disk = 250 << 30;
        let system = collected(os);
        assert_eq!(system.name, Fact::Known("xa-mt-01".to_owned()));
        assert_eq!(system.title, Fact::Known("Ubuntu 22.04.5 LTS".to_owned()));
        assert_eq!(system.model, Fact::Known("Dell Inc. OptiPlex 3080".to_owned()));
        assert_eq!(system.serial, Fact::Known("7XK2Q63".to_owned()));
        assert_eq!(system.chassis, Fact::Known(Chassis::Desktop));
        assert_eq!(system.memory, Fact::Known(Mebibytes(8192)));
        assert_eq!(system.disk, Fact::Known(Mebibytes(256_000)));
        assert_eq!(system.booted_at, Fact::Known(Timestamp::from_second(1_700_000_000).unwrap()));
        assert_eq!(system.desktop, Fact::Known(true));
        assert_eq!(system.domains, Fact::Known(List::default()));
        assert_eq!(system.supported_until, Fact::Known("2027-06-01T16:59:59Z".parse().unwrap()));
    }

    #[test]
    fn nothing_is_invented_on_an_empty_machine() {
        let system = collected(Recorded::new());
        assert!(matches!(&system.title, Fact::Unknown(unknown) if unknown.reason == Reason::SourceMissing));
        assert!(matches!(&system.chassis, Fact::Unknown(unknown) if unknown.reason == Reason::SourceMissing));
        assert!(system.memory.known().is_none() && system.booted_at.known().is_none());
        assert_eq!(system.desktop, Fact::Known(false));
    }

    #[test]
    fn a_virtual_machine_and_fillers_are_recognised() {
        let os = Recorded::new()
            .file("/proc/cpuinfo", "flags\t\t: fpu hypervisor lahf_lm\n")
            .file("/sys/class/dmi/id/sys_vendor", "QEMU\n")
            .file("/sys/class/dmi/id/product_name", "To be filled by O.E.M.\r\n")
            .file("/sys/class/dmi/id/product_serial", "0000000\n");
        let system = collected(os);
        assert_eq!(system.chassis, Fact::Known(Chassis::Virtual));
        assert_eq!(system.model, Fact::Known("QEMU".to_owned()));
        assert!(system.serial.known().is_none());
        for odd in ["2", "999999", "ba"] {
            let os = Recorded::new().file("/sys/class/dmi/id/chassis_type", odd);
            assert!(collected(os).chassis.known().is_none(), "{odd}");
        }
    }

    #[test]
    fn the_serial_needs_an_administrator_where_the_kernel_says_so() {
        let system = collected(Recorded::new().unprivileged().denying("/sys/class/dmi/id/product_serial"));
        assert!(matches!(system.serial, Fact::Unknown(unknown) if unknown.reason == Reason::NeedsAdministrator));
    }

    #[test]
    fn programs_are_confined_where_the_kernel_says_so() {
        let with = |modules: &str, files: &[(&str, &str)]| {
            let os = files.iter().fold(Recorded::new(), |os, (path, text)| os.file(path, *text));
            collected(os.file("/sys/kernel/security/lsm", modules)).confinement
        };
        let enforce = |mode| with("lockdown,capability,yama,selinux,bpf", &[("/sys/fs/selinux/enforce", mode)]);
        assert_eq!(enforce("1"), Fact::Known(Confinement::Enforced));
        assert_eq!(enforce("0"), Fact::Known(Confinement::Permissive));
        assert!(enforce("").known().is_none() && enforce("2").known().is_none());
        assert_eq!(with("capability,selinux", &[]), Fact::Known(Confinement::Off), "no policy was loaded");
        let profiles = |text| with("capability,landlock,apparmor", &[("/sys/kernel/security/apparmor/profiles", text)]);
        assert_eq!(profiles("nvidia_modprobe (unconfined)\ncupsd (enforce)\n"), Fact::Known(Confinement::Enforced));
        assert_eq!(profiles("nvidia_modprobe (complain)\n"), Fact::Known(Confinement::Permissive));
        assert_eq!(profiles(""), Fact::Known(Confinement::Off), "no profile is loaded");
        assert!(with("capability,apparmor", &[]).known().is_none());
        assert_eq!(with("capability,yama", &[]), Fact::Known(Confinement::Off));
        let other = with("capability,smack", &[]);
        assert!(matches!(other, Fact::Unknown(why) if why.reason == Reason::NoReader));

        let old = collected(Recorded::new().file("/sys/fs/selinux/enforce", "1")).confinement;
        assert_eq!(old, Fact::Known(Confinement::Enforced));
        assert!(
            matches!(collected(Recorded::new()).confinement, Fact::Unknown(why) if why.reason == Reason::SourceMissing)
        );
        let os = Recorded::new().unprivileged().file("/sys/kernel/security/lsm", "apparmor");
        let denied = collected(os.denying("/sys/kernel/security/apparmor/profiles")).confinement;
        assert!(matches!(denied, Fact::Unknown(why) if why.reason == Reason::NeedsAdministrator));
    }

    #[test]
    fn joined_domains_are_found() {
        let os = Recorded::new()
            .file("/etc/sssd/sssd.conf", "[sssd]\ndomains = xa.tinh.vn, tinh.vn\n")
            .file("/etc/samba/smb.conf", "[global]\n  security = ADS\n  realm = XA.TINH.VN\n");
        let expected = ["tinh.vn".to_owned(), "xa.tinh.vn".to_owned()];
        assert_eq!(collected(os).domains, Fact::Known(expected.into_iter().collect()));
        let denied = Recorded::new().unprivileged().denying("/etc/sssd/sssd.conf");
        assert!(
            matches!(collected(denied).domains, Fact::Unknown(unknown) if unknown.reason == Reason::NeedsAdministrator)
        );
    }
}
