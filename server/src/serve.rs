//! The running server: one port, its background tasks, and an orderly shutdown. `router` alone serves tests without a network.

mod requests;

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use axum::middleware::from_fn;
use axum_server::Handle;
use hyper_util::rt::TokioTimer;
use tokio::task::{JoinHandle, JoinSet};

use crate::app::App;
use crate::app::events::changes_follow;
use crate::jobs::grader::grades_follow;
use crate::tls::{Acceptor, Certificates, Deadlines, server_config};
use crate::{agent_api, jobs, web};

/// How long open requests may take after the server was asked to stop.
const END_WITHIN: Duration = Duration::from_secs(10);
/// How long a request's head may take to arrive on HTTP/1.
const HEAD_ARRIVES: Duration = Duration::from_secs(10);
/// Concurrent requests on one connection; `tls::connection` decides who may have how many.
const STREAMS: u32 = 32;
/// Bytes of a request's headers.
const HEADERS: u32 = 16 * 1024;
/// Most bytes of one request waiting to be read.
const STREAM_WINDOW: u32 = 64 * 1024;
/// Most bytes of all requests of a connection waiting to be read.
const CONNECTION_WINDOW: u32 = 256 * 1024;
/// Most bytes waiting to be sent.
const SENDING: usize = 64 * 1024;

/// All routes, for agents and for people.
pub fn router(app: App) -> Router {
    let routes = Router::new().merge(agent_api::router(&app)).merge(web::router(&app));
    routes.layer(from_fn(requests::requests_bound)).with_state(app)
}

/// A server that accepts connections.
#[derive(Debug)]
pub struct Serving {
    app: App,
    address: SocketAddr,
    handle: Handle<SocketAddr>,
    server: JoinHandle<std::io::Result<()>>,
    tasks: JoinSet<()>,
}

/// Starts to serve on `listener`, with certificates kept below `data`, and starts every background task.
///
/// # Errors
/// A certificate cannot be made or used, or the listener cannot be used.
pub async fn serve(app: App, data: &Path, listener: TcpListener, deadlines: Deadlines) -> anyhow::Result<Serving> {
    let certificates = Arc::new(Certificates::open(
        data,
        &app.secrets.server_ca,
        app.config.hosts()?,
        app.config.web.clone(),
        app.clock.now_ms(),
    )?);
    let acceptor = Acceptor::new(server_config(&app.secrets, Arc::clone(&certificates), &app.clock)?, deadlines);
    let address = listener.local_addr().context("the listener has no address")?;
    let handle = Handle::new();
    let mut server =
        axum_server::from_tcp(listener).context("cannot listen")?.acceptor(acceptor).handle(handle.clone());
    let http = server.http_builder();
    http.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_ARRIVES).max_buf_size(SENDING);
    http.http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(HEADERS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(SENDING);
    let service = router(app.clone()).into_make_service_with_connect_info::<SocketAddr>();
    let server = tokio::spawn(server.serve(service));
    let mut tasks = JoinSet::new();
    tasks.spawn(changes_follow(app.clone()));
    tasks.spawn(grades_follow(app.clone()));
    tasks.spawn(jobs::certificates::certificates_renew(app.clone(), certificates));
    tasks.spawn(jobs::figure::figures_freeze(app.clone(), app.config.pages.zone()?));
    tasks.spawn(jobs::checkpoint::checkpoint_follow(app.clone()));
    tasks.spawn(jobs::housekeeping::housekeeping(app.clone()));
    tasks.spawn(jobs::packing::headers_packing(app.clone()));
    tasks.spawn(jobs::guesses::guesses_tell(app.clone()));
    tasks.spawn(jobs::space::space_watch(app.clone()));
    tasks.spawn(jobs::contacts::contacts_store(app.clone()));
    Ok(Serving { app, address, handle, server, tasks })
}

impl Serving {
    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The server's state.
    #[cfg(test)]
    pub fn app(&self) -> &App {
        &self.app
    }

    /// Waits until accepting connections fails for good.
    ///
    /// # Errors
    /// Why it failed.
    pub async fn broken(&self) -> anyhow::Result<()> {
        while !self.server.is_finished() {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        anyhow::bail!("the server no longer accepts connections")
    }

    /// Shuts down: no new connection, held polls are answered, open requests finish, accepted reports are written.
    ///
    /// # Errors
    /// Accepting connections had already failed.
    pub async fn stop(self) -> anyhow::Result<()> {
        let Self { app, handle, server, mut tasks, .. } = self;
        app.events.stop();
        handle.graceful_shutdown(Some(END_WITHIN));
        let ended = server.await.context("the server's task failed")?;
        while tasks.join_next().await.is_some() {}
        app.ingest.stop().await;
        app.db.close().await;
        tracing::info!("the server has ended");
        Ok(ended?)
    }
}

#[cfg(test)]
mod tests;
