//! Host name lookup. Offices install a static binary whose C library knows only `/etc/hosts` and DNS. A machine may use more sources
//! (`/etc/nsswitch.conf`: mDNS, WINS, a directory), which its own `getent` covers.

use std::net::{IpAddr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use os::linux::Linux;
use os::{LinuxOs, Program};

/// Looks up names through the C library, then through `getent ahosts` if that finds nothing.
#[derive(Debug)]
pub(super) struct Names;

impl Resolve for Names {
    fn resolve(&self, name: Name) -> Resolving {
        let host = name.as_str().to_owned();
        Box::pin(async move {
            let error = match tokio::net::lookup_host((host.as_str(), 0)).await {
                Ok(found) => return Ok(Box::new(found.collect::<Vec<_>>().into_iter()) as Addrs),
                Err(error) => error,
            };
            let found = tokio::task::spawn_blocking(move || ask_the_system(&host)).await?;
            if found.is_empty() { Err(error.into()) } else { Ok(Box::new(found.into_iter()) as Addrs) }
        })
    }
}

fn ask_the_system(host: &str) -> Vec<SocketAddr> {
    // A name beginning with a dash would be read as an option.
    if !host.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '_') {
        return Vec::new();
    }
    let answer = Linux::default().run(Program::Getent, &["ahosts", host]);
    answer.map(|output| addresses(&output.stdout)).unwrap_or_default()
}

/// Parses lines such as `192.0.2.7       STREAM server.example`, one per socket type.
fn addresses(text: &str) -> Vec<SocketAddr> {
    let mut found: Vec<SocketAddr> = Vec::new();
    for address in text.lines().filter_map(|line| line.split_whitespace().next()?.parse::<IpAddr>().ok()) {
        let address = SocketAddr::new(address, 0);
        if !found.contains(&address) {
            found.push(address);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_once_in_the_order_of_the_system() {
        let said = "2001:db8::7     STREAM server.example\n2001:db8::7     DGRAM  \n192.0.2.7       STREAM \nfe80::1%eth0    RAW\n\nx\n";
        assert_eq!(addresses(said), ["[2001:db8::7]:0".parse().unwrap(), "192.0.2.7:0".parse().unwrap()]);
    }

    #[test]
    fn the_system_is_asked_for_names_and_nothing_else() {
        assert!(ask_the_system("localhost").iter().any(|address| address.ip().is_loopback()));
        assert!(ask_the_system("--help").is_empty() && ask_the_system("").is_empty());
        assert!(ask_the_system("no-such-host.invalid").is_empty());
    }
}
