//! Why a report is refused: the code, the message for people, what the agent should do, and how often it happened.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use policies::text::Text;
use protocol::{Refusal, RefusalAction};

use crate::clock::DAY_MS;
use crate::store::refusal::RefusalCount;

macro_rules! reasons {
    ($( $(#[doc = $doc:literal])+ $reason:ident = $code:literal, $action:ident, $retry:expr, $vi:literal, $en:literal; )+) => {
        /// Why a report, or a request of reports, was refused.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Reason {
            $( $(#[doc = $doc])+ $reason, )+
        }

        impl Reason {
            /// The stable code for programs and counters.
            pub const fn code(self) -> &'static str {
                match self { $( Self::$reason => $code, )+ }
            }

            /// What the agent should do.
            pub const fn action(self) -> RefusalAction {
                match self { $( Self::$reason => RefusalAction::$action, )+ }
            }

            /// Minimum seconds to wait before sending the same again.
            pub const fn retry_after_s(self) -> Option<u32> {
                match self { $( Self::$reason => $retry, )+ }
            }

            /// The message for a person.
            pub fn text(self) -> Text {
                match self { $( Self::$reason => Text::new($vi, $en), )+ }
            }
        }
    };
}

reasons! {
    /// The request is not frames of reports within the limits.
    BadFrame = "bad_frame", Final, None,
        "Yêu cầu không đúng định dạng báo cáo hoặc vượt giới hạn kích thước.",
        "The request is not in the form of reports or exceeds a limit of size.";
    /// The machine sends more requests than an honest agent would.
    TooManyRequests = "too_many_requests", Retry, Some(60),
        "Máy gửi quá nhiều yêu cầu trong thời gian ngắn. Máy sẽ tự gửi lại sau.",
        "The machine sends too many requests. It will send this one again later.";
    /// The machine sent more bytes today than may be kept for one machine.
    TooManyBytes = "too_many_bytes", Retry, Some(60 * 60),
        "Máy đã gửi quá dung lượng được lưu trong một ngày. Báo cáo được giữ lại trên máy và gửi sau.",
        "The machine sent more than may be kept in one day. The report stays on the machine and is sent later.";
    /// Nobody has confirmed the machine, and the room for its reports until then is used up.
    Unconfirmed = "unconfirmed", Retry, Some(30 * 60),
        "Máy chưa được xác nhận nên máy chủ chỉ lưu một phần nhỏ. Báo cáo được giữ lại trên máy và gửi sau khi cán bộ xác nhận máy.",
        "Nobody has confirmed this machine, so the server keeps only a little of it. The report stays on the machine and is sent after an officer confirms it.";
    /// The signature does not match the header under the machine's key.
    BadSignature = "bad_signature", Final, None,
        "Chữ ký của báo cáo không khớp với khoá của máy. Báo cáo không được lưu.",
        "The report's signature does not fit the machine's key. The report was not stored.";
    /// The header is not one that an honest agent writes.
    BadHeader = "bad_header", Final, None,
        "Phần đầu báo cáo không hợp lệ. Báo cáo không được lưu.",
        "The report's header is not valid. The report was not stored.";
    /// The header names another machine than the one that sent it.
    WrongMachine = "wrong_machine", Final, None,
        "Báo cáo mang mã của một máy khác. Báo cáo không được lưu.",
        "The report carries the id of another machine. It was not stored.";
    /// The bodies cannot be decompressed or read within the limits.
    BadBodies = "bad_bodies", Final, None,
        "Nội dung báo cáo không đọc được hoặc vượt giới hạn. Báo cáo không được lưu.",
        "The report's bodies cannot be read or exceed a limit. The report was not stored.";
    /// A body is not the one whose digest was signed.
    BadDigest = "bad_digest", Final, None,
        "Nội dung báo cáo không khớp với mã băm đã ký. Báo cáo không được lưu.",
        "A body of the report does not fit the signed digest. The report was not stored.";
    /// Another report already has this place in the chain.
    Fork = "fork", Final, None,
        "Số báo cáo này đã có nội dung khác. Bản gửi sau được giữ riêng để đối chiếu và không tính vào kết quả; máy cần mở chuỗi báo cáo mới.",
        "This number was already taken by another report. The later one is kept apart as evidence and does not count; the machine must open a new segment.";
    /// Reports before this one are missing.
    Gap = "gap", Final, None,
        "Thiếu các báo cáo trước báo cáo này. Máy cần mở chuỗi báo cáo mới với đầy đủ số liệu.",
        "Reports before this one are missing. The machine must open a new segment with a full report.";
    /// The machine was revoked.
    Revoked = "revoked", Final, None,
        "Máy đã bị thu hồi quyền kết nối. Hãy liên hệ cán bộ phụ trách công nghệ thông tin nếu máy vẫn đang sử dụng.",
        "The machine was revoked. Ask the IT officer if the machine is still in use.";
    /// A report before it in the same request was not accepted.
    AfterRefused = "after_refused", Retry, Some(1),
        "Một báo cáo đứng trước trong cùng yêu cầu chưa được nhận.",
        "A report before it in the same request was not accepted.";
    /// Another server handled a report of this machine at the same moment.
    Contended = "contended", Retry, Some(1),
        "Báo cáo khác của máy đang được xử lý. Máy sẽ tự gửi lại.",
        "Another report of the machine was handled at the same moment. It will be sent again.";
    /// Too many reports are waiting for the next commit.
    QueueFull = "queue_full", Retry, Some(15),
        "Máy chủ đang nhận quá nhiều báo cáo. Máy sẽ tự gửi lại sau.",
        "The server is receiving too many reports. The machine will send it again later.";
    /// The disk is almost full.
    DiskFull = "disk_full", Retry, Some(5 * 60),
        "Ổ đĩa của máy chủ gần như đã đầy nên máy chủ chưa nhận báo cáo. Máy giữ lại báo cáo và sẽ tự gửi lại sau.",
        "The server's disk is all but full, so it takes in no reports now. The machine keeps the report and sends it again later.";
    /// The store failed.
    ServerFailed = "server_failed", Retry, Some(60),
        "Máy chủ gặp lỗi khi lưu báo cáo. Máy sẽ tự gửi lại sau.",
        "The server failed to store the report. The machine will send it again later.";
}

impl Reason {
    /// The refusal in its wire form.
    pub fn refusal(self) -> Refusal {
        Refusal {
            code: self.code().to_owned(),
            message: self.text(),
            action: self.action(),
            retry_after_s: self.retry_after_s(),
        }
    }
}

/// Counts of refusals by kind since the last commit, and since the start.
#[derive(Debug, Default)]
pub struct Counters {
    waiting: Mutex<BTreeMap<(i64, Reason, String), i64>>,
}

impl Counters {
    /// Counts and logs one refusal. `machine` is the machine that sent it, `detail` is for engineers.
    pub fn count(&self, now: i64, reason: Reason, machine: &str, detail: &str) {
        tracing::warn!(machine, reason = reason.code(), "report refused: {detail}");
        let day = now.div_euclid(DAY_MS);
        *self.waiting().entry((day, reason, machine.to_owned())).or_default() += 1;
    }

    /// Takes what was counted, to be stored.
    pub(super) fn take(&self) -> BTreeMap<(i64, Reason, String), i64> {
        std::mem::take(&mut self.waiting())
    }

    /// The counts taken, as rows of the store.
    pub(super) fn rows(counts: &BTreeMap<(i64, Reason, String), i64>) -> Vec<RefusalCount> {
        let row = |((day, reason, machine), count): (&(i64, Reason, String), &i64)| RefusalCount {
            day: *day,
            reason: reason.code().to_owned(),
            machine: machine.clone(),
            count: *count,
        };
        counts.iter().map(row).collect()
    }

    /// Puts back counts that could not be stored.
    pub(super) fn give_back(&self, counts: BTreeMap<(i64, Reason, String), i64>) {
        let mut waiting = self.waiting();
        for (key, count) in counts {
            *waiting.entry(key).or_default() += count;
        }
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, BTreeMap<(i64, Reason, String), i64>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
