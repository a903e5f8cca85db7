//! Moving the ends of many chains at once: the update that decides which report follows, in one statement for a whole commit.

use protocol::{Digest, Position};
use serde::Serialize;

use super::super::many::rows;
use super::super::number::signed;
use super::super::{StoreResult, Tx};
use super::Head;

/// How the end of a chain moves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HeadMove<'a> {
    /// The machine's id.
    pub(crate) machine: &'a str,
    /// Where it stands; `None` before the first report.
    pub(crate) from: Option<&'a Head>,
    /// Where it will stand.
    pub(crate) to: &'a Head,
}

/// The same as the statements take it.
#[derive(Serialize)]
struct Move<'a> {
    from_segment: i64,
    from_number: i64,
    from_hash: Digest,
    segment: i64,
    number: i64,
    hash: Digest,
    starts: String,
    traits: Digest,
    received_at: i64,
    made_at: i64,
    clock_offset: i64,
    seen: String,
    agent: &'a str,
    schema: u32,
    stored_day: i64,
    stored_bytes: i64,
    stored_all: i64,
}

impl<'a> Move<'a> {
    fn new(from: Position, head: &'a Head) -> Self {
        Self {
            from_segment: signed(from.segment),
            from_number: signed(from.number),
            from_hash: from.hash,
            segment: signed(head.position.segment),
            number: signed(head.position.number),
            hash: head.position.hash,
            starts: head.starts.join(" "),
            traits: head.traits,
            received_at: head.received_at,
            made_at: head.made_at,
            clock_offset: head.clock_offset,
            seen: head.sections.encode_seen(),
            agent: &head.agent,
            schema: head.schema,
            stored_day: head.stored_day,
            stored_bytes: head.stored_bytes,
            stored_all: head.stored_all,
        }
    }
}

const FIRST: &str =
    "insert into machine_head (machine, segment, number, hash, starts, traits, received_at, made_at, clock_offset,
         seen, agent, schema, schema_best, stored_day, stored_bytes, stored_all)
     select r.key, cast(r.value ->> 'segment' as bigint), cast(r.value ->> 'number' as bigint), r.value ->> 'hash',
         r.value ->> 'starts', r.value ->> 'traits', cast(r.value ->> 'received_at' as bigint),
         cast(r.value ->> 'made_at' as bigint), cast(r.value ->> 'clock_offset' as bigint), r.value ->> 'seen',
         r.value ->> 'agent', cast(r.value ->> 'schema' as bigint), cast(r.value ->> 'schema' as bigint),
         cast(r.value ->> 'stored_day' as bigint), cast(r.value ->> 'stored_bytes' as bigint),
         cast(r.value ->> 'stored_all' as bigint)
     from jsonb_each($1) r where true on conflict (machine) do nothing";

const LATER: &str = "update machine_head set segment = cast(r.value ->> 'segment' as bigint),
         number = cast(r.value ->> 'number' as bigint), hash = r.value ->> 'hash', starts = r.value ->> 'starts',
         traits = r.value ->> 'traits', received_at = cast(r.value ->> 'received_at' as bigint),
         made_at = cast(r.value ->> 'made_at' as bigint), clock_offset = cast(r.value ->> 'clock_offset' as bigint),
         seen = r.value ->> 'seen', agent = r.value ->> 'agent', schema = cast(r.value ->> 'schema' as bigint),
         schema_best = case when cast(r.value ->> 'schema' as bigint) > machine_head.schema_best
             then cast(r.value ->> 'schema' as bigint) else machine_head.schema_best end,
         stored_day = cast(r.value ->> 'stored_day' as bigint), stored_bytes = cast(r.value ->> 'stored_bytes' as bigint),
         stored_all = cast(r.value ->> 'stored_all' as bigint)
     from jsonb_each($1) r where machine_head.machine = r.key
         and machine_head.segment = cast(r.value ->> 'from_segment' as bigint)
         and machine_head.number = cast(r.value ->> 'from_number' as bigint) and machine_head.hash = r.value ->> 'from_hash'";

const LISTS: &str =
    "insert into machine_sections (machine, sections) select r.key, r.value ->> 0 from jsonb_each($1) r where true
     on conflict (machine) do update set sections = excluded.sections";

impl Tx {
    /// Moves the ends of chains and keeps the newest version of the facts' meaning that each machine ever used, each only if its end is
    /// still where it stood. Returns how many moved: exactly one row for each, or none. The caller undoes it when not all did.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn head_move(&mut self, moves: &[HeadMove<'_>]) -> StoreResult<usize> {
        let nowhere = Position { segment: 0, number: 0, hash: Digest::ZERO };
        let mut moved = 0;
        for (first, sql) in [(true, FIRST), (false, LATER)] {
            let some = moves.iter().filter(|HeadMove { from, .. }| from.is_none() == first).map(|of| {
                let from = of.from.map_or(nowhere, |head| head.position);
                (of.machine, Move::new(from, of.to))
            });
            let some = rows(some);
            if !some.is_empty() {
                moved +=
                    on_db!(self, connection => sqlx::query(sql).bind(some).execute(connection).await?.rows_affected());
            }
        }
        let moved = usize::try_from(moved).unwrap_or(usize::MAX);
        let listed = |of: &&HeadMove<'_>| of.from.is_none_or(|from| !from.sections.same_list(&of.to.sections));
        let lists = rows(moves.iter().filter(listed).map(|of| (of.machine, [of.to.sections.encode()])));
        if moved == moves.len() && !lists.is_empty() {
            on_db!(self, connection => {
                sqlx::query(LISTS).bind(lists).execute(connection).await?;
            });
        }
        Ok(moved)
    }
}
