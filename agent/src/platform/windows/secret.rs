//! Secrets that only one account of this machine can read back, with the Data Protection API in the account's scope. Never in
//! the machine's scope (`CRYPTPROTECT_LOCAL_MACHINE`), in which every program on the machine could read them.
#![expect(unsafe_code, reason = "the Data Protection API is called through its C interface")]

use std::io::{Error, Result};

use windows::Win32::Foundation::{HLOCAL, LocalFree};
use windows::Win32::Security::Cryptography::{
    CRYPT_INTEGER_BLOB, CRYPTPROTECT_UI_FORBIDDEN, CryptProtectData, CryptUnprotectData,
};
use windows::core::PCWSTR;

/// Mixed in, so that another program's secret of the same account is not accepted as ours. Not secret itself.
const PURPOSE: &[u8] = b"tram-an agent secret 1";

/// Seals a secret for the account that runs this program.
///
/// # Errors
/// When Windows refuses.
pub fn seal(secret: &[u8]) -> Result<Vec<u8>> {
    let (secret, purpose) = (blob(secret)?, blob(PURPOSE)?);
    let mut sealed = Given::default();
    // SAFETY: both inputs point to bytes that outlive the call, which only reads them; so does the output pointer.
    unsafe {
        CryptProtectData(
            &raw const secret,
            PCWSTR::null(),
            Some(&raw const purpose),
            None,
            None,
            CRYPTPROTECT_UI_FORBIDDEN,
            &raw mut sealed.0,
        )
    }?;
    Ok(sealed.bytes().to_vec())
}

/// Opens what [`seal`] sealed for the same account.
///
/// # Errors
/// When another account sealed it, or it is damaged.
pub fn open(sealed: &[u8]) -> Result<Vec<u8>> {
    let (sealed, purpose) = (blob(sealed)?, blob(PURPOSE)?);
    let mut secret = Given::default();
    // SAFETY: both inputs point to bytes that outlive the call, which only reads them; so does the output pointer.
    unsafe {
        CryptUnprotectData(
            &raw const sealed,
            None,
            Some(&raw const purpose),
            None,
            None,
            CRYPTPROTECT_UI_FORBIDDEN,
            &raw mut secret.0,
        )
    }?;
    Ok(secret.bytes().to_vec())
}

fn blob(bytes: &[u8]) -> Result<CRYPT_INTEGER_BLOB> {
    let length = u32::try_from(bytes.len()).map_err(Error::other)?;
    Ok(CRYPT_INTEGER_BLOB { cbData: length, pbData: bytes.as_ptr().cast_mut() })
}

/// Bytes that Windows allocated for a result; wiped and freed on drop.
#[derive(Default)]
struct Given(CRYPT_INTEGER_BLOB);

impl Given {
    fn bytes(&self) -> &[u8] {
        if self.0.pbData.is_null() {
            return &[];
        }
        // SAFETY: Windows filled this many bytes at this address, which stays valid until `self` is dropped.
        unsafe { std::slice::from_raw_parts(self.0.pbData, self.0.cbData as usize) }
    }
}

impl Drop for Given {
    fn drop(&mut self) {
        for place in 0..self.bytes().len() {
            // SAFETY: the address is within the bytes that Windows gave, and nothing borrows them any more. Volatile, so that the
            // write is not optimised away.
            unsafe { self.0.pbData.add(place).write_volatile(0) };
        }
        // SAFETY: allocated by Windows with `LocalAlloc` (or null, which is allowed); freed once.
        unsafe { LocalFree(Some(HLOCAL(self.0.pbData.cast()))) };
    }
}
