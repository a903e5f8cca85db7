//! What an NFS server exports: `/etc/exports` and the files next to it (exports(5)).

use policies::fact::{Fact, Share, ShareKind};

use crate::linux::context::CheckContext;
use crate::linux::text::{capped, lines};
use os::Answer;

/// The exported folders.
pub(super) fn exports(context: &CheckContext) -> Answer<Vec<Share>> {
    let texts = context.gathered(&["/etc/exports", "/etc/exports.d/*.exports"])?;
    Ok(texts.iter().flat_map(|text| exported(text)).collect())
}

/// `path host(options) host(options)`, lines continued with a backslash, paths with blanks in quotes.
fn exported(text: &str) -> Vec<Share> {
    let joined = text.replace("\\\n", " ");
    lines(&joined)
        .filter_map(|line| {
            let (path, clients) = match line.strip_prefix('"') {
                Some(rest) => rest.split_once('"')?,
                None => line.split_once(char::is_whitespace).unwrap_or((line, "")),
            };
            let (mut defaults, mut hosts) = (String::new(), Vec::new());
            for word in clients.split_ascii_whitespace().take_while(|word| !word.starts_with('#')) {
                match (word.strip_prefix('-'), word.split_once('(')) {
                    (Some(options), _) => options.clone_into(&mut defaults),
                    (None, Some((host, options))) => {
                        hosts.push((host, format!("{defaults},{}", options.trim_end_matches(')'))))
                    }
                    (None, None) => hosts.push((word, defaults.clone())),
                }
            }
            if hosts.is_empty() {
                hosts.push(("*", defaults));
            }
            let any =
                |test: fn(&str, &str) -> bool| Fact::Known(hosts.iter().any(|(host, options)| test(host, options)));
            let name = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
            Some(Share {
                kind: ShareKind::Nfs,
                name: if name.is_empty() { "/".to_owned() } else { capped(name) },
                open_to_all: any(|host, options| everyone(host) && !kerberos(options)),
                writable: any(|_, options| option(options, "rw", "ro")),
                remote_root: any(|_, options| option(options, "no_root_squash", "root_squash")),
            })
        })
        .collect()
}

fn everyone(host: &str) -> bool {
    ["", "*", "0.0.0.0/0", "0.0.0.0/0.0.0.0", "::/0"].contains(&host)
}

fn kerberos(options: &str) -> bool {
    let security = options.split(',').rev().find_map(|option| option.strip_prefix("sec="));
    security.is_some_and(|flavours| flavours.split(':').all(|flavour| flavour.starts_with("krb5")))
}

/// True when `on` is among the options and `off` does not follow it.
fn option(options: &str, on: &str, off: &str) -> bool {
    options.split(',').rev().map(str::trim).find(|option| *option == on || *option == off) == Some(on)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nfs_exports_are_read_with_their_options() {
        let text = "# comment\n/srv/chung *(rw,sync,no_root_squash) 10.0.0.0/24(ro)\n\"/srv/hai chữ\" 10.0.0.5(ro)\n\
            /srv/krb -sec=krb5p,rw *\n/srv/open\n/srv/long \\\n  10.0.0.0/24(rw,ro)\n";
        let shares = exported(text);
        let flag = |fact: &Fact<bool>| *fact.known().unwrap();
        let shown: Vec<_> = shares
            .iter()
            .map(|share| {
                (share.name.as_str(), flag(&share.open_to_all), flag(&share.writable), flag(&share.remote_root))
            })
            .collect();
        assert_eq!(
            shown,
            [
                ("chung", true, true, true),
                ("hai chữ", false, false, false),
                ("krb", false, true, false),
                ("open", true, false, false),
                ("long", false, false, false)
            ]
        );
        assert!(exported("").is_empty() && exported("\"broken").is_empty());
    }
}
