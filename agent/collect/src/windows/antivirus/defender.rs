//! Microsoft Defender, and Security Essentials on Windows 7: its row in Security Center, its service, what it reports
//! (`MSFT_MpComputerStatus` in `ROOT\Microsoft\Windows\Defender`) and its registry settings.
//!
//! Its row can say "on" while files are not scanned, its service can run while another product protects, and its own answer can hang
//! while another product is installed. So if its row says "off" and another product protects, Defender itself is not asked; otherwise its
//! own report decides. Up to Windows 7 the service `WinDefend` only looked for spyware and does not count.

use jiff::Timestamp;
use policies::fact::{AntivirusProduct, Fact, Maker, Reason};

use super::makers::{MICROSOFT, Trace};
use super::{Sum, contradictory, version};
use crate::text::capped;
use crate::windows::center::ProductStatus;
use crate::windows::context::{CheckContext, RUNNING, Setting, unknown};
use os::windows::{Registry, Row, Variant, filetime};
use os::{Answer, OsError};

mod exclusions;

const NAMESPACE: &str = r"ROOT\Microsoft\Windows\Defender";
const CURRENT_VERSION: &str = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion";
/// The first build in which Defender is an antivirus (Windows 8).
const ANTIVIRUS_SINCE: u64 = 9_200;

/// Where a generation of the product keeps its settings, below `SOFTWARE\Microsoft` and `SOFTWARE\Policies\Microsoft`.
struct Generation {
    service: &'static str,
    name: &'static str,
    settings: &'static str,
}

const DEFENDER: Generation = Generation { service: "WinDefend", name: MICROSOFT.name, settings: "Windows Defender" };
const ESSENTIALS: Generation =
    Generation { service: "MsMpSvc", name: "Microsoft Security Essentials", settings: "Microsoft Antimalware" };

/// Defender's own report; a property it does not have is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Status {
    /// `AMRunningMode`: a fixed English word, not translated.
    mode: String,
    service: Option<bool>,
    antivirus: Option<bool>,
    real_time: Option<bool>,
    /// Files are scanned when opened.
    on_access: Option<bool>,
    definitions_at: Option<Timestamp>,
    definitions_version: String,
    out_of_date: Option<bool>,
    version: String,
}

/// True where Microsoft's antivirus is Security Essentials: on Windows 7 and older.
pub(super) fn is_essentials(context: &CheckContext) -> bool {
    matches!(context.number(CURRENT_VERSION, "CurrentBuildNumber"), Setting::Set(build) if build < ANTIVIRUS_SINCE)
}

/// The product, if present; `sum` is its row, `guarded` when another product protects.
pub(super) fn product(context: &CheckContext, sum: Option<&Sum>, guarded: bool) -> Option<AntivirusProduct> {
    let generation = if is_essentials(context) { ESSENTIALS } else { DEFENDER };
    let trace = trace(context, &generation);
    if sum.is_none() && matches!(&trace, Ok(trace) if !trace.there) {
        return None;
    }
    // If there is no sign of it, a failure to list services is no reason to name it.
    if sum.is_none() && trace.is_err() {
        return None;
    }
    let product_status = sum.filter(|sum| sum.live).map(|sum| sum.state.product_status);
    let runs = matches!(&trace, Ok(trace) if trace.runs);
    let says_off = matches!(product_status, Some(ProductStatus::Off | ProductStatus::Snoozed | ProductStatus::Expired));
    let status = (runs && !(says_off && guarded)).then(|| status(context));
    let protects = match (&trace, &status) {
        (Err(_), _) if says_off => Fact::Known(false),
        (Err(error), _) => unknown(error),
        (Ok(_), None) => Fact::Known(false),
        (Ok(_), Some(Ok(status))) => match protects(context, status) {
            // What it does not report comes from its row.
            Fact::Unknown(_) if says_off => Fact::Known(false),
            own => own,
        },
        (Ok(_), Some(Err(_))) if says_off => Fact::Known(false),
        (Ok(_), Some(Err(error))) => by_registry(context, &generation, product_status, error),
    };
    let told = status.as_ref().and_then(|status| status.as_ref().ok());
    Some(AntivirusProduct {
        maker: Maker::Microsoft,
        name: sum
            .map(|sum| sum.name.clone())
            .filter(|name| !name.is_empty())
            .unwrap_or_else(|| generation.name.to_owned()),
        version: match told.map(|status| &status.version).filter(|version| !version.is_empty()) {
            Some(version) => Fact::Known(version.clone()),
            None => version(context, sum, trace.as_ref().ok().and_then(|trace| trace.service.as_deref())),
        },
        real_time: match exclusions::all_of_it(context, generation.settings) {
            Ok(None) => protects.clone(),
            _ if protects != Fact::Known(true) => protects.clone(),
            Ok(Some(excluded)) => contradictory(&format!("it guards, and is told to leave out {excluded}")),
            Err(error) => unknown(&error),
        },
        running: protects,
        definitions_at: definitions_at(context, &generation, told),
        definitions_current: match (sum.and_then(|sum| sum.state.current), told.and_then(|status| status.out_of_date)) {
            (_, Some(true)) => Fact::Known(false),
            (Some(current), _) => Fact::Known(current),
            (None, Some(false)) => Fact::Known(true),
            (None, None) => Fact::unknown(Reason::SourceMissing, NAMESPACE),
        },
        definitions_version: definitions_version(context, &generation, told),
        updater: Fact::unknown(Reason::NoReader, ""),
    })
}

fn trace(context: &CheckContext, generation: &Generation) -> Answer<Trace> {
    let service = context.service(generation.service)?;
    Ok(Trace {
        there: service.is_some(),
        runs: service.is_some_and(|service| service.state == RUNNING),
        helps: false,
        driver: false,
        service: service.map(|service| service.name.clone()),
    })
}

fn status(context: &CheckContext) -> Answer<Status> {
    let rows = context.os.wmi(NAMESPACE, "SELECT * FROM MSFT_MpComputerStatus")?;
    rows.first().map(read).ok_or_else(|| OsError::Missing(NAMESPACE.to_owned()))
}

fn read(row: &Row) -> Status {
    let flag = |name: &str| match row.get(name) {
        Some(Variant::Bool(flag)) => Some(*flag),
        _ => None,
    };
    let text = |name: &str| match row.get(name) {
        Some(Variant::Text(text)) => capped(text),
        _ => String::new(),
    };
    Status {
        mode: text("AMRunningMode"),
        service: flag("AMServiceEnabled"),
        antivirus: flag("AntivirusEnabled"),
        real_time: flag("RealTimeProtectionEnabled"),
        on_access: flag("OnAccessProtectionEnabled"),
        definitions_at: cim(&text("AntivirusSignatureLastUpdated")),
        definitions_version: text("AntivirusSignatureVersion"),
        out_of_date: flag("DefenderSignaturesOutOfDate"),
        version: text("AMProductVersion"),
    }
}

/// Defender's own report decides, even against its row. In passive mode all of its flags can stay true.
fn protects(context: &CheckContext, status: &Status) -> Fact<bool> {
    const FOR_ENDPOINT: &str = r"HKLM\SOFTWARE\Policies\Microsoft\Windows Advanced Threat Protection";
    let mode = status.mode.to_ascii_lowercase();
    if mode.contains("passive") || mode == "not running" {
        return Fact::Known(false);
    }
    if [status.service, status.antivirus, status.real_time, status.on_access].contains(&Some(false)) {
        return Fact::Known(false);
    }
    // This mode does not show whether it protects itself or watches another product.
    if mode == "edr block mode" {
        return match context.number(FOR_ENDPOINT, "ForceDefenderPassiveMode") {
            Setting::Set(1) => Fact::Known(false),
            _ => Fact::unknown(Reason::Unreadable, "EDR Block Mode"),
        };
    }
    // Windows 8.1 and Server 2012 R2 report no mode.
    if !matches!(mode.as_str(), "" | "normal") {
        return Fact::unknown(Reason::Unreadable, format!("AMRunningMode {}", status.mode));
    }
    match status.real_time {
        Some(_) => Fact::Known(true),
        None => Fact::unknown(Reason::Unreadable, "RealTimeProtectionEnabled"),
    }
}

/// Its service runs but does not answer: the registry is the second source. If row and registry contradict each other the result
/// is unknown; a service alone is not enough either.
fn by_registry(
    context: &CheckContext,
    generation: &Generation,
    product_status: Option<ProductStatus>,
    error: &OsError,
) -> Fact<bool> {
    let settings = generation.settings;
    let disabled = ["Policies\\", ""].into_iter().flat_map(|policies| {
        let key = format!(r"HKLM\SOFTWARE\{policies}Microsoft\{settings}");
        let real_time = format!(r"{key}\Real-Time Protection");
        [
            (key.clone(), "DisableAntiSpyware"),
            (key, "DisableAntiVirus"),
            (real_time.clone(), "DisableRealtimeMonitoring"),
            (real_time, "DisableOnAccessProtection"),
        ]
    });
    let disabled: Vec<(String, &str)> = disabled.collect();
    let settings = disabled.iter().map(|(key, name)| (key, name, context.number(key, name)));
    let (mut disabled, mut unread) = (None, None);
    for (key, name, setting) in settings {
        match setting {
            Setting::Set(1) => disabled = disabled.or(Some((key, name))),
            Setting::Set(_) | Setting::Absent => {}
            Setting::Unreadable(error) => unread = unread.or(Some(error)),
        }
    }
    match (product_status, disabled) {
        (Some(ProductStatus::On), None) => unread.map_or(Fact::Known(true), |error| unknown(&error)),
        (Some(ProductStatus::On), Some((key, name))) => {
            contradictory(&format!("Security Center says on, {key} : {name} is 1"))
        }
        (_, Some(_)) => Fact::Known(false),
        (_, None) => unknown(error),
    }
}

/// When the definitions were made: `AVSignatureApplied`, else Defender's report. `SignaturesLastUpdated` is when this machine
/// received them, possibly much later, and is not used.
fn definitions_at(context: &CheckContext, generation: &Generation, status: Option<&Status>) -> Fact<Timestamp> {
    let key = format!(r"HKLM\SOFTWARE\Microsoft\{}\Signature Updates", generation.settings);
    let from_status = || match status.and_then(|status| status.definitions_at) {
        Some(at) => Fact::Known(at),
        None => Fact::unknown(Reason::SourceMissing, format!("{key} : AVSignatureApplied")),
    };
    match context.os.value(&key, "AVSignatureApplied") {
        Ok(Registry::Bytes(bytes)) => match <[u8; 8]>::try_from(bytes.as_slice()).map(u64::from_le_bytes) {
            // Never.
            Ok(0) => from_status(),
            Ok(ticks) => match Timestamp::from_millisecond(filetime(ticks)) {
                Ok(at) if at >= FIRST => Fact::Known(at),
                _ => Fact::unknown(Reason::Unreadable, format!("{key} : AVSignatureApplied")),
            },
            Err(_) => Fact::unknown(Reason::Unreadable, format!("{key} : AVSignatureApplied")),
        },
        Ok(_) => Fact::unknown(Reason::Unreadable, format!("{key} : AVSignatureApplied")),
        Err(OsError::Missing(_)) => from_status(),
        Err(error) => match from_status() {
            Fact::Known(at) => Fact::Known(at),
            Fact::Unknown(_) => unknown(&error),
        },
    }
}

/// Before this time (1990) there were no definitions: earlier times mean "never".
const FIRST: Timestamp = Timestamp::constant(631_152_000, 0);

fn definitions_version(context: &CheckContext, generation: &Generation, status: Option<&Status>) -> Fact<String> {
    let key = format!(r"HKLM\SOFTWARE\Microsoft\{}\Signature Updates", generation.settings);
    let told = status.map(|status| status.definitions_version.clone()).filter(|version| !version.is_empty());
    match told {
        Some(version) => Fact::Known(version),
        None => context.text(&key, "AVSignatureVersion").or(Fact::unknown(Reason::SourceMissing, key), Fact::Known),
    }
}

/// A WMI time, `20250311015218.000000+420` with the offset in minutes; `None` for what means "never".
fn cim(text: &str) -> Option<Timestamp> {
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<i16>().ok();
    let (year, month, day) = (number(0, 4)?, number(4, 6)?, number(6, 8)?);
    let (hour, minute, second) = (number(8, 10)?, number(10, 12)?, number(12, 14)?);
    let small = |number: i16| i8::try_from(number).ok();
    let civil =
        jiff::civil::DateTime::new(year, small(month)?, small(day)?, small(hour)?, small(minute)?, small(second)?, 0);
    let minutes: i32 = text.get(21..)?.parse().ok()?;
    let offset = jiff::tz::Offset::from_seconds(minutes.checked_mul(60)?).ok()?;
    let at = offset.to_timestamp(civil.ok()?).ok()?;
    (at >= FIRST).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_of_wmi_are_read_with_their_offset_and_never_is_none() {
        let at = |text: &str| cim(text).map(|at| at.to_string());
        assert_eq!(at("20250311015218.000000+000").as_deref(), Some("2025-03-11T01:52:18Z"));
        assert_eq!(at("20250311015218.000000+420").as_deref(), Some("2025-03-10T18:52:18Z"));
        assert_eq!(at("20250311015218.000000-060").as_deref(), Some("2025-03-11T02:52:18Z"));
        for never in ["16010101000000.000000+000", "", "2025", "20251311015218.000000+000", "20250311015218.000000+***"]
        {
            assert_eq!(at(never), None, "{never}");
        }
        assert_eq!(at("ngày 11 tháng 3 năm 2025"), None);
    }
}
