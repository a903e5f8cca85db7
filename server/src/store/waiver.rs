//! Waivers (ngoại lệ có thời hạn): of one control on one machine, requested by one person and decided by another. Nothing is
//! ever deleted. Owns no rule: who may do what is decided in `act/waiver`.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::FromRow;

use super::many::in_lists;
use super::{Link, Noun, Scope, StoreError, StoreResult, Tx};

words! {
    /// The state of a waiver.
    WaiverState {
        /// Đã đề nghị, chờ quyết định.
        Asked = "asked",
        /// Được chấp thuận.
        Granted = "granted",
        /// Không được chấp thuận.
        Refused = "refused",
        /// Đã rút trước hạn.
        Withdrawn = "withdrawn",
        /// Đã hết hạn.
        Ended = "ended",
    }
}

/// A waiver.
#[derive(Clone, Debug, PartialEq, Eq, FromRow, serde::Serialize)]
pub struct Waiver {
    /// UUIDv7.
    pub id: String,
    /// The machine.
    pub machine: String,
    /// The control's id.
    pub control: String,
    /// The reason for the request: text from a person.
    pub reason: String,
    /// Its state.
    #[sqlx(try_from = "String")]
    pub state: WaiverState,
    /// Milliseconds UTC.
    pub asked_at: i64,
    /// The person who requested it.
    pub asked_by: String,
    /// It holds until this instant, milliseconds UTC.
    pub until_at: i64,
    /// When it was granted or refused; a granted one holds from then on.
    pub decided_at: Option<i64>,
    /// Who granted or refused it.
    pub decided_by: Option<String>,
    /// Why it was refused.
    pub decided_why: Option<String>,
    /// When it was withdrawn or found to have ended.
    pub ended_at: Option<i64>,
    /// Who withdrew it, or the program when its date came.
    pub ended_by: Option<String>,
}

impl Waiver {
    /// True while it waits for a decision or is in force at `now`, milliseconds UTC.
    pub fn is_open(&self, now: i64) -> bool {
        match self.state {
            WaiverState::Asked => true,
            WaiverState::Granted => now < self.until_at,
            WaiverState::Refused | WaiverState::Withdrawn | WaiverState::Ended => false,
        }
    }
}

/// A waiver within a scope, with what its row on a page needs.
#[derive(Clone, Debug, PartialEq, Eq, FromRow, serde::Serialize)]
pub struct ListedWaiver {
    /// The waiver.
    #[sqlx(flatten)]
    #[serde(flatten)]
    pub waiver: Waiver,
    /// The name the machine gives itself: hostile text.
    pub machine_name: String,
    /// The office of the machine.
    pub office: String,
    /// The name of that office.
    pub office_name: String,
}

/// Which waivers a list includes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listed {
    /// Requested or in force.
    Open,
    /// All, including decided and ended ones.
    All,
}

/// The waivers in force on some machines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InForce(BTreeMap<String, BTreeSet<String>>);

impl InForce {
    /// Those of `waivers` that were in force at `at`.
    pub fn at(waivers: &[Waiver], at: i64) -> Self {
        let holds = |waiver: &&Waiver| {
            waiver.state != WaiverState::Refused
                && waiver.decided_at.is_some_and(|decided_at| decided_at <= at)
                && waiver.ended_at.is_none_or(|ended_at| ended_at > at)
                && waiver.until_at > at
        };
        let mut in_force = Self::default();
        for waiver in waivers.iter().filter(holds) {
            in_force.0.entry(waiver.machine.clone()).or_default().insert(waiver.control.clone());
        }
        in_force
    }

    /// Whether `control` is waived on `machine`.
    pub fn holds(&self, machine: &str, control: &str) -> bool {
        self.0.get(machine).is_some_and(|controls| controls.contains(control))
    }

    /// Whether the same controls of `machine` are waived in both sets.
    pub fn is_same_for(&self, other: &Self, machine: &str) -> bool {
        self.0.get(machine) == other.0.get(machine)
    }
}

/// Waivers with their machines and offices. The cross joins keep SQLite from reading every machine of the tree: it begins
/// with the waivers, of which there are few, and with the open ones by their own index.
macro_rules! select_listed {
    ($which:literal) => {
        concat!(
            "select v.*, m.name as machine_name, o.id as office, o.name as office_name
             from waiver v cross join machine m cross join office_within w cross join office o
             where ",
            $which,
            " m.id = v.machine and w.office = m.office and w.ancestor = $1 and o.id = m.office
             order by case v.state when 'asked' then 0 when 'granted' then 1 else 2 end, v.until_at, v.id limit $2"
        )
    };
}

impl Tx {
    /// Stores a new waiver.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the machine is not within `scope`; a duplicate when one is open for the same control.
    pub(crate) async fn waiver_insert(&mut self, scope: &Scope, waiver: &Waiver) -> StoreResult<()> {
        self.machine_require(scope, &waiver.machine).await?;
        on_db!(self, connection => {
            sqlx::query(
                "insert into waiver (id, machine, control, reason, state, asked_at, asked_by, until_at)
                 values ($1, $2, $3, $4, $5, $6, $7, $8)",
            )
            .bind(&waiver.id)
            .bind(&waiver.machine)
            .bind(&waiver.control)
            .bind(&waiver.reason)
            .bind(waiver.state.word())
            .bind(waiver.asked_at)
            .bind(&waiver.asked_by)
            .bind(waiver.until_at)
            .execute(connection)
            .await?;
        });
        Ok(())
    }

    /// One waiver.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when its machine is not within `scope`.
    pub async fn waiver_require(&mut self, scope: &Scope, id: &str) -> StoreResult<Waiver> {
        let found: Option<Waiver> = on_db!(self, connection => {
            sqlx::query_as(
                "select v.* from waiver v join machine m on m.id = v.machine join office_within w on w.office = m.office
                 where w.ancestor = $1 and v.id = $2",
            )
            .bind(scope.ancestor())
            .bind(id)
            .fetch_optional(connection)
            .await?
        });
        found.ok_or_else(|| StoreError::not_found(Noun::Waiver, id))
    }

    /// Grants or refuses a waiver that is requested. False if it was decided or withdrawn meanwhile.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when its machine is not within `scope`.
    pub(crate) async fn waiver_decide(
        &mut self,
        scope: &Scope,
        id: &str,
        state: WaiverState,
        at: i64,
        by: &str,
        why: Option<&str>,
    ) -> StoreResult<bool> {
        self.waiver_require(scope, id).await?;
        Ok(on_db!(self, connection => {
            sqlx::query(
                "update waiver set state = $2, decided_at = $3, decided_by = $4, decided_why = $5
                 where id = $1 and state = 'asked'",
            )
            .bind(id)
            .bind(state.word())
            .bind(at)
            .bind(by)
            .bind(why)
            .execute(connection)
            .await?
            .rows_affected()
        }) == 1)
    }

    /// Ends a waiver that is requested or in force. False if it had ended already.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when its machine is not within `scope`.
    pub(crate) async fn waiver_end(
        &mut self,
        scope: &Scope,
        id: &str,
        state: WaiverState,
        at: i64,
        by: &str,
    ) -> StoreResult<bool> {
        self.waiver_require(scope, id).await?;
        Ok(on_db!(self, connection => {
            sqlx::query(
                "update waiver set state = $2, ended_at = $3, ended_by = $4
                 where id = $1 and state in ('asked', 'granted')",
            )
            .bind(id)
            .bind(state.word())
            .bind(at)
            .bind(by)
            .execute(connection)
            .await?
            .rows_affected()
        }) == 1)
    }

    /// The waivers that ended by their date while the clock was ahead: their end is later than `now`, so they still hold. One that
    /// another has replaced stays ended.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn waiver_ended_early(&mut self, now: i64) -> StoreResult<Vec<Waiver>> {
        Ok(on_db!(self, connection => {
            sqlx::query_as(
                "select * from waiver w where state = 'ended' and ended_at > $1 and until_at > $1 and not exists (
                     select 1 from waiver o where o.machine = w.machine and o.control = w.control
                         and o.state in ('asked', 'granted')) order by until_at, id",
            )
            .bind(now)
            .fetch_all(connection)
            .await?
        }))
    }

    /// Puts a waiver that ended early in force again. False if another server was faster.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn waiver_reopen(&mut self, id: &str) -> StoreResult<bool> {
        Ok(on_db!(self, connection => {
            sqlx::query("update waiver set state = 'granted', ended_at = null, ended_by = null where id = $1 and state = 'ended'")
                .bind(id)
                .execute(connection)
                .await?
                .rows_affected()
        }) == 1)
    }

    /// Every waiver of a machine, the newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn waiver_list_of_machine(&mut self, scope: &Scope, machine: &str) -> StoreResult<Vec<Waiver>> {
        self.machine_require(scope, machine).await?;
        Ok(on_db!(self, connection => {
            sqlx::query_as("select * from waiver where machine = $1 order by asked_at desc, id desc")
                .bind(machine)
                .fetch_all(connection)
                .await?
        }))
    }

    /// The waivers on machines of an office and of those below it, at most `limit`: those that wait for a decision first,
    /// then those that end first.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the office is not within `scope`.
    pub async fn waiver_list(
        &mut self,
        scope: &Scope,
        office: &str,
        listed: Listed,
        limit: i64,
    ) -> StoreResult<Vec<ListedWaiver>> {
        self.office_require(scope, office).await?;
        Ok(on_db!(self, connection => {
            let select = match listed {
                Listed::Open => sqlx::query_as(select_listed!("v.state in ('asked', 'granted') and")),
                Listed::All => sqlx::query_as(select_listed!("")),
            };
            select.bind(office).bind(limit).fetch_all(connection).await?
        }))
    }

    /// The waivers in force at `now` on these machines.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn waiver_in_force(&mut self, machines: &[String], now: i64) -> StoreResult<InForce> {
        let mut in_force = InForce::default();
        for list in in_lists(machines) {
            let rows: Vec<(String, String)> = on_db!(self, connection => {
                let mut select = sqlx::QueryBuilder::new("select machine, control from waiver where state = 'granted' and until_at > ");
                select.push_bind(now);
                select.push(" and machine in ");
                select.push_tuples(list, |mut row, machine| { row.push_bind(machine); });
                select.build_query_as().fetch_all(connection).await?
            });
            for (machine, control) in rows {
                in_force.0.entry(machine).or_default().insert(control);
            }
        }
        Ok(in_force)
    }

    /// The waivers in force whose date has come at `now`, the earliest end first.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn waiver_due(&mut self, now: i64, limit: i64) -> StoreResult<Vec<Waiver>> {
        Ok(on_db!(self, connection => {
            sqlx::query_as("select * from waiver where state = 'granted' and until_at <= $1 order by until_at, id limit $2")
                .bind(now)
                .bind(limit)
                .fetch_all(connection)
                .await?
        }))
    }

    /// Locks the verdicts of a machine until this transaction ends, so that neither a report nor another server judges by
    /// the old waivers. SQLite has one writer and needs nothing. The head comes first, as reports take it first.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn verdicts_lock(&mut self, machine: &str) -> StoreResult<()> {
        if let Link::Postgres(link) = &mut self.link {
            sqlx::query("select 1 from machine_head where machine = $1 for update")
                .bind(machine)
                .execute(&mut **link)
                .await?;
        }
        self.judgements_lock(&[machine.to_owned()]).await
    }

    /// Locks the stored judgements of these machines until the transaction ends.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn judgements_lock(&mut self, machines: &[String]) -> StoreResult<()> {
        if let Link::Postgres(link) = &mut self.link {
            for list in in_lists(machines) {
                let mut select = sqlx::QueryBuilder::new("select 1 from judgement where machine in ");
                select.push_tuples(list, |mut row, machine| {
                    row.push_bind(machine);
                });
                select.push(" order by machine for update");
                select.build().execute(&mut **link).await?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_database::{self, on_both};
    use super::*;
    use crate::store::new_id;

    fn asked(machine: &str, control: &str, until_at: i64) -> Waiver {
        Waiver {
            id: new_id(),
            machine: machine.to_owned(),
            control: control.to_owned(),
            reason: "Máy chờ thay".to_owned(),
            state: WaiverState::Asked,
            asked_at: 1,
            asked_by: "person:lan".to_owned(),
            until_at,
            decided_at: None,
            decided_by: None,
            decided_why: None,
            ended_at: None,
            ended_by: None,
        }
    }

    on_both! {
        async fn one_at_a_time_and_nothing_is_lost(test_database: &TestDatabase) {
            let mut tx = test_database.db.write().await.unwrap();
            let commune = test_database::office(&mut tx, "Xã", None).await;
            let room = test_database::office(&mut tx, "Phòng", Some(&commune)).await;
            let other = test_database::office(&mut tx, "Xã khác", None).await;
            let machine = test_database::machine(&mut tx, &room).await;
            let all = Scope::whole();
            let first = asked(&machine, "patches", 100);
            tx.waiver_insert(&all, &first).await.unwrap();
            assert!(matches!(tx.waiver_insert(&Scope::office(&other), &first).await, Err(StoreError::NotFound { .. })));
            tx.savepoint().await.unwrap();
            assert!(tx.waiver_insert(&all, &asked(&machine, "patches", 90)).await.unwrap_err().is_duplicate());
            tx.savepoint_rollback().await.unwrap();
            let ids = [machine.clone(), "no such machine".to_owned()];
            assert_eq!(tx.waiver_in_force(&ids, 5).await.unwrap(), InForce::default(), "asked is not granted");

            assert!(tx.waiver_decide(&Scope::office(&other), &first.id, WaiverState::Granted, 5, "x", None).await.is_err());
            assert!(tx.waiver_decide(&all, &first.id, WaiverState::Granted, 5, "person:minh", None).await.unwrap());
            assert!(!tx.waiver_decide(&all, &first.id, WaiverState::Refused, 6, "person:ha", Some("x")).await.unwrap());
            assert!(tx.waiver_in_force(&ids, 99).await.unwrap().holds(&machine, "patches"));
            assert!(!tx.waiver_in_force(&ids, 100).await.unwrap().holds(&machine, "patches"));
            assert_eq!(tx.waiver_due(99, 10).await.unwrap(), []);
            assert_eq!(tx.waiver_due(100, 10).await.unwrap().len(), 1);
            tx.verdicts_lock(&machine).await.unwrap();

            tx.waiver_insert(&all, &asked(&machine, "firewall", 50)).await.unwrap();
            let listed = tx.waiver_list(&Scope::office(&commune), &commune, Listed::Open, 10).await.unwrap();
            let controls: Vec<&str> = listed.iter().map(|listed| listed.waiver.control.as_str()).collect();
            assert_eq!(controls, ["firewall", "patches"], "what waits for a decision stands first");
            assert_eq!((listed[0].office_name.as_str(), listed[0].machine_name.as_str()), ("Phòng", "PC-01"));
            assert!(tx.waiver_list(&Scope::office(&other), &commune, Listed::Open, 10).await.is_err());
            assert_eq!(tx.waiver_list(&all, &other, Listed::All, 10).await.unwrap(), []);

            assert!(tx.waiver_end(&all, &first.id, WaiverState::Ended, 100, "program").await.unwrap());
            assert!(!tx.waiver_end(&all, &first.id, WaiverState::Withdrawn, 101, "person:lan").await.unwrap());
            tx.waiver_insert(&all, &asked(&machine, "patches", 300)).await.unwrap();
            let kept = tx.waiver_list_of_machine(&all, &machine).await.unwrap();
            assert_eq!(kept.len(), 3);
            let ended = kept.iter().find(|kept| kept.id == first.id).unwrap();
            assert_eq!((ended.state, ended.decided_by.as_deref(), ended.ended_at), (WaiverState::Ended, Some("person:minh"), Some(100)));
            assert_eq!(tx.waiver_list(&all, &commune, Listed::Open, 10).await.unwrap().len(), 2);
            assert_eq!(tx.waiver_list(&all, &commune, Listed::All, 10).await.unwrap().len(), 3);
        }

        async fn only_a_scope_from_above_is_outside(test_database: &TestDatabase) {
            let mut tx = test_database.db.write().await.unwrap();
            let province = test_database::office(&mut tx, "Tỉnh", None).await;
            let commune = test_database::office(&mut tx, "Xã", Some(&province)).await;
            let other = test_database::office(&mut tx, "Xã khác", Some(&province)).await;
            for (scope, above) in [
                (Scope::whole(), true),
                (Scope::office(&province), true),
                (Scope::office(&commune), false),
                (Scope::office(&other), false),
                (Scope::office("*"), false),
            ] {
                assert_eq!(tx.office_is_below(&scope, &commune).await.unwrap(), above, "{scope:?}");
            }
        }
    }
}
