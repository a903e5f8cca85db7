//! Until when each release gets security updates at no extra cost. As of November 2026, from the makers' own tables: Debian
//! (with LTS, which everyone gets), Ubuntu (with Pro only where the machine is attached to it), Red Hat and derivatives,
//! Fedora, Linux Mint.

use policies::fact::{Fact, Instant, Reason};

use crate::linux::context::{CheckContext, optional, unknown};
use crate::linux::text::{assigned, capped, lines};
use os::{Answer, OsError};

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
    // CentOS Stream 8; CentOS Linux 8 ended earlier and is distinguished by its name.
    ("centos", "8", "2024-05-31"),
    ("centos", "9", "2027-05-31"),
    ("centos", "10", "2030-05-31"),
    ("ol", "7", "2024-12-31"),
    ("ol", "8", "2029-07-31"),
    ("ol", "9", "2032-06-30"),
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

/// Until when Ubuntu Pro provides security updates for the system itself (`esm-infra`): ten years, without the Legacy
/// add-on.
const PRO: &[(&str, &str)] = &[
    ("16.04", "2026-04-02"),
    ("18.04", "2028-04-01"),
    ("20.04", "2030-04-02"),
    ("22.04", "2032-04-09"),
    ("24.04", "2034-04-30"),
    ("26.04", "2036-04-30"),
];

/// End of support of the release in `os_release`: the last second of its last day in Viet Nam.
pub(super) fn supported_until(context: &CheckContext, os_release: &str) -> Fact<Instant> {
    let id = assigned(os_release, "ID").unwrap_or_default().to_lowercase();
    let version = assigned(os_release, "VERSION_ID").unwrap_or_default();
    let pro = PRO.iter().find(|(release, _)| id == "ubuntu" && *release == version);
    let general = general_end(os_release, &id, version);
    match (pro.map(|(_, day)| (day, contract_end(context))), general) {
        (Some((day, Ok(Some(contract)))), Fact::Known(general)) => {
            end_of(day).map(|end| contract.map_or(end, |contract| contract.min(end)).max(general))
        }
        (Some((_, Err(error))), _) => unknown(&error),
        (_, general) => general,
    }
}

/// Whether this machine gets `esm-infra` through Ubuntu Pro, and until when its contract runs if it ends. Requires both the
/// client's status and an apt source.
fn contract_end(context: &CheckContext) -> Answer<Option<Option<Instant>>> {
    const STATUS: &str = "/var/lib/ubuntu-advantage/status.json";
    let sources = context.texts("/etc/apt/sources.list.d", "")?;
    let brings = |text: &str| {
        let off = lines(text).any(|line| line.to_lowercase().replace(' ', "") == "enabled:no");
        !off && lines(text).any(|line| line.contains("esm.ubuntu.com/infra"))
    };
    let Some(text) = optional(context.text(STATUS))? else { return Ok(None) };
    let status: serde_json::Value =
        serde_json::from_str(&text).map_err(|error| OsError::Failed(STATUS.to_owned(), error.to_string()))?;
    let services = status["services"].as_array().map(Vec::as_slice).unwrap_or_default();
    let enabled = services.iter().any(|service| service["name"] == "esm-infra" && service["status"] == "enabled");
    if !(status["attached"] == true && enabled && sources.iter().any(|(_, text)| brings(text))) {
        return Ok(None);
    }
    // A contract without an end has an end date beyond the last representable year.
    Ok(Some(status["expires"].as_str().and_then(|at| at.parse().ok())))
}

fn general_end(os_release: &str, id: &str, version: &str) -> Fact<Instant> {
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
            format!("no date of end of support is known for {} {}", capped(id), capped(version)),
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
    use os::recorded::Recorded;

    #[test]
    fn ubuntu_pro_prolongs_support_where_it_is_in_force() {
        const STATUS: &str = r#"{"attached": true, "expires": "9999-12-31T00:00:00+00:00", "services": [{"name": "esm-infra", "status": "enabled"}]}"#;
        const SOURCE: &str = "deb https://esm.ubuntu.com/infra/ubuntu focal-infra-security main\n";
        let until = |status: &str, source: &str| {
            let os = Recorded::new()
                .file("/var/lib/ubuntu-advantage/status.json", status)
                .file("/etc/apt/sources.list.d/ubuntu-esm-infra.list", source);
            supported_until(&CheckContext::of(os), "ID=ubuntu\nVERSION_ID=20.04\n")
                .known()
                .map(|at| at.to_string()[..10].to_owned())
        };
        assert_eq!(until(STATUS, SOURCE).as_deref(), Some("2030-04-02"));
        let deb822 = "Types: deb\nURIs: https://esm.ubuntu.com/infra/ubuntu\nSuites: focal-infra-security\n";
        assert_eq!(until(STATUS, deb822).as_deref(), Some("2030-04-02"));
        let general = Some("2025-05-29");
        assert_eq!(until(STATUS, &format!("Enabled: no\n{deb822}")).as_deref(), general);
        assert_eq!(until(STATUS, &format!("# {SOURCE}")).as_deref(), general);
        assert_eq!(until(&STATUS.replace("enabled", "disabled"), SOURCE).as_deref(), general);
        assert_eq!(until(&STATUS.replace("true", "false"), SOURCE).as_deref(), general);
        assert_eq!(until(&STATUS.replace("9999-12-31", "2027-01-31"), SOURCE).as_deref(), Some("2027-01-31"));
        assert_eq!(until(&STATUS.replace("9999-12-31", "2020-01-31"), SOURCE).as_deref(), general);
        assert_eq!(until("{", SOURCE), None);
        let never = supported_until(&CheckContext::of(Recorded::new()), "ID=ubuntu\nVERSION_ID=20.04\n");
        assert_eq!(never.known().unwrap().to_string(), "2025-05-29T16:59:59Z");
    }

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
        let until =
            |text: &str| supported_until(&CheckContext::of(Recorded::new()), text).known().map(ToString::to_string);
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
