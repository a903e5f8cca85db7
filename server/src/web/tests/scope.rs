//! Who may see and do what: scopes, roles, and pages that do not exist.

use axum::http::StatusCode;

use super::Site;
use crate::store::person::PersonRole;
use crate::store::test_database::on_both;

on_both! {
    async fn what_lies_outside_the_part_of_the_tree_does_not_exist(test_database: &TestDatabase) {
        let site = Site::open(test_database).await;
        let machine = site.machine(&policies::fact::Facts::default()).await;
        let province = site.office("Tỉnh Bình", None).await;
        let ward = site.office("Phường Hoà", Some(&province)).await;
        let mut officer = site.person("lan", PersonRole::Officer, Some(&ward)).await;
        let mut head = site.person("huong", PersonRole::Officer, Some(&province)).await;

        let list = officer.get("/offices").await;
        assert!(list.has("Phường Hoà") && !list.has("Tỉnh Bình") && !list.has("Xã An"));
        assert!(head.get("/offices").await.has("Phường Hoà"));
        assert_eq!(head.get(&format!("/offices/{ward}")).await.status, StatusCode::OK);
        let (office, machine) = (&site.office, &machine.id);
        let hidden = [
            format!("/offices/{office}"), format!("/offices/{province}"), format!("/machines/{machine}"),
            format!("/enrolment?office={office}"), format!("/events?office={office}"), format!("/events?machine={machine}"),
            "/offices/*".to_owned(), "/offices/nowhere".to_owned(), "/nowhere".to_owned(),
        ];
        for path in &hidden {
            let answer = officer.get(path).await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
            assert!(answer.has("thuộc phạm vi của bạn") && answer.has("href=\"/offices\""), "{path}");
        }
        for path in [format!("/machines/{machine}/confirm"), format!("/machines/{machine}/check")] {
            assert_eq!(officer.post(&path, &[]).await.status, StatusCode::NOT_FOUND, "{path}");
        }
        let answer = officer.post(&format!("/machines/{machine}/revoke"), &[("reason", "thử")]).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND);
        let form = [("office", office.as_str()), ("role", "workstation"), ("uses", "1"), ("hours", "24")];
        assert_eq!(officer.post("/enrolment", &form).await.status, StatusCode::NOT_FOUND);

        let log = officer.get("/audit").await;
        assert!(log.has("lan") && !log.has("huong"), "only entries of the own part");
        assert!(!log.has("Kiểm tra toàn bộ chuỗi"));
        assert_eq!(officer.post("/audit", &[]).await.status, StatusCode::FORBIDDEN);
    }

    async fn roles_that_only_look_change_nothing(test_database: &TestDatabase) {
        let site = Site::open(test_database).await;
        let machine = site.machine(&policies::fact::Facts::default()).await;
        for (login, role) in [("truong", PersonRole::Head), ("congan", PersonRole::Police), ("kiemtra", PersonRole::Auditor)] {
            let mut browser = site.person(login, role, None).await;
            let page = browser.get(&format!("/machines/{}", machine.id)).await;
            assert_eq!(page.status, StatusCode::OK);
            assert!(!page.has("/revoke\""), "no form that would be refused");
            assert!(!browser.get("/enrolment").await.has("name=\"uses\""));
            let revoke = format!("/machines/{}/revoke", machine.id);
            assert_eq!(browser.post(&revoke, &[("reason", "thử")]).await.status, StatusCode::FORBIDDEN);
            let form = [("office", site.office.as_str()), ("role", "workstation"), ("uses", "1"), ("hours", "24")];
            assert_eq!(browser.post("/enrolment", &form).await.status, StatusCode::FORBIDDEN);
        }
    }
}
