//! Clocks that jump while the programs run, on either side, by a minute to 500 days, forward and back: afterwards the same server and
//! the same agent deliver without a restart, nothing is lost, and the grade is what it was.

use std::path::{Path, PathBuf};

use harness::process::Running;
use harness::wait;

use super::books::Kind;
use super::trouble::faketime;
use super::world::{World, append, on_both};

on_both! {
    the_servers_clock_jumps;
    a_machines_clock_jumps;
    a_server_first_started_with_a_clock_far_ahead;
}

const DAY: i64 = 24 * 60 * 60;
/// Seconds.
const JUMPS: [i64; 5] = [60, 2 * 60 * 60, 31 * DAY, 300 * DAY, 500 * DAY];
/// Reports that have not come as they should.
const BREAKS: &str = "select (select count(*) from segment where kind <> 'first') + (select count(*) from fork)";

/// The clock of a program, which can be set while it runs. Its timers continue as before.
struct Dial(PathBuf);

impl Dial {
    fn new(file: PathBuf) -> anyhow::Result<Self> {
        let dial = Self(file);
        dial.set(0)?;
        Ok(dial)
    }

    /// Sets the clock this many seconds off the right time.
    fn set(&self, seconds: i64) -> anyhow::Result<()> {
        let fresh = self.0.with_extension("new");
        std::fs::write(&fresh, format!("{seconds:+}\n"))?;
        Ok(std::fs::rename(fresh, &self.0)?)
    }

    fn variables(&self) -> anyhow::Result<[(&'static str, String); 4]> {
        Ok([
            ("LD_PRELOAD", faketime()?),
            ("FAKETIME_TIMESTAMP_FILE", self.0.display().to_string()),
            ("FAKETIME_NO_CACHE", "1".to_owned()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
        ])
    }
}

/// How often a program wrote a line with `words` to its log.
fn said(log: &Path, words: &str) -> anyhow::Result<usize> {
    Ok(std::fs::read_to_string(log)?.lines().filter(|line| line.contains(words)).count())
}

/// A machine that reports whenever told to, and what its office's grade was.
struct Watched<'a> {
    world: &'a World,
    hosts: PathBuf,
    changes: u32,
    score: serde_json::Value,
}

impl<'a> Watched<'a> {
    fn new(world: &'a World, etc: &Path) -> anyhow::Result<Self> {
        let mut watched = Self { world, hosts: etc.join("hosts"), changes: 0, score: serde_json::Value::Null };
        let before = world.reports_beyond(0)?;
        watched.change()?;
        world.reports_beyond(before)?;
        watched.score = wait::until("a grade", wait::PATIENCE, || {
            let score = watched.score()?;
            Ok((!score.is_null()).then_some(score))
        })?;
        Ok(watched)
    }

    /// Gives the machine something to report.
    fn change(&mut self) -> anyhow::Result<()> {
        self.changes += 1;
        append(&self.hosts, &format!("203.0.113.{0} doi-dia-chi-{0}.example", self.changes % 250))
    }

    /// The score of the one machine, when it has fresh figures.
    fn score(&self) -> anyhow::Result<serde_json::Value> {
        let shown: serde_json::Value = self.world.test_server.office_show(&self.world.office)?;
        let machine = &shown["machines"][0]["grade"];
        Ok(if machine["state"] == "scored" { machine["score"].clone() } else { serde_json::Value::Null })
    }

    /// Reports until a report shows that the two clocks are `offset` seconds apart: one may have been in transit when they jumped.
    fn reports_at(&mut self, offset: i64) -> anyhow::Result<()> {
        let mut tries = 0..4;
        loop {
            let before = self.world.reports_beyond(0)?;
            self.change()?;
            // A jump forward makes a full check due; what its first part sees is reported with its last, and only another change sooner.
            let reported = wait::until(&format!("a report {offset} s apart"), wait::PATIENCE / 3, || {
                Ok((self.world.books.count("select count(*) from report")? > before).then_some(()))
            });
            let seen = self.world.books.count("select clock_offset from machine_head")?;
            if reported.is_ok() && (seen - offset * 1000).abs() < 30_000 {
                return Ok(());
            }
            if tries.next().is_none() {
                return reported.map_err(|error| error.context(self.world.logs()));
            }
        }
    }

    /// The clocks are right again: reports come, and the grade is what it was.
    fn goes_on(&mut self, jump: i64) -> anyhow::Result<()> {
        self.reports_at(0)?;
        wait::until(&format!("the grade as before a jump of {jump} s"), wait::PATIENCE, || {
            Ok((self.score()? == self.score).then_some(()))
        })
        .map_err(|error| error.context(format!("it is {:?}, was {:?}{}", self.score(), self.score, self.world.logs())))
    }
}

fn runs(running: &mut Running) -> anyhow::Result<()> {
    match running.ended()? {
        None => Ok(()),
        Some(_) => anyhow::bail!(running.complaint()?),
    }
}

fn the_servers_clock_jumps(kind: Kind) -> anyhow::Result<()> {
    let mut world = World::new(kind)?;
    let dial = Dial::new(world.path("server.clock"))?;
    let right = world.test_server.clone();
    for (name, value) in dial.variables()? {
        world.test_server = world.test_server.with_variable(name, &value);
    }
    let mut server = world.serve()?;
    // Commands are asked at the right time; only the server's own clock jumps.
    world.test_server = right;
    let etc = world.etc()?;
    let test_agent = world.enrolled("machine")?.with_etc(etc.clone());
    let mut agent = world.run(&test_agent)?;
    let mut watched = Watched::new(&world, &etc)?;
    for jump in JUMPS.into_iter().flat_map(|jump| [jump, -jump]) {
        dial.set(jump)?;
        watched.reports_at(-jump)?;
        dial.set(0)?;
        watched.goes_on(jump)?;
    }
    runs(&mut server.running)?;
    runs(&mut agent)?;
    assert_eq!(world.books.count(BREAKS)?, 0, "the chain broke{}", world.logs());
    world.assert_whole()
}

fn a_machines_clock_jumps(kind: Kind) -> anyhow::Result<()> {
    let world = World::new(kind)?;
    let mut server = world.serve()?;
    let dial = Dial::new(world.path("machine.clock"))?;
    let etc = world.etc()?;
    let mut test_agent = world.enrolled("machine")?.with_etc(etc.clone());
    for (name, value) in dial.variables()? {
        test_agent = test_agent.with_variable(name, &value);
    }
    let mut agent = world.run(&test_agent)?;
    let mut watched = Watched::new(&world, &etc)?;
    for jump in JUMPS.into_iter().flat_map(|jump| [jump, -jump]) {
        dial.set(jump)?;
        // The open connection stays open: wrongly dated reports arrive.
        watched.reports_at(jump)?;
        dial.set(0)?;
        watched.goes_on(jump)?;
    }
    let words = "this machine's clock and the server's differ";
    assert!(said(&world.path("machine.log"), words)? > 0, "nothing was said of a wrong clock{}", world.logs());
    runs(&mut server.running)?;
    runs(&mut agent)?;
    assert_eq!(world.books.count(BREAKS)?, 0, "the chain broke{}", world.logs());
    world.assert_whole()
}

fn a_server_first_started_with_a_clock_far_ahead(kind: Kind) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let dial = Dial::new(folder.path().join("clock"))?;
    dial.set(2000 * DAY)?;
    let world = World::with_clock(kind, &dial.variables()?)?;
    let mut server = world.serve()?;
    // The mistake is noticed. Nothing is restarted, and the machine that connects now has the right time.
    dial.set(0)?;
    let log = world.path("server.log");
    wait::until("a certificate for the right time", wait::PATIENCE, || {
        Ok((said(&log, "certificate was renewed")? > 0).then_some(()))
    })?;
    let test_agent = world.enrolled("machine")?;
    let mut agent = world.run(&test_agent)?;
    world.reports_beyond(0)?;
    runs(&mut server.running)?;
    runs(&mut agent)?;
    world.assert_whole()
}
