//! What a verification found, in words for people and programs.

use jiff::tz::TimeZone;
use policies::text;
use policies::text::{Language, Text};
use serde::Serialize;

use crate::cli::fault::{named, told};
use crate::cli::terminal::moment;
use crate::evidence::Subject;
use crate::store::log::fault::Fault;
use crate::verify::{self, Difference, Place, What, Why};

/// One fault or difference.
#[derive(Debug, Serialize)]
pub(super) struct Told {
    /// A word for programs.
    fault: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    leaf: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    office: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    machine: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    control: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stored: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recomputed: Option<String>,
    pub(super) message: String,
}

impl Told {
    /// A fault of the evidence log.
    pub(super) fn fault(fault: &Fault, language: Language) -> Self {
        let (word, leaf, subject) = parts(fault);
        Self {
            fault: word,
            leaf,
            subject,
            office: None,
            machine: None,
            control: None,
            stored: None,
            recomputed: None,
            message: told(fault).get(language).to_owned(),
        }
    }

    /// A difference.
    pub(super) fn difference(difference: &Difference, language: Language) -> Self {
        let Difference { what, place, stored, recomputed } = difference;
        let (vi, en) = place_named(place);
        let sentence = sentence(*what);
        let message = match (stored, recomputed) {
            (None, None) => Text::new(format!("{vi}: {}.", sentence.vi), format!("{en}: {}.", sentence.en)),
            _ => {
                let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
                let (stored, recomputed) = (shown(stored), shown(recomputed));
                Text::new(
                    format!("{vi}: {}. Đã lưu: {stored}. Tính lại: {recomputed}.", sentence.vi),
                    format!("{en}: {}. Stored: {stored}. Recomputed: {recomputed}.", sentence.en),
                )
            }
        };
        let (office, machine, control, subject) = place_parts(place);
        Self {
            fault: what.word(),
            leaf: None,
            subject,
            office,
            machine,
            control,
            stored: stored.clone(),
            recomputed: recomputed.clone(),
            message: message.get(language).to_owned(),
        }
    }
}

/// What could not be checked, and since when.
#[derive(Debug, Serialize)]
pub(super) struct Unchecked {
    why: Why,
    of: String,
    count: u64,
    since_at: i64,
    pub(super) message: String,
}

impl Unchecked {
    pub(super) fn of(of: &(Why, String), more: verify::Unchecked, zone: &TimeZone, language: Language) -> Self {
        let (why, of) = of;
        let verify::Unchecked { count, since_at } = more;
        let at = moment(since_at, zone);
        let message = match why {
            Why::BodyRemoved => text!(
                "{of}: {count} phần nội dung báo cáo từ trước {at} đã xoá do hết thời hạn lưu; mã băm đã ký vẫn còn.",
                "{of}: {count} sections from before {at} were removed by retention; their signed digests remain."
            ),
            Why::HeaderRemoved => text!(
                "{of}: phần đã ký của {count} báo cáo đến {at} đã xoá do hết thời hạn lưu; mã băm vẫn còn trong nhật ký đối chứng.",
                "{of}: the signed headers of {count} reports until {at} were removed by retention; their hashes remain in the evidence log."
            ),
            Why::Cloned => text!(
                "{of}: từ {at} có vẻ hai máy dùng chung một khoá; trạng thái các phần giữ như trước đó.",
                "{of}: since {at} two machines seem to use one key; its sections stay as they were."
            ),
            Why::AwaitsJudging => text!(
                "{of}: đang chờ chấm lại (lần chấm trước: {at}).",
                "{of}: waits to be judged again (judged last: {at})."
            ),
            Why::AwaitsGrade => text!(
                "{of}: có dữ liệu mới lúc {at}, mức xếp loại đang chờ tính lại.",
                "{of}: something came at {at}; the grade waits to be made again."
            ),
            Why::FigureNotReproducible => text!(
                "{of}: {count} số liệu chốt đến {at} không tính lại được: dữ liệu gốc không còn đủ hoặc danh mục đã thay đổi sau đó.",
                "{of}: {count} frozen figures until {at} are not reproducible: what they were made from is not all there, or the roster changed since."
            ),
        };
        Self { why: *why, of: of.clone(), count, since_at, message: message.get(language).to_owned() }
    }
}

/// The name of a count.
pub(super) fn name(count: &str, language: Language) -> &str {
    match count {
        "leaves" => language.text("mục của nhật ký đối chứng", "leaves of the evidence log"),
        "checkpoints" => language.text("mốc đã ký khớp", "signed checkpoints that fit"),
        "entries" => language.text("dòng của nhật ký thao tác", "audit entries"),
        "machines" => language.text("máy", "machines"),
        "reports" => language.text("báo cáo đã ký", "signed reports"),
        "forks" => language.text("báo cáo rẽ nhánh bị từ chối", "refused branches"),
        "bodies" => language.text("phần nội dung báo cáo", "sections"),
        "verdicts" => language.text("kết quả theo tiêu chí", "verdicts"),
        "waivers" => language.text("ngoại lệ có thời hạn", "waivers"),
        "lines" => language.text("dòng của danh mục máy tính", "lines of the roster"),
        "grades" => language.text("mức xếp loại", "grades"),
        "figures" => language.text("số liệu chốt", "frozen figures"),
        "reproduced" => language.text("số liệu chốt đã tính lại", "frozen figures made again"),
        other => other,
    }
}

/// The word for programs, the first leaf it names, and what that is about.
fn parts(fault: &Fault) -> (&'static str, Option<u64>, Option<String>) {
    let of = |subject: &Subject| Some(subject.to_string());
    match fault {
        Fault::Missing { from, .. } => ("leaf_missing", Some(*from), None),
        Fault::Beside { leaf, .. } => ("leaf_added", Some(*leaf), None),
        Fault::Row { leaf, .. } => ("leaf_unreadable", Some(*leaf), None),
        Fault::Tree { from, .. } => ("leaf_changed", Some(*from), None),
        Fault::Subtree { from, .. } => ("subtree_changed", Some(*from), None),
        Fault::End { .. } => ("end_changed", None, None),
        Fault::Checkpoint { .. } => ("checkpoint_changed", None, None),
        Fault::Against { .. } => ("contradiction", None, None),
        Fault::Gone { leaf, subject, .. } => ("record_missing", Some(*leaf), of(subject)),
        Fault::Changed { leaf, subject, record: true, .. } => ("record_changed", Some(*leaf), of(subject)),
        Fault::Changed { leaf, subject, .. } => ("leaf_changed", Some(*leaf), of(subject)),
        Fault::Order { leaf, .. } => ("leaf_moved", Some(*leaf), None),
        Fault::Twice { subject } => ("leaf_twice", None, of(subject)),
        Fault::Added { subject } => ("record_added", None, Some(subject.clone())),
    }
}

/// Office, machine, control and subject of a place.
type Parts = (Option<String>, Option<String>, Option<String>, Option<String>);

fn place_parts(place: &Place) -> Parts {
    let some = |text: &String| Some(text.clone());
    match place {
        Place::Of(subject) => {
            let machine = match subject {
                Subject::Report { machine, .. } | Subject::Fork { machine, .. } => some(machine),
                _ => None,
            };
            (None, machine, None, Some(subject.to_string()))
        }
        Place::Machine(machine) => (None, some(machine), None, None),
        Place::Key(machine, key) => (None, some(machine), None, Some(format!("key {key}"))),
        Place::Section(machine, section, digest) => {
            (None, some(machine), None, Some(format!("section {section} {digest}").trim_end().to_owned()))
        }
        Place::Control(machine, control) => (None, some(machine), some(control), None),
        Place::Waiver(machine, control, id) => (None, some(machine), some(control), Some(format!("waiver {id}"))),
        Place::Line(office, line) => (some(office), None, None, Some(format!("line {line}"))),
        Place::Office(office, value) => (some(office), None, None, Some((*value).to_owned())),
        Place::Figure(office, day, revision, value) => {
            (some(office), None, None, Some(format!("figure {office} {day} {revision} {value}")))
        }
        Place::Policy(address) => (None, None, None, Some(format!("policy {address}"))),
    }
}

/// A place in Vietnamese and English.
fn place_named(place: &Place) -> (String, String) {
    match place {
        Place::Of(subject) => named(subject),
        Place::Machine(machine) => (format!("máy {machine}"), format!("machine {machine}")),
        Place::Key(machine, key) => {
            (format!("khoá {key} của máy {machine}"), format!("key {key} of machine {machine}"))
        }
        Place::Section(machine, section, digest) => (
            format!("phần {section} {digest} của máy {machine}"),
            format!("section {section} {digest} of machine {machine}"),
        ),
        Place::Control(machine, control) => {
            (format!("máy {machine}, tiêu chí {control}"), format!("machine {machine}, control {control}"))
        }
        Place::Waiver(machine, control, id) => (
            format!("ngoại lệ {id} (máy {machine}, tiêu chí {control})"),
            format!("waiver {id} (machine {machine}, control {control})"),
        ),
        Place::Line(office, line) => (
            format!("dòng {line} trong danh mục máy tính của cơ quan {office}"),
            format!("line {line} of the roster of office {office}"),
        ),
        Place::Office(office, value) => (format!("cơ quan {office}, {value}"), format!("office {office}, {value}")),
        Place::Figure(office, day, revision, value) => (
            format!("số liệu chốt ngày {day} (bản {revision}) của cơ quan {office}, {value}"),
            format!("frozen figure of {day} (revision {revision}) of office {office}, {value}"),
        ),
        Place::Policy(address) => (format!("bộ tiêu chí {address}"), format!("policy {address}")),
    }
}

fn sentence(what: What) -> Text {
    let (vi, en) = match what {
        What::Key => ("khoá công khai đã bị thay", "the public key was changed"),
        What::Report => {
            ("nội dung đã ký không khớp mã băm hoặc vị trí", "the signed bytes do not fit their hash or place")
        }
        What::Signature => {
            ("chữ ký không phải của khoá máy dùng khi đó", "not signed with the key that the machine had then")
        }
        What::Chain => ("không nối tiếp báo cáo trước", "does not continue the report before it"),
        What::Head => (
            "điểm cuối của chuỗi báo cáo không khớp báo cáo cuối",
            "the stored end of the chain does not fit the last report",
        ),
        What::Sections => {
            ("trạng thái đã lưu không khớp báo cáo cuối đã ký", "the stored state does not fit the last signed report")
        }
        What::Body => ("nội dung không khớp mã băm đã ký", "the content does not fit the signed digest"),
        What::BodyMissing => (
            "nội dung đã ký không còn, dù chưa hết thời hạn lưu",
            "signed content is missing though its retention has not ended",
        ),
        What::BodyAdded => ("nội dung không báo cáo nào ký", "content that no report signed"),
        What::Verdict => ("kết quả không khớp khi chấm lại", "the verdict differs when judged again"),
        What::Policy => {
            ("bộ tiêu chí bị thiếu hoặc không đúng chữ ký", "the policy is missing or not signed by a known key")
        }
        What::Waiver => ("không khớp nhật ký thao tác", "does not fit the audit log"),
        What::Line => ("không khớp nhật ký thao tác", "does not fit the audit log"),
        What::Declaration => (
            "việc xác nhận danh mục không khớp nhật ký thao tác",
            "the declaration of the roster does not fit the audit log",
        ),
        What::Grade => ("mức xếp loại không khớp khi tính lại", "the grade differs when made again"),
        What::Figure => ("số liệu chốt không khớp khi tính lại", "the frozen figure differs when made again"),
        What::Audit => ("chuỗi nhật ký thao tác bị đứt", "the chain of the audit log is broken"),
    };
    Text::new(vi, en)
}
