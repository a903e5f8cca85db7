//! Writes when machines last called, until the server stops.

use std::time::Duration;

use super::waited;
use crate::app::App;

/// How often it is checked whose turn it is.
const EVERY: Duration = Duration::from_secs(60);

/// Writes last calls until the server stops, and those not yet written when it does.
pub async fn contacts_store(app: App) {
    loop {
        let goes_on = waited(&app, EVERY).await;
        if let Err(error) = app.contacts.store(&app.db, &app.clock, !goes_on).await {
            tracing::warn!(
                "last calls are written later: {error:#}",
                error = anyhow::Error::new(app.db.health().noted(error))
            );
        }
        if !goes_on {
            return;
        }
    }
}
