//! The words of a grade as a person reads them.

use super::{CapKind, Colour, LineKind, MachineState, NoLetter};
use crate::policy::Letter;
use crate::text::Text;

/// The disclaimer on every page and document with a grade.
pub fn disclaimer() -> Text {
    Text::new(
        "Thang điểm của phần mềm, không phải xếp hạng của cơ quan nhà nước.",
        "A scale of the software, not a ranking by a state authority.",
    )
}

/// The name of the ledger.
pub fn ledger_title() -> Text {
    Text::new("Bảng giải trình điểm", "Ledger of points")
}

impl Colour {
    /// The colour of a letter; grey without one.
    pub const fn of(letter: Option<Letter>) -> Self {
        match letter {
            Some(Letter::A | Letter::B) => Self::Green,
            Some(Letter::C) => Self::Yellow,
            Some(Letter::D | Letter::E) => Self::Red,
            None => Self::Grey,
        }
    }

    /// The code for style sheets and programs.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Green => "green",
            Self::Yellow => "yellow",
            Self::Red => "red",
            Self::Grey => "grey",
        }
    }

    /// The colour as a person reads it.
    pub fn text(self) -> Text {
        let (vi, en) = match self {
            Self::Green => ("xanh", "green"),
            Self::Yellow => ("vàng", "yellow"),
            Self::Red => ("đỏ", "red"),
            Self::Grey => ("xám", "grey"),
        };
        Text::new(vi, en)
    }
}

impl NoLetter {
    /// The reason as a person reads it.
    pub fn text(self) -> Text {
        let (vi, en) = match self {
            Self::NoRoster => (
                "Chưa đủ căn cứ xếp loại: cơ quan chưa khai danh mục máy tính.",
                "Not enough to grade on: the office has not declared its roster.",
            ),
            Self::NoMachine => (
                "Chưa đủ căn cứ xếp loại: danh mục máy tính không có máy nào cần theo dõi.",
                "Not enough to grade on: no machine of the roster is expected.",
            ),
            Self::StartUp { .. } => ("Đang khởi tạo: có điểm, chưa xếp loại.", "Being set up: a score, no letter yet."),
            Self::ChildrenWithout => (
                "Chưa đủ căn cứ xếp loại: quá nhiều máy thuộc đơn vị chưa được xếp loại.",
                "Not enough to grade on: too many machines belong to offices without a letter.",
            ),
        };
        Text::new(vi, en)
    }
}

impl LineKind {
    /// The kind as a person reads it.
    pub fn text(self) -> Text {
        let (vi, en) = match self {
            Self::Cap => ("giới hạn xếp loại", "cap on the letter"),
            Self::Failed => ("chưa đạt", "fail"),
            Self::Unknown => ("chưa xác định", "unknown"),
            Self::Stale => ("số liệu quá hạn", "stale"),
            Self::Unreported => ("chưa có số liệu", "never reported"),
            Self::Unscored => ("không có tiêu chí áp dụng", "nothing applicable"),
            Self::NoMachine => ("không có máy", "no machine"),
            Self::Attested => ("tự đánh giá", "attested"),
        };
        Text::new(vi, en)
    }
}

impl CapKind {
    /// The code for programs.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Widespread => "widespread",
            Self::Coverage => "coverage",
            Self::Waived => "waived",
        }
    }
}

impl MachineState {
    /// The state as a person reads it.
    pub fn text(self) -> Text {
        let (vi, en) = match self {
            Self::Scored => ("có điểm", "scored"),
            Self::Unscored => ("không có tiêu chí áp dụng, tính 0 điểm", "nothing applicable, counts 0"),
            Self::Stale => ("số liệu quá hạn, tính 0 điểm", "stale, counts 0"),
            Self::Unreported => ("chưa gửi số liệu lần nào, tính 0 điểm", "never reported, counts 0"),
            Self::Away => ("tạm thời không tính", "away, not counted"),
            Self::Pending => ("chờ xác nhận, chưa tính", "pending, not counted"),
        };
        Text::new(vi, en)
    }
}
