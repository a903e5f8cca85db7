//! A machine that may never be connected works by files: it exports an enrolment request and later its reports, and imports the server's
//! answers. The reports, their chain and their spool are the same as on a connected machine.
//!
//! Owns what must be kept from one file to the next; [`export`] makes a file, [`import`] takes one in.

use std::io::{Read, Write};
use std::path::Path;

use policies::text::Text;
use protocol::Digest;
use protocol::unconnected::Invitation;
use protocol::unconnected::answer::AnswerError;
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
pub(crate) struct Papers {
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

impl Papers {
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
pub(crate) enum FileError {
    /// Nobody has declared that the machine does not process state secrets.
    #[error(
        "nothing was exported: a machine that processes state secrets must never be enrolled or exported; say --not-secret if it does not"
    )]
    NotConfirmed,
    /// A file could not be read or written.
    #[error("cannot {doing} {path}: {source}")]
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
    #[error("this machine was not invited yet; hand over the officer's file with --invitation FILE")]
    NotInvited,
    /// Enrolled over the network at a server that gave no encryption key.
    #[error(
        "this machine does not know the server's key to encrypt to; hand over an invitation of the same server with --invitation FILE"
    )]
    NoSealingKey,
    /// State, key or configuration.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The facts could not be reported.
    #[error("the facts could not be reported: {0:#}")]
    Report(anyhow::Error),
    /// The file could not be sealed.
    #[error("the file could not be made: {0}")]
    Seal(#[from] protocol::unconnected::export::ExportError),
    /// The answer is damaged, or of another server, or for another machine.
    #[error(transparent)]
    Answer(#[from] AnswerError),
    /// This machine never exported anything to the server that made this answer.
    #[error("the answer is of the server {0}, to which this machine has exported nothing")]
    Foreign(String),
    /// The answer is older than what was imported before, and brings nothing new.
    #[error("the answer is older than the one imported before; nothing was changed")]
    Older,
    /// The answer's parts do not fit together.
    #[error(transparent)]
    Unusable(#[from] BadAnswer),
    /// The policy in the answer cannot be used.
    #[error("the rest of the answer was taken in, but not its policy: {0}")]
    Policy(#[from] crate::policy::store::PolicyStoreError),
    /// The server refused what the file asked for.
    #[error("the server refused: {}", .0.en)]
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
        let vi = match self {
            Self::NotConfirmed => {
                "chưa xuất gì: máy xử lý bí mật nhà nước không bao giờ được đăng ký hoặc xuất số liệu; nếu máy không thuộc loại này, hãy nêu --not-secret"
                    .to_owned()
            }
            Self::Io { doing, path, source } => {
                format!("không {} được {}: {source}", if *doing == "read" { "đọc" } else { "ghi" }, path.display())
            }
            Self::Invitation(InvitationError::OtherVersion(_)) => {
                "thư mời thuộc phiên bản khác; hãy cập nhật phần mềm trên máy này".to_owned()
            }
            Self::Invitation(_) => "tệp không phải thư mời của Trạm An, hoặc đã bị hỏng; hãy xin cán bộ phụ trách tệp khác".to_owned(),
            Self::NotInvited => {
                "máy này chưa có thư mời; hãy nêu tệp do cán bộ phụ trách giao: --invitation TỆP".to_owned()
            }
            Self::NoSealingKey => {
                "máy này chưa biết khoá mã hoá của máy chủ; hãy nêu thư mời của chính máy chủ đó: --invitation TỆP".to_owned()
            }
            Self::Start(error) => return error.text(),
            Self::Report(error) => format!("không lập được báo cáo: {error:#}"),
            Self::Seal(protocol::unconnected::export::ExportError::Seal(SealError::NoRandomBytes)) => {
                "hệ thống không cho số ngẫu nhiên".to_owned()
            }
            Self::Seal(error) => format!("không tạo được tệp: {error}"),
            Self::Answer(AnswerError::Unreadable) => {
                "tệp không phải tệp trả lời của máy chủ Trạm An, hoặc đã bị hỏng; hãy chép lại".to_owned()
            }
            Self::Answer(AnswerError::BadSignature) => {
                "chữ ký của tệp trả lời không đúng: tệp đã bị hỏng hoặc bị sửa; hãy chép lại từ máy chủ".to_owned()
            }
            Self::Answer(AnswerError::OtherMachine) => "tệp trả lời này dành cho máy khác".to_owned(),
            Self::Answer(AnswerError::OtherServer(server)) | Self::Foreign(server) => {
                format!("tệp trả lời của máy chủ khác ({server}), máy này chưa xuất gì cho máy chủ đó")
            }
            Self::Older => "tệp trả lời cũ hơn tệp đã nhập trước đó; không có gì thay đổi".to_owned(),
            Self::Unusable(error) => format!("không dùng được tệp trả lời: {}", error.0),
            Self::Policy(error) => {
                format!("đã nhập phần còn lại của tệp trả lời, nhưng không dùng được bộ tiêu chí trong đó: {error}")
            }
            Self::Refused(text) => format!("máy chủ không chấp nhận: {}", policies::text::visible(&text.vi, 500)),
        };
        let en = match self {
            Self::Refused(text) => format!("the server refused: {}", policies::text::visible(&text.en, 500)),
            _ => self.to_string(),
        };
        Text::new(vi, en)
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
