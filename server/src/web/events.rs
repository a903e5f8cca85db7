//! `GET /events`: the stream that tells an open page that something it shows has changed. It carries no content: the page
//! reloads itself like any other request.

use std::collections::HashSet;
use std::convert::Infallible;
use std::time::Duration;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};
use tokio_stream::wrappers::ReceiverStream;

use super::notice::trouble;
use super::refusal;
use super::visitor::{Session, session_lasts};
use crate::app::App;
use crate::store::Scope;
use crate::store::outbox::{EventKind, OutboxEvent};
use crate::web::error::PageError;

/// A page is notified at most this often, however many changes there are.
const CALM: Duration = Duration::from_secs(1);

/// How often a sign of life is sent and the session is checked.
const BREATH: Duration = Duration::from_secs(15);

/// What a page follows.
#[derive(Debug, Deserialize)]
pub(crate) struct EventsQuery {
    #[serde(default)]
    office: String,
    #[serde(default)]
    machine: String,
}

/// Which changes concern one stream.
#[derive(Debug)]
enum Topic {
    /// Everything the person may see; all offices if the scope is the whole tree.
    Everything(Option<HashSet<String>>),
    /// One office and what lies below it.
    Office(HashSet<String>),
    /// One machine.
    Machine(String),
}

impl Topic {
    fn concerns(&self, change: &OutboxEvent) -> bool {
        if change.kind == EventKind::Policy || change.office.is_none() && change.machine.is_none() {
            return true;
        }
        let within = |offices: &HashSet<String>| change.office.as_ref().is_some_and(|office| offices.contains(office));
        match self {
            Self::Everything(None) => true,
            Self::Everything(Some(offices)) | Self::Office(offices) => within(offices),
            Self::Machine(machine) => change.concerns(machine),
        }
    }
}

async fn topic_find(app: &App, session: &Session, query: &EventsQuery) -> Result<Topic, PageError> {
    let mut tx = app.db.read().await?;
    if !query.machine.is_empty() {
        let machine = tx.machine_require(&session.scope, &query.machine).await?;
        return Ok(Topic::Machine(machine.id));
    }
    let scope = if query.office.is_empty() {
        if session.scope.is_whole() {
            return Ok(Topic::Everything(None));
        }
        session.scope.clone()
    } else {
        tx.office_require(&session.scope, &query.office).await?;
        Scope::office(&query.office)
    };
    let offices = tx.office_list(&scope).await?.into_iter().map(|office| office.id).collect();
    Ok(if query.office.is_empty() { Topic::Everything(Some(offices)) } else { Topic::Office(offices) })
}

/// `GET /events`
pub(crate) async fn events_get(
    State(app): State<App>,
    session: Session,
    Query(query): Query<EventsQuery>,
) -> Result<Response, PageError> {
    let Some(place) = app.pages.streams.enter(session.token_hash.clone()) else {
        return Err(refusal::too_many_pages(StatusCode::TOO_MANY_REQUESTS));
    };
    // Subscribed before the topic is read, so that nothing is missed in between.
    let changes = app.events.subscribe();
    let topic = topic_find(&app, &session, &query).await?;
    let (sender, receiver) = mpsc::channel(4);
    tokio::spawn(async move {
        let _place = place;
        follow(&app, &session, &topic, changes, &sender).await;
    });
    Ok(Sse::new(ReceiverStream::new(receiver)).into_response())
}

async fn follow(
    app: &App,
    session: &Session,
    topic: &Topic,
    mut changes: Receiver<std::sync::Arc<OutboxEvent>>,
    sender: &mpsc::Sender<Result<Event, Infallible>>,
) {
    let mut breath = interval(BREATH);
    breath.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut due: Option<Instant> = None;
    let mut calm_until = Instant::now();
    let mut known_trouble = trouble(app);
    loop {
        let event = tokio::select! {
            () = app.events.stopped() => return,
            () = sender.closed() => return,
            change = changes.recv() => match change {
                Ok(change) if !topic.concerns(&change) => continue,
                Ok(_) | Err(RecvError::Lagged(_)) => {
                    due = due.or(Some(calm_until));
                    continue;
                }
                Err(RecvError::Closed) => return,
            },
            () = sleep_until(due.unwrap_or(calm_until)), if due.is_some() => {
                due = None;
                calm_until = Instant::now() + CALM;
                // A browser drops an event whose data is empty.
                Event::default().event("changed").data("1")
            }
            _ = breath.tick() => {
                // A following page says that it is current, which it must not do while events are unknown.
                if app.events.is_away() {
                    return;
                }
                let now = trouble(app);
                if now != known_trouble {
                    known_trouble = now;
                    due = due.or(Some(calm_until));
                }
                if session_lasts(app, &session.token_hash).await {
                    Event::default().comment("")
                } else {
                    let _ = sender.send(Ok(Event::default().event("ended").data("1"))).await;
                    return;
                }
            }
        };
        if sender.send(Ok(event)).await.is_err() {
            return;
        }
    }
}
