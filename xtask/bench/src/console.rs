//! How long the server takes for each page of the console among a million tokens, with 90 days of sums, against
//! the same pages among a thousand tokens.

use axum::http::Method;
use chrono::TimeDelta;
use sha2::{Digest, Sha256};
use tollkeeper_ambient::{Clock, SystemClock};
use tollkeeper_testkit::stack::{Node, Person};
use tollkeeper_testkit::{Stack, sum_up_accounts};
use uuid::Uuid;

use crate::Failure;
use crate::report::{Report, median};

/// How many tokens there are. The first number is the baseline.
const SIZES: [i64; 2] = [1_000, 1_000_000];

/// How often each page is asked for.
const ASKED: usize = 100;

/// What the cookie of the session holds: 32 zeros in Base64.
const COOKIE: &str = "tollkeeper=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Each page, as it is told, and where it is; `{token}` is one that is used, `{account}` the owner of most.
const PAGES: [(&str, &str); 15] = [
    ("home", "/console"),
    ("tokens", "/console/tokens"),
    ("tokens, searched", "/console/tokens?search=of+the+shop"),
    ("tokens, by name", "/console/tokens?sort=name"),
    ("tokens, by expiry", "/console/tokens?sort=-expires_at"),
    ("tokens, by last use", "/console/tokens?sort=-last_used_at"),
    ("tokens, never used", "/console/tokens?unused=never"),
    ("a token", "/console/tokens/{token}"),
    ("usage, 24 hours", "/console/usage"),
    ("usage, 7 days", "/console/usage?range=7d"),
    ("usage, 90 days", "/console/usage?range=90d"),
    (
        "usage of a token, 90 days",
        "/console/usage?range=90d&token_id={token}",
    ),
    (
        "single requests",
        "/console/usage/requests?token_id={token}",
    ),
    ("operation", "/console/operation"),
    ("accounts", "/console/accounts"),
];

/// A server with so many tokens, and an operator who is signed in.
struct Size {
    _stack: Stack,
    node: Node,
    tokens: i64,
    token: Uuid,
}

impl Size {
    async fn new(tokens: i64) -> Result<Self, Failure> {
        let mut stack = Stack::as_in_production().await;
        let node = stack.api(&[]).await;
        let operator = node.operator();
        let accounts: [Uuid; 2] = [
            operator.account("many").await.parse()?,
            operator.account("few").await.parse()?,
        ];
        let pool = stack.database.pool.clone();
        sqlx::query(include_str!("lists.sql"))
            .bind(tokens)
            .bind(accounts[0])
            .bind(accounts[1])
            .bind(Uuid::from_u128(0xff))
            .execute(&pool)
            .await?;
        for day in 0..7 {
            sqlx::query(
                "select usage_partition_create((now() at time zone 'UTC')::date - $1::int)",
            )
            .bind(day)
            .execute(&pool)
            .await?;
        }
        for part in include_str!("console.sql")
            .split(";\n")
            .filter(|it| !it.trim().is_empty())
        {
            sqlx::query(part).execute(&pool).await?;
        }
        sum_up_accounts(&pool).await;
        // As autovacuum does in the end.
        sqlx::query("vacuum (analyze)").execute(&pool).await?;
        let now = SystemClock.now();
        sqlx::query(
            "with person as (
                insert into console_people (id, email, role, created_at)
                values (gen_random_uuid(), 'bench@example.org', 'operator', $2) returning id
            )
            insert into console_sessions
                (secret_hash, id, person_id, created_at, seen_at, expires_at, browser)
            select $1, gen_random_uuid(), id, $2, $2, $3, 'bench' from person",
        )
        .bind(&Sha256::digest([0; 32])[..])
        .bind(now)
        .bind(now + TimeDelta::days(7))
        .execute(&pool)
        .await?;
        let used = "select token_id from api_token_usage_daily order by token_id limit 1";
        let token = sqlx::query_scalar(used).fetch_one(&pool).await?;
        Ok(Self {
            _stack: stack,
            node,
            tokens,
            token,
        })
    }

    /// How many milliseconds each answer took, from the shortest to the longest.
    async fn ask(&self, path: &str) -> Vec<f64> {
        let path = path.replace("{token}", &self.token.to_string());
        let nobody = self.node.nobody();
        let mut took = Vec::new();
        for _ in 0..ASKED {
            let request = nobody.request(Method::GET, &path).header("cookie", COOKIE);
            let since = SystemClock.boot_time();
            let answer = Person::send(request).await;
            took.push((SystemClock.boot_time() - since).as_secs_f64() * 1e3);
            assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        }
        took.sort_by(f64::total_cmp);
        took
    }
}

/// Takes the figure for each page.
pub(crate) async fn measure(report: &mut Report) -> Result<(), Failure> {
    let [few, many] = SIZES;
    let (few, many) = (Size::new(few).await?, Size::new(many).await?);
    for (name, path) in PAGES {
        let (baseline, took) = (few.ask(path).await, many.ask(path).await);
        report.row(
            &format!(
                "the console's page \"{name}\", {} tokens, 90 days of sums",
                many.tokens
            ),
            "≤ 100 ms",
            format!(
                "**{:.1} ms**, p99 {:.1} ms",
                median(took.clone()),
                took[ASKED * 99 / 100 - 1]
            ),
            format!("{:.1} ms of {} tokens", median(baseline), few.tokens),
        );
    }
    Ok(())
}
