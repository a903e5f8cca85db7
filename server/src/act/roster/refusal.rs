//! Why a change to a roster was refused, in words for the person who tried.

use policies::text;
use policies::text::Text;

use crate::error::UserError;
use crate::store::StoreError;

/// Why a roster was not changed.
#[derive(Debug)]
pub enum RosterError {
    /// A rule forbids it.
    Refused(Refusal),
    /// It is not within scope, or the database failed.
    Store(StoreError),
}

/// The rule that forbids an act.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The roster has no line.
    Empty,
    /// A line needs a name.
    NoLabel,
    /// A name, serial number or address that two of the new lines share.
    Twice(String),
    /// A line with this name exists.
    LabelTaken(String),
    /// The line of this name has another room, person, role, serial number or address.
    Different(String),
    /// Another line of the office has this serial number or address; the label of the new one and that of the other.
    MarkTaken(String, String),
    /// A line of another office has the serial number of this new one.
    SerialElsewhere(String),
    /// Not a hardware address.
    NoMac(String),
    /// Two lines have this name, or none has.
    NoLine(String),
    /// The machine belongs to another office.
    OtherOffice,
    /// The machine is revoked.
    Revoked,
    /// The machine has this line already.
    HasLine(String),
    /// The line has another machine.
    LineTaken(String),
    /// The line is for a machine of another role.
    OtherRole,
    /// The line has no machine.
    NotLinked,
    /// No policy is published, so the longest absence is unknown.
    NoPolicy,
    /// A machine that is away needs an end date.
    NoEnd,
    /// A machine in use must have no end date.
    InUseHasNoEnd,
    /// The end has passed.
    EndPassed,
    /// The end lies more than this many days after the beginning.
    EndTooFar(u32),
}

impl From<Refusal> for RosterError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<StoreError> for RosterError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<RosterError> for anyhow::Error {
    fn from(error: RosterError) -> Self {
        match error {
            RosterError::Refused(refusal) => {
                let text = refusal.text();
                UserError::new(text.vi, text.en).into()
            }
            RosterError::Store(error) => error.into(),
        }
    }
}

impl Refusal {
    /// The message for the person.
    pub fn text(&self) -> Text {
        match self {
            Self::Empty => Text::new(
                "Danh mục chưa có máy nào. Hãy thêm máy trước (posture-server office roster add hoặc import), rồi xác nhận danh mục.",
                "The roster holds no machine. Add machines first (posture-server office roster add or import), then declare it.",
            ),
            Self::NoLabel => Text::new("Máy chưa có tên.", "The machine has no name."),
            Self::Twice(what) => text!(
                "Trùng trong cùng một lần nhập: {what}. Mỗi máy chỉ ghi một dòng.",
                "Twice in the same import: {what}. Every machine has one line."
            ),
            Self::LabelTaken(label) => {
                text!("Danh mục đã có máy {label}.", "The roster has the machine {label} already.")
            }
            Self::Different(label) => text!(
                "Danh mục đã có máy {label}, nhưng phòng, người dùng, loại, số sê-ri hoặc địa chỉ MAC khác với dòng này. Hãy sửa tệp, hoặc bỏ dòng cũ trước (posture-server office roster remove).",
                "The roster has the machine {label} already, with another room, person, role, serial number or MAC address. Correct the file, or take the old line off first (posture-server office roster remove)."
            ),
            Self::MarkTaken(label, other) => text!(
                "{label}: dòng {other} của danh mục đã có số sê-ri hoặc địa chỉ MAC này.",
                "{label}: the line {other} of the roster has this serial number or MAC address already."
            ),
            Self::SerialElsewhere(label) => text!(
                "{label}: danh mục của một cơ quan khác đã có máy mang số sê-ri này.",
                "{label}: the roster of another office has a machine with this serial number already."
            ),
            Self::NoMac(text) => text!(
                "{text:?} không phải địa chỉ MAC. Hãy ghi theo dạng 00:11:22:33:44:55.",
                "{text:?} is not a MAC address. Write it as 00:11:22:33:44:55."
            ),
            Self::NoLine(label) => text!(
                "Danh mục không có dòng nào, hoặc có nhiều dòng, mang tên hoặc mã {label:?}. Hãy xem: posture-server office roster list, rồi ghi mã của dòng.",
                "The roster has no line, or more than one, with the name or id {label:?}. See posture-server office roster list and give the line's id."
            ),
            Self::OtherOffice => Text::new("Máy này thuộc cơ quan khác.", "The machine belongs to another office."),
            Self::Revoked => Text::new(
                "Máy này đã bị thu hồi; máy phải đăng ký lại bằng mã đăng ký máy mới.",
                "The machine is revoked; it must enrol again with a new token.",
            ),
            Self::HasLine(label) => text!(
                "Máy này đã ghép với dòng {label}. Hãy nhờ người quản trị tách ra trước (posture-server office roster unlink).",
                "The machine is linked to the line {label} already. Have the administrator unlink it first (posture-server office roster unlink)."
            ),
            Self::LineTaken(machine) => text!(
                "Dòng này đã ghép với máy {machine}. Nếu máy được cài lại: tải lại trang rồi bấm Ghép, hoặc chạy posture-server office roster link với --replace; máy mới tiếp nhận dòng này cùng lịch sử, máy cũ bị thu hồi.",
                "The line is linked to the machine {machine}. If the computer was reinstalled, reload the page and press Link, or run posture-server office roster link with --replace: the new machine takes over the line with its history, the old one is revoked."
            ),
            Self::OtherRole => Text::new(
                "Dòng danh mục và máy khác loại (máy trạm, máy chủ). Nếu máy ghi sai loại, hãy đổi (posture-server machine role); nếu dòng ghi sai, hãy bỏ dòng rồi thêm lại (posture-server office roster remove, posture-server office roster add --role).",
                "The line and the machine are of different roles (workstation, server). Where the machine's is wrong, change it (posture-server machine role); where the line's is, take the line off and add it again (posture-server office roster remove, posture-server office roster add --role).",
            ),
            Self::NotLinked => Text::new("Dòng này chưa ghép với máy nào.", "The line is linked to no machine."),
            Self::NoPolicy => Text::new(
                "Chưa ban hành bộ tiêu chí nên chưa biết máy được tạm ngừng tính bao lâu. Hãy ban hành trước: posture-server policy publish.",
                "No policy is published, so nobody knows how long a machine may be away. Publish one first: posture-server policy publish.",
            ),
            Self::NoEnd => Text::new(
                "Chưa có ngày cuối. Hãy nêu ngày cuối máy tạm ngừng sử dụng (--until 2026-12-31).",
                "There is no end. Give the last day on which the machine is away (--until 2026-12-31).",
            ),
            Self::InUseHasNoEnd => Text::new(
                "Máy đang sử dụng thì không có ngày cuối. Hãy bỏ --until.",
                "A machine in use has no end. Leave --until out.",
            ),
            Self::EndPassed => Text::new(
                "Ngày cuối đã qua. Hãy chọn ngày từ hôm nay trở đi.",
                "The last day has passed. Choose today or a later day.",
            ),
            Self::EndTooFar(days) => text!(
                "Thời hạn quá dài: một máy được tạm ngừng tính nhiều nhất {days} ngày kể từ ngày đầu. Hãy chọn ngày sớm hơn; nếu máy không dùng nữa, hãy bỏ khỏi danh mục (posture-server office roster remove).",
                "The end lies too far ahead: a machine may be away for at most {days} days from the first one. Choose an earlier day; a machine that is used no more is taken off the roster (posture-server office roster remove)."
            ),
        }
    }
}
