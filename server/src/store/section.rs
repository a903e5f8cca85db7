//! The latest state of every section of a machine, and the bodies of sections by content.

use std::collections::BTreeMap;

use policies::fact::{Facts, SCHEMA_VERSION, Section};
use protocol::Digest;
use protocol::{compress, limits};
use sqlx::FromRow;

use super::hold::unheld;
use super::many::{in_lists, pieces};
use super::{Scope, StoreResult, Tx};

/// Bodies shorter than this are kept as they are: compressing them saves less than it costs.
const PLAIN_BELOW: usize = 256;

/// A version of the facts' meaning as stored.
pub(crate) fn schema(kept: i64) -> u32 {
    u32::try_from(kept).unwrap_or(0)
}

/// A machine's latest report of one section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SectionState {
    /// Digest of the section's JSON text.
    pub digest: Digest,
    /// When the facts were observed; an impossible time is replaced by that of receipt. Milliseconds UTC.
    pub observed_at: i64,
    /// When the server last received this section's digest.
    pub received_at: i64,
    /// False when nothing in the section is known.
    pub known: bool,
}

/// The sections of one machine by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sections(pub BTreeMap<String, SectionState>);

impl Sections {
    /// True for a name that can be stored: lower-case letters, digits and underscores.
    pub fn is_name(name: &str) -> bool {
        !name.is_empty() && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'))
    }

    /// The form in `machine_sections.sections`: what seldom changes.
    pub fn encode(&self) -> String {
        use std::fmt::Write as _;
        let mut text = String::with_capacity(self.0.len() * 90);
        for (name, SectionState { digest, known, .. }) in &self.0 {
            let known = if *known { "known" } else { "unknown" };
            // Writing into a String cannot fail.
            let _ = writeln!(text, "{name} {digest} {known}");
        }
        text
    }

    /// The form in `machine_head.seen`: the last time of receipt, then for each section how long before that it was observed and, after a
    /// stroke where it differs, received.
    pub fn encode_seen(&self) -> String {
        use std::fmt::Write as _;
        let last = self.0.values().map(|state| state.received_at).max().unwrap_or(0);
        let mut text = last.to_string();
        for SectionState { observed_at, received_at, .. } in self.0.values() {
            // Writing into a String cannot fail.
            let _ = write!(text, " {}", last.saturating_sub(*observed_at));
            if *received_at != last {
                let _ = write!(text, "/{}", last.saturating_sub(*received_at));
            }
        }
        text
    }

    /// Reads [`Sections::encode`] and [`Sections::encode_seen`]. A line that cannot be read is skipped: the machine will be asked for its body
    /// again.
    pub fn decode(text: &str, seen: &str) -> Self {
        let mut words = seen.split(' ');
        let last: Option<i64> = words.next().and_then(|word| word.parse().ok());
        let mut line = |line: &str| {
            let ages = words.next().map(|word| word.split_once('/').unwrap_or((word, "0")));
            let seen = last.zip(ages).and_then(|(last, (observed, received))| {
                Some((last.saturating_sub(observed.parse().ok()?), last.saturating_sub(received.parse().ok()?)))
            });
            let (name, digest, known, times) = match *line.split(' ').collect::<Vec<_>>() {
                [name, digest, known] => (name, digest, known, seen?),
                // As migration 11 found it: true until the next report.
                [name, digest, observed, received, known] => {
                    let stored = observed.parse().ok().zip(received.parse().ok());
                    (name, digest, known, seen.or(stored)?)
                }
                _ => return None,
            };
            let (observed_at, received_at) = times;
            let state =
                SectionState { digest: digest.parse().ok()?, observed_at, received_at, known: known == "known" };
            Some((name.to_owned(), state))
        };
        Self(text.lines().filter_map(&mut line).collect())
    }

    /// Whether [`Sections::encode`] gives the same for both.
    pub fn same_list(&self, other: &Self) -> bool {
        self.0.len() == other.0.len()
            && self.0.iter().zip(&other.0).all(|((name, state), (other_name, other))| {
                (name, state.digest, state.known) == (other_name, other.digest, other.known)
            })
    }
}

/// A section's JSON text by content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    /// The machine's id.
    pub machine: String,
    /// The section's name.
    pub section: String,
    /// Digest of `text`.
    pub digest: Digest,
    /// JSON.
    pub text: String,
}

/// A section whose current body changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SectionChange {
    /// The machine's id.
    pub machine: String,
    /// The section's name.
    pub section: String,
    /// The body's digest; `None` when the section is gone.
    pub digest: Option<Digest>,
}

impl SectionChange {
    fn bind<DB: sqlx::Database>(mut row: sqlx::query_builder::Separated<'_, DB, &'static str>, changed: &Self)
    where
        String: for<'q> sqlx::Encode<'q, DB> + sqlx::Type<DB>,
    {
        row.push_bind(changed.machine.clone())
            .push_bind(changed.section.clone())
            .push_bind(changed.digest.map(|digest| digest.to_string()).unwrap_or_default());
    }
}

/// One stored body.
#[derive(Debug, FromRow)]
struct BodyRow {
    machine: String,
    section: String,
    encoding: String,
    bytes: Vec<u8>,
    /// Version of the facts' meaning, when selected.
    #[sqlx(default)]
    schema: Option<i64>,
    /// When it first came, when selected.
    #[sqlx(default)]
    first_at: Option<i64>,
}

impl BodyRow {
    fn text(&self) -> Option<Vec<u8>> {
        unpack(&self.encoding, &self.bytes)
    }
}

/// The text of a body in its stored form; `None` when it cannot be unpacked.
pub(super) fn unpack(encoding: &str, bytes: &[u8]) -> Option<Vec<u8>> {
    match encoding {
        "plain" => Some(bytes.to_vec()),
        _ => compress::inflate(bytes, limits::SECTION).ok(),
    }
}

/// A body in its stored form: the bytes and their encoding.
struct Packed {
    encoding: &'static str,
    bytes: Vec<u8>,
}

fn pack(text: &str) -> Packed {
    if text.len() < PLAIN_BELOW {
        return Packed { encoding: "plain", bytes: text.as_bytes().to_vec() };
    }
    Packed { encoding: "deflate", bytes: compress::deflate(text.as_bytes()) }
}

impl Tx {
    /// Stores bodies, each marked whether it is the current one of its section; the previous one is retired by [`Tx::body_retire`].
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn body_insert(&mut self, bodies: &[(&Body, bool)], at: i64) -> StoreResult<()> {
        for piece in pieces(bodies) {
            let packed: Vec<(&(&Body, bool), Packed)> = piece.iter().map(|body| (body, pack(&body.0.text))).collect();
            on_db!(self, connection => {
                let mut insert = sqlx::QueryBuilder::new(
                    "insert into body (machine, section, digest, encoding, bytes, size, current, first_at, last_at) ",
                );
                insert.push_values(packed, |mut row, ((body, current), packed)| {
                    row.push_bind(body.machine.clone())
                        .push_bind(body.section.clone())
                        .push_bind(body.digest.to_string())
                        .push_bind(packed.encoding)
                        .push_bind(packed.bytes)
                        .push_bind(i64::try_from(body.text.len()).unwrap_or(i64::MAX))
                        .push_bind(*current)
                        .push_bind(at)
                        .push_bind(at);
                });
                insert.push(
                    " on conflict (machine, section, digest) do update set
                         current = (body.current or excluded.current), last_at = excluded.last_at",
                );
                insert.build().execute(connection).await?;
            });
        }
        Ok(())
    }

    /// Marks bodies as no longer current when another digest took their place (`None`: the section is gone).
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn body_retire(&mut self, changed: &[SectionChange], at: i64) -> StoreResult<()> {
        for piece in pieces(changed) {
            on_db!(self, connection => {
                let mut update = sqlx::QueryBuilder::new("with now (machine, section, digest) as (");
                update.push_values(piece, SectionChange::bind);
                update.push(") update body set current = false, last_at = ").push_bind(at);
                update.push(
                    " from now where body.machine = now.machine and body.section = now.section and body.current
                      and body.digest <> now.digest",
                );
                update.build().execute(connection).await?;
            });
        }
        Ok(())
    }

    /// Makes previously stored bodies the current ones of their sections again.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn body_restore(&mut self, changed: &[SectionChange], at: i64) -> StoreResult<()> {
        for piece in pieces(changed) {
            on_db!(self, connection => {
                let mut update = sqlx::QueryBuilder::new("with now (machine, section, digest) as (");
                update.push_values(piece, SectionChange::bind);
                update.push(") update body set current = true, last_at = ").push_bind(at);
                update.push(
                    " from now where body.machine = now.machine and body.section = now.section
                      and body.digest = now.digest and not body.current",
                );
                update.build().execute(connection).await?;
            });
        }
        Ok(())
    }

    /// Whether the body of this digest is stored.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn body_exists(&mut self, machine: &str, section: &str, digest: Digest) -> StoreResult<bool> {
        Ok(on_db!(self, connection => {
            sqlx::query_scalar(
                "select exists (select 1 from body where machine = $1 and section = $2 and digest = $3)",
            )
            .bind(machine)
            .bind(section)
            .bind(digest.to_string())
            .fetch_one(connection)
            .await?
        }))
    }

    /// The facts in the current bodies of these machines. A section that is missing, unreadable or unknown to this version reads as not
    /// collected, and facts that the machine's agent is known to misread read as unknown; a machine without bodies is left out.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn facts_load(&mut self, machines: &[String]) -> StoreResult<BTreeMap<String, Facts>> {
        self.facts_load_where("", machines).await
    }

    /// The same for only the sections that identify a machine's hardware.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn facts_of_hardware(&mut self, machines: &[String]) -> StoreResult<BTreeMap<String, Facts>> {
        self.facts_load_where(" and b.section in ('system', 'lan')", machines).await
    }

    /// The same for only the section `lan`, and for `system` of older agents: it says what they misread.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn facts_of_lan(&mut self, machines: &[String]) -> StoreResult<BTreeMap<String, Facts>> {
        let old = format!("b.section = 'system' and coalesce(h.schema, 0) < {SCHEMA_VERSION}");
        self.facts_load_where(&format!(" and (b.section = 'lan' or {old})"), machines).await
    }

    async fn facts_load_where(&mut self, condition: &str, machines: &[String]) -> StoreResult<BTreeMap<String, Facts>> {
        let mut facts: BTreeMap<String, Facts> = BTreeMap::new();
        let mut schemas: BTreeMap<String, u32> = BTreeMap::new();
        for list in in_lists(machines) {
            let rows: Vec<BodyRow> = on_db!(self, connection => {
                let mut select = sqlx::QueryBuilder::new(
                    "select b.machine, b.section, b.encoding, b.bytes, h.schema
                     from body b left join machine_head h on h.machine = b.machine where b.current",
                );
                select.push(condition).push(" and b.machine in ");
                select.push_tuples(list, |mut row, machine| { row.push_bind(machine); });
                select.build_query_as().fetch_all(connection).await?
            });
            for row in rows {
                schemas.insert(row.machine.clone(), row.schema.map_or(0, schema));
                let of_machine = facts
                    .entry(row.machine.clone())
                    .or_insert_with(|| Facts::unknown(policies::fact::Reason::NotCollected));
                let read = Section::from_name(&row.section).zip(row.text());
                if let Some((section, text)) = read
                    && let Err(error) = of_machine.decode(section, &text)
                {
                    tracing::warn!(
                        machine = row.machine,
                        section = row.section,
                        "a stored section cannot be read: {error}"
                    );
                }
            }
        }
        for (machine, facts) in &mut facts {
            facts.forget_misread(schemas.get(machine).copied().unwrap_or(0));
        }
        Ok(facts)
    }

    /// The newest `limit` bodies of one section of a machine, the newest first, each with when it first came. One that is damaged is left out.
    ///
    /// # Errors
    /// [`crate::store::StoreError::NotFound`] when the machine is not within `scope`.
    pub async fn section_bodies(
        &mut self,
        scope: &Scope,
        machine: &str,
        section: &str,
        limit: i64,
    ) -> StoreResult<Vec<(Vec<u8>, i64)>> {
        self.machine_require(scope, machine).await?;
        let rows: Vec<BodyRow> = on_db!(self, connection => {
            sqlx::query_as(
                "select machine, section, encoding, bytes, first_at from body where machine = $1 and section = $2
                 order by first_at desc, digest limit $3",
            )
            .bind(machine)
            .bind(section)
            .bind(limit)
            .fetch_all(connection)
            .await?
        });
        Ok(rows.iter().filter_map(|row| Some((row.text()?, row.first_at?))).collect())
    }

    /// The exact JSON texts of a machine's current sections by name, for pages and exports.
    ///
    /// # Errors
    /// [`crate::store::StoreError::NotFound`] when the machine is not within `scope`.
    #[cfg(test)]
    pub async fn section_texts(
        &mut self,
        scope: &super::Scope,
        machine: &str,
    ) -> StoreResult<BTreeMap<String, String>> {
        self.machine_require(scope, machine).await?;
        let rows: Vec<BodyRow> = on_db!(self, connection => {
            sqlx::query_as("select machine, section, encoding, bytes from body where current and machine = $1")
                .bind(machine)
                .fetch_all(connection)
                .await?
        });
        Ok(rows
            .into_iter()
            .filter_map(|row| Some((row.section.clone(), String::from_utf8(row.text()?).ok()?)))
            .collect())
    }

    /// Deletes bodies of `section` that are not current, were last current before `before` and are not held at `now`; at most `limit` at once.
    /// Digests stay in the signed headers, so the chain still verifies. Returns how many.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn body_prune(&mut self, section: &str, before: i64, now: i64, limit: i64) -> StoreResult<u64> {
        self.holds_lock().await?;
        Ok(on_db!(self, connection => {
            sqlx::query(concat!(
                "delete from body where section = $1 and last_at < $2 and not current and (machine, digest) in
                     (select b.machine, b.digest from body b where b.section = $1 and b.last_at < $2 and not b.current and ",
                unheld!("b.machine", "b.first_at", "b.last_at", "$4", "b.section"),
                " limit $3)",
            ))
            .bind(section)
            .bind(before)
            .bind(limit)
            .bind(now)
            .execute(connection)
            .await?
            .rows_affected()
        }))
    }

    /// The names of all sections with stored bodies.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn body_sections(&mut self) -> StoreResult<Vec<String>> {
        Ok(on_db!(self, connection => {
            sqlx::query_scalar("select distinct section from body order by section").fetch_all(connection).await?
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_survive_their_form() {
        let state = |observed_at| SectionState {
            digest: Digest::of(b"x"),
            observed_at,
            received_at: 9,
            known: observed_at > 0,
        };
        let mut sections = Sections(BTreeMap::from([("lan".to_owned(), state(7)), ("time".to_owned(), state(-7))]));
        let read = |sections: &Sections| Sections::decode(&sections.encode(), &sections.encode_seen());
        assert_eq!(read(&sections), sections);
        assert_eq!(sections.encode_seen(), "9 2 16");
        let before = sections.clone();
        sections.0.get_mut("lan").unwrap().received_at = 12;
        assert_eq!(read(&sections), sections);
        assert!(sections.same_list(&before));
        sections.0.get_mut("lan").unwrap().known = false;
        assert!(!sections.same_list(&before));
        assert_eq!(Sections::decode("lan nonsense known\n\n x", "9 2 16"), Sections::default());
        assert_eq!(Sections::decode(&sections.encode(), ""), Sections::default());
    }

    #[test]
    fn a_list_of_before_says_when_until_the_next_report() {
        let digest = Digest::of(b"x");
        let text = format!("lan {digest} 7 9 known\ntime {digest} 8 9 unknown\n");
        let times = |seen| {
            Sections::decode(&text, seen)
                .0
                .values()
                .map(|state| (state.observed_at, state.received_at))
                .collect::<Vec<_>>()
        };
        assert_eq!(times(""), [(7, 9), (8, 9)]);
        assert_eq!(times("20 1 2"), [(19, 20), (18, 20)]);
    }
}
