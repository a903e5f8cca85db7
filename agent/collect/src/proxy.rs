//! Proxy addresses, in the notations of all systems.

use policies::fact::{Fact, List};

use super::text::capped;

/// All proxies that were found, sorted, each once.
pub(super) fn listed(mut proxies: Vec<String>) -> Fact<List<String>> {
    proxies.sort_unstable();
    proxies.dedup();
    Fact::Known(List::capped(proxies))
}

/// `scheme://name:password@host:port/` as `host:port`; `None` when it names no host.
pub(super) fn bare(value: &str) -> Option<String> {
    let value = value.trim();
    let rest = value.split_once("://").map_or(value, |(_, rest)| rest);
    let rest = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let rest = rest.rsplit('@').next().unwrap_or_default();
    let meaningful = rest.chars().any(char::is_alphanumeric) && !rest.contains(['$', '`', '"', '\'']);
    (meaningful && !rest.eq_ignore_ascii_case("direct") && !rest.eq_ignore_ascii_case("_none_")).then(|| capped(rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_name_nor_password_is_kept() {
        assert_eq!(bare("http://canbo:m%40t@10.0.0.1:3128/").as_deref(), Some("10.0.0.1:3128"));
        assert_eq!(bare("http://user:pass@/"), None);
        assert_eq!(bare(""), None);
    }
}
