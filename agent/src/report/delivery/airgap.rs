//! Delivery by file: everything waiting at once, and answers that name their reports, because files may come back late, twice or out of
//! order. An answer means the same for spool and chain as over the network.

use protocol::unconnected::AnsweredReport;
use protocol::unconnected::export::ROOM;
use protocol::{Assignment, Digest, ReportAnswer, ReportAnswers, limits};

use super::{Batch, Delivery};
use crate::report::spool::Waiting;
use crate::state::StateFolder;

/// What goes into a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Carried {
    /// The requests, each as it would be sent over the network.
    pub(crate) requests: Vec<Vec<u8>>,
    /// How many reports they hold.
    pub(crate) reports: u64,
    /// How many still wait because they did not fit.
    pub(crate) left: u64,
}

/// What a file of answers changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Settled {
    /// How many waiting reports the server now has.
    pub(crate) delivered: u64,
    /// True when the answers were about reports that are waiting here.
    pub(crate) concerned: bool,
    /// The report for which the server lacks these sections.
    pub(crate) need: Option<(Digest, Vec<String>)>,
}

impl Delivery {
    /// Everything waiting that fits into one file, byte for byte as it was made.
    ///
    /// # Errors
    /// When the spool cannot be read back.
    pub(crate) fn carried(&self) -> std::io::Result<Carried> {
        let mut waiting = self.spool.all(ROOM)?;
        let in_spool = waiting.len() as u64;
        if in_spool == self.spool.count() {
            waiting.extend(self.live.clone());
        }
        if let (Some(first), Some((position, bodies))) = (waiting.first_mut(), &self.supplement)
            && first.position == *position
        {
            first.report.bodies.clone_from(bodies);
        }
        let mut carried = Carried::default();
        let mut room = ROOM;
        let mut in_request = limits::REPORTS;
        for Waiting { report, .. } in &waiting {
            let length = report.encoded_len();
            let last = carried.requests.last().map_or(0, Vec::len);
            if in_request == limits::REPORTS || last + length > limits::REPORTS_BODY {
                if carried.requests.len() == limits::EXPORT_REQUESTS {
                    break;
                }
                carried.requests.push(Vec::new());
                in_request = 0;
            }
            let Some(left) = room.checked_sub(length) else { break };
            room = left;
            if let Some(request) = carried.requests.last_mut() {
                report.encode_into(request);
            }
            in_request += 1;
            carried.reports += 1;
        }
        carried.requests.retain(|request| !request.is_empty());
        carried.left = self.spool.count() + u64::from(self.live.is_some()) - carried.reports;
        Ok(carried)
    }

    /// Adds the bodies that the server lacked for the report `of` to the next file, if that report is still first in
    /// line.
    ///
    /// # Errors
    /// When the spool cannot be read back.
    pub(crate) fn supply_again(&mut self, of: Digest, names: &[String], state: &StateFolder) -> std::io::Result<()> {
        if let Some(first) = self.spool.all(1)?.first()
            && first.position.hash == of
        {
            self.supply(first, names, state);
        }
        Ok(())
    }

    /// Processes the answers of a file. Answers about reports that no longer wait change nothing.
    ///
    /// # Errors
    /// When the spool cannot be read back.
    pub(crate) fn answered_by_file(
        &mut self,
        answered: &[AnsweredReport],
        assignment: &Assignment,
        state: &StateFolder,
    ) -> std::io::Result<Settled> {
        let mut waiting = self.spool.all(ROOM)?;
        let Some(first) = waiting.first().map(|waiting| waiting.position.hash) else { return Ok(Settled::default()) };
        let Some(start) = answered.iter().position(|answered| answered.of == first) else {
            return Ok(Settled::default());
        };
        let fitting = answered[start..].iter().zip(&waiting);
        let count = fitting.take_while(|(answered, waiting)| answered.of == waiting.position.hash).count();
        waiting.truncate(count);
        let concerned = &answered[start..start + count];
        let need = concerned.iter().find_map(|answered| match &answered.answer {
            ReportAnswer::Need { sections } => Some((answered.of, sections.clone())),
            _ => None,
        });
        let answers = ReportAnswers {
            results: concerned.iter().map(|answered| answered.answer.clone()).collect(),
            assignment: assignment.clone(),
            server_time_at: 0,
            checkpoint: None,
        };
        let agreed = self.chain.agreed();
        self.answered(&Batch { frames: Vec::new(), waiting: waiting.clone() }, &answers, state);
        let delivered = match self.chain.agreed() {
            now if now == agreed => 0,
            now => waiting.iter().position(|waiting| Some(waiting.position) == now).map_or(0, |at| at as u64 + 1),
        };
        // The bodies are looked up again when the next file is made, because another process makes it.
        let need = need.filter(|_| self.supplement.is_some());
        Ok(Settled { delivered, concerned: true, need })
    }
}
