//! Which machine a line of a roster has, had, and may have.

use super::super::machine::Machine;
use super::super::{Scope, StoreResult, Tx};

impl Tx {
    /// Links a line to an enrolled machine, or unlinks it. The machine remembers the line when it is unlinked.
    ///
    /// # Errors
    /// [`crate::store::StoreError::NotFound`] when the line is not within `scope`; a duplicate when the machine has a line already.
    pub async fn roster_line_machine_set(&mut self, scope: &Scope, id: &str, machine: Option<&str>) -> StoreResult<()> {
        self.roster_line_require(scope, id).await?;
        on_db!(self, connection => {
            sqlx::query("update roster_line set machine = $2 where id = $1").bind(id).bind(machine).execute(&mut *connection).await?;
            sqlx::query("update machine set line = $1 where id = $2").bind(id).bind(machine).execute(connection).await?;
        });
        Ok(())
    }

    /// Makes a machine that never belonged to its line forget the line.
    ///
    /// # Errors
    /// [`crate::store::StoreError::NotFound`] when the machine is not within `scope`.
    pub async fn machine_line_forget(&mut self, scope: &Scope, machine: &str) -> StoreResult<()> {
        self.machine_require(scope, machine).await?;
        on_db!(self, connection => {
            sqlx::query("update machine set line = null where id = $1").bind(machine).execute(connection).await?;
        });
        Ok(())
    }

    /// Sets the serial number and hardware address by which the machine of a line is known.
    ///
    /// # Errors
    /// [`crate::store::StoreError::NotFound`] when the line is not within `scope`; a duplicate when another line has this serial number.
    pub async fn roster_line_marks_set(&mut self, scope: &Scope, id: &str, serial: &str, mac: &str) -> StoreResult<()> {
        self.roster_line_require(scope, id).await?;
        on_db!(self, connection => {
            sqlx::query("update roster_line set serial = $2, mac = $3 where id = $1")
                .bind(id)
                .bind(serial)
                .bind(mac)
                .execute(connection)
                .await?;
        });
        Ok(())
    }

    /// Locks the roster of an office until the commit, so that two imports cannot both take the same label.
    ///
    /// # Errors
    /// [`crate::store::StoreError::NotFound`] when the office is not within `scope`.
    pub async fn roster_hold(&mut self, scope: &Scope, office: &str) -> StoreResult<()> {
        self.office_require(scope, office).await?;
        on_db!(self, connection => {
            sqlx::query("update office set name = name where id = $1").bind(office).execute(connection).await?;
        });
        Ok(())
    }

    /// Whether a line of any other office, within scope or not, has this serial number: a machine is on one roster only.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn roster_serial_elsewhere(&mut self, office: &str, serial: &str) -> StoreResult<bool> {
        Ok(on_db!(self, connection => {
            sqlx::query_scalar(
                "select exists (select 1 from roster_line where serial = $2 and office <> $1 and removed_at is null)",
            )
            .bind(office)
            .bind(serial)
            .fetch_one(connection)
            .await?
        }))
    }

    /// The machines that had a line before `machine`, the last one first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn machine_former_list(&mut self, scope: &Scope, machine: &Machine) -> StoreResult<Vec<Machine>> {
        Ok(on_db!(self, connection => {
            sqlx::query_as(
                "select m.* from machine m join office_within w on w.office = m.office
                 where w.ancestor = $1 and m.line = $2 and m.id < $3 order by m.id desc limit 20",
            )
            .bind(scope.ancestor())
            .bind(&machine.line)
            .bind(&machine.id)
            .fetch_all(connection)
            .await?
        }))
    }
}
