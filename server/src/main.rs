//! The binary `posture-server`: a shim, so that tests can exercise everything it does.

fn main() -> std::process::ExitCode {
    server::entry()
}
