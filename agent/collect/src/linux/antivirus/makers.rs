//! Other makers' daemons, recognised by their installation folder and the process that scans files. What only they know (definitions,
//! real-time protection) is not read yet and reported as such.
//!
//! A running part of a product is not protection: an agent that carries out orders also runs where its scanner was never
//! installed.

use policies::fact::{AntivirusProduct, Fact, Maker, Reason};

use super::mdatp;
use crate::linux::context::CheckContext;
use crate::products::no_reader;

/// How a product is recognised.
struct Signs {
    maker: Maker,
    name: &'static str,
    /// Folders that only this product has: any one of them means it is installed.
    folders: &'static [&'static str],
    /// Its file-scanning daemons, by their kernel process names.
    scanners: &'static [&'static str],
}

const PRODUCTS: &[Signs] = &[
    Signs {
        maker: Maker::Microsoft,
        name: "Microsoft Defender for Endpoint",
        folders: &["/opt/microsoft/mdatp"],
        scanners: &["wdavdaemon"],
    },
    Signs {
        maker: Maker::Kaspersky,
        name: "Kaspersky Endpoint Security",
        folders: &["/opt/kaspersky/kesl"],
        scanners: &["kesl"],
    },
    Signs {
        maker: Maker::Eset,
        name: "ESET",
        folders: &["/opt/eset/efs", "/opt/eset/eea"],
        scanners: &["odfeeder", "oaeventd"],
    },
    Signs {
        maker: Maker::Bitdefender,
        name: "Bitdefender Endpoint Security Tools",
        folders: &["/opt/bitdefender-security-tools"],
        scanners: &["bdsecd"],
    },
    Signs {
        maker: Maker::Symantec,
        name: "Symantec Endpoint Protection",
        folders: &["/opt/Symantec/symantec_antivirus", "/usr/lib/symantec"],
        scanners: &["rtvscand", "sisamdagent"],
    },
    Signs {
        maker: Maker::TrendMicro,
        name: "Trend Micro Deep Security Agent",
        folders: &["/opt/ds_agent"],
        scanners: &["ds_am"],
    },
    Signs { maker: Maker::Avast, name: "Avast", folders: &["/usr/lib/avast", "/etc/avast"], scanners: &["avast"] },
    Signs {
        maker: Maker::Sophos,
        name: "Sophos",
        folders: &["/opt/sophos-spl", "/opt/sophos-av"],
        scanners: &["savd", "sophos_threat_d", "soapd"],
    },
    Signs {
        maker: Maker::Mcafee,
        name: "Trellix Endpoint Security",
        folders: &["/opt/McAfee/ens", "/opt/isec/ens", "/opt/trellix/ens"],
        scanners: &["isectpd", "mfetpd"],
    },
    Signs {
        maker: Maker::CrowdStrike,
        name: "CrowdStrike Falcon",
        folders: &["/opt/CrowdStrike"],
        scanners: &["falcon-sensor"],
    },
    Signs {
        maker: Maker::SentinelOne,
        name: "SentinelOne",
        folders: &["/opt/sentinelone"],
        scanners: &["s1-agent", "sentinelone-age"],
    },
    Signs {
        maker: Maker::FSecure,
        name: "F-Secure Linux Security",
        folders: &["/opt/f-secure"],
        scanners: &["fsavd", "fsaccd"],
    },
    Signs { maker: Maker::DrWeb, name: "Dr.Web", folders: &["/opt/drweb.com"], scanners: &["drweb-se"] },
];

/// The products that are installed or running.
pub(super) fn products(context: &CheckContext) -> Vec<AntivirusProduct> {
    PRODUCTS.iter().filter_map(|signs| product(context, signs)).collect()
}

fn product(context: &CheckContext, signs: &Signs) -> Option<AntivirusProduct> {
    // A process name alone could be anyone's; together with the product's own folder it is the product's.
    signs.folders.iter().any(|folder| context.os.exists(folder)).then_some(())?;
    let (running, real_time) = match signs.maker {
        Maker::Microsoft if context.runs_any(signs.scanners) => mdatp::mode(context),
        _ if context.runs_any(signs.scanners) => (Fact::Known(true), no_reader()),
        _ if runs_from(context, signs.folders) => {
            let detail = "a part of it runs, and none that is known to look at files";
            (Fact::unknown(Reason::Contradictory, detail), Fact::unknown(Reason::Contradictory, detail))
        }
        _ => (Fact::Known(false), no_reader()),
    };
    Some(AntivirusProduct {
        maker: signs.maker,
        name: signs.name.to_owned(),
        version: no_reader(),
        running,
        real_time,
        definitions_at: no_reader(),
        definitions_current: no_reader(),
        definitions_version: no_reader(),
        updater: no_reader(),
    })
}

/// True when some process was started from one of the product's folders.
fn runs_from(context: &CheckContext, folders: &[&str]) -> bool {
    context.processes().iter().any(|process| {
        let executable = context.os.link(&format!("/proc/{}/exe", process.pid)).unwrap_or_default();
        folders.iter().any(|folder| executable.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/')))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_as_the_kernel_cuts_them_and_no_maker_stands_twice() {
        for (position, signs) in PRODUCTS.iter().enumerate() {
            assert!(signs.scanners.iter().all(|name| name.len() <= 15), "{}", signs.name);
            assert!(PRODUCTS[position + 1..].iter().all(|other| other.maker != signs.maker), "{}", signs.name);
            assert!(!signs.folders.is_empty());
        }
    }
}
