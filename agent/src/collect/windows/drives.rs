//! Which drives are removable.

use super::scene::Scene;
use crate::os::windows::Registry;
use crate::os::{Answer, OsError};

/// Letters of drives that are USB storage, also of those that are no longer plugged in.
///
/// # Errors
/// When it may not be read what was ever mounted.
pub(super) fn removable(scene: &Scene) -> Answer<Vec<char>> {
    let is_usb = |bytes: &[u8]| {
        let units: Vec<u16> = bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
        let text = String::from_utf16_lossy(&units).to_ascii_uppercase();
        text.contains("USBSTOR#") || text.contains("REMOVABLEMEDIA")
    };
    let values = match scene.os.values(r"HKLM\SYSTEM\MountedDevices") {
        Ok(values) => values,
        Err(OsError::Missing(_)) => Vec::new(),
        Err(error) => return Err(error),
    };
    let drive = |(name, value): (String, Registry)| match value {
        Registry::Bytes(bytes) if is_usb(&bytes) => {
            name.to_ascii_uppercase().strip_prefix(r"\DOSDEVICES\")?.chars().next()
        }
        _ => None,
    };
    Ok(values.into_iter().filter_map(drive).collect())
}
