//! The few fields of X.509 that the agent needs: reads validity, key and issuer of a certificate, and writes a PKCS #10
//! request.
//!
//! Whether a certificate is trusted is decided by webpki (`tls.rs`), never by what is read here. A whole X.509 library would cost
//! the agent more than these two formats are worth.

use jiff::civil::DateTime;
use jiff::tz::Offset;

mod der;

use der::{Reader, Tag, element, sequence};

/// AlgorithmIdentifier of a key on P-256 (RFC 5480): `id-ecPublicKey` with the curve `secp256r1`, both as encoded OIDs.
const EC_PUBLIC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
/// `ecdsa-with-SHA256` (RFC 5758), as an encoded OID.
const ECDSA_WITH_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
/// Short names of name attributes (RFC 4514, 3), by the last byte of the OID 2.5.4.x.
const SHORT_NAMES: [(u8, &str); 6] = [(3, "CN"), (6, "C"), (7, "L"), (8, "ST"), (10, "O"), (11, "OU")];
/// The first bytes of the OIDs 2.5.4.x.
const ATTRIBUTE_TYPES: [u8; 2] = [0x55, 0x04];

/// What is read from a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate<'a> {
    /// The issuer, `CN=..., O=...` in the certificate's order. Untrusted text.
    pub issuer: String,
    /// First second of validity; seconds since 1970 UTC.
    pub not_before: i64,
    /// Last second of validity; seconds since 1970 UTC.
    pub not_after: i64,
    /// The public key as encoded in the certificate: for P-256 the uncompressed point of 65 bytes.
    pub public_key: &'a [u8],
}

impl<'a> Certificate<'a> {
    /// Reads a DER certificate (RFC 5280, 4.1); none when it is not one. Does not look at signature or extensions.
    pub fn read(der: &'a [u8]) -> Option<Self> {
        let mut outer = Reader::new(der);
        let mut certificate = outer.enter(Tag::SEQUENCE)?;
        outer.end()?;
        let mut fields = certificate.enter(Tag::SEQUENCE)?;
        // The version may be absent (version 1).
        fields.optional(Tag::CONTEXT_0);
        fields.take(Tag::INTEGER)?;
        fields.take(Tag::SEQUENCE)?;
        let issuer = name(fields.enter(Tag::SEQUENCE)?)?;
        let mut validity = fields.enter(Tag::SEQUENCE)?;
        let (not_before, not_after) = (time(&mut validity)?, time(&mut validity)?);
        validity.end()?;
        fields.take(Tag::SEQUENCE)?;
        let mut key = fields.enter(Tag::SEQUENCE)?;
        key.take(Tag::SEQUENCE)?;
        // The first byte counts unused bits; a key has none.
        let public_key = key.take(Tag::BIT_STRING)?.strip_prefix(&[0])?;
        key.end()?;
        Some(Self { issuer, not_before, not_after, public_key })
    }
}

/// A Name (RFC 5280, 4.1.2.4) as text.
fn name(mut sets: Reader<'_>) -> Option<String> {
    let mut parts = Vec::new();
    while !sets.is_empty() {
        let mut set = sets.enter(Tag::SET)?;
        while !set.is_empty() {
            let mut attribute = set.enter(Tag::SEQUENCE)?;
            let kind = attribute.take(Tag::OBJECT_IDENTIFIER)?;
            let (_, value) = attribute.next()?;
            let short = kind.strip_prefix(&ATTRIBUTE_TYPES).and_then(|rest| match rest {
                [last] => SHORT_NAMES.iter().find(|(number, _)| number == last),
                _ => None,
            });
            let kind = short.map_or_else(|| data_encoding::HEXLOWER.encode(kind), |(_, name)| (*name).to_owned());
            parts.push(format!("{kind}={}", String::from_utf8_lossy(value)));
        }
    }
    Some(parts.join(", "))
}

/// A Time (RFC 5280, 4.1.2.5): `YYMMDDHHMMSSZ` from 1950 to 2049, or `YYYYMMDDHHMMSSZ`. Seconds since 1970 UTC.
fn time(reader: &mut Reader<'_>) -> Option<i64> {
    let (tag, text) = reader.next()?;
    let digits = text.strip_suffix(b"Z")?;
    let numbers: Option<Vec<i16>> = digits
        .chunks(2)
        .map(|pair| match pair {
            [tens @ b'0'..=b'9', ones @ b'0'..=b'9'] => Some(i16::from(tens - b'0') * 10 + i16::from(ones - b'0')),
            _ => None,
        })
        .collect();
    let numbers = numbers?;
    let (year, rest) = match (tag, numbers.as_slice()) {
        (Tag::UTC_TIME, [year, rest @ ..]) if *year >= 50 => (1900 + year, rest),
        (Tag::UTC_TIME, [year, rest @ ..]) => (2000 + year, rest),
        (Tag::GENERALIZED_TIME, [century, year, rest @ ..]) => (century * 100 + year, rest),
        _ => return None,
    };
    let small: Option<Vec<i8>> = rest.iter().map(|&number| i8::try_from(number).ok()).collect();
    let [month, day, hour, minute, second] = small?.try_into().ok()?;
    let civil = DateTime::new(year, month, day, hour, minute, second, 0).ok()?;
    Some(Offset::UTC.to_timestamp(civil).ok()?.as_second())
}

/// A PKCS #10 request (RFC 2986) for the P-256 key with the uncompressed point `point`. It has an empty subject and asks for no
/// extension. `sign` signs bytes with ECDSA and SHA-256 and returns the signature in DER.
///
/// # Errors
/// The error of `sign`.
pub fn request<E>(point: &[u8], sign: impl FnOnce(&[u8]) -> Result<Vec<u8>, E>) -> Result<Vec<u8>, E> {
    let oid = |encoded: &[u8]| element(Tag::OBJECT_IDENTIFIER, &[encoded]);
    let bits = |bytes: &[u8]| element(Tag::BIT_STRING, &[&[0], bytes]);
    let key = sequence(&[&sequence(&[&oid(EC_PUBLIC_KEY), &oid(P256)]), &bits(point)]);
    let (version, subject, attributes) = (element(Tag::INTEGER, &[&[0]]), sequence(&[]), element(Tag::CONTEXT_0, &[]));
    let information = sequence(&[&version, &subject, &key, &attributes]);
    let signature = sign(&information)?;
    Ok(sequence(&[&information, &sequence(&[&oid(ECDSA_WITH_SHA256)]), &bits(&signature)]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rcgen::{CertificateParams, DnType, KeyPair, PublicKeyData, date_time_ymd};
    use x509_parser::prelude::{FromDer, X509Certificate};

    use super::*;

    fn made(from: i32, until: i32) -> (Vec<u8>, KeyPair) {
        let mut parameters = CertificateParams::default();
        (parameters.not_before, parameters.not_after) = (date_time_ymd(from, 2, 3), date_time_ymd(until, 12, 31));
        parameters.distinguished_name = rcgen::DistinguishedName::new();
        parameters.distinguished_name.push(DnType::CommonName, "Xã An");
        parameters.distinguished_name.push(DnType::OrganizationName, "Ủy ban");
        parameters.distinguished_name.push(DnType::CustomDnType(vec![1, 2, 3]), "x");
        let key = KeyPair::generate().unwrap();
        (parameters.self_signed(&key).unwrap().der().to_vec(), key)
    }

    /// Both time formats, and both halves of the short one's century.
    #[test]
    fn a_certificate_reads_as_a_whole_library_reads_it() {
        for (from, until) in [(1950, 1999), (2000, 2049), (2026, 2050), (2051, 4000)] {
            let (der, key) = made(from, until);
            let (_, whole) = X509Certificate::from_der(&der).unwrap();
            let read = Certificate::read(&der).unwrap();
            assert_eq!(read.not_before, whole.validity().not_before.timestamp());
            assert_eq!(read.not_after, whole.validity().not_after.timestamp());
            assert_eq!(read.public_key, key.der_bytes());
            assert_eq!(read.issuer, "CN=Xã An, O=Ủy ban, 2a03=x");
        }
    }

    #[test]
    fn what_is_cut_or_followed_by_something_is_no_certificate() {
        let (der, _) = made(2026, 2027);
        for length in 0..der.len() {
            assert_eq!(Certificate::read(&der[..length]), None, "{length}");
        }
        assert_eq!(Certificate::read(&[&der[..], &[0]].concat()), None);
    }

    #[test]
    fn impossible_times_are_refused() {
        let read = |tag: Tag, text: &str| time(&mut Reader::new(&element(tag, &[text.as_bytes()])));
        assert_eq!(read(Tag::UTC_TIME, "700101000001Z"), Some(1));
        assert_eq!(read(Tag::GENERALIZED_TIME, "19700101000100Z"), Some(60));
        for text in
            ["700101000001", "7001010000Z", "701301000000Z", "700230000000Z", "70010100000xZ", "7001010000010Z", "Z"]
        {
            assert_eq!(read(Tag::UTC_TIME, text), None, "{text}");
        }
        assert_eq!(read(Tag::GENERALIZED_TIME, "700101000001Z"), None);
        assert_eq!(read(Tag::INTEGER, "700101000001Z"), None);
    }

    proptest! {
        #[test]
        fn no_damage_makes_it_fall(at in 0_usize..300, to: u8) {
            let (mut der, _) = made(2026, 2027);
            let at = at % der.len();
            der[at] = to;
            let _ = Certificate::read(&der);
        }
    }
}
