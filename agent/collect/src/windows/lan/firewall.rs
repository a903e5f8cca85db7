//! The Windows firewall by profile, and firewalls of other makers as Security Center lists them.
//!
//! For each profile the policy of the domain (`HKLM\SOFTWARE\Policies\Microsoft\WindowsFirewall`) stands over that of a management server
//! (`...\SharedAccess\Parameters\FirewallPolicy\Mdm`), and both over what is set locally (`...\FirewallPolicy`); absent all it is on and
//! blocks what comes in (since Vista, MS-GPFAS; learn.microsoft.com, "Firewall CSP", for who stands over whom). The private profile is
//! called `StandardProfile` locally. Which profile holds depends on the networks the machine is in; where that cannot be told, all of
//! them must be in order.

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
/// What a management server (MDM) set.
pub(super) const MANAGED: &str = r"HKLM\SYSTEM\CurrentControlSet\Services\SharedAccess\Parameters\FirewallPolicy\Mdm";

/// All profiles.
pub(super) const ALL: [FirewallProfile; 3] =
    [FirewallProfile::Domain, FirewallProfile::Private, FirewallProfile::Public];

/// The networks the machine is in.
pub(super) struct Networks {
    /// Their profiles; all where they cannot be told.
    pub(super) profiles: BTreeSet<FirewallProfile>,
    /// False where they cannot be told.
    certain: bool,
}

impl Networks {
    /// Something that is so in each of the profiles: whether it is so in some network of the machine.
    pub(super) fn over(&self, truths: impl Iterator<Item = Truth> + Clone) -> Truth {
        let some = truths.clone().fold(Truth::False, Truth::or);
        let every = truths.fold(Truth::True, Truth::and);
        if self.certain || some == every { some } else { Truth::Unknown }
    }
}

/// The networks at hand. An adapter with an address whose network is not told leaves them open.
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
    /// It lets nobody in, whatever rules say.
    Shielded,
    /// Its rules hold.
    On {
        /// What no rule is for is let in.
        lets_in: bool,
    },
}

/// What filters packets on this machine.
pub(super) struct Firewalls {
    /// What the firewall of Windows does in the networks at hand.
    states: Fact<Vec<(FirewallProfile, State)>>,
    /// The firewall of Windows.
    windows: Fact<Firewall>,
    /// Those of other makers that say they are on.
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
    /// What the firewall of Windows does in the networks at hand; unknown where it is off and another maker's may stand in for it.
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

    /// All of them; unknown when the firewall of Windows is. Where others could not be asked for, the list is marked as cut by one; a
    /// server has no Security Center, and none that it could know.
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
        // Without Security Center (servers) there are no others that it could know.
        (Fact::Known(_), Ok(_) | Err(OsError::Missing(_))) => Fact::Known(false),
        (Fact::Known(_), Err(error)) => unknown(error),
        (Fact::Unknown(why), _) => Fact::Unknown(why.clone()),
    }
}

/// True when what no rule allows is dropped on its way in, and no rule allows everything (`all_let_in`).
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

/// What the firewall of Windows does in each network at hand, and what it comes to.
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

/// True when the firewall does nothing in this profile at some adapter that is up (`DisabledInterfaces`: their identifiers with commas
/// between them, MS-GPFAS).
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

/// A setting of a profile, the policies over what is set locally.
fn setting(context: &CheckContext, profile: FirewallProfile, name: &str) -> Setting<u64> {
    number(context, keys(context, profile), name)
}

/// What policies set for a profile.
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

/// Where a profile is set, the keys that stand over others first.
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

/// Where policies set a profile.
fn policies(context: &CheckContext, profile: FirewallProfile) -> Answer<Vec<String>> {
    let managed: &[&str] = match profile {
        FirewallProfile::Domain => &["DomainProfile"],
        FirewallProfile::Private => &["PrivateProfile", "StandardProfile"],
        _ => &["PublicProfile"],
    };
    let domain = format!(r"{POLICY}\{}", policy_key(context, profile)?);
    Ok([domain].into_iter().chain(managed.iter().map(|key| format!(r"{MANAGED}\{key}"))).collect())
}

/// The key in which the domain's policies keep a profile. `StandardProfile` is for private and public networks, and ignored where either
/// of these has a key of its own (MS-GPFAS 2.2.3).
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

/// The profiles in which rules that are set locally count: all but those where a policy says no (`AllowLocalPolicyMerge` 0).
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

/// Firewalls of other makers that told Security Center they are on, and whose program has not gone. A product that is registered twice is
/// one.
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
    // As with antivirus, a row alone is no proof: something of the product must run.
    let mut running = Vec::new();
    for listed in &on {
        if reporter_runs(context, &listed.programs)? || runs_beside(context, &listed.programs)? {
            running.push(*listed);
        }
    }
    // One that has no name is told by its identifier.
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
