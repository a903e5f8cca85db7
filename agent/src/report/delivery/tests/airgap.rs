//! Answers that come by file: late, twice, in another order.

use protocol::unconnected::AnsweredReport;
use protocol::{Report, limits};

use super::*;
use crate::report::delivery::airgap::Settled;

fn carried(desk: &Desk) -> Vec<Waiting> {
    let carried = desk.delivery.carried().unwrap();
    assert_eq!((carried.reports, carried.left), (desk.delivery.spool.count(), 0));
    let reports = carried.requests.iter().flat_map(|request| {
        assert!(request.len() <= limits::REPORTS_BODY);
        Report::decode_all(request).unwrap()
    });
    reports.map(|report| Waiting::read(report).unwrap()).collect()
}

fn answered(waiting: &[Waiting], answer: impl Fn(&Waiting) -> ReportAnswer) -> Vec<AnsweredReport> {
    waiting.iter().map(|waiting| AnsweredReport { of: waiting.position.hash, answer: answer(waiting) }).collect()
}

fn settle(desk: &mut Desk, answers: &[AnsweredReport]) -> Settled {
    let assignment = Assignment { office: "o".to_owned(), role: Role::Workstation, confirmed: true, policy: None };
    desk.delivery.answered_by_file(answers, &assignment, &desk.state).unwrap()
}

#[test]
fn exported_again_it_is_the_same_to_the_letter_and_longer() {
    let mut desk = Desk::new();
    desk.report("UTC");
    let first = desk.delivery.carried().unwrap().requests.concat();
    let mut desk = desk.restart();
    assert_eq!(desk.delivery.carried().unwrap().requests.concat(), first);
    desk.report("Asia/Ho_Chi_Minh");
    assert!(desk.delivery.carried().unwrap().requests.concat().starts_with(&first));
    (0..limits::REPORTS).for_each(|number| desk.report(&number.to_string()));
    assert_eq!(carried(&desk).len(), limits::REPORTS + 2);
    assert_eq!(desk.delivery.carried().unwrap().requests.len(), 2);
}

#[test]
fn answers_fit_whatever_order_they_come_in() {
    for early_first in [true, false] {
        let mut desk = Desk::new();
        desk.report("UTC");
        let early = carried(&desk);
        desk.report("Asia/Ho_Chi_Minh");
        let late = carried(&desk);
        desk.report("UTC");
        let early = answered(&early, |waiting| desk.accepted(waiting));
        let late = answered(&late, |waiting| desk.accepted(waiting));
        let (one, other) = if early_first { (&early, &late) } else { (&late, &early) };
        let delivered = [settle(&mut desk, one), settle(&mut desk, other)].map(|settled| settled.delivered);
        assert_eq!(delivered, if early_first { [1, 1] } else { [2, 0] });
        assert_eq!(settle(&mut desk, &late), Settled::default(), "the same answer again is about nothing that waits");
        assert_eq!((desk.places(), desk.delivery.receipts.all().unwrap().len()), (vec![(1, 3)], 2));
    }
}

#[test]
fn only_a_receipt_takes_a_report_off() {
    let mut desk = Desk::new();
    desk.report("UTC");
    let waiting = carried(&desk);
    let forger = Desk::new();
    assert_eq!(settle(&mut desk, &answered(&waiting, |waiting| forger.accepted(waiting))).delivered, 0);
    let elsewhere = AnsweredReport { of: Digest::ZERO, answer: desk.accepted(&waiting[0]) };
    assert_eq!(settle(&mut desk, &[elsewhere]), Settled::default());
    let later = answered(&waiting, |_| refused(RefusalAction::Retry, None));
    assert_eq!(settle(&mut desk, &later).delivered, 0);
    assert_eq!(carried(&desk), waiting);
}

#[test]
fn what_the_server_lacks_goes_into_the_next_file() {
    let mut desk = Desk::new();
    desk.report("UTC");
    let first = answered(&carried(&desk), |waiting| desk.accepted(waiting));
    settle(&mut desk, &first);
    desk.report("UTC");
    let waiting = carried(&desk);
    assert!(waiting[0].report.bodies.is_empty());
    let names = vec!["time".to_owned(), "lan".to_owned()];
    let need = answered(&waiting, |_| ReportAnswer::Need { sections: names.clone() });
    let settled = settle(&mut desk, &need);
    assert_eq!(settled.need, Some((waiting[0].position.hash, names.clone())));
    // The next file is made by another process.
    let mut desk = desk.restart();
    desk.delivery.supply_again(waiting[0].position.hash, &names, &desk.state).unwrap();
    let supplied = carried(&desk);
    assert_eq!((&supplied[0].report.header, supplied[0].position), (&waiting[0].report.header, waiting[0].position));
    assert_eq!(compress::decode(&supplied[0].report.bodies).unwrap().len(), 2);
}

#[test]
fn a_final_refusal_opens_a_new_segment() {
    let mut desk = Desk::new();
    desk.report("UTC");
    let refusal = answered(&carried(&desk), |_| refused(RefusalAction::Final, None));
    assert_eq!(settle(&mut desk, &refusal), Settled { delivered: 0, concerned: true, need: None });
    desk.report("UTC");
    assert_eq!(desk.places(), [(2, 1)]);
    assert_eq!(settle(&mut desk, &refusal), Settled::default(), "the same refusal again gives up nothing more");
    assert_eq!(desk.places(), [(2, 1)]);
}
