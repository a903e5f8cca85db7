//! The combined result of a machine's anti-malware products, on any system.

use policies::fact::{AntivirusProduct, Fact, Maker, Reason};

use super::text::capped;

/// A product that the agent has no reader for; `why`, in English, says why it is unknown whether it protects.
pub(super) fn unread(name: &str, why: &str) -> AntivirusProduct {
    let open = || Fact::unknown(Reason::NoReader, why);
    AntivirusProduct {
        maker: Maker::Other,
        name: capped(name),
        version: no_reader(),
        running: open(),
        real_time: open(),
        definitions_at: no_reader(),
        definitions_current: no_reader(),
        definitions_version: no_reader(),
        updater: no_reader(),
    }
}

/// The fact for what no product of a kind reports.
pub(super) fn no_reader<T>() -> Fact<T> {
    Fact::unknown(Reason::NoReader, "")
}

/// True when the product is known to be running.
pub(super) fn is_running(product: &AntivirusProduct) -> bool {
    product.running == Fact::Known(true)
}

/// The greatest value among the running products; `none` when none runs. If one is unknown, so is the greatest, unless
/// another already has the maximum.
pub(super) fn best<T: PartialOrd + Clone>(
    products: &[AntivirusProduct],
    fact: impl Fn(&AntivirusProduct) -> &Fact<T>,
    all_there_is: Option<&T>,
    none: Fact<T>,
) -> Fact<T> {
    let facts: Vec<&Fact<T>> = products.iter().filter(|product| is_running(product)).map(fact).collect();
    let complete = facts.iter().find(|fact| fact.known().is_some_and(|value| Some(value) == all_there_is));
    let unknown = facts.iter().find(|fact| fact.known().is_none());
    let greatest = || facts.iter().copied().reduce(|one, other| if other.known() > one.known() { other } else { one });
    complete.or(unknown).copied().or_else(greatest).cloned().unwrap_or(none)
}
