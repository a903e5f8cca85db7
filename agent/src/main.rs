//! The program `posture-agent`: a shim over the library.

fn main() -> std::process::ExitCode {
    agent::entry()
}
