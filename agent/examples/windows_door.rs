//! Asks this Windows machine everything the agent may ask and prints each answer as a line of JSON, to see what a system
//! answers and what it refuses. Only reads.
//!
//! Built like the agent (`agent/packaging/windows/build` has the flags): `cargo build --profile agent --example windows_door ...`.
#![cfg_attr(windows, expect(clippy::print_stdout, reason = "what it is for"))]

#[cfg(windows)]
fn main() {
    door::print();
}

#[cfg(not(windows))]
fn main() {}

#[cfg(windows)]
mod door {
    use os::windows::{EventQuery, Windows, WindowsOs};
    use os::{Answer, Os};
    use serde::Serialize;

    /// Longer answers are truncated.
    const WIDTH: usize = 600;

    fn say<T: Serialize>(question: &str, answer: Answer<T>) {
        let text = match answer {
            Ok(answer) => serde_json::to_string(&answer).unwrap_or_else(|error| error.to_string()),
            Err(error) => format!("REFUSED: {error}"),
        };
        let cut: String = text.chars().take(WIDTH).collect();
        println!("{question}: {cut}{}", if cut.len() < text.len() { " ..." } else { "" });
    }

    pub(super) fn print() {
        let os = Windows::default();
        let version = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion";
        say("administrator", Ok(os.administrator()));
        say("hardware", Ok(os.hardware()));
        say("disk size", os.disk_size(r"C:\"));
        say("computer name", os.computer_name());
        say("registry value", os.value(version, "CurrentBuild"));
        say("registry values", os.values(version));
        say("registry keys", os.keys(r"HKLM\SYSTEM\CurrentControlSet\Services"));
        say("registry keys of users", os.keys("HKU"));
        say("registry written at", os.written_at(version));
        say("registry missing key", os.value(r"HKLM\SOFTWARE\No such key", "x"));
        say("registry missing value", os.value(version, "No such value"));
        say("services", os.services());
        say("processes", os.processes());
        say("adapters", os.adapters());
        say("neighbours", os.neighbours());
        say("sockets", os.sockets());
        say("join", os.join());
        say("accounts", os.accounts());
        say("members of administrators", os.members("S-1-5-32-544"));
        say("members of nobody", os.members("S-1-5-32-999"));
        say("account rules", os.account_rules());
        say("firmware", os.firmware());
        say("file version", os.file_version(r"C:\windows\system32\kernel32.dll"));
        say("file company", os.file_company(r"C:\windows\system32\kernel32.dll"));
        let own = std::env::current_exe().map(|path| path.display().to_string()).unwrap_or_default();
        say("file company of this program", os.file_company(&own));
        say("file version of nothing", os.file_version(r"C:\windows\no such file.exe"));
        let channel = "System".to_owned();
        say("events", os.events(&EventQuery { channel, ids: vec![6005, 6006], since: 0, most: 5 }));
        say("log file", os.log_file("Security"));
        say("audit policy", os.audit_policy(&["{0CCE9215-69AE-11D9-BED3-505054503030}"]));
        say("network categories", os.network_categories());
        say("wireless", os.wireless());
        let cim = r"ROOT\CIMV2";
        say(
            "wmi system",
            os.wmi(
                cim,
                "SELECT Caption, Version, BuildNumber, OSArchitecture, LastBootUpTime FROM Win32_OperatingSystem",
            ),
        );
        say("wmi bios", os.wmi(cim, "SELECT SMBIOSBIOSVersion, BIOSVersion, SerialNumber FROM Win32_BIOS"));
        say("wmi fixes", os.wmi(cim, "SELECT HotFixID, InstalledOn FROM Win32_QuickFixEngineering"));
        say("wmi missing class", os.wmi(cim, "SELECT a FROM Win32_NoSuchClass"));
        say("wmi security center", os.wmi(r"ROOT\SecurityCenter2", "SELECT displayName FROM AntiVirusProduct"));
        say(
            "wmi volumes",
            os.wmi(r"ROOT\CIMV2\Security\MicrosoftVolumeEncryption", "SELECT DriveLetter FROM Win32_EncryptableVolume"),
        );
        say("updates", os.updates());
    }
}
