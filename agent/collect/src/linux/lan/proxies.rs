//! Proxies set for the whole machine: `/etc/environment`, profile scripts, apt, dnf, the desktop's defaults.

use policies::fact::{Fact, List};

use crate::linux::context::{CheckContext, answered};
use crate::linux::text::{assigned, ini_value, lines, unquoted};
use crate::proxy::{bare, listed};
use os::OsError;

const VARIABLES: [&str; 8] =
    ["http_proxy", "https_proxy", "ftp_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "ALL_PROXY"];

/// All of them as `host:port`, sorted; never with user name or password.
pub(super) fn proxies(context: &CheckContext) -> Fact<List<String>> {
    answered(found(context), listed)
}

fn found(context: &CheckContext) -> Result<Vec<String>, OsError> {
    let environments = context.gathered(&["/etc/environment", "/etc/profile", "/etc/profile.d/*.sh"])?;
    let mut proxies: Vec<String> = environments
        .iter()
        .flat_map(|text| VARIABLES.iter().filter_map(|name| assigned(text, name)))
        .filter_map(bare)
        .collect();

    let apt = context.gathered(&["/etc/apt/apt.conf", "/etc/apt/apt.conf.d/*"])?;
    proxies.extend(apt.iter().flat_map(|text| apt_proxies(text)));

    for text in context.gathered(&["/etc/dnf/dnf.conf", "/etc/yum.conf"])? {
        proxies.extend(ini_value(&text, "main", "proxy").as_deref().and_then(bare));
    }
    for text in context.gathered(&["/etc/dconf/db/local.d/*", "/etc/dconf/db/site.d/*", "/etc/dconf/db/distro.d/*"])? {
        for section in ["system/proxy/http", "system/proxy/https", "system/proxy/socks"] {
            let value = |key| ini_value(&text, section, key);
            let host = value("host").as_deref().map(unquoted).map(str::to_owned).unwrap_or_default();
            proxies.extend(value("port").and_then(|port| bare(&format!("{host}:{port}"))));
        }
    }
    Ok(proxies)
}

/// `Acquire::http::Proxy "http://10.0.0.1:3128";` — the short form; nested blocks are rare and read by their last line.
fn apt_proxies(text: &str) -> Vec<String> {
    lines(text)
        .filter(|line| !line.starts_with("//"))
        .filter_map(|line| line.trim_end_matches([';', ' ', '}']).rsplit_once(char::is_whitespace))
        .filter(|(key, _)| {
            let key = key.trim().to_lowercase();
            key == "proxy" || (key.starts_with("acquire") && key.ends_with("proxy"))
        })
        .filter_map(|(_, value)| bare(unquoted(value)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use os::recorded::Recorded;

    #[test]
    fn every_source_is_read_and_no_password_kept() {
        let os = Recorded::new()
            .file("/etc/environment", "http_proxy=\"http://canbo:m%40t@10.0.0.1:3128/\"\r\nno_proxy=localhost\n")
            .file("/etc/profile.d/proxy.sh", "export HTTPS_PROXY=http://10.0.0.2:8080\nexport ALL_PROXY=$X\n")
            .file("/etc/apt/apt.conf.d/90proxy", "// Acquire::http::Proxy \"http://9.9.9.9:1\";\nAcquire::http::Proxy \"http://u:p@10.0.0.3:3142\";\nAcquire::https::Proxy \"DIRECT\";\n")
            .file("/etc/dnf/dnf.conf", "[main]\nproxy=http://10.0.0.4:3128\n")
            .file("/etc/dconf/db/local.d/00-proxy", "[system/proxy/http]\nhost='10.0.0.5'\nport=3128\n");
        let found = proxies(&CheckContext::of(os));
        let expected = ["10.0.0.1:3128", "10.0.0.2:8080", "10.0.0.3:3142", "10.0.0.4:3128", "10.0.0.5:3128"];
        assert_eq!(found.known().unwrap().items, expected);
    }

    #[test]
    fn no_proxy_is_a_known_empty_list() {
        let found = proxies(&CheckContext::of(Recorded::new()));
        assert_eq!(found, Fact::Known(List::default()));
    }
}
