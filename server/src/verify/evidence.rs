//! What a machine signed: keys, reports and their chain, the bodies of sections, refused branches, and the state that the store draws from
//! the last report.

use std::collections::{BTreeMap, HashMap, HashSet};

use jiff::{ToSpan as _, tz::TimeZone};
use protocol::{Digest, Header, Position, compress, header};

use super::keys::Keys;
use super::{Place, StoreResult, Verifying, What, Why};
use crate::ca::csr::{key_id, point_of};
use crate::evidence::Subject;
use crate::ingest::{sections_of, spoken_by};
use crate::store::Scope;
use crate::store::machine::Machine;
use crate::store::report::StoredReport;
use crate::store::reread::{ForkRow, StoredBody};

/// Reports read at once.
const REPORTS: i64 = 200;

/// What the reports of a machine named, while they are walked.
#[derive(Default)]
struct Signed {
    last: Option<(Header, Position, i64)>,
    /// Sections by name and digest: when the last report came that named another, `None` while it is current.
    named: HashMap<(String, Digest), Option<i64>>,
    /// The newest report whose header retention removed.
    removed_at: Option<i64>,
}

impl Signed {
    /// Takes in the next report.
    fn follow(&mut self, header: Header, position: Position, received_at: i64) {
        if let Some((before, _, _)) = &self.last {
            for (name, entry) in &before.sections {
                if header.sections.get(name).is_none_or(|now| now.digest != entry.digest) {
                    self.named.insert((name.clone(), entry.digest), Some(received_at));
                }
            }
        }
        for (name, entry) in &header.sections {
            self.named.insert((name.clone(), entry.digest), None);
        }
        self.last = Some((header, position, received_at));
    }
}

impl Verifying<'_> {
    pub(super) async fn machine_evidence(&mut self, machine: &Machine) -> StoreResult<()> {
        let keys = self.db.read().await?.machine_key_list(&machine.id).await?;
        for key in &keys {
            let is_own = key_id(&key.public_key) == key.id && point_of(&key.public_key).is_some();
            let place = Place::Key(machine.id.clone(), key.id.clone());
            self.findings.compare(What::Key, place, Some(key.id.clone()), is_own.then(|| key.id.clone()));
        }
        // The end is read first: reports that come meanwhile are beyond it.
        let head = self.db.read().await?.head_get(&Scope::whole(), &machine.id).await?;
        let Some(head) = head else { return self.no_reports(machine).await };
        let end = (head.position.segment.cast_signed(), head.position.number.cast_signed());
        let mut keys = Keys::new(&keys);
        let signed = self.reports(machine, &mut keys, end).await?;
        self.state(machine, &signed, end).await?;
        self.bodies(machine, &signed).await?;
        self.forks(machine, &keys).await
    }

    /// A machine without an end of its chain has no report.
    async fn no_reports(&mut self, machine: &Machine) -> StoreResult<()> {
        let mut tx = self.db.read().await?;
        let reports = tx.report_page(&machine.id, (0, 0), REPORTS).await?;
        if !reports.is_empty() && tx.head_get(&Scope::whole(), &machine.id).await?.is_none() {
            let last = reports.last().map(|report| report.hash.clone());
            self.findings.differ(What::Head, Place::Machine(machine.id.clone()), None, last);
        }
        Ok(())
    }

    async fn reports(&mut self, machine: &Machine, keys: &mut Keys<'_>, end: (i64, i64)) -> StoreResult<Signed> {
        let (mut signed, mut after) = (Signed::default(), (0, 0));
        loop {
            let page = self.db.read().await?.report_page(&machine.id, after, REPORTS).await?;
            let Some(last) = page.last() else { return Ok(signed) };
            after = (last.segment, last.number);
            for report in page.into_iter().filter(|report| (report.segment, report.number) <= end) {
                self.findings.count("reports", 1);
                self.report(machine, keys, report, &mut signed);
            }
            if after >= end {
                return Ok(signed);
            }
        }
    }

    fn report(&mut self, machine: &Machine, keys: &mut Keys<'_>, report: StoredReport, signed: &mut Signed) {
        let StoredReport { segment, number, hash, header: bytes, signature, received_at, .. } = report;
        let place = || Place::Of(Subject::Report { machine: machine.id.clone(), segment, number });
        if bytes.is_empty() {
            self.findings.uncheck(Why::HeaderRemoved, &machine.id, received_at);
            signed.removed_at = Some(received_at);
            signed.last = None;
            return;
        }
        let found = header::hash(&bytes);
        if found.to_string() != hash {
            return self.findings.differ(What::Report, place(), Some(hash), Some(found.to_string()));
        }
        let of_place = |header: &Header| {
            header.machine == machine.id
                && (header.segment.cast_signed(), header.number.cast_signed()) == (segment, number)
        };
        let Some(header) = Header::decode(&bytes).ok().filter(of_place) else {
            return self.findings.differ(What::Report, place(), Some(hash), None);
        };
        if !keys.signed_next(&bytes, &signature) {
            self.findings.differ(What::Signature, place(), Some(hash), None);
        }
        let before = signed.last.as_ref().map(|(_, position, _)| *position);
        let follows = match before {
            _ if header.number == 1 => before.is_none_or(|before| before.segment < header.segment),
            Some(before) => {
                (before.segment, before.number + 1, before.hash) == (header.segment, header.number, header.previous)
            }
            None => signed.removed_at.is_some(),
        };
        if !follows {
            let stood = before.map(|before| before.hash.to_string());
            self.findings.differ(What::Chain, place(), Some(header.previous.to_string()), stood);
        }
        let position = header.position(&bytes);
        signed.follow(header, position, received_at);
    }

    /// The end of the chain and the sections as the store keeps them, against the last report.
    async fn state(&mut self, machine: &Machine, signed: &Signed, end: (i64, i64)) -> StoreResult<()> {
        let mut tx = self.db.read().await?;
        // Read again with the machine: something may have come meanwhile.
        let (Some(head), Some(now)) =
            (tx.head_get(&Scope::whole(), &machine.id).await?, tx.machine_get(&Scope::whole(), &machine.id).await?)
        else {
            return Ok(());
        };
        let current = tx.body_current(&machine.id).await?;
        drop(tx);
        if (head.position.segment.cast_signed(), head.position.number.cast_signed()) != end {
            return Ok(());
        }
        let place = Place::Machine(machine.id.clone());
        let Some((header, position, received_at)) = &signed.last else {
            if signed.removed_at.is_none() {
                self.findings.differ(What::Head, place, Some(head.position.hash.to_string()), None);
            }
            return Ok(());
        };
        if head.position != *position || head.received_at != *received_at {
            let told = |position: &Position, at: i64| format!("{} {at}", position.hash);
            let (stored, last) = (told(&head.position, head.received_at), told(position, *received_at));
            self.findings.differ(What::Head, place.clone(), Some(stored), Some(last));
        }
        if let Some(clone_at) = now.clone_at {
            self.findings.uncheck(Why::Cloned, &machine.id, clone_at);
            return Ok(());
        }
        // Settled, and nothing has come since: the sections stay where the branches parted.
        if head.starts.is_empty() {
            return Ok(());
        }
        let wanted = sections_of(header, *received_at, machine.enrolled_at);
        for (name, state) in &wanted.0 {
            let told = |digest: &Digest, at: i64, known: bool| format!("{digest} {at} {known}");
            let stored = head.sections.0.get(name).map(|state| told(&state.digest, state.observed_at, state.known));
            let place = Place::Section(machine.id.clone(), name.clone(), state.digest.to_string());
            let recomputed = told(&state.digest, state.observed_at, state.known);
            self.findings.compare(What::Sections, place.clone(), stored, Some(recomputed));
            let is_current = current.get(name).is_some_and(|digests| *digests == [state.digest.to_string()]);
            if !is_current {
                let stored = current.get(name).map(|digests| digests.join(" "));
                self.findings.differ(What::Sections, place, stored, Some(state.digest.to_string()));
            }
        }
        for name in head.sections.0.keys().chain(current.keys()).filter(|name| !wanted.0.contains_key(*name)) {
            let place = Place::Section(machine.id.clone(), name.clone(), String::new());
            self.findings.differ(What::Sections, place, Some(name.clone()), None);
        }
        let spoken = spoken_by(header);
        let told = |(agent, schema): (&str, u32)| Some(format!("{agent} {schema}"));
        let (stored, wanted) = (told((&head.agent, head.schema)), told((&spoken.0, spoken.1)));
        self.findings.compare(What::Head, place, stored, wanted);
        Ok(())
    }

    /// Every stored body against its digest, and the digests that were signed against the bodies.
    async fn bodies(&mut self, machine: &Machine, signed: &Signed) -> StoreResult<()> {
        let mut stored: HashSet<(String, Digest)> = HashSet::new();
        let (mut after, mut beyond) = ((String::new(), String::new()), Vec::new());
        loop {
            let page = self.db.read().await?.body_page(&machine.id, (&after.0, &after.1)).await?;
            let Some(last) = page.last() else { break };
            after = (last.section.clone(), last.digest.clone());
            for StoredBody { section, digest, text, first_at } in page {
                self.findings.count("bodies", 1);
                let found = text.map(|text| Digest::of(&text));
                let place = Place::Section(machine.id.clone(), section.clone(), digest.clone());
                let recomputed = found.map(|found| found.to_string());
                let Some(digest) = found.filter(|found| found.to_string() == digest) else {
                    // It is there, under this digest.
                    stored.extend(digest.parse().map(|digest| (section, digest)));
                    self.findings.differ(What::Body, place, Some(digest), recomputed);
                    continue;
                };
                if !signed.named.contains_key(&(section.clone(), digest)) {
                    beyond.push((place, first_at));
                }
                stored.insert((section, digest));
            }
        }
        let last_at = signed.last.as_ref().map_or(i64::MIN, |(_, _, at)| *at);
        for (place, first_at) in beyond {
            // What came with a report beyond the end, or whose header is gone, is none of this.
            if first_at <= last_at && signed.removed_at.is_none_or(|removed_at| first_at > removed_at) {
                self.findings.differ(What::BodyAdded, place, None, None);
            }
        }
        let mut missing: Vec<(&(String, Digest), Option<i64>)> =
            signed.named.iter().filter(|(key, _)| !stored.contains(*key)).map(|(key, until)| (key, *until)).collect();
        missing.sort();
        for ((section, digest), until) in missing {
            let removed_before = self.removed_before(section);
            match until {
                Some(until) if until < removed_before => {
                    self.findings.uncheck(Why::BodyRemoved, &machine.id, removed_before);
                }
                // While two machines used its key, bodies were kept but never current: their age counts from when they came.
                _ if machine.clone_at.is_some_and(|at| at < removed_before) => {
                    self.findings.uncheck(Why::Cloned, &machine.id, removed_before);
                }
                _ => {
                    let place = Place::Section(machine.id.clone(), section.clone(), digest.to_string());
                    self.findings.differ(What::BodyMissing, place, None, Some(digest.to_string()));
                }
            }
        }
        Ok(())
    }

    /// Bodies of a section that were last current before this instant may have been deleted.
    pub(super) fn removed_before(&self, section: &str) -> i64 {
        let months = i64::from(self.retention.months_of(section));
        self.now.to_zoned(TimeZone::UTC).saturating_sub(months.months()).timestamp().as_millisecond()
    }

    async fn forks(&mut self, machine: &Machine, keys: &Keys<'_>) -> StoreResult<()> {
        let mut after = String::new();
        loop {
            let page = self.db.read().await?.fork_page(&machine.id, &after).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after.clone_from(&last.hash);
            for fork in page {
                self.findings.count("forks", 1);
                self.fork(machine, keys, &fork);
            }
        }
    }

    fn fork(&mut self, machine: &Machine, keys: &Keys<'_>, fork: &ForkRow) {
        let place = || Place::Of(Subject::Fork { machine: machine.id.clone(), hash: fork.hash.clone() });
        if fork.header.is_empty() {
            return self.findings.uncheck(Why::HeaderRemoved, &machine.id, fork.received_at);
        }
        let found = header::hash(&fork.header).to_string();
        let read = Header::decode(&fork.header).ok().filter(|header| {
            header.machine == machine.id
                && (header.segment.cast_signed(), header.number.cast_signed()) == (fork.segment, fork.number)
                && (header.start.as_str(), header.traits.to_string()) == (fork.start_id.as_str(), fork.traits.clone())
        });
        let Some(header) = read.filter(|_| found == fork.hash) else {
            return self.findings.differ(What::Report, place(), Some(fork.hash.clone()), Some(found));
        };
        if !keys.signed(&fork.header, &fork.signature) {
            self.findings.differ(What::Signature, place(), Some(fork.hash.clone()), None);
        }
        let Some(bodies) = &fork.bodies else { return };
        let Ok(decoded) = compress::decode(bodies) else {
            return self.findings.differ(What::Body, place(), None, None);
        };
        let texts: BTreeMap<String, Digest> =
            decoded.into_iter().map(|(name, body)| (name, Digest::of(body.get().as_bytes()))).collect();
        for (name, digest) in texts {
            let wanted = header.sections.get(&name).map(|entry| entry.digest.to_string());
            self.findings.compare(What::Body, place(), Some(digest.to_string()), wanted);
        }
    }
}
