//! Who may ask, decide and withdraw, and what is refused outright.

use policies::policy::SHIPPED;

use super::*;
use crate::store::StoreError;
use crate::store::test_database::{self, TestDatabase, on_both};

/// Tuesday 3 November 2026, 10:00 in Hà Nội.
const NOW: i64 = 1_793_674_800_000;
const DAY: i64 = 24 * 60 * 60 * 1000;

/// A department below a commune below a province, with a machine, and the shipped policy.
struct Fixture {
    judge: CompiledPolicy,
    province: String,
    commune: String,
    department: String,
    machine: String,
}

impl Fixture {
    async fn open(test_database: &TestDatabase) -> Self {
        let files = SHIPPED.into_iter().map(|(name, text)| (name.to_owned(), text.to_owned())).collect();
        let mut tx = test_database.db.write().await.unwrap();
        let province = test_database::office(&mut tx, "Tỉnh", None).await;
        let commune = test_database::office(&mut tx, "Xã", Some(&province)).await;
        let department = test_database::office(&mut tx, "Phòng", Some(&commune)).await;
        let machine = test_database::machine(&mut tx, &department).await;
        tx.commit().await.unwrap();
        Self { judge: CompiledPolicy::new("p1", &files).unwrap(), province, commune, department, machine }
    }

    fn wish(&self, control: &str, days: i64) -> NewWaiver {
        NewWaiver {
            machine: self.machine.clone(),
            control: control.to_owned(),
            reason: "  Chờ thay máy theo kế hoạch quý I  ".to_owned(),
            until_at: NOW + days * DAY,
        }
    }

    async fn ask(&self, db: &Db, who: &By, new: &NewWaiver) -> Result<Waiver, WaiverError> {
        waiver_ask(db, who, Some(&self.judge), new).await
    }

    async fn grant(&self, db: &Db, who: &By, id: &str) -> Result<Waiver, WaiverError> {
        waiver_grant(db, who, Some(&self.judge), id).await
    }
}

fn by(login: &str, office: &str, at: i64) -> By {
    By::person(login, Scope::office(office), at)
}

fn refusal<T: std::fmt::Debug>(result: Result<T, WaiverError>) -> Refusal {
    match result {
        Err(WaiverError::Refused(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}

fn is_outside<T: std::fmt::Debug>(result: Result<T, WaiverError>) -> bool {
    matches!(result, Err(WaiverError::Store(StoreError::NotFound { .. })))
}

on_both! {
    async fn the_author_and_the_office_itself_decide_nothing(test_database: &TestDatabase) {
        let (db, fixture) = (&test_database.db, Fixture::open(test_database).await);
        let lan = by("lan", &fixture.department, NOW);
        let asked = fixture.ask(db, &lan, &fixture.wish("firewall-active", 30)).await.unwrap();
        assert_eq!((asked.state, asked.reason.as_str()), (WaiverState::Asked, "Chờ thay máy theo kế hoạch quý I"));

        assert_eq!(refusal(fixture.grant(db, &lan, &asked.id).await), Refusal::Author);
        let promoted = By { scope: Scope::whole(), ..lan.clone() };
        assert_eq!(refusal(fixture.grant(db, &promoted, &asked.id).await), Refusal::Author, "not even from above");
        assert_eq!(refusal(waiver_refuse(db, &promoted, &asked.id, "không").await), Refusal::Author);
        let colleague = by("cuc", &fixture.department, NOW);
        assert_eq!(refusal(fixture.grant(db, &colleague, &asked.id).await), Refusal::Inside);
        assert_eq!(refusal(waiver_refuse(db, &colleague, &asked.id, "không").await), Refusal::Inside);
        assert_eq!(refusal(waiver_withdraw(db, &colleague, &asked.id).await), Refusal::Stranger);
        assert_eq!(refusal(waiver_grant(db, &by("ha", &fixture.commune, NOW), None, &asked.id).await), Refusal::NoPolicy);

        let mut tx = db.write().await.unwrap();
        let elsewhere = test_database::office(&mut tx, "Xã khác", Some(&fixture.province)).await;
        tx.commit().await.unwrap();
        let stranger = by("son", &elsewhere, NOW);
        assert!(is_outside(fixture.grant(db, &stranger, &asked.id).await));
        assert!(is_outside(waiver_withdraw(db, &stranger, &asked.id).await));
        assert!(is_outside(fixture.ask(db, &stranger, &fixture.wish("smb1", 30)).await));

        let granted = fixture.grant(db, &by("ha", &fixture.commune, NOW + 5), &asked.id).await.unwrap();
        assert_eq!((granted.state, granted.decided_by.as_deref(), granted.decided_at), (WaiverState::Granted, Some("person:ha"), Some(NOW + 5)));
        assert_eq!(refusal(fixture.grant(db, &by("dung", &fixture.province, NOW), &asked.id).await), Refusal::Decided);
        assert_eq!(refusal(waiver_refuse(db, &by("dung", &fixture.province, NOW), &asked.id, "không").await), Refusal::Decided);
        assert_eq!(refusal(fixture.ask(db, &lan, &fixture.wish("firewall-active", 20)).await), Refusal::Open);

        // Either may withdraw it, once; then it can be asked for again.
        let withdrawn = waiver_withdraw(db, &by("ha", &fixture.commune, NOW + 9), &asked.id).await.unwrap();
        assert_eq!((withdrawn.state, withdrawn.ended_by.as_deref()), (WaiverState::Withdrawn, Some("person:ha")));
        assert_eq!(refusal(waiver_withdraw(db, &lan, &asked.id).await), Refusal::Over);
        let again = fixture.ask(db, &lan, &fixture.wish("firewall-active", 20)).await.unwrap();
        waiver_withdraw(db, &lan, &again.id).await.unwrap();
        let third = fixture.ask(db, &lan, &fixture.wish("firewall-active", 20)).await.unwrap();
        assert_eq!(refusal(waiver_refuse(db, &by("ha", &fixture.commune, NOW), &third.id, " ").await), Refusal::NoReason);
        let refused = waiver_refuse(db, &by("ha", &fixture.commune, NOW), &third.id, "Máy sửa được ngay").await.unwrap();
        assert_eq!((refused.state, refused.decided_why.as_deref()), (WaiverState::Refused, Some("Máy sửa được ngay")));

        let mut tx = db.read().await.unwrap();
        assert_eq!(tx.audit_verify().await.unwrap(), Ok(7));
        let changes = tx.change_list(0, 100).await.unwrap();
        assert_eq!(changes.len(), 7);
        assert!(changes.iter().all(|change| change.kind == EventKind::Waiver && change.machine.as_ref() == Some(&fixture.machine)));
    }

    async fn an_end_too_far_ahead_is_refused_from_the_grant_on(test_database: &TestDatabase) {
        let (db, fixture) = (&test_database.db, Fixture::open(test_database).await);
        let lan = by("lan", &fixture.department, NOW);
        let too_long = Refusal::TooLong { severity: Severity::Critical, days: 90 };
        assert_eq!(refusal(fixture.ask(db, &lan, &fixture.wish("firewall-active", 91)).await), too_long);
        assert!(too_long.text().vi.contains("90 ngày") && too_long.text().en.contains("90 days"));
        fixture.ask(db, &lan, &fixture.wish("firewall-active", 90)).await.unwrap();
        let other = Refusal::TooLong { severity: Severity::Medium, days: 365 };
        assert_eq!(refusal(fixture.ask(db, &lan, &fixture.wish("time-synchronised", 366)).await), other);
        let long = fixture.ask(db, &lan, &fixture.wish("time-synchronised", 365)).await.unwrap();
        assert_eq!(refusal(fixture.ask(db, &lan, &fixture.wish("smb1", 0)).await), Refusal::Past);
        assert_eq!(refusal(fixture.grant(db, &by("ha", &fixture.commune, NOW + 365 * DAY), &long.id).await), Refusal::Past);

        // A request made when the control weighed less is checked against its weight at the grant.
        let files = SHIPPED.into_iter().map(|(name, text)| {
            let (before, control) = text.split_once("id = \"time-synchronised\"").unwrap_or((text, ""));
            let mark = if control.is_empty() { "" } else { "id = \"time-synchronised\"" };
            (name.to_owned(), format!("{before}{mark}{}", control.replacen("severity = \"medium\"", "severity = \"critical\"", 1)))
        });
        let stricter = CompiledPolicy::new("p2", &files.collect()).unwrap();
        let granted = waiver_grant(db, &by("ha", &fixture.commune, NOW), Some(&stricter), &long.id).await;
        assert_eq!(refusal(granted), too_long);
        fixture.grant(db, &by("ha", &fixture.commune, NOW), &long.id).await.unwrap();
    }

    async fn a_control_that_does_not_exist_is_named_by_the_nearest(test_database: &TestDatabase) {
        let (db, fixture) = (&test_database.db, Fixture::open(test_database).await);
        let lan = by("lan", &fixture.department, NOW);
        let said = refusal(fixture.ask(db, &lan, &fixture.wish("firewal-activ", 30)).await).text();
        assert!(said.vi.contains("không có tiêu chí `firewal-activ`; ý bạn là `firewall-active`?"), "{said:?}");
        assert!(said.en.contains("did you mean `firewall-active`?"), "{said:?}");
        for reason in [String::new(), "  ".to_owned(), "x".repeat(REASON_MOST + 1)] {
            let new = NewWaiver { reason, ..fixture.wish("smb1", 30) };
            assert_eq!(refusal(fixture.ask(db, &lan, &new).await), Refusal::NoReason);
        }
        let mut tx = db.write().await.unwrap();
        tx.machine_revoke(&Scope::whole(), &fixture.machine, NOW, "x", "x").await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(refusal(fixture.ask(db, &lan, &fixture.wish("smb1", 30)).await), Refusal::Revoked);
    }
}

#[test]
fn a_day_ends_where_people_live() {
    let zone = TimeZone::get("Asia/Ho_Chi_Minh").unwrap();
    // 3 November ends at 17:00 UTC.
    assert_eq!(day_end("2026-11-03", &zone), Some(NOW + 14 * 60 * 60 * 1000));
    assert_eq!(day_end(" 2026-11-31", &zone), None);
    let files = SHIPPED.into_iter().map(|(name, text)| (name.to_owned(), text.to_owned())).collect();
    let judge = CompiledPolicy::new("p1", &files).unwrap();
    let now = Timestamp::from_millisecond(NOW).unwrap();
    let latest = latest_day(&judge, Severity::Critical, now, &zone);
    let end = day_end(&latest.to_string(), &zone).unwrap();
    assert!(end <= NOW + 90 * DAY && end + DAY > NOW + 90 * DAY, "{latest}");
}
