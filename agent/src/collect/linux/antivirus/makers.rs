//! Other makers' daemons, by the folder they install into, their processes and their service. What they know themselves
//! (definitions, real-time protection) has no reader yet and says so.

use policies::fact::{AntivirusProduct, Fact, Maker, Reason};

use crate::collect::linux::scene::Scene;

/// How a product is recognised.
struct Signs {
    maker: Maker,
    name: &'static str,
    /// Folders that only this product has: one of them makes it installed.
    folders: &'static [&'static str],
    /// Its daemons' names as the kernel knows them.
    processes: &'static [&'static str],
    /// Its services.
    units: &'static [&'static str],
}

const PRODUCTS: &[Signs] = &[
    Signs {
        maker: Maker::Microsoft,
        name: "Microsoft Defender for Endpoint",
        folders: &["/opt/microsoft/mdatp"],
        processes: &["wdavdaemon"],
        units: &["mdatp.service"],
    },
    Signs {
        maker: Maker::Kaspersky,
        name: "Kaspersky Endpoint Security",
        folders: &["/opt/kaspersky/kesl"],
        processes: &["kesl"],
        units: &["kesl.service", "kesl-supervisor.service"],
    },
    Signs {
        maker: Maker::Eset,
        name: "ESET",
        folders: &["/opt/eset/efs", "/opt/eset/eea"],
        processes: &["odfeeder", "oaeventd"],
        units: &["efs.service", "eea.service"],
    },
    Signs {
        maker: Maker::Bitdefender,
        name: "Bitdefender Endpoint Security Tools",
        folders: &["/opt/bitdefender-security-tools"],
        processes: &["bdsecd"],
        units: &["bdsec.service"],
    },
    Signs {
        maker: Maker::Symantec,
        name: "Symantec Endpoint Protection",
        folders: &["/opt/Symantec/symantec_antivirus", "/usr/lib/symantec"],
        processes: &["rtvscand", "sisamdagent"],
        units: &["sisamdagent.service", "rtvscand.service"],
    },
    Signs {
        maker: Maker::TrendMicro,
        name: "Trend Micro Deep Security Agent",
        folders: &["/opt/ds_agent"],
        processes: &["ds_agent", "ds_am"],
        units: &["ds_agent.service"],
    },
    Signs {
        maker: Maker::Avast,
        name: "Avast",
        folders: &["/usr/lib/avast", "/etc/avast"],
        processes: &["avast"],
        units: &["avast.service"],
    },
    Signs {
        maker: Maker::Sophos,
        name: "Sophos",
        folders: &["/opt/sophos-spl", "/opt/sophos-av"],
        processes: &["savd", "sophos_watchdog"],
        units: &["sophos-spl.service", "sav-protect.service"],
    },
    Signs {
        maker: Maker::Mcafee,
        name: "Trellix Endpoint Security",
        folders: &["/opt/McAfee/ens", "/opt/isec/ens", "/opt/trellix/ens"],
        processes: &["isectpd", "mfetpd"],
        units: &["mfetpd.service", "isectpd.service"],
    },
    Signs {
        maker: Maker::CrowdStrike,
        name: "CrowdStrike Falcon",
        folders: &["/opt/CrowdStrike"],
        processes: &["falcon-sensor"],
        units: &["falcon-sensor.service"],
    },
    Signs {
        maker: Maker::SentinelOne,
        name: "SentinelOne",
        folders: &["/opt/sentinelone"],
        processes: &["s1-agent", "sentinelone-age"],
        units: &["sentinelone.service"],
    },
    Signs {
        maker: Maker::FSecure,
        name: "F-Secure Linux Security",
        folders: &["/opt/f-secure"],
        processes: &["fsavd", "fsaccd"],
        units: &["f-secure-linuxsecurity-fsma2.service"],
    },
    Signs {
        maker: Maker::DrWeb,
        name: "Dr.Web",
        folders: &["/opt/drweb.com"],
        processes: &["drweb-configd", "drweb-se"],
        units: &["drweb-configd.service"],
    },
];

/// The products that are installed or run.
pub(super) fn products(scene: &Scene) -> Vec<AntivirusProduct> {
    PRODUCTS.iter().filter_map(|signs| product(scene, signs)).collect()
}

fn product(scene: &Scene, signs: &Signs) -> Option<AntivirusProduct> {
    let installed = signs.folders.iter().any(|folder| scene.os.exists(folder));
    // A name alone could be anybody's; with the product's own folder it is the product's.
    let running = installed
        && (scene.runs_any(signs.processes)
            || signs.units.iter().any(|unit| scene.unit_active(unit))
            || runs_from(scene, signs.folders));
    installed.then(|| AntivirusProduct {
        maker: signs.maker,
        name: signs.name.to_owned(),
        version: no_reader(),
        running: Fact::Known(running),
        real_time: no_reader(),
        definitions_at: no_reader(),
        definitions_current: no_reader(),
        definitions_version: no_reader(),
        updater: no_reader(),
    })
}

/// True when some process was started from one of the product's folders.
fn runs_from(scene: &Scene, folders: &[&str]) -> bool {
    scene.processes().iter().any(|process| {
        let executable = scene.os.link(&format!("/proc/{}/exe", process.pid)).unwrap_or_default();
        folders.iter().any(|folder| executable.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/')))
    })
}

fn no_reader<T>() -> Fact<T> {
    Fact::unknown(Reason::NoReader, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_as_the_kernel_cuts_them_and_no_maker_stands_twice() {
        for (position, signs) in PRODUCTS.iter().enumerate() {
            assert!(signs.processes.iter().all(|name| name.len() <= 15), "{}", signs.name);
            assert!(PRODUCTS[position + 1..].iter().all(|other| other.maker != signs.maker), "{}", signs.name);
            assert!(!signs.folders.is_empty());
        }
    }
}
