//! The migrations of a release to come: those of this one, and some that only add.

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{Connection, PgConnection, SqlSafeStr, SqlStr};
use tollkeeper_runtime::database::{MIGRATOR, migrate};
use tollkeeper_testkit::TestDatabase;

/// A column that may be empty, of a table that the release of before writes whole rows into.
pub(crate) const NULLABLE_COLUMN: &str = "alter table api_tokens add column purpose text";

const ADDED: [(&str, &str); 5] = [
    ("a column that may be empty", NULLABLE_COLUMN),
    (
        "a column with a default",
        "alter table usage_sources add column zone text not null default 'somewhere'",
    ),
    (
        "a table",
        "create table purposes (
            purpose text primary key,
            token_id uuid not null references api_tokens (id)
        )",
    ),
    (
        "a rule for what comes",
        "alter table api_tokens add constraint api_tokens_purpose_check
            check (purpose <> '') not valid",
    ),
    (
        "an index beside its table",
        "-- no-transaction\n\
        create index concurrently api_token_usage_totals_purpose on api_token_usage_totals (usage_count)",
    ),
];

/// The version of the last one.
pub(crate) fn newest() -> i64 {
    last() + i64::try_from(ADDED.len()).unwrap()
}

/// What the command of that release applies.
pub(crate) fn migrator() -> Migrator {
    let mut migrations: Vec<Migration> = MIGRATOR.iter().cloned().collect();
    for (version, (description, sql)) in (last() + 1..).zip(ADDED) {
        let no_tx = sql.starts_with("-- no-transaction");
        let sql: SqlStr = sql.into_sql_str();
        let up = MigrationType::ReversibleUp;
        migrations.push(Migration::new(version, description.into(), up, sql, no_tx));
    }
    Migrator::with_migrations(migrations)
}

/// Does what `tollkeeper migrate` of that release does: it differs in what is compiled in, and in
/// nothing else.
pub(crate) async fn apply(database: &TestDatabase) {
    let mut connection = PgConnection::connect(&database.url).await.unwrap();
    let reached = migrate(&migrator(), &mut connection).await.unwrap();
    assert_eq!(reached, newest());
    connection.close().await.unwrap();
}

fn last() -> i64 {
    MIGRATOR.iter().map(|it| it.version).max().unwrap()
}
