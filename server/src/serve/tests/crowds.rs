//! Small versions of what one computer may do to keep others out: connections that say nothing, requests without end, answers that
//! nobody reads. An honest machine and an honest browser get through while it lasts.

use std::net::IpAddr;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::*;
use crate::store::person::{Person, PersonRole};
use crate::store::session::Session;

pub(super) const HERE: [u8; 4] = [127, 0, 0, 1];
const THERE: [u8; 4] = [127, 0, 0, 2];

pub(super) type Line = TlsStream<TcpStream>;

/// A TLS connection from an address of this computer.
pub(super) async fn connect(server: &Server, from: [u8; 4], tls: ClientConfig) -> std::io::Result<Line> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((IpAddr::from(from), 0).into())?;
    let stream = socket.connect(server.address()).await?;
    TlsConnector::from(Arc::new(tls)).connect(ServerName::try_from(SERVER_NAME).unwrap(), stream).await
}

/// Asks for a page over HTTP/1.1 and reads its first line; nothing when the connection was closed.
async fn asked(line: &mut Line, path: &str, cookie: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nhost: {SERVER_NAME}\r\ncookie: {cookie}\r\n\r\n");
    line.write_all(request.as_bytes()).await.unwrap_or(());
    let mut read = Vec::new();
    while !read.ends_with(b"\r\n") {
        match soon(line.read_u8()).await {
            Ok(byte) => read.push(byte),
            Err(_) => return String::new(),
        }
    }
    String::from_utf8(read).unwrap().trim_end().to_owned()
}

/// Reads until the server ends the connection.
async fn ended(line: &mut Line) {
    let mut read = [0; 1024];
    while soon(line.read(&mut read)).await.unwrap_or(0) > 0 {}
}

/// An honest browser and an honest machine, each on a new connection.
async fn honest_get_through(server: &Server, machine: &Machine) {
    let page = server.client(server.tls(None)).get(server.url("/login")).send().await.unwrap();
    assert_eq!(page.status(), StatusCode::OK);
    let policy = server.url(&format!("{}{}", path::POLICY, Digest::ZERO));
    let asked = machine.client(server).get(policy).send().await.unwrap();
    assert_eq!(code(answer::<PollAnswer>(asked).await), "no_policy");
}

/// The cookies of somebody who is logged in: of the session, and of the browser.
async fn logged_in(server: &Server) -> (String, String) {
    let token = "f".repeat(64);
    let now = server.app().clock.now_ms();
    let mut tx = server.app().db.write().await.unwrap();
    let person = Person {
        id: "lan".to_owned(),
        login: "lan".to_owned(),
        name: "Lan".to_owned(),
        password_hash: String::new(),
        must_change: false,
        role: PersonRole::Officer,
        office: None,
        language: "vi".to_owned(),
        created_at: now,
        disabled_at: None,
        last_login_at: None,
    };
    tx.person_insert(&Scope::whole(), &person).await.unwrap();
    let session = Session {
        token_hash: Digest::of(token.as_bytes()).to_string(),
        person: person.id,
        created_at: now,
        last_seen_at: now,
        expires_at: now + DAY_MS,
    };
    tx.known_device_insert(&session.token_hash, &session.person, now).await.unwrap();
    tx.session_insert(&session).await.unwrap();
    tx.commit().await.unwrap();
    (format!("__Host-session={token}"), format!("__Host-device={token}"))
}

#[tokio::test]
async fn silent_connections_from_one_address_keep_nobody_out() {
    let test_database = TestDatabase::sqlite().await;
    let deadlines = Deadlines { handshakes: 8, grace: Duration::ZERO, ..Deadlines::default() };
    let server = Server::start_with(&test_database, |_| {}, deadlines).await;
    let machine = server.machine().await;
    let mut silent = Vec::new();
    for _ in 0..60 {
        silent.push(TcpStream::connect(server.address()).await.unwrap());
        if silent.len() % 20 == 0 {
            honest_get_through(&server, &machine).await;
        }
    }
    // The oldest gave way.
    assert_eq!(soon(silent[0].read(&mut [0; 16])).await.unwrap_or(0), 0);
    server.end().await;
    test_database.end().await;
}

#[tokio::test]
async fn idle_tls_connections_from_one_address_keep_nobody_out() {
    idle_keep_nobody_out(Deadlines { strangers: 8, grace: Duration::ZERO, ..Deadlines::default() }).await;
}

#[tokio::test]
async fn idle_tls_connections_from_one_address_are_no_more_than_its_share() {
    idle_keep_nobody_out(Deadlines { each_address: 8, grace: Duration::ZERO, ..Deadlines::default() }).await;
}

async fn idle_keep_nobody_out(deadlines: Deadlines) {
    let test_database = TestDatabase::sqlite().await;
    let server = Server::start_with(&test_database, |_| {}, deadlines).await;
    let (machine, (session, device)) = (server.machine().await, logged_in(&server).await);
    let mut persons = Vec::new();
    for (path, cookie) in [("/programs", &session), ("/login", &device)] {
        let mut person = connect(&server, HERE, server.tls(None)).await.unwrap();
        assert_eq!(asked(&mut person, path, cookie).await, "HTTP/1.1 200 OK");
        soon(person.read(&mut [0; 64 * 1024])).await.unwrap();
        persons.push(person);
    }
    let mut elsewhere = connect(&server, THERE, server.tls(None)).await.unwrap();
    let mut idle = Vec::new();
    for _ in 0..60 {
        // One that must give way may do so before its own handshake is complete.
        idle.extend(connect(&server, HERE, server.tls(None)).await);
        if idle.len() % 20 == 0 {
            honest_get_through(&server, &machine).await;
        }
    }
    ended(&mut idle[0]).await;
    // Older than all of them: one of another address, and those of a logged-in person and of a known browser behind the same one.
    assert_eq!(asked(&mut elsewhere, "/login", "").await, "HTTP/1.1 200 OK");
    for mut person in persons {
        person.write_all(b"GET /nowhere HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
        let mut last = Vec::new();
        soon(person.read_to_end(&mut last)).await.unwrap_or(0);
        assert!(String::from_utf8_lossy(&last).contains("HTTP/1.1 "), "still answered");
    }
    server.end().await;
    test_database.end().await;
}

#[tokio::test]
async fn a_stranger_that_asks_nothing_is_hung_up_on_early() {
    let test_database = TestDatabase::sqlite().await;
    let deadlines = Deadlines { silent: Duration::from_millis(200), ..Deadlines::default() };
    let server = Server::start_with(&test_database, |_| {}, deadlines).await;
    ended(&mut connect(&server, HERE, server.tls(None)).await.unwrap()).await;
    server.end().await;
    test_database.end().await;
}

#[tokio::test]
async fn one_machine_holds_few_connections_one_poll_and_sends_at_a_rate() {
    let test_database = TestDatabase::sqlite().await;
    let server = Arc::new(Server::start(&test_database).await);
    let (greedy, honest) = (Arc::new(server.machine().await), Arc::new(server.machine().await));
    let mut lines = Vec::new();
    for _ in 0..12 {
        lines.push(connect(&server, HERE, server.tls(Some(greedy.identity()))).await.unwrap());
    }
    ended(&mut lines[0]).await;
    drop(lines);

    let mut tls = server.tls(Some(greedy.identity()));
    tls.alpn_protocols = vec![b"h2".to_vec()];
    let clients: Vec<_> = (0..4).map(|_| server.client(tls.clone())).collect();
    for client in &clients {
        // One connection each, for all that follows.
        client.get(server.url("/agent/nothing")).send().await.unwrap();
    }
    let mut polls = tokio::task::JoinSet::new();
    for number in 0..200 {
        let client = clients[number % clients.len()].clone();
        let request = PollRequest { done: vec!["x".repeat(500); 50], ..PollRequest::default() };
        let asked = client.post(server.url(path::POLL)).body(serde_json::to_vec(&request).unwrap());
        // A connection beyond its limit may be cut off along with its request.
        polls.spawn(async move { asked.send().await.map(|sent| sent.status()).ok() });
    }
    let mut refused = 0;
    for _ in 0..150 {
        let status = soon(polls.join_next()).await.unwrap().unwrap();
        refused += usize::from(status.is_some_and(|status| !status.is_success()));
    }
    assert!(refused > 0);
    let (serving, polling) = (Arc::clone(&server), Arc::clone(&honest));
    let poll = tokio::spawn(async move { polling.poll(&serving, &PollRequest::default()).await });
    // At most one poll of the greedy machine is held next to the honest one, and no longer any of its refused requests.
    while !poll.is_finished() && server.app().events.polls.count() < 2 {
        tokio::task::yield_now().await;
    }
    honest_get_through(&server, &honest).await;
    assert!(server.app().events.polls.count() <= 2);
    server.app().events.stop();
    soon(poll).await.unwrap().unwrap();
    while polls.join_next().await.is_some() {}
    Arc::into_inner(server).unwrap().end().await;
    test_database.end().await;
}

#[tokio::test]
async fn downloads_that_nobody_reads_are_few_and_end() {
    let test_database = TestDatabase::sqlite().await;
    let folder = tempfile::tempdir().unwrap();
    // Larger than what the system buffers for a connection.
    std::fs::File::create(folder.path().join("a.deb")).unwrap().set_len(48 << 20).unwrap();
    let agents = Agents { programs: folder.path().to_owned(), ..Agents::default() };
    let deadlines = Deadlines { unread: Duration::from_secs(1), ..Deadlines::default() };
    let server = Server::start_with(&test_database, |config| config.agents = agents, deadlines).await;
    let (machine, (session, _)) = (server.machine().await, logged_in(&server).await);
    let mut unread = Vec::new();
    let refused = loop {
        let mut line = connect(&server, HERE, server.tls(None)).await.unwrap();
        let status = asked(&mut line, "/programs/a.deb", &session).await;
        if status != "HTTP/1.1 200 OK" {
            break status;
        }
        unread.push(line);
    };
    assert!(refused.starts_with("HTTP/1.1 429"), "{refused}");
    honest_get_through(&server, &machine).await;
    // Each is dropped after a while, and makes room.
    loop {
        let mut line = connect(&server, HERE, server.tls(None)).await.unwrap();
        if asked(&mut line, "/programs/a.deb", &session).await == "HTTP/1.1 200 OK" {
            break;
        }
    }
    server.end().await;
    test_database.end().await;
}

/// A frame of HTTP/2 (RFC 9113, 4.1).
fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).unwrap();
    [&[0, 0, length, kind, flags, 0, 0, 0, stream], payload].concat()
}

#[tokio::test]
async fn a_small_answer_that_nobody_takes_ends_the_connection() {
    let test_database = TestDatabase::sqlite().await;
    let deadlines = Deadlines { unread: Duration::from_secs(1), ..Deadlines::default() };
    let server = Server::start_with(&test_database, |_| {}, deadlines).await;
    let mut tls = server.tls(None);
    tls.alpn_protocols = vec![b"h2".to_vec()];
    // The window for an answer, which is never enlarged. The request: GET /login.
    for window in [0, 10] {
        let mut line = connect(&server, HERE, tls.clone()).await.unwrap();
        let settings = frame(4, 0, 0, &[0, 4, 0, 0, 0, window]);
        let request = frame(1, 5, 1, b"\x82\x87\x04\x06/login\x01\x01x");
        let sent = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".as_slice(), &settings, &request].concat();
        line.write_all(&sent).await.unwrap();
        ended(&mut line).await;
    }
    server.end().await;
    test_database.end().await;
}
