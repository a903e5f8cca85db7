//! Anti-malware that the agent has no reader for: makers known by name are found by their folders, any other by the kernel: a
//! process that is asked before a file may be opened (fanotify(7), a group of class content or pre-content). Neither shows whether
//! it protects, so that is unknown: neither "on" nor "none".

use policies::fact::AntivirusProduct;

use crate::linux::context::CheckContext;
use crate::products::unread;
use os::Answer;

const NAMED: &[(&str, &str)] = &[
    ("Cortex XDR", "/opt/traps"),
    ("Comodo", "/opt/COMODO"),
    ("Carbon Black", "/opt/carbonblack"),
    ("Carbon Black", "/var/opt/carbonblack"),
    ("Cylance", "/opt/cylance"),
    ("Cybereason", "/opt/cybereason"),
    ("Trellix HX", "/opt/fireeye"),
    ("Elastic Defend", "/opt/Elastic/Endpoint"),
    ("Bkav", "/opt/bkav"),
    ("Viettel", "/opt/viettel"),
];
/// `FAN_CLASS_CONTENT` and `FAN_CLASS_PRE_CONTENT`.
const CONTENT: u32 = 0x4 | 0x8;
/// Programs whose product is read elsewhere.
const KNOWN: [&str; 1] = ["clamonacc"];

/// The products found.
///
/// # Errors
/// When it cannot be seen which processes the kernel asks: then there may be others.
pub(super) fn products(context: &CheckContext, known: &[AntivirusProduct]) -> Answer<Vec<AntivirusProduct>> {
    let mut names: Vec<String> = Vec::new();
    for (name, folder) in NAMED {
        if context.os.exists(folder) && !names.iter().any(|other| other == name) {
            names.push((*name).to_owned());
        }
    }
    // A process that is asked belongs to the product already found.
    if names.is_empty() && known.is_empty() {
        names = asked(context)?;
    }
    Ok(names.iter().map(|name| unread(name, "whether a product of this maker guards has no reader")).collect())
}

/// The processes that the kernel asks before a file may be opened.
fn asked(context: &CheckContext) -> Answer<Vec<String>> {
    let mut found = Vec::new();
    for process in context.processes() {
        let folder = format!("/proc/{}/fd", process.pid);
        // A process that has ended meanwhile holds nothing.
        let names = match context.os.list(&folder) {
            Err(error @ os::OsError::Denied(_)) => return Err(error),
            names => names.unwrap_or_default(),
        };
        for name in names {
            let held =
                context.os.link(&format!("{folder}/{name}")).is_ok_and(|target| target == "anon_inode:[fanotify]");
            if held && decides(context, process.pid, &name) && !KNOWN.contains(&process.name.as_str()) {
                found.push(process.name.clone());
            }
        }
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

/// Looks for `fanotify flags:4 event-flags:0` in the kernel's information on the file.
fn decides(context: &CheckContext, pid: u32, file: &str) -> bool {
    let text = context.text(&format!("/proc/{pid}/fdinfo/{file}")).unwrap_or_default();
    let flags = text.lines().find_map(|line| line.strip_prefix("fanotify flags:")?.split_whitespace().next());
    // One that cannot be read may be one.
    flags.and_then(|flags| u32::from_str_radix(flags, 16).ok()).is_none_or(|flags| flags & CONTENT != 0)
}
