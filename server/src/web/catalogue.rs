//! The sentences of pages, in the reader's language. Sentences of templates are in `server/locales/{vi,en}.toml`, by key; tests check that
//! both have the same keys. Sentences in code are written where they are used, both languages side by side.

use std::collections::HashMap;
use std::fmt::Display;
use std::sync::LazyLock;

use policies::text::{Language, Text, visible};

use crate::store::text::text;

/// One language's catalogue, cheap to pass to templates, where it is called `t`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Catalogue(pub(crate) Language);

type Sentences = HashMap<String, String>;

static VI: LazyLock<Sentences> = LazyLock::new(|| read_catalogue(include_str!("../../locales/vi.toml")));
static EN: LazyLock<Sentences> = LazyLock::new(|| read_catalogue(include_str!("../../locales/en.toml")));

fn read_catalogue(file: &str) -> Sentences {
    let sections: HashMap<String, HashMap<String, String>> =
        toml::from_str(file).expect("the catalogue is part of the program and a test reads it");
    sections
        .into_iter()
        .flat_map(|(section, sentences)| {
            sentences.into_iter().map(move |(key, sentence)| (format!("{section}.{key}"), sentence))
        })
        .collect()
}

impl Catalogue {
    /// The catalogue for `language`.
    pub(crate) fn new(language: Language) -> Self {
        Self(language)
    }

    /// The sentence `key`; the key itself if the catalogue lacks it, which a test rules out.
    pub(crate) fn message<'k>(&self, key: &'k str) -> &'k str {
        let catalogue: &'static Sentences = match self.0 {
            Language::Vi => &VI,
            Language::En => &EN,
        };
        catalogue.get(key).map_or(key, String::as_str)
    }

    /// The sentence `key` with `{0}` filled in.
    pub(crate) fn message1(&self, key: &str, first: impl Display) -> String {
        self.message(key).replace("{0}", &first.to_string())
    }

    /// The sentence for a word of the store (a role, a state, an action) in `section`; the word itself, made safe, if the catalogue lacks it.
    pub(crate) fn word(&self, section: &str, word: &str) -> String {
        self.word_in(section, word, 60)
    }

    /// The same; a text that is not such a word is cut at `most` characters.
    pub(crate) fn word_in(&self, section: &str, word: &str, most: usize) -> String {
        let key = format!("{section}.{word}");
        let sentence = self.message(&key);
        if sentence == key { visible(word, most) } else { sentence.to_owned() }
    }

    /// Who did something, from the code that the log and the store keep (`person:lan`, `operator:root`, `program`).
    pub(crate) fn actor(&self, code: &str) -> String {
        match code.split_once(':') {
            Some(("person", name)) => visible(name, 80),
            Some(("operator", name)) => self.own(text!("{0} (trên máy chủ)", "{0} (on the server)", visible(name, 80))),
            _ if code == "program" => self.text("phần mềm", "the program").to_owned(),
            _ => visible(code, 80),
        }
    }

    /// A sentence written in code.
    pub(crate) fn text(&self, vi: &'static str, en: &'static str) -> &'static str {
        match self.0 {
            Language::Vi => vi,
            Language::En => en,
        }
    }

    /// A sentence written in code with values in it, which `text!` makes.
    pub(crate) fn own(&self, text: Text) -> String {
        match self.0 {
            Language::Vi => text.vi,
            Language::En => text.en,
        }
    }

    /// The form of `text` for this language.
    pub(crate) fn pick<'t>(&self, text: &'t Text) -> &'t str {
        text.get(self.0)
    }

    /// True for Vietnamese.
    pub(crate) fn is_vietnamese(&self) -> bool {
        self.0 == Language::Vi
    }

    /// The language's code in HTML.
    pub(crate) fn code(&self) -> &'static str {
        match self.0 {
            Language::Vi => "vi",
            Language::En => "en",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    fn keys(catalogue: &Sentences) -> BTreeSet<&str> {
        catalogue.keys().map(String::as_str).collect()
    }

    fn holes(sentence: &str) -> BTreeSet<char> {
        sentence.match_indices('{').filter_map(|(at, _)| sentence[at + 1..].chars().next()).collect()
    }

    #[test]
    fn every_event_of_an_agent_has_words() {
        use crate::store::machine::event::AgentEventKind as Kind;
        for kind in [Kind::Stopped, Kind::Shutdown, Kind::Uninstalled, Kind::AccessRepaired] {
            assert!(VI.contains_key(&format!("agent_event.{}", kind.word())), "{kind:?}");
        }
    }

    #[test]
    fn both_languages_have_the_same_keys_and_the_same_holes() {
        assert_eq!(keys(&VI), keys(&EN));
        for (key, sentence) in VI.iter() {
            assert_eq!(holes(sentence), holes(&EN[key]), "{key}");
            assert!(!sentence.trim().is_empty(), "{key} is empty in Vietnamese");
            assert!(!EN[key].trim().is_empty(), "{key} is empty in English");
        }
    }

    /// Every key that the files of `folder` refer to by name, found by reading them.
    fn used_keys(folder: &str) -> BTreeSet<String> {
        fn visit(folder: &Path, used: &mut BTreeSet<String>) {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    visit(&path, used);
                    continue;
                }
                let text = std::fs::read_to_string(&path).unwrap();
                for (at, _) in text.match_indices("say") {
                    let rest = text[at + 3..].trim_start_matches(|c: char| c.is_ascii_digit());
                    let Some(rest) = rest.strip_prefix('(') else { continue };
                    let Some(rest) = rest.trim_start().strip_prefix('"') else { continue };
                    if let Some(end) = rest.find('"') {
                        used.insert(rest[..end].to_owned());
                    }
                }
            }
        }
        let mut used = BTreeSet::new();
        visit(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut used);
        used
    }

    #[test]
    fn code_asks_for_no_sentence_by_its_key() {
        let used = used_keys("src/web");
        assert!(used.is_empty(), "put both languages where they are used: {used:?}");
    }

    #[test]
    fn every_key_that_templates_use_is_in_the_catalogue() {
        let missing: Vec<_> = used_keys("templates").into_iter().filter(|key| !VI.contains_key(key)).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }

    #[test]
    fn every_action_of_the_audit_log_has_its_words() {
        for action in crate::audit::Action::ALL {
            assert!(VI.contains_key(&format!("audit_action.{}", action.code())), "{action:?}");
        }
    }
}
