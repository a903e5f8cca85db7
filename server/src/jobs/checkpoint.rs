//! Following the end of the evidence log, so that the checkpoint in the footer of a page is the store's, whoever wrote last.

use std::time::Duration;

use super::waited;
use crate::app::App;

/// How often the end is read: a page asks nothing.
const READ_EVERY: Duration = Duration::from_secs(1);

/// Reads the end of the evidence log until the server stops.
pub async fn checkpoint_follow(app: App) {
    while waited(&app, READ_EVERY).await {
        // The next second tries again; that the store is away is told by whoever needs more of it.
        let _ = app.db.log_look().await;
    }
}
