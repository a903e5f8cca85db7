//! What a machine without a network writes to the stick: an enrolment request, or its reports. Sealed to the server, and inside
//! that signed with the machine's key, which over the network authenticates it in TLS.
//!
//! A file is: [`MAGIC`], then sealed bytes. Unsealed they are: signature length (u16), signature, content. The content is: head length
//! (u32), JSON of an [`ExportHead`], then for each report request its length (u32) and its body as sent over the network. Lengths are
//! big-endian.

use serde::{Deserialize, Serialize};

use super::seal::{OVERHEAD, SealError, SealingKey, SealingPublicKey};
use crate::limits;
use crate::message::{EnrolRequest, SignedRenewal};
use crate::sign::{BadKey, BadSignature, Purpose, SigningKey, verify};

/// The first bytes of the file; also the purpose of its seal.
pub const MAGIC: &[u8] = b"tram-an/export/1\n";

/// What is exported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "content", rename_all = "snake_case")]
pub enum Content {
    /// An enrolment request; no reports.
    Enrolment {
        /// The same as over the network.
        request: EnrolRequest,
    },
    /// Reports waiting at the machine.
    Reports {
        /// The machine whose key signed the file.
        machine: String,
        /// A renewal request, when the certificate nears its end.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        renewal: Option<SignedRenewal>,
        /// How many reports still wait because they did not fit.
        #[serde(default)]
        left: u64,
    },
}

/// The head, which comes before the reports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportHead {
    /// Id of the server it is meant for.
    pub server: String,
    /// When it was made, by the machine's clock; milliseconds since 1970 UTC.
    pub made_at: i64,
    /// Version of the agent.
    pub agent: String,
    /// A person's declaration that the machine does not process state secrets.
    pub not_secret: bool,
    /// The newest form of receipts that the machine takes ([`crate::report::RECEIPTS`]); 0 for the first.
    #[serde(default, skip_serializing_if = "is_first")]
    pub receipts: u32,
    /// A checkpoint of the evidence log that the machine kept: the answer shows how the log went on from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<String>,
    /// What the file carries.
    #[serde(flatten)]
    pub content: Content,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_first(receipts: &u32) -> bool {
    *receipts == 0
}

/// Why a file cannot be read or made.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// Longer than [`limits::EXPORT`].
    #[error("the file has more than the {max} bytes allowed", max = limits::EXPORT)]
    TooLong,
    /// It does not begin with [`MAGIC`].
    #[error("this is not a file that posture-agent export wrote")]
    OtherFile,
    /// The seal cannot be made or opened.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// Inside the seal, lengths do not fit or a part is too long; says which.
    #[error("within its seal the file is malformed: {0}")]
    Malformed(&'static str),
    /// The head is not valid JSON.
    #[error("the file's head cannot be read: {0}")]
    Head(#[from] serde_json::Error),
    /// The key cannot sign.
    #[error(transparent)]
    Key(#[from] BadKey),
}

/// An opened file whose signature has not been checked yet, because only its content says whose key to check with.
#[derive(Clone, Debug)]
pub struct UncheckedExport {
    /// The head.
    pub head: ExportHead,
    /// The report requests, each as it would be sent over the network.
    pub requests: Vec<Vec<u8>>,
    content: Vec<u8>,
    signature: Vec<u8>,
}

/// How many bytes of requests fit into one file whose head is not longer than [`limits::EXPORT_HEAD`].
pub const ROOM: usize = limits::EXPORT
    - MAGIC.len()
    - OVERHEAD
    - 2
    - limits::SIGNATURE
    - 4
    - limits::EXPORT_HEAD
    - 4 * limits::EXPORT_REQUESTS;

/// Makes a file: `head` and `requests`, signed with `key`, sealed to `server`.
///
/// # Errors
/// When a part exceeds its limit, the key cannot sign, or the system fails.
pub fn export_seal(
    head: &ExportHead,
    requests: &[Vec<u8>],
    key: &SigningKey,
    server: &SealingPublicKey,
) -> Result<Vec<u8>, ExportError> {
    let head = serde_json::to_vec(head)?;
    if head.len() > limits::EXPORT_HEAD || requests.len() > limits::EXPORT_REQUESTS {
        return Err(ExportError::TooLong);
    }
    let mut content = Vec::new();
    for part in std::iter::once(&head).chain(requests) {
        let length = u32::try_from(part.len()).map_err(|_| ExportError::TooLong)?;
        content.extend_from_slice(&length.to_be_bytes());
        content.extend_from_slice(part);
    }
    let signature = key.sign(Purpose::Export, &content)?;
    let mut plain = Vec::with_capacity(2 + signature.len() + content.len());
    // A signature is bounded by `limits::SIGNATURE`, far below 64 kB.
    plain.extend_from_slice(&u16::try_from(signature.len()).unwrap_or(u16::MAX).to_be_bytes());
    plain.extend_from_slice(&signature);
    plain.append(&mut content);
    let file = [MAGIC, &server.seal(MAGIC, &plain)?].concat();
    if file.len() > limits::EXPORT { Err(ExportError::TooLong) } else { Ok(file) }
}

/// Opens a file. Sizes are checked before anything else, lengths before anything is copied.
///
/// # Errors
/// See [`ExportError`]; none of the file is usable then.
pub fn export_open(file: &[u8], key: &SealingKey) -> Result<UncheckedExport, ExportError> {
    if file.len() > limits::EXPORT {
        return Err(ExportError::TooLong);
    }
    let sealed = file.strip_prefix(MAGIC).ok_or(ExportError::OtherFile)?;
    read(&key.open(MAGIC, sealed)?)
}

fn read(plain: &[u8]) -> Result<UncheckedExport, ExportError> {
    let malformed = ExportError::Malformed;
    let (length, rest) = plain.split_first_chunk::<2>().ok_or(malformed("it ends within the signature"))?;
    let length = usize::from(u16::from_be_bytes(*length));
    if length > limits::SIGNATURE {
        return Err(malformed("the signature is too long"));
    }
    let (signature, content) = rest.split_at_checked(length).ok_or(malformed("it ends within the signature"))?;
    let mut rest = content;
    let head = part(&mut rest, limits::EXPORT_HEAD)?;
    let head = serde_json::from_slice(head)?;
    let mut requests = Vec::new();
    while !rest.is_empty() {
        if requests.len() == limits::EXPORT_REQUESTS {
            return Err(malformed("it holds too many requests"));
        }
        requests.push(part(&mut rest, limits::REPORTS_BODY)?.to_vec());
    }
    Ok(UncheckedExport { head, requests, content: content.to_vec(), signature: signature.to_vec() })
}

fn part<'a>(rest: &mut &'a [u8], most: usize) -> Result<&'a [u8], ExportError> {
    let cut = ExportError::Malformed("it ends within a part");
    let Some((length, after)) = rest.split_first_chunk::<4>() else { return Err(cut) };
    let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
    if length > most {
        return Err(ExportError::Malformed("a part is too long"));
    }
    let Some((bytes, after)) = after.split_at_checked(length) else { return Err(cut) };
    *rest = after;
    Ok(bytes)
}

impl UncheckedExport {
    /// Checks that the file was made by the holder of the key with this public key.
    ///
    /// # Errors
    /// When the signature is wrong.
    pub fn verify(&self, public_key: &[u8]) -> Result<(), BadSignature> {
        verify(public_key, Purpose::Export, &self.content, &self.signature)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn keys() -> (SealingKey, SigningKey) {
        (
            SealingKey::from_pkcs8(&SealingKey::generate().unwrap()).unwrap(),
            SigningKey::from_pkcs8(&SigningKey::generate().unwrap()).unwrap(),
        )
    }

    /// The same keys for all cases of a property test.
    static KEYS: std::sync::LazyLock<(SealingKey, SigningKey)> = std::sync::LazyLock::new(keys);

    fn head() -> ExportHead {
        ExportHead {
            server: "s".to_owned(),
            made_at: 1,
            agent: "0.1.0".to_owned(),
            not_secret: true,
            receipts: 0,
            checkpoint: None,
            content: Content::Reports { machine: "m".to_owned(), renewal: None, left: 0 },
        }
    }

    fn framed(parts: &[&[u8]]) -> Vec<u8> {
        let mut plain = vec![0, 0];
        for part in parts {
            plain.extend_from_slice(&u32::try_from(part.len()).unwrap().to_be_bytes());
            plain.extend_from_slice(part);
        }
        plain
    }

    #[test]
    fn is_read_back_and_only_its_maker_fits() {
        let (server, machine) = keys();
        let requests = vec![b"one".to_vec(), b"two".to_vec()];
        let file = export_seal(&head(), &requests, &machine, &server.public_key()).unwrap();
        let opened = export_open(&file, &server).unwrap();
        assert_eq!((&opened.head, &opened.requests), (&head(), &requests));
        opened.verify(machine.public_key()).unwrap();
        assert!(opened.verify(keys().1.public_key()).is_err());
        assert!(matches!(export_open(&file, &keys().0), Err(ExportError::Seal(SealError::NotForUs))));
        assert!(matches!(export_open(b"PK\x03\x04", &server), Err(ExportError::OtherFile)));
    }

    #[test]
    fn the_head_is_pinned() {
        let text = r#"{"server":"s","made_at":1,"agent":"0.1.0","not_secret":true,"content":"reports","machine":"m","left":0}"#;
        assert_eq!(serde_json::to_string(&head()).unwrap(), text);
    }

    #[test]
    fn caps_hold_to_the_byte() {
        let (server, machine) = keys();
        let head_text = serde_json::to_vec(&head()).unwrap();
        let most = vec![0; limits::REPORTS_BODY];
        assert!(read(&framed(&[&head_text, &most])).is_ok());
        let over = vec![0; limits::REPORTS_BODY + 1];
        assert!(matches!(read(&framed(&[&head_text, &over])), Err(ExportError::Malformed("a part is too long"))));
        let long_head = vec![b' '; limits::EXPORT_HEAD + 1];
        assert!(matches!(read(&framed(&[&long_head])), Err(ExportError::Malformed("a part is too long"))));
        let mut many: Vec<&[u8]> = vec![&head_text];
        many.resize(1 + limits::EXPORT_REQUESTS, b"");
        assert_eq!(read(&framed(&many)).unwrap().requests.len(), limits::EXPORT_REQUESTS);
        many.push(b"");
        assert!(matches!(read(&framed(&many)), Err(ExportError::Malformed("it holds too many requests"))));
        assert!(matches!(export_open(&vec![0; limits::EXPORT + 1], &server), Err(ExportError::TooLong)));
        let full = vec![vec![0; ROOM]];
        assert!(export_seal(&head(), &full, &machine, &server.public_key()).unwrap().len() <= limits::EXPORT);
        let fuller = vec![vec![0; limits::EXPORT]];
        assert!(matches!(export_seal(&head(), &fuller, &machine, &server.public_key()), Err(ExportError::TooLong)));
    }

    proptest! {
        #[test]
        fn any_bytes_within_the_seal_are_read_or_refused(
            bytes in prop::collection::vec(any::<u8>(), 0..600),
            cut in any::<prop::sample::Index>(),
            at in any::<prop::sample::Index>(),
        ) {
            let _ = read(&bytes);
            let whole = framed(&[&serde_json::to_vec(&head()).unwrap(), &bytes]);
            prop_assert_eq!(read(&whole).unwrap().requests, vec![bytes]);
            let _ = read(&whole[..cut.index(whole.len())]);
            let mut changed = whole.clone();
            let at = at.index(whole.len());
            changed[at] ^= 0x80;
            let _ = read(&changed);
        }

        #[test]
        fn any_changed_byte_of_a_file_is_noticed(at in any::<prop::sample::Index>(), bit in 0..8_u8) {
            let (server, machine) = &*KEYS;
            let mut file = export_seal(&head(), &[b"r".to_vec()], machine, &server.public_key()).unwrap();
            let at = at.index(file.len());
            file[at] ^= 1 << bit;
            prop_assert!(export_open(&file, server).is_err());
        }
    }
}
