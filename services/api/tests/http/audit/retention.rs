//! How long the audit log is kept.

use serde_json::json;
use tollkeeper_testkit::{Stack, wait_for};

use super::{actions, lines};

#[tokio::test]
async fn what_is_older_than_it_is_kept_goes_in_batches_and_events_stay() {
    let mut stack = Stack::bare().await;
    // More than two batches, and some that are to stay.
    sqlx::raw_sql(
        "insert into audit_entries (recorded_at, actor, action, subject_type)
        select now() - make_interval(days => 41), 'operator:a', 'NodeForgotten', 'node'
        from generate_series(1, 8000)
        union all
        select now() - make_interval(days => 39), 'operator:b', 'NodeForgotten', 'node'
        from generate_series(1, 5);
        insert into audit_refusals (run_id, serial, first_at, last_at, count)
        select '01890a5d-ac96-774b-bcce-b302099a8057', number, now() - make_interval(days => age),
            now() - make_interval(days => age), 1
        from generate_series(1, 4000) as number, lateral (
            select case when number <= 3995 then 41 else 39 end
        ) as days (age)",
    )
    .execute(&stack.database.pool)
    .await
    .unwrap();
    let pool = stack.database.pool.clone();
    let left = async || {
        let counts = sqlx::query_as::<_, (i64, i64)>(
            "select (select count(*) from audit_entries), (select count(*) from audit_refusals)",
        );
        counts.fetch_one(&pool).await.unwrap()
    };
    // One of two does it.
    let days = [("TOLLKEEPER_AUDIT_RETENTION_DAYS", "40")];
    let api = stack.api(&days).await;
    let _another = stack.api(&days).await;
    wait_for("what is old to be gone", async || left().await == (5, 5)).await;

    let operator = api.operator();
    let account = operator.account("shop").await;
    operator.issue(&account, json!({})).await;
    sqlx::raw_sql(
        "alter table events disable trigger events_are_final;
        update events set recorded_at = now() - interval '41 days' where position = 1;
        alter table events enable trigger events_are_final",
    )
    .execute(&stack.database.pool)
    .await
    .unwrap();
    let told = lines(&operator, "&outcome=allowed&since=2000-01-01T00:00:00Z").await;
    let told = actions(&told);
    assert_eq!(told[0], "TokenIssued");
    assert_eq!(told.len(), 1 + 5, "an event that is too old is not shown");
    let log = operator.get("/v1/events").await.expect(200);
    assert_eq!(
        log["items"].as_array().unwrap().len(),
        2,
        "it is in the log"
    );
    assert_eq!(left().await, (5, 5));
}

#[tokio::test]
async fn a_retention_that_hides_what_is_to_be_found_out_stops_the_start() {
    let mut stack = Stack::bare().await;
    let days = [("TOLLKEEPER_AUDIT_RETENTION_DAYS", "29")];
    let api = stack.starting_api(&days);
    wait_for("the start to be refused", async || {
        let log = api.log_text();
        log.contains("TOLLKEEPER_AUDIT_RETENTION_DAYS") && log.contains("expected 30 to 36500 days")
    })
    .await;
}
