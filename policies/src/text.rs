//! A sentence a person reads, in the two languages of the product. Owns no formatting of facts.
//!
//! Code writes both forms side by side where the sentence is used: [`text!`](crate::text!) makes one with values in it,
//! [`Language::text`] chooses between two without.

use std::ffi::OsString;

use serde::{Deserialize, Serialize};

/// The language a person chose. Vietnamese is the first language of the product.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// Vietnamese.
    #[default]
    Vi,
    /// English.
    En,
}

impl Language {
    /// The form of a sentence without values.
    pub fn text<'t>(self, vi: &'t str, en: &'t str) -> &'t str {
        match self {
            Self::Vi => vi,
            Self::En => en,
        }
    }

    /// The form of a sentence that [`text!`](crate::text!) made.
    pub fn own(self, text: Text) -> String {
        match self {
            Self::Vi => text.vi,
            Self::En => text.en,
        }
    }

    /// The language with this code: `vi` or `en`.
    pub fn from_code(code: &str) -> Option<Self> {
        [Self::Vi, Self::En].into_iter().find(|language| language.code() == code)
    }

    /// Its code in HTML, cookies and options.
    pub fn code(self) -> &'static str {
        self.text("vi", "en")
    }

    /// The language that a command line asks for, found before the rest of it is read: `--lang`, else `environment`
    /// (`TRAM_AN_LANG`), else Vietnamese.
    pub fn of_command_line(arguments: &[OsString], environment: Option<&str>) -> Self {
        let mut asked = None;
        let mut words = arguments.iter().filter_map(|word| word.to_str());
        while let Some(word) = words.next() {
            match word.strip_prefix("--lang") {
                Some("") => asked = words.next(),
                Some(rest) => asked = rest.strip_prefix('=').or(asked),
                None => {}
            }
        }
        asked.or(environment).and_then(Self::from_code).unwrap_or_default()
    }
}

/// The same sentence in Vietnamese and English, with the same values in both: `text!("{0} máy", "{0} machines", count)`.
#[macro_export]
macro_rules! text {
    ($vi:literal, $en:literal $(, $value:expr)* $(,)?) => {
        $crate::text::Text { vi: ::std::format!($vi $(, $value)*), en: ::std::format!($en $(, $value)*) }
    };
}

/// The same sentence in Vietnamese and English.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Text {
    /// Vietnamese, with all diacritics.
    pub vi: String,
    /// English.
    pub en: String,
}

impl Text {
    /// Builds a sentence from its two forms.
    pub fn new(vi: impl Into<String>, en: impl Into<String>) -> Self {
        Self { vi: vi.into(), en: en.into() }
    }

    /// The form for `language`.
    pub fn get(&self, language: Language) -> &str {
        language.text(&self.vi, &self.en)
    }

    /// Adds words to both forms.
    pub fn push(&mut self, vi: &str, en: &str) {
        self.vi.push_str(vi);
        self.en.push_str(en);
    }

    /// Adds another sentence to this one.
    pub fn append(&mut self, other: &Self) {
        self.push(&other.vi, &other.en);
    }
}

/// Text from a machine or a file, safe to show: at most `most` characters (the last of them `…` when something was cut), on one line, with
/// invisible characters and those that change text direction made visible.
///
/// Every output uses this function for text it did not write itself; what a format needs in addition (HTML, a spreadsheet) is escaped by
/// that format.
pub fn visible(text: &str, most: usize) -> String {
    let mut shown = String::with_capacity(text.len().min(most.saturating_mul(4)));
    let mut marks = 0;
    // Where to cut back to when the text turns out too long: the place before its last character.
    let mut last = 0;
    for (count, character) in text.chars().enumerate() {
        if count >= most {
            shown.truncate(last);
            shown.push('…');
            return shown;
        }
        last = shown.len();
        marks = if is_mark(character) { marks + 1 } else { 0 };
        match character {
            // The control pictures block mirrors the control characters.
            '\0'..='\u{1f}' => shown.push(char::from_u32(0x2400 + u32::from(character)).unwrap_or('\u{fffd}')),
            '\u{7f}' => shown.push('\u{2421}'),
            _ if is_invisible(character) || marks > MOST_MARKS => {
                shown.push_str(&format!("⟨U+{:04X}⟩", u32::from(character)));
            }
            _ => shown.push(character),
        }
    }
    shown
}

/// True when nothing of `text` needs to be made [`visible`].
pub(crate) fn is_visible(text: &str) -> bool {
    text.chars().all(is_plain) || visible(text, usize::MAX) == text
}

/// Most combining marks on one letter; Vietnamese in its decomposed form needs two.
const MOST_MARKS: usize = 3;

/// ASCII and the Latin letters of Vietnamese, none of which is a mark or invisible.
fn is_plain(character: char) -> bool {
    matches!(character, ' '..='~' | '\u{c0}'..='\u{24f}' | '\u{1e00}'..='\u{1eff}')
}

fn is_mark(character: char) -> bool {
    matches!(character, '\u{300}'..='\u{36f}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}' | '\u{20d0}'..='\u{20ff}' | '\u{fe20}'..='\u{fe2f}')
}

/// Characters without a shape of their own: controls, separators, directions, joiners, fillers, tags.
fn is_invisible(character: char) -> bool {
    matches!(
        character,
        '\u{80}'..='\u{9f}'
            | '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_is_known_before_the_rest_of_a_command_line() {
        let words = |line: &str| line.split(' ').map(OsString::from).collect::<Vec<_>>();
        assert_eq!(Language::of_command_line(&words("p office --lang en"), None), Language::En);
        assert_eq!(Language::of_command_line(&words("p --lang=vi office"), Some("en")), Language::Vi);
        assert_eq!(Language::of_command_line(&words("p --lang=en office"), Some("vi")), Language::En);
        assert_eq!(Language::of_command_line(&words("p office"), Some("en")), Language::En);
        assert_eq!(Language::of_command_line(&words("p office"), None), Language::Vi);
        assert_eq!(Language::of_command_line(&words("p --lang fr"), Some("en")), Language::Vi);
    }

    #[test]
    fn both_forms_hold_the_same_values() {
        let (count, name) = (3, "PC-01");
        assert_eq!(
            text!("{0} máy, {name}", "{name}: {0} machines", count),
            Text::new("3 máy, PC-01", "PC-01: 3 machines")
        );
    }

    #[test]
    fn what_cannot_be_seen_is_made_visible() {
        assert_eq!(visible("máy\u{202e}txt.exe\n\u{7}", 100), "máy⟨U+202E⟩txt.exe␊␇");
        assert_eq!(visible("a\u{200b}b\u{feff}", 100), "a⟨U+200B⟩b⟨U+FEFF⟩");
        assert_eq!(visible("Phòng Văn hoá – Xã hội", 100), "Phòng Văn hoá – Xã hội");
        // Decomposed Vietnamese stays as it is; a stack of marks does not.
        assert_eq!(visible("e\u{302}\u{301}", 9), "e\u{302}\u{301}");
        assert!(is_visible("e\u{302}\u{301} “ạ” ~") && !is_visible("máy\u{ad}") && !is_visible("máy\n"));
        assert_eq!(visible("e\u{302}\u{301}\u{302}\u{301}", 9), "e\u{302}\u{301}\u{302}⟨U+0301⟩");
    }

    #[test]
    fn what_is_too_long_is_cut_where_it_shows() {
        assert_eq!(visible("abcdef", 6), "abcdef");
        assert_eq!(visible("abcdefg", 6), "abcde…");
        assert_eq!(visible("ạạạạ", 3), "ạạ…");
        assert_eq!(visible("a\u{202e}bc", 2), "a…");
        assert_eq!(visible("", 0), "");
        assert_eq!(visible("a", 0), "…");
    }
}
