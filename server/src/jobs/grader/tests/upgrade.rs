//! A store written by the previous release: everything in it is judged again, and nothing is lost.

use super::*;
use crate::audit::{Action, Actor, Change};
use crate::store::grade::StoredGrade;
use crate::store::judgement::{Judgement, VerdictState};
use crate::store::person::{Person, PersonRole};
use crate::store::report::NewReport;
use crate::store::test_database::TestDatabase;

/// The last migration of version 0.1.
const OF_BEFORE: i64 = 5;

/// What 0.1 left of one machine.
struct Before {
    office: String,
    machine: String,
    person: Person,
    score: Points,
}

fn seen_facts() -> Facts {
    let mut facts = facts(false);
    facts.logging.running = Fact::Known(true);
    facts
}

fn verdict(control: &str, verdict: Verdict) -> VerdictState {
    VerdictState {
        control: control.to_owned(),
        verdict,
        since_at: NOW - 9 * DAY,
        failing_since_at: (verdict == Verdict::Fail).then_some(NOW - 9 * DAY),
        no_reader: false,
        agent_too_old: false,
        implied_by: None,
    }
}

/// Fills a store with what version 0.1 wrote.
async fn fill(test_database: &TestDatabase, judge: &CompiledPolicy) -> Before {
    let mut tx = test_database.db.write().await.unwrap();
    let office = test_database::office(&mut tx, "Xã An", None).await;
    let machine = test_database::machine_of_before(&mut tx, &office).await;
    declare(&mut tx, &office).await;
    let mut sections = Sections::default();
    for (section, text) in
        [Section::Time, Section::Logging].map(|section| (section, seen_facts().encode(section).unwrap()))
    {
        let digest = Digest::of(text.as_bytes());
        let state = SectionState { digest, observed_at: NOW, received_at: NOW, known: true };
        sections.0.insert(section.name().to_owned(), state);
        let body = Body { machine: machine.clone(), section: section.name().to_owned(), digest, text };
        tx.body_insert(&[(&body, true)], NOW).await.unwrap();
    }
    test_database::head_of_before(&mut tx, &machine, &sections, NOW).await;
    let report = NewReport {
        machine: machine.clone(),
        position: Position { segment: 1, number: 1, hash: Digest::of(b"1") },
        header: b"header".to_vec(),
        signature: b"signature".to_vec(),
        received_at: NOW,
        made_at: NOW,
    };
    tx.report_insert(&[&report]).await.unwrap();
    let judgement = Judgement {
        machine: machine.clone(),
        policy: judge.address().to_owned(),
        role: Role::Workstation,
        judged_at: NOW,
        verdicts: vec![verdict("time-synchronised", Verdict::Fail), verdict("logging-running", Verdict::Pass)],
    };
    tx.judgement_put(&[judgement]).await.unwrap();
    let state = policies::grade::OfficeState {
        roster: policies::grade::RosterState::Declared,
        first_enrolled_at: None,
        start_up_until: None,
        machines: Vec::new(),
        attested: Vec::new(),
    };
    let grade = policies::grade::grade_office(judge.rules(), &state, Timestamp::from_millisecond(NOW).unwrap());
    let score = grade.score;
    let stored = StoredGrade {
        office: office.clone(),
        policy: judge.address().to_owned(),
        graded_at: NOW,
        next_at: i64::MAX,
        grade,
    };
    assert!(tx.office_grade_put(&stored, None).await.unwrap());
    let person = Person {
        id: new_id(),
        login: "lan".to_owned(),
        name: "Trần Thị Lan".to_owned(),
        password_hash: "hash".to_owned(),
        must_change: false,
        role: PersonRole::Officer,
        office: Some(office.clone()),
        language: "vi".to_owned(),
        created_at: 1,
        disabled_at: None,
        last_login_at: Some(2),
    };
    tx.person_insert(&Scope::whole(), &person).await.unwrap();
    tx.known_device_insert("browser", &person.id, 2).await.unwrap();
    tx.audit_append(NOW, &Change::new(Actor::Program, Action::OfficeAdded, Some(&office), "Xã An")).await.unwrap();
    tx.commit().await.unwrap();
    Before { office, machine, person, score }
}

async fn a_store_of_the_release_before_is_judged_again(test_database: &TestDatabase) {
    let (db, judge) = (&test_database.db, judge("p1"));
    test_database.migrate_to(OF_BEFORE).await;
    let before = fill(test_database, &judge).await;
    db.migrate().await.unwrap();

    let mut tx = db.write().await.unwrap();
    let head = tx.head_get(&Scope::whole(), &before.machine).await.unwrap().unwrap();
    assert_eq!((head.agent.as_str(), head.schema, head.received_at), ("", 1, NOW));
    let times: Vec<_> =
        head.sections.0.values().map(|state| (state.observed_at, state.received_at, state.known)).collect();
    assert_eq!(times, [(NOW, NOW, true); 2]);
    let report = tx.report_get(&before.machine, 1, 1).await.unwrap().unwrap();
    assert_eq!((report.header.as_slice(), report.received_at), (b"header".as_slice(), NOW));
    assert_eq!(tx.person_by_login("lan").await.unwrap(), Some(before.person.clone()));
    assert_eq!(tx.known_device_person("browser").await.unwrap().as_ref(), Some(&before.person.id));
    assert_eq!(tx.roster_line_list(&Scope::whole(), &before.office).await.unwrap().len(), 1);
    assert_eq!(tx.office_grade_get(&before.office).await.unwrap().unwrap().grade.score, before.score);
    assert_eq!(tx.audit_verify().await.unwrap(), Ok(1));
    tx.schema_claim(NOW).await.unwrap();
    tx.commit().await.unwrap();

    grades_catch_up(db, &judge, NOW + 1).await.unwrap();
    let judgement = db.read().await.unwrap().judgement_get(&Scope::whole(), &before.machine).await.unwrap().unwrap();
    assert_eq!(judgement.policy, "p1");
    let state = |control: &str| judgement.verdicts.iter().find(|state| state.control == control).unwrap();
    let clock = state("time-synchronised");
    assert_eq!((clock.verdict, clock.agent_too_old, clock.failing_since_at), (Verdict::Unknown, true, None));
    let logging = state("logging-running");
    assert_eq!((logging.verdict, logging.since_at), (Verdict::Pass, NOW - 9 * DAY), "what was read rightly stays");
    let view = seen(db, &judge, &before.office, NOW + 1).await;
    assert!(view.machines[0].needs_agent() && !view.machines[0].gone_back());
    assert!(view.grade.unwrap().score > Points::ZERO);
    let grade = db.read().await.unwrap().office_grade_get(&before.office).await.unwrap().unwrap();
    assert_eq!((grade.policy.as_str(), grade.graded_at), ("p1", NOW + 1));

    // Migrating a store that is up to date changes nothing.
    db.migrate().await.unwrap();
}

#[tokio::test]
async fn a_store_of_the_release_before_is_judged_again_sqlite() {
    let test_database = TestDatabase::sqlite_empty().await;
    a_store_of_the_release_before_is_judged_again(&test_database).await;
    test_database.end().await;
}

#[tokio::test]
async fn a_store_of_the_release_before_is_judged_again_postgres() {
    let Some(test_database) = TestDatabase::postgres_empty().await else { return };
    a_store_of_the_release_before_is_judged_again(&test_database).await;
    test_database.end().await;
}
