//! Section `sharing`: the Windows SMB server (`LanmanServer`), its shares and who may use them.
//!
//! Sources: `HKLM\SYSTEM\CurrentControlSet\Services\LanmanServer\Shares` (a list of texts for each share that a person made, without the
//! administrative ones such as `C$`) with its key `Security`; `Parameters` (`SMB1`, `RequireSecuritySignature`); the drivers `srv` and
//! `mrxsmb10`, which are absent where SMB 1 was removed; `Lsa : LmCompatibilityLevel`, which security policies write to the same place.
//! File permissions are not read: they can only restrict those of the share.

use policies::fact::{Fact, List, Reason, Share, ShareKind, Sharing};

use super::context::{CheckContext, RUNNING, Setting, answered, unknown};
use crate::text::capped;
use os::OsError;
use os::windows::{Registry, Row, Variant};

mod permissions;

use permissions::{BY_DEFAULT, decode};

const SERVICE: &str = r"HKLM\SYSTEM\CurrentControlSet\Services\LanmanServer";
const CLIENT: &str = r"HKLM\SYSTEM\CurrentControlSet\Services\LanmanWorkstation";
const SMB1_DRIVER: &str = r"HKLM\SYSTEM\CurrentControlSet\Services\srv";
const SMB1_CLIENT_DRIVER: &str = r"HKLM\SYSTEM\CurrentControlSet\Services\mrxsmb10";
const LSA: &str = r"HKLM\SYSTEM\CurrentControlSet\Control\Lsa";
const VERSION: &str = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion";
/// `SERVICE_DEMAND_START`, `SERVICE_DISABLED`.
const ON_DEMAND: u64 = 3;
const DISABLED: u64 = 4;
/// Windows Vista: from here on an absent level of LAN Manager is 3 (send NTLMv2 only).
const NTLM_2: u64 = 6_000;
/// Windows 11 24H2 and Server 2025: from here on the default depends on the edition.
const SIGNS_BY_EDITION: u64 = 26_100;

pub(super) fn collect(context: &CheckContext) -> Sharing {
    let server = context.service_runs("LanmanServer");
    let of_server = |absent: Fact<bool>, read: fn(&CheckContext) -> Fact<bool>| match &server {
        Ok(true) => read(context),
        Ok(false) => absent,
        Err(error) => unknown(error),
    };
    Sharing {
        shares: match &server {
            Ok(true) => shares(context),
            Ok(false) => Fact::Known(List::default()),
            Err(error) => unknown(error),
        },
        smb_server: answered(server.clone(), Fact::Known),
        smb1: either(of_server(Fact::Known(false), smb1_server), smb1_client(context)),
        smb_signing: of_server(Fact::unknown(Reason::SourceMissing, "no SMB server runs"), signing),
        lm_level: lm_level(context),
        nfs_server: answered(context.service_runs("NfsService"), Fact::Known),
    }
}

/// True when one of them is.
fn either(one: Fact<bool>, other: Fact<bool>) -> Fact<bool> {
    match (one, other) {
        (Fact::Known(true), _) | (_, Fact::Known(true)) => Fact::Known(true),
        (Fact::Unknown(why), _) | (_, Fact::Unknown(why)) => Fact::Unknown(why),
        (Fact::Known(false), Fact::Known(false)) => Fact::Known(false),
    }
}

/// True when the server's driver exists, and runs or may start, and SMB 1 is not switched off: an absent value never switched it off.
fn smb1_server(context: &CheckContext) -> Fact<bool> {
    let driver = match context.service("srv") {
        Err(error) => return unknown(&error),
        Ok(None) => return Fact::Known(false),
        Ok(Some(driver)) => driver,
    };
    match context.number(SMB1_DRIVER, "Start") {
        // The start type only takes effect at the next start.
        _ if driver.state == RUNNING => {}
        Setting::Set(DISABLED) => return Fact::Known(false),
        Setting::Unreadable(error) => return unknown(&error),
        Setting::Set(_) | Setting::Absent => {}
    }
    context.number(&format!(r"{SERVICE}\Parameters"), "SMB1").or(Fact::Known(true), |on| Fact::Known(on != 0))
}

/// True when the client's driver exists and runs, or something starts it: automatic start, or a dependency of the client (Windows 7).
fn smb1_client(context: &CheckContext) -> Fact<bool> {
    match context.service("mrxsmb10") {
        Ok(None) => return Fact::Known(false),
        Ok(Some(driver)) if driver.state == RUNNING => return Fact::Known(true),
        Ok(Some(_)) => {}
        Err(error) => return unknown(&error),
    }
    if context.number(CLIENT, "Start") == Setting::Set(DISABLED) {
        match context.service_runs("LanmanWorkstation") {
            Ok(true) => {}
            Ok(false) => return Fact::Known(false),
            Err(error) => return unknown(&error),
        }
    }
    match context.number(SMB1_CLIENT_DRIVER, "Start") {
        Setting::Set(DISABLED) => return Fact::Known(false),
        Setting::Set(ON_DEMAND) => {}
        Setting::Set(_) | Setting::Absent => return Fact::Known(true),
        Setting::Unreadable(error) => return unknown(&error),
    }
    match context.os.value(CLIENT, "DependOnService") {
        Ok(Registry::Texts(names)) if names.iter().any(|name| name.eq_ignore_ascii_case("mrxsmb10")) => {
            Fact::Known(true)
        }
        Ok(_) | Err(OsError::Missing(_)) => {
            Fact::unknown(Reason::SourceMissing, "its driver starts when it is needed, and nothing tells whether it is")
        }
        Err(error) => unknown(&error),
    }
}

/// `LmCompatibilityLevel`: 0 sends LM and NTLM, 3 NTLMv2 only, 5 refuses the others as well (learn.microsoft.com, "Network security: LAN
/// Manager authentication level").
fn lm_level(context: &CheckContext) -> Fact<i64> {
    let absent = match context.number(VERSION, "CurrentBuildNumber") {
        Setting::Set(build) if build >= NTLM_2 => Fact::Known(3),
        _ => Fact::unknown(Reason::SourceMissing, format!("{LSA} : LmCompatibilityLevel")),
    };
    context.number(LSA, "LmCompatibilityLevel").or(absent, |level| match i64::try_from(level) {
        Ok(level @ 0..=5) => Fact::Known(level),
        _ => Fact::unknown(Reason::Unreadable, format!("LmCompatibilityLevel {level}")),
    })
}

fn signing(context: &CheckContext) -> Fact<bool> {
    let absent = match context.number(VERSION, "CurrentBuildNumber") {
        Setting::Set(build) if build < SIGNS_BY_EDITION => Fact::Known(false),
        _ => Fact::unknown(Reason::SourceMissing, "the default depends on the edition of this version"),
    };
    context
        .number(&format!(r"{SERVICE}\Parameters"), "RequireSecuritySignature")
        .or(absent, |demands| Fact::Known(demands != 0))
}

fn shares(context: &CheckContext) -> Fact<List<Share>> {
    let key = format!(r"{SERVICE}\Shares");
    let values = match context.os.values(&key) {
        Ok(values) => values,
        Err(OsError::Missing(_)) => Vec::new(),
        Err(error) => return unknown(&error),
    };
    // Entries of another type may be shares as well.
    let unread = values.iter().filter(|(_, value)| !matches!(value, Registry::Texts(_))).count();
    let names: Vec<String> = values.iter().map(|(name, _)| name.to_lowercase()).collect();
    let folders = values.into_iter().filter(|(_, value)| matches!(value, Registry::Texts(texts) if is_folder(texts)));
    let mut shares: Vec<Share> = folders.map(|(name, _)| share(context, &key, &name)).collect();
    shares
        .extend(until_the_next_start(context).into_iter().filter(|share| !names.contains(&share.name.to_lowercase())));
    shares.sort_by(|one, other| one.name.cmp(&other.name));
    let mut list = List::capped(shares);
    list.left_out = list.left_out.saturating_add(u32::try_from(unread).unwrap_or(u32::MAX));
    Fact::Known(list)
}

/// The folder shares the server has right now (`Win32_Share`, `Type` 0). Programs may create some that are not in the registry; if WMI does
/// not answer, the registry counts.
fn until_the_next_start(context: &CheckContext) -> Vec<Share> {
    let rows = context.os.wmi(r"ROOT\CIMV2", "SELECT Name, Type FROM Win32_Share").unwrap_or_default();
    let open = || Fact::unknown(Reason::NoReader, "who may use it is not written down in the registry");
    let share = |row: &Row| match (row.get("Name"), row.get("Type")) {
        (Some(Variant::Text(name)), Some(Variant::Number(0))) => Some(Share {
            kind: ShareKind::Smb,
            name: capped(name),
            open_to_all: open(),
            writable: open(),
            remote_root: Fact::Known(false),
        }),
        _ => None,
    };
    rows.iter().filter_map(share).collect()
}

/// `CSCFlags=0`, `MaxUses=4294967295`, `Path=D:\Văn bản`, `Permissions=0`, `Type=0`: a folder, not a printer or a pipe. Bits above the
/// lowest byte show its origin (`STYPE_MASK`).
fn is_folder(texts: &[String]) -> bool {
    let kind = texts.iter().find_map(|text| text.strip_prefix("Type="));
    kind.and_then(|kind| kind.trim().parse::<u32>().ok()).is_none_or(|kind| kind & 0xFF == 0)
}

fn share(context: &CheckContext, key: &str, name: &str) -> Share {
    let permissions = match context.os.value(&format!(r"{key}\Security"), name) {
        Ok(Registry::Bytes(bytes)) => decode(&bytes)
            .map_or_else(|| Fact::unknown(Reason::Unreadable, "its security descriptor is damaged"), Fact::Known),
        Ok(_) => Fact::unknown(Reason::Unreadable, "its security descriptor is of another type"),
        Err(OsError::Missing(_)) => Fact::Known(BY_DEFAULT),
        Err(error) => unknown(&error),
    };
    Share {
        kind: ShareKind::Smb,
        name: capped(name),
        open_to_all: permissions.clone().map(|permissions| permissions.open_to_all),
        writable: permissions.map(|permissions| permissions.writable),
        remote_root: Fact::Known(false),
    }
}

#[cfg(test)]
mod tests {
    use super::permissions::descriptor;
    use super::*;
    use os::windows::recorded::Recorded;

    const SHARES: &str = r"HKLM\SYSTEM\CurrentControlSet\Services\LanmanServer\Shares";
    const SECURITY: &str = r"HKLM\SYSTEM\CurrentControlSet\Services\LanmanServer\Shares\Security";
    const PARAMETERS: &str = r"HKLM\SYSTEM\CurrentControlSet\Services\LanmanServer\Parameters";

    fn collected(os: Recorded) -> Sharing {
        collect(&CheckContext::of(os))
    }

    fn folder(path: &str, kind: &str) -> Registry {
        Registry::Texts(
            ["CSCFlags=0", &format!("Path={path}"), "Permissions=0", &format!("Type={kind}")]
                .map(str::to_owned)
                .to_vec(),
        )
    }

    fn server(build: u64) -> Recorded {
        Recorded::new().number(VERSION, "CurrentBuildNumber", build).service("LanmanServer", true).key(PARAMETERS)
    }

    #[test]
    fn shares_of_people_are_listed_with_who_may_use_them() {
        let sharing = collected(
            server(19_045)
                .set(SHARES, "Văn bản đi", folder(r"D:\Văn bản", "0"))
                .set(SHARES, "KeToan$", folder(r"D:\Kế toán", "0"))
                .set(SHARES, "Mac dinh", folder(r"D:\x", "0"))
                .set(SHARES, "HP LaserJet", folder("HP,LocalsplOnly", "1"))
                .set(SHARES, "odd", Registry::Number(1))
                .set(SHARES, "hong", folder(r"D:\y", "0"))
                .set(SECURITY, "Văn bản đi", Registry::Bytes(descriptor(&[(0, 0, 0x001F_01FF, 1, &[0])])))
                .set(SECURITY, "KeToan$", Registry::Bytes(descriptor(&[(0, 0, 0x0012_00A9, 5, &[21, 9, 9, 9, 1001])])))
                .set(SECURITY, "hong", Registry::Bytes(vec![1, 0, 4])),
        );
        let List { items, left_out } = sharing.shares.known().unwrap();
        assert_eq!(*left_out, 1, "one that cannot be read");
        let shown: Vec<_> = items
            .iter()
            .map(|share| (share.name.as_str(), share.open_to_all.known().copied(), share.writable.known().copied()))
            .collect();
        assert_eq!(
            shown,
            [
                ("KeToan$", Some(false), Some(false)),
                ("Mac dinh", Some(true), Some(false)),
                ("Văn bản đi", Some(true), Some(true)),
                ("hong", None, None),
            ]
        );
    }

    #[test]
    fn smb_1_is_there_with_its_driver_unless_it_is_told_otherwise() {
        let driver = || server(9_600).service("srv", true);
        assert_eq!(collected(driver()).smb1, Fact::Known(true));
        assert_eq!(collected(driver().number(PARAMETERS, "SMB1", 1)).smb1, Fact::Known(true));
        assert_eq!(collected(driver().number(PARAMETERS, "SMB1", 0)).smb1, Fact::Known(false));
        let disabled = || server(9_600).number(SMB1_DRIVER, "Start", 4);
        assert_eq!(collected(disabled().service("srv", false)).smb1, Fact::Known(false));
        assert_eq!(collected(disabled().service("srv", true)).smb1, Fact::Known(true), "it runs until the next start");
        // Where it was removed the value proves nothing.
        assert_eq!(collected(server(19_045).number(PARAMETERS, "SMB1", 1)).smb1, Fact::Known(false));
        assert!(collected(driver().text(PARAMETERS, "SMB1", "có")).smb1.known().is_none());
    }

    #[test]
    fn a_share_that_is_written_down_nowhere_is_seen_while_it_lasts() {
        let row = |name: &str, kind: i64| {
            Row::from([("Name".to_owned(), Variant::Text(name.to_owned())), ("Type".to_owned(), Variant::Number(kind))])
        };
        let rows = vec![row("VanBan", 0), row("tam", 0), row("C$", 2_147_483_648), row("HP", 1), Row::new()];
        let os = server(19_045).set(SHARES, "vanban", folder("D:", "0")).rows(r"ROOT\CIMV2", "Win32_Share", rows);
        let shares = collected(os).shares.known().unwrap().clone();
        let shown: Vec<_> =
            shares.items.iter().map(|share| (share.name.as_str(), share.open_to_all.known().copied())).collect();
        assert_eq!(shown, [("tam", None), ("vanban", Some(true))]);
    }

    #[test]
    fn a_share_that_a_program_made_is_a_folder_too() {
        let texts = |kind: &str| vec![format!("Type={kind}")];
        assert!(is_folder(&texts("2147483648")) && is_folder(&texts("1073741824")) && is_folder(&[]));
        assert!(!is_folder(&texts("1")) && !is_folder(&texts("2147483651")));
    }

    #[test]
    fn smb_1_of_the_client_is_on_while_something_starts_its_driver() {
        // The server's driver was removed.
        let client = |os: Recorded| collected(os).smb1;
        let driver = |start| server(19_045).service("mrxsmb10", false).number(SMB1_CLIENT_DRIVER, "Start", start);
        let depends = |os: Recorded, names: &[&str]| {
            os.set(CLIENT, "DependOnService", Registry::Texts(names.iter().map(|&name| name.to_owned()).collect()))
        };
        assert_eq!(client(server(19_045)), Fact::Known(false), "the feature was removed");
        assert_eq!((client(driver(2)), client(driver(4))), (Fact::Known(true), Fact::Known(false)));
        // Windows 7 with default settings, and with SMB 1 switched off as its maker describes.
        assert_eq!(client(depends(driver(3), &["Bowser", "MRxSmb10", "MRxSmb20", "NSI"])), Fact::Known(true));
        assert_eq!(client(depends(driver(4), &["Bowser", "MRxSmb20", "NSI"])), Fact::Known(false));
        assert!(client(depends(driver(3), &["Bowser", "MRxSmb20", "NSI"])).known().is_none());
        assert_eq!(client(server(19_045).service("mrxsmb10", true)), Fact::Known(true));
        assert_eq!(client(driver(2).number(CLIENT, "Start", 4)), Fact::Known(false));
        // What is running serves until the next start, whatever the setting.
        assert_eq!(client(driver(2).number(CLIENT, "Start", 4).service("LanmanWorkstation", true)), Fact::Known(true));
        let runs = server(19_045).service("mrxsmb10", true);
        assert_eq!(client(runs.clone().number(SMB1_CLIENT_DRIVER, "Start", 4)), Fact::Known(true));
        assert_eq!(client(runs.number(CLIENT, "Start", 4)), Fact::Known(true));
        assert!(client(driver(3).denying(CLIENT)).known().is_none());
        assert!(client(Recorded::new()).known().is_none());
    }

    #[test]
    fn the_level_of_lan_manager_has_a_default_that_depends_on_the_version() {
        let level = |os: Recorded| collected(os).lm_level;
        assert_eq!([level(server(7_601)), level(server(26_100))], [Fact::Known(3), Fact::Known(3)]);
        assert_eq!(level(server(19_045).number(LSA, "LmCompatibilityLevel", 1)), Fact::Known(1));
        assert!(level(server(2_600)).known().is_none() && level(Recorded::new()).known().is_none());
        assert!(level(server(19_045).number(LSA, "LmCompatibilityLevel", 9)).known().is_none());
        assert!(level(server(19_045).denying(LSA)).known().is_none());
    }

    #[test]
    fn signing_has_a_default_that_depends_on_the_version() {
        assert_eq!(collected(server(19_045)).smb_signing, Fact::Known(false));
        assert!(collected(server(26_100)).smb_signing.known().is_none());
        let told = |value| collected(server(26_100).number(PARAMETERS, "RequireSecuritySignature", value)).smb_signing;
        assert_eq!((told(1), told(0)), (Fact::Known(true), Fact::Known(false)));
    }

    #[test]
    fn a_server_that_does_not_run_shares_nothing_and_what_is_denied_is_unknown() {
        let off = collected(Recorded::new().service("LanmanServer", false).set(SHARES, "x", folder("D:", "0")));
        assert_eq!(
            (off.smb_server, off.smb1, off.nfs_server),
            (Fact::Known(false), Fact::Known(false), Fact::Known(false))
        );
        assert_eq!(off.shares, Fact::Known(List::default()));
        let denied = collected(server(19_045).set(SHARES, "x", folder("D:", "0")).denying(SECURITY));
        let share = &denied.shares.known().unwrap().items[0];
        assert!(matches!(&share.open_to_all, Fact::Unknown(unknown) if unknown.reason == Reason::NeedsAdministrator));
        assert!(collected(server(19_045).denying(SHARES)).shares.known().is_none());
        assert!(collected(Recorded::new()).smb_server.known().is_none());
        assert_eq!(collected(server(19_045)).shares, Fact::Known(List::default()));
    }
}
