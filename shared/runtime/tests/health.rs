//! The internal listener over HTTP.

#![allow(clippy::unwrap_used)]

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use tollkeeper_runtime::health::{Health, InternalServer, Need, State};
use tollkeeper_runtime::metrics;
use tollkeeper_runtime::settings::InternalListenSettings;
use tollkeeper_telemetry::Service;

async fn get(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn readiness_names_what_is_missing_and_metrics_exist_at_zero() {
    let health = Health::new(CancellationToken::new());
    let recorder = metrics::install(Service::Api).unwrap();
    let settings = InternalListenSettings {
        address: "127.0.0.1:0".parse().unwrap(),
    };
    let server = InternalServer::bind(settings, health.clone(), recorder)
        .await
        .unwrap();
    let address = server.address().unwrap();
    let stop = CancellationToken::new();
    let serving = tokio::spawn(server.serve(stop.clone()));

    let postgres = health.component("postgres", Need::Required);
    postgres.not_ready("Postgres is away");
    let answer = get(address, "/readyz").await;
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    assert!(
        answer.contains(r#""reason":"Postgres is away""#),
        "{answer}"
    );
    assert!(get(address, "/livez").await.starts_with("HTTP/1.1 200"));

    postgres.ready();
    let answer = get(address, "/readyz").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");

    postgres.describe(State {
        state: "stale",
        age_ms: Some(2500),
    });
    let answer = get(address, "/readyz").await;
    assert!(
        answer
            .contains(r#""postgres":{"ready":true,"required":true,"state":"stale","age_ms":2500}"#),
        "{answer}"
    );

    let answer = get(address, "/metrics").await;
    assert!(answer.contains(r#"tollkeeper_component_ready{component="nats"} 0"#));
    assert!(answer.contains(r#"tollkeeper_component_ready{component="postgres"} 1"#));

    stop.cancel();
    serving.await.unwrap().unwrap();
}
