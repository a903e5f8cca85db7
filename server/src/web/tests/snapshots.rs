//! What every page shows: each route of the table is requested in both languages, on an empty server, a usual one and one full of
//! hostile names, and compared with `snapshots/`. A new page needs no line here unless its path has a parameter of a new kind.

use axum::http::StatusCode;

use super::Site;
use super::browser::Browser;
use super::hostile::{hostile_facts, hostile_names, rename};
use super::lan::behind;
use crate::store::Scope;
use crate::store::person::PersonRole;
use crate::store::test_database::on_both;

/// Streams, which never end.
const NO_PAGES: [&str; 1] = ["/events"];

/// The page from `<main` on, with what differs from run to run (ids, tokens, hashes) made the same.
fn shown(page: &str) -> String {
    let main = page.split_once("<main").and_then(|(_, rest)| rest.split_once("</main>")).map_or(page, |(main, _)| main);
    let mut shown = String::new();
    let mut word = String::new();
    for character in main.chars().chain(['\n']) {
        if character.is_ascii_alphanumeric() || character == '-' || character == '_' {
            word.push(character);
            continue;
        }
        let number = word.bytes().any(|byte| byte.is_ascii_digit());
        let hex = word.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
        let random = number && (word.len() >= 24 || (hex && word.len() >= 12));
        shown.push_str(if random { "…" } else { &word });
        word.clear();
        shown.push(character);
    }
    shown.lines().filter(|line| !line.trim().is_empty()).collect::<Vec<_>>().join("\n")
}

fn compare(site: &Site, scene: &str, name: &str, page: &str) {
    let programs = site.app.config.agents.programs.display().to_string();
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.set_snapshot_path(format!("snapshots/{scene}"));
    settings.bind(|| insta::assert_snapshot!(name, shown(&page.replace(&programs, "(programs)"))));
}

/// Compares every page as `browser` sees it; `values` fill the parameters in paths.
async fn compare_all(site: &Site, browser: &mut Browser, scene: &str, values: &[(&str, &str)]) {
    for language in ["vi", "en"] {
        browser.get("/password").await;
        browser.post("/language", &[("language", language), ("next", "/")]).await;
        for (path, _) in crate::web::routes() {
            let asked =
                values.iter().fold(path.to_owned(), |path, (name, value)| path.replace(&format!("{{{name}}}"), value));
            assert!(!asked.contains('{'), "say here what stands for the parameter of {path}");
            if NO_PAGES.contains(&path) {
                continue;
            }
            let answer = browser.get(&asked).await;
            // Only a form, or a redirect to another page.
            if answer.status == StatusCode::METHOD_NOT_ALLOWED || answer.status.is_redirection() {
                continue;
            }
            let name = format!("{}.{language}", path.trim_matches('/').replace('/', "-").replace(['{', '}'], ""));
            compare(site, scene, &name, &answer.body);
        }
    }
}

on_both! {
    async fn pages_with_nothing_on_them(test_database: &TestDatabase) {
        let site = Site::open(test_database).await;
        compare(&site, "empty", "login.vi", &site.browser().get("/login").await.body);
        let mut browser = site.person("lan", PersonRole::Officer, Some(&site.office)).await;
        let values = [("office", site.office.as_str()), ("machine", "0"), ("token", "0"), ("waiver", "0"), ("hold", "0"), ("name", "x.exe")];
        compare_all(&site, &mut browser, "empty", &values).await;
    }

    async fn pages_as_usual(test_database: &TestDatabase) {
        let site = Site::open(test_database).await;
        site.office("Phường Hoà", Some(&site.office)).await;
        let lines = site.roster(&site.office, &["PC-01", "PC-02", "PC-03"]).await;
        let machine = site.machine(&behind("192.168.1.1", "8.8.8.8")).await;
        let mut tx = site.app.db.write().await.unwrap();
        tx.roster_line_machine_set(&Scope::whole(), &lines[0], Some(&machine.id)).await.unwrap();
        tx.commit().await.unwrap();
        site.grade().await;
        let mut browser = site.person("lan", PersonRole::Officer, None).await;
        let form = [("office", site.office.as_str()), ("role", "workstation"), ("uses", "3"), ("hours", "24")];
        browser.post("/enrolment", &form).await;
        for (kind, address) in [("gateway", "192.168.1.0/24"), ("dns", "203.113.131.1")] {
            let form = [("act", "add"), ("kind", kind), ("address", address), ("document", "12/QĐ-UBND, 01/03/2026")];
            browser.post(&format!("/offices/{}/lan", site.office), &form).await.location();
        }
        let page = format!("/machines/{}", machine.id);
        browser.get(&page).await;
        let form = [("control", "time-synchronised"), ("reason", "Chờ đường truyền mới"), ("until", "2026-12-20")];
        browser.post(&format!("{page}/waivers"), &form).await.location();
        let values = [
            ("office", site.office.as_str()), ("machine", &machine.id), ("token", "0"), ("waiver", "0"), ("hold", "0"), ("name", "x.exe"),
        ];
        compare_all(&site, &mut browser, "usual", &values).await;
    }

    async fn pages_full_of_hostile_names(test_database: &TestDatabase) {
        let site = Site::open(test_database).await;
        let names: Vec<String> = hostile_names().into_iter().take(5).collect();
        let labels: Vec<&str> = names.iter().map(String::as_str).collect();
        site.roster(&site.office, &labels).await;
        let machine = site.machine(&hostile_facts(&names)).await;
        rename(&site, &machine.id, &names[1]).await;
        site.office(&names[0], Some(&site.office)).await;
        site.grade().await;
        let mut browser = site.person("lan", PersonRole::Administrator, None).await;
        let page = format!("/machines/{}", machine.id);
        browser.get(&page).await;
        let form = [("control", "firewall-active"), ("reason", names[2].as_str()), ("until", "2026-12-20")];
        browser.post(&format!("{page}/waivers"), &form).await.location();
        browser.post(&format!("{page}/revoke"), &[("reason", &names[3])]).await;
        let values = [
            ("office", site.office.as_str()), ("machine", &machine.id), ("token", "0"), ("waiver", "0"), ("hold", "0"), ("name", "%3Cscript%3E.exe"),
        ];
        compare_all(&site, &mut browser, "hostile", &values).await;
    }
}
