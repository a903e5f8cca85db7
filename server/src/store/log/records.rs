//! What leaves are about, read again from the store: the leaf that a record gives today, and how many records there are.

use protocol::header;

use super::{StoreResult, Tx};
use crate::audit::Entry;
use crate::evidence::{Leaf, Subject};
use crate::store::figure::OfficeDay;
use crate::store::report::StoredReport;

/// A record as the store holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// It is there, and gives this leaf.
    There(Leaf),
    /// It is there and gives this leaf, but its header was removed by retention.
    Removed(Leaf),
    /// It is there, but its own hash no longer fits what it says.
    Broken,
    /// It is not there.
    Absent,
}

/// Kinds of records that are leaves: audit entries, reports, forks, figures.
pub(super) const KINDS: usize = 4;

/// Subjects listed at once.
const PIECE: i64 = 1000;

fn there(fits: bool, leaf: Leaf) -> Record {
    if fits { Record::There(leaf) } else { Record::Broken }
}

impl Tx {
    /// What `subject` is about, as the store holds it now.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn log_record(&mut self, subject: &Subject) -> StoreResult<Record> {
        let found = match subject {
            Subject::Report { machine, segment, number } => {
                let (segment, number) = (segment.unsigned_abs(), number.unsigned_abs());
                match self.report_get(machine, segment, number).await? {
                    Some(StoredReport { segment, number, hash, header, received_at, .. }) => {
                        let leaf = Leaf::report(machine, segment, number, &hash, received_at);
                        Some(self.headed(machine, (&hash, &header, received_at), leaf).await?)
                    }
                    None => None,
                }
            }
            Subject::Fork { machine, hash } => self.fork_record(machine, hash).await?,
            Subject::Audit { number } => self.audit_get(*number).await?.map(|entry| {
                let Entry { number, at, .. } = entry;
                there(entry.compute_hash() == entry.hash, Leaf::audit(number, &entry.hash, at))
            }),
            Subject::Figure { office, day, revision } => {
                self.office_day_get(office, day, *revision).await?.map(|figure| {
                    let OfficeDay { revision, frozen_at, .. } = figure;
                    let leaf = Leaf::figure(office, day, revision, &figure.hash, frozen_at);
                    there(figure.compute_hash() == figure.hash, leaf)
                })
            }
            Subject::Checkpoint { epoch, size } => self.checkpoint_record(*epoch, *size).await?,
        };
        Ok(found.unwrap_or(Record::Absent))
    }

    async fn fork_record(&mut self, machine: &str, hash: &str) -> StoreResult<Option<Record>> {
        let row: Option<(i64, i64, Vec<u8>, i64)> = on_db!(self, connection => {
            sqlx::query_as("select segment, number, header, received_at from fork where machine = $1 and hash = $2")
                .bind(machine)
                .bind(hash)
                .fetch_optional(connection)
                .await?
        });
        let Some((segment, number, bytes, received_at)) = row else { return Ok(None) };
        let leaf = Leaf::fork(machine, segment, number, hash, received_at);
        Ok(Some(self.headed(machine, (hash, &bytes, received_at), leaf).await?))
    }

    /// A record with a header, which must fit its hash; an empty one must have been removed by retention.
    async fn headed(
        &mut self,
        machine: &str,
        (hash, bytes, received_at): (&str, &[u8], i64),
        leaf: Leaf,
    ) -> StoreResult<Record> {
        if bytes.is_empty() && self.header_is_removed(machine, received_at).await? {
            return Ok(Record::Removed(leaf));
        }
        Ok(there(header::hash(bytes).to_string() == hash, leaf))
    }

    /// The checkpoint as it was signed: cosignatures came later.
    async fn checkpoint_record(&mut self, epoch: i64, size: i64) -> StoreResult<Option<Record>> {
        let row: Option<(i64, String)> = on_db!(self, connection => {
            sqlx::query_as("select made_at, note from log_checkpoint where epoch = $1 and size = $2")
                .bind(epoch)
                .bind(size)
                .fetch_optional(connection)
                .await?
        });
        Ok(row.map(|(made_at, note)| {
            let own = note.parse::<protocol::log::Note>().map(|mut note| {
                note.signatures.truncate(1);
                note.to_string()
            });
            there(own.is_ok(), Leaf::checkpoint(epoch, size, &own.unwrap_or_default(), made_at))
        }))
    }

    /// The subjects of the records of a kind after that of `after`, a piece.
    pub(super) async fn log_subjects(&mut self, kind: usize, after: Option<&Subject>) -> StoreResult<Vec<Subject>> {
        Ok(match kind {
            0 => {
                let from = if let Some(Subject::Audit { number }) = after { *number } else { i64::MIN };
                let rows: Vec<i64> = on_db!(self, connection => {
                    sqlx::query_scalar("select number from audit_entry where number > $1 order by number limit $2")
                        .bind(from)
                        .bind(PIECE)
                        .fetch_all(connection)
                        .await?
                });
                rows.into_iter().map(|number| Subject::Audit { number }).collect()
            }
            1 => self.report_subjects(after).await?,
            2 => {
                let (of, from) = match after {
                    Some(Subject::Fork { machine, hash }) => (machine.as_str(), hash.as_str()),
                    _ => ("", ""),
                };
                let rows: Vec<(String, String)> = on_db!(self, connection => {
                    sqlx::query_as(
                        "select machine, hash from fork where (machine, hash) > ($1, $2) order by machine, hash limit $3",
                    )
                    .bind(of)
                    .bind(from)
                    .bind(PIECE)
                    .fetch_all(connection)
                    .await?
                });
                rows.into_iter().map(|(machine, hash)| Subject::Fork { machine, hash }).collect()
            }
            _ => self.figure_subjects(after).await?,
        })
    }

    async fn report_subjects(&mut self, after: Option<&Subject>) -> StoreResult<Vec<Subject>> {
        let (of, in_segment, from) = match after {
            Some(Subject::Report { machine, segment, number }) => (machine.as_str(), *segment, *number),
            _ => ("", 0, 0),
        };
        let rows: Vec<(String, i64, i64)> = on_db!(self, connection => {
            sqlx::query_as(
                "select machine, segment, number from report where (machine, segment, number) > ($1, $2, $3)
                 order by machine, segment, number limit $4",
            )
            .bind(of)
            .bind(in_segment)
            .bind(from)
            .bind(PIECE)
            .fetch_all(connection)
            .await?
        });
        Ok(rows.into_iter().map(|(machine, segment, number)| Subject::Report { machine, segment, number }).collect())
    }

    async fn figure_subjects(&mut self, after: Option<&Subject>) -> StoreResult<Vec<Subject>> {
        let (of, on, from) = match after {
            Some(Subject::Figure { office, day, revision }) => (office.as_str(), day.as_str(), *revision),
            _ => ("", "", 0),
        };
        let rows: Vec<(String, String, i64)> = on_db!(self, connection => {
            sqlx::query_as(
                "select office, day, revision from office_day where (office, day, revision) > ($1, $2, $3)
                 order by office, day, revision limit $4",
            )
            .bind(of)
            .bind(on)
            .bind(from)
            .bind(PIECE)
            .fetch_all(connection)
            .await?
        });
        Ok(rows.into_iter().map(|(office, day, revision)| Subject::Figure { office, day, revision }).collect())
    }

    /// How many records of each kind there are.
    #[cfg(test)]
    pub(in crate::store) async fn log_record_counts(&mut self) -> StoreResult<[i64; KINDS]> {
        Ok(on_db!(self, connection => {
            let counts: (i64, i64, i64, i64) = sqlx::query_as(
                "select (select count(*) from audit_entry), (select count(*) from report), (select count(*) from fork),
                     (select count(*) from office_day)",
            )
            .fetch_one(connection)
            .await?;
            [counts.0, counts.1, counts.2, counts.3]
        }))
    }

    /// How many leaves are about a record: all but the checkpoints with which epochs began.
    #[cfg(test)]
    pub(in crate::store) async fn log_subject_count(&mut self) -> StoreResult<i64> {
        let rows: Vec<String> = on_db!(self, connection => {
            sqlx::query_scalar("select subjects from log_leaf").fetch_all(connection).await?
        });
        let lines = rows.iter().flat_map(|row| row.lines()).filter(|line| !line.starts_with("checkpoint "));
        Ok(i64::try_from(lines.count()).unwrap_or(i64::MAX))
    }
}
