//! A small Debian in a folder, in which the agent's answers are compared with those of the system's own programs.

#[path = "../../agent/tests/support/debootstrap.rs"]
mod debootstrap;

use std::path::PathBuf;

use anyhow::{Context, ensure};
use serde_json::Value;
use tempfile::TempDir;

use crate::checkout::{self, Profile};
use crate::process::{Answer, answer, command};

/// One Debian of its own; gone when dropped.
pub struct Debian {
    folder: TempDir,
}

impl Debian {
    /// Debian `suite` with `packages` in addition to the smallest set, in their versions at the release: updates are pending. Downloads are
    /// kept in the target folder.
    ///
    /// # Errors
    /// Not run as root, who alone may enter one; debootstrap is not installed, or its usual archive (by way of `http_proxy` where that is
    /// set) cannot be reached.
    pub fn new(suite: &str, packages: &[&str]) -> anyhow::Result<Self> {
        ensure!(
            rustix::process::geteuid().is_root(),
            "only root can enter a Debian in a folder: run this test as root"
        );
        let base = debootstrap::debian(&checkout::target()?.join("debian"), suite, packages, true)?;
        let folder = TempDir::new_in(base.parent().context("the folder of all")?)?;
        ran(command("cp").arg("-a").arg(base.join(".")).arg(folder.path()))?;
        let agent = checkout::build(Profile::Dev)?.agent;
        std::fs::copy(&agent, folder.path().join("usr/bin/posture-agent"))?;
        Ok(Self { folder })
    }

    /// A path of this Debian, as the machine outside sees it.
    pub fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path.trim_start_matches('/'))
    }

    /// Writes a file.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self, path: &str, text: &str) -> anyhow::Result<()> {
        std::fs::write(self.path(path), text).with_context(|| path.to_owned())
    }

    /// Runs `script` inside and returns its output; an exit status other than 0 is not an error.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn run(&self, script: &str) -> anyhow::Result<Answer> {
        // A mount tree of its own, so that `/proc` is gone with the last process.
        let inside = r#"mount -t proc proc "$1/proc" && exec chroot "$1" /bin/sh -c "$2""#;
        let mut command = command("unshare");
        command.args(["--mount", "/bin/sh", "-c", inside, "sh"]).arg(self.folder.path()).arg(script);
        command.env_remove("TMPDIR").env("LC_ALL", "C").env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        answer(&mut command)
    }

    /// The agent's facts of one section, collected inside.
    ///
    /// # Errors
    /// The agent fails.
    pub fn facts(&self, section: &str) -> anyhow::Result<Value> {
        let answer = self.run("posture-agent facts --json")?;
        ensure!(answer.code == Some(0), "posture-agent: {}", answer.err);
        let mut facts: Value = serde_json::from_str(&answer.out)?;
        Ok(facts[section].take())
    }
}

fn ran(command: &mut std::process::Command) -> anyhow::Result<()> {
    let answer = answer(command)?;
    ensure!(answer.code == Some(0), "{:?}: {}{}", command.get_program(), answer.out, answer.err);
    Ok(())
}
