//! The two certificate authorities of a server: one for servers, one for machines, each side accepting only its own.
//! Owns the content of certificates; `secrets` owns where keys are kept.

pub mod csr;

use std::net::IpAddr;
use std::time::Duration;

use anyhow::Context;
use protocol::{Digest, SERVER_NAME};
use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose, NameConstraints, PublicKeyData, SanType, SerialNumber,
};
use ring::rand::{SecureRandom, SystemRandom};
use rustls::pki_types::CertificateDer;

use crate::clock::DAY_MS;

/// The suffix of every machine's name in its certificate; the client CA can sign no other name.
pub const MACHINE_SUFFIX: &str = ".machine.tram-an.internal";

/// How long before now every leaf certificate begins: a peer whose clock was corrected by less still accepts it.
pub const BACKDATED_MS: i64 = 365 * DAY_MS;
/// 1 January 2000: an authority is trusted by its fingerprint, never by its age, so it begins before any clock it may meet.
const AUTHORITY_FROM_MS: i64 = 946_684_800_000;
/// A certificate authority outlives the computers it serves; it is replaced through its standby.
const AUTHORITY_MS: i64 = 20 * 365 * DAY_MS;
/// 1 December 2026, when this was written: an authority made while the clock was before that date lives as long as one made on it.
const WRITTEN_MS: i64 = 1_796_083_200_000;
/// 31 December 9999, the last day a certificate can name (RFC 5280, 4.1.2.5).
const LAST_MS: i64 = 253_402_214_400_000;
/// Leaf certificates are valid for a year (design 5).
pub const LEAF_MS: i64 = 365 * DAY_MS;

/// Whom a certificate authority certifies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Realm {
    /// Servers, under [`SERVER_NAME`] and the names people dial.
    Server,
    /// Machines, under names that end with [`MACHINE_SUFFIX`].
    Client,
}

/// A certificate authority that can sign.
pub struct Authority {
    certificate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Authority({})", self.fingerprint())
    }
}

/// A name or address that people dial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    /// A DNS name.
    Name(String),
    /// An address.
    Address(IpAddr),
}

impl std::str::FromStr for Host {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        if let Ok(address) = text.parse() {
            return Ok(Self::Address(address));
        }
        rustls::pki_types::DnsName::try_from(text)
            .map(|name| Self::Name(name.as_ref().to_ascii_lowercase()))
            .map_err(|_| anyhow::anyhow!("{text:?} is neither a DNS name nor an address"))
    }
}

/// Makes the certificate of a new authority over `key`, signed by itself.
///
/// `label` distinguishes active from standby; `hosts` are what a server CA may certify besides [`SERVER_NAME`] and private addresses.
///
/// # Errors
/// When the key cannot sign.
pub fn authority_create(
    realm: Realm,
    label: &str,
    server: &str,
    hosts: &[Host],
    key: &KeyPair,
    now_ms: i64,
) -> anyhow::Result<CertificateDer<'static>> {
    let mut params = CertificateParams::default();
    valid_between(&mut params, AUTHORITY_FROM_MS, now_ms.max(WRITTEN_MS).saturating_add(AUTHORITY_MS));
    params.serial_number = Some(serial()?);
    let (name, usage) = match realm {
        Realm::Server => ("server CA", ExtendedKeyUsagePurpose::ServerAuth),
        Realm::Client => ("machine CA", ExtendedKeyUsagePurpose::ClientAuth),
    };
    params.distinguished_name = distinguished_name(&format!("Tram An {name} ({label})"), server);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.extended_key_usages = vec![usage];
    params.name_constraints = Some(match realm {
        Realm::Server => server_constraints(hosts),
        Realm::Client => client_constraints(),
    });
    Ok(params.self_signed(key).context("cannot sign a certificate authority")?.der().clone())
}

/// A stolen server CA must not be able to impersonate any site a browser visits: it may certify the product's fixed
/// name, the names given at `init`, and addresses of private networks (RFC 1918, RFC 4193, loopback, link-local).
fn server_constraints(hosts: &[Host]) -> NameConstraints {
    let mut permitted =
        vec![GeneralSubtree::DnsName(SERVER_NAME.to_owned()), GeneralSubtree::DnsName("localhost".to_owned())];
    let private: [(IpAddr, u8); 8] = [
        ([10, 0, 0, 0].into(), 8),
        ([172, 16, 0, 0].into(), 12),
        ([192, 168, 0, 0].into(), 16),
        ([127, 0, 0, 0].into(), 8),
        ([169, 254, 0, 0].into(), 16),
        (std::net::Ipv6Addr::LOCALHOST.into(), 128),
        ([0xfc00, 0, 0, 0, 0, 0, 0, 0].into(), 7),
        ([0xfe80, 0, 0, 0, 0, 0, 0, 0].into(), 10),
    ];
    permitted.extend(private.map(|(address, prefix)| subnet(address, prefix)));
    permitted.extend(hosts.iter().map(|host| match host {
        Host::Name(name) => GeneralSubtree::DnsName(name.clone()),
        Host::Address(address @ IpAddr::V4(_)) => subnet(*address, 32),
        Host::Address(address @ IpAddr::V6(_)) => subnet(*address, 128),
    }));
    NameConstraints { permitted_subtrees: permitted, excluded_subtrees: Vec::new() }
}

/// The client CA certifies machines of this product and no address at all.
fn client_constraints() -> NameConstraints {
    NameConstraints {
        permitted_subtrees: vec![GeneralSubtree::DnsName(MACHINE_SUFFIX.trim_start_matches('.').to_owned())],
        excluded_subtrees: vec![
            subnet(std::net::Ipv4Addr::UNSPECIFIED.into(), 0),
            subnet(std::net::Ipv6Addr::UNSPECIFIED.into(), 0),
        ],
    }
}

fn subnet(address: IpAddr, prefix: u8) -> GeneralSubtree {
    GeneralSubtree::IpAddress(CidrSubnet::from_addr_prefix(address, prefix))
}

impl Authority {
    /// Joins a certificate with its key.
    ///
    /// # Errors
    /// When the certificate cannot be read or belongs to another key.
    pub fn new(certificate: CertificateDer<'static>, key: KeyPair) -> anyhow::Result<Self> {
        let (_, parsed) = x509_parser::parse_x509_certificate(&certificate).context("not a certificate")?;
        if parsed.public_key().raw != key.subject_public_key_info() {
            anyhow::bail!("the certificate and the private key do not belong together");
        }
        let issuer = Issuer::from_ca_cert_der(&certificate, key).context("not a certificate of an authority")?;
        Ok(Self { certificate, issuer })
    }

    /// The authority's own certificate.
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// SHA-256 of the certificate: what an officer passes on.
    pub fn fingerprint(&self) -> Digest {
        Digest::of(&self.certificate)
    }

    /// The certificate a server shows: the fixed name and `hosts`, for a year from `now_ms`.
    ///
    /// # Errors
    /// When the key cannot sign, or a host is no valid name.
    pub fn issue_server(&self, key: &KeyPair, hosts: &[Host], now_ms: i64) -> anyhow::Result<CertificateDer<'static>> {
        let mut names = vec![SanType::DnsName(SERVER_NAME.try_into().context("fixed name")?)];
        for host in hosts {
            names.push(match host {
                Host::Name(name) => SanType::DnsName(name.as_str().try_into().with_context(|| name.clone())?),
                Host::Address(address) => SanType::IpAddress(*address),
            });
        }
        let mut params = leaf(SERVER_NAME, names, ExtendedKeyUsagePurpose::ServerAuth)?;
        valid_between(&mut params, now_ms.saturating_sub(BACKDATED_MS), now_ms.saturating_add(LEAF_MS));
        self.sign(&params, key)
    }

    /// The certificate of `machine` over the public key of its request, for a year from `now_ms`. Nothing else of the request is used.
    ///
    /// # Errors
    /// When the key cannot sign.
    pub fn issue_machine(
        &self,
        machine: &str,
        key: &csr::MachineKey,
        now_ms: i64,
    ) -> anyhow::Result<CertificateDer<'static>> {
        let name = format!("{machine}{MACHINE_SUFFIX}");
        let names = vec![SanType::DnsName(name.as_str().try_into().with_context(|| name.clone())?)];
        let mut params = leaf(machine, names, ExtendedKeyUsagePurpose::ClientAuth)?;
        valid_between(&mut params, now_ms.saturating_sub(BACKDATED_MS), now_ms.saturating_add(LEAF_MS));
        self.sign(&params, key.info())
    }

    fn sign(&self, params: &CertificateParams, key: &impl PublicKeyData) -> anyhow::Result<CertificateDer<'static>> {
        Ok(params.signed_by(key, &self.issuer).context("cannot sign a certificate")?.der().clone())
    }
}

fn leaf(name: &str, names: Vec<SanType>, usage: ExtendedKeyUsagePurpose) -> anyhow::Result<CertificateParams> {
    let mut params = CertificateParams::default();
    params.serial_number = Some(serial()?);
    params.distinguished_name = distinguished_name(name, "Tram An");
    params.subject_alt_names = names;
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![usage];
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

fn distinguished_name(common_name: &str, organization: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::OrganizationName, organization);
    name.push(DnType::CommonName, common_name);
    name
}

/// 127 random bits: two certificates over one key must differ.
fn serial() -> anyhow::Result<SerialNumber> {
    let mut bytes = [0; 16];
    SystemRandom::new().fill(&mut bytes).map_err(|_| anyhow::anyhow!("the system gives no random bytes"))?;
    bytes[0] = (bytes[0] & 0x7f) | 0x40;
    Ok(SerialNumber::from_slice(&bytes))
}

/// Sets the validity period of a certificate; milliseconds since 1970, before which nothing is valid.
fn valid_between(params: &mut CertificateParams, from_ms: i64, until_ms: i64) {
    let since_1970 = |millis: i64| Duration::from_millis(u64::try_from(millis.min(LAST_MS)).unwrap_or(0));
    params.not_before = rcgen::date_time_ymd(1970, 1, 1) + since_1970(from_ms);
    params.not_after = rcgen::date_time_ymd(1970, 1, 1) + since_1970(until_ms);
}

/// From when until when a certificate is valid; milliseconds since 1970 UTC.
///
/// # Errors
/// When it is not a certificate.
pub fn validity_ms(certificate: &[u8]) -> anyhow::Result<(i64, i64)> {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).context("not a certificate")?;
    let validity = parsed.validity();
    let millis = |instant: &x509_parser::time::ASN1Time| instant.timestamp().saturating_mul(1000);
    Ok((millis(&validity.not_before), millis(&validity.not_after)))
}

/// A certificate's serial number, hexadecimal.
///
/// # Errors
/// When it is not a certificate.
pub fn serial_of(certificate: &[u8]) -> anyhow::Result<String> {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).context("not a certificate")?;
    Ok(data_encoding::HEXLOWER.encode(parsed.raw_serial()))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use rcgen::KeyPair;
    use rustls::client::WebPkiServerVerifier;
    use rustls::client::danger::ServerCertVerifier;
    use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
    use rustls::server::WebPkiClientVerifier;
    use rustls::{CertificateError, Error, RootCertStore};

    use super::*;

    const NOW: i64 = 1_795_000_000_000;

    fn key() -> KeyPair {
        KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap()
    }

    fn authority(realm: Realm, hosts: &[Host]) -> Authority {
        let key = key();
        let certificate = authority_create(realm, "active", "server-1", hosts, &key, NOW).unwrap();
        Authority::new(certificate, key).unwrap()
    }

    fn machine_key(pair: &KeyPair) -> csr::MachineKey {
        let request = CertificateParams::default().serialize_request(pair).unwrap();
        csr::MachineKey::read(request.der()).unwrap()
    }

    fn roots(authority: &Authority) -> Arc<RootCertStore> {
        let mut roots = RootCertStore::empty();
        roots.add(authority.certificate().clone()).unwrap();
        Arc::new(roots)
    }

    fn at(millis: i64) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_millis(millis.try_into().unwrap()))
    }

    fn verify_server(authority: &Authority, leaf: &CertificateDer<'_>, name: &str, at_ms: i64) -> Result<(), Error> {
        let verifier =
            WebPkiServerVerifier::builder_with_provider(roots(authority), crate::tls::provider()).build().unwrap();
        let name = ServerName::try_from(name).unwrap();
        verifier.verify_server_cert(leaf, &[], &name, &[], at(at_ms)).map(|_| ())
    }

    fn verify_client(authority: &Authority, leaf: &CertificateDer<'_>, at_ms: i64) -> Result<(), Error> {
        let verifier =
            WebPkiClientVerifier::builder_with_provider(roots(authority), crate::tls::provider()).build().unwrap();
        verifier.verify_client_cert(leaf, &[], at(at_ms)).map(|_| ())
    }

    fn hosts(names: &[&str]) -> Vec<Host> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    #[test]
    fn a_servers_certificate_holds_for_its_fixed_name_and_hosts_for_a_year() {
        let hosts = hosts(&["tram-an.xa-an.example", "127.0.0.1", "::1", "203.0.113.7"]);
        let authority = authority(Realm::Server, &hosts);
        let leaf = authority.issue_server(&key(), &hosts, NOW).unwrap();
        for name in [SERVER_NAME, "tram-an.xa-an.example", "127.0.0.1", "::1", "203.0.113.7"] {
            verify_server(&authority, &leaf, name, NOW).unwrap();
        }
        assert!(verify_server(&authority, &leaf, "example.org", NOW).is_err());
        assert_eq!(validity_ms(&leaf).unwrap().1, NOW + LEAF_MS);
        verify_server(&authority, &leaf, SERVER_NAME, NOW - 300 * DAY_MS).unwrap();
        assert!(verify_server(&authority, &leaf, SERVER_NAME, NOW + LEAF_MS + 1000).is_err());
    }

    #[test]
    fn every_leaf_holds_after_a_clock_was_put_right_by_a_year() {
        let (servers, clients) = (authority(Realm::Server, &[]), authority(Realm::Client, &[]));
        let leaf = servers.issue_server(&key(), &[], NOW).unwrap();
        verify_server(&servers, &leaf, SERVER_NAME, NOW - 364 * DAY_MS).unwrap();
        let leaf = clients.issue_machine("m", &machine_key(&key()), NOW).unwrap();
        verify_client(&clients, &leaf, NOW - 364 * DAY_MS).unwrap();
        assert_eq!(validity_ms(&leaf).unwrap(), (NOW - BACKDATED_MS, NOW + LEAF_MS));
    }

    #[test]
    fn an_authority_made_under_any_clock_is_valid_now() {
        for made_at in [0, 1, NOW - 5000 * DAY_MS, NOW, NOW + 5000 * DAY_MS, i64::MAX] {
            let key = key();
            let certificate = authority_create(Realm::Server, "active", "server-1", &[], &key, made_at).unwrap();
            let (from, until) = validity_ms(&certificate).unwrap();
            assert!(from < NOW - 9000 * DAY_MS && until > NOW + 7000 * DAY_MS, "{made_at}: {from} to {until}");
        }
    }

    #[test]
    fn a_stolen_server_authority_cannot_pass_for_the_rest_of_the_world() {
        let authority = authority(Realm::Server, &hosts(&["tram-an.xa-an.example"]));
        for elsewhere in ["dichvucong.example", "8.8.8.8", "2001:db8::1"] {
            let leaf = authority.issue_server(&key(), &hosts(&[elsewhere]), NOW).unwrap();
            let refused = verify_server(&authority, &leaf, elsewhere, NOW).unwrap_err();
            assert!(format!("{refused:?}").contains("NameConstraintViolation"), "{elsewhere}: {refused:?}");
        }
    }

    #[test]
    fn a_machines_certificate_holds_only_for_machines_and_only_under_the_client_authority() {
        let clients = authority(Realm::Client, &[]);
        let servers = authority(Realm::Server, &[]);
        let pair = key();
        let leaf = clients.issue_machine("0199-machine", &machine_key(&pair), NOW).unwrap();
        verify_client(&clients, &leaf, NOW).unwrap();
        assert!(verify_client(&servers, &leaf, NOW).is_err());
        assert!(matches!(
            verify_client(&clients, &leaf, NOW + LEAF_MS + 1000),
            Err(Error::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. }))
        ));
        assert!(verify_server(&clients, &leaf, "0199-machine.machine.tram-an.internal", NOW).is_err());
        let peer = crate::tls::accept::PeerCertificate::read(&leaf).unwrap();
        assert_eq!(peer.machine, "0199-machine");
        assert_eq!(peer.key, csr::key_id(machine_key(&pair).spki()));
        assert_eq!(peer.valid_until_ms, NOW + LEAF_MS);
    }

    #[test]
    fn a_client_authority_certifies_no_server_name() {
        let clients = authority(Realm::Client, &[]);
        let leaf = clients.issue_server(&key(), &hosts(&["10.0.0.1"]), NOW).unwrap();
        assert!(verify_client(&clients, &leaf, NOW).is_err());
        assert!(verify_server(&clients, &leaf, SERVER_NAME, NOW).is_err());
    }

    #[test]
    fn two_certificates_over_one_key_differ() {
        let clients = authority(Realm::Client, &[]);
        let machine = machine_key(&key());
        let first = clients.issue_machine("m", &machine, NOW).unwrap();
        assert_ne!(first, clients.issue_machine("m", &machine, NOW).unwrap());
    }

    #[test]
    fn a_certificate_and_a_foreign_key_make_no_authority() {
        let certificate = authority(Realm::Client, &[]).certificate().clone();
        assert!(Authority::new(certificate, key()).is_err());
    }
}
