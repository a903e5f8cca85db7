//! The daemon: one loop that sleeps until the next event. It checks on a schedule and when something changes, reports,
//! delivers, polls for orders, and ends when told to stop.
//!
//! Once it runs, no error ends it: errors are logged and it carries on.

use std::collections::BTreeSet;
use std::time::Duration;

use policies::fact::{Facts, Section};
use protocol::{
    AgentEvent, AgentEventAnswer, Digest, PollAnswer, PollRequest, RenewAnswer, ReportAnswers, SignedBundle, path,
};
use tokio::time::Instant;

use crate::connection::{Connection, WireError};
use crate::daemon::agent_state::AgentState;
use crate::daemon::debounce::Debounce;
use crate::daemon::schedule::{LOOK_AGAIN, Now, Schedule};
use crate::daemon::watch::{Subject, Watch};
use crate::daemon::{exchange, renew};
use crate::identity::start::StartError;
use crate::platform::logbook::{self, Entry};
use crate::platform::random;
use crate::platform::service::{Manager, ServiceEvent, ServiceEvents};
use crate::policy;
use crate::report::delivery::{Batch, Next};

mod collecting;
mod orders;
mod retried_request;
mod routine;
mod silence;
mod words;

use collecting::Collecting;
use retried_request::RetriedRequest;
use routine::Routine;
use silence::Silence;

/// After the machine wakes up, a full check follows no sooner than this, ...
const AWAKE_LEAST: Duration = Duration::from_secs(5);
/// ... spread over this.
const AWAKE_SPREAD: Duration = Duration::from_secs(25);

/// The shortest time between renewals of a certificate that looks due by this machine's clock: a clock that is ahead finds every
/// certificate due.
const RENEWALS_APART: Duration = Duration::from_secs(60 * 60);

/// The daemon's state.
struct Daemon {
    agent_state: AgentState,
    connection: Connection,
    /// None once the system has taken the watch away.
    watch: Option<Watch>,
    debounce: Debounce<Subject>,
    schedule: Schedule,
    routine: Routine,
    /// Sections to collect as soon as the collector is free.
    wanted: BTreeSet<Section>,
    collecting: Option<Collecting>,
    /// Digest of the outcomes of the newest facts.
    outcomes: Option<Digest>,
    ordered: Vec<String>,
    done: Vec<String>,
    order_not_before: Instant,
    policy_wanted: Option<Digest>,
    /// Why the last policy was refused, until one is accepted.
    refused: Option<String>,
    renewal_at: i64,
    renewed: Option<Instant>,
    /// True when the server refused the certificate for its dates.
    out_of_date: bool,
    poll_started: Instant,
    sending: RetriedRequest<(Batch, Result<ReportAnswers, WireError>)>,
    polling: RetriedRequest<Result<PollAnswer, WireError>>,
    fetching: RetriedRequest<Result<SignedBundle, WireError>>,
    renewing: RetriedRequest<Result<RenewAnswer, WireError>>,
    /// An event of its own that the agent still has to report.
    to_say: Option<AgentEvent>,
    silence: Silence,
    saying: RetriedRequest<Result<AgentEventAnswer, WireError>>,
}

/// What woke the loop.
enum Event {
    ServiceEvent(ServiceEvent),
    Changed(std::io::Result<BTreeSet<Subject>>),
    Collected(Collecting, Option<Box<Facts>>),
    Sent(Batch, Result<ReportAnswers, WireError>),
    Polled(Result<PollAnswer, WireError>),
    Fetched(Result<SignedBundle, WireError>),
    Renewed(Result<RenewAnswer, WireError>),
    Said(Result<AgentEventAnswer, WireError>),
    Time,
}

/// Runs until the service manager tells it to stop.
///
/// # Errors
/// When it cannot start: no watch, no server address, or the connection cannot be set up.
pub(crate) async fn run(
    agent_state: AgentState,
    mut service_events: ServiceEvents,
    manager: &Manager,
) -> anyhow::Result<()> {
    if agent_state.is_unconnected() {
        return Err(StartError::Unconnected.into());
    }
    let mut daemon = Daemon::new(agent_state)?;
    daemon.to_say = words::first(&mut daemon.agent_state);
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        machine = daemon.agent_state.identity.machine,
        server = daemon.agent_state.address(),
        waiting = daemon.agent_state.delivery.spool.count(),
        "posture-agent runs"
    );
    manager.ready();
    logbook::enter(&Entry::Started);
    let why = loop {
        daemon.start_what_is_due();
        match daemon.next(&mut service_events).await {
            Event::ServiceEvent(ServiceEvent::Stop(why)) => break why,
            event => daemon.handle(event),
        }
    };
    manager.stopping();
    words::last(&mut daemon.agent_state, &daemon.connection, why, daemon.outcomes).await;
    logbook::enter(&Entry::Stopped);
    tracing::info!(waiting = daemon.agent_state.delivery.spool.count(), "posture-agent ends");
    Ok(())
}

impl Daemon {
    fn new(agent_state: AgentState) -> anyhow::Result<Self> {
        let sections = Section::ALL.iter().flat_map(|&section| {
            collect::watched(section).into_iter().map(move |path| (path, Subject::Section(section)))
        });
        let own = [
            (agent_state.state.folder(policy::store::FOLDER)?, Subject::Policy),
            (agent_state.config_path().to_owned(), Subject::Config),
        ];
        let keys = Section::ALL.iter().flat_map(|&section| {
            collect::watched_keys(section).iter().map(move |&key| (key, Subject::Section(section)))
        });
        let watch = Watch::new(sections.chain(own))?.with_keys(keys);
        let period = agent_state.config.schedule.full_check();
        let now = Instant::now();
        Ok(Self {
            connection: agent_state.connection()?,
            watch: Some(watch),
            debounce: Debounce::new(),
            schedule: Schedule::new(
                &agent_state.identity.machine,
                period,
                Now { at: agent_state.clock.now(), steady: now },
            ),
            routine: Routine::default(),
            wanted: BTreeSet::new(),
            collecting: None,
            outcomes: None,
            ordered: Vec::new(),
            done: Vec::new(),
            order_not_before: now,
            policy_wanted: None,
            refused: None,
            renewal_at: agent_state.validity().renewal_at(),
            renewed: None,
            out_of_date: false,
            poll_started: now,
            sending: RetriedRequest::new("delivering reports"),
            polling: RetriedRequest::new("asking for orders"),
            fetching: RetriedRequest::new("fetching the policy"),
            renewing: RetriedRequest::new("renewing the certificate"),
            to_say: None,
            silence: Silence::new(now),
            saying: RetriedRequest::new("saying what was repaired"),
            agent_state,
        })
    }

    /// Starts everything that may start now.
    fn start_what_is_due(&mut self) {
        let now = Instant::now();
        for subject in self.debounce.due(now) {
            self.changed(subject);
        }
        if self.collecting.is_none()
            && let Some((why, sections)) = self.due(now)
        {
            self.collect(why, sections);
        }
        if self.sending.may_start()
            && let Some(batch) = self.agent_state.delivery.request()
        {
            self.sending.start(exchange::send(self.connection.clone(), batch));
        }
        if self.fetching.may_start()
            && let Some(address) = self.policy_wanted
        {
            let connection = self.connection.clone();
            self.fetching.start(async move { connection.policy(address).await });
        }
        if self.polling.may_start() && self.may_poll() {
            let request = PollRequest {
                policy: self.agent_state.policies.address(),
                known: self.agent_state.last_answer.assignment.clone(),
                done: self.done.clone(),
            };
            let connection = self.connection.clone();
            self.poll_started = now;
            self.polling.start(async move { connection.post(path::POLL, &request).await });
        }
        if self.saying.may_start()
            && let Some(event) = self.to_say
        {
            self.saying.start(words::say(self.connection.clone(), event));
        }
        if self.renewing.may_start() && self.renewal_is_due(now) {
            match renew::ask(&self.agent_state) {
                Ok(asked) => self.renewing.start(asked),
                Err(error) => self.renewing.failed(&error, None),
            }
        }
    }

    fn renewal_is_due(&self, now: Instant) -> bool {
        let lately = self.renewed.is_some_and(|at| now.saturating_duration_since(at) < RENEWALS_APART);
        self.out_of_date || self.agent_state.clock.trusted() >= self.renewal_at && !lately
    }

    /// The current time, as the schedule takes it.
    fn now(&self) -> Now {
        Now { at: self.agent_state.clock.now(), steady: Instant::now() }
    }

    /// True when no order or policy is in progress: the server would answer a poll with the same one at once.
    fn may_poll(&self) -> bool {
        let carrying_out = self.collecting.as_ref().is_some_and(|collecting| !collecting.orders.is_empty());
        self.ordered.is_empty() && !carrying_out && !self.fetching.is_on_its_way()
    }

    /// Waits for the next event.
    async fn next(&mut self, service_events: &mut ServiceEvents) -> Event {
        let wake = self.wake();
        let changed = async {
            match &mut self.watch {
                Some(watch) => watch.changed().await,
                None => std::future::pending().await,
            }
        };
        let facts = async {
            match &mut self.collecting {
                Some(collecting) => (&mut collecting.facts).await,
                None => std::future::pending().await,
            }
        };
        let event = tokio::select! {
            biased;
            service_event = service_events.next() => return Event::ServiceEvent(service_event),
            facts = facts => Err(facts),
            (batch, answers) = self.sending.back() => Ok(Event::Sent(batch, answers)),
            answer = self.polling.back() => Ok(Event::Polled(answer)),
            bundle = self.fetching.back() => Ok(Event::Fetched(bundle)),
            answer = self.renewing.back() => Ok(Event::Renewed(answer)),
            answer = self.saying.back() => Ok(Event::Said(answer)),
            changed = changed => Ok(Event::Changed(changed)),
            () = tokio::time::sleep_until(wake) => Ok(Event::Time),
        };
        match (event, self.collecting.take()) {
            (Err(facts), Some(collecting)) => Event::Collected(collecting, facts.ok().map(Box::new)),
            (Ok(event), collecting) => {
                self.collecting = collecting;
                event
            }
            (Err(_), None) => Event::Time,
        }
    }

    /// When something is due if no event comes first.
    fn wake(&self) -> Instant {
        let mut wake = Instant::now() + LOOK_AGAIN;
        let mut at_latest = |at: Option<Instant>| wake = at.map_or(wake, |at| wake.min(at));
        // Work that needs the collector is checked again when it is free.
        if self.collecting.is_none() {
            let scheduled = || Instant::now() + self.schedule.sleep(self.now());
            at_latest(Some(self.routine.next().unwrap_or_else(scheduled)));
            if !self.ordered.is_empty() {
                at_latest(Some(self.order_not_before));
            }
        }
        at_latest(self.debounce.next());
        if self.agent_state.delivery.waits() {
            at_latest(self.sending.next());
        }
        if self.policy_wanted.is_some() {
            at_latest(self.fetching.next());
        }
        if self.may_poll() {
            at_latest(self.polling.next());
        }
        if self.to_say.is_some() {
            at_latest(self.saying.next());
        }
        if self.renewal_is_due(Instant::now()) {
            at_latest(self.renewing.next());
        }
        wake
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::ServiceEvent(ServiceEvent::Awake) => self.awake(),
            Event::ServiceEvent(ServiceEvent::Stop(_)) | Event::Time => {}
            Event::Changed(Ok(subjects)) => {
                let now = Instant::now();
                subjects.into_iter().for_each(|subject| self.debounce.note(subject, now));
            }
            Event::Changed(Err(error)) => {
                tracing::error!(%error, "changes of files are no longer seen at once, only at full checks");
                self.watch = None;
            }
            Event::Collected(collecting, facts) => self.collected(collecting, facts),
            Event::Sent(batch, Ok(answers)) => self.sent(&batch, &answers),
            Event::Sent(_, Err(error)) => {
                self.sending.failed(&error, error.retry_after());
                self.unanswered(&error);
            }
            Event::Polled(Ok(answer)) => self.polled(answer),
            Event::Polled(Err(error)) => {
                self.polling.failed(&error, error.retry_after());
                self.unanswered(&error);
            }
            Event::Fetched(Ok(bundle)) => self.fetched(&bundle),
            Event::Fetched(Err(error)) => {
                self.out_of_date |= error.is_out_of_date();
                self.fetch_failed(&error, error.retry_after());
            }
            Event::Renewed(Ok(answer)) => match renew::adopt(&mut self.agent_state, answer) {
                Ok(()) => self.renewed(),
                Err(error) => self.renewing.failed(&error, None),
            },
            Event::Renewed(Err(error)) => self.renewing.failed(&error, error.retry_after()),
            Event::Said(Ok(_)) => {
                self.to_say = None;
                self.saying.succeeded();
            }
            Event::Said(Err(error)) => {
                // A server that will never accept it, such as an older one, is not asked again.
                self.to_say = self.to_say.filter(|_| !error.is_final() || error.is_out_of_date());
                self.saying.failed(&error, error.retry_after());
            }
        }
    }

    /// A new certificate is in use. Requests refused for the old one's dates are retried at once; if the new one is refused for the
    /// same reason, renewals get rarer each time.
    fn renewed(&mut self) {
        self.renewed = Some(Instant::now());
        self.reconnect();
        if std::mem::take(&mut self.out_of_date) {
            self.renewing.put_off();
            self.ask_again();
        } else {
            self.renewing.succeeded();
        }
    }

    /// The network changed: pending requests are retried on a new connection, and the section that describes the
    /// network is collected.
    fn network_changed(&mut self) {
        self.wanted.insert(Section::Lan);
        self.reconnect();
        self.ask_again();
    }

    /// Retries what was put off because the server did not answer.
    fn ask_again(&mut self) {
        self.sending.again();
        self.polling.again();
        self.fetching.again();
    }

    /// The machine woke up: a full check soon, on a new connection, without waiting for earlier delays.
    fn awake(&mut self) {
        tracing::info!("the machine is awake again");
        // Spread, because an office's machines wake up together; not at once, because the network needs a moment.
        let wait = AWAKE_LEAST + AWAKE_SPREAD.mul_f64(random::unit());
        self.schedule.bring_forward(self.now(), wait);
        self.reconnect();
        self.ask_again();
    }

    fn changed(&mut self, subject: Subject) {
        match subject {
            Subject::Section(section) => drop(self.wanted.insert(section)),
            Subject::Network => self.network_changed(),
            Subject::Policy => {
                match self.agent_state.policies.reload(&self.agent_state.state, &self.agent_state.identity) {
                    Ok(false) => {}
                    Ok(true) => {
                        self.agent_state.policy_learn();
                        self.judge();
                    }
                    Err(error) => {
                        tracing::error!(%error, "the policy on disk is not used; it is fetched again");
                        self.policy_refused(&error.to_string());
                        // The next poll says that the agent has no policy, and is told which one to fetch.
                        self.polling.call_back();
                    }
                }
            }
            Subject::Config => match self.agent_state.config_reload() {
                Ok(false) => {}
                Ok(true) => {
                    tracing::info!(file = %self.agent_state.config_path().display(), "the configuration changed");
                    let period = self.agent_state.config.schedule.full_check();
                    let now = self.now();
                    self.schedule.set_period(&self.agent_state.identity.machine, period, now);
                    self.reconnect();
                }
                Err(error) => tracing::error!(%error, "the former configuration stays in force"),
            },
        }
    }

    /// Opens a new connection; requests in flight on the old one are sent again.
    fn reconnect(&mut self) {
        match self.agent_state.connection() {
            Ok(connection) => {
                self.connection = connection;
                self.sending.call_back();
                self.polling.call_back();
                self.fetching.call_back();
                self.renewal_at = self.agent_state.validity().renewal_at();
            }
            Err(error) => tracing::error!(%error, "the former line to the server stays in use"),
        }
    }

    fn judge(&mut self) {
        self.outcomes = self.agent_state.judged().map(|judgement| judgement.digest());
    }

    fn sent(&mut self, batch: &Batch, answers: &ReportAnswers) {
        let first = self.agent_state.last_answer.assignment.is_none();
        let answered = exchange::answered(&mut self.agent_state, batch, answers, self.outcomes);
        self.heard(first, answered.policy);
        match answered.next {
            Next::Rest | Next::Again => self.sending.succeeded(),
            Next::Wait(asked) => self.sending.failed(&"the server did not take the reports", asked),
            Next::Unbelievable => self.sending.failed(&"the server claims what cannot be true", None),
        }
    }
}
