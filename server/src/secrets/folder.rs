//! Who may read and write the rest of the data folder: what others could have changed is refused by name, what they could only read is
//! made private and reported.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use policies::text;

use super::Places;
use super::file::{self, open_to_others};
use crate::config::{self, Config};
use crate::error::UserError;

/// Makes the folder of a new server, which must be new or empty: keys are never mixed with existing files, and never overwritten.
///
/// # Errors
/// It holds something, or cannot be made.
pub(crate) fn folder_prepare(data: &Path) -> anyhow::Result<()> {
    let shown = data.display();
    if data.join(config::FILE).exists() {
        return Err(UserError::from(text!(
            "Đã có máy chủ trong {shown}. Hãy chạy: posture-server run --data {shown}, hoặc chọn thư mục khác.",
            "There is a server in {shown} already. Run: posture-server run --data {shown}, or choose another folder."
        ))
        .into());
    }
    if !data.exists() {
        if let Some(parent) = data.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            std::fs::create_dir_all(parent).map_err(|cause| {
                UserError::from(text!("Không tạo được thư mục {}.", "Cannot make the folder {}.", parent.display()))
                    .because(cause)
            })?;
        }
        return file::folder_create(data);
    }
    let mut entries = std::fs::read_dir(data).map_err(|cause| {
        UserError::from(text!("Không đọc được thư mục {shown}.", "Cannot read the folder {shown}.")).because(cause)
    })?;
    if entries.next().is_some() {
        return Err(UserError::from(text!("Thư mục {shown} không trống (có thể lần tạo trước bị dừng giữa chừng). Hãy dọn thư mục này hoặc chọn thư mục khác.", "The folder {shown} is not empty (an earlier init may have been broken off). Clear it or choose another."))
        .into());
    }
    file::private_folder_set(data)
}

/// Checks the data folder, `server.toml`, the folders with keys that the running server never reads, and an SQLite database.
///
/// # Errors
/// One of them belongs to another user or can be written by others; the message names it and what to do.
pub fn data_check(data: &Path, config: &Config) -> anyhow::Result<()> {
    let places = Places::new(data);
    let mut paths = vec![data.to_owned(), data.join(config::FILE)];
    // These may have been given to the person who signs.
    let ours = |path: &PathBuf| path.metadata().is_ok_and(|found| found.uid() == rustix::process::geteuid().as_raw());
    paths.extend([places.policy_signing(), places.offline()].into_iter().filter(ours));
    if let Some(file) = config.sqlite_file(data) {
        let beside = |ending: &str| PathBuf::from(format!("{}{ending}", file.display()));
        paths.extend([beside("-wal"), beside("-shm"), file]);
    }
    paths.iter().filter(|path| path.exists()).try_for_each(|path| closed(path))?;
    programs_check(&data.join(&config.agents.programs))
}

/// Checks the programs given to machines: another user or a group may administer them, but not everybody.
fn programs_check(folder: &Path) -> anyhow::Result<()> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    for path in entries.chain([folder.to_owned()]) {
        // A link has no mode of its own.
        let Ok(found) = fs::symlink_metadata(&path) else { continue };
        let mode = found.mode() & 0o777;
        if mode & 0o002 != 0 && !found.is_symlink() {
            return Err(open_to_others(&path, mode, mode & !0o002).into());
        }
    }
    Ok(())
}

/// Makes private what others may only read. A file owned by root is trusted: an administrator may keep the configuration so.
fn closed(path: &Path) -> anyhow::Result<()> {
    let metadata = fs::metadata(path).map_err(|cause| {
        UserError::from(text!("Không đọc được {}.", "Cannot read {}.", path.display())).because(cause)
    })?;
    let (ours, mode) = (rustix::process::geteuid().as_raw(), metadata.mode() & 0o7777);
    let shown = path.display();
    if ![ours, 0].contains(&metadata.uid()) {
        return Err(UserError::from(text!("{shown} thuộc về người dùng khác. Hãy chạy máy chủ bằng người dùng sở hữu thư mục dữ liệu, hoặc trả lại quyền sở hữu bằng chown.", "{shown} belongs to another user. Run the server as the user who owns the data folder, or give it back with chown."))
        .into());
    }
    let wanted = mode & !0o077;
    if mode & 0o022 != 0 {
        return Err(open_to_others(path, mode, wanted).into());
    }
    if mode & 0o055 != 0 && metadata.uid() == ours {
        fs::set_permissions(path, Permissions::from_mode(wanted)).map_err(|_| open_to_others(path, mode, wanted))?;
        tracing::warn!("{shown} could be read by others (mode {mode:03o}) and was closed (mode {wanted:03o})");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_could_read_is_closed_and_what_they_could_change_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path();
        let config = Config::new("server-1".to_owned());
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
        let set = |path: &Path, mode| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
        let (toml, db, signing) = (data.join("server.toml"), data.join("tram-an.db"), data.join("policy-signing"));
        for file in [&toml, &db] {
            fs::write(file, "x").unwrap();
        }
        fs::create_dir(&signing).unwrap();
        for (path, wanted) in [(data, 0o700), (&toml, 0o600), (&db, 0o600), (&signing, 0o700)] {
            let open = wanted | 0o055;
            set(path, open);
            data_check(data, &config).unwrap();
            assert_eq!(mode(path), wanted | (open & 0o700), "{}", path.display());
            for open in [wanted | 0o020, wanted | 0o002, wanted | 0o066] {
                set(path, open);
                let refused = data_check(data, &config).unwrap_err().to_string();
                assert!(refused.contains(&format!("chmod {wanted:03o} {}", path.display())), "{refused}");
                assert_eq!(mode(path), open, "what may have been changed is left as evidence");
            }
            set(path, wanted);
        }
        let (programs, program) = (data.join("programs"), data.join("programs/agent.deb"));
        fs::create_dir(&programs).unwrap();
        fs::write(&program, "").unwrap();
        for (path, fine, open) in [(&programs, 0o775, 0o777), (&program, 0o664, 0o646)] {
            set(path, open);
            assert!(data_check(data, &config).unwrap_err().to_string().contains("chmod"), "{}", path.display());
            set(path, fine);
            data_check(data, &config).unwrap();
            assert_eq!(mode(path), fine);
        }
    }
}
