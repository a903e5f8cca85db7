//! Accounts, groups, rules and the domain, from network management.
#![expect(unsafe_code, reason = "network management is asked through its C interface")]

use windows::Win32::Foundation::{ERROR_MORE_DATA, HLOCAL, LocalFree};
use windows::Win32::NetworkManagement::NetManagement::{
    FILTER_NORMAL_ACCOUNT, LOCALGROUP_MEMBERS_INFO_2, MAX_PREFERRED_LENGTH, NETSETUP_JOIN_STATUS, NetApiBufferFree,
    NetGetJoinInformation, NetLocalGroupGetMembers, NetSetupDomainName, NetSetupUnjoined, NetSetupWorkgroupName,
    NetUserEnum, NetUserModalsGet, USER_INFO_3, USER_MODALS_INFO_0, USER_MODALS_INFO_3,
};
use windows::Win32::Security::Authorization::{ConvertSidToStringSidW, ConvertStringSidToSidW};
use windows::Win32::Security::{LookupAccountSidW, PSID, SID_NAME_USE};
use windows::core::{HSTRING, PCWSTR, PWSTR};

use super::{refused, text};
use crate::windows::{AccountRules, Join, Member, UserAccount, decode};
use crate::{Answer, OsError};

/// Memory that network management allocated.
struct Buffer(*mut u8);

impl Drop for Buffer {
    fn drop(&mut self) {
        // SAFETY: allocated by network management (or null, which is allowed); freed once.
        unsafe { NetApiBufferFree(Some(self.0.cast_const().cast())) };
    }
}

/// Memory that the system allocated for an identifier or its text.
struct Local(*mut core::ffi::c_void);

impl Drop for Local {
    fn drop(&mut self) {
        // SAFETY: allocated by the system with `LocalAlloc` (or null, which is allowed); freed once.
        unsafe { LocalFree(Some(HLOCAL(self.0))) };
    }
}

/// All rows of an enumeration, which is repeated until it is complete. `ask` gets pointers for buffer and count.
///
/// # Safety
/// After `ask` returned success or "more", the buffer holds as many `T` as it counted.
unsafe fn rows<T, R>(
    what: &str,
    mut ask: impl FnMut(*mut *mut u8, *mut u32) -> u32,
    row: impl Fn(&T) -> R,
) -> Answer<Vec<R>> {
    let mut all = Vec::new();
    loop {
        let mut buffer = Buffer(std::ptr::null_mut());
        let mut count = 0;
        let status = ask(&raw mut buffer.0, &raw mut count);
        let more = status == ERROR_MORE_DATA.0;
        if status != 0 && !more {
            return Err(decode::refused(what, status));
        }
        if !buffer.0.is_null() {
            // SAFETY: guaranteed by the caller; network management aligns its buffers.
            let rows = unsafe { std::slice::from_raw_parts(buffer.0.cast::<T>(), count as usize) };
            all.extend(rows.iter().map(&row));
        }
        if !more {
            return Ok(all);
        }
        if count == 0 {
            return Err(OsError::Failed(what.to_owned(), "says there is more and gives none".to_owned()));
        }
    }
}

/// [`super::super::WindowsOs::accounts`].
pub(super) fn list() -> Answer<Vec<UserAccount>> {
    let (mut total, mut resume) = (0, 0);
    let ask = |buffer, count| {
        let resume = Some(&raw mut resume);
        // SAFETY: all outputs outlive the call.
        unsafe {
            let total = &raw mut total;
            NetUserEnum(None, 3, FILTER_NORMAL_ACCOUNT, buffer, MAX_PREFERRED_LENGTH, count, total, resume)
        }
    };
    let account = |row: &USER_INFO_3| UserAccount {
        // SAFETY: the name is in the same buffer and ends with NUL.
        name: unsafe { text(row.usri3_name) },
        rid: row.usri3_user_id,
        flags: row.usri3_flags.0,
        password_age: row.usri3_password_age,
        last_logon: row.usri3_last_logon,
    };
    // SAFETY: level 3 gives structures of this kind.
    unsafe { rows("accounts", ask, account) }
}

/// [`super::super::WindowsOs::members`]. The group is looked up by SID, because its name is in the system's language.
pub(super) fn members(group: &str) -> Answer<Vec<Member>> {
    let name = HSTRING::from(name_of(group)?);
    let (mut total, mut resume) = (0, 0);
    let ask = |buffer, count| {
        let resume = Some(&raw mut resume);
        // SAFETY: the name ends with NUL, all outputs outlive the call.
        unsafe {
            let total = &raw mut total;
            NetLocalGroupGetMembers(None, &name, 2, buffer, MAX_PREFERRED_LENGTH, count, total, resume)
        }
    };
    let member = |row: &LOCALGROUP_MEMBERS_INFO_2| {
        Ok(Member {
            sid: sid_text(row.lgrmi2_sid)?,
            kind: row.lgrmi2_sidusage.0.cast_unsigned(),
            // SAFETY: the name is in the same buffer and ends with NUL.
            name: unsafe { text(row.lgrmi2_domainandname) },
        })
    };
    // SAFETY: level 2 gives structures of this kind.
    unsafe { rows(group, ask, member) }?.into_iter().collect()
}

/// The name of the group with this SID.
fn name_of(group: &str) -> Answer<String> {
    let mut sid = PSID::default();
    // SAFETY: the text ends with NUL, the output outlives the call.
    unsafe { ConvertStringSidToSidW(&HSTRING::from(group), &raw mut sid) }.map_err(|error| refused(group, &error))?;
    let _owner = Local(sid.0);
    let (mut name, mut domain) = ([0_u16; 256], [0_u16; 256]);
    let (mut name_length, mut domain_length) = (256, 256);
    let mut kind = SID_NAME_USE::default();
    // SAFETY: the identifier is the one just made; both buffers are passed with their lengths.
    let answer = unsafe {
        LookupAccountSidW(
            PCWSTR::null(),
            sid,
            Some(PWSTR(name.as_mut_ptr())),
            &raw mut name_length,
            Some(PWSTR(domain.as_mut_ptr())),
            &raw mut domain_length,
            &raw mut kind,
        )
    };
    answer.map_err(|error| refused(group, &error))?;
    Ok(decode::wide(&name))
}

fn sid_text(sid: PSID) -> Answer<String> {
    let mut place = PWSTR::null();
    // SAFETY: the identifier is in a buffer that is still alive.
    unsafe { ConvertSidToStringSidW(sid, &raw mut place) }.map_err(|error| refused("SID", &error))?;
    let _owner = Local(place.0.cast());
    // SAFETY: the text was just made and ends with NUL.
    Ok(unsafe { text(place) })
}

/// [`super::super::WindowsOs::account_rules`].
pub(super) fn rules() -> Answer<AccountRules> {
    const WHAT: &str = "account rules";
    let modals = |level| {
        let mut buffer = Buffer(std::ptr::null_mut());
        // SAFETY: the output outlives the call.
        let status = unsafe { NetUserModalsGet(None, level, &raw mut buffer.0) };
        match status {
            0 if !buffer.0.is_null() => Ok(buffer),
            0 => Err(OsError::Failed(WHAT.to_owned(), "no answer in the answer".to_owned())),
            refusal => Err(decode::refused(WHAT, refusal)),
        }
    };
    let (passwords, lockout) = (modals(0)?, modals(3)?);
    // SAFETY: the levels 0 and 3 give structures of these kinds, aligned by network management.
    let (passwords, lockout) =
        unsafe { (&*passwords.0.cast::<USER_MODALS_INFO_0>(), &*lockout.0.cast::<USER_MODALS_INFO_3>()) };
    Ok(AccountRules {
        min_length: passwords.usrmod0_min_passwd_len,
        max_age: passwords.usrmod0_max_passwd_age,
        history: passwords.usrmod0_password_hist_len,
        lockout_tries: lockout.usrmod3_lockout_threshold,
        lockout_time: lockout.usrmod3_lockout_duration,
    })
}

/// [`super::super::WindowsOs::join`].
pub(super) fn join() -> Answer<Join> {
    const WHAT: &str = "domain or workgroup";
    let mut name = PWSTR::null();
    let mut kind = NETSETUP_JOIN_STATUS::default();
    // SAFETY: both outputs outlive the call.
    let status = unsafe { NetGetJoinInformation(None, &raw mut name, &raw mut kind) };
    let _owner = Buffer(name.0.cast());
    if status != 0 {
        return Err(decode::refused(WHAT, status));
    }
    // SAFETY: the name was just allocated and ends with NUL, or is null.
    let name = unsafe { text(name) };
    if kind == NetSetupDomainName {
        Ok(Join::Domain(name))
    } else if kind == NetSetupWorkgroupName {
        Ok(Join::Workgroup(name))
    } else if kind == NetSetupUnjoined {
        Ok(Join::None)
    } else {
        Err(OsError::Failed(WHAT.to_owned(), "Windows does not know it".to_owned()))
    }
}
