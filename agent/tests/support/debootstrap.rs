//! The one way of making a Debian in a folder, for the tests of the agent and for the stories.

use std::fs::File;
use std::io::{Error, Result};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What no test looks at.
const LEFT_OUT: [&str; 4] = ["usr/share/doc", "usr/share/man", "usr/share/locale", "var/cache/apt/archives"];

/// A folder below `kept` with Debian `suite` and `packages` beside the smallest set, as its archive of the release has them. It is made
/// when it is not there (a minute or two) and never changed: enter a copy. Tests that want the same wait for each other. Without `configured` it is enough that the packages'
/// files are there: some want a system that runs to be configured in.
///
/// # Errors
/// This is not root; debootstrap is not installed, or its usual archive (by way of `http_proxy` where that is set) cannot be reached.
pub(crate) fn debian(kept: &Path, suite: &str, packages: &[&str], configured: bool) -> Result<PathBuf> {
    std::fs::create_dir_all(kept)?;
    let name = std::iter::once(suite).chain(packages.iter().copied()).collect::<Vec<_>>().join("+");
    let lock = File::create(kept.join(format!("{name}.lock")))?;
    lock.lock()?;
    let (made, started) = (kept.join(&name), kept.join(format!("{name}.new")));
    if made.exists() {
        return Ok(made);
    }
    if started.exists() {
        std::fs::remove_dir_all(&started)?;
    }
    #[expect(clippy::disallowed_methods, reason = "tests start programs")]
    let mut make = Command::new("debootstrap");
    make.arg("--variant=minbase").env_remove("TMPDIR").env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    if !packages.is_empty() {
        make.arg(format!("--include={}", packages.join(",")));
    }
    let said = make.arg(suite).arg(&started).output()?;
    let unpacked = |package: &&str| started.join(format!("var/lib/dpkg/info/{package}.list")).exists();
    if !said.status.success() && (configured || !packages.iter().all(unpacked)) {
        let [out, err] = [said.stdout, said.stderr].map(|said| String::from_utf8_lossy(&said).into_owned());
        return Err(Error::other(format!("debootstrap (as root, with a way to an archive of Debian): {out}{err}")));
    }
    for part in LEFT_OUT {
        std::fs::remove_dir_all(started.join(part))?;
    }
    std::fs::create_dir_all(started.join("var/cache/apt/archives/partial"))?;
    std::fs::rename(&started, &made)?;
    Ok(made)
}
