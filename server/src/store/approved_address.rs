//! Gateways and DNS servers that offices approve of. Nothing is ever deleted. Owns no rule: who may approve what is decided in
//! `act/office/lan`.

use sqlx::FromRow;

use super::{Scope, StoreResult, Tx};

words! {
    /// What an address is approved as.
    AddressKind {
        /// Cổng mặc định.
        Gateway = "gateway",
        /// Máy chủ DNS.
        Dns = "dns",
    }
}

/// An address or a range that an office approves of, or did.
#[derive(Clone, Debug, PartialEq, Eq, FromRow, serde::Serialize)]
pub struct ApprovedAddress {
    /// UUIDv7.
    pub id: String,
    /// The office that approves it.
    pub office: String,
    /// As what.
    #[sqlx(try_from = "String")]
    pub kind: AddressKind,
    /// An [`policies::office::AddressRange`] in writing.
    pub address: String,
    /// Number and date of the document that approves it: text from a person, empty without one.
    pub document: String,
    /// Milliseconds UTC.
    pub added_at: i64,
    /// Who approved it.
    pub added_by: String,
    /// When it was taken off the list.
    pub removed_at: Option<i64>,
    /// Who took it off.
    pub removed_by: Option<String>,
}

#[derive(Debug, FromRow)]
struct InForceRow {
    #[sqlx(flatten)]
    entry: ApprovedAddress,
    /// How far above the office it was approved; 0 by the office itself.
    depth: i64,
}

impl Tx {
    /// Adds an address to the list of its office.
    ///
    /// # Errors
    /// [`super::StoreError::NotFound`] when the office is not within `scope`; a duplicate when the office approves it already.
    pub(crate) async fn approved_address_insert(&mut self, scope: &Scope, entry: &ApprovedAddress) -> StoreResult<()> {
        self.office_require(scope, &entry.office).await?;
        on_db!(self, connection => {
            sqlx::query(
                "insert into approved_address (id, office, kind, address, document, added_at, added_by)
                 values ($1, $2, $3, $4, $5, $6, $7)",
            )
            .bind(&entry.id)
            .bind(&entry.office)
            .bind(entry.kind.word())
            .bind(&entry.address)
            .bind(&entry.document)
            .bind(entry.added_at)
            .bind(&entry.added_by)
            .execute(connection)
            .await?;
        });
        Ok(())
    }

    /// Takes an address off the list of an office. False when it is not on it.
    ///
    /// # Errors
    /// [`super::StoreError::NotFound`] when the office is not within `scope`.
    pub(crate) async fn approved_address_remove(
        &mut self,
        scope: &Scope,
        office: &str,
        (kind, address): (AddressKind, &str),
        at: i64,
        by: &str,
    ) -> StoreResult<bool> {
        self.office_require(scope, office).await?;
        Ok(on_db!(self, connection => {
            sqlx::query(
                "update approved_address set removed_at = $4, removed_by = $5
                 where office = $1 and kind = $2 and address = $3 and removed_at is null",
            )
            .bind(office)
            .bind(kind.word())
            .bind(address)
            .bind(at)
            .bind(by)
            .execute(connection)
            .await?
            .rows_affected()
        }) == 1)
    }

    /// What holds for an office, by kind and address: of each kind its own list, or that of the nearest office above that has one, which
    /// may lie outside `scope`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn approved_address_in_force(
        &mut self,
        scope: &Scope,
        office: &str,
    ) -> StoreResult<Vec<ApprovedAddress>> {
        let rows: Vec<InForceRow> = on_db!(self, connection => {
            sqlx::query_as(
                "select a.*, above.depth from approved_address a join office_within above on above.ancestor = a.office
                     join office_within w on w.office = above.office
                 where above.office = $2 and w.ancestor = $1 and a.removed_at is null order by a.kind, a.address",
            )
            .bind(scope.ancestor())
            .bind(office)
            .fetch_all(connection)
            .await?
        });
        let nearest = |kind| rows.iter().filter(|row| row.entry.kind == kind).map(|row| row.depth).min();
        let nearest = [AddressKind::Gateway, AddressKind::Dns].map(|kind| (kind, nearest(kind)));
        let holds = |row: &InForceRow| nearest.contains(&(row.entry.kind, Some(row.depth)));
        Ok(rows.into_iter().filter(holds).map(|row| row.entry).collect())
    }

    /// Everything an office itself approved or took off, the newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn approved_address_list(
        &mut self,
        scope: &Scope,
        office: &str,
        limit: i64,
    ) -> StoreResult<Vec<ApprovedAddress>> {
        Ok(on_db!(self, connection => {
            sqlx::query_as(
                "select a.* from approved_address a join office_within w on w.office = a.office
                 where w.ancestor = $1 and a.office = $2
                 order by coalesce(a.removed_at, a.added_at) desc, a.id desc limit $3",
            )
            .bind(scope.ancestor())
            .bind(office)
            .bind(limit)
            .fetch_all(connection)
            .await?
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_database::{self, on_both};
    use super::super::{StoreError, new_id};
    use super::*;

    fn entry(office: &str, kind: AddressKind, address: &str) -> ApprovedAddress {
        ApprovedAddress {
            id: new_id(),
            office: office.to_owned(),
            kind,
            address: address.to_owned(),
            document: String::new(),
            added_at: 1,
            added_by: "person:lan".to_owned(),
            removed_at: None,
            removed_by: None,
        }
    }

    on_both! {
        async fn an_office_without_a_list_has_that_of_the_nearest_above(test_database: &TestDatabase) {
            use AddressKind::{Dns, Gateway};
            let mut tx = test_database.db.write().await.unwrap();
            let province = test_database::office(&mut tx, "Tỉnh", None).await;
            let commune = test_database::office(&mut tx, "Xã", Some(&province)).await;
            let room = test_database::office(&mut tx, "Phòng", Some(&commune)).await;
            let whole = Scope::whole();
            for (office, kind, address) in [
                (&province, Gateway, "10.0.0.1"), (&province, Dns, "203.113.131.1"), (&commune, Gateway, "192.168.1.1"),
                (&commune, Gateway, "192.168.2.1"),
            ] {
                tx.approved_address_insert(&whole, &entry(office, kind, address)).await.unwrap();
            }
            let own = Scope::office(&room);
            let said = |entries: Vec<ApprovedAddress>| -> Vec<String> { entries.into_iter().map(|entry| entry.address).collect() };
            let of = tx.approved_address_in_force(&own, &room).await.unwrap();
            assert_eq!(said(of), ["203.113.131.1", "192.168.1.1", "192.168.2.1"], "each kind from the nearest");
            let of = tx.approved_address_in_force(&whole, &province).await.unwrap();
            assert_eq!(said(of), ["203.113.131.1", "10.0.0.1"]);
            assert!(tx.approved_address_in_force(&own, &commune).await.unwrap().is_empty(), "outside the scope");

            let removed = tx.approved_address_remove(&whole, &commune, (Gateway, "192.168.1.1"), 5, "person:lan").await;
            assert!(removed.unwrap());
            let again = tx.approved_address_remove(&whole, &commune, (Gateway, "192.168.1.1"), 6, "person:lan").await;
            assert!(!again.unwrap());
            assert!(tx.approved_address_remove(&whole, &commune, (Gateway, "192.168.2.1"), 6, "person:lan").await.unwrap());
            let of = tx.approved_address_in_force(&own, &room).await.unwrap();
            assert_eq!(said(of), ["203.113.131.1", "10.0.0.1"], "without an own list it is the next one's again");
            let history = tx.approved_address_list(&whole, &commune, 9).await.unwrap();
            assert_eq!(history.iter().map(|entry| entry.removed_at).collect::<Vec<_>>(), [Some(6), Some(5)]);
            let outside = tx.approved_address_insert(&own, &entry(&commune, Dns, "1.1.1.1")).await;
            assert!(matches!(outside, Err(StoreError::NotFound { .. })));
            let outside = tx.approved_address_remove(&own, &province, (Dns, "203.113.131.1"), 7, "person:lan").await;
            assert!(matches!(outside, Err(StoreError::NotFound { .. })));
            // What was taken off can be approved again, and only once.
            tx.approved_address_insert(&whole, &entry(&commune, Gateway, "192.168.1.1")).await.unwrap();
            let twice = tx.approved_address_insert(&whole, &entry(&commune, Gateway, "192.168.1.1")).await;
            assert!(twice.unwrap_err().is_duplicate());
        }
    }
}
