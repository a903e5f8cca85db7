//! What of a machine's reports in a period is no longer in the store: told when a hold is made, because a hold brings nothing back.

use std::collections::{BTreeMap, BTreeSet};

use protocol::header::Header;
use serde::Serialize;

use super::Hold;
use crate::store::report::StoredReport;
use crate::store::{StoreResult, Tx};

/// Reports read at once.
const PIECE: i64 = 256;

/// How many of something, and when the first and the last was received; milliseconds UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Span {
    /// How many.
    pub count: u64,
    /// The first.
    pub first_at: i64,
    /// The last.
    pub last_at: i64,
}

impl Span {
    fn widen(of: Option<Self>, count: u64, at: i64) -> Self {
        let before = of.unwrap_or(Self { count: 0, first_at: at, last_at: at });
        Self { count: before.count + count, first_at: before.first_at.min(at), last_at: before.last_at.max(at) }
    }
}

/// What is left of a period and what is not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Gone {
    /// Reports in the period.
    pub reports: u64,
    /// Those without the signed header: which sections they named is known no more.
    pub headers: Option<Span>,
    /// By section, the bodies that headers name and the store has not, with the reports that named them.
    pub bodies: BTreeMap<String, Span>,
}

impl Gone {
    /// True when everything that was reported in the period is there.
    pub fn is_empty(&self) -> bool {
        self.headers.is_none() && self.bodies.is_empty()
    }
}

impl Tx {
    /// What of the period and sections of `hold` is gone, among the reports that were received in it.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn hold_gone(&mut self, hold: &Hold) -> StoreResult<Gone> {
        let mut gone = Gone::default();
        let mut named: BTreeMap<(String, String), Span> = BTreeMap::new();
        let mut after = (0, 0);
        loop {
            let reports = self.reports_of_period(hold, after).await?;
            let Some(last) = reports.last() else { break };
            after = (last.segment, last.number);
            for report in &reports {
                gone.reports += 1;
                let Ok(header) = Header::decode(&report.header) else {
                    gone.headers = Some(Span::widen(gone.headers, 1, report.received_at));
                    continue;
                };
                for (section, entry) in header.sections.into_iter().filter(|(section, _)| hold.sections.hold(section)) {
                    let key = (section, entry.digest.to_string());
                    let span = Span::widen(named.get(&key).copied(), 1, report.received_at);
                    named.insert(key, span);
                }
            }
        }
        let stored = self.body_names(&hold.machine).await?;
        for ((section, digest), span) in named {
            if !stored.contains(&(section.clone(), digest)) {
                let of = Span::widen(gone.bodies.get(&section).copied(), 1, span.first_at);
                gone.bodies.insert(section, Span::widen(Some(of), 0, span.last_at));
            }
        }
        Ok(gone)
    }

    async fn reports_of_period(&mut self, hold: &Hold, after: (i64, i64)) -> StoreResult<Vec<StoredReport>> {
        let mut reports: Vec<StoredReport> = on_db!(self, connection => {
            sqlx::query_as(
                "select segment, number, hash, header, signature, received_at, made_at from report
                 where machine = $1 and (segment, number) > ($2, $3) and received_at >= $4 and received_at < $5
                 order by segment, number limit $6",
            )
            .bind(&hold.machine)
            .bind(after.0)
            .bind(after.1)
            .bind(hold.from_at)
            .bind(hold.until_at.unwrap_or(i64::MAX))
            .bind(PIECE)
            .fetch_all(connection)
            .await?
        });
        self.headers_unpack(&hold.machine, &mut reports).await?;
        Ok(reports)
    }

    /// Section and digest of every body of a machine.
    async fn body_names(&mut self, machine: &str) -> StoreResult<BTreeSet<(String, String)>> {
        let rows: Vec<(String, String)> = on_db!(self, connection => {
            sqlx::query_as("select section, digest from body where machine = $1").bind(machine).fetch_all(connection).await?
        });
        Ok(rows.into_iter().collect())
    }
}
