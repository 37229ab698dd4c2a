//! What the schema and the processes ask of each other.

use serde_json::json;
use tollkeeper_runtime::database::{SchemaError, check_schema_for};
use tollkeeper_testkit::{Stack, TestDatabase, wait_for};

use crate::next_release::{self, NULLABLE_COLUMN};
use crate::{text, tollkeeper};

#[tokio::test(flavor = "multi_thread")]
async fn a_new_process_waits_for_its_schema_and_says_so() {
    let mut stack = Stack::bare().await;
    let versions: Vec<i64> =
        sqlx::query_scalar("select version from _sqlx_migrations order by version desc limit 2")
            .fetch_all(&stack.database.pool)
            .await
            .unwrap();
    let [newest, before] = versions[..] else {
        panic!("there are two migrations")
    };
    let undone = tollkeeper(
        &stack.database,
        &["migrate", "--down-to", &before.to_string()],
    )
    .await;
    assert!(undone.status.success(), "{undone:?}");

    let api = stack.starting_api(&[]);
    let ingestor = stack.starting_ingestor(&[]);
    let why =
        format!("the schema is behind, migration {newest} is missing: run `tollkeeper migrate`");
    for node in [&api, &ingestor] {
        wait_for("it to say what it waits for", async || {
            let ready = node.about_itself("/readyz").await;
            ready.status == 503 && ready.text.contains(&why) && node.log_text().contains(&why)
        })
        .await;
    }
    let migrated = tollkeeper(&stack.database, &["migrate"]).await;
    assert!(migrated.status.success(), "{migrated:?}");
    assert!(text(&migrated.stdout).contains(&newest.to_string()));
    for node in [&api, &ingestor] {
        node.ready().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_release_before_goes_on_and_starts_with_a_newer_schema() {
    let mut stack = Stack::bare().await;
    let mut api = stack.api(&[]).await;
    let next = next_release::migrator();
    let behind = check_schema_for(&next, &stack.database.pool).await;
    assert!(matches!(behind, Err(SchemaError::Behind(_))), "{behind:?}");
    next_release::apply(&stack.database).await;
    check_schema_for(&next, &stack.database.pool).await.unwrap();
    let operator = api.operator();
    let account = operator.account("shop").await;
    let token = operator.issue(&account, json!({})).await;

    // The way back: a process of the release before, and its `migrate`, which a deployment runs first.
    let migrated = tollkeeper(&stack.database, &["migrate"]).await;
    assert!(migrated.status.success(), "{migrated:?}");
    let newest = next_release::newest().to_string();
    assert!(text(&migrated.stdout).contains(&newest), "{migrated:?}");
    assert!(api.stop().await.success());
    api.restart();
    api.ready().await;
    let caller = api.bearer(token["token"].as_str().unwrap());
    caller.get("/v1/forward-auth").await.expect(200);
    // It does not undo what it does not know.
    let undone = tollkeeper(&stack.database, &["migrate", "--down-to", "0"]).await;
    assert!(!undone.status.success(), "{undone:?}");
    assert!(text(&undone.stderr).contains("is missing in the resolved migrations"));
    check_schema_for(&next, &stack.database.pool).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_that_waits_for_a_table_lets_others_pass() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("shop").await;
    // Somebody reads tokens in a long transaction, as a report or a dump does.
    let mut reading = stack.database.pool.begin().await.unwrap();
    sqlx::query("select count(*) from api_tokens")
        .execute(&mut *reading)
        .await
        .unwrap();

    let others = async {
        wait_for("the migration to stand in the queue", async || {
            waits(&stack.database).await
        })
        .await;
        wait_for("it to let others pass", async || {
            !waits(&stack.database).await
        })
        .await;
        for _ in 0..10 {
            operator.issue(&account, json!({})).await;
        }
        let behind = check_schema_for(&next_release::migrator(), &stack.database.pool).await;
        assert!(matches!(behind, Err(SchemaError::Behind(_))), "{behind:?}");
        reading.rollback().await.unwrap();
    };
    tokio::join!(next_release::apply(&stack.database), others);
    operator.issue(&account, json!({})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_migrators_at_once_take_turns() {
    let stack = Stack::bare().await;
    // The last migration builds an index beside its table, which waits for whatever began before.
    tokio::join!(
        next_release::apply(&stack.database),
        next_release::apply(&stack.database)
    );
    let invalid = "select count(*) from pg_index where not indisvalid";
    let invalid: i64 = sqlx::query_scalar(invalid)
        .fetch_one(&stack.database.pool)
        .await
        .unwrap();
    assert_eq!(invalid, 0);
}

/// Whether a migration waits for the table.
async fn waits(database: &TestDatabase) -> bool {
    sqlx::query_scalar(
        "select exists (
            select from pg_stat_activity
            where datname = current_database() and wait_event_type = 'Lock' and query = $1
        )",
    )
    .bind(NULLABLE_COLUMN)
    .fetch_one(&database.pool)
    .await
    .unwrap()
}
