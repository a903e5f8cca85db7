//! Registry files that Windows has not loaded: the settings of people who are not logged on.
//!
//! Windows opens `NTUSER.DAT` exclusively when its owner logs on. If the agent had it open at that moment, Windows would fail and give the
//! person a temporary profile. So the file is opened and read under an opportunistic lock (read and handle caching, Windows 7 and later),
//! as Microsoft's "Requesting and granting oplocks" describes: anyone who opens the file meanwhile is not refused but waits until we close
//! it, which we do as soon as we are notified. It is never loaded (`RegLoadKey`), because that would write to it.
#![expect(unsafe_code, reason = "no safe crate asks for an opportunistic lock or reads while one is held")]

use std::fs::{File, Metadata};
use std::os::windows::fs::MetadataExt;
use std::os::windows::io::{AsRawHandle, FromRawHandle};
use std::time::Duration;

use windows::Wdk::Foundation::OBJECT_ATTRIBUTES;
use windows::Wdk::Storage::FileSystem::{
    FILE_NON_DIRECTORY_FILE, FILE_OPEN, FILE_OPEN_REPARSE_POINT, FILE_OPEN_REQUIRING_OPLOCK, NtCreateFile,
};
use windows::Win32::Foundation::{
    ERROR_CANNOT_BREAK_OPLOCK, ERROR_CANNOT_GRANT_REQUESTED_OPLOCK, ERROR_HANDLE_EOF, ERROR_INVALID_FUNCTION,
    ERROR_IO_PENDING, ERROR_LOCK_VIOLATION, ERROR_NOT_SUPPORTED, ERROR_OPLOCK_BREAK_IN_PROGRESS,
    ERROR_OPLOCK_NOT_GRANTED, ERROR_SHARING_VIOLATION, HANDLE, OBJ_CASE_INSENSITIVE, RtlNtStatusToDosError,
    UNICODE_STRING, WIN32_ERROR,
};
use windows::Win32::Storage::FileSystem::{
    FILE_ATTRIBUTE_REPARSE_POINT, FILE_FLAGS_AND_ATTRIBUTES, FILE_GENERIC_READ, FILE_SHARE_MODE, ReadFile,
};
use windows::Win32::System::IO::{DeviceIoControl, GetOverlappedResult, IO_STATUS_BLOCK, OVERLAPPED};
use windows::Win32::System::Ioctl::{
    FSCTL_REQUEST_OPLOCK, OPLOCK_LEVEL_CACHE_HANDLE, OPLOCK_LEVEL_CACHE_READ, REQUEST_OPLOCK_CURRENT_VERSION,
    REQUEST_OPLOCK_INPUT_BUFFER, REQUEST_OPLOCK_INPUT_FLAG_REQUEST, REQUEST_OPLOCK_OUTPUT_BUFFER,
};
use windows::core::PWSTR;

use super::signal::Signal;
use super::{SHARE_ALL, refused};
use crate::windows::decode::hive::{self, Bytes};
use crate::windows::{Subkey, decode};
use crate::{Answer, OsError, failed, priority};

/// How long to wait for the lock to end once its file is closed. Windows ends it at that moment.
const ENDING: Duration = Duration::from_secs(2);

/// [`super::super::WindowsOs::saved`].
pub(super) fn saved(path: &str, keys: &[String]) -> Answer<Vec<Vec<Subkey>>> {
    // Somebody's logon may be waiting for us: a worker with low priority would keep it waiting.
    priority::as_others();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    hive::read(&mut Yielding::open(path)?, path, &keys)
}

/// An open file that is read only as long as nobody else wants it.
struct Yielding {
    path: String,
    /// Opened for overlapped reads; none once it is closed.
    file: Option<File>,
    /// None where the file system does not support such locks.
    lock: Option<Lock>,
    /// Signals the end of one read.
    done: Signal,
}

impl Yielding {
    fn open(path: &str) -> Answer<Self> {
        let [done, broken] =
            [Signal::new(true), Signal::new(true)].map(|made| made.map_err(|error| failed(path, &error)));
        let (done, broken) = (done?, broken?);
        let file = opened(path)?;
        // Immediately, with nothing in between: until then anyone who opens the file waits for us.
        let lock = Lock::of(&file, broken, path)?;
        let yielding = Self { path: path.to_owned(), file: Some(file), lock, done };
        let metadata = yielding.file.as_ref().map(File::metadata).transpose().map_err(|error| failed(path, &error))?;
        let odd = |file: &Metadata| !file.is_file() || file.file_attributes() & FILE_ATTRIBUTE_REPARSE_POINT.0 != 0;
        if metadata.as_ref().is_none_or(odd) {
            return Err(OsError::Failed(path.to_owned(), "is no ordinary file".to_owned()));
        }
        Ok(yielding)
    }
}

/// Opens a file for overlapped reads, so that nobody who opens it between our opening and the lock is refused either. Does not open it
/// where that would disturb another process that has it open.
fn opened(path: &str) -> Answer<File> {
    let mut name: Vec<u16> = r"\??\".encode_utf16().chain(path.encode_utf16()).collect();
    let length = u16::try_from(2 * name.len()).map_err(|_| OsError::Missing(path.to_owned()))?;
    let name = UNICODE_STRING { Length: length, MaximumLength: length, Buffer: PWSTR(name.as_mut_ptr()) };
    let object = OBJECT_ATTRIBUTES {
        Length: size_of::<OBJECT_ATTRIBUTES>() as u32,
        ObjectName: &raw const name,
        Attributes: OBJ_CASE_INSENSITIVE,
        ..OBJECT_ATTRIBUTES::default()
    };
    let (mut handle, mut told) = (HANDLE::default(), IO_STATUS_BLOCK::default());
    // SAFETY: the name is passed with its length; it and all pointers outlive the call.
    let status = unsafe {
        NtCreateFile(
            &raw mut handle,
            FILE_GENERIC_READ,
            &raw const object,
            &raw mut told,
            None,
            FILE_FLAGS_AND_ATTRIBUTES::default(),
            FILE_SHARE_MODE(SHARE_ALL),
            FILE_OPEN,
            FILE_OPEN_REQUIRING_OPLOCK | FILE_NON_DIRECTORY_FILE | FILE_OPEN_REPARSE_POINT,
            None,
            0,
        )
    };
    if status.is_err() {
        // SAFETY: it takes one number.
        let code = unsafe { RtlNtStatusToDosError(status) };
        let in_the_way = [ERROR_SHARING_VIOLATION.0, ERROR_CANNOT_BREAK_OPLOCK.0].contains(&code);
        return Err(if in_the_way { in_use(path) } else { decode::refused(path, code) });
    }
    // SAFETY: it was just opened, and nothing else closes it.
    Ok(unsafe { File::from_raw_handle(handle.0) })
}

impl Bytes for Yielding {
    fn read(&mut self, at: u64, buffer: &mut [u8]) -> Answer<usize> {
        let Some(file) = &self.file else { return Err(in_use(&self.path)) };
        if self.lock.as_ref().is_some_and(Lock::is_broken) {
            return Err(in_use(&self.path));
        }
        let file = HANDLE(file.as_raw_handle());
        let mut place = OVERLAPPED { hEvent: self.done.handle(), ..OVERLAPPED::default() };
        (place.Anonymous.Anonymous.Offset, place.Anonymous.Anonymous.OffsetHigh) = (at as u32, (at >> 32) as u32);
        let mut read = 0;
        // SAFETY: the file is open for overlapped reads and `done` is for this read alone; buffer and pointers outlive it, because its
        // end is waited for below.
        let begun = unsafe { ReadFile(file, Some(buffer), Some(&raw mut read), Some(&raw mut place)) };
        let ended = match begun {
            Err(error) if !is(&error, &[ERROR_IO_PENDING]) => Err(error),
            // SAFETY: as above.
            _ => unsafe { GetOverlappedResult(file, &raw const place, &raw mut read, true) },
        };
        match ended {
            Ok(()) => Ok((read as usize).min(buffer.len())),
            Err(error) if is(&error, &[ERROR_HANDLE_EOF]) => Ok(0),
            Err(error) if is(&error, &[ERROR_LOCK_VIOLATION]) => Err(in_use(&self.path)),
            Err(error) => Err(refused(&self.path, &error)),
        }
    }
}

impl Drop for Yielding {
    fn drop(&mut self) {
        // The file first: if the lock were released earlier, anyone opening the file in between would be refused.
        drop(self.file.take());
    }
}

/// An opportunistic lock on a file; the file must be closed before this is dropped.
struct Lock {
    /// Signalled when somebody wants the file, and when it is closed.
    broken: Signal,
    /// Windows writes here until `broken` is signalled.
    asked: *mut Asked,
}

/// The request to Windows, and the space for its answer.
struct Asked {
    place: OVERLAPPED,
    question: REQUEST_OPLOCK_INPUT_BUFFER,
    answer: REQUEST_OPLOCK_OUTPUT_BUFFER,
}

impl Lock {
    /// Takes a lock on `file` that signals `broken`; `None` where the file system does not support it.
    fn of(file: &File, broken: Signal, path: &str) -> Answer<Option<Self>> {
        let question = REQUEST_OPLOCK_INPUT_BUFFER {
            StructureVersion: REQUEST_OPLOCK_CURRENT_VERSION as u16,
            StructureLength: size_of::<REQUEST_OPLOCK_INPUT_BUFFER>() as u16,
            RequestedOplockLevel: OPLOCK_LEVEL_CACHE_READ | OPLOCK_LEVEL_CACHE_HANDLE,
            Flags: REQUEST_OPLOCK_INPUT_FLAG_REQUEST,
        };
        let place = OVERLAPPED { hEvent: broken.handle(), ..OVERLAPPED::default() };
        let asked = Box::into_raw(Box::new(Asked { place, question, answer: REQUEST_OPLOCK_OUTPUT_BUFFER::default() }));
        let mut told = 0;
        // SAFETY: the file is open; both structures are passed with their sizes, and `asked` lives until Windows is done with it:
        // until `Lock` is dropped or, where nothing is pending, below.
        let answer = unsafe {
            DeviceIoControl(
                HANDLE(file.as_raw_handle()),
                FSCTL_REQUEST_OPLOCK,
                Some((&raw const (*asked).question).cast()),
                size_of::<REQUEST_OPLOCK_INPUT_BUFFER>() as u32,
                Some((&raw mut (*asked).answer).cast()),
                size_of::<REQUEST_OPLOCK_OUTPUT_BUFFER>() as u32,
                Some(&raw mut told),
                Some(&raw mut (*asked).place),
            )
        };
        if let Err(error) = &answer
            && is(error, &[ERROR_IO_PENDING])
        {
            // Windows reports a lock that is held as pending.
            return Ok(Some(Self { broken, asked }));
        }
        // SAFETY: it came from a box, and Windows has answered already.
        drop(unsafe { Box::from_raw(asked) });
        match answer {
            // Granted and broken at the same moment.
            Ok(()) => Err(in_use(path)),
            Err(error) if is(&error, &NOT_NOW) => Err(in_use(path)),
            Err(error) if is(&error, &NO_LOCKS) => Ok(None),
            Err(error) => Err(refused(path, &error)),
        }
    }

    /// True when somebody wants the file.
    fn is_broken(&self) -> bool {
        self.broken.came_within(Duration::ZERO)
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if self.broken.came_within(ENDING) {
            // SAFETY: it came from a box, and Windows is done with it.
            drop(unsafe { Box::from_raw(self.asked) });
        }
        // Otherwise Windows may still write to it: it is leaked.
    }
}

/// Another process has the file open in a way that rules out the lock.
const NOT_NOW: [WIN32_ERROR; 3] =
    [ERROR_OPLOCK_NOT_GRANTED, ERROR_CANNOT_GRANT_REQUESTED_OPLOCK, ERROR_OPLOCK_BREAK_IN_PROGRESS];
/// The file system has no such locks. NTFS has them, and Windows requires it for the volume with the profiles.
const NO_LOCKS: [WIN32_ERROR; 2] = [ERROR_INVALID_FUNCTION, ERROR_NOT_SUPPORTED];

fn is(error: &windows::core::Error, codes: &[WIN32_ERROR]) -> bool {
    codes.iter().any(|code| error.code() == code.to_hresult())
}

fn in_use(path: &str) -> OsError {
    OsError::Failed(path.to_owned(), "is in use".to_owned())
}
