//! Version comparison: Debian's `epoch:upstream-revision` (`deb-version(7)`) and rpm's (`rpm-version(7)`).

use std::cmp::Ordering;

/// Compares two versions as dpkg does.
pub(super) fn compare(one: &str, other: &str) -> Ordering {
    let (one, other) = (Version::read(one), Version::read(other));
    one.epoch
        .cmp(&other.epoch)
        .then_with(|| compare_part(one.upstream, other.upstream))
        .then_with(|| compare_part(one.revision, other.revision))
}

struct Version<'a> {
    epoch: u64,
    upstream: &'a str,
    revision: &'a str,
}

impl<'a> Version<'a> {
    fn read(text: &'a str) -> Self {
        let (epoch, rest) = match text.split_once(':') {
            Some((epoch, rest)) => (epoch.parse().unwrap_or(0), rest),
            None => (0, text),
        };
        let (upstream, revision) = rest.rsplit_once('-').unwrap_or((rest, ""));
        Self { epoch, upstream, revision }
    }
}

/// Alternately a part without digits, ordered by [`weight`], and a number.
fn compare_part(one: &str, other: &str) -> Ordering {
    let (mut one, mut other) = (one.as_bytes(), other.as_bytes());
    while !one.is_empty() || !other.is_empty() {
        loop {
            let (left, right) = (weight(one.first()), weight(other.first()));
            match left.cmp(&right) {
                // Both are before a digit or at the end.
                Ordering::Equal if left == 0 => break,
                Ordering::Equal => {
                    one = &one[1..];
                    other = &other[1..];
                }
                unequal => return unequal,
            }
        }
        let ((left, rest_one), (right, rest_other)) = (number(one), number(other));
        let order = left.len().cmp(&right.len()).then_with(|| left.cmp(right));
        if order != Ordering::Equal {
            return order;
        }
        (one, other) = (rest_one, rest_other);
    }
    Ordering::Equal
}

/// A tilde comes before everything, even the end; letters before other signs.
fn weight(byte: Option<&u8>) -> i32 {
    match byte {
        Some(b'~') => -1,
        None => 0,
        Some(byte) if byte.is_ascii_digit() => 0,
        Some(&byte) if byte.is_ascii_alphabetic() => i32::from(byte),
        Some(&byte) => i32::from(byte) + 256,
    }
}

/// The digits at the front without leading zeroes, and the rest.
fn number(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    let zeroes = text[..end].iter().position(|&byte| byte != b'0').unwrap_or(end);
    (&text[zeroes..end], &text[end..])
}

/// Compares two versions or releases as rpm does: by parts of digits or of letters, ignoring separators; a number is newer than
/// letters, and the longer one is newer, unless it continues with a tilde.
pub(super) fn compare_rpm(one: &str, other: &str) -> Ordering {
    let sign = |character: char| !character.is_ascii_alphanumeric() && character != '~' && character != '^';
    let (mut one, mut other) = (one.trim_start_matches(sign), other.trim_start_matches(sign));
    loop {
        // A tilde sorts before the end, a caret after it but before everything else.
        let rank = |text: &str| match text.chars().next() {
            Some('~') => 0,
            None => 1,
            Some('^') => 2,
            Some(letter) if letter.is_ascii_alphabetic() => 3,
            Some(_) => 4,
        };
        let order = match rank(one).cmp(&rank(other)) {
            Ordering::Equal if one.is_empty() => return Ordering::Equal,
            Ordering::Equal => {
                let ((left, rest_one), (right, rest_other)) = (part(one), part(other));
                (one, other) = (rest_one.trim_start_matches(sign), rest_other.trim_start_matches(sign));
                match left.starts_with(|first: char| first.is_ascii_digit()) {
                    true => {
                        let (left, right) = (left.trim_start_matches('0'), right.trim_start_matches('0'));
                        left.len().cmp(&right.len()).then_with(|| left.cmp(right))
                    }
                    false => left.cmp(right),
                }
            }
            unequal => unequal,
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

/// The first part of digits, of letters, or one sign, and the rest.
fn part(text: &str) -> (&str, &str) {
    let kind = |character: char| (character.is_ascii_digit(), character.is_ascii_alphabetic());
    let first = text.chars().next().map_or((false, false), kind);
    let end = match first {
        (false, false) => text.chars().next().map_or(0, char::len_utf8),
        first => text.find(|character| kind(character) != first).unwrap_or(text.len()),
    };
    text.split_at(end)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn versions_order_as_dpkg_orders_them() {
        for (older, newer) in [
            ("1.0", "1.1"),
            ("1.9", "1.10"),
            ("1.0~rc1", "1.0"),
            ("1.0~~", "1.0~"),
            ("1.0", "1.0a"),
            ("1.0a", "1.0+b1"),
            ("9:0", "10:0"),
            ("99", "1:1"),
            ("1.0-1", "1.0-1+deb12u1"),
            ("1.0-1+deb12u1", "1.0-1.1"),
            ("2.36-9+deb12u4", "2.36-9+deb12u10"),
            ("1.0", "1.0-1"),
            ("1-1-1", "1-1-2"),
            ("6.1.0-18-amd64", "6.1.0-21-amd64"),
        ] {
            assert_eq!(compare(older, newer), Ordering::Less, "{older} {newer}");
            assert_eq!(compare(newer, older), Ordering::Greater, "{newer} {older}");
        }
        for (one, same) in [("1.0", "0:1.0"), ("1.00", "1.0"), ("1.0-0", "1.0"), ("", "")] {
            assert_eq!(compare(one, same), Ordering::Equal, "{one} {same}");
        }
    }

    #[test]
    fn versions_order_as_rpm_orders_them() {
        for (older, newer) in [
            ("5.14.0-427.el9.x86_64", "5.14.0-427.16.1.el9_4.x86_64"),
            ("5.14.0-427.9.1.el9", "5.14.0-427.16.1.el9"),
            ("1.0~rc1", "1.0"),
            ("1.0", "1.0^git1"),
            ("1.0^git1", "1.0.1"),
            ("1.0a", "1.0.1"),
            ("1.0", "1.0a"),
        ] {
            assert_eq!(compare_rpm(older, newer), Ordering::Less, "{older} {newer}");
            assert_eq!(compare_rpm(newer, older), Ordering::Greater, "{newer} {older}");
        }
        assert_eq!(compare_rpm("1.0-1", "1_00.01"), Ordering::Equal);
    }

    proptest! {
        #[test]
        fn any_text_compares_without_end(one in ".{0,40}", other in "[0-9a-z.+~:-]{0,40}") {
            prop_assert_eq!(compare(&one, &other), compare(&other, &one).reverse());
            prop_assert_eq!(compare(&one, &one), Ordering::Equal);
            prop_assert_eq!(compare_rpm(&one, &other), compare_rpm(&other, &one).reverse());
            prop_assert_eq!(compare_rpm(&one, &one), Ordering::Equal);
        }
    }
}
