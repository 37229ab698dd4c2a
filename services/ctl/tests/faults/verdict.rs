//! What must hold in the end.

use sqlx::PgPool;
use tollkeeper_testkit::wait_for;
use uuid::Uuid;

use crate::clients::Seen;
use crate::world::World;

/// What is counted of a token: rows, total, and the sums by hour and by day.
#[derive(Debug, sqlx::FromRow)]
struct Counted {
    rows: i64,
    total: i64,
    hourly: i64,
    daily: i64,
}

async fn counted(pool: &PgPool, token: Uuid) -> Counted {
    sqlx::query_as(
        r#"select (select count(*) from api_token_usage where token_id = $1) as rows,
            coalesce((select usage_count from api_token_usage_totals where token_id = $1), 0) as total,
            coalesce((select sum(requests)::bigint from api_token_usage_hourly where token_id = $1), 0)
                as hourly,
            coalesce((select sum(requests)::bigint from api_token_usage_daily where token_id = $1), 0)
                as daily"#,
    )
    .bind(token)
    .fetch_one(pool)
    .await
    .unwrap()
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

/// Everything that was answered is counted, once, and nothing else is; tells the difference.
pub(crate) async fn counted_once(world: &mut World, seen: &Seen) -> String {
    let pool = world.stack.database.pool.clone();
    for (&token, ends) in &seen.0 {
        wait_for("every answered request to be counted", async || {
            counted(&pool, token).await.total >= ends.answered.cast_signed()
        })
        .await;
    }
    wait_for("every hole to be filled", async || holes(&pool).await == 0).await;
    // Nothing may be on its way any more when the upper bound is looked at.
    for api in &mut world.apis {
        assert!(api.stop().await.success());
    }
    let broker = world.broker().await;
    wait_for("the stream to run dry", async || {
        let mut usage = broker.get_stream("USAGE").await.unwrap();
        usage.info().await.unwrap().state.messages == 0
    })
    .await;
    let mut lines = Vec::new();
    for (&token, ends) in &seen.0 {
        let counted = counted(&pool, token).await;
        assert_eq!(
            [counted.total, counted.hourly, counted.daily],
            [counted.rows; 3],
            "rows, total and rollups of {token} agree"
        );
        let (answered, open) = (ends.answered.cast_signed(), ends.open.cast_signed());
        assert!(
            answered <= counted.rows,
            "lost of {token}: {answered} answered, {counted:?}"
        );
        assert!(
            counted.rows <= answered + open,
            "doubled of {token}: {answered} answered and {open} not, {counted:?}"
        );
        lines.push(format!(
            "{token}: {answered} answered, {open} not, {} counted",
            counted.rows
        ));
    }
    assert_eq!(holes(&pool).await, 0, "sources with holes");
    lines.join("\n")
}
