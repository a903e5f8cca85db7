//! `posture-agent install` and `uninstall`: the program as a Windows service; prints one line with the result.

use policies::text;
use policies::text::{Text, visible};

use super::{Exit, UninstallOptions};
use crate::cli::terminal::Terminal;
use crate::enrol::pending_enrolment::Stage;
use crate::install::{self, Installed, Plan, Removal};

/// The most characters of a reason that are shown.
const SHOWN: usize = 1000;

/// Installs the service and prints the result.
///
/// # Errors
/// When it could not be installed; says why.
pub(super) fn install(plan: &Plan, terminal: &Terminal) -> anyhow::Result<Exit> {
    let installed = install::install(plan)?;
    for missing in &installed.missing {
        let Text { vi, en } = missing;
        terminal.complain(&terminal.own(text!("Windows không nhận cài đặt: {vi}", "Windows refused a setting: {en}")));
    }
    let (sentence, exit) = outcome(&installed, terminal);
    terminal.print(&sentence)?;
    Ok(exit)
}

/// The one line of output, and its exit status.
pub(super) fn outcome(installed: &Installed, terminal: &Terminal) -> (String, Exit) {
    let Some(enrolment) = &installed.enrolment else {
        let words = terminal.text(
            "Đã cài đặt; chưa kết nối xong, dịch vụ sẽ tự thử lại.",
            "Installed, but not connected yet; the service keeps trying.",
        );
        return (words.to_owned(), Exit::Fine);
    };
    let words = visible(enrolment.words.get(terminal.language), SHOWN);
    let (sentence, exit) = match enrolment.stage {
        Stage::Connected => {
            (text!("Đã kết nối với cơ quan \"{words}\".", "Connected to the office \"{words}\"."), Exit::Fine)
        }
        Stage::Waiting => (
            text!(
                "Đã cài đặt nhưng chưa kết nối: {words}. Dịch vụ sẽ tự thử lại.",
                "Installed, but not connected yet: {words}. The service keeps trying."
            ),
            Exit::Fine,
        ),
        Stage::Refused => (
            text!(
                "Đã cài đặt nhưng không kết nối được: {words}. Chạy lại install với mã đăng ký máy mới.",
                "Installed, but the server refused: {words}. Run install again with a new token."
            ),
            Exit::Impossible,
        ),
    };
    (terminal.own(sentence), exit)
}

/// Removes the service and prints the result.
///
/// # Errors
/// Which steps failed.
pub(super) fn uninstall(options: &UninstallOptions, terminal: &Terminal) -> anyhow::Result<Exit> {
    install::uninstall(&options.state, options.what)?;
    terminal.print(if options.what == Removal::KeepIdentity {
        terminal.text(
            "Đã gỡ Trạm An khỏi máy này; khoá và mã máy được giữ lại.",
            "Trạm An was removed from this machine; its key and identity were kept.",
        )
    } else {
        terminal.text("Đã gỡ Trạm An khỏi máy này.", "Trạm An was removed from this machine.")
    })?;
    Ok(Exit::Fine)
}

#[cfg(test)]
mod tests {
    use policies::text::Language;

    use super::*;
    use crate::enrol::pending_enrolment::EnrolmentProgress;

    #[test]
    fn one_line_says_how_it_ended() {
        let said = |stage: Option<Stage>, language| {
            let words = Text::new("mã\u{202e}đã hết hạn", "the token has expired");
            let enrolment = stage.map(|stage| EnrolmentProgress { stage, words });
            outcome(&Installed { enrolment, missing: Vec::new() }, &Terminal::new(language))
        };
        let (line, exit) = said(Some(Stage::Connected), Language::Vi);
        assert!(line.starts_with("Đã kết nối") && !line.contains('\u{202e}'), "{line}");
        assert_eq!(exit, Exit::Fine);
        let (line, exit) = said(Some(Stage::Refused), Language::En);
        assert!(line.contains("the token has expired") && !line.contains('\n'), "{line}");
        assert_eq!(exit, Exit::Impossible);
        let (line, exit) = said(Some(Stage::Waiting), Language::Vi);
        assert!(line.contains("chưa kết nối"), "{line}");
        assert_eq!(exit, Exit::Fine, "it is installed, and goes on by itself");
        assert_eq!(said(None, Language::En).1, Exit::Fine);
    }

    #[cfg(not(windows))]
    #[test]
    fn elsewhere_the_package_is_named() {
        let plan = Plan { invitation: None, state: "s".into() };
        let error = install::install(&plan).unwrap_err().text();
        assert!(error.vi.contains(".deb") && error.en.contains(".deb"), "{error:?}");
    }
}
