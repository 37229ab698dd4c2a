//! Tokens imported a second over HTTP, 1,000 in each call, against the same rows inserted by SQL
//! alone, 1,000 in each transaction, from a table that holds them prepared.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use sqlx::PgPool;
use tokio::task::JoinSet;
use tollkeeper_ambient::{Clock, Entropy, SystemClock, SystemEntropy};
use tollkeeper_testkit::Stack;
use tollkeeper_testkit::stack::Person;
use uuid::Uuid;

use crate::report::{Report, median, spread};
use crate::{Arguments, Failure};

/// Tokens in one call, the most that there may be.
const A_CALL: u32 = 1000;

/// How many clients import at once.
const CLIENTS: u32 = 4;

/// As long as the payload of what the API imports.
const PAYLOAD: &str = r#"{"account_id":"01890a5d-ac96-774b-bcce-b302099a8057","environment":"live","expires_at":"2027-01-31T12:00:00.123456Z","issued_by":null,"metadata":{"team":"billing"},"name":"a token","not_before":null,"scopes":["orders:read","orders:write"],"secret_hash":"abababababababababababababababababababababababababababababababab","token_prefix":"old_Ab3x"}"#;

/// Imports as many tokens as were asked for, in pairs with as many rows by SQL.
pub(crate) async fn measure(
    stack: &mut Stack,
    arguments: &Arguments,
    report: &mut Report,
) -> Result<(), Failure> {
    // As in the baseline, nothing is counted.
    let api = stack.api(&[("TOLLKEEPER_ACCOUNT_TOKEN_LIMIT", "0")]).await;
    let operator = api.operator();
    let account = operator.account("bench-import").await;
    let pairs = u32::try_from(arguments.pairs)?.max(1);
    let calls = (arguments.tokens / A_CALL / pairs).max(1);
    let pool = stack.database.pool.clone();
    prepare(&pool, pairs * calls * A_CALL).await?;
    let (mut ratios, mut base, mut own) = (Vec::new(), Vec::new(), Vec::new());
    for pair in 0..pairs {
        let theirs = by_sql(&pool, &account, pair * calls, calls).await?;
        let ours = over_http(&operator, &account, calls).await?;
        ratios.push(ours / theirs);
        base.push(theirs);
        own.push(ours);
    }
    report.row(
        &format!(
            "imported tokens/s, {A_CALL} a call, {} in all, against the same rows by SQL alone",
            pairs * calls * A_CALL
        ),
        "—",
        format!("{}, {:.0} tokens/s", spread(&ratios), median(own)),
        format!("{:.0} tokens/s", median(base)),
    );
    Ok(())
}

async fn prepare(pool: &PgPool, rows: u32) -> Result<(), Failure> {
    let table = "create unlogged table import_baseline (n bigint primary key, token uuid not null,
        event uuid not null, secret bytea not null)";
    sqlx::query(table).execute(pool).await?;
    let fill = "insert into import_baseline
        select n, gen_random_uuid(), gen_random_uuid(),
            sha256(convert_to(gen_random_uuid()::text, 'UTF8'))
        from generate_series(1, $1::bigint) as n";
    sqlx::query(fill)
        .bind(i64::from(rows))
        .execute(pool)
        .await?;
    sqlx::query("analyze import_baseline").execute(pool).await?;
    Ok(())
}

/// Tokens a second.
async fn by_sql(pool: &PgPool, account: &str, first: u32, calls: u32) -> Result<f64, Failure> {
    let account: Uuid = account.parse()?;
    let began = SystemClock.boot_time();
    for call in first..first + calls {
        sqlx::query(include_str!("import.sql"))
            .bind(i64::from(call * A_CALL))
            .bind(account)
            .bind(PAYLOAD.as_bytes())
            .execute(pool)
            .await?;
    }
    Ok(f64::from(calls * A_CALL) / (SystemClock.boot_time() - began).as_secs_f64())
}

/// Tokens a second.
async fn over_http(operator: &Person, account: &str, calls: u32) -> Result<f64, Failure> {
    let left = Arc::new(AtomicU32::new(calls));
    let began = SystemClock.boot_time();
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let (operator, account, left) = (operator.clone(), account.to_owned(), left.clone());
        clients.spawn(async move {
            let take = |left: u32| left.checked_sub(1);
            while left
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
                .is_ok()
            {
                let answer = operator.post("/v1/tokens/import", call(&account)).await;
                if answer.status != 201 {
                    return Err(answer.text);
                }
            }
            Ok(())
        });
    }
    while let Some(client) = clients.join_next().await {
        client??;
    }
    Ok(f64::from(calls * A_CALL) / (SystemClock.boot_time() - began).as_secs_f64())
}

/// A call with tokens that nobody has seen.
fn call(account: &str) -> Value {
    let items = (0..A_CALL).map(|_| {
        let mut random = [0; 32];
        SystemEntropy.fill(&mut random);
        let hash = Sha256::digest(random);
        let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        json!({
            "account_id": account,
            "name": "a token",
            "hash": hash,
            "token_prefix": "old_Ab3x",
            "scopes": ["orders:read", "orders:write"],
            "metadata": { "team": "billing" },
            "expires_in_minutes": 1440,
        })
    });
    json!({ "tokens": items.collect::<Vec<_>>() })
}
