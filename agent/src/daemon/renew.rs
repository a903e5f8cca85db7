//! A new certificate in the last third of the old one's life, or after it: asked for by a request that the machine's key
//! signs, on a line without a certificate.

use data_encoding::BASE64;
use protocol::{RenewAnswer, RenewRequest, SignedRenewal, path};

use crate::connection::WireError;
use crate::daemon::station::Station;

/// Makes the signed request.
///
/// # Errors
/// When the key cannot sign.
pub(crate) fn request(station: &Station) -> Result<SignedRenewal, WireError> {
    let set_up = |error: &dyn std::fmt::Display| WireError::SetUp(error.to_string());
    let csr = station.key().request().map_err(|error| set_up(&error))?;
    let request = RenewRequest {
        machine: station.identity.machine.clone(),
        certificate: station.identity.certificate_digest(),
        csr: BASE64.encode(&csr),
        made_at: station.clock.now(),
    };
    SignedRenewal::sign(&request, station.key().signing()).map_err(|error| set_up(&error))
}

/// Asks the server, on a line without the certificate: it may have expired.
///
/// # Errors
/// When the request or the line cannot be made; awaited, as [`WireError`] says.
pub(crate) fn ask(
    station: &Station,
) -> Result<impl Future<Output = Result<RenewAnswer, WireError>> + use<>, WireError> {
    let (connection, request) = (station.plain_connection()?, request(station)?);
    Ok(async move { connection.post(path::RENEW, &request).await })
}

/// Takes the new certificate into use; connections made from now on use it.
///
/// # Errors
/// When the answer does not fit this machine or cannot be kept; the old certificate stays in use.
pub(crate) fn adopt(station: &mut Station, answer: RenewAnswer) -> anyhow::Result<()> {
    let server_time_at = answer.server_time_at;
    let renewed = station.identity.renewed(answer, station.key().signing().public_key())?;
    renewed.save(&station.state)?;
    station.identity = renewed;
    station.clock.server_said(server_time_at, station.validity().until);
    tracing::info!("the machine's certificate was renewed");
    Ok(())
}
