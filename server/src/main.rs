//! The binary `posture-server`: a shim, so that everything it does can be exercised from tests.

fn main() -> std::process::ExitCode {
    server::entry()
}
