//! Pages of any filter, put together, are the tokens that it means, whichever way they were found;
//! and no page reads more than its share of the table.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::Value;
use sqlx::{Executor, PgConnection};
use tollkeeper_domain::ids::{AccountId, TokenId};
use tollkeeper_domain::secret::Environment;
use tollkeeper_domain::token::Status;
use tollkeeper_read_model::Reach;
use tollkeeper_read_model::tokens::{Period, TokenFilter, TokenRow, Window, list, plans};
use tollkeeper_testkit::TestDatabase;
use uuid::Uuid;

/// More than a page looks at, several times over.
const TOKENS: i64 = 9000;

/// Enough for the planner to mind reading all of them.
const MANY_TOKENS: i64 = 40_000;

/// The first token is this old; one a minute follows.
fn beginning() -> DateTime<Utc> {
    DateTime::from_timestamp(1_790_000_000, 0).unwrap()
}

fn now() -> DateTime<Utc> {
    beginning() + TimeDelta::minutes(TOKENS)
}

fn account(number: u128) -> AccountId {
    AccountId(Uuid::from_u128(number))
}

/// Tokens in which each filter means many, or few among the old or the new ones.
async fn fill(db: &mut PgConnection, tokens: i64) {
    db.execute(
        "insert into accounts (id, role, state, created_at, updated_at, version)
        select lpad(n::text, 32, '0')::uuid, 'user', 'active', now(), now(), 1
        from generate_series(1, 3) as n",
    )
    .await
    .unwrap();
    sqlx::query(
        "insert into api_tokens (id, account_id, name, environment, token_prefix, scopes, metadata,
            expires_at, state, revocation_reason, revoked_at, issued_by, created_at, updated_at,
            version)
        select id,
            lpad((case when n % 2000 = 7 then 3 when n > 8000 then 2 else 1 end)::text, 32, '0')::uuid,
            case when n % 3000 = 5 then 'Éric''s 50%_off key' else 'worker ' || n end,
            case when n % 1500 = 3 or n < 40 then 'test' else 'live' end,
            'tk_live_' || lpad(to_hex(n % 500), 4, '0'),
            case when n < 3000 then array['old', 'all'] when n % 1800 = 2 then array['rare', 'all']
                else array['all'] end,
            '{}',
            case when n % 3 = 0 then null when n < 2500 then $1 + n * interval '1 second'
                else $2 + n * interval '1 hour' end,
            state, case when state = 'revoked' then 'unspecified' end,
            case when state = 'revoked' then at end,
            case when n % 1000 = 0 then lpad('ff', 32, '0')::uuid end,
            at, at, 1
        from generate_series(1, $3) as n,
            lateral (select $1 + n * interval '1 minute') as t (at),
            lateral (select (lpad(to_hex((extract(epoch from at) * 1000)::bigint), 12, '0')
                || '70008' || lpad(to_hex(n), 15, '0'))::uuid) as i (id),
            lateral (select case when n % 900 = 4 then 'revoked' when n % 1100 = 9 then 'suspended'
                when n between 100 and 2900 and n % 2 = 0 then 'revoked' else 'active' end) as s (state)",
    )
    .bind(beginning())
    .bind(now())
    .bind(tokens)
    .execute(&mut *db)
    .await
    .unwrap();
    db.execute(
        "insert into api_token_usage_totals (token_id, usage_count, last_used_at)
        select id, 3, created_at + interval '1 day' from api_tokens where id::text like '%a';
        analyze",
    )
    .await
    .unwrap();
}

fn time() -> impl Strategy<Value = DateTime<Utc>> {
    (-100..TOKENS + 20_000).prop_map(|minutes| beginning() + TimeDelta::minutes(minutes))
}

fn period() -> impl Strategy<Value = Period> {
    let bound = || proptest::option::weighted(0.2, time());
    (bound(), bound()).prop_map(|(after, before)| Period { after, before })
}

fn one_of<T: Clone + std::fmt::Debug + 'static>(
    values: impl IntoIterator<Item = T>,
) -> impl Strategy<Value = Option<T>> {
    let values: Vec<T> = values.into_iter().collect();
    proptest::option::weighted(0.25, proptest::sample::select(values))
}

fn filter() -> impl Strategy<Value = TokenFilter> {
    let status = [
        Status::Active,
        Status::Suspended,
        Status::Revoked,
        Status::Expired,
    ];
    let texts = |values: &[&str]| values.iter().map(ToString::to_string).collect::<Vec<_>>();
    (
        (
            one_of([account(1), account(2), account(3), account(4)]),
            one_of(status),
            one_of([Environment::Live, Environment::Test]),
            one_of(texts(&["old", "all", "rare", "none"])),
            one_of(texts(&["tk_live_", "tk_live_00", "tk_live_001f", "tk%"])),
            one_of(texts(&[
                "WORKER 12",
                "50%_OFF",
                "ric",
                "er",
                "_",
                "%",
                "nobody",
            ])),
            one_of([TokenId(Uuid::from_u128(0xff)), TokenId(Uuid::from_u128(1))]),
        ),
        (period(), period(), period()),
    )
        .prop_map(|(chosen, (created, last_used, expires))| TokenFilter {
            account: chosen.0,
            state: chosen.1,
            environment: chosen.2,
            scope: chosen.3,
            prefix: chosen.4,
            search: chosen.5,
            issued_by: chosen.6,
            created,
            last_used,
            expires,
        })
}

/// What the filter means, said once more and in another way.
fn means(filter: &TokenFilter, row: &TokenRow) -> bool {
    fn fits<T>(asked: Option<&T>, fits: impl FnOnce(&T) -> bool) -> bool {
        asked.is_none_or(fits)
    }
    let within = |period: Period, time: Option<DateTime<Utc>>| {
        fits(period.after.as_ref(), |after| {
            time.is_some_and(|time| time >= *after)
        }) && fits(period.before.as_ref(), |before| {
            time.is_some_and(|time| time < *before)
        })
    };
    fits(filter.account.as_ref(), |it| it.0 == row.account_id)
        && fits(filter.state.as_ref(), |it| it.as_str() == row.state)
        && fits(filter.environment.as_ref(), |it| {
            it.as_str() == row.environment
        })
        && fits(filter.scope.as_ref(), |it| row.scopes.contains(it))
        && fits(filter.prefix.as_ref(), |it| {
            row.token_prefix.starts_with(it.as_str())
        })
        && fits(filter.search.as_ref(), |it| {
            row.name.to_lowercase().contains(&it.to_lowercase())
        })
        && fits(filter.issued_by.as_ref(), |it| row.issued_by == Some(it.0))
        && within(filter.created, Some(row.created_at))
        && within(filter.last_used, row.last_used_at)
        && within(filter.expires, row.expires_at)
}

async fn all_pages(
    db: &mut PgConnection,
    reach: Reach,
    filter: &TokenFilter,
    limit: usize,
) -> Vec<TokenRow> {
    let mut rows = Vec::new();
    let mut before = None;
    loop {
        let window = Window { before, limit };
        let page = list(db, reach, filter, window, now()).await.unwrap();
        assert!(page.rows.len() <= limit);
        rows.extend(page.rows);
        match page.next {
            None => return rows,
            Some(next) => {
                assert!(before.is_none_or(|before| next < before), "it goes on");
                before = Some(next);
            }
        }
    }
}

#[test]
fn pages_put_together_are_what_the_filter_means() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let database = runtime.block_on(async {
        let database = TestDatabase::create().await;
        fill(&mut database.pool.acquire().await.unwrap(), TOKENS).await;
        database
    });
    let pages = |reach, filter: &TokenFilter, limit| {
        runtime.block_on(async {
            let mut db = database.pool.acquire().await.unwrap();
            all_pages(&mut db, reach, filter, limit).await
        })
    };
    let all = pages(Reach::All, &TokenFilter::default(), 5000);
    assert_eq!(all.len(), usize::try_from(TOKENS).unwrap());

    let reaches = proptest::sample::select(vec![
        Reach::All,
        Reach::All,
        Reach::Account(account(1)),
        Reach::Account(account(3)),
    ]);
    let config = Config {
        cases: 300,
        failure_persistence: None,
        ..Config::default()
    };
    TestRunner::new(config)
        .run(
            &(reaches, filter(), 3..400_usize),
            |(reach, filter, limit)| {
                let wanted = all
                    .iter()
                    .filter(|row| reach.includes(row.account_id.into()) && means(&filter, row));
                let wanted: Vec<Uuid> = wanted.map(|row| row.id).collect();
                let found = pages(reach, &filter, limit);
                let found: Vec<Uuid> = found.iter().map(|row| row.id).collect();
                prop_assert_eq!(found, wanted);
                Ok(())
            },
        )
        .unwrap();
}

/// Each filter alone, with a value that few tokens have, and the index that it is to be found by.
fn rare_filters() -> Vec<(TokenFilter, &'static str)> {
    let everything = TokenFilter::default;
    let until = |before| Period {
        after: None,
        before: Some(before),
    };
    vec![
        (
            TokenFilter {
                scope: Some("rare".into()),
                ..everything()
            },
            "api_tokens_scopes",
        ),
        (
            TokenFilter {
                prefix: Some("tk_live_001f".into()),
                ..everything()
            },
            "api_tokens_prefix",
        ),
        (
            TokenFilter {
                search: Some("50%_OFF".into()),
                ..everything()
            },
            "api_tokens_name",
        ),
        (
            TokenFilter {
                state: Some(Status::Suspended),
                ..everything()
            },
            "api_tokens_state",
        ),
        (
            TokenFilter {
                environment: Some(Environment::Test),
                ..everything()
            },
            "api_tokens_environment",
        ),
        (
            TokenFilter {
                account: Some(account(3)),
                ..everything()
            },
            "api_tokens_account",
        ),
        (
            TokenFilter {
                issued_by: Some(TokenId(Uuid::from_u128(0xff))),
                ..everything()
            },
            "api_tokens_issuer",
        ),
        (
            TokenFilter {
                created: until(beginning() + TimeDelta::minutes(10)),
                ..everything()
            },
            "api_tokens_pkey",
        ),
        (
            TokenFilter {
                expires: until(beginning() + TimeDelta::seconds(60)),
                ..everything()
            },
            "api_tokens_expires_at",
        ),
    ]
}

#[tokio::test]
async fn a_rare_value_is_found_in_one_page() {
    let database = TestDatabase::create().await;
    let mut db = database.pool.acquire().await.unwrap();
    fill(&mut db, TOKENS).await;
    for (filter, _) in rare_filters() {
        let window = Window {
            before: None,
            limit: 100,
        };
        let page = list(&mut db, Reach::All, &filter, window, now())
            .await
            .unwrap();
        assert_eq!(page.next, None, "{filter:?}");
        assert!(!page.rows.is_empty(), "{filter:?}");
    }
}

/// The nodes of a plan with the index or the table that they read.
fn nodes(plan: &Value, found: &mut Vec<(String, String)>) {
    match plan {
        Value::Array(plans) => plans.iter().for_each(|plan| nodes(plan, found)),
        Value::Object(node) => {
            let text = |name| node.get(name).and_then(Value::as_str).unwrap_or_default();
            let read = match text("Index Name") {
                "" => text("Relation Name"),
                index => index,
            };
            if node.contains_key("Node Type") {
                found.push((text("Node Type").to_owned(), read.to_owned()));
            }
            for below in ["Plan", "Plans"] {
                node.get(below).into_iter().for_each(|it| nodes(it, found));
            }
        }
        _ => {}
    }
}

#[tokio::test]
async fn no_filter_reads_the_table_or_sorts_more_than_it_shows() {
    let database = TestDatabase::create().await;
    let mut db = database.pool.acquire().await.unwrap();
    fill(&mut db, MANY_TOKENS).await;
    let middle = beginning() + TimeDelta::minutes(MANY_TOKENS / 2);
    let since = |after| Period {
        after: Some(after),
        before: None,
    };
    let everything = TokenFilter::default;
    let others = [
        (everything(), "api_tokens_pkey"),
        (
            TokenFilter {
                last_used: since(middle),
                ..everything()
            },
            "api_token_usage_totals_pkey",
        ),
        (
            TokenFilter {
                state: Some(Status::Active),
                ..everything()
            },
            "api_tokens_pkey",
        ),
        (
            TokenFilter {
                state: Some(Status::Revoked),
                ..everything()
            },
            "api_tokens_state",
        ),
        (
            TokenFilter {
                state: Some(Status::Expired),
                ..everything()
            },
            "api_tokens_expires_at",
        ),
        (
            TokenFilter {
                prefix: Some("tk_live_".into()),
                ..everything()
            },
            "api_tokens_prefix",
        ),
        (
            TokenFilter {
                expires: since(middle),
                ..everything()
            },
            "api_tokens_expires_at",
        ),
        (
            TokenFilter {
                account: Some(account(1)),
                state: Some(Status::Revoked),
                search: Some("worker".into()),
                ..everything()
            },
            "api_tokens_account",
        ),
    ];
    let late = first_of(beginning() + TimeDelta::minutes(MANY_TOKENS / 3));
    for (filter, index) in rare_filters().into_iter().chain(others) {
        for before in [None, Some(late)] {
            let window = Window { before, limit: 50 };
            let plans = plans(&mut db, Reach::All, &filter, window, now())
                .await
                .unwrap();
            let mut used = Vec::new();
            for plan in &plans {
                let mut found = Vec::new();
                nodes(&plan.plan, &mut found);
                for (node, read) in &found {
                    assert_ne!(node, "Seq Scan", "{filter:?}: {plan:?}");
                    // What an index has found is few by then.
                    let walks = matches!(plan.step, "floor" | "walk");
                    assert!(!(walks && node.contains("Sort")), "{filter:?}: {plan:?}");
                    used.push(read.clone());
                }
            }
            assert!(used.iter().any(|it| it == index), "{filter:?}: {plans:?}");
        }
    }
}

/// The id that tokens of this moment begin with.
fn first_of(time: DateTime<Utc>) -> TokenId {
    let millis = u64::try_from(time.timestamp_millis()).unwrap();
    TokenId(uuid::Builder::from_unix_timestamp_millis(millis, &[0; 10]).into_uuid())
}
