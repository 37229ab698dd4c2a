//! Each constraint of the log and of the projected tables refuses what it is there to refuse.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use sqlx::{AssertSqlSafe, Executor, PgPool};
use tollkeeper_testkit::TestDatabase;

const ACCOUNT: &str = "insert into accounts values ('00000000-0000-0000-0000-000000000001', 'acme',
    'iss', 'sub', 'user', 'active', 'epoch', 'epoch', 1)";

const TOKEN: &str = "insert into api_tokens values ('00000000-0000-0000-0000-00000000000a',
    '00000000-0000-0000-0000-000000000001', 'ci', 'live', 'tk_live_aaaa', '{}', '{}', null, null,
    'active', null, null, null, 'epoch', 'epoch', 1)";

const SECRET: &str = "insert into api_token_secrets values (sha256('a'),
    '00000000-0000-0000-0000-00000000000a', null)";

const EVENT: &str = "insert into events values (1, '00000000-0000-0000-0000-0000000000e1', 'token',
    '00000000-0000-0000-0000-00000000000a', 1, 'TokenIssued', 1, '{}', 'a', 'r', 'epoch', 'epoch',
    sha256('e'), '00000000-0000-0000-0000-000000000001')";

const KEY: &str = "insert into idempotency_keys values ('operator:a', 'POST /v1/tokens', 'k',
    sha256('f'), '00000000-0000-0000-0000-0000000000f1', 'epoch', null, null, null, null, null,
    'epoch')";

const ERASURE: &str = "insert into account_erasures values
    ('00000000-0000-0000-0000-000000000001', 'epoch', 'epoch', 0, null, null)";

const JOB: &str =
    "insert into revocation_jobs values ('00000000-0000-0000-0000-0000000000b1', null,
    '{}', null, 'leaked', 'planned', null, null, 'epoch', 'epoch', null, null)";

const JOB_TOKEN: &str = "insert into revocation_job_tokens values
    ('00000000-0000-0000-0000-0000000000b1', '00000000-0000-0000-0000-00000000000a', null)";

/// Whether the database refuses the statement for a constraint, and for which.
async fn refused_by(pool: &PgPool, statement: &str) -> String {
    let outcome = pool.execute(AssertSqlSafe(statement.to_owned())).await;
    let Err(error) = outcome else {
        return format!("nothing: {statement}");
    };
    let error = error.into_database_error().unwrap();
    match error.constraint() {
        Some(constraint) => constraint.to_owned(),
        None => format!("{:?}", error.code()),
    }
}

#[tokio::test]
async fn each_constraint_refuses() {
    let database = TestDatabase::create().await;
    let pool = &database.pool;
    for row in [ACCOUNT, TOKEN, SECRET, EVENT, KEY, ERASURE, JOB, JOB_TOKEN] {
        pool.execute(row).await.unwrap();
    }
    let again = |row: &str, from: &str, to: &str| {
        assert!(row.contains(from), "{from}");
        row.replace(from, to)
    };
    let account = |from, to| {
        let other = again(ACCOUNT, "000000000001'", "000000000002'");
        let other = other
            .replace("'acme'", "'other'")
            .replace("'sub'", "'other'");
        again(&other, from, to)
    };
    let token = |from, to| again(&again(TOKEN, "00000000000a'", "00000000000b'"), from, to);
    let event = |from, to| {
        let other = again(EVENT, "(1, ", "(2, ").replace("0000000000e1", "0000000000e2");
        again(&other.replace("00a', 1", "00a', 2"), from, to)
    };
    for (statement, constraint) in [
        (again(ACCOUNT, "'acme'", "'b'"), "accounts_pkey"),
        (
            account("'other',\n", "'acme',\n"),
            "accounts_external_id_key",
        ),
        (
            account("'iss', 'other'", "'iss', 'sub'"),
            "accounts_identity_key",
        ),
        (
            account("'iss', 'other'", "'iss', null"),
            "accounts_identity_whole",
        ),
        (account("'user'", "'root'"), "accounts_role_check"),
        (account("'active'", "'gone'"), "accounts_state_check"),
        (
            account("'epoch', 1)", "'epoch', 0)"),
            "accounts_version_check",
        ),
        (
            account("'epoch', 1)", "'epoch', 1, -1)"),
            "accounts_token_limit_check",
        ),
        (
            account("'epoch', 1)", "'epoch', 1, null, '{}')"),
            "accounts_rate_limits_check",
        ),
        (
            account("'epoch', 1)", "'epoch', 1, null, '[]', '{}')"),
            "accounts_quotas_check",
        ),
        (
            account("'epoch', 1)", "'epoch', 1, null, '[]', '[]', -1)"),
            "accounts_quota_generation_check",
        ),
        (
            token("'epoch', 1)", "'epoch', 1, 8)"),
            "api_tokens_expiry_notice_check",
        ),
        (
            token(
                "'epoch', 1)",
                "'epoch', 1, null, array_fill('::1/128'::text, array[65]))",
            ),
            "api_tokens_allowed_cidrs_check",
        ),
        (
            token("'epoch', 1)", "'epoch', 1, null, '{}', '[{}]')"),
            "api_tokens_rate_limits_check",
        ),
        (
            token("'epoch', 1)", "'epoch', 1, null, '{}', '[]', '[{}]')"),
            "api_tokens_quotas_check",
        ),
        (ERASURE.to_owned(), "account_erasures_pkey"),
        (
            again(ERASURE, "0, null, null", "3, null, null"),
            "account_erasures_passes",
        ),
        (
            again(ERASURE, "0, null, null", "2, null, null"),
            "account_erasures_finished",
        ),
        (JOB.to_owned(), "revocation_jobs_pkey"),
        (again(JOB, "'{}'", "null"), "revocation_jobs_kind"),
        (
            again(JOB, "'epoch', 'epoch', null", "'epoch', null, null"),
            "revocation_jobs_plan",
        ),
        (
            again(
                JOB,
                "'planned', null, null, 'epoch', 'epoch', null",
                "'lost', 'a', 'r', 'epoch', 'epoch', 'epoch'",
            ),
            "revocation_jobs_state",
        ),
        (
            again(JOB, "'planned'", "'running'"),
            "revocation_jobs_started",
        ),
        (
            again(JOB, "null, null)", "null, 'epoch')"),
            "revocation_jobs_finished",
        ),
        (JOB_TOKEN.to_owned(), "revocation_job_tokens_pkey"),
        (
            again(
                JOB_TOKEN,
                "'00000000-0000-0000-0000-0000000000b1'",
                "'00000000-0000-0000-0000-0000000000b2'",
            ),
            "revocation_job_tokens_job_id_fkey",
        ),
        (
            again(
                &again(JOB_TOKEN, "00000000000a'", "00000000000c'"),
                "null)",
                "'lost')",
            ),
            "revocation_job_tokens_outcome",
        ),
        (KEY.to_owned(), "idempotency_keys_pkey"),
        (again(KEY, "'k'", "''"), "idempotency_keys_key_check"),
        (
            again(KEY, "sha256('f')", "'short'"),
            "idempotency_keys_fingerprint_check",
        ),
        (
            again(KEY, "null, null, null,", "404, '{}', '{}',"),
            "idempotency_keys_status_check",
        ),
        (
            again(KEY, "null, null, null,", "200, '{}', null,"),
            "idempotency_keys_answer_whole",
        ),
        (
            again(KEY, "'epoch')", "'epoch', 'token')"),
            "idempotency_keys_secret_named",
        ),
        (
            again(KEY, "'epoch')", "'epoch', null, gen_random_uuid())"),
            "idempotency_keys_profile_shown",
        ),
        (again(TOKEN, "'ci'", "'cd'"), "api_tokens_pkey"),
        (token("'ci'", "''"), "api_tokens_name_check"),
        (token("'live'", "'prod'"), "api_tokens_environment_check"),
        (
            token("'{}', '{}'", "'{}', '[]'"),
            "api_tokens_metadata_check",
        ),
        (token("'active'", "'expired'"), "api_tokens_state_check"),
        (
            token("'active', null", "'active', 'why'"),
            "api_tokens_revocation_whole",
        ),
        (
            token("'active', null, null", "'revoked', null, null"),
            "api_tokens_revocation_whole",
        ),
        (
            token("'epoch', 1)", "'epoch', 0)"),
            "api_tokens_version_check",
        ),
        (
            token("000000000001'", "000000000009'"),
            "api_tokens_account_id_fkey",
        ),
        (SECRET.to_owned(), "api_token_secrets_pkey"),
        (
            again(SECRET, "sha256('a')", "'short'"),
            "api_token_secrets_secret_hash_check",
        ),
        (
            again(SECRET, "sha256('a')", "sha256('b')"),
            "api_token_secrets_one_current",
        ),
        (
            again(
                &again(SECRET, "sha256('a')", "sha256('b')"),
                "00000000000a'",
                "00000000000c'",
            ),
            "api_token_secrets_token_id_fkey",
        ),
        (again(EVENT, "0000000000e1", "0000000000e2"), "events_pkey"),
        (event("0000000000e2", "0000000000e1"), "events_event_id_key"),
        (event("00a', 2", "00a', 1"), "events_stream_version_key"),
        (event("(2, ", "(0, "), "events_position_check"),
        (event("'token'", "'other'"), "events_stream_type_check"),
        (event("00a', 2", "00a', 0"), "events_stream_version_check"),
        (
            event("'TokenIssued', 1", "'TokenIssued', 0"),
            "events_schema_version_check",
        ),
        (event("sha256('e')", "'short'"), "events_hash_check"),
        (
            "insert into event_log_head values (true, 1, sha256(''), 'epoch')".into(),
            "event_log_head_pkey",
        ),
        (
            "insert into event_log_head values (false, 1, sha256(''), 'epoch')".into(),
            "event_log_head_singleton_check",
        ),
        (
            "update event_log_head set position = -1".into(),
            "event_log_head_position_check",
        ),
        (
            "update event_log_head set hash = ''".into(),
            "event_log_head_hash_check",
        ),
        (
            "update event_log_head set generation = -1".into(),
            "event_log_head_generation_check",
        ),
        (
            "insert into nodes (id, name, version, registered_at, reported_at, registered_by)
            values ('00000000-0000-0000-0000-000000000009', 'a', '1', 'epoch', 'epoch', repeat('a', 201))"
                .into(),
            "nodes_registered_by_check",
        ),
        (
            "insert into checkpoints values ('a', -1)".into(),
            "checkpoints_position_check",
        ),
        (
            "insert into account_profiles values ('00000000-0000-0000-0000-000000000009')".into(),
            "account_profiles_account_id_fkey",
        ),
    ] {
        assert_eq!(
            refused_by(pool, &statement).await,
            constraint,
            "{statement}"
        );
    }
}

#[tokio::test]
async fn a_hash_never_moves_to_another_token() {
    let database = TestDatabase::create().await;
    let pool = &database.pool;
    let other = TOKEN.replace("00000000000a'", "00000000000b'");
    for row in [ACCOUNT, TOKEN, SECRET, &other] {
        pool.execute(AssertSqlSafe(row.to_owned())).await.unwrap();
    }
    let taken = "select project_api_token_secrets(jsonb_build_array(jsonb_build_object(
        'secret_hash', sha256('a')::text, 'token_id', '00000000-0000-0000-0000-00000000000b')))";
    assert_eq!(refused_by(pool, taken).await, "api_token_secrets_pkey");
}

#[tokio::test]
async fn ids_and_traces_of_requests_have_their_lengths() {
    let database = TestDatabase::create().await;
    let pool = &database.pool;
    pool.execute("select usage_partition_create(date '2026-01-01')")
        .await
        .unwrap();
    let call = |id: &str| {
        format!(
            "insert into api_token_usage values (gen_random_uuid(), gen_random_uuid(),
             '2026-01-01 10:00Z', 1, 1, 200, 0, false, 'GET', '/', '', null, {id})"
        )
    };
    let trace = |parent: usize, state: &str| {
        format!(
            "insert into event_traces (event_id, traceparent, tracestate)
            values (gen_random_uuid(), repeat('0', {parent}), {state})"
        )
    };
    for good in [
        call("null"),
        call("repeat('a', 128)"),
        trace(55, "null"),
        trace(55, "repeat('a', 512)"),
    ] {
        pool.execute(AssertSqlSafe(good)).await.unwrap();
    }
    for (bad, constraint) in [
        (call("''"), "api_token_usage_request_id_length"),
        (
            call("repeat('a', 129)"),
            "api_token_usage_request_id_length",
        ),
        (trace(54, "null"), "event_traces_traceparent_length"),
        (trace(55, "''"), "event_traces_tracestate_length"),
        (
            trace(55, "repeat('a', 513)"),
            "event_traces_tracestate_length",
        ),
    ] {
        assert_eq!(refused_by(pool, &bad).await, constraint, "{bad}");
    }
}

#[tokio::test]
async fn quotas_that_no_node_could_read_are_refused() {
    let database = TestDatabase::create().await;
    let good = r#"{"name": "a", "limit": 10, "refill": "daily", "generation": 1}"#;
    let sound = async |quotas: String| {
        let sound = sqlx::query_scalar::<_, bool>("select quotas_are_sound($1::jsonb)");
        sound.bind(&quotas).fetch_one(&database.pool).await.unwrap()
    };
    for quotas in [String::new(), good.to_owned(), [good; 4].join(",")] {
        assert!(sound(format!("[{quotas}]")).await, "{quotas}");
    }
    assert!(!sound(good.to_owned()).await, "no list");
    assert!(!sound(format!("[{}]", [good; 5].join(","))).await, "five");
    for (from, to) in [
        (r#""name": "a""#, r#""name": """#),
        (r#""name": "a""#, r#""name": "A""#),
        (r#""name": "a""#, r#""name": ".-""#),
        (r#""name": "a", "#, ""),
        ("10", "0"),
        ("10", "1.5"),
        ("10", "1000000000000001"),
        ("10", r#""10""#),
        ("daily", "weekly"),
        (r#""daily""#, "null"),
        (r#""generation": 1"#, r#""generation": 0"#),
        (r#""generation": 1"#, r#""generation": 1.5"#),
        (r#""generation": 1"#, r#""generation": 2147483648"#),
    ] {
        assert!(good.contains(from), "{from}");
        let bad = good.replace(from, to);
        assert!(!sound(format!("[{bad}]")).await, "{bad}");
    }
}
