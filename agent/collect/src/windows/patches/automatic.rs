//! Whether Windows installs updates automatically, and from where: policies override local settings.
//!
//! Sources: `HKLM\SOFTWARE\Policies\Microsoft\Windows\WindowsUpdate\AU` (learn.microsoft.com, "Configure Automatic Updates using the
//! registry editor"), the local settings of Windows 7 and 8.1, the pause of Windows 10 and 11, the service's start type.

use std::net::IpAddr;

use jiff::Timestamp;
use policies::fact::{Fact, List, Reason};
use policies::policy::WindowsKind;

use super::super::context::{CheckContext, Setting};
use super::super::version::{self, WINDOWS_10};
use super::is;
use os::Answer;

/// Settings by policy.
pub(super) const POLICY: &str = r"HKLM\SOFTWARE\Policies\Microsoft\Windows\WindowsUpdate";
/// Settings by a management server (MDM); `AllowAutoUpdate` 5 switches automatic updates off (learn.microsoft.com, "Update Policy
/// CSP").
const MANAGED: &str = r"HKLM\SOFTWARE\Microsoft\PolicyManager\current\device\Update";
/// Local settings of Windows 7 and 8.1.
pub(super) const LOCAL: &str = r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\WindowsUpdate\Auto Update";
/// Local settings of Windows 10 and 11.
pub(super) const SETTINGS: &str = r"HKLM\SOFTWARE\Microsoft\WindowsUpdate\UX\Settings";
const SERVICE: &str = r"HKLM\SYSTEM\CurrentControlSet\Services\wuauserv";
/// Since Windows 10 this service decides when to search for and install updates.
const ORCHESTRATOR: &str = r"HKLM\SYSTEM\CurrentControlSet\Services\UsoSvc";
/// `SERVICE_DISABLED`.
const DISABLED: u64 = 4;

/// True when updates install automatically. A setting that certainly switches them off decides, whatever else cannot be
/// read.
pub(super) fn collect(context: &CheckContext) -> Fact<bool> {
    let policy = format!(r"{POLICY}\AU");
    let disabled = |service: &str| is(context.number(service, "Start"), DISABLED);
    // Every Windows has it: people who want no updates remove it.
    let gone = Fact::Known(matches!(context.service("wuauserv"), Ok(None)));
    let refused = is(context.number(&policy, "NoAutoUpdate"), 1);
    // "Turn off access to all Windows Update features" switches automatic updating off as well.
    let barred = is(context.number(POLICY, "DisableWindowsUpdateAccess"), 1);
    let mut open = None;
    let managed = is(context.number(MANAGED, "AllowAutoUpdate"), 5);
    for off in
        [gone, disabled(SERVICE), disabled(ORCHESTRATOR), refused, barred, managed, paused(context), nowhere(context)]
    {
        match off {
            Fact::Known(false) => {}
            Fact::Known(true) => return Fact::Known(false),
            Fact::Unknown(unknown) => open = open.or(Some(unknown)),
        }
    }
    match (chosen(context, &policy), open) {
        (Fact::Known(true), Some(unknown)) => Fact::Unknown(unknown),
        (chosen, _) => chosen,
    }
}

/// The installation setting of a policy, or else of this machine.
fn chosen(context: &CheckContext, policy: &str) -> Fact<bool> {
    match context.number(policy, "AUOptions") {
        // The administrator of this machine chooses.
        Setting::Set(5) | Setting::Absent => local(context),
        setting => setting.or(Fact::Known(false), |option| Fact::Known(option == 4)),
    }
}

/// The setting without a policy. Windows 10 and 11 install automatically, and ignore settings left over from an upgrade of Windows 7;
/// Windows 7 and 8.1 only after somebody chose it; on Windows Server it depends on edition and version, and no setting shows it.
fn local(context: &CheckContext) -> Fact<bool> {
    let absent = match version::read(context) {
        Fact::Known(version) => match (version.kind, version.build >= WINDOWS_10) {
            (WindowsKind::Client, true) => return Fact::Known(true),
            (WindowsKind::Client, false) => Fact::Known(false),
            (WindowsKind::Server, _) => Fact::unknown(Reason::SourceMissing, "no AUOptions"),
        },
        Fact::Unknown(unknown) => return Fact::Unknown(unknown),
    };
    context.number(LOCAL, "AUOptions").or(absent, |option| Fact::Known(option == 4))
}

/// True when a policy names this machine as its own update server. No client is one, so this is set to avoid updates. A server may be its
/// office's update server.
fn nowhere(context: &CheckContext) -> Fact<bool> {
    match is(context.number(&format!(r"{POLICY}\AU"), "UseWUServer"), 1) {
        Fact::Known(true) => {}
        other => return other,
    }
    // Another policy may have them downloaded from Microsoft all the same.
    let elsewhere = is(context.number(&format!(r"{POLICY}\AU"), "UseUpdateClassPolicySource"), 1);
    let none = Fact::unknown(Reason::SourceMissing, "a policy names no update server that could be asked");
    match (context.text(POLICY, "WUServer"), elsewhere, version::kind(context)) {
        (Setting::Unreadable(error), ..) => super::unknown(&error),
        (Setting::Set(server), ..) if !is_here(context, &server) => Fact::Known(false),
        (Setting::Set(_), Fact::Known(false), Fact::Known(WindowsKind::Client)) => Fact::Known(true),
        _ => none,
    }
}

/// True for an address that only this machine, or none, can have: `http://127.0.0.1:8530`, `localhost`, its own name, `[::1]`, `0.0.0.0`,
/// an empty one.
fn is_here(context: &CheckContext, server: &str) -> bool {
    let host = server.rsplit_once("://").map_or(server, |(_, rest)| rest).split(['/', '\\']).next().unwrap_or_default();
    let host = match host.strip_prefix('[') {
        Some(six) => six.split(']').next().unwrap_or_default(),
        None if host.matches(':').count() > 1 => host,
        None => host.split(':').next().unwrap_or_default(),
    };
    let host = host.trim().trim_end_matches('.').to_ascii_lowercase();
    let address = host.parse::<IpAddr>().map(|address| address.to_canonical());
    host.is_empty()
        || host == "localhost"
        || context.os.computer_name().is_ok_and(|name| host == name.to_lowercase())
        || host.ends_with(".localhost")
        || host.ends_with(".invalid")
        || address.is_ok_and(|address| address.is_loopback() || address.is_unspecified())
}

/// True while somebody has paused updates, whether for a week or until 2077; by a policy for 35 days from a given day (learn.microsoft.com,
/// "Update Policy CSP").
fn paused(context: &CheckContext) -> Fact<bool> {
    let mut paused = context.text(POLICY, "PauseQualityUpdatesStartTime").or(Fact::Known(false), |since| {
        let day = since.get(..10).and_then(|day| day.parse::<jiff::civil::Date>().ok());
        match day.and_then(|day| jiff::tz::Offset::UTC.to_timestamp(day.into()).ok()) {
            Some(day) => Fact::Known(context.now.duration_since(day).as_hours() <= 35 * 24),
            None => Fact::unknown(Reason::Unreadable, format!("PauseQualityUpdatesStartTime {since}")),
        }
    });
    if paused == Fact::Known(true) {
        return paused;
    }
    for name in ["PauseUpdatesExpiryTime", "PauseQualityUpdatesEndTime"] {
        let until =
            context.text(SETTINGS, name).or(Fact::Known(false), |until| match until.trim().parse::<Timestamp>() {
                Ok(until) => Fact::Known(until > context.now),
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
pub(super) fn servers(context: &CheckContext) -> Fact<List<String>> {
    let used = context.number(&format!(r"{POLICY}\AU"), "UseWUServer");
    is(used, 1).map(|used| used.then(|| context.text(POLICY, "WUServer"))).and(|server| match server {
        Some(server) => server.or(Fact::Known(List::default()), |server| Fact::Known([server].into_iter().collect())),
        None => Fact::Known(List::default()),
    })
}

trait And<T> {
    /// Derives a fact from a known one.
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

/// True when the answer shows that it exists.
pub(super) fn exists<T>(answer: Answer<T>) -> Fact<bool> {
    use os::OsError;
    match answer {
        Ok(_) => Fact::Known(true),
        Err(OsError::Missing(_)) => Fact::Known(false),
        Err(error) => super::unknown(&error),
    }
}
