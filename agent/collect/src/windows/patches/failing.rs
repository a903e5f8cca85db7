//! Updates that fail to install, from the Windows Update Agent's history. Only a hint: the history may be empty or incomplete.
//!
//! Titles are in the user's language; only the number in them (`KB5066791`) is read, which is the same in every language. Retries of an
//! update have the same number, even if its id differs.

use std::collections::BTreeMap;

use jiff::{Timestamp, ToSpan};
use policies::fact::{Fact, FailingUpdate, List, Reason};

use crate::text::capped;
use crate::windows::context::unknown;
use os::Answer;
use os::windows::UpdateSearch;
use os::windows::answer::{MOST_HISTORY, PastInstallation};

/// How many hours to look back.
const HOURS: i64 = 30 * 24;
/// `orcFailed`, `orcAborted` (learn.microsoft.com, "OperationResultCode").
const FAILED: [i32; 2] = [4, 5];

pub(super) fn list(search: &Answer<UpdateSearch>, now: Timestamp) -> Fact<List<FailingUpdate>> {
    let search = match search {
        Ok(search) => search,
        Err(error) => return unknown(error),
    };
    let Some(history) = &search.history else {
        let why = search.history_refused.as_deref().unwrap_or_default();
        return Fact::unknown(
            Reason::SourceMissing,
            format!("the Windows Update Agent tells no history {why}").trim_end(),
        );
    };
    let since = now.saturating_sub(HOURS.hours()).unwrap_or(Timestamp::MIN).as_millisecond();
    let mut newest: BTreeMap<String, &PastInstallation> = BTreeMap::new();
    for one in history.iter().filter(|one| (since..=now.as_millisecond()).contains(&one.at)) {
        let kept = newest.entry(name(one)).or_insert(one);
        if one.at > kept.at {
            *kept = one;
        }
    }
    let mut failing: Vec<FailingUpdate> = newest
        .into_iter()
        .filter(|(_, one)| FAILED.contains(&one.result))
        .filter_map(|(name, one)| {
            let failed_at = Timestamp::from_millisecond(one.at).ok()?;
            Some(FailingUpdate { name, failed_at, code: format!("0x{:08X}", one.code) })
        })
        .collect();
    failing.sort_by_key(|one| std::cmp::Reverse(one.failed_at));
    let mut list = List::capped(failing);
    // A history that is cut within the period may have contained more.
    let cut = i32::try_from(history.len()).is_ok_and(|entries| entries >= MOST_HISTORY);
    if cut && history.iter().all(|one| one.at >= since) {
        list.left_out = list.left_out.max(1);
    }
    Fact::Known(list)
}

/// `KB5066791`, or the id of an update without such a number.
fn name(one: &PastInstallation) -> String {
    let mut numbers = one.title.split("KB").skip(1).map(|rest| {
        let end = rest.find(|character: char| !character.is_ascii_digit()).unwrap_or(rest.len());
        &rest[..end]
    });
    let number = numbers.find(|number| (6..=8).contains(&number.len()));
    number.map_or_else(|| capped(&one.id), |number| format!("KB{number}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-11-22T03:00:00Z";

    fn past(title: &str, at: &str, result: i32) -> PastInstallation {
        let at: Timestamp = at.parse().unwrap();
        let code = if result == 4 { 0x8007_0643_u32.cast_signed() } else { 0 };
        PastInstallation {
            id: format!("id of {title}"),
            title: title.to_owned(),
            at: at.as_millisecond(),
            result,
            code,
        }
    }

    fn failing(history: Option<Vec<PastInstallation>>) -> Fact<List<FailingUpdate>> {
        list(&Ok(UpdateSearch { history, ..UpdateSearch::default() }), NOW.parse().unwrap())
    }

    #[test]
    fn the_last_try_decides_and_titles_may_be_in_any_language() {
        let history = vec![
            past("Bản cập nhật tích luỹ 2026-11 cho Windows 10 (KB5066791)", "2026-11-20T01:00:00Z", 4),
            past("2026-11 Cumulative Update (KB5066791) (19045.7807)", "2026-11-18T01:00:00Z", 2),
            past("Cập nhật thông tin bảo mật - KB2267602 (Phiên bản 1.4)", "2026-11-21T01:00:00Z", 2),
            past("Cập nhật thông tin bảo mật - KB2267602 (Phiên bản 1.3)", "2026-11-20T02:00:00Z", 4),
            past("Intel - Net - 22.1", "2026-11-21T02:00:00Z", 5),
            past("KB5011048", "2026-09-01T01:00:00Z", 4),
        ];
        let fact = failing(Some(history));
        let shown: Vec<_> =
            fact.known().unwrap().items.iter().map(|one| (one.name.as_str(), one.code.as_str())).collect();
        assert_eq!(shown, [("id of Intel - Net - 22.1", "0x00000000"), ("KB5066791", "0x80070643")]);
    }

    #[test]
    fn without_a_history_nothing_is_said() {
        assert!(failing(None).known().is_none());
        assert_eq!(failing(Some(Vec::new())), Fact::Known(List::default()));
    }

    #[test]
    fn a_history_that_is_cut_within_a_month_does_not_tell_that_nothing_fails() {
        let many = |oldest: &str| {
            let one = past("KB2267602", "2026-11-21T01:00:00Z", 2);
            let mut history: Vec<_> = (1..MOST_HISTORY).map(|_| one.clone()).collect();
            history.push(past("KB2267602", oldest, 2));
            failing(Some(history)).known().map(|list| (list.items.len(), list.left_out))
        };
        assert_eq!(many("2026-11-20T01:00:00Z"), Some((0, 1)));
        assert_eq!(many("2026-10-01T01:00:00Z"), Some((0, 0)));
        // Entries written while the clock was ahead do not hide what failed.
        let ahead = vec![past("KB5066791", "2027-11-20T01:00:00Z", 2), past("KB5066791", "2026-11-18T01:00:00Z", 4)];
        assert_eq!(failing(Some(ahead)).known().map(|list| list.items.len()), Some(1));
    }
}
