//! The design that Tollkeeper replaces: each request updates the token's row and inserts a usage
//! row before it is answered.

use std::net::SocketAddr;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::routing::any;
use sha2::{Digest, Sha256};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use tollkeeper_testkit::Stack;

use crate::load::Load;
use crate::process::Server;
use crate::report::{Report, median, spread};
use crate::{Arguments, Failure, forward_auth, servers};

/// As many as such systems commonly have.
const CONNECTIONS: u32 = 16;

/// Serves until it is killed.
pub(crate) async fn serve(address: SocketAddr, database: &str) -> Result<(), Failure> {
    let pool = PgPoolOptions::new()
        .max_connections(CONNECTIONS)
        .connect(database)
        .await?;
    let router = Router::new()
        .route("/{*path}", any(handle))
        .with_state(pool);
    servers::serve(address, router).await
}

async fn handle(State(pool): State<PgPool>, headers: HeaderMap) -> StatusCode {
    let credential = headers
        .get(header::AUTHORIZATION)
        .map(|value| value.as_bytes());
    let Some(token) = credential.and_then(|value| value.strip_prefix(b"Bearer ")) else {
        return StatusCode::UNAUTHORIZED;
    };
    match record(&pool, &Sha256::digest(token)).await {
        Ok(true) => StatusCode::OK,
        Ok(false) => StatusCode::UNAUTHORIZED,
        Err(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}

async fn record(pool: &PgPool, hash: &[u8]) -> Result<bool, sqlx::Error> {
    let mut transaction = pool.begin().await?;
    let found = sqlx::query(
        "update synchronous_tokens set last_used_at = now(), usage_count = usage_count + 1
        where secret_hash = $1 returning id",
    )
    .bind(hash)
    .fetch_optional(&mut *transaction)
    .await?;
    if found.is_none() {
        return Ok(false);
    }
    sqlx::query(
        "insert into synchronous_usage (secret_hash, endpoint, method, status, ip, user_agent)
        values ($1, '/orders/17', 'GET', 200, '203.0.113.9', 'bench/1.0')",
    )
    .bind(hash)
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(true)
}

/// Compares the two designs on one hot token and on 500.
pub(crate) async fn measure(
    stack: &mut Stack,
    arguments: &Arguments,
    report: &mut Report,
) -> Result<(), Failure> {
    let pool = &stack.database.pool.clone();
    sqlx::raw_sql(
        "create table synchronous_tokens (id bigserial primary key, secret_hash bytea unique,
            usage_count bigint not null default 0, last_used_at timestamptz);
        create table synchronous_usage (id bigserial primary key, secret_hash bytea not null,
            at timestamptz not null default now(), endpoint text not null, method text not null,
            status int not null, ip inet, user_agent text);
        create index on synchronous_usage (secret_hash, at);",
    )
    .execute(pool)
    .await?;
    let url = stack.database.url.clone();
    let server = Server::start("serve-synchronous", &[&url]).await?;
    let api = stack.api(&[]).await;
    for count in [1, 500] {
        let tokens = forward_auth::tokens(&api, count + 1).await;
        for token in &tokens {
            sqlx::query("insert into synchronous_tokens (secret_hash) values ($1)")
                .bind(Sha256::digest(token.as_bytes()).to_vec())
                .execute(pool)
                .await?;
        }
        let load = Load::new("/v1/forward-auth?from=original", &tokens[..count])?;
        load.run(server.address, 1).await?;
        load.run(api.public, 1).await?;
        forward_auth::drained(&api).await;
        let (mut ratios, mut base) = (Vec::new(), Vec::new());
        for _ in 0..arguments.pairs {
            let theirs = load.run(server.address, arguments.seconds).await?;
            let ours = load.run(api.public, arguments.seconds).await?;
            forward_auth::drained(&api).await;
            ratios.push(ours.per_second / theirs.per_second);
            base.push(theirs.per_second);
        }
        let (name, goal) = if count == 1 {
            ("one hot token", "≥ 40")
        } else {
            ("500 tokens", "—")
        };
        report.row(
            &format!("throughput against the synchronous design, {name}"),
            goal,
            spread(&ratios),
            format!("{:.0} req/s", median(base)),
        );
    }
    Ok(())
}
