//! Receipts of the second form: what an agent that announces them can check, and what it can show later.

use protocol::log::continuation::{Continued, Contradiction, checkpoint_read};
use protocol::log::{Checkpoint, LogAnswer, LogRequest};
use protocol::path;
use protocol::report::ANNOUNCED;

use super::*;
use crate::store::log::check::About;
use crate::store::test_database::on_both;

impl TestServer {
    /// Sends reports as an agent that takes receipts of the second form; returns the answers as they came.
    async fn announced(&self, machine: &Machine, reports: &[Report]) -> ReportAnswers {
        let mut body = Vec::new();
        reports.iter().for_each(|report| report.encode_into(&mut body));
        let (status, answer) = self.ask(machine, &format!("{}?{ANNOUNCED}", path::REPORTS), body).await;
        assert_eq!(status, StatusCode::OK, "{}", String::from_utf8_lossy(&answer));
        serde_json::from_slice(&answer).unwrap()
    }

    /// The key that signs the test database's log.
    fn point(&self) -> &[u8] {
        self.app.db.log_signer().unwrap().public_key()
    }

    fn checkpoint(&self, note: &str) -> Checkpoint {
        checkpoint_read(note, "server-1", self.point()).unwrap()
    }

    /// Sends reports that must all be accepted and proved; returns the checkpoint.
    async fn proved(&self, machine: &Machine, reports: &[Report]) -> String {
        let answers = self.announced(machine, reports).await;
        let note = answers.checkpoint.unwrap();
        let checkpoint = self.checkpoint(&note);
        for (report, answer) in reports.iter().zip(&answers.results) {
            let ReportAnswer::Logged { receipt } = answer else { panic!("{answer:?}") };
            let position = Header::decode(&report.header).unwrap().position(&report.header);
            assert_eq!(receipt.verify(&machine.id, &position, &checkpoint), Ok(()));
            let other = Position { hash: Digest::ZERO, ..position };
            assert!(receipt.verify(&machine.id, &other, &checkpoint).is_err());
        }
        note
    }

    /// The machine's next report, proved.
    async fn next(&self, machine: &mut Machine) -> String {
        let report = if machine.head.is_none() { machine.full() } else { machine.report(&[]) };
        self.proved(machine, &[report]).await
    }

    async fn shown(&self, machine: &Machine, note: &str) -> Result<LogAnswer, Refusal> {
        let body = serde_json::to_vec(&LogRequest { checkpoint: note.to_owned() }).unwrap();
        let (status, answer) = self.ask(machine, path::LOG, body).await;
        match status {
            StatusCode::OK => Ok(serde_json::from_slice(&answer).unwrap()),
            _ => Err(serde_json::from_slice(&answer).unwrap()),
        }
    }

    /// What an agent makes of the answer about the checkpoint that it kept.
    async fn judged(&self, machine: &Machine, note: &str) -> Result<Continued, Contradiction> {
        let answer = self.shown(machine, note).await.unwrap();
        answer.judge(&self.checkpoint(note), "server-1", self.point())
    }

    async fn audited(&self, action: &str) -> i64 {
        let mut tx = self.app.db.read().await.unwrap();
        test_database::count(&mut tx, "select count(*) from audit_entry where action = $1", action).await
    }
}

on_both! {
    async fn every_report_is_proved_and_the_same_again_too(test_database: &TestDatabase) {
        let test_server = TestServer::open(test_database).await;
        let (mut one, mut other) = (test_server.machine().await, test_server.machine().await);
        let first = one.full();
        test_server.proved(&one, std::slice::from_ref(&first)).await;
        let more: Vec<Report> = (0..20).map(|_| one.report(&[])).collect();
        let note = test_server.proved(&one, &more).await;
        let sent = test_server.checkpoint(&note).size;
        // The answer was lost meanwhile: the same again, while others report and a subtree of 256 leaves fills up.
        test_server.next(&mut other).await;
        for _ in 0..12 {
            let reports: Vec<Report> = (0..25).map(|_| other.report(&[])).collect();
            test_server.proved(&other, &reports).await;
        }
        let again = test_server.proved(&one, &more).await;
        assert!(test_server.checkpoint(&again).size >= sent + 301, "against the present checkpoint");
        assert_eq!(test_server.reports(&one).await, 21);
        // Old and new ones in one request, and what is refused keeps its form.
        let both = [more[19].clone(), one.report(&[])];
        test_server.proved(&one, &both).await;
        let gap = { one.report(&[]); one.report(&[]) };
        let answers = test_server.announced(&one, &[more[19].clone(), gap]).await;
        assert!(matches!(answers.results[..], [ReportAnswer::Logged { .. }, ReportAnswer::Refused { .. }]));
        let found = test_database.db.log_check(&About::All, None).await.unwrap();
        assert_eq!(found.faults, []);
    }

    async fn who_does_not_announce_gets_the_first_form(test_database: &TestDatabase) {
        let test_server = TestServer::open(test_database).await;
        let mut machine = test_server.machine().await;
        let report = machine.full();
        test_server.accepted(&machine, &report).await;
        let mut body = Vec::new();
        report.encode_into(&mut body);
        let (_, answer) = test_server.post(&machine, body).await;
        let answer: serde_json::Value = serde_json::from_slice(&answer).unwrap();
        let keys: Vec<&String> = answer.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["assignment", "results", "server_time_at"]);
        assert_eq!(answer["results"][0]["status"], "accepted");
        // What was stored then is proved to the agent that comes after an update.
        test_server.proved(&machine, &[report]).await;
    }

    async fn what_the_store_cannot_find_gets_the_first_form(test_database: &TestDatabase) {
        let test_server = TestServer::open(test_database).await;
        let mut machine = test_server.machine().await;
        let report = machine.full();
        test_server.proved(&machine, std::slice::from_ref(&report)).await;
        let mut tx = test_database.db.write().await.unwrap();
        tx.log_epoch_begin(0).await.unwrap();
        tx.commit().await.unwrap();
        let answers = test_server.announced(&machine, &[report]).await;
        let [ReportAnswer::Accepted { receipt }] = &answers.results[..] else { panic!("{answers:?}") };
        assert!(receipt.open(test_server.app.secrets.receipt.public_key()).is_ok());
        assert_eq!(answers.checkpoint, None);
    }

    async fn two_servers_share_the_log_and_the_answers_of_both_prove(test_database: &TestDatabase) {
        let one = TestServer::open(test_database).await;
        let other = TestServer::over(test_database.second().await, one.office.clone()).await;
        let mut machine = one.machine().await;
        let first = machine.full();
        let mut kept = one.proved(&machine, std::slice::from_ref(&first)).await;
        for _ in 0..4 {
            for server in [&other, &one] {
                let note = server.next(&mut machine).await;
                let continued = server.judged(&machine, &kept).await;
                assert_eq!(continued, Ok(Continued::Same(server.checkpoint(&note))));
                kept = note;
            }
        }
        other.proved(&machine, &[first]).await;
    }

    async fn a_machine_that_shows_a_longer_checkpoint_opens_the_next_epoch(test_database: &TestDatabase) {
        let test_server = TestServer::open(test_database).await;
        let (mut machine, mut witness) = (test_server.machine().await, test_server.machine().await);
        let stranger = test_server.machine().await;
        let early = test_server.next(&mut machine).await;
        let copy = test_database.db.read().await.unwrap().log_head().await.unwrap();
        let late = test_server.next(&mut witness).await;
        test_database.log_put_back(&copy).await;
        let before = test_server.judged(&machine, &early).await;
        assert_eq!(before, Ok(Continued::Same(test_server.checkpoint(&early))), "what the copy holds opens nothing");
        // Not the server's word: nothing happens.
        let forged = late.replacen("\n2\n", "\n9\n", 1);
        for nonsense in ["", "tram-an/log/1/server-1/9\n1\nAAAA\n", &forged] {
            let refused = test_server.shown(&stranger, nonsense).await.unwrap_err();
            assert_eq!(refused.code, "checkpoint_unusable");
        }
        assert_eq!(test_server.audited("log_restored").await, 0);
        let restored = test_server.judged(&witness, &late).await.unwrap();
        let Continued::Restored { newest, before } = restored else { panic!("{restored:?}") };
        assert_eq!(before, test_server.checkpoint(&late));
        assert!(newest.origin.epoch > 1 && newest.size == 2, "the checkpoint that was shown, and the entry of the audit log");
        // Once for all: others learn of it, and nobody opens another.
        for note in [&late, &early] {
            let seen = test_server.judged(&machine, note).await.unwrap();
            assert_eq!(seen, Continued::Restored { newest: newest.clone(), before: before.clone() });
        }
        assert_eq!(test_server.audited("log_restored").await, 1);
        test_server.next(&mut machine).await;
        let found = test_database.db.log_check(&About::All, None).await.unwrap();
        assert!(!found.faults.iter().any(|fault| matches!(fault, crate::store::log::fault::Fault::Missing { .. })), "{:?}", found.faults);
    }

    async fn a_log_that_was_rewritten_is_named_on_both_sides(test_database: &TestDatabase) {
        let test_server = TestServer::open(test_database).await;
        let (mut one, mut other) = (test_server.machine().await, test_server.machine().await);
        test_server.next(&mut one).await;
        let kept = test_server.next(&mut one).await;
        test_database.log_rewrite().await;
        // The other machine sees a log of its own, whole and signed: two views.
        let view = test_server.next(&mut other).await;
        assert_eq!(test_server.judged(&other, &view).await, Ok(Continued::Same(test_server.checkpoint(&view))));
        assert_eq!(test_server.judged(&one, &kept).await, Err(Contradiction::Roots), "two logs of one size");
        // Saying so made the log longer.
        assert_eq!(test_server.judged(&one, &kept).await, Err(Contradiction::Proof));
        assert_eq!(test_server.audited("log_contradicted").await, 1, "named once");
        test_server.next(&mut one).await;
    }

    async fn questions_are_few(test_database: &TestDatabase) {
        let test_server = TestServer::open(test_database).await;
        let mut machine = test_server.machine().await;
        let note = test_server.next(&mut machine).await;
        for _ in 0..4 {
            test_server.judged(&machine, &note).await.unwrap();
        }
        assert_eq!(test_server.shown(&machine, &note).await.unwrap_err().code, "too_many_requests");
    }
}
