//! Pending updates of apt, from its own report of sources and settings in force, its downloaded lists, and where something is
//! pinned its own simulation. Asked this way it downloads nothing and writes no cache.
//!
//! A security update is pending when a security archive of this release offers a newer version than the installed one, even if
//! the package is held, pinned or kept back; none is pending only when that archive's lists are present and cover what is
//! installed.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use policies::fact::{Fact, Reason};

use super::archives::{self, Archive, LISTS, Release};
use super::automatic::{self, Configuration};
use super::dpkg::{self, Installed, Offer, Packages};
use super::{Updates, ask, files, fingerprint, lists};
use crate::linux::context::{CheckContext, answered, optional, unknown};
use crate::linux::memory::Fingerprint;
use crate::linux::text::{capped, lines};
use os::{Answer, OsError, Program};

/// Simulates in memory: the empty names keep apt from reading and writing its caches.
const SIMULATE: &[&str] =
    &["-s", "-qq", "-o", "Dir::Cache::pkgcache=", "-o", "Dir::Cache::srcpkgcache=", "dist-upgrade"];

/// Everything the answer depends on.
pub(super) fn sources(context: &CheckContext) -> Fingerprint {
    let mut paths = [dpkg::STATUS, "/etc/apt/sources.list", "/etc/apt/apt.conf", "/etc/os-release", automatic::PROGRAM]
        .map(str::to_owned)
        .to_vec();
    for folder in ["sources.list.d", "apt.conf.d"] {
        paths.extend(files(context, &format!("/etc/apt/{folder}"), |_| true));
    }
    paths.extend(preferences(context));
    paths.extend(files(context, LISTS, |name| name.contains("_Packages") || name.ends_with("Release")));
    fingerprint(context, paths)
}

fn preferences(context: &CheckContext) -> Vec<String> {
    let used = |name: &str| !name.starts_with('.') && (!name.contains('.') || name.ends_with(".pref"));
    let mut paths = vec!["/etc/apt/preferences".to_owned()];
    paths.extend(files(context, "/etc/apt/preferences.d", used));
    paths
}

/// What is pending, what is held, and whether security updates are configured to install automatically.
pub(super) fn updates(context: &CheckContext) -> Updates {
    let mut packages = match dpkg::packages(context) {
        Ok(packages) => packages,
        Err(error) => return Updates::unknown(&error),
    };
    let (held, broken) = (Fact::Known(packages.held()), Fact::Known(packages.broken.clone()));
    match from_sources(context, &mut packages) {
        Ok(updates) => Updates { held, broken, ..updates },
        Err(error) => Updates { held, broken, ..Updates::unknown(&error) },
    }
}

fn from_sources(context: &CheckContext, packages: &mut Packages) -> Answer<Updates> {
    let (archives, codenames) = (archives::archives(context)?, archives::codenames(context)?);
    let configuration = Configuration::read(context)?;
    let security: Vec<&Release> = releases(&archives).filter(|release| release.is_security(&codenames)).collect();
    let mut updates = Updates::unknown(&OsError::Missing(format!("a list of packages in {LISTS}")));
    updates.automatic = automatic::installs(context, &configuration, &security, &codenames);
    // Without a security archive, as on a rolling release, every list counts.
    let needed = |release: &&Release| security.is_empty() || security.contains(release);
    let needed: Vec<String> = releases(&archives).filter(needed).map(|release| release.path.clone()).collect();
    if needed.is_empty() {
        return Ok(updates);
    }
    let secure = |archive: &&Archive| match &archive.release {
        Some(release) => security.contains(&release),
        None => archive.sounds_secure(),
    };
    updates.lists = match archives.iter().filter(secure).find(|archive| archive.missing()) {
        Some(archive) => not_fetched(archive),
        None => Fact::Known(needed),
    };
    if let Err(error) = read(context, &archives, packages) {
        (updates.pending, updates.security) = (unknown(&error), unknown(&error));
        return Ok(updates);
    }
    let chosen = if pinned(context, &archives, &configuration)? { Some(simulated(context)) } else { None };
    updates.pending = match (archives.iter().find(|archive| archive.missing()), &chosen) {
        (Some(archive), _) => not_fetched(archive),
        (None, Some(Err(error))) => unknown(error),
        (None, Some(Ok(names))) => count(names.len()),
        (None, None) => {
            let waits = |installed: &&Installed| !installed.held && upgrades(installed, &archives);
            count(packages.installed.values().filter(waits).count())
        }
    };
    let chosen = chosen.map(Result::unwrap_or_default);
    updates.security = waiting(packages, &archives, &codenames, chosen.as_ref());
    Ok(updates)
}

fn count(number: usize) -> Fact<i64> {
    Fact::Known(i64::try_from(number).unwrap_or(i64::MAX))
}

fn releases(archives: &[Archive]) -> impl Iterator<Item = &Release> {
    archives.iter().filter_map(|archive| archive.release.as_ref())
}

fn not_fetched<T>(archive: &Archive) -> Fact<T> {
    Fact::unknown(Reason::SourceMissing, format!("a list of {} was not fetched", capped(&archive.place)))
}

fn read(context: &CheckContext, archives: &[Archive], packages: &mut Packages) -> Answer<()> {
    for (archive, of) in archives.iter().enumerate() {
        for (list, path) in of.lists.iter().enumerate().filter_map(|(list, of)| Some((list, of.path.as_ref()?))) {
            lists::read(context, path, (archive, list), packages)?;
        }
    }
    Ok(())
}

/// True when a preference or a preferred release may change what apt chooses among these archives (`apt_preferences(5)`).
fn pinned(context: &CheckContext, archives: &[Archive], configuration: &Configuration) -> Answer<bool> {
    if configuration.get("APT::Default-Release").is_some_and(|release| !release.is_empty()) {
        return Ok(true);
    }
    // A pin on an origin or host that none of the archives has changes nothing.
    let idle = |pin: &str| {
        let maker = pin
            .strip_prefix("release")
            .and_then(|fields| fields.split(',').find_map(|field| field.trim().strip_prefix("o=")));
        let host = pin.strip_prefix("origin").map(str::trim);
        let plain = |name: &str| !name.is_empty() && !name.contains(['*', '?', '/', '[', '"']);
        maker.is_some_and(|maker| plain(maker) && releases(archives).all(|release| release.origin != maker))
            || host.is_some_and(|host| plain(host) && archives.iter().all(|archive| !archive.place.contains(host)))
    };
    for path in preferences(context) {
        let text = optional(context.text(&path))?.unwrap_or_default();
        let pin = |line: &str| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case("pin").then(|| value.trim().to_owned())
        };
        if lines(&text).filter_map(pin).any(|pin| !idle(&pin)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The packages that apt would upgrade: `Inst bash [5.2.15-2+b2] (5.2.15-2+b7 ...)`; a line without a version in square
/// brackets is a new package.
fn simulated(context: &CheckContext) -> Answer<BTreeSet<String>> {
    let text = ask(context, Program::AptGet, SIMULATE, &[0])?;
    let name = |line: &str| {
        let (name, rest) = line.strip_prefix("Inst ")?.split_once(' ')?;
        rest.starts_with('[').then(|| capped(name))
    };
    Ok(text.lines().filter_map(name).collect())
}

/// True when apt, without pins, would upgrade the installed version.
fn upgrades(installed: &Installed, archives: &[Archive]) -> bool {
    const STATUS: i32 = 100;
    let priority = |offer: &Offer| archives[offer.list.0].release.as_ref().map_or(500, |release| release.priority);
    let same = installed.offers.iter().filter(|offer| offer.order == Ordering::Equal).map(priority);
    let kept = same.max().unwrap_or(STATUS).max(STATUS);
    installed.offers.iter().any(|offer| offer.order == Ordering::Greater && priority(offer) >= kept)
}

/// The packages with a pending security update; unknown when none is seen and the lists may be incomplete. `chosen` is what apt
/// would upgrade, where something is pinned.
fn waiting(
    packages: &Packages,
    archives: &[Archive],
    codenames: &[String],
    chosen: Option<&BTreeSet<String>>,
) -> Fact<Vec<String>> {
    let is_secure = |archive: &Archive| archive.release.as_ref().is_some_and(|release| release.is_security(codenames));
    let secure: Vec<&Archive> = archives.iter().filter(|archive| is_secure(archive)).collect();
    let makers: Vec<&str> =
        secure.iter().filter_map(|archive| archive.release.as_ref()).map(|release| release.origin.as_str()).collect();
    let own = |offer: &Offer| {
        let release = archives[offer.list.0].release.as_ref();
        release.is_some_and(|release| makers.contains(&release.origin.as_str()))
    };
    // Whether another maker's version preferred by a pin fixes the same is unknown.
    let preferred = |installed: &Installed| {
        let foreign = installed.offers.iter().any(|offer| offer.order == Ordering::Equal && !own(offer));
        foreign && !installed.held && chosen.is_some_and(|chosen| !chosen.contains(&installed.name))
    };
    let newer = |offer: &&Offer| offer.order == Ordering::Greater && is_secure(&archives[offer.list.0]);
    let mended = packages.installed.values().filter(|installed| installed.offers.iter().any(|offer| newer(&offer)));
    let (elsewhere, here): (Vec<&Installed>, Vec<&Installed>) = mended.partition(|installed| preferred(installed));
    let mut names: Vec<String> = here.into_iter().map(|installed| installed.name.clone()).collect();
    names.sort_unstable();
    if !names.is_empty() {
        return Fact::Known(names);
    }
    let missing = |detail: String| Fact::unknown(Reason::SourceMissing, detail);
    if secure.is_empty() {
        return missing("no list of a security archive of this release was fetched".to_owned());
    }
    let sounds = |archive: &&Archive| is_secure(archive) || (archive.release.is_none() && archive.sounds_secure());
    if let Some(archive) = archives.iter().filter(sounds).find(|archive| archive.missing()) {
        return not_fetched(archive);
    }
    // A part of the system's archive without a matching security list.
    let component = |offer: &Offer| archives[offer.list.0].lists[offer.list.1].component.as_str();
    let covered = |part: &str| secure.iter().any(|archive| archive.lists.iter().any(|list| list.component == part));
    let mut offers = packages.installed.values().flat_map(|installed| &installed.offers);
    if let Some(open) = offers.find(|offer| own(offer) && !covered(component(offer))) {
        return missing(format!("the security archive is used without its part {}", capped(component(open))));
    }
    match elsewhere.first() {
        Some(installed) => {
            missing(format!("{} is kept from another maker, whose security updates are not told apart", installed.name))
        }
        None => Fact::Known(names),
    }
}

/// True when security updates install automatically: configured, and started by something.
pub(super) fn automatic(context: &CheckContext, updates: &Updates) -> Fact<bool> {
    let set = updates.automatic.clone();
    answered(automatic::started(context), |started| if started { set } else { Fact::Known(false) })
}

#[cfg(test)]
mod tests;
