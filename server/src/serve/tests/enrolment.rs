//! Enrolment: what a token allows, once, and everything it does not.

use protocol::{Digest, EnrolRequest, Role as WireRole, path};
use rcgen::{CertificateParams, KeyPair};

use super::*;
use crate::act::caller::{CallerError, Refusal};
use crate::act::machine::machine_revoke;
use crate::act::roster::{NewLine, roster_add};
use crate::act::token::{Reach, token_revoke};
use crate::store::machine::MachineStatus;
use crate::store::test_database::on_both;
use crate::tls::accept::PeerCertificate;

on_both! {
    async fn a_token_becomes_a_machine_with_a_certificate(test_database: &TestDatabase) {
        let server = Server::start(test_database).await;
        let (token, text) = server.token(2).await;
        let mut machine = Machine::new();
        // A person typed it: case, spaces and letters taken for digits are forgiven.
        let answer = machine.enrol(&server, &text.to_lowercase().replace('-', " ")).await.unwrap();
        machine.settle(&answer);

        let secrets = &server.app().secrets;
        assert_eq!(answer.server, "server-1");
        assert_eq!(answer.server_cas.len(), 2);
        assert_eq!(answer.server_cas[0], BASE64.encode(secrets.server_ca.certificate()));
        assert_eq!(answer.policy_keys, secrets.policy_keys);
        assert_eq!(answer.receipt_key, BASE64.encode(secrets.receipt.public_key()));
        assert_eq!((answer.assignment.office.as_str(), answer.assignment.role), ("Xã An", WireRole::Workstation));
        assert!(!answer.assignment.confirmed && answer.assignment.policy.is_none());
        let certificate = PeerCertificate::read(&machine.chain[0]).unwrap();
        assert_eq!(certificate.machine, machine.id);

        let stored = server.stored(&machine.id).await;
        assert_eq!((stored.status, stored.name.as_str()), (MachineStatus::Pending, "PC-01"));
        assert_eq!(server.uses_left(&token).await, 1);
        let mut tx = server.app().db.read().await.unwrap();
        let entries = tx.audit_list(&Scope::whole(), i64::MAX, 10).await.unwrap();
        assert_eq!(entries[0].action, "machine_enrolled");
        assert!(entries.iter().all(|entry| !entry.detail.contains(&text)), "the token itself is never written down");
        drop(tx);
        server.end().await;
    }

    async fn nothing_of_the_request_but_the_key_is_used(test_database: &TestDatabase) {
        let server = Server::start(test_database).await;
        let (_, token) = server.token(1).await;
        let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        let mut wishes = CertificateParams::new(vec![SERVER_NAME.to_owned()]).unwrap();
        wishes.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let request = EnrolRequest {
            token,
            csr: BASE64.encode(wishes.serialize_request(&key).unwrap().der()),
            machine_name: "  Máy \u{202e}lạ\n".to_owned(),
            place: String::new(),
            traits: Digest::of(b"traits"),
            agent: "0.1.0".to_owned(),
        };
        let answer: EnrolAnswer = server.post(&server.client(server.tls(None)), path::ENROL, &request).await.unwrap();
        let der = BASE64.decode(answer.certificate.as_bytes()).unwrap();
        let (_, certificate) = x509_parser::parse_x509_certificate(&der).unwrap();
        assert!(!certificate.is_ca());
        let names = certificate.subject_alternative_name().unwrap().unwrap().value.general_names.len();
        assert_eq!(names, 1, "only the machine's own name");
        assert_eq!(PeerCertificate::read(&der).unwrap().machine, answer.machine);
        server.end().await;
    }

    /// On both databases alike, by name, and the token keeps its use.
    async fn a_nul_is_refused(test_database: &TestDatabase) {
        let server = Server::start(test_database).await;
        let (token, text) = server.token(1).await;
        let machine = Machine::new();
        let (status, refusal) = machine.enrol_as(&server, &text, "PC\0").await.unwrap_err();
        assert_eq!((status, refusal.code.as_str()), (StatusCode::BAD_REQUEST, "text_unusable"));
        let place = EnrolRequest { place: "tầng\0 2".to_owned(), ..machine.request(&text) };
        let refused = server.post::<EnrolAnswer>(&server.client(server.tls(None)), path::ENROL, &place).await;
        assert_eq!(code(refused), "text_unusable");
        assert_eq!(server.uses_left(&token).await, 1);
        // The same by a file, which takes another path.
        let by_file = crate::act::enrol::machine_enrol(server.app(), &place).await.unwrap_err();
        assert!(matches!(by_file, CallerError::Refused(Refusal::TextUnusable)));
        machine.enrol(&server, &text).await.unwrap();
        server.end().await;
    }

    async fn bad_tokens_are_refused_with_their_reason(test_database: &TestDatabase) {
        let server = Server::start(test_database).await;
        let machine = Machine::new();
        assert_eq!(code(machine.enrol(&server, "hello").await), "token_malformed");
        assert_eq!(code(machine.enrol(&server, "000G4-0R40M-30E20-9185G-R38E1-W").await), "token_unknown");

        let (_, once) = server.token(1).await;
        Machine::new().enrol(&server, &once).await.unwrap();
        let (status, refusal) = machine.enrol(&server, &once).await.unwrap_err();
        assert_eq!((status, refusal.code.as_str()), (StatusCode::FORBIDDEN, "token_used_up"));
        assert_eq!(refusal.action, protocol::RefusalAction::Final);
        assert!(refusal.message.vi.contains("Mã đăng ký máy") && refusal.message.en.contains("token"));

        let (token, revoked) = server.token(5).await;
        Machine::new().enrol(&server, &revoked).await.unwrap();
        let enrolled = token_revoke(&server.app().db, &server.by(), &token.id, Reach::Token).await.unwrap();
        assert_eq!(enrolled.len(), 1);
        assert_eq!(enrolled[0].status, MachineStatus::Pending, "the machine stays unless asked for");
        assert_eq!(code(machine.enrol(&server, &revoked).await), "token_revoked");

        let (expired, text) = server.token(5).await;
        server.app().clock.advance(DAY_MS + 1);
        assert_eq!(code(machine.enrol(&server, &text).await), "token_expired");
        assert_eq!(server.uses_left(&expired).await, 5);
        server.end().await;
    }

    async fn a_lost_answer_is_given_again_at_no_second_use(test_database: &TestDatabase) {
        let server = Server::start(test_database).await;
        let (token, text) = server.token(2).await;
        let mut machine = Machine::new();
        let first = machine.enrol(&server, &text).await.unwrap();
        machine.settle(&first);
        let again = machine.enrol(&server, &text).await.unwrap();
        assert_eq!((again.machine, again.certificate), (first.machine.clone(), first.certificate.clone()));
        assert_eq!(server.uses_left(&token).await, 1);
        server.app().clock.advance(2 * DAY_MS);
        assert_eq!(machine.enrol(&server, &text).await.unwrap().certificate, first.certificate, "also after its end");

        let (_, other) = server.token(1).await;
        assert_eq!(code(machine.enrol(&server, &other).await), "key_known");
        machine_revoke(&server.app().db, &server.by(), &machine.id, "test_database").await.unwrap();
        assert_eq!(code(machine.enrol(&server, &text).await), "revoked");
        let (_, new) = server.token(1).await;
        assert_eq!(code(machine.enrol(&server, &new).await), "key_revoked", "with a new token, another key is asked for");
        server.end().await;
    }

    /// Whatever the token: only the holder of the key can ask this, and nothing is said about the token.
    async fn a_machine_that_is_connected_is_told_so_before_its_token_is_looked_at(test_database: &TestDatabase) {
        let server = Server::start(test_database).await;
        let machine = Machine::new();
        let (_, own) = server.token(1).await;
        machine.enrol(&server, &own).await.unwrap();
        let (revoked, revoked_text) = server.token(1).await;
        token_revoke(&server.app().db, &server.by(), &revoked.id, Reach::Token).await.unwrap();
        let (used, used_text) = server.token(1).await;
        Machine::new().enrol(&server, &used_text).await.unwrap();
        let (expired, expired_text) = server.token(1).await;
        server.app().clock.advance(DAY_MS + 1);
        let stranger = Machine::new();
        for (token, refused) in [
            (expired_text.as_str(), "token_expired"),
            (&revoked_text, "token_revoked"),
            (&used_text, "token_used_up"),
            ("000G4-0R40M-30E20-9185G-R38E1-W", "token_unknown"),
            ("hello", "token_malformed"),
        ] {
            assert_eq!(code(machine.enrol(&server, token).await), "key_known", "{refused}");
            let (_, refusal) = stranger.enrol(&server, token).await.unwrap_err();
            assert!(refusal.code == refused || refusal.code == "token_expired", "{}", refusal.code);
        }
        assert_eq!((server.uses_left(&expired).await, server.uses_left(&used).await), (1, 0));
        server.end().await;
    }

    async fn the_same_request_many_times_at_once_makes_one_machine(test_database: &TestDatabase) {
        let server = Arc::new(Server::start(test_database).await);
        let (token, text) = server.token(5).await;
        let machine = Arc::new(Machine::new());
        let tries = (0..6).map(|_| {
            let (server, machine, text): (Shared, _, _) = (Arc::clone(&server), Arc::clone(&machine), text.clone());
            tokio::spawn(async move { machine.enrol(&server, &text).await })
        });
        let mut machines = std::collections::BTreeSet::new();
        for tried in tries.collect::<Vec<_>>() {
            machines.insert(tried.await.unwrap().unwrap().machine);
        }
        assert_eq!(machines.len(), 1);
        assert_eq!(server.uses_left(&token).await, 4);
        assert_eq!(machine.enrol(&server, &text).await.unwrap().machine, *machines.first().unwrap());
        Arc::into_inner(server).unwrap().end().await;
    }

    async fn a_roster_line_confirms_the_machine_it_names(test_database: &TestDatabase) {
        let server = Server::start(test_database).await;
        roster_add(&server.app().db, &server.by(), &server.office, &[NewLine::named("PC-07")]).await.unwrap();
        let (_, text) = server.token(2).await;
        let answer = Machine::new().enrol_as(&server, &text, "pc-07").await.unwrap();
        assert!(answer.assignment.confirmed);
        let mut tx = server.app().db.read().await.unwrap();
        let line = tx.roster_line_of_machine(&Scope::whole(), &answer.machine).await.unwrap().unwrap();
        assert_eq!(line.label, "PC-07");
        drop(tx);
        let second = Machine::new().enrol_as(&server, &text, "PC-07").await.unwrap();
        assert!(!second.assignment.confirmed, "a line has one machine");
        server.end().await;
    }

    async fn unusable_requests_are_refused_and_use_nothing(test_database: &TestDatabase) {
        let server = Server::start(test_database).await;
        let (token, text) = server.token(1).await;
        let client = server.client(server.tls(None));
        let mut request = EnrolRequest {
            token: text,
            csr: "not base64!".to_owned(),
            machine_name: "PC".to_owned(),
            place: String::new(),
            traits: Digest::of(b"traits"),
            agent: "0.1.0".to_owned(),
        };
        assert_eq!(code(server.post::<EnrolAnswer>(&client, path::ENROL, &request).await), "csr_unusable");
        let other = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
        request.csr = BASE64.encode(CertificateParams::default().serialize_request(&other).unwrap().der());
        assert_eq!(code(server.post::<EnrolAnswer>(&client, path::ENROL, &request).await), "csr_unusable");
        request.csr = "A".repeat(protocol::limits::REQUEST_BODY);
        let (status, refusal) = server.post::<EnrolAnswer>(&client, path::ENROL, &request).await.unwrap_err();
        assert_eq!((status, refusal.code.as_str()), (StatusCode::PAYLOAD_TOO_LARGE, "body_too_long"));
        assert_eq!(code(server.post::<EnrolAnswer>(&client, path::ENROL, &"hello").await), "unreadable");
        assert_eq!(code(server.post::<EnrolAnswer>(&client, "/agent/dance", &"hello").await), "unknown_path");
        assert_eq!(server.uses_left(&token).await, 1);
        server.end().await;
    }
}
