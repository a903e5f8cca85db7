//! The program `posture-agent`: a thin wrapper around the library.

fn main() -> std::process::ExitCode {
    agent::entry()
}
