//! Wireless links that are up (`wlanapi.dll`). Servers lack that library until the feature is added, so it is loaded if
//! present and never imported.
#![expect(unsafe_code, reason = "the wireless service is asked through its C interface")]

use core::ffi::c_void;

use windows::Win32::Foundation::{FreeLibrary, HANDLE, HMODULE};
use windows::Win32::NetworkManagement::WiFi::{
    WLAN_CONNECTION_ATTRIBUTES, WLAN_INTERFACE_INFO, WLAN_INTERFACE_INFO_LIST, wlan_interface_state_connected,
    wlan_intf_opcode_current_connection,
};
use windows::Win32::System::LibraryLoader::{GetProcAddress, LOAD_WITH_ALTERED_SEARCH_PATH, LoadLibraryExW};
use windows::Win32::System::SystemInformation::GetSystemDirectoryW;
use windows::core::{GUID, HSTRING, PCSTR, s};

use super::refused;
use crate::windows::{WirelessLink, decode};
use crate::{Answer, OsError};

const WHAT: &str = "wireless service";
/// `ERROR_SERVICE_NOT_ACTIVE`, `ERROR_SERVICE_DOES_NOT_EXIST`: wireless is not used here.
const NO_SERVICE: [u32; 2] = [1062, 1060];
/// `ERROR_NOT_FOUND`, `ERROR_INVALID_STATE`: the link has just gone down.
const GONE: [u32; 2] = [1168, 5023];
/// The API version of Windows Vista and later.
const VERSION: u32 = 2;

type Open = unsafe extern "system" fn(u32, *const c_void, *mut u32, *mut HANDLE) -> u32;
type Close = unsafe extern "system" fn(HANDLE, *const c_void) -> u32;
type List = unsafe extern "system" fn(HANDLE, *const c_void, *mut *mut WLAN_INTERFACE_INFO_LIST) -> u32;
type Query =
    unsafe extern "system" fn(HANDLE, *const GUID, i32, *const c_void, *mut u32, *mut *mut c_void, *mut i32) -> u32;
type Free = unsafe extern "system" fn(*const c_void);

struct Library(HMODULE);

impl Drop for Library {
    fn drop(&mut self) {
        // SAFETY: loaded by `load`, released once, when none of its functions is called any more.
        let _ = unsafe { FreeLibrary(self.0) };
    }
}

impl Library {
    /// Only from the system's own folder, by full path: Windows 7 has no other safe way.
    fn load() -> Answer<Self> {
        let mut folder = [0_u16; 260];
        // SAFETY: the buffer is passed with its length.
        if unsafe { GetSystemDirectoryW(Some(&mut folder)) } == 0 {
            return Err(super::last_error(WHAT));
        }
        let path = HSTRING::from(format!(r"{}\wlanapi.dll", decode::wide(&folder)));
        // SAFETY: the path ends with NUL.
        let library = unsafe { LoadLibraryExW(&path, None, LOAD_WITH_ALTERED_SEARCH_PATH) };
        library.map(Self).map_err(|error| refused(WHAT, &error))
    }

    /// # Safety
    /// `F` is the type of the function of this name.
    unsafe fn function<F: Copy>(&self, name: PCSTR) -> Answer<F> {
        // SAFETY: the library is loaded, the name ends with NUL.
        let address = unsafe { GetProcAddress(self.0, name) };
        let address = address.ok_or_else(|| OsError::Missing(WHAT.to_owned()))?;
        assert_eq!(size_of::<F>(), size_of_val(&address), "only for pointers to functions");
        // SAFETY: both are pointers to functions, of the type that the caller says.
        Ok(unsafe { std::mem::transmute_copy(&address) })
    }
}

struct Service {
    close: Close,
    list: List,
    query: Query,
    free: Free,
    handle: HANDLE,
    /// Dropped last: the functions belong to it.
    _library: Library,
}

impl Drop for Service {
    fn drop(&mut self) {
        // SAFETY: the handle was opened by `open` and is closed once.
        unsafe { (self.close)(self.handle, std::ptr::null()) };
    }
}

impl Service {
    fn open() -> Answer<Self> {
        let library = Library::load()?;
        // SAFETY: the types are those of the functions' documentation (wlanapi.h).
        let (open, close, list, query, free) = unsafe {
            (
                library.function::<Open>(s!("WlanOpenHandle"))?,
                library.function::<Close>(s!("WlanCloseHandle"))?,
                library.function::<List>(s!("WlanEnumInterfaces"))?,
                library.function::<Query>(s!("WlanQueryInterface"))?,
                library.function::<Free>(s!("WlanFreeMemory"))?,
            )
        };
        let (mut version, mut handle) = (0, HANDLE::default());
        // SAFETY: both outputs outlive the call.
        match unsafe { open(VERSION, std::ptr::null(), &raw mut version, &raw mut handle) } {
            0 => Ok(Self { close, list, query, free, handle, _library: library }),
            status if NO_SERVICE.contains(&status) => Err(OsError::Missing(WHAT.to_owned())),
            status => Err(decode::refused(WHAT, status)),
        }
    }

    fn interfaces(&self) -> Answer<Vec<WLAN_INTERFACE_INFO>> {
        let mut list = std::ptr::null_mut();
        // SAFETY: the handle is open, the output outlives the call.
        let status = unsafe { (self.list)(self.handle, std::ptr::null(), &raw mut list) };
        if status != 0 || list.is_null() {
            return Err(decode::refused(WHAT, status));
        }
        // SAFETY: the list has as many structures as it says, one after the other from its first.
        let interfaces = unsafe {
            let first = (&raw const (*list).InterfaceInfo).cast::<WLAN_INTERFACE_INFO>();
            std::slice::from_raw_parts(first, (*list).dwNumberOfItems as usize).to_vec()
        };
        // SAFETY: the service allocated it; it is freed once.
        unsafe { (self.free)(list.cast_const().cast()) };
        Ok(interfaces)
    }

    /// The link of an interface; `None` when it has just gone down.
    fn link(&self, interface: &GUID) -> Answer<Option<WirelessLink>> {
        let (mut size, mut place) = (0, std::ptr::null_mut());
        let (opcode, nothing) = (wlan_intf_opcode_current_connection.0, std::ptr::null());
        let no_kind = std::ptr::null_mut();
        // SAFETY: the handle is open, all outputs outlive the call; the type of the value need not be given.
        let status =
            unsafe { (self.query)(self.handle, interface, opcode, nothing, &raw mut size, &raw mut place, no_kind) };
        if GONE.contains(&status) {
            return Ok(None);
        }
        if status != 0 || place.is_null() || (size as usize) < size_of::<WLAN_CONNECTION_ATTRIBUTES>() {
            return Err(decode::refused(WHAT, status));
        }
        // SAFETY: this query returns such a structure, and it is long enough.
        let security = unsafe { (*place.cast::<WLAN_CONNECTION_ATTRIBUTES>()).wlanSecurityAttributes };
        // SAFETY: the service allocated it; it is freed once.
        unsafe { (self.free)(place.cast_const()) };
        Ok(Some(WirelessLink {
            adapter: decode::guid(interface.to_u128()),
            authentication: security.dot11AuthAlgorithm.0.cast_unsigned(),
            cipher: security.dot11CipherAlgorithm.0.cast_unsigned(),
        }))
    }
}

/// [`super::super::WindowsOs::wireless`].
pub(super) fn links() -> Answer<Vec<WirelessLink>> {
    let service = Service::open()?;
    let mut links = Vec::new();
    for interface in service.interfaces()? {
        if interface.isState == wlan_interface_state_connected {
            links.extend(service.link(&interface.InterfaceGuid)?);
        }
    }
    Ok(links)
}
