//! Until when this Windows gets security updates, by build and edition, from the catalogue; and whether it gets paid ones.

use jiff::civil::Date;
use policies::fact::{Fact, Instant, Reason};
use policies::policy::{WindowsBuild, WindowsKind};

use super::super::context::{CheckContext, Setting, unknown};
use super::super::version::{self, Version, WINDOWS_10, WINDOWS_11};

/// What the catalogue knows about this machine.
pub(super) struct Support {
    /// The system's identifier.
    pub(super) id: Fact<String>,
    /// Its release, for a system that does not report one itself.
    pub(super) release: Option<String>,
    /// Last second of updates at no extra cost.
    pub(super) until: Fact<Instant>,
    /// Last second of paid updates.
    pub(super) paid_until: Fact<Instant>,
    /// True when paid updates are installed.
    pub(super) paid: Fact<bool>,
}

/// Looks the machine up in the catalogue.
pub(super) fn of(context: &CheckContext, version: &Fact<Version>) -> Support {
    let version = match version {
        Fact::Known(version) => version,
        Fact::Unknown(unknown) => {
            let unknown = || unknown.clone();
            return Support {
                id: Fact::Unknown(unknown()),
                release: None,
                until: Fact::Unknown(unknown()),
                paid_until: Fact::Unknown(unknown()),
                paid: Fact::Unknown(unknown()),
            };
        }
    };
    let Some(known) = version::known(context, version) else {
        let detail = format!("no date of end of support is known for build {}", version.build);
        return Support {
            id: Fact::Known(by_number(version).to_owned()),
            release: None,
            until: Fact::unknown(Reason::NoReader, detail.clone()),
            paid_until: Fact::unknown(Reason::NoReader, detail.clone()),
            paid: Fact::unknown(Reason::NoReader, detail),
        };
    };
    let until = known.until(version.edition);
    Support {
        id: Fact::Known(known.id.clone()),
        release: Some(known.release.clone()),
        // An evaluation copy gets updates until it expires, which is recorded nowhere; but no longer than others.
        until: match end_of(until) {
            Fact::Known(end) if version.evaluation && end >= context.now => {
                Fact::unknown(Reason::SourceMissing, "an evaluation copy, whose own end is not written down")
            }
            end => end,
        },
        paid_until: known
            .until_paid
            .map_or_else(|| Fact::unknown(Reason::SourceMissing, "the maker sells no further updates for it"), end_of),
        paid: paid(known, version, until),
    }
}

/// A build missing from the catalogue still belongs to some Windows.
const fn by_number(version: &Version) -> &'static str {
    match version.kind {
        WindowsKind::Server => "windows-server",
        WindowsKind::Client if version.build >= WINDOWS_11 => "windows-11",
        WindowsKind::Client if version.build >= WINDOWS_10 => "windows-10",
        WindowsKind::Client => "windows",
    }
}

/// True when an update from after the end of support is installed: only paying or enrolled machines get it.
fn paid(known: &WindowsBuild, version: &Version, until: Date) -> Fact<bool> {
    if known.until_paid.is_none() {
        return Fact::Known(false);
    }
    let mut after = known.updates.iter().filter(|update| update.released > until).peekable();
    if after.peek().is_none() {
        return Fact::unknown(Reason::NoReader, format!("no paid updates of build {} are known", version.build));
    }
    match &version.revision {
        Setting::Set(revision) => Fact::Known(after.any(|update| update.revision <= *revision)),
        Setting::Absent => Fact::unknown(Reason::SourceMissing, "no UBR"),
        Setting::Unreadable(error) => unknown(error),
    }
}

/// The last second of a day in Viet Nam.
fn end_of(day: Date) -> Fact<Instant> {
    match format!("{day}T23:59:59+07:00").parse() {
        Ok(at) => Fact::Known(at),
        Err(error) => Fact::unknown(Reason::Unreadable, format!("{day}: {error}")),
    }
}
