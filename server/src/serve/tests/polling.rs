//! Held polls: what ends them, how soon, and what they carry.

use protocol::Order;

use super::*;
use crate::act::machine::{machine_check, machine_confirm, machine_revoke};
use crate::store::test_database::on_both;

/// A poll that is being held.
async fn held(
    server: &Shared,
    machine: &Arc<Machine>,
) -> tokio::task::JoinHandle<Result<PollAnswer, (StatusCode, Refusal)>> {
    let before = server.app().events.polls.count();
    let (serving, polling) = (Arc::clone(server), Arc::clone(machine));
    let poll = tokio::spawn(async move { polling.poll(&serving, &PollRequest::default()).await });
    polls_held(server, before + 1).await;
    poll
}

on_both! {
    async fn an_order_is_carried_until_it_is_done(test_database: &TestDatabase) {
        let server = Arc::new(Server::start(test_database).await);
        let machine = Arc::new(server.machine().await);
        let poll = held(&server, &machine).await;
        machine_check(&server.app().db, &server.by(), &machine.id).await.unwrap();
        let answer = soon(poll).await.unwrap().unwrap();
        let [Order::CheckNow { id }] = answer.orders.as_slice() else { panic!("{answer:?}") };

        // Not delivered twice while it may be in transit, but again when it seems lost, until it is done.
        let again = held(&server, &machine).await;
        server.app().clock.advance(3 * 60 * 1000);
        machine_check(&server.app().db, &server.by(), &machine.id).await.unwrap();
        let lost = soon(again).await.unwrap().unwrap();
        assert_eq!(lost.orders, answer.orders);
        server.app().clock.advance(3 * 60 * 1000);
        let (serving, polling, done) = (Arc::clone(&server), Arc::clone(&machine), vec![id.clone()]);
        let known = Some(lost.assignment);
        let quiet = tokio::spawn(async move {
            polling.poll(&serving, &PollRequest { done, known, ..PollRequest::default() }).await
        });
        polls_held(&server, 1).await;
        machine_confirm(&server.app().db, &server.by(), &machine.id).await.unwrap();
        let news = soon(quiet).await.unwrap().unwrap();
        assert!(news.orders.is_empty() && news.assignment.confirmed, "{news:?}");
        Arc::into_inner(server).unwrap().end().await;
    }

    async fn a_revocation_ends_the_poll(test_database: &TestDatabase) {
        let server = Arc::new(Server::start(test_database).await);
        let machine = Arc::new(server.machine().await);
        let poll = held(&server, &machine).await;
        machine_revoke(&server.app().db, &server.by(), &machine.id, "stolen").await.unwrap();
        assert_eq!(code(soon(poll).await.unwrap()), "revoked");
        polls_held(&server, 0).await;
        Arc::into_inner(server).unwrap().end().await;
    }

    async fn a_revocation_at_another_server_ends_it_too(test_database: &TestDatabase) {
        let server = Arc::new(Server::start(test_database).await);
        let machine = Arc::new(server.machine().await);
        let poll = held(&server, &machine).await;
        let elsewhere = test_database.second().await;
        machine_revoke(&elsewhere, &server.by(), &machine.id, "stolen").await.unwrap();
        elsewhere.close().await;
        assert_eq!(code(soon(poll).await.unwrap()), "revoked");
        Arc::into_inner(server).unwrap().end().await;
    }
}

#[tokio::test]
async fn one_poll_a_machine_and_every_poll_has_an_end() {
    let test_database = TestDatabase::sqlite().await;
    let server = Arc::new(Server::start(&test_database).await);
    let machine = Arc::new(server.machine().await);
    let first = held(&server, &machine).await;
    let (serving, polling) = (Arc::clone(&server), Arc::clone(&machine));
    let second = tokio::spawn(async move { polling.poll(&serving, &PollRequest::default()).await });
    let replaced = soon(first).await.unwrap().unwrap();
    assert!(replaced.orders.is_empty());
    // A stopping server answers the polls it holds.
    server.app().events.stop();
    assert!(soon(second).await.unwrap().unwrap().orders.is_empty());
    Arc::into_inner(server).unwrap().end().await;

    let agents = Agents { poll_held_s: 1, ..Agents::default() };
    let brief = Server::start_with(&test_database, |config| config.agents = agents, Deadlines::default()).await;
    let answer = brief.machine().await.poll(&brief, &PollRequest::default()).await.unwrap();
    assert!(answer.orders.is_empty(), "its time is over");
    brief.end().await;
    test_database.end().await;
}
