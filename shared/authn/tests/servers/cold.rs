//! A node that has just started: the tokens used last, and everybody asking at once.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{Executor, PgPool};
use tokio_util::sync::CancellationToken;
use tollkeeper_ambient::{Clock, Entropy, SystemClock, SystemEntropy};
use tollkeeper_authn::postgres::{Node, PostgresSource};
use tollkeeper_authn::{Engine, EngineConfig, Requirement, TokenSource};
use tollkeeper_domain::secret::{Environment, SecretHash, TokenSecret};
use tollkeeper_domain::verdict::Verdict;
use tollkeeper_testkit::{TestDatabase, wait_for};
use uuid::Uuid;

use crate::history::History;
use crate::postgres::source;

/// What the connections of the node under test are called.
const NAME: &str = "a cold node";

/// Writes that a token was used that many hours ago.
async fn used(pool: &PgPool, token: Uuid, hours_ago: i32) {
    let use_ = sqlx::query(
        "insert into api_token_usage_totals (token_id, usage_count, last_used_at)
         values ($1, 1, now() - make_interval(hours => $2))",
    );
    let written = use_.bind(token).bind(hours_ago).execute(pool).await;
    assert_eq!(written.unwrap().rows_affected(), 1);
}

#[tokio::test]
async fn the_tokens_used_last_come_first() {
    let database = TestDatabase::create().await;
    let history = History::of(&database.pool);
    let source = source(&database.url);
    let mut held = Vec::new();
    for hours_ago in [5, 1, 3] {
        let one = history.issue("tk").await;
        used(&database.pool, one.token.id.0, hours_ago).await;
        held.push(SecretHash::of(one.text.as_bytes()));
    }
    // Presented, and never let through; and one that nobody has used.
    let refused = history.issue("tk").await;
    let _never = history.issue("tk").await;
    sqlx::query("insert into api_token_usage_totals values ($1, 7, null)")
        .bind(refused.token.id.0)
        .execute(&database.pool)
        .await
        .unwrap();
    let [five, one, three] = held[..] else {
        panic!("three")
    };
    assert_eq!(source.recently_used(10).await.unwrap(), [one, three, five]);
    assert_eq!(source.recently_used(2).await.unwrap(), [one, three]);
    assert_eq!(source.recently_used(0).await.unwrap(), []);

    // A secret that was replaced counts as long as it works.
    for (hash, hours, works) in [(8_u8, 1, true), (9, -1, false)] {
        sqlx::query(
            "insert into api_token_secrets (secret_hash, token_id, valid_until)
             select $1, token_id, now() + make_interval(hours => $2)
             from api_token_secrets where secret_hash = $3",
        )
        .bind([hash; 32])
        .bind(hours)
        .bind(one.0)
        .execute(&database.pool)
        .await
        .unwrap();
        let listed = source.recently_used(10).await.unwrap();
        assert_eq!(listed.contains(&SecretHash([hash; 32])), works);
    }
}

#[tokio::test]
async fn they_are_found_by_an_index() {
    let database = TestDatabase::create().await;
    let mut connection = database.pool.acquire().await.unwrap();
    for statement in [
        "insert into api_token_usage_totals
         select gen_random_uuid(), 1, now() - make_interval(mins => number)
         from generate_series(1, 20000) as number",
        "analyze api_token_usage_totals",
    ] {
        connection.execute(statement).await.unwrap();
    }
    let plan: String = sqlx::query_scalar::<_, String>(
        "explain select token_id from api_token_usage_totals
         where last_used_hour is not null order by last_used_hour desc limit 1000",
    )
    .fetch_all(&mut *connection)
    .await
    .unwrap()
    .join("\n");
    assert!(plan.contains("api_token_usage_totals_last_used"), "{plan}");
    assert!(!plan.contains("Sort"), "{plan}");
}

/// Tokens of one account, written without the log: a read cannot tell.
async fn many(pool: &PgPool, history: &History, number: usize) -> Vec<TokenSecret> {
    let template = history.issue("tk").await;
    let brand = "tk".parse().unwrap();
    let secrets: Vec<TokenSecret> = (0..number)
        .map(|_| {
            TokenSecret::generate(&brand, Environment::Live, |bytes| {
                SystemEntropy.fill(bytes);
            })
        })
        .collect();
    let hashes: Vec<[u8; 32]> = secrets.iter().map(|secret| secret.hash().0).collect();
    let now = SystemClock.now();
    let ids: Vec<Uuid> = hashes.iter().map(|_| SystemEntropy.uuid_v7(now)).collect();
    sqlx::query(
        "insert into api_tokens (id, account_id, name, environment, token_prefix, scopes, metadata,
            state, created_at, updated_at, version)
         select made.id, account_id, 'a token', 'live', 'tk_live_aaaa', '{}', '{}', 'active', now(),
            now(), 1
         from unnest($1::uuid[]) as made (id), api_tokens as template
         where template.id = $2",
    )
    .bind(&ids)
    .bind(template.token.id.0)
    .execute(pool)
    .await
    .unwrap();
    sqlx::query(
        "insert into api_token_secrets (secret_hash, token_id)
         select * from unnest($1::bytea[], $2::uuid[])",
    )
    .bind(hashes.iter().map(|hash| hash.to_vec()).collect::<Vec<_>>())
    .bind(&ids)
    .execute(pool)
    .await
    .unwrap();
    secrets
}

#[tokio::test]
async fn ten_thousand_at_once_are_read_in_batches_over_few_connections() {
    let database = TestDatabase::create().await;
    let history = History::of(&database.pool);
    let secrets = many(&database.pool, &history, 10_000).await;
    let node = Node {
        id: Uuid::from_u128(7),
        name: "a node".to_owned(),
        version: "0.0.0".to_owned(),
        registrar: None,
    };
    let mut config = EngineConfig::new("tk".parse().unwrap());
    // However slow this machine is: what is counted is reads, not time.
    config.fill.time_limit = Duration::from_secs(120);
    let in_flight = config.fill.in_flight;
    let options = PgConnectOptions::from_str(&database.url)
        .unwrap()
        .application_name(NAME);
    let source = PostgresSource::new(node, options, u32::try_from(in_flight).unwrap());
    let engine = Arc::new(Engine::new(config, Arc::new(source), Arc::new(SystemClock)));
    let stop = CancellationToken::new();
    let _stop = stop.clone().drop_guard();
    tokio::spawn(Arc::clone(&engine).run(stop));
    engine.proven().await;

    // All of them wait before the first read is sent.
    let requirement = Requirement::default();
    let asked = futures::future::join_all(
        secrets
            .iter()
            .map(|secret| engine.verify(secret.expose().as_bytes(), &requirement)),
    );
    let watched = most_connections(&database.pool);
    let most = tokio::select! {
        answers = asked => {
            assert_eq!(answers.len(), 10_000);
            assert!(answers.iter().all(|answer| answer.verdict == Verdict::Valid));
            None
        }
        most = watched => Some(most),
    };
    assert_eq!(most, None, "more connections than there are places");
    let counts = engine.status().counts;
    assert_eq!(counts.digests_read, 10_000, "each once");
    assert_eq!(counts.lookups, 10_000_u64.div_ceil(128));
    let hits = futures::future::join_all(
        secrets
            .iter()
            .map(|secret| engine.verify(secret.expose().as_bytes(), &requirement)),
    );
    assert!(hits.await.iter().all(|answer| answer.is_valid()));
    assert_eq!(engine.status().counts.digests_read, 10_000);
    wait_for("the connections to be counted", async || {
        connections(&database.pool).await == places(in_flight)
    })
    .await;
}

/// Those for look-ups, and that of the log.
fn places(in_flight: usize) -> i64 {
    i64::try_from(in_flight).unwrap() + 1
}

async fn connections(pool: &PgPool) -> i64 {
    sqlx::query_scalar(
        "select count(*) from pg_stat_activity
         where datname = current_database() and application_name = $1",
    )
    .bind(NAME)
    .fetch_one(pool)
    .await
    .unwrap()
}

/// Ends only if there are ever more connections than places.
async fn most_connections(pool: &PgPool) -> i64 {
    loop {
        let now = connections(pool).await;
        if now > places(4) {
            return now;
        }
        tokio::task::yield_now().await;
    }
}
