//! A `posture-server` for tests: its data folder, and its commands as an officer would type them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, bail};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::process::{self, Running};

/// How long a server may take to be ready: it checks its keys and brings the database up to date.
const READY: Duration = Duration::from_secs(60);

/// The files that are published as one policy.
pub const POLICY_FILES: [&str; 2] = ["level-2.toml", "level-2-controls.toml"];

/// A server's data folder and the program that serves it.
#[derive(Clone, Debug)]
pub struct TestServer {
    program: PathBuf,
    data: PathBuf,
    environment: Vec<(String, String)>,
    prefix: Vec<String>,
}

/// An office to be declared.
#[derive(Clone, Debug)]
pub struct NewOffice {
    /// Its name.
    pub name: String,
    /// Whether it is given time to set up before it gets a letter.
    pub start_up: StartUp,
}

/// Whether an office is given time to set up before it gets a letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartUp {
    /// The days of the policy.
    OfPolicy,
    /// No setup time: a letter at once.
    Off,
}

/// A server that runs.
#[derive(Debug)]
pub struct RunningServer {
    /// The process.
    pub running: Running,
    /// The port it listens on.
    pub port: u16,
}

/// The name of this computer, as its agent reports it and a roster lists it.
pub fn machine_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

impl RunningServer {
    /// The address of the page of `office`.
    pub fn url(&self, office: &str) -> String {
        format!("https://127.0.0.1:{}/offices/{office}", self.port)
    }
}

/// What `run --ready-json` prints once it listens.
#[derive(Deserialize)]
struct Ready {
    address: std::net::SocketAddr,
}

impl TestServer {
    /// The server `program` with its data in `data`.
    pub fn new(program: PathBuf, data: PathBuf) -> Self {
        Self { program, data, environment: Vec::new(), prefix: Vec::new() }
    }

    /// The same program with another data folder.
    #[must_use]
    pub fn with_data(&self, data: PathBuf) -> Self {
        Self { data, ..self.clone() }
    }

    /// The same server, started through another command such as `nsenter`, to see another file system.
    #[must_use]
    pub fn with_prefix(mut self, prefix: Vec<String>) -> Self {
        self.prefix = prefix;
        self
    }

    /// The same server with a variable in its environment.
    #[must_use]
    pub fn with_variable(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The data folder.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// One of its commands, before it is started.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut words_before = self.prefix.iter();
        let mut command = match words_before.next() {
            Some(first) => process::command(first),
            None => process::command(&self.program),
        };
        if !self.prefix.is_empty() {
            command.args(words_before).arg(&self.program);
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.args(words).arg("--data").arg(&self.data);
        command
    }

    /// Runs a command to its end and parses its output as JSON.
    ///
    /// # Errors
    /// It fails, with its message, or prints something else.
    pub fn ask<T: DeserializeOwned>(&self, words: &[&str]) -> anyhow::Result<T> {
        let shown = words.join(" ");
        let answer = process::answer(self.command(words).arg("--json"))?;
        if answer.code != Some(0) {
            bail!("posture-server {shown} failed: {}{}", answer.err, answer.out);
        }
        serde_json::from_str(&answer.out).with_context(|| format!("posture-server {shown} said {}", answer.out))
    }

    /// True when `init` has made the data folder.
    pub fn is_initialised(&self) -> bool {
        self.data.join("server.toml").exists()
    }

    /// Makes keys, certificates and the database; SQLite in the data folder unless `database` names another.
    ///
    /// # Errors
    /// It fails.
    pub fn init(&self, database: Option<&str>) -> anyhow::Result<()> {
        let mut words = vec!["init", "--host", "127.0.0.1"];
        words.extend(database.iter().flat_map(|url| ["--database", url]));
        self.ask::<Ignored>(&words)?;
        Ok(())
    }

    /// Declares an office and returns its id.
    ///
    /// # Errors
    /// It fails.
    pub fn office_add(&self, office: &NewOffice) -> anyhow::Result<String> {
        let mut words = vec!["office", "add", &office.name, "--kind", "commune"];
        if office.start_up == StartUp::Off {
            words.extend(["--setup-days", "0"]);
        }
        Ok(self.ask::<Made>(&words)?.id)
    }

    /// Writes machines on the roster of `office`, unless they are there from an earlier attempt, and declares it complete.
    ///
    /// # Errors
    /// It fails.
    pub fn roster_declare(&self, office: &str, machines: &[String]) -> anyhow::Result<()> {
        let there: Vec<Line> = self.ask(&["office", "roster", "list", office])?;
        for label in machines.iter().filter(|label| there.iter().all(|line| line.label != **label)) {
            self.ask::<Ignored>(&["office", "roster", "add", office, label, "--role", "workstation"])?;
        }
        self.ask::<Ignored>(&["office", "roster", "declare", office])?;
        Ok(())
    }

    /// Signs the policy files of a folder and publishes them.
    ///
    /// # Errors
    /// A file is not valid, or the key is not there.
    pub fn policy_publish(&self, policies: &Path) -> anyhow::Result<()> {
        let files = POLICY_FILES.map(|name| policies.join(name).to_string_lossy().into_owned());
        let signed = self.data.with_extension("policy");
        let signed = signed.to_string_lossy();
        let mut words = vec!["policy", "sign"];
        words.extend(files.iter().map(String::as_str));
        words.extend(["--out", &signed]);
        self.ask::<Ignored>(&words)?;
        self.ask::<Ignored>(&["policy", "publish", &signed])?;
        Ok(())
    }

    /// Makes a login and returns its first password.
    ///
    /// # Errors
    /// It fails.
    pub fn person_add(&self, login: &str, name: &str) -> anyhow::Result<String> {
        let file = self.data.with_extension("password");
        self.ask::<Ignored>(&["person", "add", login, "--name", name, "--password-file", &file.to_string_lossy()])?;
        let password = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
        std::fs::remove_file(&file)?;
        Ok(password.trim().to_owned())
    }

    /// A token for `uses` workstations of `office`, with the fingerprint that belongs to it.
    ///
    /// # Errors
    /// It fails.
    pub fn token_add(&self, office: &str, uses: u32) -> anyhow::Result<Token> {
        self.ask(&["token", "add", office, "--role", "workstation", "--uses", &uses.to_string(), "--confirm"])
    }

    /// The office with its grade and its machines, from `office show`.
    ///
    /// # Errors
    /// It fails.
    pub fn office_show<T: DeserializeOwned>(&self, office: &str) -> anyhow::Result<T> {
        self.ask(&["office", "show", office])
    }

    /// Starts the server on `listen` and waits until it is ready.
    ///
    /// # Errors
    /// It ends or stays silent; the message carries the end of its log.
    pub fn run(&self, listen: &str, log: &Path) -> anyhow::Result<RunningServer> {
        self.run_with(listen, &[], log)
    }

    /// As [`TestServer::run`], with more arguments.
    ///
    /// # Errors
    /// As [`TestServer::run`].
    pub fn run_with(&self, listen: &str, more: &[&str], log: &Path) -> anyhow::Result<RunningServer> {
        let words = [&["run", "--listen", listen, "--ready-json"], more].concat();
        let mut running = Running::start("posture-server", self.command(&words), log)?;
        let line = running.line(READY)?;
        let ready: Ready = serde_json::from_str(&line).with_context(|| format!("posture-server run said {line}"))?;
        Ok(RunningServer { running, port: ready.address.port() })
    }
}

/// An answer of which only the success counts.
#[derive(Deserialize)]
struct Ignored {}

/// What an officer passes on for a machine.
#[derive(Clone, Debug, Deserialize)]
pub struct Token {
    /// The token's id.
    pub id: String,
    /// The token itself.
    pub token: String,
    /// SHA-256 of the server's CA.
    pub fingerprint: String,
}

/// A line of a roster.
#[derive(Deserialize)]
struct Line {
    label: String,
}

/// What was made.
#[derive(Deserialize)]
struct Made {
    id: String,
}
