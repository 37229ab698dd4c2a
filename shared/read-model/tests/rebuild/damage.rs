//! What hands, bugs and old backups do to the tables is found, told without its values, and put
//! right.

use serde_json::json;
use sqlx::{AssertSqlSafe, Executor, PgPool};
use tollkeeper_domain::token;
use tollkeeper_testkit::TestDatabase;
use uuid::Uuid;

use crate::history::{Asked, History};
use crate::{generation, rebuilt, verified};

/// Accounts 100 to 102 with tokens 200 to 205; the first token has three secrets and the last is
/// revoked. The tables say what else is known of some.
async fn database() -> TestDatabase {
    let database = TestDatabase::create().await;
    let mut history = History::begin(&database.pool).await;
    for (number, grace) in [(70, 5), (71, 500)] {
        history.ask(&History::rotation(0, number, grace)).await;
    }
    let revoke = token::Command::Revoke(token::RevocationReason::Leaked);
    history.ask(&Asked::Token(5, revoke)).await;
    for at in 0..2 {
        history
            .ask(&History::external_id(at, &format!("customer-{at}")))
            .await;
    }
    let beside = format!(
        "insert into account_profiles select id, 'A name', 'a@example.com' from accounts;
        insert into api_token_usage_totals select id, 7, '{}' from api_tokens;
        insert into quota_balances select id, 1, '2026-01-01', id, 3 from api_tokens;
        insert into quota_balances select id, 2, '1970-01-01', id, 9 from accounts;",
        "2026-01-02 03:04:05.000006Z",
    );
    run(&database.pool, &beside).await;
    assert_eq!(verified(&database.pool).await.unwrap().differing(), 0);
    database
}

async fn run(pool: &PgPool, statements: &str) {
    let statements = statements
        .replace("ACCOUNT-", "00000000-0000-0000-0000-0000000000")
        .replace("TOKEN-", "00000000-0000-0000-0000-0000000000");
    pool.execute(AssertSqlSafe(statements)).await.unwrap();
}

/// Everything in a table.
async fn content(pool: &PgPool, table: &str) -> Vec<serde_json::Value> {
    let statement = format!("select to_jsonb(t) from {table} as t order by to_jsonb(t)::text");
    let rows = sqlx::query_scalar(AssertSqlSafe(statement));
    rows.fetch_all(pool).await.unwrap()
}

/// What is done to the tables, and how it is told: table, the last byte of the id, kind, columns.
type Case = (
    &'static str,
    &'static [(&'static str, u8, &'static str, &'static [&'static str])],
);

const CASES: [Case; 13] = [
    (
        "update api_tokens set state = 'suspended' where id = 'TOKEN-c9'",
        &[("api_tokens", 0xc9, "different", &["state"])],
    ),
    (
        "update api_tokens set state = 'active', revoked_at = null, revocation_reason = null
        where state = 'revoked'",
        &[(
            "api_tokens",
            0xcd,
            "different",
            &["revocation_reason", "revoked_at", "state"],
        )],
    ),
    (
        "update api_tokens set name = name || ' ', metadata = '{\"a\": 1}' where id = 'TOKEN-c8'",
        &[("api_tokens", 0xc8, "different", &["metadata", "name"])],
    ),
    (
        "delete from api_token_secrets where token_id = 'TOKEN-c9';
        delete from api_tokens where id = 'TOKEN-c9'",
        &[
            ("api_token_secrets", 0xc9, "missing", &[]),
            ("api_tokens", 0xc9, "missing", &[]),
        ],
    ),
    (
        "insert into api_tokens select (jsonb_populate_record(t, '{\"id\": \"TOKEN-ee\"}')).*
        from api_tokens as t where id = 'TOKEN-c9';
        insert into api_token_secrets values (sha256('mine'), 'TOKEN-ee', null)",
        &[
            ("api_token_secrets", 0xee, "extra", &[]),
            ("api_tokens", 0xee, "extra", &[]),
        ],
    ),
    (
        "update api_token_secrets set secret_hash = sha256('mine')
        where token_id = 'TOKEN-ca'",
        &[
            ("api_token_secrets", 0xca, "extra", &[]),
            ("api_token_secrets", 0xca, "missing", &[]),
        ],
    ),
    (
        "update api_token_secrets set valid_until = valid_until + interval '1 year'
        where token_id = 'TOKEN-c8' and valid_until is not null",
        &[
            ("api_token_secrets", 0xc8, "different", &["valid_until"]),
            ("api_token_secrets", 0xc8, "different", &["valid_until"]),
        ],
    ),
    (
        "update api_token_secrets set token_id = 'TOKEN-cd' where token_id = 'TOKEN-c8'
        and valid_until = (select min(valid_until) from api_token_secrets)",
        &[
            ("api_token_secrets", 0xc8, "different", &["token_id"]),
            ("api_token_secrets", 0xcd, "different", &["token_id"]),
        ],
    ),
    (
        "update accounts set role = 'system', token_limit = 4 where id = 'ACCOUNT-66'",
        &[("accounts", 0x66, "different", &["role", "token_limit"])],
    ),
    // Each has what is the other's.
    (
        "update accounts set external_id = null;
        update accounts set external_id = 'customer-1' where id = 'ACCOUNT-64';
        update accounts set external_id = 'customer-0' where id = 'ACCOUNT-65'",
        &[
            ("accounts", 0x64, "different", &["external_id"]),
            ("accounts", 0x65, "different", &["external_id"]),
        ],
    ),
    // Somebody moved in: an account that the log does not know has the name of another and a token
    // of a third.
    (
        "update accounts set external_id = null where id = 'ACCOUNT-64';
        insert into accounts values ('ACCOUNT-ee', 'customer-0', null, null, 'system', 'active',
            'epoch', 'epoch', 1, null);
        insert into account_profiles values ('ACCOUNT-ee', 'Mallory', null);
        update api_tokens set account_id = 'ACCOUNT-ee' where id = 'TOKEN-cc'",
        &[
            ("accounts", 0x64, "different", &["external_id"]),
            ("accounts", 0xee, "extra", &[]),
            ("api_tokens", 0xcc, "different", &["account_id"]),
        ],
    ),
    // A token that was issued by one that is revoked.
    (
        "update api_tokens set issued_by = 'TOKEN-cd' where id = 'TOKEN-ca'",
        &[("api_tokens", 0xca, "different", &["issued_by"])],
    ),
    (
        "update accounts set state = 'deleted' where id = 'ACCOUNT-65'",
        &[("accounts", 0x65, "different", &["state"])],
    ),
];

const TABLES: [&str; 7] = [
    "accounts",
    "api_tokens",
    "api_token_secrets",
    "account_profiles",
    "api_token_usage_totals",
    "account_erasures",
    "quota_balances",
];

#[tokio::test]
async fn every_kind_of_damage_is_named_and_put_right() {
    for (damage, expected) in CASES {
        let database = database().await;
        let pool = &database.pool;
        let mut before = Vec::new();
        for table in TABLES {
            before.push(content(pool, table).await);
        }
        run(pool, damage).await;

        let report = verified(pool).await.unwrap();
        let named: Vec<_> = report
            .differences
            .iter()
            .map(|it| {
                let columns: Vec<&str> = it.columns.iter().map(String::as_str).collect();
                let last = it.id.as_bytes()[15];
                (it.table.as_str(), last, it.kind.as_str(), columns)
            })
            .collect();
        let expected: Vec<_> = expected
            .iter()
            .map(|(table, last, kind, columns)| (*table, *last, *kind, columns.to_vec()))
            .collect();
        assert_eq!(named, expected, "{damage}");
        assert_eq!(report.differing(), i64::try_from(expected.len()).unwrap());
        assert_eq!(generation(pool).await, 0, "a comparison changes nothing");

        assert_eq!(rebuilt(pool).await.unwrap(), report, "{damage}");
        assert_eq!(generation(pool).await, 1);
        for (table, before) in TABLES.iter().zip(&before) {
            assert_eq!(&content(pool, table).await, before, "{table}: {damage}");
        }
        assert_eq!(rebuilt(pool).await.unwrap().differing(), 0);
        assert_eq!(generation(pool).await, 1, "nothing was replaced");
    }
}

#[tokio::test]
async fn tables_that_were_lost_come_back_from_the_log() {
    let database = database().await;
    let pool = &database.pool;
    let mut before = Vec::new();
    for table in ["accounts", "api_tokens", "api_token_secrets"] {
        before.push(content(pool, table).await);
    }
    run(pool, "truncate accounts cascade").await;
    let report = rebuilt(pool).await.unwrap();
    let missing: Vec<i64> = report.tables.iter().map(|it| it.missing).collect();
    assert_eq!(missing, [3, 8, 6]);
    for (table, before) in ["accounts", "api_tokens", "api_token_secrets"]
        .iter()
        .zip(&before)
    {
        assert_eq!(&content(pool, table).await, before, "{table}");
    }
    // Personal data is not in the log, so it cannot come back.
    assert_eq!(content(pool, "account_profiles").await, [json!(null); 0]);
    // What was used is not in the log either, and nothing takes it away.
    assert_eq!(content(pool, "api_token_usage_totals").await.len(), 6);
    assert_eq!(content(pool, "quota_balances").await.len(), 9);
}

#[tokio::test]
async fn a_report_counts_all_and_names_the_first_hundred() {
    let database = database().await;
    run(
        &database.pool,
        "insert into api_token_secrets
        select sha256(int4send(n)), 'TOKEN-c8', 'epoch' from generate_series(1, 250) as n",
    )
    .await;
    let report = rebuilt(&database.pool).await.unwrap();
    assert_eq!((report.differing(), report.differences.len()), (250, 100));
    let token = Uuid::from_u128(200);
    assert!(
        report
            .differences
            .iter()
            .all(|it| it.id == token && it.kind == "extra")
    );
    assert_eq!(verified(&database.pool).await.unwrap().differing(), 0);
}
