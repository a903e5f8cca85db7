//! What antivirus products found, and when their protection stopped, from event logs: by numbers, positions and identifiers
//! only. Messages are never read, because they are in the product's language; of a path only the kind of place is kept.
//!
//! Microsoft's products log everything they find, so an empty log means that nothing was found. For other makers only some findings are
//! known (`makers.rs`), and what their products log depends on their settings: there an empty log means nothing. Windows itself logs
//! when another maker's protection stops (`stops.rs`).

use jiff::{SignedDuration, Timestamp, ToSpan};
use policies::evaluate::Truth;
use policies::fact::{AntivirusProduct, Detection, Fact, List, Maker, Reason, ThreatPlace};

use crate::windows::context::{CheckContext, unknown};
use crate::windows::drives::removable;
use crate::windows::log::{Log, LogExcerpt};
use os::Answer;

mod makers;
mod microsoft;
mod place;
mod stops;

use stops::Watched;

/// How many hours to look back.
const HOURS: i64 = 30 * 24;
/// The most events read: several belong to one finding.
const MOST: usize = 400;
/// The most findings and stops kept.
const KEPT: usize = 100;
/// Events this close together are one stop: a product stops in several parts, and some events repeat others.
const ONE_STOP: SignedDuration = SignedDuration::from_mins(1);

/// What the logs contained, and whether that is complete.
struct Found<T> {
    items: Vec<T>,
    whole: bool,
}

/// The findings, newest first.
pub(super) fn detections(context: &CheckContext, products: &[AntivirusProduct]) -> Fact<List<Detection>> {
    let drives = removable(context);
    let letters = drives.as_deref().unwrap_or_default();
    let mut found = match makers::findings(context, products, letters) {
        Ok(items) => items,
        Err(error) => return unknown(&error),
    };
    // What another maker's product logs depends on its settings. A product of unknown state may be the one that protects.
    let (microsoft, others) = (guards(products, true), guards(products, false));
    let mut whole = others == Truth::False;
    // If another product protects, earlier events of Microsoft's are not read any more.
    if others != Truth::True || microsoft == Truth::True {
        match microsoft::findings(context, letters) {
            Ok(of_microsoft) => {
                found.extend(of_microsoft.items);
                whole &= of_microsoft.whole;
            }
            Err(error) if found.is_empty() => return unknown(&error),
            Err(_) => whole = false,
        }
    }
    if found.is_empty() && others != Truth::False && microsoft != Truth::True {
        return Fact::unknown(Reason::NoReader, "another product may guard, and no finding of it is in the event logs");
    }
    if let Err(error) = &drives {
        for one in &mut found {
            if let Fact::Known(ThreatPlace::Local | ThreatPlace::Download) = one.place {
                one.place = unknown(error);
            }
        }
    }
    found.sort_by(|one, other| (other.at, &one.threat).cmp(&(one.at, &other.threat)));
    found.dedup();
    Fact::Known(short(Found { items: found, whole }))
}

/// When protection stopped, newest first.
pub(super) fn stops(context: &CheckContext, products: &[AntivirusProduct]) -> Fact<List<Timestamp>> {
    let watched = match Watched::of(context, products) {
        Ok(watched) => watched,
        Err(error) => return unknown(&error),
    };
    let mut found = match stops::list(context, &watched) {
        Ok(found) => found,
        Err(error) => return unknown(&error),
    };
    // Next to another product, Microsoft's is switched off by design.
    if guards(products, false) != Truth::True || guards(products, true) == Truth::True {
        match microsoft::stops(context) {
            Ok(of_microsoft) => {
                found.items.extend(of_microsoft.items);
                found.whole &= of_microsoft.whole;
            }
            Err(error) if found.items.is_empty() => return unknown(&error),
            Err(_) => found.whole = false,
        }
    }
    if products.iter().any(|product| product.running != Fact::Known(false) && !watched.hears_of(product)) {
        if found.items.is_empty() {
            return Fact::unknown(Reason::NoReader, "Windows does not write when a product that may guard stops");
        }
        found.whole = false;
    }
    found.items.sort_unstable();
    found.items.dedup_by(|later, first| first.duration_until(*later) <= ONE_STOP);
    found.items.reverse();
    Fact::Known(short(found))
}

/// Whether a product protects, of Microsoft's or of all others.
fn guards(products: &[AntivirusProduct], microsoft: bool) -> Truth {
    let of = products.iter().filter(|product| (product.maker == Maker::Microsoft) == microsoft);
    of.map(|product| product.running.known().map_or(Truth::Unknown, |&runs| Truth::from(runs)))
        .fold(Truth::False, Truth::or)
}

/// The log's events of the last month.
fn of_last_month(context: &CheckContext, log: &Log) -> Answer<LogExcerpt> {
    log.since(context, context.now.saturating_sub(HOURS.hours()).unwrap_or(Timestamp::UNIX_EPOCH))
}

/// The list, marked as cut if the logs may be incomplete; how many more there are is unknown.
fn short<T>(found: Found<T>) -> List<T> {
    let Found { mut items, whole } = found;
    let more = items.len().saturating_sub(KEPT).max(usize::from(!whole));
    items.truncate(KEPT);
    List { items, left_out: u32::try_from(more).unwrap_or(u32::MAX) }
}

#[cfg(test)]
mod tests;
