//! Failed logons counted by hour, account, source and way, on any system.

use std::collections::BTreeMap;
use std::net::IpAddr;

use jiff::{Timestamp, ToSpan};
use policies::fact::{FailedLogon, List, LogonWay};

use super::text::capped;

/// The most failed logons read, newest first: a machine under attack records hundreds of thousands.
pub(super) const MOST: usize = 2_000;
/// The most rows kept.
const KEPT: usize = 200;
/// How many whole hours to look back.
const HOURS: i64 = 7 * 24;
const HOUR: i64 = 3_600;

/// One failed logon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Attempt {
    /// When it happened.
    pub(super) at: Timestamp,
    /// An account of this machine or its domain; empty for a name that is not an account.
    pub(super) account: String,
    /// Where it came from; empty for the machine itself.
    pub(super) source: String,
    /// Through which service.
    pub(super) way: LogonWay,
}

/// From when failed logons count: the start of an hour, so that no hour is counted in part.
pub(super) fn since(now: Timestamp) -> Timestamp {
    hour(now).and_then(|hour| hour.checked_sub(HOURS.hours()).ok()).unwrap_or(Timestamp::MIN)
}

/// An address in standard form, else a computer name; empty for meaningless values and for the machine itself.
pub(super) fn source(text: &str) -> String {
    let text = text.trim();
    match address(text) {
        Some(address) => address,
        None if matches!(text, "" | "-") || text.eq_ignore_ascii_case("localhost") => String::new(),
        None => capped(text),
    }
}

/// An address in standard form; empty for one that nobody connects from (unspecified, multicast) and for loopback. `None` for what is not
/// an address.
pub(super) fn address(text: &str) -> Option<String> {
    // Link-local addresses may be followed by the interface number.
    let bare = text.trim().split_once('%').map_or(text.trim(), |(address, _)| address);
    let address = bare.parse::<IpAddr>().ok()?.to_canonical();
    let broadcast = matches!(address, IpAddr::V4(address) if address.is_broadcast() || address.octets()[0] == 0);
    let nobody = broadcast || address.is_unspecified() || address.is_multicast() || address.is_loopback();
    Some(if nobody { String::new() } else { address.to_string() })
}

/// The attempts by hour: newest hour first, within it the largest count first. `more` when there may be others.
pub(super) fn tally(attempts: impl IntoIterator<Item = Attempt>, now: Timestamp, more: bool) -> List<FailedLogon> {
    let since = since(now);
    let mut counts: BTreeMap<(Timestamp, String, String, LogonWay), i64> = BTreeMap::new();
    for attempt in attempts {
        // If the clock was wrong, the hour is unknown.
        if let Some(hour) = hour(attempt.at).filter(|_| (since..=now).contains(&attempt.at)) {
            *counts.entry((hour, attempt.account, attempt.source, attempt.way)).or_default() += 1;
        }
    }
    let mut rows: Vec<FailedLogon> = counts
        .into_iter()
        .map(|((hour, account, source, way), count)| FailedLogon { hour, account, source, way, count })
        .collect();
    // The smallest counts are dropped, and of those the oldest.
    rows.sort_by_key(|row| std::cmp::Reverse((row.count, row.hour)));
    let left_out = rows.len().saturating_sub(KEPT);
    rows.truncate(KEPT);
    rows.sort_by_key(|row| std::cmp::Reverse((row.hour, row.count)));
    // How many more there were is unknown.
    let left_out = left_out.max(usize::from(more));
    List { items: rows, left_out: u32::try_from(left_out).unwrap_or(u32::MAX) }
}

fn hour(at: Timestamp) -> Option<Timestamp> {
    Timestamp::from_second(at.as_second().div_euclid(HOUR) * HOUR).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-11-22T03:20:00Z";

    fn attempt(at: &str, account: &str, source: &str) -> Attempt {
        let (account, source) = (account.to_owned(), source.to_owned());
        Attempt { at: at.parse().unwrap(), account, source, way: LogonWay::Network }
    }

    #[test]
    fn attempts_are_counted_by_hour_account_and_source() {
        let attempts = [
            attempt("2026-11-22T02:00:00Z", "lan", "10.0.0.5"),
            attempt("2026-11-22T02:59:59Z", "lan", "10.0.0.5"),
            attempt("2026-11-22T02:30:00Z", "lan", "10.0.0.6"),
            attempt("2026-11-22T03:01:00Z", "", "10.0.0.5"),
            // The start of the first hour counts, the second before it does not; nor do future times.
            attempt("2026-11-15T03:00:00Z", "lan", ""),
            attempt("2026-11-15T02:59:59Z", "lan", ""),
            attempt("2026-11-22T03:20:01Z", "lan", ""),
        ];
        let list = tally(attempts, NOW.parse().unwrap(), false);
        let shown: Vec<_> = list
            .items
            .iter()
            .map(|row| (row.hour.to_string(), row.account.as_str(), row.source.as_str(), row.count))
            .collect();
        assert_eq!(
            shown,
            [
                ("2026-11-22T03:00:00Z".to_owned(), "", "10.0.0.5", 1),
                ("2026-11-22T02:00:00Z".to_owned(), "lan", "10.0.0.5", 2),
                ("2026-11-22T02:00:00Z".to_owned(), "lan", "10.0.0.6", 1),
                ("2026-11-15T03:00:00Z".to_owned(), "lan", "", 1),
            ]
        );
        assert_eq!(list.left_out, 0);
    }

    #[test]
    fn the_largest_rows_are_kept_and_what_is_missing_is_said() {
        let many = (0..300).map(|number| attempt("2026-11-22T02:00:00Z", "", &format!("10.0.{}.1", number % 250)));
        let list = tally(many, NOW.parse().unwrap(), false);
        assert_eq!((list.items.len(), list.left_out), (KEPT, 50));
        assert!(list.items[..50].iter().all(|row| row.count == 2));
        let few = tally([attempt("2026-11-22T02:00:00Z", "", "")], NOW.parse().unwrap(), true);
        assert_eq!((few.items.len(), few.left_out), (1, 1));
    }

    #[test]
    fn a_source_is_an_address_or_a_name() {
        assert_eq!(source("::ffff:10.0.0.5"), "10.0.0.5");
        assert_eq!(source(" MÁY-VĂN-THƯ\u{7} "), "MÁY-VĂN-THƯ\u{FFFD}");
        assert_eq!((source("-"), source("")), (String::new(), String::new()));
        assert_eq!(source("2001:DB8::0:1"), "2001:db8::1");
        assert_eq!(source("fe80::1%12"), "fe80::1");
    }

    #[test]
    fn an_address_that_nobody_comes_from_is_no_source() {
        let none = ["0.0.0.0", "::", "127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "::ffff:0.0.0.0"];
        for text in none.into_iter().chain(["255.255.255.255", "224.0.0.1", "ff02::1", "0.1.2.3", "LocalHost"]) {
            assert_eq!(source(text), "", "{text}");
        }
        assert_eq!((address("MÁY-05"), address("-"), address("")), (None, None, None));
    }
}
