//! The stack of a service, with its includes expanded in place.

use crate::linux::context::{CheckContext, optional};
use crate::linux::text::lines;
use os::{Answer, OsError};

/// Where stacks are, the administrator's first.
const FOLDERS: [&str; 2] = ["/etc/pam.d", "/usr/lib/pam.d"];

/// One line of a stack: kind, control, module, arguments.
#[derive(Clone)]
pub(super) struct Line {
    pub(super) kind: String,
    /// In brackets when it is a list.
    pub(super) control: String,
    pub(super) module: String,
    arguments: Vec<String>,
}

impl Line {
    /// The value of `key=value`; the last one if there are several.
    pub(super) fn argument(&self, key: &str) -> Option<&str> {
        self.arguments.iter().rev().find_map(|argument| argument.strip_prefix(key)?.strip_prefix('='))
    }

    /// True when `word` is among the arguments.
    pub(super) fn has(&self, word: &str) -> bool {
        self.arguments.iter().any(|argument| argument == word)
    }
}

/// The stack of the first of `names` that exists.
///
/// # Errors
/// When there is none, or an included file cannot be read.
pub(super) fn stack(context: &CheckContext, names: &[&str]) -> Answer<Vec<Line>> {
    for name in names {
        if let Some(text) = optional(text(context, name))? {
            let mut lines = Vec::new();
            read_into(context, &text, None, 8, &mut lines)?;
            return Ok(lines);
        }
    }
    Err(OsError::Missing(format!("/etc/pam.d/{}", names.join(", "))))
}

fn text(context: &CheckContext, name: &str) -> Answer<String> {
    let bare = name.rsplit('/').next().unwrap_or(name);
    let text = FOLDERS.iter().find_map(|folder| optional(context.text(&format!("{folder}/{bare}"))).transpose());
    text.unwrap_or_else(|| Err(OsError::Missing(format!("{}/{bare}", FOLDERS[1]))))
}

/// Adds the lines of `text`; only those of one kind if only that kind was included.
fn read_into(context: &CheckContext, all: &str, only: Option<&str>, depth: u8, to: &mut Vec<Line>) -> Answer<()> {
    let include = |name: &str, only: Option<&str>, to: &mut Vec<Line>| {
        let Some(depth) = depth.checked_sub(1) else {
            return Err(OsError::Failed(name.to_owned(), "includes too deep".to_owned()));
        };
        // A service with a missing include lets nobody in; it must not be read as a stack without rules.
        let text = text(context, name).map_err(|error| match error {
            OsError::Missing(path) => OsError::Failed(path, "is included and does not exist".to_owned()),
            error => error,
        })?;
        read_into(context, &text, only, depth, to)
    };
    for line in lines(&all.replace("\\\n", " ")) {
        if let Some(name) = line.strip_prefix("@include") {
            include(name.trim(), only, to)?;
            continue;
        }
        let Some(line) = read_line(line).filter(|line| only.is_none_or(|only| only == line.kind)) else { continue };
        if ["include", "substack"].contains(&line.control.as_str()) {
            include(&line.module, Some(&line.kind), to)?;
        } else {
            to.push(line);
        }
    }
    Ok(())
}

/// `kind control module arguments`; a control may be a list in brackets.
fn read_line(line: &str) -> Option<Line> {
    let (kind, rest) = line.split_once(char::is_whitespace)?;
    let rest = rest.trim_start();
    let (control, rest) =
        if rest.starts_with('[') { rest.split_once(']')? } else { rest.split_once(char::is_whitespace)? };
    let mut words = rest.split_ascii_whitespace();
    let module = words.next()?.rsplit('/').next()?.to_owned();
    let arguments = words.take_while(|word| !word.starts_with('#')).map(str::to_owned).collect();
    let kind = kind.trim_start_matches('-').to_lowercase();
    Some(Line { kind, control: control.to_lowercase(), module, arguments })
}
