//! A backup of a server in one file: its database as of one instant, keys, configuration and programs, with a manifest by which every byte
//! is checked before anything is restored. Owns the manifest and the names of the files in a copy.
//!
//! A copy is a tar archive (`tar xf` opens it), encrypted by age or not (`age -d` opens it). It ends with `manifest.json` and
//! `manifest.sha256`: a truncated copy lacks them.

pub mod archive;
pub mod database;
pub mod make;
pub mod place;
pub mod restore;
pub mod seal;

use std::io::ErrorKind;

use policies::text;
use protocol::Digest;
use serde::{Deserialize, Serialize};

use crate::app::programs::LARGEST;
use crate::error::UserError;

/// The format version of a copy that this program writes and reads.
const FORMAT: u32 = 1;
/// Folders of the data folder that a copy holds: those with keys and certificates, and the agents' programs.
const FOLDERS: [&str; 4] = ["secrets", "public", "policy-signing", "programs"];
/// Most files in a copy besides the database.
const FILES_MOST: usize = 1000;
/// Size limit for one file of configuration, keys or certificates.
const SMALL_MOST: u64 = 1 << 20;

/// The configuration within a copy.
const CONFIG: &str = crate::config::FILE;
/// The SQLite database within a copy.
const SQLITE: &str = "database.sqlite";
/// The PostgreSQL database within a copy, in `pg_dump`'s custom format.
const POSTGRES: &str = "database.pgdump";
/// What the copy holds.
const MANIFEST: &str = "manifest.json";
/// The manifest's own digest, as `sha256sum` writes it; the last file of a copy.
const MANIFEST_DIGEST: &str = "manifest.sha256";

/// The description inside a copy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Format version; 1.
    pub format: u32,
    /// Version of the program that made it.
    pub program: String,
    /// Id of the server.
    pub server: String,
    /// When the copy was made, milliseconds UTC.
    pub made_at: i64,
    /// `sqlite` or `postgres`.
    pub database: String,
    /// The last migration of its schema.
    pub schema: i64,
    /// The end of its audit log.
    pub audit: AuditHead,
    /// Everything before the manifest, in the order of the archive.
    pub files: Vec<FileEntry>,
}

/// The end of an audit log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditHead {
    /// Number of the last entry; 0 before the first.
    pub number: i64,
    /// Its hash.
    pub hash: String,
}

/// One file of a copy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// Its name below the data folder; databases have fixed names.
    pub name: String,
    /// Size in bytes.
    pub size: u64,
    /// SHA-256.
    pub sha256: Digest,
}

impl Manifest {
    /// Total bytes of the files it names.
    pub fn size(&self) -> u64 {
        self.files.iter().fold(0, |sum, file| sum.saturating_add(file.size))
    }
}

/// The most bytes that a file of this name may have in a copy; `None` for a name that no copy contains. The database has no limit.
fn most_of(name: &str) -> Option<u64> {
    if let Some((folder, file)) = name.split_once('/') {
        let known = FOLDERS.contains(&folder) && is_plain(file);
        return known.then_some(if folder == "programs" { LARGEST } else { SMALL_MOST });
    }
    match name {
        SQLITE | POSTGRES => Some(u64::MAX),
        CONFIG | MANIFEST | MANIFEST_DIGEST => Some(SMALL_MOST),
        _ => None,
    }
}

/// Whether a file name holds nothing that could lead elsewhere and is short enough for the archive.
fn is_plain(name: &str) -> bool {
    let sign = |sign: char| sign.is_ascii_alphanumeric() || "-_.~+".contains(sign);
    !name.is_empty() && name.len() <= 80 && !name.starts_with('.') && name.chars().all(sign)
}

/// The error for a copy that is truncated, damaged or not ours.
fn damaged(cause: impl Into<anyhow::Error>) -> anyhow::Error {
    UserError::new(
        "Bản sao lưu bị hỏng, bị thiếu phần cuối hoặc không phải bản sao lưu của Trạm An. Không có gì được khôi phục từ bản này.",
        "The backup is damaged, incomplete, or not a Trạm An backup. Nothing is restored from it.",
    )
    .because(cause)
    .into()
}

/// The error for a file or folder that cannot be read or written.
fn failed(path: &std::path::Path, cause: impl Into<anyhow::Error>) -> anyhow::Error {
    let (shown, cause) = (path.display(), cause.into());
    let told = match cause.downcast_ref().map(std::io::Error::kind) {
        Some(ErrorKind::NotFound) => UserError::from(text!(
            "Không tìm thấy {shown}. Hãy kiểm tra đường dẫn và ổ đĩa; nếu thư mục chưa có, hãy tạo thư mục trước.",
            "{shown} does not exist. Check the path and the disk; a folder that is not there must be made first."
        )),
        Some(ErrorKind::PermissionDenied) => UserError::from(text!(
            "Tài khoản đang dùng không có quyền đọc hoặc ghi {shown}. Hãy chạy bằng tài khoản của máy chủ hoặc cấp quyền cho tài khoản đó.",
            "This account may not read or write {shown}. Run this as the server's account, or give that account the right to."
        )),
        _ => UserError::from(text!("Không đọc hoặc ghi được {shown}.", "Cannot read or write {shown}.")),
    };
    told.because(cause).into()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use policies::text::Language;

    use super::*;

    #[test]
    fn what_is_missing_is_said_with_what_to_do() {
        let missing = failed(Path::new("/mnt/usb"), std::io::Error::from(ErrorKind::NotFound));
        assert!(
            UserError::render(&missing, Language::Vi).starts_with("Không tìm thấy /mnt/usb. Hãy kiểm tra đường dẫn")
        );
        assert!(UserError::render(&missing, Language::En).starts_with("/mnt/usb does not exist. Check the path"));
        let full = failed(Path::new("/mnt/usb"), std::io::Error::from(ErrorKind::StorageFull));
        assert!(UserError::render(&full, Language::Vi).starts_with("Không đọc hoặc ghi được /mnt/usb."));
    }
}
