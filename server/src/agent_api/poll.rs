//! `POST /agent/poll`: held until there is an order, a new policy or a decision about the machine, or time runs out. The store
//! is only queried when the event reader wakes the poll.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::{Extension, Json};
use protocol::{Assignment, Order, PollAnswer, PollRequest};
use ring::rand::{SecureRandom, SystemRandom};

use super::json_read;
use crate::act::caller::{Caller, assignment, caller_check};
use crate::agent_api::error::ApiError;
use crate::app::App;
use crate::app::events::Wake;

/// How long an order sent to a machine may be in transit before it is sent again.
const ORDER_ON_ITS_WAY_MS: i64 = 2 * 60 * 1000;
/// A new policy wakes this many polls a second, so that 20,000 machines do not fetch it at once.
const WAKES_A_SECOND: u32 = 500;
/// Most ids of completed orders read from one request.
const DONE: usize = 32;

/// Holds a poll.
///
/// # Errors
/// A final refusal as soon as the machine is revoked.
pub async fn poll_hold(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    body: Bytes,
) -> Result<Json<PollAnswer>, ApiError> {
    let request: PollRequest = json_read(&body)?;
    drop(body);
    // Entered before the first look, so that nothing is missed between look and wait.
    let mut held = app.events.polls.enter(&caller.machine);
    orders_note_done(&app, &caller, &request).await?;
    let deadline = tokio::time::sleep(spread(app.config.agents.poll_held()));
    tokio::pin!(deadline);
    let first = look(&app, &caller).await?;
    let before = first.assignment.clone();
    if !first.orders.is_empty() || is_news(&first.assignment, &request) {
        return Ok(Json(first));
    }
    // Nothing that the machine sent is kept while it waits.
    drop(request);
    loop {
        let mut wake = tokio::select! {
            () = &mut deadline => Wake::Stop,
            wake = held.woken() => wake,
        };
        if wake == Wake::Policy {
            let most =
                Duration::from_secs(1) * u32::try_from(app.events.polls.count()).unwrap_or(u32::MAX) / WAKES_A_SECOND;
            tokio::select! {
                () = tokio::time::sleep(most.mul_f64(chance())) => {}
                sooner = held.woken() => wake = sooner,
            }
        }
        let answer = look(&app, &caller).await?;
        let over = matches!(wake, Wake::Stop | Wake::Replaced);
        if over || !answer.orders.is_empty() || answer.assignment != before {
            return Ok(Json(answer));
        }
    }
}

/// Whether the policy in force differs from the one the agent uses, or a decision has not reached it.
fn is_news(assignment: &Assignment, request: &PollRequest) -> bool {
    let untold = request.known.as_ref().is_some_and(|known| known != assignment);
    untold || (assignment.policy.is_some() && assignment.policy != request.policy)
}

/// What the store says now.
async fn look(app: &App, caller: &Caller) -> Result<PollAnswer, ApiError> {
    let now = app.clock.now_ms();
    let carried_before = now - ORDER_ON_ITS_WAY_MS;
    let mut tx = app.db.read().await?;
    let fresh = caller_check(tx.machine_peer(&caller.key).await?, &caller.machine)?;
    let assignment = assignment(app, &mut tx, &fresh).await?;
    let waits = tx.machine_order_waits(&caller.machine, now, carried_before).await?;
    drop(tx);
    let mut orders = Vec::new();
    if waits {
        let mut tx = app.db.write().await?;
        orders = tx.machine_order_carry(&caller.machine, now, carried_before).await?;
        tx.commit().await?;
    }
    let orders = orders.into_iter().map(|order| Order::CheckNow { id: order.id }).collect();
    Ok(PollAnswer { orders, assignment, server_time_at: now })
}

async fn orders_note_done(app: &App, caller: &Caller, request: &PollRequest) -> Result<(), ApiError> {
    if request.done.is_empty() {
        return Ok(());
    }
    // Checked first because it does not write: made-up ids cost no commit.
    if !app.db.read().await?.machine_order_is_open(&caller.machine).await? {
        return Ok(());
    }
    let mut tx = app.db.write().await?;
    for id in request.done.iter().take(DONE) {
        tx.machine_order_done(&caller.machine, id, app.clock.now_ms()).await?;
    }
    Ok(tx.commit().await?)
}

/// `middle`, 20 % more or less, so that machines which connected together do not keep polling together.
fn spread(middle: Duration) -> Duration {
    middle.mul_f64(0.8 + 0.4 * chance())
}

/// Between 0 and 1; the middle when there are no random numbers, because nothing here is secret.
fn chance() -> f64 {
    let mut bytes = [0; 4];
    match SystemRandom::new().fill(&mut bytes) {
        Ok(()) => f64::from(u32::from_be_bytes(bytes)) / f64::from(u32::MAX),
        Err(_) => 0.5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polls_spread_by_a_fifth_either_way() {
        let middle = Duration::from_secs(1200);
        let all: Vec<Duration> = (0..1000).map(|_| spread(middle)).collect();
        assert!(all.iter().all(|held| (960..=1440).contains(&held.as_secs())));
        assert!(all.iter().any(|held| held.as_secs() < 1100) && all.iter().any(|held| held.as_secs() > 1300));
    }
}
