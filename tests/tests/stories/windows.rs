//! The agent for Windows, built here and run under Wine: it reads the registry, keeps its folder closed, and reports.

use anyhow::Context;
use harness::process::answer;
use harness::windows::{Windows, program};
use serde_json::Value;

use super::books::Kind;
use super::world::World;

#[test]
fn the_windows_agent_reads_the_registry_enrols_and_reports() -> anyhow::Result<()> {
    let program = program("x86_64")?;
    let world = World::new(Kind::Sqlite)?;
    let _server = world.serve()?;
    let windows = Windows { program, prefix: world.path("wine") };

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
