//! Name resolution by asking the whole network: LLMNR and NetBIOS. Any machine asked can give a false answer.

use policies::fact::Fact;

use crate::windows::context::{CheckContext, Setting, unknown};
use os::windows::Adapter;

const DNS_CLIENT: &str = r"HKLM\SOFTWARE\Policies\Microsoft\Windows NT\DNSClient";
const NETBT: &str = r"HKLM\SYSTEM\CurrentControlSet\Services\NetBT";
/// `SERVICE_DISABLED`.
const DISABLED: u64 = 4;

/// `EnableMulticast`: 0 switches it off; when absent it is on (since Vista).
pub(super) fn llmnr(context: &CheckContext) -> Fact<bool> {
    context.number(DNS_CLIENT, "EnableMulticast").or(Fact::Known(true), |on| Fact::Known(on != 0))
}

/// `NetbiosOptions` of each interface that is up: 2 switches it off, 1 on; 0 or absent leaves it to the DHCP server, and if that does
/// not specify it, it is on.
pub(super) fn netbios(context: &CheckContext, adapters: &[Adapter]) -> Fact<bool> {
    const OFF: u64 = 2;
    const BY_DHCP: u64 = 0;
    match context.number(NETBT, "Start") {
        // Its start type only takes effect at the next start: while it runs it answers.
        Setting::Set(DISABLED) => match context.service_runs("NetBT") {
            Ok(true) => {}
            Ok(false) => return Fact::Known(false),
            Err(error) => return unknown(&error),
        },
        Setting::Unreadable(error) => return unknown(&error),
        Setting::Set(_) | Setting::Absent => {}
    }
    let four = |adapter: &&Adapter| adapter.addresses.iter().any(|address| !address.contains(':'));
    let mut untold = None;
    for adapter in adapters.iter().filter(four) {
        let key = format!(r"{NETBT}\Parameters\Interfaces\Tcpip_{}", adapter.guid);
        let option = |name: &str| context.number(&key, name).or(Fact::Known(BY_DHCP), Fact::Known);
        let option = match option("NetbiosOptions") {
            Fact::Known(BY_DHCP) => option("DhcpNetbiosOptions"),
            other => other,
        };
        match option {
            Fact::Known(OFF) => {}
            Fact::Known(_) => return Fact::Known(true),
            Fact::Unknown(why) => untold = Some(why),
        }
    }
    untold.map_or(Fact::Known(false), Fact::Unknown)
}
