//! The office's page: a letter that is explained, a ledger whose shown figures add up, and what changes when machines report.

use axum::http::StatusCode;
use policies::fact::{Fact, Facts, Protection};

use super::browser::Answer;
use super::{Site, sections};
use crate::act::roster::link::roster_link;
use crate::store::Scope;
use crate::store::person::PersonRole;
use crate::store::test_database::on_both;

/// Every figure of the ledger in hundredths: the score first.
pub(super) fn ledger(page: &Answer) -> Vec<i64> {
    let points = page.body.split("data-points=\"").skip(1);
    points.map(|rest| rest.split('"').next().unwrap().replace([',', '.'], "").parse().unwrap()).collect()
}

pub(super) fn unprotected() -> Facts {
    let mut facts = Facts::default();
    facts.antivirus.protection = Fact::Known(Protection::None);
    facts.antivirus.real_time = Fact::Known(false);
    facts.time.synchronised = Fact::Known(false);
    facts.lan.firewall_active = Fact::Known(true);
    facts.lan.forwards = Fact::Known(false);
    facts.logging.running = Fact::Known(true);
    facts
}

on_both! {
    async fn the_ledger_adds_up_to_a_hundred_for_the_eye(test_database: &TestDatabase) {
        let site = Site::open(test_database).await;
        let lines = site.roster(&site.office, &["PC-01", "PC-02", "PC-03"]).await;
        let mut tx = site.app.db.write().await.unwrap();
        tx.office_setup_set(&Scope::whole(), &site.office, Some(1)).await.unwrap();
        tx.commit().await.unwrap();
        let mut browser = site.person("lan", PersonRole::Officer, Some(&site.office)).await;
        let page = format!("/offices/{}", site.office);
        assert_eq!(ledger(&browser.get(&page).await), [0, 0, 10_000, 0, 0], "nothing reported: a cap, one line costs everything, two say nothing yet");

        let machine = site.machine(&unprotected()).await;
        let mut tx = site.app.db.write().await.unwrap();
        tx.roster_line_machine_set(&Scope::whole(), &lines[0], Some(&machine.id)).await.unwrap();
        tx.commit().await.unwrap();
        site.grade().await;
        for (language, total) in [("vi", ">100,00<"), ("en", ">100.00<")] {
            browser.get(&page).await;
            browser.post("/language", &[("language", language), ("next", "/")]).await;
            let shown = browser.get(&page).await;
            let figures = ledger(&shown);
            assert!(figures.len() > 4, "{figures:?}");
            assert!(figures[0] > 0 && figures[0] < 10_000, "{figures:?}");
            assert_eq!(figures.iter().sum::<i64>(), 10_000, "{figures:?}");
            assert!(shown.has(total));
        }
        browser.get(&page).await;
        browser.post("/language", &[("language", "vi"), ("next", "/")]).await;
        let shown = browser.get(&page).await;
        assert!(shown.has("Thang điểm của phần mềm, không phải xếp hạng của cơ quan nhà nước."));
        assert!(shown.has("chưa đáp ứng (màu đỏ)"), "the colour is said in words");
        assert!(shown.has("khắc phục được tại chỗ") && shown.has("điểm chung"));
        assert!(shown.has("Cần làm gì để đạt loại"));
        assert!(shown.has("Ngoài ra có 2 máy soạn thảo bí mật nhà nước"));
        assert!(shown.has("PC-02") && shown.has("chưa gửi số liệu lần nào"));
        let list = browser.get("/offices").await;
        assert!(list.has("1 trên 3 máy") && list.has("class=\"badge red\""));
    }

    async fn a_machine_shows_found_and_wanted_and_the_way_between(test_database: &TestDatabase) {
        let site = Site::open(test_database).await;
        let mut machine = site.machine(&unprotected()).await;
        let mut browser = site.person("lan", PersonRole::Officer, Some(&site.office)).await;
        let path = format!("/machines/{}", machine.id);
        let page = browser.get(&path).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.body);
        assert!(page.has("do máy tự báo, ký bằng khoá của máy"));
        for words in ["Hiện trạng", "Mức cần đạt", "Cách khắc phục", "phút; người khắc phục được: ", "TCVN 14423:2026"] {
            assert!(page.has(words), "{words}");
        }
        assert!(page.has("(cá nhân)") && page.has("chưa xác định: phiên bản phần mềm trên máy quá cũ"));
        assert!(!page.has("Đồng hồ của máy"));

        site.app.clock.advance(3_600_000);
        let mut facts = unprotected();
        facts.time.synchronised = Fact::Known(true);
        machine.sections = sections(&facts);
        machine.made_at = site.app.clock.now_ms() + 600_000;
        let report = machine.full();
        site.test_server.accepted(&machine, &report).await;
        let page = browser.get(&path).await;
        assert!(page.has("chưa đạt → đạt") && page.has("báo cáo mới của máy"), "history");
        assert!(page.has("Đồng hồ của máy") && page.has("nhanh hơn máy chủ 10 phút"));
    }

    async fn a_parent_is_worth_the_mean_of_those_below(test_database: &TestDatabase) {
        let site = Site::open(test_database).await;
        let ward = site.office("Phường Hoà", Some(&site.office)).await;
        site.roster(&ward, &["PC-01", "PC-02"]).await;
        site.roster(&site.office, &["PC-09"]).await;
        site.grade().await;
        let mut browser = site.person("lan", PersonRole::Head, None).await;
        let page = browser.get(&format!("/offices/{}", site.office)).await;
        assert!(page.has("Trung bình của 2 đơn vị theo số máy"), "{}", page.body);
        assert!(page.has(&format!("href=\"/offices/{ward}\"")) && page.has("Máy của chính cơ quan này"));
        let child = browser.get(&format!("/offices/{ward}")).await;
        assert!(child.has(&format!("href=\"/offices/{}\"", site.office)), "the way back up");
    }

    async fn a_machine_and_its_line_are_proposed_and_linked_by_a_button(test_database: &TestDatabase) {
        let site = Site::open(test_database).await;
        let machine = site.machine(&unprotected()).await;
        let mut tx = site.app.db.read().await.unwrap();
        let name = tx.machine_require(&Scope::whole(), &machine.id).await.unwrap().name;
        drop(tx);
        let lines = site.roster(&site.office, &[&name, "PC-99"]).await;
        site.grade().await;
        let (page, link) = (format!("/offices/{}", site.office), format!("/offices/{}/roster/link", site.office));
        let form = [("line", lines[0].as_str()), ("machine", machine.id.as_str())];
        let mut head = site.person("minh", PersonRole::Head, None).await;
        let shown = head.get(&page).await;
        assert!(shown.has("Có thể là cùng một máy") && !shown.has("roster/link"), "who only looks gets no button");
        assert_eq!(head.post(&link, &form).await.status, StatusCode::FORBIDDEN);
        let elsewhere = site.office("Phường Hoà", None).await;
        let mut stranger = site.person("binh", PersonRole::Officer, Some(&elsewhere)).await;
        stranger.get("/offices").await;
        assert_eq!(stranger.post(&link, &form).await.status, StatusCode::NOT_FOUND);

        let mut officer = site.person("lan", PersonRole::Officer, Some(&site.office)).await;
        assert!(officer.get(&page).await.has("roster/link"));
        assert!(officer.get(&page).await.has("<b>1/3</b>"));
        assert_eq!(officer.post(&link, &form).await.location(), format!("{page}#roster"));
        let shown = officer.get(&page).await;
        assert!(!shown.has("Có thể là cùng một máy") && shown.has("<b>1/2</b>"), "{}", shown.body);
        let other = [("line", lines[1].as_str()), ("machine", machine.id.as_str())];
        let refused = officer.post(&link, &other).await;
        assert!(refused.status == StatusCode::UNPROCESSABLE_ENTITY && refused.has("đã ghép với dòng"), "{}", refused.body);
    }

    async fn a_reinstalled_machine_says_in_the_language_of_the_reader_what_replaced_it(test_database: &TestDatabase) {
        let site = Site::open(test_database).await;
        let (old, new) = (site.machine(&unprotected()).await, site.machine(&unprotected()).await);
        let line = site.roster(&site.office, &["TS-1"]).await.remove(0);
        for machine in [&old, &new] {
            roster_link(&site.app.db, &site.by(), &site.office, &line, &machine.id, true).await.unwrap();
        }
        let page = format!("/machines/{}", old.id);
        let mut officer = site.person("lan", PersonRole::Officer, Some(&site.office)).await;
        assert!(officer.get(&page).await.has(&format!("Lý do: cài lại, thay bằng máy {}", new.id)));
        officer.post("/language", &[("language", "en"), ("next", &page)]).await;
        assert!(officer.get(&page).await.has(&format!("Reason: reinstalled, replaced by machine {}", new.id)));
    }

    async fn without_a_roster_there_is_a_score_and_no_letter(test_database: &TestDatabase) {
        let site = Site::open(test_database).await;
        site.machine(&unprotected()).await;
        site.grade().await;
        let mut browser = site.person("lan", PersonRole::Head, None).await;
        let page = browser.get(&format!("/offices/{}", site.office)).await;
        assert!(page.has("Chưa xếp loại") && page.has("chưa khai danh mục máy tính"));
        assert_eq!(ledger(&page).iter().sum::<i64>(), 10_000);
        assert!(browser.get("/offices").await.has("chưa xếp loại (màu xám)"));
    }

    /// Everyone who may see the office sees which agents its machines run, which machines need the new one, and what that means.
    async fn versions_of_the_agent_and_machines_that_need_the_new_one_are_listed(test_database: &TestDatabase) {
        let site = Site::open(test_database).await;
        let new = site.machine(&unprotected()).await;
        let mut browser = site.person("hoa", PersonRole::Head, Some(&site.office)).await;
        let page = format!("/offices/{}", site.office);
        let shown = browser.get(&page).await;
        assert!(shown.has("Phần mềm trên các máy") && shown.has(">0.2.0<") && !shown.has(">cần cài bản mới<"));

        let mut old = site.test_server.machine().await;
        (old.agent, old.schema, old.sections) = ("0.1.0".to_owned(), 1, sections(&unprotected()));
        site.report(&mut old).await;
        let shown = browser.get(&page).await;
        assert!(shown.has("1 máy đang chạy phần mềm bản cũ") && shown.has(">0.1.0<") && shown.has(">0.2.0<"), "{}", shown.body);
        let (_, listed) = shown.body.split_once("id=\"agents\"").unwrap();
        let (listed, _) = listed.split_once("</section>").unwrap();
        assert!(listed.contains(&format!("href=\"/machines/{}\"", old.id)) && !listed.contains(&new.id));
        assert!(listed.contains("href=\"/programs\"") && listed.contains("chưa tính vào điểm"));
        assert_eq!(browser.get("/programs").await.status, StatusCode::OK);

        let machine = browser.get(&format!("/machines/{}", old.id)).await;
        for words in [">cần cài bản mới<", "chưa xác định: phiên bản phần mềm trên máy quá cũ", "Cài phần mềm bản mới đè lên bản cũ"] {
            assert!(machine.has(words), "{words}");
        }
        assert!(!browser.get(&format!("/machines/{}", new.id)).await.has(">cần cài bản mới<"));

        // For a machine that goes back to an old one, the page says that it counts at once.
        site.report(&mut old).await;
        (old.agent, old.schema) = ("0.2.0".to_owned(), policies::fact::SCHEMA_VERSION);
        site.report(&mut old).await;
        assert!(!browser.get(&page).await.has("Máy đã có bản mới rồi quay lại"));
        (old.agent, old.schema) = ("0.1.0".to_owned(), 1);
        site.report(&mut old).await;
        for path in [&page, &format!("/machines/{}", old.id)] {
            let shown = browser.get(path).await;
            assert!(shown.has("Máy đã có bản mới rồi quay lại") && !shown.has("chưa tính vào điểm"), "{path}");
        }
        let mut old = site.test_server.machine().await;
        (old.agent, old.schema, old.sections) = ("0.1.0".to_owned(), 1, sections(&unprotected()));
        site.report(&mut old).await;

        // The time to replace it is over, and the words say so.
        site.app.clock.advance(60 * 24 * 60 * 60 * 1000);
        let mut browser = site.person("lan", PersonRole::Officer, Some(&site.office)).await;
        let shown = browser.get(&page).await;
        assert!(shown.has("được tính là chưa xác định và không có điểm") && !shown.has("chưa tính vào điểm"));
    }
}
