//! Makes reports: the current facts as a signed header that names every section, with the bodies of those that changed.

use std::collections::BTreeMap;

use policies::fact::{Facts, InterfaceKind, Reason, Section, Value};
use protocol::header::{Header, HeaderError, SectionEntry};
use protocol::sign::Purpose;
use protocol::{Digest, Report, compress, limits, shape};

use crate::identity::keys::MachineKey;
use crate::report::chain::Chain;
use crate::report::sections;
use crate::report::spool::Waiting;
use crate::state::StateFolder;

/// Why a report could not be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReportError {
    /// The header is too long.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// The bodies could not be written.
    #[error(transparent)]
    Bodies(#[from] compress::BodiesError),
    /// A section could not be written.
    #[error("section {0} cannot be written: {1}")]
    Section(&'static str, serde_json::Error),
    /// The key could not sign.
    #[error(transparent)]
    Key(#[from] protocol::sign::BadKey),
}

/// What is the same in every report of one run.
#[derive(Debug)]
pub(crate) struct Author {
    /// The machine's id.
    pub(crate) machine: String,
    /// Random id of this start of the program.
    pub(crate) start: String,
    /// The machine's key.
    pub(crate) key: MachineKey,
}

/// The content of one report.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    /// Every section.
    pub(crate) entries: Entries,
    /// Digest of hardware traits.
    pub(crate) traits: Digest,
    /// Address of the policy bundle in use.
    pub(crate) policy: Option<Digest>,
    /// When it is made, by the machine's clock; milliseconds since 1970 UTC.
    pub(crate) made_at: i64,
}

/// One section as it goes into a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Its text, JSON.
    pub(crate) text: String,
    /// Its digest, observation time, and whether any fact in it is known.
    pub(crate) header: SectionEntry,
}

/// Every section with its text, by name.
pub(crate) type Entries = BTreeMap<&'static str, Entry>;

/// A section's text and its entry in the header. A section outside the protocol's limits is replaced by one in which
/// nothing is known, so that only that section is lost and not the report.
///
/// # Errors
/// When it cannot be written as JSON, which cannot happen with the existing fact types.
pub(crate) fn entry(facts: &Facts, section: Section, observed_at: i64) -> Result<Entry, ReportError> {
    let write = |facts: &Facts| facts.encode(section).map_err(|error| ReportError::Section(section.name(), error));
    let mut text = write(facts)?;
    let mut known = is_known(facts, section);
    if let Err(error) = shape::check(&text) {
        tracing::error!(section = section.name(), %error, "the section is out of bounds and is reported as unreadable");
        text = write(&Facts::unknown(Reason::Unreadable))?;
        known = false;
    }
    let digest = compress::digest(&text);
    Ok(Entry { text, header: SectionEntry { digest, observed_at, known } })
}

/// True when any fact of the section is known.
fn is_known(facts: &Facts, section: Section) -> bool {
    let record = facts.section(section);
    (0..record.fields().len()).any(|index| !matches!(record.value(index), Value::Unknown(_)))
}

/// Makes the next report of `chain`. It contains the bodies whose digest differs from the last reported one, or all of
/// them when it opens a segment. Writes nothing; call [`keep`] once the report is safe.
///
/// # Errors
/// When it cannot be written or signed.
pub(crate) fn make(author: &Author, draft: &Draft, chain: &Chain, state: &StateFolder) -> Result<Waiting, ReportError> {
    let place = chain.next();
    let entries = &draft.entries;
    let header = Header {
        v: protocol::VERSION,
        machine: author.machine.clone(),
        segment: place.segment,
        number: place.number,
        previous: place.previous,
        opened: place.opened,
        start: author.start.clone(),
        traits: draft.traits,
        agent: env!("CARGO_PKG_VERSION").to_owned(),
        schema: policies::fact::SCHEMA_VERSION,
        policy: draft.policy,
        made_at: draft.made_at,
        sections: entries.iter().map(|(name, entry)| ((*name).to_owned(), entry.header)).collect(),
    };
    let full = chain.opens();
    let changed = entries
        .iter()
        .filter(|(name, entry)| full || sections::digest(state, name) != Some(entry.header.digest))
        .map(|(name, entry)| (*name, entry.text.as_str()));
    let bodies = bounded(compress::encode(changed)?, entries)?;
    let bytes = header.encode()?;
    let signature = author.key.signing().sign(Purpose::Report, &bytes)?;
    let position = header.position(&bytes);
    Ok(Waiting { report: Report { header: bytes, signature, bodies }, position, header })
}

/// Drops all bodies when together they are too long, compressed or not; the server then asks for them one by one.
fn bounded(bodies: Vec<u8>, entries: &Entries) -> Result<Vec<u8>, ReportError> {
    let total: usize = entries.values().map(|entry| entry.text.len()).sum();
    if bodies.len() <= limits::BODIES_COMPRESSED && total <= limits::BODIES { Ok(bodies) } else { Ok(Vec::new()) }
}

/// Stores the texts of a report that is safe (in the spool, or accepted), so that the next report leaves them out.
pub(crate) fn keep(state: &StateFolder, entries: &Entries) {
    for (name, entry) in entries {
        if sections::digest(state, name) == Some(entry.header.digest) {
            continue;
        }
        if let Err(error) = sections::keep(state, name, &entry.text) {
            // Losing it costs bytes, not evidence: the body is sent again with the next report.
            tracing::debug!(section = name, %error, "the section's text could not be kept");
        }
    }
}

/// A digest of the machine's hardware: distinguishes a state folder copied to another machine from a restart of this
/// one.
pub(crate) fn traits(facts: &Facts) -> Digest {
    let system = &facts.system;
    let mut parts: Vec<String> = [&system.model, &system.serial, &system.processor]
        .iter()
        .map(|fact| fact.known().cloned().unwrap_or_default())
        .collect();
    let interfaces = facts.lan.interfaces.known().map(|list| list.items.as_slice()).unwrap_or_default();
    let mut addresses: Vec<String> = interfaces
        .iter()
        .filter(|interface| interface.kind == InterfaceKind::Wired)
        .filter_map(|interface| interface.mac.known().cloned())
        .collect();
    addresses.sort();
    parts.extend(addresses);
    Digest::of(parts.join("\n").as_bytes())
}

#[cfg(test)]
mod tests {
    use policies::fact::Fact;

    use super::*;
    use crate::state::Missing;

    fn author(state: &StateFolder) -> Author {
        let key = MachineKey::load_or_make(state).unwrap();
        Author { machine: "m".to_owned(), start: "s".to_owned(), key }
    }

    fn draft(facts: &Facts) -> Draft {
        let entries = Section::ALL.iter().map(|&section| (section.name(), entry(facts, section, 5).unwrap())).collect();
        Draft { entries, traits: traits(facts), policy: None, made_at: 7 }
    }

    #[test]
    fn only_changed_sections_carry_bodies_and_the_chain_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateFolder::open(&folder.path().join("s"), Missing::Create).unwrap();
        let author = author(&state);
        let mut chain = Chain::open(&state, 0, || None).unwrap();
        let mut facts = Facts::unknown(Reason::SourceMissing);
        let first = make(&author, &draft(&facts), &chain, &state).unwrap();
        assert!(first.report.verify(author.key.signing().public_key()).is_ok());
        assert_eq!(compress::decode(&first.report.bodies).unwrap().len(), Section::ALL.len());
        assert!(!first.header.sections["time"].known);
        chain.made_one(first.position).unwrap();
        keep(&state, &draft(&facts).entries);
        facts.time.synchronised = Fact::Known(true);
        let second = make(&author, &draft(&facts), &chain, &state).unwrap();
        assert_eq!((second.header.number, second.header.previous), (2, first.position.hash));
        let bodies = compress::decode(&second.report.bodies).unwrap();
        assert_eq!(bodies.keys().collect::<Vec<_>>(), ["time"]);
        assert_eq!(compress::digest(bodies["time"].get()), second.header.sections["time"].digest);
        assert!(second.header.sections["time"].known);
        chain.made_one(second.position).unwrap();
        chain.break_off(protocol::OpenedReason::Refused, 1, None).unwrap();
        let third = make(&author, &draft(&facts), &chain, &state).unwrap();
        assert_eq!(compress::decode(&third.report.bodies).unwrap().len(), Section::ALL.len());
        assert_eq!(third.header.opened.unwrap().lost, 1);
    }

    #[test]
    fn a_section_out_of_bounds_costs_itself_only() {
        let mut facts = Facts::unknown(Reason::SourceMissing);
        facts.system.title = Fact::Known("x".repeat(limits::STRING + 1));
        let entry = entry(&facts, Section::System, 0).unwrap();
        assert!(!entry.header.known);
        assert!(entry.text.contains("unreadable") && shape::check(&entry.text).is_ok());
    }

    #[test]
    fn traits_follow_the_hardware_not_the_name() {
        let mut facts = Facts::unknown(Reason::SourceMissing);
        facts.system.serial = Fact::Known("1".to_owned());
        let before = traits(&facts);
        facts.system.name = Fact::Known("renamed".to_owned());
        assert_eq!(traits(&facts), before);
        facts.system.serial = Fact::Known("2".to_owned());
        assert_ne!(traits(&facts), before);
    }
}
