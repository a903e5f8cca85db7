//! Records the answers of this machine to the collectors as a folder that `os::recorded` replays: for new fixtures in
//! `agent/collect/tests/captured`. Not part of the product. Check the result before sharing it: only password hashes are masked.
//!
//! `cargo run -p tram-an-agent --example capture -- FOLDER`

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::sync::{Arc, Mutex};

use agent::platform::door;
use anyhow::Context;
use collect::Collector;
use collect::linux::Machine;
use os::recorded::Recorded;
use os::{Answer, FileKind, Hardware, KernelClock, LinuxOs, Os, OsError, Output, Owner, Program, Route, Source, Stat};
use policies::fact::Section;

/// The most bytes kept of one file.
const CAP: u64 = 4 << 20;

/// The native door, recording its answers.
#[derive(Default)]
struct Capture(Mutex<Recorded>);

impl Capture {
    fn note<T>(&self, path: &str, answer: &Answer<T>, keep: impl FnOnce(&mut Recorded, &T)) {
        let mut recorded = self.0.lock().expect("no other holder panics");
        match answer {
            Ok(value) => keep(&mut recorded, value),
            Err(OsError::Denied(_)) => drop(recorded.denied.insert(path.to_owned())),
            Err(_) => {}
        }
    }
}

impl Os for Capture {
    fn open(&self, path: &str) -> Answer<Box<dyn Source>> {
        let opened = door().open(path);
        let again = opened.as_ref().map_err(Clone::clone).and_then(|_| door().open(path));
        self.note(path, &again, |recorded, _| {
            let mut bytes = Vec::new();
            if let Ok(file) = door().open(path) {
                drop(file.take(CAP).read_to_end(&mut bytes));
            }
            let bytes = if path == "/etc/shadow" { masked(&bytes) } else { bytes };
            recorded.files.insert(path.to_owned(), bytes);
        });
        opened
    }
    fn list(&self, path: &str) -> Answer<Vec<String>> {
        let names = door().list(path);
        self.note(path, &names, |recorded, names| {
            recorded.folders.insert(path.to_owned());
            // Enough that the folder lists them again; what they hold is kept when it is asked for.
            for name in names.iter().filter(|_| !path.starts_with("/proc")) {
                let path = format!("{path}/{name}");
                let folder = door().stat(&path).is_ok_and(|stat| stat.kind == FileKind::Folder);
                if folder {
                    recorded.folders.insert(path);
                } else {
                    recorded.files.entry(path).or_default();
                }
            }
        });
        names
    }
    fn stat(&self, path: &str) -> Answer<Stat> {
        let stat = door().stat(path);
        self.note(path, &stat, |recorded, stat| {
            recorded.modified.insert(path.to_owned(), stat.modified_at);
            if stat.kind == FileKind::Folder {
                recorded.folders.insert(path.to_owned());
            }
        });
        stat
    }
    fn administrator(&self) -> bool {
        door().administrator()
    }
    fn hardware(&self) -> Hardware {
        door().hardware()
    }
    fn disk_size(&self, path: &str) -> Answer<u64> {
        door().disk_size(path)
    }
}

impl LinuxOs for Capture {
    fn link(&self, path: &str) -> Answer<String> {
        let target = door().link(path);
        self.note(path, &target, |recorded, target| drop(recorded.links.insert(path.to_owned(), target.clone())));
        target
    }
    fn run(&self, program: Program, arguments: &[&str]) -> Answer<Output> {
        let output = door().run(program, arguments);
        let arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
        self.note("", &output, |recorded, output| recorded.runs.push((program, arguments, output.clone())));
        output
    }
    fn owner(&self, path: &str) -> Answer<Owner> {
        let owner = door().owner(path);
        self.note(path, &owner, |recorded, owner| {
            recorded.owners.insert(path.to_owned(), *owner);
        });
        owner
    }
    fn addresses(&self) -> Answer<Vec<(String, String)>> {
        door().addresses()
    }
    fn routes(&self) -> Answer<Vec<Route>> {
        door().routes()
    }
    fn kernel_clock(&self) -> Answer<KernelClock> {
        door().kernel_clock()
    }
}

/// The method of each hash without the hash.
fn masked(shadow: &[u8]) -> Vec<u8> {
    let line = |line: &str| {
        let mut fields: Vec<&str> = line.split(':').collect();
        if let Some(hash) = fields.get_mut(1)
            && let Some((method, _)) = hash.rsplit_once('$').filter(|(start, _)| !start.is_empty())
        {
            *hash = method.get(..3).unwrap_or("$6$");
        }
        fields.join(":") + "\n"
    };
    String::from_utf8_lossy(shadow).lines().map(line).collect::<String>().into_bytes()
}

fn main() -> anyhow::Result<()> {
    let folder = std::env::args().nth(1).context("which folder?")?;
    let folder = Path::new(&folder);
    let capture = Arc::new(Capture::default());
    let now = agent::platform::clock::Clock::system().instant();
    Collector::new(Arc::new(Machine::new(Arc::clone(&capture) as Arc<dyn LinuxOs>))).collect(Section::ALL, now);
    let mut recorded = capture.0.lock().expect("no other holder panics").clone();
    recorded.administrator = door().administrator();
    recorded.hardware = door().hardware();
    recorded.addresses = door().addresses()?;
    recorded.routes = door().routes().ok();
    recorded.disk = door().disk_size("/")?;
    recorded.kernel_clock = door().kernel_clock().ok();
    // A link is not a file as well, and a folder not empty when something in it was kept.
    let files: BTreeMap<String, Vec<u8>> = std::mem::take(&mut recorded.files);
    let is_link = |path: &str| recorded.links.keys().any(|link| path == link || path.starts_with(&format!("{link}/")));
    for (path, bytes) in files.iter().filter(|(path, _)| !is_link(path) && !recorded.folders.contains(*path)) {
        let target = folder.join("root").join(path.trim_start_matches('/'));
        std::fs::create_dir_all(target.parent().context("a file lies in a folder")?)?;
        std::fs::write(&target, bytes).with_context(|| format!("write {}", target.display()))?;
    }
    std::fs::create_dir_all(folder)?;
    std::fs::write(folder.join("os.json"), serde_json::to_string_pretty(&recorded)?)?;
    Ok(())
}
