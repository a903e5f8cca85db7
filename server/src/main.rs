//! The binary `posture-server`: a shim, so that tests can exercise everything it does.

/// Does not give memory back and ask for it again with every report, as glibc's does.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    server::entry()
}
