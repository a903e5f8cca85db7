//! The command line of `posture-server`: reads arguments and hands each command to the file of its noun.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;

/// Trạm An - máy chủ theo dõi an ninh mạng máy tính. The server of Trạm An.
#[derive(Debug, Parser)]
#[command(name = "posture-server", version)]
pub struct Arguments {}

/// Reads `arguments` (the first is the program's name) and does what they say.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    match Arguments::try_parse_from(arguments) {
        Ok(Arguments {}) => ExitCode::SUCCESS,
        Err(error) => error.exit(),
    }
}
