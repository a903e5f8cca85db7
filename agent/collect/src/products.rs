//! What one machine's anti-malware products make together, whatever the system.

use policies::fact::{AntivirusProduct, Fact, Maker, Reason};

use super::text::capped;

/// A product of a maker that nobody here can tell more of; `why` it is not known whether it guards, in English.
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

/// What no product of a kind tells.
pub(super) fn no_reader<T>() -> Fact<T> {
    Fact::unknown(Reason::NoReader, "")
}

/// True when the product is known to be at work.
pub(super) fn is_running(product: &AntivirusProduct) -> bool {
    product.running == Fact::Known(true)
}

/// The greatest value among the running products; `none` when none runs. Where one of them is not known, neither is the
/// greatest, unless another already has all there is to have.
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
