//! Event logs (`wevtapi`): events as XML, which has no text in the user's language.
#![expect(unsafe_code, reason = "event logs are asked through their C interface")]

use windows::Win32::Foundation::{ERROR_INSUFFICIENT_BUFFER, ERROR_NO_MORE_ITEMS};
use windows::Win32::System::EventLog::{
    EVT_HANDLE, EVT_VARIANT, EvtClose, EvtGetLogInfo, EvtLogFileSize, EvtNext, EvtOpenChannelPath, EvtOpenLog,
    EvtQuery, EvtQueryChannelPath, EvtQueryForwardDirection, EvtQueryReverseDirection, EvtRender, EvtRenderEventXml,
};
use windows::core::HSTRING;

use super::refused;
use crate::Answer;
use crate::windows::{Event, EventQuery, LogFile, decode};

/// Timeout for fetching the next events, in milliseconds.
const WAIT: u32 = 10_000;
/// How many events are fetched at once.
const AT_ONCE: usize = 32;

struct Handle(EVT_HANDLE);

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: the log service gave the handle; it is closed once. A failure cannot be handled.
        let _ = unsafe { EvtClose(self.0) };
    }
}

/// [`super::super::WindowsOs::events`], [`super::super::WindowsOs::events_of`].
pub(super) fn list(provider: Option<&str>, query: &EventQuery) -> Answer<Vec<Event>> {
    let asked = ask(&query.channel, &decode::event::xpath(provider, query), EvtQueryReverseDirection.0)?;
    let mut events = Vec::new();
    while events.len() < query.most {
        let some = next(&query.channel, &asked, AT_ONCE)?;
        if some.is_empty() {
            break;
        }
        // If there are many numbers, the query asked for all events.
        events.extend(some.into_iter().filter(|event| query.ids.contains(&event.id)));
    }
    events.truncate(query.most);
    Ok(events)
}

/// [`super::super::WindowsOs::log_file`].
pub(super) fn log_file(channel: &str) -> Answer<LogFile> {
    // SAFETY: the name ends with NUL.
    let log = unsafe { EvtOpenLog(None, &HSTRING::from(channel), EvtOpenChannelPath.0) };
    let log = Handle(log.map_err(|error| refused(channel, &error))?);
    let mut value = EVT_VARIANT::default();
    let mut used = 0;
    #[expect(clippy::cast_possible_truncation, reason = "the size of a structure of 16 bytes")]
    let length = size_of::<EVT_VARIANT>() as u32;
    // SAFETY: the log is open; the output is passed with its length.
    let answer = unsafe { EvtGetLogInfo(log.0, EvtLogFileSize, length, Some(&raw mut value), &raw mut used) };
    answer.map_err(|error| refused(channel, &error))?;
    let oldest = next(channel, &ask(channel, "*", EvtQueryForwardDirection.0)?, 1)?;
    Ok(LogFile {
        // SAFETY: the size of a log is such a number.
        size: unsafe { value.Anonymous.UInt64Val },
        oldest_at: oldest.first().map(|event| event.at),
    })
}

fn ask(channel: &str, query: &str, direction: u32) -> Answer<Handle> {
    let flags = EvtQueryChannelPath.0 | direction;
    // SAFETY: both texts end with NUL.
    let asked = unsafe { EvtQuery(None, &HSTRING::from(channel), &HSTRING::from(query), flags) };
    asked.map(Handle).map_err(|error| refused(channel, &error))
}

/// The next events, at most `most`; empty only when there are no more. Entries without number or time are left out, so
/// there may be fewer than `most` before the end.
fn next(channel: &str, asked: &Handle, most: usize) -> Answer<Vec<Event>> {
    let mut handles = [0_isize; AT_ONCE];
    loop {
        let mut count = 0;
        // SAFETY: the query is open; the space for handles are passed with their number.
        let answer = unsafe { EvtNext(asked.0, &mut handles[..most.min(AT_ONCE)], WAIT, 0, &raw mut count) };
        match answer {
            Ok(()) => {}
            Err(error) if error.code() == ERROR_NO_MORE_ITEMS.to_hresult() => return Ok(Vec::new()),
            Err(error) => return Err(refused(channel, &error)),
        }
        let given: Vec<Handle> =
            handles.iter().take(count as usize).map(|&handle| Handle(EVT_HANDLE(handle))).collect();
        let mut events = Vec::new();
        for handle in &given {
            events.extend(decode::event::event(&rendered(channel, handle)?));
        }
        if !events.is_empty() || given.is_empty() {
            return Ok(events);
        }
    }
}

fn rendered(channel: &str, event: &Handle) -> Answer<String> {
    let mut buffer = vec![0_u16; 2048];
    loop {
        let (mut used, mut properties) = (0, 0);
        let length = u32::try_from(buffer.len() * 2).unwrap_or(u32::MAX);
        let place = Some(buffer.as_mut_ptr().cast());
        let xml = EvtRenderEventXml.0;
        // SAFETY: the event is open; the buffer is passed with its length in bytes.
        let answer = unsafe { EvtRender(None, event.0, xml, length, place, &raw mut used, &raw mut properties) };
        match answer {
            Ok(()) => return Ok(decode::wide(&buffer)),
            Err(error) if error.code() == ERROR_INSUFFICIENT_BUFFER.to_hresult() && used > length => {
                buffer.resize((used as usize).div_ceil(2), 0);
            }
            Err(error) => return Err(refused(channel, &error)),
        }
    }
}
