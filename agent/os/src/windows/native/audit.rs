//! The audit policy in force (`AuditQuerySystemPolicy`).
#![expect(unsafe_code, reason = "the audit policy is asked through its C interface")]

use windows::Win32::Security::Authentication::Identity::{AUDIT_POLICY_INFORMATION, AuditFree, AuditQuerySystemPolicy};
use windows::core::GUID;

use super::last_error;
use crate::windows::decode;
use crate::{Answer, OsError};

const WHAT: &str = "audit policy";
/// Success and failure; the third bit means neither.
const WANTED: u32 = 3;

struct Policy(*mut AUDIT_POLICY_INFORMATION);

impl Drop for Policy {
    fn drop(&mut self) {
        // SAFETY: Windows allocated it for `policy`; it is freed once.
        unsafe { AuditFree(self.0.cast_const().cast()) };
    }
}

/// [`super::super::WindowsOs::audit_policy`].
pub(super) fn policy(subcategories: &[String]) -> Answer<Vec<(String, u32)>> {
    let unknown = |text: &str| OsError::Failed(WHAT.to_owned(), format!("{text} is no GUID"));
    let guids: Result<Vec<GUID>, OsError> = subcategories
        .iter()
        .map(|text| decode::guid_number(text).map(GUID::from_u128).ok_or_else(|| unknown(text)))
        .collect();
    let guids = guids?;
    if guids.is_empty() {
        return Ok(Vec::new());
    }
    let mut place = std::ptr::null_mut();
    // SAFETY: the identifiers are passed with their number, the output outlives the call.
    let answered = unsafe { AuditQuerySystemPolicy(&guids, &raw mut place) };
    if !answered || place.is_null() {
        return Err(last_error(WHAT));
    }
    let policy = Policy(place);
    // SAFETY: Windows answers with one structure for each identifier.
    let rows = unsafe { std::slice::from_raw_parts(policy.0, guids.len()) };
    let setting = |row: &AUDIT_POLICY_INFORMATION| {
        (decode::guid(row.AuditSubCategoryGuid.to_u128()), row.AuditingInformation & WANTED)
    };
    Ok(rows.iter().map(setting).collect())
}
