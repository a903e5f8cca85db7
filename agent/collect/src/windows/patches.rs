//! Section `patches`: Windows Update. Nothing is downloaded: the Windows Update Agent answers from what it knows.
//!
//! What decides is the build with its update revision compared with the catalogue: update histories are empty or only list virus
//! definitions. The Windows Update Agent's answer counts as an additional hint.

use jiff::Timestamp;
use policies::fact::{Fact, Instant, List, MissingUpdate, PackageSystem, Patches, Reason};

use super::context::{CheckContext, Setting, unknown};
use super::version;
use os::windows::UpdateSearch;
use os::windows::answer::WaitingUpdate;
use os::{Answer, OsError};

mod automatic;
mod failing;
mod installed;
mod memory;
mod missing;
mod reboot;

pub(super) use memory::Memory;
use memory::State;

/// Security updates; the same identifier in every language (learn.microsoft.com, "WSUS classification GUIDs").
const SECURITY: &str = "0fa1201d-4330-4fa8-8ae9-b877473b6441";
/// Definitions of an anti-malware product: not part of this section.
const DEFINITIONS: &str = "e0789628-ce08-4437-be74-2495b842f43b";

pub(super) fn collect(context: &CheckContext, memory: &Memory) -> Patches {
    let state = State::of(context);
    let search = memory.search(state, context.now, || context.os.updates());
    let missing = missing::collect(context);
    let waiting = security(&search, &missing);
    Patches {
        system: Fact::Known(PackageSystem::WindowsUpdate),
        pending: pending(&search, &missing),
        pending_security: waiting.clone().map(|names| i64::try_from(names.len()).unwrap_or(i64::MAX)),
        pending_names: waiting.map(List::capped),
        lists_at: told(&search, |search| search.searched_at, "no search has succeeded"),
        last_upgrade_at: installed::last(context),
        automatic: automatic::collect(context),
        reboot_needed: reboot::needed(context, &search),
        held: Fact::unknown(Reason::NoReader, "Windows holds nothing back by name"),
        broken: Fact::unknown(Reason::NoReader, "Windows tells of none"),
        installed: memory.installed(state, || installed::list(context)),
        failing: failing::list(&search, context.now),
        missing,
        known_to: context.catalogue().map_or_else(
            || Fact::unknown(Reason::Unreadable, "no catalogue"),
            |catalogue| day(catalogue.as_of).map_or_else(|| Fact::unknown(Reason::Unreadable, ""), Fact::Known),
        ),
        servers: automatic::servers(context),
    }
}

/// The last second of a day in Viet Nam.
fn day(date: jiff::civil::Date) -> Option<Instant> {
    format!("{date}T23:59:59+07:00").parse().ok()
}

/// Registry keys whose change triggers a new collection of this section.
pub(super) const WATCHED: &[&str] = &[
    automatic::POLICY,
    automatic::LOCAL,
    automatic::SETTINGS,
    version::VERSION,
    r"HKLM\SYSTEM\CurrentControlSet\Services\wuauserv",
];

fn told(search: &Answer<UpdateSearch>, at: impl Fn(&UpdateSearch) -> Option<i64>, never: &str) -> Fact<Instant> {
    match search {
        Err(error) => unknown(error),
        Ok(search) => match at(search).map(Timestamp::from_millisecond) {
            Some(Ok(at)) => Fact::Known(at),
            Some(Err(_)) => Fact::unknown(Reason::Unreadable, "an impossible time"),
            None => Fact::unknown(Reason::SourceMissing, never),
        },
    }
}

/// The result of the search, or why it is useless: an agent that never searched finds nothing pending.
fn found(search: &Answer<UpdateSearch>) -> Result<&UpdateSearch, OsError> {
    let search = search.as_ref().map_err(Clone::clone)?;
    match &search.refused {
        Some(code) => Err(OsError::Failed("Windows Update Agent".to_owned(), code.clone())),
        None if search.waiting.is_empty() && search.searched_at.is_none() => {
            Err(OsError::Missing("Windows Update Agent: no search has succeeded".to_owned()))
        }
        None => Ok(search),
    }
}

fn pending(search: &Answer<UpdateSearch>, missing: &Fact<List<MissingUpdate>>) -> Fact<i64> {
    match found(search) {
        Ok(search) => {
            // Of hidden updates only security updates count.
            let waiting = search.waiting.iter().filter(|update| !update.hidden || is_security(update)).count();
            let behind = usize::from(waiting == 0 && lacks(missing).is_some());
            Fact::Known(i64::try_from(waiting + behind).unwrap_or(i64::MAX))
        }
        Err(error) => unknown(&error),
    }
}

/// Names of the pending security updates. One that is missing by the catalogue counts, whatever the search says.
fn security(search: &Answer<UpdateSearch>, missing: &Fact<List<MissingUpdate>>) -> Fact<Vec<String>> {
    let mut names = match (found(search), lacks(missing)) {
        (Ok(search), _) => {
            let security = search.waiting.iter().filter(|update| is_security(update));
            let name = |kb: &[String]| {
                let numbers: Vec<String> = kb.iter().map(|number| format!("KB{number}")).collect();
                crate::text::capped(&if numbers.is_empty() { "?".to_owned() } else { numbers.join(" ") })
            };
            security.map(|update| name(&update.kb)).collect::<Vec<_>>()
        }
        (Err(_), Some(_)) => Vec::new(),
        (Err(error), None) => return unknown(&error),
    };
    if let (true, Some(build)) = (names.is_empty(), lacks(missing)) {
        names.push(build);
    }
    names.sort_unstable();
    Fact::Known(names)
}

fn is_security(update: &WaitingUpdate) -> bool {
    let is = |wanted| update.categories.iter().any(|id| id.eq_ignore_ascii_case(wanted));
    !is(DEFINITIONS) && (is(SECURITY) || !update.severity.trim().is_empty())
}

/// The newest known build that is not installed.
fn lacks(missing: &Fact<List<MissingUpdate>>) -> Option<String> {
    missing.known()?.items.last().map(|update| update.build.clone())
}

/// After how many days without a new known update of a build "nothing is missing" is no longer trusted. Fixes come monthly;
/// a catalogue that missed two of them proves nothing.
const BELIEVED: i64 = 62;

/// True when the catalogue may lack updates of a build whose newest known one was released on `newest`.
fn outdated(now: Timestamp, newest: jiff::civil::Date) -> bool {
    day(newest).is_none_or(|newest| now.duration_since(newest).as_hours() > BELIEVED * 24)
}

/// A setting in which a number means yes.
fn is(setting: Setting<u64>, wanted: u64) -> Fact<bool> {
    setting.or(Fact::Known(false), |value| Fact::Known(value == wanted))
}

#[cfg(test)]
mod tests;
