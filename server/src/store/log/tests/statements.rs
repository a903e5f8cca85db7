//! What an append costs every report: statements, and on SQLite pages written.

use super::*;

on_both! {
    async fn an_append_is_two_statements_whatever_the_commit_holds(test_database: &TestDatabase) {
        let db = &test_database.db;
        let (_, machine) = filled(db).await;
        let machine = format!("{machine}-2");
        let mut reports = 1..;
        // The first commit has no leaf; 202 leaves complete a subtree.
        for (count, wanted, pages) in [(0, 0, 0), (1, 2, 5), (199, 2, 30), (2, 3, 6), (1, 2, 5)] {
            let mut tx = db.write().await.unwrap();
            let some: Vec<_> = reports.by_ref().take(count).map(|number| report(&machine, number, START + DAY)).collect();
            tx.report_insert(&some.iter().collect::<Vec<_>>()).await.unwrap();
            let before = (db.health().statements(), test_database.pages_logged());
            tx.commit().await.unwrap();
            assert_eq!(db.health().statements() - before.0, wanted, "{count} leaves");
            // With those of the reports: a row, and its key in the index. The log's are its end and the row of leaves.
            let written = test_database.pages_logged() - before.1;
            assert!(written <= pages, "{written} pages for {count} leaves");
        }
    }
}
