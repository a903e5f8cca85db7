//! What is approved and refused, who may, and that the outcome follows.

use policies::outcome::Verdict;

use super::*;
use crate::act::roster::link::roster_link;
use crate::act::roster::{NewLine, roster_add, roster_declare};
use crate::ingest::tests::TestServer;
use crate::jobs::grader::office_grade_make;
use crate::store::test_database::{self, on_both};

fn add(kind: AddressKind, address: &str) -> LanChange {
    LanChange { add: vec![(kind, address.to_owned())], ..LanChange::default() }
}

fn remove(kind: AddressKind, address: &str) -> LanChange {
    LanChange { remove: vec![(kind, address.to_owned())], ..LanChange::default() }
}

fn refusal(result: Result<(), LanError>) -> Refusal {
    match result {
        Err(LanError::Refused(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}

/// The outcomes of the grade stored for the office.
async fn outcomes(test_server: &TestServer) -> Vec<(String, Verdict)> {
    let mut tx = test_server.app.db.read().await.unwrap();
    let stored = tx.office_grade_get(&test_server.office).await.unwrap().unwrap();
    stored.grade.organisational.into_iter().map(|outcome| (outcome.control, outcome.verdict)).collect()
}

on_both! {
    async fn addresses_are_approved_and_taken_off_by_the_offices_own_people(test_database: &TestDatabase) {
        use AddressKind::{Dns, Gateway};
        let db = &test_database.db;
        let commune = test_database::office_made(db, "Xã An", None).await;
        let room = test_database::office_made(db, "Phòng", Some(&commune)).await;
        let elsewhere = test_database::office_made(db, "Xã khác", None).await;
        let lan = By::person("lan", Scope::office(&commune), 7);
        for (office, refused) in [(&elsewhere, true), (&commune, false)] {
            let result = office_lan_change(db, &lan, office, &add(Gateway, "192.168.1.1")).await;
            assert_eq!(matches!(result, Err(LanError::Store(StoreError::NotFound { .. }))), refused, "{result:?}");
        }
        for (change, wanted) in [
            (LanChange::default(), Refusal::Nothing),
            (add(Gateway, "192.168.1.1/32"), Refusal::Twice("192.168.1.1".to_owned())),
            (remove(Dns, "192.168.1.1"), Refusal::NotThere("192.168.1.1".to_owned())),
            (LanChange { document: "x".repeat(201), ..add(Dns, "1.1.1.1") }, Refusal::Document),
            (LanChange { document: "a\0".to_owned(), ..add(Dns, "1.1.1.1") }, Refusal::Document),
        ] {
            let said = refusal(office_lan_change(db, &lan, &commune, &change).await);
            assert_eq!(said, wanted);
            assert!(!said.text().vi.is_empty() && said.text().vi != said.text().en);
        }
        for wrong in ["", "router", "0.0.0.0/0", "127.0.0.1", "192.168.1.5/24", "<script>", "1.1.1.1\0"] {
            let said = refusal(office_lan_change(db, &lan, &commune, &add(Dns, wrong)).await);
            assert!(matches!(said, Refusal::Address(_)), "{wrong:?}: {said:?}");
        }
        // All or nothing.
        let half = LanChange { add: vec![(Dns, "1.1.1.1".to_owned()), (Dns, "x".to_owned())], ..LanChange::default() };
        refusal(office_lan_change(db, &lan, &commune, &half).await);
        let mut tx = db.read().await.unwrap();
        assert_eq!(tx.approved_address_in_force(&lan.scope, &commune).await.unwrap().len(), 1);
        let log = tx.audit_list(&Scope::whole(), i64::MAX, 9).await.unwrap();
        assert_eq!(log.len(), 1, "what was refused is no entry");
        let last = tx.change_last().await.unwrap();
        drop(tx);

        let change = LanChange { document: " 12/QĐ-UBND, 01/03/2026 ".to_owned(), ..add(Dns, "203.113.131.0/24") };
        office_lan_change(db, &lan, &commune, &change).await.unwrap();
        office_lan_change(db, &lan, &commune, &remove(Gateway, "192.168.1.1")).await.unwrap();
        let mut tx = db.read().await.unwrap();
        let log = tx.audit_list(&Scope::whole(), i64::MAX, 9).await.unwrap();
        let said: Vec<(&str, &str)> = log.iter().map(|entry| (entry.action.as_str(), entry.detail.as_str())).collect();
        assert_eq!(said, [
            ("office_lan_removed", r#"{"address":"192.168.1.1","as":"gateway"}"#),
            ("office_lan_added", r#"{"address":"203.113.131.0/24","as":"dns","document":"12/QĐ-UBND, 01/03/2026"}"#),
            ("office_lan_added", r#"{"address":"192.168.1.1","as":"gateway"}"#),
        ]);
        assert_eq!(log[0].subject, format!("{commune} Xã An"));
        let history = tx.approved_address_list(&lan.scope, &commune, 9).await.unwrap();
        let removed: Vec<&str> = history.iter().filter_map(|entry| entry.removed_by.as_deref()).collect();
        assert_eq!((history.len(), removed), (2, vec!["person:lan"]));
        let events = tx.change_list(last, 9).await.unwrap();
        let told = |office: &str| events.iter().filter(|event| event.office.as_deref() == Some(office)).count();
        assert_eq!((told(&commune), told(&room), told(&elsewhere)), (2, 2, 0), "those below follow");
    }

    async fn what_an_earlier_version_allowed_can_be_taken_off(test_database: &TestDatabase) {
        let db = &test_database.db;
        let office = test_database::office_made(db, "Xã An", None).await;
        let lan = By::person("lan", Scope::office(&office), 7);
        for address in ["2000::/10", "::ffff:10.0.0.1"] {
            let old = ApprovedAddress {
                id: new_id(),
                office: office.clone(),
                kind: AddressKind::Dns,
                address: address.to_owned(),
                document: String::new(),
                added_at: 1,
                added_by: "person:lan".to_owned(),
                removed_at: None,
                removed_by: None,
            };
            let mut tx = db.write().await.unwrap();
            tx.approved_address_insert(&lan.scope, &old).await.unwrap();
            tx.commit().await.unwrap();
            office_lan_change(db, &lan, &office, &remove(AddressKind::Dns, address)).await.unwrap();
            assert!(db.read().await.unwrap().approved_address_in_force(&lan.scope, &office).await.unwrap().is_empty());
        }
        assert!(matches!(
            refusal(office_lan_change(db, &lan, &office, &add(AddressKind::Dns, "2000::/10")).await),
            Refusal::Address(RangeError::TooWide(_))
        ));
    }

    async fn a_list_has_an_end(test_database: &TestDatabase) {
        let db = &test_database.db;
        let office = test_database::office_made(db, "Xã An", None).await;
        let lan = By::person("lan", Scope::office(&office), 7);
        let all = (0..MOST_APPROVED).map(|number| (AddressKind::Dns, format!("10.0.0.{number}"))).collect();
        office_lan_change(db, &lan, &office, &LanChange { add: all, ..LanChange::default() }).await.unwrap();
        assert_eq!(refusal(office_lan_change(db, &lan, &office, &add(AddressKind::Dns, "10.0.1.0")).await), Refusal::Full);
        office_lan_change(db, &lan, &office, &add(AddressKind::Gateway, "10.0.1.0")).await.unwrap();
    }

    async fn the_outcome_follows_the_list_and_the_reports(test_database: &TestDatabase) {
        use Verdict::{Fail, Pass, Unknown};
        let test_server = TestServer::open(test_database).await;
        test_server.publish().await;
        let (db, office) = (&test_database.db, &test_server.office);
        let judge = test_server.app.policies.judge().unwrap();
        let by = || By::person("lan", Scope::whole(), test_server.app.clock.now_ms());
        roster_add(db, &by(), office, &[NewLine::named("PC-01")]).await.unwrap();
        roster_declare(db, &by(), office, 0).await.unwrap();
        let graded = async || {
            test_server.app.clock.advance(1);
            office_grade_make(db, &judge, office, test_server.app.clock.now_ms()).await.unwrap();
            outcomes(&test_server).await
        };
        let both = |gateways, dns| vec![("gateways-approved".to_owned(), gateways), ("dns-approved".to_owned(), dns)];
        assert_eq!(graded().await, both(Unknown, Unknown), "no list, no report");
        for change in [add(AddressKind::Gateway, "192.168.1.1"), add(AddressKind::Dns, "203.113.131.0/24")] {
            office_lan_change(db, &by(), office, &change).await.unwrap();
        }
        assert_eq!(graded().await, both(Unknown, Unknown), "a list and no report");

        let mut machine = test_server.machine().await;
        roster_link(db, &by(), office, "PC-01", &machine.id, false).await.unwrap();
        let lan = |dns: &str| format!(
            r#"{{"gateways":{{"known":{{"items":["192.168.1.1"]}}}},"dns_servers":{{"known":{{"items":["{dns}"]}}}},"interfaces":{{"known":{{"items":[]}}}}}}"#
        );
        for (dns, verdict) in [("203.113.131.1", Pass), ("8.8.8.8", Fail), ("127.0.0.53", Unknown), ("203.113.131.2", Pass)] {
            machine.sections.insert("lan".to_owned(), lan(dns));
            machine.made_at = test_server.app.clock.now_ms();
            let report = machine.full();
            test_server.accepted(&machine, &report).await;
            let last = db.read().await.unwrap().change_last().await.unwrap();
            assert_eq!(graded().await, both(Pass, verdict), "{dns}");
            let events = db.read().await.unwrap().change_list(last, 9).await.unwrap();
            assert!(events.iter().any(|event| event.kind == EventKind::Judged), "pages are told, though no point moved");
        }
        office_lan_change(db, &by(), office, &remove(AddressKind::Gateway, "192.168.1.1")).await.unwrap();
        assert_eq!(graded().await, both(Unknown, Pass));

        test_server.app.clock.advance(20 * 24 * 60 * 60 * 1000);
        assert_eq!(graded().await, both(Unknown, Unknown), "what was seen long ago says nothing");
    }
}
