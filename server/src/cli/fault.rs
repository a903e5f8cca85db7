//! The faults of the evidence log in words.

use policies::text;
use policies::text::Text;

use crate::evidence::Subject;
use crate::store::log::fault::Fault;

/// What a fault is, in both languages.
pub(super) fn told(fault: &Fault) -> Text {
    match fault {
        Fault::Missing { from, to, .. } => {
            text!("Thiếu các mục từ {} đến {} trong nhật ký.", "Leaves {} to {} are missing from the log.", from, to)
        }
        Fault::Beside { leaf, .. } => {
            text!("Có mục bị chèn thêm tại vị trí {}.", "A leaf was added at place {}.", leaf)
        }
        Fault::Row { leaf, .. } => text!("Không đọc được mục {}.", "Leaf {} cannot be read.", leaf),
        Fault::Tree { from, to, .. } => text!(
            "Trong các mục từ {} đến {} có mục bị sửa hoặc đổi chỗ: không khớp mốc đã ký.",
            "One of the leaves {} to {} was changed or moved: they do not fit the signed checkpoint.",
            from,
            to
        ),
        Fault::Subtree { from, to, .. } => text!(
            "Mã lưu sẵn của các mục từ {} đến {} bị thiếu hoặc bị sửa; các mục vẫn khớp mốc đã ký.",
            "The stored hash over leaves {} to {} is missing or was changed; the leaves themselves fit what was signed.",
            from,
            to
        ),
        Fault::End { epoch } => text!(
            "Phần cuối đã lưu của nhật ký (kỳ {}) không khớp các mục.",
            "The stored end of the log (epoch {}) does not fit its leaves.",
            epoch
        ),
        Fault::Checkpoint { epoch, size } => text!(
            "Mốc đã lưu (kỳ {}, {} mục) không đọc được hoặc không do khoá của máy chủ này ký.",
            "The stored checkpoint (epoch {}, {} leaves) cannot be read or is not signed with this server's key.",
            epoch,
            size
        ),
        Fault::Against { epoch, size, found } => text!(
            "Nhật ký mâu thuẫn với mốc đã cất (kỳ {}, {} mục; nay so được {} mục): dữ liệu đã bị viết lại hoặc bị cắt sau khi máy chủ ký mốc đó.",
            "The log contradicts the checkpoint that was kept (epoch {}, {} leaves; {} can be compared): it was rewritten or cut after the server signed that.",
            epoch,
            size,
            found
        ),
        Fault::Gone { leaf, subject, .. } => {
            let (vi, en) = named(subject);
            Text::new(
                format!("Mục {leaf}: {vi} không còn trong cơ sở dữ liệu."),
                format!("Leaf {leaf}: {en} is no longer in the database."),
            )
        }
        Fault::Changed { leaf, subject, record, .. } => {
            let (vi, en) = named(subject);
            let what = match record {
                true => ("đã bị sửa sau khi ghi vào nhật ký", "was changed after it was logged"),
                false => ("không khớp mục trong nhật ký", "does not fit its leaf"),
            };
            Text::new(format!("Mục {leaf}: {vi} {}.", what.0), format!("Leaf {leaf}: {en} {}.", what.1))
        }
        Fault::Order { leaf, expected, found, .. } => text!(
            "Mục {}: phải là dòng {} của nhật ký thao tác, nhưng lại là dòng {}.",
            "Leaf {}: audit entry {} should stand here, but {} does.",
            leaf,
            expected,
            found
        ),
        Fault::Twice { subject } => {
            let (vi, en) = named(subject);
            Text::new(
                format!("Có hai mục cho cùng một nội dung: {vi}."),
                format!("Two leaves are about the same: {en}."),
            )
        }
        Fault::Added { subject } => {
            let (vi, en) =
                subject.parse().map_or_else(|_| (subject.clone(), subject.clone()), |subject| named(&subject));
            Text::new(
                format!("Có trong cơ sở dữ liệu nhưng không có trong nhật ký: {vi}."),
                format!("In the database, but not in the log: {en}."),
            )
        }
    }
}

/// What a leaf is about, in Vietnamese and English.
pub(super) fn named(subject: &Subject) -> (String, String) {
    match subject {
        Subject::Report { machine, segment, number } => (
            format!("báo cáo số {number} (đoạn {segment}) của máy {machine}"),
            format!("report {number} (segment {segment}) of machine {machine}"),
        ),
        Subject::Fork { machine, hash } => (
            format!("báo cáo rẽ nhánh bị từ chối {hash} của máy {machine}"),
            format!("refused branch {hash} of machine {machine}"),
        ),
        Subject::Audit { number } => (format!("dòng {number} của nhật ký thao tác"), format!("audit entry {number}")),
        Subject::Figure { office, day, revision } => (
            format!("số liệu chốt ngày {day} (bản {revision}) của cơ quan {office}"),
            format!("frozen figure of {day} (revision {revision}) of office {office}"),
        ),
        Subject::Checkpoint { epoch, size } => (
            format!("mốc cuối của kỳ {epoch} ({size} mục)"),
            format!("last checkpoint of epoch {epoch} ({size} leaves)"),
        ),
    }
}
