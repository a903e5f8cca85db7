//! What a commit of reports costs, counted and not timed: statements, and pages written.

use super::*;
use crate::ingest::commit::Committer;
use crate::store::test_database::on_both;

/// Reports in one commit.
const BATCH: usize = 64;

/// A machine's next report after `change`, one a machine, in one commit; returns the statements it took.
async fn commit(
    committer: &mut Committer,
    test_server: &TestServer,
    machines: &mut [Machine],
    (change, form): (&str, Form),
) -> u64 {
    let db = &test_server.app.db;
    let (mut batch, mut answers) = (Vec::new(), Vec::new());
    for machine in machines.iter_mut() {
        let report = match (machine.head, change) {
            (None, _) => machine.full(),
            (_, "") => machine.report(&[]),
            _ => {
                machine.set("lan", change);
                machine.report(&["lan"])
            }
        };
        let (job, answer) = job(db, machine, &report).await;
        batch.push(Job { form, ..job });
        answers.push(answer);
    }
    let before = db.health().statements();
    committer.commit(batch, START).await;
    let statements = db.health().statements() - before;
    for answer in answers {
        let Taken { answers, logged, .. } = answer.await.unwrap();
        let [crate::ingest::Answer::Accepted { position, .. }] = &answers[..] else { panic!("{answers:?}") };
        let logged = logged.unwrap();
        assert!(
            machines.iter().any(|machine| logged.receipt(&machine.id, position).is_some()),
            "proved without a read"
        );
    }
    statements
}

async fn machines(test_server: &TestServer) -> Vec<Machine> {
    let mut machines = Vec::new();
    for _ in 0..BATCH {
        machines.push(test_server.machine().await);
    }
    machines.sort_by(|one, other| one.id.cmp(&other.id));
    machines
}

on_both! {
    async fn statements_belong_to_a_commit_and_not_to_its_reports(test_database: &TestDatabase) {
        let test_server = TestServer::open(test_database).await;
        let mut machines = machines(&test_server).await;
        let mut committer = Committer::new(test_server.app.db.clone(), Arc::new(Unjudged), Arc::default());
        let mut taken =
            async |change, form| commit(&mut committer, &test_server, &mut machines, (change, form)).await;
        let first = taken("", Form::Logged).await;
        let unchanged = taken("", Form::Logged).await;
        let changed = taken(r#"{"forwards":{"known":true}}"#, Form::Logged).await;
        // A savepoint and its end, machines, heads, reports, rosters, two for the events and two for the evidence log.
        assert!(unchanged <= 10, "{unchanged}");
        // With the list of sections, and bodies kept and retired.
        assert!(changed <= 13, "{changed}");
        // With the break in every chain; two bodies each come in two pieces.
        assert!(first <= 15, "{first}");
        // Receipts of the first form name the audit log's end, which is read once a commit; and the 256th leaf completes a subtree.
        assert_eq!(taken("", Form::Signed).await, unchanged + 2);
    }
}

#[tokio::test]
async fn pages_written_for_unchanged_reports_are_few() {
    let test_database = TestDatabase::sqlite().await;
    let test_server = TestServer::open(&test_database).await;
    let mut machines = machines(&test_server).await;
    let mut committer = Committer::new(test_server.app.db.clone(), Arc::new(Unjudged), Arc::default());
    commit(&mut committer, &test_server, &mut machines, ("", Form::Logged)).await;
    let before = test_database.pages_logged();
    commit(&mut committer, &test_server, &mut machines, ("", Form::Logged)).await;
    let pages = test_database.pages_logged() - before;
    assert!(pages <= 2 * BATCH as u64, "{pages} pages for {BATCH} reports");
    test_database.end().await;
}
