//! `policy`: checking policy files, signing them as one bundle, publishing it. Signing needs neither server nor database, so it
//! may happen on another computer, and the running server never reads the key.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{ArgAction, ArgMatches, Command, value_parser};
use policies::policy::{CONTROLS_FILE, ControlSource, OFFICE_FILE, Office, Policy, PolicyErrors, PolicySet};
use policies::text;
use policies::text::Text;
use protocol::limits;
use protocol::sign::SigningKey;
use serde::Serialize;

use super::Help;
use super::context::CommandContext;
use super::terminal::Terminal;
use crate::act::policy::policy_publish;
use crate::clock::Clock;
use crate::config::Config;
use crate::error::UserError;
use crate::policy::{Policies, SignedPolicy};
use crate::secrets::{Places, file, policy_keys_read};

/// The command line of `policy`.
pub fn command(help: Help) -> Command {
    let files = || {
        help.place("files", help.text("TỆP", "FILE"), help.text("Tệp bộ tiêu chí (TOML)", "Policy files (TOML)"))
            .action(ArgAction::Append)
            .num_args(1..)
            .value_parser(value_parser!(PathBuf))
    };
    Command::new("policy")
        .about(help.text("Bộ tiêu chí: kiểm tra, ký, công bố", "Policies: check, sign, publish"))
        .subcommand_required(true)
        .subcommand(
            Command::new("check")
                .about(help.text("Kiểm tra tệp bộ tiêu chí, chỉ rõ từng lỗi (tệp:dòng:cột)", "Check policy files and show every error (file:line:column)"))
                .arg(files()),
        )
        .subcommand(
            Command::new("sign")
                .about(help.text("Gộp các tệp thành một bộ tiêu chí đã ký", "Combine the files into one signed policy"))
                .long_about(help.text(
                    "Gộp tệp chung (level-2.toml) và tệp tiêu chí (level-2-controls.toml, hoặc hai tệp mà tệp chung nêu tên) thành một bộ, gắn mã máy \
                     chủ và số phiên bản tăng dần, rồi ký. Có thể chạy trên máy khác: khi đó nêu --key và --server. Không nêu thì lấy khoá và mã \
                     trong thư mục dữ liệu. Tệp kết quả có hai phần: phần gửi cho các máy, và phần đầy đủ chỉ dành cho máy chủ.",
                    "Combines the office file (level-2.toml) and the controls (level-2-controls.toml, or the two files named in the office file) into \
                     one policy with the server's id and a rising version, and signs it. It can run on another computer: give --key and --server \
                     there; by default both come from the data folder. The result has two parts: what is sent to machines, and the whole policy for \
                     the server only.",
                ))
                .arg(files())
                .arg(help.file("key", help.text("Khoá ký (mặc định: policy-signing/policy.key trong thư mục dữ liệu)", "Signing key (default: policy-signing/policy.key in the data folder)")))
                .arg(help.option("server", help.text("MÃ", "ID"), help.text("Mã máy chủ (mặc định: theo server.toml)", "Id of the server (default: from server.toml)")))
                .arg(
                    help.option("bundle-version", help.text("SỐ", "NUMBER"), help.text(
                        "Số phiên bản, phải lớn hơn bản đang dùng (mặc định: ngày giờ ký)",
                        "Version, higher than the current one (default: date and time of signing)",
                    ))
                    .value_parser(value_parser!(u64)),
                )
                .arg(help.file("out", help.text("Tệp kết quả", "Output file")).required(true)),
        )
        .subcommand(
            Command::new("publish")
                .about(help.text("Công bố bộ tiêu chí đã ký: mọi máy nhận và được chấm lại", "Publish a signed policy: all machines receive it and are graded again"))
                .arg(help.place("file", help.text("TỆP", "FILE"), help.text("Tệp do policy sign tạo ra", "The file made by policy sign")).value_parser(value_parser!(PathBuf))),
        )
}

/// Runs the subcommand; the exit status of `check` is 2 when a file has errors.
///
/// # Errors
/// A file cannot be read, key or version do not match, or the database fails.
pub async fn perform(given: &ArgMatches, data: &Path, terminal: &Terminal) -> anyhow::Result<ExitCode> {
    let Some((verb, given)) = given.subcommand() else { anyhow::bail!("no command") };
    match verb {
        "check" => check(&paths(given), terminal),
        "sign" => sign(given, data, terminal),
        _ => publish(given, data, terminal).await,
    }
}

fn paths(given: &ArgMatches) -> Vec<PathBuf> {
    given.get_many::<PathBuf>("files").unwrap_or_default().cloned().collect()
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn text_read(path: &Path) -> anyhow::Result<Vec<u8>> {
    let size = std::fs::metadata(path).map(|metadata| metadata.len()).unwrap_or(0);
    // The parser refuses files over its own limit; this only keeps a wrong path from filling memory.
    if size > 4 * limits::BUNDLE as u64 {
        anyhow::bail!(UserError::from(text!(
            "Tệp {} quá lớn ({size} byte).",
            "The file {} is too large ({size} bytes).",
            path.display()
        )));
    }
    file::read(path)
}

#[derive(Debug, Serialize)]
struct Checked {
    errors: Vec<CheckedError>,
    left_out: usize,
}

#[derive(Debug, Serialize)]
struct CheckedError {
    file: String,
    line: usize,
    column: usize,
    message: Text,
}

fn check(paths: &[PathBuf], terminal: &Terminal) -> anyhow::Result<ExitCode> {
    let mut texts = Vec::new();
    for path in paths {
        texts.push((path.display().to_string(), name_of(path), text_read(path)?));
    }
    let errors = files_check(&texts);
    let found = errors.is_some();
    let shown = errors.as_ref().map_or_else(
        || terminal.text("Không có lỗi.", "No errors.").to_owned(),
        |errors| errors.show(terminal.language),
    );
    let checked = errors.map_or(Checked { errors: Vec::new(), left_out: 0 }, |errors| Checked {
        left_out: errors.left_out,
        errors: errors
            .errors
            .into_iter()
            .map(|error| CheckedError {
                file: error.file,
                line: error.line,
                column: error.column,
                message: error.message,
            })
            .collect(),
    });
    terminal.answer(&checked, |_| shown)?;
    Ok(if found { ExitCode::from(2) } else { ExitCode::SUCCESS })
}

/// With the office file among them, the files are checked as one policy; without it, each on its own. Errors name the path as given.
fn files_check(texts: &[(String, String, Vec<u8>)]) -> Option<PolicyErrors> {
    if texts.len() > 1 && texts.iter().any(|(_, name, _)| name == OFFICE_FILE) {
        let mut errors = PolicySet::read(texts.iter().map(|(_, name, text)| (name, text))).err()?;
        for error in &mut errors.errors {
            if let Some((path, ..)) = texts.iter().find(|(_, name, _)| *name == error.file) {
                error.file.clone_from(path);
            }
        }
        return Some(errors);
    }
    let each = texts.iter().filter_map(|(path, name, text)| match name.as_str() {
        OFFICE_FILE => Office::read(path, text).err(),
        CONTROLS_FILE => ControlSource::read(path, text).err(),
        _ => Policy::read(path, text).err(),
    });
    each.reduce(PolicyErrors::and)
}

/// What `policy sign --json` and `policy publish --json` print.
#[derive(Debug, Serialize)]
struct Made {
    address: String,
    version: u64,
    key: String,
    server: String,
}

fn sign(given: &ArgMatches, data: &Path, terminal: &Terminal) -> anyhow::Result<ExitCode> {
    let clock = Clock::System;
    let mut files = BTreeMap::new();
    for path in paths(given) {
        files.insert(name_of(&path), text_read(&path)?);
    }
    let set = PolicySet::read(&files).map_err(|errors| {
        let Text { vi, en } = errors.text();
        UserError::from(text!(
            "Bộ tiêu chí còn lỗi nên chưa ký:\n{vi}",
            "The policy has errors and was not signed:\n{en}"
        ))
    })?;
    let server = match given.get_one::<String>("server") {
        Some(server) => server.clone(),
        None => Config::read(data)?.server,
    };
    let key_path = match given.get_one::<PathBuf>("key") {
        Some(path) => path.clone(),
        None => Places::new(data).policy_signing().join("policy.key"),
    };
    let key = SigningKey::from_pkcs8(&file::key_read(&key_path)?).with_context(|| key_path.display().to_string())?;
    let version = match given.get_one::<u64>("bundle-version") {
        Some(version) => *version,
        None => version_of(&clock)?,
    };
    let signed = SignedPolicy::sign(&set, &server, version, clock.now_ms(), &key)?;
    if signed.server.iter().chain([&signed.agents]).any(|part| part.bundle.len() > limits::BUNDLE) {
        anyhow::bail!(UserError::from(text!(
            "Bộ tiêu chí lớn hơn {} byte cho phép.",
            "The policy is larger than the {} bytes allowed.",
            limits::BUNDLE
        )));
    }
    let out = given.get_one::<PathBuf>("out").cloned().unwrap_or_default();
    file::replace(&out, &serde_json::to_vec(&signed)?)?;
    let made = Made {
        address: signed.agents.address().to_string(),
        version,
        key: crate::secrets::policy_key_of(&key).id,
        server,
    };
    terminal.answer(&made, |terminal| {
        terminal.own(text!(
            "Đã ký bộ tiêu chí phiên bản {version}: {}",
            "Signed policy version {version}: {}",
            out.display()
        ))
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Date and time as one number (20261122093000): it increases, and people can read it.
fn version_of(clock: &Clock) -> anyhow::Result<u64> {
    Ok(clock.now().strftime("%Y%m%d%H%M%S").to_string().parse()?)
}

async fn publish(given: &ArgMatches, data: &Path, terminal: &Terminal) -> anyhow::Result<ExitCode> {
    let path = given.get_one::<PathBuf>("file").cloned().unwrap_or_default();
    let signed: SignedPolicy = serde_json::from_slice(&text_read(&path)?).map_err(|cause| {
        UserError::from(text!(
            "{} không phải bộ tiêu chí đã ký. Hãy tạo bằng lệnh: posture-server policy sign",
            "{} is not a signed policy. Make one with: posture-server policy sign",
            path.display()
        ))
        .because(cause)
    })?;
    let context = CommandContext::open(data).await?;
    let known = Policies::new(context.config.server.clone(), policy_keys_read(data)?);
    let published = policy_publish(&context.db, &context.by(), &known, signed).await?;
    context.db.close().await;
    let made = Made {
        address: published.address.to_string(),
        version: published.bundle.version,
        key: published.bundle.key.clone(),
        server: published.bundle.server.clone(),
    };
    terminal.answer(&made, |terminal| {
        terminal.own(text!(
            "Đã công bố. Các máy sẽ nhận bộ tiêu chí mới và được chấm lại. Phiên bản: {}",
            "Published. Machines receive the new policy and are graded again. Version: {}",
            made.version
        ))
    })?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_made_from_the_clock_rise_and_read_as_dates() {
        let clock = Clock::fixed(1_795_331_100_000);
        let first = version_of(&clock).unwrap();
        assert!(first.to_string().starts_with("2026"), "{first}");
        clock.advance(1000);
        assert!(version_of(&clock).unwrap() > first);
    }
}
