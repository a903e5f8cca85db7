//! Failed logons: event 4625 of the channel `Security`, read by numbers, names and SIDs only.
//!
//! Windows rarely records the SID of the account (`TargetUserSid` is S-1-0-0 for nearly every failure, even for an existing account),
//! so the account is found by name. `SubStatus` says whether the name exists (0xC0000064: it does not); people type their password into
//! the name field, so such a name is never kept. Source: learn.microsoft.com, "4625(F): An account failed to log on".

use policies::fact::{Fact, FailedLogon, List, LogonWay, Reason};

use super::people::{ADMINISTRATORS, own_authority};
use crate::logons::{Attempt, MOST, address, since, source, tally};
use crate::text::capped;
use crate::windows::context::{CheckContext, answered, unknown};
use crate::windows::log::{Log, LogExcerpt};
use os::windows::{Event, Join};

const CHANNEL: &str = "Security";
const FAILED: u32 = 4625;
/// The audit subcategory that records it, logon; and the bit for failures.
const LOGON: &str = "{0CCE9215-69AE-11D9-BED3-505054503030}";
const FAILURES: u32 = 2;
/// `STATUS_NO_SUCH_USER`.
const NOBODY: u32 = 0xC000_0064;
/// Statuses that only an existing account is refused with: wrong password, hours, computer, expired password, disabled, expired, must
/// change its password, locked, this logon type not granted.
const SOMEBODY: [u32; 9] = [
    0xC000_006A,
    0xC000_006F,
    0xC000_0070,
    0xC000_0071,
    0xC000_0072,
    0xC000_0193,
    0xC000_0224,
    0xC000_0234,
    0xC000_015B,
];

/// The failed logons of the last days by hour.
pub(super) fn list(context: &CheckContext) -> Fact<List<FailedLogon>> {
    let log = Log { channel: CHANNEL, provider: None, ids: &[FAILED], most: MOST };
    answered(log.since(context, since(context.now)), |LogExcerpt { events, whole }| {
        let audited = context
            .os
            .audit_policy(&[LOGON])
            .map(|set| set.iter().any(|(guid, bits)| guid.eq_ignore_ascii_case(LOGON) && bits & FAILURES != 0));
        match audited {
            Err(error) if events.is_empty() => return unknown(&error),
            Ok(false) if events.is_empty() => {
                return Fact::unknown(Reason::SourceMissing, "failed logons are not audited");
            }
            _ => {}
        }
        let known = Known::of(context);
        let attempts = events.iter().filter_map(|event| known.attempt(event));
        // While they are not audited, the list is incomplete; also where the log has been overwritten or cleared since.
        let more = !whole || audited != Ok(true);
        Fact::Known(tally(attempts, context.now, more))
    })
}

/// The accounts that a name may refer to.
struct Known {
    /// Names of local accounts in lower case, with their display form.
    local: Vec<(String, String)>,
    domain: Option<String>,
    /// This machine's name, in upper case: it gives its own name when it asks for somebody else.
    machine: Option<String>,
}

impl Known {
    fn of(context: &CheckContext) -> Self {
        let members = context.os.members(ADMINISTRATORS).unwrap_or_default();
        let authority = own_authority(&members);
        let local = context.os.accounts().unwrap_or_default().into_iter().map(|account| {
            let called =
                authority.map_or_else(|| capped(&account.name), |authority| format!("{authority}-{}", account.rid));
            (account.name.to_lowercase(), called)
        });
        let domain = match context.os.join() {
            Ok(Join::Domain(name)) => Some(name),
            Ok(Join::None | Join::Workgroup(_)) | Err(_) => None,
        };
        let machine = context.os.computer_name().ok().map(|name| name.to_uppercase());
        Self { local: local.collect(), domain, machine }
    }

    fn attempt(&self, event: &Event) -> Option<Attempt> {
        let datum = |wanted: &str| {
            let found = event.data.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted));
            found.map_or("", |(_, value)| value.trim())
        };
        let way = match datum("LogonType").parse().unwrap_or(0) {
            2 | 7 | 11 | 13 => LogonWay::Local,
            3 | 8 => LogonWay::Network,
            4 | 5 => LogonWay::Service,
            10 | 12 => LogonWay::RemoteDesktop,
            _ => LogonWay::Other,
        };
        let from = match way {
            LogonWay::Local | LogonWay::Service => String::new(),
            // Only addresses are reported in place of the address.
            _ => address(datum("IpAddress"))
                .filter(|address| !address.is_empty())
                .unwrap_or_else(|| self.other_machine(datum("WorkstationName"))),
        };
        Some(Attempt {
            at: jiff::Timestamp::from_millisecond(event.at).ok()?,
            account: self.account(
                datum("TargetUserSid"),
                datum("TargetUserName"),
                datum("TargetDomainName"),
                status(datum("SubStatus")).filter(|status| *status != 0).or_else(|| status(datum("Status"))),
            ),
            source: from,
            way,
        })
    }

    /// The name of a computer other than this one; else empty. Names in logons are truncated to NetBIOS length.
    fn other_machine(&self, name: &str) -> String {
        const NETBIOS: usize = 15;
        let named = source(name.trim_start_matches('\\'));
        let upper = named.to_uppercase();
        let first = upper.split('.').next().unwrap_or_default();
        let own = self.machine.as_deref().is_some_and(|machine| {
            let machine = machine.split('.').next().unwrap_or_default();
            first == machine || first == machine.chars().take(NETBIOS).collect::<String>()
        });
        if own { String::new() } else { named }
    }

    /// The account's name; empty for a name not known to exist.
    fn account(&self, sid: &str, name: &str, domain: &str, status: Option<u32>) -> String {
        if sid.starts_with("S-1-5-21-") || sid.starts_with("S-1-12-1-") {
            return capped(sid);
        }
        if status == Some(NOBODY) {
            return String::new();
        }
        if let Some(own) = self.domain.as_deref().filter(|own| own.eq_ignore_ascii_case(domain)) {
            let exists = status.is_some_and(|status| SOMEBODY.contains(&status));
            return if exists { capped(&format!(r"{own}\{name}")) } else { String::new() };
        }
        let lower = name.to_lowercase();
        self.local.iter().find(|(local, _)| *local == lower).map(|(_, called)| called.clone()).unwrap_or_default()
    }
}

/// `0xc000006a`.
fn status(text: &str) -> Option<u32> {
    u32::from_str_radix(text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"))?, 16).ok()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use os::windows::recorded::Recorded;
    use os::windows::{Member, UserAccount};

    const NOW: &str = "2026-11-22T03:20:00Z";
    const OWN: &str = "S-1-5-21-1-2-3";

    fn event(minute: i64, data: &[(&str, &str)]) -> Event {
        let hour: jiff::Timestamp = "2026-11-22T02:00:00Z".parse().unwrap();
        let data = data.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Event { id: FAILED, level: 0, at: hour.as_millisecond() + minute * 60_000, record: 0, data }
    }

    fn machine(events: Vec<Event>) -> Recorded {
        let mut os = Recorded { computer_name: Some("may-van-thu-phuong-01".to_owned()), ..Recorded::new() };
        os = os.log(CHANNEL, 0);
        os.events.insert(CHANNEL.to_owned(), events);
        os.audit_policy = Some([(LOGON.to_owned(), 3)].into());
        let account =
            |name: &str, rid| UserAccount { name: name.to_owned(), rid, flags: 0x200, password_age: 0, last_logon: 0 };
        os.accounts = Some(vec![account("Administrator", 500), account("Cán bộ Lan", 1001)]);
        let administrator = Member { sid: format!("{OWN}-500"), kind: 1, name: "x".to_owned() };
        os.members.insert(ADMINISTRATORS.to_owned(), vec![administrator]);
        os
    }

    fn listed(os: Recorded) -> Fact<List<FailedLogon>> {
        list(&CheckContext::new(Arc::new(os), NOW.parse().unwrap()))
    }

    fn reason(fact: &Fact<List<FailedLogon>>) -> Option<Reason> {
        match fact {
            Fact::Unknown(unknown) => Some(unknown.reason),
            Fact::Known(_) => None,
        }
    }

    /// The one row of one event on a machine in `domain`.
    fn only(domain: Option<&str>, data: &[(&str, &str)]) -> FailedLogon {
        let mut os = machine(vec![event(1, data)]);
        os.join = domain.map(|name| Join::Domain(name.to_owned()));
        let Fact::Known(List { mut items, left_out: 0 }) = listed(os) else { panic!("it is known") };
        assert_eq!(items.len(), 1);
        items.remove(0)
    }

    #[test]
    fn a_local_account_is_told_by_its_sid() {
        // As published in write-ups of attacks.
        let row = only(
            None,
            &[
                ("TargetUserSid", "S-1-0-0"),
                ("TargetUserName", "administrator"),
                ("TargetDomainName", "FORELA-WKSTN002"),
                ("Status", "0xc000006d"),
                ("SubStatus", "0xc000006a"),
                ("LogonType", "2"),
                ("WorkstationName", "FORELA-WKSTN002"),
                ("IpAddress", "-"),
            ],
        );
        assert_eq!((row.account.as_str(), row.source.as_str()), ("S-1-5-21-1-2-3-500", ""));
        assert_eq!((row.way, row.count), (LogonWay::Local, 1));
        assert_eq!(row.hour.to_string(), "2026-11-22T02:00:00Z");
        let named =
            only(None, &[("TargetUserName", "CÁN BỘ LAN"), ("LogonType", "3"), ("IpAddress", "::ffff:10.0.0.7")]);
        assert_eq!((named.account.as_str(), named.source.as_str()), ("S-1-5-21-1-2-3-1001", "10.0.0.7"));
        let remote =
            only(None, &[("TargetUserSid", "S-1-5-21-9-9-9-1105"), ("LogonType", "10"), ("WorkstationName", "MÁY-05")]);
        assert_eq!((remote.account.as_str(), remote.source.as_str()), ("S-1-5-21-9-9-9-1105", "MÁY-05"));
        assert_eq!(remote.way, LogonWay::RemoteDesktop);
    }

    #[test]
    fn a_name_that_is_no_account_is_never_kept() {
        for (domain, name, status) in [
            (None, "MatKhau@2026", "0xc0000064"),
            (None, "MatKhau@2026", "0xC000006A"),
            (None, "MatKhau@2026", ""),
            (Some("PHUONG"), "MatKhau@2026", "0xc0000064"),
            (Some("PHUONG"), "MatKhau@2026", "0xc000006d"),
            // Windows itself says that there is no such account, whatever the name looks like.
            (None, "Administrator", "0xc0000064"),
        ] {
            let row = only(
                domain,
                &[("TargetUserName", name), ("TargetDomainName", "PHUONG"), ("SubStatus", status), ("LogonType", "3")],
            );
            assert_eq!(row.account, "", "{name} {status}");
        }
    }

    #[test]
    fn an_account_of_the_domain_is_named_where_the_domain_knew_it() {
        let row = only(
            Some("PHUONG"),
            &[
                ("TargetUserName", "hoà"),
                ("TargetDomainName", "phuong"),
                ("Status", "0xC0000234"),
                ("SubStatus", "0x0"),
            ],
        );
        assert_eq!(row.account, r"PHUONG\hoà");
        assert_eq!(row.way, LogonWay::Other);
    }

    #[test]
    fn where_nothing_is_written_down_nothing_is_known() {
        let with = |audit: Option<u32>, events: Vec<Event>| {
            let mut os = machine(events);
            os.audit_policy = audit.map(|bits| [(LOGON.to_owned(), bits)].into());
            listed(os)
        };
        assert_eq!(with(Some(3), Vec::new()), Fact::Known(List::default()));
        // As Windows 10 ships: only successful logons are recorded.
        assert_eq!(reason(&with(Some(1), Vec::new())), Some(Reason::SourceMissing));
        assert!(with(None, Vec::new()).known().is_none());
        let before = with(Some(1), vec![event(0, &[("LogonType", "3")])]);
        assert_eq!(before.known().map(|list| (list.items.len(), list.left_out)), Some((1, 1)));
        assert_eq!(reason(&listed(Recorded::new())), Some(Reason::SourceMissing));
    }

    #[test]
    fn a_log_that_is_younger_than_a_week_is_marked_as_cut() {
        let yesterday = "2026-11-21T00:00:00Z".parse::<jiff::Timestamp>().unwrap().as_millisecond();
        let list = listed(machine(Vec::new()).log(CHANNEL, yesterday));
        assert_eq!(list.known().map(|list| (list.items.len(), list.left_out)), Some((0, 1)));
    }

    #[test]
    fn only_an_address_or_another_machine_is_a_source() {
        let from = |way: &str, address: &str, workstation: &str| {
            only(None, &[("LogonType", way), ("IpAddress", address), ("WorkstationName", workstation)]).source
        };
        // As recorded on real machines: RDP behind a gateway, sshd, a share.
        assert_eq!(from("10", "0.0.0.0", "MAY-VAN-THU-PHU"), "");
        assert_eq!(from("8", "-", "MAY-VAN-THU-PHU"), "");
        assert_eq!(from("3", "::1", "may-van-thu-phuong-01"), "");
        assert_eq!(from("3", "127.0.0.1", ""), "");
        assert_eq!(from("3", "::ffff:10.0.0.7", "MAY-VAN-THU-PHU"), "10.0.0.7");
        assert_eq!(from("10", "0.0.0.0", "MÁY-05"), "MÁY-05");
        assert_eq!(from("3", "may-khac", "-"), "");
        assert_eq!(from("3", "-", r"\\may-05"), "may-05");
        // Without a name of its own it cannot be told from others.
        let mut nameless = machine(vec![event(1, &[("LogonType", "8"), ("WorkstationName", "MAY-VAN-THU-PHU")])]);
        nameless.computer_name = None;
        assert_eq!(listed(nameless).known().unwrap().items[0].source, "MAY-VAN-THU-PHU");
    }

    #[test]
    fn a_logon_without_a_name_or_a_domain_is_of_no_account() {
        let kerberos = [("TargetUserSid", "S-1-0-0"), ("TargetUserName", ""), ("TargetDomainName", "")];
        let row = only(
            Some("PHUONG"),
            &[kerberos.as_slice(), &[("LogonType", "3"), ("Status", "0xC000006D"), ("IpAddress", "fe80::1%4")]]
                .concat(),
        );
        assert_eq!((row.account.as_str(), row.source.as_str()), ("", "fe80::1"));
        let local = [("TargetUserName", "Administrator"), ("TargetDomainName", ""), ("SubStatus", "0xC000006A")];
        assert_eq!(only(None, &local).account, format!("{OWN}-500"));
    }

    #[test]
    fn only_the_newest_are_read_and_that_is_said() {
        let many: Vec<Event> = (0..5_000).map(|second| event(-second / 60, &[("LogonType", "3")])).collect();
        let list = listed(machine(many));
        let list = list.known().unwrap();
        assert_eq!(list.items.iter().map(|row| row.count).sum::<i64>(), i64::try_from(MOST).unwrap());
        assert_eq!(list.left_out, 1);
    }

    #[test]
    fn odd_events_do_not_stop_it() {
        let mut late = event(0, &[]);
        late.at = i64::MAX;
        let list = listed(machine(vec![late, event(1, &[("SubStatus", "x"), ("LogonType", "99999999999")])]));
        assert_eq!(list.known().unwrap().items.len(), 1);
        assert_eq!((status("0xc000006a"), status("c000006a"), status("0x")), (Some(0xC000_006A), None, None));
    }
}
