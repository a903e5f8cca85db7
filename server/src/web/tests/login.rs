//! Logging in: first passwords, wrong ones, sessions that end, forms from elsewhere, and the headers of every answer.

use axum::http::{StatusCode, header};

use super::{PASSWORD, Site};
use crate::store::person::PersonRole;
use crate::store::test_database::on_both;
use crate::web::headers::POLICY;
use crate::web::secret::{form_token, hash_token};
use crate::web::visitor::{IDLE_MS, LONGEST_MS};

const MINUTE: i64 = 60 * 1000;

on_both! {
    async fn a_first_password_must_be_changed_before_anything_else(test_database: &TestDatabase) {
        let site = Site::open(test_database).await;
        let first = site.newcomer("lan", PersonRole::Officer, None).await;
        let mut browser = site.browser();
        assert_eq!(browser.get("/offices?page=2").await.location(), "/login?next=/offices%3Fpage%3D2");
        assert_eq!(browser.login(" LAN ", &first).await.location(), "/");
        for path in ["/", "/offices", "/audit", "/enrolment"] {
            assert_eq!(browser.get(path).await.location(), if path == "/" { "/offices" } else { "/password" });
        }
        let page = browser.get("/password").await;
        assert!(page.has("mật khẩu cấp lần đầu"));
        assert!(!page.has("href=\"/audit\""), "there is nothing to navigate to");

        let (short, other) = ("ngắn quá", "một câu khác hẳn");
        for (new, again) in [(short, short), (PASSWORD, other), (first.as_str(), first.as_str()), ("lan lan lan lan", "lan lan lan lan")] {
            let answer = browser.post("/password", &[("current", &first), ("new", new), ("again", again)]).await;
            assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{new}");
        }
        let answer = browser.post("/password", &[("current", "sai mật khẩu"), ("new", PASSWORD), ("again", PASSWORD)]).await;
        assert!(answer.has("Mật khẩu hiện tại không đúng"));
        let before = browser.cookie("__Host-session").unwrap().to_owned();
        let answer = browser.post("/password", &[("current", &first), ("new", PASSWORD), ("again", PASSWORD)]).await;
        assert_eq!(answer.location(), "/");
        assert_ne!(browser.cookie("__Host-session").unwrap(), before, "a new session for a new password");
        assert_eq!(browser.get("/offices").await.status, StatusCode::OK);

        let mut elsewhere = site.browser();
        assert_eq!(elsewhere.login("lan", &first).await.status, StatusCode::UNAUTHORIZED);
        assert_eq!(elsewhere.login("lan", PASSWORD).await.location(), "/");
        let log = browser.get("/audit").await;
        for action in ["thêm tài khoản", "đăng nhập", "đổi mật khẩu"] {
            assert!(log.has(action), "{action}");
        }
        assert!(!log.has(&first) && !log.has(PASSWORD));
    }

    async fn sessions_end_when_idle_and_after_a_working_day(test_database: &TestDatabase) {
        let site = Site::open(test_database).await;
        let mut browser = site.person("lan", PersonRole::Officer, None).await;
        let mut spent = 0;
        while spent + IDLE_MS / 2 < LONGEST_MS {
            site.app.clock.advance(IDLE_MS / 2);
            spent += IDLE_MS / 2;
            assert_eq!(browser.get("/offices").await.status, StatusCode::OK, "after {spent} ms");
        }
        site.app.clock.advance(IDLE_MS / 2);
        assert_eq!(browser.get("/offices").await.location(), "/login?next=/offices");
        assert!(browser.get("/login").await.has("Phiên làm việc đã hết hạn"));

        assert_eq!(browser.login("lan", PASSWORD).await.location(), "/");
        site.app.clock.advance(IDLE_MS - MINUTE);
        // Requests by the page's script itself do not extend a session.
        let body = axum::body::Body::empty();
        let followed = browser.open(axum::http::Method::GET, "/offices", body, &[("x-following", "1")]).await;
        assert_eq!(followed.status(), StatusCode::OK);
        site.app.clock.advance(MINUTE);
        assert_eq!(browser.get("/offices").await.location(), "/login?next=/offices");
    }

    async fn logging_out_ends_the_session_at_the_server(test_database: &TestDatabase) {
        let site = Site::open(test_database).await;
        let mut browser = site.person("lan", PersonRole::Officer, None).await;
        browser.get("/offices").await;
        let mut thief = browser.clone();
        assert_eq!(browser.post("/logout", &[]).await.location(), "/login");
        assert_eq!(thief.get("/offices").await.location(), "/login?next=/offices");
        assert!(browser.cookie("__Host-session").is_none());
    }

    async fn every_form_needs_the_token_of_its_session(test_database: &TestDatabase) {
        let site = Site::open(test_database).await;
        let machine = site.machine(&policies::fact::Facts::default()).await;
        let mut browser = site.person("lan", PersonRole::Administrator, None).await;
        let machine = machine.id;
        let paths = [
            "/logout".to_owned(), "/language".to_owned(), "/password".to_owned(), "/audit".to_owned(),
            "/enrolment".to_owned(), "/enrolment/x/revoke".to_owned(), format!("/machines/{machine}/confirm"),
            format!("/machines/{machine}/check"), format!("/machines/{machine}/revoke"), "/login".to_owned(),
        ];
        browser.get("/offices").await;
        let other = site.person("minh", PersonRole::Administrator, None).await.get("/offices").await;
        let stolen = other.between("name=\"csrf\" value=\"", "\"").unwrap().to_owned();
        for path in &paths {
            for token in ["", "0", &stolen] {
                let answer = browser.post_with(path, token, &[], &[]).await;
                assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path} {token}");
                assert!(answer.has("Biểu mẫu không được chấp nhận"), "{path}");
            }
        }
        let own = browser.get("/offices").await.between("name=\"csrf\" value=\"", "\"").unwrap().to_owned();
        for headers in [[("origin", "https://bad.example")], [("sec-fetch-site", "cross-site")]] {
            let answer = browser.post_with("/logout", &own, &[], &headers).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN);
        }
        let honest = [("origin", "https://tram-an:8443"), ("sec-fetch-site", "same-origin")];
        assert_eq!(browser.post_with("/logout", &own, &[], &honest).await.location(), "/login");
    }

    /// The store holds nothing that would let a reader of it send a form.
    async fn tokens_of_forms_are_kept_nowhere(test_database: &TestDatabase) {
        let site = Site::open(test_database).await;
        let mut browser = site.person("lan", PersonRole::Administrator, None).await;
        let page = browser.get("/offices").await;
        let csrf = page.between("name=\"csrf\" value=\"", "\"").unwrap().to_owned();
        let token = browser.cookie("__Host-session").unwrap().to_owned();
        let hash = hash_token(&token);
        let session = site.app.db.read().await.unwrap().session_get(&hash, site.app.clock.now_ms()).await.unwrap().unwrap();
        let kept = format!("{session:?}");
        assert!(kept.contains(&hash) && !kept.contains(&csrf) && !kept.contains(&token));
        assert_ne!(form_token(&hash), csrf, "nor does it follow from what is kept");
        // Another session of the same person has another.
        let mut other = site.browser();
        other.login("lan", PASSWORD).await;
        other.get("/offices").await;
        assert_eq!(other.post_with("/logout", &csrf, &[], &[]).await.status, StatusCode::FORBIDDEN);
    }

    /// Text that not every database can store and no person types is refused by name on both, wherever it comes in.
    async fn a_nul_is_refused_and_never_a_failure(test_database: &TestDatabase) {
        let site = Site::open(test_database).await;
        let mut browser = site.person("lan", PersonRole::Administrator, None).await;
        for path in [
            "/offices/%00", "/machines/a%00b", "/offices?page=%00", "/audit?before=%00", "/enrolment?office=a%00", "/events?machine=%00",
            "/events?office=%00", "/login?next=%00", "/programs/a%00.msi", "/%00",
        ] {
            let answer = browser.get(path).await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path}");
            assert!(answer.has("ký tự NUL"), "{path}");
        }
        browser.get("/offices").await;
        for path in ["/enrolment/a%00/revoke", "/waivers/%00/grant", "/machines/%00/confirm"] {
            assert_eq!(browser.post(path, &[]).await.status, StatusCode::BAD_REQUEST, "{path}");
        }
        let mut stranger = site.browser();
        stranger.get("/login").await;
        let answer = stranger.post("/login", &[("login", "a\0b"), ("password", "x")]).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        assert!(answer.has("Không đọc được biểu mẫu"));
        // Other characters are no problem for any database.
        assert_eq!(browser.get("/offices/%1b").await.status, StatusCode::NOT_FOUND);
        assert_eq!(stranger.login("a\u{1}b", "x").await.status, StatusCode::UNAUTHORIZED);
    }

    async fn every_answer_of_the_pages_is_closed_to_the_outside(test_database: &TestDatabase) {
        let site = Site::open(test_database).await;
        let mut browser = site.person("lan", PersonRole::Administrator, None).await;
        let office = format!("/offices/{}", site.office);
        for path in ["/login", "/offices", &office, "/enrolment", "/audit", "/password", "/nowhere", "/offices/x"] {
            let answer = browser.get(path).await;
            assert_eq!(answer.headers[header::CONTENT_SECURITY_POLICY], POLICY, "{path}");
            assert_eq!(answer.headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
            assert_eq!(answer.headers[header::CACHE_CONTROL], "no-store");
            assert!(answer.headers.contains_key("cross-origin-opener-policy"));
            for inline in [" style=", " onclick=", " onload=", "<style", "javascript:", "http://", "//cdn"] {
                assert!(!answer.has(inline), "{path} has {inline}");
            }
        }
        let page = browser.get("/offices").await;
        for (before, kind) in [("<link rel=\"stylesheet\" href=\"", "text/css"), ("<script src=\"", "text/javascript")] {
            let path = page.between(before, "\"").unwrap().to_owned();
            let answer = browser.get(&path).await;
            assert!(answer.headers[header::CONTENT_TYPE].to_str().unwrap().starts_with(kind));
            assert!(answer.headers[header::CACHE_CONTROL].to_str().unwrap().contains("immutable"));
        }
        assert_eq!(browser.get("/assets/0/page.css").await.status, StatusCode::NOT_FOUND);
    }

    async fn a_database_that_fails_is_told_in_the_readers_language(test_database: &TestDatabase) {
        let site = Site::open(test_database).await;
        let mut browser = site.person("lan", PersonRole::Administrator, None).await;
        browser.get("/offices").await;
        browser.post("/language", &[("language", "en"), ("next", "/offices")]).await;
        site.app.db.close().await;
        let answer = browser.get("/offices").await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(answer.has("cannot read or write its database") && answer.has("<html lang=\"en\">"));
        assert!(!answer.has("sqlx") && !answer.has("pool"), "the cause is for the log");
    }
}
