//! Programs started by the tests: the one way to start them, with guards that leave none behind.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::wait;

/// How long a program may take to end by itself before its group is killed.
const GRACE: Duration = Duration::from_secs(20);

/// A command yet to be started. This crate is the one place that starts programs without the agent's allow-list.
#[expect(
    clippy::disallowed_methods,
    reason = "the proof starts the programs of the product; the allow-list is the agent's"
)]
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    // Variables that cargo sets for a program it runs: in a cargo started by that program, a crate whose build script reads them
    // would seem changed and be rebuilt with everything that depends on it.
    for (name, _) in std::env::vars_os() {
        let told =
            name.to_str().is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_"));
        if told {
            command.env_remove(name);
        }
    }
    command
}

/// The output of a command that has ended.
#[derive(Debug)]
pub struct Answer {
    /// Exit status; `None` when a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

/// Runs `command` to its end with closed input.
///
/// # Errors
/// It cannot be started, or prints something that is not UTF-8.
pub fn answer(command: &mut Command) -> anyhow::Result<Answer> {
    answer_to(Stdio::null(), command)
}

/// As [`answer`], with a person's typing on standard input.
///
/// # Errors
/// As [`answer`].
pub fn answer_to(typing: impl Into<Stdio>, command: &mut Command) -> anyhow::Result<Answer> {
    // Files, not pipes: what the program leaves running (Wine's services) holds them open long after it has ended.
    let (out, err) = (tempfile::tempfile()?, tempfile::tempfile()?);
    let status = command
        .stdin(typing)
        .stdout(out.try_clone()?)
        .stderr(err.try_clone()?)
        .status()
        .with_context(|| format!("cannot start {:?}", command.get_program()))?;
    Ok(Answer {
        code: status.code(),
        out: said(out).context("standard output")?,
        err: said(err).context("standard error")?,
    })
}

fn said(mut file: File) -> anyhow::Result<String> {
    let mut text = String::new();
    file.rewind()?;
    file.read_to_string(&mut text)?;
    Ok(text)
}

/// A program that keeps running. Its process group ends with this value at the latest.
#[derive(Debug)]
pub struct Running {
    name: String,
    child: Child,
    log: PathBuf,
    lines: Option<Receiver<String>>,
}

impl Running {
    /// Starts `command` in a process group of its own; standard error is added to the file `log`, standard output is read
    /// line by line by [`Running::line`].
    ///
    /// # Errors
    /// The log cannot be written or the program cannot be started.
    pub fn start(name: &str, mut command: Command, log: &Path) -> anyhow::Result<Self> {
        let errors = File::options()
            .create(true)
            .append(true)
            .open(log)
            .with_context(|| format!("cannot write the log {}", log.display()))?;
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(errors)
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start {name} ({:?})", command.get_program()))?;
        let (sender, lines) = channel();
        if let Some(out) = child.stdout.take() {
            std::thread::spawn(move || {
                for line in BufReader::new(out).lines().map_while(Result::ok) {
                    // Nobody may be waiting any more; reading continues so that the program never blocks.
                    drop(sender.send(line));
                }
            });
        }
        Ok(Self { name: name.to_owned(), child, log: log.to_path_buf(), lines: Some(lines) })
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The next line of standard output.
    ///
    /// # Errors
    /// The program ended or stayed silent for `patience`; the message carries the end of its log.
    pub fn line(&mut self, patience: Duration) -> anyhow::Result<String> {
        let line = self.lines.as_ref().and_then(|lines| lines.recv_timeout(patience).ok());
        match line {
            Some(line) => Ok(line),
            None => bail!("{}", self.complaint()?),
        }
    }

    /// The status if the program has ended.
    ///
    /// # Errors
    /// The system cannot say.
    pub fn ended(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// The error message for a program that misbehaves.
    ///
    /// # Errors
    /// The system cannot say how it ended.
    pub fn complaint(&mut self) -> anyhow::Result<String> {
        let state = match self.ended()? {
            Some(status) => format!("{} ended ({status})", self.name),
            None => format!("{} runs but does not answer", self.name),
        };
        Ok(format!("{state}; the end of {}:\n{}", self.log.display(), self.log_tail()))
    }

    /// The last lines the program wrote to standard error.
    pub fn log_tail(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }

    /// Ends the program as an administrator would: SIGTERM, then SIGKILL to its group when it does not end.
    ///
    /// # Errors
    /// The system refuses, or the program had to be killed.
    pub fn stop(&mut self) -> anyhow::Result<ExitStatus> {
        if let Some(status) = self.ended()? {
            return Ok(status);
        }
        kill_process(self.pid(), Signal::TERM)?;
        let ended = wait::until(&format!("{} ends after SIGTERM", self.name), GRACE, || self.ended());
        if ended.is_err() {
            self.kill()?;
        }
        ended
    }

    /// Ends the program and all it started at once, as a power cut would (`kill -9`).
    ///
    /// # Errors
    /// The system refuses.
    pub fn kill(&mut self) -> anyhow::Result<ExitStatus> {
        if let Some(status) = self.ended()? {
            return Ok(status);
        }
        kill_process_group(self.pid(), Signal::KILL)?;
        Ok(self.child.wait()?)
    }

    /// Keeps the program from doing anything until [`Running::resume`]: requests to it wait.
    ///
    /// # Errors
    /// The system refuses.
    pub fn pause(&self) -> anyhow::Result<()> {
        Ok(kill_process(self.pid(), Signal::STOP)?)
    }

    /// Lets a paused program continue.
    ///
    /// # Errors
    /// The system refuses.
    pub fn resume(&self) -> anyhow::Result<()> {
        Ok(kill_process(self.pid(), Signal::CONT)?)
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // The last resort, also while a failed test unwinds: there is nowhere to report to.
        drop(self.kill());
    }
}
