//! What each role is refused in the database. What it may do is shown by every test that runs the
//! programs: they log in as members of these roles.

use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tollkeeper_testkit::TestDatabase;

/// Refused to everybody who serves.
const FOR_EVERYBODY: &[&str] = &[
    "delete from events",
    "update events set actor = 'nobody'",
    "truncate events",
    "alter table events disable trigger user",
    "drop table api_token_usage",
    "truncate api_token_usage_hourly",
    "create table mine (id integer)",
    "alter role tollkeeper_api superuser",
    "set role pg_write_all_data",
    "select pg_read_file('/etc/passwd')",
    "copy api_tokens to program 'cat'",
];

/// The API counts nothing, and does not touch what says what was counted.
const FOR_THE_API: &[&str] = &[
    "insert into api_token_usage select * from api_token_usage",
    "update api_token_usage set status = 200",
    "insert into api_token_usage_hourly select * from api_token_usage_hourly",
    "update api_token_usage_totals set usage_count = 1",
    "delete from api_token_usage_daily",
    "insert into usage_ledger select * from usage_ledger",
    "delete from usage_ledger",
    "update usage_ledger set outcome = 'counted'",
    "update quota_balances set used = 1",
    "select * from usage_dead_letters",
    "delete from usage_dead_letter_list",
    "update usage_dead_letter_list set detail = ''",
    "select usage_partition_drop('2026-01-01')",
    "select usage_partition_create('2026-01-01')",
    "delete from accounts",
    "delete from api_tokens",
    "delete from api_token_secrets",
    "delete from audit_entries",
    "update audit_entries set actor = 'nobody'",
    "truncate audit_entries",
    "delete from audit_refusals",
    "update audit_refusals set code = 'VALID'",
];

/// The ingestor learns nothing of secrets, names and the log.
const FOR_THE_INGESTOR: &[&str] = &[
    "select * from api_token_secrets",
    "select secret_hash from api_token_secrets",
    "select sealed from webhook_secrets",
    "select sealed from idempotency_keys",
    "select email from account_profiles",
    "select name from api_tokens",
    "select external_id from accounts",
    "select payload from events",
    "insert into events select * from events",
    "update event_log_head set position = 0",
    "update api_tokens set state = 'active'",
    "update accounts set state = 'active'",
    "delete from api_token_usage",
    "update usage_reports set record = ''",
    "select * from audit_entries",
    "select audit_forget('2000-01-01', 1)",
    "delete from nodes",
];

/// A gate changes nothing that it or anybody else goes by, and learns no names.
const FOR_A_GATE: &[&str] = &[
    "insert into events select * from events",
    "update event_log_head set position = 0",
    "update api_tokens set state = 'active'",
    "insert into api_token_secrets select * from api_token_secrets",
    "update api_token_secrets set valid_until = null",
    "update accounts set state = 'active'",
    "select name from api_tokens",
    "select external_id from accounts",
    "select email from account_profiles",
    "select actor from events",
    "select sealed from webhook_secrets",
    "select sealed from idempotency_keys",
    "select * from console_sessions",
    "select * from audit_entries",
    "select * from api_token_usage",
    "insert into api_token_usage select * from api_token_usage",
    "update api_token_usage_totals set usage_count = 1",
    "insert into usage_ledger select * from usage_ledger",
    "delete from usage_ledger",
    "insert into usage_reports default values",
    "update quota_balances set used = 0",
    "update nodes set registered_by = 'operator:nobody'",
    "update usage_reporters set sources = '{}'",
    "delete from usage_reporters",
    "select usage_partition_drop('2026-01-01')",
    "select audit_forget('2000-01-01', 1)",
];

/// Dashboards show what is counted, and nothing by which somebody could be found or pretended to be.
const FOR_THE_DASHBOARDS: &[&str] = &[
    "select * from api_token_secrets",
    "select secret_hash from api_token_secrets",
    "select sealed from webhook_secrets",
    "select body from idempotency_keys",
    "select email from account_profiles",
    "select payload from events",
    "select payload from usage_dead_letters",
    "select record from usage_reports",
    "select ip from api_token_usage",
    "select url from webhooks",
    "select network from audit_refusals",
    "select details from audit_entries",
    "insert into api_token_usage_totals (token_id, usage_count) values (gen_random_uuid(), 1)",
    "update accounts set state = 'active'",
    "delete from nodes",
    "select usage_partition_drop('2026-01-01')",
];

#[tokio::test]
async fn what_no_role_has_to_do_is_refused() {
    let database = TestDatabase::create().await;
    for (role, own) in [
        ("tollkeeper_api", FOR_THE_API),
        ("tollkeeper_ingestor", FOR_THE_INGESTOR),
        ("tollkeeper_gate", FOR_A_GATE),
        ("tollkeeper_dashboards", FOR_THE_DASHBOARDS),
    ] {
        let mut connection = PgConnection::connect(&database.url_of(role)).await.unwrap();
        for statement in FOR_EVERYBODY.iter().chain(own) {
            let refused = sqlx::raw_sql(AssertSqlSafe(*statement))
                .execute(&mut connection)
                .await;
            let error = refused.err().and_then(|error| {
                let error = error.into_database_error()?;
                Some((error.code()?.into_owned(), error.message().to_owned()))
            });
            let code = error.as_ref().map(|(code, _)| code.as_str());
            // insufficient_privilege
            assert_eq!(code, Some("42501"), "{role}: {statement}: {error:?}");
        }
    }
}

#[tokio::test]
async fn nobody_who_serves_removes_what_the_audit_log_is_to_keep() {
    let database = TestDatabase::create().await;
    let url = database.url_of("tollkeeper_api");
    let mut connection = PgConnection::connect(&url).await.unwrap();
    sqlx::raw_sql(
        "insert into audit_entries (recorded_at, actor, action, subject_type) values
            (now() - interval '31 days', 'operator:a', 'NodeForgotten', 'node'),
            (now() - interval '29 days', 'operator:b', 'NodeForgotten', 'node')",
    )
    .execute(&mut connection)
    .await
    .unwrap();
    let mut forget = async |days: i32| {
        let sql = "select audit_forget(now() - make_interval(days => $1), 100)";
        let gone = sqlx::query_scalar::<_, i32>(sql).bind(days);
        gone.fetch_one(&mut connection).await
    };
    let refused = forget(29).await.unwrap_err();
    let refused = refused.into_database_error().unwrap();
    assert_eq!(refused.code().as_deref(), Some("TK011"), "{refused}");
    assert_eq!(forget(30).await.unwrap(), 1);
    let left: Vec<String> = sqlx::query_scalar("select actor from audit_entries")
        .fetch_all(&database.pool)
        .await
        .unwrap();
    assert_eq!(left, ["operator:b"]);
}

#[tokio::test]
async fn a_table_of_somebody_elses_is_not_taken_for_a_partition() {
    let database = TestDatabase::create().await;
    let url = database.url_of("tollkeeper_ingestor");
    let mut connection = PgConnection::connect(&url).await.unwrap();
    // Temporary tables come first for whoever does not say otherwise.
    for statement in [
        "create temporary table api_token_usage (like api_token_usage)",
        "select usage_partition_create('2030-01-01')",
    ] {
        sqlx::raw_sql(statement)
            .execute(&mut connection)
            .await
            .unwrap();
    }
    let made: bool =
        sqlx::query_scalar("select exists (select from usage_partitions where day = '2030-01-01')")
            .fetch_one(&database.pool)
            .await
            .unwrap();
    assert!(made);
}
