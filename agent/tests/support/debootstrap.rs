//! The shared way to make a Debian folder, for the agent's tests and for the stories.

use std::fs::File;
use std::io::{Error, Result};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What no test needs.
const LEFT_OUT: [&str; 4] = ["usr/share/doc", "usr/share/man", "usr/share/locale", "var/cache/apt/archives"];

/// A folder below `kept` with Debian `suite` and `packages` on top of the minimal set, as in its archive at release. Made if missing (a
/// minute or two) and never changed: use a copy. Tests that want the same folder wait for each other. Without `configured` the packages are
/// only unpacked: some can only be configured on a running system.
///
/// # Errors
/// When this is not root, debootstrap is not installed, or its default archive (through `http_proxy` if set) cannot be reached.
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
