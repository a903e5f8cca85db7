//! What `/etc/shadow` records about an account. The hash itself never leaves this module.

use jiff::Timestamp;
use policies::fact::{Fact, HashMethod, Instant, Reason};

use crate::linux::text::capped;

/// One line of `/etc/shadow`.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Secret {
    pub(super) name: String,
    hash: String,
    changed: Option<i64>,
    longest: Option<i64>,
    inactive: Option<i64>,
    expires: Option<i64>,
}

/// The lines of `/etc/shadow`.
pub(super) fn shadow(text: &str) -> Vec<Secret> {
    let secret = |line: &str| {
        let fields: Vec<&str> = line.split(':').collect();
        let number = |at: usize| fields.get(at).and_then(|field| field.trim().parse().ok());
        Some(Secret {
            name: capped(fields[0]),
            hash: (*fields.get(1)?).to_owned(),
            changed: number(2),
            longest: number(4),
            inactive: number(6),
            expires: number(7),
        })
    };
    text.lines().filter_map(secret).collect()
}

impl Secret {
    /// The password field in `/etc/passwd` itself.
    pub(super) fn plain(name: &str, hash: &str) -> Self {
        Self { name: name.to_owned(), hash: hash.to_owned(), ..Self::default() }
    }

    /// True when nobody can log in any more, by password or key: the account expired, or its password expired and was not
    /// changed in time.
    pub(super) fn is_shut(&self, now: Timestamp) -> bool {
        let today = now.as_second().div_euclid(86_400);
        let set = |days: Option<i64>| days.filter(|days| *days >= 0);
        let expired = set(self.expires).is_some_and(|day| day <= today);
        let late = match (set(self.changed), set(self.longest), set(self.inactive)) {
            // Day 0 means that it must be changed at the next login.
            (Some(changed), Some(longest), Some(inactive)) if changed > 0 => {
                today.saturating_sub(changed) > longest.saturating_add(inactive)
            }
            _ => false,
        };
        expired || late
    }

    /// True when it has a password, even an empty one. Anything too short to be a hash is none.
    pub(super) fn has_password(&self) -> bool {
        self.hash.is_empty()
            || self.hash.starts_with(['$', '_'])
            || (self.hash.len() >= 13 && !self.is_locked() && !self.hash.starts_with('*'))
    }

    /// True when it is marked as locked, rather than just without a password.
    pub(super) fn is_locked(&self) -> bool {
        self.hash.starts_with('!')
    }

    /// True when its password is empty.
    pub(super) fn is_empty(&self) -> bool {
        self.hash.is_empty()
    }

    /// The day of the last change.
    pub(super) fn changed_at(&self) -> Fact<Instant> {
        match self.changed {
            Some(0) => Fact::unknown(Reason::SourceMissing, "it must be changed at the next login"),
            Some(day) => match Timestamp::from_second(day.saturating_mul(86_400)) {
                Ok(at) => Fact::Known(at),
                Err(_) => Fact::unknown(Reason::Unreadable, format!("day {day}")),
            },
            None => Fact::unknown(Reason::SourceMissing, "/etc/shadow does not say"),
        }
    }

    /// True when there is a password that never has to be changed.
    pub(super) fn never_expires(&self) -> bool {
        self.has_password() && self.longest.is_none_or(|days| !(0..99_999).contains(&days))
    }

    /// By the prefix, `crypt(5)`.
    pub(super) fn hash_method(&self) -> Fact<HashMethod> {
        let hash = self.hash.trim_start_matches('!');
        let by_prefix = |prefixes: &[&str]| prefixes.iter().any(|prefix| hash.starts_with(prefix));
        match () {
            () if hash.is_empty() || hash.starts_with('*') => {
                Fact::unknown(Reason::SourceMissing, "it has no password")
            }
            () if by_prefix(&["$y$"]) => Fact::Known(HashMethod::Yescrypt),
            () if by_prefix(&["$gy$", "$7$", "$2a$", "$2b$", "$2y$"]) => Fact::Known(HashMethod::Strong),
            () if by_prefix(&["$6$"]) => Fact::Known(HashMethod::Sha512),
            () if by_prefix(&["$5$"]) => Fact::Known(HashMethod::Sha256),
            () if by_prefix(&["$1$", "$md5"]) => Fact::Known(HashMethod::Md5),
            () if hash.len() == 13 || by_prefix(&["_"]) => Fact::Known(HashMethod::Des),
            () => Fact::Known(HashMethod::Other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hash_methods_are_told_by_their_prefix() {
        let method = |hash: &str| Secret::plain("x", hash).hash_method().known().copied();
        assert_eq!(method("!$6$x"), Some(HashMethod::Sha512));
        assert_eq!(method("$2b$12$x"), Some(HashMethod::Strong));
        assert_eq!(method("abcdefghijklm"), Some(HashMethod::Des));
        assert_eq!(method("$9$x"), Some(HashMethod::Other));
        assert_eq!((method("!!"), method("*"), method("")), (None, None, None));
    }

    #[test]
    fn an_account_is_shut_as_pam_unix_shuts_it() {
        let shut = |line: &str| shadow(line)[0].is_shut(Timestamp::from_second(20_000 * 86_400).unwrap());
        assert!(!shut("x:h:19000:0:99999:7:::") && !shut("x:h:19000:0:90:7:::"));
        assert!(shut("x:h:19000:0:90:7:30::"), "aged out and inactive");
        assert!(!shut("x:h:19880:0:90:7:30::") && shut("x:h:19879:0:90:7:30::"));
        assert!(!shut("x:h:0:0:90:7:30::"), "it must be changed, and can be");
        assert!(shut("x:h:19999:0:90:7::20000:") && !shut("x:h:19999:0:90:7::20001:"));
    }

    #[test]
    fn only_a_hash_or_nothing_is_a_password() {
        let has = |hash: &str| Secret::plain("x", hash).has_password();
        assert!(has("") && has("$y$j9T$x$yyyyy") && has("abcdefghijklm"));
        assert!(!has("!") && !has("*") && !has("!$y$j9T$x$y") && !has("x") && !has("NP"));
    }
}
