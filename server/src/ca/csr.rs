//! A machine's request for a certificate (PKCS #10): yields its public key and nothing else, because the server sets every other field.

use protocol::Digest;
use rcgen::SubjectPublicKeyInfo;
use ring::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::prelude::FromDer;

/// Object identifier of ECDSA with SHA-256 (RFC 5758, 3.2).
const ECDSA_WITH_SHA256: &str = "1.2.840.10045.4.3.2";
/// Object identifier of elliptic curve public keys (RFC 5480, 2.1.1).
const EC_PUBLIC_KEY: &str = "1.2.840.10045.2.1";
/// Object identifier of the curve P-256 (RFC 5480, 2.1.1.1).
const P256: &str = "1.2.840.10045.3.1.7";

/// A machine's public key on P-256, proven to be its own.
#[derive(Debug)]
pub struct MachineKey {
    spki: Vec<u8>,
    info: SubjectPublicKeyInfo,
}

/// Why a request is refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum CsrError {
    /// Longer than `protocol::limits::CSR`, or not PKCS #10.
    #[error("not a PKCS #10 request in DER")]
    Unreadable,
    /// Another kind of key than ECDSA on P-256.
    #[error("the key is not on P-256")]
    OtherKey,
    /// Not signed by its own key.
    #[error("the request is not signed by its own key")]
    BadSignature,
}

impl MachineKey {
    /// Reads a request and checks that its author holds the private key.
    ///
    /// # Errors
    /// See [`CsrError`].
    pub fn read(der: &[u8]) -> Result<Self, CsrError> {
        if der.len() > protocol::limits::CSR {
            return Err(CsrError::Unreadable);
        }
        let (rest, request) = X509CertificationRequest::from_der(der).map_err(|_| CsrError::Unreadable)?;
        if !rest.is_empty() {
            return Err(CsrError::Unreadable);
        }
        let information = &request.certification_request_info;
        let key = &information.subject_pki;
        let curve = key.algorithm.parameters.as_ref().and_then(|parameters| parameters.as_oid().ok());
        let point = key.subject_public_key.data.as_ref();
        if key.algorithm.algorithm.to_id_string() != EC_PUBLIC_KEY
            || curve.is_none_or(|curve| curve.to_id_string() != P256)
            || point.len() != 65
            || point[0] != 4
        {
            return Err(CsrError::OtherKey);
        }
        if request.signature_algorithm.algorithm.to_id_string() != ECDSA_WITH_SHA256 {
            return Err(CsrError::BadSignature);
        }
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point)
            .verify(information.raw, &request.signature_value.data)
            .map_err(|_| CsrError::BadSignature)?;
        let info = SubjectPublicKeyInfo::from_der(key.raw).map_err(|_| CsrError::OtherKey)?;
        Ok(Self { spki: key.raw.to_vec(), info })
    }

    /// SubjectPublicKeyInfo in DER, the form kept in the store.
    pub fn spki(&self) -> &[u8] {
        &self.spki
    }

    /// The uncompressed point of 65 bytes, the form taken by `protocol::sign::verify`.
    pub fn point(&self) -> &[u8] {
        point_of(&self.spki).unwrap_or_default()
    }

    /// The key's id in the store.
    pub fn id(&self) -> String {
        key_id(&self.spki)
    }

    pub(super) fn info(&self) -> &SubjectPublicKeyInfo {
        &self.info
    }
}

/// The id of a public key: SHA-256 of its SubjectPublicKeyInfo, hexadecimal.
pub fn key_id(spki: &[u8]) -> String {
    Digest::of(spki).to_string()
}

/// The uncompressed point inside the SubjectPublicKeyInfo of a key on P-256; it is always its last 65 bytes.
pub fn point_of(spki: &[u8]) -> Option<&[u8]> {
    let point = spki.get(spki.len().checked_sub(65)?..)?;
    (point.first() == Some(&4)).then_some(point)
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair};

    use super::{CsrError, MachineKey};

    fn request(key: &KeyPair) -> Vec<u8> {
        CertificateParams::new(vec!["chairman.example".to_owned()])
            .unwrap()
            .serialize_request(key)
            .unwrap()
            .der()
            .to_vec()
    }

    #[test]
    fn takes_the_public_key_of_an_honest_request() {
        let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        assert_eq!(MachineKey::read(&request(&key)).unwrap().point(), key.public_key_raw());
    }

    #[test]
    fn refuses_what_is_damaged_forged_or_of_another_kind() {
        let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        let honest = request(&key);
        assert_eq!(MachineKey::read(b"").unwrap_err(), CsrError::Unreadable);
        assert_eq!(MachineKey::read(&honest[..honest.len() - 1]).unwrap_err(), CsrError::Unreadable);
        assert_eq!(MachineKey::read(&[honest.as_slice(), b"x"].concat()).unwrap_err(), CsrError::Unreadable);
        assert_eq!(MachineKey::read(&vec![0x30; 100_000]).unwrap_err(), CsrError::Unreadable);
        let mut forged = honest.clone();
        let name = forged.windows(8).position(|part| part == b"chairman").unwrap();
        forged[name] ^= 1;
        assert_eq!(MachineKey::read(&forged).unwrap_err(), CsrError::BadSignature);
        let other = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
        assert_eq!(MachineKey::read(&request(&other)).unwrap_err(), CsrError::OtherKey);
        let edwards = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
        assert_eq!(MachineKey::read(&request(&edwards)).unwrap_err(), CsrError::OtherKey);
    }
}
