//! The roster (danh mục máy tính): the machines an office says it has, and the declaration that it is complete.

use policies::grade::AwayReason;
use policies::text::Text;
use sqlx::FromRow;

use super::machine::Role;
use super::many::ids;
use super::{Noun, Scope, StoreError, StoreResult, Tx};

mod link;

words! {
    /// Whether a machine on the roster is in use or away. All but `in_use` need the person who set them and an end, and a report ends them.
    RosterState {
        /// Đang sử dụng.
        InUse = "in_use",
        /// Người dùng nghỉ dài ngày.
        OnLeave = "on_leave",
        /// Đang sửa chữa.
        InRepair = "in_repair",
        /// Cất kho.
        InStore = "in_store",
        /// Chờ thanh lý.
        AwaitingDisposal = "awaiting_disposal",
    }
}

impl RosterState {
    /// Why the machine is away; `None` for one in use.
    pub fn away(self) -> Option<AwayReason> {
        match self {
            Self::InUse => None,
            Self::OnLeave => Some(AwayReason::Leave),
            Self::InRepair => Some(AwayReason::Repair),
            Self::InStore => Some(AwayReason::Store),
            Self::AwaitingDisposal => Some(AwayReason::Disposal),
        }
    }

    /// The label for people.
    pub fn text(self) -> Text {
        self.away().map_or_else(|| Text::new("đang sử dụng", "in use"), AwayReason::text)
    }
}

/// One machine an office says it has.
#[derive(Clone, Debug, PartialEq, Eq, FromRow, serde::Serialize)]
pub struct RosterLine {
    /// UUIDv7.
    pub id: String,
    /// The office that has it.
    pub office: String,
    /// What the office calls it (an inventory number, a machine's name).
    pub label: String,
    /// Where it stands; may be empty.
    pub room: String,
    /// The person who uses it; may be empty.
    pub person: String,
    /// Workstation or server.
    #[sqlx(try_from = "String")]
    pub role: Role,
    /// Whether it is in use or away.
    #[sqlx(try_from = "String")]
    pub state: RosterState,
    /// Who set the state.
    pub state_by: Option<String>,
    /// Since when, milliseconds UTC.
    pub state_from_at: Option<i64>,
    /// Until when, milliseconds UTC.
    pub state_until_at: Option<i64>,
    /// The enrolled machine of this line.
    pub machine: Option<String>,
    /// Milliseconds UTC.
    pub created_at: i64,
    /// Set when the line was taken off; removed lines stay for the history.
    pub removed_at: Option<i64>,
    /// Serial number, as `serial_key` gives it; may be empty.
    pub serial: String,
    /// Hardware address, as `mac_key` gives it; may be empty.
    pub mac: String,
}

/// An office's declaration that its roster is complete.
#[derive(Clone, Debug, PartialEq, Eq, FromRow, serde::Serialize)]
pub struct Roster {
    /// The office.
    pub office: String,
    /// Milliseconds UTC.
    pub declared_at: i64,
    /// Who declared it.
    pub declared_by: String,
    /// Machines for state secrets: only their count, outside all sums.
    pub secret_machines: i64,
}

impl Tx {
    /// Records that the roster of an office is complete.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the office is not within `scope`.
    pub async fn roster_declare(&mut self, scope: &Scope, roster: &Roster) -> StoreResult<()> {
        self.office_require(scope, &roster.office).await?;
        on_db!(self, connection => {
            sqlx::query(
                "insert into roster (office, declared_at, declared_by, secret_machines) values ($1, $2, $3, $4)
                 on conflict (office) do update set declared_at = excluded.declared_at,
                     declared_by = excluded.declared_by, secret_machines = excluded.secret_machines",
            )
            .bind(&roster.office)
            .bind(roster.declared_at)
            .bind(&roster.declared_by)
            .bind(roster.secret_machines)
            .execute(connection)
            .await?;
        });
        Ok(())
    }

    /// The declaration of an office; `None`: not declared, so there is no letter.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn roster_get(&mut self, scope: &Scope, office: &str) -> StoreResult<Option<Roster>> {
        Ok(on_db!(self, connection => {
            sqlx::query_as(
                "select r.* from roster r join office_within w on w.office = r.office where w.ancestor = $1 and r.office = $2",
            )
            .bind(scope.ancestor())
            .bind(office)
            .fetch_optional(connection)
            .await?
        }))
    }

    /// Adds a line.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the office is not within `scope`; a duplicate when the machine has a line already.
    pub async fn roster_line_insert(&mut self, scope: &Scope, line: &RosterLine) -> StoreResult<()> {
        self.office_require(scope, &line.office).await?;
        on_db!(self, connection => {
            sqlx::query(
                "insert into roster_line (id, office, label, room, person, role, state, state_by, state_from_at, state_until_at,
                     machine, created_at, removed_at, serial, mac)
                 values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
            )
            .bind(&line.id)
            .bind(&line.office)
            .bind(&line.label)
            .bind(&line.room)
            .bind(&line.person)
            .bind(line.role.code())
            .bind(line.state.word())
            .bind(&line.state_by)
            .bind(line.state_from_at)
            .bind(line.state_until_at)
            .bind(&line.machine)
            .bind(line.created_at)
            .bind(line.removed_at)
            .bind(&line.serial)
            .bind(&line.mac)
            .execute(connection)
            .await?;
        });
        Ok(())
    }

    /// The lines of one office that have not been removed, by label.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn roster_line_list(&mut self, scope: &Scope, office: &str) -> StoreResult<Vec<RosterLine>> {
        Ok(on_db!(self, connection => {
            sqlx::query_as(
                "select l.* from roster_line l join office_within w on w.office = l.office
                 where w.ancestor = $1 and l.office = $2 and l.removed_at is null order by l.label, l.id",
            )
            .bind(scope.ancestor())
            .bind(office)
            .fetch_all(connection)
            .await?
        }))
    }

    /// One line, removed or not.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn roster_line_get(&mut self, scope: &Scope, id: &str) -> StoreResult<Option<RosterLine>> {
        Ok(on_db!(self, connection => {
            sqlx::query_as(
                "select l.* from roster_line l join office_within w on w.office = l.office where w.ancestor = $1 and l.id = $2",
            )
            .bind(scope.ancestor())
            .bind(id)
            .fetch_optional(connection)
            .await?
        }))
    }

    /// The line of an enrolled machine.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn roster_line_of_machine(&mut self, scope: &Scope, machine: &str) -> StoreResult<Option<RosterLine>> {
        Ok(on_db!(self, connection => {
            sqlx::query_as(
                "select l.* from roster_line l join office_within w on w.office = l.office
                 where w.ancestor = $1 and l.machine = $2 and l.removed_at is null",
            )
            .bind(scope.ancestor())
            .bind(machine)
            .fetch_optional(connection)
            .await?
        }))
    }

    /// Stores the state of a line as given in `line`: who set it, since when and until when.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the line is not within `scope`.
    pub async fn roster_line_state_set(&mut self, scope: &Scope, line: &RosterLine) -> StoreResult<()> {
        self.roster_line_require(scope, &line.id).await?;
        on_db!(self, connection => {
            sqlx::query(
                "update roster_line set state = $2, state_by = $3, state_from_at = $4, state_until_at = $5 where id = $1",
            )
            .bind(&line.id)
            .bind(line.state.word())
            .bind(&line.state_by)
            .bind(line.state_from_at)
            .bind(line.state_until_at)
            .execute(connection)
            .await?;
        });
        Ok(())
    }

    /// Takes a line off the roster; its machine is free again.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the line is not within `scope`.
    pub async fn roster_line_remove(&mut self, scope: &Scope, id: &str, at: i64) -> StoreResult<()> {
        self.roster_line_require(scope, id).await?;
        on_db!(self, connection => {
            sqlx::query("update roster_line set removed_at = $2, machine = null where id = $1")
                .bind(id)
                .bind(at)
                .execute(connection)
                .await?;
        });
        Ok(())
    }

    /// A report ends every absence: the lines of these machines are in use again. Returns the offices affected.
    pub(crate) async fn roster_line_return(&mut self, machines: &[String]) -> StoreResult<Vec<String>> {
        Ok(on_db!(self, connection => {
            sqlx::query_scalar(
                "update roster_line set state = 'in_use', state_by = null, state_from_at = null, state_until_at = null
                 where state <> 'in_use' and machine in (select r.key from jsonb_each($1) r) returning office",
            )
            .bind(ids(machines))
            .fetch_all(connection)
            .await?
        }))
    }

    async fn roster_line_require(&mut self, scope: &Scope, id: &str) -> StoreResult<()> {
        self.roster_line_get(scope, id).await?.map(|_| ()).ok_or_else(|| StoreError::not_found(Noun::RosterLine, id))
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_database::{self, on_both};
    use super::*;
    use crate::roster::line_match;

    fn line(id: &str, office: &str, label: &str) -> RosterLine {
        RosterLine { id: id.to_owned(), ..test_database::line(office, label) }
    }

    on_both! {
        async fn a_machine_finds_its_line_and_a_report_ends_an_absence(test_database: &TestDatabase) {
            let mut tx = test_database.db.write().await.unwrap();
            let office = test_database::office(&mut tx, "Xã", None).await;
            let all = Scope::whole();
            for (id, label) in [("1", "PC-01"), ("2", "PC-02"), ("3", "pc-02 ")] {
                tx.roster_line_insert(&all, &line(id, &office, label)).await.unwrap();
            }
            let found = line_match(&mut tx, &all, &office, [" pc-01", ""], Role::Workstation).await.unwrap().unwrap();
            assert_eq!(found.id, "1");
            assert!(line_match(&mut tx, &all, &office, ["pc-01", ""], Role::Server).await.unwrap().is_none());
            assert!(line_match(&mut tx, &all, &office, ["PC-02", ""], Role::Workstation).await.unwrap().is_none(), "two fit");

            let seat = RosterLine { room: "Văn phòng".to_owned(), person: "Nguyễn Văn A".to_owned(), ..line("4", &office, "TS-4") };
            tx.roster_line_insert(&all, &seat).await.unwrap();
            for typed in ["VĂN PHÒNG - nguyễn văn a", "Nguyễn Văn A", "Nguye\u{302}\u{303}n Va\u{306}n A", "ts 4"] {
                let found = line_match(&mut tx, &all, &office, ["DESKTOP-1", typed], Role::Workstation).await.unwrap();
                assert_eq!(found.map(|line| line.id).as_deref(), Some("4"), "{typed}");
            }
            assert!(line_match(&mut tx, &all, &office, ["?", " - "], Role::Workstation).await.unwrap().is_none());

            let machine = test_database::machine(&mut tx, &office).await;
            tx.roster_line_machine_set(&all, "1", Some(&machine)).await.unwrap();
            let repair = RosterLine {
                state: RosterState::InRepair,
                state_by: Some("lan".to_owned()),
                state_from_at: Some(1),
                state_until_at: Some(9),
                ..line("1", &office, "PC-01")
            };
            tx.roster_line_state_set(&all, &repair).await.unwrap();
            let machines = vec![machine.clone(), "no such machine".to_owned()];
            assert_eq!(tx.roster_line_return(&machines).await.unwrap(), std::slice::from_ref(&office));
            assert!(tx.roster_line_return(&machines).await.unwrap().is_empty());
            let returned = tx.roster_line_of_machine(&all, &machine).await.unwrap().unwrap();
            assert_eq!((returned.state, returned.state_by), (RosterState::InUse, None));

            tx.roster_line_remove(&all, "1", 7).await.unwrap();
            assert!(tx.roster_line_of_machine(&all, &machine).await.unwrap().is_none());
            assert_eq!(tx.roster_line_list(&all, &office).await.unwrap().len(), 3);
            assert!(tx.roster_line_list(&Scope::office("elsewhere"), &office).await.unwrap().is_empty());

            let roster = Roster { office: office.clone(), declared_at: 3, declared_by: "lan".to_owned(), secret_machines: 2 };
            tx.roster_declare(&all, &roster).await.unwrap();
            tx.roster_declare(&all, &Roster { declared_at: 4, ..roster.clone() }).await.unwrap();
            assert_eq!(tx.roster_get(&all, &office).await.unwrap().unwrap().declared_at, 4);
        }
    }
}
