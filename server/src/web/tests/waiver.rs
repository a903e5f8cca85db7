//! Waivers on the pages: who may ask, who may decide, what is refused with which message, and how a waived control looks.

use axum::http::StatusCode;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use policies::fact::{Fact, Facts};

use super::Site;
use super::browser::{Answer, Browser};
use crate::store::Scope;
use crate::store::person::PersonRole;
use crate::store::test_database::{TestDatabase, on_both};
use crate::store::waiver::{Waiver, WaiverState};

/// A critical control, which may be waived for 90 days.
const CONTROL: &str = "firewall-active";
const REASON: &str = "Tường lửa do phần mềm <b>chuyên ngành</b> tắt";

/// A commune below a province, with one machine whose firewall is off.
struct Fixture {
    site: Site,
    parent: String,
    machine: String,
}

impl Fixture {
    async fn open(test_database: &TestDatabase) -> Self {
        let mut site = Site::open(test_database).await;
        let parent = site.office("Tỉnh Bình", None).await;
        site.office = site.office("Xã An", Some(&parent)).await;
        site.test_server.office.clone_from(&site.office);
        let mut facts = Facts::default();
        facts.lan.firewall_active = Fact::Known(false);
        facts.time.synchronised = Fact::Known(true);
        let machine = site.machine(&facts).await.id;
        Self { site, parent, machine }
    }

    fn page(&self) -> String {
        format!("/machines/{}", self.machine)
    }

    /// The day `days` after today, as a date field sends it.
    fn day(&self, days: i32) -> String {
        let now = Timestamp::from_millisecond(self.site.app.clock.now_ms()).unwrap();
        let today: Date = now.to_zoned(TimeZone::get("Asia/Ho_Chi_Minh").unwrap()).date();
        today.checked_add(jiff::Span::new().days(days)).unwrap().to_string()
    }

    async fn ask(&self, browser: &mut Browser, reason: &str, until: &str) -> Answer {
        let form = [("control", CONTROL), ("reason", reason), ("until", until)];
        browser.post(&format!("{}/waivers", self.page()), &form).await
    }

    /// The last waiver of the machine.
    async fn last(&self) -> Waiver {
        let mut tx = self.site.app.db.read().await.unwrap();
        tx.waiver_list_of_machine(&Scope::whole(), &self.machine).await.unwrap().remove(0)
    }
}

/// What the page says about the control.
fn control(page: &Answer) -> String {
    let rest = page.between(&format!("id=\"control-{CONTROL}\""), "</article>").unwrap();
    let before = page.body.split(&format!("id=\"control-{CONTROL}\"")).next().unwrap();
    format!("{}{rest}", before.rsplit("<article").next().unwrap())
}

on_both! {
    async fn one_asks_and_another_from_above_decides(test_database: &TestDatabase) {
        let fixture = Fixture::open(test_database).await;
        let (site, page) = (&fixture.site, fixture.page());
        let mut lan = site.person("lan", PersonRole::Officer, Some(&site.office)).await;
        let mut cuc = site.person("cuc", PersonRole::Officer, Some(&site.office)).await;
        let mut hanh = site.person("hanh", PersonRole::Officer, Some(&fixture.parent)).await;

        let shown = control(&lan.get(&page).await);
        assert!(shown.contains("is-fail") && shown.contains("Đề nghị ngoại lệ có thời hạn"));
        assert!(shown.contains(&format!("max=\"{}\"", fixture.day(89))), "the day after would be longer than 90 days: {shown}");
        let asked = fixture.ask(&mut lan, REASON, &fixture.day(30)).await;
        assert_eq!(asked.location(), format!("{page}#control-{CONTROL}"));
        let id = fixture.last().await.id;
        let (grant, refuse, withdraw) = (format!("/waivers/{id}/grant"), format!("/waivers/{id}/refuse"), format!("/waivers/{id}/withdraw"));

        // Its author may take it back, a colleague may do nothing, someone above may decide.
        let by_lan = control(&lan.get(&page).await);
        assert!(by_lan.contains("is-fail") && by_lan.contains("chờ quyết định") && by_lan.contains("Rút đề nghị"));
        assert!(by_lan.contains("&#60;b&#62;chuyên ngành"), "{by_lan}");
        assert!(by_lan.contains("Đang chờ người thuộc cấp trên"));
        assert!(!by_lan.contains(&grant) && !by_lan.contains("/waivers\""), "neither a grant nor a second request: {by_lan}");
        assert!(!control(&cuc.get(&page).await).contains("<button"));
        let by_ha = control(&hanh.get(&page).await);
        assert!(by_ha.contains(&grant) && by_ha.contains(&refuse) && !by_ha.contains(&withdraw), "{by_ha}");

        for (browser, words) in [(&mut lan, "Người đề nghị không được tự quyết định"), (&mut cuc, "Chỉ người thuộc cấp trên")] {
            for (path, form) in [(&grant, &[][..]), (&refuse, &[("reason", "không")][..])] {
                let answer = browser.post(path, form).await;
                assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path}");
                assert!(answer.has(words), "{}", answer.body);
            }
        }
        assert_eq!(cuc.post(&withdraw, &[]).await.status, StatusCode::FORBIDDEN);
        assert_eq!(fixture.last().await.state, WaiverState::Asked);

        assert_eq!(hanh.post(&grant, &[]).await.location(), format!("{page}#control-{CONTROL}"));
        let shown = lan.get(&page).await;
        let granted = control(&shown);
        for words in ["is-waived", "badge waived", "đang áp dụng", "Người chấp thuận", ">hanh, lúc ", "đến hết ngày", "Cách khắc phục"] {
            assert!(granted.contains(words), "{words}: {granted}");
        }
        assert!(shown.has("tiêu chí được ngoại lệ") && shown.has("ngoại lệ bắt đầu hoặc kết thúc"));
        assert_eq!(hanh.post(&grant, &[]).await.status, StatusCode::UNPROCESSABLE_ENTITY, "twice");

        // Its author ends it early, and can be asked for again; a refusal is read by the author.
        assert_eq!(lan.post(&withdraw, &[]).await.location(), format!("{page}#control-{CONTROL}"));
        assert!(control(&lan.get(&page).await).contains("is-fail"));
        fixture.ask(&mut lan, REASON, &fixture.day(20)).await.location();
        let again = fixture.last().await.id;
        assert_eq!(hanh.post(&format!("/waivers/{again}/refuse"), &[("reason", " ")]).await.status, StatusCode::UNPROCESSABLE_ENTITY);
        hanh.post(&format!("/waivers/{again}/refuse"), &[("reason", "Bật lại được ngay")]).await.location();
        let refused = control(&lan.get(&page).await);
        assert!(refused.contains("không được chấp thuận") && refused.contains("Bật lại được ngay"));
        assert!(refused.contains("Đề nghị ngoại lệ có thời hạn"), "it may be asked for again");

        let log = lan.get("/audit").await;
        for words in ["đề nghị ngoại lệ", "chấp thuận ngoại lệ", "không chấp thuận ngoại lệ", "rút ngoại lệ", "tiêu chí: firewall-active"] {
            assert!(log.has(words), "{words}");
        }
        let mut tx = site.app.db.read().await.unwrap();
        let head = tx.audit_head().await.unwrap();
        assert_eq!(tx.audit_verify().await.unwrap(), Ok(head.number));
    }

    async fn what_no_rule_allows_is_said_in_both_languages(test_database: &TestDatabase) {
        let fixture = Fixture::open(test_database).await;
        let mut lan = fixture.site.person("lan", PersonRole::Officer, Some(&fixture.site.office)).await;
        let long = "dài ".repeat(200);
        let refused = [
            (REASON, "31/12/2026".to_owned(), "không phải một ngày", "is no date"),
            (REASON, "2026-02-30".to_owned(), "không phải một ngày", "is no date"),
            (REASON, fixture.day(-1), "đã qua", "has passed"),
            (REASON, fixture.day(91), "nhiều nhất 90 ngày", "at most 90 days"),
            (" ", fixture.day(30), "Hãy ghi lý do", "Give a reason"),
            (&long, fixture.day(30), "Hãy ghi lý do", "Give a reason"),
        ];
        for language in ["vi", "en"] {
            lan.get("/offices").await;
            lan.post("/language", &[("language", language), ("next", "/offices")]).await;
            lan.get(&fixture.page()).await;
            for (reason, until, vi, en) in &refused {
                let answer = fixture.ask(&mut lan, reason, until).await;
                assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{until}");
                assert!(answer.has(if language == "vi" { vi } else { en }), "{}", answer.body);
            }
        }
        let form = [("control", "firewal-active"), ("reason", REASON), ("until", &fixture.day(30))];
        let answer = lan.post(&format!("{}/waivers", fixture.page()), &form).await;
        assert!(answer.has("did you mean `firewall-active`?"), "{}", answer.body);
        let answer = lan.post(&format!("{}/waivers", fixture.page()), &[("control", CONTROL)]).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        let answer = lan.post_with(&format!("{}/waivers", fixture.page()), "wrong", &form, &[]).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "a form of another site");
        let mut tx = fixture.site.app.db.read().await.unwrap();
        assert_eq!(tx.waiver_list_of_machine(&Scope::whole(), &fixture.machine).await.unwrap(), []);
    }

    async fn who_only_looks_or_stands_elsewhere_does_nothing(test_database: &TestDatabase) {
        let fixture = Fixture::open(test_database).await;
        let site = &fixture.site;
        let mut lan = site.person("lan", PersonRole::Officer, Some(&site.office)).await;
        lan.get(&fixture.page()).await;
        fixture.ask(&mut lan, REASON, &fixture.day(30)).await.location();
        let id = fixture.last().await.id;
        let elsewhere = site.office("Xã khác", None).await;
        let mut son = site.person("son", PersonRole::Officer, Some(&elsewhere)).await;
        let mut police = site.person("congan", PersonRole::Police, None).await;
        assert!(control(&police.get(&fixture.page()).await).contains("chờ quyết định"));
        assert!(!control(&police.get(&fixture.page()).await).contains("<form"), "no form that would be refused");
        for (browser, status) in [(&mut son, StatusCode::NOT_FOUND), (&mut police, StatusCode::FORBIDDEN)] {
            browser.get("/offices").await;
            for verb in ["grant", "refuse", "withdraw"] {
                let form = if verb == "refuse" { &[("reason", "không")][..] } else { &[] };
                assert_eq!(browser.post(&format!("/waivers/{id}/{verb}"), form).await.status, status, "{verb}");
            }
            assert_eq!(fixture.ask(browser, REASON, &fixture.day(20)).await.status, status);
        }
        let mut stranger = site.browser();
        assert!(stranger.post(&format!("/waivers/{id}/grant"), &[]).await.location().starts_with("/login"));
        assert_eq!(fixture.last().await.state, WaiverState::Asked);
    }

    async fn an_office_lists_its_exceptions_and_those_below(test_database: &TestDatabase) {
        let fixture = Fixture::open(test_database).await;
        let site = &fixture.site;
        let mut lan = site.person("lan", PersonRole::Officer, Some(&site.office)).await;
        let mut hanh = site.person("hanh", PersonRole::Officer, Some(&fixture.parent)).await;
        let (own, above) = (format!("/offices/{}", site.office), format!("/offices/{}", fixture.parent));
        assert!(!lan.get(&own).await.has("id=\"waivers\""), "nothing to list");
        lan.get(&fixture.page()).await;
        fixture.ask(&mut lan, REASON, &fixture.day(30)).await.location();

        let shown = lan.get(&own).await;
        let list = shown.between("<section id=\"waivers\">", "</section>").unwrap();
        for words in ["Ngoại lệ có thời hạn (1)", "chờ quyết định", "không gỡ giới hạn xếp loại", "vượt quá 5 %", "xếp loại cao nhất là B", "chuyên ngành"] {
            assert!(list.contains(words), "{words}: {list}");
        }
        assert!(list.contains(&format!("{}#control-{CONTROL}", fixture.page())) && !list.contains("Cơ quan, đơn vị"));
        let list = hanh.get(&above).await;
        let list = list.between("<section id=\"waivers\">", "</section>").unwrap();
        assert!(list.contains("Cơ quan, đơn vị") && list.contains("Xã An"), "{list}");

        hanh.get(&fixture.page()).await;
        hanh.post(&format!("/waivers/{}/grant", fixture.last().await.id), &[]).await.location();
        lan.get(&own).await;
        lan.post("/language", &[("language", "en"), ("next", "/")]).await;
        let shown = lan.get(&own).await;
        assert!(shown.has("Waivers (1)") && shown.has("badge waived\">in force") && shown.has("lifts no cap"));
        hanh.post(&format!("/waivers/{}/withdraw", fixture.last().await.id), &[]).await.location();
        assert!(!lan.get(&own).await.has("id=\"waivers\""));
    }
}
