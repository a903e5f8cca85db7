//! The keys of a server on disk: what each folder holds, where it is and who may read it. Keys are never in the database, in logs or in
//! exports. The content of certificates belongs to `ca`.
//!
//! | folder | holds | read by `run` |
//! |---|---|---|
//! | `secrets/` (0700, files 0600) | keys of the active CAs, of the server's certificate, of receipts, of files from machines without a network | yes |
//! | `public/` | certificates and public keys | yes |
//! | `policy-signing/` (0700) | the key that signs policies; may live on another computer | never |
//! | `offline/` (0700) | the standby keys, to be taken away after `init` | never |

pub mod file;
pub mod folder;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use policies::text;
use protocol::Digest;
use protocol::message::PolicyKey;
use protocol::sign::SigningKey;
use protocol::unconnected::SealingKey;
use rcgen::KeyPair;
use rustls::pki_types::CertificateDer;

use crate::ca::{Authority, Host, Realm, authority_create};
use crate::error::UserError;
use crate::evidence::Signer;
use crate::store::meta::{Mark, SERVER};

/// Paths of keys and certificates below the data folder.
#[derive(Clone, Debug)]
pub struct Places(PathBuf);

impl Places {
    /// The paths below `data`.
    pub fn new(data: &Path) -> Self {
        Self(data.to_owned())
    }

    /// Folder of the keys that the running server needs.
    pub fn secrets(&self) -> PathBuf {
        self.0.join("secrets")
    }

    /// Folder of certificates and public keys.
    pub fn public(&self) -> PathBuf {
        self.0.join("public")
    }

    /// Folder of the key that signs policies.
    pub fn policy_signing(&self) -> PathBuf {
        self.0.join("policy-signing")
    }

    /// Folder of the standby keys, to be taken away.
    pub fn offline(&self) -> PathBuf {
        self.0.join("offline")
    }

    /// Path of the private key `name`.
    pub fn key(&self, name: &str) -> PathBuf {
        self.secrets().join(format!("{name}.key"))
    }

    /// Path of the certificate `name`.
    pub fn certificate(&self, name: &str) -> PathBuf {
        self.public().join(format!("{name}.crt"))
    }

    fn policy_keys(&self) -> PathBuf {
        self.public().join("policy-keys.json")
    }
}

/// Names of files, without extensions.
mod name {
    pub(super) const SERVER_CA: &str = "server-ca";
    pub(super) const SERVER_CA_STANDBY: &str = "server-ca-standby";
    pub(super) const CLIENT_CA: &str = "client-ca";
    pub(super) const CLIENT_CA_STANDBY: &str = "client-ca-standby";
    pub(super) const RECEIPT: &str = "receipt";
    pub(super) const SEALING: &str = "sealing";
    pub(super) const POLICY: &str = "policy";
    pub(super) const POLICY_STANDBY: &str = "policy-standby";
}

/// The note stored next to the standby keys, for anyone who finds them.
const OFFLINE_NOTE: &str = "\
Thư mục này chứa các khoá dự phòng của máy chủ Trạm An. Hãy chuyển cả thư mục sang thiết bị lưu trữ rời, cất trong tủ có
khoá, rồi xoá khỏi máy chủ. Chỉ cần đến khi khoá đang dùng bị lộ hoặc bị mất.

This folder holds the standby keys of the Trạm An server. Move it to removable storage, lock that away and delete it from
the server. It is needed only when a key in use was exposed or lost.
";

/// The keys and certificates that the running server uses.
#[derive(Debug)]
pub struct Secrets {
    /// Signs this server's own certificate.
    pub server_ca: Authority,
    /// Takes over when the active one must be replaced; its key is offline.
    pub server_ca_standby: CertificateDer<'static>,
    /// Signs the certificates of machines.
    pub client_ca: Authority,
    /// Takes over when the active one must be replaced; its key is offline.
    pub client_ca_standby: CertificateDer<'static>,
    /// Signs receipts, and the answers to files of machines without a network.
    pub receipt: Arc<SigningKey>,
    /// Opens files of machines without a network.
    pub sealing: SealingKey,
    /// The keys that may sign policies: active, standby.
    pub policy_keys: Vec<PolicyKey>,
}

/// Makes every key and certificate of the new server `server` below `data`.
///
/// # Errors
/// A folder exists already or cannot be written.
pub fn secrets_create(data: &Path, server: &str, hosts: &[Host], now_ms: i64) -> anyhow::Result<()> {
    let places = Places::new(data);
    for folder in [places.secrets(), places.policy_signing(), places.offline(), places.public()] {
        file::folder_create(&folder)?;
    }
    for (realm, active, standby) in [
        (Realm::Server, name::SERVER_CA, name::SERVER_CA_STANDBY),
        (Realm::Client, name::CLIENT_CA, name::CLIENT_CA_STANDBY),
    ] {
        for (label, file_name, folder) in [("active", active, places.secrets()), ("standby", standby, places.offline())]
        {
            let key = key_generate()?;
            let certificate = authority_create(realm, label, server, hosts, &key, now_ms)?;
            file::key_write(&folder.join(format!("{file_name}.key")), &key.serialize_der())?;
            file::certificates_write(&places.certificate(file_name), &[certificate])?;
        }
    }
    file::key_write(&places.key(name::RECEIPT), &SigningKey::generate()?)?;
    file::key_write(&places.key(name::SEALING), &SealingKey::generate()?)?;
    let mut policy_keys = Vec::new();
    for (folder, file_name) in [(places.policy_signing(), name::POLICY), (places.offline(), name::POLICY_STANDBY)] {
        let document = SigningKey::generate()?;
        policy_keys.push(policy_key_of(&SigningKey::from_pkcs8(&document)?));
        file::key_write(&folder.join(format!("{file_name}.key")), &document)?;
    }
    file::write(&places.policy_keys(), serde_json::to_string_pretty(&policy_keys)?.as_bytes())?;
    file::write(&places.offline().join("README.txt"), OFFLINE_NOTE.as_bytes())
}

/// The public half of a key that signs policies, as agents pin it.
pub fn policy_key_of(key: &SigningKey) -> PolicyKey {
    PolicyKey { id: PolicyKey::id_of(key.public_key()), public_key: data_encoding::BASE64.encode(key.public_key()) }
}

/// A new private key on P-256.
///
/// # Errors
/// When the system gives no random bytes.
pub fn key_generate() -> anyhow::Result<KeyPair> {
    KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).context("cannot make a private key")
}

impl Secrets {
    /// Reads everything below `data` after checking who may read and write it.
    ///
    /// # Errors
    /// A file is missing, damaged, or open to others; the message says which and what to do.
    pub fn read(data: &Path) -> anyhow::Result<Self> {
        let secrets = Self::read_quietly(data)?;
        let offline = Places::new(data).offline();
        if offline.exists() {
            tracing::warn!(
                folder = %offline.display(),
                "the standby keys are still on this computer: move this folder to removable storage and lock it away",
            );
        }
        Ok(secrets)
    }

    /// The same without the warning about standby keys: for `init`, which has just made them.
    ///
    /// # Errors
    /// As [`Secrets::read`].
    pub fn read_quietly(data: &Path) -> anyhow::Result<Self> {
        let places = Places::new(data);
        file::secrets_check(&places.secrets())?;
        file::public_check(&places.public())?;
        Ok(Self {
            server_ca: authority_read(&places, name::SERVER_CA)?,
            server_ca_standby: file::certificate_read(&places.certificate(name::SERVER_CA_STANDBY))?,
            client_ca: authority_read(&places, name::CLIENT_CA)?,
            client_ca_standby: file::certificate_read(&places.certificate(name::CLIENT_CA_STANDBY))?,
            receipt: Arc::new(receipt_read(&places)?),
            sealing: sealing_read_or_make(&places)?,
            policy_keys: policy_keys_read(data)?,
        })
    }

    /// The marks, kept in the store, that distinguish this server's keys from another's.
    pub fn marks(&self, server: &str) -> Vec<Mark> {
        let mut marks = marks_of(server, self.server_cas(), self.client_cas());
        marks.push(Mark { name: name::RECEIPT, values: vec![Digest::of(self.receipt.public_key()).to_string()] });
        marks
    }

    /// The server CAs that agents pin: active, standby.
    pub fn server_cas(&self) -> [&CertificateDer<'static>; 2] {
        [self.server_ca.certificate(), &self.server_ca_standby]
    }

    /// The key to which files for this server are encrypted, as written in messages: base64.
    pub fn sealing_key_text(&self) -> String {
        data_encoding::BASE64.encode(self.sealing.public_key().as_bytes())
    }

    /// The client CAs this server accepts: active, standby.
    pub fn client_cas(&self) -> [&CertificateDer<'static>; 2] {
        [self.client_ca.certificate(), &self.client_ca_standby]
    }
}

fn receipt_read(places: &Places) -> anyhow::Result<SigningKey> {
    Ok(SigningKey::from_pkcs8(&file::key_read(&places.key(name::RECEIPT))?)?)
}

/// Who signs the evidence log of this server: the key of its receipts.
///
/// # Errors
/// The key is missing, damaged, or may not be read.
pub fn log_signer_read(data: &Path, server: &str) -> anyhow::Result<Signer> {
    Ok(Signer::new(server, Arc::new(receipt_read(&Places::new(data))?)))
}

/// The keys that may sign policies, from `public/`.
///
/// # Errors
/// The file is missing or damaged.
pub fn policy_keys_read(data: &Path) -> anyhow::Result<Vec<PolicyKey>> {
    let path = Places::new(data).policy_keys();
    let text = file::read(&path)?;
    serde_json::from_slice(&text).map_err(|cause| damaged(&path).because(cause).into())
}

/// The identity marks of this server that can be read without a private key.
///
/// # Errors
/// A certificate is missing or damaged.
pub fn marks_read(data: &Path, server: &str) -> anyhow::Result<Vec<Mark>> {
    let read = |name| file::certificate_read(&Places::new(data).certificate(name));
    let servers = [read(name::SERVER_CA)?, read(name::SERVER_CA_STANDBY)?];
    let clients = [read(name::CLIENT_CA)?, read(name::CLIENT_CA_STANDBY)?];
    Ok(marks_of(server, servers.each_ref(), clients.each_ref()))
}

fn marks_of(server: &str, servers: [&CertificateDer<'_>; 2], clients: [&CertificateDer<'_>; 2]) -> Vec<Mark> {
    let digests =
        |chain: [&CertificateDer<'_>; 2]| chain.map(|certificate| Digest::of(certificate).to_string()).to_vec();
    vec![
        Mark { name: SERVER, values: vec![server.to_owned()] },
        Mark { name: name::SERVER_CA, values: digests(servers) },
        Mark { name: name::CLIENT_CA, values: digests(clients) },
    ]
}

/// SHA-256 of the active server CA's certificate: what an officer passes on.
///
/// # Errors
/// The certificate is missing or damaged.
pub fn fingerprint_read(data: &Path) -> anyhow::Result<Digest> {
    Ok(Digest::of(&file::certificate_read(&Places::new(data).certificate(name::SERVER_CA))?))
}

fn authority_read(places: &Places, name: &str) -> anyhow::Result<Authority> {
    let key_path = places.key(name);
    let document = rustls::pki_types::PrivatePkcs8KeyDer::from(file::key_read(&key_path)?);
    let key = KeyPair::from_pkcs8_der_and_sign_algo(&document, &rcgen::PKCS_ECDSA_P256_SHA256)
        .map_err(|cause| damaged(&key_path).because(cause))?;
    Authority::new(file::certificate_read(&places.certificate(name))?, key)
        .map_err(|cause| damaged(&places.certificate(name)).because(cause).into())
}

/// Reads the key that opens files; a data folder older than such files gets one now. If two programs make it at the same moment, one
/// wins and both use its key.
fn sealing_read_or_make(places: &Places) -> anyhow::Result<SealingKey> {
    let path = places.key(name::SEALING);
    if !path.exists() {
        file::key_write_once(&path, &SealingKey::generate()?)?;
    }
    SealingKey::from_pkcs8(&file::key_read(&path)?).map_err(|cause| damaged(&path).because(cause).into())
}

/// The error for a file with damaged content.
fn damaged(path: &Path) -> UserError {
    UserError::from(text!(
        "Tệp {} bị hỏng. Hãy khôi phục thư mục dữ liệu từ bản sao lưu.",
        "The file {} is damaged. Restore the data folder from a backup.",
        path.display()
    ))
}
