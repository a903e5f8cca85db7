//! A store from before the log: taken in once, in order, also when the server was killed meanwhile.

use super::*;

/// The last migration without a log.
const OF_BEFORE: i64 = 12;

/// A store as the program of before wrote it.
async fn old(test_database: &TestDatabase) {
    test_database.migrate_to(OF_BEFORE).await;
    let mut tx = test_database.db.write().await.unwrap();
    let office = test_database::office(&mut tx, "Xã An", None).await;
    let machine = test_database::machine(&mut tx, &office).await;
    // The later number arrived first: the server's clock went back.
    tx.report_insert(&[
        &report(&machine, 1, START + 9),
        &report(&machine, 2, START + 1),
        &report(&machine, 3, START + 9),
    ])
    .await
    .unwrap();
    tx.fork_insert(&fork(&machine, START)).await.unwrap();
    tx.fork_insert(&fork(&machine, START + 1)).await.unwrap();
    for day in ["2026-11-22", "2026-11-21"] {
        tx.office_day_insert(&figure(&office, day, START)).await.unwrap();
    }
    for subject in 1..=5 {
        tx.audit_append(START + 5, &change(&subject.to_string())).await.unwrap();
    }
    tx.commit().await.unwrap();
}

async fn subjects(db: &Db) -> Vec<String> {
    let mut tx = db.read().await.unwrap();
    let rows = tx.log_rows_from(1, 0, 1000).await.unwrap();
    rows.iter().flat_map(|row| row.subjects.lines()).map(kind_and_end).collect()
}

/// The kind and the last word of a subject: ids differ from run to run.
fn kind_and_end(line: &str) -> String {
    let mut words = line.split(' ');
    let kind = words.next().unwrap_or_default();
    let end = if kind == "figure" { words.nth(1) } else { words.next_back() };
    let end = if kind == "fork" { "" } else { end.unwrap_or_default() };
    format!("{kind} {end}").trim_end().to_owned()
}

async fn an_old_store_is_taken_in(test_database: &TestDatabase) {
    old(test_database).await;
    let db = &test_database.db;
    db.migrate().await.unwrap();
    db.log.signer.set(test_database.signer.clone()).unwrap();
    // Some pieces, then the server is killed; the next goes on, and two do at once.
    for _ in 0..4 {
        assert!(db.log_fill_step(2).await.unwrap().is_some());
    }
    assert_eq!(subjects(db).await, ["audit 1", "audit 2", "audit 3", "audit 4", "audit 5", "report 2", "report 1"]);
    let (one, other) = tokio::join!(test_database.second(), test_database.second());
    assert_eq!(db.log_fill_step(2).await.unwrap(), None);
    let wanted = [
        "audit 1",
        "audit 2",
        "audit 3",
        "audit 4",
        "audit 5",
        "report 2",
        "report 1",
        "report 3",
        "fork",
        "fork",
        "figure 2026-11-21",
        "figure 2026-11-22",
    ];
    assert_eq!(subjects(db).await, wanted);
    // What comes now follows, by whichever server.
    for (db, subject) in [(&one, "6"), (&other, "7"), (db, "8")] {
        let mut tx = db.write().await.unwrap();
        tx.audit_append(START + 5, &change(subject)).await.unwrap();
        tx.commit().await.unwrap();
    }
    let found = checked(test_database, None).await;
    assert_eq!((found.leaves, found.faults), (15, vec![]));
    one.close().await;
    other.close().await;
}

#[tokio::test]
async fn an_old_store_is_taken_in_sqlite() {
    let test_database = TestDatabase::sqlite_empty().await;
    an_old_store_is_taken_in(&test_database).await;
    test_database.end().await;
}

#[tokio::test]
async fn an_old_store_is_taken_in_postgres() {
    let Some(test_database) = TestDatabase::postgres_empty().await else { return };
    an_old_store_is_taken_in(&test_database).await;
    test_database.end().await;
}
