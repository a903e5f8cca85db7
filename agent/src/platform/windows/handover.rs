//! What the installer passes to the service: three values of one registry key. Before they are read the key is closed to all but SYSTEM
//! and administrators. The token does not stay there.
#![expect(unsafe_code, reason = "the crate neither closes a key nor removes one of the other view")]

use std::io::{Error, ErrorKind, Result};

use windows::Win32::Foundation::{ERROR_FILE_NOT_FOUND, WIN32_ERROR};
use windows::Win32::Security::{DACL_SECURITY_INFORMATION, PROTECTED_DACL_SECURITY_INFORMATION};
use windows::Win32::System::Registry::{HKEY, HKEY_LOCAL_MACHINE, RegDeleteKeyExW, RegSetKeySecurity};
use windows::core::w;
use windows_registry::{Key, LOCAL_MACHINE};

use super::access;

/// The key, in the 64-bit view. [`forget`] repeats its name.
const KEY: &str = r"SOFTWARE\TramAn";
/// The value that is a secret.
const TOKEN: &str = "Token";
/// `KEY_WOW64_64KEY`: so that the installer and a 32-bit agent use the same key.
const VIEW: u32 = 0x100;
/// `WRITE_DAC`: needed to close the key.
const WRITE_LIST: u32 = 0x0004_0000;
/// Full access for SYSTEM and administrators, none for anybody else; nothing is inherited from above.
const CLOSED: &str = "D:P(A;CI;KA;;;SY)(A;CI;KA;;;BA)";

/// The values in the key.
pub struct Handover {
    /// `HOST:PORT` of the server.
    pub server: String,
    /// The token. Secret.
    pub token: String,
    /// The fingerprint of the server's CA.
    pub fingerprint: String,
    key: Key,
}

impl Handover {
    /// Removes the token, once it is stored elsewhere.
    ///
    /// # Errors
    /// When Windows refuses.
    pub fn taken(self) -> Result<()> {
        removed(self.key.remove_value(TOKEN))
    }
}

/// Closes the key and reads it; none when it holds no token.
///
/// # Errors
/// When the key cannot be closed or a value cannot be read.
pub fn read() -> Result<Option<Handover>> {
    let key = match LOCAL_MACHINE.options().read().write().access(VIEW | WRITE_LIST).open(KEY) {
        Ok(key) => key,
        Err(error) if is_missing(&error) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let list = access::Descriptor::of(CLOSED)?;
    let which = DACL_SECURITY_INFORMATION | PROTECTED_DACL_SECURITY_INFORMATION;
    // SAFETY: the key is open with the right to do so; the descriptor outlives the call.
    done(unsafe { RegSetKeySecurity(HKEY(key.as_raw()), which, list.place()) })?;
    let token = match key.get_string(TOKEN) {
        Ok(token) => token,
        Err(error) if is_missing(&error) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let (server, fingerprint) = (key.get_string("Server")?, key.get_string("Fingerprint")?);
    Ok(Some(Handover { server, token, fingerprint, key }))
}

/// Removes the key with all its values, if it exists.
///
/// # Errors
/// When Windows refuses.
pub fn forget() -> Result<()> {
    // SAFETY: the root key is always open, the text ends with NUL.
    let answer = unsafe { RegDeleteKeyExW(HKEY_LOCAL_MACHINE, w!(r"SOFTWARE\TramAn"), VIEW, None) };
    if answer == ERROR_FILE_NOT_FOUND { Ok(()) } else { done(answer) }
}

/// Treats what is already absent as removed.
pub(super) fn removed(answer: windows_registry::Result<()>) -> Result<()> {
    match answer {
        Err(error) if !is_missing(&error) => Err(error.into()),
        _ => Ok(()),
    }
}

fn is_missing(error: &windows::core::Error) -> bool {
    error.code() == ERROR_FILE_NOT_FOUND.to_hresult()
}

fn done(answer: WIN32_ERROR) -> Result<()> {
    match answer.ok() {
        Ok(()) => Ok(()),
        Err(error) => Err(Error::new(ErrorKind::Other, error)),
    }
}
