//! `log`: checkpoints of the evidence log, proofs of its leaves, and what witnesses add.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use data_encoding::BASE64;
use policies::text;
use protocol::Digest;
use protocol::log::note::LONGEST;
use protocol::log::{Checkpoint, Note, NoteKey};
use serde::Serialize;

use super::Help;
use super::context::CommandContext;
use super::fault::told;
use super::terminal::Terminal;
use crate::act::cosign::{CosignError, Witness, checkpoint_cosign};
use crate::error::UserError;
use crate::store::log::continuation::EpochBegun;
use crate::store::log::fault::Fault;
use crate::store::log::read::Contradiction;
use crate::store::log::records::Record;

/// The command line of `log`.
pub fn command(help: Help) -> Command {
    let file = |text| {
        Arg::new("file")
            .value_name(help.text("TỆP", "FILE"))
            .required(true)
            .help(text)
            .value_parser(value_parser!(PathBuf))
    };
    Command::new("log")
        .about(help.text("Nhật ký đối chứng: mốc, bằng chứng, chữ ký chứng kiến", "The evidence log: checkpoints, proofs, cosignatures"))
        .long_about(help.text(
            "Nhật ký đối chứng ghi mọi báo cáo đã nhận, báo cáo rẽ nhánh bị từ chối, dòng nhật ký thao tác và số liệu chốt. Mốc đối chứng \
             do máy chủ ký; hãy cất ở nơi khác: về sau, tệp đó cho thấy máy chủ có sửa hay xoá gì đã ghi trước mốc hay không.",
            "The evidence log has every report that was accepted, refused branch, audit entry and frozen figure as a leaf. Its \
             checkpoints are signed by the server; keep some elsewhere: later they show whether the server changed or removed anything \
             from before.",
        ))
        .subcommand_required(true)
        .subcommand(
            Command::new("checkpoint")
                .about(help.text("In mốc mới nhất, hoặc đối chiếu với mốc đã cất", "Print the newest checkpoint, or compare with one that was kept"))
                .arg(help.file(
                    "compare",
                    help.text("Mốc đã cất ở nơi khác: nhật ký có tiếp nối đúng mốc này không", "A checkpoint kept elsewhere: does the log continue it"),
                )),
        )
        .subcommand(
            Command::new("prove")
                .about(help.text("In bằng chứng một mục có trong nhật ký (C2SP tlog-proof)", "Print the proof that a leaf is in the log (C2SP tlog-proof)"))
                .arg(
                    help.place("index", help.text("SỐ", "INDEX"), help.text("Số thứ tự của mục, từ 0", "The leaf's place, from 0"))
                        .allow_negative_numbers(true)
                        .value_parser(value_parser!(u64)),
                ),
        )
        .subcommand(Command::new("epochs").about(help.text(
            "Liệt kê các lần nhật ký mở kỳ mới vì máy chủ được khôi phục từ bản sao",
            "List the epochs that the log began because the store was put back",
        )))
        .subcommand(
            Command::new("cosign")
                .about(help.text("Lưu chữ ký của bên chứng kiến vào mốc", "Keep a witness's signature with its checkpoint"))
                .arg(file(help.text("Mốc có chữ ký của bên chứng kiến", "The checkpoint with the witness's signature")))
                .arg(
                    help.option(
                        "key",
                        help.text("KHOÁ", "KEY"),
                        help.text("Khoá công khai của bên chứng kiến (TÊN+MÃ+KHOÁ); có thể ghi nhiều lần", "A witness's public key (NAME+ID+KEY); may be repeated"),
                    )
                    .required(true)
                    .action(ArgAction::Append),
                ),
        )
}

/// Does what `verb` says.
///
/// # Errors
/// A file or argument cannot be used, the log contradicts a checkpoint, or the database fails.
pub async fn perform(
    verb: &str,
    given: &ArgMatches,
    context: &CommandContext,
    terminal: &Terminal,
) -> anyhow::Result<()> {
    match verb {
        "checkpoint" => match given.get_one::<PathBuf>("compare") {
            Some(file) => compare(file, context, terminal).await,
            None => checkpoint(context, terminal).await,
        },
        "epochs" => epochs(context, terminal).await,
        "prove" => prove(given.get_one("index").copied().unwrap_or(0), context, terminal).await,
        _ => cosign(given, context, terminal).await,
    }
}

#[derive(Debug, Serialize)]
struct Shown {
    origin: String,
    size: u64,
    root: String,
    checkpoint: String,
    key: String,
}

async fn checkpoint(context: &CommandContext, terminal: &Terminal) -> anyhow::Result<()> {
    let note = context.db.read().await?.log_checkpoint().await?.ok_or_else(empty)?;
    let signed: Checkpoint = note.text.parse()?;
    let shown = Shown {
        origin: signed.origin.to_string(),
        size: signed.size,
        root: BASE64.encode(&signed.root.0),
        checkpoint: note.to_string(),
        key: context.db.log_signer()?.note_key(signed.origin.epoch)?.to_string(),
    };
    terminal.answer(&shown, |_| note.to_string())
}

#[derive(Debug, Serialize)]
struct Compared {
    origin: String,
    old_size: u64,
    size: u64,
    root: String,
    consistency: Vec<String>,
}

async fn compare(file: &Path, context: &CommandContext, terminal: &Terminal) -> anyhow::Result<()> {
    let (_, old) = checkpoint_read(file, context)?;
    let compared = context.db.read().await?.log_compare(&old).await?;
    let continued = compared.map_err(|contradiction| contradicted(&old, &contradiction))?;
    let compared = Compared {
        origin: old.origin.to_string(),
        old_size: old.size,
        size: continued.new.size,
        root: BASE64.encode(&continued.new.root.0),
        consistency: hashes(&continued.proof),
    };
    terminal.answer(&compared, |terminal| {
        let Compared { old_size, size, .. } = &compared;
        terminal.own(text!(
            "Nhật ký tiếp nối đúng mốc đã cất: {old_size} mục đầu còn nguyên, nay có {size} mục.",
            "The log continues the checkpoint: its first {old_size} leaves are unchanged, there are {size} now."
        ))
    })
}

async fn epochs(context: &CommandContext, terminal: &Terminal) -> anyhow::Result<()> {
    let begun = context.db.read().await?.log_epochs_begun().await?;
    terminal.answer(&begun, |terminal| {
        let line = |EpochBegun { epoch, before_epoch, before_size, machine, .. }: &EpochBegun| {
            let by = machine.as_deref().unwrap_or("restore");
            terminal.own(text!(
                "Kỳ {epoch}: server_restored, sau mốc cuối đã biết của kỳ {before_epoch} ({before_size} mục); căn cứ: {by}",
                "Epoch {epoch}: server_restored, after the last checkpoint known of epoch {before_epoch} ({before_size} leaves); by: {by}"
            ))
        };
        begun.iter().map(line).collect::<Vec<_>>().join("\n")
    })
}

#[derive(Debug, Serialize)]
struct Proved {
    index: u64,
    subject: String,
    content: String,
    leaf_hash: String,
    proof: Vec<String>,
    checkpoint: String,
}

async fn prove(index: u64, context: &CommandContext, terminal: &Terminal) -> anyhow::Result<()> {
    let mut tx = context.db.read().await?;
    let size = tx.log_head().await?.frontier.size();
    let (hash, subject) = tx.log_leaf(index).await?.ok_or_else(|| {
        UserError::new(
            format!("Không có mục {index}: nhật ký có {size} mục, đánh số từ 0."),
            format!("There is no leaf {index}: the log has {size}, counted from 0."),
        )
    })?;
    let content = match tx.log_record(&subject).await? {
        Record::There(leaf) | Record::Removed(leaf) if leaf.hash() == hash => leaf.content,
        Record::Absent => return Err(fault(&Fault::Gone { epoch: 0, leaf: index, subject }).into()),
        _ => return Err(fault(&Fault::Changed { epoch: 0, leaf: index, subject, record: false }).into()),
    };
    let file = tx.log_prove(index, &content).await?;
    file.verify(context.db.log_signer()?.public_key())?;
    let proved = Proved {
        index,
        subject: subject.to_string(),
        leaf_hash: hash.to_string(),
        proof: hashes(&file.hashes),
        checkpoint: file.checkpoint.to_string(),
        content,
    };
    terminal.answer(&proved, |_| file.to_string())
}

#[derive(Debug, Serialize)]
struct Cosigned {
    size: u64,
    witnesses: Vec<Witness>,
}

async fn cosign(given: &ArgMatches, context: &CommandContext, terminal: &Terminal) -> anyhow::Result<()> {
    let keys = given.get_many::<String>("key").unwrap_or_default().map(|text| witness_key(text));
    let keys = keys.collect::<Result<Vec<_>, _>>()?;
    let file = given.get_one::<PathBuf>("file").cloned().unwrap_or_default();
    let (note, checkpoint) = checkpoint_read(&file, context)?;
    let witnesses = checkpoint_cosign(&context.db, &context.by(), &note, &checkpoint, &keys).await;
    let witnesses = witnesses.map_err(|error| match error {
        CosignError::Contradiction(contradiction) => contradicted(&checkpoint, &contradiction).into(),
        CosignError::Store(error) => anyhow::Error::from(error),
        error => UserError::new(
            format!("Tệp {} không có chữ ký đúng của bên chứng kiến được nêu.", file.display()),
            format!("The file {} has no valid signature of the named witnesses.", file.display()),
        )
        .because(error)
        .into(),
    })?;
    let cosigned = Cosigned { size: checkpoint.size, witnesses };
    terminal.answer(&cosigned, |terminal| {
        let (size, names) = (cosigned.size, cosigned.witnesses.iter().map(|witness| witness.name.as_str()));
        let names = names.collect::<Vec<_>>().join(", ");
        terminal.own(text!(
            "Đã lưu chữ ký chứng kiến cho mốc {size} mục: {names}",
            "The checkpoint of {size} leaves is kept with the signatures of: {names}"
        ))
    })
}

fn hashes(proof: &[Digest]) -> Vec<String> {
    proof.iter().map(|hash| BASE64.encode(&hash.0)).collect()
}

fn witness_key(text: &str) -> Result<NoteKey, UserError> {
    text.parse().ok().filter(NoteKey::is_witness).ok_or_else(|| {
        UserError::new(
            format!(
                "{text:?} không phải khoá của bên chứng kiến. Dạng đúng: TÊN+MÃ+KHOÁ (vkey C2SP, Ed25519, loại 04)."
            ),
            format!("{text:?} is no witness's key. The form is NAME+ID+KEY (a C2SP vkey, Ed25519, type 04)."),
        )
    })
}

fn empty() -> UserError {
    UserError::new("Nhật ký đối chứng chưa có mục nào.", "The evidence log has no leaf yet.")
}

fn fault(fault: &Fault) -> UserError {
    let told = told(fault);
    UserError::new(told.vi, told.en)
}

fn contradicted(old: &Checkpoint, contradiction: &Contradiction) -> UserError {
    let found = match contradiction {
        Contradiction::Shorter { size } => *size,
        Contradiction::Root => old.size,
        Contradiction::Epoch => 0,
    };
    fault(&Fault::Against { epoch: old.origin.epoch, size: old.size, found })
}

/// Reads a checkpoint that this server signed from a file that anyone may have written.
///
/// # Errors
/// It cannot be read, or is not a checkpoint signed by this server.
pub fn checkpoint_read(file: &Path, context: &CommandContext) -> anyhow::Result<(Note, Checkpoint)> {
    let mut text = String::new();
    let read = File::open(file).and_then(|file| file.take(LONGEST as u64 + 1).read_to_string(&mut text));
    let unread = |cause: anyhow::Error| {
        UserError::new(
            format!("Không đọc được mốc đối chứng từ {}.", file.display()),
            format!("No checkpoint can be read from {}.", file.display()),
        )
        .because(cause)
    };
    read.map_err(|cause| unread(cause.into()))?;
    let note: Note = text.parse().map_err(|cause: protocol::log::note::BadNote| unread(cause.into()))?;
    let checkpoint = context.db.log_signer()?.verify(&note).map_err(|cause| {
        UserError::new(
            format!("{} không phải mốc đối chứng do máy chủ này ký.", file.display()),
            format!("{} is not a checkpoint signed by this server.", file.display()),
        )
        .because(cause)
    })?;
    Ok((note, checkpoint))
}
