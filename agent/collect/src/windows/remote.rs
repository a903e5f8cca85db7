//! Section `remote`: Remote Desktop, Windows Remote Management, an SSH server, remote-control programs.
//!
//! Sources: `fDenyTSConnections` and `UserAuthentication`, where policy overrides local settings
//! (`HKLM\SOFTWARE\Policies\Microsoft\Windows NT\Terminal Services` over `HKLM\SYSTEM\CurrentControlSet\Control\Terminal Server`); the
//! listeners of WinRM (`HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\WSMAN\Listener`); services; processes.

use policies::evaluate::Truth;
use policies::fact::{Fact, List, Reason, Remote};

use super::context::{CheckContext, Setting, answered, unknown};
use crate::control::PROGRAMS;
use os::windows::WindowsProcess;
use os::{Answer, OsError};

const POLICY: &str = r"HKLM\SOFTWARE\Policies\Microsoft\Windows NT\Terminal Services";
const LOCAL: &str = r"HKLM\SYSTEM\CurrentControlSet\Control\Terminal Server";
const RDP_TCP: &str = r"HKLM\SYSTEM\CurrentControlSet\Control\Terminal Server\WinStations\RDP-Tcp";
const TERM_SERVICE: &str = r"HKLM\SYSTEM\CurrentControlSet\Services\TermService";
const WINRM_POLICY: &str = r"HKLM\SOFTWARE\Policies\Microsoft\Windows\WinRM\Service";
const WINRM_SERVICE: &str = r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\WSMAN\Service";
const LISTENERS: &str = r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\WSMAN\Listener";
const VERSION: &str = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion";
/// The default ports of a WinRM listener, for HTTP and HTTPS.
const WINRM: u16 = 5_985;
const WINRM_SECURE: u16 = 5_986;
/// Additional ports for older programs: the port, the policy value, and the names of the setting locally and in the service's own
/// configuration.
const WINRM_OLDER: [(u16, &str, [&str; 2]); 2] = [
    (80, "HttpCompatibilityListener", ["http_compat_listener", "EnableCompatibilityHttpListener"]),
    (443, "HttpsCompatibilityListener", ["https_compat_listener", "EnableCompatibilityHttpsListener"]),
];
/// `SERVICE_DISABLED`.
const DISABLED: u64 = 4;
/// Windows 8: from here on the setting is written at installation, so its absence is suspicious.
const NLA_WRITTEN: u64 = 9_200;

pub(super) fn collect(context: &CheckContext) -> Remote {
    let server = ssh_server(context);
    let ssh = context.service("sshd").map(|service| service.is_some() || server == Ok(true));
    Remote {
        ssh_server: answered(server, Fact::Known),
        ssh_root_login: of_ssh(&ssh),
        ssh_password: of_ssh(&ssh),
        ssh_empty_password: of_ssh(&ssh),
        ssh_max_tries: of_ssh(&ssh),
        ssh_idle: of_ssh(&ssh),
        ssh_limited: of_ssh(&ssh),
        ssh_x11: of_ssh(&ssh),
        ssh_weak_algorithms: of_ssh(&ssh),
        rdp: rdp(context),
        rdp_nla: nla(context),
        rdp_port: rdp_port(context),
        winrm: winrm(context),
        control_programs: control_programs(context),
    }
}

/// True when the service runs, or the program runs without it.
fn ssh_server(context: &CheckContext) -> Answer<bool> {
    let is_server = |process: &WindowsProcess| process.name.eq_ignore_ascii_case("sshd.exe");
    Ok(context.service_runs("sshd")? || context.processes()?.iter().any(is_server))
}

/// The settings of OpenSSH for Windows are not read; without a server there are none.
fn of_ssh<T>(installed: &Result<bool, OsError>) -> Fact<T> {
    match installed {
        Ok(true) => Fact::unknown(Reason::NoReader, ""),
        Ok(false) => Fact::unknown(Reason::SourceMissing, "no SSH server is installed"),
        Err(error) => unknown(error),
    }
}

fn rdp(context: &CheckContext) -> Fact<bool> {
    let denied = context.number(POLICY, "fDenyTSConnections").else_by(|| context.number(LOCAL, "fDenyTSConnections"));
    // The value is written when Windows is installed: its absence does not mean off.
    let absent = Fact::unknown(Reason::SourceMissing, format!("{LOCAL} : fDenyTSConnections"));
    match denied.or(absent, |denied| Fact::Known(denied == 0)) {
        Fact::Known(true) => {
            // The start type only takes effect at the next start: a service that still runs serves.
            context.number(TERM_SERVICE, "Start").or(Fact::Known(true), |start| match start {
                DISABLED => answered(context.service_runs("TermService"), Fact::Known),
                _ => Fact::Known(true),
            })
        }
        other => other,
    }
}

fn nla(context: &CheckContext) -> Fact<bool> {
    let absent = match context.number(VERSION, "CurrentBuildNumber") {
        Setting::Set(build) if build < NLA_WRITTEN => Fact::Known(false),
        _ => Fact::unknown(Reason::SourceMissing, format!("{RDP_TCP} : UserAuthentication")),
    };
    context
        .number(POLICY, "UserAuthentication")
        .else_by(|| context.number(RDP_TCP, "UserAuthentication"))
        .or(absent, |demanded| Fact::Known(demanded != 0))
}

/// The port of Remote Desktop; 3389 by default.
pub(super) fn rdp_port(context: &CheckContext) -> Fact<i64> {
    context.number(RDP_TCP, "PortNumber").or(Fact::Known(3389), |port| match u16::try_from(port) {
        Ok(port) => Fact::Known(i64::from(port)),
        Err(_) => Fact::unknown(Reason::Unreadable, format!("PortNumber {port}")),
    })
}

/// The ports of WinRM, `None` for an unreadable one, and whether it is reachable there: those of its listeners, plus the usual web ports
/// where it also listens for older programs. Without a listener, the ports the first one would use.
pub(super) fn winrm_ports(context: &CheckContext) -> Vec<(Option<u16>, Truth)> {
    let port = |listener: &String| {
        let usual = if listener.to_ascii_uppercase().ends_with("+HTTPS") { WINRM_SECURE } else { WINRM };
        match context.number(&format!(r"{LISTENERS}\{listener}"), "Port") {
            Setting::Set(port) => u16::try_from(port).ok(),
            Setting::Absent => Some(usual),
            Setting::Unreadable(_) => None,
        }
    };
    let mut ports: Vec<(Option<u16>, Truth)> = match context.os.keys(LISTENERS) {
        Ok(listeners) => listeners.iter().map(|listener| (port(listener), Truth::True)).collect(),
        Err(OsError::Missing(_)) => Vec::new(),
        Err(_) => vec![(None, Truth::Unknown)],
    };
    let is_on = |setting: Setting<u64>| match setting {
        Setting::Set(on) => Truth::from(on != 0),
        Setting::Absent => Truth::False,
        Setting::Unreadable(_) => Truth::Unknown,
    };
    let by_policy = is_on(context.number(WINRM_POLICY, "AllowAutoConfig"));
    let usual = if ports.is_empty() { Truth::True } else { by_policy };
    ports.extend([WINRM, WINRM_SECURE].map(|port| (Some(port), usual)));
    ports.extend(WINRM_OLDER.map(|(port, policy, local)| {
        let local =
            || local.iter().fold(Setting::Absent, |found, name| found.else_by(|| context.number(WINRM_SERVICE, name)));
        (Some(port), is_on(context.number(WINRM_POLICY, policy).else_by(local)))
    }));
    ports.retain(|(_, there)| *there != Truth::False);
    ports
}

/// True when the service runs and has a listener, local or by policy.
fn winrm(context: &CheckContext) -> Fact<bool> {
    match context.service_runs("WinRM") {
        Ok(true) => {}
        Ok(false) => return Fact::Known(false),
        Err(error) => return unknown(&error),
    }
    let policy = context.number(WINRM_POLICY, "AllowAutoConfig");
    match (context.os.keys(LISTENERS), policy) {
        (_, Setting::Set(1)) => Fact::Known(true),
        (Ok(listeners), _) if !listeners.is_empty() => Fact::Known(true),
        (_, Setting::Unreadable(error)) => unknown(&error),
        (Ok(_) | Err(OsError::Missing(_)), _) => Fact::Known(false),
        (Err(error), _) => unknown(&error),
    }
}

fn control_programs(context: &CheckContext) -> Fact<List<String>> {
    answered(context.processes(), |processes| {
        let runs = |name: &str| processes.iter().any(|process| is_called(&process.name, name));
        let mut found: Vec<String> = PROGRAMS
            .iter()
            .filter(|program| program.windows.iter().any(|name| runs(name)))
            .map(|program| program.name.to_owned())
            .collect();
        found.sort_unstable();
        Fact::Known(List::capped(found))
    })
}

/// True for a program of that name, including custom builds and repeated downloads: `AnyDesk-5a1b2c.exe`,
/// `AnyDesk (1).exe`, `rustdesk-1.3.2-x86_64.exe`.
fn is_called(process: &str, name: &str) -> bool {
    let (process, name) = (process.to_lowercase(), name.to_lowercase());
    let (process, name) = (process.trim_end_matches(".exe"), name.trim_end_matches(".exe"));
    process.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', ' ', '(']))
}

#[cfg(test)]
mod tests {
    use super::*;
    use os::windows::recorded::Recorded;

    fn collected(os: Recorded) -> Remote {
        collect(&CheckContext::of(os))
    }

    fn office() -> Recorded {
        Recorded::new()
            .number(VERSION, "CurrentBuildNumber", 19_045)
            .number(LOCAL, "fDenyTSConnections", 1)
            .number(RDP_TCP, "UserAuthentication", 1)
            .number(RDP_TCP, "PortNumber", 3389)
            .service("TermService", false)
            .service("WinRM", false)
            .process(4, "System")
    }

    #[test]
    fn an_office_machine_lets_nobody_in() {
        let remote = collected(office());
        assert_eq!(
            (remote.rdp, remote.rdp_nla, remote.rdp_port),
            (Fact::Known(false), Fact::Known(true), Fact::Known(3389))
        );
        assert_eq!((remote.winrm, remote.ssh_server), (Fact::Known(false), Fact::Known(false)));
        assert_eq!(remote.control_programs, Fact::Known(List::default()));
        assert!(matches!(remote.ssh_password, Fact::Unknown(unknown) if unknown.reason == Reason::SourceMissing));
    }

    #[test]
    fn a_policy_stands_over_what_is_set_locally() {
        let remote =
            collected(office().number(POLICY, "fDenyTSConnections", 0).number(POLICY, "UserAuthentication", 0));
        assert_eq!((remote.rdp, remote.rdp_nla), (Fact::Known(true), Fact::Known(false)));
        let disabled = office().number(LOCAL, "fDenyTSConnections", 0).number(TERM_SERVICE, "Start", 4);
        assert_eq!(collected(disabled).rdp, Fact::Known(false));
        let serves = Recorded::new()
            .number(LOCAL, "fDenyTSConnections", 0)
            .number(TERM_SERVICE, "Start", 4)
            .service("TermService", true);
        assert_eq!(collected(serves).rdp, Fact::Known(true), "how it starts counts from the next start on");
    }

    #[test]
    fn what_is_absent_means_what_the_version_means_by_it() {
        let bare = |build| Recorded::new().number(VERSION, "CurrentBuildNumber", build).process(4, "System");
        assert_eq!(collected(bare(7_601)).rdp_nla, Fact::Known(false));
        let remote = collected(bare(19_045));
        assert!(remote.rdp_nla.known().is_none() && remote.rdp.known().is_none());
        assert_eq!(remote.rdp_port, Fact::Known(3389));
        assert!(collected(bare(19_045).number(RDP_TCP, "PortNumber", 99_999)).rdp_port.known().is_none());
        assert!(collected(bare(19_045).text(LOCAL, "fDenyTSConnections", "không")).rdp.known().is_none());
        let denied = collected(office().denying(LOCAL));
        assert!(matches!(denied.rdp, Fact::Unknown(unknown) if unknown.reason == Reason::NeedsAdministrator));
    }

    #[test]
    fn remote_desktop_of_windows_7_asks_nobody_who_they_are_until_it_is_told_to() {
        // As installed by hand: lets people in, without an authentication setting; then with one; then a policy over
        // both.
        let seven = Recorded::new()
            .number(VERSION, "CurrentBuildNumber", 7_601)
            .number(LOCAL, "fDenyTSConnections", 0)
            .number(RDP_TCP, "PortNumber", 3389)
            .number(RDP_TCP, "SecurityLayer", 1)
            .number(TERM_SERVICE, "Start", 3)
            .service("TermService", true);
        let nla = |os: &Recorded| {
            let remote = collected(os.clone());
            (remote.rdp, remote.rdp_nla)
        };
        let (on, off) = (Fact::Known(true), Fact::Known(false));
        assert_eq!(nla(&seven), (on.clone(), off.clone()));
        let written = seven.clone().number(RDP_TCP, "UserAuthentication", 0);
        assert_eq!(nla(&written), (on.clone(), off.clone()));
        assert_eq!(nla(&written.clone().number(POLICY, "UserAuthentication", 1)), (on.clone(), on.clone()));
        assert_eq!(nla(&seven.number(RDP_TCP, "UserAuthentication", 1)), (on.clone(), on));
    }

    #[test]
    fn winrm_needs_a_service_and_a_listener() {
        let mut os = office();
        os.services.as_mut().unwrap()[1].state = 4;
        assert_eq!(collected(os.clone()).winrm, Fact::Known(false));
        assert_eq!(collected(os.clone().key(&format!(r"{LISTENERS}\*+HTTP"))).winrm, Fact::Known(true));
        assert_eq!(collected(os.clone().number(WINRM_POLICY, "AllowAutoConfig", 1)).winrm, Fact::Known(true));
        assert!(collected(os.clone().denying(LISTENERS)).winrm.known().is_none());
        assert!(collected(os.clone().denying(WINRM_POLICY)).winrm.known().is_none());
        let listens = os.denying(WINRM_POLICY).key(&format!(r"{LISTENERS}\*+HTTP"));
        assert_eq!(collected(listens).winrm, Fact::Known(true));
    }

    #[test]
    fn programs_are_told_by_their_processes() {
        let os = office()
            .process(7, "ULTRAVIEWER_SERVICE.EXE")
            .process(8, "UltraViewer_Desktop.exe")
            .process(9, "AA_v3.exe");
        assert_eq!(collected(os).control_programs.known().unwrap().items, ["Ammyy Admin", "UltraViewer"]);
        let renamed = office().process(7, "AnyDesk-5a1b2c.exe").process(8, "rustdesk-1.3.2-x86_64.exe");
        let renamed = renamed.process(9, "AA_v3 (1).exe").process(10, "TeamViewerUninstaller.exe");
        let found = collected(renamed).control_programs;
        assert_eq!(found.known().unwrap().items, ["Ammyy Admin", "AnyDesk", "RustDesk"]);
        let ssh = collected(office().service("sshd", true));
        assert_eq!(ssh.ssh_server, Fact::Known(true));
        assert!(matches!(ssh.ssh_password, Fact::Unknown(unknown) if unknown.reason == Reason::NoReader));
        // A portable one.
        let own = collected(office().process(7, "SSHD.EXE"));
        assert_eq!(own.ssh_server, Fact::Known(true));
        assert!(matches!(own.ssh_password, Fact::Unknown(unknown) if unknown.reason == Reason::NoReader));
        let nothing = collected(Recorded::new());
        assert!(nothing.control_programs.known().is_none() && nothing.winrm.known().is_none());
    }
}
