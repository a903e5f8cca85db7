//! Products of unknown makers that Security Center, where it exists, does not list: found by services that Windows runs as anti-malware,
//! and by loaded virus scanning drivers. Neither shows whether the product protects files.

use policies::fact::{AntivirusProduct, Maker};

use super::makers::MAKERS;
use super::parts::{self, Part, Parts};
use crate::products::unread;
use crate::windows::center::Listed;
use crate::windows::context::CheckContext;

/// Windows' own services and drivers that run so.
const OWN: [&str; 11] = [
    "WdFilter",
    "MpFilter",
    "WinDefend",
    "WdNisSvc",
    "MdCoreSvc",
    "MsMpSvc",
    "NisSrv",
    "Sense",
    "SecurityHealthService",
    "webthreatdefsvc",
    "wscsvc",
];

/// The products that are neither among `products` nor among the rows of Security Center.
pub(super) fn products(
    context: &CheckContext,
    parts: &Parts,
    products: &[AntivirusProduct],
    listed: &[Listed],
) -> Vec<AntivirusProduct> {
    let folders: Vec<String> =
        listed.iter().flat_map(|row| &row.programs).filter_map(|program| parts::folder(context, program)).collect();
    let found = |maker: Maker| products.iter().any(|product| product.maker == maker);
    let of_windows = |part: &Part| {
        part.company.starts_with("Microsoft") || OWN.iter().any(|own| own.eq_ignore_ascii_case(&part.service))
    };
    let known = |part: &Part| {
        MAKERS.iter().any(|signs| {
            signs.is_company(&part.company)
                || signs.has_service(&part.service)
                || signs.has_helper(&part.service)
                || signs.has_driver(context, &part.service)
                // Some makers were bought by others, whose name is in their files.
                || found(signs.maker) && signs.may_be(&part.company)
        }) || parts::lies_in(context, &part.service, &folders)
    };
    let all = parts.protected.iter().chain(&parts.drivers);
    let others = all.filter(|part| part.runs && !of_windows(part) && !known(part));
    // A file that names no company may belong to anyone.
    let mut names: Vec<&str> =
        others.map(|part| if part.company.is_empty() { &part.service } else { &part.company }.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    names.into_iter().map(|name| unread(name, "Windows runs a service or driver of it as anti-malware")).collect()
}
