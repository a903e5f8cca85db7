//! The log over a store with every kind of leaf: that it is whole, proves what it holds, and goes on from where it was.

mod attacks;
mod fill;
mod statements;

use protocol::log::Checkpoint;
use protocol::{Digest, Position, header};

use super::read::Contradiction;
use super::*;
use crate::audit::{Action, Actor, Change};
use crate::store::figure::OfficeDay;
use crate::store::report::{NewFork, NewReport};
use crate::store::test_database::{self, TestDatabase, on_both};

const DAY: i64 = 24 * 60 * 60 * 1000;
const START: i64 = 1_796_000_000_000;

fn report(machine: &str, number: u64, at: i64) -> NewReport {
    let header = format!("{machine} {number}").into_bytes();
    NewReport {
        machine: machine.to_owned(),
        position: Position { segment: 1, number, hash: header::hash(&header) },
        header,
        signature: vec![1],
        received_at: at,
        made_at: at,
    }
}

fn fork(machine: &str, at: i64) -> NewFork {
    let header = format!("{machine} fork {at}").into_bytes();
    NewFork {
        machine: machine.to_owned(),
        position: Position { segment: 1, number: 1, hash: header::hash(&header) },
        header,
        signature: vec![1],
        bodies: vec![],
        start: "start".to_owned(),
        traits: Digest::of(b"traits"),
        received_at: at,
    }
}

fn figure(office: &str, day: &str, at: i64) -> OfficeDay {
    let mut figure = OfficeDay { day: day.to_owned(), frozen_at: at, ..OfficeDay::sample(office) };
    figure.hash = figure.compute_hash();
    figure
}

fn change(subject: &str) -> Change {
    Change::new(Actor::Program, Action::TokenMade, None, subject)
}

/// A store with 310 leaves of every kind, in seven commits on two days.
async fn filled(db: &Db) -> (String, String) {
    let mut tx = db.write().await.unwrap();
    let office = test_database::office(&mut tx, "Xã An", None).await;
    let machine = test_database::machine(&mut tx, &office).await;
    tx.audit_append(START, &change("1")).await.unwrap();
    tx.audit_append(START, &change("2")).await.unwrap();
    tx.commit().await.unwrap();
    for (from, to, at) in [(1, 200, START), (201, 303, START + DAY)] {
        let mut tx = db.write().await.unwrap();
        let reports: Vec<_> = (from..=to).map(|number| report(&machine, number, at)).collect();
        tx.report_insert(&reports.iter().collect::<Vec<_>>()).await.unwrap();
        tx.commit().await.unwrap();
    }
    let mut tx = db.write().await.unwrap();
    tx.fork_insert(&fork(&machine, START)).await.unwrap();
    tx.fork_insert(&fork(&machine, START)).await.unwrap();
    tx.office_day_insert(&figure(&office, "2026-11-22", START + DAY)).await.unwrap();
    tx.office_day_insert(&figure(&office, "2026-11-22", START + DAY)).await.unwrap();
    tx.commit().await.unwrap();
    for subject in ["3", "4", "5"] {
        let mut tx = db.write().await.unwrap();
        tx.audit_append(START + DAY, &change(subject)).await.unwrap();
        tx.commit().await.unwrap();
    }
    (office, machine)
}

async fn checked(test_database: &TestDatabase, against: Option<&Checkpoint>) -> check::Checked {
    test_database.db.log_check(&check::About::All, against).await.unwrap()
}

async fn newest(test_database: &TestDatabase) -> Checkpoint {
    let note = test_database.db.read().await.unwrap().log_checkpoint().await.unwrap().unwrap();
    test_database.signer.verify(&note).unwrap()
}

on_both! {
    async fn everything_stored_is_a_leaf_and_every_leaf_can_be_proved(test_database: &TestDatabase) {
        let db = &test_database.db;
        assert_eq!(db.read().await.unwrap().log_checkpoint().await.unwrap(), None);
        filled(db).await;
        let found = checked(test_database, None).await;
        // The last of the first day, and the newest.
        assert_eq!((found.leaves, found.checkpoints, found.faults), (310, 2, vec![]));
        let mut tx = db.read().await.unwrap();
        let head = tx.log_head().await.unwrap();
        assert_eq!((head.epoch, head.frontier.size(), head.checkpoint_at), (1, 310, START + DAY));
        for index in [0, 1, 2, 201, 255, 256, 257, 304, 305, 306, 309] {
            let (hash, subject) = tx.log_leaf(index).await.unwrap().unwrap();
            let records::Record::There(leaf) = tx.log_record(&subject).await.unwrap() else { panic!("{subject}") };
            assert_eq!(leaf.hash(), hash);
            let file = tx.log_prove(index, &leaf.content).await.unwrap();
            assert_eq!(file.verify(test_database.signer.public_key()).unwrap().size, 310);
        }
        assert_eq!(tx.log_leaf(310).await.unwrap(), None);
        let old = tx.log_checkpoints().await.unwrap();
        let old = test_database.signer.verify(&old[0].note.parse().unwrap()).unwrap();
        assert_eq!(old.size, 202);
        let continued = tx.log_compare(&old).await.unwrap().unwrap();
        assert_eq!((continued.old.size, continued.new.size), (202, 310));
        let beyond = Checkpoint { size: 311, ..old.clone() };
        assert_eq!(tx.log_compare(&beyond).await.unwrap(), Err(Contradiction::Shorter { size: 310 }));
        let other = Checkpoint { root: Digest::of(b"other"), ..old };
        assert_eq!(tx.log_compare(&other).await.unwrap(), Err(Contradiction::Root));
    }

    async fn a_commit_writes_few_rows_however_much_it_holds(test_database: &TestDatabase) {
        let db = &test_database.db;
        let (_, machine) = filled(db).await;
        let rows = async || {
            let mut tx = db.read().await.unwrap();
            let mut count = Vec::new();
            for sql in ["select count(*) from log_leaf where subjects <> $1", "select count(*) from log_subtree where 'x' <> $1",
                "select count(*) from log_checkpoint where note <> $1"] {
                count.push(test_database::count(&mut tx, sql, "").await);
            }
            count
        };
        assert_eq!(rows().await, [7, 1, 1]);
        let mut tx = db.write().await.unwrap();
        let reports: Vec<_> = (1..=200).map(|number| report(&format!("{machine}-2"), number, START + DAY)).collect();
        tx.report_insert(&reports.iter().collect::<Vec<_>>()).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(rows().await, [8, 1, 1], "200 leaves: one row");
    }

    async fn what_is_undone_leaves_no_gap(test_database: &TestDatabase) {
        let db = &test_database.db;
        let (_, machine) = filled(db).await;
        let before = db.read().await.unwrap().log_head().await.unwrap();
        let mut tx = db.write().await.unwrap();
        tx.audit_append(START, &change("dropped")).await.unwrap();
        drop(tx);
        let mut tx = db.write().await.unwrap();
        tx.savepoint().await.unwrap();
        tx.report_insert(&[&report(&machine, 999, START)]).await.unwrap();
        tx.savepoint_rollback().await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(db.read().await.unwrap().log_head().await.unwrap(), before);
        let mut tx = db.write().await.unwrap();
        tx.savepoint().await.unwrap();
        tx.report_insert(&[&report(&machine, 1000, START)]).await.unwrap();
        tx.savepoint_release().await.unwrap();
        tx.savepoint().await.unwrap();
        assert!(tx.report_insert(&[&report(&machine, 1, START)]).await.unwrap_err().is_duplicate());
        tx.savepoint_rollback().await.unwrap();
        tx.audit_append(START, &change("6")).await.unwrap();
        tx.commit().await.unwrap();
        let found = checked(test_database, None).await;
        assert_eq!((found.leaves, found.faults), (312, vec![]));
    }

    async fn two_servers_share_one_log(test_database: &TestDatabase) {
        let other = test_database.second().await;
        let dbs = [&test_database.db, &other];
        let writers = dbs.map(|db| {
            let db = db.clone();
            tokio::spawn(async move {
                for number in 0..20 {
                    let mut tx = db.write().await.unwrap();
                    tx.audit_append(START, &change(&number.to_string())).await.unwrap();
                    tx.commit().await.unwrap();
                }
            })
        });
        for writer in writers {
            writer.await.unwrap();
        }
        let found = checked(test_database, None).await;
        assert_eq!((found.leaves, found.faults), (40, vec![]));
        other.close().await;
    }

    async fn the_end_is_that_of_the_store_whoever_wrote_it(test_database: &TestDatabase) {
        let other = test_database.second().await;
        for (writer, reader) in [(&test_database.db, &other), (&other, &test_database.db)] {
            let mut tx = writer.write().await.unwrap();
            tx.audit_append(START, &change("1")).await.unwrap();
            tx.commit().await.unwrap();
            assert_ne!(reader.log_known(), writer.log_known());
            reader.log_look().await.unwrap();
            assert_eq!(reader.log_known(), writer.log_known());
        }
        other.close().await;
    }

    async fn a_store_that_was_put_back_begins_an_epoch_with_the_last_checkpoint(test_database: &TestDatabase) {
        let db = &test_database.db;
        filled(db).await;
        let last = newest(test_database).await;
        let mut tx = db.write().await.unwrap();
        tx.log_epoch_begin(START + DAY).await.unwrap();
        tx.audit_append(START + DAY, &change("put back")).await.unwrap();
        tx.commit().await.unwrap();
        let new = newest(test_database).await;
        assert_eq!((new.origin.epoch, new.size), (u64::try_from((START + DAY) / 1000).unwrap(), 2));
        let mut tx = db.read().await.unwrap();
        let (_, first) = tx.log_leaf(0).await.unwrap().unwrap();
        assert_eq!(first.to_string(), "checkpoint 1 310");
        assert_eq!(tx.log_compare(&last).await.unwrap().unwrap().new, last, "the epoch before ends there");
        drop(tx);
        let found = checked(test_database, Some(&last)).await;
        assert_eq!((found.leaves, found.checkpoints, found.faults), (312, 3, vec![]));
        let mut tx = db.write().await.unwrap();
        tx.audit_append(START + DAY, &change("after")).await.unwrap();
        tx.log_epoch_begin(0).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(newest(test_database).await.origin.epoch, new.origin.epoch + 1, "also with a clock that starts in 1970");
        assert_eq!(checked(test_database, Some(&last)).await.faults, []);
    }
}

#[tokio::test]
async fn nothing_that_is_a_leaf_is_stored_before_the_log_is_open() {
    let folder = tempfile::tempdir().unwrap();
    let db = Db::open_sqlite(&folder.path().join("tram-an.db")).await.unwrap();
    db.migrate().await.unwrap();
    let mut tx = db.write().await.unwrap();
    tx.audit_append(START, &change("1")).await.unwrap();
    assert!(matches!(tx.commit().await, Err(StoreError::LogClosed)));
    assert_eq!(db.read().await.unwrap().audit_head().await.unwrap().number, 0);
    db.close().await;
}
