//! A `posture-agent` of our own: its state folder, and its commands as an officer would type them.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

use crate::process::{self, Answer, Running};

/// An agent's state folder and the program that uses it.
#[derive(Clone, Debug)]
pub struct Station {
    program: PathBuf,
    state: PathBuf,
}

/// What an officer hands over to connect a machine.
#[derive(Clone, Debug)]
pub struct Enrolment {
    /// `HOST:PORT` of the server.
    pub server: String,
    /// The one-time token.
    pub token: String,
    /// SHA-256 of the server's CA.
    pub fingerprint: String,
}

impl Station {
    /// The agent `program` with its state in `state`.
    pub fn new(program: PathBuf, state: PathBuf) -> Self {
        Self { program, state }
    }

    /// The state folder.
    pub fn state(&self) -> &Path {
        &self.state
    }

    /// The program.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// One of its commands on this state folder, before it is started.
    pub fn command(&self, word: &str) -> Command {
        let mut command = process::command(&self.program);
        command.arg(word).arg("--state").arg(&self.state);
        command
    }

    /// Tries to connect this machine.
    ///
    /// # Errors
    /// The program cannot be started. A refusal is in the answer.
    pub fn try_enrol(&self, enrolment: &Enrolment) -> anyhow::Result<Answer> {
        process::answer(
            self.command("enrol")
                .args(["--server", &enrolment.server, "--fingerprint", &enrolment.fingerprint, "--json"])
                .env("TRAM_AN_TOKEN", &enrolment.token),
        )
    }

    /// Connects this machine.
    ///
    /// # Errors
    /// It is refused, with what the agent said.
    pub fn enrol(&self, enrolment: &Enrolment) -> anyhow::Result<()> {
        let answer = self.try_enrol(enrolment)?;
        if answer.code != Some(0) {
            bail!("posture-agent enrol failed: {}{}", answer.err, answer.out);
        }
        Ok(())
    }

    /// Has the agent dial `address` from its next start on, wherever it enrolled.
    ///
    /// # Errors
    /// The state folder cannot be written.
    pub fn address_set(&self, address: &str) -> anyhow::Result<()> {
        self.config_set(&format!("[server]\naddress = \"{address}\"\n"))
    }

    /// Replaces the agent's configuration.
    ///
    /// # Errors
    /// The state folder cannot be written.
    pub fn config_set(&self, toml: &str) -> anyhow::Result<()> {
        let path = self.state.join("agent.toml");
        std::fs::write(&path, toml).with_context(|| format!("cannot write {}", path.display()))
    }

    /// Starts the daemon.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn run(&self, log: &Path) -> anyhow::Result<Running> {
        Running::start("posture-agent", self.command("run"), log)
    }
}
