//! Whom the agent trusts: TLS 1.3 only, and a server certificate under one of our own CAs (at enrolment: under the CA with
//! the given fingerprint), for one fixed name whatever address is dialled, valid at the trusted time.
//!
//! The operating system's CAs do not count. So a device on the way that intercepts TLS cannot pass for the server; the error
//! names it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use protocol::{Digest, SERVER_NAME};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use crate::identity::Validity;
use crate::identity::certificate::Certificate;
use crate::platform::clock::{Clock, Suspect};

/// What a server's certificate must chain to.
#[derive(Clone, Debug)]
pub enum Anchor {
    /// These CAs, in DER.
    Authorities(Vec<Vec<u8>>),
    /// The CA with this SHA-256; the server sends the CA itself.
    Fingerprint(Digest),
}

/// A server certificate that was rejected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// Its issuer as written in the certificate: untrusted text.
    pub issuer: String,
    /// What is wrong with it.
    pub reason: RejectedReason,
}

/// Why a server certificate was rejected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RejectedReason {
    /// It does not chain to our CA: another server, or a device that intercepts TLS.
    OtherIssuer,
    /// It is not valid at any time accepted here.
    Time(WrongTime),
    /// It is for another name, another use, or damaged.
    Other(String),
}

/// A certificate that is not valid at any time accepted here, and whose clock is likely wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrongTime {
    /// Whose clock must be wrong.
    pub suspect: Suspect,
    /// What the machine's own clock says; milliseconds since 1970 UTC.
    pub own: i64,
    /// When the server's certificate is valid.
    pub valid: Validity,
}

/// Verifies server certificates and remembers the last one it rejected.
#[derive(Debug)]
pub struct Trust {
    anchor: Anchor,
    clock: Arc<Clock>,
    provider: Arc<CryptoProvider>,
    rejected: Mutex<Option<Rejected>>,
}

impl Trust {
    /// Trusts certificates that chain to `anchor`.
    pub fn new(anchor: Anchor, clock: Arc<Clock>) -> Arc<Self> {
        Arc::new(Self {
            anchor,
            clock,
            provider: Arc::new(rustls::crypto::ring::default_provider()),
            rejected: Mutex::default(),
        })
    }

    /// The last rejected certificate; returned only once.
    pub fn rejected(&self) -> Option<Rejected> {
        self.rejected.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// The TLS configuration of a connection, with the machine's certificate if it has one.
    ///
    /// # Errors
    /// When certificate and key do not match.
    pub fn configuration(
        self: &Arc<Self>,
        machine: Option<(Vec<Vec<u8>>, PrivateKeyDer<'static>)>,
    ) -> Result<ClientConfig, Error> {
        let builder = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(Arc::clone(self) as Arc<dyn ServerCertVerifier>);
        let mut configuration = match machine {
            Some((chain, key)) => {
                builder.with_client_auth_cert(chain.into_iter().map(CertificateDer::from).collect(), key)?
            }
            None => builder.with_no_client_auth(),
        };
        configuration.alpn_protocols = vec![b"h2".to_vec()];
        Ok(configuration)
    }

    fn check(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        ocsp: &[u8],
    ) -> Result<ServerCertVerified, Error> {
        let mut roots = RootCertStore::empty();
        match &self.anchor {
            Anchor::Authorities(authorities) => {
                for authority in authorities {
                    roots.add(CertificateDer::from(authority.as_slice()))?;
                }
            }
            Anchor::Fingerprint(fingerprint) => {
                let pinned = intermediates.iter().find(|certificate| Digest::of(certificate) == *fingerprint);
                roots.add(pinned.ok_or(CertificateError::UnknownIssuer)?.clone().into_owned())?;
            }
        }
        let name = ServerName::try_from(SERVER_NAME).map_err(|_| CertificateError::BadEncoding)?;
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&self.provider))
            .build()
            .map_err(|error| Error::General(error.to_string()))?;
        let at = |milliseconds: i64| {
            let since_1970 = Duration::from_millis(u64::try_from(milliseconds).unwrap_or(0));
            verifier.verify_server_cert(end_entity, intermediates, &name, ocsp, UnixTime::since_unix_epoch(since_1970))
        };
        let [trusted, own] = self.clock.believed();
        match at(trusted) {
            Err(error) if is_of_time(&error) && own != trusted => at(own),
            checked => checked,
        }
    }

    fn wrong_time(&self, end_entity: &CertificateDer<'_>) -> WrongTime {
        let valid = Certificate::read(end_entity).map(|certificate| Validity::of(&certificate));
        WrongTime {
            suspect: self.clock.suspect(),
            own: self.clock.now(),
            valid: valid.unwrap_or(Validity { from: 0, until: 0 }),
        }
    }
}

/// True when only the dates of a certificate are wrong.
fn is_of_time(error: &Error) -> bool {
    matches!(
        error,
        Error::InvalidCertificate(
            CertificateError::Expired
                | CertificateError::ExpiredContext { .. }
                | CertificateError::NotValidYet
                | CertificateError::NotValidYetContext { .. },
        )
    )
}

impl ServerCertVerifier for Trust {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _dialled: &ServerName<'_>,
        ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let checked = self.check(end_entity, intermediates, ocsp);
        if let Err(error) = &checked {
            let issuer = Certificate::read(end_entity).map(|certificate| certificate.issuer).unwrap_or_default();
            let reason = match error {
                Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature) => {
                    RejectedReason::OtherIssuer
                }
                error if is_of_time(error) => RejectedReason::Time(self.wrong_time(end_entity)),
                other => RejectedReason::Other(other.to_string()),
            };
            *self.rejected.lock().unwrap_or_else(PoisonError::into_inner) = Some(Rejected { issuer, reason });
        }
        checked
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("TLS 1.2 is not spoken".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};

    use super::*;

    /// A CA with its certificate.
    pub(crate) struct Authority {
        pub(crate) issuer: Issuer<'static, KeyPair>,
        pub(crate) der: Vec<u8>,
    }

    pub(crate) fn authority(name: &str) -> Authority {
        let mut parameters = CertificateParams::default();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.distinguished_name.push(rcgen::DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let der = parameters.self_signed(&key).unwrap().der().to_vec();
        Authority { issuer: Issuer::new(parameters, key), der }
    }

    /// A server's certificate and key under `authority`.
    pub(crate) fn server(authority: &Authority, name: &str, usage: ExtendedKeyUsagePurpose) -> (Vec<u8>, KeyPair) {
        let mut parameters = CertificateParams::new(vec![name.to_owned()]).unwrap();
        parameters.extended_key_usages = vec![usage];
        let key = KeyPair::generate().unwrap();
        (parameters.signed_by(&key, &authority.issuer).unwrap().der().to_vec(), key)
    }

    fn judge(trust: &Trust, leaf: &[u8], chain: &[&[u8]]) -> Result<(), RejectedReason> {
        let dialled = ServerName::try_from("10.0.0.1").unwrap();
        let chain: Vec<CertificateDer<'_>> = chain.iter().map(|der| CertificateDer::from(*der)).collect();
        let judged = trust.verify_server_cert(
            &CertificateDer::from(leaf),
            &chain,
            &dialled,
            &[],
            UnixTime::since_unix_epoch(Duration::ZERO),
        );
        match judged {
            Ok(_) => Ok(()),
            Err(_) => Err(trust.rejected().unwrap().reason),
        }
    }

    #[test]
    fn only_our_authorities_name_and_use_are_believed() {
        use ExtendedKeyUsagePurpose::{ClientAuth, ServerAuth};
        let (active, standby, foreign) = (authority("active"), authority("standby"), authority("Middlebox CA"));
        let clock = Arc::new(Clock::system());
        let trust = Trust::new(Anchor::Authorities(vec![active.der.clone(), standby.der.clone()]), clock);
        for ours in [&active, &standby] {
            assert_eq!(judge(&trust, &server(ours, SERVER_NAME, ServerAuth).0, &[]), Ok(()));
        }
        let (fake, _) = server(&foreign, SERVER_NAME, ServerAuth);
        let dialled = ServerName::try_from("a.example").unwrap();
        let now = UnixTime::since_unix_epoch(Duration::ZERO);
        assert!(trust.verify_server_cert(&CertificateDer::from(fake), &[], &dialled, &[], now).is_err());
        let rejected = trust.rejected().unwrap();
        assert_eq!((rejected.issuer.as_str(), rejected.reason), ("CN=Middlebox CA", RejectedReason::OtherIssuer));
        assert_eq!(trust.rejected(), None);
        let other = |leaf: Vec<u8>| matches!(judge(&trust, &leaf, &[]), Err(RejectedReason::Other(_)));
        assert!(other(server(&active, "other.example", ServerAuth).0));
        assert!(other(server(&active, SERVER_NAME, ClientAuth).0));
    }

    #[test]
    fn the_fingerprint_decides_at_enrolment() {
        let (ours, other) = (authority("ours"), authority("other"));
        let trust = Trust::new(Anchor::Fingerprint(Digest::of(&ours.der)), Arc::new(Clock::system()));
        let (leaf, _) = server(&ours, SERVER_NAME, ExtendedKeyUsagePurpose::ServerAuth);
        assert_eq!(judge(&trust, &leaf, &[&other.der, &ours.der]), Ok(()));
        assert_eq!(judge(&trust, &leaf, &[&other.der]), Err(RejectedReason::OtherIssuer));
        let (foreign, _) = server(&other, SERVER_NAME, ExtendedKeyUsagePurpose::ServerAuth);
        assert_eq!(judge(&trust, &foreign, &[&other.der, &ours.der]), Err(RejectedReason::OtherIssuer));
    }

    #[test]
    fn the_trusted_time_counts_not_the_clock() {
        let ours = authority("ours");
        let mut parameters = CertificateParams::new(vec![SERVER_NAME.to_owned()]).unwrap();
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        parameters.not_before = rcgen::date_time_ymd(2090, 1, 1);
        parameters.not_after = rcgen::date_time_ymd(2091, 1, 1);
        let leaf = parameters.signed_by(&KeyPair::generate().unwrap(), &ours.issuer).unwrap().der().to_vec();
        let clock = Arc::new(Clock::still(0));
        let trust = Trust::new(Anchor::Authorities(vec![ours.der.clone()]), Arc::clone(&clock));
        let Err(RejectedReason::Time(wrong)) = judge(&trust, &leaf, &[]) else { panic!("believed") };
        assert_eq!((wrong.suspect, wrong.own, wrong.valid.from), (Suspect::Own, 0, 3_786_912_000_000));
        let in_2090 = 3_790_000_000_000;
        clock.server_said(in_2090, i64::MAX);
        assert_eq!(judge(&trust, &leaf, &[]), Ok(()));
        // The server's clock was ahead and has been corrected: the machine's own clock is enough where it can be right.
        clock.set(in_2090);
        clock.server_said(in_2090 + 4000 * 24 * 60 * 60 * 1000, i64::MAX);
        assert_eq!(judge(&trust, &leaf, &[]), Ok(()));
    }
}
