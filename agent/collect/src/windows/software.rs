//! Section `software`: installed programs, browsers, removable storage.
//!
//! Sources: the `Uninstall` keys (64-bit and 32-bit) of the machine and of everyone with a profile on it; `App Paths` and the programs'
//! version blocks for browsers; `RemovableStorageDevices`; the history in `Enum\USBSTOR`. `Win32_Product` is never queried: it repairs what
//! it lists.

use policies::fact::{Fact, Software};

use super::context::{CheckContext, answered, unknown};
use os::{Answer, OsError};

mod browsers;
mod installed;
mod people;
mod programs;

const REMOVABLE: &str = r"HKLM\SOFTWARE\Policies\Microsoft\Windows\RemovableStorageDevices";
const HISTORY: &str = r"HKLM\SYSTEM\CurrentControlSet\Enum\USBSTOR";
/// Removable disks among the classes of removable storage.
const DISKS: &str = "{53f5630d-b6bf-11d0-94f2-00a0c91efb8b}";

/// Registry keys whose change triggers a new collection of this section.
pub(super) const WATCHED: &[&str] = &[
    r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Uninstall",
    r"HKLM\SOFTWARE\WOW6432Node\Microsoft\Windows\CurrentVersion\Uninstall",
    REMOVABLE,
    HISTORY,
];

pub(super) fn collect(context: &CheckContext) -> Software {
    let (programs, browsers) = match installed::installed(context) {
        Ok(installed) => (Fact::Known(programs::list(&installed)), Fact::Known(browsers::list(context, &installed))),
        Err(error) => (unknown(&error), unknown(&error)),
    };
    Software {
        programs,
        browsers,
        removable_denied: denied(context),
        removable_seen: match context.os.keys(HISTORY) {
            Ok(models) => answered(seen(context, &models), Fact::Known),
            Err(OsError::Missing(_)) => Fact::Known(0),
            Err(error) => unknown(&error),
        },
    }
}

/// Whether a policy denies reading or writing of all removable storage or of removable disks.
fn denied(context: &CheckContext) -> Fact<bool> {
    let questions = [
        (REMOVABLE.to_owned(), "Deny_All"),
        (format!(r"{REMOVABLE}\{DISKS}"), "Deny_Read"),
        (format!(r"{REMOVABLE}\{DISKS}"), "Deny_Write"),
    ];
    let mut denied = Fact::Known(false);
    for (key, name) in questions {
        match context.number(&key, name).or(Fact::Known(false), |value| Fact::Known(value == 1)) {
            Fact::Known(true) => return Fact::Known(true),
            Fact::Known(false) => {}
            Fact::Unknown(unknown) => denied = Fact::Unknown(unknown),
        }
    }
    denied
}

/// Drives below their models: `USBSTOR\Disk&Ven_X&Prod_Y\SERIAL`.
fn seen(context: &CheckContext, models: &[String]) -> Answer<i64> {
    let mut count = 0_i64;
    for model in models {
        count += match context.os.keys(&format!(r"{HISTORY}\{model}")) {
            Ok(drives) => i64::try_from(drives.len()).unwrap_or(i64::MAX),
            Err(OsError::Missing(_)) => 0,
            Err(error) => return Err(error),
        };
    }
    Ok(count)
}

#[cfg(test)]
mod tests;
