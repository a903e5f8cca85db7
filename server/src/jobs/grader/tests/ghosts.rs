//! A machine that enrolled before its line of the roster, or was reinstalled, counts once.

use super::*;
use crate::act::By;
use crate::act::machine::machine_revoke;
use crate::act::roster::link::{roster_link, roster_unlink};
use crate::act::roster::{NewLine, Refusal, RosterError, roster_add, roster_declare, roster_import, roster_remove};
use crate::audit::Actor;
use crate::roster::{Proposal, known_list, propose};
use crate::store::machine::MachineStatus;

fn by() -> By {
    By { actor: Actor::Operator("lan".to_owned()), scope: Scope::whole(), at: NOW }
}

fn new_line(label: &str, serial: &str) -> NewLine {
    NewLine { serial: serial.to_owned(), ..NewLine::named(label) }
}

/// Facts of a machine whose clock is right and whose firmware reports `serial`.
fn numbered(serial: &str) -> Facts {
    let mut facts = facts(true);
    facts.system.serial = Fact::Known(serial.to_owned());
    facts
}

/// A machine of `office` that reported `facts`.
async fn reported(db: &Db, judge: &CompiledPolicy, office: &str, facts: &Facts) -> String {
    let mut tx = db.write().await.unwrap();
    let machine = test_database::machine(&mut tx, office).await;
    report(&mut tx, &machine, 1, facts, NOW).await;
    judged(&mut tx, judge, &machine, NOW).await;
    tx.commit().await.unwrap();
    machine
}

async fn proposals(db: &Db, office: &str) -> Vec<Proposal> {
    let mut tx = db.read().await.unwrap();
    let lines = tx.roster_line_list(&Scope::whole(), office).await.unwrap();
    propose(&lines, &known_list(&mut tx, &Scope::whole(), office).await.unwrap())
}

async fn graded(db: &Db, judge: &CompiledPolicy, office: &str) -> OfficeView {
    office_grade_make(db, judge, office, NOW).await.unwrap();
    let view = seen(db, judge, office, NOW).await;
    adds_up(&view);
    view
}

fn coverage(view: &OfficeView) -> (u64, u64) {
    let coverage = view.grade.as_ref().unwrap().coverage;
    (coverage.covered, coverage.expected)
}

fn refusal<T: std::fmt::Debug>(done: Result<T, RosterError>) -> Refusal {
    match done {
        Err(RosterError::Refused(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}

async fn office_of(db: &Db) -> String {
    let mut tx = db.write().await.unwrap();
    let office = test_database::office(&mut tx, "Xã An Bình", None).await;
    tx.commit().await.unwrap();
    office
}

on_both! {
    async fn a_machine_that_enrolled_before_its_line_counts_once(test_database: &TestDatabase) {
        let (db, judge) = (&test_database.db, judge("p1"));
        let office = office_of(db).await;
        let machine = reported(db, &judge, &office, &numbered("7XK2Q63")).await;
        let alone = graded(db, &judge, &office).await.grade.unwrap().score;

        // The name is a machine's claim: it is proposed, and a person links.
        roster_add(db, &by(), &office, &[new_line("pc-01", "")]).await.unwrap();
        roster_declare(db, &by(), &office, 0).await.unwrap();
        let ghost = graded(db, &judge, &office).await;
        assert_eq!(coverage(&ghost), (1, 2));
        let proposed = proposals(db, &office).await;
        assert_eq!((proposed.len(), proposed[0].machine.as_str()), (1, machine.as_str()));
        roster_link(db, &by(), &office, "PC-01", &machine, false).await.unwrap();
        let linked = graded(db, &judge, &office).await;
        assert_eq!((coverage(&linked), linked.grade.as_ref().unwrap().score), ((1, 1), alone));
        let gained = alone - ghost.grade.unwrap().score;
        assert_eq!((linked.history[0].movement.roster, linked.history[0].movement.office), (gained, Points::ZERO));
        assert!(proposals(db, &office).await.is_empty());
        roster_link(db, &by(), &office, "PC-01", &machine, false).await.unwrap();
        roster_unlink(db, &by(), &office, "PC-01").await.unwrap();
        assert_eq!(coverage(&graded(db, &judge, &office).await), (1, 2));
        roster_remove(db, &by(), &office, "PC-01").await.unwrap();
        assert_eq!(coverage(&graded(db, &judge, &office).await), (1, 1));

        // A serial number is enough, however it is written; a filler never is.
        let line = &roster_add(db, &by(), &office, &[new_line("TS-0042", "7xk2 q63")]).await.unwrap()[0];
        assert_eq!(line.machine.as_ref(), Some(&machine));
        assert_eq!(coverage(&graded(db, &judge, &office).await), (1, 1));
        let other = reported(db, &judge, &office, &numbered("Default string")).await;
        let line = &roster_add(db, &by(), &office, &[new_line("TS-0043", "Default string")]).await.unwrap()[0];
        assert_eq!(line.machine, None);
        roster_link(db, &by(), &office, &line.id, &other, false).await.unwrap();
        assert_eq!(coverage(&graded(db, &judge, &office).await), (2, 2));
        let mut tx = db.read().await.unwrap();
        tx.audit_verify().await.unwrap().unwrap();
        let written = tx.audit_list(&Scope::whole(), i64::MAX, 100).await.unwrap();
        let count = |action: &str| written.iter().filter(|entry| entry.action == action).count();
        assert_eq!((count("roster_linked"), count("roster_unlinked"), count("roster_removed")), (3, 1, 1));
    }

    async fn a_reinstalled_computer_takes_its_line_over(test_database: &TestDatabase) {
        let (db, judge) = (&test_database.db, judge("p1"));
        let office = office_of(db).await;
        let first = reported(db, &judge, &office, &numbered("7XK2Q63")).await;
        roster_add(db, &by(), &office, &[new_line("TS-1", "7XK2Q63")]).await.unwrap();
        roster_declare(db, &by(), &office, 0).await.unwrap();
        let before = graded(db, &judge, &office).await;
        assert_eq!(coverage(&before), (1, 1));

        // Enrolled again while the old one still has the line: both count until someone links them.
        let second = reported(db, &judge, &office, &numbered("7XK2Q63")).await;
        let proposed = proposals(db, &office).await;
        assert_eq!((proposed[0].machine.as_str(), proposed[0].replaces.as_deref()), (second.as_str(), Some(first.as_str())));
        let refused = refusal(roster_link(db, &by(), &office, "TS-1", &second, false).await);
        assert_eq!(refused, Refusal::LineTaken(first.clone()));
        roster_link(db, &by(), &office, "TS-1", &second, true).await.unwrap();
        let after = graded(db, &judge, &office).await;
        assert_eq!((coverage(&after), after.grade.as_ref().unwrap().score), ((1, 1), before.grade.unwrap().score));
        let mut tx = db.read().await.unwrap();
        let old = tx.machine_require(&Scope::whole(), &first).await.unwrap();
        assert_eq!(old.status, MachineStatus::Revoked);
        let new = tx.machine_require(&Scope::whole(), &second).await.unwrap();
        let former: Vec<String> =
            tx.machine_former_list(&Scope::whole(), &new).await.unwrap().into_iter().map(|machine| machine.id).collect();
        assert_eq!(former, std::slice::from_ref(&first), "the line keeps its history");
        drop(tx);

        // The old one revoked by hand: its serial number says which machine follows it.
        let third = reported(db, &judge, &office, &numbered("7XK2Q63")).await;
        machine_revoke(db, &by(), &second, "cài lại").await.unwrap();
        let view = graded(db, &judge, &office).await;
        assert_eq!((coverage(&view), view.machines[0].machine.as_ref()), ((1, 1), Some(&third)));
        let refused = refusal(roster_link(db, &by(), &office, "TS-1", &first, true).await);
        assert_eq!(refused, Refusal::Revoked);
    }

    async fn what_is_there_is_not_written_down_twice(test_database: &TestDatabase) {
        let (db, judge) = (&test_database.db, judge("p1"));
        let office = office_of(db).await;
        assert_eq!(refusal(roster_declare(db, &by(), &office, 3).await), Refusal::Empty);
        let file = [new_line("PC-01", "7XK2Q63"), new_line("PC-02", ""), new_line("PC-03", "To be filled by O.E.M."), new_line("PC-04", "INVALID")];
        for (number, known) in [(4, 0), (0, 4)] {
            let imported = roster_import(db, &by(), &office, &file).await.unwrap();
            assert_eq!((imported.added.len(), imported.known), (number, known));
        }
        let completed = roster_import(db, &by(), &office, &[new_line("pc 02", "5CD1234XYZ"), new_line("PC-05", "")]).await.unwrap();
        assert_eq!((completed.added.len(), completed.known, completed.completed), (1, 0, 1));
        let other = [NewLine { room: "Một cửa".to_owned(), ..new_line("PC-01", "7XK2Q63") }];
        assert_eq!(refusal(roster_import(db, &by(), &office, &other).await), Refusal::Different("PC-01".to_owned()));
        for (lines, why) in [
            (vec![new_line("pc.01", "")], Refusal::LabelTaken("pc.01".to_owned())),
            (vec![new_line("PC-10", "7xk2q63")], Refusal::MarkTaken("PC-10".to_owned(), "PC-01".to_owned())),
            (vec![new_line("PC-10", ""), new_line(" pc-10 ", "")], Refusal::Twice("pc-10".to_owned())),
            (vec![new_line("PC-10", "9ZZ9Z99"), new_line("PC-11", "9zz9z99")], Refusal::Twice("9zz9z99".to_owned())),
            (vec![new_line(" ", "")], Refusal::NoLabel),
            (vec![NewLine { mac: "10.0.0.1".to_owned(), ..new_line("PC-10", "") }], Refusal::NoMac("10.0.0.1".to_owned())),
        ] {
            assert_eq!(refusal(roster_add(db, &by(), &office, &lines).await), why);
        }
        let elsewhere = office_of(db).await;
        let refused = refusal(roster_add(db, &by(), &elsewhere, &[new_line("PC-01", "7XK2Q63")]).await);
        assert_eq!(refused, Refusal::SerialElsewhere("PC-01".to_owned()));
        let mut tx = db.read().await.unwrap();
        assert_eq!(tx.roster_line_list(&Scope::whole(), &office).await.unwrap().len(), 5, "all or none");
        drop(tx);

        let machine = reported(db, &judge, &elsewhere, &facts(true)).await;
        assert_eq!(refusal(roster_link(db, &by(), &office, "PC-01", &machine, false).await), Refusal::OtherOffice);
        let machine = reported(db, &judge, &office, &facts(true)).await;
        roster_link(db, &by(), &office, "PC-02", &machine, false).await.unwrap();
        assert_eq!(refusal(roster_link(db, &by(), &office, "PC-03", &machine, false).await), Refusal::HasLine("PC-02".to_owned()));
        assert_eq!(refusal(roster_unlink(db, &by(), &office, "PC-03").await), Refusal::NotLinked);
        assert_eq!(refusal(roster_remove(db, &by(), &office, "PC-99").await), Refusal::NoLine("PC-99".to_owned()));
        let outside = By { scope: Scope::office(&elsewhere), ..by() };
        assert!(matches!(roster_unlink(db, &outside, &office, "PC-02").await, Err(RosterError::Store(_))));
    }
}
