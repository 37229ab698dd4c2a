//! What must hold in the end.

use async_nats::jetstream;
use sqlx::PgPool;
use tollkeeper_testkit::stack::Node;
use tollkeeper_testkit::wait_for;
use uuid::Uuid;

use super::clients::Seen;

/// What is counted of a token: rows, total, and the sums by hour and by day, of endpoints and together.
#[derive(Debug, sqlx::FromRow)]
struct Counted {
    rows: i64,
    total: i64,
    hourly: i64,
    daily: i64,
    days: i64,
}

async fn counted(pool: &PgPool, token: Uuid) -> Counted {
    sqlx::query_as(
        r#"select (select count(*) from api_token_usage where token_id = $1) as rows,
            coalesce((select usage_count from api_token_usage_totals where token_id = $1), 0) as total,
            coalesce((select sum(requests)::bigint from api_token_usage_hourly where token_id = $1), 0)
                as hourly,
            coalesce((select sum(requests)::bigint from api_token_usage_daily where token_id = $1), 0)
                as daily,
            coalesce((select sum(requests)::bigint from account_token_usage_daily where token_id = $1), 0)
                as days"#,
    )
    .bind(token)
    .fetch_one(pool)
    .await
    .unwrap()
}

/// How many requests the sums of accounts tell of, by hour and by day.
async fn of_accounts(pool: &PgPool) -> [i64; 2] {
    let told: (i64, i64) = sqlx::query_as(
        "select coalesce((select sum(requests)::bigint from account_usage_hourly), 0),
            coalesce((select sum(requests)::bigint from account_usage_daily), 0)",
    )
    .fetch_one(pool)
    .await
    .unwrap();
    told.into()
}

/// How many sources lack some of what they are known to have given out.
async fn holes(pool: &PgPool) -> i64 {
    sqlx::query_scalar(
        "select count(*) from usage_completeness
        where not usage_settled(array[source], array[coalesce(final_number, appended)])",
    )
    .fetch_one(pool)
    .await
    .unwrap()
}

/// How many events are reported as dropped.
async fn dropped(pool: &PgPool) -> i64 {
    sqlx::query_scalar(
        "select coalesce(sum(last - first + 1), 0)::bigint from usage_ledger
        where outcome = 'dropped'",
    )
    .fetch_one(pool)
    .await
    .unwrap()
}

/// What the verdict is about.
pub(crate) struct Court<'a> {
    pub(crate) pool: &'a PgPool,
    pub(crate) broker: jetstream::Context,
    pub(crate) apis: &'a mut [Node],
}

impl Court<'_> {
    /// Everything that was answered is counted, once, and nothing else is; tells the difference.
    pub(crate) async fn counted_once(self, seen: &Seen) -> String {
        let pool = self.pool;
        for (&token, ends) in &seen.0 {
            wait_for("every answered request to be counted", async || {
                counted(pool, token).await.total >= ends.answered.cast_signed()
            })
            .await;
        }
        let (lines, dropped) = self.counted_or_dropped(seen).await;
        assert_eq!(dropped, 0, "there was room for everything");
        for (&token, ends) in &seen.0 {
            let counted = counted(pool, token).await;
            assert!(
                ends.answered.cast_signed() <= counted.rows,
                "lost of {token}: {ends}, {counted:?}"
            );
        }
        lines
    }

    /// Everything that was answered is counted, once, or reported as dropped, and nothing else is; tells
    /// the difference, and how many were dropped.
    pub(crate) async fn counted_or_dropped(self, seen: &Seen) -> (String, i64) {
        let Self { pool, broker, apis } = self;
        let answered = seen.all().answered.cast_signed();
        wait_for("everything to be counted or dropped", async || {
            let mut total = dropped(pool).await;
            for &token in seen.0.keys() {
                total += counted(pool, token).await.total;
            }
            total >= answered
        })
        .await;
        wait_for("every hole to be filled", async || holes(pool).await == 0).await;
        // Nothing may be on its way any more when the upper bound is looked at.
        for api in apis {
            assert!(api.stop().await.success());
        }
        wait_for("the stream to run dry", async || {
            let usage = broker.get_stream("USAGE").await;
            usage.is_ok_and(|usage| usage.cached_info().state.messages == 0)
        })
        .await;
        let mut lines = Vec::new();
        let mut all = 0;
        for (&token, ends) in &seen.0 {
            let counted = counted(pool, token).await;
            assert_eq!(
                [counted.total, counted.hourly, counted.daily, counted.days],
                [counted.rows; 4],
                "rows, total and rollups of {token} agree"
            );
            assert!(
                counted.rows <= (ends.answered + ends.open).cast_signed(),
                "doubled of {token}: {ends}, {counted:?}"
            );
            all += counted.rows;
            lines.push(format!("{token}: {ends}, {} counted", counted.rows));
        }
        let dropped = dropped(pool).await;
        let open = seen.all().open.cast_signed();
        assert!(
            (answered..=answered + open).contains(&(all + dropped)),
            "{answered} answered and {open} not, {all} counted, {dropped} dropped"
        );
        assert_eq!(holes(pool).await, 0, "sources with holes");
        assert_eq!(of_accounts(pool).await, [all; 2], "sums of accounts");
        lines.push(format!("{} in all, {dropped} dropped", seen.all()));
        (lines.join("\n"), dropped)
    }
}
