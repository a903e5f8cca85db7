//! What the pages keep in memory. Owns no page.

use jiff::tz::TimeZone;

use super::programs::Programs;
use super::throttle::Throttle;
use crate::bound::Bound;

/// Streams that one session may have open: more than anybody reads.
pub(crate) const STREAMS: usize = 16;
/// Requests that one person may have open, including streams: an office that shares a login has many pages open.
const REQUESTS: usize = 256;
/// Connections of one person that never give way to those of strangers: a browser needs up to 6, and offices share logins.
const CONNECTIONS: usize = 64;
/// Downloads that one person may have open: one for every program there is.
const DOWNLOADS: usize = 8;
/// Downloads that all persons together may have open.
const ALL_DOWNLOADS: usize = 64;

/// What the pages keep in memory: nothing that another server, or this one after a restart, would miss.
#[derive(Debug)]
pub struct PageState {
    pub(crate) throttle: Throttle,
    /// Streams, by session.
    pub(crate) streams: Bound,
    /// Requests, by person.
    pub(crate) requests: Bound,
    /// Connections, by person.
    pub(crate) connections: Bound,
    /// Downloads, by person.
    pub(crate) downloads: Bound,
    zone: TimeZone,
    programs: Programs,
}

impl PageState {
    /// State for pages that write times in `zone` and offer `programs`.
    pub fn new(zone: TimeZone, programs: Programs) -> Self {
        Self {
            throttle: Throttle::default(),
            streams: Bound::new(STREAMS, usize::MAX),
            requests: Bound::new(REQUESTS, usize::MAX),
            connections: Bound::new(CONNECTIONS, usize::MAX),
            downloads: Bound::new(DOWNLOADS, ALL_DOWNLOADS),
            zone,
            programs,
        }
    }

    /// How many people wait for a check of their password.
    #[cfg(test)]
    pub(crate) fn waiting(&self) -> usize {
        self.throttle.waiting()
    }

    pub(crate) fn programs(&self) -> &Programs {
        &self.programs
    }

    pub(crate) fn zone(&self) -> TimeZone {
        self.zone.clone()
    }
}
