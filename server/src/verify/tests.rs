//! What somebody with the database could do behind the product's back: each is found and named. And that a store is intact to which nobody did
//! anything, also after retention.

use super::*;
use crate::act::By;
use crate::act::roster::link::roster_link;
use crate::act::roster::{NewLine, roster_add, roster_declare, roster_remove};
use crate::act::waiver::{NewWaiver, waiver_ask, waiver_grant};
use crate::ingest::tests::{Machine as TestMachine, TestServer};
use crate::jobs::figure::day_freeze;
use crate::jobs::grader::office_grade_make;
use crate::jobs::packing::headers_pack;
use crate::jobs::retention::retention_apply;
use crate::store::test_database::{TestDatabase, on_both};

const MINUTE: i64 = 60 * 1000;
const DAY: i64 = 24 * 60 * MINUTE;
/// A control that fails on the machine of the scene, and is waived.
const WAIVED: &str = "time-synchronised";

/// An office with a machine that reported three times and has a waiver, with a grade and a frozen figure.
struct Scene {
    server: TestServer,
    machine: TestMachine,
    retention: Retention,
}

impl Scene {
    async fn made(test_database: &TestDatabase) -> Self {
        let server = TestServer::open(test_database).await;
        server.publish().await;
        let machine = server.machine().await;
        let mut scene = Self { server, machine, retention: Retention::default() };
        // The version of the facts' meaning is older than what follows.
        scene.pass(10 * DAY);
        let (db, office) = (&test_database.db, scene.server.office.clone());
        roster_add(db, &scene.by("lan"), &office, &[NewLine::named("PC-01"), NewLine::named("PC-02")]).await.unwrap();
        roster_declare(db, &scene.by("lan"), &office, 0).await.unwrap();
        roster_link(db, &scene.by("lan"), &office, "PC-01", &scene.machine.id, false).await.unwrap();
        scene.report(true).await;
        scene.pass(DAY);
        scene.report(false).await;
        scene.pass(MINUTE);
        let new = NewWaiver {
            machine: scene.machine.id.clone(),
            control: WAIVED.to_owned(),
            reason: "Chờ thay pin".to_owned(),
            until_at: scene.now() + 20 * DAY,
        };
        let judge = scene.server.app.policies.judge();
        let asked = waiver_ask(db, &scene.by("lan"), judge.as_deref(), &new).await.unwrap();
        scene.pass(MINUTE);
        waiver_grant(db, &scene.by("minh"), judge.as_deref(), &asked.id).await.unwrap();
        scene.pass(2 * 60 * MINUTE);
        scene.report(false).await;
        scene.pass(MINUTE);
        scene.grade().await;
        scene.pass(MINUTE);
        assert_eq!(day_freeze(&scene.server.app, "2026-11-23").await.unwrap(), 1);
        scene.pass(MINUTE);
        scene
    }

    fn by(&self, login: &str) -> By {
        By::person(login, Scope::whole(), self.now())
    }

    fn now(&self) -> i64 {
        self.server.app.clock.now_ms()
    }

    fn pass(&self, millis: i64) {
        self.server.app.clock.advance(millis);
    }

    /// The machine reports, with its clock set or not.
    async fn report(&mut self, synchronised: bool) {
        let time = format!(r#"{{"synchronised":{{"known":{synchronised}}}}}"#);
        self.machine.sections.insert("time".to_owned(), time);
        self.machine.made_at = self.now();
        let report = self.machine.full();
        self.server.accepted(&self.machine, &report).await;
    }

    async fn grade(&self) {
        let judge = self.server.app.policies.judge().unwrap();
        office_grade_make(&self.server.app.db, &judge, &self.server.office, self.now()).await.unwrap();
    }

    fn verifying(&self) -> Verifying<'_> {
        let app = &self.server.app;
        Verifying::new(&app.db, &app.policies, &self.retention, app.clock.now())
    }

    async fn office(&self) -> Findings {
        self.verifying().office(&self.server.office).await.unwrap()
    }

    async fn of_machine(&self) -> Findings {
        self.verifying().machine(&self.machine.id).await.unwrap()
    }

    /// What the office's verification says after `statements`.
    async fn attacked(test_database: &TestDatabase, statements: &[&'static str]) -> (Self, Findings) {
        let scene = Self::made(test_database).await;
        let clean = scene.office().await;
        assert!(clean.is_intact(), "{clean:?}");
        test_database.tamper(statements).await;
        let findings = scene.office().await;
        assert!(!findings.is_intact(), "{findings:?}");
        (scene, findings)
    }

    fn report_of(&self, number: i64) -> Subject {
        Subject::Report { machine: self.machine.id.clone(), segment: 1, number }
    }
}

/// The places of the differences of a kind.
fn places(findings: &Findings, what: What) -> Vec<&Place> {
    findings
        .differences
        .iter()
        .filter(|difference| difference.what == what)
        .map(|difference| &difference.place)
        .collect()
}

fn one(findings: &Findings, what: What) -> &Difference {
    let found: Vec<&Difference> = findings.differences.iter().filter(|difference| difference.what == what).collect();
    let [one] = found.as_slice() else { panic!("{what}: {findings:?}") };
    one
}

on_both! {
    async fn a_store_to_which_nobody_did_anything_is_intact(test_database: &TestDatabase) {
        let scene = Scene::made(test_database).await;
        for findings in [
            scene.office().await,
            scene.of_machine().await,
            scene.verifying().log(None).await.unwrap(),
            scene.verifying().audit().await.unwrap(),
        ] {
            assert!(findings.is_intact() && findings.unchecked.is_empty(), "{findings:?}");
        }
        let checked = scene.office().await.checked;
        for (name, count) in [("machines", 1), ("reports", 3), ("bodies", 3), ("waivers", 1), ("lines", 2), ("grades", 1),
            ("figures", 1), ("reproduced", 1)] {
            assert_eq!(checked.get(name), Some(&count), "{name}: {checked:?}");
        }
        assert!(checked["verdicts"] > 60, "{checked:?}");
    }

    async fn what_retention_removed_is_not_missing_and_the_rest_is_intact(test_database: &TestDatabase) {
        let mut scene = Scene::made(test_database).await;
        scene.retention = Retention { months: 1, accounts_months: 1, neighbours_months: 1, events_months: 1 };
        scene.pass(40 * DAY);
        scene.report(true).await;
        scene.pass(MINUTE);
        // The failing state ended only now: it stays. An older one is named by nothing any more.
        assert_eq!(retention_apply(&test_database.db, &scene.retention, scene.server.app.clock.now()).await.unwrap(), 0);
        scene.pass(40 * DAY);
        scene.report(true).await;
        assert_eq!(retention_apply(&test_database.db, &scene.retention, scene.server.app.clock.now()).await.unwrap(), 1);
        let findings = scene.of_machine().await;
        assert!(findings.is_intact(), "{findings:?}");
        let removed = &findings.unchecked[&(Why::BodyRemoved, scene.machine.id.clone())];
        assert_eq!((removed.count, findings.unchecked.len()), (1, 1));
        assert!(scene.verifying().log(None).await.unwrap().is_intact());
        scene.pass(MINUTE);
        scene.grade().await;
        scene.pass(2 * MINUTE);
        let findings = scene.office().await;
        assert!(findings.is_intact(), "{findings:?}");
        assert!(findings.unchecked.contains_key(&(Why::FigureNotReproducible, scene.server.office.clone())), "{findings:?}");
    }

    async fn reports_whose_headers_retention_removed_are_counted_and_the_next_is_verified(test_database: &TestDatabase) {
        let mut scene = Scene::made(test_database).await;
        scene.retention = Retention { months: 1, accounts_months: 1, neighbours_months: 1, events_months: 1 };
        let db = &test_database.db;
        scene.pass(40 * DAY);
        assert_eq!(headers_pack(db, scene.now()).await.unwrap(), 3);
        assert!(scene.office().await.is_intact(), "packed, and all there");
        assert!(retention_apply(db, &scene.retention, scene.server.app.clock.now()).await.unwrap() > 0);
        for reports in [0, 1] {
            if reports > 0 {
                scene.report(true).await;
            }
            for findings in [scene.of_machine().await, scene.office().await, scene.verifying().log(None).await.unwrap()] {
                assert!(findings.is_intact(), "{findings:?}");
                assert_eq!(findings.unchecked[&(Why::HeaderRemoved, scene.machine.id.clone())].count, 3);
            }
        }
        test_database.tamper(&["update audit_entry set action = 'other' where action = 'headers_removed'"]).await;
        assert!(!scene.of_machine().await.is_intact(), "nothing says that retention removed them");
    }

    async fn a_verdict_is_changed(test_database: &TestDatabase) {
        let (scene, findings) = Scene::attacked(test_database, &[
            "update judgement set verdicts = replace(verdicts, 'time-synchronised waived ', 'time-synchronised pass ')",
        ]).await;
        let verdict = one(&findings, What::Verdict);
        assert_eq!(verdict.place, Place::Control(scene.machine.id.clone(), WAIVED.to_owned()));
        assert!(verdict.stored.as_ref().unwrap().starts_with("pass "), "{verdict:?}");
        assert!(verdict.recomputed.as_ref().unwrap().starts_with("waived "), "{verdict:?}");
    }

    async fn every_verdict_that_was_changed_is_named(test_database: &TestDatabase) {
        let (_, findings) = Scene::attacked(test_database, &[
            "update judgement set verdicts = replace(verdicts, ' unknown ', ' pass ')",
        ]).await;
        let found = places(&findings, What::Verdict);
        let unknown = 50;
        assert!(found.len() > unknown, "{}", found.len());
    }

    async fn a_score_is_changed(test_database: &TestDatabase) {
        let (scene, findings) =
            Scene::attacked(test_database, &["update office_grade set score = score + 1000000, letter = 'A'"]).await;
        let office = &scene.server.office;
        let wanted = [Place::Office(office.clone(), "score"), Place::Office(office.clone(), "letter")];
        assert_eq!(places(&findings, What::Grade), wanted.iter().collect::<Vec<_>>());
    }

    async fn a_grade_is_changed_as_a_whole(test_database: &TestDatabase) {
        let (scene, findings) = Scene::attacked(test_database, &[
            "update office_grade set covered = 2, grade = replace(grade, '\"covered\":1', '\"covered\":2')",
        ]).await;
        let grade = one(&findings, What::Grade);
        assert_eq!(grade.place, Place::Office(scene.server.office.clone(), "covered"));
        assert_eq!((grade.stored.as_deref(), grade.recomputed.as_deref()), (Some("2"), Some("1")));
    }

    async fn a_frozen_figure_is_changed(test_database: &TestDatabase) {
        let (scene, findings) = Scene::attacked(test_database, &["update office_day set score = score + 1"]).await;
        let figure = |value| Place::Figure(scene.server.office.clone(), "2026-11-23".to_owned(), 1, value);
        assert_eq!(places(&findings, What::Figure), [&figure("hash"), &figure("score")]);
        assert!(matches!(findings.faults[..], [Fault::Changed { subject: Subject::Figure { .. }, .. }]), "{findings:?}");
    }

    async fn a_waiver_is_back_dated(test_database: &TestDatabase) {
        let (scene, findings) = Scene::attacked(test_database, &[
            "update waiver set asked_at = asked_at - 86400000, decided_at = decided_at - 86400000",
        ]).await;
        let waiver = one(&findings, What::Waiver);
        assert!(matches!(&waiver.place, Place::Waiver(machine, control, _) if *machine == scene.machine.id && control == WAIVED));
        test_database.tamper(&["delete from waiver"]).await;
        let findings = scene.of_machine().await;
        assert_eq!(one(&findings, What::Waiver).stored, None);
        assert_eq!(places(&findings, What::Verdict).len(), 1, "and nothing waives the failure");
    }

    async fn a_body_is_changed(test_database: &TestDatabase) {
        let (scene, findings) = Scene::attacked(test_database, &[
            "update body set bytes = (select other.bytes from body other where other.section = 'lan'),
                 encoding = (select other.encoding from body other where other.section = 'lan')
             where section = 'time' and current",
        ]).await;
        let body = one(&findings, What::Body);
        assert!(matches!(&body.place, Place::Section(machine, section, _) if *machine == scene.machine.id && section == "time"));
        let found = scene.verifying().log(None).await.unwrap();
        assert_eq!(places(&found, What::Body).len(), 1, "verify log reads the bodies too");
    }

    async fn a_body_is_deleted(test_database: &TestDatabase) {
        let (scene, findings) = Scene::attacked(test_database, &["delete from body where section = 'time' and not current"]).await;
        let missing = one(&findings, What::BodyMissing);
        assert!(matches!(&missing.place, Place::Section(machine, section, _) if *machine == scene.machine.id && section == "time"));
    }

    async fn the_state_of_a_section_is_made_newer(test_database: &TestDatabase) {
        let (_, findings) = Scene::attacked(test_database, &["update machine_head set seen = '1799999999999 0 0'"]).await;
        assert_eq!(places(&findings, What::Sections).len(), 2);
    }

    async fn a_signature_is_exchanged(test_database: &TestDatabase) {
        let (scene, findings) = Scene::attacked(test_database, &[
            "update report set signature = (select first.signature from report first where first.number = 1) where number = 2",
        ]).await;
        assert_eq!(one(&findings, What::Signature).place, Place::Of(scene.report_of(2)));
        let found = scene.verifying().log(None).await.unwrap();
        assert_eq!(one(&found, What::Signature).place, Place::Of(scene.report_of(2)), "verify log checks signatures too");
    }

    async fn a_report_is_deleted(test_database: &TestDatabase) {
        let (scene, findings) = Scene::attacked(test_database, &["delete from report where number = 2"]).await;
        assert!(matches!(&findings.faults[..], [Fault::Gone { subject, .. }] if *subject == scene.report_of(2)), "{findings:?}");
        assert_eq!(one(&findings, What::Chain).place, Place::Of(scene.report_of(3)));
    }

    async fn the_last_report_is_deleted_or_one_is_added(test_database: &TestDatabase) {
        let (scene, findings) = Scene::attacked(test_database, &["delete from report where number = 3"]).await;
        assert_eq!(one(&findings, What::Head).place, Place::Machine(scene.machine.id.clone()));
        test_database.tamper(&[
            "insert into report select machine, segment, 4, hash, header, signature, received_at, made_at from report where number = 2",
        ]).await;
        let findings = scene.of_machine().await;
        assert!(findings.faults.iter().any(|fault| matches!(fault, Fault::Added { .. })), "{findings:?}");
    }

    async fn the_bodies_of_a_fork_are_changed(test_database: &TestDatabase) {
        let mut scene = Scene::made(test_database).await;
        let mut twin = scene.machine.clone();
        scene.report(true).await;
        twin.sections.insert("time".to_owned(), r#"{"zone":{"known":"Asia/Tokyo"}}"#.to_owned());
        let refused = twin.full();
        scene.server.send(&twin, &[refused]).await;
        let findings = scene.of_machine().await;
        assert!(findings.is_intact() && findings.checked["forks"] == 1, "{findings:?}");
        test_database.tamper(&["update fork set bodies = header"]).await;
        for findings in [scene.of_machine().await, scene.verifying().log(None).await.unwrap()] {
            assert!(matches!(one(&findings, What::Body).place, Place::Of(Subject::Fork { .. })));
        }
    }

    async fn an_audit_entry_is_changed(test_database: &TestDatabase) {
        let scene = Scene::made(test_database).await;
        test_database.tamper(&["update audit_entry set subject = 'other' where number = 2"]).await;
        let findings = scene.verifying().audit().await.unwrap();
        assert_eq!(one(&findings, What::Audit).place, Place::Of(Subject::Audit { number: 2 }));
        let [Fault::Changed { subject, record: true, .. }] = &findings.faults[..] else { panic!("{findings:?}") };
        assert_eq!(*subject, Subject::Audit { number: 2 });
        test_database.tamper(&["delete from audit_entry where number = (select max(number) from audit_entry)"]).await;
        assert!(!scene.verifying().audit().await.unwrap().is_intact());
    }

    async fn a_line_of_the_roster_is_removed(test_database: &TestDatabase) {
        let (scene, findings) =
            Scene::attacked(test_database, &["update roster_line set removed_at = 5 where label = 'PC-02'"]).await;
        assert!(matches!(&one(&findings, What::Line).place, Place::Line(office, _) if *office == scene.server.office));
        assert!(places(&findings, What::Grade).contains(&&Place::Office(scene.server.office.clone(), "expected")));
        test_database.tamper(&["delete from roster_line where label = 'PC-02'"]).await;
        assert_eq!(one(&scene.office().await, What::Line).stored, None);
    }

    async fn what_the_office_does_itself_is_no_attack(test_database: &TestDatabase) {
        let scene = Scene::made(test_database).await;
        roster_remove(&test_database.db, &scene.by("lan"), &scene.server.office, "PC-02").await.unwrap();
        let findings = scene.office().await;
        assert!(findings.is_intact(), "{findings:?}");
        assert!(findings.unchecked.contains_key(&(Why::AwaitsGrade, scene.server.office.clone())), "{findings:?}");
        scene.pass(MINUTE);
        scene.grade().await;
        let findings = scene.office().await;
        assert!(findings.is_intact() && findings.unchecked.is_empty(), "{findings:?}");
        assert_eq!(findings.checked["reproduced"], 1, "the figure from before");
    }
}
