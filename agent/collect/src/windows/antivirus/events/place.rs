//! Kinds of places: the only thing kept of a path.

use policies::fact::{Fact, Reason, ThreatPlace};

/// The kind of place of a path. On disk the downloads folder has the same name in every language. `removable` are drive letters.
pub(super) fn of(path: &str, removable: &[char]) -> Fact<ThreatPlace> {
    let bare = path.strip_prefix(r"\\?\").unwrap_or(path);
    let bare = bare.strip_prefix(r"UNC\").map_or_else(|| bare.to_owned(), |rest| format!(r"\\{rest}"));
    let mut start = bare.chars();
    match (start.next(), start.next()) {
        (None, _) => Fact::unknown(Reason::SourceMissing, "the event names no path"),
        (Some('\\'), Some('\\')) => Fact::Known(ThreatPlace::Share),
        (Some(drive), Some(':')) if removable.contains(&drive.to_ascii_uppercase()) => {
            Fact::Known(ThreatPlace::Removable)
        }
        _ if bare.to_ascii_lowercase().contains(r"\downloads\") => Fact::Known(ThreatPlace::Download),
        (Some(drive), Some(':')) if drive.is_ascii_alphabetic() => Fact::Known(ThreatPlace::Local),
        _ => Fact::unknown(Reason::Unreadable, "the event names no drive"),
    }
}

/// The paths in a text of any language: from a drive letter or the two backslashes of a share to the end of the line. Whatever follows a
/// path on its line stays with it, which does not change its kind.
pub(super) fn paths(text: &str) -> Vec<&str> {
    text.lines().flat_map(paths_of_line).collect()
}

fn paths_of_line(line: &str) -> Vec<&str> {
    let mut starts: Vec<usize> = Vec::new();
    let mut before = ' ';
    for (at, letter) in line.char_indices() {
        let rest = &line[at..];
        let drive = letter.is_ascii_alphabetic() && rest[1..].starts_with(r":\");
        let begins = !before.is_alphanumeric() && (drive || (rest.starts_with(r"\\") && before.is_whitespace()));
        // In `\\?\C:\a` the drive belongs to the path already begun.
        if begins && !line[..at].ends_with(r"\\?\") {
            starts.push(at);
        }
        before = letter;
    }
    let ends = starts.iter().skip(1).copied().chain([line.len()]);
    starts.iter().zip(ends).map(|(start, end)| line[*start..end].trim()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_one_of_four_places_or_none() {
        let known = |path: &str| of(path, &['E']).known().copied();
        assert_eq!(known(r"E:\Danh sách\a.exe"), Some(ThreatPlace::Removable));
        assert_eq!(known(r"\\?\e:\a.zip"), Some(ThreatPlace::Removable));
        assert_eq!(known(r"\\may-chu\chung\a.exe"), Some(ThreatPlace::Share));
        assert_eq!(known(r"\\?\UNC\may-chu\chung\a.exe"), Some(ThreatPlace::Share));
        assert_eq!(known(r"C:\Users\Hoà\Downloads\a.exe"), Some(ThreatPlace::Download));
        assert_eq!(known(r"C:\Windows\a.exe"), Some(ThreatPlace::Local));
        for path in ["", r"\Device\HarddiskVolume3\a.exe", "HKLM", "ổ đĩa", ":", r"\"] {
            assert_eq!(known(path), None, "{path}");
        }
    }

    #[test]
    fn paths_are_found_in_a_text_of_any_language() {
        let text = "Đường dẫn: D:\\Hồ sơ\\a.exe bởi: X\r\ntừ \\\\may-chu\\chung\\b.exe, rồi C:\\c\nscheme:\\ http://x/y \\ một:\\ \\\\?\\E:\\d";
        assert_eq!(paths(text), [r"D:\Hồ sơ\a.exe bởi: X", r"\\may-chu\chung\b.exe, rồi", r"C:\c", r"\\?\E:\d"]);
        assert!(paths("").is_empty() && paths("C:").is_empty() && paths("\u{301}C").is_empty());
    }
}
