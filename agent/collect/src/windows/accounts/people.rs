//! Who can log on: local accounts with their state.

use std::collections::BTreeMap;

use jiff::Timestamp;
use policies::fact::{Account, Fact, Instant, List, Reason};

use super::sorted;
use crate::text::capped;
use crate::windows::context::{CheckContext, Setting, answered, unknown};
use os::windows::{Member, UserAccount};
use os::{Answer, OsError};

/// `BUILTIN\Administrators`, whatever it is called.
pub(super) const ADMINISTRATORS: &str = "S-1-5-32-544";
/// One key for everyone who has a profile on this machine.
pub(in crate::windows) const PROFILES: &str = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion\ProfileList";
/// The built-in administrator, who cannot be removed from the administrators.
const ADMINISTRATOR: u32 = 500;
/// Accounts that ship with Windows: administrator, guest, those for first use and for application guard.
const BUILT_IN: std::ops::RangeInclusive<u32> = 500..=504;

/// `UF_ACCOUNTDISABLE`, `UF_PASSWD_NOTREQD`, `UF_DONT_EXPIRE_PASSWD`.
const DISABLED: u32 = 0x2;
const NO_PASSWORD_NEEDED: u32 = 0x20;
const NEVER_EXPIRES: u32 = 0x1_0000;

/// Local accounts, by relative id.
pub(super) fn list(context: &CheckContext) -> Fact<List<Account>> {
    answered(context.os.accounts(), |mut accounts| {
        let administrators = match context.os.members(ADMINISTRATORS) {
            // The built-in administrator cannot be removed from the group.
            Ok(members) if members.is_empty() => {
                Err(OsError::Failed(ADMINISTRATORS.to_owned(), "is told to be empty".to_owned()))
            }
            answer => answer,
        };
        let used = used(context, &administrators);
        accounts.sort_unstable_by_key(|account| account.rid);
        Fact::Known(accounts.iter().map(|account| describe(context, account, &administrators, &used)).collect())
    })
}

/// Names of usable accounts that ship with Windows.
pub(super) fn built_in(context: &CheckContext) -> Fact<List<String>> {
    answered(context.os.accounts(), |accounts| {
        let names = accounts.iter().filter(|account| BUILT_IN.contains(&account.rid) && account.flags & DISABLED == 0);
        Fact::Known(sorted(names.map(|account| capped(&account.name)).collect()))
    })
}

fn describe(
    context: &CheckContext,
    account: &UserAccount,
    administrators: &Answer<Vec<Member>>,
    used: &Answer<BTreeMap<u32, Instant>>,
) -> Account {
    let has = |flag: u32| account.flags & flag != 0;
    let last_logon_at = match account.last_logon {
        0 => Fact::unknown(Reason::SourceMissing, "never logged on"),
        seconds => at(i64::from(seconds)),
    };
    let password_changed_at = match account.password_age {
        // The password must be changed at the next logon, or was never set.
        0 => Fact::unknown(Reason::SourceMissing, "never set"),
        // Windows reports an age; in whole hours the result is stable between checks.
        age => at((context.now.as_second() - i64::from(age) + 1_800).div_euclid(3_600) * 3_600),
    };
    // Signing in with a Microsoft account is not always recorded with the account, but with the profile.
    let last_used_at = match used {
        Ok(used) => match [last_logon_at.known(), used.get(&account.rid)].into_iter().flatten().max() {
            Some(at) => Fact::Known(*at),
            None => password_changed_at.clone(),
        },
        // It may have been used later than the account records.
        Err(error) => unknown(error),
    };
    Account {
        name: capped(&account.name),
        id: account.rid.into(),
        administrator: match administrators {
            Ok(members) => {
                let same = |member: &&Member| authority(&member.sid).is_some_and(|(_, rid)| rid == account.rid);
                let here = |member: &Member| rid_here(&member.sid, members) == Some(account.rid);
                match own_authority(members) {
                    // The number alone may be that of a domain account.
                    None if members.iter().any(|member| same(&member)) && account.rid != ADMINISTRATOR => {
                        Fact::unknown(Reason::Unreadable, "whose account a member is cannot be told")
                    }
                    _ => Fact::Known(members.iter().any(here)),
                }
            }
            Err(error) => unknown(error),
        },
        enabled: Fact::Known(!has(DISABLED)),
        password_required: Fact::Known(!has(NO_PASSWORD_NEEDED)),
        // To find out one would have to try it.
        empty_password: Fact::unknown(Reason::NoReader, "Windows does not tell it"),
        last_logon_at,
        password_changed_at,
        password_never_expires: Fact::Known(has(NEVER_EXPIRES)),
        hash_method: Fact::unknown(Reason::NoReader, "Windows does not tell it"),
        last_used_at,
    }
}

fn at(second: i64) -> Fact<Instant> {
    Timestamp::from_second(second).map_or_else(|_| Fact::unknown(Reason::Unreadable, "an impossible time"), Fact::Known)
}

/// The part of a person's SID before the last number: that of the machine, or of a domain.
pub(super) fn authority(sid: &str) -> Option<(&str, u32)> {
    let (authority, rid) = sid.rsplit_once('-')?;
    authority.starts_with("S-1-5-21-").then_some(())?;
    Some((authority, rid.parse().ok()?))
}

/// The machine's own SID: the built-in administrator belongs to the administrators and cannot be removed.
pub(super) fn own_authority(members: &[Member]) -> Option<&str> {
    let mut own = members.iter().filter_map(|member| authority(&member.sid)).filter(|(_, rid)| *rid == ADMINISTRATOR);
    match (own.next(), own.next()) {
        (Some((authority, _)), None) => Some(authority),
        _ => None,
    }
}

/// The relative id of an account of this machine; `None` for domain accounts.
fn rid_here(sid: &str, members: &[Member]) -> Option<u32> {
    let (authority, rid) = authority(sid)?;
    own_authority(members).is_none_or(|own| own == authority).then_some(rid)
}

/// When profiles of this machine's accounts were last loaded or unloaded, by relative id.
///
/// # Errors
/// When profiles cannot be listed, or it is unclear which belong to this machine's accounts.
fn used(context: &CheckContext, administrators: &Answer<Vec<Member>>) -> Answer<BTreeMap<u32, Instant>> {
    let sids = match context.os.keys(PROFILES) {
        Ok(sids) => sids,
        Err(OsError::Missing(_)) => return Ok(BTreeMap::new()),
        Err(error) => return Err(error),
    };
    let members = administrators.as_deref().map_err(Clone::clone)?;
    let Some(own) = own_authority(members) else {
        return Err(OsError::Failed(
            PROFILES.to_owned(),
            "does not tell which accounts are of this machine".to_owned(),
        ));
    };
    let profile = |sid: &String| {
        let (authority, rid) = authority(sid)?;
        (authority == own).then_some(())?;
        let key = format!(r"{PROFILES}\{sid}");
        let time = |name: &str| {
            let half = |half: &str| match context.number(&key, &format!("{name}{half}")) {
                Setting::Set(number) => Some(number),
                Setting::Absent | Setting::Unreadable(_) => None,
            };
            crate::windows::filetime(half("High")?.checked_mul(1 << 32)?.checked_add(half("Low")?)?)
        };
        Some((rid, time("LocalProfileLoadTime").max(time("LocalProfileUnloadTime"))?))
    };
    let mut used = BTreeMap::new();
    for (rid, at) in sids.iter().filter_map(profile).filter(|(_, at)| *at <= context.now) {
        let newest = used.entry(rid).or_insert(at);
        *newest = at.max(*newest);
    }
    Ok(used)
}
