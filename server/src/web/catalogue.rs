//! The sentences of pages, in the reader's language. Sentences of templates are in `server/locales/{vi,en}.toml`, by key; tests check that
//! both have the same keys. Sentences in code are written where they are used, both languages side by side.

use std::collections::HashMap;
use std::fmt::Display;
use std::sync::LazyLock;

use policies::text;
use policies::text::{Language, Text, visible};

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
        self.0.text(vi, en)
    }

    /// A sentence written in code with values in it, which `text!` makes.
    pub(crate) fn own(&self, text: Text) -> String {
        self.0.own(text)
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
        self.0.code()
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
        use protocol::AgentEventKind as Kind;
        for kind in Kind::ALL.into_iter().chain([Kind::Unknown]) {
            let word = serde_json::to_value(kind).unwrap();
            assert!(VI.contains_key(&format!("agent_event.{}", word.as_str().unwrap())), "{kind:?}");
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

    /// The text in quotation marks after each `call` in the files of `folder`.
    fn named(folder: &Path, call: &str) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                found.extend(named(&path, call));
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let after = text.split(call).skip(1).filter_map(|rest| rest.trim_start().strip_prefix('"'));
            found.extend(after.filter_map(|rest| rest.split('"').next()).map(str::to_owned));
        }
        found
    }

    #[test]
    fn the_catalogue_holds_what_templates_ask_for_and_nothing_else() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let templates = root.join("templates");
        let used: BTreeSet<_> =
            named(&templates, ".message(").union(&named(&templates, ".message1(")).cloned().collect();
        assert!(used.len() > 200, "only {} keys found: the search is broken", used.len());
        let missing: Vec<_> = used.iter().filter(|key| !VI.contains_key(*key)).collect();
        assert!(missing.is_empty(), "{missing:?}");
        // The words of the store are asked for by section.
        let sections: BTreeSet<_> = [templates, root.join("src/web")]
            .iter()
            .flat_map(|folder| named(folder, ".word(").into_iter().chain(named(folder, ".word_in(")))
            .collect();
        let is_word = |key: &str| key.split('.').next().is_some_and(|section| sections.contains(section));
        let idle: Vec<_> = VI.keys().filter(|key| !used.contains(*key) && !is_word(key)).collect();
        assert!(idle.is_empty(), "no template uses these: {idle:?}");
    }

    #[test]
    fn every_action_of_the_audit_log_has_its_words() {
        for action in crate::audit::Action::ALL {
            assert!(VI.contains_key(&format!("audit_action.{}", action.code())), "{action:?}");
        }
    }
}
