//! What a commit of reports costs, counted and not timed: statements, and pages written.

use super::*;
use crate::ingest::commit::Committer;
use crate::store::test_database::on_both;

/// Reports in one commit.
const BATCH: usize = 64;

/// A machine's next report after `change`, one a machine, in one commit; returns the statements it took.
async fn commit(committer: &mut Committer, test_server: &TestServer, machines: &mut [Machine], change: &str) -> u64 {
    let db = &test_server.app.db;
    let (mut batch, mut answers) = (Vec::new(), Vec::new());
    for machine in machines {
        let report = match (machine.head, change) {
            (None, _) => machine.full(),
            (_, "") => machine.report(&[]),
            _ => {
                machine.set("lan", change);
                machine.report(&["lan"])
            }
        };
        let (job, answer) = job(db, machine, &report).await;
        batch.push(job);
        answers.push(answer);
    }
    let before = db.health().statements();
    committer.commit(batch, START).await;
    let statements = db.health().statements() - before;
    for answer in answers {
        let answers = answer.await.unwrap().answers;
        assert!(matches!(answers[..], [crate::ingest::Answer::Accepted { .. }]), "{answers:?}");
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
        let mut taken = async |change| commit(&mut committer, &test_server, &mut machines, change).await;
        let first = taken("").await;
        let (unchanged, changed) = (taken("").await, taken(r#"{"forwards":{"known":true}}"#).await);
        // A savepoint and its end, machines, heads, reports, rosters, the audit log's end, two for the events and two for the evidence log.
        assert!(unchanged <= 11, "{unchanged}");
        // With the list of sections, and bodies kept and retired.
        assert!(changed <= 14, "{changed}");
        // With the break in every chain; two bodies each come in two pieces.
        assert!(first <= 16, "{first}");
    }
}

#[tokio::test]
async fn pages_written_for_unchanged_reports_are_few() {
    let test_database = TestDatabase::sqlite().await;
    let test_server = TestServer::open(&test_database).await;
    let mut machines = machines(&test_server).await;
    let mut committer = Committer::new(test_server.app.db.clone(), Arc::new(Unjudged), Arc::default());
    commit(&mut committer, &test_server, &mut machines, "").await;
    let before = test_database.pages_logged();
    commit(&mut committer, &test_server, &mut machines, "").await;
    let pages = test_database.pages_logged() - before;
    assert!(pages <= 2 * BATCH as u64, "{pages} pages for {BATCH} reports");
    test_database.end().await;
}

/// On several threads, as the server runs: each machine sends its next report as soon as the one before is answered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn machines_that_report_at_once_share_commits() {
    let test_database = TestDatabase::sqlite().await;
    let test_server = TestServer::open(&test_database).await;
    let db = &test_server.app.db;
    let mut sent = Vec::new();
    for mut machine in machines(&test_server).await {
        let peer = db.read().await.unwrap().machine_peer(&machine.key_id).await.unwrap().unwrap();
        let reports = [machine.full(), machine.report(&[]), machine.report(&[]), machine.report(&[])];
        sent.push((machine.id, reports.map(|report| crate::ingest::check(report, &peer).unwrap())));
    }
    let before = db.health().statements();
    let mut tasks = tokio::task::JoinSet::new();
    for (machine, reports) in sent {
        let app = test_server.app.clone();
        tasks.spawn(async move {
            for report in reports {
                let taken = app.ingest.take(&machine, vec![report]).await.unwrap();
                assert!(matches!(taken.answers[..], [crate::ingest::Answer::Accepted { .. }]));
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    // Commits of six would already need almost as many.
    let statements = db.health().statements() - before;
    assert!(statements <= 2 * 4 * BATCH as u64, "{statements}");
    test_database.end().await;
}
