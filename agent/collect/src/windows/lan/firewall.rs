//! The Windows firewall by profile, and other makers' firewalls as listed in Security Center.
//!
//! For each profile the domain policy (`HKLM\SOFTWARE\Policies\Microsoft\WindowsFirewall`) overrides that of a management server
//! (`...\SharedAccess\Parameters\FirewallPolicy\Mdm`), and both override local settings (`...\FirewallPolicy`); with none of them it is
//! on and blocks inbound connections (since Vista, MS-GPFAS; learn.microsoft.com, "Firewall CSP", for the precedence). Locally the
//! private profile is called `StandardProfile`. The active profiles depend on the machine's networks; when those are unknown, all
//! profiles must be in order.

use std::collections::BTreeSet;

use policies::evaluate::Truth;
use policies::fact::{Fact, Firewall, FirewallKind, FirewallProfile, List, Reason};

use crate::windows::antivirus::{reporter_runs, runs_beside};
use crate::windows::center::{Kind, Listed, ProductStatus, STALE, center, exists};
use crate::windows::context::{CheckContext, Setting, unknown};
use os::windows::{Adapter, NetworkCategory};
use os::{Answer, OsError};

pub(super) const POLICY: &str = r"HKLM\SOFTWARE\Policies\Microsoft\WindowsFirewall";
pub(super) const LOCAL: &str = r"HKLM\SYSTEM\CurrentControlSet\Services\SharedAccess\Parameters\FirewallPolicy";
/// Settings by a management server (MDM).
pub(super) const MANAGED: &str = r"HKLM\SYSTEM\CurrentControlSet\Services\SharedAccess\Parameters\FirewallPolicy\Mdm";

/// All profiles.
pub(super) const ALL: [FirewallProfile; 3] =
    [FirewallProfile::Domain, FirewallProfile::Private, FirewallProfile::Public];

/// The networks the machine is in.
pub(super) struct Networks {
    /// Their profiles; all when unknown.
    pub(super) profiles: BTreeSet<FirewallProfile>,
    /// False when they are unknown.
    certain: bool,
}

impl Networks {
    /// Combines a condition that holds in each of the profiles into whether it holds in some network of the machine.
    pub(super) fn over(&self, truths: impl Iterator<Item = Truth> + Clone) -> Truth {
        let some = truths.clone().fold(Truth::False, Truth::or);
        let every = truths.fold(Truth::True, Truth::and);
        if self.certain || some == every { some } else { Truth::Unknown }
    }
}

/// The current networks. An adapter with an address but no known network leaves them uncertain.
pub(super) fn networks(context: &CheckContext, adapters: &Answer<Vec<Adapter>>) -> Networks {
    let told = context.os.network_categories().unwrap_or_default();
    let profile = |network: &NetworkCategory| match network.category {
        0 => Some(FirewallProfile::Public),
        1 => Some(FirewallProfile::Private),
        2 => Some(FirewallProfile::Domain),
        _ => None,
    };
    let is_told = |adapter: &Adapter| {
        !adapter.hardware
            || adapter.addresses.is_empty()
            || told.iter().any(|network| network.adapter.eq_ignore_ascii_case(&adapter.guid))
    };
    let whole = adapters.as_ref().is_ok_and(|adapters| adapters.iter().all(is_told));
    match told.iter().map(profile).collect::<Option<BTreeSet<FirewallProfile>>>() {
        Some(profiles) if whole && !profiles.is_empty() => Networks { profiles, certain: true },
        _ => Networks { profiles: ALL.into(), certain: false },
    }
}

/// What the Windows firewall does in networks of one profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Nothing: it is off.
    Off,
    /// It blocks all inbound connections, whatever the rules say.
    Shielded,
    /// Its rules apply.
    On {
        /// True when traffic that no rule covers is let in.
        lets_in: bool,
    },
}

/// What filters packets on this machine.
pub(super) struct Firewalls {
    /// The state of the Windows firewall in the current networks.
    states: Fact<Vec<(FirewallProfile, State)>>,
    /// The Windows firewall.
    windows: Fact<Firewall>,
    /// Other makers' firewalls that report that they are on.
    others: Answer<Vec<Firewall>>,
}

/// Reads both.
pub(super) fn firewalls(context: &CheckContext, networks: &Networks, adapters: &Answer<Vec<Adapter>>) -> Firewalls {
    let windows = windows(context, networks, adapters);
    Firewalls {
        states: windows.clone().map(|(states, _)| states),
        windows: windows.map(|(_, firewall)| firewall),
        others: others(context),
    }
}

impl Firewalls {
    /// The state of the Windows firewall in the current networks; unknown when it is off and another maker's may replace it.
    pub(super) fn states(&self) -> Fact<Vec<(FirewallProfile, State)>> {
        let off = |states: &Vec<(FirewallProfile, State)>| states.iter().any(|(_, state)| *state == State::Off);
        match (&self.states, &self.others) {
            (Fact::Known(states), Ok(others)) if off(states) && !others.is_empty() => {
                Fact::unknown(Reason::NoReader, "another maker's firewall")
            }
            (Fact::Known(states), Err(error)) if off(states) && !matches!(error, OsError::Missing(_)) => unknown(error),
            (states, _) => states.clone(),
        }
    }

    /// All firewalls; unknown when the Windows firewall is. If others could not be queried, the list is marked as cut by one; a
    /// server has no Security Center and therefore no others it could know of.
    pub(super) fn fact(self) -> Fact<List<Firewall>> {
        let left_out = u32::from(matches!(&self.others, Err(error) if !matches!(error, OsError::Missing(_))));
        let others = self.others.unwrap_or_default();
        self.windows.map(|windows| List { items: [windows].into_iter().chain(others).collect(), left_out })
    }
}

/// True when some firewall is in force.
pub(super) fn active(firewalls: &Firewalls) -> Fact<bool> {
    match (&firewalls.windows, &firewalls.others) {
        (_, Ok(others)) if !others.is_empty() => Fact::Known(true),
        (Fact::Known(windows), _) if windows.active => Fact::Known(true),
        // Without Security Center (servers) there are no others it could know of.
        (Fact::Known(_), Ok(_) | Err(OsError::Missing(_))) => Fact::Known(false),
        (Fact::Known(_), Err(error)) => unknown(error),
        (Fact::Unknown(why), _) => Fact::Unknown(why.clone()),
    }
}

/// True when inbound traffic is dropped unless a rule allows it, and no rule allows everything (`all_let_in`).
pub(super) fn blocks_inbound(firewalls: &Firewalls, all_let_in: Fact<bool>) -> Fact<bool> {
    match (&firewalls.windows, &firewalls.others) {
        (Fact::Known(windows), _) if windows.active && windows.blocks_inbound == Fact::Known(true) => {
            all_let_in.map(|all| !all)
        }
        (_, Ok(others)) if !others.is_empty() => others[0].blocks_inbound.clone(),
        (Fact::Known(windows), Ok(_) | Err(OsError::Missing(_))) if windows.active => windows.blocks_inbound.clone(),
        (Fact::Known(_), Ok(_) | Err(OsError::Missing(_))) => Fact::Known(false),
        (Fact::Known(_), Err(error)) => unknown(error),
        (Fact::Unknown(why), _) => Fact::Unknown(why.clone()),
    }
}

/// The state of the Windows firewall in each current network, and the combined result.
fn windows(
    context: &CheckContext,
    networks: &Networks,
    adapters: &Answer<Vec<Adapter>>,
) -> Fact<(Vec<(FirewallProfile, State)>, Firewall)> {
    let runs = match context.service_runs("MpsSvc") {
        Ok(runs) => runs,
        Err(error) => return unknown(&error),
    };
    let (mut states, mut off) = (Vec::new(), Vec::new());
    for profile in ALL {
        let set =
            |name, absent| setting(context, profile, name).or(Fact::Known(absent), |number| Fact::Known(number != 0));
        let state = match set("EnableFirewall", true) {
            Fact::Known(true) => None,
            Fact::Known(false) => Some(State::Off),
            Fact::Unknown(why) => return Fact::Unknown(why),
        };
        if state == Some(State::Off) {
            off.push(profile);
        }
        if !networks.profiles.contains(&profile) {
            continue;
        }
        let left_out = if runs && state.is_none() { left_out(context, profile, adapters) } else { Ok(false) };
        match left_out {
            Ok(false) => {}
            Ok(true) => return Fact::unknown(Reason::Contradictory, "it is told to leave out an adapter that is up"),
            Err(error) => return unknown(&error),
        }
        let state = match (state, set("DoNotAllowExceptions", false), set("DefaultInboundAction", true)) {
            _ if !runs => State::Off,
            (Some(state), ..) => state,
            (None, Fact::Known(true), _) => State::Shielded,
            (None, Fact::Known(false), Fact::Known(blocks)) => State::On { lets_in: !blocks },
            (None, Fact::Unknown(why), _) | (None, _, Fact::Unknown(why)) => return Fact::Unknown(why),
        };
        states.push((profile, state));
    }
    let active = states.iter().all(|(_, state)| *state != State::Off);
    let blocks = states.iter().all(|(_, state)| matches!(state, State::Shielded | State::On { lets_in: false }));
    let firewall = Firewall {
        kind: FirewallKind::Windows,
        active,
        blocks_inbound: Fact::Known(blocks),
        profiles_off: Fact::Known(off.into_iter().collect()),
    };
    Fact::Known((states, firewall))
}

/// True when the firewall is disabled in this profile on some adapter that is up (`DisabledInterfaces`: ids separated by commas,
/// MS-GPFAS).
fn left_out(context: &CheckContext, profile: FirewallProfile, adapters: &Answer<Vec<Adapter>>) -> Answer<bool> {
    let keys = keys(context, profile)?;
    let texts = keys.iter().map(|key| context.text(key, "DisabledInterfaces"));
    match texts.fold(Setting::Absent, |found, text| found.else_by(|| text)) {
        Setting::Absent => Ok(false),
        Setting::Unreadable(error) => Err(error),
        Setting::Set(text) => {
            let text = text.to_lowercase();
            Ok(adapters.clone()?.iter().any(|adapter| text.contains(&adapter.guid.to_lowercase())))
        }
    }
}

/// A setting of a profile: policies override local settings.
fn setting(context: &CheckContext, profile: FirewallProfile, name: &str) -> Setting<u64> {
    number(context, keys(context, profile), name)
}

/// A profile's setting by policy.
fn by_policy(context: &CheckContext, profile: FirewallProfile, name: &str) -> Setting<u64> {
    number(context, policies(context, profile), name)
}

/// The first key that has the number decides.
fn number(context: &CheckContext, keys: Answer<Vec<String>>, name: &str) -> Setting<u64> {
    match keys {
        Ok(keys) => keys.iter().fold(Setting::Absent, |found, key| found.else_by(|| context.number(key, name))),
        Err(error) => Setting::Unreadable(error),
    }
}

/// The keys with a profile's settings, in order of precedence.
fn keys(context: &CheckContext, profile: FirewallProfile) -> Answer<Vec<String>> {
    let local = match profile {
        FirewallProfile::Domain => "DomainProfile",
        FirewallProfile::Private => "StandardProfile",
        _ => "PublicProfile",
    };
    let mut keys = policies(context, profile)?;
    keys.push(format!(r"{LOCAL}\{local}"));
    Ok(keys)
}

/// The keys with a profile's policies.
fn policies(context: &CheckContext, profile: FirewallProfile) -> Answer<Vec<String>> {
    let managed: &[&str] = match profile {
        FirewallProfile::Domain => &["DomainProfile"],
        FirewallProfile::Private => &["PrivateProfile", "StandardProfile"],
        _ => &["PublicProfile"],
    };
    let domain = format!(r"{POLICY}\{}", policy_key(context, profile)?);
    Ok([domain].into_iter().chain(managed.iter().map(|key| format!(r"{MANAGED}\{key}"))).collect())
}

/// The key with the domain policies of a profile. `StandardProfile` applies to private and public networks, and is ignored when either
/// has its own key (MS-GPFAS 2.2.3).
pub(super) fn policy_key(context: &CheckContext, profile: FirewallProfile) -> Answer<&'static str> {
    let there = |key: &str| match context.os.keys(&format!(r"{POLICY}\{key}")) {
        Ok(_) => Ok(true),
        Err(OsError::Missing(_)) => Ok(false),
        Err(error) => Err(error),
    };
    Ok(match profile {
        FirewallProfile::Domain => "DomainProfile",
        _ if !there("PrivateProfile")? && !there("PublicProfile")? => "StandardProfile",
        FirewallProfile::Private => "PrivateProfile",
        _ => "PublicProfile",
    })
}

/// The profiles in which local rules count: all except those where a policy disables them (`AllowLocalPolicyMerge` 0).
pub(super) fn local_rules_count(context: &CheckContext) -> Fact<BTreeSet<FirewallProfile>> {
    let mut profiles = BTreeSet::new();
    for profile in ALL {
        match by_policy(context, profile, "AllowLocalPolicyMerge")
            .or(Fact::Known(true), |allowed| Fact::Known(allowed != 0))
        {
            Fact::Known(true) => drop(profiles.insert(profile)),
            Fact::Known(false) => {}
            Fact::Unknown(why) => return Fact::Unknown(why),
        }
    }
    Fact::Known(profiles)
}

/// Other makers' firewalls that reported to Security Center that they are on and whose program still exists. A product registered twice
/// counts once.
fn others(context: &CheckContext) -> Answer<Vec<Firewall>> {
    let center = center(context, Kind::Firewall)?;
    let untold = |what: &str| Err(OsError::Failed("firewalls of other makers".to_owned(), what.to_owned()));
    if !center.live {
        return untold(STALE);
    }
    let on = center.listed.iter().filter(|listed| {
        let there: Vec<bool> = listed.programs.iter().filter_map(|program| exists(context, program)).collect();
        listed.state.product_status == ProductStatus::On
            && !listed.state.microsoft
            && (there.is_empty() || there.contains(&true))
    });
    let on: Vec<_> = on.collect();
    // As with antivirus, a row alone is no proof: part of the product must be running.
    let mut running = Vec::new();
    for listed in &on {
        if reporter_runs(context, &listed.programs)? || runs_beside(context, &listed.programs)? {
            running.push(*listed);
        }
    }
    // One without a name is listed by its id.
    let products: BTreeSet<String> = running
        .iter()
        .map(|listed| match listed.name.trim() {
            "" => listed.guid.clone(),
            name => name.to_lowercase(),
        })
        .collect();
    if products.is_empty() && !on.is_empty() {
        return untold("one says that it is on, and nothing of it runs");
    }
    let odd = |listed: &Listed| !listed.state.microsoft && matches!(listed.state.product_status, ProductStatus::Odd(_));
    if products.is_empty() && center.listed.iter().any(odd) {
        return untold("one says something that nobody has explained");
    }
    if products.is_empty() && !center.whole {
        return untold("not every row of Security Center is read");
    }
    Ok(products
        .iter()
        .map(|_| Firewall {
            kind: FirewallKind::Product,
            active: true,
            blocks_inbound: Fact::unknown(Reason::NoReader, "another maker's firewall"),
            profiles_off: Fact::Known(List::default()),
        })
        .collect())
}
