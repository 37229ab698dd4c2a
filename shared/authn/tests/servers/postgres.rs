//! Reading the real tables, and what happens when they are out of reach.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use sqlx::postgres::PgConnectOptions;
use tokio_util::sync::{CancellationToken, DropGuard};
use tollkeeper_ambient::SystemClock;
use tollkeeper_authn::postgres::{Node, PostgresSource};
use tollkeeper_authn::{Attendance, Engine, EngineConfig, Freshness, Requirement, TokenSource};
use tollkeeper_domain::quota::{MAX_USES, Quotas};
use tollkeeper_domain::rate_limit::RateLimits;
use tollkeeper_domain::secret::SecretHash;
use tollkeeper_domain::verdict::Verdict;
use tollkeeper_testkit::{FaultProxy, TestDatabase, wait_for};

use uuid::Uuid;

use crate::history::{Held, History};

/// A node that has applied nothing.
pub const NOTHING_YET: Attendance = Attendance {
    applied: None,
    valid_for: None,
};

pub fn source(url: &str) -> Arc<PostgresSource> {
    let node = Node {
        id: Uuid::from_u128(7),
        name: "a node".to_owned(),
        version: "0.0.0".to_owned(),
        registrar: None,
    };
    Arc::new(PostgresSource::new(
        node,
        PgConnectOptions::from_str(url).unwrap(),
        4,
    ))
}

/// A running engine; it stops with the guard.
pub fn engine(url: &str) -> (Arc<Engine>, DropGuard) {
    let mut config = EngineConfig::new("tk".parse().unwrap());
    config.proof_interval = Duration::from_millis(50);
    let engine = Arc::new(Engine::new(config, source(url), Arc::new(SystemClock)));
    let stop = CancellationToken::new();
    tokio::spawn(Arc::clone(&engine).run(stop.clone()));
    (engine, stop.drop_guard())
}

pub async fn verdict(engine: &Engine, held: &Held) -> Verdict {
    let requirement = Requirement::default();
    engine
        .verify(held.text.as_bytes(), &requirement)
        .await
        .verdict
}

pub fn from_memory(engine: &Engine, held: &Held) -> Option<Verdict> {
    let answer = engine.try_verify(held.text.as_bytes(), &Requirement::default());
    answer.ok().map(|answer| answer.verdict)
}

#[tokio::test]
async fn the_source_reads_what_was_written() {
    let database = TestDatabase::create().await;
    let history = History::of(&database.pool);
    let source = source(&database.url);
    assert_eq!(source.attend(NOTHING_YET).await.unwrap().position, 0);

    let held = history.issue("tk").await;
    let digest = SecretHash::of(held.text.as_bytes());
    let lookup = source.lookup(&[SecretHash([7; 32]), digest]).await.unwrap();
    let head = source.attend(NOTHING_YET).await.unwrap();
    assert_eq!((lookup.head, head.position), (head, 2));
    let [found] = &lookup.found[..] else {
        panic!("one of two is known: {:?}", lookup.found);
    };
    assert_eq!(found.digest, digest);
    assert_eq!(found.token.token_id, held.token.id);
    assert_eq!(found.token.version, 1);
    assert_eq!(found.token.scopes, held.token.scopes);
    let end = held.token.validity.expires_at.unwrap();
    assert_eq!(found.token.expires_at, Some(end.timestamp_micros()));
    assert_eq!(found.account.account_id, held.account.id);

    assert_eq!(found.token.restrictions, None);

    let nothing = source.lookup(&[SecretHash([7; 32])]).await.unwrap();
    assert_eq!((nothing.head, nothing.found.len()), (head, 0));

    let events = source.events_after(0, 10).await.unwrap();
    assert_eq!(events.len(), 2);
    assert_eq!(events[1].hash, head.hash);
    let tollkeeper_authn::Change::Token { id, secrets, .. } = &events[1].event.change else {
        panic!("an event of a token");
    };
    assert_eq!((*id, &secrets[..]), (held.token.id, &[digest][..]));
    assert_eq!(source.events_after(1, 1).await.unwrap(), events[1..]);
}

#[tokio::test]
async fn what_bounds_a_token_and_its_account_is_read_with_it() {
    let database = TestDatabase::create().await;
    let history = History::of(&database.pool);
    let source = source(&database.url);
    let mut held = history.issue("tk").await;
    let digest = SecretHash::of(held.text.as_bytes());
    let limits = |limit| -> RateLimits {
        let limits = json!([{ "name": "requests", "limit": limit, "window_seconds": 60 }]);
        serde_json::from_value(limits).unwrap()
    };
    let read = async || {
        let found = source.lookup(&[digest]).await.unwrap().found.remove(0);
        (found.token.restrictions, found.account.rate_limits)
    };
    assert_eq!(read().await, (None, None));

    history.limit(&mut held, limits(10)).await;
    history.limit_account(&mut held, limits(100)).await;
    let (restrictions, of_account) = read().await;
    let restrictions = *restrictions.unwrap();
    assert_eq!(restrictions.rate_limits, limits(10));
    assert!(restrictions.allowed_cidrs.is_any());
    assert_eq!(of_account.as_deref(), Some(&limits(100)));

    history.limit(&mut held, RateLimits::default()).await;
    history
        .limit_account(&mut held, RateLimits::default())
        .await;
    assert_eq!(read().await, (None, None));
}

#[tokio::test]
async fn quotas_are_read_with_their_generations() {
    let database = TestDatabase::create().await;
    let history = History::of(&database.pool);
    let source = source(&database.url);
    let mut held = history.issue("tk").await;
    let digest = SecretHash::of(held.text.as_bytes());
    let quotas = |generation| -> Quotas {
        let quota = json!({
            "name": "uses", "limit": MAX_USES, "refill": "monthly", "generation": generation,
        });
        serde_json::from_value(json!([quota])).unwrap()
    };
    let read = async || {
        let found = source.lookup(&[digest]).await.unwrap().found.remove(0);
        (found.token.restrictions, found.account.quotas)
    };
    assert_eq!(read().await, (None, None));

    history.set_quotas(&mut held, quotas(1)).await;
    history.set_account_quotas(&mut held, quotas(7)).await;
    history.refill(&mut held, "uses").await;
    let (restrictions, of_account) = read().await;
    assert_eq!(restrictions.unwrap().quotas, quotas(2));
    assert_eq!(of_account.as_deref(), Some(&quotas(7)));

    history.set_quotas(&mut held, Quotas::default()).await;
    history
        .set_account_quotas(&mut held, Quotas::default())
        .await;
    assert_eq!(read().await, (None, None));
}

#[tokio::test]
async fn a_node_hears_of_everything_through_the_log() {
    let database = TestDatabase::create().await;
    let history = History::of(&database.pool);
    let (engine, _stop) = engine(&database.url);
    engine.prove().await.unwrap();
    let mut held = history.issue("tk").await;
    let mut other = history.issue("tk").await;
    assert_eq!(verdict(&engine, &held).await, Verdict::Valid);
    assert_eq!(verdict(&engine, &other).await, Verdict::Valid);

    history.suspend(&mut held).await;
    engine.prove().await.unwrap();
    assert_eq!(from_memory(&engine, &held), Some(Verdict::Suspended));
    history.resume(&mut held).await;
    engine.prove().await.unwrap();
    assert_eq!(verdict(&engine, &held).await, Verdict::Valid);
    history.suspend_account(&mut other).await;
    history.revoke(&mut held).await;
    // Nobody asks for a proof now: it moves by itself.
    wait_for("the revocation to arrive", || {
        let verdicts = (from_memory(&engine, &held), from_memory(&engine, &other));
        async move { verdicts == (Some(Verdict::Revoked), Some(Verdict::AccountSuspended)) }
    })
    .await;
    assert_eq!(engine.status().counts.restarts, 0);
}

#[tokio::test]
async fn a_cut_network_leaves_memory_answering_and_heals() {
    let database = TestDatabase::create().await;
    let proxy = FaultProxy::start(database.tcp_address()).await;
    let history = History::of(&database.pool);
    let mut held = history.issue("tk").await;
    let unread = history.issue("tk").await;
    let (engine, _stop) = engine(&database.url_through(proxy.address()));
    wait_for("the first proof", || {
        let live = engine.status().freshness == Freshness::Live;
        async move { live }
    })
    .await;
    assert_eq!(verdict(&engine, &held).await, Verdict::Valid);

    proxy.cut();
    history.revoke(&mut held).await;
    assert_eq!(verdict(&engine, &unread).await, Verdict::Unavailable);
    assert_eq!(
        from_memory(&engine, &held),
        Some(Verdict::Valid),
        "within the bound"
    );

    proxy.resume();
    wait_for("the revocation to arrive", || {
        let verdict = from_memory(&engine, &held);
        async move { verdict == Some(Verdict::Revoked) }
    })
    .await;
    assert_eq!(verdict(&engine, &unread).await, Verdict::Valid);
}

#[tokio::test]
async fn a_network_that_swallows_packets_costs_no_connection_for_good() {
    let database = TestDatabase::create().await;
    let proxy = FaultProxy::start(database.tcp_address()).await;
    let history = History::of(&database.pool);
    let held = history.issue("tk").await;
    let (engine, _stop) = engine(&database.url_through(proxy.address()));
    wait_for("the first proof", || {
        let live = engine.status().freshness == Freshness::Live;
        async move { live }
    })
    .await;

    proxy.pause();
    wait_for("the proof to grow old", || {
        let stale = engine.status().freshness == Freshness::Stale;
        async move { stale }
    })
    .await;
    assert_eq!(verdict(&engine, &held).await, Verdict::Unavailable);
    // The old connections stay dead: whoever clings to them waits for ever.
    proxy.cut();
    proxy.resume();
    wait_for("a proof again", || {
        let live = engine.status().freshness == Freshness::Live;
        async move { live }
    })
    .await;
    assert_eq!(verdict(&engine, &held).await, Verdict::Valid);
}

#[tokio::test]
async fn networks_are_read_as_they_were_written_and_unreadable_ones_let_nobody_in() {
    let database = TestDatabase::create().await;
    let history = History::of(&database.pool);
    let mut held = history.issue("tk").await;
    let source = source(&database.url);
    let digest = SecretHash::of(held.text.as_bytes());
    // All of them are written in other letters by PostgreSQL's own types.
    let texts = ["10.0.0.0/8", "::/96", "::102:304/128", "::ffff:0:0:0/120"];
    history.bind(&mut held, &texts).await;
    let lookup = source.lookup(&[digest]).await.unwrap();
    let read = lookup.found[0].token.restrictions.as_deref();
    assert_eq!(read, Some(&held.token.restrictions));

    sqlx::query("update api_tokens set allowed_cidrs = '{10.0.0.0/8,anywhere}'")
        .execute(&database.pool)
        .await
        .unwrap();
    assert!(source.lookup(&[digest]).await.is_err());

    history.bind(&mut held, &[]).await;
    let lookup = source.lookup(&[digest]).await.unwrap();
    assert_eq!(lookup.found[0].token.restrictions, None);
}
