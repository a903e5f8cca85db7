//! Which updates are installed, and when the last one was.
//!
//! Sources: `Component Based Servicing\Packages` (`CurrentState`, `InstallTimeHigh`, `InstallTimeLow`), which has times to the
//! second and no virus definitions; `Win32_QuickFixEngineering` for the list of names.

use jiff::civil::Date;
use policies::fact::{Fact, InstalledUpdate, Instant, List, Reason};

use super::super::context::{CheckContext, Setting, unknown};
use crate::text::capped;
use crate::windows::filetime;
use os::windows::{Row, Variant};

/// The packages of the system.
pub(super) const PACKAGES: &str = r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Component Based Servicing\Packages";
/// `CbsInstallState` installed.
const INSTALLED: u64 = 0x70;
/// Updates are packages with this name prefix; all others are parts of Windows.
const UPDATE: &str = "package_for_";

/// When an update was last installed.
pub(super) fn last(context: &CheckContext) -> Fact<Instant> {
    let names = match context.os.keys(PACKAGES) {
        Ok(names) => names,
        Err(error) => return from_list(context).unwrap_or_else(|| unknown(&error)),
    };
    let updates = names.iter().filter(|name| name.to_ascii_lowercase().starts_with(UPDATE));
    // A clock that was ahead leaves future times.
    let times = updates.filter_map(|name| installed_at(context, &format!(r"{PACKAGES}\{name}")));
    let newest = times.filter(|at| *at <= context.now).max();
    match newest {
        Some(at) => Fact::Known(at),
        None => from_list(context).unwrap_or_else(|| Fact::unknown(Reason::SourceMissing, "no update is installed")),
    }
}

fn installed_at(context: &CheckContext, key: &str) -> Option<Instant> {
    let number = |name: &str| match context.number(key, name) {
        Setting::Set(number) => Some(number),
        Setting::Absent | Setting::Unreadable(_) => None,
    };
    if number("CurrentState")? != INSTALLED {
        return None;
    }
    let (high, low) = (number("InstallTimeHigh")?, number("InstallTimeLow")?);
    filetime(high.checked_mul(1 << 32)?.checked_add(low)?)
}

fn from_list(context: &CheckContext) -> Option<Fact<Instant>> {
    let known = list(context);
    let times = known.known()?.items.iter().filter_map(|update| update.installed_at.known());
    let newest = times.filter(|at| **at <= context.now).max()?;
    Some(Fact::Known(*newest))
}

/// The updates by name, sorted.
pub(super) fn list(context: &CheckContext) -> Fact<List<InstalledUpdate>> {
    let query = "SELECT HotFixID, InstalledOn FROM Win32_QuickFixEngineering";
    match context.os.wmi(r"ROOT\CIMV2", query) {
        Ok(rows) => {
            let mut updates: Vec<InstalledUpdate> = rows.iter().filter_map(update).collect();
            updates.sort_by(|one, other| one.name.cmp(&other.name));
            updates.dedup_by(|one, other| one.name == other.name);
            Fact::Known(List::capped(updates))
        }
        Err(error) => unknown(&error),
    }
}

fn update(row: &Row) -> Option<InstalledUpdate> {
    let text = |name: &str| match row.get(name) {
        Some(Variant::Text(text)) => Some(text.trim()),
        _ => None,
    };
    // Old service packs are listed as `File 1`.
    let name = text("HotFixID")
        .filter(|name| name.len() > 2 && name.get(..2).is_some_and(|kb| kb.eq_ignore_ascii_case("KB")))?;
    let installed_at = match text("InstalledOn").map(installed_on) {
        Some(Some(at)) => Fact::Known(at),
        Some(None) => Fact::unknown(Reason::Unreadable, "InstalledOn"),
        None => Fact::unknown(Reason::SourceMissing, "InstalledOn"),
    };
    Some(InstalledUpdate { name: capped(name), installed_at })
}

/// `InstalledOn` is written `10/15/2025` (month first, in every language), `20251015`, or as 16 hexadecimal digits of a `FILETIME`
/// (Windows 7 and earlier). The day begins at midnight in Viet Nam.
fn installed_on(text: &str) -> Option<Instant> {
    if text.len() == 16 {
        return filetime(u64::from_str_radix(text, 16).ok()?);
    }
    let (year, month, day) = match text.split('/').collect::<Vec<_>>().as_slice() {
        [month, day, year] => (year.parse().ok()?, month.parse().ok()?, day.parse().ok()?),
        [all] if all.len() == 8 && all.is_ascii() => {
            (all[..4].parse().ok()?, all[4..6].parse().ok()?, all[6..].parse().ok()?)
        }
        _ => return None,
    };
    let date = Date::new(year, month, day).ok().filter(|date| date.year() >= 2000)?;
    format!("{date}T00:00:00+07:00").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_no_number_is_left_out_wherever_its_letters_end() {
        let named =
            |name: &str| update(&Row::from([("HotFixID".to_owned(), Variant::Text(name.to_owned()))])).is_some();
        assert!(named("KB5058379"));
        assert!(!named("File 1") && !named("Tệp 1") && !named("ệ") && !named(""));
    }

    #[test]
    fn a_day_of_installation_is_read_in_its_three_forms_and_in_no_other() {
        let read = |text: &str| installed_on(text).map(|at| at.to_string());
        assert_eq!(read("10/15/2025").as_deref(), Some("2025-10-14T17:00:00Z"));
        assert_eq!(read("20251015").as_deref(), Some("2025-10-14T17:00:00Z"));
        assert_eq!(read("01d261898c559b00").as_deref(), Some("2016-12-29T04:10:54Z"));
        for odd in
            ["", "15/10/2025", "15-10-2025", "0000000000000000", "ffffffffffffffff", "1/1/1601", "ệệ4ệ", "ngày 15"]
        {
            assert_eq!(read(odd), None, "{odd}");
        }
    }
}
