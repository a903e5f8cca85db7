//! A systemd unit with its drop-ins, as far as needed for the command it starts.

use std::collections::BTreeMap;

use crate::linux::context::{CheckContext, optional};
use crate::linux::text::{assigned, lines, unquoted};
use os::{Answer, OsError};

/// Where units are, the administrator's last.
const FOLDERS: [&str; 4] =
    ["/lib/systemd/system", "/usr/lib/systemd/system", "/run/systemd/system", "/etc/systemd/system"];

/// The settings of a unit in order.
pub(super) struct Unit(Vec<(String, String)>);

/// Reads the unit `name`, such as `ssh@.service`.
///
/// # Errors
/// When it or a drop-in cannot be read.
pub(super) fn read(context: &CheckContext, name: &str) -> Answer<Unit> {
    let mut text = None;
    let mut parts = BTreeMap::new();
    for folder in FOLDERS {
        text = optional(context.text(&format!("{folder}/{name}")))?.or(text);
        parts.extend(context.texts(&format!("{folder}/{name}.d"), ".conf")?);
    }
    let text = text.ok_or_else(|| OsError::Missing(name.to_owned()))?;
    let all = [text].into_iter().chain(parts.into_values()).collect::<Vec<String>>().join("\n");
    let all = all.replace("\\\n", " ");
    let pair = |line: &str| line.split_once('=').map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned()));
    Ok(Unit(lines(&all).filter_map(pair).collect()))
}

impl Unit {
    /// The last value of `key`.
    pub(super) fn last(&self, key: &str) -> Option<&str> {
        self.0.iter().rev().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// The command it starts, with its environment variables expanded. `None` when that cannot be determined.
    pub(super) fn command(&self, context: &CheckContext) -> Answer<Option<Vec<String>>> {
        let mut environment = String::new();
        for (key, value) in &self.0 {
            match key.as_str() {
                "Environment" => environment.push_str(&format!("{}\n", unquoted(value))),
                "EnvironmentFile" => {
                    let text = optional(context.text(value.trim_start_matches('-')))?;
                    environment.extend(text.map(|text| format!("{text}\n")));
                }
                _ => {}
            }
        }
        let Some(command) = self.last("ExecStart") else { return Ok(None) };
        let mut words = Vec::new();
        for word in command.trim_start_matches(['-', '@', ':', '+', '!']).split_ascii_whitespace() {
            match word.strip_prefix('$') {
                Some(name) => {
                    let value = assigned(&environment, name.trim_start_matches('{').trim_end_matches('}'));
                    words.extend(value.unwrap_or_default().split_ascii_whitespace().map(str::to_owned));
                }
                None => words.push(word.to_owned()),
            }
        }
        // Quotes, variables inside a word and specifiers follow systemd's own syntax.
        let plain = words.iter().all(|word| !word.contains(['"', '\'', '$', '%', '\\']));
        Ok(plain.then_some(words))
    }
}
