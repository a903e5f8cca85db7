//! `posture-agent setup`: what a double-click on *Cài đặt* in the USB stick's folder runs. Reads the connection file next to the
//! program, asks for room and person, installs, and shows one sentence.

#[cfg(any(windows, test))]
use std::path::Path;
use std::path::PathBuf;

use policies::text;
use policies::text::Text;
#[cfg(any(windows, test))]
use serde::Deserialize;

#[cfg(not(windows))]
#[path = "setup/elsewhere.rs"]
mod system;
#[cfg(windows)]
#[path = "setup/windows.rs"]
mod system;

pub(super) use system::run;

/// The file next to the program that names the server (made by `server/src/web/enrolment/stick.rs`).
const FILE: &str = "ket-noi.json";
/// The most bytes of that file.
#[cfg(any(windows, test))]
const MOST: u64 = 16 * 1024;

/// Which server to report to.
#[cfg(any(windows, test))]
#[derive(Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Connection {
    /// `HOST:PORT`.
    server: String,
    /// The enrolment token. Secret.
    token: String,
    /// SHA-256 of the server's CA.
    fingerprint: String,
    /// Name of the office, to show to the person.
    office: String,
}

/// The file next to this program, if there is one: then starting with no arguments means setup.
pub(super) fn file() -> Option<PathBuf> {
    let path = std::env::current_exe().ok()?.with_file_name(FILE);
    path.is_file().then_some(path)
}

/// Why the stick cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{}", self.text().en)]
pub(super) enum SetupError {
    /// The file is missing or not readable.
    NoFile(#[from] std::io::Error),
    /// The file is damaged.
    Damaged(#[from] serde_json::Error),
}

impl SetupError {
    /// The error message for people, in both languages.
    pub(super) fn text(&self) -> Text {
        match self {
            Self::NoFile(error) => text!(
                "không đọc được tệp {FILE} cạnh chương trình ({error}); hãy chép lại cả thư mục từ trang đăng ký máy vào USB",
                "{FILE} next to the program cannot be read ({error}); copy the whole folder from the enrolment page to the USB stick again"
            ),
            Self::Damaged(error) => text!(
                "tệp {FILE} cạnh chương trình bị hỏng ({error}); hãy tải lại thư mục từ trang đăng ký máy",
                "{FILE} next to the program is damaged ({error}); download the folder from the enrolment page again"
            ),
        }
    }
}

/// Reads the file.
#[cfg(any(windows, test))]
fn read(path: &Path) -> Result<Connection, SetupError> {
    use std::io::Read;
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(MOST).read_to_end(&mut bytes)?;
    // An editor may have put a byte order mark before the text.
    Ok(serde_json::from_slice(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_of_the_stick_is_read_or_refused_with_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        assert!(read(&path).unwrap_err_text().contains("chép lại cả thư mục"));
        std::fs::write(&path, "{\"server\": 1}").unwrap();
        assert!(read(&path).unwrap_err_text().contains("bị hỏng"));
        let text = "\u{feff}{\"server\":\"a:1\",\"token\":\"t\",\"fingerprint\":\"f\",\"office\":\"Xã\"}";
        std::fs::write(&path, text).unwrap();
        let connection = read(&path).ok().unwrap();
        assert_eq!((connection.server.as_str(), connection.office.as_str()), ("a:1", "Xã"));
    }

    trait ErrText {
        fn unwrap_err_text(self) -> String;
    }

    impl ErrText for Result<Connection, SetupError> {
        fn unwrap_err_text(self) -> String {
            self.err().unwrap().text().vi
        }
    }
}
