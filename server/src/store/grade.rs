//! Grades of offices as last made, and how they changed.

use policies::grade::{Grade, Movement, Points};
use policies::policy::Letter;
use sqlx::FromRow;

use super::office::OfficeKind;
use super::{Scope, StoreResult, Tx, new_id};

/// The grade of an office's own machines as last made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredGrade {
    /// The office.
    pub office: String,
    /// Address of the policy.
    pub policy: String,
    /// Milliseconds UTC.
    pub graded_at: i64,
    /// When it must be remade even if nothing happens.
    pub next_at: i64,
    /// The grade.
    pub grade: Grade,
}

/// A change of an office's score or letter.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct GradeChange {
    /// The office's id.
    pub office: String,
    /// Milliseconds UTC.
    pub at: i64,
    /// Address of the policy it was made by.
    pub policy: String,
    /// The score before; `None` for the first grade.
    pub score_before: Option<Points>,
    /// The score after.
    pub score_after: Points,
    /// The letter before.
    pub letter_before: Option<Letter>,
    /// The letter after.
    pub letter_after: Option<Letter>,
    /// What caused it; the parts add up to the difference.
    pub movement: Movement,
}

/// An office within a scope, with its grade in numbers.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct GradeRow {
    /// The office.
    pub office: String,
    /// The parent office's id.
    pub parent: Option<String>,
    /// Its name.
    pub name: String,
    /// Its level in the tree.
    #[sqlx(try_from = "String")]
    pub kind: OfficeKind,
    /// Millionths of a point; `None` when it was never graded.
    pub score: Option<i64>,
    /// The score over what can be fixed on the spot, in millionths; `None` when no such control applies.
    pub on_spot: Option<i64>,
    /// The letter's name.
    pub letter: Option<String>,
    /// How many machines are expected.
    pub expected: Option<i64>,
    /// How many of these have fresh evidence.
    pub covered: Option<i64>,
}

#[derive(Debug, FromRow)]
struct StoredRow {
    office: String,
    policy: String,
    graded_at: i64,
    next_at: i64,
    grade: String,
}

#[derive(Debug, FromRow)]
struct ChangeRow {
    office: String,
    at: i64,
    policy: String,
    score_before: Option<i64>,
    score_after: i64,
    letter_before: Option<String>,
    letter_after: Option<String>,
    by_office: i64,
    by_policy: i64,
    by_roster: i64,
}

/// A letter's name.
pub const fn letter_word(letter: Letter) -> &'static str {
    match letter {
        Letter::A => "A",
        Letter::B => "B",
        Letter::C => "C",
        Letter::D => "D",
        Letter::E => "E",
    }
}

/// The letter with this name.
pub fn letter_read(word: &str) -> Option<Letter> {
    Letter::ALL.into_iter().find(|letter| letter_word(*letter) == word)
}

impl From<ChangeRow> for GradeChange {
    fn from(row: ChangeRow) -> Self {
        Self {
            office: row.office,
            at: row.at,
            policy: row.policy,
            score_before: row.score_before.map(Points),
            score_after: Points(row.score_after),
            letter_before: row.letter_before.as_deref().and_then(letter_read),
            letter_after: row.letter_after.as_deref().and_then(letter_read),
            movement: Movement {
                office: Points(row.by_office),
                policy: Points(row.by_policy),
                roster: Points(row.by_roster),
            },
        }
    }
}

impl Tx {
    /// The grade of an office as last made. One that this version cannot read counts as absent: it is remade.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn office_grade_get(&mut self, office: &str) -> StoreResult<Option<StoredGrade>> {
        let row: Option<StoredRow> = on_db!(self, connection => {
            sqlx::query_as("select office, policy, graded_at, next_at, grade from office_grade where office = $1")
                .bind(office)
                .fetch_optional(connection)
                .await?
        });
        Ok(row.and_then(|row| match serde_json::from_str(&row.grade) {
            Ok(grade) => Some(StoredGrade {
                office: row.office,
                policy: row.policy,
                graded_at: row.graded_at,
                next_at: row.next_at,
                grade,
            }),
            Err(error) => {
                tracing::warn!(office = row.office, "a stored grade cannot be read and is made again: {error}");
                None
            }
        }))
    }

    /// Stores a grade in place of the one made at `previous_at` (`None`: no readable one). False when another server stored
    /// one meanwhile; nothing is written then.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn office_grade_put(
        &mut self,
        stored: &StoredGrade,
        previous_at: Option<i64>,
    ) -> StoreResult<bool> {
        let grade = &stored.grade;
        // Plain numbers and words always serialise to JSON.
        let json = serde_json::to_string(grade).unwrap_or_default();
        let count = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        Ok(on_db!(self, connection => {
            sqlx::query(
                "insert into office_grade (office, policy, graded_at, next_at, score, on_spot, without_waivers, letter,
                     expected, covered, grade)
                 values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
                 on conflict (office) do update set policy = excluded.policy, graded_at = excluded.graded_at,
                     next_at = excluded.next_at, score = excluded.score, on_spot = excluded.on_spot,
                     without_waivers = excluded.without_waivers, letter = excluded.letter, expected = excluded.expected,
                     covered = excluded.covered, grade = excluded.grade
                 where $12 is null or office_grade.graded_at = $12",
            )
            .bind(&stored.office)
            .bind(&stored.policy)
            .bind(stored.graded_at)
            .bind(stored.next_at)
            .bind(grade.score.0)
            .bind(grade.on_spot.map(|points| points.0))
            .bind(grade.without_waivers.0)
            .bind(grade.letter().map(letter_word))
            .bind(count(grade.coverage.expected))
            .bind(count(grade.coverage.covered))
            .bind(json)
            .bind(previous_at)
            .execute(connection)
            .await?
            .rows_affected()
        }) == 1)
    }

    /// Offices whose grade must be made at `now`: never graded, due, graded by another policy, or at a future time shown by a wrong clock.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn office_grade_due(&mut self, policy: &str, now: i64, limit: i64) -> StoreResult<Vec<String>> {
        Ok(on_db!(self, connection => {
            sqlx::query_scalar(
                "select o.id from office o left join office_grade g on g.office = o.id
                 where g.office is null or g.next_at <= $2 or g.graded_at > $2 or g.policy <> $1 order by o.id limit $3",
            )
            .bind(policy)
            .bind(now)
            .bind(limit)
            .fetch_all(connection)
            .await?
        }))
    }

    /// The office `top` and all below it within `scope`, by name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn office_grade_tree(&mut self, scope: &Scope, top: &str) -> StoreResult<Vec<GradeRow>> {
        Ok(on_db!(self, connection => {
            sqlx::query_as(
                "select o.id as office, o.parent, o.name, o.kind, g.score, g.on_spot, g.letter, g.expected, g.covered
                 from office_within below join office_within w on w.office = below.office
                     join office o on o.id = below.office left join office_grade g on g.office = o.id
                 where below.ancestor = $2 and w.ancestor = $1 order by o.name, o.id",
            )
            .bind(scope.ancestor())
            .bind(top)
            .fetch_all(connection)
            .await?
        }))
    }

    /// Stores a change of a grade.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn grade_change_insert(&mut self, change: &GradeChange) -> StoreResult<()> {
        on_db!(self, connection => {
            sqlx::query(
                "insert into grade_change (id, office, at, policy, score_before, score_after, letter_before, letter_after,
                     by_office, by_policy, by_roster)
                 values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
            )
            .bind(new_id())
            .bind(&change.office)
            .bind(change.at)
            .bind(&change.policy)
            .bind(change.score_before.map(|points| points.0))
            .bind(change.score_after.0)
            .bind(change.letter_before.map(letter_word))
            .bind(change.letter_after.map(letter_word))
            .bind(change.movement.office.0)
            .bind(change.movement.policy.0)
            .bind(change.movement.roster.0)
            .execute(connection)
            .await?;
        });
        Ok(())
    }

    /// How the grade of an office changed, the newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn grade_change_list(
        &mut self,
        scope: &Scope,
        office: &str,
        limit: i64,
    ) -> StoreResult<Vec<GradeChange>> {
        let rows: Vec<ChangeRow> = on_db!(self, connection => {
            sqlx::query_as(
                "select c.office, c.at, c.policy, c.score_before, c.score_after, c.letter_before, c.letter_after,
                     c.by_office, c.by_policy, c.by_roster
                 from grade_change c join office_within w on w.office = c.office
                 where w.ancestor = $1 and c.office = $2 order by c.at desc, c.id desc limit $3",
            )
            .bind(scope.ancestor())
            .bind(office)
            .bind(limit)
            .fetch_all(connection)
            .await?
        });
        Ok(rows.into_iter().map(GradeChange::from).collect())
    }

    /// How far the score of an office moved after `since_at`, by cause. The first grade does not count as movement.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn grade_change_sum(&mut self, scope: &Scope, office: &str, since_at: i64) -> StoreResult<Movement> {
        let (office, policy, roster): (i64, i64, i64) = on_db!(self, connection => {
            sqlx::query_as(
                "select cast(coalesce(sum(c.by_office), 0) as bigint), cast(coalesce(sum(c.by_policy), 0) as bigint),
                     cast(coalesce(sum(c.by_roster), 0) as bigint)
                 from grade_change c join office_within w on w.office = c.office
                 where w.ancestor = $1 and c.office = $2 and c.at > $3 and c.score_before is not null",
            )
            .bind(scope.ancestor())
            .bind(office)
            .bind(since_at)
            .fetch_one(connection)
            .await?
        });
        Ok(Movement { office: Points(office), policy: Points(policy), roster: Points(roster) })
    }
}
