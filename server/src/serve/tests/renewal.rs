//! Renewal: also of an expired certificate, with the same key or a new one, never for a revoked machine.

use protocol::{RenewAnswer, SignedRenewal};

use super::*;
use crate::act::machine::machine_revoke;
use crate::ca::LEAF_MS;
use crate::store::test_database::on_both;

async fn renew(server: &Server, machine: &Machine, next: &Machine) -> Result<RenewAnswer, (StatusCode, Refusal)> {
    let signed = SignedRenewal::sign(&machine.renewal(next), &machine.signing_key()).unwrap();
    server.post(&server.client(server.tls(None)), path::RENEW, &signed).await
}

/// A machine with the same identity and another key.
fn rekeyed(machine: &Machine) -> Machine {
    Machine { id: machine.id.clone(), chain: machine.chain.clone(), ..Machine::new() }
}

on_both! {
    async fn an_expired_certificate_is_renewed(test_database: &TestDatabase) {
        let server = Server::start(test_database).await;
        let mut machine = server.machine().await;
        server.app().clock.advance(LEAF_MS + DAY_MS);
        assert_eq!(code(machine.poll(&server, &PollRequest::default()).await), "certificate_expired", "told in words");

        let first = renew(&server, &machine, &machine).await.unwrap();
        let again = renew(&server, &machine, &machine).await.unwrap();
        assert_eq!(again.certificate, first.certificate, "the same request renews once");
        let before = machine.chain[0].clone();
        machine.chain_set(&first.certificate, &first.client_chain);
        assert_ne!(machine.chain[0], before);
        let policy = server.url(&format!("{}{}", path::POLICY, Digest::ZERO));
        let asked = machine.client(&server).get(policy).send().await.unwrap();
        assert_eq!(code(answer::<PollAnswer>(asked).await), "no_policy", "let in again");
        server.app().clock.advance(1000);
        let second = renew(&server, &machine, &machine).await.unwrap();
        assert_ne!(second.certificate, first.certificate, "the next request renews again");
        server.end().await;
    }

    async fn a_certificate_of_a_clock_that_was_ahead_is_as_good_as_any(test_database: &TestDatabase) {
        let server = Server::start(test_database).await;
        let ahead = [31, 300, 500].map(|days| days * DAY_MS);
        for jump in ahead {
            server.app().clock.advance(jump);
            let machine = server.machine().await;
            server.app().clock.advance(-jump);
            let policy = server.url(&format!("{}{}", path::POLICY, Digest::ZERO));
            let asked = machine.client(&server).get(policy).send().await.unwrap();
            assert_eq!(code(answer::<PollAnswer>(asked).await), "no_policy", "let in");
        }
        server.end().await;
    }

    async fn the_old_key_signs_for_the_new_one_and_is_over(test_database: &TestDatabase) {
        let server = Server::start(test_database).await;
        let machine = server.machine().await;
        server.app().clock.advance(1000);
        let mut next = rekeyed(&machine);
        let first = renew(&server, &machine, &next).await.unwrap();
        assert_eq!(renew(&server, &machine, &next).await.unwrap().certificate, first.certificate, "a lost answer");
        next.chain_set(&first.certificate, &first.client_chain);

        let old = machine.poll(&server, &PollRequest::default()).await;
        assert_eq!(code(old), "key_replaced");
        let policy = server.url(&format!("{}{}", path::POLICY, Digest::ZERO));
        let asked = next.client(&server).get(policy).send().await.unwrap();
        assert_eq!(code(answer::<PollAnswer>(asked).await), "no_policy");
        let keys = server.app().db.read().await.unwrap().machine_key_list(&machine.id).await.unwrap();
        assert_eq!(keys.len(), 2);
        assert!(keys.iter().any(|key| key.until_at.is_some()) && keys.iter().any(|key| key.until_at.is_none()));

        // The old key can neither continue nor return.
        let third = rekeyed(&machine);
        assert_eq!(code(renew(&server, &machine, &third).await), "bad_signature");
        assert_eq!(code(renew(&server, &machine, &machine).await), "bad_signature");
        assert_eq!(code(renew(&server, &next, &machine).await), "key_known");
        server.end().await;
    }

    async fn certificates_and_keys_of_a_machine_are_bounded(test_database: &TestDatabase) {
        let server = Server::start(test_database).await;
        let (mut machine, other) = (server.machine().await, server.machine().await);
        let mut given = 0;
        let refused = loop {
            server.app().clock.advance(1);
            match renew(&server, &machine, &machine).await {
                Ok(answer) => machine.chain_set(&answer.certificate, &answer.client_chain),
                Err((status, refusal)) => break (status, refusal),
            }
            given += 1;
        };
        assert_eq!((given, refused.1.code.as_str()), (8, "too_many_renewals"));
        assert!(refused.1.retry_after_s.is_some() && refused.1.action == protocol::RefusalAction::Retry);
        renew(&server, &other, &other).await.unwrap();

        // Keys: a repeated request gets the same answer without a second log entry, even when no more keys are allowed.
        let id = machine.id.clone();
        let entries = async || test_database::count(&mut server.app().db.read().await.unwrap(),
            "select count(*) from audit_entry where action = 'machine_key_replaced' and subject = $1", &id).await;
        let quarter = 15 * 60 * 1000;
        let mut keys = 1;
        let last = loop {
            server.app().clock.advance(quarter);
            let mut next = rekeyed(&machine);
            match renew(&server, &machine, &next).await {
                Ok(first) => {
                    let again = renew(&server, &machine, &next).await.unwrap();
                    assert_eq!(again.certificate, first.certificate);
                    next.chain_set(&first.certificate, &first.client_chain);
                    machine = next;
                }
                Err((_, refusal)) => break refusal.code,
            }
            keys += 1;
            assert_eq!(entries().await, keys - 1);
        };
        assert_eq!((keys, last.as_str()), (32, "too_many_keys"));
        let kept = test_database::count(&mut server.app().db.read().await.unwrap(),
            "select count(*) from certificate where machine = $1", &machine.id).await;
        assert_eq!(kept, 17, "the newest, and the first");
        server.app().clock.advance(quarter);
        renew(&server, &machine, &machine).await.unwrap();
        server.end().await;
    }

    async fn strangers_and_revoked_machines_are_refused(test_database: &TestDatabase) {
        let server = Server::start(test_database).await;
        let machine = server.machine().await;
        let other = server.machine().await;
        let client = server.client(server.tls(None));
        let forged = SignedRenewal::sign(&machine.renewal(&other), &other.signing_key()).unwrap();
        assert_eq!(code(server.post::<RenewAnswer>(&client, path::RENEW, &forged).await), "bad_signature");
        let mut nobody = machine.renewal(&machine);
        nobody.machine = "nobody".to_owned();
        let nobody = SignedRenewal::sign(&nobody, &machine.signing_key()).unwrap();
        assert_eq!(code(server.post::<RenewAnswer>(&client, path::RENEW, &nobody).await), "unknown_machine");
        let mut changed = SignedRenewal::sign(&machine.renewal(&machine), &machine.signing_key()).unwrap();
        changed.request = changed.request.replace("\"made_at\":1", "\"made_at\":2");
        assert_eq!(code(server.post::<RenewAnswer>(&client, path::RENEW, &changed).await), "bad_signature");

        machine_revoke(&server.app().db, &server.by(), &machine.id, "test_database").await.unwrap();
        assert_eq!(code(renew(&server, &machine, &machine).await), "revoked");
        server.end().await;
    }
}
