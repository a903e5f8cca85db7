//! Whether an installed update waits for a restart.

use policies::fact::Fact;

use super::automatic::{LOCAL, exists};
use crate::collect::windows::scene::Scene;
use crate::os::windows::{Registry, UpdateSearch};
use crate::os::{Answer, OsError};

const SERVICING: &str = r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Component Based Servicing\RebootPending";
const SESSION: &str = r"HKLM\SYSTEM\CurrentControlSet\Control\Session Manager";

/// True when the servicing of Windows, Windows Update or a file of Windows itself waits for a restart.
pub(super) fn needed(scene: &Scene, search: &Answer<UpdateSearch>) -> Fact<bool> {
    let update = format!(r"{LOCAL}\RebootRequired");
    let told = search.as_ref().ok().and_then(|search| search.reboot).unwrap_or(false);
    let signs = [Fact::Known(told), exists(scene.os.keys(SERVICING)), exists(scene.os.keys(&update)), renames(scene)];
    if signs.contains(&Fact::Known(true)) {
        return Fact::Known(true);
    }
    signs.into_iter().find(|sign| sign.known().is_none()).unwrap_or(Fact::Known(false))
}

/// True when a file below `Windows` is to be replaced or removed at the next start. Other entries are browsers and anti-malware
/// products tidying up after themselves, which they do most days.
fn renames(scene: &Scene) -> Fact<bool> {
    match scene.os.value(SESSION, "PendingFileRenameOperations") {
        Ok(Registry::Texts(paths)) => Fact::Known(paths.iter().any(|path| of_windows(path))),
        Ok(_) | Err(OsError::Missing(_)) => Fact::Known(false),
        Err(error) => super::unknown(&error),
    }
}

/// Paths are written `\??\C:\Windows\...`, those that replace with a `!` before.
fn of_windows(path: &str) -> bool {
    let path = path.trim_start_matches(['!', '*', '1', '2']).to_lowercase();
    let Some((_, below)) = path.split_once(r":\windows\") else { return false };
    ["system32\\", "syswow64\\", "winsxs\\", "servicing\\"].iter().any(|folder| below.starts_with(folder))
        && !below.starts_with(r"system32\spool\")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_of_windows_itself_count() {
        assert!(of_windows(r"\??\C:\Windows\System32\ntdll.dll"));
        assert!(of_windows(r"!\??\D:\WINDOWS\WinSxS\x\y.sys"));
        for other in
            [r"\??\C:\Windows\Temp\x.tmp", r"\??\C:\Program Files\Google\Chrome\old.exe", "", r"C:\Người dùng\ảnh"]
        {
            assert!(!of_windows(other), "{other}");
        }
    }
}
