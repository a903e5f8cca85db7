//! Files of machines without a network, as the server takes them in: whose key must match, what is renewed, what is logged.

use protocol::SignedRenewal;
use protocol::unconnected::export::export_seal;
use protocol::unconnected::{Content, ExportHead, FileAnswer, UncheckedAnswer};

use super::*;
use crate::act::machine::machine_revoke;
use crate::airgap::{Came, Imported, import};
use crate::ca::LEAF_MS;
use crate::store::test_database::on_both;

fn head(content: Content) -> ExportHead {
    let agent = "0.1.0".to_owned();
    ExportHead {
        server: "server-1".to_owned(),
        made_at: 0,
        agent,
        not_secret: true,
        receipts: 0,
        checkpoint: None,
        content,
    }
}

fn reports(machine: &str, renewal: Option<SignedRenewal>) -> ExportHead {
    head(Content::Reports { machine: machine.to_owned(), renewal, left: 0 })
}

async fn take(server: &Server, head: &ExportHead, signer: &Machine) -> anyhow::Result<Imported> {
    let sealing = server.app().secrets.sealing.public_key();
    let file = export_seal(head, &[], &signer.signing_key(), &sealing).unwrap();
    import(server.app(), &server.by(), &file).await
}

/// The answer as the machine reads it.
fn opened(server: &Server, machine: &Machine, imported: &Imported) -> FileAnswer {
    let answer = UncheckedAnswer::read(&imported.answer).unwrap();
    let point = server.app().secrets.receipt.public_key();
    answer.open("server-1", point, machine.signing_key().public_key()).unwrap()
}

on_both! {
    async fn a_request_makes_one_pending_machine(test_database: &TestDatabase) {
        let server = Server::start(test_database).await;
        let (token, text) = server.token(2).await;
        let machine = Machine::new();
        let asked = head(Content::Enrolment { request: machine.request(&text) });
        let stranger = take(&server, &asked, &Machine::new()).await.unwrap_err();
        assert!(stranger.to_string().contains("does not fit"), "{stranger}");
        let secret = ExportHead { not_secret: false, ..asked.clone() };
        assert!(take(&server, &secret, &machine).await.unwrap_err().to_string().contains("state secrets"));
        let elsewhere = ExportHead { server: "server-2".to_owned(), ..asked.clone() };
        assert!(take(&server, &elsewhere, &machine).await.is_err());
        assert_eq!(server.uses_left(&token).await, 2);

        for again in [false, true] {
            let imported = take(&server, &asked, &machine).await.unwrap();
            assert_eq!((imported.came, imported.refusal.is_none()), (Came::Enrolment { again }, true));
            let answer = opened(&server, &machine, &imported).enrolment.unwrap();
            let contact = test_database.db.read().await.unwrap().contact_get(&Scope::whole(), &answer.machine).await.unwrap();
            assert_eq!((contact.called_at, contact.imported_at), (None, Some(server.app().clock.now_ms())), "a file is no call");
            assert_eq!(Some(answer.machine), imported.machine.map(|machine| machine.id));
        }
        assert_eq!(server.uses_left(&token).await, 1);
        let spent = Machine::new();
        let asked = head(Content::Enrolment { request: spent.request("000G4-0R40M-30E20-9185G-R38E1-W") });
        let imported = take(&server, &asked, &spent).await.unwrap();
        assert!(imported.machine.is_none() && imported.refusal.is_some());
        assert_eq!(opened(&server, &spent, &imported).refusal.unwrap().code, "token_unknown");
        server.end().await;
    }

    async fn an_expired_certificate_is_renewed_by_the_same_file(test_database: &TestDatabase) {
        let server = Server::start(test_database).await;
        let machine = server.machine().await;
        server.app().clock.advance(LEAF_MS + DAY_MS);
        let renewal = SignedRenewal::sign(&machine.renewal(&machine), &machine.signing_key()).unwrap();
        let imported = take(&server, &reports(&machine.id, Some(renewal)), &machine).await.unwrap();
        let answer = opened(&server, &machine, &imported);
        assert!(answer.refusal.is_none() && answer.assignment.is_some());
        assert_ne!(BASE64.decode(answer.renewal.unwrap().certificate.as_bytes()).unwrap(), machine.chain[0].to_vec());
        server.end().await;
    }

    async fn only_the_machine_itself_is_answered(test_database: &TestDatabase) {
        let server = Server::start(test_database).await;
        let (machine, other) = (server.machine().await, server.machine().await);
        assert!(take(&server, &reports(&machine.id, None), &other).await.is_err());
        assert!(take(&server, &reports("no-such-machine", None), &other).await.is_err());
        let narrow = By { scope: Scope::office("another office"), ..server.by() };
        let sealing = server.app().secrets.sealing.public_key();
        let file = export_seal(&reports(&machine.id, None), &[], &machine.signing_key(), &sealing).unwrap();
        assert!(import(server.app(), &narrow, &file).await.is_err(), "outside a person's part of the tree");
        assert!(import(server.app(), &server.by(), &file).await.is_ok());

        machine_revoke(&server.app().db, &server.by(), &machine.id, "lost").await.unwrap();
        let imported = import(server.app(), &server.by(), &file).await.unwrap();
        let answer = opened(&server, &machine, &imported);
        assert_eq!((answer.refusal.unwrap().code.as_str(), answer.policy), ("revoked", None));
        server.end().await;
    }
}
