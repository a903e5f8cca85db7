//! Taking in reports sent over the wire or by file. Checks run in order of cost: signature over the header, bounded
//! decompression, digests, and only then the store. The answer follows the commit.

use std::time::Duration;

use protocol::{
    Assignment, Digest, LoggedReceipt, Position, Receipt, Report, ReportAnswer, ReportAnswers, SignedReceipt,
};

use super::caller::{Caller, CallerError, Refusal, assignment as assignment_of};
use crate::app::App;
use crate::bound::Share;
use crate::ingest::check::Refused;
use crate::ingest::{Answer, Checked, Form, NotTaken, Reason, Taken, check};
use crate::store::machine::MachineStatus;
use crate::store::machine::key::Peer;
use crate::store::{StoreError, log};

/// Requests with more reports than this are checked off the threads that serve connections.
const CHECKED_AT_ONCE: usize = 4;

/// How long an answer waits for the database to say where the machine belongs when the commit could not.
const READ_WITHIN: Duration = Duration::from_secs(5);

/// Different times of receipt among reports of one request that were stored before: an agent that lost an answer sends the same request
/// again, whose reports one commit stored. What lies beyond gets receipts of the first form.
const TIMES: usize = 4;

/// Takes in the reports of one request sent over the wire or by file. `share` grows by the memory they need.
///
/// # Errors
/// A final refusal when these are not reports or the machine is revoked, a retryable one when too many are waiting.
pub async fn reports_answer(
    app: &App,
    caller: &Caller,
    body: &[u8],
    mut share: Share,
    form: Form,
) -> Result<ReportAnswers, CallerError> {
    let reports = Report::decode_all(body).map_err(|frame| {
        app.ingest.counters.count(app.clock.now_ms(), Reason::BadFrame, &caller.machine, &frame.to_string());
        Refusal::Reports(Reason::BadFrame)
    })?;
    let count = reports.len();
    let (checked, refused) = if count > CHECKED_AT_ONCE {
        let peer = caller.0.clone();
        // The share is returned with the reports and held until they are answered.
        let checked = tokio::task::spawn_blocking(move || (check_all(reports, &peer, &mut share), share)).await?;
        share = checked.1;
        checked.0
    } else {
        check_all(reports, caller, &mut share)
    };
    let mut results = Vec::with_capacity(count);
    let (mut assignment, mut checkpoint) = (None, None);
    if !checked.is_empty() {
        let taken = app.ingest.take(&caller.machine, checked, form).await.map_err(|not| {
            if not == NotTaken::Full {
                app.ingest.counters.count(app.clock.now_ms(), Reason::QueueFull, &caller.machine, "the queue is full");
            }
            Refusal::Reports(Reason::QueueFull)
        })?;
        if taken.answers.iter().any(|answer| matches!(answer, Answer::Refused { reason: Reason::Revoked, .. })) {
            return Err(Refusal::Revoked.into());
        }
        assignment = taken.machine.as_ref().map(|machine| Assignment {
            office: machine.office.clone(),
            role: machine.role,
            confirmed: machine.status == MachineStatus::Confirmed,
            policy: app.policies.address(),
        });
        let receipts = receipts_find(app, caller, &taken, form).await?;
        let mut proved = receipts.receipts.into_iter();
        for answer in &taken.answers {
            results.push(answer_of(app, caller, answer, &mut proved, receipts.audit_head)?);
        }
        checkpoint = receipts.checkpoint;
    }
    if let Some((reason, detail)) = refused {
        app.ingest.counters.count(app.clock.now_ms(), reason, &caller.machine, &detail);
        let accepted = results.iter().all(ReportAnswer::is_accepted);
        results.push(refusal(if accepted { reason } else { Reason::AfterRefused }));
    }
    results.resize_with(count, || refusal(Reason::AfterRefused));
    drop(share);
    let assignment = match assignment {
        Some(assignment) => assignment,
        None => {
            // The commit may have waited long for a database that is away: the machine does not wait as long again.
            let read = tokio::time::timeout(READ_WITHIN, app.db.read()).await;
            let mut tx = read.map_err(|_| Refusal::Reports(Reason::ServerFailed))??;
            assignment_of(app, &mut tx, caller).await?
        }
    };
    Ok(ReportAnswers { results, assignment, server_time_at: app.clock.now_ms(), checkpoint })
}

/// Checks reports up to the first that is refused, or that exceeds what the machine may hold in memory.
fn check_all(reports: Vec<Report>, peer: &Peer, share: &mut Share) -> (Vec<Checked>, Option<Refused>) {
    let mut checked = Vec::with_capacity(reports.len());
    for report in reports {
        match check(report, peer) {
            Ok(report) if share.grow(report.memory()) => checked.push(report),
            Ok(_) => return (checked, Some((Reason::QueueFull, "no room in memory".to_owned()))),
            Err(refused) => return (checked, Some(refused)),
        }
    }
    (checked, None)
}

/// What the receipts of a request say.
struct Receipts {
    /// One for each accepted report; `None`: of the first form.
    receipts: Vec<Option<LoggedReceipt>>,
    checkpoint: Option<String>,
    audit_head: Digest,
}

/// Proves the accepted reports: from what the commit just appended, or, when some of them were stored before, from the store.
async fn receipts_find(app: &App, caller: &Caller, taken: &Taken, form: Form) -> Result<Receipts, CallerError> {
    let accepted: Vec<(Position, i64)> = taken
        .answers
        .iter()
        .filter_map(|answer| match answer {
            Answer::Accepted { position, received_at } => Some((*position, *received_at)),
            Answer::Need(_) | Answer::Refused { .. } => None,
        })
        .collect();
    let audit_head = taken.audit_head;
    if form == Form::Signed || accepted.is_empty() {
        return Ok(Receipts { receipts: vec![None; accepted.len()], checkpoint: None, audit_head });
    }
    if let Some(logged) = &taken.logged {
        let all = accepted.iter().map(|(position, _)| logged.receipt(&caller.machine, position));
        if let Some(receipts) = all.collect::<Option<Vec<_>>>() {
            let receipts = receipts.into_iter().map(Some).collect();
            return Ok(Receipts { receipts, checkpoint: Some(logged.checkpoint.clone()), audit_head });
        }
    }
    let mut tx = app.db.read().await?;
    let stored = match tx.log_receipts(&caller.machine, &accepted, TIMES).await {
        Ok(stored) => stored,
        // A damaged log must not keep a machine's reports from being answered.
        Err(StoreError::Log(cause)) => {
            tracing::error!("the evidence log cannot prove stored reports: {cause}");
            log::receipts::Receipts { receipts: vec![None; accepted.len()], ..Default::default() }
        }
        Err(error) => return Err(error.into()),
    };
    let signs = stored.receipts.iter().any(Option::is_none);
    let audit_head = if signs { tx.audit_head().await?.hash.parse().unwrap_or(Digest::ZERO) } else { audit_head };
    let checkpoint = stored.receipts.iter().any(Option::is_some).then_some(stored.checkpoint);
    Ok(Receipts { receipts: stored.receipts, checkpoint, audit_head })
}

fn answer_of(
    app: &App,
    caller: &Caller,
    answer: &Answer,
    proved: &mut impl Iterator<Item = Option<LoggedReceipt>>,
    audit_head: Digest,
) -> Result<ReportAnswer, CallerError> {
    Ok(match answer {
        Answer::Accepted { position, received_at } => {
            if let Some(receipt) = proved.next().flatten() {
                return Ok(ReportAnswer::Logged { receipt });
            }
            let receipt =
                Receipt { machine: caller.machine.clone(), position: *position, received_at: *received_at, audit_head };
            ReportAnswer::Accepted { receipt: SignedReceipt::sign(&receipt, &app.secrets.receipt)? }
        }
        Answer::Need(sections) => ReportAnswer::Need { sections: sections.clone() },
        Answer::Refused { reason, agreed, .. } => ReportAnswer::Refused { refusal: reason.refusal(), agreed: *agreed },
    })
}

fn refusal(reason: Reason) -> ReportAnswer {
    ReportAnswer::Refused { refusal: reason.refusal(), agreed: None }
}
