//! `cargo quickstart`: reads what a person asked for. Everything it does is in [`harness::quickstart`].

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use harness::quickstart::{self, Form, Options, Until};
use policies::text::Language;

/// Chạy thử Trạm An trên máy này: dựng phần mềm, khởi động máy chủ và phần trên máy, kiểm tra máy, chấm điểm.
///
/// Tries Trạm An on this machine: builds both programs, starts a real server on 127.0.0.1 and a real agent, enrols it,
/// collects this machine's real facts, reports them and prints outcomes, score, letter and ledger. Needs no root. Runs
/// until Ctrl-C; a second start continues with the same data.
#[derive(Debug, Parser)]
#[command(name = "quickstart", bin_name = "cargo quickstart", version)]
struct Arguments {
    /// Kết thúc ngay sau lần chấm điểm đầu tiên. End after the first grade, with exit status 0 whatever the controls say.
    #[arg(long)]
    once: bool,
    /// In đúng một đối tượng JSON. Print one JSON object and nothing else on standard output; makes no login.
    #[arg(long)]
    json: bool,
    /// Thư mục dữ liệu. Data folder [default: quickstart in the target folder].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Cổng của máy chủ, 0 là bất kỳ. The server's port, 0 for any [default: the last one used, else 8443].
    #[arg(long, value_name = "N")]
    port: Option<u16>,
    /// Ngôn ngữ. Language of the output.
    #[arg(long, value_parser = ["vi", "en"], default_value = "vi", env = "TRAM_AN_LANG")]
    lang: String,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let options = Options {
        data: arguments.data,
        port: arguments.port,
        until: if arguments.once { Until::FirstGrade } else { Until::Asked },
        form: if arguments.json { Form::Json } else { Form::Screen },
        language: Language::from_code(&arguments.lang).unwrap_or_default(),
    };
    match quickstart::run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let said = options.language.text("Không chạy thử được", "The quickstart failed");
            // There is nowhere to report to when standard error is closed.
            drop(writeln!(std::io::stderr(), "{said}: {error:#}"));
            ExitCode::from(2)
        }
    }
}
