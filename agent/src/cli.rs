//! The command line: picks the command and the language, and gives the exit status.
//!
//! Each command has its own file under `cli/`; its options are a struct here, read once.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use policies::fact::Section;
use policies::outcome::{Outcome, Verdict};
use policies::policy::Role;
use policies::text;
use policies::text::Language;

use crate::airgap::FileError;
use crate::cli::terminal::Terminal;
use crate::connection::WireError;
use crate::enrol::{EnrolError, Invitation};
use crate::identity::start::StartError;
use crate::install::{InstallError, Plan, Removal};
use crate::state::StateError;

mod arguments;
mod browser;
pub(crate) mod check;
mod enrol;
mod export;
pub(crate) mod facts;
mod import;
mod install;
mod once;
mod receipts;
mod run;
mod setup;
mod status;
mod terminal;

use setup::SetupError;

/// The exit status of the program. `check` and `once` use all three, every other command the first and the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// 0: done; no control fails.
    Fine,
    /// 1: done; some control fails.
    Failing,
    /// 2: the command could not run, or no control applies.
    Impossible,
}

impl Exit {
    /// The status that a check with these outcomes exits with.
    fn of(outcomes: &[Outcome]) -> Self {
        if outcomes.iter().any(|outcome| outcome.verdict == Verdict::Fail) {
            Self::Failing
        } else if outcomes.iter().all(|outcome| outcome.verdict == Verdict::NotApplicable) {
            Self::Impossible
        } else {
            Self::Fine
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Fine => Self::from(0),
            Exit::Failing => Self::from(1),
            Exit::Impossible => Self::from(2),
        }
    }
}

/// A parsed command line.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Invocation {
    /// The language of all messages.
    pub(crate) language: Language,
    /// What to do.
    pub(crate) command: Command,
}

/// The commands.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Command {
    /// Show what would be sent.
    Facts(FactsOptions),
    /// Judge this machine, or recorded facts, without any server.
    Check(CheckOptions),
    /// Connect this machine to a server.
    Enrol(EnrolOptions),
    /// Collect, report and judge once.
    Once(OnceOptions),
    /// Write a file for the server.
    Export(ExportOptions),
    /// Import the server's answer.
    Import(ImportOptions),
    /// Stay running and watch.
    Run(RunOptions),
    /// Show the last result.
    Status(StatusOptions),
    /// Show the receipts and what is known of the evidence log.
    Receipts(ReceiptsOptions),
    /// Install as a Windows service.
    Install(Plan),
    /// Install from the folder on a USB stick.
    Setup,
    /// Remove the program from this Windows machine.
    Uninstall(UninstallOptions),
}

/// `facts`: show everything that would be sent.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FactsOptions {
    /// Print JSON, which `check --facts` reads back.
    pub(crate) json: bool,
    /// Only these sections; all when empty.
    pub(crate) sections: Vec<Section>,
}

/// `check`: judge by a control file.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct CheckOptions {
    /// The control file (TOML).
    pub(crate) policy: PathBuf,
    /// Recorded facts (JSON of `facts --json`) instead of this machine.
    pub(crate) facts: Option<PathBuf>,
    /// The role to judge by; when absent, guessed from the hardware and the desktop.
    pub(crate) role: Option<Role>,
    /// Print JSON.
    pub(crate) json: bool,
}

/// `enrol`: connect this machine to a server.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct EnrolOptions {
    /// What the officer gave.
    pub(crate) invitation: Invitation,
    /// The folder of the agent's state.
    pub(crate) state: PathBuf,
    /// The configuration file, for its proxy; the one in the state folder when absent.
    pub(crate) config: Option<PathBuf>,
    /// Print JSON.
    pub(crate) json: bool,
}

/// `once`: one check, reported and judged.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct OnceOptions {
    /// The folder of the agent's state.
    pub(crate) state: PathBuf,
    /// The configuration file; the one in the state folder when absent.
    pub(crate) config: Option<PathBuf>,
    /// Print JSON.
    pub(crate) json: bool,
}

/// `export`: a file for the server, from a machine that may never be connected.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ExportOptions {
    /// Where to write it.
    pub(crate) file: PathBuf,
    /// The officer's invitation, the first time.
    pub(crate) invitation: Option<PathBuf>,
    /// Which roster line it is, in a person's words: room, person; may be empty.
    pub(crate) place: String,
    /// Declares that the machine does not process state secrets; asked for when absent.
    pub(crate) not_secret: bool,
    /// The folder of the agent's state.
    pub(crate) state: PathBuf,
    /// The configuration file; the one in the state folder when absent.
    pub(crate) config: Option<PathBuf>,
    /// Print JSON.
    pub(crate) json: bool,
}

/// `import`: the server's answer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ImportOptions {
    /// The file with the answer.
    pub(crate) file: PathBuf,
    /// The folder of the agent's state.
    pub(crate) state: PathBuf,
    /// The configuration file; the one in the state folder when absent.
    pub(crate) config: Option<PathBuf>,
    /// Print JSON.
    pub(crate) json: bool,
}

/// `run`: the daemon.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RunOptions {
    /// The folder of the agent's state.
    pub(crate) state: PathBuf,
    /// The configuration file; the one in the state folder when absent.
    pub(crate) config: Option<PathBuf>,
}

/// `status`: the last result, for anyone at the machine.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct StatusOptions {
    /// The folder of the agent's state, from which the place of the result follows.
    pub(crate) state: PathBuf,
    /// Where to write the page; when absent it is opened in the browser.
    pub(crate) output: Option<PathBuf>,
    /// Print to the terminal.
    pub(crate) text: bool,
    /// Print JSON.
    pub(crate) json: bool,
}

/// `receipts`: what this machine can prove.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ReceiptsOptions {
    /// The folder of the agent's state.
    pub(crate) state: PathBuf,
    /// Where to write the proofs for somebody else.
    pub(crate) export: Option<PathBuf>,
    /// Print JSON.
    pub(crate) json: bool,
}

/// `uninstall`: removes service, program and state.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct UninstallOptions {
    /// The folder of the agent's state.
    pub(crate) state: PathBuf,
    /// What to remove. The installer (MSI) removes service and program itself.
    pub(crate) what: Removal,
}

/// Parses the command line and runs the command.
pub(crate) fn run(arguments: impl IntoIterator<Item = OsString>) -> Exit {
    let mut arguments: Vec<OsString> = arguments.into_iter().collect();
    if arguments.len() == 1 && setup::file().is_some() {
        // A double-click, not somebody who forgot the arguments.
        arguments.push("setup".into());
    }
    let invocation = match arguments::read(arguments) {
        Ok(invocation) => invocation,
        Err(exit) => return exit,
    };
    let terminal = Terminal::new(invocation.language);
    let done = match invocation.command {
        Command::Facts(options) => facts::run(&options, &terminal),
        Command::Check(options) => check::run(&options, &terminal),
        Command::Enrol(options) => enrol::run(&options, &terminal),
        Command::Once(options) => once::run(&options, &terminal),
        Command::Export(options) => export::run(&options, &terminal),
        Command::Import(options) => import::run(&options, &terminal),
        Command::Run(options) => run::run(&options, &terminal),
        Command::Status(options) => status::run(&options, &terminal),
        Command::Setup => setup::run(&terminal),
        Command::Receipts(options) => receipts::run(&options, &terminal),
        Command::Install(plan) => install::install(&plan, &terminal),
        Command::Uninstall(options) => install::uninstall(&options, &terminal),
    };
    done.unwrap_or_else(|error| {
        let reason = explained(&error, &terminal);
        terminal.complain(&terminal.own(text!("Không thực hiện được: {reason}", "It could not be done: {reason}")));
        Exit::Impossible
    })
}

/// The error in the user's language if it has a text in it.
fn explained(error: &anyhow::Error, terminal: &Terminal) -> String {
    let text = None
        .or_else(|| error.downcast_ref().map(EnrolError::text))
        .or_else(|| error.downcast_ref().map(InstallError::text))
        .or_else(|| error.downcast_ref().map(SetupError::text))
        .or_else(|| error.downcast_ref().map(FileError::text))
        .or_else(|| error.downcast_ref().map(StartError::text))
        .or_else(|| error.downcast_ref().map(StateError::text))
        .or_else(|| error.downcast_ref().map(WireError::text));
    match text {
        Some(text) => text.get(terminal.language).to_owned(),
        None => format!("{error:#}"),
    }
}

/// A single-threaded runtime: the agent spends most of its time waiting.
fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(4).build()
}

#[cfg(test)]
mod tests {
    use policies::text::Text;

    use super::*;

    fn outcome(verdict: Verdict) -> Outcome {
        Outcome {
            control: "c".to_owned(),
            verdict,
            found: Text::default(),
            wanted: Text::default(),
            no_reader: false,
            agent_too_old: false,
            implied_by: None,
        }
    }

    #[test]
    fn the_exit_status_follows_the_verdicts() {
        use Verdict::{Fail, NotApplicable, Pass, Unknown};
        let exit = |verdicts: &[Verdict]| Exit::of(&verdicts.iter().copied().map(outcome).collect::<Vec<_>>());
        assert_eq!(exit(&[Pass, Unknown, NotApplicable]), Exit::Fine);
        assert_eq!(exit(&[Pass, Fail]), Exit::Failing);
        assert_eq!(exit(&[NotApplicable]), Exit::Impossible);
        assert_eq!(exit(&[]), Exit::Impossible);
    }
}
