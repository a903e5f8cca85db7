//! The code that strangers' bytes reach first, each as a function of the bytes: read, or refused with a reason, never a panic.
//!
//! `tests/fuzz` feeds them from a fuzzer, `tests/tests/corpus.rs` the inputs that are kept. Signatures and digests are left out: no fuzzer
//! guesses one.

use std::sync::LazyLock;

use anyhow::Context;
use policies::evaluate::evaluate;
use policies::fact::{Facts, Instant, Reason, Section};
use policies::policy::{Policy, PolicySet, Role};
use protocol::bundle::BundleError;
use protocol::{Bundle, Header, Report, SignedBundle, compress};

static SHIPPED: LazyLock<PolicySet> = LazyLock::new(|| PolicySet::shipped().expect("a test reads the shipped policy"));

/// The header of a report, as the server reads it once the signature is verified.
///
/// # Errors
/// Why it is refused.
pub fn header(bytes: &[u8]) -> anyhow::Result<()> {
    let header = Header::decode(bytes)?;
    // What an agent left out may be filled in, and so be longer than a header may be.
    if let Ok(written) = header.encode() {
        assert_eq!(Header::decode(&written)?, header, "what was read is written as something else");
    }
    Ok(())
}

/// The body of `POST /agent/reports`: its frames, headers and sections, the facts in them and the shipped policy's verdicts on these.
///
/// # Errors
/// Why it is refused.
pub fn report(bytes: &[u8]) -> anyhow::Result<()> {
    let mut written = Vec::new();
    for (index, report) in Report::decode_all(bytes)?.iter().enumerate() {
        let header = Header::decode(&report.header).with_context(|| format!("report {index}"))?;
        let mut facts = Facts::unknown(Reason::NotCollected);
        for (name, body) in compress::decode(&report.bodies).with_context(|| format!("report {index}"))? {
            if let Some(section) = Section::from_name(&name)
                && let Err(error) = facts.decode(section, body.get().as_bytes())
            {
                facts.forget(section, Reason::Unreadable, &error.to_string());
            }
        }
        let now = Instant::from_millisecond(header.made_at).unwrap_or(Instant::UNIX_EPOCH);
        for role in [Role::Workstation, Role::Server] {
            let policy: &Policy = SHIPPED.controls(role);
            assert_eq!(evaluate(policy, &facts, now).len(), policy.controls().len(), "an outcome for each control");
        }
        report.encode_into(&mut written);
    }
    assert_eq!(written, bytes, "what was read is written as something else");
    Ok(())
}

/// A policy bundle, as an agent reads it from the network or from a file once the signature is verified.
///
/// # Errors
/// Why it is refused.
pub fn bundle(bytes: &[u8]) -> anyhow::Result<()> {
    let signed = SignedBundle { bundle: std::str::from_utf8(bytes)?.to_owned(), signature: String::new() };
    match signed.open(&[], "", 0) {
        Err(BundleError::UnknownKey(_)) => {}
        Err(error) => return Err(error.into()),
        Ok(_) => panic!("a bundle that nobody signed was opened"),
    }
    let bundle: Bundle = serde_json::from_str(&signed.bundle)?;
    let set = PolicySet::read(&bundle.files)?;
    assert_eq!(*set.files(), bundle.files, "what was read is not what was signed");
    Ok(())
}
