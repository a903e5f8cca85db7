//! The rules of the repository that a compiler does not enforce: what may depend on what, and the shape of a file.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand};
use layering::modules::{self, Arrows, modules_know_only_those_below};

mod layering {
    mod circles;
    pub(crate) mod modules;
    mod texts;
}

/// What `policies` may be built from: no clock, no file system, no network.
const PURE: &[&str] = &["jiff", "serde", "serde_json", "strsim", "thiserror", "toml"];

/// What each crate of the workspace may use of the others, tests included.
const ARROWS: &[(&str, &[&str])] = &[
    ("tram-an-policies", &[]),
    ("tram-an-protocol", &["tram-an-policies"]),
    ("tram-an-os", &[]),
    ("tram-an-stanza", &["tram-an-os"]),
    ("tram-an-collect", &["tram-an-os", "tram-an-policies", "tram-an-stanza"]),
    ("tram-an-agent", &["tram-an-collect", "tram-an-os", "tram-an-policies", "tram-an-protocol"]),
    ("tram-an-server", &["tram-an-policies", "tram-an-protocol"]),
    ("tram-an-tests", &["tram-an-agent", "tram-an-policies", "tram-an-protocol", "tram-an-server"]),
];

/// The layers of the agent, each with those it may use.
const AGENT: Arrows = &[
    ("platform", ""),
    ("state", "platform"),
    ("identity", "platform state"),
    ("connection", "identity platform"),
    ("report", "identity state"),
    ("policy", "identity platform state"),
    ("enrol", "connection identity platform policy report state"),
    ("daemon", "connection enrol identity platform policy report state"),
    ("airgap", "daemon enrol identity platform policy report state"),
    ("install", "enrol platform policy state"),
    ("cli", "airgap connection daemon enrol identity install platform policy report state"),
];

/// Calls that change something outside the program. The door has none: code that writes is in `platform` or `state`.
const WRITING: &str = "
    fs::write fs::copy fs::rename fs::remove fs::create_dir fs::hard_link fs::set_ fs::symlink unix::fs::symlink DirBuilder
    File::create File::options write(true) append(true) .create( .create_new( set_len set_permissions set_times tempfile write_all
    mkdir mkfifo unlink ftruncate chmod chown renameat linkat WriteFile DeleteFile MoveFile CopyFile CreateDirectory
    RemoveDirectory SetFile SetNamedSecurity SetSecurity RegSet RegCreate RegDelete RegLoadKey RegRestore RegSave set_string
    set_u32 set_u64 set_value set_expand set_multi set_bytes remove_value remove_tree remove_key CreateService DeleteService
    ChangeService StartService ControlService SetService ReportEvent EventSource ClearEventLog AuditSet NetUserSet NetUserAdd
    NetLocalGroupAdd NetLocalGroupDel NetLocalGroupSet NetUserDel NetUserModalsSet ShellExecute CreateProcess ExitWindows
    ExecMethod exec_method PutInstance DeleteInstance
";

/// The modules of `policies`, each with those it may use.
const POLICIES: Arrows = &[
    ("text", ""),
    ("fact", "text"),
    ("outcome", "text"),
    ("office", "fact text"),
    ("phrase", "fact text"),
    ("policy", "fact phrase text"),
    ("calendar", "policy"),
    ("evaluate", "fact outcome phrase policy text"),
    ("grade", "calendar outcome policy text"),
];

/// The layers of the server, each with those it may use. The front ends (`cli`, `web`, `agent_api`) do not know each other.
const SERVER: Arrows = &[
    ("audit", ""),
    ("clock", ""),
    ("ca", "clock"),
    ("evidence", ""),
    ("store", "audit evidence"),
    ("bound", "store"),
    ("error", "store"),
    ("ingest", "ca clock store"),
    ("roster", "store"),
    ("config", "bound ca error"),
    ("policy", "error store"),
    ("judge", "ingest policy store"),
    ("secrets", "ca config error evidence store"),
    ("app", "audit bound clock config error evidence ingest policy secrets store"),
    ("tls", "bound ca clock config error secrets"),
    ("view", "judge policy roster store"),
    ("act", "app audit bound ca error evidence ingest judge policy roster store"),
    ("agent_api", "act app bound ingest store tls"),
    ("airgap", "act app ca error ingest secrets store"),
    ("backup", "act app config error secrets store"),
    ("jobs", "act app bound config judge policy store tls"),
    ("verify", "audit ca config evidence ingest judge policy store"),
    ("web", "act app audit bound policy roster store tls view"),
    ("serve", "agent_api app bound jobs tls web"),
    (
        "cli",
        "act airgap app audit backup bound clock config error evidence policy roster secrets serve store tls verify view",
    ),
];

/// The longest a file of Rust may be; data is kept in tables of other formats.
const LONGEST: usize = 500;

fn metadata() -> Metadata {
    MetadataCommand::new().manifest_path(root().join("Cargo.toml")).no_deps().exec().unwrap()
}

fn root() -> PathBuf {
    harness::checkout::root().unwrap()
}

/// Every file of the repository under `folder` whose name ends in `ending`, without what is built.
fn files(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && name != "target" && name != ".git" {
            files(&path, ending, found);
        } else if name.ends_with(ending) {
            found.push(path);
        }
    }
}

fn sources() -> Vec<(PathBuf, String)> {
    let root = root();
    let mut found = Vec::new();
    for part in ["agent", "server", "policies", "tests"] {
        files(&root.join(part), ".rs", &mut found);
    }
    assert!(found.len() > 50, "only {} sources found: the search is broken", found.len());
    found
        .into_iter()
        .map(|path| {
            let text = std::fs::read_to_string(&path).unwrap();
            (path.strip_prefix(&root).unwrap().to_path_buf(), text)
        })
        .collect()
}

#[test]
fn agent_and_server_never_meet() {
    let metadata = metadata();
    let allowed: BTreeMap<_, _> = ARROWS.iter().copied().collect();
    let members: BTreeSet<&str> = metadata.workspace_packages().iter().map(|package| package.name.as_str()).collect();
    assert_eq!(members, allowed.keys().copied().collect(), "a new crate needs a line in ARROWS");
    for package in metadata.workspace_packages() {
        for used in package.dependencies.iter().filter(|used| members.contains(used.name.as_str())) {
            assert!(
                allowed[package.name.as_str()].contains(&used.name.as_str()),
                "{} must not use {} ({:?})",
                package.name,
                used.name,
                used.kind
            );
        }
    }
}

#[test]
fn policies_stay_pure() {
    let metadata = metadata();
    let policies = metadata.packages.iter().find(|package| package.name == "tram-an-policies").unwrap();
    for used in policies.dependencies.iter().filter(|used| used.kind == DependencyKind::Normal) {
        assert!(PURE.contains(&used.name.as_str()), "policies must stay pure and may not use {}", used.name);
    }
    let reaching =
        ["std::fs", "std::net", "std::process", "std::env", "SystemTime::now", "Timestamp::now", "Zoned::now"];
    for (path, text) in sources().iter().filter(|(path, _)| path.starts_with("policies/src")) {
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for word in reaching {
            assert!(!code.contains(word), "{} reaches out of the pure crate: {word}", path.display());
        }
    }
}

#[test]
fn the_rooms_of_the_agent_know_only_those_below() {
    modules_know_only_those_below(&root().join("agent/src"), AGENT);
}

#[test]
fn the_door_writes_nothing() {
    let mut faults = Vec::new();
    let door = modules::sources(&root().join("agent/os/src"));
    assert!(door.len() > 30, "only {} files of the door found: the search is broken", door.len());
    for (path, code) in &door {
        let calls = WRITING.split_whitespace().filter(|call| code.contains(call));
        faults.extend(calls.map(|call| format!("{}: {call}", path.display())));
    }
    assert!(faults.is_empty(), "these write, and belong in platform:\n{}", faults.join("\n"));
}

#[test]
fn the_modules_of_the_words_know_only_those_below() {
    modules_know_only_those_below(&root().join("policies/src"), POLICIES);
}

#[test]
fn the_rooms_of_the_server_know_only_those_below() {
    modules_know_only_those_below(&root().join("server/src"), SERVER);
}

#[test]
fn every_crate_obeys_the_workspace_law() {
    for package in metadata().workspace_packages() {
        let manifest = std::fs::read_to_string(&package.manifest_path).unwrap();
        assert!(manifest.contains("[lints]\nworkspace = true"), "{} does not opt into the lints", package.name);
        let own = manifest.lines().find(|line| line.contains("version = \"") || line.contains("path = \"../"));
        assert_eq!(own, None, "{} names a version or path of its own", package.name);
    }
}

#[test]
fn every_file_says_what_it_owns_and_stays_short() {
    let mut faults = Vec::new();
    for (path, text) in sources() {
        if !text.starts_with("//!") {
            faults.push(format!("{}: does not open with //!", path.display()));
        }
        let lines = text.lines().count();
        if lines > LONGEST {
            faults.push(format!("{}: {lines} lines, at most {LONGEST}", path.display()));
        }
        let fences = |fence: &str| {
            let documents =
                |line: &&str| line.strip_prefix("///").or(line.strip_prefix("//!")).map(str::trim) == Some(fence);
            text.lines().map(str::trim_start).filter(documents).count()
        };
        if fences("```") != fences("```text") {
            faults.push(format!("{}: an example that nothing runs; make it a test, or ```text", path.display()));
        }
        if path.file_name().is_some_and(|name| name == "mod.rs") {
            faults.push(format!("{}: is called mod.rs; use the folder's name", path.display()));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn nothing_names_the_machine_it_was_written_on() {
    let root = root();
    let folder = format!("{}/", root.display());
    let home =
        std::env::var("HOME").ok().filter(|home| home.len() > 1 && home != "/root").map(|home| format!("{home}/"));
    let mut faults = Vec::new();
    let mut found = Vec::new();
    for ending in [".rs", ".toml", ".md", ".html", ".css", ".js", ".sql", ".json", ".service", ".snap"] {
        files(&root, ending, &mut found);
    }
    for path in found {
        let text = String::from_utf8(std::fs::read(&path).unwrap()).unwrap_or_default();
        if text.contains(&folder) || home.as_ref().is_some_and(|home| text.contains(home)) {
            faults.push(path.display().to_string());
        }
    }
    assert!(faults.is_empty(), "these files hold a path of this machine:\n{}", faults.join("\n"));
}

#[test]
fn the_top_level_is_what_was_asked_for() {
    let visible: BTreeSet<String> = std::fs::read_dir(root())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.starts_with('.') && name != "target")
        .collect();
    let wanted = ["Cargo.lock", "Cargo.toml", "LICENSE", "README.md", "agent", "policies", "server", "tests"];
    assert_eq!(visible, wanted.map(str::to_owned).into());
}
