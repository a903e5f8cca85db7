//! apt's downloaded lists: what they offer for the installed packages.

use super::dpkg::{Offer, Packages, key};
use super::version::compare;
use crate::linux::context::CheckContext;
use os::Answer;
use stanza::{each_of, unpacked};

/// Records in `packages` what the list at `path` offers; `position` identifies the list.
pub(super) fn read(
    context: &CheckContext,
    path: &str,
    position: (usize, usize),
    packages: &mut Packages,
) -> Answer<()> {
    let file = context.os.open(path)?;
    let mut reader = unpacked(file, path)?;
    let Packages { installed, names, native, .. } = packages;
    let mut place = Vec::new();
    each_of(&mut reader, path, &|name| names.contains(name), &mut |stanza| {
        let architecture = if stanza.architecture == b"all" { &*native } else { &stanza.architecture };
        key(&mut place, &stanza.package, architecture);
        if let Some(installed) = installed.get_mut(&place) {
            let version = String::from_utf8_lossy(&stanza.version).into_owned();
            let order = compare(&version, &installed.version);
            installed.offers.push(Offer { version, order, list: position });
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linux::patches::dpkg;
    use os::recorded::Recorded;
    use std::cmp::Ordering;
    use std::io::Write;

    const STATUS: &str = "Package: dpkg\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1.21\n\n\
        Package: tzdata\nStatus: install ok installed\nArchitecture: all\nVersion: 2024a\n";

    #[test]
    fn lists_are_read_packed_or_not() {
        let text = "Package: tzdata\nArchitecture: all\nVersion: 2024b\n\nPackage: dpkg\nArchitecture: amd64\nVersion: 1.0\n\nPackage: x\nVersion: 1\n";
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gz.write_all(text.as_bytes()).unwrap();
        let mut lz4 = lz4_flex::frame::FrameEncoder::new(Vec::new());
        lz4.write_all(text.as_bytes()).unwrap();
        let os = Recorded::new()
            .file(dpkg::STATUS, STATUS)
            .file("/a_Packages.lz4", lz4.finish().unwrap())
            .file("/b_Packages.gz", gz.finish().unwrap())
            .file("/c_Packages", text);
        let context = CheckContext::of(os);
        let mut packages = dpkg::packages(&context).unwrap();
        for (position, path) in ["/a_Packages.lz4", "/b_Packages.gz", "/c_Packages"].into_iter().enumerate() {
            read(&context, path, (position, 0), &mut packages).unwrap();
        }
        let offers = |name: &str| -> Vec<(&str, Ordering, usize)> {
            let offers = packages.installed[format!("{name}:amd64").as_bytes()].offers.iter();
            offers.map(|offer| (offer.version.as_str(), offer.order, offer.list.0)).collect()
        };
        let newer = Ordering::Greater;
        assert_eq!(offers("tzdata"), [("2024b", newer, 0), ("2024b", newer, 1), ("2024b", newer, 2)]);
        assert_eq!(offers("dpkg").iter().filter(|(_, order, _)| *order == Ordering::Less).count(), 3);
    }

    #[test]
    fn a_broken_list_is_an_error() {
        let os =
            Recorded::new().file(dpkg::STATUS, STATUS).file("/x_Packages.lz4", "no lz4").file("/y_Packages.xz", "");
        let context = CheckContext::of(os);
        let mut packages = dpkg::packages(&context).unwrap();
        for path in ["/x_Packages.lz4", "/y_Packages.xz", "/z_Packages"] {
            assert!(read(&context, path, (0, 0), &mut packages).is_err(), "{path}");
        }
    }
}
