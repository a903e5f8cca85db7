//! Renews the certificate in the last third of its validity, or after it, with a request signed by the machine's key,
//! over a connection without a client certificate.

use data_encoding::BASE64;
use protocol::{RenewAnswer, RenewRequest, SignedRenewal, path};

use crate::connection::WireError;
use crate::daemon::agent_state::AgentState;

/// Makes the signed request.
///
/// # Errors
/// When the key cannot sign.
pub(crate) fn request(agent_state: &AgentState) -> Result<SignedRenewal, WireError> {
    let set_up = |error: &dyn std::fmt::Display| WireError::SetUp(error.to_string());
    let csr = agent_state.key().request().map_err(|error| set_up(&error))?;
    let request = RenewRequest {
        machine: agent_state.identity.machine.clone(),
        certificate: agent_state.identity.certificate_digest(),
        csr: BASE64.encode(&csr),
        made_at: agent_state.clock.now(),
    };
    SignedRenewal::sign(&request, agent_state.key().signing()).map_err(|error| set_up(&error))
}

/// Asks the server, over a connection without the certificate: it may have expired.
///
/// # Errors
/// When the request or the connection cannot be made; when awaited, see [`WireError`].
pub(crate) fn ask(
    agent_state: &AgentState,
) -> Result<impl Future<Output = Result<RenewAnswer, WireError>> + use<>, WireError> {
    let (connection, request) = (agent_state.plain_connection()?, request(agent_state)?);
    Ok(async move { connection.post(path::RENEW, &request).await })
}

/// Adopts the new certificate; new connections use it.
///
/// # Errors
/// When the answer does not fit this machine or cannot be stored; the old certificate stays in use.
pub(crate) fn adopt(agent_state: &mut AgentState, answer: RenewAnswer) -> anyhow::Result<()> {
    let server_time_at = answer.server_time_at;
    let renewed = agent_state.identity.renewed(answer, agent_state.key().signing().public_key())?;
    renewed.save(&agent_state.state)?;
    agent_state.identity = renewed;
    agent_state.clock.server_said(server_time_at, agent_state.validity().until);
    tracing::info!("the machine's certificate was renewed");
    Ok(())
}
