//! The rows of Windows Security Center: classes `AntiVirusProduct` and `FirewallProduct` of `ROOT\SecurityCenter2`, and where WMI
//! does not answer the place where the same service keeps them, `HKLM\SOFTWARE\Microsoft\Security Center\Provider\{Av,Fw}\{GUID}`.
//! Servers have neither. What either holds while that service (`wscsvc`) does not run is a memory: nobody keeps it true.

use policies::fact::Fact;
use policies::policy::WindowsKind;

use super::context::{CheckContext, Setting};
use super::version;
use crate::text::capped;
use os::windows::{Row, Variant};
use os::{Answer, OsError};

const NAMESPACE: &str = r"ROOT\SecurityCenter2";
const STORE: &str = r"HKLM\SOFTWARE\Microsoft\Security Center\Provider";
/// What is to be said of rows that nobody keeps true.
pub(super) const STALE: &str = "Security Center does not run, and what it lists may be old";
/// The most rows that are looked at: left-over rows were seen by the dozen.
const MOST: usize = 64;

mod state;

pub(super) use state::{ProductStatus, State, decode};

/// What kind of products are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Antivirus,
    Firewall,
}

impl Kind {
    const fn query(self) -> &'static str {
        // By asterisk, because older systems lack some of the properties.
        match self {
            Self::Antivirus => "SELECT * FROM AntiVirusProduct",
            Self::Firewall => "SELECT * FROM FirewallProduct",
        }
    }

    const fn folder(self) -> &'static str {
        match self {
            Self::Antivirus => "Av",
            Self::Firewall => "Fw",
        }
    }
}

/// One product as it registered itself. Whatever is in it was written by the product.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listed {
    /// Its GUID in braces, upper case.
    pub(super) guid: String,
    /// The name it shows, in whatever language.
    pub(super) name: String,
    /// Its programs: the one that reports and the one that is shown. Some are no paths (`windowsdefender://`).
    pub(super) programs: Vec<String>,
    /// What it said last.
    pub(super) state: State,
}

/// What is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Center {
    /// The products.
    pub(super) listed: Vec<Listed>,
    /// These are all: no row was left out because it could not be read, or because there are too many.
    pub(super) whole: bool,
    /// True when Security Center runs and keeps its rows in order. Otherwise they are a memory, and there may be others.
    pub(super) live: bool,
}

/// What Security Center lists.
///
/// # Errors
/// `Missing` on servers, which have none; else whatever WMI said when the store has nothing either.
pub(super) fn center(context: &CheckContext, kind: Kind) -> Answer<Center> {
    let live = matches!(context.service_runs("wscsvc"), Ok(true));
    match context.os.wmi(NAMESPACE, kind.query()) {
        Ok(rows) => {
            let listed: Vec<Listed> = rows.iter().take(MOST).filter_map(from_row).collect();
            Ok(Center { whole: listed.len() == rows.len(), listed, live })
        }
        Err(error) => {
            let (listed, whole) = stored(context, kind);
            if listed.is_empty() { Err(lost(context, error)) } else { Ok(Center { listed, whole, live }) }
        }
    }
}

/// The error, where a Windows that has a Security Center has lost it: that is not to have none.
fn lost(context: &CheckContext, error: OsError) -> OsError {
    match error {
        OsError::Missing(_) if version::kind(context) != Fact::Known(WindowsKind::Server) => {
            OsError::Failed("Security Center".to_owned(), "is gone, though only servers have none".to_owned())
        }
        error => error,
    }
}

fn from_row(row: &Row) -> Option<Listed> {
    let text = |name: &str| match row.get(name) {
        Some(Variant::Text(text)) => text.as_str(),
        _ => "",
    };
    // A row without a number says nothing.
    let Some(Variant::Number(number)) = row.get("productState") else { return None };
    Some(Listed {
        guid: text("instanceGuid").trim().to_uppercase(),
        name: capped(text("displayName")),
        programs: programs([text("pathToSignedReportingExe"), text("pathToSignedProductExe")]),
        state: decode(*number),
    })
}

/// The rows of the store, and whether these are all of them.
fn stored(context: &CheckContext, kind: Kind) -> (Vec<Listed>, bool) {
    let store = format!(r"{STORE}\{}", kind.folder());
    // Where the keys cannot be listed there are no rows, and what WMI answered stands.
    let guids = context.os.keys(&store).unwrap_or_default();
    let mut whole = guids.len() <= MOST;
    let listed = |guid: String| {
        let key = format!(r"{store}\{guid}");
        let text = |name: &str| match context.text(&key, name) {
            Setting::Set(text) => text,
            Setting::Absent | Setting::Unreadable(_) => String::new(),
        };
        let number = match context.number(&key, "STATE") {
            Setting::Set(number) => number,
            Setting::Absent => return None,
            Setting::Unreadable(_) => {
                whole = false;
                return None;
            }
        };
        Some(Listed {
            guid: guid.to_uppercase(),
            name: text("DISPLAYNAME"),
            programs: programs([&text("REPORTINGEXE"), &text("PRODUCTEXE")]),
            state: decode(i64::try_from(number).unwrap_or(i64::MAX)),
        })
    };
    let listed = guids.into_iter().take(MOST).filter_map(listed).collect();
    (listed, whole)
}

fn programs(texts: [&str; 2]) -> Vec<String> {
    let mut programs: Vec<String> = texts.iter().map(|text| capped(text.trim_matches('"'))).collect();
    programs.retain(|program| !program.is_empty());
    programs.dedup();
    programs
}

/// A path of this machine, with the variables that products use in it filled in; `None` for what is no path with a drive.
pub(super) fn path(context: &CheckContext, text: &str) -> Option<String> {
    const DRIVE: &str = "%systemdrive%";
    const FOLDERS: [(&str, &str, &str); 6] = [
        ("%programfiles%", r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion", "ProgramFilesDir"),
        ("%programfiles(x86)%", r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion", "ProgramFilesDir (x86)"),
        ("%programdata%", r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion\ProfileList", "ProgramData"),
        ("%systemroot%", r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion", "SystemRoot"),
        ("%windir%", r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion", "SystemRoot"),
        // Written down nowhere: the drive of the system's folder.
        (DRIVE, r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion", "SystemRoot"),
    ];
    let lower = text.to_ascii_lowercase();
    let filled = FOLDERS.iter().find_map(|(variable, key, name)| {
        let rest = text.get(lower.strip_prefix(variable).map(|_| variable.len())?..)?;
        match context.text(key, name) {
            Setting::Set(folder) if *variable == DRIVE => Some(format!("{}{rest}", folder.get(..2)?)),
            Setting::Set(folder) => Some(format!("{folder}{rest}")),
            Setting::Absent | Setting::Unreadable(_) => None,
        }
    });
    let filled = filled.unwrap_or_else(|| text.to_owned());
    let [drive, b':', b'\\', ..] = filled.as_bytes() else { return None };
    (drive.is_ascii_alphabetic() && !filled.contains('%')).then_some(filled)
}

/// Whether a program is there; `None` when that cannot be told.
pub(super) fn exists(context: &CheckContext, text: &str) -> Option<bool> {
    match context.os.stat(&path(context, text)?) {
        Ok(_) => Some(true),
        Err(OsError::Missing(_)) => Some(false),
        Err(_) => None,
    }
}
