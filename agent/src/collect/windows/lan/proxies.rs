//! Proxies: by policy, for the machine, for everybody who is logged on, and for programs of the system (WinHTTP).

use policies::fact::{Fact, List};

use crate::collect::proxy::{bare, listed};
use crate::collect::windows::accounts::loaded;
use crate::collect::windows::scene::{Scene, Setting, answered};
use crate::os::OsError;
use crate::os::windows::Registry;

const SETTINGS: &str = r"Microsoft\Windows\CurrentVersion\Internet Settings";
/// The most loaded hives that are looked at.
const MOST: usize = 64;

/// All of them as `host:port` (of a script only its host), sorted; never with a name or password.
pub(super) fn proxies(scene: &Scene) -> Fact<List<String>> {
    answered(found(scene), listed)
}

fn found(scene: &Scene) -> Result<Vec<String>, OsError> {
    let mut keys = vec![format!(r"HKLM\SOFTWARE\Policies\{SETTINGS}"), format!(r"HKLM\SOFTWARE\{SETTINGS}")];
    for sid in loaded(scene).unwrap_or_default().iter().take(MOST) {
        keys.push(format!(r"HKU\{sid}\SOFTWARE\Policies\{SETTINGS}"));
        keys.push(format!(r"HKU\{sid}\SOFTWARE\{SETTINGS}"));
    }
    let mut proxies = Vec::new();
    for key in keys {
        proxies.extend(of_key(scene, &key)?);
    }
    match scene.os.value(&format!(r"HKLM\SOFTWARE\{SETTINGS}\Connections"), "WinHttpSettings") {
        Ok(Registry::Bytes(bytes)) => proxies.extend(win_http(&bytes).iter().flat_map(|text| servers(text))),
        Ok(_) | Err(OsError::Missing(_)) => {}
        Err(error) => return Err(error),
    }
    Ok(proxies)
}

fn of_key(scene: &Scene, key: &str) -> Result<Vec<String>, OsError> {
    let text = |name: &str| match scene.text(key, name) {
        Setting::Set(text) => Ok(text),
        Setting::Absent => Ok(String::new()),
        Setting::Unreadable(error) => Err(error),
    };
    let mut proxies = Vec::new();
    // A proxy that is written down and not switched on is not in use.
    if scene.number(key, "ProxyEnable") == Setting::Set(1) {
        proxies.extend(servers(&text("ProxyServer")?));
    }
    proxies.extend(bare(&text("AutoConfigURL")?));
    Ok(proxies)
}

/// `10.0.0.1:3128`, or one for each protocol: `http=10.0.0.1:80;https=10.0.0.2:80`.
fn servers(text: &str) -> Vec<String> {
    let server = |part: &str| bare(part.split_once('=').map_or(part, |(_, server)| server));
    text.split([';', ' ']).filter_map(server).collect()
}

/// `WinHttpSettings`: two numbers, flags (2: by a proxy), length of the proxy's text and the text, one byte a character.
fn win_http(bytes: &[u8]) -> Option<String> {
    const BY_PROXY: u32 = 2;
    let number = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    if number(8)? & BY_PROXY == 0 {
        return None;
    }
    let length = usize::try_from(number(12)?).ok()?;
    let text = bytes.get(16..16_usize.checked_add(length)?)?;
    Some(String::from_utf8_lossy(text).into_owned())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::os::windows::recorded::Recorded;

    const PERSON: &str = r"HKU\S-1-5-21-1-2-3-1001\Software\Microsoft\Windows\CurrentVersion\Internet Settings";
    const ENTRA: &str = r"HKU\S-1-12-1-1-2-3-4\Software\Microsoft\Windows\CurrentVersion\Internet Settings";
    const CLASSES: &str =
        r"HKU\S-1-5-21-1-2-3-1001_Classes\Software\Microsoft\Windows\CurrentVersion\Internet Settings";

    fn collected(os: Recorded) -> Fact<List<String>> {
        proxies(&Scene::new(Arc::new(os), jiff::Timestamp::UNIX_EPOCH))
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
    fn none_is_an_empty_list_and_damaged_bytes_are_none() {
        assert_eq!(collected(Recorded::new()), Fact::Known(List::default()));
        let damaged = vec![0x28, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, b'x'];
        assert_eq!(win_http(&damaged), None);
        assert_eq!(win_http(&[]), None);
    }
}
