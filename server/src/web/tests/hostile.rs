//! Text from machines and people that would do harm if a page believed it: every page in both languages stays a page.

use axum::http::StatusCode;
use policies::fact::{Account, Fact, Facts, List, Reason, Share, ShareKind};

use protocol::limits;

use super::Site;
use crate::store::person::PersonRole;
use crate::store::test_database::on_both;

/// An account of a person.
pub(super) fn account(name: &str) -> Account {
    Account {
        name: name.to_owned(),
        id: 1000,
        administrator: Fact::Known(true),
        enabled: Fact::Known(true),
        empty_password: Fact::Known(true),
        last_logon_at: Fact::default(),
        password_changed_at: Fact::default(),
        password_never_expires: Fact::default(),
        hash_method: Fact::default(),
        last_used_at: Fact::default(),
        password_required: Fact::default(),
    }
}

/// Names that a machine, a share or an account may well have.
pub(super) fn hostile_names() -> Vec<String> {
    vec![
        "<script>alert(1)</script>".to_owned(),
        "\"><img src=x onerror=alert(1)>".to_owned(),
        "máy\u{202e}gpj.exe\u{2066}\u{200b}".to_owned(),
        "=cmd|' /C calc'!A0".to_owned(),
        "a\r\nSet-Cookie: x=y\u{1}\u{7}\u{1b}[31m".to_owned(),
        "{{ 7 * 7 }} ${7*7} {0} {1}".to_owned(),
        "Z\u{300}\u{301}\u{302}\u{303}\u{304}\u{305}\u{306}\u{307}".to_owned(),
        "dài".repeat(10_000),
        "Máy của chị Nguyễn Thị Hằng - Tổ một cửa".to_owned(),
    ]
}

pub(super) fn hostile_facts(names: &[String]) -> Facts {
    // No report with longer strings is accepted.
    let cut = |name: &String| name.chars().take(limits::STRING / 4).collect();
    let names: Vec<String> = names.iter().map(cut).collect();
    let mut facts = Facts::default();
    let all = || List::capped(names.clone());
    facts.system.title = Fact::Known(names[0].clone());
    facts.system.name = Fact::Known(names[1].clone());
    facts.system.id = Fact::unknown(Reason::Unreadable, names[0].clone());
    facts.system.domains = Fact::Known(all());
    facts.lan.dns_servers = Fact::Known(all());
    facts.lan.proxies = Fact::Known(all());
    facts.patches.pending_names = Fact::Known(all());
    facts.remote.control_programs = Fact::Known(all());
    let share = |name: &String| Share {
        kind: ShareKind::Smb,
        name: name.clone(),
        open_to_all: Fact::Known(true),
        writable: Fact::unknown(Reason::Unreadable, name.clone()),
        remote_root: Fact::default(),
    };
    facts.sharing.shares = Fact::Known(names.iter().map(share).collect());
    facts.accounts.users = Fact::Known(names.iter().map(|name| account(name)).collect());
    facts
}

on_both! {
    async fn hostile_text_is_only_text_on_every_page(test_database: &TestDatabase) {
        let site = Site::open(test_database).await;
        let names = hostile_names();
        let labels: Vec<&str> = names.iter().map(String::as_str).collect();
        site.roster(&site.office, &labels).await;
        let mut machines = Vec::new();
        for name in &names {
            let machine = site.machine(&hostile_facts(&names)).await;
            rename(&site, &machine.id, name).await;
            machines.push(machine.id);
        }
        for name in &names {
            let name: String = name.chars().take(200).collect();
            let office = site.office(&name, Some(&site.office)).await;
            site.roster(&office, &labels[..2]).await;
        }
        site.grade().await;
        let mut browser = site.person("lan", PersonRole::Administrator, None).await;
        let page = format!("/machines/{}", machines[0]);
        browser.get(&page).await;
        for (control, reason) in [("firewall-active", &names[0]), ("patches-monthly", &names[2]), ("lockout", &names[4])] {
            let form = [("control", control), ("reason", reason), ("until", "2026-12-20")];
            browser.post(&format!("{page}/waivers"), &form).await.location();
        }
        browser.post(&format!("{page}/revoke"), &[("reason", &names[0])]).await;
        let office = format!("/offices/{}", site.office);
        let enrolment = format!("/enrolment?office={}", site.office);
        let mut pages = vec!["/offices".to_owned(), office, enrolment, "/audit".to_owned(), "/password".to_owned()];
        pages.extend(machines.iter().map(|machine| format!("/machines/{machine}")));
        pages.push("/offices/<script>alert(1)</script>".replace('<', "%3C").replace('>', "%3E"));
        for language in ["vi", "en"] {
            browser.get("/offices").await;
            assert_eq!(browser.post("/language", &[("language", language), ("next", "/audit")]).await.location(), "/audit");
            for path in &pages {
                let answer = browser.get(path).await;
                let expected = if path.contains("%3C") { StatusCode::NOT_FOUND } else { StatusCode::OK };
                assert_eq!(answer.status, expected, "{path}: {}", answer.body);
                assert!(answer.has(&format!("<html lang=\"{language}\">")), "{path}");
                assert_harmless(path, &answer.body);
            }
        }
        let shown = browser.get(&format!("/machines/{}", machines[8])).await;
        assert!(shown.has("Máy của chị Nguyễn Thị Hằng - Tổ một cửa"), "honest names stay as they are");
        assert!(shown.has("⟨U+202E⟩") && shown.has("␁"));
    }

    async fn a_hostile_login_name_comes_back_as_text(test_database: &TestDatabase) {
        let site = Site::open(test_database).await;
        let mut browser = site.browser();
        for name in hostile_names().iter().filter(|name| name.len() < 1000) {
            let answer = browser.login(name, "sai").await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
            assert!(!answer.body.contains("<script>alert") && !answer.body.contains("<img"), "{name}");
        }
    }
}

fn assert_harmless(path: &str, body: &str) {
    for markup in ["<script>alert", "<img", "onerror=alert(1)>", "\r"] {
        assert!(!body.contains(markup), "{path} has {markup:?}");
    }
    let strange = body.chars().find(|&character| {
        character != '\n'
            && (character.is_control()
                || matches!(character, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'))
    });
    assert_eq!(strange, None, "{path}");
    assert!(body.len() < 600_000, "{path} has {} bytes", body.len());
    assert!(!body.contains(&"dài".repeat(1000)), "{path} shows a name in full length");
}

/// Gives a machine the name it would have given itself at enrolment.
pub(super) async fn rename(site: &Site, machine: &str, name: &str) {
    let mut tx = site.app.db.write().await.unwrap();
    crate::store::test_database::rename(&mut tx, machine, name).await;
    tx.commit().await.unwrap();
}
