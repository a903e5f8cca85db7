//! One computer opens connections without pause, idle ones and ones that guess passwords: a new browser behind the same address comes in,
//! and known browsers and machines do not notice.

use tokio::io::AsyncReadExt;
use tokio::task::JoinSet;

use super::crowds::{HERE, connect};
use super::*;
use crate::act::person::{NewPerson, person_add};
use crate::store::person::PersonRole;

/// Connections that guess.
const GUESSING: usize = 48;
/// Connections that are idle, where there are any.
const IDLE: usize = 272;

/// The login page's form: the cookie that ties it to the browser, and its token.
#[derive(Clone)]
struct Form {
    cookie: String,
    csrf: String,
}

impl Form {
    /// Opens the page with the cookie that marks a known browser, if any.
    async fn open(server: &Server, client: &reqwest::Client, device: &str) -> reqwest::Result<Self> {
        let page = client.get(server.url("/login")).header("cookie", device).send().await?;
        let form = cookie(&page, "form").unwrap();
        let text = page.text().await?;
        let (_, rest) = text.split_once("name=\"csrf\" value=\"").unwrap();
        Ok(Self { cookie: format!("{form}; {device}"), csrf: rest.split_once('"').unwrap().0.to_owned() })
    }

    /// Sends the form. The login succeeded if the answer redirects.
    async fn send(
        &self,
        server_url: String,
        client: &reqwest::Client,
        login: &str,
        password: &str,
    ) -> reqwest::Result<reqwest::Response> {
        let encoded = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
        let form = format!("csrf={}&login={}&password={}", self.csrf, encoded(login), encoded(password));
        let asked = client.post(server_url).header("cookie", &self.cookie).body(form).timeout(2 * PATIENCE);
        asked.header("content-type", "application/x-www-form-urlencoded").send().await
    }
}

/// A cookie that an answer sets, with its name.
fn cookie(answer: &reqwest::Response, name: &str) -> Option<String> {
    let cookies = answer.headers().get_all("set-cookie").iter().map(|cookie| cookie.to_str().unwrap());
    cookies.map(|cookie| cookie.split(';').next().unwrap()).find(|cookie| cookie.contains(name)).map(str::to_owned)
}

fn client(server: &Server) -> reqwest::ClientBuilder {
    server.client_builder(server.tls(None)).redirect(reqwest::redirect::Policy::none())
}

/// A browser without cookies that tries until it is in. A known one, by its cookie, never has to wait for others.
/// Returns the cookie that makes it known.
async fn comes_in(server: &Server, password: &str, device: &str) -> String {
    let client = client(server).build().unwrap();
    loop {
        // A connection may be closed by lot as long as the browser is unknown.
        let Ok(form) = Form::open(server, &client, device).await else { continue };
        let Ok(answer) = form.send(server.url("/login"), &client, "lan", password).await else { continue };
        match answer.status() {
            StatusCode::SEE_OTHER => return cookie(&answer, "device").unwrap(),
            status => assert!(status == StatusCode::TOO_MANY_REQUESTS && device.is_empty(), "{status}"),
        }
    }
}

/// Connections of one computer: `guessing` ones opened anew for every guess, and `idle` ones opened anew when they are closed.
async fn attack(server: &Shared, guessing: usize, idle: usize) -> JoinSet<()> {
    let mut attackers = JoinSet::new();
    let client = client(server).pool_max_idle_per_host(0).build().unwrap();
    let form = Form::open(server, &client, "").await.unwrap();
    for number in 0..guessing {
        let (form, url, client) = (form.clone(), server.url("/login"), client.clone());
        attackers.spawn(async move {
            for guess in 0.. {
                let login = format!("ten-{number}-{guess}");
                let Ok(answer) = form.send(url.clone(), &client, &login, "sai mật khẩu").await else { continue };
                let status = answer.status();
                assert!(matches!(status, StatusCode::UNAUTHORIZED | StatusCode::TOO_MANY_REQUESTS), "{status}");
            }
        });
    }
    for _ in 0..idle {
        let server = Arc::clone(server);
        attackers.spawn(async move {
            loop {
                let Ok(mut line) = connect(&server, HERE, server.tls(None)).await else { continue };
                while line.read(&mut [0; 64]).await.unwrap_or(0) > 0 {}
            }
        });
    }
    // Most guesses wait.
    while server.app().pages.waiting() < guessing / 2 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    attackers
}

async fn a_new_browser_comes_in(idle: usize, deadlines: Deadlines) {
    let test_database = TestDatabase::sqlite().await;
    let server = Arc::new(Server::start_by(Clock::System, &test_database, |_| {}, deadlines).await);
    let (login, name) = ("lan".to_owned(), "Lan".to_owned());
    let new = NewPerson { login, name, role: PersonRole::Officer, office: None };
    let first = person_add(&server.app().db, &server.by(), &new).await.unwrap().1;
    let machine = server.machine().await;
    let device = comes_in(&server, &first, "").await;

    let mut attackers = attack(&server, GUESSING, idle).await;
    comes_in(&server, &first, &device).await;
    let policy = server.url(&format!("{}{}", path::POLICY, Digest::ZERO));
    let asked = machine.client(&server).get(policy).send().await.unwrap();
    assert_eq!(code(answer::<PollAnswer>(asked).await), "no_policy");
    comes_in(&server, &first, "").await;
    assert!(attackers.try_join_next().is_none(), "all of them go on");
    attackers.shutdown().await;
    Arc::into_inner(server).unwrap().end().await;
    test_database.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_browser_comes_in_beside_dozens_of_connections_opened_anew_for_each_guess() {
    a_new_browser_comes_in(0, Deadlines::default()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_browser_comes_in_beside_more_connections_than_an_address_may_have() {
    a_new_browser_comes_in(IDLE, Deadlines { each_address: 256, ..Deadlines::default() }).await;
}
