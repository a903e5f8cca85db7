//! Tells in sums of wrong passwords, until the server stops.

use crate::app::App;
use crate::app::throttle::sum::{EVERY, sums_write};

/// Tells of every period of wrong passwords that is over, until the server stops; of all when it does.
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

/// Tells of the periods that are over; of all where the server `ends`.
pub(crate) async fn guesses_close(app: &App, ends: bool) {
    sums_write(app, app.pages.throttle.sums(app.clock.steady(), ends)).await;
}
