//! Version and company in a program file's version information (`version.dll`).
#![expect(unsafe_code, reason = "versions are asked through their C interface")]

use windows::Win32::Storage::FileSystem::{GetFileVersionInfoSizeW, GetFileVersionInfoW, VerQueryValueW};
use windows::core::HSTRING;

use super::{last_error, refused};
use crate::windows::decode;
use crate::{Answer, OsError};

/// [`super::super::WindowsOs::file_version`].
pub(super) fn of(path: &str) -> Answer<String> {
    let information = Information::of(path)?;
    information.block(r"\").and_then(decode::file_version).ok_or_else(|| OsError::Missing(path.to_owned()))
}

/// [`super::super::WindowsOs::file_company`].
pub(super) fn company(path: &str) -> Answer<String> {
    let information = Information::of(path)?;
    let languages = decode::file_languages(information.block(r"\VarFileInfo\Translation").unwrap_or_default());
    let company = |language: String| {
        let company = information.text(&format!(r"\StringFileInfo\{language}\CompanyName"))?;
        Some(company.trim().to_owned()).filter(|company| !company.is_empty())
    };
    languages.into_iter().find_map(company).ok_or_else(|| OsError::Missing(format!("{path} : CompanyName")))
}

/// The version information of a file, made of 8-byte numbers, so that the structures in it are aligned.
struct Information(Vec<u64>);

impl Information {
    fn of(path: &str) -> Answer<Self> {
        let name = HSTRING::from(path);
        // SAFETY: the path ends with NUL.
        let length = unsafe { GetFileVersionInfoSizeW(&name, None) };
        if length == 0 {
            return Err(last_error(path));
        }
        let mut buffer = vec![0_u64; (length as usize).div_ceil(8)];
        // SAFETY: the path ends with NUL; the buffer holds at least `length` bytes.
        let answer = unsafe { GetFileVersionInfoW(&name, None, length, buffer.as_mut_ptr().cast()) };
        answer.map_err(|error| refused(path, &error))?;
        Ok(Self(buffer))
    }

    /// A block of bytes by name.
    fn block(&self, name: &str) -> Option<&[u8]> {
        let (start, length) = self.find(name)?;
        self.bytes().get(start..start.checked_add(length)?)
    }

    /// A text by name; Windows gives its length in units of two bytes.
    fn text(&self, name: &str) -> Option<String> {
        let (start, units) = self.find(name)?;
        let bytes = self.bytes().get(start..start.checked_add(units.checked_mul(2)?)?)?;
        let units: Vec<u16> = bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
        Some(decode::wide(&units))
    }

    /// Offset in the buffer and stated length of the named part: the length was written by the file's maker and may be wrong.
    fn find(&self, name: &str) -> Option<(usize, usize)> {
        let (mut place, mut length) = (std::ptr::null_mut(), 0);
        let name = HSTRING::from(name);
        // SAFETY: the buffer is what `GetFileVersionInfoW` filled; the name ends with NUL; both outputs outlive the call.
        let found = unsafe { VerQueryValueW(self.0.as_ptr().cast(), &name, &raw mut place, &raw mut length) };
        let start = place.addr().checked_sub(self.0.as_ptr().addr())?;
        found.as_bool().then_some((start, length as usize))
    }

    fn bytes(&self) -> &[u8] {
        // SAFETY: bytes of numbers that `self` owns.
        unsafe { std::slice::from_raw_parts(self.0.as_ptr().cast(), self.0.len() * 8) }
    }
}
