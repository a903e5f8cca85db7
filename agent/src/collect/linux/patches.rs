//! Section `patches`: what waits to be installed and when something last was. Nothing is fetched and no cache is written.

use policies::fact::{Fact, List, PackageSystem, Patches, Reason};

use super::memory::{Fingerprint, Memory};
use super::scene::{Scene, windows_only};

mod apt;
mod configuration;
mod dnf;
mod index;
mod kernel;
mod pins;
mod version;

/// What waits; worked out once for each state of packages and lists.
#[derive(Clone, Debug)]
pub(super) struct Updates {
    /// How many, of any kind.
    pending: Fact<i64>,
    /// The packages with a security update waiting, sorted.
    security: Fact<Vec<String>>,
    /// Packages that are held back, sorted.
    held: Fact<Vec<String>>,
}

impl Updates {
    /// Nothing is known of updates; what is held may be.
    fn unknown(reason: Reason, detail: impl Into<String>, held: Fact<Vec<String>>) -> Self {
        let detail = detail.into();
        Self { pending: Fact::unknown(reason, detail.clone()), security: Fact::unknown(reason, detail), held }
    }
}

pub(super) fn collect(scene: &Scene, memory: &Memory) -> Patches {
    let system = match () {
        () if scene.os.exists("/var/lib/dpkg/status") => PackageSystem::Apt,
        () if dnf::installed(scene) => PackageSystem::Dnf,
        () => {
            let mut patches = Patches::unknown(Reason::NoReader, "neither dpkg nor dnf is here");
            patches.reboot_needed = kernel::reboot_needed(scene);
            return patches;
        }
    };
    let apt = system == PackageSystem::Apt;
    let fingerprint = if apt { apt::sources(scene) } else { dnf::sources(scene) };
    let updates = memory.updates(fingerprint, || if apt { apt::updates(scene) } else { dnf::updates(scene) });
    let count = |names: Vec<String>| i64::try_from(names.len()).unwrap_or(i64::MAX);
    Patches {
        system: Fact::Known(system),
        pending: updates.pending,
        pending_security: updates.security.clone().map(count),
        pending_names: updates.security.map(List::capped),
        held: updates.held.map(List::capped),
        lists_at: if apt { apt::lists_at(scene) } else { dnf::lists_at(scene) },
        last_upgrade_at: if apt { apt::last_upgrade_at(scene) } else { dnf::last_upgrade_at(scene) },
        automatic: if apt { configuration::automatic(scene) } else { dnf::automatic(scene) },
        reboot_needed: kernel::reboot_needed(scene),
        installed: windows_only(),
        failing: windows_only(),
        missing: windows_only(),
        known_to: windows_only(),
        servers: windows_only(),
    }
}

/// Time and size of each of `paths`; what does not exist counts as such.
fn fingerprint(scene: &Scene, paths: impl IntoIterator<Item = String>) -> Fingerprint {
    let stat = |path: String| {
        let stat = scene.os.stat(&path).ok();
        (path, stat.map_or(-1, |stat| stat.modified_at), stat.map_or(0, |stat| stat.size))
    };
    paths.into_iter().map(stat).collect()
}

/// The paths of the files in `folder` whose names `fit`.
fn files(scene: &Scene, folder: &str, fit: impl Fn(&str) -> bool) -> Vec<String> {
    let names = scene.os.list(folder).unwrap_or_default();
    names.into_iter().filter(|name| fit(name)).map(|name| format!("{folder}/{name}")).collect()
}
