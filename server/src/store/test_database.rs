//! Databases for tests: every store test runs on SQLite and, where [`POSTGRES`] is set, on PostgreSQL, each in a database of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use protocol::Digest;
use protocol::sign::SigningKey;

use super::{Db, Link, MIGRATIONS, Pools, Scope, Tx, new_id};
use crate::evidence::Signer;
use crate::store::machine::{Machine, MachineStatus, Role};
use crate::store::office::{Office, OfficeKind};
use crate::store::roster::{RosterLine, RosterState};
use crate::store::section::{SectionState, Sections};

/// Names the PostgreSQL server of the tests: the address of a database whose user may create databases. `tests/run` starts one and
/// sets it; without it the tests on PostgreSQL do nothing.
pub(crate) const POSTGRES: &str = "TRAM_AN_TEST_POSTGRES";

/// A database that is deleted when the test ends.
#[derive(Debug)]
pub(crate) struct TestDatabase {
    pub(crate) db: Db,
    /// Signs the evidence log.
    pub(crate) signer: Signer,
    /// Whether a test wrote into the tables behind the log's back.
    tampered: AtomicBool,
    storage: Storage,
}

#[derive(Debug)]
enum Storage {
    Folder(tempfile::TempDir),
    Database { admin: Db, name: String, url: String },
}

static COUNT: AtomicU32 = AtomicU32::new(0);

impl TestDatabase {
    pub(crate) async fn sqlite() -> Self {
        let test_database = Self::sqlite_empty().await;
        test_database.db.migrate().await.unwrap();
        test_database.log_open().await;
        test_database
    }

    /// Pages in SQLite's write-ahead log: a header of 32 bytes, then each page of 4096 bytes after 24 of its own. It grows until 1000 pages
    /// are in it.
    pub(crate) fn pages_logged(&self) -> u64 {
        let Storage::Folder(folder) = &self.storage else { return 0 };
        let log = std::fs::metadata(folder.path().join("tram-an.db-wal")).unwrap().len();
        log.saturating_sub(32) / (4096 + 24)
    }

    /// How many may read at once.
    pub(crate) fn readers(&self) -> u32 {
        match &self.db.pools {
            Pools::Sqlite { reader, .. } => reader.options().get_max_connections(),
            Pools::Postgres(pool) => pool.options().get_max_connections(),
        }
    }

    /// `None` without a PostgreSQL.
    pub(crate) async fn postgres() -> Option<Self> {
        let test_database = Self::postgres_empty().await?;
        test_database.db.migrate().await.unwrap();
        test_database.log_open().await;
        Some(test_database)
    }

    /// A database without a schema.
    pub(crate) async fn sqlite_empty() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::open_sqlite(&folder.path().join("tram-an.db")).await.unwrap();
        Self { db, signer: signer(), tampered: AtomicBool::new(false), storage: Storage::Folder(folder) }
    }

    /// A database without a schema; `None` without a PostgreSQL.
    pub(crate) async fn postgres_empty() -> Option<Self> {
        let Ok(admin_url) = std::env::var(POSTGRES) else {
            eprintln!("not run: {POSTGRES} names no PostgreSQL (tests/run starts one)");
            return None;
        };
        let admin = Db::open_postgres(&admin_url).await.unwrap();
        let name = format!("trial_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        run(&admin, &format!("drop database if exists {name} with (force)")).await;
        run(&admin, &format!("create database {name} template template0")).await;
        let (server, _) = admin_url.rsplit_once('/').unwrap();
        let url = format!("{server}/{name}");
        let db = Db::open_postgres(&url).await.unwrap();
        Some(Self {
            db,
            signer: signer(),
            tampered: AtomicBool::new(false),
            storage: Storage::Database { admin, name, url },
        })
    }

    /// Brings the schema to the state after the migration with this number.
    pub(crate) async fn migrate_to(&self, number: i64) {
        match &self.db.pools {
            Pools::Sqlite { writer, .. } => MIGRATIONS.run_to(number, writer).await.unwrap(),
            Pools::Postgres(pool) => MIGRATIONS.run_to(number, pool).await.unwrap(),
        }
    }

    /// Opens the evidence log, as a server does once the schema is up to date.
    pub(crate) async fn log_open(&self) {
        self.db.log_open(self.signer.clone()).await.unwrap();
    }

    /// A second server on the same database.
    pub(crate) async fn second(&self) -> Db {
        let db = match &self.storage {
            Storage::Folder(folder) => Db::open_sqlite(&folder.path().join("tram-an.db")).await.unwrap(),
            Storage::Database { url, .. } => Db::open_postgres(url).await.unwrap(),
        };
        db.log_open(self.signer.clone()).await.unwrap();
        db
    }

    /// Takes the evidence log's end away, so that no entry of the audit log can be stored; or brings it back.
    pub(crate) async fn log_away(&self, away: bool) {
        let [from, to] = if away { ["log_head", "log_head_away"] } else { ["log_head_away", "log_head"] };
        let sql = format!("alter table {from} rename to {to}");
        match &self.db.pools {
            Pools::Sqlite { writer, .. } => {
                let mut rename = sqlx::QueryBuilder::<sqlx::Sqlite>::new(sql);
                rename.build().persistent(false).execute(writer).await.unwrap();
            }
            Pools::Postgres(_) => run(&self.db, &sql).await,
        }
    }

    /// Says that the tables are written into behind the log's back from now on.
    pub(crate) fn tampered(&self) {
        self.tampered.store(true, Ordering::Relaxed);
    }

    /// Writes into the tables behind the log's back.
    pub(crate) async fn tamper(&self, statements: &[&'static str]) {
        self.tampered();
        let mut tx = self.db.write().await.unwrap();
        for &statement in statements {
            on_db!(tx, connection => {
                sqlx::raw_sql(statement).execute(&mut *connection).await.unwrap();
            });
        }
        tx.commit().await.unwrap();
    }

    /// Sets the log back to an end that it had, as putting back a copy of the store by hand would.
    pub(crate) async fn log_put_back(&self, head: &super::transaction::Head) {
        self.tampered();
        let mut tx = self.db.write().await.unwrap();
        on_db!(tx, connection => {
            let size = super::number::signed(head.frontier.size());
            sqlx::query("delete from log_leaf where first >= $1").bind(size).execute(&mut *connection).await.unwrap();
            let set = sqlx::query("update log_head set size = $1, frontier = $2, checkpoint = $3");
            set.bind(size).bind(head.frontier.to_bytes()).bind(&head.checkpoint).execute(connection).await.unwrap();
        });
        tx.commit().await.unwrap();
    }

    /// Makes the whole log again without the second report of any machine, signed with the server's own key.
    pub(crate) async fn log_rewrite(&self) {
        self.tampered();
        for statement in [
            "delete from report where number = 2",
            "delete from log_leaf",
            "delete from log_subtree",
            "delete from log_checkpoint",
            "update log_head set size = 0, frontier = '', checkpoint = '', checkpoint_at = 0, filled = ''",
        ] {
            let mut tx = self.db.write().await.unwrap();
            on_db!(tx, connection => {
                sqlx::raw_sql(statement).execute(connection).await.unwrap();
            });
            tx.commit().await.unwrap();
        }
        self.second().await.close().await;
    }

    /// Everything stored that should be a leaf of the evidence log is one, and nothing twice.
    async fn log_count(&self) {
        let is_open = self.db.log_signer().is_ok() && !self.tampered.load(Ordering::Relaxed);
        // A test may have closed the database.
        let Some(mut tx) = self.db.read().await.ok().filter(|_| is_open) else { return };
        let records: i64 = tx.log_record_counts().await.unwrap().iter().sum();
        let leaves = tx.log_subject_count().await.unwrap();
        assert_eq!(leaves, records, "leaves of the evidence log, and records that should be one");
    }

    /// Closes every connection and deletes the database.
    pub(crate) async fn end(self) {
        self.log_count().await;
        self.db.close().await;
        if let Storage::Database { admin, name, .. } = self.storage {
            run(&admin, &format!("drop database {name} with (force)")).await;
            admin.close().await;
        }
    }
}

fn signer() -> Signer {
    Signer::new("server-1", Arc::new(SigningKey::from_pkcs8(&SigningKey::generate().unwrap()).unwrap()))
}

async fn run(db: &Db, sql: &str) {
    let Pools::Postgres(pool) = &db.pools else { return };
    sqlx::QueryBuilder::<sqlx::Postgres>::new(sql).build().persistent(false).execute(pool).await.unwrap();
}

/// An office at the top of the tree, with its id.
pub(crate) async fn office(tx: &mut Tx, name: &str, parent: Option<&str>) -> String {
    let office = Office {
        id: new_id(),
        parent: parent.map(str::to_owned),
        name: name.to_owned(),
        kind: OfficeKind::Commune,
        created_at: 1,
        setup_until_at: None,
    };
    tx.office_insert(&Scope::whole(), &office).await.unwrap();
    office.id
}

/// A workstation in use on the roster of `office`, not linked to a machine.
pub(crate) fn line(office: &str, label: &str) -> RosterLine {
    RosterLine {
        id: new_id(),
        office: office.to_owned(),
        label: label.to_owned(),
        room: String::new(),
        person: String::new(),
        role: Role::Workstation,
        state: RosterState::InUse,
        state_by: None,
        state_from_at: None,
        state_until_at: None,
        machine: None,
        created_at: 1,
        removed_at: None,
        serial: String::new(),
        mac: String::new(),
    }
}

/// A confirmed workstation of `office`, with its id.
pub(crate) async fn machine(tx: &mut Tx, office: &str) -> String {
    let machine = Machine {
        id: new_id(),
        office: office.to_owned(),
        role: Role::Workstation,
        status: MachineStatus::Confirmed,
        name: "PC-01".to_owned(),
        place: String::new(),
        traits: Digest::of(b"traits").to_string(),
        token: None,
        enrolled_at: 1,
        confirmed_at: Some(1),
        confirmed_by: Some("lan".to_owned()),
        revoked_at: None,
        revoked_by: None,
        revoked_for: None,
        clone_at: None,
        clone_why: None,
        line: None,
    };
    tx.machine_insert(&Scope::whole(), &machine).await.unwrap();
    machine.id
}

/// Makes a machine unconfirmed, enrolled at `at`.
pub(crate) async fn unconfirm(tx: &mut Tx, machine: &str, at: i64) {
    on_db!(tx, connection => {
        let changed = sqlx::query("update machine set status = 'pending', enrolled_at = $2 where id = $1").bind(machine).bind(at);
        assert_eq!(changed.execute(connection).await.unwrap().rows_affected(), 1);
    });
}

/// Gives a machine another name, as if it had enrolled under it.
pub(crate) async fn rename(tx: &mut Tx, machine: &str, name: &str) {
    on_db!(tx, connection => {
        let renamed = sqlx::query("update machine set name = $2 where id = $1").bind(machine).bind(name);
        assert_eq!(renamed.execute(connection).await.unwrap().rows_affected(), 1);
    });
}

/// A confirmed workstation on the roster of `office` as version 0.1 wrote it, with its id.
pub(crate) async fn machine_of_before(tx: &mut Tx, office: &str) -> String {
    let id = new_id();
    on_db!(tx, connection => {
        let machine = "insert into machine (id, office, role, status, name, traits, enrolled_at, confirmed_at, confirmed_by)
             values ($1, $2, 'workstation', 'confirmed', 'PC-01', $1, 1, 1, 'lan')";
        let line = "insert into roster_line (id, office, label, role, state, machine, created_at)
             values ('line', $2, 'PC-01', 'workstation', 'in_use', $1, 1)";
        for sql in [machine, line] {
            sqlx::query(sql).bind(&id).bind(office).execute(&mut *connection).await.unwrap();
        }
    });
    id
}

/// The head of a machine's chain as version 0.1 wrote it, before migration 6.
pub(crate) async fn head_of_before(tx: &mut Tx, machine: &str, sections: &Sections, at: i64) {
    let line = |(name, state): (&String, &SectionState)| {
        let SectionState { digest, observed_at, received_at, known } = state;
        format!("{name} {digest} {observed_at} {received_at} {}\n", if *known { "known" } else { "unknown" })
    };
    let sections: String = sections.0.iter().map(line).collect();
    on_db!(tx, connection => {
        sqlx::query(
            "insert into machine_head (machine, segment, number, hash, starts, traits, received_at, made_at, clock_offset, sections,
                 stored_day, stored_bytes) values ($1, 1, 1, $2, '', $2, $3, $3, 0, $4, 0, 0)",
        )
        .bind(machine)
        .bind(Digest::of(b"1").to_string())
        .bind(at)
        .bind(&sections)
        .execute(connection)
        .await
        .unwrap();
    });
}

/// Puts a store into the state in which migration 6 leaves an older one: every report came from an agent that read by version 1 of the
/// facts' meaning, and nothing was judged since.
pub(crate) async fn from_schema_1(tx: &mut Tx) {
    on_db!(tx, connection => {
        let sql = "update machine_head set agent = '', schema = 1, schema_best = 1";
        sqlx::query(sql).execute(connection).await.unwrap();
    });
    unjudged(tx).await;
}

/// Marks everything to be judged and graded again, as a migration does when the table of misread facts grew.
pub(crate) async fn unjudged(tx: &mut Tx) {
    on_db!(tx, connection => {
        for sql in ["update judgement set policy = ''", "update office_grade set policy = ''"] {
            sqlx::query(sql).execute(&mut *connection).await.unwrap();
        }
    });
}

/// Has every office graded again, as an event would.
pub(crate) async fn regrade(db: &Db) {
    let mut tx = db.write().await.unwrap();
    on_db!(tx, connection => {
        sqlx::query("update office_grade set next_at = 0").execute(connection).await.unwrap();
    });
    tx.commit().await.unwrap();
}

/// Adds and commits an office; returns its id.
pub(crate) async fn office_made(db: &Db, name: &str, parent: Option<&str>) -> String {
    let mut tx = db.write().await.unwrap();
    let id = office(&mut tx, name, parent).await;
    tx.commit().await.unwrap();
    id
}

/// Records that a server knew a version of the facts' meaning at `at`.
pub(crate) async fn schema_known(tx: &mut Tx, version: u32, at: i64) {
    on_db!(tx, connection => {
        let known = sqlx::query("insert into server_meta (name, value) values ($1, $2)");
        known.bind(format!("schema_{version}_since")).bind(at.to_string()).execute(connection).await.unwrap();
    });
}

/// Counts the rows that a constant query over one bound text returns.
pub(crate) async fn count(tx: &mut Tx, sql: &'static str, value: &str) -> i64 {
    match &mut tx.link {
        Link::Sqlite(link) => sqlx::query_scalar(sql).bind(value).fetch_one(&mut **link).await.unwrap(),
        Link::Postgres(link) => sqlx::query_scalar(sql).bind(value).fetch_one(&mut **link).await.unwrap(),
    }
}

/// Makes two tests of one async function over a [`TestDatabase`]: `NAME::sqlite` and `NAME::postgres`.
macro_rules! on_both {
    ($( $(#[$meta:meta])* async fn $name:ident($test_database:ident: &TestDatabase) $body:block )+) => {
        $(
            mod $name {
                use super::*;

                async fn body($test_database: &$crate::store::test_database::TestDatabase) $body

                $(#[$meta])*
                #[tokio::test]
                async fn sqlite() {
                    let test_database = $crate::store::test_database::TestDatabase::sqlite().await;
                    body(&test_database).await;
                    test_database.end().await;
                }

                $(#[$meta])*
                #[tokio::test]
                async fn postgres() {
                    let Some(test_database) = $crate::store::test_database::TestDatabase::postgres().await else { return };
                    body(&test_database).await;
                    test_database.end().await;
                }
            }
        )+
    };
}

pub(crate) use on_both;
