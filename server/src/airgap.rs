//! Machines that may never be connected: inviting them, and taking in the files they export. What a file asks for takes exactly the
//! path of a request over the wire (`act`); this only opens the file, finds out whose key must have signed it, and puts the answers
//! into a file. The stick is hostile: nothing in a file names a path, and sizes are checked before content.

pub mod stick;

use std::collections::BTreeMap;

use policies::text;
use policies::text::Text;
use protocol::report::RECEIPTS;
use protocol::token::Token as TokenText;
use protocol::unconnected::export::{ExportError, UncheckedExport, export_open};
use protocol::unconnected::invitation::Inviting;
use protocol::unconnected::{AnsweredReport, Content, FileAnswer, Invitation};
use protocol::{Digest, EnrolRequest, Header, Position, Report, ReportAnswer, SignedRenewal};

use crate::act::By;
use crate::act::airgap::file_note;
use crate::act::caller::{CallerError, Refusal, assignment, caller_check, key_in_use, rate_check};
use crate::act::enrol::{csr_read, machine_enrol};
use crate::act::renew::machine_renew;
use crate::act::report::reports_answer;
use crate::app::App;
use crate::ca::csr::point_of;
use crate::error::UserError;
use crate::ingest::Form;
use crate::secrets::Secrets;
use crate::store::head::Head;
use crate::store::machine::Machine;
use crate::store::token::Token;
use crate::store::{Scope, StoreResult};

/// The result of importing a file.
#[derive(Debug)]
pub struct Imported {
    /// The machine; `None` when its enrolment was refused.
    pub machine: Option<Machine>,
    /// Name of its office.
    pub office: Option<String>,
    /// What the file brought.
    pub came: Came,
    /// The first thing that was refused.
    pub refusal: Option<Text>,
    /// A name for the answer file: letters, digits and dashes, none taken from the imported file.
    pub answer_name: String,
    /// The answer's bytes.
    pub answer: Vec<u8>,
}

/// What a file brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Came {
    /// A request to be enrolled.
    Enrolment {
        /// The machine was already known; nothing changed.
        again: bool,
    },
    /// Reports.
    Reports {
        /// Stored now.
        accepted: usize,
        /// Stored before.
        known: usize,
        /// Refused.
        refused: usize,
        /// Still at the machine because they did not fit into the file.
        left: u64,
        /// When the machine observed the newest evidence that is stored now, by its own clock; milliseconds UTC.
        observed_at: Option<i64>,
    },
}

/// The file that invites machines by `token`.
pub fn invitation_make(secrets: &Secrets, server: &str, office: &str, token: &Token, text: &TokenText) -> Invitation {
    let inviting = Inviting {
        office: office.to_owned(),
        server: server.to_owned(),
        expires_at: token.expires_at,
        server_cas: secrets.server_cas().map(|certificate| certificate.to_vec()).to_vec(),
        sealing_key: secrets.sealing.public_key(),
        receipt_key: secrets.receipt.public_key().to_vec(),
    };
    Invitation::new(&inviting, text)
}

/// Takes in the file `bytes` that a person brought. Importing the same file again changes nothing and gives the same answer.
///
/// # Errors
/// The file is not for this server, damaged, or not signed by the machine it names; or the server failed. Nothing is stored in that case.
pub async fn import(app: &App, by: &By, bytes: &[u8]) -> anyhow::Result<Imported> {
    let export = export_open(bytes, &app.secrets.sealing).map_err(not_opened)?;
    if export.head.server != app.config.server {
        anyhow::bail!(UserError::new(
            "Tệp này được xuất cho máy chủ khác.",
            "This file was exported for another server.",
        ));
    }
    if !export.head.not_secret {
        anyhow::bail!(UserError::new(
            "Tệp không có xác nhận rằng máy không xử lý bí mật nhà nước. Máy xử lý bí mật nhà nước không được đăng ký hoặc báo cáo vào hệ thống này.",
            "The file lacks the confirmation that the machine does not process state secrets. Such machines must not be enrolled or reported here.",
        ));
    }
    match &export.head.content {
        Content::Enrolment { request } => enrolment_take(app, by, &export, request).await,
        Content::Reports { machine, renewal, left } => {
            reports_take(app, by, &export, machine, renewal.as_ref(), *left).await
        }
    }
}

async fn enrolment_take(
    app: &App,
    by: &By,
    export: &UncheckedExport,
    request: &EnrolRequest,
) -> anyhow::Result<Imported> {
    let key = csr_read(&request.csr).map_err(told)?;
    export.verify(key.point()).map_err(|_| not_signed())?;
    let again = app.db.read().await?.machine_peer(&key.id()).await?.is_some();
    let mut answer = answer_of(app, key.point());
    let mut machine = None;
    match machine_enrol(app, request).await {
        Ok(enrolment) => {
            let enrolled = app.db.read().await?.machine_require(&Scope::whole(), &enrolment.machine).await?;
            if !again {
                file_note(&app.db, by, &enrolled, 0).await?;
            }
            machine = Some(enrolled);
            answer.assignment = Some(enrolment.assignment.clone());
            answer.enrolment = Some(enrolment);
            policy_add(app, &mut answer);
        }
        Err(error) => answer.refusal = Some(refused(error)?),
    }
    let name = machine.as_ref().map_or_else(|| Digest::of(key.point()).to_string(), |machine| machine.id.clone());
    finish(app, machine, Came::Enrolment { again }, answer, format!("answer-enrolment-{name}"))
}

async fn reports_take(
    app: &App,
    by: &By,
    export: &UncheckedExport,
    claimed: &str,
    renewal: Option<&SignedRenewal>,
    left: u64,
) -> anyhow::Result<Imported> {
    let mut tx = app.db.read().await?;
    let Some(machine) = tx.machine_get(&by.scope, claimed).await? else {
        return Err(told(Refusal::UnknownMachine.into()));
    };
    let peer = key_in_use(&mut tx, &machine.id).await?.ok_or_else(|| told(Refusal::UnknownMachine.into()))?;
    drop(tx);
    let before = head_of(app, &machine.id).await?.map(|head| head.position);
    let point = point_of(&peer.public_key).ok_or_else(not_signed)?;
    export.verify(point).map_err(|_| not_signed())?;

    let mut answer = answer_of(app, point);
    let mut positions = Vec::new();
    let taken = requests_take(app, export, &machine.id, renewal, &mut answer, &mut positions).await;
    if let Err(error) = taken {
        answer.refusal = Some(refused(error)?);
    } else {
        policy_add(app, &mut answer);
    }
    let place = |position: Position| (position.segment, position.number);
    let is_known = |(answered, position): (&AnsweredReport, &Position)| {
        let known = before.is_some_and(|before| place(*position) <= place(before));
        answered.answer.is_accepted().then_some(known)
    };
    let known: Vec<Option<bool>> = answer.reports.iter().zip(&positions).map(is_known).collect();
    let count = |wanted: Option<bool>| known.iter().filter(|known| **known == wanted).count();
    let accepted = count(Some(false));
    if accepted > 0 {
        file_note(&app.db, by, &machine, accepted).await?;
    }
    let machine = app.db.read().await?.machine_require(&by.scope, &machine.id).await?;
    let head = head_of(app, &machine.id).await?;
    let observed_at = head.and_then(|head| head.sections.0.values().map(|section| section.observed_at).max());
    let came = Came::Reports { accepted, known: count(Some(true)), refused: count(None), left, observed_at };
    let name = format!("answer-reports-{}", machine.id);
    finish(app, Some(machine), came, answer, name)
}

/// The end of the machine's chain; `None` before its first report.
async fn head_of(app: &App, machine: &str) -> StoreResult<Option<Head>> {
    // Reading the end of a chain locks the machine, as taking in its reports does, and only a writer may lock one.
    let mut tx = app.db.write().await?;
    let stored_machine = tx.stored_machines(&[machine.to_owned()], BTreeMap::new()).await?.remove(machine);
    Ok(stored_machine.and_then(|stored_machine| stored_machine.head))
}

/// Renewal and reports, each as on the wire. The key and the store identify the caller, not a certificate: a certificate proves the key in
/// TLS, but a file is signed by the key itself, so a machine whose certificate expired between two sticks can bring its renewal along.
/// Stops at the first report that is not accepted: those after it depend on it.
async fn requests_take(
    app: &App,
    export: &UncheckedExport,
    machine: &str,
    renewal: Option<&SignedRenewal>,
    answer: &mut FileAnswer,
    positions: &mut Vec<Position>,
) -> Result<(), CallerError> {
    let form = if export.head.receipts >= RECEIPTS { Form::Logged } else { Form::Signed };
    if let Some(renewal) = renewal {
        answer.renewal = Some(machine_renew(app, renewal).await?);
    }
    let mut tx = app.db.read().await?;
    let caller = caller_check(key_in_use(&mut tx, machine).await?, machine)?;
    answer.assignment = Some(assignment(app, &mut tx, &caller).await?);
    drop(tx);
    for request in &export.requests {
        rate_check(app, &caller.machine)?;
        let share = app.allowances.machine_bytes(&caller.machine, caller.status);
        let answers = reports_answer(app, &caller, request, share, form).await?;
        // They were already decoded once to be answered.
        let reports = Report::decode_all(request)?;
        for (report, result) in reports.iter().zip(answers.results) {
            // A header that cannot be read was refused, and has no place.
            let header = Header::decode(&report.header).ok();
            let nowhere = Position { segment: 0, number: 0, hash: report.hash() };
            positions.push(header.map_or(nowhere, |header| header.position(&report.header)));
            answer.reports.push(AnsweredReport { of: report.hash(), answer: result });
        }
        answer.assignment = Some(answers.assignment);
        if !answer.reports.iter().all(|report| report.answer.is_accepted()) {
            break;
        }
    }
    receipts_join(app, machine, answer, positions).await
}

/// Proves every report of the file against one checkpoint: until now each request had its own.
async fn receipts_join(
    app: &App,
    machine: &str,
    answer: &mut FileAnswer,
    positions: &[Position],
) -> Result<(), CallerError> {
    let mut logged = Vec::new();
    for (report, position) in answer.reports.iter_mut().zip(positions) {
        if let ReportAnswer::Logged { receipt } = &mut report.answer {
            logged.push((*position, receipt));
        }
    }
    if logged.is_empty() {
        return Ok(());
    }
    let asked: Vec<(Position, i64)> =
        logged.iter().map(|(position, receipt)| (*position, receipt.received_at)).collect();
    let found = app.db.read().await?.log_receipts(machine, &asked, usize::MAX).await?;
    for ((_, receipt), new) in logged.into_iter().zip(found.receipts) {
        *receipt = new.ok_or_else(|| anyhow::anyhow!("a report just taken in is not found in the evidence log"))?;
    }
    answer.checkpoint = Some(found.checkpoint);
    Ok(())
}

fn answer_of(app: &App, point: &[u8]) -> FileAnswer {
    FileAnswer {
        server: app.config.server.clone(),
        key: Digest::of(point),
        server_time_at: app.clock.now_ms(),
        enrolment: None,
        renewal: None,
        reports: Vec::new(),
        checkpoint: None,
        log: None,
        assignment: None,
        policy: None,
        refusal: None,
    }
}

fn policy_add(app: &App, answer: &mut FileAnswer) {
    answer.policy = app.policies.current().map(|published| published.signed.clone());
}

fn finish(
    app: &App,
    machine: Option<Machine>,
    came: Came,
    mut answer: FileAnswer,
    answer_name: String,
) -> anyhow::Result<Imported> {
    let first = answer.reports.iter().find_map(|report| match &report.answer {
        ReportAnswer::Refused { refusal, .. } => Some(refusal.message.clone()),
        ReportAnswer::Need { sections } => Some(text!(
            "Máy chủ thiếu nội dung của: {}. Tệp xuất lần sau của máy sẽ kèm theo.",
            "The server lacks the bodies of: {}. The machine's next file will bring them.",
            sections.join(", ")
        )),
        ReportAnswer::Accepted { .. } | ReportAnswer::Logged { .. } => None,
    });
    // The answer is dated after everything is done: the agent takes the later of two answers for the newer.
    answer.server_time_at = app.clock.now_ms();
    Ok(Imported {
        office: answer.assignment.as_ref().map(|assignment| assignment.office.clone()),
        refusal: answer.refusal.as_ref().map(|refusal| refusal.message.clone()).or(first),
        answer: answer.sign(&app.secrets.receipt)?,
        machine,
        came,
        answer_name,
    })
}

/// A refusal goes into the answer; a failure of the server itself ends the import.
fn refused(error: CallerError) -> anyhow::Result<protocol::Refusal> {
    match error {
        CallerError::Refused(refusal) => Ok(refusal.wire()),
        CallerError::Failed(cause) => Err(cause.context("the server failed")),
    }
}

fn told(error: CallerError) -> anyhow::Error {
    match error {
        CallerError::Refused(refusal) => {
            let text = refusal.text();
            UserError::new(text.vi, text.en).into()
        }
        CallerError::Failed(cause) => cause,
    }
}

fn not_signed() -> anyhow::Error {
    UserError::new(
        "Chữ ký trong tệp không khớp với khoá của máy nêu trong tệp. Không lưu gì.",
        "The signature in the file does not fit the key of the machine it names. Nothing was stored.",
    )
    .into()
}

fn not_opened(error: ExportError) -> anyhow::Error {
    let (vi, en) = match &error {
        ExportError::TooLong => {
            ("Tệp quá lớn so với giới hạn của tệp xuất từ máy.", "The file is larger than a machine's export may be.")
        }
        ExportError::OtherFile => (
            "Đây không phải tệp do lệnh posture-agent export tạo ra.",
            "This is not a file that posture-agent export wrote.",
        ),
        ExportError::Seal(_) => (
            "Không giải mã được tệp: tệp được mã hoá cho máy chủ khác, hoặc đã bị hỏng hay bị sửa. Hãy chép lại từ máy.",
            "The file cannot be decrypted: it is encrypted to another server, or was damaged or changed. Copy it from the machine again.",
        ),
        ExportError::Malformed(_) | ExportError::Head(_) | ExportError::Key(_) => (
            "Tệp giải mã được nhưng nội dung không đúng định dạng. Không lưu gì.",
            "The file was decrypted but is malformed. Nothing was stored.",
        ),
    };
    UserError::new(vi, en).because(error).into()
}
