//! The admin address: health, metrics, channel status, start and stop, over HTTP.
//!
//! | request | answer |
//! |---|---|
//! | `GET /healthz` | 200 while the process lives |
//! | `GET /readyz` | 200 if callers are taken and the target answered at the last try; else 503 and why, one line each |
//! | `GET /metrics` | Prometheus's text format |
//! | `GET /channels`, `GET /channels/NAME` | status, keys of `DISPLAY CHSTATUS` |
//! | `POST /channels/NAME/start`, `POST /channels/NAME/stop` | the status after it; stop is MODE(QUIESCE) |
//! | `POST /channels/NAME/stop/quiesce`, `.../force`, `.../terminate` | the same with that MODE |
//! | `POST /channels/NAME/resolve/commit`, `.../backout` | RESOLVE CHANNEL: `{"channel", "changed", "text"}`; 409 and why it was not done |
//! | `GET /channels/NAME/reset/N`, `POST /channels/NAME/reset/N` | the same for RESET CHANNEL SEQNUM(N); GET only says what it would do |
//!
//! There is no login yet, hence only loopback addresses are taken, and requests that a web page made a browser send are refused.

use std::io;
use std::net::{IpAddr, SocketAddr};

use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::request::Operation;
use super::view::ChannelView;
use super::{ChannelBoard, ChannelStatus, Health};
use crate::channel::sender::{Resolution, StopMode};
use crate::telemetry::Metrics;
use crate::telemetry::metrics::UPKEEP_INTERVAL;

/// What the admin address shows and operates.
#[derive(Clone, Debug)]
pub struct Admin {
    /// Channels.
    pub board: ChannelBoard,
    /// Metrics.
    pub metrics: Metrics,
    /// Readiness.
    pub health: Health,
}

/// The address cannot be listened on; one line, with the fix.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct CannotListen(pub String);

/// One line for a failed bind: who else has the port, and what to do. `section` is where the address stands in the configuration.
pub fn cannot_listen(address: SocketAddr, section: &str, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            format!(
                "{address} is in use by another process; end that, or choose another port with address in {section}"
            )
        }
        io::ErrorKind::PermissionDenied => {
            format!("{address} needs more rights ({error}); choose a port above 1023 with address in {section}")
        }
        io::ErrorKind::AddrNotAvailable => {
            format!("{address} is not an address of this machine; mend address in {section}")
        }
        _ => format!("{address} cannot be listened on ({error}); mend address in {section}"),
    }
}

/// Takes the admin port, before anything else is started.
///
/// # Errors
/// When it cannot be had, or others than this machine could reach it.
pub async fn bind(address: SocketAddr) -> Result<TcpListener, CannotListen> {
    if !address.ip().is_loopback() {
        let text = format!("{address} can be reached from other machines; write 127.0.0.1 in address in [admin]");
        return Err(CannotListen(text));
    }
    TcpListener::bind(address).await.map_err(|error| CannotListen(cannot_listen(address, "[admin]", &error)))
}

/// Answers requests, and keeps the metrics folded, until `stop`.
///
/// # Errors
/// When the listener breaks.
pub async fn serve(listener: TcpListener, admin: Admin, stop: CancellationToken) -> io::Result<()> {
    let metrics = admin.metrics.clone();
    let upkeep = async {
        let mut timer = tokio::time::interval(UPKEEP_INTERVAL);
        loop {
            timer.tick().await;
            metrics.upkeep();
        }
    };
    let server = axum::serve(listener, router(admin)).with_graceful_shutdown({
        let stop = stop.clone();
        async move { stop.cancelled().await }
    });
    tokio::select! {
        served = server => served,
        () = upkeep => Ok(()),
        // A client that keeps its connection open does not keep the gateway from ending.
        () = async { stop.cancelled().await; tokio::time::sleep(UPKEEP_INTERVAL).await } => Ok(()),
    }
}

fn router(admin: Admin) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .route("/channels", get(channels))
        .route("/channels/{name}", get(channel))
        .route("/channels/{name}/start", post(start))
        .route("/channels/{name}/stop", post(stop))
        .route("/channels/{name}/stop/{mode}", post(stop_with))
        .route("/channels/{name}/resolve/commit", post(resolve_commit))
        .route("/channels/{name}/resolve/backout", post(resolve_backout))
        .route("/channels/{name}/reset/{seqnum}", get(reset_shown).post(reset))
        .fallback(|| async {
            refuse(StatusCode::NOT_FOUND, "no such page; try /channels, /metrics, /healthz or /readyz")
        })
        .layer(middleware::from_fn(no_web_pages))
        .with_state(admin)
}

async fn ready(State(admin): State<Admin>) -> Response {
    match admin.health.obstacles() {
        obstacles if obstacles.is_empty() => "ready\n".into_response(),
        obstacles => (StatusCode::SERVICE_UNAVAILABLE, obstacles.join("\n") + "\n").into_response(),
    }
}

async fn metrics(State(admin): State<Admin>) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], admin.metrics.render()).into_response()
}

async fn channels(State(admin): State<Admin>) -> Json<Vec<ChannelView>> {
    Json(admin.board.all().iter().map(ChannelView::from).collect())
}

async fn channel(State(admin): State<Admin>, Path(name): Path<String>) -> Response {
    show(admin.board.status(&name), &name)
}

async fn start(State(admin): State<Admin>, Path(name): Path<String>) -> Response {
    tracing::info!(channel = name, "the operator starts the channel");
    show(admin.board.start(&name), &name)
}

async fn stop(State(admin): State<Admin>, Path(name): Path<String>) -> Response {
    tracing::info!(channel = name, "the operator stops the channel");
    show(admin.board.stop(&name), &name)
}

async fn stop_with(State(admin): State<Admin>, Path((name, mode)): Path<(String, String)>) -> Response {
    let wanted = match mode.as_str() {
        "quiesce" => StopMode::Quiesce,
        "force" => StopMode::Force,
        "terminate" => StopMode::Terminate,
        _ => return refuse(StatusCode::NOT_FOUND, "no such mode; write quiesce, force or terminate"),
    };
    tracing::info!(channel = name, mode, "the operator stops the channel");
    show(admin.board.stop_with(&name, wanted), &name)
}

async fn resolve_commit(State(admin): State<Admin>, Path(name): Path<String>) -> Response {
    ask(&admin, &name, Operation::Resolve(Resolution::Commit)).await
}

async fn resolve_backout(State(admin): State<Admin>, Path(name): Path<String>) -> Response {
    ask(&admin, &name, Operation::Resolve(Resolution::Backout)).await
}

async fn reset_shown(State(admin): State<Admin>, Path((name, seqnum)): Path<(String, i32)>) -> Response {
    ask(&admin, &name, Operation::Reset { seqnum, really: false }).await
}

async fn reset(State(admin): State<Admin>, Path((name, seqnum)): Path<(String, i32)>) -> Response {
    ask(&admin, &name, Operation::Reset { seqnum, really: true }).await
}

async fn ask(admin: &Admin, name: &str, operation: Operation) -> Response {
    match admin.board.request(name, operation).await {
        Ok(done) => Json(done).into_response(),
        Err(why) => refuse(StatusCode::CONFLICT, &why),
    }
}

fn show(status: Option<ChannelStatus>, name: &str) -> Response {
    match status {
        Some(status) => Json(ChannelView::from(&status)).into_response(),
        None => {
            refuse(StatusCode::NOT_FOUND, &format!("channel {name} is not defined; see /channels for those that are"))
        }
    }
}

fn refuse(code: StatusCode, why: &str) -> Response {
    (code, Json(json!({ "error": why }))).into_response()
}

/// A web page in a browser on this machine must not operate channels: neither by a plain form (it sends Origin), nor by a
/// name of its own that it lets point here (Host is then that name).
async fn no_web_pages(request: Request, next: Next) -> Response {
    let headers = request.headers();
    if !host_is_here(headers) {
        return refuse(StatusCode::FORBIDDEN, "the Host of the request is no address of this machine; use 127.0.0.1");
    }
    if request.method() == Method::POST && headers.contains_key(header::ORIGIN) {
        return refuse(StatusCode::FORBIDDEN, "web pages may not operate channels; use mqferry channel");
    }
    next.run(request).await
}

fn host_is_here(headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(header::HOST) else { return true };
    let Ok(host) = host.to_str() else { return false };
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}
