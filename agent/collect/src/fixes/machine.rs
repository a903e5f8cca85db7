//! Recorded machines of both families, to which remedies can be applied.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use jiff::Timestamp;
use policies::fact::{Facts, Section};
use serde::de::DeserializeOwned;

use super::change::Remedy;
use super::steps::Effect;
use crate::{Collector, windows};
use os::OsError;
use os::windows::recorded::Recorded as Windows;
use os::windows::{Registry, WindowsOs};

#[cfg(target_os = "linux")]
use {crate::linux, os::recorded::Recorded as Linux};

/// A family of systems.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    Windows,
    #[cfg(target_os = "linux")]
    Linux,
}

impl Family {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Windows => "windows",
            #[cfg(target_os = "linux")]
            Self::Linux => "linux",
        }
    }

    /// The folders with its machines.
    const fn folders(self) -> &'static [&'static str] {
        match self {
            Self::Windows => &["captured-windows"],
            #[cfg(target_os = "linux")]
            Self::Linux => &["captured", "captured-neglected"],
        }
    }
}

/// A recorded machine.
pub(super) struct Machine {
    /// The name of its folder.
    pub(super) name: String,
    answers: Answers,
}

enum Answers {
    Windows(Box<Windows>),
    #[cfg(target_os = "linux")]
    Linux(Box<Linux>),
}

impl Machine {
    /// All machines of a family, by name.
    pub(super) fn all(family: Family) -> Vec<Self> {
        let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
        let entries = family.folders().iter().flat_map(|folder| std::fs::read_dir(tests.join(folder)).unwrap());
        let mut folders: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        folders.sort();
        folders.iter().map(|folder| Self::load(family, folder)).collect()
    }

    fn load(family: Family, folder: &Path) -> Self {
        let answers = match family {
            Family::Windows => Answers::Windows(Box::new(Windows::load(folder).unwrap())),
            #[cfg(target_os = "linux")]
            Family::Linux => Answers::Linux(Box::new(Linux::load(folder).unwrap())),
        };
        Self { name: folder.file_name().unwrap().to_str().unwrap().to_owned(), answers }
    }

    /// The facts that the collectors find.
    pub(super) fn facts(&self, now: Timestamp) -> Facts {
        let collector = match &self.answers {
            Answers::Windows(answers) => Collector::new(Arc::new(windows::Machine::new(Arc::new((**answers).clone())))),
            #[cfg(target_os = "linux")]
            Answers::Linux(answers) => Collector::new(Arc::new(linux::Machine::new(Arc::new((**answers).clone())))),
        };
        collector.collect(Section::ALL, now)
    }

    /// True when the machine is already in the state that a command of the steps leaves.
    pub(super) fn is_as(&self, effect: &Effect) -> bool {
        match &self.answers {
            Answers::Windows(answers) => holds(answers, effect),
            #[cfg(target_os = "linux")]
            Answers::Linux(answers) => match effect {
                Effect::Timer { name } => {
                    answers.links.keys().any(|link| link.ends_with(&format!("/timers.target.wants/{name}")))
                }
                _ => false,
            },
        }
    }

    /// True when a line of a remedy changes something here, even if only together with others.
    pub(super) fn is_changed_by(&self, line: &Remedy) -> bool {
        let raw = |machine: &Self| match &machine.answers {
            Answers::Windows(answers) => format!("{answers:?}"),
            #[cfg(target_os = "linux")]
            Answers::Linux(answers) => format!("{answers:?}"),
        };
        self.changed(line).map_or(true, |changed| raw(&changed) != raw(self))
    }

    /// The machine after the remedy.
    pub(super) fn changed(&self, remedy: &Remedy) -> anyhow::Result<Self> {
        let answers = match &self.answers {
            Answers::Windows(answers) => {
                let mut changed = through_json(&**answers, remedy)?.import(&remedy.registry)?;
                for (path, content) in &remedy.files {
                    changed.files.insert(path.to_lowercase(), content.clone().into_bytes());
                }
                Answers::Windows(Box::new(changed))
            }
            #[cfg(target_os = "linux")]
            Answers::Linux(answers) => {
                let mut changed = through_json(&**answers, remedy)?;
                changed.files = answers.files.clone();
                for (path, content) in &remedy.files {
                    changed.files.insert(path.clone(), content.clone().into_bytes());
                }
                changed.files.retain(|path, _| !remedy.remove_files.contains(path));
                for edit in remedy.edit.iter().filter(|edit| !edit.is_answer()) {
                    let file = changed.files.get_mut(&edit.place).with_context(|| edit.place.clone())?;
                    *file = edit.apply(&String::from_utf8_lossy(file))?.into_bytes();
                }
                Answers::Linux(Box::new(changed))
            }
        };
        Ok(Self { name: self.name.clone(), answers })
    }
}

fn holds(answers: &Windows, effect: &Effect) -> bool {
    match effect {
        Effect::Value { key, name, data } => {
            let keys = match key.strip_suffix(r"\*") {
                Some(above) => {
                    let below = answers.keys(above).unwrap_or_default();
                    below.iter().map(|name| format!(r"{above}\{name}")).collect()
                }
                None => vec![key.clone()],
            };
            let is_so = |key: &String| match (answers.value(key, name), data) {
                (Err(OsError::Missing(_)), None) => true,
                (Ok(Registry::Number(number)), Some(data)) => data.parse() == Ok(number),
                (Ok(Registry::Text(text)), Some(data)) => text == *data,
                _ => false,
            };
            !keys.is_empty() && keys.iter().all(is_so)
        }
        Effect::Service { name, runs } => {
            let mut services = answers.services.iter().flatten();
            services.any(|service| service.name.eq_ignore_ascii_case(name) && service.state == 4) == *runs
        }
        Effect::Rule { name, value } => {
            let rules = serde_json::to_value(answers.account_rules).unwrap();
            rules[*name].as_u64() == Some(*value)
        }
        Effect::Timer { .. } => false,
    }
}

/// The answers after the remedy's changes to `os.json`.
fn through_json<T: serde::Serialize + DeserializeOwned>(answers: &T, remedy: &Remedy) -> anyhow::Result<T> {
    let mut json = serde_json::to_value(answers)?;
    remedy.apply(&mut json)?;
    Ok(serde_json::from_value(json)?)
}
