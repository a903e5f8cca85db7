//! The waivers (ngoại lệ có thời hạn) on a machine's page: with each control the one that is requested, in force or was last
//! refused, what the reader may do about it, and the form to ask for one. Owns no rule.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use policies::outcome::Verdict;
use policies::policy::Severity;
use policies::text;
use policies::text::visible;

use crate::act::waiver::{REASON_MOST, day_end, latest_day, may_decide, may_withdraw};
use crate::policy::CompiledPolicy;
use crate::store::waiver::{Waiver, WaiverState};
use crate::web::catalogue::Catalogue;
use crate::web::number::Numbers;
use crate::web::waiver::state_class;

/// What waivers need to know about the reader.
#[derive(Clone, Debug)]
pub(super) struct Reader {
    /// The name that waivers record.
    pub(super) name: String,
    /// The role may change things.
    pub(super) may_change: bool,
    /// The same, and the machine is not revoked.
    pub(super) may_ask: bool,
    /// The reader's scope begins above the machine's office.
    pub(super) above: bool,
}

/// A waiver as shown with its control.
#[derive(Debug)]
pub(super) struct WaiverView {
    pub(super) id: String,
    /// Class of its colour.
    pub(super) class: &'static str,
    pub(super) state: String,
    /// Until when it holds, would hold, or would have held.
    pub(super) until: String,
    pub(super) reason: String,
    /// Who asked and when.
    pub(super) asked: String,
    /// Who granted or refused it and when.
    pub(super) decided: Option<String>,
    pub(super) refused_for: Option<String>,
    /// Why the reader sees no button, if so.
    pub(super) waits: Option<&'static str>,
    pub(super) may_grant: bool,
    pub(super) may_refuse: bool,
    /// The words on the button, if the reader may withdraw it.
    pub(super) withdraw: Option<&'static str>,
}

/// The form to ask for a waiver.
#[derive(Debug)]
pub(super) struct AskView {
    /// The first day that may be chosen, as a date field wants it.
    pub(super) first: String,
    /// The last one.
    pub(super) last: String,
    pub(super) reason_most: usize,
    pub(super) hint: String,
}

/// The waivers of one machine.
#[derive(Debug)]
pub(super) struct MachineWaivers<'a> {
    t: Catalogue,
    n: &'a Numbers,
    judge: &'a CompiledPolicy,
    now: Timestamp,
    zone: TimeZone,
    reader: Reader,
    latest: BTreeMap<&'a str, &'a Waiver>,
}

impl<'a> MachineWaivers<'a> {
    /// From `waivers`, the newest first.
    pub(super) fn new(
        (t, n, judge): (Catalogue, &'a Numbers, &'a CompiledPolicy),
        (now, zone): (Timestamp, TimeZone),
        reader: Reader,
        waivers: &'a [Waiver],
    ) -> Self {
        let mut latest = BTreeMap::new();
        for waiver in waivers {
            latest.entry(waiver.control.as_str()).or_insert(waiver);
        }
        Self { t, n, judge, now, zone, reader, latest }
    }

    /// The waiver to show with `control`: the open one, else the last refused.
    pub(super) fn of(&self, control: &str) -> Option<WaiverView> {
        let waiver = self.latest.get(control)?;
        (self.is_open(waiver) || waiver.state == WaiverState::Refused).then(|| self.view(waiver))
    }

    /// The open waivers of controls that are not among `shown`: the policy dropped them, or the machine never reported.
    pub(super) fn beside(&self, shown: &[&str]) -> Vec<(String, WaiverView)> {
        let others =
            self.latest.values().filter(|waiver| self.is_open(waiver) && !shown.contains(&waiver.control.as_str()));
        others.map(|waiver| (visible(&waiver.control, 80), self.view(waiver))).collect()
    }

    /// The form to ask for a waiver of `control`, if the reader may and it would change something.
    pub(super) fn ask(&self, control: &str, verdict: Verdict, severity: Severity) -> Option<AskView> {
        let open = self.latest.get(control).is_some_and(|waiver| self.is_open(waiver));
        if open || verdict != Verdict::Fail || !self.reader.may_ask {
            return None;
        }
        let last = latest_day(self.judge, severity, self.now, &self.zone);
        let last_at = day_end(&last.to_string(), &self.zone)?;
        Some(AskView {
            first: self.now.to_zoned(self.zone.clone()).date().to_string(),
            last: last.to_string(),
            reason_most: REASON_MOST,
            hint: self.t.own(text!("Chậm nhất là ngày {0}. Người thuộc cấp trên của cơ quan quyết định, người đề nghị không tự quyết định được. Ngoại lệ tự hết hiệu lực khi đến hạn và không gỡ giới hạn xếp loại.", "At the latest {0}. Somebody from above the office decides, never whoever asks. A waiver ends by itself at its date and lifts no cap on the letter.", self.n.date(last_at - 1))),
        })
    }

    fn is_open(&self, waiver: &Waiver) -> bool {
        waiver.is_open(self.now.as_millisecond())
    }

    fn view(&self, waiver: &Waiver) -> WaiverView {
        let (t, n, reader) = (self.t, self.n, &self.reader);
        let asked = waiver.state == WaiverState::Asked;
        let refused = waiver.state == WaiverState::Refused;
        let past = waiver.until_at <= self.now.as_millisecond();
        let decides = reader.may_change && may_decide(waiver, &reader.name, reader.above);
        // A person who may refuse a request refuses it; only its author withdraws it.
        let withdraws = reader.may_change
            && !refused
            && may_withdraw(waiver, &reader.name, reader.above)
            && (!asked || waiver.asked_by == reader.name);
        let name_and_time = |by: &Option<String>, at: Option<i64>| {
            Some(t.own(text!("{0}, lúc {1}", "{0}, {1}", t.actor(by.as_deref()?), n.moment(at?))))
        };
        WaiverView {
            id: waiver.id.clone(),
            class: state_class(waiver.state),
            state: t.word("waiver_state", waiver.state.word()),
            until: n.date(waiver.until_at - 1),
            reason: visible(&waiver.reason, REASON_MOST),
            asked: t.own(text!("{0}, lúc {1}", "{0}, {1}", t.actor(&waiver.asked_by), n.moment(waiver.asked_at))),
            decided: name_and_time(&waiver.decided_by, waiver.decided_at),
            refused_for: waiver.decided_why.as_deref().map(|why| visible(why, REASON_MOST)),
            waits: (asked && !decides).then(|| t.text("Đang chờ người thuộc cấp trên của cơ quan quyết định. Trong lúc chờ, tiêu chí vẫn tính là chưa đạt.", "Waiting for somebody from above the office to decide. Until then the control still fails.")),
            may_grant: decides && !past,
            may_refuse: decides,
            withdraw: withdraws.then(|| if asked { t.text("Rút đề nghị", "Take back") } else { t.text("Rút ngoại lệ trước hạn", "Withdraw before its end") }),
        }
    }
}
