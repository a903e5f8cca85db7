//! Whether people's data is on an encrypted volume: the file system that holds `/home`, followed down to its disks.

use policies::fact::{Fact, Reason};

use crate::linux::context::{CheckContext, answered};
use crate::linux::text::capped;
use os::linux::mountinfo::{Mount, holding, mounts};

pub(super) fn encrypted(context: &CheckContext) -> Fact<bool> {
    answered(context.text("/proc/self/mountinfo"), |text| match holding(&mounts(&text), "/home") {
        Some(mount) => mount_encrypted(context, mount),
        None => Fact::unknown(Reason::Unreadable, "/proc/self/mountinfo names no root"),
    })
}

fn mount_encrypted(context: &CheckContext, mount: &Mount) -> Fact<bool> {
    let folder = if !mount.device.starts_with("0:") {
        format!("/sys/dev/block/{}", mount.device)
    } else if let Some(device) = mount.source.strip_prefix("/dev/") {
        // btrfs gives its mounts an artificial device number; its source names the first disk.
        let name = context
            .os
            .link(&mount.source)
            .map_or_else(|_| device.to_owned(), |target| target.rsplit('/').next().unwrap_or_default().to_owned());
        format!("/sys/class/block/{name}")
    } else {
        return Fact::unknown(
            Reason::NoReader,
            format!("file system {} of {}", capped(&mount.kind), capped(&mount.point)),
        );
    };
    if !context.os.exists(&folder) {
        return Fact::unknown(Reason::SourceMissing, folder);
    }
    Fact::Known(device_encrypted(context, &folder, 8))
}

/// True when the device, or every device below it, is an encrypted device-mapper volume.
fn device_encrypted(context: &CheckContext, folder: &str, depth: u8) -> bool {
    if context.line(&format!("{folder}/dm/uuid")).is_some_and(|uuid| uuid.starts_with("CRYPT-")) {
        return true;
    }
    let below = context.os.list(&format!("{folder}/slaves")).unwrap_or_default();
    depth > 0
        && !below.is_empty()
        && below.iter().all(|name| device_encrypted(context, &format!("{folder}/slaves/{name}"), depth - 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use os::recorded::Recorded;

    const LVM: &str = "22 1 253:1 / / rw,relatime shared:1 - ext4 /dev/mapper/vg-root rw\n\
        25 22 253:2 / /home rw - xfs /dev/mapper/vg-home rw\n30 22 0:26 / /homework rw - tmpfs tmpfs rw\n";

    fn seen(os: Recorded) -> Fact<bool> {
        encrypted(&CheckContext::of(os))
    }

    #[test]
    fn a_logical_volume_on_an_encrypted_partition_is_encrypted() {
        let os = Recorded::new()
            .file("/proc/self/mountinfo", LVM)
            .file("/sys/dev/block/253:2/dm/uuid", "LVM-abc\n")
            .symlink("/sys/dev/block/253:2/slaves/dm-0", "/sys/devices/virtual/block/dm-0")
            .file("/sys/devices/virtual/block/dm-0/dm/uuid", "CRYPT-LUKS2-0123-sda3_crypt\n");
        assert_eq!(seen(os), Fact::Known(true));
    }

    #[test]
    fn a_volume_over_one_plain_disk_is_not() {
        let os = Recorded::new()
            .file("/proc/self/mountinfo", LVM)
            .folder("/sys/dev/block/253:2/slaves/sda3")
            .file("/sys/dev/block/253:2/slaves/dm-0/dm/uuid", "CRYPT-LUKS2-x\n");
        assert_eq!(seen(os), Fact::Known(false));
    }

    #[test]
    fn btrfs_is_followed_by_its_source() {
        let os = Recorded::new()
            .file("/proc/self/mountinfo", "22 1 0:31 /@ / rw - btrfs /dev/mapper/luks-1 rw\n")
            .symlink("/dev/mapper/luks-1", "../dm-0")
            .file("/sys/class/block/dm-0/dm/uuid", "CRYPT-LUKS1-x\n");
        assert_eq!(seen(os), Fact::Known(true));
    }

    #[test]
    fn what_is_no_disk_is_unknown() {
        let seen_in = |text: &str| seen(Recorded::new().file("/proc/self/mountinfo", text));
        assert!(seen_in("22 1 0:45 / / rw - overlay overlay rw\n").known().is_none());
        assert!(seen_in("").known().is_none());
        assert!(seen_in("22 1 0:4").known().is_none());
        assert!(seen(Recorded::new()).known().is_none());
    }
}
