//! `posture-agent receipts`: what this machine can prove about its server, checked again, also while the agent runs.

use std::io::ErrorKind;
use std::path::Path;

use anyhow::Context;
use policies::text;
use protocol::log::continuation::checkpoint_read;
use protocol::log::proof_file::ProofFile;
use protocol::log::{Checkpoint, leaf};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Exit, ReceiptsOptions};
use crate::cli::terminal::Terminal;
use crate::identity::start::StartError;
use crate::identity::{self, Identity};
use crate::policy::notice::page::moment;
use crate::report::evidence::{self, Known};
use crate::report::receipts::{self, Kept};

/// The JSON output.
#[derive(Debug, Serialize)]
struct Shown {
    server: String,
    machine: String,
    /// Receipts of the first form, signed each by itself.
    signed: usize,
    /// Receipts proved in the evidence log.
    logged: usize,
    /// Receipts that do not prove what they say.
    bad: usize,
    #[serde(flatten)]
    known: Known,
}

/// The file for somebody else.
#[derive(Debug, Serialize)]
struct Export<'a> {
    server: &'a str,
    machine: &'a str,
    /// The server's receipt key: uncompressed point in base64.
    receipt_key: &'a str,
    /// For each epoch seen, the key in the form of a C2SP verifier key.
    keys: Vec<String>,
    checkpoints: Vec<&'a str>,
    /// One file of the form C2SP tlog-proof for each report.
    proofs: Vec<String>,
    /// Receipts of the first form.
    receipts: Vec<&'a Kept>,
    #[serde(flatten)]
    known: &'a Known,
}

/// Shows, or writes.
///
/// # Errors
/// The files cannot be read or written.
pub(super) fn run(options: &ReceiptsOptions, terminal: &Terminal) -> anyhow::Result<Exit> {
    let identity: Identity = json(&options.state, identity::FILE)?.ok_or(StartError::NotEnrolled)?;
    let known: Known = json(&options.state, evidence::FILE)?.unwrap_or_default();
    let kept = match receipts::read(&options.state.join(receipts::FILE)) {
        Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
        read => read.context("read the receipts")?,
    };
    let point = identity.receipt_point();
    let opens = |kept: &Kept| kept.opened(&identity.machine, &identity.server, &point).is_some();
    let (good, bad): (Vec<&Kept>, Vec<&Kept>) = kept.iter().partition(|kept| opens(kept));
    let logged = good.iter().filter(|kept| matches!(kept, Kept::Logged(_))).count();
    if let Some(path) = &options.export {
        let text = serde_json::to_string_pretty(&export(&identity, &known, &good))?;
        std::fs::write(path, text).with_context(|| format!("write {}", path.display()))?;
    }
    let exit = if known.contradictions.is_empty() && bad.is_empty() { Exit::Fine } else { Exit::Failing };
    let shown = Shown {
        server: identity.server.clone(),
        machine: identity.machine.clone(),
        signed: good.len() - logged,
        logged,
        bad: bad.len(),
        known,
    };
    let output = if options.json { serde_json::to_string_pretty(&shown)? } else { sentences(&shown, terminal) };
    terminal.print(&output)?;
    Ok(exit)
}

/// A JSON file of the agent, without its lock; none when it does not exist.
fn json<T: DeserializeOwned>(state: &Path, name: &str) -> anyhow::Result<Option<T>> {
    let path = state.join(name);
    match std::fs::read(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        read => {
            let bytes = read.with_context(|| format!("read {}", path.display()))?;
            Ok(Some(serde_json::from_slice(&bytes).with_context(|| format!("read {}", path.display()))?))
        }
    }
}

fn export<'a>(identity: &'a Identity, known: &'a Known, good: &[&'a Kept]) -> Export<'a> {
    let point = identity.receipt_point();
    let proof = |kept: &Kept| match kept {
        Kept::Logged(logged) => Some(
            ProofFile {
                content: leaf::report(&identity.machine, &logged.position, logged.proof.received_at).into_bytes(),
                index: logged.proof.index,
                hashes: logged.proof.proof.0.clone(),
                checkpoint: logged.checkpoint.parse().ok()?,
            }
            .to_string(),
        ),
        Kept::Signed(_) => None,
    };
    let read = |day: &evidence::Day| checkpoint_read(&day.checkpoint, &identity.server, &point).ok();
    let key = |checkpoint: Checkpoint| checkpoint.origin.key(&point).ok().map(|key| key.to_string());
    let mut keys: Vec<String> = known.days.iter().filter_map(read).filter_map(key).collect();
    keys.dedup();
    Export {
        server: &identity.server,
        machine: &identity.machine,
        receipt_key: &identity.receipt_key,
        keys,
        checkpoints: known.days.iter().map(|day| day.checkpoint.as_str()).collect(),
        proofs: good.iter().filter_map(|kept| proof(kept)).collect(),
        receipts: good.iter().filter(|kept| matches!(kept, Kept::Signed(_))).copied().collect(),
        known,
    }
}

fn sentences(shown: &Shown, terminal: &Terminal) -> String {
    let Shown { signed, logged, bad, known, .. } = shown;
    let mut lines = vec![
        terminal.own(text!(
            "Biên nhận đang giữ: {logged} chứng minh trong nhật ký đối chứng, {signed} ký riêng từng báo cáo, {bad} không khớp",
            "Receipts kept: {logged} proved in the evidence log, {signed} signed each by itself, {bad} that do not fit"
        )),
        match known.asked_at {
            0 => terminal.text("Chưa đối chiếu với máy chủ lần nào.", "Never compared with the server yet.").to_owned(),
            at => {
                let at = moment(at);
                terminal.own(text!("Đối chiếu với máy chủ lần cuối: {at}", "Last compared with the server: {at}"))
            }
        },
    ];
    for day in &known.days {
        // Origin, size and root, as signed.
        let said = day.checkpoint.lines().take(3).collect::<Vec<_>>().join("  ");
        lines.push(format!("{}  {}", moment(day.at), policies::text::visible(&said, 400)));
    }
    match known.sentences() {
        none if none.is_empty() => {
            lines.push(terminal.text("Không có mâu thuẫn nào.", "Nothing contradicts.").to_owned());
        }
        some => lines.extend(some.into_iter().map(|sentence| terminal.own(sentence))),
    }
    lines.join("\n")
}
