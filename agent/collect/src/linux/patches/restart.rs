//! Whether the machine needs a reboot: the system's own marker, a newer kernel than the running one, or a newer version of
//! something every program holds in memory.

use std::cmp::Ordering;

use policies::fact::{Fact, Reason};

use super::version;
use crate::linux::context::{CheckContext, unknown};
use os::OsError;

/// Programs that leave the marker; where one is installed, no marker means no new kernel.
const MARKERS: [&str; 2] = ["/usr/share/update-notifier/notify-reboot-required", "/usr/bin/unattended-upgrade"];

/// `parts` says whether something other than the kernel needs a reboot.
pub(super) fn needed(context: &CheckContext, rpm: bool, parts: Fact<bool>) -> Fact<bool> {
    if ["/run/reboot-required", "/var/run/reboot-required"].iter().any(|path| context.os.exists(path)) {
        return Fact::Known(true);
    }
    match (parts, newer_kernel(context, rpm)) {
        (Fact::Known(true), _) | (_, Fact::Known(true)) => Fact::Known(true),
        (Fact::Known(false), kernel) => kernel,
        (parts, _) => parts,
    }
}

/// True when a newer kernel of the running flavour is installed.
fn newer_kernel(context: &CheckContext, rpm: bool) -> Fact<bool> {
    let mut kernels = Vec::new();
    match context.os.list("/boot") {
        Ok(names) => kernels.extend(names.iter().filter_map(|name| name.strip_prefix("vmlinuz-")).map(str::to_owned)),
        Err(OsError::Missing(_)) => {}
        Err(error) if !rpm => return unknown(&error),
        Err(_) => {}
    }
    if rpm {
        // Every rpm kernel also installs its image here, wherever the boot loader keeps its own.
        let modules = context.os.list("/usr/lib/modules").unwrap_or_default();
        let whole = |release: &String| context.os.exists(&format!("/usr/lib/modules/{release}/vmlinuz"));
        kernels.extend(modules.into_iter().filter(whole));
    }
    let running = context.line("/proc/sys/kernel/osrelease").unwrap_or_default();
    kernels.retain(|kernel| !kernel.contains("rescue") && flavour(kernel) == flavour(&running));
    if kernels.is_empty() {
        return if MARKERS.iter().any(|path| context.os.exists(path)) {
            Fact::Known(false)
        } else {
            Fact::unknown(
                Reason::SourceMissing,
                "no kernel of this machine's kind is in /boot, and nothing marks a restart",
            )
        };
    }
    let compare = if rpm { version::compare_rpm } else { version::compare };
    Fact::Known(kernels.iter().any(|kernel| compare(kernel, &running) == Ordering::Greater))
}

/// A kernel's flavour: what follows its version numbers (`amd64`, `cloud-amd64`, `generic`); for rpm, the mark of its line
/// (`uek`, `+rt`).
fn flavour(release: &str) -> String {
    let words = release.split('-').skip_while(|word| word.starts_with(|first: char| first.is_ascii_digit()));
    let named = words.collect::<Vec<_>>().join("-");
    if !named.is_empty() {
        return named;
    }
    let line = ["uek", "elrepo"].into_iter().find(|line| release.contains(line)).unwrap_or_default();
    let variant = release.split_once('+').map_or("", |(_, variant)| variant);
    format!("{line}+{variant}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use os::recorded::Recorded;

    fn of(rpm: bool, running: &str, kernels: &[&str]) -> Option<bool> {
        let mut os = Recorded::new().file("/proc/sys/kernel/osrelease", format!("{running}\n"));
        for kernel in kernels {
            os = os.file(&format!("/boot/vmlinuz-{kernel}"), "");
        }
        needed(&CheckContext::of(os), rpm, Fact::Known(false)).known().copied()
    }

    #[test]
    fn a_newer_kernel_of_the_same_kind_waits_for_a_restart() {
        let debian = |running: &str, kernels: &[&str]| of(false, running, kernels);
        assert_eq!(debian("6.1.0-18-amd64", &["6.1.0-18-amd64", "6.1.0-9-amd64"]), Some(false));
        assert_eq!(debian("6.1.0-18-amd64", &["6.1.0-18-amd64", "6.1.0-21-amd64"]), Some(true));
        assert_eq!(debian("6.1.0-18-amd64", &["6.1.0-18-amd64", "6.1.0-21-cloud-amd64"]), Some(false));
        assert_eq!(debian("6.12.9+bpo-amd64", &["6.1.0-18-amd64", "6.12.12+bpo-amd64"]), Some(true));
        assert_eq!(debian("5.15.0-100-generic", &["5.15.0-100-generic", "6.8.0-1-lowlatency"]), Some(false));
        assert_eq!(debian("6.18.44-fc", &[]), None);
    }

    #[test]
    fn kernels_of_rpm_stand_in_its_own_order() {
        let alma = ["0-rescue-abc", "5.14.0-362.8.1.el9_3.x86_64", "5.14.0-427.16.1.el9_4.x86_64"];
        assert_eq!(of(true, "5.14.0-362.8.1.el9_3.x86_64", &alma), Some(true));
        let first = ["5.14.0-427.el9.x86_64", "5.14.0-427.16.1.el9_4.x86_64"];
        assert_eq!(of(true, "5.14.0-427.16.1.el9_4.x86_64", &first), Some(false));
        assert_eq!(of(true, "5.14.0-427.el9.x86_64", &first), Some(true));
        let oracle = ["5.14.0-427.el9.x86_64", "5.15.0-206.153.7.el9uek.x86_64"];
        assert_eq!(of(true, "5.14.0-427.el9.x86_64", &oracle), Some(false), "another line");
        let os = Recorded::new()
            .file("/proc/sys/kernel/osrelease", "6.8.5-301.fc40.x86_64\n")
            .file("/usr/lib/modules/6.8.9-300.fc40.x86_64/vmlinuz", "");
        let context = CheckContext::of(os);
        assert_eq!(needed(&context, true, Fact::Known(false)), Fact::Known(true));
    }

    #[test]
    fn a_mark_is_believed_and_other_parts_count() {
        let context = CheckContext::of;
        let marked = Recorded::new().file("/run/reboot-required", "");
        assert_eq!(needed(&context(marked), false, Fact::Known(false)), Fact::Known(true));
        let marker = Recorded::new().file("/usr/bin/unattended-upgrade", "");
        assert_eq!(needed(&context(marker.clone()), false, Fact::Known(false)), Fact::Known(false));
        assert_eq!(needed(&context(marker.clone()), false, Fact::Known(true)), Fact::Known(true));
        let open = Fact::unknown(Reason::SourceMissing, "");
        assert!(needed(&context(marker), false, open).known().is_none());
    }
}
