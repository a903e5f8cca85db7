//! Section `sharing`: the SMB server of Windows (`LanmanServer`), its shares and who may use them.
//!
//! Sources: `HKLM\SYSTEM\CurrentControlSet\Services\LanmanServer\Shares` (one list of texts for each share that a person made; the
//! administrative ones, `C$` and so on, are not in it) with its key `Security`; `Parameters` (`SMB1`,
//! `RequireSecuritySignature`); the driver `srv`, which is gone where SMB 1 was removed. Permissions of the files themselves are not
//! read: they can only take away from those of the share.

use policies::fact::{Fact, List, Reason, Share, ShareKind, Sharing};

use super::scene::{Scene, Setting, answered, unknown};
use crate::collect::text::capped;
use crate::os::OsError;
use crate::os::windows::Registry;

mod permissions;

use permissions::{BY_DEFAULT, decode};

const SERVICE: &str = r"HKLM\SYSTEM\CurrentControlSet\Services\LanmanServer";
const SMB1_DRIVER: &str = r"HKLM\SYSTEM\CurrentControlSet\Services\srv";
const VERSION: &str = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion";
/// `SERVICE_DISABLED`.
const DISABLED: u64 = 4;
/// Windows 11 24H2 and Server 2025: from here on what an absent setting means depends on the edition.
const SIGNS_BY_EDITION: u64 = 26_100;

pub(super) fn collect(scene: &Scene) -> Sharing {
    let runs = match scene.service_runs("LanmanServer") {
        Ok(runs) => runs,
        Err(error) => return silent(&error),
    };
    Sharing {
        shares: if runs { shares(scene) } else { Fact::Known(List::default()) },
        smb_server: Fact::Known(runs),
        smb1: if runs { smb1(scene) } else { Fact::Known(false) },
        smb_signing: if runs { signing(scene) } else { Fact::unknown(Reason::SourceMissing, "no SMB server runs") },
        nfs_server: answered(scene.service_runs("NfsService"), Fact::Known),
    }
}

fn silent(error: &OsError) -> Sharing {
    Sharing {
        shares: unknown(error),
        smb_server: unknown(error),
        smb1: unknown(error),
        smb_signing: unknown(error),
        nfs_server: unknown(error),
    }
}

/// True when the driver is there, may start and is not told otherwise: an absent value never switched it off.
fn smb1(scene: &Scene) -> Fact<bool> {
    match scene.service("srv") {
        Err(error) => return unknown(&error),
        Ok(None) => return Fact::Known(false),
        Ok(Some(_)) => {}
    }
    match scene.number(SMB1_DRIVER, "Start") {
        Setting::Set(DISABLED) => return Fact::Known(false),
        Setting::Unreadable(error) => return unknown(&error),
        Setting::Set(_) | Setting::Absent => {}
    }
    scene.number(&format!(r"{SERVICE}\Parameters"), "SMB1").or(Fact::Known(true), |on| Fact::Known(on != 0))
}

fn signing(scene: &Scene) -> Fact<bool> {
    let absent = match scene.number(VERSION, "CurrentBuildNumber") {
        Setting::Set(build) if build < SIGNS_BY_EDITION => Fact::Known(false),
        _ => Fact::unknown(Reason::SourceMissing, "the default depends on the edition of this version"),
    };
    scene
        .number(&format!(r"{SERVICE}\Parameters"), "RequireSecuritySignature")
        .or(absent, |demands| Fact::Known(demands != 0))
}

fn shares(scene: &Scene) -> Fact<List<Share>> {
    let key = format!(r"{SERVICE}\Shares");
    let values = match scene.os.values(&key) {
        Ok(values) => values,
        Err(OsError::Missing(_)) => Vec::new(),
        Err(error) => return unknown(&error),
    };
    let mut shares: Vec<Share> =
        values.into_iter().filter(|(_, value)| is_folder(value)).map(|(name, _)| share(scene, &key, &name)).collect();
    shares.sort_by(|one, other| one.name.cmp(&other.name));
    Fact::Known(List::capped(shares))
}

/// `CSCFlags=0`, `MaxUses=4294967295`, `Path=D:\Văn bản`, `Permissions=0`, `Type=0`: a folder, not a printer or a pipe.
fn is_folder(value: &Registry) -> bool {
    let Registry::Texts(texts) = value else { return false };
    let kind = texts.iter().find_map(|text| text.strip_prefix("Type="));
    kind.is_none_or(|kind| kind.trim() == "0")
}

fn share(scene: &Scene, key: &str, name: &str) -> Share {
    let permissions = match scene.os.value(&format!(r"{key}\Security"), name) {
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
    use std::sync::Arc;

    use super::permissions::descriptor;
    use super::*;
    use crate::os::windows::recorded::Recorded;

    const SHARES: &str = r"HKLM\SYSTEM\CurrentControlSet\Services\LanmanServer\Shares";
    const SECURITY: &str = r"HKLM\SYSTEM\CurrentControlSet\Services\LanmanServer\Shares\Security";
    const PARAMETERS: &str = r"HKLM\SYSTEM\CurrentControlSet\Services\LanmanServer\Parameters";

    fn collected(os: Recorded) -> Sharing {
        collect(&Scene::new(Arc::new(os), jiff::Timestamp::UNIX_EPOCH))
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
        let items = &sharing.shares.known().unwrap().items;
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
        assert_eq!(collected(driver().number(SMB1_DRIVER, "Start", 4)).smb1, Fact::Known(false));
        // Where it was removed the value proves nothing.
        assert_eq!(collected(server(19_045).number(PARAMETERS, "SMB1", 1)).smb1, Fact::Known(false));
        assert!(collected(driver().text(PARAMETERS, "SMB1", "có")).smb1.known().is_none());
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
