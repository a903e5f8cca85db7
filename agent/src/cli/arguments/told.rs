//! The commands that our texts tell people to type.

use policies::text::Language;

use super::command;

/// Wherever a message, a page or the README says to run this program, it names a command that exists.
#[test]
fn every_command_that_people_are_told_exists() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = vec![root.join("../README.md")];
    let mut folders = vec![root.join("src"), root.join("packaging"), root.join("../server")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    let (command, mut told) = (command(Language::En), 0);
    for file in files {
        let Ok(text) = std::fs::read_to_string(&file) else { continue };
        for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
            let mut parts = line.split("posture-agent ");
            let mut before = parts.next().unwrap_or_default();
            for after in parts {
                let name =
                    after.split(|sign: char| !sign.is_ascii_lowercase() && sign != '-').next().unwrap_or_default();
                let is_told = before.is_empty() || before.ends_with(['`', '(']) || before.ends_with(": ");
                if is_told && !name.is_empty() && !name.starts_with("--") {
                    assert!(command.find_subcommand(name).is_some(), "{}: {line}", file.display());
                    told += 1;
                }
                before = after;
            }
        }
    }
    assert!(told > 20, "only {told} were found");
}
