//! Where programs register that they are installed, for the machine and for each person: registry keys with their values, from the
//! loaded registry or from the file of somebody who is not logged on.

use policies::fact::BrowserKind;

use super::people::{self, count};
use crate::text::capped;
use crate::windows::accounts::loaded;
use crate::windows::context::CheckContext;
use os::windows::{Registry, Subkey};
use os::{Answer, OsError};

/// The file names of browsers. `browser.exe` is that of Cốc Cốc.
pub(super) const BROWSERS: [(&str, BrowserKind); 6] = [
    ("chrome.exe", BrowserKind::Chrome),
    ("msedge.exe", BrowserKind::Edge),
    ("firefox.exe", BrowserKind::Firefox),
    ("browser.exe", BrowserKind::CocCoc),
    ("opera.exe", BrowserKind::Opera),
    ("brave.exe", BrowserKind::Brave),
];

const UNINSTALL: &str = r"Microsoft\Windows\CurrentVersion\Uninstall";
const APP_PATHS: &str = r"Microsoft\Windows\CurrentVersion\App Paths";
/// Where both keys are below a root: for 64-bit programs and, on 64-bit Windows, for 32-bit ones.
const BELOW: [&str; 2] = ["Software", r"Software\WOW6432Node"];

/// The registered programs.
#[derive(Default)]
pub(super) struct Installed {
    /// Keys of `Uninstall`, and whether one person alone has the program.
    pub(super) programs: Vec<(Subkey, bool)>,
    /// Keys of `App Paths`; those of the loaded registry are of browsers only.
    pub(super) paths: Vec<Subkey>,
    /// How many people and single keys could not be read: at least this much is missing in both.
    pub(super) unread: u32,
}

/// Reads all of it.
///
/// # Errors
/// When the machine's own keys cannot be read. What cannot be read of people is counted.
pub(super) fn installed(context: &CheckContext) -> Answer<Installed> {
    let mut installed = Installed::default();
    installed.take_loaded(context, "HKLM", false)?;
    // If it is unknown who is logged on, everyone's file is tried; the files of logged-on people are in use.
    let loaded = loaded(context).unwrap_or_default();
    for sid in &loaded {
        if installed.take_loaded(context, &format!(r"HKU\{sid}"), true).is_err() {
            installed.unread += 1;
        }
    }
    let (files, unread) = people::files(context, &loaded);
    installed.unread += unread;
    installed.take_files(context, &files);
    Ok(installed)
}

impl Installed {
    /// Adds what is below a root of the loaded registry.
    fn take_loaded(&mut self, context: &CheckContext, root: &str, for_one_person: bool) -> Answer<()> {
        for below in BELOW {
            let key = format!(r"{root}\{below}\{UNINSTALL}");
            let names = match context.os.keys(&key) {
                Ok(names) => names,
                Err(OsError::Missing(_)) => Vec::new(),
                Err(error) => return Err(error),
            };
            for name in names {
                let program = self.loaded(context, &key, &name);
                self.programs.extend(program.map(|program| (program, for_one_person)));
            }
            let key = format!(r"{root}\{below}\{APP_PATHS}");
            for (file, _) in BROWSERS {
                let path = self.loaded(context, &key, file);
                self.paths.extend(path);
            }
        }
        Ok(())
    }

    fn loaded(&mut self, context: &CheckContext, key: &str, name: &str) -> Option<Subkey> {
        match context.os.values(&format!(r"{key}\{name}")) {
            Ok(values) => Some(Subkey { name: name.to_owned(), values }),
            Err(OsError::Missing(_)) => None,
            Err(_) => {
                self.unread += 1;
                None
            }
        }
    }

    /// Adds what is in the files of people who are not logged on.
    fn take_files(&mut self, context: &CheckContext, files: &[String]) {
        let keys = [UNINSTALL, APP_PATHS].map(|key| BELOW.map(|below| format!(r"{below}\{key}")));
        let keys: Vec<&str> = keys.iter().flatten().map(String::as_str).collect();
        for (index, file) in files.iter().enumerate() {
            match context.os.saved(file, &keys) {
                Ok(mut found) => {
                    let paths = found.split_off(BELOW.len());
                    self.programs.extend(found.into_iter().flatten().map(|program| (program, true)));
                    self.paths.extend(paths.into_iter().flatten());
                }
                // The folder was removed but the row was left.
                Err(OsError::Missing(_)) => {}
                // A hanging disk would cost its deadline for each of them.
                Err(OsError::TimedOut(_)) => {
                    self.unread += count(files.len() - index);
                    return;
                }
                Err(_) => self.unread += 1,
            }
        }
    }
}

/// A text among the values of a key, capped; an empty one counts as absent.
pub(super) fn text(key: &Subkey, name: &str) -> Option<String> {
    match key.values.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
        Some((_, Registry::Text(text))) if !text.trim().is_empty() => Some(capped(text)),
        Some((_, Registry::Number(number))) => Some(number.to_string()),
        _ => None,
    }
}
