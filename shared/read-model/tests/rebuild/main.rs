//! Whatever happens, the live tables are what the log says, or a rebuild makes them so.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod broken_log;
mod damage;
mod history;
mod races;

use history::{Asked, History, asked};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use sqlx::PgPool;
use tollkeeper_read_model::rebuild::{RebuildError, Report, rebuild, verify};
use tollkeeper_testkit::TestDatabase;

async fn verified(pool: &PgPool) -> Result<Report, RebuildError> {
    verify(&mut pool.acquire().await.unwrap()).await
}

async fn rebuilt(pool: &PgPool) -> Result<Report, RebuildError> {
    rebuild(&mut pool.acquire().await.unwrap()).await
}

/// How often rows have been replaced.
async fn generation(pool: &PgPool) -> i64 {
    let question = sqlx::query_scalar("select generation from event_log_head");
    question.fetch_one(pool).await.unwrap()
}

async fn live_after(pool: &PgPool, steps: &[Asked]) -> Report {
    let mut history = History::begin(pool).await;
    for step in steps {
        history.ask(step).await;
    }
    verified(pool).await.unwrap()
}

#[test]
fn rebuilt_equals_live_over_random_histories() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let config = Config {
        cases: 24,
        failure_persistence: None,
        ..Config::default()
    };
    let histories = proptest::collection::vec(asked(), 0..60);
    TestRunner::new(config)
        .run(&histories, |steps| {
            let report = runtime.block_on(async {
                let database = TestDatabase::create().await;
                live_after(&database.pool, &steps).await
            });
            prop_assert_eq!(report.differing(), 0, "{:?}", report);
            Ok(())
        })
        .unwrap();
}

#[tokio::test]
async fn an_empty_log_makes_empty_tables() {
    let database = TestDatabase::create().await;
    let report = rebuilt(&database.pool).await.unwrap();
    assert_eq!((report.head.position, report.differing()), (0, 0));
    assert_eq!(generation(&database.pool).await, 0);
}
