//! What a Windows machine is set to, written into its registry under Wine, and the outcomes of the shipped controls.

use std::collections::BTreeMap;

use anyhow::Context;
use harness::checkout;
use harness::process::answer;
use harness::windows::{self, Machine};
use serde_json::Value;

/// Every setting wrong.
const WRONG: &str = include_str!("windows_states/wrong.reg");
/// Every setting right.
const RIGHT: &str = include_str!("windows_states/right.reg");
/// The folder of somebody who is not logged on, as the right settings name it.
const SOMEBODY: &str = "users/Nguyễn Văn Hoà";
/// What that person's registry holds, written by another program.
const REGISTRY: &str = "agent/os/src/windows/decode/hive/NTUSER.DAT";
/// The controls that those settings decide. Support of the right Windows ends in October 2034.
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

/// Switches the machine on with `settings`.
fn set(machine: &mut Machine, settings: &str) -> anyhow::Result<()> {
    machine.settings_import(settings)?;
    machine.restart()?;
    // Stand-ins, as set by the settings.
    machine.service_runs("wscsvc")?;
    machine.service_runs("LanmanServer")
}

fn json(machine: &Machine, arguments: &[&str]) -> anyhow::Result<Value> {
    let said = answer(&mut machine.windows.agent(arguments)?)?;
    serde_json::from_str(&said.out).with_context(|| format!("{said:?}"))
}

/// The outcome of each control, with what was found.
fn outcomes(machine: &Machine) -> anyhow::Result<BTreeMap<String, (String, String)>> {
    let policy = windows::path(&checkout::root()?.join("policies/level-2-controls.toml"))?;
    let answer = json(machine, &["check", "--policy", &policy, "--role", "workstation", "--json"])?;
    let outcomes = answer["outcomes"].as_array().context("no outcomes")?.iter();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Ok(outcomes.map(|one| (text(&one["control"]), (text(&one["outcome"]), text(&one["found"]["vi"])))).collect())
}

#[test]
fn what_a_windows_registry_is_set_to_decides_the_outcomes() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let mut machine = Machine::start(folder.path())?;
    for (settings, wanted) in [(WRONG, "fail"), (RIGHT, "pass")] {
        set(&mut machine, settings)?;
        let outcomes = outcomes(&machine)?;
        // Wine's event log does not answer, so nobody can say that there is no backup.
        assert_eq!(outcomes["backup-at-work"].0, if wanted == "pass" { "pass" } else { "unknown" });
        for control in DECIDED {
            let (outcome, found) = outcomes.get(control).with_context(|| format!("no control {control}"))?;
            assert_eq!(outcome, wanted, "{control}: {found}");
        }
    }
    let backup = json(&machine, &["facts", "--json", "--section", "backup"])?;
    assert!(!backup.to_string().contains("sao lưu"), "of a destination only its kind is told: {backup}");
    assert_eq!(backup["backup"]["products"]["known"]["items"][0]["place"]["known"], "share");
    programs_of_everybody_are_told(&machine)
}

/// No control judges that, but the machine's page shows it.
fn programs_of_everybody_are_told(machine: &Machine) -> anyhow::Result<()> {
    let (folder, registry) = (machine.drive(SOMEBODY), std::fs::read(checkout::root()?.join(REGISTRY))?);
    let told = [("Phần mềm kế toán xã", true), ("Phần mềm một cửa", false)];
    let away = [("Phần mềm kế toán xã Tân An", true), ("UltraViewer", true)];
    // Without a file that person is gone for good; with only part of a file it is unknown what the whole held.
    for (file, wanted, missing) in [
        (None, told.to_vec(), 0),
        (Some(&registry[..]), [told, away].concat(), 0),
        (Some(&registry[..registry.len() / 4]), told.to_vec(), 1),
    ] {
        if let Some(file) = file {
            std::fs::create_dir_all(&folder)?;
            std::fs::write(folder.join("NTUSER.DAT"), file)?;
        }
        let software = json(machine, &["facts", "--json", "--section", "software"])?;
        let list = &software["software"]["programs"]["known"];
        assert_eq!(list["left_out"].as_u64().unwrap_or_default(), missing, "{list}");
        let programs = list["items"].as_array().context("no programs")?;
        for (name, for_one_person) in wanted {
            let found = programs.iter().find(|program| program["name"] == name).context(name)?;
            assert_eq!(found["for_one_person"]["known"], for_one_person, "installed for one user only: {found}");
        }
    }
    Ok(())
}
