//! The agent as a service of Windows, under Wine: installed, at work, replaced, removed.

use std::path::PathBuf;

use anyhow::{Context, ensure};
use harness::process::{Answer, answer};
use harness::station::Enrolment;
use harness::wait;
use protocol::sign::SigningKey;

use super::books::Kind;
use super::windows::Windows;
use super::world::World;

const SERVICE: &str = "TramAn";
const HANDOVER: &str = r"HKLM\SOFTWARE\TramAn";

/// A Windows with the agent as a service, or without it yet.
pub(super) struct Machine {
    pub(super) windows: Windows,
}

impl Machine {
    pub(super) fn new(world: &World) -> anyhow::Result<Self> {
        Ok(Self { windows: Windows::switched_on(world.path("wine"))? })
    }

    pub(super) fn drive(&self, path: &str) -> PathBuf {
        self.windows.prefix.join("drive_c").join(path)
    }

    fn state(&self) -> PathBuf {
        self.drive("ProgramData/TramAn/agent")
    }

    pub(super) fn wine(&self, arguments: &[&str]) -> anyhow::Result<Answer> {
        answer(&mut self.windows.wine(arguments))
    }

    fn install(&self, enrolment: Option<&Enrolment>) -> anyhow::Result<Answer> {
        let mut install = match enrolment {
            None => self.windows.agent(&["install"])?,
            Some(Enrolment { server, fingerprint, .. }) => {
                self.windows.agent(&["install", "--server", server, "--fingerprint", fingerprint])?
            }
        };
        if let Some(enrolment) = enrolment {
            install.env("TRAM_AN_TOKEN", &enrolment.token);
        }
        answer(&mut install)
    }

    /// What the service control manager says of the service; an error when there is none.
    pub(super) fn state_of_service(&self) -> anyhow::Result<String> {
        let asked = self.wine(&["sc", "query", SERVICE])?;
        ensure!(asked.code == Some(0), "{asked:?}");
        let state = asked.out.lines().find(|line| line.trim_start().starts_with("STATE"));
        let state = state.and_then(|line| line.split_ascii_whitespace().last());
        Ok(state.context("no state")?.to_owned())
    }

    pub(super) fn identity(&self) -> anyhow::Result<String> {
        Ok(std::fs::read_to_string(self.state().join("identity.json"))?)
    }

    pub(super) fn log(&self) -> String {
        std::fs::read_to_string(self.state().join("agent.log")).unwrap_or_else(|error| error.to_string())
    }

    /// Waits until the newest facts of a section that were reported hold `words`.
    fn facts_hold(&self, section: &str, words: &str) -> anyhow::Result<()> {
        wait::until(&format!("{words} in a report"), wait::PATIENCE, || {
            let kept =
                std::fs::read_to_string(self.state().join(format!("sections/{section}.json"))).unwrap_or_default();
            Ok(kept.contains(words).then_some(()))
        })
        .with_context(|| self.log())
    }
}

/// Waits until the machine's page tells `kind` of its agent.
fn told(world: &World, statement: &'static str) -> anyhow::Result<()> {
    wait::until(statement, wait::PATIENCE, || Ok((world.books.count(statement)? > 0).then_some(())))
        .with_context(|| world.logs())
}

#[test]
fn the_windows_service_is_installed_watches_is_replaced_and_leaves_nothing() -> anyhow::Result<()> {
    let world = World::new(Kind::Sqlite)?;
    let _server = world.serve()?;
    let machine = Machine::new(&world)?;
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
    machine.facts_hold("time", "servers")?;
    for name in ["ntp.mot.example", "ntp.hai.example"] {
        machine.windows.registry_set(policy, "NtpServer", &format!("{name},0x9"))?;
        machine.facts_hold("time", name)?;
        reports = world.reports_beyond(reports)?;
    }

    // So is what somebody who is logged on set for themselves.
    machine.facts_hold("lan", "proxies")?;
    let own = r"HKCU\Software\Microsoft\Windows\CurrentVersion\Internet Settings";
    machine.windows.registry_set(own, "AutoConfigURL", "http://uy-nhiem.example/proxy.pac")?;
    machine.facts_hold("lan", "uy-nhiem.example")?;
    reports = world.reports_beyond(reports)?;

    // So is the hosts file: when it is made or written, and when another takes its place.
    machine.facts_hold("lan", "host_overrides")?;
    let (hosts, other) = (machine.drive("windows/system32/drivers/etc/hosts"), machine.drive("hosts"));
    std::fs::write(&hosts, "10.1.1.1 mot.hosts.example\n")?;
    machine.facts_hold("lan", "mot.hosts.example")?;
    std::fs::write(&other, "10.1.1.1 hai.hosts.example\n")?;
    std::fs::rename(&other, &hosts)?;
    machine.facts_hold("lan", "hai.hosts.example")?;
    reports = world.reports_beyond(reports)?;

    // Stopped by an administrator, it says so before it goes, and goes on where it was.
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

    // Removed by the very program that is removed.
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
