//! Reports wrong passwords in sums, until the server stops.

use crate::app::App;
use crate::app::throttle::sum::{EVERY, sums_write};

/// Reports every ended period of wrong passwords until the server stops, and all periods when it does.
pub async fn guesses_tell(app: App) {
    loop {
        let goes_on = tokio::select! {
            () = app.events.stopped() => false,
            () = tokio::time::sleep(EVERY) => true,
        };
        guesses_close(&app, !goes_on).await;
        if !goes_on {
            return;
        }
    }
}

/// Reports the ended periods; all of them when the server `ends`.
pub(crate) async fn guesses_close(app: &App, ends: bool) {
    sums_write(app, app.pages.throttle.sums(app.clock.steady(), ends)).await;
}
