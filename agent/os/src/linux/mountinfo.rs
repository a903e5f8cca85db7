//! The kernel's table of mounts, `/proc/self/mountinfo`.

/// A mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// Device number, such as `8:1`; `0:...` where there is no device.
    pub device: String,
    /// Mount point.
    pub point: String,
    /// File system type.
    pub kind: String,
    /// What is mounted, such as `/dev/sda1` or `server:/export`.
    pub source: String,
}

/// Parses lines `36 35 98:0 /root /mount options [tags] - type source super`; blanks in names are written `\040`. Skips other
/// lines.
pub fn mounts(text: &str) -> Vec<Mount> {
    let mount = |line: &str| {
        let (before, after) = line.split_once(" - ")?;
        let mut before = before.split(' ').skip(2);
        let (device, point) = (before.next()?, before.nth(1)?);
        let mut after = after.split(' ');
        let (kind, source) = (after.next()?, after.next()?);
        let [device, point, kind, source] = [device, point, kind, source].map(unescaped);
        Some(Mount { device, point, kind, source })
    };
    text.lines().filter_map(mount).collect()
}

fn unescaped(name: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .iter()
        .fold(name.to_owned(), |name, (written, meant)| name.replace(written, meant))
}

/// The mount that holds `path`: the longest mount point above it; of equal ones the last, which hides the others.
pub fn holding<'a>(mounts: &'a [Mount], path: &str) -> Option<&'a Mount> {
    let above = |mount: &&Mount| {
        let rest = path.strip_prefix(mount.point.trim_end_matches('/'));
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    mounts.iter().filter(above).max_by_key(|mount| mount.point.len())
}
