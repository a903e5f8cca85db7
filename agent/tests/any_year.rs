//! Facts are collected and judged whatever year the clock shows.
#![cfg(target_os = "linux")]

use std::path::PathBuf;

/// The Debian package libfaketime, which sets the time a program sees.
fn library() -> PathBuf {
    let folders = std::fs::read_dir("/usr/lib").expect("a system has it").flatten();
    let mut libraries = folders.map(|entry| entry.path().join("faketime/libfaketime.so.1"));
    libraries.find(|path| path.exists()).expect("libfaketime is installed (Debian package of this name)")
}

#[test]
fn a_check_is_made_in_any_year() {
    let policy = concat!(env!("CARGO_MANIFEST_DIR"), "/../policies/level-2-controls.toml");
    for at in ["@1970-01-02 00:00:00", "@2038-01-19 03:14:08", "@9999-06-01 00:00:00", "@9999-12-31 23:59:00"] {
        #[expect(clippy::disallowed_methods, reason = "a test starts the agent as a person would")]
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_posture-agent"))
            .args(["check", "--json", "--policy", policy])
            .env("LD_PRELOAD", library())
            .env("FAKETIME", at)
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .output()
            .expect("the agent starts");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(matches!(output.status.code(), Some(0 | 1)), "{at}: {:?} {said}", output.status);
        assert!(!said.contains("panicked"), "{at}: {said}");
        let judged = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(!judged.contains("it failed:"), "{at}: a collector panicked: {judged}");
    }
}
