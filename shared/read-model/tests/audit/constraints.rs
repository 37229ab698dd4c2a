//! What the tables refuse.

use sqlx::{AssertSqlSafe, Executor};
use tollkeeper_testkit::TestDatabase;

/// Attempts as they are written.
const REFUSAL: &str = "insert into audit_refusals
    (run_id, serial, first_at, last_at, count, operation, status, code)
    values ('01890a5d-ac96-774b-bcce-b302099a8057', 1, '2026-03-01', '2026-03-01', 1,
        'GET /v1/tokens', 401, 'NOT_FOUND')";

#[tokio::test]
async fn each_constraint_refuses() {
    let database = TestDatabase::create().await;
    database.pool.execute(REFUSAL).await.unwrap();
    let other = |from: &str, to: &str| {
        assert!(REFUSAL.contains(from), "{from}");
        REFUSAL.replace("057', 1,", "057', 2,").replace(from, to)
    };
    for (statement, constraint) in [
        (REFUSAL.to_owned(), "audit_refusals_run"),
        (
            other("'2026-03-01', 1,", "'2026-02-28', 1,"),
            "audit_refusals_times",
        ),
        (
            other("'2026-03-01', 1,", "'2026-03-01', 0,"),
            "audit_refusals_count",
        ),
        (other("'GET /v1/tokens'", "null"), "audit_refusals_told"),
        (other("'NOT_FOUND'", "null"), "audit_refusals_told"),
        (other("401", "null"), "audit_refusals_told"),
        (
            "insert into audit_entries (actor, action, subject_type, details)
            values ('operator:a', 'NodeForgotten', 'node', '[]')"
                .to_owned(),
            "audit_entries_details",
        ),
    ] {
        let refused = database
            .pool
            .execute(AssertSqlSafe(statement.clone()))
            .await;
        let error = refused.unwrap_err().into_database_error().unwrap();
        assert_eq!(error.constraint(), Some(constraint), "{statement}");
    }
}
