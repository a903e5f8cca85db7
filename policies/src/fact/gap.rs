//! Where the product cannot read a fact, as stated by `#[no_reader(...)]` on the fact: only that may excuse an unknown, which is then
//! left out of both sums. An agent that says `no_reader` is believed only there.

use super::{Family, Maker};

/// Machines on which a fact has no reader.
#[derive(Clone, Copy, Debug)]
pub struct Gap {
    /// The family of systems.
    pub family: Family,
    /// Identifiers of systems (`system.id`) that have a reader nevertheless.
    pub except_systems: &'static [&'static str],
    /// For which anti-malware products it is believed.
    pub makers: Makers,
}

/// For which anti-malware products a gap is believed.
#[derive(Clone, Copy, Debug)]
pub enum Makers {
    /// The fact has no maker.
    Any,
    /// Only where a product of a maker that is not among these is at work.
    Except(&'static [Maker]),
    /// Only where a product of one of these makers is at work.
    Of(&'static [Maker]),
}

/// Linux.
pub(super) const LINUX: Gap = Gap { family: Family::Linux, except_systems: &[], makers: Makers::Any };
/// Windows.
pub(super) const WINDOWS: Gap = Gap { family: Family::Windows, ..LINUX };
/// Linux systems whose package system is not known.
pub(super) const UNKNOWN_LINUX: Gap = Gap {
    except_systems: &["debian", "ubuntu", "fedora", "rhel", "centos", "rocky", "almalinux", "ol", "linuxmint"],
    ..LINUX
};
/// Linux, except for the makers whose products can be queried there.
pub(super) const LINUX_BUT_CLAMAV: Gap = Gap { makers: Makers::Except(&[Maker::ClamAv]), ..LINUX };
/// Linux with products for which it is not even known whether they protect.
pub(super) const LINUX_OTHER_MAKERS: Gap = Gap { makers: Makers::Of(&[Maker::Other]), ..LINUX };
/// Windows, except for the makers that are queried directly; for others Security Center reports what they told it.
pub(super) const WINDOWS_BUT_DEFENDER: Gap = Gap { makers: Makers::Except(&[Maker::Microsoft]), ..WINDOWS };
