//! Proxies: by policy, for the machine, for everyone logged on, and for system programs (WinHTTP).

use policies::fact::{Fact, List};

use crate::proxy::{bare, listed};
use crate::windows::accounts::loaded;
use crate::windows::context::{CheckContext, Setting, unknown};
use os::OsError;
use os::windows::Registry;

const SETTINGS: &str = r"Microsoft\Windows\CurrentVersion\Internet Settings";
/// The most loaded hives examined.
const MOST: usize = 64;

/// All of them as `host:port` (for a script only its host), sorted; never with user name or password. Unreadable places mark the list
/// as cut, or make it unknown if nothing else was found.
pub(super) fn proxies(context: &CheckContext) -> Fact<List<String>> {
    let mut keys = vec![format!(r"HKLM\SOFTWARE\Policies\{SETTINGS}"), format!(r"HKLM\SOFTWARE\{SETTINGS}")];
    let mut trouble = Vec::new();
    let sids = loaded(context).unwrap_or_else(|error| {
        trouble.extend(Some(error).filter(|error| !matches!(error, OsError::Missing(_))));
        Vec::new()
    });
    if sids.len() > MOST {
        trouble.push(OsError::Failed("HKU".to_owned(), format!("more than {MOST} people")));
    }
    for sid in sids.iter().take(MOST) {
        keys.push(format!(r"HKU\{sid}\SOFTWARE\Policies\{SETTINGS}"));
        keys.push(format!(r"HKU\{sid}\SOFTWARE\{SETTINGS}"));
    }
    let mut proxies = Vec::new();
    for found in keys.iter().map(|key| of_key(context, key)).chain([of_programs(context)]) {
        match found {
            Ok(found) => proxies.extend(found),
            Err(error) => trouble.push(error),
        }
    }
    match trouble.first() {
        Some(error) if proxies.is_empty() => unknown(error),
        _ => listed(proxies).map(|mut list| {
            list.left_out = list.left_out.saturating_add(u32::try_from(trouble.len()).unwrap_or(u32::MAX));
            list
        }),
    }
}

/// The proxies of system programs.
fn of_programs(context: &CheckContext) -> Result<Vec<String>, OsError> {
    let key = format!(r"HKLM\SOFTWARE\{SETTINGS}\Connections");
    let odd = || OsError::Failed(format!("{key} : WinHttpSettings"), "is damaged".to_owned());
    match context.os.value(&key, "WinHttpSettings") {
        Ok(Registry::Bytes(bytes)) => Ok(servers(&win_http(&bytes).ok_or_else(odd)?)),
        Ok(_) => Err(odd()),
        Err(OsError::Missing(_)) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

fn of_key(context: &CheckContext, key: &str) -> Result<Vec<String>, OsError> {
    let text = |name: &str| match context.text(key, name) {
        Setting::Set(text) => Ok(text),
        Setting::Absent => Ok(String::new()),
        Setting::Unreadable(error) => Err(error),
    };
    let mut proxies = Vec::new();
    // A proxy that is configured but not enabled is not in use.
    match context.number(key, "ProxyEnable") {
        Setting::Set(0) | Setting::Absent => {}
        Setting::Set(_) => proxies.extend(servers(&text("ProxyServer")?)),
        Setting::Unreadable(error) => return Err(error),
    }
    proxies.extend(bare(&text("AutoConfigURL")?));
    Ok(proxies)
}

/// `10.0.0.1:3128`, or one per protocol: `http=10.0.0.1:80;https=10.0.0.2:80`.
fn servers(text: &str) -> Vec<String> {
    let server = |part: &str| bare(part.split_once('=').map_or(part, |(_, server)| server));
    text.split([';', ' ']).filter_map(server).collect()
}

/// `WinHttpSettings`: two numbers, flags (2: by a proxy), length of the proxy's text and the text, one byte a character. Empty without a
/// proxy; `None` when it is damaged.
fn win_http(bytes: &[u8]) -> Option<String> {
    const BY_PROXY: u32 = 2;
    let number = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    if number(8)? & BY_PROXY == 0 {
        return Some(String::new());
    }
    let length = usize::try_from(number(12)?).ok()?;
    let text = bytes.get(16..16_usize.checked_add(length)?)?;
    Some(String::from_utf8_lossy(text).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use os::windows::recorded::Recorded;

    const PERSON: &str = r"HKU\S-1-5-21-1-2-3-1001\Software\Microsoft\Windows\CurrentVersion\Internet Settings";
    const ENTRA: &str = r"HKU\S-1-12-1-1-2-3-4\Software\Microsoft\Windows\CurrentVersion\Internet Settings";
    const CLASSES: &str =
        r"HKU\S-1-5-21-1-2-3-1001_Classes\Software\Microsoft\Windows\CurrentVersion\Internet Settings";

    fn collected(os: Recorded) -> Fact<List<String>> {
        proxies(&CheckContext::of(os))
    }

    #[test]
    fn every_place_is_read_and_no_password_kept() {
        let mut bytes = vec![0x28, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 13, 0, 0, 0];
        bytes.extend(b"10.0.0.9:3128");
        bytes.extend([0, 0, 0, 0]);
        let os = Recorded::new()
            .number(&format!(r"HKLM\SOFTWARE\Policies\{SETTINGS}"), "ProxyEnable", 1)
            .text(
                &format!(r"HKLM\SOFTWARE\Policies\{SETTINGS}"),
                "ProxyServer",
                "http=u:p@10.0.0.1:80;https=10.0.0.2:80",
            )
            .number(PERSON, "ProxyEnable", 1)
            .text(PERSON, "ProxyServer", "10.0.0.3:8080")
            .text(PERSON, "AutoConfigURL", "http://u:p@10.0.0.4/proxy.pac")
            .text(ENTRA, "AutoConfigURL", "http://10.0.0.5/proxy.pac")
            .text(CLASSES, "AutoConfigURL", "http://10.9.9.8/proxy.pac")
            .text(
                r"HKU\S-1-5-21-1-2-3-1002\Software\Microsoft\Windows\CurrentVersion\Internet Settings",
                "ProxyServer",
                "10.9.9.9:1",
            )
            .set(&format!(r"HKLM\SOFTWARE\{SETTINGS}\Connections"), "WinHttpSettings", Registry::Bytes(bytes));
        let expected = ["10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:8080", "10.0.0.4", "10.0.0.5", "10.0.0.9:3128"];
        assert_eq!(collected(os).known().unwrap().items, expected);
    }

    #[test]
    fn a_place_that_cannot_be_read_is_not_taken_for_none() {
        let settings = format!(r"HKLM\SOFTWARE\{SETTINGS}");
        let denied = Recorded::new().denying(&format!(r"{settings}\Connections"));
        assert!(collected(denied.clone()).known().is_none());
        let list = collected(denied.number(&settings, "ProxyEnable", 1).text(&settings, "ProxyServer", "10.0.0.1:80"));
        assert_eq!(list, Fact::Known(List { items: vec!["10.0.0.1:80".to_owned()], left_out: 1 }));
        assert!(collected(Recorded::new().text(&settings, "ProxyEnable", "có")).known().is_none());
        assert!(collected(Recorded::new().denying("HKU")).known().is_none());
    }

    #[test]
    fn none_is_an_empty_list_and_damaged_bytes_are_none() {
        assert_eq!(collected(Recorded::new()), Fact::Known(List::default()));
        let damaged = vec![0x28, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, b'x'];
        assert_eq!(win_http(&damaged), None);
        assert_eq!(win_http(&[]), None);
    }
}
