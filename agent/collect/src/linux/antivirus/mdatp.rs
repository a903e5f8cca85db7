//! The mode in which Microsoft Defender for Endpoint runs: its daemon runs in every mode, and since version 101.23062 it ships in one that
//! scans nothing. The organisation's settings are in a file (learn.microsoft.com, "Set preferences for Microsoft Defender for Endpoint on
//! Linux": `enforcementLevel`); settings made on the machine are in an unpublished format.

use policies::fact::{Fact, Reason};
use serde_json::Value;

use crate::linux::context::{CheckContext, unknown};
use os::OsError;

const MANAGED: &str = "/etc/opt/microsoft/mdatp/managed/mdatp_managed.json";

/// Whether it protects, and whether it scans files as they are opened.
pub(super) fn mode(context: &CheckContext) -> (Fact<bool>, Fact<bool>) {
    let open = || Fact::unknown(Reason::SourceMissing, "nothing says that it is not in its passive mode");
    let text = match context.text(MANAGED) {
        Ok(text) => text,
        Err(OsError::Missing(_)) => return (open(), open()),
        Err(error) => return (unknown(&error), unknown(&error)),
    };
    let Ok(set) = serde_json::from_str::<Value>(&text) else {
        let damaged = || Fact::unknown(Reason::Unreadable, MANAGED);
        return (damaged(), damaged());
    };
    match set.pointer("/antivirusEngine/enforcementLevel").and_then(Value::as_str) {
        Some("real_time") => (Fact::Known(true), Fact::Known(true)),
        Some("on_demand") => (Fact::Known(true), Fact::Known(false)),
        Some("passive") => (Fact::Known(false), Fact::Known(false)),
        _ => (open(), open()),
    }
}
