//! Programs as the list of programs in Windows shows them.

use jiff::civil::Date;
use policies::fact::{Fact, Instant, List, Program, Reason};

use super::installed::{Installed, text};
use os::windows::Subkey;

/// Installed programs by name.
pub(super) fn list(installed: &Installed) -> List<Program> {
    let found = installed.programs.iter().filter_map(|(key, for_one_person)| program(key, *for_one_person));
    let mut found: Vec<Program> = found.collect();
    found.sort_by(|one, other| {
        (one.name.to_lowercase(), version_of(one)).cmp(&(other.name.to_lowercase(), version_of(other)))
    });
    found.dedup_by(|one, other| one.name == other.name && version_of(one) == version_of(other));
    let mut list = List::capped(found);
    list.left_out = list.left_out.saturating_add(installed.unread);
    list
}

fn version_of(program: &Program) -> Option<&String> {
    program.version.known()
}

/// A program as shown in Windows' own list: without components of others and updates.
fn program(key: &Subkey, for_one_person: bool) -> Option<Program> {
    let text = |name: &str| text(key, name);
    let name = text("DisplayName")?;
    let component = text("SystemComponent").and_then(|text| text.parse::<u64>().ok()) == Some(1);
    if component || text("ParentKeyName").is_some() || text("ReleaseType").is_some() {
        return None;
    }
    let told = |name: &str| text(name).map_or_else(|| Fact::unknown(Reason::SourceMissing, ""), Fact::Known);
    Some(Program {
        name,
        version: told("DisplayVersion"),
        maker: told("Publisher"),
        installed_at: match text("InstallDate").as_deref().map(installed_on) {
            Some(Some(at)) => Fact::Known(at),
            Some(None) => Fact::unknown(Reason::Unreadable, "InstallDate"),
            None => Fact::unknown(Reason::SourceMissing, ""),
        },
        for_one_person: Fact::Known(for_one_person),
    })
}

/// `InstallDate` is written `20251015`.
fn installed_on(text: &str) -> Option<Instant> {
    let text = text.trim();
    if text.len() != 8 || !text.is_ascii() {
        return None;
    }
    let date = Date::new(text[..4].parse().ok()?, text[4..6].parse().ok()?, text[6..].parse().ok()?).ok()?;
    format!("{date}T00:00:00+07:00").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_that_are_none_are_not_told() {
        assert_eq!(installed_on("20251015"), Some("2025-10-14T17:00:00Z".parse().unwrap()));
        for odd in ["2025-10-15", "20251315", "15102025", "ngày mai", ""] {
            assert!(installed_on(odd).is_none(), "{odd}");
        }
    }
}
