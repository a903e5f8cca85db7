//! Parts of antivirus products that Windows itself makes recognisable, whoever made them: drivers of the antivirus load order group, and
//! protected services, which require an anti-malware maker's certificate. The company named in their files, which is not translated,
//! shows whose they are. So makers with unpublished service names are found as well.
//!
//! Sources: learn.microsoft.com, "Load order groups and altitudes for minifilter drivers", "Protecting anti-malware services"
//! (`LaunchProtected`).

use std::cell::OnceCell;

use crate::windows::center::path;
use crate::windows::context::{CheckContext, RUNNING, Setting};
use os::windows::Service;
use os::{Answer, OsError};

const SERVICES: &str = r"HKLM\SYSTEM\CurrentControlSet\Services";
/// The load order group of virus scanning drivers.
const GROUP: &str = "FSFilter Anti-Virus";
/// `SERVICE_LAUNCH_PROTECTED_ANTIMALWARE_LIGHT`.
const ANTIMALWARE: u64 = 3;
/// `SERVICE_FILE_SYSTEM_DRIVER`, and the two kinds of services that are programs.
const FILTER: u32 = 0x2;
const PROGRAM: u32 = 0x10 | 0x20;

/// A service or driver, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// Its key's name.
    pub(super) service: String,
    /// True when it runs or is loaded.
    pub(super) runs: bool,
    /// The company named in its file; empty when there is none.
    pub(super) company: String,
}

/// Such parts of one machine.
pub(super) struct Parts<'a> {
    context: &'a CheckContext,
    /// Loaded virus scanning drivers.
    pub(super) drivers: Vec<Part>,
    /// Services that run protected as anti-malware.
    pub(super) protected: Vec<Part>,
    /// Why some may be missing.
    pub(super) hidden: Option<OsError>,
    programs: OnceCell<Vec<Part>>,
}

impl<'a> Parts<'a> {
    /// The parts on this machine; none when its services cannot be listed.
    pub(super) fn of(context: &'a CheckContext) -> Self {
        let hidden = OnceCell::new();
        let note = |error| {
            hidden.get_or_init(|| error);
            false
        };
        let key = |service: &Service| format!(r"{SERVICES}\{}", service.name);
        let drivers = parts(context, &|service| {
            service.kind & FILTER != 0
                && service.state == RUNNING
                && match context.text(&key(service), "Group") {
                    Setting::Set(group) => group.eq_ignore_ascii_case(GROUP),
                    Setting::Absent => false,
                    Setting::Unreadable(error) => note(error),
                }
        });
        let protected = parts(context, &|service| {
            service.kind & PROGRAM != 0
                && match context.number(&key(service), "LaunchProtected") {
                    Setting::Set(kind) => kind == ANTIMALWARE,
                    Setting::Absent => false,
                    Setting::Unreadable(error) => note(error),
                }
        });
        Self { context, drivers, protected, hidden: hidden.into_inner(), programs: OnceCell::new() }
    }

    /// All services that are programs. Their files are read on first use.
    pub(super) fn programs(&self) -> &[Part] {
        self.programs.get_or_init(|| parts(self.context, &|service| service.kind & PROGRAM != 0))
    }
}

fn parts(context: &CheckContext, wanted: &dyn Fn(&Service) -> bool) -> Vec<Part> {
    let services = context.services().unwrap_or_default();
    let part = |service: &Service| Part {
        service: service.name.clone(),
        runs: service.state == RUNNING,
        company: company(context, &service.name),
    };
    services.iter().filter(|service| wanted(service)).map(part).collect()
}

/// The company named in the file of a service or driver; empty when there is none.
pub(super) fn company(context: &CheckContext, service: &str) -> String {
    file(context, service).and_then(|path| context.os.file_company(&path).ok()).unwrap_or_default()
}

/// True when a running service has its file in the folder of one of these programs, or below it.
///
/// # Errors
/// When the services cannot be listed.
pub(in crate::windows) fn runs_beside(context: &CheckContext, programs: &[String]) -> Answer<bool> {
    let folders: Vec<String> = programs.iter().filter_map(|program| folder(context, program)).collect();
    let runs = |service: &&Service| service.kind & PROGRAM != 0 && service.state == RUNNING;
    let mut running = context.services()?.iter().filter(runs);
    Ok(!folders.is_empty() && running.any(|service| lies_in(context, &service.name, &folders)))
}

/// True when the service's file is in or below one of the folders.
pub(super) fn lies_in(context: &CheckContext, service: &str, folders: &[String]) -> bool {
    let Some(file) = file(context, service).map(|file| file.to_lowercase()) else { return false };
    folders.iter().any(|folder| file.starts_with(folder))
}

/// The folder of a product's program, lower case, ending in a backslash; `None` for one shared by many.
pub(super) fn folder(context: &CheckContext, program: &str) -> Option<String> {
    let program = path(context, program)?.to_lowercase();
    let folder = program.get(..=program.rfind('\\')?)?;
    let shared =
        folder.matches('\\').count() < 3 || folder.ends_with(r"\common files\") || of_windows(context, &program);
    (!shared).then(|| folder.to_owned())
}

/// True for a path below the Windows folder.
pub(super) fn of_windows(context: &CheckContext, file: &str) -> bool {
    let windows = path(context, r"%SystemRoot%\").map(|folder| folder.to_lowercase());
    windows.is_some_and(|windows| file.to_lowercase().starts_with(&windows))
}

/// The path of the file of a service or driver.
pub(super) fn file(context: &CheckContext, service: &str) -> Option<String> {
    let command = match context.text(&format!(r"{SERVICES}\{service}"), "ImagePath") {
        Setting::Set(command) => command,
        // A driver that names no file uses the file of its own name.
        Setting::Absent => format!(r"System32\drivers\{service}.sys"),
        Setting::Unreadable(_) => return None,
    };
    let program = program(&command);
    // The notations the kernel uses for paths.
    let program = program.strip_prefix(r"\??\").unwrap_or(program);
    let starts = |start: &str| program.get(..start.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(start));
    if starts(r"\SystemRoot\") {
        return path(context, &format!("%{}", program[1..].replacen('\\', r"%\", 1)));
    }
    if starts(r"System32\") {
        return path(context, &format!(r"%SystemRoot%\{program}"));
    }
    path(context, program)
}

/// The program of a service's command, with or without quotes and arguments.
pub(super) fn program(command: &str) -> &str {
    let command = command.trim();
    if let Some(quoted) = command.strip_prefix('"') {
        return quoted.split('"').next().unwrap_or_default();
    }
    let end = command.to_ascii_lowercase().find(".exe").map_or(command.len(), |at| at + 4);
    command.get(..end).unwrap_or(command)
}

/// The altitudes of a filter driver in the file system stack, as text. Microsoft assigns the integer part to one company.
pub(super) fn altitudes(context: &CheckContext, driver: &str) -> Vec<String> {
    let instances = format!(r"{SERVICES}\{driver}\Instances");
    let altitude = |name: &String| match context.text(&format!(r"{instances}\{name}"), "Altitude") {
        Setting::Set(altitude) => Some(altitude),
        Setting::Absent | Setting::Unreadable(_) => None,
    };
    context.os.keys(&instances).unwrap_or_default().iter().filter_map(altitude).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use os::windows::recorded::Recorded;

    #[test]
    fn programs_of_commands() {
        for (command, expected) in [
            (r#""C:\Program Files\Avast\AvastSvc.exe" /runassvc"#, r"C:\Program Files\Avast\AvastSvc.exe"),
            (r"C:\Program Files\Bkav\BkavService.exe -s", r"C:\Program Files\Bkav\BkavService.exe"),
            (r"\SystemRoot\System32\drivers\klif.sys", r"\SystemRoot\System32\drivers\klif.sys"),
            (r"C:\Program Files\A\b.EXE -k", r"C:\Program Files\A\b.EXE"),
            ("\"C:\\broken", r"C:\broken"),
            ("", ""),
        ] {
            assert_eq!(program(command), expected);
        }
    }

    #[test]
    fn the_file_of_a_driver_is_found_however_the_kernel_writes_it() {
        let os = Recorded::new()
            .text(r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion", "SystemRoot", r"C:\Windows")
            .text(&format!(r"{SERVICES}\one"), "ImagePath", r"\SystemRoot\system32\DRIVERS\one.sys")
            .text(&format!(r"{SERVICES}\two"), "ImagePath", r"system32\drivers\two.sys")
            .text(&format!(r"{SERVICES}\three"), "ImagePath", r"\??\C:\Program Files\X\three.sys")
            .text(&format!(r"{SERVICES}\five"), "ImagePath", r"\Device\Mup\share\five.sys");
        let context = CheckContext::of(os);
        let cases = [
            ("one", Some(r"C:\Windows\system32\DRIVERS\one.sys")),
            ("two", Some(r"C:\Windows\system32\drivers\two.sys")),
            ("three", Some(r"C:\Program Files\X\three.sys")),
            ("four", Some(r"C:\Windows\System32\drivers\four.sys")),
            ("five", None),
        ];
        for (service, expected) in cases {
            assert_eq!(file(&context, service).as_deref(), expected, "{service}");
        }
    }
}
