//! Where a story takes place: one office, its server on one of the two databases, and its machines, all in one temporary
//! folder.

use std::cell::Cell;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Context;
use harness::checkout::{self, Profile, Programs};
use harness::process::{Running, answer, command};
use harness::test_agent::{Enrolment, TestAgent};
use harness::test_server::{NewOffice, RunningServer, StartUp, TestServer, machine_name};
use harness::wait;
use tempfile::TempDir;

use super::books::{Books, Kind};

pub(crate) struct World {
    pub(crate) programs: Programs,
    pub(crate) test_server: TestServer,
    pub(crate) books: Books,
    pub(crate) office: String,
    port: Cell<u16>,
    folder: TempDir,
}

impl World {
    /// An office whose roster names this computer, and the policy of the repository.
    pub(crate) fn new(kind: Kind) -> anyhow::Result<Self> {
        Self::with(|data| Books::open(kind, data))
    }

    /// The same on a database of the story's own.
    pub(crate) fn with(books: impl FnOnce(&Path) -> anyhow::Result<Books>) -> anyhow::Result<Self> {
        Self::made(books, &[])
    }

    /// The same with these variables in the environment of every command and of the server, such as those of another clock.
    pub(crate) fn with_clock(kind: Kind, variables: &[(&str, String)]) -> anyhow::Result<Self> {
        Self::made(|data| Books::open(kind, data), variables)
    }

    fn made(books: impl FnOnce(&Path) -> anyhow::Result<Books>, variables: &[(&str, String)]) -> anyhow::Result<Self> {
        let programs = checkout::build(Profile::Dev)?;
        let folder = tempfile::tempdir()?;
        let test_server = TestServer::new(programs.server.clone(), folder.path().join("server"));
        let test_server =
            variables.iter().fold(test_server, |test_server, (name, value)| test_server.with_variable(name, value));
        let books = books(test_server.data())?;
        test_server.init(books.url.as_deref())?;
        let office =
            test_server.office_add(&NewOffice { name: "UBND xã An Bình".to_owned(), start_up: StartUp::Off })?;
        test_server.roster_declare(&office, &[machine_name()])?;
        test_server.policy_publish(&checkout::root()?.join("policies"))?;
        Ok(Self { programs, test_server, books, office, port: Cell::new(0), folder })
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Starts the server, on the same port each time.
    pub(crate) fn serve(&self) -> anyhow::Result<RunningServer> {
        let running = self.test_server.run(&format!("127.0.0.1:{}", self.port.get()), &self.path("server.log"))?;
        self.port.set(running.port);
        Ok(running)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port.get()))
    }

    /// A machine that has not enrolled yet.
    pub(crate) fn test_agent(&self, name: &str) -> TestAgent {
        TestAgent::new(self.programs.agent.clone(), self.path(name))
    }

    /// What an officer passes on for `uses` machines.
    pub(crate) fn enrolment(&self, uses: u32) -> anyhow::Result<Enrolment> {
        Ok(Enrolment::new(self.address().to_string(), self.test_server.token_add(&self.office, uses)?))
    }

    /// A machine that has enrolled.
    pub(crate) fn enrolled(&self, name: &str) -> anyhow::Result<TestAgent> {
        let test_agent = self.test_agent(name);
        test_agent.enrol(&self.enrolment(1)?)?;
        Ok(test_agent)
    }

    /// Starts the daemon of a machine.
    pub(crate) fn run(&self, test_agent: &TestAgent) -> anyhow::Result<Running> {
        let name = test_agent.state().file_name().unwrap_or_default().to_string_lossy().into_owned();
        test_agent.run(&self.path(&format!("{name}.log")))
    }

    /// A copy of this machine's `/etc` that a story may change.
    pub(crate) fn etc(&self) -> anyhow::Result<PathBuf> {
        let etc = self.path("etc");
        let copied = answer(command("cp").arg("-a").arg("/etc").arg(&etc))?;
        // Without root some files cannot be read; the agent cannot read them either.
        anyhow::ensure!(etc.join("hosts").exists(), "cannot copy /etc: {}", copied.err);
        Ok(etc)
    }

    /// Waits until the database contains more than `before` reports.
    pub(crate) fn reports_beyond(&self, before: i64) -> anyhow::Result<i64> {
        wait::until(&format!("more than {before} stored reports"), wait::PATIENCE, || {
            let count = self.books.count("select count(*) from report")?;
            Ok((count > before).then_some(count))
        })
        .with_context(|| self.logs())
    }

    /// Keeps the newest checkpoint of the evidence log in a file.
    pub(crate) fn checkpoint_keep(&self, name: &str) -> anyhow::Result<String> {
        let told = answer(&mut self.test_server.command(&["log", "checkpoint"]))?;
        anyhow::ensure!(told.code == Some(0), "{told:?}");
        std::fs::write(self.path(name), &told.out)?;
        Ok(self.path(name).to_string_lossy().into_owned())
    }

    /// How long the machine's spool is.
    pub(crate) fn spool_length(&self, test_agent: &TestAgent) -> anyhow::Result<u64> {
        let spool = test_agent.state().join("spool");
        Ok(if spool.exists() { std::fs::metadata(&spool)?.len() } else { 0 })
    }

    /// Waits until a report was added to the machine's spool, whose length was `kept`.
    pub(crate) fn spool_beyond(&self, test_agent: &TestAgent, kept: u64) -> anyhow::Result<()> {
        wait::until("a report in the spool", wait::PATIENCE, || {
            Ok((self.spool_length(test_agent)? > kept).then_some(()))
        })
        .with_context(|| self.logs())
    }

    /// The ends of all logs, for a person investigating a failed story.
    pub(crate) fn logs(&self) -> String {
        let mut text = String::new();
        for entry in std::fs::read_dir(self.folder.path()).into_iter().flatten().flatten() {
            if entry.path().extension().is_some_and(|extension| extension == "log") {
                let log = std::fs::read_to_string(entry.path()).unwrap_or_default();
                let lines: Vec<&str> = log.lines().collect();
                let tail = lines[lines.len().saturating_sub(30)..].join("\n");
                text.push_str(&format!("\n--- {}\n{tail}\n", entry.path().display()));
            }
        }
        text
    }

    /// The numbers of every machine's reports run from 1 without gap or double, each following the one before; and each is a leaf of an
    /// evidence log that is whole.
    pub(crate) fn assert_whole(&self) -> anyhow::Result<()> {
        let rows = self.books.reports()?;
        anyhow::ensure!(!rows.is_empty(), "no report was stored");
        let mut last: Option<(&str, i64, i64)> = None;
        for row in &rows {
            let expected = match last {
                Some((machine, segment, number)) if machine == row.machine && segment == row.segment => number + 1,
                _ => 1,
            };
            anyhow::ensure!(row.number == expected, "expected number {expected}, found {row:?} in {rows:?}");
            last = Some((&row.machine, row.segment, row.number));
        }
        let verified: serde_json::Value = self.test_server.ask(&["verify", "log"])?;
        anyhow::ensure!(verified["leaves"].as_u64() > Some(rows.len() as u64), "reports without a leaf: {verified}");
        for what in [&["audit"][..], &["office", &self.office], &["machine", &rows[0].machine]] {
            self.test_server.ask::<serde_json::Value>(&[&["verify"], what].concat())?;
        }
        Ok(())
    }
}

/// Adds a line to a file without replacing it, as an editor on the machine would.
pub(crate) fn append(path: &Path, line: &str) -> anyhow::Result<()> {
    use std::io::Write;
    let mut file = std::fs::File::options().append(true).open(path).with_context(|| path.display().to_string())?;
    writeln!(file, "{line}")?;
    Ok(())
}

/// The same story on both databases.
macro_rules! on_both {
    ($($(#[$meta:meta])* $story:ident;)+) => {
        $(
            #[allow(clippy::redundant_pub_crate, reason = "made by a macro")]
            mod $story {
                $(#[$meta])*
                #[test]
                fn on_sqlite() -> anyhow::Result<()> {
                    super::$story($crate::stories::books::Kind::Sqlite)
                }
                $(#[$meta])*
                #[test]
                fn on_postgres() -> anyhow::Result<()> {
                    super::$story($crate::stories::books::Kind::Postgres)
                }
            }
        )+
    };
}
pub(crate) use on_both;
