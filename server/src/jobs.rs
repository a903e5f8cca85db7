//! Background work of the server: keeping grades current, freezing figures, renewing its certificate, packing what is old and deleting
//! what has expired. Errors are logged, and the next run tries again.

pub mod certificates;
pub mod checkpoint;
pub mod contacts;
pub mod figure;
pub mod grader;
pub mod guesses;
pub mod housekeeping;
pub mod packing;
mod regrade;
pub mod retention;
pub mod space;

use std::time::Duration;

use crate::app::App;
use crate::store::StoreResult;

async fn clock_is_doubtful(app: &App) -> StoreResult<bool> {
    app.db.read().await?.clock_is_doubtful(app.clock.now_ms()).await
}

/// Waits; false if the server stops meanwhile.
async fn waited(app: &App, time: Duration) -> bool {
    tokio::select! {
        () = app.events.stopped() => false,
        () = tokio::time::sleep(time) => true,
    }
}
