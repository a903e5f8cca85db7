//! Section `patches`: which updates are pending and when one was last installed. Nothing is downloaded and no cache is
//! written.

use jiff::{SignedDuration, Timestamp};
use policies::fact::{Fact, Instant, List, PackageSystem, Patches, Reason};

use super::context::{CheckContext, WINDOWS_ONLY, unknown};
use super::memory::{Fingerprint, Memory};
use super::text::capped;
use os::{Answer, OsError, Program};

mod apt;
mod archives;
mod automatic;
mod dnf;
mod dpkg;
mod history;
mod lists;
mod restart;
mod version;

/// What is computed once for each state of packages, lists and configuration.
#[derive(Clone, Debug)]
pub(super) struct Updates {
    /// How many updates are pending, of any kind.
    pending: Fact<i64>,
    /// The packages with a pending security update, sorted.
    security: Fact<Vec<String>>,
    /// Packages that are held back, sorted.
    held: Fact<Vec<String>>,
    /// Packages whose installation was not completed, sorted.
    broken: Fact<Vec<String>>,
    /// Release files and metadata folders whose age is the age of the lists.
    lists: Fact<Vec<String>>,
    /// True when the configuration lets security updates install themselves (apt).
    automatic: Fact<bool>,
    /// When a part that only a reboot replaces in memory was last installed (dnf).
    core_at: Fact<Instant>,
}

impl Updates {
    /// Nothing is known of them.
    fn unknown(error: &OsError) -> Self {
        Self {
            pending: unknown(error),
            security: unknown(error),
            held: unknown(error),
            broken: unknown(error),
            lists: unknown(error),
            automatic: unknown(error),
            core_at: unknown(error),
        }
    }
}

pub(super) fn collect(context: &CheckContext, memory: &Memory<Updates>) -> Patches {
    let booted_at =
        Timestamp::from_second(context.os.hardware().booted_at).ok().filter(|at| *at > Timestamp::UNIX_EPOCH);
    let apt = context.os.exists(dpkg::STATUS);
    if !apt && !dnf::installed(context) {
        let mut patches = Patches::unknown(Reason::NoReader, "neither dpkg nor dnf is here");
        let parts = Fact::unknown(Reason::NoReader, "neither dpkg nor dnf is here");
        patches.reboot_needed = restart::needed(context, false, parts);
        return patches;
    }
    let fingerprint = if apt { apt::sources(context) } else { dnf::sources(context) };
    let updates = memory.recall(fingerprint, || if apt { apt::updates(context) } else { dnf::updates(context) });
    let (last_upgrade_at, parts) = if apt {
        let history = history::read(context, booted_at);
        (history.last_upgrade_at, history.restart)
    } else {
        let parts = match booted_at {
            Some(booted) => updates.core_at.clone().map(|at| at > booted),
            None => Fact::unknown(Reason::Unreadable, "/proc/stat has no btime"),
        };
        (dnf::last_upgrade_at(context), parts)
    };
    let count = |names: Vec<String>| i64::try_from(names.len()).unwrap_or(i64::MAX);
    Patches {
        system: Fact::Known(if apt { PackageSystem::Apt } else { PackageSystem::Dnf }),
        lists_at: lists_at(context, &updates.lists),
        last_upgrade_at,
        automatic: if apt { apt::automatic(context, &updates) } else { dnf::automatic(context) },
        reboot_needed: restart::needed(context, !apt, parts),
        pending: updates.pending,
        pending_security: updates.security.clone().map(count),
        pending_names: updates.security.map(List::capped),
        held: updates.held.map(List::capped),
        broken: if apt {
            updates.broken.map(List::capped)
        } else {
            Fact::unknown(Reason::NoReader, "rpm tells of none")
        },
        ..Patches::unknown(Reason::NoReader, WINDOWS_ONLY)
    }
}

/// The age of the oldest required list: a new list from another maker does not make the system's own lists fresh.
fn lists_at(context: &CheckContext, lists: &Fact<Vec<String>>) -> Fact<Instant> {
    let newest = |folder: &String| {
        let files = files(context, folder, |_| true);
        let at = files.iter().filter_map(|path| context.os.stat(path).ok()).map(|stat| stat.modified_at).max()?;
        Timestamp::from_millisecond(at).ok()
    };
    let at =
        |list: &String| if list.ends_with("Release") { archives::published_at(context, list) } else { newest(list) };
    match lists {
        Fact::Unknown(why) => Fact::Unknown(why.clone()),
        Fact::Known(lists) => match lists.iter().map(at).min().flatten() {
            Some(at) => Fact::Known(at),
            None => Fact::unknown(Reason::SourceMissing, "a list was taken away"),
        },
    }
}

/// For logs that begin at `begins` and show no upgrade: the last one was earlier. Young logs, which may have been cleared, prove
/// too little.
fn never_since(context: &CheckContext, begins: Instant) -> Fact<Instant> {
    const ENOUGH: SignedDuration = SignedDuration::from_hours(31 * 24);
    if context.now.duration_since(begins) > ENOUGH {
        Fact::Known(begins)
    } else {
        Fact::unknown(Reason::SourceMissing, format!("the logs begin at {begins} and tell of none"))
    }
}

/// The complete output of `program`, if its exit status is among `fine`.
fn ask(context: &CheckContext, program: Program, arguments: &[&str], fine: &[i32]) -> Answer<String> {
    let output = context.os.run(program, arguments)?;
    let failed = |said: String| Err(OsError::Failed(program.paths()[0].to_owned(), said));
    match output.status {
        Some(_) if output.cut => failed("it printed more than is read".to_owned()),
        Some(status) if fine.contains(&status) => Ok(output.stdout),
        _ => {
            let mut lines = output.stderr.lines().filter(|line| !line.trim().is_empty());
            let first = lines.clone().next();
            failed(lines.find(|line| line.starts_with("E:")).or(first).map(capped).unwrap_or_default())
        }
    }
}

/// What is at each of `paths`; a missing file is part of the result.
fn fingerprint(context: &CheckContext, paths: impl IntoIterator<Item = String>) -> Fingerprint {
    let stat = |path: String| {
        let stat = context.os.stat(&path).ok();
        (path, stat)
    };
    paths.into_iter().map(stat).collect()
}

/// The paths of the files in `folder` whose names satisfy `fit`.
fn files(context: &CheckContext, folder: &str, fit: impl Fn(&str) -> bool) -> Vec<String> {
    let names = context.os.list(folder).unwrap_or_default();
    names.into_iter().filter(|name| fit(name)).map(|name| format!("{folder}/{name}")).collect()
}
