//! What protects an unattended session, and whether media start programs by themselves: policy over user over machine, for everyone
//! whose settings are loaded.
//!
//! Sources: `InactivityTimeoutSecs` (Windows 8 and later); `ScreenSaveActive`, `ScreenSaverIsSecure`, `ScreenSaveTimeOut`, `SCRNSAVE.EXE`
//! below each loaded `HKU\S-1-5-21-...`; `NoDriveTypeAutoRun`, `DisableAutoplay`.

use policies::fact::{Fact, Reason, Seconds};

use crate::windows::context::{CheckContext, Setting, unknown};
use crate::windows::version::{self, WINDOWS_8};
use os::windows::Registry;
use os::{Answer, OsError};

const SYSTEM: &str = r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Policies\System";
/// Drive settings by policy for everyone.
pub(super) const EXPLORER: &str = r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Policies\Explorer";
/// The bit of `NoDriveTypeAutoRun` for removable drives (1 << `DRIVE_REMOVABLE`).
const REMOVABLE: u64 = 0x4;

/// The SIDs of the people whose settings are loaded.
pub(in crate::windows) fn loaded(context: &CheckContext) -> Answer<Vec<String>> {
    Ok(context.os.keys("HKU")?.into_iter().filter(|sid| is_person(sid)).collect())
}

/// True for the SID of a machine, domain or Entra account.
pub(in crate::windows) fn is_person(sid: &str) -> bool {
    let rest = sid.strip_prefix("S-1-5-21-").or_else(|| sid.strip_prefix("S-1-12-1-"));
    // Other keys have the same form with `_Classes` or `.bak` appended.
    rest.is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-'))
}

/// The longest idle time before the screen locks, over everyone logged on; 0 when somebody's never locks.
pub(super) fn screen_lock(context: &CheckContext, sessions: &Answer<Vec<String>>) -> Fact<Seconds> {
    let machine = match machine(context) {
        Fact::Known(seconds) => seconds,
        Fact::Unknown(unknown) => return Fact::Unknown(unknown),
    };
    let sids = match sessions {
        Ok(sids) if sids.is_empty() && machine == 0 => {
            return Fact::unknown(Reason::SourceMissing, "nobody is logged on, whose settings could be read");
        }
        Ok(sids) => sids,
        Err(error) if machine == 0 => return unknown(error),
        Err(_) => return Fact::Known(seconds(machine)),
    };
    let mut longest = machine;
    for (position, sid) in sids.iter().enumerate() {
        let own = match person(context, sid) {
            Fact::Known(own) => own,
            Fact::Unknown(unknown) => return Fact::Unknown(unknown),
        };
        // The shorter of the two locks first; 0 means never.
        let locks = [own, machine].into_iter().filter(|seconds| *seconds > 0).min().unwrap_or(0);
        match locks {
            0 => return Fact::Known(Seconds(0)),
            locks if position == 0 => longest = locks,
            locks => longest = longest.max(locks),
        }
    }
    Fact::Known(seconds(longest))
}

fn seconds(seconds: u64) -> Seconds {
    Seconds(i64::try_from(seconds).unwrap_or(i64::MAX))
}

/// The setting for everyone; 0 for never. Windows 7 does not support it, even if it is set.
fn machine(context: &CheckContext) -> Fact<u64> {
    match version::read(context) {
        Fact::Known(version) if version.build < WINDOWS_8 => Fact::Known(0),
        Fact::Known(_) => context.number(SYSTEM, "InactivityTimeoutSecs").or(Fact::Known(0), Fact::Known),
        Fact::Unknown(unknown) => Fact::Unknown(unknown),
    }
}

/// Seconds until one person's screen saver locks; 0 for never: without a time-out, a program, or a password on return it does not
/// lock.
fn person(context: &CheckContext, sid: &str) -> Fact<u64> {
    let policy = format!(r"HKU\{sid}\Software\Policies\Microsoft\Windows\Control Panel\Desktop");
    let own = format!(r"HKU\{sid}\Control Panel\Desktop");
    let number = |name: &str| context.number(&policy, name).else_by(|| context.number(&own, name));
    let program = context.text(&policy, "SCRNSAVE.EXE").else_by(|| context.text(&own, "SCRNSAVE.EXE"));
    match program {
        Setting::Set(_) => {}
        Setting::Absent => return Fact::Known(0),
        Setting::Unreadable(error) => return unknown(&error),
    }
    let on = |name: &str| number(name).or(Fact::Known(false), |value| Fact::Known(value == 1));
    match (on("ScreenSaveActive"), on("ScreenSaverIsSecure")) {
        (Fact::Known(true), Fact::Known(true)) => number("ScreenSaveTimeOut").or(Fact::Known(0), Fact::Known),
        (Fact::Unknown(unknown), _) | (_, Fact::Unknown(unknown)) => Fact::Unknown(unknown),
        _ => Fact::Known(0),
    }
}

/// True when removable drives start and offer nothing by themselves, for everyone. Machine settings override a person's.
pub(super) fn autorun_off(context: &CheckContext, sessions: &Answer<Vec<String>>) -> Fact<bool> {
    match drives(context, EXPLORER) {
        Setting::Set(bits) => return Fact::Known(bits & REMOVABLE != 0),
        Setting::Unreadable(error) => return unknown(&error),
        Setting::Absent => {}
    }
    let sids = match sessions {
        Ok(sids) if sids.is_empty() => {
            return Fact::unknown(Reason::SourceMissing, "nobody is logged on, whose settings could be read");
        }
        Ok(sids) => sids,
        Err(error) => return unknown(error),
    };
    for sid in sids {
        let own = drives(context, &format!(r"HKU\{sid}\Software\Microsoft\Windows\CurrentVersion\Policies\Explorer"));
        let handlers = format!(r"HKU\{sid}\Software\Microsoft\Windows\CurrentVersion\Explorer\AutoplayHandlers");
        let off = match own {
            Setting::Set(bits) if bits & REMOVABLE != 0 => Fact::Known(true),
            Setting::Unreadable(error) => unknown(&error),
            Setting::Set(_) | Setting::Absent => {
                context.number(&handlers, "DisableAutoplay").or(Fact::Known(false), |value| Fact::Known(value == 1))
            }
        };
        if off != Fact::Known(true) {
            return off;
        }
    }
    Fact::Known(true)
}

/// `NoDriveTypeAutoRun`, a number that old tools write as four bytes.
fn drives(context: &CheckContext, key: &str) -> Setting<u64> {
    match context.os.value(key, "NoDriveTypeAutoRun") {
        Ok(Registry::Bytes(bytes)) => match bytes.get(..4).and_then(|bytes| bytes.try_into().ok()) {
            Some(bytes) => Setting::Set(u32::from_le_bytes(bytes).into()),
            None => Setting::Unreadable(OsError::Failed(key.to_owned(), "NoDriveTypeAutoRun is too short".to_owned())),
        },
        _ => context.number(key, "NoDriveTypeAutoRun"),
    }
}
