//! What is known about Windows: until when each build is supported, and the cumulative updates of each that are known. Travels with
//! the policy as `windows-catalogue.toml`, so that it can be replaced without Internet and is signed; owns its reading and queries.

use std::collections::BTreeSet;

use jiff::civil::{Date, date};
use toml::de::DeTable;

use super::PolicyErrors;
use super::control::read::{format, identifier};
use super::office::read::day;
use super::source::{Source, Span, read_file};
use super::table::{Node, Table};
use crate::text;
use crate::text::Text;

/// The name of its file, in a policy and in this repository.
pub const CATALOGUE_FILE: &str = "windows-catalogue.toml";
const SHIPPED: &str = include_str!("../../windows-catalogue.toml");
const MOST_BUILDS: usize = 500;
const MOST_UPDATES: usize = 500;

/// Whether a Windows is a client or a server: the same build number may belong to both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum WindowsKind {
    /// A client, used by a person at it.
    Client,
    /// A server, for others.
    Server,
}

impl WindowsKind {
    const ALL: [Self; 2] = [Self::Client, Self::Server];

    const fn code(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
        }
    }
}

/// The editions with their own support dates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WindowsEdition {
    /// Home, Pro, and every edition of systems that make no distinction.
    General,
    /// Enterprise, Education, IoT Enterprise.
    Enterprise,
    /// Enterprise LTSC (LTSB).
    LongTerm,
    /// IoT Enterprise LTSC.
    LongTermIot,
}

impl WindowsEdition {
    /// The edition with this `EditionID` (registry, the same in every language): `Professional`, `EnterpriseS`, `ServerStandard`.
    pub fn of(edition_id: &str) -> Self {
        // An evaluation copy of an edition gets the same support.
        let id = edition_id.to_ascii_lowercase().replace("eval", "");
        // Editions without a media player end in N; their support is the same.
        let id =
            id.strip_suffix('n').filter(|id| ["enterprise", "enterprises", "education"].contains(id)).unwrap_or(&id);
        match id {
            "iotenterprises" | "iotenterprisesk" => Self::LongTermIot,
            "enterprises" => Self::LongTerm,
            "enterprise" | "enterpriseg" | "education" | "iotenterprise" | "iotenterprisek" | "serverrdsh"
            | "cloudedition" => Self::Enterprise,
            _ => Self::General,
        }
    }
}

/// A cumulative update: the revision from which its fixes are included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WindowsUpdate {
    /// Update revision (`UBR`).
    pub revision: u64,
    /// The day it was released.
    pub released: Date,
}

/// A build of Windows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WindowsBuild {
    /// Its number.
    pub build: u64,
    /// Client or server.
    pub kind: WindowsKind,
    /// The system's identifier, such as `windows-10` or `windows-server-2019`.
    pub id: String,
    /// Its release, such as `22H2`.
    pub release: String,
    /// Last day of extended security updates, for those who pay or enrol.
    pub until_paid: Option<Date>,
    /// Its known cumulative updates, oldest first.
    pub updates: Vec<WindowsUpdate>,
    until: Date,
    until_enterprise: Option<Date>,
    until_ltsc: Option<Date>,
    until_iot: Option<Date>,
}

impl WindowsBuild {
    /// Last day of security updates at no extra cost.
    pub fn until(&self, edition: WindowsEdition) -> Date {
        let until = match edition {
            WindowsEdition::General => None,
            WindowsEdition::Enterprise => self.until_enterprise,
            WindowsEdition::LongTerm => self.until_ltsc,
            WindowsEdition::LongTermIot => self.until_iot.or(self.until_ltsc),
        };
        until.unwrap_or(self.until)
    }
}

/// What is known about Windows. Valid once read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WindowsCatalogue {
    /// The day of this knowledge.
    pub as_of: Date,
    builds: Vec<WindowsBuild>,
}

impl WindowsCatalogue {
    /// Reads a catalogue. `file` is the name that errors carry.
    ///
    /// # Errors
    /// All errors, each with line and column.
    pub fn read(file: &str, bytes: impl AsRef<[u8]>) -> Result<Self, PolicyErrors> {
        read_file(file, bytes.as_ref(), document)
    }

    /// The catalogue that comes with the product.
    ///
    /// # Errors
    /// None in practice: a test of this repository reads it.
    pub fn shipped() -> Result<Self, PolicyErrors> {
        Self::read(CATALOGUE_FILE, SHIPPED)
    }

    /// The build with this number.
    pub fn build(&self, build: u64, kind: WindowsKind) -> Option<&WindowsBuild> {
        self.builds.iter().find(|known| known.build == build && known.kind == kind)
    }
}

fn document<'s>(source: &'s Source<'s>, entries: &'s DeTable<'s>, span: Span) -> Option<WindowsCatalogue> {
    let table = Table::new(source, entries, span.start..span.start);
    format(&table);
    let as_of = table.need("as_of").and_then(|node| known_day(source, node));
    let builds: Option<Vec<Option<WindowsBuild>>> =
        table.items("build", 1, MOST_BUILDS).map(|nodes| nodes.iter().map(|node| build(source, node)).collect());
    table.end();
    let builds: Vec<WindowsBuild> = builds?.into_iter().collect::<Option<_>>()?;
    let mut seen = BTreeSet::new();
    for build in &builds {
        if !seen.insert((build.build, build.kind)) {
            let (number, kind) = (build.build, build.kind.code());
            source
                .error(&(0..0), text!("bản dựng {number} ({kind}) có hai lần", "build {number} ({kind}) stands twice"));
        }
    }
    Some(WindowsCatalogue { as_of: as_of?, builds })
}

fn build(source: &Source<'_>, node: &Node<'_>) -> Option<WindowsBuild> {
    let table = Table::of(source, node)?;
    let number = table.number("build", 1, i64::from(u32::MAX)).and_then(|number| u64::try_from(number).ok());
    let kind = table.word("kind", &WindowsKind::ALL, WindowsKind::code);
    let (id, release) = (identifier(&table, "id"), table.text("release", 40).map(str::to_owned));
    let until = table.need("until").and_then(|node| known_day(source, node));
    let other = |key| table.get(key).map(|node| known_day(source, node));
    let (enterprise, ltsc) = (other("until_enterprise"), other("until_ltsc"));
    let (iot, paid) = (other("until_iot"), other("until_paid"));
    let updates = match table.get("updates") {
        Some(_) => table.items("updates", 0, MOST_UPDATES).and_then(|nodes| updates(source, nodes)),
        None => Some(Vec::new()),
    };
    table.end();
    Some(WindowsBuild {
        build: number?,
        kind: kind?,
        id: id?,
        release: release?,
        until: until?,
        until_enterprise: turned(enterprise)?,
        until_ltsc: turned(ltsc)?,
        until_iot: turned(iot)?,
        until_paid: turned(paid)?,
        updates: updates?,
    })
}

/// `None` for a day that is present but invalid.
#[expect(clippy::option_option, reason = "absent is not the same as wrong")]
fn turned(day: Option<Option<Date>>) -> Option<Option<Date>> {
    day.map_or(Some(None), |day| day.map(Some))
}

fn updates(source: &Source<'_>, nodes: &[Node<'_>]) -> Option<Vec<WindowsUpdate>> {
    let updates = nodes.iter().map(|node| {
        let table = Table::of(source, node)?;
        let revision = table.number("revision", 0, i64::from(u32::MAX)).and_then(|number| u64::try_from(number).ok());
        let released = table.need("date").and_then(|node| known_day(source, node));
        table.end();
        Some((WindowsUpdate { revision: revision?, released: released? }, node.span()))
    });
    let updates: Vec<(WindowsUpdate, Span)> = updates.collect::<Vec<_>>().into_iter().collect::<Option<_>>()?;
    for pair in updates.windows(2) {
        let ((before, _), (after, span)) = (&pair[0], &pair[1]);
        if after.revision <= before.revision || after.released < before.released {
            source.error(
                span,
                Text::new("các bản vá phải xếp từ cũ đến mới", "updates must stand from the oldest to the newest"),
            );
        }
    }
    Some(updates.into_iter().map(|(update, _)| update).collect())
}

/// A day within the plausible range for Windows.
fn known_day(source: &Source<'_>, node: &Node<'_>) -> Option<Date> {
    let found = day(source, node)?;
    if (date(2000, 1, 1)..=date(2100, 1, 1)).contains(&found) {
        return Some(found);
    }
    source.error(&node.span(), text!("ngày {found} nằm ngoài khoảng", "the day {found} is out of range"));
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Language;

    #[test]
    fn the_shipped_catalogue_reads_and_every_end_is_a_tuesday() {
        let catalogue = WindowsCatalogue::shipped().unwrap_or_else(|errors| panic!("{}", errors.show(Language::Vi)));
        assert!(catalogue.builds.len() >= 30);
        for build in &catalogue.builds {
            let ends = [Some(build.until), build.until_enterprise, build.until_ltsc, build.until_iot, build.until_paid];
            for end in ends.into_iter().flatten() {
                // Support ends with the updates of a second Tuesday (except for two old ones that ended by another rule).
                assert_eq!(end.weekday(), jiff::civil::Weekday::Tuesday, "{} {end}", build.build);
            }
            assert!(build.updates.iter().all(|update| update.released <= catalogue.as_of), "{}", build.build);
        }
    }

    #[test]
    fn one_build_ends_on_other_days_for_other_editions() {
        let catalogue = WindowsCatalogue::shipped().unwrap();
        let until = |number, id: &str| {
            let build = catalogue.build(number, WindowsKind::Client).unwrap();
            build.until(WindowsEdition::of(id)).to_string()
        };
        assert_eq!(until(26100, "Core"), "2026-10-13");
        assert_eq!(until(26100, "Professional"), "2026-10-13");
        assert_eq!(until(26100, "ProfessionalEducation"), "2026-10-13");
        assert_eq!(until(26100, "Enterprise"), "2027-10-12");
        assert_eq!(until(26100, "EducationN"), "2027-10-12");
        assert_eq!(until(26100, "EnterpriseEval"), "2027-10-12");
        assert_eq!(until(26100, "EnterpriseNEval"), "2027-10-12");
        assert_eq!(until(26100, "EnterpriseSEval"), "2029-10-09");
        assert_eq!(until(26100, "EnterpriseS"), "2029-10-09");
        assert_eq!(until(26100, "EnterpriseSN"), "2029-10-09");
        assert_eq!(until(26100, "IoTEnterpriseS"), "2034-10-10");
        assert_eq!(until(17763, "IoTEnterpriseS"), "2029-01-09");
        assert_eq!(until(7601, "Enterprise"), "2020-01-14");
        let server = catalogue.build(26100, WindowsKind::Server).unwrap();
        for id in ["ServerStandard", "ServerStandardEval", "ServerDatacenterEvalCor"] {
            assert_eq!(server.until(WindowsEdition::of(id)).to_string(), "2034-11-14", "{id}");
        }
        assert_eq!(catalogue.build(1, WindowsKind::Client), None);
    }

    #[test]
    fn what_is_wrong_is_said_at_its_place() {
        let wrong = "format = 1\nas_of = 2026-11-25\n[[build]]\nbuild = 5\nkind = \"phone\"\nid = \"windows-10\"\nrelease = \"x\"\n\
            until = 1926-01-01\nupdates = [{ revision = 2, date = 2026-02-10 }, { revision = 1, date = 2026-03-10 }]\n";
        let errors = WindowsCatalogue::read("c.toml", wrong).unwrap_err().show(Language::En);
        for said in ["c.toml:5:", "c.toml:8:", "c.toml:9:", "from the oldest to the newest", "1926-01-01"] {
            assert!(errors.contains(said), "{said} is not in\n{errors}");
        }
        let build =
            "[[build]]\nbuild = 5\nkind = \"client\"\nid = \"windows-10\"\nrelease = \"x\"\nuntil = 2026-01-13\n";
        let twice = format!("format = 1\nas_of = 2026-11-25\n{build}{build}");
        assert!(WindowsCatalogue::read("c.toml", twice).unwrap_err().show(Language::Vi).contains("có hai lần"));
    }
}
