//! Where copies are stored: their names, whether there is room, and which old ones are removed.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use policies::text;

use super::failed;
use crate::error::UserError;

/// Space that must remain after writing: more than the limit below which a running server refuses reports.
const SPARE: u64 = 128 << 20;

/// The format of the instant in a name, UTC.
const INSTANT: &str = "%Y%m%dT%H%M%SZ";
/// Suffixes of names: plain, encrypted.
const ENDS: [&str; 2] = [".tar", ".tar.age"];

/// The name of a copy of `server` made at `at`.
pub fn name_of(server: &str, at: Timestamp, sealed: bool) -> String {
    let end = ENDS[usize::from(sealed)];
    format!("tram-an-{server}-{}{end}", at.to_zoned(TimeZone::UTC).strftime(INSTANT))
}

/// The copies of `server` in `folder`, the oldest first. Anything else there, other servers' copies and links are ignored.
fn copies(folder: &Path, server: &str) -> std::io::Result<Vec<PathBuf>> {
    let start = format!("tram-an-{server}-");
    let is_copy = |name: &str| {
        let Some(rest) = name.strip_prefix(&start) else { return false };
        let Some(instant) = ENDS.iter().find_map(|end| rest.strip_suffix(end)) else { return false };
        instant.len() == 16 && instant.chars().all(|sign| sign.is_ascii_digit() || sign == 'T' || sign == 'Z')
    };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_file() && entry.file_name().to_str().is_some_and(is_copy) {
            found.push(entry.path());
        }
    }
    // The instant follows the part that all names share.
    found.sort();
    Ok(found)
}

/// Removes the oldest copies of `server` in `folder` until `keep` are left, never the one just `made`, whatever the clock says; returns
/// their names.
///
/// # Errors
/// The folder cannot be read or a file not removed.
pub fn prune(folder: &Path, server: &str, made: &Path, keep: usize) -> anyhow::Result<Vec<String>> {
    let mut found = copies(folder, server).map_err(|cause| failed(folder, cause))?;
    found.retain(|path| path != made);
    let over = found.len().saturating_sub(keep.saturating_sub(1));
    let mut removed = Vec::new();
    for path in &found[..over] {
        std::fs::remove_file(path).map_err(|cause| failed(path, cause))?;
        removed.push(path.file_name().unwrap_or_default().to_string_lossy().into_owned());
    }
    Ok(removed)
}

/// Refuses a folder without room for `size` bytes and a reserve.
///
/// # Errors
/// There is not enough room, or the folder cannot be queried.
pub fn room_check(folder: &Path, size: u64) -> anyhow::Result<()> {
    let asked = rustix::fs::statvfs(folder).map_err(|cause| failed(folder, cause))?;
    let free = asked.f_bavail.saturating_mul(asked.f_frsize);
    let wanted = size.saturating_add(SPARE);
    if free >= wanted {
        return Ok(());
    }
    let (shown, free, wanted) = (folder.display(), free >> 20, (wanted >> 20) + 1);
    Err(UserError::from(text!("Không đủ dung lượng trống trong {shown}: cần {wanted} MB, còn {free} MB. Hãy giải phóng dung lượng hoặc chọn thư mục khác.", "There is not enough free space in {shown}: {wanted} MB are needed, {free} MB are free. Make room or choose another folder."))
    .into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_older_copies_of_the_same_server_go() {
        let folder = tempfile::tempdir().unwrap();
        let at = |second: i64| Timestamp::from_second(1_795_996_800 + second).unwrap();
        let names: Vec<String> = (0..4).map(|day| name_of("s-1", at(day * 86_400), day == 2)).collect();
        assert_eq!(names[0], "tram-an-s-1-20261130T000000Z.tar");
        let others =
            ["tram-an-s-10-20261130T000000Z.tar", "tram-an-s-1-diary.tar", "tram-an-s-1-20261130T000000Z.tar.new", "x"];
        for name in names.iter().map(String::as_str).chain(others) {
            std::fs::write(folder.path().join(name), "x").unwrap();
        }
        std::os::unix::fs::symlink("x", folder.path().join(name_of("s-1", at(-86_400), false))).unwrap();
        let prune = |made: usize, keep| prune(folder.path(), "s-1", &folder.path().join(&names[made]), keep).unwrap();
        assert_eq!(prune(3, 3), &names[..1]);
        assert!(prune(3, 3).is_empty());
        assert_eq!(prune(1, 1), &names[2..], "the clock went back: what was just made stays");
        assert!(others.iter().all(|name| folder.path().join(name).exists()));
    }

    #[test]
    fn a_full_disk_is_seen_before() {
        let folder = tempfile::tempdir().unwrap();
        room_check(folder.path(), 0).unwrap();
        assert!(room_check(folder.path(), u64::MAX).unwrap_err().to_string().contains("not enough free space"));
    }
}
