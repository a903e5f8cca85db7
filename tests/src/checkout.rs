//! The checkout this program was built from, and the product's programs built from it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, bail};
use serde::Deserialize;

use crate::process;

/// The programs of the product.
#[derive(Clone, Debug)]
pub struct Programs {
    /// `posture-agent`.
    pub agent: PathBuf,
    /// `posture-server`.
    pub server: PathBuf,
}

/// How the programs are optimised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// As the tests are, sharing what is compiled.
    Dev,
    /// As the quickstart starts them: built in the least time.
    Quickstart,
    /// As an office runs its server.
    Release,
}

impl Profile {
    /// The name cargo knows it by.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dev => "dev",
            Self::Quickstart => "quickstart",
            Self::Release => "release",
        }
    }
}

/// The folder that holds the workspace's `Cargo.toml`.
///
/// # Errors
/// The checkout is gone or is not this repository.
pub fn root() -> anyhow::Result<PathBuf> {
    // cargo says where the package is; a program started by hand knows where it was built.
    let package =
        std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    let root = package.parent().unwrap_or(Path::new("/")).to_path_buf();
    for part in ["Cargo.toml", "agent", "server", "policies"] {
        if !root.join(part).exists() {
            bail!("{} is missing: run this from a checkout of the repository", root.join(part).display());
        }
    }
    Ok(root)
}

/// The folder cargo builds into: CARGO_TARGET_DIR, what cargo's configuration says, or `target` in the checkout.
///
/// # Errors
/// cargo cannot be run.
pub fn target() -> anyhow::Result<PathBuf> {
    #[derive(Deserialize)]
    struct Metadata {
        target_directory: PathBuf,
    }
    let mut command = process::command(cargo());
    command.args(["metadata", "--no-deps", "--offline", "--format-version", "1"]).current_dir(root()?);
    let answer = process::answer(&mut command)?;
    if answer.code != Some(0) {
        bail!("cargo metadata failed: {}", answer.err);
    }
    Ok(serde_json::from_str::<Metadata>(&answer.out).context("cargo metadata")?.target_directory)
}

fn cargo() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// Builds both programs with cargo, whose progress goes to standard error, and says where they are. Programs for tests are
/// taken from the folder TRAM_AN_PROGRAMS when `tests/run` has built them there.
///
/// # Errors
/// cargo cannot be started or the build fails; cargo has said why on standard error.
pub fn build(profile: Profile) -> anyhow::Result<Programs> {
    if let Some(folder) = std::env::var_os("TRAM_AN_PROGRAMS").filter(|_| profile == Profile::Dev) {
        let folder = PathBuf::from(folder);
        return Ok(Programs { agent: folder.join("posture-agent"), server: folder.join("posture-server") });
    }
    let cargo = cargo();
    let mut command = process::command(&cargo);
    if profile == Profile::Dev {
        command.arg("--quiet");
    }
    let output = command
        .args(["build", "--profile", profile.name(), "--message-format", "json-render-diagnostics"])
        .args(["--package", "tram-an-agent", "--bin", "posture-agent"])
        .args(["--package", "tram-an-server", "--bin", "posture-server"])
        .current_dir(root()?)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot start {}", cargo.display()))?;
    if !output.status.success() {
        bail!("cargo could not build the programs ({})", output.status);
    }
    let built = executables(&output.stdout);
    let find = |name: &str| built.get(name).cloned().with_context(|| format!("cargo built no {name}"));
    Ok(Programs { agent: find("posture-agent")?, server: find("posture-server")? })
}

/// One line of cargo's answer; lines of other kinds have no executable.
#[derive(Deserialize)]
struct Message {
    executable: Option<PathBuf>,
}

fn executables(messages: &[u8]) -> BTreeMap<String, PathBuf> {
    messages
        .split(|&byte| byte == b'\n')
        .filter_map(|line| serde_json::from_slice::<Message>(line).ok()?.executable)
        .filter_map(|path| Some((path.file_stem()?.to_str()?.to_owned(), path)))
        .collect()
}
