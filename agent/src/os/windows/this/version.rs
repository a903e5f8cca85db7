//! The version a program file states of itself (`version.dll`).
#![expect(unsafe_code, reason = "versions are asked through their C interface")]

use windows::Win32::Storage::FileSystem::{GetFileVersionInfoSizeW, GetFileVersionInfoW, VerQueryValueW};
use windows::core::{HSTRING, w};

use super::{last_error, refused};
use crate::os::windows::decode;
use crate::os::{Answer, OsError};

/// [`super::super::WindowsOs::file_version`].
pub(super) fn of(path: &str) -> Answer<String> {
    let name = HSTRING::from(path);
    // SAFETY: the path ends with NUL.
    let length = unsafe { GetFileVersionInfoSizeW(&name, None) };
    if length == 0 {
        return Err(last_error(path));
    }
    // Of 8-byte numbers, so that the structures in it are aligned.
    let mut buffer = vec![0_u64; (length as usize).div_ceil(8)];
    // SAFETY: the path ends with NUL; the buffer holds at least `length` bytes.
    let answer = unsafe { GetFileVersionInfoW(&name, None, length, buffer.as_mut_ptr().cast()) };
    answer.map_err(|error| refused(path, &error))?;
    let mut block = std::ptr::null_mut();
    let mut size = 0;
    // SAFETY: the buffer is what `GetFileVersionInfoW` filled; both places outlive the call.
    let found = unsafe { VerQueryValueW(buffer.as_ptr().cast(), w!("\\"), &raw mut block, &raw mut size) };
    if !found.as_bool() || block.is_null() {
        return Err(OsError::Missing(path.to_owned()));
    }
    // SAFETY: Windows tells where in `buffer` the block stands and how long it is.
    let block = unsafe { std::slice::from_raw_parts(block.cast::<u8>(), size as usize) };
    decode::file_version(block).ok_or_else(|| OsError::Missing(path.to_owned()))
}
