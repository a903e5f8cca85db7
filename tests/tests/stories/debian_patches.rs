//! What waits to be installed, in a real Debian: the agent's answer compared with that of apt and dpkg.

use std::collections::BTreeSet;

use anyhow::Context;
use harness::debian::Debian;
use serde_json::Value;

const SECURITY_SOURCE: &str = "/etc/apt/sources.list.d/security.sources";
const PACKAGES: &[&str] = &["systemd", "unattended-upgrades"];
const PREFERENCES: &str = "/etc/apt/preferences.d/ours";

/// The archive of security updates next to the one that this Debian came from.
fn security_source(debian: &Debian) -> anyhow::Result<String> {
    let sources = std::fs::read_to_string(debian.path("/etc/apt/sources.list"))?;
    let site = sources.split_whitespace().nth(1).context("no source")?.trim_end_matches('/');
    Ok(format!("Types: deb\nURIs: {site}-security\nSuites:\n bookworm-security\nComponents: main\n"))
}

#[test]
fn what_waits_is_what_apt_and_dpkg_say() -> anyhow::Result<()> {
    let debian = Debian::new("bookworm", PACKAGES)?;
    let facts = || debian.facts("patches");
    let security = || -> anyhow::Result<Option<i64>> { Ok(facts()?["pending_security"]["known"].as_i64()) };

    assert_eq!(security()?, None, "no security archive");
    debian.write(SECURITY_SOURCE, &security_source(&debian)?)?;
    assert_eq!(security()?, None, "its list was not fetched");
    let fetched = debian.run("apt-get update")?;
    assert_eq!(fetched.code, Some(0), "{}", fetched.err);

    let (waiting, mending) = simulated(&debian)?;
    assert!(!mending.is_empty(), "the release itself has every security update");
    let all = facts()?;
    assert_eq!(all["pending"]["known"], waiting);
    assert_eq!(names(&all["pending_names"]), mending);
    assert!(all["lists_at"]["known"].is_string(), "{all}");
    let missing = Some(i64::try_from(mending.len())?);

    let held = mending.first().expect("not empty");
    debian.run(&format!("apt-mark hold {held}"))?;
    assert_eq!(facts()?["pending"]["known"], simulated(&debian)?.0);
    assert_eq!(security()?, missing, "{held} is held");
    debian.run(&format!("apt-mark unhold {held}"))?;

    // A field over two lines, and a pattern.
    debian.write(PREFERENCES, "Package: /^lib/\n perl*\nPin: release l=Debian-Security\nPin-Priority: -1\n")?;
    let all = facts()?;
    assert_eq!(all["pending"]["known"], simulated(&debian)?.0);
    assert_eq!(all["pending_security"]["known"].as_i64(), missing, "pinned away");
    std::fs::remove_file(debian.path(PREFERENCES))?;
    debian.write("/etc/apt/apt.conf.d/99ours", "APT::Default-Release \"bookworm\";\n")?;
    assert_eq!(facts()?["pending"]["known"], 0, "the release itself is preferred");
    assert_eq!(security()?, missing, "the release itself is preferred");
    std::fs::remove_file(debian.path("/etc/apt/apt.conf.d/99ours"))?;

    debian.write(SECURITY_SOURCE, &format!("{}Enabled: no\n", security_source(&debian)?))?;
    assert_eq!(security()?, None, "the source is off, its list still there");
    debian.write(SECURITY_SOURCE, &security_source(&debian)?)?;
    debian.run("rm /var/lib/apt/lists/*security*Packages*")?;
    assert_eq!(security()?, None, "the list is gone");

    assert_eq!(facts()?["broken"]["known"]["items"], serde_json::json!([]));
    debian
        .run("sed -i '/^Package: tar$/,/^$/ s/^Status: .*/Status: install ok half-configured/' /var/lib/dpkg/status")?;
    assert!(debian.run("dpkg --audit")?.out.contains("tar"));
    assert_eq!(facts()?["broken"]["known"]["items"], serde_json::json!(["tar"]));
    Ok(())
}

#[test]
fn updates_install_themselves_where_systemctl_and_unattended_upgrades_say_so() -> anyhow::Result<()> {
    let debian = Debian::new("bookworm", PACKAGES)?;
    let automatic = || -> anyhow::Result<Value> { Ok(debian.facts("patches")?["automatic"]["known"].clone()) };
    debian.write(SECURITY_SOURCE, &security_source(&debian)?)?;
    let set = "APT::Periodic::Update-Package-Lists \"1\";\nAPT::Periodic::Unattended-Upgrade \"1\";\n";
    debian.write("/etc/apt/apt.conf.d/20auto-upgrades", set)?;
    let fetched = debian.run("apt-get update && mkdir -p /run/systemd/system")?;
    assert_eq!(fetched.code, Some(0), "{}", fetched.err);
    assert_eq!(automatic()?, true);

    const UNITS: &str = "apt-daily.timer apt-daily-upgrade.timer apt-daily.service apt-daily-upgrade.service";
    for change in [
        "disable apt-daily.timer",
        "mask apt-daily-upgrade.timer",
        "mask --runtime apt-daily.timer",
        "mask apt-daily.service",
    ] {
        debian.run(&format!("systemctl --root=/ {change}"))?;
        let states = debian.run(&format!("systemctl --root=/ is-enabled {UNITS}"))?.out;
        assert!(states.contains("disabled") || states.contains("masked"), "{change}: {states}");
        assert_eq!(automatic()?, false, "{change}: {states}");
        debian.run(&format!("systemctl --root=/ unmask {UNITS}; systemctl --root=/ unmask --runtime {UNITS}; systemctl --root=/ enable apt-daily.timer"))?;
        assert_eq!(automatic()?, true, "after {change}");
    }

    let limits = ["#clear Unattended-Upgrade::Origins-Pattern;", "Unattended-Upgrade::Package-Blacklist { \".*\"; };"];
    for limit in limits {
        debian.write("/etc/apt/apt.conf.d/99ours", limit)?;
        let would = debian.run("unattended-upgrade --dry-run --verbose 2>&1")?.out;
        assert!(would.contains("No packages found that can be upgraded unattended"), "{limit}: {would}");
        assert_eq!(automatic()?, false, "{limit}");
    }
    debian.write("/etc/apt/apt.conf.d/99ours", "APT { Periodic { Enable \"0\"; }; };")?;
    assert_eq!(automatic()?, false, "apt's own jobs are off");
    Ok(())
}

/// How many updates apt would install, and those from the security archive.
fn simulated(debian: &Debian) -> anyhow::Result<(i64, BTreeSet<String>)> {
    let answer = debian.run("apt-get -s dist-upgrade")?;
    let updates: Vec<&str> =
        answer.out.lines().filter_map(|line| line.strip_prefix("Inst ")).filter(|line| line.contains(" [")).collect();
    let name = |line: &&str| line.split(' ').next().unwrap_or_default().to_owned();
    let mending = updates.iter().filter(|line| line.contains("Debian-Security")).map(name).collect();
    Ok((i64::try_from(updates.len())?, mending))
}

fn names(fact: &Value) -> BTreeSet<String> {
    let items = fact["known"]["items"].as_array().into_iter().flatten();
    items.filter_map(Value::as_str).map(str::to_owned).collect()
}
