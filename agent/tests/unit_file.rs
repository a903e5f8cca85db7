//! systemd accepts the unit file with the built program in place, and the unit hides no fact.

use std::path::{Path, PathBuf};

const UNIT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/packaging/linux/posture-agent.service");

/// The unit with the built program instead of the installed one, in its own folder.
fn unit_with_built_program(folder: &Path) -> PathBuf {
    let text = std::fs::read_to_string(UNIT).expect("the unit is readable");
    assert!(text.contains("ExecStart=/usr/bin/posture-agent run"));
    let text = text.replace("/usr/bin/posture-agent", env!("CARGO_BIN_EXE_posture-agent"));
    let path = folder.join("posture-agent.service");
    std::fs::write(&path, text).expect("the unit is written");
    path
}

#[test]
fn systemd_accepts_the_unit() {
    let folder = tempfile::tempdir().unwrap();
    #[expect(clippy::disallowed_methods, reason = "a test asks systemd itself")]
    let output = std::process::Command::new("systemd-analyze")
        .args(["verify", "--man=no", "--recursive-errors=no"])
        .arg(unit_with_built_program(folder.path()))
        .output()
        .expect("systemd-analyze is installed (Debian package systemd)");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && !said.contains("posture-agent.service"), "{said}");
}

#[test]
fn every_setting_that_would_hide_a_fact_is_left_out_and_says_why() {
    let text = std::fs::read_to_string(UNIT).unwrap();
    for hiding in [
        "ProtectHome",
        "ProtectProc",
        "PrivateDevices",
        "PrivateNetwork",
        "ProtectClock",
        "ProtectHostname",
        "PrivateUsers",
    ] {
        assert!(!text.lines().any(|line| line.starts_with(hiding)), "{hiding} is set");
        assert!(text.lines().any(|line| line.starts_with('#') && line.contains(hiding)), "{hiding} is not explained");
    }
}

#[test]
fn every_block_of_settings_is_explained() {
    let text = std::fs::read_to_string(UNIT).unwrap();
    for block in text.split("\n\n").filter(|block| !block.trim_start().starts_with('[')) {
        assert!(block.trim_start().starts_with('#'), "no comment before:\n{block}");
    }
}
