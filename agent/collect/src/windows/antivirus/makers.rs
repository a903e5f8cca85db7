//! What products leave on a machine besides their row in Security Center: services, programs, drivers, by maker.
//!
//! Service names are their key names. They come from lists that look for such products and from Microsoft's list of filter drivers.
//! The service names of CMC and Viettel were never published: these products, and renamed services, are recognised by what Windows
//! requires of such parts (`parts.rs`) and by the row in Security Center.

use policies::fact::Maker;

use super::parts::{self, Part, Parts};
use crate::windows::center::Listed;
use crate::windows::context::{CheckContext, RUNNING};
use os::Answer;

/// How the products of a maker are recognised.
#[derive(Debug)]
pub(super) struct Signs {
    pub(super) maker: Maker,
    /// The name people know it by.
    pub(super) name: &'static str,
    /// Marks, in lower case, in a program's path, the product's name or its files' company. A maker's own name is not translated.
    marks: &'static [&'static str],
    /// Services that protect the machine; an asterisk at the end stands for anything.
    services: &'static [&'static str],
    /// Programs of these services, or of products without any.
    programs: &'static [&'static str],
    /// File-scanning drivers. After an at sign comes the integer part of the altitude that Microsoft assigned to the maker, where many
    /// makers use a driver of that name.
    drivers: &'static [&'static str],
    /// Services that run whether or not the machine is protected: management agents, hosts of several parts. They confirm a row that
    /// says "on"; alone they prove nothing.
    helpers: &'static [&'static str],
    /// Company names, in lower case, in the files of this maker, and possibly of other makers too.
    companies: &'static [&'static str],
    /// True when an edition that does not protect runs the same services and registers in the same way.
    companion: bool,
}

/// Marks, in lower case, of other products used next to an antivirus: they, or their free editions, only scan on demand, and some register
/// themselves.
const COMPANIONS: [&str; 5] = ["spybot", "superantispyware", "hitmanpro", "iobit", "zemana"];

/// The GUID of Microsoft Defender's row on every machine.
const DEFENDER: &str = "{D68DDC3A-831F-4FAE-9E44-DA132C1ACF46}";

const fn signs(
    maker: Maker,
    name: &'static str,
    marks: &'static [&'static str],
    services: &'static [&'static str],
    programs: &'static [&'static str],
    drivers: &'static [&'static str],
) -> Signs {
    Signs { maker, name, marks, services, programs, drivers, helpers: &[], companies: &[], companion: false }
}

/// The makers seen in offices. Microsoft's is read in `defender.rs`.
pub(super) const MAKERS: &[Signs] = &[
    signs(
        Maker::Bkav,
        "Bkav",
        &["bkav"],
        &["BkavService", "BkavSystemService"],
        &["BKavService.exe", "BkavPro.exe", "BLuPro.exe"],
        &["BkavAutoFlt", "BkavSdFlt", "BkavAuto"],
    ),
    // From Microsoft's list: a filter of CMC Cyber Security, under the name its vendor gave it.
    signs(Maker::Cmc, "CMC", &[r"\cmc", "cmc "], &[], &["cmccore.exe"], &["cbfilter20@321120"]),
    signs(Maker::Viettel, "Viettel", &["viettel"], &[], &[], &[]),
    signs(
        Maker::Kaspersky,
        "Kaspersky",
        &["kaspersky"],
        &["AVP*", "kavfs", "kavfswp"],
        &["avp.exe", "kavfs.exe"],
        &["klif", "klam"],
    ),
    signs(Maker::Eset, "ESET", &[r"\eset", "eset "], &["ekrn", "EsetService"], &["ekrn.exe"], &["eamonm"]),
    signs(
        Maker::Bitdefender,
        "Bitdefender",
        &["bitdefender"],
        &["EPSecurityService", "VSSERV"],
        &["EPSecurityService.exe", "bdservicehost.exe", "vsserv.exe"],
        &["gzflt", "Atc", "AVC3", "TRUFOS", "gemma"],
    ),
    Signs {
        companies: &["nortonlifelock", "gen digital", "broadcom"],
        ..signs(
            Maker::Symantec,
            "Symantec (Norton)",
            &["symantec", "norton"],
            &["SepMasterService", "Symantec AntiVirus", "ccEvtMgr"],
            &["ccSvcHst.exe", "Rtvscan.exe"],
            &["SRTSP", "eeCtrl"],
        )
    },
    // Its server agent also runs without the virus scanning part.
    Signs {
        helpers: &["ds_agent"],
        ..signs(
            Maker::TrendMicro,
            "Trend Micro",
            &["trend micro"],
            &["ntrtscan", "Amsp"],
            &["NTRtScan.exe", "coreServiceShell.exe"],
            &["tmevtmgr", "TmEsFlt", "TmEyes", "tmpreflt"],
        )
    },
    Signs {
        companies: &["gen digital", "nortonlifelock"],
        ..signs(
            Maker::Avast,
            "Avast (AVG)",
            &["avast", r"\avg\", "avg "],
            &["avast! Antivirus", "AVG Antivirus"],
            &["AvastSvc.exe", "AVGSvc.exe"],
            &["aswMonFlt", "avgMonFlt", "avgmfx64"],
        )
    },
    signs(
        Maker::Qihoo,
        "360 Total Security",
        &[r"\360", "360 "],
        &["QHActiveDefense", "ZhuDongFangYu"],
        &["QHActiveDefense.exe", "ZhuDongFangYu.exe", "360tray.exe", "360sd.exe", "QHSafeTray.exe"],
        &["360AvFlt", "360qpesv"],
    ),
    Signs {
        helpers: &["mfemms", "mfevtp", "mc-wps-*", "mc-fw-host", "mc-neo-host", "ModuleCoreService"],
        companies: &["musarubra"],
        ..signs(
            Maker::Mcafee,
            "McAfee (Trellix)",
            &["mcafee", "trellix"],
            &["McShield", "mfetp"],
            &["mcshield.exe", "mfetp.exe"],
            &["mfehidk", "mfencoas"],
        )
    },
    signs(
        Maker::Sophos,
        "Sophos",
        &["sophos"],
        &["Sophos File Scanner Service", "SAVService"],
        &["SophosFS.exe", "SavService.exe"],
        &["SophosED", "savonaccess"],
    ),
    signs(
        Maker::CrowdStrike,
        "CrowdStrike Falcon",
        &["crowdstrike"],
        &["CSFalconService"],
        &["CSFalconService.exe"],
        &["csagent"],
    ),
    Signs {
        companies: &["sentinel labs"],
        ..signs(
            Maker::SentinelOne,
            "SentinelOne",
            &["sentinelone", "sentinel agent"],
            &["SentinelAgent"],
            &["SentinelAgent.exe"],
            &[],
        )
    },
    signs(Maker::FSecure, "F-Secure (WithSecure)", &["f-secure", "withsecure"], &[], &[], &[]),
    Signs { companies: &["doctor web"], ..signs(Maker::DrWeb, "Dr.Web", &["drweb", "dr.web"], &[], &[], &[]) },
    // On Windows it only scans on demand.
    Signs {
        companion: true,
        ..signs(Maker::ClamAv, "ClamAV", &["clamwin", "clamav"], &["clamd"], &["clamd.exe"], &[])
    },
    signs(Maker::Huorong, "Huorong", &["huorong"], &["HipsDaemon"], &["HipsDaemon.exe", "HipsTray.exe"], &["sysdiag"]),
    // Its free edition runs the same service, only scans on demand, and was seen registered as on.
    Signs {
        companion: true,
        ..signs(Maker::Malwarebytes, "Malwarebytes", &["malwarebytes"], &["MBAMService"], &["MBAMService.exe"], &[])
    },
];

/// Microsoft's own, including the one for Windows 7 (Security Essentials).
pub(super) const MICROSOFT: Signs = signs(
    Maker::Microsoft,
    "Microsoft Defender",
    &["windowsdefender:", "msmpeng.exe", "windows defender", "microsoft security client", "microsoft defender"],
    &["WinDefend"],
    &["MsMpEng.exe"],
    &["WdFilter"],
);

/// True when a product of this name, or with these programs, may not protect although it runs and says that it is on.
pub(super) fn is_companion<'a>(maker: Maker, mut texts: impl Iterator<Item = &'a String>) -> bool {
    let named = |text: &String| COMPANIONS.iter().any(|mark| text.to_lowercase().contains(mark));
    MAKERS.iter().any(|signs| signs.maker == maker && signs.companion) || maker == Maker::Other && texts.any(named)
}

/// The maker of a row: by its GUID, its programs' paths, its name. [`Maker::Other`] when none of them tells.
pub(super) fn maker(listed: &Listed) -> Maker {
    if listed.guid == DEFENDER {
        return Maker::Microsoft;
    }
    let texts: Vec<&String> = listed.programs.iter().chain([&listed.name]).collect();
    let all = || MAKERS.iter().chain([&MICROSOFT]);
    let of = |text: &String| all().find(|signs| signs.is_named_in(text)).map(|signs| signs.maker);
    texts.into_iter().find_map(of).unwrap_or(Maker::Other)
}

/// Signs of a product on the machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Trace {
    /// It has a service, running or not, or a running program.
    pub(super) there: bool,
    /// One of its guards runs.
    pub(super) runs: bool,
    /// Something of it runs that also runs without a guard.
    pub(super) helps: bool,
    /// One of its drivers is loaded.
    pub(super) driver: bool,
    /// The key's name of its service, when it has one.
    pub(super) service: Option<String>,
}

impl Signs {
    /// The signs of this maker.
    ///
    /// # Errors
    /// When neither services nor processes can be listed.
    pub(super) fn trace(&self, context: &CheckContext, parts: &Parts) -> Answer<Trace> {
        let mut trace = Trace::default();
        let services = context.services();
        for service in services.clone().unwrap_or_default() {
            if self.has_service(&service.name) {
                trace.there = true;
                trace.runs |= service.state == RUNNING;
                trace.service.get_or_insert_with(|| service.name.clone());
            }
            if self.has_helper(&service.name) {
                trace.there = true;
                trace.helps |= service.state == RUNNING;
                trace.service.get_or_insert_with(|| service.name.clone());
            }
            trace.driver |= service.state == RUNNING && self.has_driver(context, &service.name);
        }
        let ours = |part: &&Part| self.is_company(&part.company);
        trace.driver |= parts.drivers.iter().any(|part| ours(&part));
        let protected = parts.protected.iter();
        // Next to its antivirus driver, a maker's service is its antivirus service.
        let others = if trace.driver && !trace.there { parts.programs() } else { &[] };
        for part in protected.chain(others).filter(ours).filter(|part| !self.has_helper(&part.service)) {
            trace.there = true;
            trace.runs |= part.runs;
            trace.service.get_or_insert_with(|| part.service.clone());
        }
        match context.processes() {
            Ok(processes) => {
                let guard = |name: &str| self.programs.iter().any(|program| program.eq_ignore_ascii_case(name));
                // Any program can have this name: without a service of the maker it only confirms a row.
                if processes.iter().any(|process| guard(&process.name)) {
                    (trace.there, trace.helps) = (true, true);
                }
            }
            // One of the two lists can show a running guard; it cannot show that none runs.
            Err(error) if !trace.runs => return Err(error),
            Err(_) => {}
        }
        match services {
            Err(error) if !trace.runs => Err(error),
            _ => Ok(trace),
        }
    }

    /// True when a path, a product's name or a company's name is this maker's.
    pub(super) fn is_named_in(&self, text: &str) -> bool {
        // A name may end with the mark that a blank follows elsewhere.
        let text = format!("{} ", text.to_lowercase());
        self.marks.iter().any(|mark| text.contains(mark))
    }

    /// True when a company name is only this maker's.
    pub(super) fn is_company(&self, company: &str) -> bool {
        let of_another = |signs: &Self| signs.maker != self.maker && signs.may_be(company);
        self.is_named_in(company) && !MAKERS.iter().any(of_another)
    }

    /// True when a company name may be this maker's, or that of a maker that belongs to it.
    pub(super) fn may_be(&self, company: &str) -> bool {
        let company = company.to_lowercase();
        self.is_named_in(&company) || self.companies.iter().any(|name| company.contains(name))
    }

    /// True when a service of this name is known to run next to the guards.
    pub(super) fn has_helper(&self, name: &str) -> bool {
        self.helpers.iter().any(|pattern| matches(pattern, name))
    }

    /// True when a service of this name is known to protect the machine.
    pub(super) fn has_service(&self, name: &str) -> bool {
        self.services.iter().any(|pattern| matches(pattern, name))
    }

    /// True when a driver of this name is known to be this maker's.
    pub(super) fn has_driver(&self, context: &CheckContext, name: &str) -> bool {
        self.drivers.iter().any(|driver| is(context, driver, name))
    }

    /// True when its service names are known.
    pub(super) const fn has_services(&self) -> bool {
        !self.services.is_empty()
    }

    /// True when [`Signs::trace`] can reliably show that nothing runs.
    pub(super) const fn known(&self) -> bool {
        self.has_services() || !self.programs.is_empty()
    }

    /// True when neither its services nor its row prove that it protects.
    pub(super) const fn is_companion(&self) -> bool {
        self.companion
    }
}

/// True when a service is the driver that a maker's signs name.
fn is(context: &CheckContext, driver: &str, service: &str) -> bool {
    match driver.split_once('@') {
        None => driver.eq_ignore_ascii_case(service),
        Some((name, given)) => {
            let own = |altitude: &String| altitude.split('.').next() == Some(given);
            name.eq_ignore_ascii_case(service) && parts::altitudes(context, service).iter().any(own)
        }
    }
}

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => name.get(..start.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(start)),
        None => pattern.eq_ignore_ascii_case(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::windows::center::decode;

    fn listed(guid: &str, name: &str, program: &str) -> Listed {
        Listed {
            guid: guid.to_owned(),
            name: name.to_owned(),
            programs: vec![program.to_owned()],
            state: decode(266_240),
        }
    }

    #[test]
    fn the_maker_is_told_by_its_own_marks_and_never_by_words_of_a_language() {
        let cases = [
            (DEFENDER, "Bộ chống vi-rút", "", Maker::Microsoft),
            ("", "Windows Defender", "windowsdefender://", Maker::Microsoft),
            ("", "Kaspersky Endpoint Security 10 für Windows", "", Maker::Kaspersky),
            ("", "火绒安全软件", r"D:\Sysdiag\Huorong\Sysdiag\bin\wsctrlsvc.exe", Maker::Huorong),
            ("", "Bkav Pro", "", Maker::Bkav),
            ("", "ESET Security", "", Maker::Eset),
            ("", "", r"C:\Program Files\ESET\ESET Security\ekrn.exe", Maker::Eset),
            ("", "AVG Antivirus", r"C:\Program Files\AVG\Antivirus\wsc_proxy.exe", Maker::Avast),
            ("", "360 Total Security", "", Maker::Qihoo),
            ("", "CMC Antivirus", "", Maker::Cmc),
            (
                "",
                "Sentinel Agent",
                r"C:\Program Files\SentinelOne\Sentinel Agent 4.1\SentinelAgent.exe",
                Maker::SentinelOne,
            ),
            ("", "CylancePROTECT", r"C:\Program Files\Cylance\Desktop\CylanceSvc.exe", Maker::Other),
            ("", "", "", Maker::Other),
        ];
        for (guid, name, program, expected) in cases {
            assert_eq!(maker(&listed(guid, name, program)), expected, "{name} {program}");
        }
    }

    #[test]
    fn a_pattern_matches_its_beginning_only() {
        assert!(matches("AVP*", "avp21.3") && matches("AVP*", "AVP") && !matches("AVP*", "AV"));
        assert!(matches("ekrn", "EKRN") && !matches("ekrn", "ekrnEpfw"));
        assert!(!matches("AVP*", "ậvp"));
    }
}
