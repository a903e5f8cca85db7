//! Whether Windows installs updates by itself, and from where: policy over what is set locally.
//!
//! Sources: `HKLM\SOFTWARE\Policies\Microsoft\Windows\WindowsUpdate\AU` (learn.microsoft.com, "Configure Automatic Updates using the
//! registry editor"), the local settings of Windows 7 and 8.1, the pause of Windows 10 and 11, the service's start.

use jiff::Timestamp;
use policies::fact::{Fact, List, Reason};
use policies::policy::WindowsKind;

use super::super::scene::{Scene, Setting};
use super::super::version::{self, WINDOWS_10};
use super::is;
use crate::os::Answer;

/// What a policy sets.
pub(super) const POLICY: &str = r"HKLM\SOFTWARE\Policies\Microsoft\Windows\WindowsUpdate";
/// What Windows 7 and 8.1 set locally.
pub(super) const LOCAL: &str = r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\WindowsUpdate\Auto Update";
/// What Windows 10 and 11 set locally.
pub(super) const SETTINGS: &str = r"HKLM\SOFTWARE\Microsoft\WindowsUpdate\UX\Settings";
const SERVICE: &str = r"HKLM\SYSTEM\CurrentControlSet\Services\wuauserv";
/// Since Windows 10 it decides when updates are searched for and installed.
const ORCHESTRATOR: &str = r"HKLM\SYSTEM\CurrentControlSet\Services\UsoSvc";
/// `SERVICE_DISABLED`.
const DISABLED: u64 = 4;

/// True when updates install themselves.
pub(super) fn collect(scene: &Scene) -> Fact<bool> {
    let policy = format!(r"{POLICY}\AU");
    let disabled = |service: &str| is(scene.number(service, "Start"), DISABLED);
    let refused = is(scene.number(&policy, "NoAutoUpdate"), 1);
    // "Turn off access to all Windows Update features" switches automatic updating off as well.
    let barred = is(scene.number(POLICY, "DisableWindowsUpdateAccess"), 1);
    for off in [disabled(SERVICE), disabled(ORCHESTRATOR), refused, barred, paused(scene)] {
        match off {
            Fact::Known(false) => {}
            Fact::Known(true) => return Fact::Known(false),
            Fact::Unknown(unknown) => return Fact::Unknown(unknown),
        }
    }
    match scene.number(&policy, "AUOptions") {
        // The administrator of this machine chooses.
        Setting::Set(5) | Setting::Absent => local(scene),
        setting => setting.or(Fact::Known(false), |option| Fact::Known(option == 4)),
    }
}

/// What is set without a policy. Windows 10 and 11 install by themselves; Windows 7 and 8.1 only after somebody chose it; on Windows Server
/// it differs by edition and version, and nothing written down tells it.
fn local(scene: &Scene) -> Fact<bool> {
    let (build, server) = match version::read(scene) {
        Fact::Known(version) => (version.build, version.kind == WindowsKind::Server),
        Fact::Unknown(unknown) => return Fact::Unknown(unknown),
    };
    let absent = match (server, build >= WINDOWS_10) {
        (true, _) => Fact::unknown(Reason::SourceMissing, "no AUOptions"),
        (false, automatic) => Fact::Known(automatic),
    };
    scene.number(LOCAL, "AUOptions").or(absent, |option| Fact::Known(option == 4))
}

/// True while somebody paused updates, be it for a week or until the year 2077.
fn paused(scene: &Scene) -> Fact<bool> {
    let mut paused = Fact::Known(false);
    for name in ["PauseUpdatesExpiryTime", "PauseQualityUpdatesEndTime"] {
        let until =
            scene.text(SETTINGS, name).or(Fact::Known(false), |until| match until.trim().parse::<Timestamp>() {
                Ok(until) => Fact::Known(until > scene.now),
                Err(_) => Fact::unknown(Reason::Unreadable, format!("{name} {until}")),
            });
        match until {
            Fact::Known(true) => return Fact::Known(true),
            Fact::Known(false) => {}
            unknown => paused = unknown,
        }
    }
    paused
}

/// The organisation's update servers. `WUServer` without `UseWUServer` is not used.
pub(super) fn servers(scene: &Scene) -> Fact<List<String>> {
    let used = scene.number(&format!(r"{POLICY}\AU"), "UseWUServer");
    is(used, 1).map(|used| used.then(|| scene.text(POLICY, "WUServer"))).and(|server| match server {
        Some(server) => server.or(Fact::Known(List::default()), |server| Fact::Known([server].into_iter().collect())),
        None => Fact::Known(List::default()),
    })
}

trait And<T> {
    /// The fact that follows from a known one.
    fn and<U>(self, next: impl FnOnce(T) -> Fact<U>) -> Fact<U>;
}

impl<T> And<T> for Fact<T> {
    fn and<U>(self, next: impl FnOnce(T) -> Fact<U>) -> Fact<U> {
        match self {
            Self::Known(value) => next(value),
            Self::Unknown(unknown) => Fact::Unknown(unknown),
        }
    }
}

/// True when an answer names something that exists.
pub(super) fn exists<T>(answer: Answer<T>) -> Fact<bool> {
    use crate::os::OsError;
    match answer {
        Ok(_) => Fact::Known(true),
        Err(OsError::Missing(_)) => Fact::Known(false),
        Err(error) => super::unknown(&error),
    }
}
