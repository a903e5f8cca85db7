//! Pending updates of apt, by its own programs, which fetch and write nothing when they are asked in this way.
//!
//! A security update waits when a security archive of this release offers a newer version than the installed one, be the
//! package held, pinned or kept back; none waits only when the lists of such an archive are there and cover what is installed.

use policies::fact::{Fact, Reason};

use super::archives::{self, Archive, LISTS, Release};
use super::candidates::{self, Package};
use super::{Updates, ask, automatic, dpkg, files, fingerprint};
use crate::collect::linux::memory::Fingerprint;
use crate::collect::linux::scene::{Scene, answered, unknown};
use crate::collect::linux::text::capped;
use crate::os::{Answer, OsError, Program};

/// The empty names keep it from reading and writing its caches.
const POLICY: &[&str] = &["-o", "Dir::Cache::pkgcache=", "-o", "Dir::Cache::srcpkgcache=", "policy", "--"];

/// Everything the answer depends on.
pub(super) fn sources(scene: &Scene) -> Fingerprint {
    let mut paths =
        [dpkg::STATUS, "/etc/apt/sources.list", "/etc/apt/preferences", "/etc/apt/apt.conf", "/etc/os-release"]
            .map(str::to_owned)
            .to_vec();
    for folder in ["sources.list.d", "preferences.d", "apt.conf.d"] {
        paths.extend(files(scene, &format!("/etc/apt/{folder}"), |_| true));
    }
    paths.extend(files(scene, LISTS, |name| name.contains("_Packages") || name.ends_with("Release")));
    paths.push(automatic::PROGRAM.to_owned());
    fingerprint(scene, paths)
}

/// What waits, what is held, and whether security updates are set to install themselves.
pub(super) fn updates(scene: &Scene) -> Updates {
    let packages = match dpkg::packages(scene) {
        Ok(packages) => packages,
        Err(error) => return Updates::unknown(&error),
    };
    let mut updates = Updates {
        held: Fact::Known(packages.held.clone()),
        broken: Fact::Known(packages.broken.clone()),
        ..Updates::unknown(&OsError::Missing(format!("a list of packages in {LISTS}")))
    };
    let found = archives::archives(scene).and_then(|archives| Ok((archives, archives::codenames(scene)?)));
    let (archives, codenames) = match found {
        Ok(found) => found,
        Err(error) => return Updates { held: updates.held, broken: updates.broken, ..Updates::unknown(&error) },
    };
    let security: Vec<&Release> = releases(&archives).filter(|release| release.is_security(&codenames)).collect();
    updates.automatic = automatic::installs(scene, &security, &codenames);
    // Without an archive for security, as on a system that is renewed all the time, every list counts.
    let needed = |release: &&Release| security.is_empty() || security.contains(release);
    let lists: Vec<String> = releases(&archives).filter(needed).map(|release| release.path.clone()).collect();
    if lists.is_empty() {
        return updates;
    }
    updates.lists = Fact::Known(lists);
    match policy(scene, &packages.installed) {
        Ok(text) => {
            let tables: Vec<Package<'_>> = candidates::packages(&text).filter(Package::installed).collect();
            if tables.len() < packages.installed.len() {
                let error = OsError::Failed("apt-cache".to_owned(), "it left out packages".to_owned());
                (updates.pending, updates.security) = (unknown(&error), unknown(&error));
            } else {
                let free = |package: &&Package<'_>| package.waits() && !packages.held.contains(&package.shown());
                updates.pending = match archives.iter().find(|archive| archive.missing()) {
                    Some(archive) => not_fetched(archive),
                    None => Fact::Known(i64::try_from(tables.iter().filter(free).count()).unwrap_or(i64::MAX)),
                };
                updates.security = waiting(&tables, &archives, &codenames);
            }
        }
        Err(error) => (updates.pending, updates.security) = (unknown(&error), unknown(&error)),
    }
    updates
}

fn releases(archives: &[Archive]) -> impl Iterator<Item = &Release> {
    archives.iter().filter_map(|archive| archive.release.as_ref())
}

fn policy(scene: &Scene, names: &[String]) -> Answer<String> {
    let arguments: Vec<&str> = POLICY.iter().copied().chain(names.iter().map(String::as_str)).collect();
    ask(scene, Program::AptCache, &arguments, &[0])
}

fn not_fetched<T>(archive: &Archive) -> Fact<T> {
    Fact::unknown(Reason::SourceMissing, format!("a list of {} was not fetched", capped(&archive.place)))
}

/// The packages with a security update waiting; unknown when none is seen and the lists may not tell of all.
fn waiting(tables: &[Package<'_>], archives: &[Archive], codenames: &[String]) -> Fact<Vec<String>> {
    let (secure, others): (Vec<&Archive>, Vec<&Archive>) = archives
        .iter()
        .partition(|archive| archive.release.as_ref().is_some_and(|release| release.is_security(codenames)));
    let within = |archives: &[&Archive], place: &str| archives.iter().any(|archive| archive.place == place);
    let mends = |package: &Package<'_>| package.newer_offers().any(|offer| within(&secure, &offer.place));
    let makers: Vec<&str> =
        secure.iter().filter_map(|archive| archive.release.as_ref()).map(|release| release.origin.as_str()).collect();
    let foreign = |archive: &Archive| {
        archive.release.as_ref().is_none_or(|release| !makers.contains(&release.origin.as_str()))
    };

    let (mut names, mut elsewhere) = (Vec::new(), None);
    for package in tables.iter().filter(|package| mends(package)) {
        if by_choice(package, &secure, &others, foreign) {
            elsewhere = Some(package);
        } else {
            names.push(package.shown());
        }
    }
    names.sort_unstable();
    if !names.is_empty() {
        return Fact::Known(names);
    }
    if secure.is_empty() {
        return Fact::unknown(Reason::SourceMissing, "no list of a security archive of this release was fetched");
    }
    let sounds = others.iter().filter(|archive| archive.release.is_none() && archive.sounds_secure());
    if let Some(archive) = secure.iter().filter(|archive| archive.missing()).chain(sounds).next() {
        return not_fetched(archive);
    }
    // A part of the system's archive that has no security list beside it.
    let covered =
        |component: &str| secure.iter().any(|archive| archive.indexes.iter().any(|(part, ..)| part == component));
    let own = |place: &str| others.iter().any(|archive| archive.place == place && !foreign(archive));
    let open =
        tables.iter().flat_map(Package::offers).find(|offer| own(&offer.place) && !covered(offer.component));
    match (open, elsewhere) {
        (Some(offer), _) => Fact::unknown(
            Reason::SourceMissing,
            format!("there is no security list beside {} of {}", capped(offer.component), capped(&offer.place)),
        ),
        (_, Some(package)) => Fact::unknown(
            Reason::SourceMissing,
            format!("{} is kept from another maker, whose security updates are not told apart", package.shown()),
        ),
        _ => Fact::Known(names),
    }
}

/// True when a pin prefers another maker's version to that of the security archive: whether it mends the same is not known.
fn by_choice(
    package: &Package<'_>,
    secure: &[&Archive],
    others: &[&Archive],
    foreign: impl Fn(&Archive) -> bool,
) -> bool {
    let offered = package.newer_offers().filter(|offer| secure.iter().any(|archive| archive.place == offer.place));
    let offered = offered.map(|offer| offer.priority).max().unwrap_or(0);
    let chosen = |place: &str| others.iter().any(|archive| archive.place == place && foreign(archive));
    !package.waits()
        && offered > 0
        && package.own_offers().any(|offer| offer.priority > offered && chosen(&offer.place))
}

/// True when security updates install themselves: set so, and started by something.
pub(super) fn automatic(scene: &Scene, updates: &Updates) -> Fact<bool> {
    let set = updates.automatic.clone();
    answered(automatic::started(scene), |started| if started { set } else { Fact::Known(false) })
}

#[cfg(test)]
mod tests;
