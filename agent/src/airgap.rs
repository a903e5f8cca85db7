//! A machine that may never be connected works by files: it exports an enrolment request and later its reports, and imports the server's
//! answers. The reports, their chain and their spool are the same as on a connected machine.
//!
//! Owns what must be kept from one file to the next; [`export`] makes a file, [`import`] takes one in.

use std::io::{Read, Write};
use std::path::Path;

use policies::text;
use policies::text::{Text, visible};
use protocol::Digest;
use protocol::unconnected::Invitation;
use protocol::unconnected::answer::AnswerError;
use protocol::unconnected::export::ExportError;
use protocol::unconnected::invitation::InvitationError;
use protocol::unconnected::seal::SealError;
use serde::{Deserialize, Serialize};

use crate::identity::BadAnswer;
use crate::identity::start::StartError;
use crate::state::{Durability, StateError, StateFolder};

pub(crate) mod export;
pub(crate) mod import;

/// The file that keeps it. Holds the token until the machine is enrolled.
const FILE: &str = "unconnected.json";

/// What is kept from one file to the next.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct AirgapState {
    /// The invitation the machine uses to enrol.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) invitation: Option<Invitation>,
    /// Which roster line it is, in a person's words; may be empty.
    pub(crate) place: String,
    /// When the newest answer was made, by the server's clock; milliseconds since 1970 UTC.
    pub(crate) answered_at: i64,
    /// The report whose sections the server lacks, with the names of those sections.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) need: Option<(Digest, Vec<String>)>,
}

impl AirgapState {
    /// Reads the file. A damaged one counts as empty: the next export with the invitation, or the next answer, brings it back.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(crate) fn load(state: &StateFolder) -> Result<Self, StateError> {
        Ok(state.read_replaceable(FILE)?.unwrap_or_default())
    }

    /// Writes the file.
    ///
    /// # Errors
    /// When the state folder refuses.
    pub(crate) fn save(&self, state: &StateFolder) -> Result<(), StateError> {
        state.write_json(FILE, self, Durability::Synced)
    }
}

/// Why a file was not made or not imported.
#[derive(Debug, thiserror::Error)]
#[error("{}", self.text().en)]
pub(crate) enum FileError {
    /// Nobody has declared that the machine does not process state secrets.
    NotConfirmed,
    /// A file could not be read or written.
    Io {
        /// `read` or `write`.
        doing: &'static str,
        /// The file.
        path: std::path::PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// Not an invitation.
    #[error(transparent)]
    Invitation(#[from] InvitationError),
    /// Neither invited nor enrolled.
    NotInvited,
    /// Enrolled over the network at a server that gave no encryption key.
    NoSealingKey,
    /// State, key or configuration.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The facts could not be reported.
    Report(anyhow::Error),
    /// The file could not be sealed.
    Seal(#[from] ExportError),
    /// The answer is damaged, or of another server, or for another machine.
    #[error(transparent)]
    Answer(#[from] AnswerError),
    /// This machine never exported anything to the server that made this answer.
    Foreign(String),
    /// The answer is older than what was imported before, and brings nothing new.
    Older,
    /// The answer's parts do not fit together.
    #[error(transparent)]
    Unusable(#[from] BadAnswer),
    /// The policy in the answer cannot be used.
    Policy(#[from] crate::policy::store::PolicyStoreError),
    /// The server refused what the file asked for.
    Refused(Text),
}

impl From<StateError> for FileError {
    fn from(error: StateError) -> Self {
        Self::Start(error.into())
    }
}

impl FileError {
    /// The error message for people, in both languages.
    pub(crate) fn text(&self) -> Text {
        match self {
            Self::NotConfirmed => text!(
                "chưa xuất gì: máy xử lý bí mật nhà nước không bao giờ được đăng ký hoặc xuất số liệu; nếu máy không thuộc loại này, hãy nêu --not-secret",
                "nothing was exported: a machine that processes state secrets must never be enrolled or exported; if this one does not, add --not-secret"
            ),
            Self::Io { doing, path, source } => {
                let vi = if *doing == "read" { "đọc" } else { "ghi" };
                text!("không {vi} được {0}: {source}", "cannot {doing} {0}: {source}", path.display())
            }
            Self::Invitation(InvitationError::OtherVersion(_)) => {
                text!("thư mời thuộc phiên bản khác; hãy cập nhật phần mềm trên máy này", "{self}")
            }
            Self::Invitation(_) => text!(
                "tệp không phải thư mời của Trạm An, hoặc đã bị hỏng; hãy xin cán bộ phụ trách tệp khác",
                "{self}"
            ),
            Self::NotInvited => text!(
                "máy này chưa có thư mời; hãy nêu tệp do cán bộ phụ trách giao: --invitation TỆP",
                "this machine has no invitation yet; give the officer's file with --invitation FILE"
            ),
            Self::NoSealingKey => text!(
                "máy này chưa biết khoá mã hoá của máy chủ; hãy nêu thư mời của chính máy chủ đó: --invitation TỆP",
                "this machine does not have the server's encryption key; give an invitation of the same server with --invitation FILE"
            ),
            Self::Start(error) => error.text(),
            Self::Report(error) => {
                text!("không lập được báo cáo: {error:#}", "the report could not be made: {error:#}")
            }
            Self::Seal(ExportError::Seal(error @ SealError::NoRandomBytes)) => {
                text!("hệ thống không cho số ngẫu nhiên", "the file could not be made: {error}")
            }
            Self::Seal(error) => text!("không tạo được tệp: {error}", "the file could not be made: {error}"),
            Self::Answer(AnswerError::Unreadable) => {
                text!("tệp không phải tệp trả lời của máy chủ Trạm An, hoặc đã bị hỏng; hãy chép lại", "{self}")
            }
            Self::Answer(AnswerError::BadSignature) => text!(
                "chữ ký của tệp trả lời không đúng: tệp đã bị hỏng hoặc bị sửa; hãy chép lại từ máy chủ",
                "{self}"
            ),
            Self::Answer(AnswerError::OtherMachine) => text!("tệp trả lời này dành cho máy khác", "{self}"),
            Self::Answer(AnswerError::OtherServer(server)) => {
                text!("tệp trả lời của máy chủ khác ({server}), máy này chưa xuất gì cho máy chủ đó", "{self}")
            }
            Self::Foreign(server) => text!(
                "tệp trả lời của máy chủ khác ({server}), máy này chưa xuất gì cho máy chủ đó",
                "the answer is from the server {server}, to which this machine has exported nothing"
            ),
            Self::Older => text!(
                "tệp trả lời cũ hơn tệp đã nhập trước đó; không có gì thay đổi",
                "the answer is older than the one imported before; nothing was changed"
            ),
            Self::Unusable(error) => {
                text!("không dùng được tệp trả lời: {0}", "the server's answer cannot be used: {0}", error.0)
            }
            Self::Policy(error) => text!(
                "đã nhập phần còn lại của tệp trả lời, nhưng không dùng được bộ tiêu chí trong đó: {error}",
                "the rest of the answer was imported, but its policy cannot be used: {error}"
            ),
            Self::Refused(text) => {
                let [vi, en] = [&text.vi, &text.en].map(|text| visible(text, 500));
                text!("máy chủ không chấp nhận: {vi}", "the server refused: {en}")
            }
        }
    }
}

/// Reads a file of at most `most` bytes from a stick.
///
/// # Errors
/// When it cannot be read or is longer.
pub(crate) fn file_read(path: &Path, most: usize) -> Result<Vec<u8>, FileError> {
    let read = || {
        let mut bytes = Vec::new();
        std::fs::File::open(path)?.take(most as u64 + 1).read_to_end(&mut bytes)?;
        if bytes.len() > most { Err(std::io::Error::other(format!("> {most} B"))) } else { Ok(bytes) }
    };
    read().map_err(|source| FileError::Io { doing: "read", path: path.to_owned(), source })
}

/// Writes a file to a stick, atomically: on failure the old file stays. The content is sealed, so everyone may read the file: another
/// person imports it at the server.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn file_write(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    let write = || {
        let mut builder = tempfile::Builder::new();
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644));
        let mut fresh = builder.prefix(".tram-an-").tempfile_in(folder)?;
        fresh.write_all(bytes)?;
        fresh.as_file().sync_all()?;
        fresh.persist(path).map(drop).map_err(|error| error.error)
    };
    write().map_err(|source| FileError::Io { doing: "write", path: path.to_owned(), source })
}
