//! The machine properties that firewall rules are compared with: version, Windows folder and adapters.

use policies::evaluate::Truth;

use super::ranges::{Family, Ranges};
use crate::windows::context::{CheckContext, Setting};
use crate::windows::version::{VERSION, WINDOWS_8, WINDOWS_10};
use os::Answer;
use os::windows::Adapter;

/// The first builds of Windows 7 and 8.1.
const WINDOWS_7: u64 = 7_600;
const WINDOWS_8_1: u64 = 9_600;

/// This machine.
pub(super) struct Machine {
    build: Option<u64>,
    /// The Windows folder, in lower case.
    folder: Option<String>,
    /// The adapters that are up.
    adapters: Answer<Vec<Adapter>>,
}

impl Machine {
    /// Reads it; `adapters` are those that are up.
    pub(super) fn read(context: &CheckContext, adapters: &Answer<Vec<Adapter>>) -> Self {
        let build = match context.number(VERSION, "CurrentBuildNumber") {
            Setting::Set(build) => Some(build),
            Setting::Absent | Setting::Unreadable(_) => None,
        };
        let folder = match context.text(VERSION, "SystemRoot") {
            Setting::Set(folder) => Some(folder.trim_end_matches('\\').to_ascii_lowercase()),
            Setting::Absent => Some(r"c:\windows".to_owned()),
            Setting::Unreadable(_) => None,
        };
        Self { build, folder, adapters: adapters.clone() }
    }

    /// Its version in the notation of rules; `None` when unknown.
    pub(super) fn version(&self) -> Option<(u64, u64)> {
        Some(match self.build? {
            WINDOWS_10.. => (10, 0),
            WINDOWS_8_1.. => (6, 3),
            WINDOWS_8.. => (6, 2),
            WINDOWS_7.. => (6, 1),
            _ => (6, 0),
        })
    }

    /// Whether a program, in lower case, is the host process of Windows services.
    pub(super) fn is_svchost(&self, program: &str) -> Truth {
        const NAME: &str = r"\svchost.exe";
        if program.is_empty() || program.contains('*') || program == "svchost.exe" {
            return Truth::Unknown;
        }
        if !program.ends_with(NAME) {
            return Truth::False;
        }
        let Some(folder) = &self.folder else { return Truth::Unknown };
        let path = ["%systemroot%", "%windir%"]
            .iter()
            .fold(program.to_owned(), |path, variable| path.replace(variable, folder));
        // Another variable, or a device name, may stand for the same place.
        let plain = path.as_bytes().get(1) == Some(&b':') && !path.contains('%');
        if plain { Truth::from(path == format!(r"{folder}\system32{NAME}")) } else { Truth::Unknown }
    }

    /// Whether some adapter satisfies the condition, or with `all` every one: one adapter is enough to let in, but blocking
    /// requires all.
    pub(super) fn any_or_all(&self, all: bool, is_so: impl Fn(&Adapter) -> bool) -> Truth {
        match &self.adapters {
            Ok(adapters) if all => Truth::from(adapters.iter().all(is_so)),
            Ok(adapters) => Truth::from(adapters.iter().any(is_so)),
            Err(_) => Truth::Unknown,
        }
    }

    /// Whether the machine has an address within `ranges`, or with `all` no address outside them.
    pub(super) fn reached_at(&self, family: Family, ranges: &Ranges, all: bool) -> Truth {
        let Ok(adapters) = &self.adapters else { return Truth::Unknown };
        let address = |text: &String| family.number(text.split('/').next()?.parse().ok()?);
        let mut own = adapters.iter().flat_map(|adapter| adapter.addresses.iter().filter_map(address));
        let within = |address| ranges.contains(address);
        Truth::from(if all { own.all(within) } else { own.any(within) })
    }
}
