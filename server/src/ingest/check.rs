//! What can be checked of a report without the store: signature, header, machine, then bounded decompression and digests,
//! in this order, so that nothing is decompressed for anyone who does not hold the machine's key.

use std::collections::BTreeMap;

use policies::fact::{Facts, Reason as Unknown, Section};
use protocol::{Digest, Header, Position, Report, compress};

use super::refusal::Reason;
use crate::ca::csr::point_of;
use crate::store::machine::key::Peer;
use crate::store::section::Sections;

/// A report whose signature and digests match.
#[derive(Debug)]
pub struct Checked {
    /// The bytes as received.
    pub report: Report,
    /// What the header says.
    pub header: Header,
    /// Its place in the chain, as it claims.
    pub position: Position,
    /// The texts of the sections that travelled with it.
    pub bodies: BTreeMap<String, String>,
    /// The same sections as facts. One that this version does not know or cannot read is missing or unknown here.
    pub facts: Facts,
}

impl Checked {
    /// Roughly how many bytes it holds: as received, its texts, and the facts read from them.
    pub fn memory(&self) -> usize {
        let texts: usize = self.bodies.values().map(String::len).sum();
        self.report.header.len() + self.report.bodies.len() + 3 * texts
    }
}

/// Why a report is refused, with a detail for the engineer.
pub type Refused = (Reason, String);

/// Checks one report that `peer` sent.
///
/// # Errors
/// The reason, and what exactly did not match.
pub fn check(report: Report, peer: &Peer) -> Result<Checked, Refused> {
    let point = point_of(&peer.public_key).ok_or((Reason::BadSignature, "the stored key is damaged".to_owned()))?;
    report.verify(point).map_err(|error| (Reason::BadSignature, error.to_string()))?;
    let header = Header::decode(&report.header).map_err(|error| (Reason::BadHeader, error.to_string()))?;
    if header.machine != peer.machine {
        return Err((Reason::WrongMachine, format!("the header names machine {:?}", header.machine)));
    }
    if let Some(name) = header.sections.keys().find(|name| !Sections::is_name(name)) {
        return Err((Reason::BadHeader, format!("{name:?} is not a section's name")));
    }
    if !(header.start.len() == 32 && header.start.bytes().all(|byte| byte.is_ascii_hexdigit())) {
        return Err((Reason::BadHeader, "start is not 32 hexadecimal digits".to_owned()));
    }
    let decoded = compress::decode(&report.bodies).map_err(|error| (Reason::BadBodies, error.to_string()))?;
    let mut bodies = BTreeMap::new();
    let mut facts = Facts::unknown(Unknown::NotCollected);
    for (name, body) in decoded {
        let text = body.get();
        let Some(entry) = header.sections.get(&name) else {
            return Err((Reason::BadDigest, format!("section {name:?} is not in the header")));
        };
        if Digest::of(text.as_bytes()) != entry.digest {
            return Err((Reason::BadDigest, format!("section {name} does not have the signed digest")));
        }
        if let Some(section) = Section::from_name(&name) {
            section_read(&mut facts, section, text.as_bytes());
        }
        bodies.insert(name, text.to_owned());
    }
    let position = header.position(&report.header);
    Ok(Checked { report, header, position, bodies, facts })
}

/// Reads a section's text. What cannot be read is unknown, and the rest of the report still counts.
pub(super) fn section_read(facts: &mut Facts, section: Section, text: &[u8]) {
    if let Err(error) = facts.decode(section, text) {
        facts.forget(section, Unknown::Unreadable, &error.to_string());
    }
}
