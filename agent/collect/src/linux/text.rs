//! Line formats shared by several configuration files.

pub(super) use crate::text::capped;

/// The significant lines: without comments (`#`, `;`) and empty ones, trimmed.
pub(super) fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with(['#', ';']))
}

/// Parses simple `KEY=value` files as a shell would: quotes removed. The last of equal keys wins.
pub(super) fn assigned<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let mut found = None;
    for line in lines(text) {
        let line = line.strip_prefix("export ").map_or(line, str::trim_start);
        if let Some((name, value)) = line.split_once('=')
            && name.trim() == key
        {
            found = Some(unquoted(value.trim()));
        }
    }
    found
}

/// `text` without the quotes around it.
pub(super) fn unquoted(text: &str) -> &str {
    for quote in ['"', '\''] {
        if let Some(inner) = text.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote)) {
            return inner;
        }
    }
    text
}

/// An INI file: `(section, key, value)` in order, section and key in lower case.
pub(super) fn ini(text: &str) -> Vec<(String, String, String)> {
    let mut section = String::new();
    let mut entries = Vec::new();
    for line in lines(text) {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
            section = name.trim().to_lowercase();
        } else if let Some((key, value)) = line.split_once('=') {
            entries.push((section.clone(), key.trim().to_lowercase(), value.trim().to_owned()));
        }
    }
    entries
}

/// The last value of `key` in `section` of an INI file (both in lower case).
pub(super) fn ini_value(text: &str, section: &str, key: &str) -> Option<String> {
    let found = |(of, name, value): (String, String, String)| (of == section && name == key).then_some(value);
    ini(text).into_iter().rev().find_map(found)
}

/// A word that means yes in most configuration files.
pub(super) fn yes(word: &str) -> bool {
    ["yes", "true", "1", "on", "enable", "enabled"].iter().any(|yes| word.eq_ignore_ascii_case(yes))
}

/// True when `name` fits a pattern of `*` (anything) and `?` (one character).
pub(super) fn fits(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut at, mut read) = (0, 0);
    let mut star = None;
    while read < name.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, read));
                at += 1;
            }
            Some(&character) if character == '?' || character == name[read] => {
                at += 1;
                read += 1;
            }
            _ => match star {
                Some((position, taken)) => {
                    at = position + 1;
                    read = taken + 1;
                    star = Some((position, taken + 1));
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|&character| character == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assignments_are_read_as_a_shell_would() {
        let text = "# A=0\r\nA=1\n export A=\"2\"\nB = 'x y' \nC\n";
        assert_eq!(assigned(text, "A"), Some("2"));
        assert_eq!(assigned(text, "B"), Some("x y"));
        assert_eq!(assigned(text, "C"), None);
        assert_eq!(assigned("", "A"), None);
    }

    #[test]
    fn patterns_fit() {
        assert!(fits("*.conf", "a.conf") && fits("5?-*", "50-x") && fits("*", "") && !fits("*.conf", "a.cnf"));
        assert!(fits("a*b*c", "axxbyyc") && !fits("a*b*c", "axxbyy") && fits("", "") && !fits("", "a"));
    }

    #[test]
    fn ini_files_are_read() {
        let text = "[Journal]\r\nStorage=volatile\n#Storage=none\n[Other]\nStorage=x\n[broken\nno value\n";
        assert_eq!(ini_value(text, "journal", "storage").as_deref(), Some("volatile"));
        assert_eq!(ini_value(text, "journal", "seal"), None);
    }
}
