//! The packages for Linux: what they contain, and what stays when one is removed.

use std::path::Path;

use anyhow::{Context, ensure};
use harness::process::{answer, command};
use harness::{checkout, linux};

const UNIT: &str = "agent/packaging/linux/posture-agent.service";

/// Runs a tool and returns what it printed.
fn said(program: &str, arguments: &[&str]) -> anyhow::Result<String> {
    let answer = answer(command(program).args(arguments))?;
    ensure!(answer.code == Some(0), "{program} {arguments:?}: {answer:?}");
    Ok(answer.out)
}

fn text(path: &Path) -> anyhow::Result<&str> {
    path.to_str().with_context(|| format!("{} is not UTF-8", path.display()))
}

#[test]
fn packages_hold_the_program_and_its_unit_and_leave_the_identity_until_they_are_purged() -> anyhow::Result<()> {
    let program = linux::program()?;
    let root = checkout::root()?;
    let folder = tempfile::tempdir()?;
    let built = said(text(&root.join("agent/packaging/linux/build"))?, &[text(&program)?, text(folder.path())?])?;
    let [deb, rpm] = built.lines().collect::<Vec<_>>()[..] else { anyhow::bail!("not two packages: {built}") };

    let held = said("rpm", &["-qlp", rpm])?;
    for path in ["/usr/bin/posture-agent", "/usr/lib/systemd/system/posture-agent.service"] {
        assert!(held.lines().any(|line| line == path), "{held}");
    }

    // It runs on any Linux; nothing of a distribution is required.
    assert_eq!(said("dpkg-deb", &["--field", deb, "Depends"])?.trim(), "");
    let required = said("rpm", &["-qp", "--requires", rpm])?;
    assert!(required.lines().all(|line| line.starts_with("rpmlib(") || line == "/bin/sh"), "{required}");
    let refused = answer(command(root.join("agent/packaging/linux/build")).arg("/bin/sh").arg(folder.path()))?;
    assert!(refused.code == Some(1) && refused.err.contains("is not static"), "{refused:?}");

    // A system of its own without systemd; its scripts run here, with its place in DPKG_ROOT.
    let system = folder.path().join("system");
    for made in ["var/lib/dpkg/updates", "var/lib/dpkg/info", "var/lib/tram-an-agent"] {
        std::fs::create_dir_all(system.join(made))?;
    }
    for empty in ["var/lib/dpkg/status", "var/lib/dpkg/available"] {
        std::fs::write(system.join(empty), "")?;
    }
    std::fs::write(system.join("var/lib/tram-an-agent/identity.json"), "{}")?;
    let place = format!("--root={}", system.display());
    let log = format!("--log={}", folder.path().join("dpkg.log").display());
    let dpkg = |what: &str, on: &str| {
        let forced = ["--force-script-chrootless", "--force-depends", "--force-not-root"];
        said("dpkg", &[&[place.as_str(), &log], &forced[..], &[what, on]].concat())
    };
    dpkg("--install", deb)?;
    let installed = said(text(&system.join("usr/bin/posture-agent"))?, &["--version"])?;
    assert!(installed.contains(env!("CARGO_PKG_VERSION")), "{installed}");
    let unit = std::fs::read(system.join("lib/systemd/system/posture-agent.service"))?;
    assert!(unit == std::fs::read(root.join(UNIT))?, "another unit is installed");

    dpkg("--remove", "tram-an-agent")?;
    assert!(!system.join("usr/bin/posture-agent").exists());
    assert!(system.join("var/lib/tram-an-agent/identity.json").exists(), "a removal forgot who the machine is");
    dpkg("--purge", "tram-an-agent")?;
    assert!(!system.join("var/lib/tram-an-agent").exists(), "a purge left the machine's key");
    Ok(())
}
