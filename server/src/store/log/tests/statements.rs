//! What an append costs every report: statements, counted as they go to the database.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

use super::*;

/// Counts statements. On SQLite they run on another thread, whose events it does not see; the text is the same.
#[derive(Clone, Default)]
struct Statements(Arc<AtomicUsize>);

impl<S: Subscriber> Layer<S> for Statements {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        self.0.fetch_add(usize::from(event.metadata().target() == "sqlx::query"), Ordering::Relaxed);
    }
}

#[tokio::test]
async fn an_append_is_two_statements_whatever_the_commit_holds() {
    let Some(test_database) = TestDatabase::postgres().await else { return };
    let db = &test_database.db;
    let (_, machine) = filled(db).await;
    let counted = Statements::default();
    let _guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(counted.clone()));
    let (mut reports, mut without) = (1.., 0);
    // The first commit has no leaf; 202 leaves complete a subtree.
    for (count, wanted) in [(0, 0), (1, 2), (199, 2), (2, 3), (1, 2)] {
        let mut tx = db.write().await.unwrap();
        let machine = format!("{machine}-2");
        let some: Vec<_> = reports.by_ref().take(count).map(|number| report(&machine, number, START + DAY)).collect();
        tx.report_insert(&some.iter().collect::<Vec<_>>()).await.unwrap();
        let before = counted.0.load(Ordering::Relaxed);
        tx.commit().await.unwrap();
        let statements = counted.0.load(Ordering::Relaxed) - before;
        without = if count == 0 { statements } else { without };
        assert!(without > 0, "nothing was counted");
        assert_eq!(statements - without, wanted, "{count} leaves");
    }
    drop(_guard);
    test_database.end().await;
}
