//! Packed headers: every byte comes back, whoever reads meanwhile, also those of a store from before; and what retention removes is told from
//! what somebody took away.

use protocol::header::hash;
use protocol::{Position, Report, ReportAnswer};

use super::*;
use crate::config::retention::Retention;
use crate::ingest::tests::{Machine, TestServer};
use crate::jobs::packing::headers_pack;
use crate::jobs::retention::retention_apply;
use crate::store::log::check::About;
use crate::store::log::fault::Fault;
use crate::store::report::NewReport;
use crate::store::test_database::{self, TestDatabase, on_both};
use crate::store::{Db, Scope};

const START: i64 = 1_795_305_600_000;
const DAY: i64 = 24 * 60 * 60 * 1000;

/// A machine that sent `count` reports at START.
async fn reported(test_server: &TestServer, count: usize) -> (Machine, Vec<Report>) {
    let mut machine = test_server.machine().await;
    let first = machine.full();
    go_on(test_server, machine, vec![first], count).await
}

/// The same after these.
async fn go_on(
    test_server: &TestServer,
    mut machine: Machine,
    mut reports: Vec<Report>,
    count: usize,
) -> (Machine, Vec<Report>) {
    for _ in reports.len()..count {
        machine.made_at += 1;
        reports.push(machine.report(&[]));
    }
    for answer in test_server.send(&machine, &reports).await {
        assert!(matches!(answer, ReportAnswer::Accepted { .. }), "{answer:?}");
    }
    (machine, reports)
}

async fn header_of(db: &Db, machine: &str, number: usize) -> Vec<u8> {
    let mut tx = db.read().await.unwrap();
    tx.report_get(machine, 1, u64::try_from(number).unwrap()).await.unwrap().unwrap().header
}

async fn plain(db: &Db, machine: &str) -> i64 {
    let sql = "select count(*) from report where machine = $1 and length(header) > 0";
    test_database::count(&mut db.read().await.unwrap(), sql, machine).await
}

async fn apply(db: &Db, days: i64) -> u64 {
    let now = jiff::Timestamp::from_millisecond(START + days * DAY).unwrap();
    retention_apply(db, &Retention::default(), now).await.unwrap()
}

async fn tamper(test_database: &TestDatabase, statement: &'static str) {
    test_database.tampered();
    let mut tx = test_database.db.write().await.unwrap();
    on_db!(tx, connection => {
        sqlx::query(statement).execute(connection).await.unwrap();
    });
    tx.commit().await.unwrap();
}

async fn faults(test_database: &TestDatabase) -> (u64, Vec<Fault>) {
    let checked = test_database.db.log_check(&About::All, None).await.unwrap();
    (checked.removed, checked.faults)
}

on_both! {
    async fn old_headers_are_packed_and_every_byte_comes_back(test_database: &TestDatabase) {
        let test_server = TestServer::open(test_database).await;
        let mut machine = test_server.machine().await;
        let first = vec![machine.full(), machine.report(&[])];
        let mut twin = machine.clone();
        let (mut machine, reports) = go_on(&test_server, machine, first, 70).await;
        let db = &test_server.app.db;
        assert_eq!(headers_pack(db, START + DAY / 2).await.unwrap(), 0, "they are young");
        assert_eq!(headers_pack(db, START + 2 * DAY).await.unwrap(), 64);
        assert_eq!(headers_pack(db, START + 2 * DAY).await.unwrap(), 0, "the rest waits for more");
        assert_eq!(plain(db, &machine.id).await, 6);
        for (number, report) in (1..).zip(&reports) {
            assert_eq!(header_of(db, &machine.id, number).await, report.header, "{number}");
        }
        assert_eq!(faults(test_database).await, (0, vec![]));

        // The chain goes on, a packed report that comes again is the same one, and another in its place is a branch.
        let next = machine.report(&[]);
        test_server.accepted(&machine, &next).await;
        test_server.accepted(&machine, &reports[2]).await;
        twin.made_at += 7;
        let answers = test_server.send(&twin, &[twin.clone().report(&[])]).await;
        assert!(matches!(answers[0], ReportAnswer::Refused { .. }), "{answers:?}");
        assert_eq!(faults(test_database).await, (0, vec![]));
        // Of a machine that fell silent the rest is packed as well.
        assert_eq!(headers_pack(db, START + 40 * DAY).await.unwrap(), 7);
        assert_eq!(plain(db, &machine.id).await, 0);
        assert_eq!(header_of(db, &machine.id, 70).await, reports[69].header);
        assert_eq!(headers_pack(db, START + 41 * DAY).await.unwrap(), 0);
    }

    async fn whoever_reads_while_they_are_packed_finds_each(test_database: &TestDatabase) {
        let test_server = TestServer::open(test_database).await;
        let (machine, reports) = reported(&test_server, 96).await;
        let (db, other) = (&test_server.app.db, test_database.second().await);
        let before = db.read().await.unwrap();
        let reading = async {
            for _ in 0..3 {
                for (number, report) in (1..).zip(&reports) {
                    assert_eq!(header_of(db, &machine.id, number).await, report.header, "{number}");
                }
            }
        };
        let (one, two, ()) = tokio::join!(headers_pack(db, START + 2 * DAY), headers_pack(&other, START + 2 * DAY), reading);
        assert_eq!(one.unwrap() + two.unwrap(), 96, "each block by one of two servers");
        let mut before = before;
        let seen = before.report_list(&Scope::whole(), &machine.id, 100).await.unwrap();
        assert!(seen.iter().rev().zip(&reports).all(|(seen, report)| seen.header == report.header));
        drop(before);
        assert_eq!(faults(test_database).await, (0, vec![]));
        other.close().await;
    }

    async fn what_retention_removed_is_not_missing_and_what_somebody_took_is(test_database: &TestDatabase) {
        let test_server = TestServer::open(test_database).await;
        let (mut machine, reports) = reported(&test_server, 40).await;
        let db = &test_server.app.db;
        headers_pack(db, START + 40 * DAY).await.unwrap();
        assert_eq!(apply(db, 300).await, 0);
        assert_eq!(header_of(db, &machine.id, 1).await, reports[0].header);
        assert_eq!(apply(db, 400).await, 2, "two blocks");
        assert_eq!(apply(db, 400).await, 0);
        assert_eq!(header_of(db, &machine.id, 1).await, Vec::<u8>::new());
        let mut tx = db.read().await.unwrap();
        let report = tx.report_get(&machine.id, 1, 1).await.unwrap().unwrap();
        assert_eq!((report.hash, report.signature), (reports[0].hash().to_string(), reports[0].signature.clone()));
        let entries = tx.audit_list(&Scope::whole(), i64::MAX, 9).await.unwrap();
        assert_eq!(entries.iter().filter(|entry| entry.action == "headers_removed").count(), 1);
        drop(tx);
        assert_eq!(faults(test_database).await, (40, vec![]));
        assert_eq!(headers_pack(db, START + 401 * DAY).await.unwrap(), 0, "nothing is left to pack");

        // The same report, come again, is still known.
        test_server.accepted(&machine, &reports[2]).await;
        // The chain ends where it ended; what is taken away by hand before its time is a fault.
        let next = machine.report(&[]);
        test_server.accepted(&machine, &next).await;
        tamper(test_database, "update audit_entry set detail = '{}' where action = 'headers_removed'").await;
        let (_, found) = faults(test_database).await;
        assert!(found.iter().any(|fault| matches!(fault, Fault::Changed { record: true, .. })), "{found:?}");
    }

    async fn a_header_taken_away_before_its_time_is_a_fault(test_database: &TestDatabase) {
        let test_server = TestServer::open(test_database).await;
        let (machine, _) = reported(&test_server, 40).await;
        headers_pack(&test_server.app.db, START + 40 * DAY).await.unwrap();
        tamper(test_database, "update header_block set bytes = '' where first_number = 1").await;
        let (_, found) = faults(test_database).await;
        let Some(Fault::Changed { subject, record: true, .. }) = found.first() else { panic!("{found:?}") };
        assert_eq!(subject.to_string(), format!("report {} 1 1", machine.id));
    }
}

/// Rows as the program of before wrote them: every header plain.
async fn a_store_from_before(test_database: &TestDatabase) {
    test_database.migrate_to(16).await;
    test_database.log_open().await;
    let db = &test_database.db;
    let header = |number: u64| format!("header {number} of a machine of before").repeat(9).into_bytes();
    let mut tx = db.write().await.unwrap();
    let office = test_database::office(&mut tx, "Xã An", None).await;
    let machine = test_database::machine(&mut tx, &office).await;
    let reports = (1..=100).map(|number| NewReport {
        machine: machine.clone(),
        position: Position { segment: if number > 90 { 2 } else { 1 }, number, hash: hash(&header(number)) },
        header: header(number),
        signature: vec![1],
        received_at: START + i64::try_from(number).unwrap(),
        made_at: START,
    });
    let reports: Vec<NewReport> = reports.collect();
    tx.report_insert(&reports.iter().collect::<Vec<_>>()).await.unwrap();
    on_db!(tx, connection => {
        sqlx::query(
            "insert into machine_head (machine, segment, number, hash, starts, traits, received_at, made_at, clock_offset, stored_day,
                 stored_bytes) values ($1, 2, 100, '', '', '', $2, $2, 0, 0, 0)",
        )
        .bind(&machine)
        .bind(START)
        .execute(connection)
        .await
        .unwrap();
    });
    tx.commit().await.unwrap();
    db.migrate().await.unwrap();
    assert_eq!(headers_pack(db, START + 2 * DAY).await.unwrap(), 90, "the last segment goes on");
    assert_eq!(headers_pack(db, START + 90 * DAY).await.unwrap(), 10);
    assert_eq!(plain(db, &machine).await, 0);
    for number in 1..=100_u64 {
        let segment = if number > 90 { 2 } else { 1 };
        let report = db.read().await.unwrap().report_get(&machine, segment, number).await.unwrap().unwrap();
        assert_eq!(report.header, header(number), "{number}");
    }
    let checked = db.log_check(&About::All, None).await.unwrap();
    assert_eq!((checked.leaves, checked.faults), (100, vec![]));
}

#[tokio::test]
async fn a_store_from_before_is_packed_sqlite() {
    let test_database = TestDatabase::sqlite_empty().await;
    a_store_from_before(&test_database).await;
    test_database.end().await;
}

#[tokio::test]
async fn a_store_from_before_is_packed_postgres() {
    let Some(test_database) = TestDatabase::postgres_empty().await else { return };
    a_store_from_before(&test_database).await;
    test_database.end().await;
}

#[test]
fn a_damaged_block_gives_no_header() {
    let report = |number| StoredReport {
        segment: 1,
        number,
        hash: String::new(),
        header: vec![7; 3000],
        signature: Vec::new(),
        received_at: number,
        made_at: 0,
    };
    // A gap ends a block.
    let block = HeaderBlock::pack("m", &[report(5), report(6), report(8)]).unwrap();
    assert_eq!((block.first_number, block.last_number, block.first_at, block.last_at), (5, 6, 5, 6));
    assert_eq!(block.headers(), [vec![7; 3000], vec![7; 3000]]);
    assert_eq!(HeaderBlock::pack("m", &[]), None);
    let cut = HeaderBlock { bytes: block.bytes[..block.bytes.len() - 3].to_vec(), ..block };
    assert_eq!(cut.headers(), Vec::<Vec<u8>>::new());
}
