//! A real ClamAV with definitions of our own: what the agent reports about it is true, and changes with it.

use std::path::Path;

use harness::process::{Running, answer, command};
use harness::test_agent::TestAgent;
use harness::wait;
use serde_json::Value;

use super::books::Kind;
use super::trouble::clock;
use super::world::World;

#[test]
fn the_antivirus_facts_follow_a_real_clamav() -> anyhow::Result<()> {
    let world = World::new(Kind::Sqlite)?;
    let _server = world.serve()?;
    let definitions = world.path("definitions");
    std::fs::create_dir(&definitions)?;
    let etc = world.etc()?;
    std::fs::create_dir_all(etc.join("clamav"))?;
    let configuration = etc.join("clamav/clamd.conf");
    let socket = world.path("clamd.socket");
    std::fs::write(
        &configuration,
        format!("Foreground yes\nLocalSocket {}\nDatabaseDirectory {}\n", socket.display(), definitions.display()),
    )?;
    let test_agent = world.enrolled("machine")?.with_etc(etc);

    definitions_make(&definitions, Some("-12d"))?;
    let mut daemon = command("clamd");
    daemon.arg("--config-file").arg(&configuration);
    // Debian keeps it where only root's path looks for programs.
    daemon.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    let _clamd = Running::start("clamd", daemon, &world.path("clamd.log"))?;
    wait::until("clamd answers", wait::PATIENCE * 2, || Ok(socket.exists().then_some(())))?;
    let old = outcomes(&test_agent)?;
    assert_eq!(old("antivirus-running"), "pass");
    assert_eq!(old("antivirus-definitions"), "fail", "definitions 12 days old passed");

    definitions_make(&definitions, None)?;
    let fresh = outcomes(&test_agent)?;
    assert_eq!(fresh("antivirus-definitions"), "pass");
    Ok(())
}

/// Builds unsigned definitions with ClamAV's own tool, dated `shift` from today.
fn definitions_make(folder: &Path, shift: Option<&str>) -> anyhow::Result<()> {
    let workshop = tempfile::tempdir()?;
    std::fs::write(workshop.path().join("daily.hdb"), "3a04eb478b13bc2ab8daaa341250215a:12:Tram-An-Test\n")?;
    std::fs::write(workshop.path().join("COPYING"), "")?;
    let mut tool = command("sh");
    tool.args(["-c", "printf 'y\\n\\n' | sigtool --build=daily.cud --unsigned --datadir=."]);
    tool.current_dir(workshop.path()).env("SIGNDUSER", "tester");
    if let Some(shift) = shift {
        tool.envs(clock(shift)?);
    }
    let built = answer(&mut tool)?;
    anyhow::ensure!(workshop.path().join("daily.cud").exists(), "sigtool built nothing: {}{}", built.out, built.err);
    std::fs::copy(workshop.path().join("daily.cud"), folder.join("daily.cud"))?;
    Ok(())
}

/// The outcome of each control after one check.
fn outcomes(test_agent: &TestAgent) -> anyhow::Result<impl Fn(&str) -> String> {
    let done = answer(test_agent.command("once").arg("--json"))?;
    let said: Value =
        serde_json::from_str(&done.out).map_err(|error| anyhow::anyhow!("{error}: {}{}", done.out, done.err))?;
    let list = said["result"]["outcomes"].as_array().cloned().unwrap_or_default();
    anyhow::ensure!(!list.is_empty(), "no outcome in {said}");
    Ok(move |control: &str| {
        let found = list.iter().find(|outcome| outcome["control"] == control);
        found.map_or_else(String::new, |outcome| outcome["verdict"].as_str().unwrap_or_default().to_owned())
    })
}
