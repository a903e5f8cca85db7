//! Until when each release gets security updates at no extra price. As of November 2026, from the makers' own tables:
//! Debian (with LTS, which everybody gets), Ubuntu (without Pro), Red Hat and its kin, Fedora, Linux Mint.

use policies::fact::{Fact, Instant, Reason};

use crate::collect::linux::text::{assigned, capped};

/// Identifier, version (as far as it matters), last day.
const RELEASES: &[(&str, &str, &str)] = &[
    ("debian", "8", "2020-06-30"),
    ("debian", "9", "2022-06-30"),
    ("debian", "10", "2024-06-30"),
    ("debian", "11", "2026-08-31"),
    ("debian", "12", "2028-06-30"),
    ("debian", "13", "2030-06-30"),
    ("ubuntu", "14.04", "2019-04-30"),
    ("ubuntu", "16.04", "2021-04-30"),
    ("ubuntu", "18.04", "2023-05-31"),
    ("ubuntu", "20.04", "2025-05-29"),
    ("ubuntu", "22.04", "2027-06-01"),
    ("ubuntu", "23.10", "2024-07-11"),
    ("ubuntu", "24.04", "2029-05-31"),
    ("ubuntu", "24.10", "2025-07-10"),
    ("ubuntu", "25.04", "2026-01-15"),
    ("ubuntu", "25.10", "2026-07-09"),
    ("ubuntu", "26.04", "2031-05-29"),
    ("ubuntu", "26.10", "2027-07-15"),
    ("linuxmint", "19", "2023-04-30"),
    ("linuxmint", "20", "2025-04-30"),
    ("linuxmint", "21", "2027-04-30"),
    ("linuxmint", "22", "2029-04-30"),
    ("rhel", "6", "2020-11-30"),
    ("rhel", "7", "2024-06-30"),
    ("rhel", "8", "2029-05-31"),
    ("rhel", "9", "2032-05-31"),
    ("rhel", "10", "2035-05-31"),
    ("centos", "6", "2020-11-30"),
    ("centos", "7", "2024-06-30"),
    // CentOS Stream 8; CentOS Linux 8 ended earlier and is told apart by its name.
    ("centos", "8", "2024-05-31"),
    ("centos", "9", "2027-05-31"),
    ("almalinux", "8", "2029-03-01"),
    ("almalinux", "9", "2032-05-31"),
    ("almalinux", "10", "2035-05-31"),
    ("rocky", "8", "2029-05-31"),
    ("rocky", "9", "2032-05-31"),
    ("rocky", "10", "2035-05-31"),
    ("fedora", "38", "2024-05-21"),
    ("fedora", "39", "2024-11-26"),
    ("fedora", "40", "2025-05-13"),
    ("fedora", "41", "2025-12-15"),
    ("fedora", "42", "2026-05-13"),
    ("fedora", "43", "2026-12-09"),
];

/// The end of support of the release that `os_release` describes: the last second of its last day in Viet Nam.
pub(super) fn supported_until(os_release: &str) -> Fact<Instant> {
    let id = assigned(os_release, "ID").unwrap_or_default().to_lowercase();
    let version = assigned(os_release, "VERSION_ID").unwrap_or_default();
    let stream = assigned(os_release, "NAME").unwrap_or_default().contains("Stream");
    if id == "centos" && version.starts_with('8') && !stream {
        return end_of("2021-12-31");
    }
    // A minor version (`9.4`) follows its major one; Ubuntu's version is one word.
    let major = version.split('.').next().unwrap_or_default();
    let found = RELEASES.iter().find(|(of, release, _)| *of == id && (*release == version || *release == major));
    match found {
        Some((_, _, day)) => end_of(day),
        None => Fact::unknown(
            Reason::NoReader,
            format!("no date of end of support is known for {} {}", capped(&id), capped(version)),
        ),
    }
}

fn end_of(day: &str) -> Fact<Instant> {
    match format!("{day}T23:59:59+07:00").parse() {
        Ok(at) => Fact::Known(at),
        Err(error) => Fact::unknown(Reason::Unreadable, format!("{day}: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_table_is_a_day_and_stands_once() {
        for (position, (id, version, day)) in RELEASES.iter().enumerate() {
            assert!(end_of(day).known().is_some(), "{id} {version}");
            let again = RELEASES.iter().skip(position + 1).any(|(other, release, _)| other == id && release == version);
            assert!(!again, "{id} {version} stands twice");
        }
    }

    #[test]
    fn releases_are_found_as_they_describe_themselves() {
        let until = |text: &str| supported_until(text).known().map(ToString::to_string);
        let debian = "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nVERSION_ID=\"12\"\nID=debian\n";
        assert_eq!(until(debian).as_deref(), Some("2028-06-30T16:59:59Z"));
        let alma = "NAME=\"AlmaLinux\"\nID=\"almalinux\"\nID_LIKE=\"rhel centos fedora\"\nVERSION_ID=\"9.4\"\n";
        assert_eq!(until(alma).as_deref(), Some("2032-05-31T16:59:59Z"));
        assert_eq!(until("ID=ubuntu\r\nVERSION_ID=\"24.04\"\r\n").as_deref(), Some("2029-05-31T16:59:59Z"));
        assert_eq!(until("NAME=\"CentOS Linux\"\nID=centos\nVERSION_ID=8\n").as_deref(), Some("2021-12-31T16:59:59Z"));
        assert_eq!(until("NAME=\"CentOS Stream\"\nID=centos\nVERSION_ID=8\n").as_deref(), Some("2024-05-31T16:59:59Z"));
        assert_eq!(until("ID=debian\n"), None, "testing has no version");
        assert_eq!(until("ID=templeos\nVERSION_ID=5\n"), None);
        assert_eq!(until(""), None);
    }
}
