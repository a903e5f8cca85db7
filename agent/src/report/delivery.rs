//! Delivers reports to the server in order: what is kept, what goes into a request, and what an answer means for spool
//! and chain. Does not own connections or waiting.

use std::time::Duration;

use policies::text::visible;
use protocol::header::{OpenedReason, Position};
use protocol::{Refusal, RefusalAction, ReportAnswer, ReportAnswers, SignedReceipt, compress, limits};

use crate::report::chain::Chain;
use crate::report::draft::{self, Author, Draft, ReportError};
use crate::report::journal::Journal;
use crate::report::receipts::Receipts;
use crate::report::sections;
use crate::report::spool::{self, Spool, Waiting};
use crate::state::records::AppendError;
use crate::state::{StateError, StateFolder};

pub(crate) mod airgap;

/// The reports to deliver.
#[derive(Debug)]
pub(crate) struct Delivery {
    /// The machine's chain.
    pub(crate) chain: Chain,
    /// The spool.
    pub(crate) spool: Spool,
    receipts: Receipts,
    /// A report that did not fit on a full disk: sent from memory after the spool, lost when the next one is made.
    live: Option<Waiting>,
    /// The bodies of a report that the server asked for.
    supplement: Option<(Position, Vec<u8>)>,
    machine: String,
    receipt_point: Vec<u8>,
}

/// One request of reports.
#[derive(Debug)]
pub(crate) struct Batch {
    /// The request's body.
    pub(crate) frames: Vec<u8>,
    waiting: Vec<Waiting>,
}

/// What to do after an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Nothing is waiting.
    Rest,
    /// Send the next request at once.
    Again,
    /// Wait, at least as long as the server asked for.
    Wait(Option<Duration>),
    /// Wait: the server claims something impossible, and none of it was adopted.
    Unbelievable,
}

impl Delivery {
    /// Opens chain, spool and receipts and reconciles them, however the program ended.
    ///
    /// # Errors
    /// When the system refuses.
    pub(crate) fn open(
        state: &StateFolder,
        machine: &str,
        receipt_point: Vec<u8>,
        most_bytes: u64,
        now: i64,
    ) -> Result<Self, StateError> {
        let receipts = Receipts::open(state)?;
        let mut chain = Chain::open(state, now, || receipts.newest(machine, &receipt_point))?;
        let (spool, last) = Spool::open(state, most_bytes, chain.agreed())?;
        note(chain.recover(last));
        Ok(Self { chain, spool, receipts, live: None, supplement: None, machine: machine.to_owned(), receipt_point })
    }

    /// Deletes everything that belongs to another machine id: the machine was enrolled again. Undelivered reports can no longer be
    /// delivered, but are evidence: their file is set aside. Returns their count.
    ///
    /// # Errors
    /// When the system refuses.
    pub(crate) fn forget(state: &StateFolder) -> Result<u64, StateError> {
        let io = |source| StateError::Io { doing: "write", path: state.path().to_owned(), source };
        let given_up = Spool::open(state, 0, None)?.0.count();
        if given_up > 0 {
            state.set_aside(spool::FILE, "former")?;
        }
        Receipts::open(state)?.clear().map_err(io)?;
        sections::forget(state)?;
        Journal::forget(state)?;
        Chain::forget(state)?;
        Ok(given_up)
    }

    /// True when a report is waiting.
    pub(crate) fn waits(&self) -> bool {
        self.live.is_some() || self.spool.count() > 0
    }

    /// Makes the next report and keeps it until the server has it. If the spool is full, the report is dropped and counted;
    /// if the disk is full, it is sent from memory.
    ///
    /// # Errors
    /// When the report cannot be made at all.
    pub(crate) fn submit(&mut self, author: &Author, draft: &Draft, state: &StateFolder) -> Result<(), ReportError> {
        if self.live.take().is_some() {
            // It was never on disk and the server did not accept it. Later reports would depend on it, so the chain breaks
            // here.
            note(self.chain.break_off(OpenedReason::SpoolOverflow, 1, None));
        }
        let waiting = draft::make(author, draft, &self.chain, state)?;
        match self.spool.append(&waiting.report) {
            Ok(()) => {
                note(self.chain.made_one(waiting.position));
                draft::keep(state, &draft.entries);
            }
            Err(AppendError::Full(most)) => {
                tracing::error!(most, "the spool is full; this report is not kept and will be counted");
                note(self.chain.break_off(OpenedReason::SpoolOverflow, 1, None));
            }
            Err(AppendError::Io(error)) => {
                tracing::error!(%error, "the spool cannot be written; the report is sent from memory");
                note(self.chain.made_one(waiting.position));
                self.live = Some(waiting);
            }
        }
        Ok(())
    }

    /// The next request; none when nothing is waiting.
    pub(crate) fn request(&mut self) -> Option<Batch> {
        let mut waiting = match self.spool.first() {
            Ok(waiting) => waiting,
            Err(error) => {
                tracing::error!(%error, "the spool cannot be read back; its reports are given up and counted");
                let lost = self.spool.count();
                note(self.spool.clear().map(drop));
                note(self.chain.break_off(OpenedReason::StateLost, lost, None));
                Vec::new()
            }
        };
        if waiting.is_empty() {
            waiting.extend(self.live.clone());
        }
        if let (Some(first), Some((position, bodies))) = (waiting.first_mut(), &self.supplement)
            && first.position == *position
        {
            first.report.bodies.clone_from(bodies);
        }
        if waiting.is_empty() {
            return None;
        }
        let mut frames = Vec::with_capacity(waiting.iter().map(|waiting| waiting.report.encoded_len()).sum());
        waiting.iter().for_each(|waiting| waiting.report.encode_into(&mut frames));
        Some(Batch { frames, waiting })
    }

    /// Processes the answer to `batch`. When the chain broke, [`Chain::opens`] says that a full report is due.
    pub(crate) fn answered(&mut self, batch: &Batch, answers: &ReportAnswers, state: &StateFolder) -> Next {
        let mut accepted = 0;
        let mut next = None;
        for (waiting, answer) in batch.waiting.iter().zip(&answers.results) {
            match answer {
                ReportAnswer::Accepted { receipt } => {
                    if !self.proven(waiting, receipt) {
                        next = Some(Next::Wait(None));
                        break;
                    }
                    accepted += 1;
                }
                ReportAnswer::Logged { .. } => {
                    next = Some(Next::Wait(None));
                    break;
                }
                ReportAnswer::Need { sections } => {
                    self.settle(&batch.waiting[..accepted]);
                    return self.supply(waiting, sections, state);
                }
                ReportAnswer::Refused { refusal, agreed } => {
                    self.settle(&batch.waiting[..accepted]);
                    return self.refused(waiting, refusal, *agreed);
                }
            }
        }
        self.settle(&batch.waiting[..accepted]);
        if answers.results.len() != batch.waiting.len() && next.is_none() {
            tracing::warn!(
                sent = batch.waiting.len(),
                answered = answers.results.len(),
                "the server did not answer each report"
            );
            return Next::Wait(None);
        }
        next.unwrap_or(if self.waits() { Next::Again } else { Next::Rest })
    }

    /// True when the receipt proves that the server has exactly this report.
    fn proven(&mut self, waiting: &Waiting, signed: &SignedReceipt) -> bool {
        let receipt = match signed.open(&self.receipt_point) {
            Ok(receipt) if receipt.machine == self.machine && receipt.position == waiting.position => receipt,
            _ => {
                tracing::error!(
                    number = waiting.position.number,
                    "the server's receipt does not fit the report; the report is kept and sent again"
                );
                return false;
            }
        };
        if let Err(error) = self.receipts.keep(signed) {
            tracing::warn!(%error, number = receipt.position.number, "the receipt could not be kept");
        }
        true
    }

    /// Removes accepted reports. The chain is written first: if the process dies in between, the agent sends them again
    /// and gets the same answer.
    fn settle(&mut self, accepted: &[Waiting]) {
        let Some(last) = accepted.last() else { return };
        self.supplement = None;
        note(self.chain.agree(last.position));
        if self.live.as_ref().is_some_and(|live| live.position == last.position) {
            self.live = None;
        } else {
            note(self.spool.take(accepted.len() as u64));
        }
    }

    /// Adds the bodies that the server lacks, from the last reported texts.
    fn supply(&mut self, waiting: &Waiting, names: &[String], state: &StateFolder) -> Next {
        let again = self.supplement.as_ref().is_some_and(|(position, _)| *position == waiting.position);
        let bodies = if again { None } else { supplemented(waiting, names, state) };
        if let Some(bodies) = bodies {
            tracing::info!(
                number = waiting.position.number,
                sections = names.join(" "),
                "the server asks for sections again"
            );
            self.supplement = Some((waiting.position, bodies));
            return Next::Again;
        }
        tracing::warn!(number = waiting.position.number, "the server asks for sections that are no longer kept");
        self.give_up(OpenedReason::ServerRestored, None)
    }

    fn refused(&mut self, waiting: &Waiting, refusal: &Refusal, agreed: Option<Position>) -> Next {
        let position = waiting.position;
        tracing::warn!(
            segment = position.segment,
            number = position.number,
            code = visible(&refusal.code, 64),
            reason = visible(&refusal.message.en, 500),
            "the server refused a report"
        );
        let asked = refusal.retry_after_s.map(|seconds| Duration::from_secs(seconds.into()));
        match refusal.action {
            RefusalAction::Retry => Next::Wait(asked),
            RefusalAction::Final if agreed.is_some_and(|agreed| !self.chain.can_stand(agreed)) => {
                tracing::error!(
                    claimed = ?agreed.map(|agreed| (agreed.segment, agreed.number)),
                    "the server claims to hold a report that this machine cannot have made; its answer is not used, the report is kept"
                );
                Next::Unbelievable
            }
            RefusalAction::Final => {
                // The server is behind the receipts it has given: it was restored from a backup.
                let place = |position: Position| (position.segment, position.number);
                let restored = match (agreed, self.chain.agreed()) {
                    (Some(server), Some(own)) => place(server) < place(own),
                    _ => false,
                };
                let reason = if restored { OpenedReason::ServerRestored } else { OpenedReason::Refused };
                self.give_up(reason, agreed)
            }
        }
    }

    /// Drops the reports that depend on one that will never be accepted.
    fn give_up(&mut self, reason: OpenedReason, server: Option<Position>) -> Next {
        self.supplement = None;
        let (lost, kept) = if self.spool.count() == 0 {
            (u64::from(self.live.take().is_some()), 0)
        } else {
            let dropped = self.spool.drop_segment();
            let lost = dropped.as_ref().copied().unwrap_or(0);
            note(dropped.map(drop));
            (lost, self.spool.count())
        };
        if kept == 0 {
            let lost = lost + u64::from(self.live.take().is_some());
            tracing::warn!(lost, ?reason, "a new segment is opened with a full report");
            note(self.chain.break_off(reason, lost, server));
        }
        // Never at once: a server that refuses everything must not be flooded with full reports.
        Next::Wait(None)
    }
}

/// The report's own bodies plus those of `names`; none when one is missing or all together are too long.
fn supplemented(waiting: &Waiting, names: &[String], state: &StateFolder) -> Option<Vec<u8>> {
    let own = compress::decode(&waiting.report.bodies).ok()?;
    let mut texts: Vec<(String, String)> = Vec::new();
    for name in names.iter().filter(|name| !own.contains_key(*name)) {
        let digest = waiting.header.sections.get(name)?.digest;
        texts.push((name.clone(), sections::text(state, name, digest)?));
    }
    let all = own.iter().map(|(name, body)| (name.as_str(), body.get()));
    let all = all.chain(texts.iter().map(|(name, text)| (name.as_str(), text.as_str())));
    let bodies = compress::encode(all).ok()?;
    (bodies.len() <= limits::BODIES_COMPRESSED && !texts.is_empty()).then_some(bodies)
}

/// Logs a failed write; the value is still in memory.
fn note(written: std::io::Result<()>) {
    if let Err(error) = written {
        tracing::error!(%error, "the state folder could not be written");
    }
}

#[cfg(test)]
mod tests;
