//! The known cumulative updates for this build that are not installed.

use policies::fact::{Fact, List, MissingUpdate, Reason};

use super::super::context::{CheckContext, Setting, unknown};
use super::super::version::{self, Version};
use super::{day, outdated};

/// Those whose revision is above the installed one, oldest first.
pub(super) fn collect(context: &CheckContext) -> Fact<List<MissingUpdate>> {
    let version = match version::read(context) {
        Fact::Known(version) => version,
        Fact::Unknown(unknown) => return Fact::Unknown(unknown),
    };
    let revision = match &version.revision {
        Setting::Set(revision) => *revision,
        Setting::Absent => return Fact::unknown(Reason::NoReader, "this build tells no update revision"),
        Setting::Unreadable(error) => return unknown(error),
    };
    of(context, &version, revision)
}

fn of(context: &CheckContext, version: &Version, revision: u64) -> Fact<List<MissingUpdate>> {
    let not_known = |detail: &str| Fact::unknown(Reason::NoReader, format!("build {}: {detail}", version.build));
    let Some(known) = version::known(context, version) else {
        return not_known("not in the catalogue");
    };
    // After its end of support a machine only gets updates if somebody pays or enrols it: others cannot be missing. The end of
    // support is a failure of its own and costs points once.
    let until = known.until(version.edition);
    let pays = known.updates.iter().any(|update| update.released > until && update.revision <= revision);
    let given: Vec<_> = known.updates.iter().filter(|update| pays || update.released <= until).collect();
    let Some(newest) = given.last() else {
        return not_known("no updates are known");
    };
    let missing = given.iter().filter(|update| update.revision > revision).filter_map(|update| {
        let build = format!("{}.{}", version.build, update.revision);
        Some(MissingUpdate { build, released_at: day(update.released)? })
    });
    let missing: List<MissingUpdate> = missing.collect();
    if missing.items.is_empty() && outdated(context.now, newest.released) {
        return not_known(&format!("no update after {} is known for it", newest.released));
    }
    Fact::Known(missing)
}
