//! When Kaspersky last updated its definitions: `KasperskyLab\protected\{product}\Data : LastSuccessfulUpdate`, seconds since
//! 1970.
//!
//! An update fetches the newest definitions, so this stands for their age. If a product version does not write the value there, the
//! age is unknown.

use jiff::Timestamp;
use policies::fact::{Fact, Reason};

use crate::windows::context::{CheckContext, Setting, unknown};
use os::OsError;

const FOLDERS: [&str; 2] =
    [r"HKLM\SOFTWARE\KasperskyLab\protected", r"HKLM\SOFTWARE\WOW6432Node\KasperskyLab\protected"];
/// Means "never".
const NEVER: u64 = 0xFFFF_FFFF;

/// The latest of all its products. A future time was written by a clock that was ahead.
pub(super) fn updated_at(context: &CheckContext) -> Fact<Timestamp> {
    let (mut newest, mut unread) = (None, None);
    for folder in FOLDERS {
        let products = match context.os.keys(folder) {
            Ok(products) => products,
            Err(OsError::Missing(_)) => continue,
            Err(error) => {
                unread = Some(error);
                continue;
            }
        };
        for product in products {
            match context.number(&format!(r"{folder}\{product}\Data"), "LastSuccessfulUpdate") {
                Setting::Set(0 | NEVER) | Setting::Absent => {}
                Setting::Set(seconds) => {
                    let at = i64::try_from(seconds).ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
                    newest = newest.max(at.filter(|at| *at <= context.now));
                }
                Setting::Unreadable(error) => unread = Some(error),
            }
        }
    }
    match (newest, unread) {
        (Some(at), _) => Fact::Known(at),
        (None, Some(error)) => unknown(&error),
        (None, None) => Fact::unknown(Reason::NoReader, "LastSuccessfulUpdate"),
    }
}
