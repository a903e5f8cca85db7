//! The ledger (bảng giải trình điểm): every point an office lost, by cause. Points are allotted by largest remainder, so
//! that they and the score add up exactly.

use std::collections::{BTreeMap, BTreeSet};

use super::exact::Exact;
use super::machine::Loss;
use super::survey::{Member, Survey};
use super::{Attested, Cap, Control, Line, LineKind, MachineState, Points};
use crate::policy::LiftedBy;
use crate::text::Text;

/// Minutes to install and enrol an agent on one machine: our estimate, shown as such.
pub(crate) const MINUTES_TO_ENROL: u32 = 15;
/// Minutes to make a silent machine report again: our estimate.
pub(crate) const MINUTES_TO_WAKE: u32 = 10;
/// Parts of a millionth by which remainders are compared.
const FINER: u64 = 1_000_000;

/// What a line is about.
type Key<'a> = (LineKind, Option<&'a str>);

/// A line before its points are allotted.
#[derive(Debug, Default)]
struct Draft<'a> {
    exact: Exact,
    machines: Vec<&'a str>,
    explains: BTreeSet<&'a str>,
}

/// All lines: caps first, then by points lost.
pub(crate) fn ledger(survey: &Survey<'_>, attested: &[Attested], score: Points, caps: &[Cap]) -> Vec<Line> {
    let drafts = drafts(survey, attested);
    let points = allot(drafts.values().map(|draft| &draft.exact), Points::FULL - score);
    let mut lines: Vec<Line> = drafts
        .into_iter()
        .zip(points)
        .map(|((key, draft), points)| line(survey, attested, key, draft, points))
        .collect();
    lines.sort_by(|a, b| b.points.cmp(&a.points).then_with(|| (a.kind, &a.control).cmp(&(b.kind, &b.control))));
    caps.iter().map(|cap| cap_line(survey, cap)).chain(lines).collect()
}

fn drafts<'a>(survey: &Survey<'a>, attested: &'a [Attested]) -> BTreeMap<Key<'a>, Draft<'a>> {
    let mut drafts: BTreeMap<Key<'a>, Draft<'a>> = BTreeMap::new();
    let shares = survey.rules.office.shares;
    let technical = u64::from(shares.technical_percent);
    let count = survey.coverage().expected;
    if count == 0 && technical > 0 {
        drafts.entry((LineKind::NoMachine, None)).or_default().exact.add(technical, 100);
    }
    for member in survey.expected() {
        for (key, weight, explains) in losses(member) {
            let draft = drafts.entry(key).or_default();
            draft.exact.add(weight * technical, member.tally.applicable.max(1) * count * 100);
            draft.machines.push(&member.machine.id);
            draft.explains.extend(explains);
        }
    }
    let weight = |control: &Control| u64::from(survey.rules.office.weights.get(control.severity));
    let asked: u64 = attested.iter().map(|item| weight(&item.control)).sum();
    let organisational = u64::from(shares.organisational_percent);
    if asked == 0 && organisational > 0 {
        drafts.entry((LineKind::Attested, None)).or_default().exact.add(organisational, 100);
    }
    for item in attested.iter().filter(|item| !item.fulfilled && organisational > 0) {
        let draft = drafts.entry((LineKind::Attested, Some(&item.id))).or_default();
        draft.exact.add(weight(&item.control) * organisational, asked * 100);
    }
    drafts
}

/// What one machine lost, in weights of its applicable weight (of 1 if it has none).
fn losses<'a>(member: &Member<'a>) -> Vec<(Key<'a>, u64, Vec<&'a str>)> {
    let whole = |kind| vec![((kind, None), member.tally.applicable.max(1), Vec::new())];
    match member.state {
        MachineState::Away | MachineState::Pending => Vec::new(),
        MachineState::Unreported => whole(LineKind::Unreported),
        MachineState::Stale => whole(LineKind::Stale),
        MachineState::Unscored => whole(LineKind::Unscored),
        MachineState::Scored => member
            .tally
            .lost
            .iter()
            .map(|lost| ((kind(lost.loss), Some(lost.control)), lost.weight, lost.explains.clone()))
            .collect(),
    }
}

/// The kind of a line about one control.
pub(crate) const fn kind(loss: Loss) -> LineKind {
    match loss {
        Loss::Failed => LineKind::Failed,
        Loss::Unknown => LineKind::Unknown,
        Loss::Stale => LineKind::Stale,
    }
}

/// Whole millionths for every share, so that they add up to `total`: each its whole part, and one more for those with the
/// largest remainders (to a millionth of a millionth; then in order).
///
/// The exact shares add up to `total` minus less than a millionth (the score is rounded down), so there are never more
/// millionths left over than lines.
fn allot<'e>(shares: impl Iterator<Item = &'e Exact>, total: Points) -> Vec<Points> {
    let scale = Points::FULL.0.unsigned_abs() * FINER;
    let fine: Vec<u128> = shares.map(|share| share.whole(scale)).collect();
    let finer = u128::from(FINER);
    let mut points: Vec<i64> = fine.iter().map(|fine| i64::try_from(fine / finer).unwrap_or(i64::MAX)).collect();
    let left = usize::try_from(total.0 - points.iter().sum::<i64>()).unwrap_or(0);
    let mut order: Vec<usize> = (0..fine.len()).collect();
    order.sort_by_key(|&index| (std::cmp::Reverse(fine[index] % finer), index));
    for index in order.into_iter().take(left) {
        points[index] += 1;
    }
    points.into_iter().map(Points).collect()
}

fn line(survey: &Survey<'_>, attested: &[Attested], key: Key<'_>, draft: Draft<'_>, points: Points) -> Line {
    let (kind, id) = key;
    let asked = || attested.iter().find(|item| Some(item.id.as_str()) == id).map(|item| &item.control);
    let control = id.and_then(|id| if kind == LineKind::Attested { asked() } else { survey.rules.control(id) });
    let each = match kind {
        LineKind::Unreported => MINUTES_TO_ENROL,
        LineKind::Stale => MINUTES_TO_WAKE,
        _ => control.map_or(0, |control| control.minutes),
    };
    let units = if kind == LineKind::Attested { 1 } else { draft.machines.len() as u64 };
    Line {
        kind,
        control: id.map(str::to_owned),
        title: control.map_or_else(|| title(kind), |control| control.title.clone()),
        points,
        machines: draft.machines.into_iter().map(str::to_owned).collect(),
        minutes: u64::from(each) * units,
        lifted_by: lifted_by(kind, control),
        lift: lift(kind),
        explains: draft.explains.into_iter().map(str::to_owned).collect(),
    }
}

/// Who can lift a line. Unknown or stale results are for the person who looks after the machine to clear up.
pub(crate) fn lifted_by(kind: LineKind, control: Option<&Control>) -> LiftedBy {
    match kind {
        LineKind::Failed | LineKind::Attested => control.map_or(LiftedBy::OnSpot, |control| control.lifted_by),
        LineKind::Unscored => LiftedBy::Superior,
        LineKind::Cap | LineKind::Unknown | LineKind::Stale | LineKind::Unreported | LineKind::NoMachine => {
            LiftedBy::OnSpot
        }
    }
}

pub(crate) fn title(kind: LineKind) -> Text {
    let (vi, en) = match kind {
        LineKind::Unreported => ("Máy chưa gửi số liệu lần nào", "Machines that never reported"),
        LineKind::Stale => ("Máy có số liệu quá hạn", "Machines whose figures are too old"),
        LineKind::Unscored => ("Máy không có tiêu chí nào áp dụng", "Machines on which no control applies"),
        LineKind::NoMachine => ("Không có máy nào cần theo dõi", "No machine is expected"),
        LineKind::Attested => ("Phần tổ chức chưa được tự đánh giá", "The organisational part is not attested"),
        LineKind::Cap | LineKind::Failed | LineKind::Unknown => return kind.text(),
    };
    Text::new(vi, en)
}

fn lift(kind: LineKind) -> Text {
    let (vi, en) = match kind {
        LineKind::Failed => (
            "Khắc phục theo hướng dẫn của tiêu chí trên các máy đã nêu.",
            "Follow the control's fix steps on the named machines.",
        ),
        LineKind::Unknown => (
            "Mở trang của máy, xem lý do chưa xác định và xử lý lý do đó.",
            "Open the machine's page, read why it is unknown and remove that reason.",
        ),
        LineKind::Stale => (
            "Bật máy, kiểm tra phần mềm và đường mạng để máy gửi số liệu mới.",
            "Switch the machine on and see that its agent and network let it report.",
        ),
        LineKind::Unreported => (
            "Cài phần mềm và đăng ký máy, hoặc ghi vào danh mục máy tính nếu máy nghỉ, hỏng, cất kho hay chờ thanh lý.",
            "Install the agent and enrol the machine, or record in the roster that it is on leave, in repair, in store or \
             awaiting disposal.",
        ),
        LineKind::Unscored => (
            "Báo đơn vị quản lý bộ tiêu chí: chưa có tiêu chí nào áp dụng được cho loại máy này.",
            "Tell those who keep the policy: none of its controls applies to this kind of machine.",
        ),
        LineKind::NoMachine => ("Khai danh mục máy tính và đăng ký máy.", "Declare the roster and enrol machines."),
        LineKind::Attested => {
            ("Tự đánh giá và đính kèm tài liệu kiểm chứng.", "Attest it and attach the document that proves it.")
        }
        LineKind::Cap => ("Xem nội dung giới hạn.", "See the cap."),
    };
    Text::new(vi, en)
}

fn cap_line(survey: &Survey<'_>, cap: &Cap) -> Line {
    let machines: BTreeSet<&str> = cap.machines.iter().map(String::as_str).collect();
    let each: u64 = survey
        .expected()
        .filter(|member| machines.contains(member.machine.id.as_str()))
        .map(|member| match (cap.controls.is_empty(), member.state) {
            (true, MachineState::Unreported) => u64::from(MINUTES_TO_ENROL),
            (true, _) => u64::from(MINUTES_TO_WAKE),
            (false, _) => {
                let minutes = |id: &str| survey.rules.controls(member.machine.role).get(id).map_or(0, |c| c.minutes);
                member.criticals.iter().map(|(id, _)| u64::from(minutes(id))).sum()
            }
        })
        .sum();
    Line {
        kind: LineKind::Cap,
        control: match cap.controls.as_slice() {
            [only] => Some(only.clone()),
            _ => None,
        },
        title: cap.title.clone(),
        points: Points::ZERO,
        machines: cap.machines.clone(),
        minutes: each,
        lifted_by: LiftedBy::OnSpot,
        lift: cap.lift.clone(),
        explains: Vec::new(),
    }
}
