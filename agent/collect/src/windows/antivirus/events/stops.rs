//! When protection stopped, for any maker: the service manager logs that a service stopped or crashed, Security Center what a product
//! reported to it. Both are read through language-independent data: the service's key name, the state's constant.
//!
//! Services also end when Windows shuts down, and a starting product reports that it is not yet on; neither counts as a stop, unless the
//! product is still off: then it did not come back after the newest one. A short stop for a product's own update counts.
//!
//! Sources: published events of the provider `Service Control Manager` (7036: binary data `Spooler/1`, the state a `SERVICE_STOPPED`; 7031 and
//! 7034: binary data `Spooler`) and of `SecurityCenter` (15: the product and `SECURITY_PRODUCT_STATE_OFF`; learn.microsoft.com, "Review
//! event logs and error codes", "Microsoft Defender Antivirus won't start").

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use policies::fact::{AntivirusProduct, Fact, Maker};

use super::super::makers::{MAKERS, Signs, is_companion};
use super::super::parts;
use super::{Found, of_last_month};
use crate::windows::center::{self, Kind};
use crate::windows::context::{CheckContext, Setting};
use crate::windows::log::{Log, LogExcerpt};
use crate::windows::version::{VERSION, WINDOWS_10};
use os::windows::Event;
use os::{Answer, OsError};

const fn log(channel: &'static str, provider: &'static str, ids: &'static [u32], most: usize) -> Log<'static> {
    Log { channel, provider: Some(provider), ids, most }
}

const STATE_CHANGED: u32 = 7036;
/// Service events, including many that are not about antivirus.
const SERVICES: Log = log("System", "Service Control Manager", &[STATE_CHANGED, 7031, 7034], 4_000);
/// Product state events, logged since Windows 10.
const STATES: Log = log("Application", "SecurityCenter", &[15], super::MOST);
/// Windows starts.
const STARTS: Log = log("System", "Microsoft-Windows-Kernel-General", &[12], super::MOST);
/// Windows shuts down.
const ENDS: Log = log("System", "Microsoft-Windows-Kernel-General", &[13], super::MOST);
/// The event log itself shuts down.
const LOG_ENDS: Log = log("System", "EventLog", &[6006], super::MOST);
/// How long Windows takes to shut down, and products to start.
const TURN: SignedDuration = SignedDuration::from_mins(5);

/// The products watched: those not made by Microsoft, with their names in Security Center.
pub(super) struct Watched<'a> {
    signs: Vec<&'static Signs>,
    /// Names in Security Center that no firewall shares: an event contains only the name.
    names: Vec<&'a str>,
    /// All of them are off now.
    off: bool,
}

impl<'a> Watched<'a> {
    /// Selects from the products found. A product whose services run whether or not it protects is left out: their end is no stop
    /// of protection.
    ///
    /// # Errors
    /// When the names of firewalls cannot be determined.
    pub(super) fn of(context: &CheckContext, products: &'a [AntivirusProduct]) -> Answer<Self> {
        let companion = |product: &AntivirusProduct| is_companion(product.maker, [&product.name].into_iter());
        let others = || products.iter().filter(|product| product.maker != Maker::Microsoft && !companion(product));
        let firewalls = match center::center(context, Kind::Firewall) {
            Ok(center) => center.listed,
            Err(OsError::Missing(_)) => Vec::new(),
            Err(error) if others().next().is_some() => return Err(error),
            Err(_) => Vec::new(),
        };
        let is_firewall = |name: &str| firewalls.iter().any(|firewall| firewall.name == name);
        let signs = MAKERS.iter().filter(|signs| others().any(|product| product.maker == signs.maker)).collect();
        let names: Vec<&str> =
            others().map(|product| product.name.as_str()).filter(|name| !is_firewall(name)).collect();
        let told = matches!(context.number(VERSION, "CurrentBuildNumber"), Setting::Set(build) if build >= WINDOWS_10);
        let off = others().all(|product| product.running == Fact::Known(false));
        Ok(Self { signs, names: if told { names } else { Vec::new() }, off })
    }

    /// True when this reader would see a stop of the product in the logs.
    pub(super) fn hears_of(&self, product: &AntivirusProduct) -> bool {
        product.maker == Maker::Microsoft
            || self.signs.iter().any(|signs| signs.maker == product.maker)
            || self.names.contains(&product.name.as_str())
    }
}

/// The stops, unordered.
///
/// # Errors
/// When a log cannot be read.
pub(super) fn list(context: &CheckContext, watched: &Watched) -> Answer<Found<Timestamp>> {
    let (services, states) = (services(context, watched)?, states(context, watched)?);
    let whole = services.whole && states.whole;
    let (mut services, mut states) = (services.items, states.items);
    let newest = services.iter().chain(&states).max().copied();
    let Some(newest) = newest else { return Ok(Found { items: Vec::new(), whole }) };
    let starts = times(&told(context, &STARTS)?.events);
    let ends = times(&[told(context, &ENDS)?.events, told(context, &LOG_ENDS)?.events].concat());
    let within =
        |first: Timestamp, then: Timestamp| (SignedDuration::ZERO..=TURN).contains(&first.duration_until(then));
    let stays_off = |stop: Timestamp| watched.off && stop == newest;
    let goes_down = |stop: Timestamp| ends.iter().any(|end| within(stop, *end));
    let comes_up = |stop: Timestamp| starts.iter().any(|start| within(*start, stop));
    services.retain(|&stop| stays_off(stop) || !goes_down(stop));
    states.retain(|&stop| stays_off(stop) || !goes_down(stop) && !comes_up(stop));
    services.extend(states);
    Ok(Found { items: services, whole })
}

fn services(context: &CheckContext, watched: &Watched) -> Answer<Found<Timestamp>> {
    if watched.signs.is_empty() {
        return Ok(Found { items: Vec::new(), whole: true });
    }
    let LogExcerpt { events, whole } = told(context, &SERVICES)?;
    let ended: Vec<(Timestamp, String)> = events.iter().filter_map(|event| Some((at(event)?, ended(event)?))).collect();
    let names: BTreeSet<&String> = ended.iter().map(|(_, service)| service).collect();
    let guards: BTreeSet<&String> = names.into_iter().filter(|name| guards(context, watched, name)).collect();
    let items = ended.iter().filter(|(_, service)| guards.contains(service)).map(|(at, _)| *at).collect();
    Ok(Found { items, whole })
}

/// True when the service belongs to the products: by its name, or if their names are unknown by the company of its file.
fn guards(context: &CheckContext, watched: &Watched, service: &str) -> bool {
    let company = std::cell::LazyCell::new(|| parts::company(context, service));
    watched.signs.iter().any(|signs| {
        signs.has_service(service) || !signs.has_services() && !company.is_empty() && signs.is_company(&company)
    })
}

/// The key name of the service that the event says ended.
fn ended(event: &Event) -> Option<String> {
    /// `SERVICE_STOPPED`.
    const STOPPED: &str = "1";
    let (_, hexadecimal) = event.data.iter().rfind(|(name, value)| name.is_empty() && !value.is_empty())?;
    let text = wide(hexadecimal)?;
    if event.id != STATE_CHANGED {
        return Some(text);
    }
    let (service, state) = text.rsplit_once('/')?;
    (state == STOPPED).then(|| service.to_owned())
}

/// The text in binary data as events show it, `530070006F00...`.
fn wide(hexadecimal: &str) -> Option<String> {
    if !hexadecimal.len().is_multiple_of(4) || !hexadecimal.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let digits = hexadecimal.as_bytes().chunks_exact(4);
    let unit = |digits: &[u8]| {
        let number = u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
        Some(number.swap_bytes())
    };
    let units: Vec<u16> = digits.map(unit).collect::<Option<_>>()?;
    let text = String::from_utf16(units.split(|&unit| unit == 0).next()?).ok()?;
    (!text.is_empty()).then_some(text)
}

/// Changes from on to anything else, of each product.
fn states(context: &CheckContext, watched: &Watched) -> Answer<Found<Timestamp>> {
    if watched.names.is_empty() {
        return Ok(Found { items: Vec::new(), whole: true });
    }
    let LogExcerpt { events, whole } = told(context, &STATES)?;
    let mut on: BTreeMap<&str, bool> = BTreeMap::new();
    let mut stops = Vec::new();
    for event in events.iter().rev() {
        let [(_, name), (_, state), ..] = event.data.as_slice() else { continue };
        let Some(state) = state.strip_prefix("SECURITY_PRODUCT_STATE_") else { continue };
        if !watched.names.contains(&name.as_str()) {
            continue;
        }
        let is_on = state == "ON";
        // The state before the first event is unknown; normally it was on.
        if on.insert(name, is_on).unwrap_or(true) && !is_on {
            stops.extend(at(event));
        }
    }
    Ok(Found { items: stops, whole })
}

/// The log's events; empty when there is no such channel.
fn told(context: &CheckContext, log: &Log) -> Answer<LogExcerpt> {
    match of_last_month(context, log) {
        Err(OsError::Missing(_)) => Ok(LogExcerpt::default()),
        answer => answer,
    }
}

fn times(events: &[Event]) -> Vec<Timestamp> {
    events.iter().filter_map(at).collect()
}

fn at(event: &Event) -> Option<Timestamp> {
    Timestamp::from_millisecond(event.at).ok()
}

#[cfg(test)]
mod tests;
