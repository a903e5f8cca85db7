//! How a connection becomes trusted: TLS 1.3 only, a machine's certificate accepted only from this server's client CA,
//! the server's own certificate renewed before it expires. Owns no route.

pub mod accept;
pub mod connection;
mod connections;
mod deadlines;
pub mod leaf;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::time_provider::TimeProvider;
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, ServerConfig, SignatureScheme,
};

use crate::ca::validity_ms;
use crate::clock::Clock;
use crate::secrets::Secrets;

pub use accept::{Acceptor, Peer};
pub use connection::Connection;
pub use deadlines::Deadlines;
pub use leaf::Certificates;

/// The one cryptographic provider of the program.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// The rules of every connection. A client certificate may be absent, because people have none; one that is presented
/// must come from this server's client CA, or the handshake ends.
///
/// # Errors
/// When a CA's certificate cannot be used.
pub fn server_config(
    secrets: &Secrets,
    certificates: Arc<Certificates>,
    clock: &Clock,
) -> anyhow::Result<Arc<ServerConfig>> {
    let mut roots = RootCertStore::empty();
    for authority in secrets.client_cas() {
        roots.add(authority.clone()).context("the client CA's certificate cannot be used")?;
    }
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider())
        .allow_unauthenticated()
        .build()
        .context("the client CA's certificate cannot be used")?;
    let mut config = ServerConfig::builder_with_details(provider(), Arc::new(ServerTime(clock.clone())))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .context("TLS 1.3 is not available")?
        .with_client_cert_verifier(Arc::new(AnyDate(verifier)))
        .with_cert_resolver(certificates);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    // A resumed session would carry a client certificate past its expiry; a full handshake costs 0.3 ms.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

/// Checks a machine's certificate except for its dates. An expired one is refused with a message by the routes (`agent_api::caller`): a
/// machine whose connection just closes cannot know that it must renew. One not yet valid was issued while this server's clock was ahead
/// and is accepted: the store decides at every request whether its machine may call.
#[derive(Debug)]
struct AnyDate(Arc<dyn ClientCertVerifier>);

impl ClientCertVerifier for AnyDate {
    fn offer_client_auth(&self) -> bool {
        self.0.offer_client_auth()
    }

    fn client_auth_mandatory(&self) -> bool {
        self.0.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.0.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let checked = self.0.verify_client_cert(end_entity, intermediates, now);
        let dates = matches!(
            checked,
            Err(Error::InvalidCertificate(
                CertificateError::Expired
                    | CertificateError::ExpiredContext { .. }
                    | CertificateError::NotValidYet
                    | CertificateError::NotValidYetContext { .. },
            ))
        );
        let Some(end_ms) = validity_ms(end_entity).ok().filter(|_| dates).and_then(|(_, end)| u64::try_from(end).ok())
        else {
            return checked;
        };
        self.0.verify_client_cert(end_entity, intermediates, UnixTime::since_unix_epoch(Duration::from_millis(end_ms)))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

/// Certificates are judged by the same clock as everything else.
#[derive(Debug)]
struct ServerTime(Clock);

impl TimeProvider for ServerTime {
    fn current_time(&self) -> Option<UnixTime> {
        let millis = u64::try_from(self.0.now_ms()).ok()?;
        Some(UnixTime::since_unix_epoch(Duration::from_millis(millis)))
    }
}
