//! The certificates this server presents: its own from the server CA, made and renewed here, and for the pages the office's
//! own if it has one. Agents ask for the fixed name and always get the first.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use anyhow::Context;
use rcgen::KeyPair;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use x509_parser::extensions::GeneralName;

use crate::ca::{Authority, BACKDATED_MS, Host, LEAF_MS, validity_ms};
use crate::config::WebCertificate;
use crate::error::UserError;
use crate::secrets::{Places, file, key_generate};

/// The certificates currently presented. Replaced while running; open connections keep theirs.
#[derive(Debug)]
pub struct Certificates {
    path: PathBuf,
    hosts: Vec<Host>,
    web: Option<WebCertificate>,
    shown: RwLock<Shown>,
}

#[derive(Debug)]
struct Shown {
    own: Arc<CertifiedKey>,
    own_valid: Valid,
    web: Option<Arc<CertifiedKey>>,
}

/// The dates of a certificate; milliseconds since 1970 UTC.
#[derive(Clone, Copy, Debug)]
struct Valid {
    from_ms: i64,
    until_ms: i64,
}

impl Valid {
    fn of(leaf: &[u8]) -> anyhow::Result<Self> {
        let (from_ms, until_ms) = validity_ms(leaf)?;
        Ok(Self { from_ms, until_ms })
    }

    /// True when it is neither in the last third of its year nor not yet valid: made while the clock was ahead, it would be
    /// refused by everybody now and last too long later.
    fn serves(self, now_ms: i64) -> bool {
        let left = self.until_ms.saturating_sub(now_ms);
        now_ms >= self.from_ms && (LEAF_MS / 3..=BACKDATED_MS + LEAF_MS).contains(&left)
    }
}

impl Certificates {
    /// Reads the server's own certificate from `data`, or makes it when there is none that still serves, and reads the
    /// office's for the pages.
    ///
    /// # Errors
    /// A file cannot be read or written, or the office's certificate and key cannot be used.
    pub fn open(
        data: &Path,
        authority: &Authority,
        hosts: Vec<Host>,
        web: Option<WebCertificate>,
        now_ms: i64,
    ) -> anyhow::Result<Self> {
        let path = Places::new(data).secrets().join("server.pem");
        let kept = if path.exists() { Some(own_read(&path)?) } else { None };
        let (own, own_valid) = match kept {
            Some((own, valid)) if valid.serves(now_ms) && fits(&own, authority, &hosts) => (own, valid),
            _ => own_make(&path, authority, &hosts, now_ms)?,
        };
        let web_key = web.as_ref().map(web_read).transpose()?;
        let shown = RwLock::new(Shown { own: Arc::new(own), own_valid, web: web_key });
        Ok(Self { path, hosts, web, shown })
    }

    /// Whether the server's own certificate serves at `now_ms`; checked often, because a clock may jump.
    pub fn own_serves(&self, now_ms: i64) -> bool {
        self.shown.read().unwrap_or_else(PoisonError::into_inner).own_valid.serves(now_ms)
    }

    /// Renews the server's own certificate unless it still serves.
    ///
    /// # Errors
    /// It cannot be made or stored; the old one stays in use.
    pub fn own_renew(&self, authority: &Authority, now_ms: i64) -> anyhow::Result<()> {
        if self.own_serves(now_ms) {
            return Ok(());
        }
        let (own, own_valid) = own_make(&self.path, authority, &self.hosts, now_ms)?;
        let mut shown = self.shown.write().unwrap_or_else(PoisonError::into_inner);
        shown.own = Arc::new(own);
        shown.own_valid = own_valid;
        tracing::info!("the server's certificate was renewed");
        Ok(())
    }

    /// Rereads the office's certificate, because others renew it. Called from time to time by a task.
    ///
    /// # Errors
    /// It cannot be read; the old one stays in use.
    pub fn web_refresh(&self) -> anyhow::Result<()> {
        if let Some(web) = &self.web {
            let web = web_read(web)?;
            self.shown.write().unwrap_or_else(PoisonError::into_inner).web = Some(web);
        }
        Ok(())
    }

    /// The last instant at which the server's own certificate is valid; milliseconds since 1970 UTC.
    #[cfg(test)]
    pub fn own_until_ms(&self) -> i64 {
        self.shown.read().unwrap_or_else(PoisonError::into_inner).own_valid.until_ms
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let shown = self.shown.read().unwrap_or_else(PoisonError::into_inner);
        let agent = hello.server_name().is_some_and(|name| name.eq_ignore_ascii_case(protocol::SERVER_NAME));
        match &shown.web {
            Some(web) if !agent => Some(Arc::clone(web)),
            _ => Some(Arc::clone(&shown.own)),
        }
    }
}

/// Whether a stored certificate is from the current CA and has all the names wanted.
fn fits(own: &CertifiedKey, authority: &Authority, hosts: &[Host]) -> bool {
    let [leaf, issuer] = own.cert.as_slice() else { return false };
    issuer == authority.certificate()
        && hosts_of(leaf).is_some_and(|named| hosts.iter().all(|host| named.contains(host)))
}

fn hosts_of(leaf: &CertificateDer<'_>) -> Option<Vec<Host>> {
    let (_, parsed) = x509_parser::parse_x509_certificate(leaf).ok()?;
    let names = parsed.subject_alternative_name().ok()??;
    let hosts = names.value.general_names.iter().filter_map(|name| match name {
        GeneralName::DNSName(name) => Some(Host::Name((*name).to_owned())),
        GeneralName::IPAddress(bytes) => match *bytes {
            [a, b, c, d] => Some(Host::Address([*a, *b, *c, *d].into())),
            bytes => Some(Host::Address(<[u8; 16]>::try_from(bytes).ok()?.into())),
        },
        _ => None,
    });
    Some(hosts.collect())
}

/// Makes key and certificate and stores both in one file, so that they always match.
fn own_make(path: &Path, authority: &Authority, hosts: &[Host], now_ms: i64) -> anyhow::Result<(CertifiedKey, Valid)> {
    let key: KeyPair = key_generate()?;
    let leaf = authority.issue_server(&key, hosts, now_ms)?;
    let valid = Valid::of(&leaf)?;
    let chain = vec![leaf, authority.certificate().clone()];
    let document = key.serialize_der();
    let text = file::certificates_pem(&chain) + &file::key_pem(&document);
    file::replace(path, text.as_bytes())?;
    Ok((certified(chain, PrivatePkcs8KeyDer::from(document).into())?, valid))
}

fn own_read(path: &Path) -> anyhow::Result<(CertifiedKey, Valid)> {
    let chain = file::certificates_read(path)?;
    let valid = Valid::of(&chain[0])?;
    Ok((certified(chain, PrivatePkcs8KeyDer::from(file::key_read(path)?).into())?, valid))
}

fn web_read(web: &WebCertificate) -> anyhow::Result<Arc<CertifiedKey>> {
    let unusable = |cause: anyhow::Error| {
        UserError::new(
            format!("Không dùng được chứng thư cho trang web ({}, {}).", web.certificate.display(), web.key.display()),
            format!(
                "The certificate for the pages cannot be used ({}, {}).",
                web.certificate.display(),
                web.key.display()
            ),
        )
        .because(cause)
    };
    let read = || {
        file::private_check(&web.key)?;
        let key = PrivateKeyDer::from_pem_slice(&file::read(&web.key)?).context("no private key in PEM")?;
        certified(file::certificates_read(&web.certificate)?, key)
    };
    Ok(Arc::new(read().map_err(unusable)?))
}

fn certified(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> anyhow::Result<CertifiedKey> {
    CertifiedKey::from_der(chain, key, &super::provider()).context("the certificate and its key do not fit")
}
