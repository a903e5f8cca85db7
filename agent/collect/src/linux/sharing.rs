//! Section `sharing`: SMB (Samba, ksmbd) and NFS shares that this machine offers.

use policies::fact::{Fact, List, Reason, Share, ShareKind, Sharing};

use super::context::{CheckContext, unknown};
use crate::linux::text::{capped, ini, yes};
use os::{Answer, OsError, Program};

mod exports;
mod usershares;

use exports::exports;

pub(super) fn collect(context: &CheckContext) -> Sharing {
    let samba = context.runs("smbd");
    let smb_server = samba || context.runs("ksmbd.mountd");
    let nfs_server = context.runs_any(&["nfsd", "ganesha.nfsd"]);
    let smb = match (samba, smb_server) {
        (true, _) => Some(samba_settings(context)),
        (false, true) => Some(ksmbd_settings(context)),
        (false, false) => None,
    };
    Sharing {
        shares: shares(context, smb.as_ref(), nfs_server),
        smb1: smb.as_ref().map_or(Fact::Known(false), |smb| from(smb, Smb::accepts_version_1)),
        smb_signing: match &smb {
            None => Fact::unknown(Reason::SourceMissing, "no SMB server runs"),
            Some(smb) => from(smb, Smb::demands_signatures),
        },
        smb_server: Fact::Known(smb_server),
        nfs_server: Fact::Known(nfs_server),
        ..Sharing::unknown(Reason::NoReader, "")
    }
}

fn from<T>(smb: &Answer<Smb>, read: impl FnOnce(&Smb) -> Fact<T>) -> Fact<T> {
    match smb {
        Ok(smb) => read(smb),
        Err(error) => unknown(error),
    }
}

/// The settings of an SMB server: `(section, key, value)` in order, all but the value in lower case.
struct Smb {
    entries: Vec<(String, String, String)>,
    defaults: Defaults,
}

/// Whether the values of settings that are not written down are known.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Defaults {
    /// All are printed by the server's own tool.
    Printed,
    /// They depend on the server's version.
    Unknown,
}

/// The settings Samba itself reports, else those in its file.
fn samba_settings(context: &CheckContext) -> Answer<Smb> {
    match context.os.run(Program::Testparm, &["-s", "-v", "--suppress-prompt"]) {
        Ok(output) if output.status == Some(0) && !output.cut => {
            return Ok(Smb { entries: ini(&output.stdout.replace('\r', "")), defaults: Defaults::Printed });
        }
        Ok(_) | Err(OsError::Missing(_)) => {}
        Err(error) => return Err(error),
    }
    let text = context.text("/etc/samba/smb.conf")?;
    let entries = ini(&text);
    // What another file or the registry contains is not known here.
    let elsewhere = entries.iter().find(|(_, key, value)| {
        key == "include" || key == "config file" || (key == "config backend" && value.eq_ignore_ascii_case("registry"))
    });
    match elsewhere {
        Some((_, key, _)) => Err(OsError::Failed("/etc/samba/smb.conf".to_owned(), format!("it says `{key}`"))),
        None => Ok(Smb { entries, defaults: Defaults::Unknown }),
    }
}

fn ksmbd_settings(context: &CheckContext) -> Answer<Smb> {
    let path = "/etc/ksmbd/ksmbd.conf";
    Ok(Smb { entries: ini(&context.text(path)?), defaults: Defaults::Unknown })
}

impl Smb {
    fn global(&self, keys: &[&str]) -> Option<&str> {
        let found = |(section, key, _): &&(String, String, String)| section == "global" && keys.contains(&key.as_str());
        self.entries.iter().rev().find(found).map(|(_, _, value)| value.as_str())
    }

    fn accepts_version_1(&self) -> Fact<bool> {
        match self.global(&["server min protocol", "min protocol"]).map(str::to_uppercase) {
            Some(name) => Fact::Known(["CORE", "COREPLUS", "LANMAN1", "LANMAN2", "NT1"].contains(&name.as_str())),
            None => {
                Fact::unknown(Reason::SourceMissing, "the default depends on the server's version; testparm would tell")
            }
        }
    }

    fn demands_signatures(&self) -> Fact<bool> {
        let demands = ["mandatory", "required", "force", "forced", "enforced"];
        match (self.global(&["server signing"]).map(str::to_lowercase), self.defaults) {
            (Some(word), _) => Fact::Known(demands.contains(&word.as_str())),
            // No version of Samba required signing from every client by default; neither does ksmbd.
            (None, Defaults::Printed | Defaults::Unknown) => Fact::Known(false),
        }
    }

    /// The shared folders, without printers.
    fn shares(&self) -> Vec<Share> {
        let mut names: Vec<&str> = Vec::new();
        for (section, _, _) in &self.entries {
            if !section.is_empty() && section != "global" && !names.contains(&section.as_str()) {
                names.push(section);
            }
        }
        names.into_iter().filter_map(|name| self.share(name)).collect()
    }

    fn share(&self, name: &str) -> Option<Share> {
        let own = |keys: &[&str]| {
            let last = |section: &str| {
                let found = |entry: &&(String, String, String)| entry.0 == section && keys.contains(&entry.1.as_str());
                self.entries.iter().rev().find(found)
            };
            // A share setting in `[global]` is the default of every share.
            last(name).or_else(|| last("global"))
        };
        let says = |keys: &[&str]| own(keys).is_some_and(|(_, _, value)| yes(value));
        if says(&["printable", "print ok"]) || own(&["available"]).is_some_and(|(_, _, value)| !yes(value)) {
            return None;
        }
        let writable = own(&["read only", "writable", "writeable", "write ok"])
            .is_some_and(|(_, key, value)| (key == "read only") != yes(value));
        Some(Share {
            kind: ShareKind::Smb,
            name: capped(name),
            // `guest only` has no effect without this setting.
            open_to_all: Fact::Known(says(&["guest ok", "public"])),
            writable: Fact::Known(writable),
            remote_root: Fact::Known(false),
        })
    }
}

fn shares(context: &CheckContext, smb: Option<&Answer<Smb>>, nfs_server: bool) -> Fact<List<Share>> {
    let mut shares = match smb {
        Some(Ok(smb)) => match usershares::list(context, smb) {
            Ok(of_people) => smb.shares().into_iter().chain(of_people).collect(),
            Err(error) => return unknown(&error),
        },
        Some(Err(error)) => return unknown(error),
        None => Vec::new(),
    };
    if nfs_server {
        match exports(context) {
            Ok(exported) => shares.extend(exported),
            Err(error) => return unknown(&error),
        }
    }
    shares.sort_unstable_by(|one, other| (one.kind, &one.name).cmp(&(other.kind, &other.name)));
    Fact::Known(List::capped(shares))
}

#[cfg(test)]
mod tests {
    use super::*;
    use os::recorded::Recorded;

    const TESTPARM: &[&str] = &["-s", "-v", "--suppress-prompt"];
    const PRINTED: &str = "# Global parameters\n[global]\n\tserver min protocol = SMB2_02\n\tserver signing = default\n\tguest ok = No\n\
        \tread only = Yes\n\n[printers]\n\tprintable = Yes\n\n[VanBan]\n\tpath = /srv/vanban\n\tguest ok = Yes\n\tread only = No\n\n\
        [homes]\n\tbrowseable = No\n";

    fn collected(os: Recorded) -> Sharing {
        collect(&CheckContext::of(os))
    }

    fn samba() -> Recorded {
        Recorded::new().process(900, "smbd", "/usr/sbin/smbd")
    }

    fn shown(sharing: &Sharing) -> Vec<(&str, bool, bool)> {
        let flag = |fact: &Fact<bool>| *fact.known().unwrap();
        let items = &sharing.shares.known().unwrap().items;
        items.iter().map(|share| (share.name.as_str(), flag(&share.open_to_all), flag(&share.writable))).collect()
    }

    #[test]
    fn samba_is_believed_about_itself() {
        let sharing = collected(samba().answering(Program::Testparm, TESTPARM, 0, PRINTED));
        assert_eq!(shown(&sharing), [("homes", false, false), ("vanban", true, true)]);
        assert_eq!((sharing.smb1, sharing.smb_signing), (Fact::Known(false), Fact::Known(false)));
        let old = PRINTED.replace("SMB2_02", "NT1").replace("signing = default", "signing = required");
        let sharing = collected(samba().answering(Program::Testparm, TESTPARM, 0, &old));
        assert_eq!((sharing.smb1, sharing.smb_signing), (Fact::Known(true), Fact::Known(true)));
    }

    #[test]
    fn what_is_said_for_every_share_holds_for_each_that_says_nothing_else() {
        // As testparm prints it: one setting per line, `guest only` after `guest ok`.
        let printed = "[global]\n\tguest ok = Yes\n\tguest only = No\n\tread only = Yes\n\n[x]\n\tpath = /srv\n\n[y]\n\tguest ok = No\n";
        let sharing = collected(samba().answering(Program::Testparm, TESTPARM, 0, printed));
        assert_eq!(shown(&sharing), [("x", true, false), ("y", false, false)]);
        let only = printed.replace("guest ok = Yes", "guest ok = No").replace("guest only = No", "guest only = Yes");
        let sharing = collected(samba().answering(Program::Testparm, TESTPARM, 0, &only));
        assert_eq!(shown(&sharing), [("x", false, false), ("y", false, false)], "guest only has no effect alone");
    }

    #[test]
    fn shares_that_people_made_for_themselves_are_listed() {
        let printed = "[global]\n\tusershare allow guests = Yes\n\tusershare max shares = 100\n\tusershare path = /var/lib/samba/usershares\n";
        let share =
            "#VERSION 2\npath=/home/canbo/chung\ncomment=\nusershare_acl=S-1-1-0:F\nguest_ok=y\nsharename=Chung\n";
        let os = |printed: &str| {
            samba()
                .answering(Program::Testparm, TESTPARM, 0, printed)
                .file("/var/lib/samba/usershares/chung", share)
                .file("/var/lib/samba/usershares/rieng", share.replace("guest_ok=y", "guest_ok=n").replace(":F", ":R"))
        };
        assert_eq!(shown(&collected(os(printed))), [("chung", true, true), ("rieng", false, false)]);
        let no_guests = printed.replace("guests = Yes", "guests = No");
        assert_eq!(shown(&collected(os(&no_guests))), [("chung", false, true), ("rieng", false, false)]);
        assert!(shown(&collected(os(&printed.replace("= 100", "= 0")))).is_empty(), "none are allowed");
        let denied = collected(os(printed).denying("/var/lib/samba/usershares"));
        assert!(denied.shares.known().is_none(), "what may not be seen is not nothing");
    }

    #[test]
    fn without_testparm_the_file_speaks_and_defaults_stay_unknown() {
        let file =
            "; old\r\n[global]\r\n workgroup = UBND\r\n[Chung]\r\n path=/srv\r\n public = yes\r\n writeable = yes\r\n";
        let sharing = collected(samba().file("/etc/samba/smb.conf", file));
        assert_eq!(shown(&sharing), [("chung", true, true)]);
        assert!(sharing.smb1.known().is_none());
        let included = collected(samba().file("/etc/samba/smb.conf", "[global]\ninclude = /etc/samba/%m.conf\n"));
        assert!(included.shares.known().is_none() && included.smb_signing.known().is_none());
    }

    #[test]
    fn a_server_that_does_not_run_shares_nothing() {
        let sharing = collected(
            Recorded::new().file("/etc/samba/smb.conf", "[x]\nguest ok=yes\n").file("/etc/exports", "/srv *(rw)\n"),
        );
        assert_eq!(sharing.shares, Fact::Known(List::default()));
        assert_eq!(
            (sharing.smb_server, sharing.nfs_server, sharing.smb1),
            (Fact::Known(false), Fact::Known(false), Fact::Known(false))
        );
        assert!(sharing.smb_signing.known().is_none());
    }

    #[test]
    fn exports_stand_beside_the_shares_of_samba() {
        let server = Recorded::new().process(2, "nfsd", "").file("/etc/exports.d/a.exports", "/srv/a *(rw)\n");
        assert_eq!(shown_names(&collected(server)), ["a"]);
    }

    fn shown_names(sharing: &Sharing) -> Vec<&str> {
        sharing.shares.known().unwrap().items.iter().map(|share| share.name.as_str()).collect()
    }
}
