//! Text from the machine, truncated to what a fact keeps.

/// The most bytes of one text that a fact keeps.
pub(super) const CAP: usize = 256;

/// `text` without control characters, truncated to [`CAP`] bytes at a character boundary.
pub(super) fn capped(text: &str) -> String {
    let mut kept = String::with_capacity(text.len().min(CAP));
    for character in text.trim().chars() {
        let character = if character.is_control() { char::REPLACEMENT_CHARACTER } else { character };
        if kept.len() + character.len_utf8() > CAP {
            break;
        }
        kept.push(character);
    }
    kept
}

/// True when the name of a job says that it is a backup.
pub(super) fn named_backup(name: &str) -> bool {
    const WORDS: [&str; 5] = ["backup", "saoluu", "saolưu", "chepdulieu", "chépdữliệu"];
    let name: String = name.to_lowercase().chars().filter(|character| !" -_.".contains(*character)).collect();
    WORDS.iter().any(|word| name.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_at_a_character_and_made_visible() {
        assert_eq!(capped("  a\u{7}b\n"), "a\u{FFFD}b");
        let long = capped(&"ệ".repeat(1000));
        assert!(long.len() <= CAP && long.chars().all(|character| character == 'ệ'));
    }
}
