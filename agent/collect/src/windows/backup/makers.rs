//! Other makers' backup programs, by the key names of their services. Of most nothing more is known; Veeam logs how each job ended.

use policies::fact::{BackupProduct, BackupTool, Fact, Reason};

use super::{DISABLED, SERVICES, newest, product};
use crate::windows::context::{CheckContext, RUNNING, Setting, answered, unknown};
use os::Answer;

/// Services by key name in lower case. Names that only a file of the maker's product could confirm are left out: a wrong one would
/// never match, and nobody would notice.
const MAKERS: &[(BackupTool, &[&str])] = &[
    (BackupTool::Veeam, &["veeamendpointbackupsvc"]),
    (BackupTool::Acronis, &["mms", "acrsch2svc", "acroniscyberprotectionservice"]),
    (BackupTool::Macrium, &["macriumservice", "reflectservice"]),
    (BackupTool::Aomei, &["backupper service"]),
    (BackupTool::Easeus, &["easeus agent"]),
    (BackupTool::Bacula, &["bacula-fd"]),
    (BackupTool::Bareos, &["bareos-fd"]),
    (BackupTool::UrBackup, &["urbackupclientbackend"]),
    (BackupTool::BackupExec, &["backupexecagentaccelerator"]),
    (BackupTool::Duplicati, &["duplicati"]),
];

const VEEAM: &str = "Veeam Agent";
/// A job of Veeam Agent ended.
const ENDED: u32 = 190;
/// It succeeded, or well enough to be restored from.
const WELL: [u8; 2] = [3, 4];
/// `SERVICE_AUTO_START`.
const AUTOMATIC: u64 = 2;

/// The programs whose services exist.
pub(super) fn list(context: &CheckContext) -> Answer<Vec<BackupProduct>> {
    let services = context.services()?;
    let mut found = Vec::new();
    for (tool, names) in MAKERS {
        let own = services.iter().filter(|service| names.contains(&service.name.to_ascii_lowercase().as_str()));
        let states: Vec<Fact<bool>> = own
            .map(|service| if service.state == RUNNING { Fact::Known(true) } else { stopped(context, &service.name) })
            .collect();
        if states.is_empty() {
            continue;
        }
        let active = states.iter().find(|state| **state == Fact::Known(true));
        let active = active.or_else(|| states.iter().find(|state| state.known().is_none()));
        let active = active.cloned().unwrap_or(Fact::Known(false));
        found.push(match tool {
            BackupTool::Veeam => veeam(context, active),
            tool => product(*tool, active),
        });
    }
    Ok(found)
}

/// Whether a stopped service may work at other times: only one that is started on demand.
fn stopped(context: &CheckContext, name: &str) -> Fact<bool> {
    match context.number(&format!(r"{SERVICES}\{name}"), "Start") {
        Setting::Set(DISABLED | AUTOMATIC) => Fact::Known(false),
        Setting::Set(_) | Setting::Absent => {
            Fact::unknown(Reason::NoReader, "its service is started when it is needed")
        }
        Setting::Unreadable(error) => unknown(&error),
    }
}

fn veeam(context: &CheckContext, active: Fact<bool>) -> BackupProduct {
    let last = newest(context, VEEAM, &[ENDED], |event| WELL.contains(&event.level));
    let last_success_at = answered(last, |at| {
        at.map_or_else(|| Fact::unknown(Reason::SourceMissing, "no job that ended well is written down"), Fact::Known)
    });
    BackupProduct { last_success_at, ..product(BackupTool::Veeam, active) }
}
