//! Shares made by users (`net usershare add`; smb.conf(5), "usershare path"): one small file each, which testparm does not list.

use policies::fact::{Fact, Share, ShareKind};

use super::Smb;
use crate::linux::context::{CheckContext, optional};
use crate::linux::text::{assigned, capped, yes};
use os::Answer;

/// Their default folder.
const FOLDER: &str = "/var/lib/samba/usershares";
/// The most that are examined; Samba's own limit is 100 where distributions allow them.
const MOST: usize = 1_000;

/// The shares. None where users may not make any, whatever files exist.
pub(super) fn list(context: &CheckContext, smb: &Smb) -> Answer<Vec<Share>> {
    if smb.global(&["usershare max shares"]).is_some_and(|most| most.trim() == "0") {
        return Ok(Vec::new());
    }
    let folder = smb.global(&["usershare path"]).filter(|path| path.starts_with('/')).unwrap_or(FOLDER);
    let names = optional(context.os.list(folder))?.unwrap_or_default();
    let guests = smb.global(&["usershare allow guests"]).is_some_and(yes);
    // A name that begins with a colon is a file still being written.
    let made = names.iter().filter(|name| !name.starts_with(':')).take(MOST);
    made.map(|name| Ok(share(name, &context.text(&format!("{folder}/{name}"))?, guests))).collect()
}

fn share(name: &str, text: &str, guests: bool) -> Share {
    let permits = assigned(text, "usershare_acl").unwrap_or_default();
    Share {
        kind: ShareKind::Smb,
        name: capped(name),
        open_to_all: Fact::Known(guests && assigned(text, "guest_ok").is_some_and(|word| word.starts_with(['y', 'Y']))),
        // `SID:F` means full access, `SID:R` read, `SID:D` none.
        writable: Fact::Known(permits.split(',').any(|entry| entry.trim().to_uppercase().ends_with(":F"))),
        remote_root: Fact::Known(false),
    }
}
