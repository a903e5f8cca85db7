//! The command line of `posture-server`: which command, in which language, in which output form. Each noun's arguments and work
//! are in a file below. Exit status 0 on success, 2 on failure; `verify` has 1 for what differs.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use policies::text::Language;

use crate::clock::Clock;
use crate::error::UserError;

pub mod audit;
pub mod backup;
pub mod context;
mod fault;
pub mod hold;
mod import;
pub mod init;
pub mod log;
pub mod machine;
pub mod office;
pub mod person;
pub mod policy;
pub mod restore;
pub mod roster;
pub mod run;
pub mod terminal;
pub mod token;
pub mod verify;
pub mod waiver;

use context::CommandContext;
use terminal::{Form, Terminal};

/// The default data folder of a server.
const DATA: &str = "/var/lib/tram-an-server";

/// Reads `arguments` (the first is the program's name) and does what they say.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let language = Language::of_command_line(&arguments, std::env::var("TRAM_AN_LANG").ok().as_deref());
    let matches = match command(language).try_get_matches_from(&arguments) {
        Ok(matches) => matches,
        Err(error) => {
            if error.use_stderr() {
                Terminal::new(language, Form::Text).complain(language.text(
                    "Lệnh chưa đúng. Xem: posture-server --help",
                    "Wrong command line. See: posture-server --help",
                ));
            }
            // A closed terminal needs no further message.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS };
        }
    };
    let form = if is_json(&matches) { Form::Json } else { Form::Text };
    let terminal = Terminal::new(language, form);
    match perform(&matches, &terminal) {
        Ok(code) => code,
        Err(error) => {
            terminal.complain(&UserError::render(&error, language));
            ExitCode::from(2)
        }
    }
}

fn perform(matches: &ArgMatches, terminal: &Terminal) -> anyhow::Result<ExitCode> {
    let Some((noun, given)) = matches.subcommand() else { return Ok(ExitCode::from(2)) };
    let data = data_of(given);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start threads")?;
    runtime.block_on(async {
        match noun {
            "init" => init::perform(given, &data, &Clock::System, terminal).await?,
            "run" => run::perform(given, &data, terminal).await?,
            "backup" => backup::perform(given, &data, terminal).await?,
            "restore" => restore::perform(given, &data, terminal).await?,
            "policy" => return policy::perform(given, &data, terminal).await,
            _ => {
                let context = CommandContext::open(&data).await?;
                if noun == "import" {
                    let code = import::perform(given, &context, terminal).await?;
                    context.db.close().await;
                    return Ok(code);
                }
                let (verb, given) = given.subcommand().context("no command")?;
                if noun == "verify" || noun == "audit" {
                    // `audit verify` is the older name of `verify audit`.
                    let verb = if noun == "audit" { "audit" } else { verb };
                    let code = verify::perform(verb, given, &context, terminal).await?;
                    context.db.close().await;
                    return Ok(code);
                }
                match noun {
                    "office" if verb == "roster" => roster::perform(given, &context, terminal).await?,
                    "office" => office::perform(verb, given, &context, terminal).await?,
                    "machine" => machine::perform(verb, given, &context, terminal).await?,
                    "token" => token::perform(verb, given, &context, terminal).await?,
                    "waiver" => waiver::perform(verb, given, &context, terminal).await?,
                    "hold" => hold::perform(verb, given, &context, terminal).await?,
                    "log" => log::perform(verb, given, &context, terminal).await?,
                    _ => person::perform(verb, given, &context, terminal).await?,
                }
                context.db.close().await;
            }
        }
        Ok(ExitCode::SUCCESS)
    })
}

/// Help in one of the two languages.
#[derive(Clone, Copy, Debug)]
pub struct Help(Language);

impl Help {
    /// The sentence in the chosen language.
    pub fn text(self, vi: &'static str, en: &'static str) -> &'static str {
        self.0.text(vi, en)
    }

    /// A required positional argument.
    pub fn place(self, name: &'static str, shown: &'static str, help: &'static str) -> Arg {
        Arg::new(name).value_name(shown).required(true).help(help)
    }

    /// An option that takes a text.
    pub fn option(self, name: &'static str, shown: &'static str, help: &'static str) -> Arg {
        Arg::new(name).long(name).value_name(shown).help(help)
    }

    /// An option that takes a file.
    pub fn file(self, name: &'static str, help: &'static str) -> Arg {
        self.option(name, self.text("TỆP", "FILE"), help).value_parser(value_parser!(PathBuf))
    }

    /// An option without a value.
    pub fn flag(self, name: &'static str, help: &'static str) -> Arg {
        Arg::new(name).long(name).action(ArgAction::SetTrue).help(help)
    }

    /// The office a command is about.
    pub fn office(self) -> Arg {
        self.place(
            "office",
            self.text("MÃ-CƠ-QUAN", "OFFICE"),
            self.text("Mã của cơ quan (xem: office list)", "Id of the office (see: office list)"),
        )
    }

    /// The role of a machine.
    pub fn role(self) -> Arg {
        self.option(
            "role",
            self.text("LOẠI", "ROLE"),
            self.text("workstation (máy trạm) hoặc server (máy chủ)", "workstation or server"),
        )
        .value_parser(PossibleValuesParser::new(["workstation", "server"]))
        .default_value("workstation")
    }
}

/// Every command with its help.
fn command(language: Language) -> Command {
    let help = Help(language);
    let words = Command::new("posture-server")
        .version(env!("CARGO_PKG_VERSION"))
        .about(help.text(
            "Máy chủ Trạm An - phần mềm theo dõi an ninh mạng máy tính",
            "The Trạm An server, which monitors the security of office computers",
        ))
        .after_help(help.text(
            "Trình tự lần đầu: init, office add, office roster add/declare, policy sign, policy publish, person add, run, token add.\n\
             Mã kết thúc: 0 đã thực hiện; 2 không thực hiện được (lý do in ra lỗi chuẩn).",
            "First-time setup: init, office add, office roster add/declare, policy sign, policy publish, person add, run, token add.\n\
             Exit status: 0 done; 2 it could not be done (the reason is on standard error).",
        ))
        .subcommand_required(true)
        .arg_required_else_help(true)
        .arg(
            help.option("lang", "vi|en", help.text("Ngôn ngữ (mặc định: biến TRAM_AN_LANG, rồi tiếng Việt)", "Language (default: TRAM_AN_LANG, then Vietnamese)"))
                .value_parser(PossibleValuesParser::new(["vi", "en"]))
                .hide_possible_values(true)
                .global(true),
        )
        .arg(
            help.option("data", help.text("THƯ MỤC", "DIR"), help.text(
                "Thư mục dữ liệu của máy chủ (mặc định: biến TRAM_AN_DATA, rồi /var/lib/tram-an-server)",
                "Data folder of the server (default: TRAM_AN_DATA, then /var/lib/tram-an-server)",
            ))
                .hide_env(true)
                .hide_default_value(true)
                .value_parser(value_parser!(PathBuf))
                .env("TRAM_AN_DATA")
                .default_value(DATA)
                .global(true),
        )
        .arg(help.flag("json", help.text("In JSON để chương trình khác đọc", "Print JSON for another program to read")).global(true))
        .subcommand(init::command(help))
        .subcommand(run::command(help))
        .subcommand(office::command(help).subcommand(roster::command(help)))
        .subcommand(machine::command(help))
        .subcommand(token::command(help))
        .subcommand(import::command(help))
        .subcommand(waiver::command(help))
        .subcommand(hold::command(help))
        .subcommand(person::command(help))
        .subcommand(policy::command(help))
        .subcommand(audit::command(help))
        .subcommand(log::command(help))
        .subcommand(verify::command(help))
        .subcommand(backup::command(help))
        .subcommand(restore::command(help));
    dressed(words, help)
}

/// Replaces the headings of the help, which clap has in English only.
fn dressed(words: Command, help: Help) -> Command {
    let (places, options) = (help.text("Tham số", "Arguments"), help.text("Tuỳ chọn", "Options"));
    let asked = Arg::new("help").short('h').long("help").action(ArgAction::Help);
    let words = words
        .disable_help_flag(true)
        .disable_help_subcommand(true)
        .disable_version_flag(true)
        .arg(asked.help(help.text("In hướng dẫn này", "Print this help")));
    let words = if words.get_version().is_some() {
        let asked = Arg::new("version").short('V').long("version").action(ArgAction::Version);
        words.arg(asked.help(help.text("In phiên bản", "Print the version")))
    } else {
        words
    };
    words
        .mut_args(|argument| {
            let heading = if argument.is_positional() { places } else { options };
            argument.help_heading(heading)
        })
        .mut_subcommands(|words| dressed(words, help))
        .subcommand_help_heading(help.text("Lệnh", "Commands"))
        .subcommand_value_name(help.text("LỆNH", "COMMAND"))
        .help_template(help.text(
            "{about-with-newline}\nCách dùng: {usage}\n\n{all-args}{after-help}",
            "{about-with-newline}\nUsage: {usage}\n\n{all-args}{after-help}",
        ))
}

/// What was given to the innermost command.
fn innermost(matches: &ArgMatches) -> &ArgMatches {
    matches.subcommand().map_or(matches, |(_, below)| innermost(below))
}

fn is_json(matches: &ArgMatches) -> bool {
    innermost(matches).get_flag("json")
}

fn data_of(matches: &ArgMatches) -> PathBuf {
    innermost(matches).get_one::<PathBuf>("data").cloned().unwrap_or_else(|| PathBuf::from(DATA))
}

/// A text given on the command line; empty when absent.
pub(crate) fn text(matches: &ArgMatches, name: &str) -> String {
    matches.get_one::<String>(name).cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_command_line_is_consistent_in_both_languages() {
        for language in [Language::Vi, Language::En] {
            command(language).debug_assert();
        }
    }

    #[test]
    fn data_and_json_may_stand_anywhere() {
        for line in ["office list --data /d --json", "--json --data /d office list", "office --data /d list --json"] {
            let arguments = std::iter::once("posture-server").chain(line.split(' '));
            let matches = command(Language::Vi).try_get_matches_from(arguments).unwrap();
            assert!(is_json(&matches), "{line}");
            assert_eq!(data_of(&matches), PathBuf::from("/d"), "{line}");
        }
    }

    /// Every command that a page, a message or the README names exists, with its options.
    #[test]
    fn every_command_that_people_are_told_exists() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut files = vec![root.join("../README.md"), root.join("../policies/README.md")];
        for folder in ["src", "templates", "locales", "../agent/src", "../agent/packaging"] {
            files_find(&root.join(folder), &mut files);
        }
        let (words, program, mut told) = (command(Language::En), format!("{} ", command(Language::En).get_name()), 0);
        for file in files {
            let Ok(text) = std::fs::read_to_string(&file) else { continue };
            // A sentence of the source may continue on the next line.
            let text = text.replace("\\\n", " ");
            for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
                for after in line.split(&program).skip(1) {
                    command_check(&words, after, &file);
                    told += 1;
                }
            }
        }
        assert!(told > 60, "only {told} were found");
    }

    fn files_find(folder: &Path, files: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.extension() {
                // What a test keeps of a page is no place where somebody mends a sentence.
                Some(kind) if kind == "snap" => {}
                _ if path.is_dir() => files_find(&path, files),
                _ => files.push(path),
            }
        }
    }

    /// What follows the program's name is a complete command with options it accepts.
    fn command_check(words: &Command, after: &str, file: &Path) {
        let end = after.find(['`', '"', ')', ',', ';', '#']).unwrap_or(after.len());
        let mut command = words;
        for word in after[..end].split_whitespace() {
            let word = word.trim_end_matches(['.', ':']);
            if let Some(option) = word.strip_prefix("--") {
                let name = option.split('=').next().unwrap_or(option);
                let known =
                    |command: &Command| command.get_arguments().any(|argument| argument.get_long() == Some(name));
                assert!(known(command) || known(words) || name == "help", "{}: {after:?}: --{name}", file.display());
            } else if let Some(found) = command.find_subcommand(word) {
                command = found;
            } else if command.is_subcommand_required_set() {
                panic!("{}: {after:?}: {word:?} is no command", file.display());
            }
        }
        let is_whole = !command.is_subcommand_required_set() || after.trim_start().starts_with("--");
        assert!(is_whole, "{}: {after:?} is half a command", file.display());
    }
}
