//! Browsers, with the version in each program file.

use policies::fact::{Browser, Fact, List};

use super::installed::{BROWSERS, Installed, text};
use crate::text::capped;
use crate::windows::context::{CheckContext, unknown};
use os::OsError;

/// Installed browsers, each program once.
pub(super) fn list(context: &CheckContext, installed: &Installed) -> List<Browser> {
    let mut found = Vec::new();
    for (file, kind) in BROWSERS {
        let keys = installed.paths.iter().filter(|key| key.name.eq_ignore_ascii_case(file));
        let paths = keys.filter_map(|key| Some(text(key, "")?.trim_matches('"').to_owned()));
        let mut paths: Vec<String> = paths.collect();
        paths.sort_unstable_by_key(|path| path.to_lowercase());
        paths.dedup_by_key(|path| path.to_lowercase());
        found.extend(paths.iter().filter_map(|path| {
            let version = match context.os.file_version(path) {
                Ok(version) => Fact::Known(capped(&version)),
                // A removed browser leaves its path behind.
                Err(OsError::Missing(_)) => return None,
                Err(error) => unknown(&error),
            };
            Some(Browser { kind, version })
        }));
    }
    let mut list = List::capped(found);
    list.left_out = list.left_out.saturating_add(installed.unread);
    list
}
