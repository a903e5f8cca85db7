//! Section `time`: the Windows time service (W32Time).
//!
//! Sources: `HKLM\SYSTEM\CurrentControlSet\Services\W32Time` (`Parameters\Type`, `Parameters\NtpServer`; policy below
//! `HKLM\SOFTWARE\Policies\Microsoft\W32Time`), event logs (`time/journal.rs`), learn.microsoft.com, "Windows Time Service tools and settings".

use policies::fact::{Fact, List, Reason, Time, TimeSource};

use super::context::{CheckContext, RUNNING, answered};
use crate::text::capped;

mod journal;

const SERVICE: &str = r"HKLM\SYSTEM\CurrentControlSet\Services\W32Time";
const POLICY: &str = r"HKLM\SOFTWARE\Policies\Microsoft\W32Time";
const ZONE: &str = r"HKLM\SYSTEM\CurrentControlSet\Control\TimeZoneInformation";
/// `SERVICE_DISABLED`.
const DISABLED: u64 = 4;

/// Registry keys whose change triggers a new collection of this section.
pub(super) const WATCHED: &[&str] = &[
    r"HKLM\SYSTEM\CurrentControlSet\Services\W32Time",
    r"HKLM\SYSTEM\CurrentControlSet\Services\W32Time\Parameters",
    r"HKLM\SOFTWARE\Policies\Microsoft\W32Time\Parameters",
    ZONE,
];

pub(super) fn collect(context: &CheckContext) -> Time {
    let parameter = |name: &str| {
        context
            .text(&format!(r"{POLICY}\Parameters"), name)
            .else_by(|| context.text(&format!(r"{SERVICE}\Parameters"), name))
    };
    let kind = parameter("Type");
    let source = answered(context.service("W32Time"), |service| match service {
        None => Fact::Known(TimeSource::None),
        // The start type only takes effect at the next start.
        Some(service) if service.state == RUNNING => Fact::Known(TimeSource::W32Time),
        // Started by a trigger, it need not be running right now.
        Some(_) => context.number(SERVICE, "Start").or(Fact::unknown(Reason::SourceMissing, SERVICE), |start| {
            Fact::Known(if start == DISABLED { TimeSource::None } else { TimeSource::W32Time })
        }),
    })
    .and_not(kind.or(Fact::Known(false), |kind| Fact::Known(kind.eq_ignore_ascii_case("NoSync"))));
    // That no source is followed can be known without asking the service. It only reports its offset from the server as text.
    let (synchronised, within_a_second) = match &source {
        Fact::Known(TimeSource::None) => (Fact::Known(false), Fact::Known(false)),
        _ => {
            (journal::synchronised(context), Fact::unknown(Reason::NoReader, "the time service tells it in words only"))
        }
    };
    Time {
        servers: parameter("NtpServer").or(Fact::Known(List::default()), |text| Fact::Known(servers(&text))),
        within_a_second,
        synchronised,
        source,
        zone: context.text(ZONE, "TimeZoneKeyName").or(Fact::unknown(Reason::SourceMissing, ZONE), Fact::Known),
    }
}

/// `time.windows.com,0x9 ntp.example,0x8`: names without their flags.
fn servers(text: &str) -> List<String> {
    text.split_ascii_whitespace().filter_map(|server| server.split(',').next()).map(capped).collect()
}

trait AndNot {
    /// No source if it is configured not to synchronise.
    fn and_not(self, told_not_to: Fact<bool>) -> Self;
}

impl AndNot for Fact<TimeSource> {
    fn and_not(self, told_not_to: Fact<bool>) -> Self {
        match told_not_to {
            Fact::Known(true) => Self::Known(TimeSource::None),
            Fact::Known(false) => self,
            Fact::Unknown(unknown) => Self::Unknown(unknown),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use os::windows::recorded::Recorded;

    fn collected(os: Recorded) -> Time {
        collect(&CheckContext::of(os))
    }

    fn office() -> Recorded {
        let parameters = format!(r"{SERVICE}\Parameters");
        Recorded::new()
            .service("W32Time", false)
            .number(SERVICE, "Start", 3)
            .text(&parameters, "Type", "NTP")
            .text(&parameters, "NtpServer", "time.windows.com,0x9 ntp.xa.gov.vn")
            .text(ZONE, "TimeZoneKeyName", "SE Asia Standard Time")
    }

    #[test]
    fn a_computer_as_it_is_delivered_follows_a_server() {
        let time = collected(office());
        assert_eq!(time.source, Fact::Known(TimeSource::W32Time));
        assert!(matches!(&time.within_a_second, Fact::Unknown(unknown) if unknown.reason == Reason::NoReader));
        assert_eq!(time.servers.known().unwrap().items, ["time.windows.com", "ntp.xa.gov.vn"]);
        assert_eq!(time.zone, Fact::Known("SE Asia Standard Time".to_owned()));
    }

    #[test]
    fn a_policy_stands_over_what_is_set_locally_and_a_disabled_service_is_none() {
        let policy = format!(r"{POLICY}\Parameters");
        assert_eq!(collected(office().text(&policy, "Type", "NoSync")).source, Fact::Known(TimeSource::None));
        let time = collected(office().text(&policy, "NtpServer", "ntp.tinh.gov.vn,0x8").number(SERVICE, "Start", 4));
        assert_eq!(time.source, Fact::Known(TimeSource::None));
        assert_eq!((time.synchronised, time.within_a_second), (Fact::Known(false), Fact::Known(false)));
        assert_eq!(time.servers.known().unwrap().items, ["ntp.tinh.gov.vn"]);
        let mut runs = office().number(SERVICE, "Start", 4);
        runs.services.as_mut().unwrap()[0].state = RUNNING;
        assert_eq!(collected(runs).source, Fact::Known(TimeSource::W32Time), "it runs until the next start");
    }

    #[test]
    fn nothing_is_invented_on_an_empty_machine() {
        let time = collected(Recorded::new());
        assert!(time.source.known().is_none() && time.zone.known().is_none());
        assert_eq!(collected(Recorded::new().service("Dhcp", true)).source, Fact::Known(TimeSource::None));
    }
}
