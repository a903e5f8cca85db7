//! What limits a letter regardless of the score. A cap is announced with its date on the first day, and goes away
//! with the evidence that its cause is fixed.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::machine::View;
use super::survey::Survey;
use super::{Cap, CapKind, CapState};
use crate::calendar::Calendar;
use crate::policy::Letter;
use crate::text;
use crate::text::Text;

/// A critical failure not yet fixed on a machine.
struct Critical<'a> {
    machine: &'a str,
    control: &'a str,
    /// After this instant it is older than the policy allows.
    ripe_from: Timestamp,
}

/// All caps that hold or are announced, in the order of [`CapKind`].
pub(crate) fn caps(survey: &Survey<'_>) -> Vec<Cap> {
    let days = survey.rules.office.caps.critical.older_than_working_days;
    let criticals: Vec<Critical<'_>> = survey
        .expected()
        .flat_map(|member| {
            let machine = member.machine.id.as_str();
            let ripe = |since| survey.calendar.after_working_days(since, days);
            member.criticals.iter().map(move |&(control, since)| Critical { machine, control, ripe_from: ripe(since) })
        })
        .collect();
    [critical(survey, &criticals), widespread(survey, &criticals), coverage(survey), waived(survey)]
        .into_iter()
        .flatten()
        .collect()
}

fn critical(survey: &Survey<'_>, criticals: &[Critical<'_>]) -> Option<Cap> {
    let rule = survey.rules.office.caps.critical;
    let first = criticals.iter().map(|critical| critical.ripe_from).min()?;
    let days = rule.older_than_working_days;
    Some(cap(
        survey,
        Draft {
            kind: CapKind::Critical,
            at_most: rule.at_most,
            from: first,
            controls: unique(criticals.iter().map(|critical| critical.control)),
            machines: unique(criticals.iter().map(|critical| critical.machine)),
            because: text!(
                "có tiêu chí then chốt chưa đạt quá {days} ngày làm việc",
                "a critical control has failed for more than {days} working days"
            ),
            lift: fix_criticals(),
        },
    ))
}

fn widespread(survey: &Survey<'_>, criticals: &[Critical<'_>]) -> Option<Cap> {
    let rule = survey.rules.office.caps.widespread;
    let expected = survey.coverage().expected;
    let needed = (expected * u64::from(rule.over_percent) / 100 + 1).max(u64::from(rule.at_least_machines));
    let mut first_on: BTreeMap<&str, Timestamp> = BTreeMap::new();
    for critical in criticals {
        let first = first_on.entry(critical.machine).or_insert(critical.ripe_from);
        *first = critical.ripe_from.min(*first);
    }
    let from = nth(first_on.values().copied().collect(), needed)?;
    let machines = first_on.into_keys().map(str::to_owned).collect();
    let percent = rule.over_percent;
    Some(cap(
        survey,
        Draft {
            kind: CapKind::Widespread,
            at_most: rule.at_most,
            from,
            controls: unique(criticals.iter().map(|critical| critical.control)),
            machines,
            because: text!(
                "hơn {percent} % số máy có tiêu chí then chốt để kéo dài chưa đạt",
                "more than {percent} % of the machines have a critical failure left standing"
            ),
            lift: fix_criticals(),
        },
    ))
}

fn coverage(survey: &Survey<'_>) -> Option<Cap> {
    let rule = survey.rules.office.caps.coverage;
    let expected = survey.coverage().expected;
    let allowed = expected * u64::from(100_u32.saturating_sub(rule.under_percent)) / 100;
    let needed = (allowed + 1).max(u64::from(rule.at_least_missing));
    let missing: Vec<_> = survey.expected().filter_map(|m| Some((m.missing_from?, m.machine.id.as_str()))).collect();
    let from = nth(missing.iter().map(|(from, _)| *from).collect(), needed)?;
    let percent = rule.under_percent;
    Some(cap(
        survey,
        Draft {
            kind: CapKind::Coverage,
            at_most: rule.at_most,
            from,
            controls: Vec::new(),
            machines: unique(missing.iter().map(|(_, machine)| *machine)),
            because: text!(
                "tỷ lệ máy có số liệu dưới {percent} %",
                "fewer than {percent} % of the machines have fresh evidence"
            ),
            lift: Text::new(
                "Bật máy, kiểm tra phần mềm và đường mạng để các máy đã nêu gửi số liệu; máy nghỉ, hỏng, cất kho hoặc chờ \
                 thanh lý thì ghi vào danh mục máy tính. Giới hạn được gỡ ngay khi đủ tỷ lệ.",
                "Switch the named machines on and see that their agent and network let them report; record in the roster \
                 those on leave, in repair, in store or awaiting disposal. The cap is lifted at once when enough report.",
            ),
        },
    ))
}

fn waived(survey: &Survey<'_>) -> Option<Cap> {
    let rule = survey.rules.office.caps.waived;
    let (mut waived, mut applicable) = (0_u64, 0_u64);
    let mut machines = BTreeSet::new();
    for member in survey.expected() {
        if let Some((_, counted)) = survey.earned(member, View::WithoutWaivers) {
            waived += member.tally.waived;
            applicable += counted;
            if member.tally.waived > 0 {
                machines.insert(member.machine.id.as_str());
            }
        }
    }
    let percent = rule.over_percent;
    (waived * 100 > applicable * u64::from(percent)).then(|| Cap {
        kind: CapKind::Waived,
        at_most: rule.at_most,
        state: CapState::Holding { since: None },
        controls: unique(survey.expected().flat_map(|member| {
            let waived = |outcome: &&super::Judged| outcome.verdict == crate::outcome::Verdict::Waived;
            member.machine.outcomes.iter().filter(waived).map(|outcome| outcome.control.as_str())
        })),
        machines: unique(machines.into_iter()),
        title: title(
            rule.at_most,
            &text!(
                "ngoại lệ có thời hạn chiếm hơn {percent} % trọng số áp dụng",
                "more than {percent} % of the applicable weight is waived"
            ),
        ),
        lift: Text::new(
            "Khắc phục các tiêu chí đang được ngoại lệ, hoặc để ngoại lệ hết hạn.",
            "Fix the controls that are waived, or let the waivers end.",
        ),
    })
}

/// A cap without the decision whether it already holds.
struct Draft {
    kind: CapKind,
    at_most: Letter,
    from: Timestamp,
    controls: Vec<String>,
    machines: Vec<String>,
    because: Text,
    lift: Text,
}

fn cap(survey: &Survey<'_>, draft: Draft) -> Cap {
    let Draft { kind, at_most, from, controls, machines, because, lift } = draft;
    let (state, title) = if from < survey.now {
        let since = (from > Timestamp::MIN).then_some(from);
        (CapState::Holding { since }, title(at_most, &because))
    } else {
        let Text { vi, en } = title(at_most, &because);
        let (vi_date, en_date) = dates(survey.calendar, from);
        let (vi, en) =
            (format!("Từ ngày {vi_date}, nếu chưa khắc phục. {vi}"), format!("From {en_date}, unless fixed. {en}"));
        (CapState::Announced { from }, Text { vi, en })
    };
    Cap { kind, at_most, state, controls, machines, title, lift }
}

fn title(at_most: Letter, because: &Text) -> Text {
    Text::new(
        format!("Xếp loại cao nhất là {at_most:?}: {}.", because.vi),
        format!("At most {at_most:?}: {}.", because.en),
    )
}

fn fix_criticals() -> Text {
    Text::new(
        "Khắc phục các tiêu chí then chốt trên những máy đã nêu. Ngoại lệ không gỡ giới hạn này; giới hạn được gỡ ngay khi \
         máy gửi số liệu đã khắc phục.",
        "Fix the critical controls on the named machines. A waiver does not lift this cap; it is lifted at once when the \
         machines report the fix.",
    )
}

/// A date as each language writes it.
fn dates(calendar: Calendar<'_>, at: Timestamp) -> (String, String) {
    let date = calendar.date(at);
    (format!("{:02}/{:02}/{}", date.day(), date.month(), date.year()), date.to_string())
}

/// The instant at which the `count`th of these is reached.
fn nth(mut instants: Vec<Timestamp>, count: u64) -> Option<Timestamp> {
    instants.sort_unstable();
    usize::try_from(count).ok()?.checked_sub(1).and_then(|index| instants.get(index).copied())
}

fn unique<'a>(ids: impl Iterator<Item = &'a str>) -> Vec<String> {
    ids.collect::<BTreeSet<_>>().into_iter().map(str::to_owned).collect()
}
