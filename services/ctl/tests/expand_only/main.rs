//! Migrations after the first release only add: see `docs/runbooks/upgrade.md`.

#![allow(clippy::unwrap_used, reason = "a test")]

mod reader;

use std::collections::BTreeSet;

use reader::breaking;
use sqlx::migrate::Migration;
use tollkeeper_runtime::database::MIGRATOR;

/// The last migration of the first release: nobody ran anything before it.
const BASELINE: i64 = 20_261_121_000_999;

/// Migrations that contract, each with the release since which nothing uses what it takes away. That has to
/// be the one before the release that the migration comes with, or an earlier one.
const CONTRACTIONS: [(i64, &str); 0] = [];

fn up() -> impl Iterator<Item = &'static Migration> {
    MIGRATOR
        .iter()
        .filter(|it| !it.migration_type.is_down_migration())
}

/// Tables that the release before writes whole rows into: a column that it does not know is null there, whatever
/// its default.
fn written_whole() -> BTreeSet<String> {
    let parts = up().flat_map(|it| {
        it.sql
            .as_str()
            .split("jsonb_populate_recordset(null::")
            .skip(1)
    });
    let names = parts.map(|rest| rest.split(',').next().unwrap().trim().to_owned());
    names.collect()
}

#[test]
fn migrations_after_the_first_release_only_add() {
    let whole = written_whole();
    for table in ["accounts", "api_tokens"] {
        assert!(whole.contains(table), "{whole:?}");
    }
    for migration in up().filter(|it| it.version > BASELINE) {
        let is_listed = CONTRACTIONS
            .iter()
            .any(|(version, _)| *version == migration.version);
        let found = breaking(migration.sql.as_str(), &whole);
        assert!(
            found.is_empty() || is_listed,
            "{}: {found:?}. Expand first and contract a release later: docs/runbooks/upgrade.md",
            migration.version
        );
    }
}

#[test]
fn every_migration_can_be_taken_back() {
    let down: BTreeSet<i64> = MIGRATOR
        .iter()
        .filter(|it| it.migration_type.is_down_migration())
        .map(|it| it.version)
        .collect();
    assert_eq!(up().map(|it| it.version).collect::<BTreeSet<_>>(), down);
}

#[test]
fn what_takes_away_is_told_from_what_adds() {
    let whole = BTreeSet::from(["rows".to_owned()]);
    for adds in [
        "create table a (b int not null); create index a_b on a (b); alter table a drop column b",
        "alter table a add column b text",
        "alter table a add column b text not null default ''",
        "alter table a add constraint c check (b > 0) not valid",
        "alter table a validate constraint c",
        "alter table a drop constraint c",
        "alter table a alter column b drop not null",
        "-- no-transaction\ncreate index concurrently a_b on a (b)",
        "create function f(a int) returns int language sql as $$ select a; drop table b; $$",
        "create or replace function f() returns void language plpgsql as $$ begin end $$",
        "create view v as select b from a",
        "grant select on a to tollkeeper_api",
        "comment on table a is 'of b'",
        "alter table rows add column b text",
        "create or replace function project_rows(rows jsonb) returns void language sql as $$ $$;
            alter table rows add column b text not null default ''",
    ] {
        assert_eq!(breaking(adds, &whole), [] as [String; 0], "{adds}");
    }
    for (takes, why) in [
        ("drop table a", "drop"),
        ("drop index a_b", "drop"),
        ("drop function f", "drop"),
        ("drop view v", "drop"),
        ("alter table a drop column b", "drop"),
        ("alter table a rename column b to c", "rename"),
        ("alter table a rename to c", "rename"),
        (
            "alter table a add column b text not null",
            "without a default",
        ),
        (
            "alter table rows add column b text not null default ''",
            "written whole",
        ),
        ("alter table a alter column b set not null", "set not null"),
        ("alter table a alter column b type bigint", "type bigint"),
        ("alter table a alter column b drop default", "drop default"),
        ("alter table a add constraint c check (b > 0)", "not valid"),
        ("alter table a add constraint c unique (b)", "not valid"),
        ("create index a_b on a (b)", "concurrently"),
        ("create unique index concurrently a_b on a (b)", "unique"),
        ("revoke select on a from tollkeeper_api", "revoke"),
        ("truncate a", "truncate"),
        ("do $$ begin drop table a; end $$", "cannot be read"),
        ("alter table a", "cannot be read"),
    ] {
        let found = breaking(takes, &whole);
        assert!(
            found.len() == 1 && found[0].to_lowercase().contains(why),
            "{takes}: {found:?}"
        );
    }
}
