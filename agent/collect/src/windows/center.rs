//! The rows of Windows Security Center: classes `AntiVirusProduct` and `FirewallProduct` of `ROOT\SecurityCenter2`, or if WMI does
//! not answer the registry store of the same service, `HKLM\SOFTWARE\Microsoft\Security Center\Provider\{Av,Fw}\{GUID}`. Servers
//! have neither. While that service (`wscsvc`) is stopped both are out of date: nothing maintains them.

use policies::fact::Fact;
use policies::policy::WindowsKind;

use super::context::{CheckContext, Setting};
use super::version;
use crate::text::capped;
use os::windows::{Row, Variant};
use os::{Answer, OsError};

const NAMESPACE: &str = r"ROOT\SecurityCenter2";
const STORE: &str = r"HKLM\SOFTWARE\Microsoft\Security Center\Provider";
/// The reason given for rows that nothing maintains.
pub(super) const STALE: &str = "Security Center does not run, and what it lists may be old";
/// The most rows examined: dozens of left-over rows have been seen.
const MOST: usize = 64;

mod state;

pub(super) use state::{ProductStatus, State, decode};

/// The kind of products to list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Antivirus,
    Firewall,
}

impl Kind {
    const fn query(self) -> &'static str {
        // With an asterisk, because older systems lack some of the properties.
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

/// One product as it registered itself. All of it was written by the product.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listed {
    /// Its GUID in braces, upper case.
    pub(super) guid: String,
    /// Its display name, in any language.
    pub(super) name: String,
    /// Its programs: the reporting one and the one shown to people. Some are no paths (`windowsdefender://`).
    pub(super) programs: Vec<String>,
    /// The state it last reported.
    pub(super) state: State,
}

/// The list of products.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Center {
    /// The products.
    pub(super) listed: Vec<Listed>,
    /// True when the list is complete: no row was left out as unreadable or beyond the limit.
    pub(super) whole: bool,
    /// True when Security Center runs and maintains its rows. Otherwise they may be out of date or incomplete.
    pub(super) live: bool,
}

/// The products in Security Center.
///
/// # Errors
/// `Missing` on servers, which have none; otherwise the error of WMI when the store has nothing either.
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

/// The error for a Windows that should have a Security Center but has lost it: that differs from having none.
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
    // A row without a number is useless.
    let Some(Variant::Number(number)) = row.get("productState") else { return None };
    Some(Listed {
        guid: text("instanceGuid").trim().to_uppercase(),
        name: capped(text("displayName")),
        programs: programs([text("pathToSignedReportingExe"), text("pathToSignedProductExe")]),
        state: decode(*number),
    })
}

/// The rows of the store, and whether they are complete.
fn stored(context: &CheckContext, kind: Kind) -> (Vec<Listed>, bool) {
    let store = format!(r"{STORE}\{}", kind.folder());
    // If the keys cannot be listed there are no rows, and WMI's answer stands.
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

/// A path on this machine, with the variables that products use expanded; `None` for what is not a path with a drive.
pub(super) fn path(context: &CheckContext, text: &str) -> Option<String> {
    const DRIVE: &str = "%systemdrive%";
    const FOLDERS: [(&str, &str, &str); 6] = [
        ("%programfiles%", r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion", "ProgramFilesDir"),
        ("%programfiles(x86)%", r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion", "ProgramFilesDir (x86)"),
        ("%programdata%", r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion\ProfileList", "ProgramData"),
        ("%systemroot%", r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion", "SystemRoot"),
        ("%windir%", r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion", "SystemRoot"),
        // Not stored anywhere: derived as the drive of the system folder.
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

/// Whether a program exists; `None` when unknown.
pub(super) fn exists(context: &CheckContext, text: &str) -> Option<bool> {
    match context.os.stat(&path(context, text)?) {
        Ok(_) => Some(true),
        Err(OsError::Missing(_)) => Some(false),
        Err(_) => None,
    }
}
