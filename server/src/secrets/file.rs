//! Files that hold keys and certificates: writing them durably for their owner only, and refusing them when others could read them.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use data_encoding::BASE64;
use policies::text;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};

use crate::error::UserError;

/// Makes a folder that only its owner may enter.
///
/// # Errors
/// It exists already, or cannot be made.
pub fn folder_create(path: &Path) -> anyhow::Result<()> {
    DirBuilder::new().mode(0o700).create(path).map_err(|cause| {
        UserError::from(text!("Không tạo được thư mục {}.", "Cannot make the folder {}.", path.display()))
            .because(cause)
            .into()
    })
}

/// Makes an existing folder private.
///
/// # Errors
/// It is not ours or cannot be changed.
pub fn private_folder_set(path: &Path) -> anyhow::Result<()> {
    fs::set_permissions(path, Permissions::from_mode(0o700)).map_err(|cause| cannot_write(path).because(cause).into())
}

/// Writes a new file that only its owner may read, synced to disk.
///
/// # Errors
/// It exists already, or cannot be written.
pub fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let written = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        if let Err(error) = file.write_all(bytes).and_then(|()| file.sync_all()) {
            // A partial file on a full disk would only obstruct the next attempt.
            drop(fs::remove_file(path));
            return Err(error);
        }
        File::open(folder_of(path))?.sync_all()
    };
    written().map_err(|cause: std::io::Error| cannot_write(path).because(cause).into())
}

/// Replaces a file of our own atomically: a reader sees the old or the new one, and a power cut leaves one of them.
///
/// # Errors
/// It cannot be written.
pub fn replace(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let fresh = fresh_of(path);
    if fresh.exists() {
        fs::remove_file(&fresh).map_err(|cause| cannot_write(&fresh).because(cause))?;
    }
    write(&fresh, bytes)?;
    let renamed = || {
        fs::rename(&fresh, path)?;
        File::open(folder_of(path))?.sync_all()
    };
    renamed().map_err(|cause: std::io::Error| cannot_write(path).because(cause).into())
}

/// The folder a file is in; the parent of a bare name is empty, which is not a folder.
fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."))
}

/// The temporary path a file is written to before it is renamed: a hidden name, so that it does not collide with other files.
fn fresh_of(path: &Path) -> PathBuf {
    path.with_file_name(format!(".{}.new", path.file_name().unwrap_or_default().to_string_lossy()))
}

/// Reads a file.
///
/// # Errors
/// It cannot be read; the message names it.
pub fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    fs::read(path).map_err(|cause| cannot_read(path).because(cause).into())
}

/// PEM of a private key in PKCS #8.
pub fn key_pem(document: &[u8]) -> String {
    pem("PRIVATE KEY", document)
}

/// PEM of a chain of certificates.
pub fn certificates_pem(chain: &[CertificateDer<'_>]) -> String {
    chain.iter().map(|certificate| pem("CERTIFICATE", certificate)).collect()
}

/// Writes a new file with a private key in PKCS #8.
///
/// # Errors
/// See `write`.
pub fn key_write(path: &Path, document: &[u8]) -> anyhow::Result<()> {
    write(path, key_pem(document).as_bytes())
}

/// Writes a file with a private key unless one exists by then; all or nothing.
///
/// # Errors
/// It cannot be written.
pub fn key_write_once(path: &Path, document: &[u8]) -> anyhow::Result<()> {
    let fresh = path.with_extension(format!("new-{}", std::process::id()));
    key_write(&fresh, document)?;
    let linked = fs::hard_link(&fresh, path);
    fs::remove_file(&fresh).map_err(|cause| cannot_write(&fresh).because(cause))?;
    match linked {
        Err(cause) if cause.kind() != std::io::ErrorKind::AlreadyExists => {
            Err(cannot_write(path).because(cause).into())
        }
        _ => {
            let synced = File::open(folder_of(path)).and_then(|folder| folder.sync_all());
            synced.map_err(|cause| cannot_write(path).because(cause).into())
        }
    }
}

/// Writes a new file with certificates.
///
/// # Errors
/// See `write`.
pub fn certificates_write(path: &Path, chain: &[CertificateDer<'_>]) -> anyhow::Result<()> {
    write(path, certificates_pem(chain).as_bytes())
}

/// Reads a private key; returns its PKCS #8 document.
///
/// # Errors
/// The file cannot be read, others may read it, or it is not PEM of a private key.
pub fn key_read(path: &Path) -> anyhow::Result<Vec<u8>> {
    private_check(path)?;
    let key = PrivatePkcs8KeyDer::from_pem_slice(&read(path)?).map_err(|cause| unreadable(path).because(cause))?;
    Ok(key.secret_pkcs8_der().to_vec())
}

/// Reads the first certificate of a file.
///
/// # Errors
/// The file cannot be read or is not PEM of a certificate.
pub fn certificate_read(path: &Path) -> anyhow::Result<CertificateDer<'static>> {
    CertificateDer::from_pem_slice(&read(path)?).map_err(|cause| unreadable(path).because(cause).into())
}

/// Reads all certificates of a file, the leaf first.
///
/// # Errors
/// The file cannot be read, is not PEM, or holds no certificate.
pub fn certificates_read(path: &Path) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let chain = CertificateDer::pem_slice_iter(&read(path)?)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|cause| unreadable(path).because(cause))?;
    if chain.is_empty() {
        return Err(unreadable(path).into());
    }
    Ok(chain)
}

/// Checks a folder of private keys: folder 0700, every file 0600, all ours, no links.
///
/// # Errors
/// Something is open to others; the message names it and the command that closes it.
pub fn secrets_check(folder: &Path) -> anyhow::Result<()> {
    each_checked(folder, 0o077)
}

/// Checks one private key that an administrator named: 0600, ours, no link.
///
/// # Errors
/// Others may read it; the message names it and the command that closes it.
pub fn private_check(path: &Path) -> anyhow::Result<()> {
    file_check(path, 0o077)
}

/// Checks a folder of certificates and public keys: others may read, only we may write.
///
/// # Errors
/// Something can be written by others; the message names it and the command that closes it.
pub fn public_check(folder: &Path) -> anyhow::Result<()> {
    each_checked(folder, 0o022)
}

fn each_checked(folder: &Path, forbidden: u32) -> anyhow::Result<()> {
    file_check(folder, forbidden)?;
    for entry in fs::read_dir(folder).map_err(|cause| cannot_read(folder).because(cause))? {
        let entry = entry.map_err(|cause| cannot_read(folder).because(cause))?;
        file_check(&entry.path(), forbidden)?;
    }
    Ok(())
}

/// Refuses `path` when it is a link, belongs to another user, or has a permission of `forbidden`.
fn file_check(path: &Path, forbidden: u32) -> anyhow::Result<()> {
    let metadata = fs::symlink_metadata(path).map_err(|cause| cannot_read(path).because(cause))?;
    let shown = path.display();
    if metadata.is_symlink() {
        return Err(UserError::from(text!(
            "{shown} là liên kết. Khoá phải nằm đúng chỗ của nó; hãy chép tệp thật vào đây.",
            "{shown} is a link. Keys must lie where they belong; copy the real file here."
        ))
        .into());
    }
    if metadata.uid() != rustix::process::geteuid().as_raw() {
        return Err(UserError::from(text!(
            "{shown} thuộc về người dùng khác. Hãy chạy máy chủ bằng người dùng sở hữu tệp này.",
            "{shown} belongs to another user. Run the server as the user who owns it."
        ))
        .into());
    }
    let mode = metadata.mode() & 0o777;
    if mode & forbidden != 0 {
        return Err(open_to_others(path, mode, mode & !forbidden).into());
    }
    Ok(())
}

/// The error for a file or folder with the wrong mode.
pub(super) fn open_to_others(path: &Path, mode: u32, wanted: u32) -> UserError {
    let shown = path.display();
    UserError::from(text!(
        "{shown} đang mở cho người khác (quyền {mode:03o}). Máy chủ không chạy khi khoá hoặc dữ liệu có thể bị lộ hay bị sửa. Hãy kiểm tra, rồi chạy: chmod {wanted:03o} {shown}",
        "{shown} is open to others (mode {mode:03o}). The server does not run while keys or data may be exposed or changed. Look at it, then run: chmod {wanted:03o} {shown}"
    ))
}

fn pem(label: &str, bytes: &[u8]) -> String {
    let text = BASE64.encode(bytes);
    let mut lines = String::new();
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, left) = rest.split_at(rest.len().min(64));
        lines.push_str(line);
        lines.push('\n');
        rest = left;
    }
    format!("-----BEGIN {label}-----\n{lines}-----END {label}-----\n")
}

fn cannot_read(path: &Path) -> UserError {
    UserError::from(text!("Không đọc được {}.", "Cannot read {}.", path.display()))
}

fn cannot_write(path: &Path) -> UserError {
    UserError::from(text!("Không ghi được {}.", "Cannot write {}.", path.display()))
}

fn unreadable(path: &Path) -> UserError {
    UserError::from(text!(
        "Tệp {} không đúng dạng PEM cần có. Hãy kiểm tra lại hoặc khôi phục từ bản sao lưu.",
        "The file {} is not the PEM that is needed. Check it or restore it from a backup.",
        path.display()
    ))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    fn mode(path: &Path) -> u32 {
        fs::symlink_metadata(path).unwrap().mode() & 0o777
    }

    #[test]
    fn what_is_written_is_ours_alone_and_reads_back() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("secrets");
        folder_create(&folder).unwrap();
        let path = folder.join("a.key");
        let document = protocol::sign::SigningKey::generate().unwrap();
        key_write(&path, &document).unwrap();
        assert_eq!((mode(&folder), mode(&path)), (0o700, 0o600));
        assert_eq!(key_read(&path).unwrap(), document);
        assert!(key_write(&path, &document).is_err(), "an existing key is never overwritten");
        key_write_once(&path, b"another").unwrap();
        assert_eq!(key_read(&path).unwrap(), document, "whoever comes second uses the key of the first");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "nothing is left behind");
        let others = folder.join("a.new");
        write(&others, b"mine").unwrap();
        replace(&path, b"x").unwrap();
        assert_eq!(read(&others).unwrap(), b"mine", "the file of somebody who has the name");
        assert_eq!((mode(&path), read(&path).unwrap().as_slice()), (0o600, b"x".as_slice()));
        secrets_check(&folder).unwrap();
    }

    #[test]
    fn keys_open_to_others_are_refused_with_the_command_that_closes_them() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("secrets");
        folder_create(&folder).unwrap();
        let path = folder.join("a.key");
        write(&path, b"").unwrap();
        for (open, wanted) in [(0o640, "chmod 600"), (0o604, "chmod 600"), (0o660, "chmod 600")] {
            set_mode(&path, open);
            let refused = secrets_check(&folder).unwrap_err().to_string();
            assert!(refused.contains(wanted), "{refused}");
        }
        set_mode(&path, 0o600);
        set_mode(&folder, 0o750);
        assert!(secrets_check(&folder).unwrap_err().to_string().contains("chmod 700"));
        set_mode(&folder, 0o700);
        symlink(&path, folder.join("b.key")).unwrap();
        assert!(secrets_check(&folder).unwrap_err().to_string().contains("link"));
    }

    #[test]
    fn public_files_may_be_read_but_not_written_by_others() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("a.crt");
        write(&path, b"").unwrap();
        set_mode(place.path(), 0o755);
        set_mode(&path, 0o644);
        public_check(place.path()).unwrap();
        set_mode(&path, 0o664);
        assert!(public_check(place.path()).unwrap_err().to_string().contains("chmod 644"));
    }
}
