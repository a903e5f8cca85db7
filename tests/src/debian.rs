//! A small Debian in a folder, in which the agent's answers are compared with those of the system's own programs.

use std::fs::File;
use std::path::{Path, PathBuf};

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
    /// Debian `suite` with `packages` beside the smallest set, as its archive of the release has them: the updates wait. What
    /// was fetched once is kept in the target folder.
    ///
    /// # Errors
    /// This is not root, who alone may enter one; debootstrap is not installed, or its usual archive (by way of `http_proxy` where that is set) cannot
    /// be reached.
    pub fn new(suite: &str, packages: &[&str]) -> anyhow::Result<Self> {
        ensure!(
            rustix::process::geteuid().is_root(),
            "only root can enter a Debian in a folder: run this test as root"
        );
        let base = base(suite, packages)?;
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

    /// What `script` says inside; an end other than 0 is no error.
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

    /// The agent's facts of one section, asked inside.
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

/// The Debian that is copied. Made by one test while the others wait for it.
fn base(suite: &str, packages: &[&str]) -> anyhow::Result<PathBuf> {
    let all = checkout::target()?.join("debian");
    std::fs::create_dir_all(&all)?;
    let name = std::iter::once(suite).chain(packages.iter().copied()).collect::<Vec<_>>().join("+");
    let lock = File::create(all.join(format!("{name}.lock")))?;
    lock.lock()?;
    let (base, started) = (all.join(&name), all.join(format!("{name}.new")));
    if base.exists() {
        return Ok(base);
    }
    if started.exists() {
        std::fs::remove_dir_all(&started)?;
    }
    let mut make = command("debootstrap");
    make.arg("--variant=minbase").env_remove("TMPDIR").env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    if !packages.is_empty() {
        make.arg(format!("--include={}", packages.join(",")));
    }
    ran(make.arg(suite).arg(&started))?;
    tidy(&started)?;
    std::fs::rename(&started, &base)?;
    Ok(base)
}

/// Leaves out what no test looks at.
fn tidy(folder: &Path) -> anyhow::Result<()> {
    for part in ["usr/share/doc", "usr/share/man", "usr/share/locale", "var/cache/apt/archives"] {
        std::fs::remove_dir_all(folder.join(part)).with_context(|| part.to_owned())?;
    }
    Ok(std::fs::create_dir_all(folder.join("var/cache/apt/archives/partial"))?)
}

fn ran(command: &mut std::process::Command) -> anyhow::Result<()> {
    let answer = answer(command)?;
    ensure!(answer.code == Some(0), "{:?}: {}{}", command.get_program(), answer.out, answer.err);
    Ok(())
}
