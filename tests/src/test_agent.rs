//! A `posture-agent` for tests: its state folder, and its commands as an officer would type them.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

use crate::process::{self, Answer, Running};
use crate::test_server::Token;

/// An agent's state folder and the program that uses it.
#[derive(Clone, Debug)]
pub struct TestAgent {
    program: PathBuf,
    state: PathBuf,
    etc: Option<PathBuf>,
    environment: Vec<(String, String)>,
}

/// What an officer passes on to connect a machine.
#[derive(Clone, Debug)]
pub struct Enrolment {
    /// `HOST:PORT` of the server.
    pub server: String,
    /// The one-time token.
    pub token: String,
    /// SHA-256 of the server's CA.
    pub fingerprint: String,
}

impl Enrolment {
    /// Connects to `server` (`HOST:PORT`) with `token`.
    pub fn new(server: String, token: Token) -> Self {
        Self { server, token: token.token, fingerprint: token.fingerprint }
    }
}

impl TestAgent {
    /// The agent `program` with its state in `state`.
    pub fn new(program: PathBuf, state: PathBuf) -> Self {
        Self { program, state, etc: None, environment: Vec::new() }
    }

    /// The same agent on a machine whose `/etc` is the folder `etc`, in a mount namespace of its own: the real machine is
    /// left alone.
    #[must_use]
    pub fn with_etc(self, etc: PathBuf) -> Self {
        Self { etc: Some(etc), ..self }
    }

    /// The same agent with a variable in its environment.
    #[must_use]
    pub fn with_variable(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
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
        let mut command = match &self.etc {
            None => process::command(&self.program),
            Some(etc) => {
                let mut command = process::command("unshare");
                if !rustix::process::geteuid().is_root() {
                    command.arg("--map-root-user");
                }
                let enter = "mount --bind \"$1\" /etc && shift && exec \"$@\"";
                command
                    .args(["--mount", "--propagation", "private", "sh", "-c", enter, "sh"])
                    .arg(etc)
                    .arg(&self.program);
                command
            }
        };
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
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
    /// It is refused; the error has the agent's message.
    pub fn enrol(&self, enrolment: &Enrolment) -> anyhow::Result<()> {
        let answer = self.try_enrol(enrolment)?;
        if answer.code != Some(0) {
            bail!("posture-agent enrol failed: {}{}", answer.err, answer.out);
        }
        Ok(())
    }

    /// Makes the agent dial `address` from its next start on, whichever server it enrolled with.
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
