//! Tokens made and revoked at a page, machines confirmed and revoked, and the log of it all.

use axum::http::StatusCode;
use protocol::token::Token;

use super::Site;
use crate::store::Scope;
use crate::store::machine::MachineStatus;
use crate::store::person::PersonRole;
use crate::store::test_database::on_both;
use crate::store::token::Enrolment;

on_both! {
    async fn a_stick_carries_program_and_connection_and_its_programs_are_listed(test_database: &TestDatabase) {
        let site = Site::open(test_database).await;
        let mut browser = site.person("lan", PersonRole::Officer, Some(&site.office)).await;
        browser.get("/enrolment").await;
        let form = [("office", site.office.as_str()), ("role", "workstation"), ("uses", "40"), ("hours", "24"), ("give", "stick")];
        let answer = browser.post("/enrolment", &form).await;
        assert!(answer.status.is_client_error() && answer.has("chưa có phần mềm cho Windows"), "{}", answer.body);
        let tokens = async || site.app.db.read().await.unwrap().token_list(&Scope::whole(), &site.office).await.unwrap();
        assert!(tokens().await.is_empty(), "no token without a stick to put it on");
        let folder = &site.app.config.agents.programs;
        assert!(browser.get("/programs").await.has(&folder.display().to_string()), "says where to put them");

        std::fs::create_dir(folder).unwrap();
        std::fs::write(folder.join("posture-agent-0.1.0-x86_64.exe"), b"MZ \xff wide").unwrap();
        std::fs::write(folder.join("posture-agent-0.1.0-i686.exe"), b"MZ narrow").unwrap();
        browser.get("/enrolment").await;
        let answer = browser.post("/enrolment", &form).await;
        assert_eq!(answer.headers["content-type"], "application/zip");
        let mut archive = zip::ZipArchive::new(std::io::Cursor::new(answer.bytes)).unwrap();
        let mut file = |name: &str| {
            let mut bytes = Vec::new();
            std::io::Read::read_to_end(&mut archive.by_name(name).unwrap(), &mut bytes).unwrap();
            bytes
        };
        assert_eq!(file("TramAn/Cài đặt.exe"), b"MZ narrow", "the one that runs everywhere");
        assert_eq!(file("TramAn/posture-agent-x86_64.exe"), b"MZ \xff wide");
        let connection: serde_json::Value = serde_json::from_slice(&file("TramAn/ket-noi.json")).unwrap();
        assert_eq!(connection["fingerprint"], site.app.secrets.server_ca.fingerprint().to_string());
        let token = Token::read(connection["token"].as_str().unwrap()).unwrap();
        assert_eq!(tokens().await[0].hash, token.digest().to_string());
        assert!(String::from_utf8(file("TramAn/Doc-truoc.txt")).unwrap().contains("bí mật nhà nước"));

        let page = browser.get("/programs").await;
        assert!(page.has(&protocol::Digest::of(b"MZ narrow").to_string()) && page.has("Kaspersky"), "{}", page.body);
        assert_eq!(browser.get("/programs/posture-agent-0.1.0-i686.exe").await.bytes, b"MZ narrow");
        assert_eq!(browser.get("/programs/..%2Fserver.toml").await.status, StatusCode::NOT_FOUND);

        std::os::unix::fs::symlink("/etc/hostname", folder.join("a-link.deb")).unwrap();
        std::fs::create_dir(folder.join("a-folder.deb")).unwrap();
        let page = browser.get("/programs").await;
        assert!(page.has("posture-agent-0.1.0-i686.exe") && page.has("<code>a-link.deb</code>: là liên kết"), "{}", page.body);
        assert!(page.has("<code>a-folder.deb</code>: không phải là tệp thường"));
        let refused = browser.get("/programs/a-link.deb").await;
        assert!(refused.status == StatusCode::FORBIDDEN && refused.has("a-link.deb"), "{}", refused.body);
        assert_eq!(browser.get("/programs/a-folder.deb").await.status, StatusCode::FORBIDDEN);
    }

    async fn a_token_is_shown_once_with_the_command_and_can_be_revoked_with_its_machines(test_database: &TestDatabase) {
        let site = Site::open(test_database).await;
        let mut browser = site.person("lan", PersonRole::Officer, Some(&site.office)).await;
        browser.get("/enrolment").await;
        let form = |uses: &'static str, hours: &'static str, role: &'static str| {
            [("office", site.office.as_str()), ("role", role), ("uses", uses), ("hours", hours)]
        };
        for (uses, hours, role) in [("0", "24", "server"), ("501", "24", "server"), ("1", "9999", "server"), ("1", "24", "king"), ("x", "24", "server")] {
            let answer = browser.post("/enrolment", &form(uses, hours, role)).await;
            assert!(answer.status.is_client_error(), "{uses} {hours} {role}");
        }
        let page = browser.post("/enrolment", &form("10", "24", "workstation")).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.body);
        let token = page.between("<code id=\"token\">", "</code>").unwrap().to_owned();
        let fingerprint = site.app.secrets.server_ca.fingerprint().to_string();
        let command = page.between("<code id=\"command\">", "</code>").unwrap();
        assert!(command.contains(&format!("--token {token}")) && command.contains(&format!("--fingerprint {fingerprint}")));
        assert!(command.contains(":8443"), "the port that was dialled: {command}");
        let stored = {
            let mut tx = site.app.db.read().await.unwrap();
            let mut tokens = tx.token_list(&Scope::whole(), &site.office).await.unwrap();
            assert_eq!(tokens.len(), 1, "what was refused made none");
            tokens.remove(0)
        };
        assert_eq!(stored.hash, Token::read(&token).unwrap().digest().to_string(), "only the hash is kept");
        assert_eq!((stored.uses_total, stored.expires_at - stored.created_at), (10, 24 * 3600 * 1000));
        assert!(!browser.get("/enrolment").await.has(&token), "never again");

        let machine = site.machine(&policies::fact::Facts::default()).await;
        let mut tx = site.app.db.write().await.unwrap();
        let certificate = crate::store::machine::key::Certificate {
            serial: "01".to_owned(), machine: machine.id.clone(), machine_key: machine.key_id.clone(), der: vec![1],
            issued_at: 1, not_before_at: 1, not_after_at: 2,
        };
        tx.certificate_insert(&certificate).await.unwrap();
        let enrolment = Enrolment {
            token: stored.id.clone(), machine_key: machine.key_id.clone(), machine: machine.id.clone(),
            certificate: certificate.serial, at: 1,
        };
        tx.enrolment_insert(&enrolment).await.unwrap();
        tx.commit().await.unwrap();
        assert!(browser.get("/enrolment").await.has(&format!("/machines/{}", machine.id)));

        let path = format!("/enrolment/{}/revoke", stored.id);
        let answer = browser.post(&path, &[("machines", "revoke")]).await;
        assert_eq!(answer.location(), format!("/enrolment?office={}", site.office));
        let machine = site.app.db.read().await.unwrap().machine_require(&Scope::whole(), &machine.id).await.unwrap();
        assert_eq!(machine.status, MachineStatus::Revoked);
        assert!(browser.get("/enrolment").await.has("đã thu hồi"));
        let log = browser.get("/audit").await;
        for action in ["tạo mã đăng ký máy", "thu hồi mã đăng ký máy", "thu hồi máy"] {
            assert!(log.has(action), "{action}");
        }
        assert!(!log.has(&token));
    }

    async fn an_officer_decides_about_machines_and_every_decision_is_in_the_chain(test_database: &TestDatabase) {
        let site = Site::open(test_database).await;
        let machine = site.machine(&policies::fact::Facts::default()).await;
        let mut browser = site.person("lan", PersonRole::Administrator, None).await;
        let page = format!("/machines/{}", machine.id);
        assert!(!browser.get(&page).await.has("đang chờ máy thực hiện"));
        assert_eq!(browser.post(&format!("{page}/check"), &[]).await.location(), page);
        assert!(browser.get(&page).await.has("đang chờ máy thực hiện"));
        for reason in ["", "   ", &"dài ".repeat(100)] {
            let answer = browser.post(&format!("{page}/revoke"), &[("reason", reason)]).await;
            assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
        }
        assert_eq!(browser.post(&format!("{page}/revoke"), &[("reason", "máy <b>hỏng</b>")]).await.location(), page);
        let revoked = browser.get(&page).await;
        assert!(revoked.has("Máy đã bị thu hồi") && revoked.has("máy &#60;b&#62;hỏng"));
        assert!(!revoked.has("/check\""), "a revoked machine is not asked");

        let log = browser.get("/audit").await;
        assert!(log.has("yêu cầu kiểm tra ngay") && log.has("lý do: máy &#60;b&#62;hỏng"));
        assert!(browser.post("/audit", &[]).await.has("Chuỗi nguyên vẹn"));
        let mut tx = site.app.db.read().await.unwrap();
        let head = tx.audit_head().await.unwrap();
        assert_eq!(tx.audit_verify().await.unwrap(), Ok(head.number));
        assert!(head.number >= 5);
    }

    async fn a_log_that_was_tampered_with_says_where(test_database: &TestDatabase) {
        test_database.tampered();
        let site = Site::open(test_database).await;
        let mut browser = site.person("lan", PersonRole::Administrator, None).await;
        browser.get("/audit").await;
        let change = "update audit_entry set actor = 'person:minh' where number = 2 and actor <> $1 returning number";
        tamper(&site, change, "").await;
        assert!(browser.post("/audit", &[]).await.has("mục số 2 đã bị sửa"));
        tamper(&site, "delete from audit_entry where number = 2 and actor <> $1 returning number", "").await;
        assert!(browser.post("/audit", &[]).await.has("thiếu mục số 2"));
        tamper(&site, "delete from audit_entry where number >= 2 and actor <> $1 returning (number - number + 2)", "").await;
        assert!(browser.post("/audit", &[]).await.has("kết thúc ở mục số 1"));
    }
}

/// Changes the log bypassing the program.
async fn tamper(site: &Site, sql: &'static str, value: &str) {
    let mut tx = site.app.db.write().await.unwrap();
    assert!(crate::store::test_database::count(&mut tx, sql, value).await >= 2);
    tx.commit().await.unwrap();
}
