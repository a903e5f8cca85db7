//! A legal hold on a machine's page: who sees it, who may agree to its release, and that the one who asked may not.

use axum::http::StatusCode;
use policies::fact::Facts;

use super::Site;
use crate::act::By;
use crate::act::hold::{NewHold, hold_make, hold_release_ask};
use crate::store::Scope;
use crate::store::hold::Paper;
use crate::store::person::PersonRole;
use crate::store::test_database::on_both;

on_both! {
    async fn a_second_person_from_above_agrees_at_the_page(test_database: &TestDatabase) {
        let mut site = Site::open(test_database).await;
        let parent = site.office("Tỉnh Bình", None).await;
        site.office = site.office("Xã An", Some(&parent)).await;
        site.test_server.office.clone_from(&site.office);
        let machine = site.machine(&Facts::default()).await.id;
        let db = &site.app.db;
        let paper = Paper {
            number: "15/CV-PA05 <b>".to_owned(),
            date: "2026-11-20".to_owned(),
            issuer: "Phòng An ninh mạng".to_owned(),
        };
        let new = NewHold { machine: machine.clone(), from_at: 0, until_at: None, sections: Vec::new(), paper };
        let at = site.app.clock.now_ms();
        let hold = hold_make(db, &By::person("chi", Scope::whole(), at), &new).await.unwrap().0;
        let page = format!("/machines/{machine}");
        let mut cuc = site.person("cuc", PersonRole::Officer, Some(&site.office)).await;
        let mut chi = site.person("chi", PersonRole::Officer, Some(&parent)).await;
        let mut hoa = site.person("hoa", PersonRole::Officer, Some(&parent)).await;
        let shown = cuc.get(&page).await.body;
        assert!(shown.contains("theo văn bản 15/CV-PA05 &#60;b&#62; ngày 2026-11-20 của Phòng An ninh mạng"), "{shown}");
        let agree = format!("/holds/{}/agree", hold.id);
        assert!(!shown.contains(&agree));
        hold_release_ask(db, &By::person("chi", Scope::whole(), at), &hold.id, "Đã kết luận").await.unwrap();
        for (browser, may) in [(&mut cuc, false), (&mut chi, false), (&mut hoa, true)] {
            let shown = browser.get(&page).await.body;
            assert!(shown.contains("chi đề nghị thôi giữ: Đã kết luận."), "{shown}");
            assert_eq!(shown.contains(&agree), may);
        }
        assert_eq!(cuc.post(&agree, &[]).await.status, StatusCode::FORBIDDEN);
        assert_eq!(chi.post(&agree, &[]).await.status, StatusCode::FORBIDDEN);
        hoa.post(&agree, &[]).await.location();
        assert!(hoa.get(&page).await.body.contains("Đã thôi giữ; dữ liệu còn được lưu đến"));
        assert_eq!(hoa.post(&agree, &[]).await.status, StatusCode::FORBIDDEN);
    }
}
