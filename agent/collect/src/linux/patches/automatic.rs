//! Whether security updates install automatically: apt's configuration as it reports it, unattended-upgrades, and what starts
//! both.

use policies::fact::{Fact, Reason};

use super::archives::Release;
use super::ask;
use crate::linux::context::{CheckContext, optional};
use crate::linux::text::{assigned, fits};
use os::{Answer, Program};

/// The program that installs them.
pub(super) const PROGRAM: &str = "/usr/bin/unattended-upgrade";

/// apt's configuration as printed by `apt-config dump`: `APT::Periodic::Unattended-Upgrade "1";`. A list member has an
/// empty last part: `Unattended-Upgrade::Origins-Pattern:: "origin=Debian";`.
pub(super) struct Configuration(String);

impl Configuration {
    /// Asks apt.
    pub(super) fn read(context: &CheckContext) -> Answer<Self> {
        ask(context, Program::AptConfig, &["dump"], &[0]).map(Self)
    }

    fn entries(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.lines().filter_map(|line| line.strip_suffix("\";")?.split_once(" \""))
    }

    /// The last value of an option; names are case-insensitive.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.entries().filter(|(known, _)| known.eq_ignore_ascii_case(name)).last().map(|(_, value)| value)
    }

    fn all(&self, name: &str) -> Vec<&str> {
        let member = |known: &str| {
            known.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name))
                && known.get(name.len()..).is_some_and(|rest| rest.starts_with("::"))
        };
        self.entries().filter(|(known, _)| member(known)).map(|(_, value)| value).collect()
    }

    /// True when a job of `APT::Periodic` is enabled.
    fn periodic(&self, job: &str) -> bool {
        let every = self.get(&format!("APT::Periodic::{job}")).unwrap_or("0");
        every == "always" || every.starts_with(|first: char| ('1'..='9').contains(&first))
    }
}

/// True when apt's configuration downloads lists and installs all of `security`.
pub(super) fn installs(
    context: &CheckContext,
    configuration: &Configuration,
    security: &[&Release],
    codenames: &[String],
) -> Fact<bool> {
    let enabled = configuration.get("APT::Periodic::Enable").is_none_or(|value| value != "0");
    let jobs = ["Update-Package-Lists", "Unattended-Upgrade"].iter().all(|job| configuration.periodic(job));
    if !(enabled && jobs && context.os.exists(PROGRAM)) {
        return Fact::Known(false);
    }
    let excluded = configuration.all("Unattended-Upgrade::Package-Blacklist").into_iter().any(everything);
    let only = configuration.all("Unattended-Upgrade::Package-Whitelist");
    let days = configuration.all("Unattended-Upgrade::Update-Days");
    if excluded || !(only.is_empty() || only.into_iter().any(everything)) || !(days.is_empty() || some_day(&days)) {
        return Fact::Known(false);
    }
    if security.is_empty() {
        return Fact::unknown(Reason::SourceMissing, "no list of a security archive of this release was fetched");
    }
    let release = context.text("/etc/os-release").or_else(|_| context.text("/usr/lib/os-release")).unwrap_or_default();
    let id = assigned(&release, "ID").unwrap_or_default();
    let codename = codenames.first().map_or("", String::as_str);
    let filled = |value: &str| value.replace("${distro_id}", id).replace("${distro_codename}", codename);
    let patterns = configuration.all("Unattended-Upgrade::Origins-Pattern");
    let pairs = configuration.all("Unattended-Upgrade::Allowed-Origins");
    let allowed = |release: &&Release| {
        patterns.iter().any(|pattern| allows(&filled(pattern), release))
            || pairs.iter().any(|pair| allows_pair(&filled(pair), release))
    };
    Fact::Known(security.iter().all(allowed))
}

/// True when a regular expression certainly matches every name.
fn everything(expression: &str) -> bool {
    let bare = expression.trim_start_matches('^').trim_end_matches('$');
    ["", ".", ".*", ".+", "(.*)", "[a-z]", "[a-z].*"].contains(&bare)
}

fn some_day(days: &[&str]) -> bool {
    const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let is_day = |day: &&str| {
        let day = day.to_lowercase();
        DAYS.iter().any(|known| day.starts_with(known)) || day.parse().is_ok_and(|day: u8| day < 7)
    };
    days.iter().any(is_day)
}

fn same(pattern: &str, value: &str) -> bool {
    fits(&pattern.trim().to_lowercase(), &value.to_lowercase())
}

/// `origin=Debian,codename=bookworm-security,label=Debian-Security`: every part must match. A part unknown to us is assumed to
/// exclude the archive.
fn allows(pattern: &str, release: &Release) -> bool {
    pattern.split(',').filter(|part| !part.trim().is_empty()).all(|part| {
        part.split_once('=').is_some_and(|(key, value)| match key.trim() {
            "o" | "origin" => same(value, &release.origin),
            "l" | "label" => same(value, &release.label),
            "a" | "suite" | "archive" => same(value, &release.suite),
            "n" | "codename" => same(value, &release.codename),
            "c" | "component" => same(value, "main"),
            _ => false,
        })
    })
}

/// `Ubuntu:noble-security`: origin and suite.
fn allows_pair(pair: &str, release: &Release) -> bool {
    let pair = pair.trim();
    match pair.split_once(':').or_else(|| pair.split_once(' ')) {
        Some((origin, suite)) => same(origin, &release.origin) && same(suite, &release.suite),
        None => allows(pair, release),
    }
}

/// True when both jobs are started: by systemd's timers, or by cron on a machine without systemd.
pub(super) fn started(context: &CheckContext) -> Answer<bool> {
    if !context.systemd() {
        return Ok(context.os.exists("/etc/cron.daily/apt-compat") && context.runs_any(&["cron", "crond", "anacron"]));
    }
    for job in ["apt-daily", "apt-daily-upgrade"] {
        let timer = format!("{job}.timer");
        if !context.unit_enabled(&timer) || masked(context, &timer)? || masked(context, &format!("{job}.service"))? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// True when the unit is masked: a link to nothing, or an empty file in its place.
pub(super) fn masked(context: &CheckContext, unit: &str) -> Answer<bool> {
    for folder in ["/etc/systemd/system", "/run/systemd/system"] {
        let path = format!("{folder}/{unit}");
        if context.os.link(&path).is_ok_and(|target| target == "/dev/null") {
            return Ok(true);
        }
        if let Some(text) = optional(context.text(&path))? {
            return Ok(text.is_empty());
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use os::recorded::Recorded;

    const ON: &str = "APT::Periodic::Update-Package-Lists \"1\";\nAPT::Periodic::Unattended-Upgrade \"1\";\n\
        Unattended-Upgrade::Origins-Pattern \"\";\nUnattended-Upgrade::Origins-Pattern:: \"origin=Debian,codename=${distro_codename},label=Debian\";\n\
        Unattended-Upgrade::Origins-Pattern:: \"origin=Debian,codename=${distro_codename}-security,label=Debian-Security\";\n";

    fn security() -> Release {
        let [origin, label, suite, codename] =
            ["Debian", "Debian-Security", "stable-security", "bookworm-security"].map(str::to_owned);
        Release { origin, label, suite, codename, ..Release::default() }
    }

    fn set(dump: &str, security: &[&Release]) -> Option<bool> {
        let os = Recorded::new().file("/etc/os-release", "ID=debian\n").file(PROGRAM, "");
        let context = CheckContext::of(os);
        installs(&context, &Configuration(dump.to_owned()), security, &["bookworm".to_owned()]).known().copied()
    }

    #[test]
    fn every_part_of_the_configuration_is_needed() {
        let of = |dump: &str| set(dump, &[&security()]);
        assert_eq!(of(ON), Some(true));
        assert_eq!(of(&ON.replace("Lists \"1\"", "Lists \"0\"")), Some(false));
        assert_eq!(of(&format!("{ON}apt::periodic::enable \"0\";\n")), Some(false));
        assert_eq!(of(&format!("{ON}APT::Periodic::Unattended-Upgrade \"0\";\n")), Some(false), "the last one counts");
        assert_eq!(of(&ON.replace("label=Debian-Security", "label=Other")), Some(false));
        let cleared: String =
            ON.lines().filter(|line| !line.contains("Origins")).map(|line| format!("{line}\n")).collect();
        assert_eq!(of(&cleared), Some(false), "without origins nothing is allowed");
        let pairs = format!("{cleared}Unattended-Upgrade::Allowed-Origins:: \"${{distro_id}}:stable-security\";\n");
        assert_eq!(of(&pairs), Some(true));
        assert_eq!(of(&format!("{ON}Unattended-Upgrade::Package-Blacklist:: \".*\";\n")), Some(false));
        assert_eq!(of(&format!("{ON}Unattended-Upgrade::Package-Blacklist:: \"linux-\";\n")), Some(true));
        assert_eq!(of(&format!("{ON}Unattended-Upgrade::Package-Whitelist:: \"vim\";\n")), Some(false));
        assert_eq!(of(&format!("{ON}Unattended-Upgrade::Update-Days:: \"never\";\n")), Some(false));
        assert_eq!(of(&format!("{ON}Unattended-Upgrade::Update-Days:: \"Sat\";\n")), Some(true));
        assert_eq!(set(ON, &[]), None, "what the security archive is called is not known");
    }

    fn timers() -> Recorded {
        let wants = "/etc/systemd/system/timers.target.wants";
        Recorded::new()
            .folder("/run/systemd/system")
            .symlink(&format!("{wants}/apt-daily.timer"), "/usr/lib/systemd/system/apt-daily.timer")
            .symlink(&format!("{wants}/apt-daily-upgrade.timer"), "/usr/lib/systemd/system/apt-daily-upgrade.timer")
    }

    fn runs(os: Recorded) -> bool {
        started(&CheckContext::of(os)).unwrap()
    }

    #[test]
    fn both_timers_are_enabled_and_nothing_is_masked() {
        assert!(runs(timers()));
        for unit in ["apt-daily.timer", "apt-daily-upgrade.timer", "apt-daily.service", "apt-daily-upgrade.service"] {
            assert!(!runs(timers().symlink(&format!("/etc/systemd/system/{unit}"), "/dev/null")), "{unit}");
            assert!(!runs(timers().file(&format!("/run/systemd/system/{unit}"), "")), "{unit}");
        }
        assert!(runs(timers().file("/etc/systemd/system/apt-daily.timer", "[Timer]\nOnCalendar=hourly\n")));
        let mut disabled = timers();
        disabled.links.remove("/etc/systemd/system/timers.target.wants/apt-daily.timer");
        assert!(!runs(disabled));
        assert!(runs(Recorded::new().file("/etc/cron.daily/apt-compat", "").process(7, "cron", "/usr/sbin/cron")));
        assert!(!runs(Recorded::new().file("/etc/cron.daily/apt-compat", "")));
    }
}
