//! Files of one room do not use each other in a circle: what is read first can be understood without the rest.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::modules::{handed_on, module_of, prefix, sources, uses};

#[test]
fn files_of_a_room_use_each_other_in_no_circle() {
    let metadata = super::super::metadata();
    let (mut found, mut modules_of_all) = (Vec::new(), 0);
    for package in metadata.workspace_packages() {
        let source = package.manifest_path.with_file_name("src");
        modules_of_all += sources(source.as_std_path()).len();
        for (folder, modules) in circles(source.as_std_path()) {
            let place = Path::new(package.name.as_str()).join(folder).display().to_string();
            found.push((place.trim_end_matches('/').to_owned(), modules));
        }
    }
    assert!(modules_of_all > 300, "only {modules_of_all} files found: the search is broken");
    assert!(found.is_empty(), "modules that use each other in a circle: {found:?}");
}

/// The circles among the modules directly inside one folder, for every folder of a crate's `src`. A module and those inside it are one here.
fn circles(src: &Path) -> Vec<(PathBuf, String)> {
    let files = sources(src);
    let folders: BTreeSet<&Path> = files.keys().filter_map(|path| path.parent()).collect();
    let mut circles = Vec::new();
    for folder in folders {
        let root = if folder.as_os_str().is_empty() { PathBuf::from("lib.rs") } else { folder.with_extension("rs") };
        let exports = files.get(&root).map(|code| handed_on(code)).unwrap_or_default();
        let inside = files.iter().filter_map(|(path, code)| Some((path.strip_prefix(folder).ok()?, code)));
        let mut arrows: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        for (path, code) in inside {
            let Some(module) = module_of(path) else { continue };
            let used = uses(&prefix(&src.join(folder)), path, code).into_iter();
            let used = used.map(|name| exports.get(&name).cloned().unwrap_or(name)).filter(|used| used != module);
            arrows.entry(module).or_default().extend(used);
        }
        let reached: BTreeMap<&str, BTreeSet<&str>> =
            arrows.keys().map(|module| (*module, reach(&arrows, module))).collect();
        let circle = |module: &str| {
            let back =
                reached[module].iter().filter(|other| reached.get(*other).is_some_and(|back| back.contains(module)));
            back.copied().collect::<Vec<_>>().join(" ")
        };
        let mut found: Vec<String> =
            arrows.keys().map(|module| circle(module)).filter(|circle| !circle.is_empty()).collect();
        found.sort();
        found.dedup();
        circles.extend(found.into_iter().map(|circle| (folder.to_path_buf(), circle)));
    }
    circles
}

/// The modules that `module` uses, and those that these use.
fn reach<'a>(arrows: &'a BTreeMap<&'a str, BTreeSet<String>>, module: &str) -> BTreeSet<&'a str> {
    let (mut reached, mut open) = (BTreeSet::new(), vec![module]);
    while let Some(next) = open.pop() {
        let used = arrows.get(next).into_iter().flatten().map(String::as_str).filter(|used| arrows.contains_key(used));
        open.extend(used.filter(|used| reached.insert(*used)).collect::<Vec<_>>());
    }
    reached
}
