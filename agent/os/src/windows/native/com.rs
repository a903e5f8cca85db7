//! COM in a worker: initialised when the work starts, uninitialised when it ends.
#![expect(unsafe_code, reason = "COM is begun and ended through its C interface")]

use std::marker::PhantomData;

use windows::Win32::System::Com::{CLSCTX_ALL, COINIT_MULTITHREADED, CoCreateInstance, CoInitializeEx, CoUninitialize};
use windows::core::{GUID, Interface};

use super::refused;
use crate::Answer;

/// COM of this thread, in the multithreaded apartment. Objects made with it must be dropped before it.
pub(super) struct Com(PhantomData<*const ()>);

impl Com {
    /// Initialises COM.
    pub(super) fn begin() -> Answer<Self> {
        // SAFETY: ended by the drop, in the same thread (it cannot be sent).
        unsafe { CoInitializeEx(None, COINIT_MULTITHREADED) }.ok().map_err(|error| refused("COM", &error))?;
        Ok(Self(PhantomData))
    }

    /// A new object of `class`; `what` names it in an error.
    pub(super) fn object<T: Interface>(&self, what: &str, class: &GUID) -> Answer<T> {
        // SAFETY: `self` shows that COM is initialised in this thread.
        unsafe { CoCreateInstance(class, None, CLSCTX_ALL) }.map_err(|error| refused(what, &error))
    }
}

impl Drop for Com {
    fn drop(&mut self) {
        // SAFETY: one uninitialisation per successful initialisation.
        unsafe { CoUninitialize() };
    }
}
