//! The programs that may be started: an allow-list with absolute paths and deadlines. Nothing else may start a process.

use std::time::Duration;

/// A program of the allow-list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Program {
    /// The nftables tool: `-j list ruleset`.
    Nft,
    /// The legacy `iptables-save` where both are installed: nft does not show its tables.
    IptablesSave,
    /// The same for IPv6.
    Ip6tablesSave,
    /// The nft-based `iptables-save`: nft does not show its rules in full.
    IptablesNftSave,
    /// The same for IPv6.
    Ip6tablesNftSave,
    /// The SSH server: `-T` prints its settings, given the options of the running one.
    Sshd,
    /// sudo's own parser: `-c` names the files that sudo reads.
    Visudo,
    /// sudo's own parser: `-f json` prints the rules.
    Cvtsudoers,
    /// The journal: `-o json` for the programs that log people in.
    Journalctl,
    /// Samba: `-s --suppress-prompt` prints the settings in force.
    Testparm,
    /// apt: `update --print-uris` prints the sources in force and downloads nothing; `-s dist-upgrade`, which costs more, is
    /// used only where something is pinned.
    AptGet,
    /// apt: `dump` prints its configuration.
    AptConfig,
    /// dnf: `-C` (from the cache only).
    Dnf,
    /// rpm: `-q` with package names.
    Rpm,
    /// chrony: `-n tracking`.
    Chronyc,
    /// The C library's lookup: `ahosts` with the name of the server or proxy from this machine's own configuration.
    Getent,
}

impl Program {
    /// Possible paths; the first that exists is started. Never looked up in `PATH`.
    pub const fn paths(self) -> &'static [&'static str] {
        match self {
            Self::Nft => &["/usr/sbin/nft", "/sbin/nft"],
            Self::IptablesSave => &["/usr/sbin/iptables-legacy-save", "/usr/sbin/iptables-save", "/sbin/iptables-save"],
            Self::Ip6tablesSave => {
                &["/usr/sbin/ip6tables-legacy-save", "/usr/sbin/ip6tables-save", "/sbin/ip6tables-save"]
            }
            Self::IptablesNftSave => &["/usr/sbin/iptables-nft-save", "/usr/sbin/iptables-save", "/sbin/iptables-save"],
            Self::Ip6tablesNftSave => {
                &["/usr/sbin/ip6tables-nft-save", "/usr/sbin/ip6tables-save", "/sbin/ip6tables-save"]
            }
            Self::Sshd => &["/usr/sbin/sshd"],
            Self::Visudo => &["/usr/sbin/visudo"],
            Self::Cvtsudoers => &["/usr/bin/cvtsudoers"],
            Self::Journalctl => &["/usr/bin/journalctl", "/bin/journalctl"],
            Self::Testparm => &["/usr/bin/testparm"],
            Self::AptGet => &["/usr/bin/apt-get"],
            Self::AptConfig => &["/usr/bin/apt-config"],
            Self::Dnf => &["/usr/bin/dnf"],
            Self::Rpm => &["/usr/bin/rpm"],
            Self::Chronyc => &["/usr/bin/chronyc"],
            Self::Getent => &["/usr/bin/getent"],
        }
    }

    /// How long it may run before it is killed with everything it started.
    pub const fn deadline(self) -> Duration {
        Duration::from_secs(match self {
            Self::AptGet | Self::Dnf => 60,
            // Enough for a journal of some gigabytes on a slow disk.
            Self::Journalctl => 20,
            Self::Nft | Self::IptablesSave | Self::Ip6tablesSave | Self::IptablesNftSave | Self::Ip6tablesNftSave => 10,
            Self::Sshd | Self::Visudo | Self::Cvtsudoers | Self::Testparm | Self::Chronyc => 5,
            Self::AptConfig | Self::Rpm => 10,
            Self::Getent => 15,
        })
    }

    /// The most bytes of address space it may use; mapped files and untouched memory count as well.
    pub(super) const fn memory(self) -> u64 {
        match self {
            // They map the package lists.
            Self::AptGet | Self::Dnf => 2 << 30,
            // It maps the journal files.
            Self::Journalctl => 2 << 30,
            // With 15,000 rules nft takes 139 MB.
            _ => 512 << 20,
        }
    }

    /// The most bytes kept of each of its two outputs; the rest is read and discarded.
    pub const fn output_cap(self) -> usize {
        match self {
            // Enough for some 20,000 rules.
            Self::Nft | Self::IptablesSave | Self::Ip6tablesSave | Self::IptablesNftSave | Self::Ip6tablesNftSave => {
                1 << 23
            }
            _ => 1 << 21,
        }
    }
}

/// The result of running a program.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Output {
    /// Its exit status; `None` when a signal ended it.
    pub status: Option<i32>,
    /// Standard output, up to [`Program::output_cap`].
    pub stdout: String,
    /// Standard error, up to [`Program::output_cap`].
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub stderr: String,
    /// True when standard output was longer than the cap.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cut: bool,
}
