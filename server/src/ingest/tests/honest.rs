//! What an honest machine sends is stored whole and once.

use policies::outcome::Verdict;

use super::*;
use crate::store::test_database::on_both;

on_both! {
    async fn reports_in_order_are_kept_with_their_signed_bytes(test_database: &TestDatabase) {
        let test_server = TestServer::open(test_database).await;
        let mut machine = test_server.machine().await;
        let first = machine.full();
        test_server.accepted(&machine, &first).await;
        machine.set("lan", r#"{"forwards":{"known":true}}"#);
        let backlog: Vec<Report> = vec![machine.report(&["lan"]), machine.report(&[]), machine.report(&[])];
        let answers = test_server.send(&machine, &backlog).await;
        assert!(answers.iter().all(|answer| matches!(answer, ReportAnswer::Accepted { .. })), "{answers:?}");

        let mut tx = test_server.app.db.read().await.unwrap();
        let stored = tx.report_list(&Scope::whole(), &machine.id, 10).await.unwrap();
        let sent: Vec<&Report> = backlog.iter().rev().chain([&first]).collect();
        assert_eq!(stored.len(), 4);
        for (stored, sent) in stored.iter().zip(sent) {
            assert_eq!((&stored.header, &stored.signature), (&sent.header, &sent.signature));
        }
        let texts = tx.section_texts(&Scope::whole(), &machine.id).await.unwrap();
        assert_eq!(texts, machine.sections);
        let facts = tx.facts_load(std::slice::from_ref(&machine.id)).await.unwrap();
        assert_eq!(facts[&machine.id].lan.forwards, policies::fact::Fact::Known(true));
        drop(tx);
        assert_eq!(test_server.count("select count(*) from body where machine = $1", &machine).await, 3);
        assert_eq!(test_server.count("select count(*) from body where current and machine = $1", &machine).await, 2);
        assert_eq!(test_server.count("select count(*) from change where kind = 'reported' and subject = $1", &machine).await, 2);
    }

    async fn the_same_report_again_is_accepted_and_not_stored_twice(test_database: &TestDatabase) {
        let test_server = TestServer::open(test_database).await;
        let mut machine = test_server.machine().await;
        let reports = [machine.full(), machine.report(&[]), machine.report(&[])];
        test_server.send(&machine, &reports).await;
        test_server.app.clock.advance(60_000);
        let answers = test_server.send(&machine, &reports).await;
        for (answer, report) in answers.iter().zip(&reports) {
            let ReportAnswer::Accepted { receipt } = answer else { panic!("{answer:?}") };
            let receipt = receipt.open(test_server.app.secrets.receipt.public_key()).unwrap();
            assert_eq!((receipt.position.hash, receipt.received_at), (report.hash(), START), "as it was received first");
        }
        assert_eq!(test_server.reports(&machine).await, 3);
        let next = machine.report(&[]);
        test_server.accepted(&machine, &next).await;
    }

    async fn an_equal_digest_renews_the_evidence(test_database: &TestDatabase) {
        let test_server = TestServer::open(test_database).await;
        let mut machine = test_server.machine().await;
        let first = machine.full();
        test_server.accepted(&machine, &first).await;
        test_server.app.clock.advance(3_600_000);
        machine.made_at += 3_600_000;
        let second = machine.report(&[]);
        test_server.accepted(&machine, &second).await;
        let state = &test_server.head(&machine).await.sections.0["lan"];
        assert_eq!((state.observed_at, state.received_at), (START + 3_600_000, START + 3_600_000));
    }

    async fn a_digest_the_server_lacks_is_asked_for(test_database: &TestDatabase) {
        let test_server = TestServer::open(test_database).await;
        let mut machine = test_server.machine().await;
        let first = machine.full();
        test_server.accepted(&machine, &first).await;
        let before = machine.sections["lan"].clone();
        machine.set("lan", r#"{"forwards":{"known":true}}"#);
        let changed = machine.sections["lan"].clone();
        let header = machine.header();
        let bare = machine.sign(&header, Vec::new());
        let later = Report { header: b"never looked at".to_vec(), ..bare.clone() };
        assert_eq!(test_server.send(&machine, std::slice::from_ref(&bare)).await, [ReportAnswer::Need { sections: vec!["lan".to_owned()] }]);
        let answers = test_server.send(&machine, &[bare, later]).await;
        assert!(matches!(answers[0], ReportAnswer::Need { .. }));
        assert!(matches!(&answers[1], ReportAnswer::Refused { refusal, .. } if refusal.code == "after_refused"));
        assert_eq!(test_server.reports(&machine).await, 1);
        let whole = machine.report(&["lan"]);
        test_server.accepted(&machine, &whole).await;
        // A body that was current once is still there, and becomes current again whether it is sent again or not.
        for (text, bodies) in [(&before, &[][..]), (&changed, &["lan"]), (&before, &["lan"])] {
            machine.set("lan", text);
            let back = machine.report(bodies);
            test_server.accepted(&machine, &back).await;
        }
        assert_eq!(test_server.count("select count(*) from body where current and machine = $1", &machine).await, 2);
        let mut tx = test_server.app.db.read().await.unwrap();
        assert_eq!(tx.section_texts(&Scope::whole(), &machine.id).await.unwrap(), machine.sections);
    }

    async fn many_machines_at_once_share_commits_and_none_is_lost(test_database: &TestDatabase) {
        let test_server = TestServer::open(test_database).await;
        let mut machines = Vec::new();
        for _ in 0..40 {
            machines.push(test_server.machine().await);
        }
        let mut sending = tokio::task::JoinSet::new();
        let test_server = Arc::new(test_server);
        for mut machine in machines.clone() {
            let test_server = Arc::clone(&test_server);
            sending.spawn(async move {
                for round in 0..3 {
                    machine.set("lan", &format!(r#"{{"round":{round}}}"#));
                    let report = if round == 0 { machine.full() } else { machine.report(&["lan"]) };
                    test_server.accepted(&machine, &report).await;
                }
            });
        }
        sending.join_all().await;
        for machine in &machines {
            assert_eq!(test_server.reports(machine).await, 3);
        }
        let mut tx = test_server.app.db.read().await.unwrap();
        let events = tx.change_list(0, 1000).await.unwrap();
        // One event an office and commit names all its machines.
        let named = |event: &crate::store::outbox::OutboxEvent| event.subject.as_ref().map_or(0, |all| all.split(' ').count());
        assert_eq!(events.iter().map(named).sum::<usize>(), 120);
        assert!(events.len() < 120 && machines.iter().all(|machine| events.iter().any(|event| event.concerns(&machine.id))));
        assert!(events.iter().zip(1..).all(|(event, sequence)| event.sequence == sequence));
    }
    async fn reports_are_judged_in_the_commit_that_keeps_them(test_database: &TestDatabase) {
        let test_server = TestServer::open(test_database).await;
        test_server.publish().await;
        let mut machine = test_server.machine().await;
        let first = machine.full();
        test_server.accepted(&machine, &first).await;
        let judged = async || {
            let mut tx = test_server.app.db.read().await.unwrap();
            let judgement = tx.judgement_get(&Scope::whole(), &machine.id).await.unwrap().unwrap();
            let changes = tx.outcome_change_list(&Scope::whole(), &machine.id, 100).await.unwrap();
            (judgement, changes.len())
        };
        let (before, changes) = judged().await;
        assert_eq!((before.judged_at, changes), (START, 0));
        assert!(before.verdicts.iter().all(|state| state.since_at <= START));

        // Nothing changed: judged again only after an hour. A change: at once, with one section from the report and the rest from memory.
        test_server.app.clock.advance(60_000);
        let mut sender = machine.clone();
        let unchanged = sender.report(&[]);
        test_server.accepted(&sender, &unchanged).await;
        assert_eq!(judged().await.0, before);
        sender.set("remote", r#"{"ssh_server":{"known":true},"ssh_root_login":{"known":"yes"},"ssh_empty_password":{"known":true}}"#);
        let changed = sender.report(&["remote"]);
        test_server.accepted(&sender, &changed).await;
        let (after, changes) = judged().await;
        assert_eq!(after.judged_at, START + 60_000);
        assert_eq!(changes, after.verdicts.iter().zip(&before.verdicts).filter(|(a, b)| a.verdict != b.verdict).count());
        assert!(changes > 0);
        test_server.app.clock.advance(3_600_000);
        let later = sender.report(&[]);
        test_server.accepted(&sender, &later).await;
        assert_eq!(judged().await.0.judged_at, START + 3_660_000);
    }

    /// A section that an old and a new agent write with the same bytes is believed once the new one has sent it, and no longer when
    /// the old one is back; what a newer agent than the server says stays readable.
    async fn what_an_old_agent_reads_wrongly_is_unknown_until_a_new_one_says_the_same(test_database: &TestDatabase) {
        let test_server = TestServer::open(test_database).await;
        test_server.publish().await;
        let mut machine = test_server.machine().await;
        machine.set("system", r#"{"family":{"known":"linux"},"id":{"known":"debian"}}"#);
        machine.set("time", r#"{"synchronised":{"known":true},"zone":{"known":"Asia/Ho_Chi_Minh"}}"#);
        for (number, (agent, schema, believed)) in
            [("0.1.0", 1, false), ("0.3.0", 3, true), ("0.3.0", 3, true), ("0.1.0", 1, false), ("9.0\0.0", 9, true)].into_iter().enumerate()
        {
            (machine.agent, machine.schema) = (agent.to_owned(), schema);
            let report = if number == 0 { machine.full() } else { machine.report(&[]) };
            test_server.accepted(&machine, &report).await;
            let mut tx = test_server.app.db.read().await.unwrap();
            let judgement = tx.judgement_get(&Scope::whole(), &machine.id).await.unwrap().unwrap();
            let clock = judgement.verdicts.iter().find(|state| state.control == "time-synchronised").unwrap();
            let expected = if believed { Verdict::Pass } else { Verdict::Unknown };
            assert_eq!((clock.verdict, clock.agent_too_old), (expected, !believed), "{number}");
            let facts = tx.facts_load(std::slice::from_ref(&machine.id)).await.unwrap().remove(&machine.id).unwrap();
            assert_eq!(facts.time.synchronised.known().is_some(), believed, "{number}");
            assert!(facts.time.zone.known().is_some(), "{number}");
            let listed = tx.machine_list(&Scope::whole(), &test_server.office).await.unwrap().remove(0).agent.unwrap();
            assert_eq!((listed.version, listed.schema, listed.too_old), (agent.replace('\0', ""), schema, !believed));
        }
    }
}
