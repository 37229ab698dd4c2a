//! Each constraint of the tables of webhooks refuses what it is there to refuse.

use sqlx::{AssertSqlSafe, Executor};
use tollkeeper_testkit::TestDatabase;

const WEBHOOK: &str = "insert into webhooks values ('00000000-0000-0000-0000-000000000001', null,
    'https://a', '{}', '', 'enabled', null, 1, 'epoch', 'epoch', 0, null, 0, null)";

const SECRET: &str = "insert into webhook_secrets values ('00000000-0000-0000-0000-000000000001',
    '00000000-0000-0000-0000-0000000000a1', '\\x00', null)";

const ATTEMPT: &str = "insert into webhook_attempts values ('00000000-0000-0000-0000-000000000001',
    '00000000-0000-0000-0000-0000000000b1', 1, '00000000-0000-0000-0000-0000000000e1', 'TokenIssued',
    'epoch', 0, 'delivered', 200, 'd')";

#[tokio::test]
async fn each_constraint_refuses() {
    let database = TestDatabase::create().await;
    let pool = &database.pool;
    for row in [WEBHOOK, SECRET, ATTEMPT] {
        pool.execute(row).await.unwrap();
    }
    let again = |row: &str, from: &str, to: &str| {
        assert!(row.contains(from), "{from}");
        row.replace(from, to)
    };
    let webhook = |from, to| again(&again(WEBHOOK, "0001'", "0002'"), from, to);
    let attempt = |from, to| again(&again(ATTEMPT, "00b1", "00b2"), from, to);
    let long = |count| format!("'{}'", "x".repeat(count));
    for (statement, constraint) in [
        (WEBHOOK.to_owned(), "webhooks_pkey"),
        (webhook("'https://a'", "''"), "webhooks_url_check"),
        (webhook("'https://a'", &long(2_049)), "webhooks_url_check"),
        (
            webhook("'{}'", "array_fill('a'::text, '{101}')"),
            "webhooks_types_check",
        ),
        (
            webhook("'', 'enabled'", &format!("{}, 'enabled'", long(501))),
            "webhooks_description_check",
        ),
        (
            webhook("'enabled', null", "'asleep', null"),
            "webhooks_state_check",
        ),
        (
            webhook("'enabled', null", "'disabled', 'why'"),
            "webhooks_disabled_reason_check",
        ),
        (
            webhook("'enabled', null", "'disabled', null"),
            "webhooks_reason_if_disabled",
        ),
        (
            webhook("'enabled', null", "'enabled', 'gone'"),
            "webhooks_reason_if_disabled",
        ),
        (webhook("null, 1,", "null, 0,"), "webhooks_version_check"),
        (
            webhook("'epoch', 0,", "'epoch', -1,"),
            "webhooks_position_check",
        ),
        (
            webhook("null, 0, null", "null, -1, null"),
            "webhooks_failures_check",
        ),
        (SECRET.to_owned(), "webhook_secrets_pkey"),
        (again(SECRET, "00a1", "00a2"), "webhook_secrets_current"),
        (
            again(&again(SECRET, "0001'", "0009'"), "00a1", "00a2"),
            "webhook_secrets_webhook_id_fkey",
        ),
        (ATTEMPT.to_owned(), "webhook_attempts_pkey"),
        (
            attempt("0001'", "0009'"),
            "webhook_attempts_webhook_id_fkey",
        ),
        (
            attempt("'epoch', 0", "'epoch', -1"),
            "webhook_attempts_micros_check",
        ),
        (
            attempt("'delivered'", "'lost'"),
            "webhook_attempts_outcome_check",
        ),
        (attempt("200", "99"), "webhook_attempts_status_check"),
        (attempt("'d'", &long(301)), "webhook_attempts_detail_check"),
    ] {
        let outcome = pool.execute(AssertSqlSafe(statement.clone())).await;
        let error = outcome
            .err()
            .unwrap_or_else(|| panic!("nothing refused {statement}"));
        let error = error.into_database_error().unwrap();
        assert_eq!(error.constraint(), Some(constraint), "{statement}");
    }
}
