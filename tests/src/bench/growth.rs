//! How much the store grows for one machine in a year, by table: reports of the real size from a server that takes them in, then the same after
//! the server packed the headers that are older than a day.

use std::collections::BTreeMap;

use agent::platform::clock::Clock;
use anyhow::{Context, ensure};
use policies::fact::{Facts, Section};
use serde::de::IgnoredAny;
use sqlx::{Connection as _, PgConnection, SqliteConnection};

use super::Figure;
use crate::fake_agent::FakeAgent;
use crate::postgres::Postgres;
use crate::test_agent::Enrolment;
use crate::test_server::TestServer;
use crate::wait;

/// Days that are simulated.
const DAYS: u32 = 80;
/// Reports a day, as many as an agent sends when nothing is watched to change.
const A_DAY: u32 = 6;
/// A full block of packed headers has as many.
const BLOCK: i64 = 32;
/// Tables that are emptied again, or hold one row an office.
const PASSING: [&str; 3] = ["change", "session", "office_grade"];

/// Bytes by table, with its indexes.
type Sizes = BTreeMap<String, i64>;

/// The database that is measured.
#[derive(Clone, Copy, Debug)]
enum Store<'a> {
    Sqlite(&'a str),
    Postgres(&'a str),
}

/// Measures a server of its own whose data is that of `test_server`, with an office `office`; on SQLite where there is no `postgres`.
///
/// # Errors
/// The server refuses a report, or its database cannot be read.
pub fn measure(
    test_server: &TestServer,
    office: &str,
    facts: &Facts,
    postgres: Option<&Postgres>,
) -> anyhow::Result<Vec<Figure>> {
    let (file, url) = (
        format!("sqlite:{}", test_server.data().join("tram-an.db").display()),
        postgres.map(Postgres::url).unwrap_or_default(),
    );
    let store = if postgres.is_some() { Store::Postgres(&url) } else { Store::Sqlite(&file) };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let log = test_server.data().join("growth.log");
    let mut server = test_server.run("127.0.0.1:0", &log)?;
    let token = test_server.token_add(office, 1)?;
    let enrolment = Enrolment::new(format!("127.0.0.1:{}", server.port), token);
    let mut fake_agent = runtime.block_on(first(&enrolment, facts))?;
    let IgnoredAny = test_server.ask(&["machine", "confirm", &fake_agent.machine])?;
    let before = runtime.block_on(store.sizes())?;
    runtime.block_on(go_on(&mut fake_agent, facts))?;
    let plain = runtime.block_on(store.sizes())?;
    server.running.stop()?;
    runtime.block_on(store.age())?;
    server = test_server.run("127.0.0.1:0", &log)?;
    wait::until("the headers are packed", wait::PATIENCE, || {
        Ok(Some(()).filter(|()| runtime.block_on(store.unpacked()).is_ok_and(|count| count < BLOCK)))
    })?;
    server.running.stop()?;
    let packed = runtime.block_on(store.sizes())?;
    Ok(figures(store, &before, &plain, &packed))
}

fn figures(store: Store<'_>, before: &Sizes, plain: &Sizes, packed: &Sizes) -> Vec<Figure> {
    let name = if let Store::Sqlite(_) = store { "SQLite" } else { "PostgreSQL" };
    let a_year = |sizes: &Sizes, table: &str| {
        let of = |sizes: &Sizes| sizes.get(table).copied().unwrap_or(0);
        (of(sizes) - of(before)) * 365 / i64::from(DAYS)
    };
    let tables: Vec<&String> =
        plain.keys().chain(packed.keys()).collect::<std::collections::BTreeSet<_>>().into_iter().collect();
    let line = |what: &str, plain: i64, packed: i64| {
        let method = format!(
            "{DAYS} days of {A_DAY} reports, one new body a day; pages of the tables with their indexes, {}",
            if name == "SQLite" { "as they are" } else { "without dead rows" }
        );
        let measured = format!("{} kB ({} kB with plain headers)", packed / 1000, plain / 1000);
        Figure::new(&format!("growth of the store a machine and year, {name}, {what}"), "-", measured, &method)
    };
    let kept = |table: &&&String| !PASSING.contains(&table.as_str());
    let grown: Vec<(&str, i64, i64)> = tables
        .iter()
        .filter(kept)
        .map(|table| (table.as_str(), a_year(plain, table), a_year(packed, table)))
        .filter(|(_, plain, packed)| *plain > 0 || *packed > 0)
        .collect();
    let (all_plain, all_packed) = grown.iter().fold((0, 0), |sum, (_, plain, packed)| (sum.0 + plain, sum.1 + packed));
    let mut figures = vec![line("all of it", all_plain, all_packed)];
    figures.extend(grown.iter().map(|(table, plain, packed)| line(&format!("table `{table}`"), *plain, *packed)));
    figures
}

async fn first(enrolment: &Enrolment, facts: &Facts) -> anyhow::Result<FakeAgent> {
    let mut fake_agent = FakeAgent::enrol(enrolment, "máy").await?;
    for &section in Section::ALL {
        fake_agent.observe(section.name(), &facts.encode(section)?);
    }
    fake_agent.report(Clock::system().now()).await?;
    Ok(fake_agent)
}

/// Sends the days' reports, those of ten days in a request.
async fn go_on(fake_agent: &mut FakeAgent, facts: &Facts) -> anyhow::Result<()> {
    let now = Clock::system().now();
    let neighbours = facts.encode(Section::Neighbours)?;
    for days in (0..DAYS).collect::<Vec<_>>().chunks(10) {
        let mut frames = Vec::new();
        for &day in days {
            fake_agent.observe("neighbours", &neighbours.replacen('{', &format!("{{\"made_up\":{day},"), 1));
            for number in 0..A_DAY {
                fake_agent.next(now + i64::from(day * A_DAY + number))?.encode_into(&mut frames);
            }
        }
        let answers = fake_agent.connection.send_reports(frames).await?.results;
        let accepted = answers.iter().filter(|answer| answer.is_accepted()).count();
        ensure!(accepted == answers.len(), "a report was refused: {answers:?}");
    }
    Ok(())
}

impl Store<'_> {
    async fn sizes(self) -> anyhow::Result<Sizes> {
        let rows: Vec<(String, i64)> = match self {
            Self::Sqlite(file) => {
                let mut connection = SqliteConnection::connect(file).await?;
                sqlx::query_as(
                    "select m.tbl_name, sum(s.pgsize) from dbstat s join sqlite_master m on m.name = s.name group by m.tbl_name",
                )
                .fetch_all(&mut connection)
                .await
                .context("the sizes of the tables")?
            }
            Self::Postgres(url) => {
                let mut connection = PgConnection::connect(url).await?;
                for statement in ["vacuum full report", "vacuum full machine_head", "vacuum full log_head"] {
                    sqlx::raw_sql(statement).execute(&mut connection).await?;
                }
                sqlx::query_as(
                    "select cast(relname as text), pg_total_relation_size(oid) from pg_class
                     where relkind = 'r' and relnamespace = 'public'::regnamespace",
                )
                .fetch_all(&mut connection)
                .await?
            }
        };
        Ok(rows.into_iter().collect())
    }

    /// Makes every report look as if it had come two days before.
    async fn age(self) -> anyhow::Result<()> {
        let statement = "update report set received_at = received_at - 172800000";
        match self {
            Self::Sqlite(file) => {
                sqlx::raw_sql(statement).execute(&mut SqliteConnection::connect(file).await?).await.map(drop)?;
            }
            Self::Postgres(url) => {
                sqlx::raw_sql(statement).execute(&mut PgConnection::connect(url).await?).await.map(drop)?;
            }
        }
        Ok(())
    }

    /// Headers that are plain.
    async fn unpacked(self) -> anyhow::Result<i64> {
        let statement = "select count(*) from report where length(header) > 0";
        Ok(match self {
            Self::Sqlite(file) => {
                sqlx::query_scalar(statement).fetch_one(&mut SqliteConnection::connect(file).await?).await?
            }
            Self::Postgres(url) => {
                sqlx::query_scalar(statement).fetch_one(&mut PgConnection::connect(url).await?).await?
            }
        })
    }
}
