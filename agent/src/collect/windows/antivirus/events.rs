//! What antivirus products found, and when their protection stopped, from event logs: by numbers, positions and identifiers
//! only. Messages are never read, for they are in the product's language; of a path only the kind of place is kept.
//!
//! Microsoft's products write all they find, so that an empty log means that nothing was found. Of other makers some findings are known
//! (`makers.rs`), and what their products write depends on how they are set: there an empty log means nothing. That the protection of
//! another maker stopped is written by Windows itself (`stops.rs`).

use jiff::{SignedDuration, Timestamp, ToSpan};
use policies::fact::{AntivirusProduct, Detection, Fact, List, Maker, Reason};

use crate::collect::products::is_running;
use crate::collect::windows::drives::removable;
use crate::collect::windows::scene::{Scene, unknown};
use crate::os::Answer;
use crate::os::windows::{Event, EventQuery};

mod makers;
mod microsoft;
mod place;
mod stops;

use stops::Watched;

/// How far back is looked.
const HOURS: i64 = 30 * 24;
/// The most events that are read: several stand for one finding.
const MOST: usize = 400;
/// The most findings and stops that are kept.
const KEPT: usize = 100;
/// A product stops in several parts, and some events say the same.
const ONE_STOP: SignedDuration = SignedDuration::from_mins(1);

/// The findings, newest first.
pub(super) fn detections(scene: &Scene, products: &[AntivirusProduct]) -> Fact<List<Detection>> {
    let drives = match removable(scene) {
        Ok(drives) => drives,
        Err(error) => return unknown(&error),
    };
    let mut found = match makers::findings(scene, products, &drives) {
        Ok(found) => found,
        Err(error) => return unknown(&error),
    };
    if another_guards(products) {
        if found.is_empty() {
            return Fact::unknown(
                Reason::NoReader,
                "another product guards, and no finding of it is in the event logs",
            );
        }
    } else {
        match microsoft::findings(scene, &drives) {
            Ok(of_microsoft) => found.extend(of_microsoft),
            Err(error) => return unknown(&error),
        }
    }
    found.sort_by(|one, other| (other.at, &one.threat).cmp(&(one.at, &other.threat)));
    found.dedup();
    Fact::Known(short(found))
}

/// When protection stopped, newest first.
pub(super) fn stops(scene: &Scene, products: &[AntivirusProduct]) -> Fact<List<Timestamp>> {
    let watched = Watched::of(scene, products);
    if products.iter().any(|product| is_running(product) && !watched.hears_of(product)) {
        return Fact::unknown(Reason::NoReader, "Windows does not write when this product stops");
    }
    let mut found = match stops::list(scene, &watched) {
        Ok(found) => found,
        Err(error) => return unknown(&error),
    };
    // Beside another product Microsoft's is switched off by rule.
    if !another_guards(products) {
        match microsoft::stops(scene) {
            Ok(of_microsoft) => found.extend(of_microsoft),
            Err(error) => return unknown(&error),
        }
    }
    found.sort_unstable();
    found.dedup_by(|later, first| first.duration_until(*later) <= ONE_STOP);
    found.reverse();
    Fact::Known(short(found))
}

/// True when a product other than Microsoft's guards: its findings lie where it likes.
fn another_guards(products: &[AntivirusProduct]) -> bool {
    let guards = |product: &&AntivirusProduct| is_running(product);
    let mut guarding = products.iter().filter(guards);
    guarding.clone().next().is_some() && !guarding.any(|product| product.maker == Maker::Microsoft)
}

/// Where events are, and which.
#[derive(Clone, Copy, Debug)]
struct Source {
    channel: &'static str,
    /// Who writes them, where others write to the channel as well.
    provider: Option<&'static str>,
    ids: &'static [u32],
    /// At most so many.
    most: usize,
}

impl Source {
    /// The events of the last month, newest first.
    fn events(&self, scene: &Scene) -> Answer<Vec<Event>> {
        let since = scene.now.saturating_sub(HOURS.hours()).map_or(0, Timestamp::as_millisecond);
        let query = EventQuery { channel: self.channel.to_owned(), ids: self.ids.to_vec(), since, most: self.most };
        match self.provider {
            Some(provider) => scene.os.events_of(provider, &query),
            None => scene.os.events(&query),
        }
    }
}

fn short<T>(mut items: Vec<T>) -> List<T> {
    let more = items.len().saturating_sub(KEPT);
    items.truncate(KEPT);
    List { items, left_out: u32::try_from(more).unwrap_or(u32::MAX) }
}

#[cfg(test)]
mod tests;
