//! Taking in reports sent over the wire or by file. Checks run in order of cost: signature over the header, bounded
//! decompression, digests, and only then the store. The answer follows the commit.

use std::time::Duration;

use protocol::{Assignment, Receipt, Report, ReportAnswer, ReportAnswers, SignedReceipt};

use super::caller::{Caller, CallerError, Refusal, assignment as assignment_of};
use crate::app::App;
use crate::bound::Share;
use crate::ingest::check::Refused;
use crate::ingest::{Answer, Checked, NotTaken, Reason, Taken, check};
use crate::store::machine::MachineStatus;
use crate::store::machine::key::Peer;

/// Requests with more reports than this are checked off the threads that serve connections.
const CHECKED_AT_ONCE: usize = 4;

/// How long an answer waits for the database to say where the machine belongs when the commit could not.
const READ_WITHIN: Duration = Duration::from_secs(5);

/// Takes in the reports of one request sent over the wire or by file. `share` grows by the memory they need.
///
/// # Errors
/// A final refusal when these are not reports or the machine is revoked, a retryable one when too many are waiting.
pub async fn reports_answer(
    app: &App,
    caller: &Caller,
    body: &[u8],
    mut share: Share,
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
    let mut assignment = None;
    if !checked.is_empty() {
        let taken = app.ingest.take(&caller.machine, checked).await.map_err(|not| {
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
        for answer in &taken.answers {
            results.push(answer_of(app, caller, answer, &taken)?);
        }
    }
    if let Some((reason, detail)) = refused {
        app.ingest.counters.count(app.clock.now_ms(), reason, &caller.machine, &detail);
        let accepted = results.iter().all(|answer| matches!(answer, ReportAnswer::Accepted { .. }));
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
    Ok(ReportAnswers { results, assignment, server_time_at: app.clock.now_ms() })
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

fn answer_of(app: &App, caller: &Caller, answer: &Answer, taken: &Taken) -> Result<ReportAnswer, CallerError> {
    Ok(match answer {
        Answer::Accepted { position, received_at } => {
            let receipt = Receipt {
                machine: caller.machine.clone(),
                position: *position,
                received_at: *received_at,
                audit_head: taken.audit_head,
            };
            ReportAnswer::Accepted { receipt: SignedReceipt::sign(&receipt, &app.secrets.receipt)? }
        }
        Answer::Need(sections) => ReportAnswer::Need { sections: sections.clone() },
        Answer::Refused { reason, agreed, .. } => ReportAnswer::Refused { refusal: reason.refusal(), agreed: *agreed },
    })
}

fn refusal(reason: Reason) -> ReportAnswer {
    ReportAnswer::Refused { refusal: reason.refusal(), agreed: None }
}
