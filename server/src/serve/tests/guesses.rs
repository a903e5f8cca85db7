//! Somebody opens connections by the dozen to guess passwords, a new one for every guess: a new browser behind the same address comes in.

use tokio::task::JoinSet;

use super::*;
use crate::act::person::{NewPerson, person_add};
use crate::store::person::PersonRole;

/// Connections of the attacker.
const CONNECTIONS: u32 = 48;

/// The login page's form: the cookie that ties it to the browser, and its token.
#[derive(Clone)]
struct Form {
    cookie: String,
    csrf: String,
}

impl Form {
    async fn open(server: &Server, client: &reqwest::Client) -> Self {
        let page = client.get(server.url("/login")).send().await.unwrap();
        let cookies = page.headers().get_all("set-cookie").iter().map(|cookie| cookie.to_str().unwrap());
        let form = cookies.map(|cookie| cookie.split(';').next().unwrap()).find(|cookie| cookie.contains("form"));
        let cookie = form.unwrap().to_owned();
        let text = page.text().await.unwrap();
        let (_, rest) = text.split_once("name=\"csrf\" value=\"").unwrap();
        Self { cookie, csrf: rest.split_once('"').unwrap().0.to_owned() }
    }

    /// Sends the form. The login succeeded if the answer redirects.
    async fn send(&self, server_url: String, client: &reqwest::Client, login: &str, password: &str) -> StatusCode {
        let encoded = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
        let form = format!("csrf={}&login={}&password={}", self.csrf, encoded(login), encoded(password));
        let asked = client.post(server_url).header("cookie", &self.cookie).body(form).timeout(2 * PATIENCE);
        asked.header("content-type", "application/x-www-form-urlencoded").send().await.unwrap().status()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_browser_comes_in_beside_dozens_of_connections_opened_anew_for_each_guess() {
    let test_database = TestDatabase::sqlite().await;
    let server = Server::start_by(Clock::System, &test_database, |_| {}, Deadlines::default()).await;
    let (login, name) = ("lan".to_owned(), "Lan".to_owned());
    let new = NewPerson { login, name, role: PersonRole::Officer, office: None };
    let first = person_add(&server.app().db, &server.by(), &new).await.unwrap().1;

    let mut headers = reqwest::header::HeaderMap::new();
    headers.insert("connection", "close".parse().unwrap());
    let client = || server.client_builder(server.tls(None)).redirect(reqwest::redirect::Policy::none());
    let form = Form::open(&server, &client().build().unwrap()).await;
    let mut attackers = JoinSet::new();
    for number in 0..CONNECTIONS {
        let (form, url) = (form.clone(), server.url("/login"));
        let attacker = client().default_headers(headers.clone()).build().unwrap();
        attackers.spawn(async move {
            for guess in 0.. {
                let login = format!("ten-{number}-{guess}");
                let status = form.send(url.clone(), &attacker, &login, "sai mật khẩu").await;
                assert!(matches!(status, StatusCode::UNAUTHORIZED | StatusCode::TOO_MANY_REQUESTS), "{status}");
            }
        });
    }
    // All of them wait.
    while server.app().pages.waiting() + 2 < CONNECTIONS as usize {
        tokio::task::yield_now().await;
    }
    let newcomer = client().build().unwrap();
    loop {
        let form = Form::open(&server, &newcomer).await;
        match form.send(server.url("/login"), &newcomer, "lan", &first).await {
            StatusCode::SEE_OTHER => break,
            status => assert_eq!(status, StatusCode::TOO_MANY_REQUESTS),
        }
    }
    assert!(attackers.try_join_next().is_none(), "all of them go on");
    attackers.shutdown().await;
    server.end().await;
    test_database.end().await;
}
