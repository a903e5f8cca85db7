//! `posture-agent status`: shows the last result on a page, for anyone at the machine.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::PathBuf;

use anyhow::Context;
use policies::outcome::Verdict;
use policies::text;
use policies::text::{Text, visible};

use super::{Exit, StatusOptions, browser};
use crate::cli::terminal::Terminal;
use crate::platform::clock::Clock;
use crate::policy::notice::page::{Page, moment};
use crate::policy::notice::{Notice, NoticeResult};

/// The most characters of one text shown on screen.
const LINE: usize = 1_000;

/// Shows the last result.
///
/// # Errors
/// When the result cannot be read, or the page cannot be written.
pub(super) fn run(options: &StatusOptions, terminal: &Terminal) -> anyhow::Result<Exit> {
    let notice = match Notice::read(&options.state) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            terminal.complain(terminal.text(
                "Chưa có kết quả kiểm tra của máy này: phần mềm chưa chạy, chưa kết nối, hoặc chưa nhận bộ tiêu chí. Hãy hỏi cán bộ phụ trách công nghệ thông tin.",
                "This machine has no result yet: the agent is not running, is not connected, or has no policy. Ask the officer in charge.",
            ));
            return Ok(Exit::Impossible);
        }
        read => read.context("read the last result")?,
    };
    if options.json {
        terminal.print(&serde_json::to_string_pretty(&notice)?)?;
        return Ok(Exit::Fine);
    }
    if options.text {
        terminal.print(&sentences(&notice, terminal))?;
        return Ok(Exit::Fine);
    }
    let page = Page { notice: &notice, language: terminal.language, now: Clock::system().instant() }.to_string();
    match &options.output {
        Some(path) => std::fs::write(path, page).with_context(|| format!("write {}", path.display()))?,
        None => {
            let path = fresh(&page)?;
            if let Err(error) = browser::open(&path) {
                terminal.complain(&terminal.own(text!(
                    "Máy không mở được trang; hãy tự mở tệp sau: ({error})",
                    "The page could not be opened; open this file: ({error})"
                )));
            }
            terminal.print(&path.display().to_string())?;
        }
    }
    Ok(Exit::Fine)
}

/// Writes the page to a new file: in a folder that everyone can write to, a predictable name could be somebody's link.
fn fresh(page: &str) -> anyhow::Result<PathBuf> {
    let path = std::env::temp_dir().join(format!("tram-an-{}.html", crate::platform::random::identifier()?));
    let made = OpenOptions::new().write(true).create_new(true).open(&path);
    made.and_then(|mut file| file.write_all(page.as_bytes())).with_context(|| format!("write {}", path.display()))?;
    Ok(path)
}

fn sentences(notice: &Notice, terminal: &Terminal) -> String {
    let language = terminal.language;
    let own = |text: &Text| visible(text.get(language), LINE);
    let mut lines = vec![
        terminal.own(text!(
            "Máy: {0} - {1}",
            "Machine: {0} - {1}",
            visible(notice.machine.as_deref().unwrap_or("?"), LINE),
            visible(&notice.assignment.office, LINE)
        )),
        terminal.own(text!("Kiểm tra lúc: {0}", "Checked at: {0}", moment(notice.judged_at))),
        terminal.own(text!("Kết quả: {0}", "Result: {0}", notice.counted(language))),
    ];
    lines.extend(notice.warnings.iter().map(own));
    let open = |result: &&NoticeResult| matches!(result.verdict, Verdict::Fail | Verdict::Unknown);
    for result in notice.results.iter().filter(open) {
        lines.push(String::new());
        lines.push(format!("[{}] {}", own(&result.verdict.text()), own(&result.title)));
        lines.push(terminal.own(text!("    hiện trạng: {0}", "    found: {0}", own(&result.found))));
        lines.push(terminal.own(text!("    mức cần đạt: {0}", "    wanted: {0}", own(&result.wanted))));
        let steps = result.fix.iter().enumerate();
        lines.extend(steps.map(|(number, step)| format!("    {}. {}", number + 1, own(step))));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use policies::text::Language;

    use super::*;
    use crate::policy::notice::tests::sample;

    #[test]
    fn the_page_is_written_where_it_was_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let terminal = Terminal::new(Language::Vi);
        let output = folder.path().join("ket-qua.html");
        let state = folder.path().to_owned();
        let options = StatusOptions { state, output: Some(output.clone()), text: false, json: false };
        assert_eq!(run(&options, &terminal).unwrap(), Exit::Impossible, "there is no result yet");
        sample().post(folder.path()).unwrap();
        assert_eq!(run(&options, &terminal).unwrap(), Exit::Fine);
        assert!(std::fs::read_to_string(&output).unwrap().starts_with("<!doctype html>"));
    }

    #[test]
    fn the_terminal_shows_what_is_to_be_done() {
        let said = sentences(&sample(), &Terminal::new(Language::Vi));
        assert!(said.contains("[chưa đạt]") && said.contains("    1. "), "{said}");
    }
}
