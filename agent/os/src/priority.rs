//! The agent's priority on Windows when others want the machine: as low as it may be.
#![expect(unsafe_code, reason = "priorities are set through their C interface")]

use windows::Win32::System::Threading::{
    BELOW_NORMAL_PRIORITY_CLASS, GetCurrentProcess, GetCurrentThread, SetPriorityClass, SetThreadPriority,
    THREAD_MODE_BACKGROUND_BEGIN, THREAD_MODE_BACKGROUND_END,
};

/// Lowers the priority of the whole program below people's programs. Not lower: it must obey a stop within seconds even on a
/// busy machine.
pub fn give_way() {
    // SAFETY: the process is this one. If refused, the agent runs at normal priority.
    let _refused = unsafe { SetPriorityClass(GetCurrentProcess(), BELOW_NORMAL_PRIORITY_CLASS) };
}

/// This thread uses processor, disk and memory only when nobody else wants them, until it ends.
pub fn give_way_entirely() {
    // SAFETY: the thread is this one. If refused, the thread runs at normal priority.
    let _refused = unsafe { SetThreadPriority(GetCurrentThread(), THREAD_MODE_BACKGROUND_BEGIN) };
}

/// Returns this thread to the program's priority: others are waiting for what it does next.
pub fn as_others() {
    // SAFETY: the thread is this one. If refused, its priority had not been lowered.
    let _refused = unsafe { SetThreadPriority(GetCurrentThread(), THREAD_MODE_BACKGROUND_END) };
}
