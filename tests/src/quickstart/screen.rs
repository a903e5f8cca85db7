//! The answer as a person reads it on a terminal: controls, score, letter, ledger, page, first login.

use std::io::IsTerminal;

use policies::grade::{Colour, Points, disclaimer, ledger_title};
use policies::outcome::Verdict;
use policies::text;
use policies::text::{Language, Text, visible};

use super::answer::{Answer, Outcome};
use super::table::{row, width, wrap};

/// The most characters of a text from a machine that a cell shows.
const MOST: usize = 300;

/// What the terminal can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// Columns.
    pub width: usize,
    /// Whether it may be coloured.
    pub colour: Paint,
}

/// Whether the terminal may be coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paint {
    /// Plain text only.
    Plain,
    /// The sixteen colours every terminal has.
    Coloured,
}

impl Look {
    /// The look of the terminal on standard output; 120 plain columns when it is not a terminal.
    pub fn of_terminal() -> Self {
        let out = std::io::stdout();
        if !out.is_terminal() {
            return Self { width: 120, colour: Paint::Plain };
        }
        let columns = rustix::termios::tcgetwinsize(&out).map_or(100, |size| usize::from(size.ws_col));
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self {
            width: if columns == 0 { 100 } else { columns.clamp(60, 160) },
            colour: if plain { Paint::Plain } else { Paint::Coloured },
        }
    }

    fn paint(self, text: &str, colour: Colour) -> String {
        let code = match colour {
            Colour::Green => 32,
            Colour::Yellow => 33,
            Colour::Red => 31,
            Colour::Grey => 90,
        };
        match self.colour {
            Paint::Plain => text.to_owned(),
            Paint::Coloured => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
        }
    }
}

/// The whole answer.
pub fn draw(answer: &Answer, language: Language, look: &Look) -> String {
    let name = visible(&answer.machine.name, MOST);
    let controls = controls(&answer.machine.outcomes, language, *look);
    let score = answer.machine.score.map_or_else(
        || language.text("chưa có điểm: không tiêu chí nào áp dụng", "none: no control applies").to_owned(),
        |score| score.show(2, language),
    );
    let mut shown = language.own(text!(
        "\nTiêu chí của máy {name}\n\n{controls}\nĐiểm của máy {name}: {score}\n",
        "\nControls of the machine {name}\n\n{controls}\nScore of the machine {name}: {score}\n"
    ));
    shown.push_str(&grade(answer, language, *look));
    shown
}

/// One row for each control, those that need attention first.
fn controls(outcomes: &[Outcome], language: Language, look: Look) -> String {
    let mut sorted: Vec<&Outcome> = outcomes.iter().collect();
    sorted.sort_by_key(|outcome| rank(outcome.outcome));
    let title = [("Kết quả", "Outcome"), ("Tiêu chí", "Control"), ("Hiện trạng", "Found"), ("Mức cần đạt", "Wanted")]
        .map(|(vi, en)| language.text(vi, en));
    let first = outcomes
        .iter()
        .map(|outcome| width(outcome.outcome.text().get(language)))
        .max()
        .unwrap_or(0)
        .max(width(title[0]));
    let rest = look.width.saturating_sub(first + 6).max(30);
    let widths = [first, rest * 2 / 5, rest * 3 / 10, rest * 3 / 10];
    let mut text = row(&title, &widths, str::to_owned);
    text.push_str(&format!("{}\n", "─".repeat(widths.iter().sum::<usize>() + 6)));
    for outcome in sorted {
        let verdict = outcome.outcome.text();
        let title = format!("{} {}", outcome.control, outcome.title.get(language));
        let found = visible(outcome.found.get(language), MOST);
        text.push_str(&row(&[verdict.get(language), &title, &found, outcome.wanted.get(language)], &widths, |cell| {
            look.paint(cell, colour_of(outcome.outcome))
        }));
    }
    text
}

/// Letter, scores and ledger of the office.
fn grade(answer: &Answer, language: Language, look: Look) -> String {
    let office = &answer.office;
    let name = visible(&office.name, MOST);
    let shown = match (office.letter, office.no_letter) {
        (Some(letter), _) => format!("{} {}", letter.code(), letter.text().get(language)),
        (None, Some(reason)) => reason.text().get(language).to_owned(),
        (None, None) => "-".to_owned(),
    };
    let (letter, score) = (look.paint(&shown, office.colour()), office.score.show(2, language));
    let mut shown = language.own(text!(
        "\n{name}\nXếp loại: {letter}   điểm chung: {score}",
        "\n{name}\nLetter: {letter}   overall score: {score}"
    ));
    if let Some(on_spot) = office.on_spot {
        let on_spot = on_spot.show(2, language);
        shown.push_str(
            &language.own(text!("   khắc phục được tại chỗ: {on_spot}", "   fixable on the spot: {on_spot}")),
        );
    }
    shown.push_str(&format!("\n{}\n\n", disclaimer().get(language)));
    shown.push_str(&ledger(answer, language, look));
    shown
}

/// Every point lost, down to the sum.
fn ledger(answer: &Answer, language: Language, look: Look) -> String {
    let title = [("Điểm", "Points"), ("Vì", "Because of"), ("Phút", "Minutes"), ("Cách khắc phục", "How to fix it")]
        .map(|(vi, en)| language.text(vi, en));
    let rest = look.width.saturating_sub(10 + 7 + 6).max(30);
    let widths = [10, rest / 2, 7, rest - rest / 2];
    let mut text = format!("{}\n", ledger_title().get(language));
    text.push_str(&row(&title, &widths, str::to_owned));
    let line = "─".repeat(widths.iter().sum::<usize>() + 6);
    text.push_str(&format!("{line}\n"));
    for loss in &answer.office.ledger {
        let kind = loss.line.kind.text();
        let why = format!("{} ({})", loss.line.title.get(language), kind.get(language));
        text.push_str(&row(
            &[&loss.points.show(6, language), &why, &loss.minutes.to_string(), loss.line.lift.get(language)],
            &widths,
            str::to_owned,
        ));
    }
    let lost: Points = answer.office.ledger.iter().map(|loss| loss.points).sum();
    let (has, sum) = (language.text("điểm của cơ quan", "the office's score"), language.text("tổng cộng", "sum"));
    text.push_str(&row(&[&answer.office.score.show(6, language), has], &widths, str::to_owned));
    text.push_str(&format!("{line}\n"));
    text.push_str(&row(&[&(answer.office.score + lost).show(6, language), sum], &widths, str::to_owned));
    text
}

/// The page's address, and the login for it.
pub fn login(url: &str, login: &str, first_password: Option<&str>, language: Language) -> String {
    let password = language.own(match first_password {
        Some(password) => text!(
            "{password} (hiện một lần; lần đăng nhập đầu phải đổi)",
            "{password} (shown once; must be changed at the first login)"
        ),
        None => text!(
            "đã cấp ở lần chạy trước; cấp lại: posture-server person password {login} --data …/server",
            "shown at an earlier start; for a new one: posture-server person password {login} --data …/server"
        ),
    });
    let notes: [Text; 3] = [
        Text::new(
            "Chứng thư của trang do chính máy chủ này cấp, nên trình duyệt sẽ cảnh báo ở lần mở đầu.",
            "The page's certificate is issued by this server itself, so a browser warns at the first visit.",
        ),
        Text::new(
            "Chạy thử: giai đoạn khởi tạo 30 ngày được tắt, nên có xếp loại ngay.",
            "Quickstart: the start-up period of 30 days is off, so there is a letter at once.",
        ),
        Text::new(
            "Khoá ký bộ tiêu chí nằm trong thư mục riêng (server/policy-signing); máy chủ khi chạy không đọc khoá này. \
             Khi dùng thật, hãy giữ nó ở máy khác.",
            "The key that signs policies is in a folder of its own (server/policy-signing), which the running server never reads. \
             In real use, keep it on another computer.",
        ),
    ];
    let labels = [("Trang", "Page"), ("Tên đăng nhập", "Login"), ("Mật khẩu", "Password")];
    let mut shown = String::from("\n");
    for ((vi, en), value) in labels.iter().zip([url, login, &password]) {
        shown.push_str(&format!("{}: {value}\n", language.text(vi, en)));
    }
    for note in &notes {
        shown.push('\n');
        shown.push_str(&wrap(note.get(language), 100).join("\n"));
    }
    shown.push('\n');
    shown
}

/// What needs attention comes first.
fn rank(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Fail => 0,
        Verdict::Unknown => 1,
        Verdict::Waived => 2,
        Verdict::Pass => 3,
        Verdict::NotApplicable => 4,
    }
}

fn colour_of(verdict: Verdict) -> Colour {
    match verdict {
        Verdict::Fail => Colour::Red,
        Verdict::Unknown | Verdict::Waived => Colour::Yellow,
        Verdict::Pass => Colour::Green,
        Verdict::NotApplicable => Colour::Grey,
    }
}

#[cfg(test)]
mod tests {
    use policies::grade::{Line, LineKind};
    use policies::policy::{Letter, LiftedBy};

    use super::super::answer::{Loss, Machine, Office};
    use super::*;

    fn sample() -> Answer {
        let line = Line {
            kind: LineKind::Failed,
            control: Some("AV-01".to_owned()),
            title: Text::new("Có phần mềm diệt mã độc", "Anti-malware is present"),
            points: Points(37_500_000),
            machines: vec!["m".to_owned()],
            minutes: 20,
            lifted_by: LiftedBy::OnSpot,
            lift: Text::new("Cài phần mềm diệt mã độc", "Install anti-malware"),
            explains: Vec::new(),
        };
        let outcome = |control: &str, verdict, found: &str| Outcome {
            control: control.to_owned(),
            outcome: verdict,
            found: Text::new(found, found),
            wanted: Text::new("có", "present"),
            title: Text::new("Có phần mềm diệt mã độc", "Anti-malware is present"),
        };
        Answer {
            office: Office {
                name: "Xã An".to_owned(),
                letter: Some(Letter::C),
                score: Points(62_500_000),
                ledger: vec![Loss {
                    control: line.control.clone(),
                    points: line.points,
                    machines: vec!["máy\u{202e}1".to_owned()],
                    minutes: line.minutes,
                    line,
                }],
                no_letter: None,
                on_spot: Some(Points(70_000_000)),
            },
            machine: Machine {
                name: "máy\u{202e}1".to_owned(),
                score: Some(Points(62_500_000)),
                outcomes: vec![
                    outcome("SYS-01", Verdict::Pass, "12"),
                    outcome("AV-01", Verdict::Fail, "không\u{1b}[2J có"),
                ],
            },
            url: "https://127.0.0.1:8443/".to_owned(),
        }
    }

    #[test]
    fn a_person_sees_what_fails_first_and_a_ledger_that_adds_up() {
        let look = Look { width: 100, colour: Paint::Plain };
        let text = draw(&sample(), Language::Vi, &look);
        assert!(text.find("AV-01").unwrap() < text.find("SYS-01").unwrap(), "{text}");
        for words in ["chưa đạt", "Xếp loại: C trung bình", "62,50", "37,500000", "100,000000", "Cài phần mềm"]
        {
            assert!(text.contains(words), "{words} is missing in:\n{text}");
        }
        assert!(text.lines().all(|line| width(line) <= 100), "{text}");
        assert!(draw(&sample(), Language::En, &look).contains("Letter: C average"));
    }

    #[test]
    fn a_machine_cannot_move_the_cursor() {
        let text = draw(&sample(), Language::Vi, &Look { width: 100, colour: Paint::Plain });
        assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'), "{text}");
    }

    #[test]
    fn a_password_is_shown_only_when_it_was_made() {
        assert!(login("https://x/", "canbo", Some("p4ss-w0rd"), Language::Vi).contains("p4ss-w0rd"));
        let later = login("https://x/", "canbo", None, Language::En);
        assert!(later.contains("person password canbo"), "{later}");
    }

    #[test]
    fn the_json_adds_up_to_a_hundred() {
        let json: serde_json::Value = serde_json::from_str(&serde_json::to_string(&sample()).unwrap()).unwrap();
        let points: f64 =
            json["office"]["ledger"].as_array().unwrap().iter().map(|line| line["points"].as_f64().unwrap()).sum();
        assert!((json["office"]["score"].as_f64().unwrap() + points - 100.0).abs() < 1e-6);
        assert_eq!(json["office"]["letter"], "C");
        assert_eq!(json["machine"]["outcomes"][0]["outcome"], "pass");
    }
}
