//! Renewing the server's certificate, and rereading the office's.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::waited;
use crate::app::App;
use crate::tls::Certificates;

/// How often the server's own certificate is checked: soon after a jump of the clock.
const CERTIFICATE_EVERY: Duration = Duration::from_secs(5);
/// How often the office's certificate is read again.
const WEB_CERTIFICATE_EVERY: Duration = Duration::from_secs(60 * 60);

/// Renews the server's certificate before it expires or when the clock jumped, and rereads the office's, until the server stops.
pub async fn certificates_renew(app: App, certificates: Arc<Certificates>) {
    let mut web_read = Instant::now();
    while waited(&app, CERTIFICATE_EVERY).await {
        let web_due = web_read.elapsed() >= WEB_CERTIFICATE_EVERY;
        if !web_due && certificates.own_serves(app.clock.now_ms()) {
            continue;
        }
        let (renewing, shown) = (app.clone(), Arc::clone(&certificates));
        let renewed = tokio::task::spawn_blocking(move || {
            shown.own_renew(&renewing.secrets.server_ca, renewing.clock.now_ms())?;
            if web_due { shown.web_refresh() } else { Ok(()) }
        });
        if web_due {
            web_read = Instant::now();
        }
        match renewed.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!("a certificate could not be renewed: {error:#}"),
            Err(error) => tracing::error!("a certificate could not be renewed: {error}"),
        }
    }
}
