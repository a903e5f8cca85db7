//! The stream of events: a page is notified of what it shows and of nothing else.

use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::http::{Method, StatusCode};
use tokio_stream::StreamExt as _;

use super::Site;
use super::browser::Browser;
use crate::app::events::changes_read;
use crate::store::person::PersonRole;
use crate::store::test_database::on_both;

/// How long an event may take to come; nothing here waits for time to pass.
const PATIENCE: Duration = Duration::from_secs(30);

async fn listen(browser: &mut Browser, path: &str) -> BodyDataStream {
    let response = browser.open(Method::GET, path, Body::empty(), &[]).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    response.into_body().into_data_stream()
}

async fn next_event(stream: &mut BodyDataStream) -> String {
    loop {
        let piece = tokio::time::timeout(PATIENCE, stream.next()).await.expect("an event comes");
        let piece = String::from_utf8(piece.expect("the stream goes on").unwrap().to_vec()).unwrap();
        if !piece.starts_with(':') {
            return piece;
        }
    }
}

on_both! {
    async fn a_page_hears_of_a_report_it_shows(test_database: &TestDatabase) {
        let site = Site::open(test_database).await;
        let mut machine = site.machine(&policies::fact::Facts::default()).await;
        let ward = site.office("Phường Hoà", None).await;
        changes_read(&site.app).await.unwrap();
        let mut browser = site.person("lan", PersonRole::Head, None).await;
        let mut everything = listen(&mut browser, "/events").await;
        let mut office = listen(&mut browser, &format!("/events?office={}", site.office)).await;
        let mut one = listen(&mut browser, &format!("/events?machine={}", machine.id)).await;
        let mut elsewhere = listen(&mut browser, &format!("/events?office={ward}")).await;

        site.app.clock.advance(1_000);
        site.report(&mut machine).await;
        changes_read(&site.app).await.unwrap();
        for stream in [&mut everything, &mut office, &mut one] {
            assert!(next_event(stream).await.starts_with("event: changed"));
        }
        // The other office first receives its own change: the report was not delivered there.
        site.roster(&ward, &["PC-01"]).await;
        let (before, _) = (site.app.events.subscribe(), changes_read(&site.app).await.unwrap());
        assert!(!before.is_empty(), "the change of the ward was told");
        assert!(next_event(&mut elsewhere).await.starts_with("event: changed"));
        site.app.events.stop();
        assert!(tokio::time::timeout(PATIENCE, elsewhere.next()).await.unwrap().is_none(), "one event, then the end");
    }

    async fn a_stream_needs_a_session_and_nobody_gets_too_many(test_database: &TestDatabase) {
        let site = Site::open(test_database).await;
        let mut stranger = site.browser();
        assert_eq!(stranger.get("/events").await.location(), "/login?next=/events");
        let mut browser = site.person("lan", PersonRole::Head, None).await;
        let mut streams = Vec::new();
        for _ in 0..crate::app::pages::STREAMS {
            streams.push(listen(&mut browser, "/events").await);
        }
        assert_eq!(browser.get("/events").await.status, StatusCode::TOO_MANY_REQUESTS);
        site.app.events.stop();
        for mut stream in streams {
            while tokio::time::timeout(PATIENCE, stream.next()).await.unwrap().is_some() {}
        }
    }
}
