//! The agent for Windows, built here and run under Wine: it loads on Windows 7, keeps its folder closed, and reports.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};
use harness::checkout;
use harness::process::{Running, answer, command};
use serde_json::Value;

use super::books::Kind;
use super::world::World;

/// Windows 7 SP1 has these libraries; the program may load no other (`api-ms-win-*` came later).
const LIBRARIES: &[&str] = &[
    "advapi32.dll",
    "bcrypt.dll",
    "crypt32.dll",
    "iphlpapi.dll",
    "kernel32.dll",
    "msvcrt.dll",
    "netapi32.dll",
    "ntdll.dll",
    "ole32.dll",
    "oleaut32.dll",
    "pdh.dll",
    "powrprof.dll",
    "psapi.dll",
    "secur32.dll",
    "shell32.dll",
    "user32.dll",
    "userenv.dll",
    "version.dll",
    "wevtapi.dll",
    "ws2_32.dll",
];

/// Functions that a program built for a later Windows would import and Windows 7 lacks (learn.microsoft.com, "Minimum supported
/// client" of each).
const LATER: &[&str] = &[
    "GetSystemTimePreciseAsFileTime",
    "GetTempPath2W",
    "ProcessPrng",
    "SetThreadDescription",
    "WaitOnAddress",
    "WakeByAddressAll",
    "WakeByAddressSingle",
];

/// The 64-bit program, which Wine runs here.
pub(super) fn program() -> anyhow::Result<PathBuf> {
    built("x86_64")
}

fn built(architecture: &str) -> anyhow::Result<PathBuf> {
    let mut build = command(checkout::root()?.join("agent/packaging/windows/build"));
    let built = answer(build.arg(architecture))?;
    ensure!(built.code == Some(0), "the Windows program was not built: {}", built.err);
    Ok(PathBuf::from(built.out.trim()))
}

fn wine(prefix: &Path, arguments: &[&str]) -> Command {
    let mut wine = command("wine");
    wine.args(arguments).env("WINEPREFIX", prefix).env("WINEDEBUG", "-all").env_remove("DISPLAY");
    wine
}

/// A Windows of its own that is switched on. Somebody always uses a program there: Wine ends its services with the last one, and what
/// starts while they end finds them gone.
pub(super) struct Windows {
    pub(super) program: PathBuf,
    pub(super) prefix: PathBuf,
    _person: Running,
}

impl Windows {
    /// Sets one up in the folder `prefix`.
    pub(super) fn switched_on(prefix: PathBuf) -> anyhow::Result<Self> {
        let log = prefix.with_extension("log");
        let person = Running::start("ping", wine(&prefix, &["ping", "-n", "1000000", "127.0.0.1"]), &log)?;
        let windows = Self { program: program()?, prefix, _person: person };
        // Every program waits until the first has set the folder up and started the services.
        let ready = answer(&mut windows.wine(&["cmd", "/c", "ver"]))?;
        ensure!(ready.code == Some(0), "{ready:?}");
        Ok(windows)
    }

    pub(super) fn wine(&self, arguments: &[&str]) -> Command {
        wine(&self.prefix, arguments)
    }

    pub(super) fn agent(&self, arguments: &[&str]) -> anyhow::Result<Command> {
        let program = self.program.to_str().context("the program's path is not UTF-8")?;
        Ok(self.wine(&[&[program], arguments].concat()))
    }

    pub(super) fn registry_set(&self, key: &str, name: &str, value: &str) -> anyhow::Result<()> {
        let set = answer(&mut self.wine(&["reg", "add", key, "/v", name, "/t", "REG_SZ", "/d", value, "/f"]))?;
        ensure!(set.code == Some(0), "{set:?}");
        Ok(())
    }
}

impl Drop for Windows {
    fn drop(&mut self) {
        // The services too; nothing is to be done when they are gone already.
        drop(answer(&mut self.wine(&["wineboot", "--kill"])));
    }
}

fn assert_loads_on_windows_7(program: &Path) -> anyhow::Result<()> {
    let imports = answer(command("objdump").arg("-p").arg(program))?;
    ensure!(imports.code == Some(0), "{}", imports.err);
    let mut libraries = imports.out.lines().filter_map(|line| line.trim().strip_prefix("DLL Name: ")).peekable();
    assert!(libraries.peek().is_some(), "no import table was read");
    for library in libraries {
        assert!(LIBRARIES.contains(&library.to_lowercase().as_str()), "Windows 7 may lack {library}");
    }
    for line in imports.out.lines() {
        let name = line.split_ascii_whitespace().last().unwrap_or_default();
        assert!(!LATER.contains(&name), "Windows 7 lacks {name}");
    }
    Ok(())
}

#[test]
fn the_windows_programs_load_on_windows_7() -> anyhow::Result<()> {
    for architecture in ["x86_64", "i686"] {
        assert_loads_on_windows_7(&built(architecture)?).context(architecture)?;
    }
    Ok(())
}

#[test]
fn the_windows_agent_reads_the_registry_enrols_and_reports() -> anyhow::Result<()> {
    let world = World::new(Kind::Sqlite)?;
    let _server = world.serve()?;
    let windows = Windows::switched_on(world.path("wine"))?;

    windows.registry_set(
        r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion",
        "ProductName",
        "Windows 10 Pro của Xã",
    )?;
    windows.registry_set(r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion", "CurrentBuildNumber", "19045")?;
    let time = r"HKLM\SOFTWARE\Policies\Microsoft\W32Time\Parameters";
    windows.registry_set(time, "NtpServer", "ntp.xa.example,0x9")?;
    let seen = answer(&mut windows.agent(&["facts", "--json", "--section", "system", "--section", "time"])?)?;
    let facts: Value = serde_json::from_str(&seen.out).with_context(|| format!("{seen:?}"))?;
    assert_eq!(facts["system"]["family"]["known"], "windows");
    assert_eq!(facts["system"]["title"]["known"], "Windows 10 Pro của Xã", "marks are lost on the way: {facts}");
    assert!(facts["system"]["build"]["known"].as_str().is_some_and(|build| build.starts_with("19045")), "{facts}");
    assert_eq!(facts["time"]["servers"]["known"]["items"][0], "ntp.xa.example");

    let enrolment = world.enrolment(1)?;
    let state = r"C:\ProgramData\TramAn\agent";
    let arguments = ["enrol", "--state", state, "--server", &enrolment.server, "--fingerprint", &enrolment.fingerprint];
    let enrolled = answer(windows.agent(&arguments)?.env("TRAM_AN_TOKEN", &enrolment.token))?;
    assert_eq!(enrolled.code, Some(0), "{enrolled:?}");
    let before = world.books.count("select count(*) from report")?;
    let once = answer(&mut windows.agent(&["once", "--state", state, "--json"])?)?;
    assert!(matches!(once.code, Some(0 | 1)), "{once:?}");
    world.reports_beyond(before)?;
    world.assert_whole()
}
