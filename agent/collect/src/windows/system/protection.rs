//! Encryption of the disks, TPM and Secure Boot.
//!
//! Sources: `Win32_EncryptableVolume` (`ProtectionStatus` 0 off, 1 on, 2 unknown; `VolumeType` 0 system, 1 fixed, 2 removable),
//! `Win32_Tpm`, `HKLM\SYSTEM\CurrentControlSet\Control\SecureBoot\State`.

use policies::evaluate::Truth;
use policies::fact::{Fact, Reason};

use super::super::context::{CheckContext, answered};
use os::windows::{Row, Variant};

/// The registry key of the Secure Boot state.
pub(super) const SECURE_BOOT: &str = r"HKLM\SYSTEM\CurrentControlSet\Control\SecureBoot\State";

/// True when every volume on the machine's own disks is protected. Windows 7 does not report which volumes are removable: there
/// the system volume decides.
pub(super) fn disk_encrypted(context: &CheckContext, drive: &str) -> Fact<bool> {
    let query = "SELECT * FROM Win32_EncryptableVolume";
    answered(context.os.wmi(r"ROOT\CIMV2\Security\MicrosoftVolumeEncryption", query), |rows| {
        let number = |row: &Row, name: &str| match row.get(name) {
            Some(Variant::Number(number)) => Some(*number),
            _ => None,
        };
        let own = rows.iter().filter(|row| match number(row, "VolumeType") {
            Some(kind) => kind != 2,
            None => matches!(row.get("DriveLetter"), Some(Variant::Text(letter)) if letter.eq_ignore_ascii_case(drive)),
        });
        let states: Vec<Option<i64>> = own.map(|row| number(row, "ProtectionStatus")).collect();
        if states.is_empty() {
            Fact::unknown(Reason::SourceMissing, "no volume is told")
        } else if states.contains(&Some(0)) {
            Fact::Known(false)
        } else if states.iter().all(|state| *state == Some(1)) {
            Fact::Known(true)
        } else {
            Fact::unknown(Reason::Unreadable, "a volume does not tell whether it is protected")
        }
    })
}

/// True when a TPM is there, enabled and activated. Without one the class has no row.
pub(super) fn tpm(context: &CheckContext) -> Fact<bool> {
    let query = "SELECT IsEnabled_InitialValue, IsActivated_InitialValue FROM Win32_Tpm";
    answered(context.os.wmi(r"ROOT\CIMV2\Security\MicrosoftTpm", query), |rows| {
        let told = |row: &Row, name: &str| match row.get(name) {
            Some(Variant::Bool(told)) => Truth::from(*told),
            _ => Truth::Unknown,
        };
        let works = |row: &Row| told(row, "IsEnabled_InitialValue").and(told(row, "IsActivated_InitialValue"));
        match rows.iter().map(works).fold(Truth::False, Truth::or) {
            Truth::Unknown => Fact::unknown(Reason::Unreadable, "the TPM does not tell whether it is in use"),
            told => Fact::Known(told == Truth::True),
        }
    })
}

/// True when the firmware only starts signed systems. A machine with old firmware has no such value.
pub(super) fn secure_boot(context: &CheckContext) -> Fact<bool> {
    context.number(SECURE_BOOT, "UEFISecureBootEnabled").or(Fact::Known(false), |value| Fact::Known(value == 1))
}
