//! The Windows firewall by profile, and firewalls of other makers as Security Center lists them.
//!
//! For each profile the policy of the domain (`HKLM\SOFTWARE\Policies\Microsoft\WindowsFirewall`) stands over that of a management server
//! (`...\SharedAccess\Parameters\FirewallPolicy\Mdm`), and both over what is set locally (`...\FirewallPolicy`); absent all it is on and
//! blocks what comes in (since Vista, MS-GPFAS; learn.microsoft.com, "Firewall CSP", for who stands over whom). The private profile is
//! called `StandardProfile` locally, and either name in a policy. Which profile holds depends on the networks the machine is in; where
//! that cannot be told, all of them must be in order.

use std::collections::BTreeSet;

use policies::fact::{Fact, Firewall, FirewallKind, FirewallProfile, List, Reason};

use crate::collect::windows::center::{Kind, Standing, center, exists};
use crate::collect::windows::scene::{Scene, Setting, unknown};
use crate::os::{Answer, OsError};

pub(super) const POLICY: &str = r"HKLM\SOFTWARE\Policies\Microsoft\WindowsFirewall";
pub(super) const LOCAL: &str = r"HKLM\SYSTEM\CurrentControlSet\Services\SharedAccess\Parameters\FirewallPolicy";
/// What a management server (MDM) set.
pub(super) const MANAGED: &str = r"HKLM\SYSTEM\CurrentControlSet\Services\SharedAccess\Parameters\FirewallPolicy\Mdm";

/// All profiles.
pub(super) const ALL: [FirewallProfile; 3] =
    [FirewallProfile::Domain, FirewallProfile::Private, FirewallProfile::Public];

/// The profiles that hold at the moment.
pub(super) fn profiles(scene: &Scene) -> BTreeSet<FirewallProfile> {
    let categories = scene.os.network_categories().unwrap_or_default();
    let current: BTreeSet<FirewallProfile> = categories
        .iter()
        .filter_map(|network| match network.category {
            0 => Some(FirewallProfile::Public),
            1 => Some(FirewallProfile::Private),
            2 => Some(FirewallProfile::Domain),
            _ => None,
        })
        .collect();
    if current.is_empty() { ALL.into() } else { current }
}

/// What filters packets on this machine.
pub(super) struct Firewalls {
    /// The firewall of Windows.
    windows: Fact<Firewall>,
    /// Those of other makers that say they are on.
    others: Answer<Vec<Firewall>>,
}

/// Reads both.
pub(super) fn firewalls(scene: &Scene, current: &BTreeSet<FirewallProfile>) -> Firewalls {
    Firewalls { windows: windows(scene, current), others: others(scene) }
}

impl Firewalls {
    /// All of them; unknown when the firewall of Windows is.
    pub(super) fn fact(self) -> Fact<List<Firewall>> {
        let others = self.others.unwrap_or_default();
        self.windows.map(|windows| [windows].into_iter().chain(others).collect())
    }
}

/// True when some firewall is in force.
pub(super) fn active(firewalls: &Firewalls) -> Fact<bool> {
    match (&firewalls.windows, &firewalls.others) {
        (_, Ok(others)) if !others.is_empty() => Fact::Known(true),
        (Fact::Known(windows), _) if windows.active => Fact::Known(true),
        // Without Security Center (servers) there are no others that it could know.
        (Fact::Known(_), Ok(_) | Err(OsError::Missing(_))) => Fact::Known(false),
        (Fact::Known(_), Err(error)) => unknown(error),
        (Fact::Unknown(why), _) => Fact::Unknown(why.clone()),
    }
}

/// True when what no rule allows is dropped on its way in.
pub(super) fn blocks_inbound(firewalls: &Firewalls) -> Fact<bool> {
    match (&firewalls.windows, &firewalls.others) {
        (Fact::Known(windows), _) if windows.active && windows.blocks_inbound == Fact::Known(true) => Fact::Known(true),
        (_, Ok(others)) if !others.is_empty() => others[0].blocks_inbound.clone(),
        (Fact::Known(windows), Ok(_) | Err(OsError::Missing(_))) if windows.active => windows.blocks_inbound.clone(),
        (Fact::Known(_), Ok(_) | Err(OsError::Missing(_))) => Fact::Known(false),
        (Fact::Known(_), Err(error)) => unknown(error),
        (Fact::Unknown(why), _) => Fact::Unknown(why.clone()),
    }
}

fn windows(scene: &Scene, current: &BTreeSet<FirewallProfile>) -> Fact<Firewall> {
    let runs = match scene.service_runs("MpsSvc") {
        Ok(runs) => runs,
        Err(error) => return unknown(&error),
    };
    let mut off = Vec::new();
    let mut blocks = true;
    for profile in ALL {
        match setting(scene, profile, "EnableFirewall").or(Fact::Known(true), |on| Fact::Known(on != 0)) {
            Fact::Known(true) => {}
            Fact::Known(false) => off.push(profile),
            Fact::Unknown(why) => return Fact::Unknown(why),
        }
        if current.contains(&profile) {
            match setting(scene, profile, "DefaultInboundAction").or(Fact::Known(true), |block| Fact::Known(block != 0))
            {
                Fact::Known(these) => blocks &= these,
                Fact::Unknown(why) => return Fact::Unknown(why),
            }
        }
    }
    let active = runs && !off.iter().any(|profile| current.contains(profile));
    Fact::Known(Firewall {
        kind: FirewallKind::Windows,
        active,
        blocks_inbound: Fact::Known(active && blocks),
        profiles_off: Fact::Known(off.into_iter().collect()),
    })
}

/// A setting of a profile, the policies over what is set locally.
fn setting(scene: &Scene, profile: FirewallProfile, name: &str) -> Setting<u64> {
    let local = match profile {
        FirewallProfile::Domain => "DomainProfile",
        FirewallProfile::Private => "StandardProfile",
        _ => "PublicProfile",
    };
    by_policy(scene, profile, name).else_by(|| scene.number(&format!(r"{LOCAL}\{local}"), name))
}

/// What policies set for a profile.
fn by_policy(scene: &Scene, profile: FirewallProfile, name: &str) -> Setting<u64> {
    let keys: &[&str] = match profile {
        FirewallProfile::Domain => &["DomainProfile"],
        FirewallProfile::Private => &["PrivateProfile", "StandardProfile"],
        _ => &["PublicProfile"],
    };
    let mut found = Setting::Absent;
    for key in [POLICY, MANAGED].iter().flat_map(|policy| keys.iter().map(move |key| format!(r"{policy}\{key}"))) {
        found = found.else_by(|| scene.number(&key, name));
    }
    found
}

/// The profiles in which rules that are set locally count: all but those where a policy says no (`AllowLocalPolicyMerge` 0).
pub(super) fn local_rules_count(scene: &Scene) -> Fact<BTreeSet<FirewallProfile>> {
    let mut profiles = BTreeSet::new();
    for profile in ALL {
        match by_policy(scene, profile, "AllowLocalPolicyMerge")
            .or(Fact::Known(true), |allowed| Fact::Known(allowed != 0))
        {
            Fact::Known(true) => drop(profiles.insert(profile)),
            Fact::Known(false) => {}
            Fact::Unknown(why) => return Fact::Unknown(why),
        }
    }
    Fact::Known(profiles)
}

/// Firewalls of other makers that told Security Center they are on, and whose program has not gone.
fn others(scene: &Scene) -> Answer<Vec<Firewall>> {
    let center = center(scene, Kind::Firewall)?;
    let on = center.listed.iter().filter(|listed| {
        let there: Vec<bool> = listed.programs.iter().filter_map(|program| exists(scene, program)).collect();
        listed.state.standing == Standing::On
            && center.live
            && !listed.state.microsoft
            && (there.is_empty() || there.contains(&true))
    });
    Ok(on
        .map(|_| Firewall {
            kind: FirewallKind::Product,
            active: true,
            blocks_inbound: Fact::unknown(Reason::NoReader, "another maker's firewall"),
            profiles_off: Fact::Known(List::default()),
        })
        .collect())
}
