//! The network of an office at the pages: a foreign DNS server shows with its machines, and approving it clears it.

use axum::http::StatusCode;
use policies::fact::{Fact, Facts, List};

use super::office::{ledger, unprotected};
use super::{Site, sections};
use crate::store::Scope;
use crate::store::person::PersonRole;
use crate::store::test_database::on_both;

/// A machine behind `gateway` that asks `dns`.
pub(super) fn behind(gateway: &str, dns: &str) -> Facts {
    let mut facts = unprotected();
    facts.lan.gateways = Fact::Known(List::capped(vec![gateway.to_owned()]));
    facts.lan.dns_servers = Fact::Known(List::capped(vec![dns.to_owned()]));
    facts
}

/// The same, of which it is known that no other way out leads past the gateway.
fn only_behind(gateway: &str, dns: &str) -> Facts {
    let mut facts = behind(gateway, dns);
    facts.lan.interfaces = Fact::Known(List::default());
    facts
}

on_both! {
    async fn a_foreign_dns_server_fails_the_office_until_it_is_approved_or_gone(test_database: &TestDatabase) {
        let site = Site::open(test_database).await;
        let lines = site.roster(&site.office, &["PC Văn phòng", "PC Kế toán"]).await;
        let mut machines = Vec::new();
        for (line, dns) in lines.iter().zip(["203.113.131.1", "8.8.8.8"]) {
            let machine = site.machine(&only_behind("192.168.1.1", dns)).await;
            let mut tx = site.app.db.write().await.unwrap();
            tx.roster_line_machine_set(&Scope::whole(), line, Some(&machine.id)).await.unwrap();
            tx.commit().await.unwrap();
            machines.push(machine);
        }
        let mut browser = site.person("lan", PersonRole::Officer, Some(&site.office)).await;
        let (office, lan) = (format!("/offices/{}", site.office), format!("/offices/{}/lan", site.office));
        let page = browser.get(&office).await;
        assert!(page.has("Phần tổ chức") && page.has("chưa có danh sách được duyệt; ghi ở trang Mạng nội bộ"), "{}", page.body);
        assert_eq!(ledger(&page).iter().sum::<i64>(), 10_000);
        assert_eq!(ledger(&page).iter().rev().take(2).collect::<Vec<_>>(), [&0, &0], "two lines without points");
        let page = browser.get(&lan).await;
        assert!(page.has("8.8.8.8") && page.has("PC Kế toán") && page.has("chưa có danh sách"), "{}", page.body);

        for (kind, address) in [("gateway", "192.168.1.0/24"), ("dns", "203.113.131.1")] {
            let form = [("act", "add"), ("kind", kind), ("address", address), ("document", "12/QĐ-UBND")];
            browser.get(&lan).await;
            assert_eq!(browser.post(&lan, &form).await.location(), lan);
        }
        let page = browser.get(&office).await;
        let found = "máy chủ DNS ngoài danh sách được duyệt: 8.8.8.8 (PC Kế toán)";
        assert!(page.has(found) && !page.has("8.8.8.8 (PC Văn phòng"), "{}", page.body);
        assert!(page.has("cổng mặc định ngoài danh sách được duyệt: không có"), "{}", page.body);
        assert_eq!(ledger(&page).iter().sum::<i64>(), 10_000);

        browser.get(&lan).await;
        browser.post(&lan, &[("act", "add"), ("kind", "dns"), ("address", "8.8.8.8")]).await.location();
        let page = browser.get(&office).await;
        assert!(page.has("máy chủ DNS ngoài danh sách được duyệt: không có"), "{}", page.body);
        browser.get(&lan).await;
        browser.post(&lan, &[("act", "remove"), ("kind", "dns"), ("address", "8.8.8.8")]).await.location();
        assert!(browser.get(&office).await.has(found));
        site.app.clock.advance(60_000);
        machines[1].sections = sections(&only_behind("192.168.1.1", "203.113.131.1"));
        site.report(&mut machines[1]).await;
        assert!(browser.get(&office).await.has("máy chủ DNS ngoài danh sách được duyệt: không có"), "the machine was set right");
        let page = browser.get(&lan).await;
        assert!(page.has("Các thay đổi của danh sách (3)") && page.has("12/QĐ-UBND"), "{}", page.body);
        let log = browser.get("/audit").await;
        assert!(log.has("duyệt địa chỉ mạng nội bộ") && log.has("bỏ duyệt địa chỉ mạng nội bộ"));
        assert!(log.has("máy chủ DNS") && log.has("12/QĐ-UBND"), "{}", log.body);
    }

    async fn a_department_has_the_list_of_its_commune(test_database: &TestDatabase) {
        let site = Site::open(test_database).await;
        let room = site.office("Phòng Văn hoá", Some(&site.office)).await;
        let mut above = site.person("lan", PersonRole::Officer, Some(&site.office)).await;
        let lan = format!("/offices/{}/lan", site.office);
        above.get(&lan).await;
        above.post(&lan, &[("act", "add"), ("kind", "dns"), ("address", "203.113.131.1")]).await.location();
        let own = format!("/offices/{room}/lan");
        let page = above.get(&own).await;
        assert!(page.has("203.113.131.1") && page.has("Theo danh sách của ") && !page.has("value=\"remove\""), "{}", page.body);
        let mut below = site.person("minh", PersonRole::Officer, Some(&room)).await;
        assert!(below.get(&own).await.has("Theo danh sách của cơ quan cấp trên"), "what lies outside the scope has no name");
        assert_eq!(below.get(&lan).await.status, StatusCode::NOT_FOUND);
        below.post(&own, &[("act", "add"), ("kind", "dns"), ("address", "10.0.0.2")]).await.location();
        let page = below.get(&own).await;
        assert!(page.has("10.0.0.2") && !page.has("203.113.131.1"), "its own list alone: {}", page.body);
    }

    async fn what_cannot_be_approved_is_refused_with_the_reason(test_database: &TestDatabase) {
        let site = Site::open(test_database).await;
        let lan = format!("/offices/{}/lan", site.office);
        let form = [("act", "add"), ("kind", "dns"), ("address", "203.113.131.1")];
        let mut browser = site.person("lan", PersonRole::Officer, Some(&site.office)).await;
        for (address, why) in [
            ("router", "không phải địa chỉ IP hay dải địa chỉ"), ("0.0.0.0/0", "quá rộng"),
            ("192.168.1.5/24", "Hãy ghi 192.168.1.0/24"), ("127.0.0.1", "không phải địa chỉ của một thiết bị"),
        ] {
            browser.get(&lan).await;
            let answer = browser.post(&lan, &[("act", "add"), ("kind", "dns"), ("address", address)]).await;
            assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{address}");
            assert!(answer.has(why), "{address}: {}", answer.body);
        }
        browser.get(&lan).await;
        let answer = browser.post(&lan, &[("act", "add"), ("kind", "router"), ("address", "10.0.0.1")]).await;
        assert!(answer.status.is_client_error(), "{}", answer.status);
        let forged = browser.post_with(&lan, &"0".repeat(64), &form, &[]).await;
        assert_eq!(forged.status, StatusCode::FORBIDDEN);

        for (login, role) in [("truong", PersonRole::Head), ("kiemtra", PersonRole::Auditor)] {
            let mut reader = site.person(login, role, Some(&site.office)).await;
            assert!(!reader.get(&lan).await.has("name=\"address\""), "no form that would be refused");
            assert_eq!(reader.post(&lan, &form).await.status, StatusCode::FORBIDDEN);
        }
        let elsewhere = site.office("Xã khác", None).await;
        let mut stranger = site.person("minh", PersonRole::Officer, Some(&elsewhere)).await;
        stranger.get("/offices").await;
        assert_eq!(stranger.get(&lan).await.status, StatusCode::NOT_FOUND);
        stranger.get("/offices").await;
        assert_eq!(stranger.post(&lan, &form).await.status, StatusCode::NOT_FOUND);
        assert!(!browser.get(&lan).await.has("203.113.131.1"));
    }
}
