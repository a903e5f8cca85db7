//! Disks that are full, databases that are locked or gone: reports are refused while it lasts, and the same server continues afterwards
//! with everything it gave a receipt for.

use std::path::Path;

use agent::connection::WireError;
use harness::fake_agent::FakeAgent;
use harness::postgres::Postgres;
use harness::process::{answer, command};
use harness::small_disk::SmallDisk;
use harness::test_server::{RunningServer, TestServer};
use harness::wait;
use protocol::{Position, Refusal, RefusalAction, Report, ReportAnswer};
use sqlx::{Connection, SqliteConnection};
use tokio::runtime::Runtime;

use super::books::{Books, Kind};
use super::world::World;

/// A machine that reports, keeps what was refused, and remembers every receipt.
struct Machine {
    runtime: Runtime,
    fake_agent: FakeAgent,
    /// Signed and not yet accepted: sent again unchanged.
    waiting: Option<(Report, Position)>,
    receipts: Vec<Position>,
    chance: u64,
}

impl Machine {
    fn enrol(world: &World) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let fake_agent = runtime.block_on(FakeAgent::enrol(&world.enrolment(1)?, "may-01"))?;
        Ok(Self { runtime, fake_agent, waiting: None, receipts: Vec::new(), chance: 0x2545_f491_4f6c_dd1d })
    }

    /// A text that does not compress.
    fn noise(&mut self) -> String {
        let letter = |_| {
            self.chance ^= self.chance << 13;
            self.chance ^= self.chance >> 7;
            self.chance ^= self.chance << 17;
            char::from(b"abcdefghijklmnopqrstuvwxyz012345"[usize::try_from(self.chance % 32).unwrap_or(0)])
        };
        (0..1000).map(letter).collect()
    }

    /// Sends a report with a body that does not compress; returns the code of the refusal, which must ask for a retry, or `None`.
    fn report(&mut self) -> anyhow::Result<Option<String>> {
        let (report, position) = match self.waiting.take() {
            Some(waiting) => waiting,
            None => {
                let strings: Vec<String> = (0..40).map(|_| self.noise()).collect();
                self.fake_agent.observe("time", &serde_json::json!({ "made_up": strings }).to_string());
                let header = self.fake_agent.header(agent::platform::clock::Clock::system().now());
                let report = self.fake_agent.sign(&header)?;
                let position = header.position(&report.header);
                (report, position)
            }
        };
        let refusal = wait::until("an answer to a machine that is not too quick", wait::PATIENCE, || {
            let refusal = self.sent(&report)?;
            Ok((refusal.as_ref().is_none_or(|refusal| refusal.code != "too_many_requests")).then_some(refusal))
        })?;
        let Some(refusal) = refusal else {
            self.fake_agent.position = Some(position);
            self.receipts.push(position);
            return Ok(None);
        };
        anyhow::ensure!(refusal.action == RefusalAction::Retry, "not to be sent again: {refusal:?}");
        self.waiting = Some((report, position));
        Ok(Some(refusal.code))
    }

    /// Sends a report; returns the refusal, or `None` when it was accepted.
    fn sent(&self, report: &Report) -> anyhow::Result<Option<Refusal>> {
        match self.runtime.block_on(self.fake_agent.send(report)) {
            Ok(answers) => match answers.results.into_iter().next() {
                Some(answer) if answer.is_accepted() => Ok(None),
                Some(ReportAnswer::Refused { refusal, .. }) => Ok(Some(refusal)),
                other => anyhow::bail!("neither accepted nor refused: {other:?}"),
            },
            Err(WireError::Refused { refusal }) => Ok(Some(refusal)),
            Err(error) => Err(error.into()),
        }
    }

    fn accepted(&mut self, count: usize) -> anyhow::Result<()> {
        for _ in 0..count {
            let refused = self.report()?;
            anyhow::ensure!(refused.is_none(), "sent back: {refused:?}");
        }
        Ok(())
    }

    /// Reports until one is refused with `code`, and `more` times after that.
    fn refused(&mut self, code: &str, more: usize) -> anyhow::Result<()> {
        wait::until(&format!("a report that is sent back: {code}"), wait::PATIENCE, || {
            Ok((self.report()?.as_deref() == Some(code)).then_some(()))
        })?;
        for _ in 0..more {
            let again = self.report()?;
            anyhow::ensure!(again.as_deref() == Some(code), "{again:?}");
        }
        Ok(())
    }

    /// Reports until one is accepted, and a few more.
    fn accepted_again(&mut self) -> anyhow::Result<()> {
        wait::until("a report that is accepted", wait::PATIENCE * 2, || Ok(self.report()?.is_none().then_some(())))?;
        self.accepted(3)
    }

    /// Every receipt is for a report in the books.
    fn receipts_hold(&self, books: &Books) -> anyhow::Result<()> {
        let rows = books.reports()?;
        for receipt in &self.receipts {
            let hash = receipt.hash.to_string();
            let found =
                rows.iter().any(|row| (row.number, &row.hash) == (i64::try_from(receipt.number).unwrap_or(0), &hash));
            anyhow::ensure!(found, "a receipt without its report: {receipt:?}");
        }
        Ok(())
    }
}

/// The world's server with its data on a small disk instead.
fn moved(world: &World, mebibytes: u32, more: &str) -> anyhow::Result<(SmallDisk, TestServer)> {
    let disk = SmallDisk::mount(&world.path("disk"), mebibytes, &world.path("disk.log"))?;
    copy(world.test_server.data(), &disk.outside().join("server"))?;
    let file = disk.outside().join("server/server.toml");
    let text = std::fs::read_to_string(&file)?;
    std::fs::write(&file, text.replace("refuse_mib = 64", more))?;
    let test_server =
        TestServer::new(world.programs.server.clone(), disk.folder().join("server")).with_prefix(disk.enter());
    Ok((disk, test_server))
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    let copied = answer(command("cp").arg("-aT").arg(from).arg(to))?;
    anyhow::ensure!(copied.code == Some(0), "{copied:?}");
    Ok(())
}

/// Stops the server cleanly and puts its data where the books are read.
fn ended(world: &World, disk: &SmallDisk, server: &mut RunningServer) -> anyhow::Result<()> {
    server.running.stop()?;
    copy(&disk.outside().join("server"), world.test_server.data())
}

#[test]
fn a_full_disk_passes_without_a_restart_on_sqlite() -> anyhow::Result<()> {
    let mut world = World::new(Kind::Sqlite)?;
    // Reports are taken in to the last byte: it is the database that fails.
    let (disk, test_server) = moved(&world, 24, "refuse_mib = 0")?;
    world.test_server = test_server;
    let mut server = world.serve()?;
    let mut machine = Machine::enrol(&world)?;
    machine.accepted(3)?;
    for _ in 0..2 {
        disk.fill(0)?;
        machine.refused("server_failed", 3).map_err(|error| error.context(world.logs()))?;
        disk.free()?;
        machine.accepted_again().map_err(|error| error.context(world.logs()))?;
    }
    assert!(server.running.ended()?.is_none());
    world.test_server.ask::<serde_json::Value>(&["audit", "verify"])?;
    let test_server = TestServer::new(world.programs.server.clone(), world.path("server"));
    world.test_server = test_server;
    ended(&world, &disk, &mut server)?;
    machine.receipts_hold(&world.books)?;
    world.assert_whole()
}

#[test]
fn reports_are_sent_back_before_the_disk_is_full() -> anyhow::Result<()> {
    let mut world = World::new(Kind::Sqlite)?;
    let (disk, test_server) = moved(&world, 48, "refuse_mib = 16")?;
    world.test_server = test_server;
    let _server = world.serve()?;
    let mut machine = Machine::enrol(&world)?;
    machine.accepted(2)?;
    disk.fill(8 * 1024 * 1024)?;
    wait::until("a word in the log", wait::PATIENCE, || {
        Ok(std::fs::read_to_string(world.path("server.log"))?.contains("all but full").then_some(()))
    })?;
    machine.refused("disk_full", 2)?;
    disk.free()?;
    machine.accepted_again()
}

#[test]
fn a_locked_database_passes_without_a_restart_on_sqlite() -> anyhow::Result<()> {
    let world = World::new(Kind::Sqlite)?;
    let _server = world.serve()?;
    let mut machine = Machine::enrol(&world)?;
    machine.accepted(1)?;
    let lock = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut other = lock.block_on(async {
        let file = format!("sqlite:{}", world.test_server.data().join("tram-an.db").display());
        let mut other = SqliteConnection::connect(&file).await?;
        sqlx::raw_sql("begin exclusive").execute(&mut other).await?;
        anyhow::Ok(other)
    })?;
    // Longer than the server waits for another writer.
    machine.refused("server_failed", 0)?;
    lock.block_on(async { sqlx::raw_sql("rollback").execute(&mut other).await })?;
    machine.accepted_again()?;
    machine.receipts_hold(&world.books)?;
    world.assert_whole()
}

#[test]
fn a_full_disk_and_a_crash_of_postgres_pass_without_a_restart() -> anyhow::Result<()> {
    let place = tempfile::tempdir()?;
    let disk = SmallDisk::mount(&place.path().join("disk"), 96, &place.path().join("disk.log"))?;
    // The user postgres must reach it.
    let opened = answer(command("chmod").arg("755").arg(place.path()))?;
    anyhow::ensure!(opened.code == Some(0), "{opened:?}");
    let postgres = Postgres::start_on(&disk)?;
    let world = World::with(|_| Books::at(postgres.url()))?;
    let mut server = world.serve()?;
    let mut machine = Machine::enrol(&world)?;
    machine.accepted(3)?;

    disk.fill(0)?;
    machine.refused("server_failed", 1).map_err(|error| error.context(world.logs()))?;
    disk.free()?;
    // Without room for its log it may have given up.
    postgres.start()?;
    machine.accepted_again().map_err(|error| error.context(world.logs()))?;

    postgres.stop()?;
    machine.refused("server_failed", 0).map_err(|error| error.context(world.logs()))?;
    postgres.start()?;
    machine.accepted_again().map_err(|error| error.context(world.logs()))?;

    assert!(server.running.ended()?.is_none());
    machine.receipts_hold(&world.books)?;
    world.assert_whole()
}
