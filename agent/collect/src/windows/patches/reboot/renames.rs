//! The list of files that Windows renames or removes at its next start (`MoveFileEx`, `MOVEFILE_DELAY_UNTIL_REBOOT`): pairs of source and
//! target; an empty target means removal. Paths are written `\??\C:\...`; a `!` before the target means that it may already exist.
//!
//! Only the replacement of a Windows file is part of an update. Removals are of leftovers: of drivers, browsers and anti-malware
//! products, which clean up most days. Source: learn.microsoft.com, "MoveFileExW".

/// Folders below `Windows` that hold Windows' own files.
const OWN: [&str; 4] = ["system32\\", "syswow64\\", "winsxs\\", "servicing\\"];
/// Subfolders of these for additions to Windows: printers, copies of drivers, Flash.
const OTHERS: [&str; 5] =
    ["system32\\spool\\", "system32\\driverstore\\", "system32\\macromed\\", "syswow64\\macromed\\", "winsxs\\temp\\"];

/// True when a Windows file is to be replaced; `None` when the list is malformed and the part that was read replaces none.
pub(super) fn replaced(texts: &[String]) -> Option<bool> {
    for pair in texts.chunks(2) {
        let [source, target] = pair else { return None };
        // Misaligned: a source is never empty and never has the overwrite mark.
        if source.is_empty() || plain(source).starts_with('!') {
            return None;
        }
        if of_windows(target) {
            return Some(true);
        }
    }
    Some(false)
}

/// The path without the mark of the requester (`*1`, `*2`).
fn plain(path: &str) -> &str {
    path.strip_prefix("*1").or_else(|| path.strip_prefix("*2")).unwrap_or(path)
}

/// True for the path of a file of Windows itself.
fn of_windows(path: &str) -> bool {
    let path = plain(path).trim_start_matches('!').to_lowercase();
    let path = path.strip_prefix(r"\??\").unwrap_or(&path);
    let below = path.strip_prefix(r"\systemroot\").or_else(|| {
        let (volume, below) = path.split_once(r"\windows\")?;
        is_volume(volume).then_some(below)
    });
    let Some(below) = below else { return false };
    let name = below.rsplit('\\').next().unwrap_or_default();
    // Driver installers leave `SET4A1C.tmp` and the like.
    OWN.iter().any(|folder| below.starts_with(folder))
        && !OTHERS.iter().any(|folder| below.starts_with(folder))
        && !name.ends_with(".tmp")
}

/// `c:`, `volume{...}`, `\device\harddiskvolume3`.
fn is_volume(text: &str) -> bool {
    let text = text.strip_prefix("globalroot").unwrap_or(text);
    match text.strip_prefix(r"\device\") {
        Some(device) => !device.contains('\\'),
        None => text.len() == 2 && text.ends_with(':') || text.starts_with("volume{") && !text.contains('\\'),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(texts: &[&str]) -> Option<bool> {
        replaced(&texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn deletions_before_a_replaced_file_of_windows_hide_nothing() {
        let list = [
            r"\??\C:\Users\a\AppData\Local\Temp\x.tmp",
            "",
            r"\??\C:\Windows\System32\new.tmp",
            r"!\??\C:\Windows\System32\ntdll.dll",
        ];
        assert_eq!(judged(&list), Some(true));
        assert_eq!(judged(&list[..2]), Some(false));
    }

    #[test]
    fn what_is_only_removed_needs_no_restart_wherever_it_lies() {
        for left in [
            r"\??\C:\Windows\system32\drivers\aswSP.sys.174",
            r"\??\C:\Windows\SysWOW64\Macromed\Flash\FlashUtil32_11_2_202_233_Plugin.exe",
            r"\??\C:\Windows\System32\DriverStore\Temp\{5a1b}\oem7.inf",
            r"\??\C:\Windows\System32\ntdll.dll",
            r"*1\??\C:\Windows\WinSxS\x\y.sys",
        ] {
            assert_eq!(judged(&[left, ""]), Some(false), "{left}");
        }
    }

    #[test]
    fn printers_drivers_leftovers_and_browsers_are_not_windows() {
        for (source, target) in [
            (
                r"\??\C:\Windows\system32\spool\DRIVERS\x64\3\New\UNIDRV.DLL",
                r"!\??\C:\Windows\system32\spool\DRIVERS\x64\3\UNIDRV.DLL",
            ),
            (r"\??\C:\Windows\System32\drivers\a.sys", r"\??\C:\Windows\System32\drivers\SET4A1C.tmp"),
            (r"\??\C:\Windows\System32\a.dll", r"\??\C:\Config.Msi\1f3b.rbf"),
            (r"\??\C:\Program Files\Google\Chrome\new.exe", r"!\??\C:\Program Files\Google\Chrome\chrome.exe"),
            (r"\??\C:\Windows\Temp\a", r"!\??\C:\Windows\Temp\b"),
            (r"\??\D:\Sao lưu\Windows\System32\a", r"!\??\D:\Sao lưu\Windows\System32\ntdll.dll"),
        ] {
            assert_eq!(judged(&[source, target]), Some(false), "{target}");
        }
    }

    #[test]
    fn a_target_is_known_however_its_disk_is_written() {
        for target in [
            r"!\??\D:\WINDOWS\WinSxS\x\y.sys",
            r"\??\C:\Windows\SysWOW64\kernel32.dll",
            r"*2!\??\C:\Windows\System32\drivers\tcpip.sys",
            r"\??\Volume{9b1e}\Windows\servicing\TrustedInstaller.exe",
            r"\Device\HarddiskVolume3\Windows\System32\win32k.sys",
            r"!\??\GLOBALROOT\Device\HarddiskVolume3\Windows\System32\win32k.sys",
            r"\SystemRoot\System32\win32k.sys",
        ] {
            assert_eq!(judged(&[r"\??\C:\Windows\Temp\a.tmp", target]), Some(true), "{target}");
        }
    }

    #[test]
    fn a_list_that_is_not_of_pairs_says_only_what_it_surely_says() {
        let (one, other) = (r"\??\C:\Temp\a", r"!\??\C:\Windows\System32\ntdll.dll");
        assert_eq!(judged(&[]), Some(false));
        assert_eq!(judged(&[one]), None);
        assert_eq!(judged(&[one, "", one]), None);
        assert_eq!(judged(&[one, other, one]), Some(true));
        assert_eq!(judged(&["", one, other, ""]), None);
        assert_eq!(judged(&[other, one]), None);
    }
}
