//! Defender exclusions that leave nothing to protect: whole drives, everyone's folders, all programs. Malware sets them, and so do people
//! whom Defender disturbs. Exclusions of single folders do not matter here.
//!
//! Sources: names of values below `Exclusions\Paths` and `Exclusions\Extensions` of its settings and of policies (learn.microsoft.com,
//! "Configure custom exclusions for Microsoft Defender Antivirus").

use crate::windows::context::CheckContext;
use os::{Answer, OsError};

/// Extensions of programs.
const PROGRAMS: [&str; 3] = ["exe", "dll", "*"];

/// The first exclusion that leaves nothing to protect; `settings` is where the product keeps its own.
///
/// # Errors
/// When they cannot be listed.
pub(super) fn all_of_it(context: &CheckContext, settings: &str) -> Answer<Option<String>> {
    for root in [r"HKLM\SOFTWARE\Microsoft", r"HKLM\SOFTWARE\Policies\Microsoft"] {
        for (kind, is_all) in [("Paths", is_drive as fn(&str) -> bool), ("Extensions", is_programs)] {
            let values = match context.os.values(&format!(r"{root}\{settings}\Exclusions\{kind}")) {
                Ok(values) => values,
                Err(OsError::Missing(_)) => continue,
                Err(error) => return Err(error),
            };
            if let Some((name, _)) = values.into_iter().find(|(name, _)| is_all(name)) {
                return Ok(Some(name));
            }
        }
    }
    Ok(None)
}

/// `C:\`, `C:`, `C:\*`, `%SystemDrive%`, `*`, and the folder that contains all user profiles.
fn is_drive(path: &str) -> bool {
    let path = path.trim().to_ascii_lowercase();
    let path = path.trim_end_matches(['*', '\\']);
    let below = match path.strip_prefix("%systemdrive%") {
        Some(below) => below,
        None => match path.as_bytes() {
            [] => return true,
            [drive, b':', ..] if drive.is_ascii_alphabetic() || matches!(drive, b'?' | b'*') => &path[2..],
            _ => return false,
        },
    };
    matches!(below, "" | r"\users")
}

fn is_programs(extension: &str) -> bool {
    PROGRAMS.contains(&extension.trim().trim_start_matches('.').to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_drives_and_all_programs_are_told_from_single_folders() {
        for all in ["C:\\", "c:", r"D:\*", "%SystemDrive%\\", "*", r"C:\Users", r"C:\Users\*", r"?:\*"] {
            assert!(is_drive(all), "{all}");
        }
        for some in [r"C:\Program Files\Bkav", r"C:\Users\lan\x", r"\\may-chu\chung", "%ProgramData%", r"C:\ke-toan\*"]
        {
            assert!(!is_drive(some), "{some}");
        }
        assert!([".exe", "EXE", "dll", "*"].into_iter().all(is_programs) && !is_programs("mdf"));
    }
}
