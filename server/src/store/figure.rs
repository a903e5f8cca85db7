//! Frozen figures of offices, one a day. The first of a day is never rewritten; later evidence appears as a further revision.

use protocol::Digest;
use sqlx::FromRow;

use super::grade::{StoredGrade, letter_word};
use super::{StoreResult, Tx};
use crate::evidence::Leaf;

/// Prefix of the hashed bytes.
const PREFIX: &[u8] = b"tram-an/office-day/1\n";

/// The figures of an office for one day, at the stated hour.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct OfficeDay {
    /// The office.
    pub office: String,
    /// The day as `2026-11-22`, in the time zone of the pages.
    pub day: String,
    /// 1, or more for a correction.
    pub revision: i64,
    /// Milliseconds UTC.
    pub frozen_at: i64,
    /// Address of the policy.
    pub policy: String,
    /// Millionths of a point; `None` when no machine was expected.
    pub score: Option<i64>,
    /// The same over what can be fixed on the spot.
    pub spot_score: Option<i64>,
    /// The letter's name, if there is a letter.
    pub letter: Option<String>,
    /// Machines that counted.
    pub expected: i64,
    /// Those with fresh evidence.
    pub covered: i64,
    /// The ledger as JSON.
    pub ledger: String,
    /// [`OfficeDay::compute_hash`], for the footer of documents.
    pub hash: String,
}

impl OfficeDay {
    /// SHA-256 over every field but the hash, each with its length in front.
    pub fn compute_hash(&self) -> String {
        let number = |number: Option<i64>| number.map(|number| number.to_string()).unwrap_or_default();
        let fields = [
            self.office.clone(),
            self.day.clone(),
            self.revision.to_string(),
            self.frozen_at.to_string(),
            self.policy.clone(),
            number(self.score),
            number(self.spot_score),
            self.letter.clone().unwrap_or_default(),
            self.expected.to_string(),
            self.covered.to_string(),
            self.ledger.clone(),
        ];
        let mut bytes = PREFIX.to_vec();
        for field in fields {
            bytes.extend((field.len() as u64).to_be_bytes());
            bytes.extend(field.as_bytes());
        }
        Digest::of(&bytes).to_string()
    }
}

impl StoredGrade {
    /// The figure of `day`, frozen at `now`.
    ///
    /// # Errors
    /// None in practice: the ledger is plain numbers and words.
    pub fn freeze(&self, day: &str, now: i64) -> StoreResult<OfficeDay> {
        let grade = &self.grade;
        let count = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        let mut figure = OfficeDay {
            office: self.office.clone(),
            day: day.to_owned(),
            revision: 1,
            frozen_at: now,
            policy: self.policy.clone(),
            score: (grade.coverage.expected > 0).then_some(grade.score.0),
            spot_score: grade.on_spot.map(|points| points.0),
            letter: grade.letter().map(|letter| letter_word(letter).to_owned()),
            expected: count(grade.coverage.expected),
            covered: count(grade.coverage.covered),
            ledger: serde_json::to_string(&grade.ledger).map_err(|error| sqlx::Error::Encode(error.into()))?,
            hash: String::new(),
        };
        figure.hash = figure.compute_hash();
        Ok(figure)
    }
}

impl Tx {
    /// Stores a frozen figure. False when that day and revision of the office already exists: it is left unchanged.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn office_day_insert(&mut self, day: &OfficeDay) -> StoreResult<bool> {
        let inserted = on_db!(self, connection => {
            sqlx::query(
                "insert into office_day (office, day, revision, frozen_at, policy, score, spot_score, letter, expected, covered,
                     ledger, hash)
                 values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) on conflict do nothing",
            )
            .bind(&day.office)
            .bind(&day.day)
            .bind(day.revision)
            .bind(day.frozen_at)
            .bind(&day.policy)
            .bind(day.score)
            .bind(day.spot_score)
            .bind(&day.letter)
            .bind(day.expected)
            .bind(day.covered)
            .bind(&day.ledger)
            .bind(&day.hash)
            .execute(connection)
            .await?
            .rows_affected()
        }) == 1;
        if inserted {
            self.log_note(Leaf::figure(&day.office, &day.day, day.revision, &day.hash, day.frozen_at));
        }
        Ok(inserted)
    }

    /// The frozen figure of an office, day and revision.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn office_day_get(&mut self, office: &str, day: &str, revision: i64) -> StoreResult<Option<OfficeDay>> {
        Ok(on_db!(self, connection => {
            sqlx::query_as("select * from office_day where office = $1 and day = $2 and revision = $3")
                .bind(office)
                .bind(day)
                .bind(revision)
                .fetch_optional(connection)
                .await?
        }))
    }

    /// The frozen figures of an office from `first` to `last` (days as text), corrections after what they correct.
    ///
    /// # Errors
    /// When the database fails.
    #[cfg(test)]
    pub async fn office_day_list(
        &mut self,
        scope: &super::Scope,
        office: &str,
        first: &str,
        last: &str,
    ) -> StoreResult<Vec<OfficeDay>> {
        Ok(on_db!(self, connection => {
            sqlx::query_as(
                "select d.* from office_day d join office_within w on w.office = d.office
                 where w.ancestor = $1 and d.office = $2 and d.day >= $3 and d.day <= $4 order by d.day, d.revision",
            )
            .bind(scope.ancestor())
            .bind(office)
            .bind(first)
            .bind(last)
            .fetch_all(connection)
            .await?
        }))
    }
}

#[cfg(test)]
impl OfficeDay {
    /// The first figure of a day, without its hash.
    pub(crate) fn sample(office: &str) -> Self {
        Self {
            office: office.to_owned(),
            day: "2026-11-22".to_owned(),
            revision: 1,
            frozen_at: 1,
            policy: "p".to_owned(),
            score: Some(90_000_000),
            spot_score: None,
            letter: Some("A".to_owned()),
            expected: 2,
            covered: 2,
            ledger: "[]".to_owned(),
            hash: String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Scope;
    use super::super::test_database::{self, on_both};
    use super::*;

    on_both! {
        async fn the_first_figure_of_a_day_stays(test_database: &TestDatabase) {
            let mut tx = test_database.db.write().await.unwrap();
            let office = test_database::office(&mut tx, "Xã", None).await;
            let figure = OfficeDay { hash: "h".to_owned(), ..OfficeDay::sample(&office) };
            assert!(tx.office_day_insert(&figure).await.unwrap());
            assert!(!tx.office_day_insert(&OfficeDay { score: Some(0), ..figure.clone() }).await.unwrap());
            let correction = OfficeDay { revision: 2, score: Some(80_000_000), ..figure.clone() };
            assert!(tx.office_day_insert(&correction).await.unwrap());
            tx.commit().await.unwrap();
            let mut tx = test_database.db.read().await.unwrap();
            let kept = tx.office_day_list(&Scope::office(&office), &office, "2026-11-01", "2026-11-30").await.unwrap();
            assert_eq!(kept, [figure, correction]);
            let outside = tx.office_day_list(&Scope::office("x"), &office, "2026-11-01", "2026-11-30").await.unwrap();
            assert!(outside.is_empty());
        }
    }

    #[test]
    fn a_figure_cannot_be_changed_without_its_hash() {
        let figure = OfficeDay::sample("o");
        let first = figure.compute_hash();
        assert_ne!(first, OfficeDay { score: None, spot_score: Some(90_000_000), ..figure.clone() }.compute_hash());
        assert_ne!(first, OfficeDay { covered: 1, ..figure }.compute_hash());
    }
}
