//! The agent as a service of Windows, under Wine: installed, running, replaced, removed.

use anyhow::{Context, ensure};
use harness::process::answer;
use harness::wait;
use harness::windows::Machine;
use protocol::sign::SigningKey;

use super::books::Kind;
use super::world::World;

const SERVICE: &str = "TramAn";
const HANDOVER: &str = r"HKLM\SOFTWARE\TramAn";

/// Waits until the newest facts of a section that the agent keeps contain `words`.
fn facts_hold(machine: &Machine, section: &str, words: &str) -> anyhow::Result<()> {
    wait::until(&format!("{words} in a report"), wait::PATIENCE, || {
        Ok(machine.facts_hold(section, words).then_some(()))
    })
    .with_context(|| machine.log())
}

/// Waits until the machine's page shows `kind` for its agent.
fn told(world: &World, statement: &'static str) -> anyhow::Result<()> {
    wait::until(statement, wait::PATIENCE, || Ok((world.books.count(statement)? > 0).then_some(())))
        .with_context(|| world.logs())
}

#[test]
fn the_windows_service_is_installed_watches_is_replaced_and_leaves_nothing() -> anyhow::Result<()> {
    let world = World::new(Kind::Sqlite)?;
    let _server = world.serve()?;
    let machine = Machine::start(&world.path("windows"))?;
    let policy = r"HKLM\SOFTWARE\Policies\Microsoft\W32Time\Parameters";

    // One command connects the machine, and says so in one line.
    let enrolment = world.enrolment(2)?;
    let installed = machine.install(Some(&enrolment))?;
    ensure!(installed.code == Some(0), "{installed:?} {}", machine.log());
    assert!(installed.out.starts_with("Đã kết nối") && installed.out.lines().count() == 1, "{installed:?}");
    assert_eq!(machine.state_of_service()?, "RUNNING");
    let mut reports = world.reports_beyond(0)?;
    let key = std::fs::read(machine.state().join("key"))?;
    assert!(SigningKey::from_pkcs8(&key).is_err(), "the private key lies open in its file");
    assert!(!machine.state().join("invitation.json").exists(), "the token is kept after it was used");

    // A key that did not exist, and then a value in it, are seen when they change.
    facts_hold(&machine, "time", "servers")?;
    for name in ["ntp.mot.example", "ntp.hai.example"] {
        machine.windows.registry_set(policy, "NtpServer", &format!("{name},0x9"))?;
        facts_hold(&machine, "time", name)?;
        reports = world.reports_beyond(reports)?;
    }

    // So is what somebody who is logged on set for themselves.
    facts_hold(&machine, "lan", "proxies")?;
    let own = r"HKCU\Software\Microsoft\Windows\CurrentVersion\Internet Settings";
    machine.windows.registry_set(own, "AutoConfigURL", "http://uy-nhiem.example/proxy.pac")?;
    facts_hold(&machine, "lan", "uy-nhiem.example")?;
    reports = world.reports_beyond(reports)?;

    // So is the hosts file: when it is made or written, and when another takes its place.
    facts_hold(&machine, "lan", "host_overrides")?;
    let (hosts, other) = (machine.drive("windows/system32/drivers/etc/hosts"), machine.drive("hosts"));
    std::fs::write(&hosts, "10.1.1.1 mot.hosts.example\n")?;
    facts_hold(&machine, "lan", "mot.hosts.example")?;
    std::fs::write(&other, "10.1.1.1 hai.hosts.example\n")?;
    std::fs::rename(&other, &hosts)?;
    facts_hold(&machine, "lan", "hai.hosts.example")?;
    reports = world.reports_beyond(reports)?;

    // Stopped by an administrator, it says so before it goes, and continues where it was.
    let stopped = machine.wine(&["net", "stop", SERVICE])?;
    ensure!(stopped.code == Some(0), "{stopped:?} {}", machine.log());
    assert_eq!(machine.state_of_service()?, "STOPPED");
    told(&world, "select count(*) from agent_event where kind = 'stopped'")?;
    let identity = machine.identity()?;
    let started = machine.wine(&["net", "start", SERVICE])?;
    ensure!(started.code == Some(0), "{started:?} {}", machine.log());
    reports = world.reports_beyond(reports)?;

    // Installed again over the running service it is the same machine.
    let replaced = machine.install(None)?;
    ensure!(replaced.code == Some(0), "{replaced:?} {}", machine.log());
    let again = machine.install(Some(&enrolment))?;
    ensure!(again.code == Some(0), "{again:?} {}", machine.log());
    assert_eq!(machine.identity()?, identity);
    assert_eq!(world.books.count("select count(*) from machine")?, 1);
    world.reports_beyond(reports)?;

    // Removed by the program that is itself removed.
    let removed = machine.wine(&[r"C:\Program Files\TramAn\posture-agent.exe", "uninstall"])?;
    ensure!(removed.code == Some(0), "{removed:?} {}", machine.log());
    told(&world, "select count(*) from agent_event where kind = 'uninstalled'")?;
    assert!(machine.state_of_service().is_err());
    assert!(!machine.drive("ProgramData/TramAn").exists() && !machine.drive("Program Files/TramAn").exists());
    let source = r"HKLM\SYSTEM\CurrentControlSet\Services\EventLog\Application\TramAn";
    assert_ne!(machine.wine(&["reg", "query", source])?.code, Some(0));

    // What an installer leaves in the registry is taken up by the service, and the token does not stay there.
    for (name, value) in
        [("Server", &enrolment.server), ("Token", &enrolment.token), ("Fingerprint", &enrolment.fingerprint)]
    {
        machine.windows.registry_set(HANDOVER, name, value)?;
    }
    let before = world.books.count("select count(*) from report")?;
    let placed = machine.install(None)?;
    ensure!(placed.code == Some(0), "{placed:?} {}", machine.log());
    world.reports_beyond(before).with_context(|| machine.log())?;
    assert_ne!(machine.wine(&["reg", "query", HANDOVER, "/v", "Token"])?.code, Some(0), "the token is still there");
    assert_eq!(machine.wine(&["reg", "query", HANDOVER, "/v", "Server"])?.code, Some(0));
    let removed = answer(&mut machine.windows.agent(&["uninstall", "--lang", "en"])?)?;
    assert_eq!(removed.code, Some(0), "{removed:?}");
    assert_ne!(machine.wine(&["reg", "query", HANDOVER])?.code, Some(0));
    world.assert_whole()
}
