//! Secrets that only one account of this machine can read again: the Data Protection API in the account's own scope. Never in
//! the machine's scope (`CRYPTPROTECT_LOCAL_MACHINE`), in which every program on the machine could read them.
#![expect(unsafe_code, reason = "the Data Protection API is called through its C interface")]

use std::io::{Error, Result};

use windows::Win32::Foundation::{HLOCAL, LocalFree};
use windows::Win32::Security::Cryptography::{
    CRYPT_INTEGER_BLOB, CRYPTPROTECT_UI_FORBIDDEN, CryptProtectData, CryptUnprotectData,
};
use windows::core::PCWSTR;

/// Mixed in, so that a secret of another program of the same account is not taken for one of ours. No secret itself.
const PURPOSE: &[u8] = b"tram-an agent secret 1";

/// Seals a secret for the account that runs this program.
///
/// # Errors
/// When Windows refuses.
pub fn seal(secret: &[u8]) -> Result<Vec<u8>> {
    let (secret, purpose) = (blob(secret)?, blob(PURPOSE)?);
    let mut sealed = Given::default();
    // SAFETY: both inputs point to bytes that live through the call, which only reads them; the place outlives it.
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
    // SAFETY: both inputs point to bytes that live through the call, which only reads them; the place outlives it.
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

/// Bytes that Windows allocated for an answer; wiped and given back.
#[derive(Default)]
struct Given(CRYPT_INTEGER_BLOB);

impl Given {
    fn bytes(&self) -> &[u8] {
        if self.0.pbData.is_null() {
            return &[];
        }
        // SAFETY: Windows filled so many bytes at this place, which lives until `self` is dropped.
        unsafe { std::slice::from_raw_parts(self.0.pbData, self.0.cbData as usize) }
    }
}

impl Drop for Given {
    fn drop(&mut self) {
        for place in 0..self.bytes().len() {
            // SAFETY: the place lies within the bytes that Windows gave and nobody borrows any more. Volatile, so that it is done.
            unsafe { self.0.pbData.add(place).write_volatile(0) };
        }
        // SAFETY: Windows allocated it by `LocalAlloc` (or it is null, which is allowed); it is given back once.
        unsafe { LocalFree(Some(HLOCAL(self.0.pbData.cast()))) };
    }
}
