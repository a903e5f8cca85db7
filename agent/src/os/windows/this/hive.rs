//! Files of the registry that Windows has not loaded: the settings of people who are not logged on.
//!
//! Windows opens `NTUSER.DAT` for itself alone when its owner logs on. Were it open here at that moment, Windows would fail and give
//! that person a temporary profile. So it is read under an opportunistic lock (read and handle caching, Windows 7 and later): whoever
//! opens the file meanwhile is not refused but waits until we close it, which we do as soon as we are told. It is never loaded
//! (`RegLoadKey`), which would write to it.
#![expect(unsafe_code, reason = "no safe crate asks for an opportunistic lock or reads while one is held")]

use std::fs::File;
use std::os::windows::fs::{MetadataExt, OpenOptionsExt};
use std::os::windows::io::AsRawHandle;
use std::time::Duration;

use windows::Win32::Foundation::{
    ERROR_CANNOT_GRANT_REQUESTED_OPLOCK, ERROR_HANDLE_EOF, ERROR_INVALID_FUNCTION, ERROR_IO_PENDING,
    ERROR_LOCK_VIOLATION, ERROR_NOT_SUPPORTED, ERROR_OPLOCK_BREAK_IN_PROGRESS, ERROR_OPLOCK_NOT_GRANTED,
    ERROR_SHARING_VIOLATION, HANDLE, WIN32_ERROR,
};
use windows::Win32::Storage::FileSystem::{
    FILE_ATTRIBUTE_REPARSE_POINT, FILE_FLAG_OPEN_REPARSE_POINT, FILE_FLAG_OVERLAPPED, ReadFile,
};
use windows::Win32::System::IO::{DeviceIoControl, GetOverlappedResult, OVERLAPPED};
use windows::Win32::System::Ioctl::{
    FSCTL_REQUEST_OPLOCK, OPLOCK_LEVEL_CACHE_HANDLE, OPLOCK_LEVEL_CACHE_READ, REQUEST_OPLOCK_CURRENT_VERSION,
    REQUEST_OPLOCK_INPUT_BUFFER, REQUEST_OPLOCK_INPUT_FLAG_REQUEST, REQUEST_OPLOCK_OUTPUT_BUFFER,
};

use super::signal::Signal;
use super::{SHARE_ALL, priority, refused};
use crate::os::windows::Subkey;
use crate::os::windows::decode::hive::{self, Bytes};
use crate::os::{Answer, OsError, failed};

/// How long the end of the lock is waited for once its file is closed. Windows ends it in that moment.
const ENDING: Duration = Duration::from_secs(2);

/// [`super::super::WindowsOs::saved`].
pub(super) fn saved(path: &str, keys: &[String]) -> Answer<Vec<Vec<Subkey>>> {
    // Somebody's logon may wait for us: a worker that gives way to everything else would keep it waiting.
    priority::as_others();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    hive::read(&mut Yielding::open(path)?, path, &keys)
}

/// An opened file that is read only as long as nobody else wants it.
struct Yielding {
    path: String,
    /// Opened for overlapped reading; none once it is closed.
    file: Option<File>,
    /// None where the file system has no such locks.
    lock: Option<Lock>,
    /// The end of one reading.
    done: Signal,
}

impl Yielding {
    fn open(path: &str) -> Answer<Self> {
        let opened = File::options()
            .read(true)
            .share_mode(SHARE_ALL)
            .custom_flags((FILE_FLAG_OVERLAPPED | FILE_FLAG_OPEN_REPARSE_POINT).0)
            .open(path);
        let file = opened.map_err(|error| match error.raw_os_error().map(i32::cast_unsigned) {
            Some(code) if code == ERROR_SHARING_VIOLATION.0 => in_use(path),
            _ => failed(path, &error),
        })?;
        let done = Signal::new(true).map_err(|error| failed(path, &error))?;
        let metadata = file.metadata().map_err(|error| failed(path, &error))?;
        if !metadata.is_file() || metadata.file_attributes() & FILE_ATTRIBUTE_REPARSE_POINT.0 != 0 {
            return Err(OsError::Failed(path.to_owned(), "is no ordinary file".to_owned()));
        }
        let lock = Lock::of(&file, path)?;
        Ok(Self { path: path.to_owned(), file: Some(file), lock, done })
    }
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
        // SAFETY: the file is open for overlapped reading and `done` is for this reading alone; buffer and places outlive it, because its
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
        // The file first: were the lock given back before, whoever opens the file between the two would be refused.
        drop(self.file.take());
    }
}

/// An opportunistic lock on a file, which its owner closes before this.
struct Lock {
    /// Given when somebody wants the file, and when it is closed.
    broken: Signal,
    /// Windows writes here until `broken` is given.
    asked: *mut Asked,
}

/// What Windows is asked with, and where it answers.
struct Asked {
    place: OVERLAPPED,
    question: REQUEST_OPLOCK_INPUT_BUFFER,
    answer: REQUEST_OPLOCK_OUTPUT_BUFFER,
}

impl Lock {
    /// The lock on `file`; `None` where the file system has none.
    fn of(file: &File, path: &str) -> Answer<Option<Self>> {
        let broken = Signal::new(true).map_err(|error| failed(path, &error))?;
        let question = REQUEST_OPLOCK_INPUT_BUFFER {
            StructureVersion: REQUEST_OPLOCK_CURRENT_VERSION as u16,
            StructureLength: size_of::<REQUEST_OPLOCK_INPUT_BUFFER>() as u16,
            RequestedOplockLevel: OPLOCK_LEVEL_CACHE_READ | OPLOCK_LEVEL_CACHE_HANDLE,
            Flags: REQUEST_OPLOCK_INPUT_FLAG_REQUEST,
        };
        let place = OVERLAPPED { hEvent: broken.handle(), ..OVERLAPPED::default() };
        let asked = Box::into_raw(Box::new(Asked { place, question, answer: REQUEST_OPLOCK_OUTPUT_BUFFER::default() }));
        let mut told = 0;
        // SAFETY: the file is open; both structures are told with their sizes, and `asked` lives until Windows is done with it: until
        // the drop of `Lock` or, where nothing is pending, below.
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
            // Pending is what Windows calls a lock that is held.
            return Ok(Some(Self { broken, asked }));
        }
        // SAFETY: it came from a box, and Windows has answered already.
        drop(unsafe { Box::from_raw(asked) });
        match answer {
            // Held and broken in the same moment.
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
        // Else Windows may still write to it: it stays where it is for good.
    }
}

/// Somebody has the file open in a way that leaves no room for the lock.
const NOT_NOW: [WIN32_ERROR; 3] =
    [ERROR_OPLOCK_NOT_GRANTED, ERROR_CANNOT_GRANT_REQUESTED_OPLOCK, ERROR_OPLOCK_BREAK_IN_PROGRESS];
/// The file system has no such locks: other people's logon does not depend on files there.
const NO_LOCKS: [WIN32_ERROR; 2] = [ERROR_INVALID_FUNCTION, ERROR_NOT_SUPPORTED];

fn is(error: &windows::core::Error, codes: &[WIN32_ERROR]) -> bool {
    codes.iter().any(|code| error.code() == code.to_hresult())
}

fn in_use(path: &str) -> OsError {
    OsError::Failed(path.to_owned(), "is in use: its owner is logging on or off".to_owned())
}
