//! What a Windows machine is set to, written into its registry under Wine, and what the shipped controls say of it.

use std::collections::BTreeMap;

use anyhow::{Context, ensure};
use harness::checkout;
use harness::process::{Running, answer};
use harness::wait;
use serde_json::Value;

use super::windows::{Windows, program};

/// Every setting wrong. Wine has no SMB server: a service of its name stands in for it, which is this agent, waiting for a server that
/// does not answer.
const WRONG: &str = include_str!("windows_states/wrong.reg");
/// Every setting right.
const RIGHT: &str = include_str!("windows_states/right.reg");
/// The controls that those settings decide.
const DECIDED: [&str; 8] = [
    "system-supported",
    "firewall-profiles",
    "uac",
    "automatic-logon",
    "autorun-off",
    "screen-lock",
    "rdp-nla",
    "smb1",
];

struct Machine {
    windows: Windows,
    person: Option<Running>,
    folder: tempfile::TempDir,
}

impl Machine {
    fn new() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let windows = Windows { program: program()?, prefix: folder.path().join("wine") };
        let machine = Self { windows, person: None, folder };
        machine.done(&["wineboot", "-i"])?;
        std::fs::copy(&machine.windows.program, machine.windows.prefix.join("drive_c/stand-in.exe"))?;
        Ok(machine)
    }

    fn done(&self, arguments: &[&str]) -> anyhow::Result<()> {
        let answer = answer(&mut self.windows.wine(arguments))?;
        ensure!(answer.code == Some(0), "{arguments:?}: {answer:?}");
        Ok(())
    }

    /// Takes over settings as `regedit` exports them, and starts the machine anew.
    fn set(&mut self, settings: &str) -> anyhow::Result<()> {
        let file = self.folder.path().join("settings.reg");
        let text = settings.replace('\n', "\r\n");
        let units = std::iter::once('\u{feff}').chain(text.chars()).collect::<String>();
        std::fs::write(&file, units.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>())?;
        let path = format!("Z:{}", file.to_str().context("UTF-8")?.replace('/', "\\"));
        self.done(&["regedit", "/S", &path])?;
        self.person = None;
        drop(answer(&mut self.windows.wine(&["wineboot", "--kill"])));
        let person = self.windows.wine(&["ping", "-n", "1000000", "127.0.0.1"]);
        self.person = Some(Running::start("ping", person, &self.folder.path().join("person.log"))?);
        wait::until("the stand-in of the SMB server", wait::PATIENCE, || {
            let asked = answer(&mut self.windows.wine(&["sc", "query", "LanmanServer"]))?;
            Ok(asked.out.contains("RUNNING").then_some(()))
        })
    }

    fn json(&self, arguments: &[&str]) -> anyhow::Result<Value> {
        let said = answer(&mut self.windows.agent(arguments)?)?;
        serde_json::from_str(&said.out).with_context(|| format!("{said:?}"))
    }

    /// The outcome of each control, with what was found.
    fn outcomes(&self) -> anyhow::Result<BTreeMap<String, (String, String)>> {
        let policy = checkout::root()?.join("policies/level-2-workstation.toml");
        let policy = format!("Z:{}", policy.to_str().context("UTF-8")?.replace('/', "\\"));
        let answer = self.json(&["check", "--policy", &policy, "--json"])?;
        let outcomes = answer["outcomes"].as_array().context("no outcomes")?.iter();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Ok(outcomes.map(|one| (text(&one["control"]), (text(&one["outcome"]), text(&one["found"]["vi"])))).collect())
    }
}

#[test]
fn what_a_windows_registry_is_set_to_decides_the_outcomes() -> anyhow::Result<()> {
    let mut machine = Machine::new()?;
    for (settings, wanted) in [(WRONG, "fail"), (RIGHT, "pass")] {
        machine.set(settings)?;
        let outcomes = machine.outcomes()?;
        for control in DECIDED {
            let (outcome, found) = outcomes.get(control).with_context(|| format!("no control {control}"))?;
            assert_eq!(outcome, wanted, "{control}: {found}");
        }
    }
    let software = machine.json(&["facts", "--json", "--section", "software"])?;
    let programs = software["software"]["programs"]["known"]["items"].as_array().context("no programs")?;
    let own = programs.iter().find(|program| program["name"] == "Phần mềm kế toán xã").context("not found")?;
    assert_eq!(own["for_one_person"]["known"], true, "installed for one user only: {own}");
    Ok(())
}
