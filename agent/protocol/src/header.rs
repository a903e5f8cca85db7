//! A report's header: the part a machine signs. It names every section by digest; the bodies are sent next to it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::limits;
use crate::sign::Purpose;

/// A position in a machine's chain of reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// The segment; rises by at least one whenever the agent has to break the chain.
    pub segment: u64,
    /// The report's number in its segment, from 1.
    pub number: u64,
    /// The report's hash.
    pub hash: Digest,
}

/// Why a segment was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OpenedReason {
    /// The machine's first report.
    Enrolled,
    /// The server refused a report for good.
    Refused,
    /// The spool was full and reports had to be dropped.
    SpoolOverflow,
    /// The agent's state was lost or damaged.
    StateLost,
    /// The server asked to continue from an earlier report: it was restored from a backup.
    ServerRestored,
    /// A reason this version does not know.
    #[serde(other)]
    Unknown,
}

/// The break before a segment: shown to people, blocks nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opened {
    /// The reason.
    pub reason: OpenedReason,
    /// The last report that agent and server agreed on, as far as the agent knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agreed: Option<Position>,
    /// How many reports were lost.
    #[serde(default)]
    pub lost: u64,
}

/// One section in a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SectionEntry {
    /// Digest of the section's JSON text.
    pub digest: Digest,
    /// When the facts were observed, by the machine's clock; milliseconds since 1970 UTC.
    pub observed_at: i64,
    /// False when no fact in the section is known.
    pub known: bool,
}

/// The signed content. The signed bytes are kept as received; this is only their parsed form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// Protocol version ([`crate::VERSION`]).
    pub v: u32,
    /// The machine's id, chosen by the server.
    pub machine: String,
    /// The segment.
    pub segment: u64,
    /// The report's number in its segment, from 1.
    pub number: u64,
    /// Hash of the report before it in the segment; [`Digest::ZERO`] for number 1.
    pub previous: Digest,
    /// In number 1 of a segment: the break before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opened: Option<Opened>,
    /// 128 random bits in hexadecimal, new at each start of the agent: two of them alternating reveal a clone.
    pub start: String,
    /// Digest of the hardware: distinguishes a copied state folder from a restarted machine.
    pub traits: Digest,
    /// Version of the agent.
    pub agent: String,
    /// Schema version of the facts (`policies::fact::SCHEMA_VERSION`).
    pub schema: u32,
    /// Address of the policy bundle the agent uses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<Digest>,
    /// When the report was made, by the machine's clock; milliseconds since 1970 UTC.
    pub made_at: i64,
    /// Every section the agent knows, including those that did not change.
    pub sections: BTreeMap<String, SectionEntry>,
}

/// Why bytes are not a header.
#[derive(Debug, thiserror::Error)]
pub enum HeaderError {
    /// Longer than [`limits::HEADER`].
    #[error("the header has {0} bytes, allowed are {max}", max = limits::HEADER)]
    TooLong(usize),
    /// Not valid JSON of a header.
    #[error("the header cannot be read: {0}")]
    Unreadable(#[from] serde_json::Error),
    /// A value that no honest agent writes; says which.
    #[error("the header is not valid: {0}")]
    Invalid(&'static str),
}

impl Header {
    /// The bytes to sign.
    ///
    /// # Errors
    /// When the header is longer than [`limits::HEADER`].
    pub fn encode(&self) -> Result<Vec<u8>, HeaderError> {
        let bytes = serde_json::to_vec(self)?;
        if bytes.len() > limits::HEADER { Err(HeaderError::TooLong(bytes.len())) } else { Ok(bytes) }
    }

    /// Parses a header whose signature has been checked.
    ///
    /// # Errors
    /// When the bytes are too long, not a header, or hold values that no honest agent writes.
    pub fn decode(bytes: &[u8]) -> Result<Self, HeaderError> {
        if bytes.len() > limits::HEADER {
            return Err(HeaderError::TooLong(bytes.len()));
        }
        let header: Self = serde_json::from_slice(bytes)?;
        let invalid = |what| Err(HeaderError::Invalid(what));
        if header.v != crate::VERSION {
            return invalid("v is not a version of the wire that this server speaks");
        }
        // Databases store them as signed 64-bit integers.
        if header.segment == 0 || header.number == 0 || header.segment.max(header.number) > i64::MAX as u64 {
            return invalid("segment and number run from 1");
        }
        if (header.number == 1) != header.opened.is_some() || (header.number == 1) != (header.previous == Digest::ZERO)
        {
            return invalid("number 1, and only it, opens a segment and has no previous report");
        }
        if header.sections.len() > limits::SECTIONS
            || header.sections.keys().any(|name| name.is_empty() || name.len() > limits::SECTION_NAME)
        {
            return invalid("too many sections or a section name that is empty or too long");
        }
        if header.machine.len() > 64 || header.start.len() > 64 || header.agent.len() > 64 {
            return invalid("machine, start or agent is too long");
        }
        Ok(header)
    }

    /// This report's position in its machine's chain, given its signed bytes.
    pub fn position(&self, bytes: &[u8]) -> Position {
        Position { segment: self.segment, number: self.number, hash: hash(bytes) }
    }
}

/// A report's hash: over the same bytes, with the same prefix, as its signature.
pub fn hash(header: &[u8]) -> Digest {
    Digest::of_parts(&[Purpose::Report.prefix(), header])
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(crate) fn sample() -> Header {
        Header {
            v: 1,
            machine: "0199a1b2-0000-7000-8000-000000000001".to_owned(),
            segment: 1,
            number: 1,
            previous: Digest::ZERO,
            opened: Some(Opened { reason: OpenedReason::Enrolled, agreed: None, lost: 0 }),
            start: "00112233445566778899aabbccddeeff".to_owned(),
            traits: Digest::of(b"traits"),
            agent: "0.1.0".to_owned(),
            schema: 1,
            policy: None,
            made_at: 1_795_305_600_000,
            sections: BTreeMap::from([(
                "time".to_owned(),
                SectionEntry { digest: Digest::of(b"{}"), observed_at: 1_795_305_599_000, known: true },
            )]),
        }
    }

    /// Released: agents in the field write exactly this. Never change it; add a second text instead.
    const PINNED: &str = concat!(
        r#"{"v":1,"machine":"0199a1b2-0000-7000-8000-000000000001","segment":1,"number":1,"#,
        r#""previous":"0000000000000000000000000000000000000000000000000000000000000000","#,
        r#""opened":{"reason":"enrolled","lost":0},"start":"00112233445566778899aabbccddeeff","#,
        r#""traits":"9e27940861d74757556ae8f1763c90461393ad8dba24c8d2a382f011fa14486c","agent":"0.1.0","schema":1,"#,
        r#""made_at":1795305600000,"sections":{"time":{"#,
        r#""digest":"44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","#,
        r#""observed_at":1795305599000,"known":true}}}"#,
    );

    #[test]
    fn the_exact_bytes_are_pinned() {
        let bytes = sample().encode().unwrap();
        assert_eq!(String::from_utf8(bytes.clone()).unwrap(), PINNED);
        assert_eq!(Header::decode(PINNED.as_bytes()).unwrap(), sample());
        assert_eq!(hash(&bytes).to_string(), "56365fdbe109b2e1b10abee170f27eb3a2ed159979602497652865c41894197e");
    }

    #[test]
    fn fields_of_a_later_version_are_ignored() {
        let later = PINNED.replacen(r#""schema":1"#, r#""schema":2,"colour":"blue""#, 1).replace("enrolled", "eclipse");
        let header = Header::decode(later.as_bytes()).unwrap();
        assert_eq!(header.opened.unwrap().reason, OpenedReason::Unknown);
    }

    #[test]
    fn what_no_honest_agent_writes_is_refused() {
        let broken: [fn(&mut Header); 7] = [
            |header| header.v = 2,
            |header| header.number = 0,
            |header| header.number = 2,
            |header| header.segment = u64::MAX,
            |header| header.opened = None,
            |header| header.machine = "x".repeat(65),
            |header| {
                let entry = header.sections["time"];
                header.sections.insert("x".repeat(33), entry);
            },
        ];
        for (index, break_it) in broken.iter().enumerate() {
            let mut header = sample();
            break_it(&mut header);
            let bytes = serde_json::to_vec(&header).unwrap();
            assert!(matches!(Header::decode(&bytes), Err(HeaderError::Invalid(_))), "case {index}");
        }
        assert!(matches!(Header::decode(&vec![b' '; limits::HEADER + 1]), Err(HeaderError::TooLong(_))));
        assert!(matches!(Header::decode(b"{"), Err(HeaderError::Unreadable(_))));
    }
}
