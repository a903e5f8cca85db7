//! Whoever looks at what a machine reported is in the audit log before the page leaves.

use axum::body::Body;
use axum::http::{Method, StatusCode};
use policies::fact::{Fact, Facts};

use super::Site;
use super::hostile::account;
use crate::audit::Entry;
use crate::store::Scope;
use crate::store::audit::Listed;
use crate::store::person::PersonRole;
use crate::store::test_database::on_both;
use crate::web::visitor::FOLLOWING;

/// A name that stands in no other place.
const MARK: &str = "tài-khoản-riêng-4711";

/// The facts of a machine on which somebody has an account.
fn facts() -> Facts {
    let mut facts = Facts::default();
    facts.accounts.users = Fact::Known([account(MARK)].into_iter().collect());
    facts.system.name = Fact::Known(MARK.to_owned());
    facts
}

async fn looks(site: &Site, scope: &Scope) -> Vec<Entry> {
    site.app.db.read().await.unwrap().audit_list_only(scope, Listed::Looks, i64::MAX, 1000).await.unwrap()
}

on_both! {
    async fn a_page_with_a_personal_fact_has_an_entry_and_no_other_has(test_database: &TestDatabase) {
        let site = Site::open(test_database).await;
        let machine = site.machine(&facts()).await;
        site.roster(&site.office, &["PC-01"]).await;
        site.grade().await;
        let mut browser = site.person("lan", PersonRole::Officer, Some(&site.office)).await;
        let values = [("office", site.office.as_str()), ("machine", &machine.id), ("token", "0"), ("waiver", "0"), ("name", "x.exe")];
        let mut shown = Vec::new();
        for (path, _) in crate::web::routes().into_iter().filter(|(path, _)| *path != "/events") {
            let before = looks(&site, &Scope::whole()).await.len();
            let asked = values.iter().fold(path.to_owned(), |path, (name, value)| path.replace(&format!("{{{name}}}"), value));
            let answer = browser.get(&asked).await;
            let entered = looks(&site, &Scope::whole()).await.len() - before;
            assert_eq!(entered, usize::from(answer.has(MARK)), "{path}");
            shown.extend(answer.has(MARK).then_some(path));
        }
        assert_eq!(shown, ["/machines/{machine}"]);
    }

    async fn an_entry_names_person_subject_and_basis_once_a_quarter_of_an_hour(test_database: &TestDatabase) {
        let site = Site::open(test_database).await;
        let machine = site.machine(&facts()).await;
        let elsewhere = site.office("Phường Hoà", None).await;
        let mut police = site.person("congan", PersonRole::Police, None).await;
        let mut stranger = site.person("minh", PersonRole::Officer, Some(&elsewhere)).await;
        let page = format!("/machines/{}", machine.id);
        assert_eq!(stranger.get(&page).await.status, StatusCode::NOT_FOUND);
        assert!(looks(&site, &Scope::whole()).await.is_empty(), "nothing was shown");
        assert!(police.get(&page).await.has(MARK));
        let entries = looks(&site, &Scope::office(&site.office)).await;
        let [entry] = &entries[..] else { panic!("{entries:?}") };
        assert_eq!(entry.actor, "person:congan");
        assert!(entry.person.is_some() && entry.subject.starts_with(&machine.id));
        assert_eq!(entry.detail, r#"{"basis":"","of":"machine"}"#);

        // A reload is the same look, whether the page asks for it or says that it does.
        for headers in [&[][..], &[(FOLLOWING, "1")]] {
            site.app.clock.advance(7 * 60_000);
            police.open(Method::GET, &page, Body::empty(), headers).await;
        }
        assert_eq!(looks(&site, &Scope::whole()).await.len(), 1);
        site.app.clock.advance(60_000);
        police.open(Method::GET, &page, Body::empty(), &[(FOLLOWING, "1")]).await;
        assert_eq!(looks(&site, &Scope::whole()).await.len(), 2, "a look is never left out for longer");
        assert!(site.app.db.read().await.unwrap().audit_verify().await.unwrap().is_ok());

        let mut head = site.person("truong", PersonRole::Head, Some(&site.office)).await;
        let (changes, seen) = (head.get("/audit").await, head.get("/audit?show=looks").await);
        assert!(!changes.has("xem chi tiết máy</td>") && changes.has("/audit?show=looks"));
        assert_eq!(seen.body.matches("xem chi tiết máy</td>").count(), 2, "{}", seen.body);
        assert!(seen.has("congan") && seen.has("phạm vi xem: một máy") && !seen.has("căn cứ xem"));
        assert!(head.get("/audit?show=all").await.has("xem chi tiết máy</td>"));
    }

    async fn a_page_whose_look_cannot_be_stored_does_not_leave(test_database: &TestDatabase) {
        let site = Site::open(test_database).await;
        let machine = site.machine(&facts()).await;
        let mut browser = site.person("lan", PersonRole::Head, None).await;
        let page = format!("/machines/{}", machine.id);
        test_database.log_away(true).await;
        let answer = browser.get(&page).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(answer.has("Chưa ghi được lượt xem này vào nhật ký") && !answer.has(MARK), "{}", answer.body);
        test_database.log_away(false).await;
        assert!(browser.get(&page).await.has(MARK));
    }
}
