//! A file system that never answers costs only what is stored on it. Only root can mount one.
#![cfg(target_os = "linux")]

use serde_json::Value;

/// Mounts a file system at `/boot` whose program never answers, in its own mount namespace, and collects.
const SCRIPT: &str = "exec 3<>/dev/fuse && \
    mount -i -t fuse -o fd=3,rootmode=40000,user_id=0,group_id=0 hung /boot && exec \"$0\" facts --json";

#[test]
fn a_hung_boot_leaves_the_pending_updates_known() {
    if !rustix::process::geteuid().is_root() || !std::path::Path::new("/dev/fuse").exists() {
        return;
    }
    let facts = |arguments: &[&str]| {
        #[expect(clippy::disallowed_methods, reason = "a test starts the agent as a person would")]
        let output = std::process::Command::new("unshare")
            .args(["--mount", "--propagation", "private"])
            .args(arguments)
            .output()
            .expect("unshare is installed (Debian package util-linux)");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        serde_json::from_slice::<Value>(&output.stdout).unwrap_or_else(|error| panic!("{error}: {said}"))
    };
    let agent = env!("CARGO_BIN_EXE_posture-agent");
    let (well, hung) = (facts(&[agent, "facts", "--json"]), facts(&["sh", "-c", SCRIPT, agent]));
    let late = |fact: &Value| fact["unknown"]["reason"] == "timed_out";
    let patches = hung["patches"].as_object().expect("a section");
    for (name, fact) in patches.iter().filter(|(name, _)| *name != "reboot_needed") {
        assert!(!late(fact), "patches.{name}: {fact}");
        assert_eq!(fact.get("known").is_some(), well["patches"][name].get("known").is_some(), "patches.{name}: {fact}");
    }
    assert!(late(&patches["reboot_needed"]) || patches["reboot_needed"]["known"] == true, "{patches:?}");
}
