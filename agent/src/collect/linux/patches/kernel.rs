//! Whether the machine waits for a restart: the system's own mark, or a newer kernel than the one that runs.

use policies::fact::{Fact, Reason};

use super::version::compare;
use crate::collect::linux::scene::{Scene, unknown};
use crate::os::OsError;

/// Programs that leave the mark; where one is installed, no mark means no restart.
const MARKERS: [&str; 2] = ["/usr/share/update-notifier/notify-reboot-required", "/usr/bin/unattended-upgrade"];

pub(super) fn reboot_needed(scene: &Scene) -> Fact<bool> {
    if ["/run/reboot-required", "/var/run/reboot-required"].iter().any(|path| scene.os.exists(path)) {
        return Fact::Known(true);
    }
    let names = match scene.os.list("/boot") {
        Ok(names) => names,
        Err(OsError::Missing(_)) => Vec::new(),
        Err(error) => return unknown(&error),
    };
    let running = scene.line("/proc/sys/kernel/osrelease").unwrap_or_default();
    let kernels: Vec<&str> =
        names.iter().filter_map(|name| name.strip_prefix("vmlinuz-")).filter(|name| !name.contains("rescue")).collect();
    let same: Vec<&&str> = kernels.iter().filter(|kernel| flavour(kernel) == flavour(&running)).collect();
    if same.is_empty() {
        let marked = MARKERS.iter().any(|path| scene.os.exists(path));
        return if marked {
            Fact::Known(false)
        } else {
            Fact::unknown(
                Reason::SourceMissing,
                "no kernel of this machine's kind is in /boot, and nothing marks a restart",
            )
        };
    }
    Fact::Known(same.iter().any(|kernel| compare(kernel, &running).is_gt()))
}

/// The kind of a kernel: the letters behind its last dash or dot (`amd64`, `generic`, `x86_64`).
fn flavour(release: &str) -> &str {
    let known = release.rsplit(['-', '.']).next().unwrap_or_default();
    if known.starts_with(|character: char| character.is_ascii_digit()) { "" } else { known }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::os::recorded::Recorded;

    fn of(running: &str, kernels: &[&str]) -> Option<bool> {
        let mut os = Recorded::new().file("/proc/sys/kernel/osrelease", format!("{running}\n"));
        for kernel in kernels {
            os = os.file(&format!("/boot/vmlinuz-{kernel}"), "");
        }
        reboot_needed(&Scene::new(Arc::new(os), jiff::Timestamp::UNIX_EPOCH)).known().copied()
    }

    #[test]
    fn a_newer_kernel_of_the_same_kind_waits_for_a_restart() {
        assert_eq!(of("6.1.0-18-amd64", &["6.1.0-18-amd64", "6.1.0-9-amd64"]), Some(false));
        assert_eq!(of("6.1.0-18-amd64", &["6.1.0-18-amd64", "6.1.0-21-amd64"]), Some(true));
        assert_eq!(of("5.15.0-100-generic", &["5.15.0-100-generic", "6.8.0-1-lowlatency"]), Some(false));
        let alma = ["0-rescue-abc", "5.14.0-362.8.1.el9_3.x86_64", "5.14.0-427.16.1.el9_4.x86_64"];
        assert_eq!(of("5.14.0-362.8.1.el9_3.x86_64", &alma), Some(true));
        assert_eq!(of("6.18.44-fc", &[]), None);
    }

    #[test]
    fn a_mark_is_believed() {
        let marked = Recorded::new().file("/run/reboot-required", "");
        assert_eq!(reboot_needed(&Scene::new(Arc::new(marked), jiff::Timestamp::UNIX_EPOCH)), Fact::Known(true));
        let marker = Recorded::new().file("/usr/bin/unattended-upgrade", "");
        assert_eq!(reboot_needed(&Scene::new(Arc::new(marker), jiff::Timestamp::UNIX_EPOCH)), Fact::Known(false));
    }
}
