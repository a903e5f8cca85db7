//! What one computer or one stolen token can do to the server: while each attack lasts, an honest machine reports and an honest browser
//! opens a page, both from the attacker's own address. Measures what got through, and the server's memory before, at the peak and
//! after.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use agent::platform::clock::Clock;
use anyhow::Context;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::process_table::resident_memory;
use super::{Figure, rest};
use crate::fake_agent::FakeAgent;
use crate::test_agent::Enrolment;
use crate::test_server::{RunningServer, TestServer, Token};

mod line;
mod machines;
mod strangers;

use line::Target;

/// How long an attack lasts unless it ends earlier.
const LASTS: Duration = Duration::from_secs(20);
/// How often an honest machine and an honest browser try.
const HONEST_EVERY: Duration = Duration::from_millis(250);
/// How long an honest attempt may take.
const HONEST_PATIENCE: Duration = Duration::from_secs(10);
/// How long after an attack memory is measured: longer than an answer may stay unread.
const AFTER: Duration = Duration::from_secs(45);

/// Everything an attack needs.
struct Field<'a> {
    test_server: &'a TestServer,
    office: &'a str,
    target: Target,
    server: u32,
    log: &'a Path,
    /// Set when the attack should end.
    over: AtomicBool,
}

impl Field<'_> {
    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// A token for machines that must be confirmed.
    fn pending_token(&self, uses: u32) -> anyhow::Result<Enrolment> {
        let token: Token = self.test_server.ask(&[
            "token",
            "add",
            self.office,
            "--role",
            "workstation",
            "--uses",
            &uses.to_string(),
        ])?;
        Ok(Enrolment::new(self.target.address.to_string(), token))
    }
}

/// An attack: runs until the field says it is over, and describes the result.
type Attack = fn(&Field<'_>) -> anyhow::Result<String>;

const ATTACKS: [(&str, Attack); 8] = [
    ("3,000 silent connections from one address", strangers::silent),
    ("1,100 idle TLS connections from one address", strangers::idle),
    ("connections that guess passwords without end", strangers::guessing),
    ("refused requests without end", strangers::refused),
    ("a person leaves 512 downloads of 5 MB unread", strangers::unread),
    ("a pending machine: 450 connections with 64 polls each", machines::polls),
    ("a pending machine renews without end", machines::renewals),
    ("pending machines store what they can", machines::storing),
];

/// Measures every attack.
///
/// # Errors
/// The server cannot be reached before an attack begins, or its process has ended.
pub fn measure(
    test_server: &TestServer,
    server: &RunningServer,
    office: &str,
    log: &Path,
) -> anyhow::Result<Vec<Figure>> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?;
    let token = test_server.token_add(office, 1)?;
    let target = Target::new(([127, 0, 0, 1], server.port).into(), &token.fingerprint)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let enrolment = Enrolment::new(target.address.to_string(), token);
    let mut honest = runtime.block_on(FakeAgent::enrol(&enrolment, "máy-thật"))?;
    honest.observe("time", "{}");
    let mut figures = Vec::new();
    for (what, attack) in ATTACKS {
        let over = AtomicBool::new(false);
        let field = Field { test_server, office, target: target.clone(), server: server.running.id(), log, over };
        figures.push(one(what, attack, &field, &runtime, &mut honest)?);
    }
    Ok(figures)
}

fn one(
    what: &str,
    attack: Attack,
    field: &Field<'_>,
    runtime: &tokio::runtime::Runtime,
    honest: &mut FakeAgent,
) -> anyhow::Result<Figure> {
    let before = resident_memory(field.server).context("the server is gone")?;
    let height = AtomicU64::new(before);
    let (mut reports, mut pages, mut tries) = (0, 0, 0);
    let done = std::thread::scope(|threads| {
        let attacking = threads.spawn(|| attack(field));
        threads.spawn(|| {
            while !field.is_over() {
                height.fetch_max(resident_memory(field.server).unwrap_or(0), Ordering::Relaxed);
                rest(Duration::from_millis(50));
            }
        });
        let begun = Instant::now();
        while begun.elapsed() < LASTS && !attacking.is_finished() || tries < 8 {
            tries += 1;
            let report = runtime.block_on(async {
                tokio::time::timeout(HONEST_PATIENCE, honest.report(Clock::system().now()))
                    .await
                    .is_ok_and(|sent| sent.is_ok())
            });
            let page = field.target.page("/login", HONEST_PATIENCE);
            reports += u32::from(report);
            pages += u32::from(page.is_ok_and(|page| page.starts_with("HTTP/1.1 200")));
            rest(HONEST_EVERY);
        }
        field.over.store(true, Ordering::Relaxed);
        attacking.join().unwrap_or_else(|_| Err(anyhow::anyhow!("the attack broke off")))
    });
    let done = done.unwrap_or_else(|error| format!("the attack failed: {error:#}"));
    rest(AFTER);
    let after = resident_memory(field.server).context("the server is gone")?;
    let [before, height, after] = [before, height.into_inner(), after].map(|kilobytes| kilobytes / 1024);
    let measured = format!("{reports} of {tries} reports, {pages} of {tries} pages; {before}, {height}, {after} MB");
    Ok(Figure::new(what, "all honest ones get through", measured, &done))
}
