//! Section `antivirus`: the anti-malware programs of the machine, and the overall result.

use policies::fact::{Antivirus, AntivirusProduct, Fact, List, Protection, Reason};

use super::context::{CheckContext, unknown};
use crate::products::{best, is_running};
use os::OsError;

mod clamav;
mod makers;
mod mdatp;
mod others;

pub(super) fn collect(context: &CheckContext) -> Antivirus {
    if context.processes().is_empty() {
        return Antivirus::unknown(Reason::Unreadable, "/proc shows no process");
    }
    let mut products: Vec<AntivirusProduct> =
        clamav::product(context).into_iter().chain(makers::products(context)).collect();
    let others = others::products(context, &products);
    products.extend(others.iter().flatten().cloned());
    products.sort_unstable_by_key(|product| product.maker);
    let protection = protection(&products, others.err());
    if let Fact::Unknown(why) = &protection {
        let mut section = Antivirus::unknown(why.reason, &why.detail);
        (section.detections, section.stops) =
            (Fact::unknown(Reason::NoReader, ""), Fact::unknown(Reason::NoReader, ""));
        section.products = Fact::Known(List::capped(products));
        return section;
    }
    Antivirus {
        protection,
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
        products: Fact::Known(List::capped(products)),
        ..Antivirus::unknown(Reason::NoReader, "")
    }
}

fn protection(products: &[AntivirusProduct], unseen: Option<OsError>) -> Fact<Protection> {
    if products.iter().any(is_running) {
        return Fact::Known(Protection::On);
    }
    let open = products.iter().find_map(|product| match &product.running {
        Fact::Unknown(why) => Some(why.clone()),
        Fact::Known(_) => None,
    });
    match (open, unseen) {
        (Some(why), _) => Fact::Unknown(why),
        (None, Some(error)) => unknown(&error),
        (None, None) if products.is_empty() => Fact::Known(Protection::None),
        (None, None) => Fact::Known(Protection::Off),
    }
}

#[cfg(test)]
mod tests {
    use policies::fact::Maker;

    use super::*;
    use os::recorded::Recorded;

    fn collected(os: Recorded) -> Antivirus {
        collect(&CheckContext::of(os))
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

    fn reason(os: Recorded) -> Option<Reason> {
        match collected(os).protection {
            Fact::Unknown(unknown) => Some(unknown.reason),
            Fact::Known(_) => None,
        }
    }

    #[test]
    fn a_product_of_an_unknown_maker_is_neither_on_nor_none() {
        let machine = || Recorded::new().process(1, "systemd", "/sbin/init");
        assert_eq!(
            reason(machine().folder("/opt/traps/bin").process(9, "pmd", "/opt/traps/bin/pmd")),
            Some(Reason::NoReader)
        );
        // An unknown product that the kernel asks before a file is opened.
        let asked = |flags: &str| {
            machine()
                .process(9, "vsguard", "/usr/lib/vs/vsguard")
                .symlink("/proc/9/fd/4", "anon_inode:[fanotify]")
                .file("/proc/9/fdinfo/4", format!("pos:\t0\nfanotify flags:{flags} event-flags:8000\n"))
        };
        let seen = collected(asked("4"));
        assert!(seen.protection.known().is_none() && seen.products.known().unwrap().items[0].name == "vsguard");
        assert_eq!(collected(asked("0")).protection, Fact::Known(Protection::None), "it is told and does not decide");
        assert_eq!(reason(machine().denying("/proc/1/fd")), Some(Reason::NeedsAdministrator));
    }

    #[test]
    fn a_part_that_does_not_look_at_files_is_no_protection() {
        let agent = || Recorded::new().folder("/opt/ds_agent/lib").process(7, "ds_agent", "/opt/ds_agent/ds_agent");
        assert_eq!(reason(agent()), Some(Reason::Contradictory));
        let both = collected(agent().process(8, "ds_am", "/opt/ds_agent/ds_am"));
        assert_eq!(both.protection, Fact::Known(Protection::On));
    }

    #[test]
    fn defender_for_endpoint_protects_only_where_it_is_told_to() {
        let at = "/etc/opt/microsoft/mdatp/managed/mdatp_managed.json";
        let daemon = || {
            Recorded::new().folder("/opt/microsoft/mdatp/sbin").process(
                7,
                "wdavdaemon",
                "/opt/microsoft/mdatp/sbin/wdavdaemon",
            )
        };
        let level = |level: &str| {
            let seen =
                collected(daemon().file(at, format!(r#"{{"antivirusEngine":{{"enforcementLevel":"{level}"}}}}"#)));
            (seen.protection.known().copied(), seen.real_time.known().copied())
        };
        assert_eq!(level("real_time"), (Some(Protection::On), Some(true)));
        assert_eq!(level("on_demand"), (Some(Protection::On), Some(false)));
        assert_eq!(level("passive"), (Some(Protection::Off), Some(false)));
        assert_eq!(reason(daemon()), Some(Reason::SourceMissing), "it is delivered passive");
        assert_eq!(reason(daemon().file(at, "{")), Some(Reason::Unreadable));
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
