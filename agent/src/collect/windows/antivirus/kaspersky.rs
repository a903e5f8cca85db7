//! When Kaspersky last took new definitions: `KasperskyLab\protected\{product}\Data : LastSuccessfulUpdate`, seconds since 1970.
//!
//! An update takes the newest there are, so this stands for the age of the definitions. Where a version of the product does not write
//! it there, nothing is known.

use jiff::Timestamp;
use policies::fact::{Fact, Reason};

use crate::collect::windows::scene::{Scene, Setting};

const FOLDERS: [&str; 2] =
    [r"HKLM\SOFTWARE\KasperskyLab\protected", r"HKLM\SOFTWARE\WOW6432Node\KasperskyLab\protected"];
/// Stands for "never".
const NEVER: u64 = 0xFFFF_FFFF;

/// The latest of all its products.
pub(super) fn updated_at(scene: &Scene) -> Fact<Timestamp> {
    let keys = FOLDERS.iter().flat_map(|folder| {
        let products = scene.os.keys(folder).unwrap_or_default();
        products.into_iter().map(move |product| format!(r"{folder}\{product}\Data"))
    });
    let seconds = keys.filter_map(|key| match scene.number(&key, "LastSuccessfulUpdate") {
        Setting::Set(seconds) if seconds != 0 && seconds != NEVER => i64::try_from(seconds).ok(),
        _ => None,
    });
    match seconds.filter_map(|seconds| Timestamp::from_second(seconds).ok()).max() {
        Some(at) => Fact::Known(at),
        None => Fact::unknown(Reason::NoReader, "LastSuccessfulUpdate"),
    }
}
