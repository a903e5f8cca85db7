//! Legal holds (giữ dữ liệu phục vụ vụ việc): what a machine reported in a period is exempt from retention. Rows are never deleted. Owns
//! no rule: who may do what is decided in `act/hold`.

pub mod gone;

use sqlx::FromRow;

use super::{Link, Noun, Scope, StoreError, StoreResult, Tx};

/// The condition that no hold in force at `$now` exempts what was there from `$first` to `$last`, for the statement that deletes it. With
/// `$section` a hold on other sections exempts nothing.
macro_rules! unheld {
    ($machine:literal, $first:literal, $last:literal, $now:literal $(, $section:literal)?) => {
        concat!(
            "not exists (select 1 from legal_hold o where o.machine = ", $machine,
            " and (o.kept_until_at is null or o.kept_until_at > ", $now, ") and o.from_at <= ", $last,
            " and (o.until_at is null or o.until_at > ", $first, ")",
            $( " and (o.sections = '' or replace(o.sections, ' ' || ", $section, " || ' ', '') <> o.sections)", )?
            ")"
        )
    };
}
pub(in crate::store) use unheld;

/// The document that orders a hold.
#[derive(Clone, Debug, PartialEq, Eq, FromRow, serde::Serialize)]
pub struct Paper {
    /// Its number and symbol.
    #[sqlx(rename = "paper_number")]
    pub number: String,
    /// Its day, `2026-11-22`.
    #[sqlx(rename = "paper_date")]
    pub date: String,
    /// Who issued it.
    #[sqlx(rename = "paper_issuer")]
    pub issuer: String,
}

/// The sections that a hold is about; none means all.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct HeldSections(pub Vec<String>);

impl HeldSections {
    /// Whether a section is among them.
    pub fn hold(&self, section: &str) -> bool {
        self.0.is_empty() || self.0.iter().any(|held| held == section)
    }

    fn stored(&self) -> String {
        self.0.iter().map(|section| format!(" {section} ")).collect()
    }
}

impl From<String> for HeldSections {
    fn from(stored: String) -> Self {
        Self(stored.split_whitespace().map(str::to_owned).collect())
    }
}

/// A legal hold.
#[derive(Clone, Debug, PartialEq, Eq, FromRow, serde::Serialize)]
pub struct Hold {
    /// UUIDv7.
    pub id: String,
    /// The machine.
    pub machine: String,
    /// The beginning of the period, milliseconds UTC.
    pub from_at: i64,
    /// Its end; `None` while the period goes on.
    pub until_at: Option<i64>,
    /// What is held.
    #[sqlx(try_from = "String")]
    pub sections: HeldSections,
    /// The document that orders it.
    #[sqlx(flatten)]
    pub paper: Paper,
    /// Since when it is held, milliseconds UTC.
    pub made_at: i64,
    /// Who entered it.
    pub made_by: String,
    /// When somebody asked that it be released.
    pub asked_at: Option<i64>,
    /// Who asked.
    pub asked_by: Option<String>,
    /// Why.
    pub asked_why: Option<String>,
    /// When a second person agreed.
    pub released_at: Option<i64>,
    /// That person.
    pub released_by: Option<String>,
    /// Until when everything is kept after the release.
    pub kept_until_at: Option<i64>,
}

/// A hold with what its row in a list needs.
#[derive(Clone, Debug, PartialEq, Eq, FromRow, serde::Serialize)]
pub struct ListedHold {
    /// The hold.
    #[sqlx(flatten)]
    #[serde(flatten)]
    pub hold: Hold,
    /// The name the machine gives itself: hostile text.
    pub machine_name: String,
    /// The name of its office.
    pub office_name: String,
}

impl Tx {
    /// Keeps holds and retention from passing each other: until this transaction ends no hold is made, and one that was being made is seen.
    /// SQLite has one writer and needs nothing.
    ///
    /// # Errors
    /// When the database fails.
    pub(in crate::store) async fn holds_lock(&mut self) -> StoreResult<()> {
        if let Link::Postgres(link) = &mut self.link {
            sqlx::query("lock table legal_hold in share row exclusive mode").execute(&mut **link).await?;
        }
        Ok(())
    }

    /// Stores a new hold. What is there when this returns stays.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the machine is not within `scope`.
    pub(crate) async fn hold_insert(&mut self, scope: &Scope, hold: &Hold) -> StoreResult<()> {
        self.machine_require(scope, &hold.machine).await?;
        on_db!(self, connection => {
            sqlx::query(
                "insert into legal_hold (id, machine, from_at, until_at, sections, paper_number, paper_date, paper_issuer, made_at, made_by)
                 values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            )
            .bind(&hold.id)
            .bind(&hold.machine)
            .bind(hold.from_at)
            .bind(hold.until_at)
            .bind(hold.sections.stored())
            .bind(&hold.paper.number)
            .bind(&hold.paper.date)
            .bind(&hold.paper.issuer)
            .bind(hold.made_at)
            .bind(&hold.made_by)
            .execute(connection)
            .await?;
        });
        Ok(())
    }

    /// A hold.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when its machine is not within `scope`.
    pub async fn hold_require(&mut self, scope: &Scope, id: &str) -> StoreResult<Hold> {
        let hold: Option<Hold> = on_db!(self, connection => {
            sqlx::query_as("select * from legal_hold where id = $1").bind(id).fetch_optional(connection).await?
        });
        let hold = hold.ok_or_else(|| StoreError::not_found(Noun::Hold, id))?;
        match self.machine_require(scope, &hold.machine).await {
            Err(StoreError::NotFound { .. }) => Err(StoreError::not_found(Noun::Hold, id)),
            found => found.map(|_| hold),
        }
    }

    /// Notes who asked that a hold be released, or with `None` that it is kept. False if it was released meanwhile, or the other holds already.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn hold_ask(&mut self, id: &str, asked: Option<(i64, &str, &str)>) -> StoreResult<bool> {
        let (at, by, why) = (asked.map(|asked| asked.0), asked.map(|asked| asked.1), asked.map(|asked| asked.2));
        Ok(on_db!(self, connection => {
            sqlx::query(
                "update legal_hold set asked_at = $2, asked_by = $3, asked_why = $4
                 where id = $1 and released_at is null and (asked_at is null) = ($2 is not null)",
            )
            .bind(id)
            .bind(at)
            .bind(by)
            .bind(why)
            .execute(connection)
            .await?
            .rows_affected()
        }) == 1)
    }

    /// Releases a hold whose release `by` did not ask for. False if nobody else asked.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn hold_release(&mut self, id: &str, at: i64, by: &str, kept_until_at: i64) -> StoreResult<bool> {
        Ok(on_db!(self, connection => {
            sqlx::query(
                "update legal_hold set released_at = $2, released_by = $3, kept_until_at = $4
                 where id = $1 and released_at is null and asked_by <> $3",
            )
            .bind(id)
            .bind(at)
            .bind(by)
            .bind(kept_until_at)
            .execute(connection)
            .await?
            .rows_affected()
        }) == 1)
    }

    /// The holds on a machine that are in force at `now`, the newest first.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the machine is not within `scope`.
    pub async fn hold_list_of_machine(&mut self, scope: &Scope, machine: &str, now: i64) -> StoreResult<Vec<Hold>> {
        self.machine_require(scope, machine).await?;
        Ok(on_db!(self, connection => {
            sqlx::query_as(
                "select * from legal_hold where machine = $1 and (kept_until_at is null or kept_until_at > $2)
                 order by made_at desc, id desc",
            )
            .bind(machine)
            .bind(now)
            .fetch_all(connection)
            .await?
        }))
    }

    /// The holds in force at `after` on machines of an office and of those below it, the newest first, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the office is not within `scope`.
    pub async fn hold_list(
        &mut self,
        scope: &Scope,
        office: &str,
        after: i64,
        limit: i64,
    ) -> StoreResult<Vec<ListedHold>> {
        self.office_require(scope, office).await?;
        Ok(on_db!(self, connection => {
            sqlx::query_as(
                "select l.*, m.name as machine_name, o.name as office_name
                 from legal_hold l cross join machine m cross join office_within w cross join office o
                 where (l.kept_until_at is null or l.kept_until_at > $2) and m.id = l.machine and w.office = m.office
                     and w.ancestor = $1 and o.id = m.office order by l.made_at desc, l.id desc limit $3",
            )
            .bind(office)
            .bind(after)
            .bind(limit)
            .fetch_all(connection)
            .await?
        }))
    }
}
