//! What agents report about themselves: kept for the machine's page, never more than the limit.

use protocol::{AgentEvent, AgentEventAnswer, AgentEventKind};

use super::*;
use crate::store::machine::event::AgentEventKind as Kept;
use crate::store::test_database::on_both;

on_both! {
    async fn last_words_are_kept_for_those_in_scope(test_database: &TestDatabase) {
        let server = Server::start(test_database).await;
        let machine = server.machine().await;
        let say = async |kind| {
            let event = AgentEvent { kind, at: 7 };
            server.post::<AgentEventAnswer>(&machine.client(&server), path::EVENT, &event).await.unwrap()
        };
        let before = server.app().db.read().await.unwrap().change_last().await.unwrap();
        say(AgentEventKind::Stopped).await;
        server.app().clock.advance(1000);
        let answer = say(AgentEventKind::Uninstalled).await;
        assert_eq!(answer.server_time_at, server.app().clock.now_ms());
        // An agent of a later version is answered; what it says means nothing here.
        say(AgentEventKind::Unknown).await;

        let mut tx = server.app().db.read().await.unwrap();
        assert_eq!(tx.change_last().await.unwrap(), before + 2, "open pages hear of it");
        let events = tx.agent_event_list(&Scope::whole(), &machine.id).await.unwrap();
        let said: Vec<_> = events.iter().map(|event| (event.kind, event.said_at)).collect();
        assert_eq!(said, [(Kept::Uninstalled, 7), (Kept::Stopped, 7)]);
        assert!(tx.agent_event_list(&Scope::office("elsewhere"), &machine.id).await.is_err());
        drop(tx);

        let app = server.app();
        app.clock.advance(1000);
        app.contacts.store(&app.db, &app.clock, true).await.unwrap();
        let contact = app.db.read().await.unwrap().contact_get(&Scope::whole(), &machine.id).await.unwrap();
        assert_eq!(contact.called_at, Some(app.clock.now_ms() - 1000), "when it called, not when that was written");
        assert_eq!(contact.imported_at, None);
        server.end().await;
    }

    async fn a_stranger_is_not_believed_and_a_talker_is_bounded(test_database: &TestDatabase) {
        let server = Server::start(test_database).await;
        let machine = server.machine().await;
        let event = AgentEvent { kind: AgentEventKind::Stopped, at: 7 };
        let stranger = server.client(server.tls(None));
        let refused = server.post::<AgentEventAnswer>(&stranger, path::EVENT, &event).await;
        assert_eq!(code(refused), "no_certificate");
        let client = machine.client(&server);
        let mut last = Ok(AgentEventAnswer { server_time_at: 0 });
        for _ in 0..30 {
            last = server.post::<AgentEventAnswer>(&client, path::EVENT, &event).await;
        }
        assert_eq!(code(last), "too_many_requests");
        for _ in 0..100 {
            server.app().clock.advance(60 * 1000);
            server.post::<AgentEventAnswer>(&client, path::EVENT, &event).await.unwrap();
        }
        let mut tx = server.app().db.read().await.unwrap();
        assert_eq!(tx.agent_event_list(&Scope::whole(), &machine.id).await.unwrap().len(), 100);
        drop(tx);
        server.end().await;
    }
}
