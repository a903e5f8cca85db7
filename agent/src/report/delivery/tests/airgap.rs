//! Answers that come by file: late, twice, out of order.

use protocol::unconnected::{AnsweredReport, FileAnswer};
use protocol::{Report, limits};

use super::*;
use crate::report::delivery::airgap::Settled;

fn carried(fixture: &Fixture) -> Vec<Waiting> {
    let carried = fixture.delivery.carried().unwrap();
    assert_eq!((carried.reports, carried.left), (fixture.delivery.spool.count(), 0));
    let reports = carried.requests.iter().flat_map(|request| {
        assert!(request.len() <= limits::REPORTS_BODY);
        Report::decode_all(request).unwrap()
    });
    reports.map(|report| Waiting::read(report).unwrap()).collect()
}

fn answered(waiting: &[Waiting], answer: impl Fn(&Waiting) -> ReportAnswer) -> Vec<AnsweredReport> {
    waiting.iter().map(|waiting| AnsweredReport { of: waiting.position.hash, answer: answer(waiting) }).collect()
}

fn settle(fixture: &mut Fixture, answers: &[AnsweredReport]) -> Settled {
    let assignment = Assignment { office: "o".to_owned(), role: Role::Workstation, confirmed: true, policy: None };
    let answer = FileAnswer {
        server: "s".to_owned(),
        key: Digest::ZERO,
        server_time_at: 0,
        enrolment: None,
        renewal: None,
        reports: answers.to_vec(),
        checkpoint: None,
        assignment: None,
        policy: None,
        refusal: None,
    };
    fixture.delivery.answered_by_file(&answer, &assignment, &fixture.state).unwrap()
}

#[test]
fn exported_again_it_is_the_same_to_the_letter_and_longer() {
    let mut fixture = Fixture::new();
    fixture.report("UTC");
    let first = fixture.delivery.carried().unwrap().requests.concat();
    let mut fixture = fixture.restart();
    assert_eq!(fixture.delivery.carried().unwrap().requests.concat(), first);
    fixture.report("Asia/Ho_Chi_Minh");
    assert!(fixture.delivery.carried().unwrap().requests.concat().starts_with(&first));
    (0..limits::REPORTS).for_each(|number| fixture.report(&number.to_string()));
    assert_eq!(carried(&fixture).len(), limits::REPORTS + 2);
    assert_eq!(fixture.delivery.carried().unwrap().requests.len(), 2);
}

#[test]
fn answers_fit_whatever_order_they_come_in() {
    for early_first in [true, false] {
        let mut fixture = Fixture::new();
        fixture.report("UTC");
        let early = carried(&fixture);
        fixture.report("Asia/Ho_Chi_Minh");
        let late = carried(&fixture);
        fixture.report("UTC");
        let early = answered(&early, |waiting| fixture.accepted(waiting));
        let late = answered(&late, |waiting| fixture.accepted(waiting));
        let (one, other) = if early_first { (&early, &late) } else { (&late, &early) };
        let delivered = [settle(&mut fixture, one), settle(&mut fixture, other)].map(|settled| settled.delivered);
        assert_eq!(delivered, if early_first { [1, 1] } else { [2, 0] });
        assert_eq!(
            settle(&mut fixture, &late),
            Settled::default(),
            "the same answer again is about nothing that waits"
        );
        assert_eq!((fixture.places(), fixture.delivery.receipts.all().unwrap().len()), (vec![(1, 3)], 2));
    }
}

#[test]
fn only_a_receipt_takes_a_report_off() {
    let mut fixture = Fixture::new();
    fixture.report("UTC");
    let waiting = carried(&fixture);
    let forger = Fixture::new();
    assert_eq!(settle(&mut fixture, &answered(&waiting, |waiting| forger.accepted(waiting))).delivered, 0);
    let elsewhere = AnsweredReport { of: Digest::ZERO, answer: fixture.accepted(&waiting[0]) };
    assert_eq!(settle(&mut fixture, &[elsewhere]), Settled::default());
    let later = answered(&waiting, |_| refused(RefusalAction::Retry, None));
    assert_eq!(settle(&mut fixture, &later).delivered, 0);
    assert_eq!(carried(&fixture), waiting);
}

#[test]
fn what_the_server_lacks_goes_into_the_next_file() {
    let mut fixture = Fixture::new();
    fixture.report("UTC");
    let first = answered(&carried(&fixture), |waiting| fixture.accepted(waiting));
    settle(&mut fixture, &first);
    fixture.report("UTC");
    let waiting = carried(&fixture);
    assert!(waiting[0].report.bodies.is_empty());
    let names = vec!["time".to_owned(), "lan".to_owned()];
    let need = answered(&waiting, |_| ReportAnswer::Need { sections: names.clone() });
    let settled = settle(&mut fixture, &need);
    assert_eq!(settled.need, Some((waiting[0].position.hash, names.clone())));
    // Another process makes the next file.
    let mut fixture = fixture.restart();
    fixture.delivery.supply_again(waiting[0].position.hash, &names, &fixture.state).unwrap();
    let supplied = carried(&fixture);
    assert_eq!((&supplied[0].report.header, supplied[0].position), (&waiting[0].report.header, waiting[0].position));
    assert_eq!(compress::decode(&supplied[0].report.bodies).unwrap().len(), 2);
}

#[test]
fn a_final_refusal_opens_a_new_segment() {
    let mut fixture = Fixture::new();
    fixture.report("UTC");
    let refusal = answered(&carried(&fixture), |_| refused(RefusalAction::Final, None));
    assert_eq!(settle(&mut fixture, &refusal), Settled { delivered: 0, concerned: true, need: None });
    fixture.report("UTC");
    assert_eq!(fixture.places(), [(2, 1)]);
    assert_eq!(settle(&mut fixture, &refusal), Settled::default(), "the same refusal again gives up nothing more");
    assert_eq!(fixture.places(), [(2, 1)]);
}
