//! What somebody with the database could do: each is found, and named.

use super::fault::Fault;
use super::*;
use crate::evidence::Subject;

/// Changes the stored hash of a leaf.
async fn hash_change(test_database: &TestDatabase, first: i64, byte: usize) {
    let mut tx = test_database.db.write().await.unwrap();
    on_db!(tx, connection => {
        let mut hashes: Vec<u8> = sqlx::query_scalar("select hashes from log_leaf where first = $1")
            .bind(first)
            .fetch_one(&mut *connection)
            .await
            .unwrap();
        hashes[byte] ^= 1;
        let changed = sqlx::query("update log_leaf set hashes = $1 where first = $2").bind(hashes).bind(first);
        changed.execute(&mut *connection).await.unwrap();
    });
    tx.commit().await.unwrap();
}

/// Makes the whole log again from what is stored now, signed with the server's own key.
async fn rewrite(test_database: &TestDatabase) {
    test_database
        .tamper(&[
            "delete from log_leaf",
            "delete from log_subtree",
            "delete from log_checkpoint",
            "update log_head set size = 0, frontier = '', checkpoint = '', checkpoint_at = 0, filled = ''",
        ])
        .await;
    test_database.second().await.close().await;
}

async fn faults(test_database: &TestDatabase) -> Vec<Fault> {
    checked(test_database, None).await.faults
}

/// A store to attack, and its machine. Leaves: 0 and 1 audit, 2 to 304 reports, 305 fork, 306 figure, 307 to 309 audit.
async fn whole(test_database: &TestDatabase) -> String {
    let (_, machine) = filled(&test_database.db).await;
    assert_eq!(faults(test_database).await, []);
    test_database.tampered();
    machine
}

on_both! {
    async fn a_row_of_leaves_is_deleted(test_database: &TestDatabase) {
        whole(test_database).await;
        test_database.tamper(&["delete from log_leaf where first = 307"]).await;
        assert_eq!(faults(test_database).await, [Fault::Missing { epoch: 1, from: 307, to: 307 }]);
        test_database.tamper(&["delete from log_leaf where first >= 307"]).await;
        assert_eq!(faults(test_database).await, [Fault::Missing { epoch: 1, from: 307, to: 309 }]);
    }

    async fn the_hash_of_a_leaf_is_changed(test_database: &TestDatabase) {
        let machine = whole(test_database).await;
        hash_change(test_database, 202, 0).await;
        let report = Subject::Report { machine, segment: 1, number: 201 };
        let changed = Fault::Changed { epoch: 1, leaf: 202, subject: report, record: false };
        assert_eq!(faults(test_database).await, [Fault::Tree { epoch: 1, from: 202, to: 255 }, changed]);
    }

    async fn two_leaves_are_exchanged(test_database: &TestDatabase) {
        whole(test_database).await;
        test_database.tamper(&[
            "update log_leaf set first = -1 where first = 308",
            "update log_leaf set first = 308 where first = 309",
            "update log_leaf set first = 309 where first = -1",
        ]).await;
        let moved = Fault::Order { epoch: 1, leaf: 308, expected: 4, found: 5 };
        assert_eq!(faults(test_database).await, [Fault::Tree { epoch: 1, from: 256, to: 309 }, moved]);
    }

    async fn a_leaf_is_added(test_database: &TestDatabase) {
        whole(test_database).await;
        test_database.tamper(&["insert into log_leaf (epoch, first, hashes, subjects) select epoch, 310, hashes, subjects from log_leaf where first = 309"]).await;
        assert_eq!(faults(test_database).await[..], [Fault::Beside { epoch: 1, leaf: 310 }]);
    }

    async fn a_stored_subtree_is_changed(test_database: &TestDatabase) {
        whole(test_database).await;
        test_database.tamper(&["delete from log_subtree"]).await;
        assert_eq!(faults(test_database).await, [Fault::Subtree { epoch: 1, from: 0, to: 255 }]);
    }

    async fn the_end_or_a_checkpoint_is_changed(test_database: &TestDatabase) {
        whole(test_database).await;
        test_database.tamper(&["update log_checkpoint set note = replace(note, 'server-1', 'server-2')"]).await;
        assert_eq!(faults(test_database).await, [Fault::Checkpoint { epoch: 1, size: 202 }]);
        let head = test_database.db.read().await.unwrap().log_head().await.unwrap();
        let mut bytes = head.frontier.to_bytes();
        bytes[0] ^= 1;
        let mut tx = test_database.db.write().await.unwrap();
        on_db!(tx, connection => {
            sqlx::query("update log_head set frontier = $1").bind(bytes).execute(connection).await.unwrap();
        });
        tx.commit().await.unwrap();
        assert_eq!(faults(test_database).await[1..], [Fault::End { epoch: 1 }]);
    }

    async fn a_report_is_deleted(test_database: &TestDatabase) {
        let machine = whole(test_database).await;
        test_database.tamper(&["delete from report where number = 7"]).await;
        let subject = Subject::Report { machine, segment: 1, number: 7 };
        assert_eq!(faults(test_database).await, [Fault::Gone { epoch: 1, leaf: 8, subject }]);
    }

    async fn a_report_is_changed(test_database: &TestDatabase) {
        let machine = whole(test_database).await;
        test_database.tamper(&["update report set received_at = received_at - 1 where number = 7"]).await;
        let subject = Subject::Report { machine, segment: 1, number: 7 };
        let changed = Fault::Changed { epoch: 1, leaf: 8, subject, record: true };
        assert_eq!(faults(test_database).await, std::slice::from_ref(&changed));
        test_database.tamper(&[
            "update report set received_at = received_at + 1 where number = 7",
            "update report set header = (select header from report where number = 8) where number = 7",
        ]).await;
        assert_eq!(faults(test_database).await, [changed]);
    }

    async fn a_report_is_added(test_database: &TestDatabase) {
        let machine = whole(test_database).await;
        test_database.tamper(&[
            "insert into report select machine, segment, 9999, hash, header, signature, received_at, made_at from report where number = 7",
        ]).await;
        assert_eq!(faults(test_database).await, [Fault::Added { subject: format!("report {machine} 1 9999") }]);
    }

    async fn a_leaf_stands_twice_and_another_record_is_added(test_database: &TestDatabase) {
        let machine = whole(test_database).await;
        let mut tx = test_database.db.write().await.unwrap();
        let subject = Subject::Report { machine: machine.clone(), segment: 1, number: 7 };
        let records::Record::There(leaf) = tx.log_record(&subject).await.unwrap() else { panic!("{subject}") };
        tx.log_note(leaf);
        tx.commit().await.unwrap();
        assert_eq!(faults(test_database).await, [Fault::Twice { subject: subject.clone() }]);
        test_database.tamper(&[
            "insert into report select machine, segment, 9999, hash, header, signature, received_at, made_at from report where number = 7",
        ]).await;
        let added = Fault::Added { subject: format!("report {machine} 1 9999") };
        assert_eq!(faults(test_database).await, [Fault::Twice { subject }, added]);
    }

    async fn an_audit_entry_is_changed(test_database: &TestDatabase) {
        whole(test_database).await;
        test_database.tamper(&["update audit_entry set subject = 'other' where number = 2"]).await;
        let changed = Fault::Changed { epoch: 1, leaf: 1, subject: Subject::Audit { number: 2 }, record: true };
        assert_eq!(faults(test_database).await, [changed]);
    }

    async fn a_figure_or_a_fork_is_changed(test_database: &TestDatabase) {
        whole(test_database).await;
        test_database.tamper(&["update office_day set score = 1"]).await;
        let found = faults(test_database).await;
        assert!(matches!(found[..], [Fault::Changed { leaf: 306, record: true, subject: Subject::Figure { .. }, .. }]));
        test_database.tamper(&["delete from fork"]).await;
        let found = faults(test_database).await;
        assert!(matches!(found[..], [Fault::Gone { leaf: 305, subject: Subject::Fork { .. }, .. }]));
    }

    async fn the_whole_log_is_rewritten_and_signed_again(test_database: &TestDatabase) {
        whole(test_database).await;
        let kept = newest(test_database).await;
        test_database.tamper(&["delete from report where number = 7"]).await;
        rewrite(test_database).await;
        assert_eq!(faults(test_database).await, [], "nothing inside shows it");
        let against = checked(test_database, Some(&kept)).await.faults;
        assert_eq!(against, [Fault::Against { epoch: 1, size: 310, found: 309 }]);
        let compared = test_database.db.read().await.unwrap().log_compare(&kept).await.unwrap();
        assert_eq!(compared, Err(Contradiction::Shorter { size: 309 }));
        // And made as long as before.
        let mut tx = test_database.second().await.write().await.unwrap();
        tx.audit_append(START, &change("6")).await.unwrap();
        tx.commit().await.unwrap();
        let against = checked(test_database, Some(&kept)).await.faults;
        assert_eq!(against, [Fault::Against { epoch: 1, size: 310, found: 310 }]);
        let compared = test_database.db.read().await.unwrap().log_compare(&kept).await.unwrap();
        assert_eq!(compared, Err(Contradiction::Root));
    }
}
