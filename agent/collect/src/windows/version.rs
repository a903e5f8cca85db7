//! Which Windows this is: build, revision, edition, client or server. Several collectors depend on it.
//!
//! Source: `HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion` (`CurrentBuildNumber`, `UBR`, `EditionID`, `InstallationType`) and
//! `HKLM\SYSTEM\CurrentControlSet\Control\ProductOptions` (`ProductType`), none of which Windows translates.

use policies::fact::{Fact, Reason};
use policies::policy::{WindowsBuild, WindowsEdition, WindowsKind};

use super::context::{CheckContext, Setting, unknown};

/// The registry key in which Windows describes itself.
pub(super) const VERSION: &str = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion";
const PRODUCT: &str = r"HKLM\SYSTEM\CurrentControlSet\Control\ProductOptions";

/// The first build of Windows 8.
pub(super) const WINDOWS_8: u64 = 9_200;
/// The first build of Windows 10.
pub(super) const WINDOWS_10: u64 = 10_240;
/// The first build of Windows 11.
pub(super) const WINDOWS_11: u64 = 22_000;

/// Which Windows this is.
#[derive(Clone, Debug)]
pub(super) struct Version {
    /// Its build.
    pub(super) build: u64,
    /// Its update revision; builds before Windows 10 may have none.
    pub(super) revision: Setting<u64>,
    /// Client or server.
    pub(super) kind: WindowsKind,
    /// Its edition.
    pub(super) edition: WindowsEdition,
    /// An evaluation copy (`EnterpriseEval`, `ServerStandardEval`), which expires some months after installation.
    pub(super) evaluation: bool,
}

/// Reads the version.
pub(super) fn read(context: &CheckContext) -> Fact<Version> {
    let build = context.number(VERSION, "CurrentBuildNumber").or(missing("CurrentBuildNumber"), Fact::Known);
    let (edition, evaluation) = match context.text(VERSION, "EditionID") {
        Setting::Set(id) => (WindowsEdition::of(&id), id.to_ascii_lowercase().contains("eval")),
        Setting::Absent => (WindowsEdition::General, false),
        Setting::Unreadable(error) => return unknown(&error),
    };
    match (build, kind(context)) {
        (Fact::Known(build), Fact::Known(kind)) => {
            Fact::Known(Version { build, revision: context.number(VERSION, "UBR"), kind, edition, evaluation })
        }
        (Fact::Unknown(unknown), _) | (_, Fact::Unknown(unknown)) => Fact::Unknown(unknown),
    }
}

/// Whether it is installed as client or server.
pub(super) fn kind(context: &CheckContext) -> Fact<WindowsKind> {
    let told = context.text(VERSION, "InstallationType").or(missing("InstallationType"), |kind| {
        match kind.to_ascii_lowercase().as_str() {
            "client" => Fact::Known(WindowsKind::Client),
            kind if kind.contains("server") => Fact::Known(WindowsKind::Server),
            kind => Fact::unknown(Reason::Unreadable, format!("InstallationType {kind}")),
        }
    });
    match told {
        Fact::Known(kind) => Fact::Known(kind),
        // Embedded Windows has its own values there; this one is the same everywhere.
        Fact::Unknown(unknown) => context.text(PRODUCT, "ProductType").or(Fact::Unknown(unknown), |product| {
            let client = product.eq_ignore_ascii_case("WinNT");
            Fact::Known(if client { WindowsKind::Client } else { WindowsKind::Server })
        }),
    }
}

/// The catalogue's entry for it.
pub(super) fn known<'s>(context: &'s CheckContext, version: &Version) -> Option<&'s WindowsBuild> {
    context.catalogue()?.build(version.build, version.kind)
}

fn missing<T>(name: &str) -> Fact<T> {
    Fact::unknown(Reason::SourceMissing, format!("no {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use os::windows::recorded::Recorded;

    fn kind_of(os: Recorded) -> Option<WindowsKind> {
        kind(&CheckContext::of(os)).known().copied()
    }

    #[test]
    fn a_server_is_told_from_a_client_of_the_same_build() {
        let of = |word: &str| kind_of(Recorded::new().text(VERSION, "InstallationType", word));
        assert_eq!(of("Client"), Some(WindowsKind::Client));
        assert_eq!(of("Server"), Some(WindowsKind::Server));
        assert_eq!(of("Server Core"), Some(WindowsKind::Server));
        assert_eq!(of("Embedded"), None);
        let embedded =
            Recorded::new().text(VERSION, "InstallationType", "Embedded").text(PRODUCT, "ProductType", "WinNT");
        assert_eq!(kind_of(embedded), Some(WindowsKind::Client));
        assert_eq!(kind_of(Recorded::new().text(PRODUCT, "ProductType", "LanmanNT")), Some(WindowsKind::Server));
        assert_eq!(kind_of(Recorded::new()), None);
    }
}
