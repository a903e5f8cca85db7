//! What a Windows machine is set to, written into its registry under Wine, and what the shipped controls say of it.

use std::collections::BTreeMap;

use anyhow::{Context, ensure};
use harness::checkout;
use harness::process::answer;
use serde_json::Value;

use super::windows::Windows;

/// Every setting wrong.
const WRONG: &str = include_str!("windows_states/wrong.reg");
/// Every setting right.
const RIGHT: &str = include_str!("windows_states/right.reg");
/// The controls that those settings decide.
const DECIDED: [&str; 6] = ["firewall-profiles", "uac", "automatic-logon", "autorun-off", "screen-lock", "rdp-nla"];

struct Machine {
    windows: Windows,
    folder: tempfile::TempDir,
}

impl Machine {
    fn new() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        Ok(Self { windows: Windows::switched_on(folder.path().join("wine"))?, folder })
    }

    fn done(&self, arguments: &[&str]) -> anyhow::Result<()> {
        let answer = answer(&mut self.windows.wine(arguments))?;
        ensure!(answer.code == Some(0), "{arguments:?}: {answer:?}");
        Ok(())
    }

    /// Takes over settings as `regedit` exports them.
    fn set(&self, settings: &str) -> anyhow::Result<()> {
        let file = self.folder.path().join("settings.reg");
        let text = settings.replace('\n', "\r\n");
        let units = std::iter::once('\u{feff}').chain(text.chars()).collect::<String>();
        std::fs::write(&file, units.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>())?;
        let path = format!("Z:{}", file.to_str().context("UTF-8")?.replace('/', "\\"));
        self.done(&["regedit", "/S", &path])
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
    let machine = Machine::new()?;
    for (settings, wanted) in [(WRONG, "fail"), (RIGHT, "pass")] {
        machine.set(settings)?;
        let outcomes = machine.outcomes()?;
        if wanted == "fail" {
            // Only a past end stays what it is: of which Windows it is said today would be another matter next year.
            assert_eq!(outcomes["system-supported"].0, "fail", "Windows 7");
            // Wine's event log does not answer, so nobody can say that there is no backup.
            assert_eq!(outcomes["backup-at-work"].0, "unknown");
        } else {
            assert_eq!(outcomes["backup-at-work"].0, "pass");
        }
        for control in DECIDED {
            let (outcome, found) = outcomes.get(control).with_context(|| format!("no control {control}"))?;
            assert_eq!(outcome, wanted, "{control}: {found}");
        }
    }
    let backup = machine.json(&["facts", "--json", "--section", "backup"])?;
    assert!(!backup.to_string().contains("sao lưu"), "of a destination only its kind is told: {backup}");
    assert_eq!(backup["backup"]["products"]["known"]["items"][0]["place"]["known"], "share");
    let software = machine.json(&["facts", "--json", "--section", "software"])?;
    let programs = software["software"]["programs"]["known"]["items"].as_array().context("no programs")?;
    let own = programs.iter().find(|program| program["name"] == "Phần mềm kế toán xã").context("not found")?;
    assert_eq!(own["for_one_person"]["known"], true, "installed for one user only: {own}");
    Ok(())
}
