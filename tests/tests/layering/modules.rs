//! Which modules of a crate use which: read from its sources, without tests, and compared with a table of allowed arrows.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The modules of a crate from the ground up, each with those it may use: all of them are in earlier lines.
pub(crate) type Arrows = &'static [(&'static str, &'static str)];

/// Checks every file below `folder`, the `src` of a crate or the folder of one of its modules, against `arrows`, which names the modules
/// directly inside. The root (`lib.rs`, `main.rs`, the module's own file) may use all. An arrow that nothing uses is also an error.
pub(crate) fn modules_know_only_those_below(folder: &Path, arrows: Arrows) {
    let mut faults = Vec::new();
    let mut allowed: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (module, used) in arrows {
        let used: BTreeSet<&str> = used.split_whitespace().collect();
        let above = used.iter().filter(|used| !allowed.contains_key(*used));
        faults.extend(above.map(|used| format!("the table: {used} does not stand above {module}")));
        allowed.insert(module, used);
    }
    let sources = sources(folder);
    let there: BTreeSet<&str> = sources.keys().filter_map(|path| module_of(path)).collect();
    let listed: BTreeSet<&str> = allowed.keys().copied().collect();
    for module in there.symmetric_difference(&listed) {
        faults.push(format!("{module}: a line in the table without a module, or a module without a line"));
    }
    let exports = exports(folder, &sources);
    let mut idle = allowed.clone();
    for (path, code) in &sources {
        let Some(module) = module_of(path) else { continue };
        for name in uses(&prefix(folder), path, code) {
            let used = exports.get(&name).unwrap_or(&name).as_str();
            if let Some(arrows) = idle.get_mut(module) {
                arrows.retain(|arrow| *arrow != used);
            }
            if used != module && !allowed.get(module).is_some_and(|allowed| allowed.contains(used)) {
                faults.push(format!("{}: {module} must not use {used}", path.display()));
            }
        }
    }
    for (module, arrows) in idle.iter().filter(|(_, arrows)| !arrows.is_empty()) {
        faults.push(format!("the table: {module} does not use {arrows:?}"));
    }
    assert!(faults.is_empty(), "{}:\n{}", folder.display(), faults.join("\n"));
}

/// The path by which code names what is directly inside `folder`: `crate::`, or with the modules down to there.
pub(super) fn prefix(folder: &Path) -> String {
    let modules: Vec<_> = folder.iter().map(|part| part.to_string_lossy()).collect();
    let crate_root = modules.iter().rposition(|part| part == "src").map_or(0, |at| at + 1);
    std::iter::once("crate")
        .chain(modules[crate_root..].iter().map(|part| &**part))
        .map(|part| format!("{part}::"))
        .collect()
}

/// The code of every file below `folder` by its path there, without tests and lines of comment. Files of tests are left out.
pub(crate) fn sources(folder: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = Vec::new();
    super::super::files(folder, ".rs", &mut found);
    let mut tests = Vec::new();
    let mut sources = BTreeMap::new();
    for path in found {
        let text = std::fs::read_to_string(&path).unwrap();
        let (code, test_modules) = without_tests(&text);
        let path = path.strip_prefix(folder).unwrap().to_path_buf();
        tests.extend(test_modules.into_iter().map(|name| within(&path).join(name)));
        sources.insert(path, code);
    }
    sources.retain(|path, _| !tests.iter().any(|test| path.with_extension("").starts_with(test)));
    sources
}

/// The folder of the modules that a file declares.
fn within(path: &Path) -> PathBuf {
    if is_root(path) { PathBuf::new() } else { path.with_extension("") }
}

fn is_root(path: &Path) -> bool {
    path == Path::new("lib.rs") || path == Path::new("main.rs")
}

/// The top-level module of a file; `None` for the root.
pub(super) fn module_of(path: &Path) -> Option<&str> {
    let first = path.iter().next()?.to_str()?;
    (!is_root(path)).then(|| first.trim_end_matches(".rs"))
}

/// The code without comments and without items under `#[cfg(test)]`, and the names of the modules among those that are files. Relies
/// on the layout that `cargo fmt` gives: an item ends in its first line, or with a brace at its own indentation.
pub(super) fn without_tests(text: &str) -> (String, Vec<String>) {
    let (mut code, mut modules) = (String::new(), Vec::new());
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.trim_start().starts_with("//") {
            continue;
        }
        if line.trim() != "#[cfg(test)]" {
            code.push_str(line);
            code.push('\n');
            continue;
        }
        let Some(item) = lines.by_ref().find(|line| !line.trim_start().starts_with(['#', '/'])) else { break };
        if let Some(module) = item.trim_end().strip_suffix(';').and_then(|item| item.split_once("mod ")) {
            modules.push(module.1.to_owned());
        }
        if !item.trim_end().ends_with([';', ',', '}']) {
            let indentation = item.len() - item.trim_start().len();
            let ends = |line: &str| line.trim_start().starts_with('}') && line.find('}') == Some(indentation);
            lines.by_ref().find(|line| ends(line));
        }
    }
    (code, modules)
}

/// What the root re-exports from its modules: name and module.
fn exports(folder: &Path, sources: &BTreeMap<PathBuf, String>) -> BTreeMap<String, String> {
    let own = sources.get(Path::new("lib.rs")).cloned();
    let root = own.or_else(|| std::fs::read_to_string(folder.with_extension("rs")).ok()).unwrap_or_default();
    handed_on(&root)
}

pub(super) fn handed_on(root: &str) -> BTreeMap<String, String> {
    let mut exports = BTreeMap::new();
    for statement in root.split("pub use ").skip(1).filter_map(|rest| rest.split(';').next()) {
        let mut words = words(statement);
        let Some(module) = words.next() else { continue };
        exports.extend(words.map(|name| (name.to_owned(), module.to_owned())));
    }
    exports
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|letter: char| !letter.is_alphanumeric() && letter != '_').filter(|word| !word.is_empty())
}

/// The names directly inside the folder, named with `prefix`, that the code of the file at `path` uses.
pub(super) fn uses(prefix: &str, path: &Path, code: &str) -> BTreeSet<String> {
    let depth = within(path).iter().count();
    let climbs = "super::".repeat(depth);
    let mut names = BTreeSet::new();
    for root in [prefix, climbs.as_str()] {
        for (start, _) in code.match_indices(root) {
            let begins = code[..start].chars().next_back();
            if begins.is_some_and(|letter| letter.is_alphanumeric() || letter == '_' || letter == ':') {
                continue;
            }
            names.extend(first_names(&code[start + root.len()..]));
        }
    }
    names
}

/// The first name of each path that `rest` begins with: one, or those of a list in braces.
fn first_names(rest: &str) -> BTreeSet<String> {
    let Some(list) = rest.strip_prefix('{') else { return words(rest).next().map(str::to_owned).into_iter().collect() };
    let (mut names, mut level, mut expected) = (BTreeSet::new(), 0, true);
    for (place, letter) in list.char_indices() {
        match letter {
            '{' => level += 1,
            '}' if level == 0 => break,
            '}' => level -= 1,
            ',' if level == 0 => expected = true,
            letter if expected && !letter.is_whitespace() => {
                names.extend(words(&list[place..]).next().map(str::to_owned));
                expected = false;
            }
            _ => {}
        }
    }
    names
}

#[test]
fn uses_are_found_in_every_form_and_tests_are_none() {
    let code = "use crate::a::B;\nuse crate::{b::{c, d}, e, f::G as H};\n// crate::comment\nuse super::g;\nuse super::super::h;\n\
                #[cfg(test)]\nmod files;\nfn i() {\n    crate::j::k()\n}\n#[cfg(test)]\nmod tests {\n    use crate::l;\n}\n\
                pub(in crate::m) fn n() {}\n";
    let (code, modules) = without_tests(code);
    assert_eq!(modules, ["files"]);
    let found = uses("crate::", Path::new("x/y.rs"), &code);
    assert_eq!(found.iter().map(String::as_str).collect::<Vec<_>>(), ["a", "b", "e", "f", "h", "j", "m"]);
    assert_eq!(handed_on("pub use a::{b::C, D};\npub use e::F;\n")["C"], "a");
}
