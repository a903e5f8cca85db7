//! Which drives are removable.

use super::context::CheckContext;
use os::windows::Registry;
use os::{Answer, OsError};

/// Drive letters of USB storage, including drives that are no longer plugged in.
///
/// # Errors
/// When the list of drives exists but cannot be read.
pub(super) fn removable(context: &CheckContext) -> Answer<Vec<char>> {
    let is_usb = |bytes: &[u8]| {
        let units: Vec<u16> = bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
        let text = String::from_utf16_lossy(&units).to_ascii_uppercase();
        text.contains("USBSTOR#") || text.contains("REMOVABLEMEDIA")
    };
    let values = match context.os.values(r"HKLM\SYSTEM\MountedDevices") {
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

#[cfg(test)]
mod tests {
    use super::*;
    use os::windows::recorded::Recorded;

    const DEVICES: &str = r"HKLM\SYSTEM\MountedDevices";

    fn drives(os: Recorded) -> Answer<Vec<char>> {
        removable(&CheckContext::of(os))
    }

    #[test]
    fn drives_that_cannot_be_read_are_not_taken_for_lasting_ones() {
        let stick: Vec<u8> = "_??_USBSTOR#Disk&Ven_X".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let os = Recorded::new().set(DEVICES, r"\DosDevices\E:", Registry::Bytes(stick)).set(
            DEVICES,
            r"\DosDevices\C:",
            Registry::Bytes(vec![0; 12]),
        );
        assert_eq!(drives(os.clone()), Ok(vec!['E']));
        assert_eq!(drives(Recorded::new()), Ok(Vec::new()));
        assert!(drives(os.denying(DEVICES)).is_err());
    }
}
