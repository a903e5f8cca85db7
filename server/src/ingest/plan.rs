//! Deciding in memory what happens to a machine's reports: which are accepted, which need bodies, which are refused, and what
//! must be written. Pure: the store is read before and written after.

use std::collections::{BTreeMap, HashMap, HashSet};

use protocol::{Digest, Header, OpenedReason, Position};

use super::check::Checked;
use super::refusal::Reason;
use crate::clock::DAY_MS;
use crate::store::head::{Head, StoredMachine};
use crate::store::report::{NewFork, NewReport, NewSegment, SegmentKind};
use crate::store::section::{Body, SectionState, Sections};

/// How far a machine's clock may run ahead before its instants count as impossible. Milliseconds.
const AHEAD_MS: i64 = 5 * 60 * 1000;
/// How long before its enrolment a machine can have observed something. Milliseconds.
const BEFORE_ENROLMENT_MS: i64 = DAY_MS;
/// Bytes of headers, signatures and bodies kept for one machine in one day.
const BYTES_A_DAY: i64 = 64 * 1024 * 1024;
/// Start ids that are remembered.
const STARTS: usize = 8;

/// The store's answers to [`questions`].
#[derive(Debug, Default)]
pub(super) struct Known {
    /// Bodies that are stored, by section and digest.
    pub bodies: HashSet<(String, Digest)>,
    /// Accepted reports by segment and number: hash and time of receipt.
    pub reports: HashMap<(u64, u64), (Digest, i64)>,
    /// Bytes that may be stored; `None` when the machine is confirmed.
    pub room: Option<i64>,
    /// Segments whose opener did not know the last accepted reports, each with segment and number of the last one that it knew.
    pub behind: Vec<(u64, (u64, u64))>,
}

/// What must be read from the store before planning. Empty for a machine that simply continues its chain.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Questions {
    /// Is the body of this section and digest stored?
    pub bodies: HashSet<(String, Digest)>,
    /// Which report is at this place?
    pub reports: HashSet<(u64, u64)>,
    /// Which segments left out accepted reports?
    pub behind: bool,
}

/// The answer to one report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Stored, now or earlier.
    Accepted {
        /// Its place in the chain.
        position: Position,
        /// When it was first stored.
        received_at: i64,
    },
    /// The bodies of these sections are needed.
    Need(Vec<String>),
    /// Refused.
    Refused {
        /// The reason.
        reason: Reason,
        /// A detail for engineers.
        detail: String,
        /// The server's position in the chain, when that is the problem.
        agreed: Option<Position>,
    },
}

/// The signs of a second machine with the same key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cloned {
    /// What revealed it: a key of the pages' catalogue.
    pub why: &'static str,
    /// The last report before the branches parted (segment and number): the grade goes back to it.
    pub before: Option<(u64, u64)>,
}

/// Everything that must be written for one machine, and the answers to give afterwards.
#[derive(Debug)]
pub(super) struct Plan {
    pub machine: String,
    pub answers: Vec<Answer>,
    /// The end of the chain after; `None` when nothing was accepted.
    pub head: Option<Head>,
    pub reports: Vec<NewReport>,
    pub bodies: Vec<Body>,
    /// Sections whose current body changed (`None`: the section is gone).
    pub changed: BTreeMap<String, Option<Digest>>,
    pub segments: Vec<NewSegment>,
    pub forks: Vec<NewFork>,
    pub cloned: Option<Cloned>,
    /// Whether the latest state of the sections follows these reports: not while the machine counts as cloned.
    pub judged: bool,
}

/// What must be known to plan `reports` of a machine in this state.
pub(super) fn questions(stored_machine: &StoredMachine, reports: &[Checked]) -> Questions {
    let mut questions = Questions::default();
    let head = stored_machine.head.as_ref();
    let mut supplied: HashSet<(&str, Digest)> = HashSet::new();
    for checked in reports {
        let Header { segment, number, .. } = checked.header;
        if let Some(head) = head
            && checked.position != head.position
            && (segment, number) <= (head.position.segment, head.position.number)
        {
            questions.reports.insert((segment, number));
            questions.reports.insert((segment, number.saturating_sub(1)));
            questions.behind = true;
        }
        if let (Some(head), Some(agreed)) = (head, checked.header.opened.and_then(|opened| opened.agreed))
            && agreed != head.position
        {
            questions.reports.insert((agreed.segment, agreed.number));
            questions.behind = true;
        }
        for (name, entry) in &checked.header.sections {
            if checked.bodies.contains_key(name) {
                supplied.insert((name, entry.digest));
            }
            let current =
                head.and_then(|head| head.sections.0.get(name)).is_some_and(|state| state.digest == entry.digest);
            if !current && !supplied.contains(&(name.as_str(), entry.digest)) {
                questions.bodies.insert((name.clone(), entry.digest));
            }
        }
    }
    questions
}

/// Decides about `reports`, which one request brought in this order at `now`.
pub(super) fn plan(stored_machine: &StoredMachine, reports: Vec<Checked>, known: &Known, now: i64) -> Plan {
    let mut planner = Planner {
        stored_machine,
        known,
        now,
        head: stored_machine.head.clone(),
        room: known.room,
        moved: false,
        supplied: HashSet::new(),
        plan: Plan {
            machine: stored_machine.machine.clone(),
            answers: Vec::with_capacity(reports.len()),
            head: None,
            reports: Vec::new(),
            bodies: Vec::new(),
            changed: BTreeMap::new(),
            segments: Vec::new(),
            forks: Vec::new(),
            cloned: None,
            judged: false,
        },
    };
    let mut going = true;
    for checked in reports {
        let answer = if going {
            planner.place(checked)
        } else {
            refused(Reason::AfterRefused, "a report before it was not accepted", None)
        };
        going = going && matches!(answer, Answer::Accepted { .. });
        planner.plan.answers.push(answer);
    }
    let mut plan = planner.plan;
    if planner.moved {
        plan.head = planner.head;
    }
    plan
}

fn refused(reason: Reason, detail: impl Into<String>, agreed: Option<Position>) -> Answer {
    Answer::Refused { reason, detail: detail.into(), agreed }
}

struct Planner<'a> {
    stored_machine: &'a StoredMachine,
    known: &'a Known,
    now: i64,
    head: Option<Head>,
    room: Option<i64>,
    moved: bool,
    supplied: HashSet<(String, Digest)>,
    plan: Plan,
}

impl Planner<'_> {
    fn place(&mut self, checked: Checked) -> Answer {
        let Some(head) = &self.head else {
            return if checked.header.number == 1 {
                self.open(checked)
            } else {
                refused(Reason::Gap, "the server has no report of this machine", None)
            };
        };
        let stands = head.position;
        let place = (checked.position.segment, checked.position.number);
        if checked.position == stands {
            return Answer::Accepted { position: stands, received_at: head.received_at };
        }
        if let Some(&(hash, received_at)) = self.known.reports.get(&place)
            && hash == checked.position.hash
        {
            return Answer::Accepted { position: checked.position, received_at };
        }
        if place <= (stands.segment, stands.number) {
            return self.fork(checked, "another report stands there");
        }
        if place.0 > stands.segment {
            return if place.1 == 1 {
                self.open(checked)
            } else {
                refused(Reason::Gap, "the segment was never opened here", Some(stands))
            };
        }
        if place.1 > stands.number + 1 {
            return refused(Reason::Gap, format!("the server stands at number {}", stands.number), Some(stands));
        }
        if checked.header.previous != stands.hash {
            return self.fork(checked, "it continues another report than the one that stands before it");
        }
        self.accept(checked)
    }

    /// A second branch: kept, and checked for the signs of a second machine.
    fn fork(&mut self, checked: Checked, detail: &str) -> Answer {
        let Some(head) = &self.head else { return refused(Reason::Fork, detail, None) };
        let agreed = head.position;
        let Checked { report, header, position, .. } = checked;
        let before = header.number.checked_sub(1).filter(|&number| number > 0).map(|number| (header.segment, number));
        let why = if header.traits != head.traits {
            Some("fork_with_other_traits")
        } else if head.starts.contains(&header.start) && head.starts.last() != Some(&header.start) {
            Some("alternating_starts")
        } else {
            None
        };
        if let Some(why) = why {
            self.cloned(why, before);
        } else if let Some(parted) = before.and_then(|before| self.left_out(before, header.previous)) {
            self.cloned("alternating_branches", Some(parted));
        }
        if self.bytes_take(report.header.len() + report.signature.len() + report.bodies.len()).is_ok() {
            // The end of the chain stays where it is; only its byte count changes.
            self.moved = true;
            self.plan.forks.push(NewFork {
                machine: self.stored_machine.machine.clone(),
                position,
                header: report.header,
                signature: report.signature,
                bodies: report.bodies,
                start: header.start,
                traits: header.traits,
                received_at: self.now,
            });
        }
        refused(Reason::Fork, detail, Some(agreed))
    }

    /// A machine that opened a segment without knowing the last accepted reports was at an older state: its disk was restored. A sender
    /// that later knows one of those reports, with its `hash`, is a second state of the same machine, on any hardware. Returns where the
    /// two parted: the last report that both knew.
    fn left_out(&self, place: (u64, u64), hash: Digest) -> Option<(u64, u64)> {
        // The officer settled it and nothing has come since: whichever machine continues is the chosen one.
        let settled = self.head.as_ref().is_none_or(|head| head.starts.is_empty());
        let stands = self
            .head
            .as_ref()
            .is_some_and(|head| place == (head.position.segment, head.position.number) && head.position.hash == hash);
        let is_known = stands || self.known.reports.get(&place).is_some_and(|&(known, _)| known == hash);
        let behind = self.known.behind.iter();
        let parted = behind.filter(|&&(segment, knew)| knew < place && place.0 < segment).map(|&(_, knew)| knew).min();
        parted.filter(|_| is_known && !settled)
    }

    /// Number 1 of a new segment: the break is recorded and blocks nothing.
    fn open(&mut self, checked: Checked) -> Answer {
        let opened = checked.header.opened;
        let claimed = opened.and_then(|opened| opened.agreed);
        let stood = self.head.as_ref().map(|head| head.position);
        let kind = match (stood, claimed) {
            (None, None) => SegmentKind::First,
            (None, Some(_)) => SegmentKind::ServerBehind,
            (Some(_), None) => SegmentKind::MachineBehind,
            (Some(stood), Some(claimed)) if stood == claimed => SegmentKind::Continued,
            (Some(stood), Some(claimed)) => {
                let place = (claimed.segment, claimed.number);
                match self.known.reports.get(&place) {
                    Some(&(hash, _)) if hash == claimed.hash => SegmentKind::MachineBehind,
                    None if place > (stood.segment, stood.number) => SegmentKind::ServerBehind,
                    _ => SegmentKind::Disagreed,
                }
            }
        };
        if let Some(claimed) = claimed
            && let Some(parted) = self.left_out((claimed.segment, claimed.number), claimed.hash)
        {
            self.cloned("alternating_branches", Some(parted));
        }
        let segment = NewSegment {
            machine: self.stored_machine.machine.clone(),
            segment: checked.position.segment,
            opened_at: self.now,
            reason: opened.map_or("unknown", |opened| reason_word(opened.reason)).to_owned(),
            kind,
            claimed,
            stood,
        };
        let answer = self.accept(checked);
        if matches!(answer, Answer::Accepted { .. }) {
            self.plan.segments.push(segment);
        }
        answer
    }

    fn accept(&mut self, checked: Checked) -> Answer {
        let Checked { report, header, position, bodies, .. } = checked;
        let lacking: Vec<String> = header
            .sections
            .iter()
            .filter(|&(name, entry)| !bodies.contains_key(name) && !self.has(name, entry.digest))
            .map(|(name, _)| name.clone())
            .collect();
        if !lacking.is_empty() {
            return Answer::Need(lacking);
        }
        let size = report.header.len() + report.signature.len() + bodies.values().map(String::len).sum::<usize>();
        if let Err(reason) = self.bytes_take(size) {
            return refused(reason, format!("{size} bytes more are not kept"), None);
        }
        let previous = self.head.take();
        let mut head = previous.unwrap_or_else(|| Head {
            position,
            starts: Vec::new(),
            traits: header.traits,
            received_at: self.now,
            made_at: header.made_at,
            clock_offset: 0,
            sections: Sections::default(),
            agent: String::new(),
            schema: 0,
            stored_day: self.now.div_euclid(DAY_MS),
            stored_bytes: i64::try_from(size).unwrap_or(i64::MAX),
            stored_all: i64::try_from(size).unwrap_or(i64::MAX),
        });
        let starts = &mut head.starts;
        let alternates = starts.contains(&header.start) && starts.last() != Some(&header.start);
        if starts.last() != Some(&header.start) {
            starts.retain(|start| *start != header.start);
            starts.push(header.start.clone());
            if starts.len() > STARTS {
                starts.remove(0);
            }
        }
        if alternates {
            let before = header.opened.and_then(|opened| opened.agreed).map(|agreed| (agreed.segment, agreed.number));
            self.cloned("alternating_starts", before);
        }
        let follows = self.stored_machine.clone_at.is_none() && self.plan.cloned.is_none();
        if follows {
            head.sections = self.sections_after(&head.sections, &header);
            // An equal digest counts as of the newest header: the agent that sent it read the section by its own meaning.
            (head.agent, head.schema) = spoken_by(&header);
            self.plan.judged = true;
        }
        for (section, text) in bodies {
            let digest = header.sections[&section].digest;
            if self.supplied.insert((section.clone(), digest)) {
                self.plan.bodies.push(Body { machine: self.stored_machine.machine.clone(), section, digest, text });
            }
        }
        self.plan.reports.push(NewReport {
            machine: self.stored_machine.machine.clone(),
            position,
            header: report.header,
            signature: report.signature,
            received_at: self.now,
            made_at: header.made_at,
        });
        self.head = Some(Head {
            position,
            traits: header.traits,
            received_at: self.now,
            made_at: header.made_at,
            clock_offset: header.made_at.saturating_sub(self.now),
            ..head
        });
        self.moved = true;
        Answer::Accepted { position, received_at: self.now }
    }

    /// The state of the sections after `header`: an equal digest renews the evidence.
    fn sections_after(&mut self, before: &Sections, header: &Header) -> Sections {
        let after = sections_of(header, self.now, self.stored_machine.enrolled_at);
        for (name, state) in &after.0 {
            if before.0.get(name).is_none_or(|old| old.digest != state.digest) {
                self.plan.changed.insert(name.clone(), Some(state.digest));
            }
        }
        for name in before.0.keys().filter(|name| !after.0.contains_key(*name)) {
            self.plan.changed.insert(name.clone(), None);
        }
        after
    }

    fn has(&self, section: &str, digest: Digest) -> bool {
        let current = |head: &Head| head.sections.0.get(section).is_some_and(|state| state.digest == digest);
        // The stored machine's own head, not the planned one: the bodies it names are stored.
        self.stored_machine.head.as_ref().is_some_and(current) || {
            let key = (section.to_owned(), digest);
            self.supplied.contains(&key) || self.known.bodies.contains(&key)
        }
    }

    /// Counts bytes against the day's limit, and against the room of a pending machine.
    fn bytes_take(&mut self, bytes: usize) -> Result<(), Reason> {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        let room = self.room.map(|room| room.saturating_sub(bytes));
        if room.is_some_and(|room| room < 0) {
            return Err(Reason::Unconfirmed);
        }
        let today = self.now.div_euclid(DAY_MS);
        let stored = self.head.as_ref().filter(|head| head.stored_day == today).map_or(0, |head| head.stored_bytes);
        let after = stored.saturating_add(bytes);
        if after > BYTES_A_DAY {
            return Err(Reason::TooManyBytes);
        }
        self.room = room;
        if let Some(head) = &mut self.head {
            (head.stored_day, head.stored_bytes) = (today, after);
            head.stored_all = head.stored_all.saturating_add(bytes);
        }
        Ok(())
    }

    fn cloned(&mut self, why: &'static str, before: Option<(u64, u64)>) {
        if self.stored_machine.clone_at.is_none() && self.plan.cloned.is_none() {
            self.plan.cloned = Some(Cloned { why, before });
        }
    }
}

/// The sections of a header as they are kept: impossible times are dated by receipt.
pub(crate) fn sections_of(header: &Header, received_at: i64, enrolled_at: i64) -> Sections {
    let dated = |observed_at: i64| {
        if observed_at > received_at.saturating_add(AHEAD_MS)
            || observed_at < enrolled_at.saturating_sub(BEFORE_ENROLMENT_MS)
        {
            received_at
        } else {
            observed_at.min(received_at)
        }
    };
    let state = |entry: &protocol::SectionEntry| SectionState {
        digest: entry.digest,
        observed_at: dated(entry.observed_at),
        received_at,
        known: entry.known,
    };
    Sections(header.sections.iter().map(|(name, entry)| (name.clone(), state(entry))).collect())
}

/// Version of the agent behind a header, as stored, and of the facts' meaning by which it read.
pub(crate) fn spoken_by(header: &Header) -> (String, u32) {
    (header.agent.chars().filter(|c| !c.is_control()).collect(), header.schema)
}

/// The word in the store for the agent's reason; the same as on the wire.
const fn reason_word(reason: OpenedReason) -> &'static str {
    match reason {
        OpenedReason::Enrolled => "enrolled",
        OpenedReason::Refused => "refused",
        OpenedReason::SpoolOverflow => "spool_overflow",
        OpenedReason::StateLost => "state_lost",
        OpenedReason::ServerRestored => "server_restored",
        OpenedReason::Unknown => "unknown",
    }
}
