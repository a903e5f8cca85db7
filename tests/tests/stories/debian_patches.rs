//! What waits to be installed, in a real Debian: the agent's word against that of apt and dpkg.

use std::collections::BTreeSet;

use harness::debian::Debian;
use serde_json::Value;

const SECURITY: &str =
    "Types: deb\nURIs: http://deb.debian.org/debian-security\nSuites:\n bookworm-security\nComponents: main\n";
const SECURITY_SOURCE: &str = "/etc/apt/sources.list.d/security.sources";
const PREFERENCES: &str = "/etc/apt/preferences.d/ours";

#[test]
fn what_waits_is_what_apt_and_dpkg_say() -> anyhow::Result<()> {
    let Some(debian) = Debian::new("bookworm", &[])? else { return Ok(()) };
    let facts = || debian.facts("patches");
    let security = || -> anyhow::Result<Option<i64>> { Ok(facts()?["pending_security"]["known"].as_i64()) };

    assert_eq!(security()?, None, "no security archive");
    debian.write(SECURITY_SOURCE, SECURITY)?;
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

    debian.write(SECURITY_SOURCE, &format!("{SECURITY}Enabled: no\n"))?;
    assert_eq!(security()?, None, "the source is off, its list still there");
    debian.write(SECURITY_SOURCE, SECURITY)?;
    debian.run("rm /var/lib/apt/lists/*security*Packages*")?;
    assert_eq!(security()?, None, "the list is gone");

    assert_eq!(facts()?["broken"]["known"]["items"], serde_json::json!([]));
    debian
        .run("sed -i '/^Package: tar$/,/^$/ s/^Status: .*/Status: install ok half-configured/' /var/lib/dpkg/status")?;
    assert!(debian.run("dpkg --audit")?.out.contains("tar"));
    assert_eq!(facts()?["broken"]["known"]["items"], serde_json::json!(["tar"]));
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
