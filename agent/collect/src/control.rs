//! Remote-control programs, recognised by the processes that let others in. A portable one has neither a service nor an entry among the
//! installed programs: only its process shows it.

/// A remote-control program.
#[derive(Debug)]
pub(super) struct ControlProgram {
    /// The name people know it by.
    pub(super) name: &'static str,
    /// Its process names on Linux, truncated as by the kernel.
    #[cfg(target_os = "linux")]
    pub(super) linux: &'static [&'static str],
    /// Its process names on Windows.
    #[cfg(any(windows, test))]
    pub(super) windows: &'static [&'static str],
}

/// Describes a program by its processes on either system; only the systems this build reads are kept.
macro_rules! program {
    ($name:literal, $linux:expr, $windows:expr) => {
        ControlProgram {
            name: $name,
            #[cfg(target_os = "linux")]
            linux: &$linux,
            #[cfg(any(windows, test))]
            windows: &$windows,
        }
    };
}

/// All known programs.
pub(super) const PROGRAMS: &[ControlProgram] = &[
    program!("TeamViewer", ["teamviewerd"], ["TeamViewer.exe", "TeamViewer_Service.exe", "tv_w32.exe", "tv_x64.exe"]),
    program!("AnyDesk", ["anydesk"], ["AnyDesk.exe", "AnyDeskMSI.exe"]),
    program!("RustDesk", ["rustdesk"], ["rustdesk.exe"]),
    program!("HopToDesk", ["hoptodesk"], ["HopToDesk.exe"]),
    program!("UltraViewer", ["UltraViewer_Service"], ["UltraViewer_Desktop.exe", "UltraViewer_Service.exe"]),
    program!(
        "VNC",
        ["Xvnc", "Xtigervnc", "Xtightvnc", "Xvnc-core", "x11vnc", "x0vncserver", "vino-server", "wayvnc"],
        ["winvnc.exe", "winvnc4.exe", "tvnserver.exe"]
    ),
    program!("RealVNC", ["vncserver-x11-serviced", "vncagent"], ["vncserver.exe"]),
    program!("KDE Krfb", ["krfb"], []),
    program!("xrdp", ["xrdp"], []),
    program!("GNOME Remote Desktop", ["gnome-remote-desktop-daemon"], []),
    program!("KDE KRdp", ["krdpserver"], []),
    program!("NoMachine", ["nxserver.bin", "nxd"], ["nxserver.bin", "nxservice64.exe", "nxservice32.exe"]),
    program!("DWService", ["dwagsvc", "dwagent"], ["dwagsvc.exe", "dwagent.exe"]),
    program!("MeshCentral", ["meshagent"], ["MeshAgent.exe"]),
    program!("Splashtop", ["SRFeature"], ["SRService.exe", "SRFeature.exe", "SRServer.exe"]),
    program!("Chrome Remote Desktop", ["chrome-remote-desktop-host"], ["remoting_host.exe"]),
    program!("Sunlogin", ["sunloginclient"], ["SunloginClient.exe"]),
    program!("ToDesk", [], ["ToDesk.exe", "ToDesk_Service.exe"]),
    program!("ScreenConnect", [], ["ScreenConnect.ClientService.exe"]),
    program!("Radmin", [], ["rserver3.exe"]),
    program!("DameWare", [], ["dwrcs.exe"]),
    program!("LogMeIn", [], ["LogMeIn.exe", "LMIGuardianSvc.exe"]),
    program!("Remote Utilities", [], ["rutserv.exe", "rfusclient.exe"]),
    program!("Ammyy Admin", [], ["AA_v3.exe"]),
    program!("Zoho Assist", [], ["ZohoMeeting.exe", "ZA_Connect.exe"]),
    program!("Atera", [], ["AteraAgent.exe"]),
    program!("Quick Assist", [], ["quickassist.exe"]),
];
