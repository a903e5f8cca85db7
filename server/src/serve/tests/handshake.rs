//! Who may connect: only machines of this server's client CA, only TLS 1.3, within the deadline.

use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::*;
use crate::act::machine::machine_revoke;
use crate::ca::csr::MachineKey;
use crate::ca::{Authority, Realm, authority_create};
use crate::config::WebCertificate;
use crate::secrets::file;
use crate::store::test_database::on_both;

/// Whether a request under `identity` is answered at all.
async fn is_let_in(server: &Server, chain: Vec<CertificateDer<'static>>, key: &KeyPair) -> bool {
    let key = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
    let client = server.client(server.tls(Some((chain, key))));
    client.get(server.url("/login")).send().await.is_ok()
}

on_both! {
    async fn without_a_certificate_agents_only_enrol_and_renew(test_database: &TestDatabase) {
        let server = Server::start(test_database).await;
        let client = server.client(server.tls(None));
        for path in [path::POLL, path::REPORTS] {
            let (status, refusal) = server.post::<PollAnswer>(&client, path, &PollRequest::default()).await.unwrap_err();
            assert_eq!((status, refusal.code.as_str()), (StatusCode::UNAUTHORIZED, "no_certificate"), "{path}");
        }
        let policy = client.get(server.url(&format!("{}{}", path::POLICY, Digest::ZERO))).send().await.unwrap();
        assert_eq!(code(answer::<PollAnswer>(policy).await), "no_certificate");
        assert_eq!(code(server.post::<EnrolAnswer>(&client, path::ENROL, &"x").await), "unreadable");
        assert_eq!(code(server.post::<EnrolAnswer>(&client, path::RENEW, &"x").await), "unreadable");
        server.end().await;
    }

    async fn only_certificates_of_this_servers_client_authority_are_let_in(test_database: &TestDatabase) {
        let server = Server::start(test_database).await;
        let machine = server.machine().await;
        assert!(is_let_in(&server, machine.chain.clone(), &machine.key).await);

        let now = server.app().clock.now_ms();
        let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        let request = CertificateParams::default().serialize_request(&key).unwrap();
        let public = MachineKey::read(request.der()).unwrap();
        // A CA of the same name with another key.
        let foreign_key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        let foreign = authority_create(Realm::Client, "active", "server-1", &[], &foreign_key, now).unwrap();
        let foreign = Authority::new(foreign, foreign_key).unwrap();
        let leaf = foreign.issue_machine(&machine.id, &public, now).unwrap();
        assert!(!is_let_in(&server, vec![leaf, foreign.certificate().clone()], &key).await);
        // The server's own CA for servers: both a machine's name and a server's.
        let servers = &server.app().secrets.server_ca;
        let leaf = servers.issue_machine(&machine.id, &public, now).unwrap();
        assert!(!is_let_in(&server, vec![leaf, servers.certificate().clone()], &key).await);
        let leaf = servers.issue_server(&key, &[], now).unwrap();
        assert!(!is_let_in(&server, vec![leaf, servers.certificate().clone()], &key).await);
        // The client CA's certificate under a key that is not the one certified.
        let leaf = server.app().secrets.client_ca.issue_machine(&machine.id, &public, now).unwrap();
        assert!(is_let_in(&server, vec![leaf.clone()], &key).await, "the handshake knows no store");
        let impostor = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        let config = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13]).unwrap()
            .with_root_certificates(RootCertStore::empty())
            .with_client_auth_cert(vec![leaf.clone()], PrivatePkcs8KeyDer::from(impostor.serialize_der()).into());
        assert!(config.is_err(), "not even our own library would try");
        // Certified, but without an enrolment: the store does not know the key.
        let client = server.client(server.tls(Some((vec![leaf], PrivatePkcs8KeyDer::from(key.serialize_der()).into()))));
        let refused = server.post::<PollAnswer>(&client, path::POLL, &PollRequest::default()).await;
        assert_eq!(code(refused), "unknown_machine");
        server.end().await;
    }

    async fn a_revoked_machine_is_refused_from_its_next_request_on(test_database: &TestDatabase) {
        let server = Server::start(test_database).await;
        let machine = server.machine().await;
        let client = machine.client(&server);
        let policy = server.url(&format!("{}{}", path::POLICY, Digest::ZERO));
        assert_eq!(code(answer::<PollAnswer>(client.get(&policy).send().await.unwrap()).await), "no_policy");
        machine_revoke(&server.app().db, &server.by(), &machine.id, "stolen").await.unwrap();
        // The same connection, still open.
        assert_eq!(code(answer::<PollAnswer>(client.get(&policy).send().await.unwrap()).await), "revoked");
        assert_eq!(code(server.post::<PollAnswer>(&client, path::REPORTS, &"x").await), "revoked");
        server.end().await;
    }
}

#[tokio::test]
async fn only_tls_1_3_with_http_2_preferred() {
    let test_database = TestDatabase::sqlite().await;
    let server = Server::start(&test_database).await;
    let mut roots = RootCertStore::empty();
    roots.add(server.app().secrets.server_ca.certificate().clone()).unwrap();
    let old = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(SERVER_NAME).unwrap();
    let stream = TcpStream::connect(server.address()).await.unwrap();
    assert!(TlsConnector::from(Arc::new(old)).connect(name.clone(), stream).await.is_err());

    let mut new = server.tls(None);
    new.alpn_protocols = vec![b"http/1.1".to_vec(), b"h2".to_vec()];
    let stream = TcpStream::connect(server.address()).await.unwrap();
    let stream = TlsConnector::from(Arc::new(new)).connect(name, stream).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(b"h2".as_slice()));
    server.end().await;
    test_database.end().await;
}

#[tokio::test]
async fn whoever_says_nothing_is_hung_up_on() {
    let test_database = TestDatabase::sqlite().await;
    let short = Duration::from_millis(200);
    let deadlines = Deadlines { handshake: short, silent: short, ..Deadlines::default() };
    let server = Server::start_with(&test_database, |_| {}, deadlines).await;
    // No handshake at all.
    let mut silent = TcpStream::connect(server.address()).await.unwrap();
    assert_eq!(soon(silent.read(&mut [0; 16])).await.unwrap_or(0), 0);
    // A handshake and then nothing.
    let name = ServerName::try_from(SERVER_NAME).unwrap();
    let stream = TcpStream::connect(server.address()).await.unwrap();
    let mut idle = TlsConnector::from(Arc::new(server.tls(None))).connect(name, stream).await.unwrap();
    idle.flush().await.unwrap();
    let mut rest = Vec::new();
    soon(idle.read_to_end(&mut rest)).await.unwrap_or(0);
    server.end().await;
    test_database.end().await;
}

#[tokio::test]
async fn pages_may_have_the_offices_own_certificate_and_agents_keep_theirs() {
    let test_database = TestDatabase::sqlite().await;
    let place = tempfile::tempdir().unwrap();
    let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let own = CertificateParams::new(vec!["tram-an.xa-an.example".to_owned()]).unwrap().self_signed(&key).unwrap();
    let web = WebCertificate { certificate: place.path().join("web.crt"), key: place.path().join("web.key") };
    file::certificates_write(&web.certificate, std::slice::from_ref(own.der())).unwrap();
    file::key_write(&web.key, &key.serialize_der()).unwrap();
    let server = Server::start_with(&test_database, |config| config.web = Some(web), Deadlines::default()).await;
    let mut roots = RootCertStore::empty();
    roots.add(own.der().clone()).unwrap();
    roots.add(server.app().secrets.server_ca.certificate().clone()).unwrap();
    let tls = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    for (asked, is_own) in [("tram-an.xa-an.example", true), (SERVER_NAME, false)] {
        let stream = TcpStream::connect(server.address()).await.unwrap();
        let connector = TlsConnector::from(Arc::new(tls.clone()));
        let stream = connector.connect(ServerName::try_from(asked).unwrap(), stream).await.unwrap();
        let shown = stream.get_ref().1.peer_certificates().unwrap()[0].clone();
        assert_eq!(shown == *own.der(), is_own, "{asked}");
    }
    server.end().await;
    test_database.end().await;
}

#[tokio::test]
async fn the_servers_certificate_is_kept_and_renewed_before_its_end() {
    let test_database = TestDatabase::sqlite().await;
    let server = Server::start(&test_database).await;
    let authority = &server.app().secrets.server_ca;
    let hosts = server.app().config.hosts().unwrap();
    let now = server.app().clock.now_ms();
    let open = |now: i64, hosts: &[crate::ca::Host]| {
        crate::tls::Certificates::open(server.data(), authority, hosts.to_vec(), None, now).unwrap().own_until_ms()
    };
    let first = open(now, &hosts);
    assert_eq!(open(now + 200 * DAY_MS, &hosts), first, "kept while it serves");
    let renewed = open(now + 250 * DAY_MS, &hosts);
    assert!(renewed > first, "renewed in its last third");
    let more = [hosts.as_slice(), &["10.1.2.3".parse().unwrap()]].concat();
    assert!(open(now + 260 * DAY_MS, &more) > renewed, "made anew for another name");
    assert!(open(now - 200 * DAY_MS, &more) < renewed, "of a time that has not come: made while the clock was ahead");
    open(now + 260 * DAY_MS, &more);

    let kept = crate::tls::Certificates::open(server.data(), authority, more, None, now + 260 * DAY_MS).unwrap();
    let until = kept.own_until_ms();
    kept.own_renew(authority, now + 300 * DAY_MS).unwrap();
    assert_eq!(kept.own_until_ms(), until);
    kept.own_renew(authority, now + 600 * DAY_MS).unwrap();
    let renewed = kept.own_until_ms();
    assert!(renewed > until);

    // The clock was ahead by 500 days and is corrected, and the other way round.
    for jump in [0, -500, 0, 500, 31, 0] {
        let now = now + (600 + jump) * DAY_MS;
        let is_old = kept.own_serves(now);
        let before = kept.own_until_ms();
        kept.own_renew(authority, now).unwrap();
        assert!(kept.own_serves(now), "{jump}");
        assert_eq!(is_old, before == kept.own_until_ms(), "{jump}");
        assert_eq!(open(now, &hosts), kept.own_until_ms(), "at a start as while it runs, {jump}");
    }
    server.end().await;
    test_database.end().await;
}
