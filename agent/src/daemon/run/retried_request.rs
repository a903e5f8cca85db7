//! One kind of request to the server, sent one at a time, and when it may be retried.

use std::fmt::Display;
use std::pin::Pin;
use std::time::Duration;

use protocol::limits::DELAY_LEAST;
use tokio::time::Instant;

use crate::connection::backoff::Backoff;
use crate::platform::random;

/// A request: idle, in flight, or waiting after a failure.
pub(super) struct RetriedRequest<T> {
    name: &'static str,
    on_its_way: Option<Pin<Box<dyn Future<Output = T>>>>,
    backoff: Backoff,
    not_before: Instant,
    trouble: Option<String>,
}

impl<T> RetriedRequest<T> {
    /// A request that may start at once; `name` is for the log.
    pub(super) fn new(name: &'static str) -> Self {
        Self { name, on_its_way: None, backoff: Backoff::default(), not_before: Instant::now(), trouble: None }
    }

    /// True when it is neither in flight nor waiting.
    pub(super) fn may_start(&self) -> bool {
        self.on_its_way.is_none() && Instant::now() >= self.not_before
    }

    /// True while it is in flight.
    pub(super) fn is_on_its_way(&self) -> bool {
        self.on_its_way.is_some()
    }

    /// When it may be retried; none while it is in flight.
    pub(super) fn next(&self) -> Option<Instant> {
        self.on_its_way.is_none().then_some(self.not_before)
    }

    /// Sends the request.
    pub(super) fn start(&mut self, request: impl Future<Output = T> + 'static) {
        self.on_its_way = Some(Box::pin(request));
    }

    /// Drops the request in flight; it is sent again later.
    pub(super) fn call_back(&mut self) {
        self.on_its_way = None;
    }

    /// Waits for the result; never returns when nothing is in flight.
    pub(super) async fn back(&mut self) -> T {
        match &mut self.on_its_way {
            Some(request) => {
                let answer = request.await;
                self.on_its_way = None;
                answer
            }
            None => std::future::pending().await,
        }
    }

    /// Notes a success.
    pub(super) fn succeeded(&mut self) {
        if self.trouble.take().is_some() {
            tracing::info!(failures = self.backoff.failures(), "{}: works again", self.name);
        }
        self.backoff.succeeded();
    }

    /// The request is done, but whether it helped shows elsewhere. Until it does, each retry comes later.
    pub(super) fn put_off(&mut self) {
        self.not_before = Instant::now() + self.backoff.failed(None, random::unit());
    }

    /// The delayed request has helped: resets the delay.
    pub(super) fn helped(&mut self) {
        if self.trouble.is_none() {
            self.backoff.succeeded();
        }
    }

    /// Does not start again before `wait` is over.
    pub(super) fn rest(&mut self, wait: Duration) {
        self.not_before = self.not_before.max(Instant::now() + wait);
    }

    /// Starts within `wait`.
    pub(super) fn sooner(&mut self, wait: Duration) {
        self.not_before = self.not_before.min(Instant::now() + wait);
    }

    /// Allows a retry in a moment, whatever delay is running: the network was away, so the server was not in trouble.
    pub(super) fn again(&mut self) {
        self.not_before = Instant::now() + DELAY_LEAST;
        self.backoff.succeeded();
    }

    /// Notes a failure; the same error is logged once.
    pub(super) fn failed(&mut self, trouble: &dyn Display, asked: Option<Duration>) {
        let wait = self.backoff.failed(asked, random::unit());
        self.not_before = Instant::now() + wait;
        let trouble = trouble.to_string();
        if self.trouble.as_ref() == Some(&trouble) {
            tracing::debug!(wait_s = wait.as_secs(), "{}: {trouble}", self.name);
        } else {
            tracing::warn!(wait_s = wait.as_secs(), "{}: {trouble}", self.name);
            self.trouble = Some(trouble);
        }
    }
}
