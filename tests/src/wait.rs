//! Waiting for something to happen, never for a fixed time.

use std::time::{Duration, Instant};

use anyhow::bail;

/// The longest the tests wait for anything.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// How often it looks.
const INTERVAL: Duration = Duration::from_millis(50);

/// Looks until `look` finds something.
///
/// # Errors
/// Nothing was found within `patience`, or looking failed; the message begins with `what`.
pub fn until<T>(
    what: &str,
    patience: Duration,
    mut look: impl FnMut() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<T> {
    let start = Instant::now();
    loop {
        if let Some(found) = look().map_err(|error| error.context(format!("while waiting for: {what}")))? {
            return Ok(found);
        }
        if start.elapsed() > patience {
            bail!("waited {} s in vain for: {what}", patience.as_secs());
        }
        #[expect(clippy::disallowed_methods, reason = "the pause between two looks; nothing depends on its length")]
        std::thread::sleep(INTERVAL);
    }
}
