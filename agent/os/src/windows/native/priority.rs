//! How much of the machine the agent takes when others want it: as little as Windows lets it.
#![expect(unsafe_code, reason = "priorities are set through their C interface")]

use windows::Win32::System::Threading::{
    BELOW_NORMAL_PRIORITY_CLASS, GetCurrentProcess, GetCurrentThread, SetPriorityClass, SetThreadPriority,
    THREAD_MODE_BACKGROUND_BEGIN, THREAD_MODE_BACKGROUND_END,
};

/// The whole program gives way to programs of people. Not lower: a stop must be obeyed within seconds on a busy machine too.
pub fn give_way() {
    // SAFETY: the process is this one. Where it is refused the agent runs as others do.
    let _refused = unsafe { SetPriorityClass(GetCurrentProcess(), BELOW_NORMAL_PRIORITY_CLASS) };
}

/// This thread takes processor, disk and memory only when nobody else wants them, until it ends.
pub fn give_way_entirely() {
    // SAFETY: the thread is this one. Where it is refused the thread runs as others do.
    let _refused = unsafe { SetThreadPriority(GetCurrentThread(), THREAD_MODE_BACKGROUND_BEGIN) };
}

/// This thread takes what the program takes again: others wait for what it does next.
pub fn as_others() {
    // SAFETY: the thread is this one. Where it is refused the thread had not given way.
    let _refused = unsafe { SetThreadPriority(GetCurrentThread(), THREAD_MODE_BACKGROUND_END) };
}
