//! Nothing is made from a log that is not whole.

use sqlx::{AssertSqlSafe, Executor, PgPool};
use tollkeeper_event_store::AuditError;
use tollkeeper_read_model::rebuild::{RebuildError, Report};
use tollkeeper_testkit::TestDatabase;

use crate::history::History;
use crate::{generation, rebuilt, verified};

/// Nine events, then what somebody did to the log, and a row that differs from it.
async fn tampered(with: &str) -> TestDatabase {
    let database = TestDatabase::create().await;
    drop(History::begin(&database.pool).await);
    let statements = format!(
        "alter table events disable trigger user; {with};
        update api_tokens set name = 'by hand'",
    );
    database
        .pool
        .execute(AssertSqlSafe(statements))
        .await
        .unwrap();
    database
}

async fn by_hand(pool: &PgPool) -> i64 {
    let count = sqlx::query_scalar("select count(*) from api_tokens where name = 'by hand'");
    count.fetch_one(pool).await.unwrap()
}

fn broken(outcome: Result<Report, RebuildError>) -> i64 {
    match outcome {
        Err(RebuildError::Log(AuditError::Broken { position, .. })) => position,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_event_that_was_changed_or_removed_is_named_and_nothing_is_replaced() {
    for (change, position) in [
        (
            "update events set payload =
                convert_to(replace(convert_from(payload, 'UTF8'), 'begun', 'other'), 'UTF8')
            where position = 6",
            6,
        ),
        (
            "update events set actor = 'operator:other' where position = 1",
            1,
        ),
        (
            "update events set hash = sha256(hash) where position = 9",
            9,
        ),
        (
            "update events set account_id = stream_id where position = 7",
            7,
        ),
        ("delete from events where position = 4", 4),
        ("delete from events where position >= 8", 8),
        ("update event_log_head set hash = sha256(hash)", 9),
    ] {
        let database = tampered(change).await;
        assert_eq!(broken(verified(&database.pool).await), position, "{change}");
        assert_eq!(broken(rebuilt(&database.pool).await), position, "{change}");
        assert_eq!(by_hand(&database.pool).await, 6, "{change}");
        assert_eq!(generation(&database.pool).await, 0);
    }
}
