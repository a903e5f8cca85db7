//! Section `antivirus`: the anti-malware programs of the machine and the one truth drawn from them.

use policies::fact::{Antivirus, AntivirusProduct, Fact, List, Protection, Reason};

use super::scene::Scene;
use crate::collect::products::{best, is_running};

mod clamav;
mod makers;

pub(super) fn collect(scene: &Scene) -> Antivirus {
    if scene.processes().is_empty() {
        return Antivirus::unknown(Reason::Unreadable, "/proc shows no process");
    }
    let mut products: Vec<AntivirusProduct> =
        clamav::product(scene).into_iter().chain(makers::products(scene)).collect();
    products.sort_unstable_by_key(|product| product.maker);
    Antivirus {
        protection: Fact::Known(match () {
            () if products.iter().any(is_running) => Protection::On,
            () if !products.is_empty() => Protection::Off,
            () => Protection::None,
        }),
        real_time: best(&products, |product| &product.real_time, Some(&true), Fact::Known(false)),
        updater: best(&products, |product| &product.updater, Some(&true), Fact::Known(false)),
        definitions_at: best(
            &products,
            |product| &product.definitions_at,
            None,
            Fact::unknown(Reason::SourceMissing, "no anti-malware product runs"),
        ),
        definitions_current: best(
            &products,
            |product| &product.definitions_current,
            Some(&true),
            Fact::unknown(Reason::NoReader, ""),
        ),
        detections: Fact::unknown(Reason::NoReader, ""),
        stops: Fact::unknown(Reason::NoReader, ""),
        products: Fact::Known(List::capped(products)),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use policies::fact::Maker;

    use super::*;
    use crate::os::recorded::Recorded;

    fn collected(os: Recorded) -> Antivirus {
        collect(&Scene::new(Arc::new(os), jiff::Timestamp::UNIX_EPOCH))
    }

    #[test]
    fn nothing_is_installed() {
        let antivirus = collected(Recorded::new().process(1, "systemd", "/sbin/init"));
        assert_eq!(antivirus.protection, Fact::Known(Protection::None));
        assert_eq!((antivirus.real_time, antivirus.updater), (Fact::Known(false), Fact::Known(false)));
        assert!(antivirus.definitions_at.known().is_none());
        assert!(collected(Recorded::new()).protection.known().is_none());
    }

    #[test]
    fn another_makers_daemon_protects_and_the_rest_is_not_read() {
        let os = Recorded::new()
            .folder("/opt/kaspersky/kesl/bin")
            .process(77, "kesl", "/opt/kaspersky/kesl/libexec/kesl")
            .file("/usr/sbin/clamd", "");
        let antivirus = collected(os);
        assert_eq!(antivirus.protection, Fact::Known(Protection::On));
        let products = &antivirus.products.known().unwrap().items;
        assert_eq!(products.iter().map(|product| product.maker).collect::<Vec<_>>(), [Maker::ClamAv, Maker::Kaspersky]);
        assert!(matches!(antivirus.real_time, Fact::Unknown(unknown) if unknown.reason == Reason::NoReader));
        assert!(matches!(antivirus.definitions_at, Fact::Unknown(unknown) if unknown.reason == Reason::NoReader));
    }

    #[test]
    fn two_running_products_are_judged_by_the_better_one() {
        let os = Recorded::new()
            .folder("/opt/kaspersky/kesl")
            .process(77, "kesl", "/opt/kaspersky/kesl/libexec/kesl")
            .process(78, "clamd", "/usr/sbin/clamd")
            .file("/var/lib/clamav/daily.cvd", "ClamAV-VDB:07 Sep 2023 09-34 -0400:27023:2040122:90:md5:dsig:raynman");
        let seen = collected(os.clone());
        assert!(seen.real_time.known().is_none() && seen.definitions_at.known().is_none());
        let seen = collected(os.process(79, "clamonacc", "/usr/sbin/clamonacc").process(80, "freshclam", ""));
        assert_eq!((seen.real_time, seen.updater), (Fact::Known(true), Fact::Known(true)));
    }

    #[test]
    fn what_is_installed_and_stands_still_is_off() {
        let antivirus = collected(Recorded::new().process(1, "init", "").folder("/opt/eset/efs/sbin"));
        assert_eq!(antivirus.protection, Fact::Known(Protection::Off));
        assert_eq!(antivirus.real_time, Fact::Known(false));
    }
}
