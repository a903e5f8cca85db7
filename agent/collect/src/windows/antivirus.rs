//! Section `antivirus`: what Security Center lists, what the machine itself shows of each product, and the overall result.
//!
//! A row alone is ambiguous: it may be left over from a removed product, and a product that protects need not have one. So a row that says
//! "on" needs confirmation: a running guard, else the program that reported it or a service from its folder. A service alone proves nothing
//! where Security Center runs and does not list the product. Where two sources contradict each other and neither is known to be better, the
//! result is unknown with that reason. A product that is switched off, snoozed or unlicensed counts as not running: it blocks nothing.

use policies::fact::{Antivirus, AntivirusProduct, Fact, List, Maker, Protection, Reason, Unknown};

use super::center::{self, Center, Kind, Listed, ProductStatus, STALE, State, exists, path};
use super::context::{CheckContext, unknown};
use crate::products::{best, is_running, no_reader};
use crate::text::capped;
use os::{Answer, OsError};

mod defender;
mod events;
mod kaspersky;
mod makers;
mod parts;
mod unlisted;

use makers::{MAKERS, Signs, Trace, is_companion, maker};
pub(super) use parts::runs_beside;

use parts::Parts;

pub(super) fn collect(context: &CheckContext) -> Antivirus {
    let center = center::center(context, Kind::Antivirus);
    let parts = Parts::of(context);
    let mut products = products(context, &center, &parts);
    products.sort_by(|one, other| (one.maker, &one.name).cmp(&(other.maker, &other.name)));
    let protection = protection(context, &products, &center, &parts);
    if let Fact::Unknown(why) = &protection {
        let mut section = Antivirus::unknown(why.reason, &why.detail);
        section.detections = perhaps_more(events::detections(context, &products), why);
        section.stops = perhaps_more(events::stops(context, &products), why);
        section.products = Fact::Known(List::capped(products));
        return section;
    }
    Antivirus {
        protection,
        real_time: best(&products, |product| &product.real_time, Some(&true), Fact::Known(false)),
        updater: best(&products, |product| &product.updater, Some(&true), Fact::Known(false)),
        definitions_at: best(&products, |product| &product.definitions_at, None, nothing()),
        definitions_current: best(&products, |product| &product.definitions_current, Some(&true), nothing()),
        detections: events::detections(context, &products),
        stops: events::stops(context, &products),
        products: Fact::Known(List::capped(products)),
    }
}

fn protection(
    context: &CheckContext,
    products: &[AntivirusProduct],
    center: &Answer<Center>,
    parts: &Parts,
) -> Fact<Protection> {
    if products.iter().any(is_running) {
        return Fact::Known(Protection::On);
    }
    if let Some(Fact::Unknown(why)) =
        products.iter().map(|product| &product.running).find(|fact| fact.known().is_none())
    {
        return Fact::Unknown(why.clone());
    }
    // Unlisted products may protect: then neither "off" nor "none" is certain.
    if let Some(error) = context.services().err().or(context.processes().err()).or(parts.hidden.clone()) {
        return unknown(&error);
    }
    match center {
        Err(error) if products.is_empty() || !matches!(error, OsError::Missing(_)) => unknown(error),
        Ok(center) if !center.live => Fact::unknown(Reason::Unreadable, STALE),
        Ok(center) if !center.whole => Fact::unknown(Reason::Unreadable, "not every row of Security Center is read"),
        _ if products.is_empty() => Fact::Known(Protection::None),
        _ => Fact::Known(Protection::Off),
    }
}

/// The list from the event logs when it is unknown which product protects: there may be more.
fn perhaps_more<T>(found: Fact<List<T>>, why: &Unknown) -> Fact<List<T>> {
    match found {
        Fact::Known(list) if list.items.is_empty() => Fact::Unknown(why.clone()),
        Fact::Known(list) => Fact::Known(List { left_out: list.left_out.max(1), ..list }),
        unknown => unknown,
    }
}

fn nothing<T>() -> Fact<T> {
    Fact::unknown(Reason::SourceMissing, "no anti-malware product runs")
}

/// The rows of one product combined: after an update a product may have two, one being on and the other current.
#[derive(Clone, Debug)]
struct Sum {
    name: String,
    programs: Vec<String>,
    state: State,
    live: bool,
}

impl Sum {
    fn of(context: &CheckContext, rows: &[&Listed], live: bool) -> Option<Self> {
        // A row whose program is gone counts for nothing next to one whose program exists.
        let there = |row: &&&Listed| row.programs.iter().any(|program| exists(context, program) == Some(true));
        let gone = |row: &&&Listed| {
            let known: Vec<bool> = row.programs.iter().filter_map(|program| exists(context, program)).collect();
            !known.is_empty() && !known.contains(&true)
        };
        let some_there = rows.iter().any(|row| there(&row));
        let rows: Vec<&Listed> = rows.iter().filter(|row| !(some_there && gone(row))).copied().collect();
        let rank = |product_status: ProductStatus| match product_status {
            ProductStatus::On => 4,
            ProductStatus::Odd(_) => 3,
            ProductStatus::Snoozed => 2,
            ProductStatus::Expired => 1,
            ProductStatus::Off => 0,
        };
        let first = rows.iter().max_by_key(|row| rank(row.state.product_status))?;
        let current = rows.iter().filter_map(|row| row.state.current).max().filter(|_| live);
        let mut programs: Vec<String> = rows.iter().flat_map(|row| row.programs.clone()).collect();
        programs.sort();
        programs.dedup();
        Some(Self { name: first.name.clone(), programs, state: State { current, ..first.state }, live })
    }
}

fn products(context: &CheckContext, center: &Answer<Center>, parts: &Parts) -> Vec<AntivirusProduct> {
    let (listed, live) = match center {
        Ok(center) => (center.listed.as_slice(), center.live),
        Err(_) => (&[][..], false),
    };
    let rows = |of: Maker| -> Vec<&Listed> { listed.iter().filter(|row| maker(row) == of).collect() };
    let mut products = Vec::new();
    for signs in MAKERS {
        let trace = signs.trace(context, parts);
        products.extend(product(
            context,
            signs.maker,
            Some((signs, trace)),
            Sum::of(context, &rows(signs.maker), live).as_ref(),
            center,
        ));
    }
    // Products of unknown makers, each by its name.
    let others = rows(Maker::Other);
    let mut names: Vec<&str> = others.iter().map(|row| row.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        let same: Vec<&Listed> = others.iter().copied().filter(|row| row.name == name).collect();
        products.extend(product(context, Maker::Other, None, Sum::of(context, &same, live).as_ref(), center));
    }
    if others.is_empty() {
        let found = unlisted::products(context, parts, &products, listed);
        products.extend(found);
    }
    let guarded = products.iter().any(is_running);
    products.extend(defender::product(context, Sum::of(context, &rows(Maker::Microsoft), live).as_ref(), guarded));
    products
}

fn product(
    context: &CheckContext,
    maker: Maker,
    traced: Option<(&Signs, Answer<Trace>)>,
    sum: Option<&Sum>,
    center: &Answer<Center>,
) -> Option<AntivirusProduct> {
    let (signs, trace) = traced.unzip();
    let trace = trace.transpose();
    let running = match (sum, &trace, signs) {
        (Some(sum), ..) => by_row(context, sum, signs, &trace),
        (None, Ok(Some(trace)), Some(signs)) if trace.there => without_row(signs, trace, center)?,
        _ => return None,
    };
    // Without Security Center nothing is reported; where it does not answer, what was reported is unknown.
    let not_told = || match center {
        Err(error) if !matches!(error, OsError::Missing(_)) => unknown(error),
        _ => Fact::unknown(Reason::NoReader, "it is not listed in Security Center"),
    };
    let service = trace.as_ref().ok().and_then(|trace| trace.as_ref()?.service.clone());
    let name = sum.map(|sum| sum.name.clone()).filter(|name| !name.is_empty());
    Some(AntivirusProduct {
        maker,
        name: name.unwrap_or_else(|| signs.map(|signs| signs.name.to_owned()).unwrap_or_default()),
        version: version(context, sum, service.as_deref()),
        real_time: match (sum, &running) {
            (None, Fact::Known(true)) => not_told(),
            (_, running) => running.clone(),
        },
        running,
        definitions_at: if maker == Maker::Kaspersky { kaspersky::updated_at(context) } else { no_reader() },
        definitions_current: match sum.map(|sum| sum.state.current) {
            Some(Some(current)) => Fact::Known(current),
            Some(None) => Fact::unknown(Reason::Unreadable, "productState"),
            None => not_told(),
        },
        definitions_version: no_reader(),
        updater: no_reader(),
    })
}

/// What the machine itself shows of a product without a row. Where Security Center runs, a protecting product registers with it: an
/// unregistered one may be passive or switched off. `None` for what protects nothing.
fn without_row(signs: &Signs, trace: &Trace, center: &Answer<Center>) -> Option<Fact<bool>> {
    let at_work = trace.runs || trace.helps;
    if signs.is_companion() && (!at_work || center.is_ok()) {
        return None;
    }
    Some(match center {
        _ if !at_work => Fact::Known(false),
        Ok(_) if trace.runs => contradictory("a service or program of it runs, Security Center does not list it"),
        Err(OsError::Missing(_)) if trace.runs && !signs.is_companion() => Fact::Known(true),
        Err(error) if !matches!(error, OsError::Missing(_)) => unknown(error),
        _ => Fact::unknown(Reason::NoReader, "what runs of it runs as well where it guards nothing"),
    })
}

/// The combined result of a row and the machine itself.
fn by_row(context: &CheckContext, sum: &Sum, signs: Option<&Signs>, trace: &Answer<Option<Trace>>) -> Fact<bool> {
    let seen = |of: fn(&Trace) -> bool| matches!(trace, Ok(Some(trace)) if of(trace));
    let guard = seen(|trace| trace.runs);
    match sum.state.product_status {
        ProductStatus::On => on(context, sum, signs, trace, guard || seen(|trace| trace.helps)),
        // Perhaps another product is the registered one; perhaps only its protection is switched off.
        ProductStatus::Off if guard => {
            contradictory("Security Center says off, a service or program of the product runs")
        }
        ProductStatus::Off | ProductStatus::Snoozed | ProductStatus::Expired if !sum.live => contradictory(STALE),
        ProductStatus::Off | ProductStatus::Snoozed | ProductStatus::Expired => Fact::Known(false),
        ProductStatus::Odd(number) => Fact::unknown(Reason::Unreadable, format!("productState {number}")),
    }
}

/// The value of a row that says "on". `at_work` when something of the product was seen running.
fn on(
    context: &CheckContext,
    sum: &Sum,
    signs: Option<&Signs>,
    trace: &Answer<Option<Trace>>,
    at_work: bool,
) -> Fact<bool> {
    let reports = reporter_runs(context, &sum.programs);
    let beside = if at_work { Ok(true) } else { parts::runs_beside(context, &sum.programs) };
    let at_work = at_work || reports == Ok(true) || beside == Ok(true);
    let maker = signs.map_or(Maker::Other, |signs| signs.maker);
    if at_work && is_companion(maker, sum.programs.iter().chain([&sum.name])) {
        return contradictory("Security Center says on, as of an edition that guards nothing");
    }
    if at_work {
        // What was reported while it still ran may have changed since.
        return if sum.live { Fact::Known(true) } else { contradictory(STALE) };
    }
    // Absence is only certain when all running services and processes are known.
    if let Some(error) = trace.as_ref().err().or(reports.as_ref().err()).or(beside.as_ref().err()) {
        return unknown(error);
    }
    let there: Vec<bool> = sum.programs.iter().filter_map(|program| exists(context, program)).collect();
    if !there.is_empty() && !there.contains(&true) {
        // The reporting program is gone: the row is left over.
        return Fact::Known(false);
    }
    let driver = matches!(trace, Ok(Some(trace)) if trace.driver);
    match driver {
        // For a maker whose services are unknown, its driver confirms the row.
        _ if !sum.live => contradictory(STALE),
        true if !signs.is_some_and(Signs::known) => Fact::Known(true),
        true => contradictory("Security Center says on, only a driver of the product runs"),
        false => contradictory("Security Center says on, no service or program of the product runs"),
    }
}

/// True when the program that reported the row, or is shown for it, is running. Windows' own programs run for many
/// products.
pub(super) fn reporter_runs(context: &CheckContext, programs: &[String]) -> Answer<bool> {
    let of_windows = |program: &str| path(context, program).is_some_and(|path| parts::of_windows(context, &path));
    let own = programs.iter().filter(|program| !of_windows(program));
    let names: Vec<&str> =
        own.filter_map(|program| program.rsplit('\\').next()).filter(|name| !name.is_empty()).collect();
    let processes = context.processes()?;
    Ok(processes.iter().any(|process| names.iter().any(|name| process.name.eq_ignore_ascii_case(name))))
}

fn contradictory<T>(detail: &str) -> Fact<T> {
    Fact::unknown(Reason::Contradictory, detail)
}

/// The version in the product's program file: that of its row, else that of its service.
fn version(context: &CheckContext, sum: Option<&Sum>, service: Option<&str>) -> Fact<String> {
    let listed = sum.map(|sum| sum.programs.clone()).unwrap_or_default();
    let of_service = service.and_then(|service| parts::file(context, service));
    let paths = listed.iter().filter_map(|program| path(context, program)).chain(of_service);
    match paths.filter_map(|path| context.os.file_version(&path).ok()).next() {
        Some(version) => Fact::Known(capped(&version)),
        None => Fact::unknown(Reason::SourceMissing, "no program of the product states a version"),
    }
}

#[cfg(test)]
mod tests;
