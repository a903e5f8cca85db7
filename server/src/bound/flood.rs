//! Keeps a flood out of the log: of each kind of line, the first few per minute are written; the rest are counted and reported
//! in one line. A kind is the place in the code together with the code, reason or kind that the line carries, so that no flood
//! hides another.

use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing::field::{Field, Visit};
use tracing::{Event, Metadata};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::{Context, Filter};

/// Lines of one kind that are written in one minute.
const WRITTEN: u64 = 10;
/// How often the rest is reported.
pub const TOLD_EVERY: Duration = Duration::from_secs(60);
/// The log target of the lines that report a flood: they are not part of it.
const TELLING: &str = "server::flood";
/// Most kinds counted separately; their words are fixed in the code, so there are far fewer.
const KINDS: usize = 1000;

/// A filter of the log. Clones share the counts.
#[derive(Clone, Debug, Default)]
pub struct Flood(Arc<Mutex<HashMap<Kind, Count>>>);

/// Where a line comes from and the word it carries.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Kind {
    place: (&'static str, u32),
    word: String,
}

#[derive(Debug)]
struct Count {
    since: Instant,
    written: u64,
    left_out: u64,
}

impl Flood {
    /// Whether a line of this kind may be written at `now`; if not, it is counted.
    fn admits(&self, kind: Kind, now: Instant) -> bool {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.len() >= KINDS && !counts.contains_key(&kind) {
            return true;
        }
        let count = counts.entry(kind).or_insert(Count { since: now, written: 0, left_out: 0 });
        if now.duration_since(count.since) >= TOLD_EVERY {
            (count.since, count.written) = (now, 0);
        }
        if count.written < WRITTEN {
            count.written += 1;
            return true;
        }
        count.left_out += 1;
        false
    }

    /// Reports what was left out since the last report: one line for each kind.
    pub fn tell(&self) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let left_out: Vec<(Kind, u64)> = counts
            .iter_mut()
            .filter(|(_, count)| count.left_out > 0)
            .map(|(kind, count)| (kind.clone(), std::mem::take(&mut count.left_out)))
            .collect();
        // Not while the counts are locked: these lines pass the filter too.
        drop(counts);
        for (Kind { place: (file, line), word }, more) in left_out {
            tracing::warn!(target: TELLING, more, word, "more lines of one kind than are written ({file}:{line})");
        }
    }
}

// `callsite_enabled` keeps its default, "sometimes": the registry forgets what it left out only when it asks again.
impl<S> Filter<S> for Flood {
    fn enabled(&self, _: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        true
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::TRACE)
    }

    fn event_enabled(&self, event: &Event<'_>, _: &Context<'_, S>) -> bool {
        let metadata = event.metadata();
        let (Some(file), Some(line)) = (metadata.file(), metadata.line()) else { return true };
        if metadata.target() == TELLING {
            return true;
        }
        let mut word = Word(String::new());
        event.record(&mut word);
        self.admits(Kind { place: (file, line), word: word.0 }, Instant::now())
    }
}

/// Reads the word that distinguishes lines of one place.
struct Word(String);

impl Visit for Word {
    fn record_str(&mut self, field: &Field, value: &str) {
        if ["code", "reason", "kind"].contains(&field.name()) {
            value.clone_into(&mut self.0);
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn Debug) {}
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};

    use tracing_subscriber::Layer;
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_flood_of_refusals_is_counted_and_hides_no_other_line() {
        let (flood, log) = (Flood::default(), Log::default());
        let written = log.clone();
        let layer = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(move || written.clone());
        let layer = layer.with_filter(flood.clone());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            let refuse = |code: &'static str| tracing::info!(code, "refused");
            (0..50_000).for_each(|_| refuse("bad_signature"));
            refuse("token_expired");
            flood.tell();
            flood.tell();
        });
        let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text.matches("bad_signature").count(), 11, "{text}");
        assert_eq!(text.matches("token_expired").count(), 1);
        assert_eq!(text.matches("more=49990").count(), 1);
    }

    #[test]
    fn the_next_minute_begins_anew() {
        let flood = Flood::default();
        let kind = || Kind { place: ("a", 1), word: String::new() };
        let now = Instant::now();
        assert_eq!((0..100).filter(|_| flood.admits(kind(), now)).count(), 10);
        assert_eq!((0..100).filter(|_| flood.admits(kind(), now + TOLD_EVERY)).count(), 10);
    }
}
