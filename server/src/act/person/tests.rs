//! Closing an account.

use super::*;
use crate::store::Scope;
use crate::store::session::Session;
use crate::store::test_database::{self, on_both};

on_both! {
    async fn a_closed_account_is_closed_for_good(test_database: &TestDatabase) {
        let db = &test_database.db;
        let office = test_database::office_made(db, "Xã", None).await;
        let elsewhere = test_database::office_made(db, "Xã khác", None).await;
        let ha = By::person("ha", Scope::office(&office), 7);
        let new = NewPerson {
            login: "lan".to_owned(),
            name: "Nguyễn Thị Lan".to_owned(),
            role: PersonRole::Officer,
            office: Some(office.clone()),
        };
        let (lan, _) = person_add(db, &ha, &new).await.unwrap();
        let session = Session { token_hash: "h".to_owned(), person: lan.id.clone(), created_at: 1, last_seen_at: 1, expires_at: 99 };
        let mut tx = db.write().await.unwrap();
        tx.session_insert(&session).await.unwrap();
        tx.commit().await.unwrap();

        let stranger = By::person("son", Scope::office(&elsewhere), 7);
        for said in [person_close(db, &stranger, "lan").await, person_close(db, &ha, "nobody").await] {
            assert!(said.unwrap_err().to_string().contains("There is no account"));
        }
        assert_eq!(person_close(db, &ha, "lan").await.unwrap().disabled_at, Some(7));
        assert!(db.read().await.unwrap().session_get("h", 2).await.unwrap().is_none(), "every session ends");
        let later = By { at: 9, ..ha };
        assert_eq!(person_close(db, &later, "lan").await.unwrap().disabled_at, Some(7), "once");
        let said = password_reset(db, &later, "lan").await.unwrap_err().to_string();
        assert!(said.contains("is closed"), "{said}");
        let mut tx = db.read().await.unwrap();
        assert_eq!(tx.person_by_login("lan").await.unwrap().unwrap().disabled_at, Some(7));
        let log = tx.audit_list(&Scope::office(&office), i64::MAX, 9).await.unwrap();
        let actions: Vec<&str> = log.iter().map(|entry| entry.action.as_str()).collect();
        assert_eq!(actions, ["person_closed", "person_added"]);
    }
}
