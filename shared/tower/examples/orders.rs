//! A service that sells things, with Tollkeeper in process. `docs/integrations/rust.md` tells of it,
//! and `tests/orders` runs it.

use std::env;
use std::future::IntoFuture;
use std::net::SocketAddr;

use axum::extract::Path;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use tokio::net::TcpListener;
use tokio::signal::ctrl_c;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;
use tollkeeper_tower::{Caller, Gate, GateConfig, Source};

type Failure = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let config = GateConfig::new(
        "orders",
        source()?,
        setting("TOLLKEEPER_NATS_URL")?,
        "tk".parse()?,
        setting("ORDERS_SPOOL")?,
    );
    let gate = Gate::start(config).await?;
    let app = router(&gate)?;

    let listener = TcpListener::bind(setting("ORDERS_LISTEN")?).await?;
    // The address of the client: tokens may be bound to networks, and usage says where it came from.
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    let terminate = signal(SignalKind::terminate())?;
    let (stop, stopped) = oneshot::channel::<()>();
    let server = axum::serve(listener, app).with_graceful_shutdown(async {
        let _told = stopped.await;
    });
    let server = tokio::spawn(server.into_future());
    let is_asked = tokio::select! {
        () = asked_to_end(terminate) => true,
        () = gate.ended() => false,
    };
    drop(stop);
    server.await??;
    // After the last answer, so that it is counted.
    gate.shutdown().await;
    if is_asked {
        Ok(())
    } else {
        Err("the gate has ended: whoever started this starts it again".into())
    }
}

/// By whoever started it, or by Ctrl-C.
async fn asked_to_end(mut terminate: Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = ctrl_c() => {}
    }
}

/// The API where there is a token to ask it with, or the database itself.
fn source() -> Result<Source, Failure> {
    match env::var("ORDERS_API_TOKEN") {
        Ok(token) => Ok(Source::api(setting("TOLLKEEPER_URL")?, token)),
        Err(_) => Ok(Source::postgres(setting("TOLLKEEPER_DATABASE_URL")?)),
    }
}

fn router(gate: &Gate) -> Result<Router, Failure> {
    let orders = Router::new()
        .route("/", get(list))
        .route("/{number}", get(show))
        .route_layer(gate.layer().scopes(["orders:read"])?);
    let changes = Router::new()
        .route("/", post(place))
        .route_layer(gate.layer().scopes(["orders:write"])?);
    Ok(Router::new()
        .nest("/orders", orders.merge(changes))
        // Nobody needs a token for this, and nobody is counted.
        .route("/livez", get(async || "alive")))
}

async fn list(Extension(caller): Extension<Caller>) -> String {
    format!("the orders of {}", caller.account_id())
}

async fn show(Path(number): Path<u32>) -> Result<String, StatusCode> {
    match number {
        17 => Ok("an order".to_owned()),
        // Counted as 404: the status is the service's own.
        _ => Err(StatusCode::NOT_FOUND),
    }
}

async fn place(Extension(caller): Extension<Caller>, Json(order): Json<Vec<u32>>) -> StatusCode {
    if order.is_empty() || caller.scopes().is_empty() {
        StatusCode::UNPROCESSABLE_ENTITY
    } else {
        StatusCode::CREATED
    }
}

fn setting(name: &str) -> Result<String, Failure> {
    env::var(name).map_err(|_| format!("{name} is not set").into())
}
