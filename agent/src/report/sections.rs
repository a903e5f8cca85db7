//! The text of each section as last reported. Shows what has changed since, and supplies a body that the server lacks.
//! Texts are verified by digest when read, so these files need not be synced.

use policies::fact::Section;
use protocol::{Digest, event};

use crate::state::{Durability, StateError, StateFolder};

/// The folder within the state folder.
const FOLDER: &str = "sections";

/// A section's file.
fn file(section: &str) -> String {
    format!("{FOLDER}/{section}.json")
}

/// The name of every section that a report can have.
fn names() -> impl Iterator<Item = &'static str> {
    Section::ALL.iter().map(|section| section.name()).chain([event::SECTION])
}

/// The digest of the text last reported for the section called `name`; none when there is no such text.
pub(crate) fn digest(state: &StateFolder, name: &'static str) -> Option<Digest> {
    state.read(&file(name)).ok().flatten().map(|bytes| Digest::of(&bytes))
}

/// The text of the section called `name`, if it still has this digest.
pub(crate) fn text(state: &StateFolder, name: &str, digest: Digest) -> Option<String> {
    // The name comes from a server: only a known section name is turned into a path.
    let name = names().find(|known| *known == name)?;
    let bytes = state.read(&file(name)).ok().flatten()?;
    if Digest::of(&bytes) == digest { String::from_utf8(bytes).ok() } else { None }
}

/// Stores the text that was put into a report.
///
/// # Errors
/// When the state folder refuses; the section is then sent again with the next report.
pub(crate) fn keep(state: &StateFolder, name: &'static str, text: &str) -> Result<(), StateError> {
    state.folder(FOLDER)?;
    state.write(&file(name), text.as_bytes(), Durability::Relaxed)
}

/// Deletes every text, so that the next report contains every body.
///
/// # Errors
/// When the state folder refuses.
pub(crate) fn forget(state: &StateFolder) -> Result<(), StateError> {
    names().try_for_each(|name| state.remove(&file(name)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::Missing;

    #[test]
    fn texts_are_found_by_digest_only() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateFolder::open(&folder.path().join("s"), Missing::Create).unwrap();
        let of = |text: &str| Digest::of(text.as_bytes());
        assert_eq!(digest(&state, "time"), None);
        keep(&state, "time", "{}").unwrap();
        assert_eq!(digest(&state, "time"), Some(of("{}")));
        assert_eq!(text(&state, "time", of("{}")).as_deref(), Some("{}"));
        assert_eq!(text(&state, "time", of("{ }")), None);
        assert_eq!(text(&state, "../identity", of("{}")), None);
        forget(&state).unwrap();
        assert_eq!(digest(&state, "time"), None);
    }
}
