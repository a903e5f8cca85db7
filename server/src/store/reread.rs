//! Reading again what is stored, page by page, to verify it: nothing else reads so much.

use std::collections::BTreeMap;

use sqlx::FromRow;

use super::machine::Machine;
use super::report::StoredReport;
use super::roster::RosterLine;
use super::section::unpack;
use super::{StoreResult, Tx};
use crate::audit::Entry;
use crate::store::figure::OfficeDay;

/// Machines, bodies or figures read at once.
const PAGE: i64 = 100;
/// Audit entries read at once.
const ENTRIES: i64 = 1000;

/// A refused branch with everything that was kept of it.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct ForkRow {
    /// The segment it claims.
    pub segment: i64,
    /// The number it claims.
    pub number: i64,
    /// Hash of its header, hexadecimal.
    pub hash: String,
    /// The signed bytes.
    pub header: Vec<u8>,
    /// The signature over them.
    pub signature: Vec<u8>,
    /// The compressed bodies as received.
    pub bodies: Option<Vec<u8>>,
    /// Its start id.
    pub start_id: String,
    /// Its hardware traits.
    pub traits: String,
    /// Milliseconds UTC.
    pub received_at: i64,
}

/// A stored section of a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredBody {
    /// The section's name.
    pub section: String,
    /// The digest it is stored under, hexadecimal.
    pub digest: String,
    /// Its JSON text; `None` when it cannot be unpacked.
    pub text: Option<Vec<u8>>,
    /// When it first came, milliseconds UTC.
    pub first_at: i64,
}

/// The stored grade of an office, with the numbers that pages read apart from it.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct GradeColumns {
    /// Address of the policy.
    pub policy: String,
    /// Milliseconds UTC.
    pub graded_at: i64,
    /// Millionths of a point.
    pub score: i64,
    /// The same over what can be fixed on the spot.
    pub on_spot: Option<i64>,
    /// The same as if nothing were waived.
    pub without_waivers: i64,
    /// The letter's name.
    pub letter: Option<String>,
    /// Machines expected.
    pub expected: i64,
    /// Those with fresh evidence.
    pub covered: i64,
    /// The whole grade, JSON.
    pub grade: String,
}

impl Tx {
    /// Machines after the id `after`, revoked ones included.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn machine_page(&mut self, after: &str) -> StoreResult<Vec<Machine>> {
        Ok(on_db!(self, connection => {
            sqlx::query_as("select * from machine where id > $1 order by id limit $2")
                .bind(after)
                .bind(PAGE)
                .fetch_all(connection)
                .await?
        }))
    }

    /// Reports of a machine after the segment and number `after`, at most `limit`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn report_page(
        &mut self,
        machine: &str,
        after: (i64, i64),
        limit: i64,
    ) -> StoreResult<Vec<StoredReport>> {
        let mut reports: Vec<StoredReport> = on_db!(self, connection => {
            sqlx::query_as(
                "select segment, number, hash, header, signature, received_at, made_at from report
                 where machine = $1 and (segment, number) > ($2, $3) order by segment, number limit $4",
            )
            .bind(machine)
            .bind(after.0)
            .bind(after.1)
            .bind(limit)
            .fetch_all(connection)
            .await?
        });
        self.headers_unpack(machine, &mut reports).await?;
        Ok(reports)
    }

    /// Refused branches of a machine after the hash `after`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn fork_page(&mut self, machine: &str, after: &str) -> StoreResult<Vec<ForkRow>> {
        Ok(on_db!(self, connection => {
            sqlx::query_as(
                "select segment, number, hash, header, signature, bodies, start_id, traits, received_at from fork
                 where machine = $1 and hash > $2 order by hash limit $3",
            )
            .bind(machine)
            .bind(after)
            .bind(PAGE)
            .fetch_all(connection)
            .await?
        }))
    }

    /// Bodies of a machine after the section and digest `after`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn body_page(&mut self, machine: &str, after: (&str, &str)) -> StoreResult<Vec<StoredBody>> {
        let rows: Vec<(String, String, String, Vec<u8>, i64)> = on_db!(self, connection => {
            sqlx::query_as(
                "select section, digest, encoding, bytes, first_at from body
                 where machine = $1 and (section, digest) > ($2, $3) order by section, digest limit $4",
            )
            .bind(machine)
            .bind(after.0)
            .bind(after.1)
            .bind(PAGE)
            .fetch_all(connection)
            .await?
        });
        let body = |(section, digest, encoding, bytes, first_at): (String, String, String, Vec<u8>, i64)| StoredBody {
            section,
            digest,
            text: unpack(&encoding, &bytes),
            first_at,
        };
        Ok(rows.into_iter().map(body).collect())
    }

    /// The text of one body, if it is stored and can be unpacked.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn body_text(&mut self, machine: &str, section: &str, digest: &str) -> StoreResult<Option<Vec<u8>>> {
        let row: Option<(String, Vec<u8>)> = on_db!(self, connection => {
            sqlx::query_as("select encoding, bytes from body where machine = $1 and section = $2 and digest = $3")
                .bind(machine)
                .bind(section)
                .bind(digest)
                .fetch_optional(connection)
                .await?
        });
        Ok(row.and_then(|(encoding, bytes)| unpack(&encoding, &bytes)))
    }

    /// The digests of a machine's current bodies by section.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn body_current(&mut self, machine: &str) -> StoreResult<BTreeMap<String, Vec<String>>> {
        let rows: Vec<(String, String)> = on_db!(self, connection => {
            sqlx::query_as("select section, digest from body where machine = $1 and current order by section, digest")
                .bind(machine)
                .fetch_all(connection)
                .await?
        });
        let mut current: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (section, digest) in rows {
            current.entry(section).or_default().push(digest);
        }
        Ok(current)
    }

    /// Audit entries after the number `after`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn audit_page(&mut self, after: i64) -> StoreResult<Vec<Entry>> {
        Ok(on_db!(self, connection => {
            sqlx::query_as("select * from audit_entry where number > $1 order by number limit $2")
                .bind(after)
                .bind(ENTRIES)
                .fetch_all(connection)
                .await?
        }))
    }

    /// How many audit entries were ever written.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn audit_written(&mut self) -> StoreResult<i64> {
        Ok(on_db!(self, connection => {
            sqlx::query_scalar("select value from sequence where name = 'audit'").fetch_one(connection).await?
        }))
    }

    /// When the newest audit entry of an office was written; 0 without one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn audit_newest(&mut self, office: &str) -> StoreResult<i64> {
        Ok(on_db!(self, connection => {
            sqlx::query_scalar("select coalesce(max(at), 0) from audit_entry where office = $1")
                .bind(office)
                .fetch_one(connection)
                .await?
        }))
    }

    /// The lines of an office's roster, removed ones included.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn roster_line_all(&mut self, office: &str) -> StoreResult<Vec<RosterLine>> {
        Ok(on_db!(self, connection => {
            sqlx::query_as("select * from roster_line where office = $1 order by label, id")
                .bind(office)
                .fetch_all(connection)
                .await?
        }))
    }

    /// The stored grade of an office as its columns hold it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn office_grade_columns(&mut self, office: &str) -> StoreResult<Option<GradeColumns>> {
        Ok(on_db!(self, connection => {
            sqlx::query_as(
                "select policy, graded_at, score, on_spot, without_waivers, letter, expected, covered, grade
                 from office_grade where office = $1",
            )
            .bind(office)
            .fetch_optional(connection)
            .await?
        }))
    }

    /// Frozen figures of an office after the day and revision `after`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn office_day_page(&mut self, office: &str, after: (&str, i64)) -> StoreResult<Vec<OfficeDay>> {
        Ok(on_db!(self, connection => {
            sqlx::query_as(
                "select * from office_day where office = $1 and (day, revision) > ($2, $3) order by day, revision limit $4",
            )
            .bind(office)
            .bind(after.0)
            .bind(after.1)
            .bind(PAGE)
            .fetch_all(connection)
            .await?
        }))
    }

    /// When every policy was published, in order, with its address.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn policy_publications(&mut self) -> StoreResult<Vec<(i64, String)>> {
        Ok(on_db!(self, connection => {
            sqlx::query_as("select published_at, address from policy_bundle order by version").fetch_all(connection).await?
        }))
    }
}
