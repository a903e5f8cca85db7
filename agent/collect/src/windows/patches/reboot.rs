//! Whether an installed update needs a restart.

use policies::fact::{Fact, Reason};

use super::automatic::{LOCAL, exists};
use crate::windows::context::CheckContext;
use os::windows::{Registry, UpdateSearch};
use os::{Answer, OsError};

mod renames;

const SERVICING: &str = r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Component Based Servicing\RebootPending";
const SESSION: &str = r"HKLM\SYSTEM\CurrentControlSet\Control\Session Manager";
/// Windows processes both lists at its start.
const LISTS: [&str; 2] = ["PendingFileRenameOperations", "PendingFileRenameOperations2"];

/// True when the servicing of Windows, Windows Update or a Windows file needs a restart.
pub(super) fn needed(context: &CheckContext, search: &Answer<UpdateSearch>) -> Fact<bool> {
    let update = format!(r"{LOCAL}\RebootRequired");
    // The agent answers from this key; without its answer the key decides.
    let told = search.as_ref().ok().and_then(|search| search.reboot).unwrap_or(false);
    let [first, second] = LISTS.map(|name| renames(context, name));
    let signs =
        [Fact::Known(told), exists(context.os.keys(SERVICING)), exists(context.os.keys(&update)), first, second];
    if signs.contains(&Fact::Known(true)) {
        return Fact::Known(true);
    }
    signs.into_iter().find(|sign| sign.known().is_none()).unwrap_or(Fact::Known(false))
}

/// True when a file of Windows itself is to be replaced at the next start.
fn renames(context: &CheckContext, name: &str) -> Fact<bool> {
    let odd = |how: &str| Fact::unknown(Reason::Unreadable, format!("{name} {how}"));
    match context.os.value(SESSION, name) {
        Ok(Registry::Texts(texts)) => match renames::replaced(&texts) {
            Some(replaced) => Fact::Known(replaced),
            None => odd("does not consist of pairs"),
        },
        Ok(_) => odd("is of another type"),
        Err(OsError::Missing(_)) => Fact::Known(false),
        Err(error) => super::unknown(&error),
    }
}
