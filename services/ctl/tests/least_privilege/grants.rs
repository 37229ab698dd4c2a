//! What each role may do with each table: all of it, so that a table that comes with a later migration
//! is decided about before it is there for anybody.

use std::collections::BTreeMap;
use std::fmt::Write;

use sqlx::Row;
use tollkeeper_testkit::TestDatabase;

const READ: &str = "select";
const ADD: &str = "select, insert";
const TAKE: &str = "select, delete";
const PASS: &str = "select, insert, delete";
const KEEP: &str = "select, insert, update";
const ALL: &str = "select, insert, update, delete";
const NOTHING: &str = "";

/// Table or view, and what the API, the ingestor and the dashboards may do with it.
const DECISIONS: &[(&str, [&str; 3])] = &[
    ("_sqlx_migrations", [READ, READ, NOTHING]),
    ("account_erasures", [KEEP, NOTHING, "select (finished_at)"]),
    (
        "account_profiles",
        [KEEP, NOTHING, "select (account_id, name)"],
    ),
    ("account_token_usage_daily", [READ, ALL, READ]),
    ("account_usage_daily", [READ, ALL, READ]),
    ("account_usage_hourly", [READ, ALL, READ]),
    (
        "accounts",
        [
            KEEP,
            "select (id, state)",
            "select (external_id, id, state)",
        ],
    ),
    ("api_token_secrets", [KEEP, NOTHING, NOTHING]),
    ("api_token_usage", [TAKE, ADD, NOTHING]),
    ("api_token_usage_daily", [READ, ALL, READ]),
    ("api_token_usage_hourly", [READ, ALL, READ]),
    ("api_token_usage_totals", [READ, KEEP, READ]),
    (
        "api_tokens",
        [
            KEEP,
            "select (account_id, created_at, id)",
            "select (account_id, created_at, environment, expires_at, id, name, state)",
        ],
    ),
    (
        "audit_entries",
        [
            ADD,
            NOTHING,
            "select (action, actor, recorded_at, subject_id, subject_type)",
        ],
    ),
    (
        "audit_refusals",
        [
            "select, insert, update (count, last_at)",
            NOTHING,
            "select (actor, code, count, first_at, last_at, operation, status)",
        ],
    ),
    ("checkpoints", [KEEP, NOTHING, "select (name, position)"]),
    ("console_attempts", [ALL, NOTHING, NOTHING]),
    ("console_devices", [ALL, NOTHING, NOTHING]),
    ("console_flows", [PASS, NOTHING, NOTHING]),
    ("console_identities", [ADD, NOTHING, NOTHING]),
    ("console_links", [ALL, NOTHING, NOTHING]),
    ("console_people", [ALL, NOTHING, NOTHING]),
    ("console_sessions", [ALL, NOTHING, NOTHING]),
    (
        "event_log_head",
        ["select, update", NOTHING, "select (position, recorded_at)"],
    ),
    (
        "event_traces",
        [
            "select, insert, update (event_id), delete",
            NOTHING,
            NOTHING,
        ],
    ),
    (
        "events",
        [
            ADD,
            NOTHING,
            "select (account_id, actor, position, recorded_at, stream_id, stream_type, type)",
        ],
    ),
    ("idempotency_keys", [ALL, NOTHING, NOTHING]),
    (
        "nodes",
        [
            ALL,
            NOTHING,
            "select (name, position, reported_at, valid_until, version)",
        ],
    ),
    ("quota_balances", [READ, ALL, NOTHING]),
    (
        "revocation_job_tokens",
        [KEEP, NOTHING, "select (job_id, outcome)"],
    ),
    ("revocation_jobs", [ALL, NOTHING, "select (id, state)"]),
    ("usage_completeness", [READ, READ, NOTHING]),
    (
        "usage_dead_letter_list",
        [
            "select, update (replay_asked_at, replay_failure)",
            NOTHING,
            NOTHING,
        ],
    ),
    (
        "usage_dead_letters",
        [NOTHING, ALL, "select (reason, received_at)"],
    ),
    ("usage_ledger", [READ, PASS, NOTHING]),
    ("usage_partitions", [READ, READ, READ]),
    (
        "usage_report_ids",
        [PASS, "select, update (received_at), delete", NOTHING],
    ),
    (
        "usage_reporters",
        [
            KEEP,
            NOTHING,
            "select (appended, complete_through, ended_at, name, seen_at, started_at)",
        ],
    ),
    (
        "usage_reports",
        [PASS, "select, update (id), delete", NOTHING],
    ),
    ("usage_sources", [READ, KEEP, NOTHING]),
    ("webhook_attempts", [PASS, NOTHING, NOTHING]),
    ("webhook_prospects", [READ, NOTHING, NOTHING]),
    ("webhook_secrets", [ALL, NOTHING, NOTHING]),
    (
        "webhooks",
        [ALL, NOTHING, "select (disabled_reason, failures, state)"],
    ),
];

/// The tables that a gate touches, and what it may do with them. All others are nothing to it.
const OF_GATES: &[(&str, &str)] = &[
    (
        "accounts",
        "select (id, quotas, rate_limits, role, state, version)",
    ),
    (
        "api_token_secrets",
        "select (secret_hash, token_id, valid_until)",
    ),
    (
        "api_tokens",
        "select (account_id, allowed_cidrs, environment, expires_at, id, not_before, quotas, rate_limits, \
            scopes, state, version)",
    ),
    ("event_log_head", "select (generation, hash, position)"),
    (
        "events",
        "select (hash, payload, position, recorded_at, stream_id, stream_type, stream_version, type)",
    ),
    (
        "nodes",
        "select, insert, update (position, reported_at, valid_until), delete",
    ),
    (
        "quota_balances",
        "select (generation, owner, period, source, used)",
    ),
    ("usage_ledger", "select (first, last, source)"),
    (
        "usage_reporters",
        "select, insert, update (appended, checked, checked_at, complete_through, ended_at, marked_at, seen_at)",
    ),
    ("usage_sources", "select (final_sequence, source)"),
];

const ROLES: [&str; 3] = [
    "tollkeeper_api",
    "tollkeeper_ingestor",
    "tollkeeper_dashboards",
];

/// Everything that was granted to anybody but the owner: relation, to whom, what, and of which columns
/// (none for all of them). Every relation has a line, and extensions and partitions have none.
const GRANTED: &str = "
    with relations as (
        select oid, relname::text, relacl, relowner from pg_class
        where relnamespace = current_schema()::regnamespace and relkind in ('r', 'p', 'v', 'm', 'f')
            and not relispartition
            and not exists (
                select from pg_depend
                where classid = 'pg_class'::regclass and objid = pg_class.oid and deptype = 'e'
            )
    ), granted as (
        select relations.oid, acl.grantee, acl.privilege_type, null::text as attname
        from relations, aclexplode(relacl) as acl where acl.grantee <> relowner
        union all
        select relations.oid, acl.grantee, acl.privilege_type, attname::text
        from relations join pg_attribute on attrelid = relations.oid, aclexplode(attacl) as acl
        where acl.grantee <> relowner
    )
    select relname, coalesce(rolname::text, 'public') as grantee, lower(privilege_type) as privilege,
        array_agg(attname order by attname) filter (where attname is not null) as columns
    from relations left join granted using (oid) left join pg_roles on pg_roles.oid = grantee
    group by relname, rolname, grantee, privilege_type
    order by array_position(array['SELECT', 'INSERT', 'UPDATE', 'DELETE'], privilege_type)";

#[tokio::test]
async fn it_is_decided_what_each_role_may_do_with_each_table() {
    let database = TestDatabase::create().await;
    let mut granted: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    let rows = sqlx::query(GRANTED)
        .fetch_all(&database.pool)
        .await
        .unwrap();
    for row in rows {
        let of_table = granted.entry(row.get("relname")).or_default();
        let Some(privilege) = row.get::<Option<String>, _>("privilege") else {
            continue;
        };
        let said = of_table.entry(row.get("grantee")).or_default();
        let separator = if said.is_empty() { "" } else { ", " };
        write!(said, "{separator}{privilege}").unwrap();
        if let Some(columns) = row.get::<Option<Vec<String>>, _>("columns") {
            write!(said, " ({})", columns.join(", ")).unwrap();
        }
    }
    for (table, wanted) in DECISIONS {
        let found = granted
            .remove(*table)
            .unwrap_or_else(|| panic!("there is no table {table}"));
        let of_gates = OF_GATES.iter().find(|(of, _)| of == table);
        let of_gates = of_gates.map(|(_, what)| ("tollkeeper_gate", *what));
        let of_others = ROLES.iter().copied().zip(wanted.iter().copied());
        let wanted: BTreeMap<String, String> = of_others
            .chain(of_gates)
            .filter(|(_, what)| !what.is_empty())
            .map(|(role, what)| (role.to_owned(), what.to_owned()))
            .collect();
        assert_eq!(found, wanted, "{table}");
    }
    assert!(
        granted.is_empty(),
        "a migration has to grant each role what it needs of these tables, and DECISIONS has to say so: \
         {granted:?}"
    );
}
