//! All facts of one machine, and the table of their names.

use serde::{Deserialize, Serialize};

use super::{
    Accounts, Antivirus, Backup, Fact, Family, Field, Gap, Lan, List, Logging, Maker, Makers, Neighbours, Patches,
    Ports, Reason, Record, Remote, Sharing, Software, System, Time, Unknown,
};

/// Version of the facts' meaning. Raised when a fact changes its meaning, not for a new fact or field. When raising it, list in
/// [`super::MISREAD`] what was read differently before, and add a migration that makes the server judge and grade everything again.
pub const SCHEMA_VERSION: u32 = 3;

macro_rules! sections {
    ($( $(#[doc = $doc:literal])+ $section:ident = $field:ident; )+) => {
        /// Everything known of one machine.
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
        #[serde(default)]
        pub struct Facts {
            $( $(#[doc = $doc])+ pub $field: $section, )+
        }

        /// The sections, each collected, digested and sent as a whole.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Section {
            $( $(#[doc = $doc])+ $section, )+
        }

        impl Section {
            /// All sections, in the order they are shown.
            pub const ALL: &'static [Self] = &[$( Self::$section ),+];

            /// The name on the wire and before the dot of a fact's name.
            pub const fn name(self) -> &'static str {
                match self { $( Self::$section => $section::NAME, )+ }
            }

            /// The section's facts.
            pub const fn fields(self) -> &'static [Field] {
                match self { $( Self::$section => $section::FIELDS, )+ }
            }

            /// The section's title, Vietnamese and English.
            pub const fn title(self) -> (&'static str, &'static str) {
                match self { $( Self::$section => $section::TITLE, )+ }
            }
        }

        impl Facts {
            /// Facts of which every one is unknown for `reason`.
            pub fn unknown(reason: Reason) -> Self {
                Self { $( $field: $section::unknown(reason, ""), )+ }
            }

            /// The facts of one section, by position.
            pub fn section(&self, section: Section) -> &dyn Record {
                match section { $( Section::$section => &self.$field, )+ }
            }

            /// The wire form of one section: JSON, the same bytes for the same facts.
            ///
            /// # Errors
            /// Only when a value cannot be written as JSON, which no type of fact can cause.
            pub fn encode(&self, section: Section) -> serde_json::Result<String> {
                match section { $( Section::$section => serde_json::to_string(&self.$field), )+ }
            }

            /// Puts one section in from its wire form. Fields this version does not know are ignored.
            ///
            /// # Errors
            /// When `json` is not such a section; the facts stay as they were.
            pub fn decode(&mut self, section: Section, json: &[u8]) -> serde_json::Result<()> {
                match section { $( Section::$section => self.$field = serde_json::from_slice(json)?, )+ }
                Ok(())
            }

            /// Exchanges one section with `other`.
            pub fn swap_section(&mut self, section: Section, other: &mut Self) {
                match section { $( Section::$section => std::mem::swap(&mut self.$field, &mut other.$field), )+ }
            }

            /// Makes every fact of one section unknown.
            pub fn forget(&mut self, section: Section, reason: Reason, detail: &str) {
                match section { $( Section::$section => self.$field = $section::unknown(reason, detail), )+ }
            }

            /// Makes the fact `section.name` unknown where it is known, or the field `section.name.field` of every record of its list. A
            /// name that does not exist changes nothing.
            pub fn forget_fact(&mut self, name: &str, why: &Unknown) {
                let Some((section, path)) = name.split_once('.') else { return };
                match Section::from_name(section) {
                    $( Some(Section::$section) => self.$field.forget_fact(path, why), )+
                    None => {}
                }
            }
        }
    };
}

sections! {
    /// Operating system and hardware.
    System = system;
    /// Anti-malware.
    Antivirus = antivirus;
    /// Updates.
    Patches = patches;
    /// Addresses, name servers, firewall.
    Lan = lan;
    /// Listening sockets.
    Ports = ports;
    /// Devices on the same network.
    Neighbours = neighbours;
    /// Shared folders.
    Sharing = sharing;
    /// Remote access.
    Remote = remote;
    /// Accounts and their rules.
    Accounts = accounts;
    /// Clock.
    Time = time;
    /// Logs.
    Logging = logging;
    /// Installed software.
    Software = software;
    /// Backup.
    Backup = backup;
}

impl Section {
    /// The section called `name`.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|section| section.name() == name)
    }

    /// True for what changes by the minute: sent at most hourly unless an outcome changes.
    pub const fn volatile(self) -> bool {
        matches!(self, Self::Ports | Self::Neighbours)
    }
}

impl Facts {
    /// True when the machine is one of those of the gap. A machine that does not report its system is not.
    pub fn has_gap(&self, gap: &Gap) -> bool {
        self.system.family.known() == Some(&gap.family)
            // Windows has no identifier of a distribution.
            && (gap.family == Family::Windows
                || self.system.id.known().is_some_and(|system| !gap.except_systems.contains(&system.as_str())))
            && match gap.makers {
                Makers::Any => true,
                Makers::Except(read) => works(&self.antivirus, |maker| !read.contains(&maker)),
                Makers::Of(unknown) => works(&self.antivirus, |maker| unknown.contains(&maker)),
            }
    }
}

/// True when some product that is not known to be off is by a maker that `wanted` names.
fn works(antivirus: &Antivirus, wanted: impl Fn(Maker) -> bool) -> bool {
    match &antivirus.products {
        Fact::Known(List { items, .. }) => {
            items.iter().any(|product| product.running != Fact::Known(false) && wanted(product.maker))
        }
        Fact::Unknown(_) => false,
    }
}

/// The fact called `name` (`section.name`): its section, its position there and its description.
pub fn find(name: &str) -> Option<(Section, usize, &'static Field)> {
    let (section, field) = name.split_once('.')?;
    let section = Section::from_name(section)?;
    let index = section.fields().iter().position(|candidate| candidate.name == field)?;
    Some((section, index, &section.fields()[index]))
}

/// The names of all facts.
pub fn names() -> impl Iterator<Item = String> {
    Section::ALL
        .iter()
        .flat_map(|section| section.fields().iter().map(|field| format!("{}.{}", section.name(), field.name)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fact::Value;

    #[test]
    fn every_fact_is_found_by_its_name() {
        for name in names() {
            let (section, index, field) = find(&name).unwrap();
            assert_eq!(name, format!("{}.{}", section.name(), field.name));
            let facts = Facts::unknown(Reason::NotCollected);
            assert!(matches!(facts.section(section).value(index), Value::Unknown(_)), "{name}");
        }
        assert!(find("lan.colour").is_none());
    }

    #[test]
    fn a_fact_an_old_agent_does_not_have_reads_as_agent_too_old() {
        let mut facts = Facts::default();
        facts.decode(Section::Lan, br#"{"forwards":{"known":true},"colour":{"known":"red"}}"#).unwrap();
        assert_eq!(facts.lan.forwards, Fact::Known(true));
        assert_eq!(facts.lan.gateways, Fact::unknown(Reason::AgentTooOld, ""));
    }

    #[test]
    fn a_word_of_a_newer_agent_reads_as_other() {
        let mut facts = Facts::default();
        facts
            .decode(Section::Time, br#"{"source":{"known":"sundial"},"zone":{"unknown":{"reason":"eclipse"}}}"#)
            .unwrap();
        assert_eq!(facts.time.source, Fact::Known(crate::fact::TimeSource::Other));
        assert_eq!(facts.time.zone, Fact::unknown(Reason::AgentTooOld, ""));
    }

    #[test]
    fn a_section_survives_its_wire_form() {
        let facts = Facts::unknown(Reason::TimedOut);
        let mut read = Facts::default();
        for &section in Section::ALL {
            read.decode(section, facts.encode(section).unwrap().as_bytes()).unwrap();
        }
        assert_eq!(facts, read);
    }
}
