//! What no page costs: reading the table, or sorting more than it shows.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use sqlx::{Executor, PgConnection};
use tollkeeper_domain::ids::TokenId;
use tollkeeper_domain::secret::Environment;
use tollkeeper_domain::token::Status;
use tollkeeper_read_model::Reach;
use tollkeeper_read_model::tokens::{Period, TokenFilter, Window, list, plans};
use tollkeeper_testkit::TestDatabase;
use uuid::Uuid;

use crate::tokens::{TOKENS, account, beginning, fill, now};

/// Enough for the planner to mind reading all of them.
pub(crate) const MANY_TOKENS: i64 = 40_000;

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
        (
            TokenFilter {
                last_used: until(beginning() + TimeDelta::days(1) + TimeDelta::hours(3)),
                ..everything()
            },
            "api_token_usage_totals_last_used_hour",
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
pub(crate) fn nodes(plan: &Value, found: &mut Vec<(String, String)>) {
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
                never_used: Some(true),
                ..everything()
            },
            "api_token_usage_totals_pkey",
        ),
        (
            TokenFilter {
                unused_since: Some(middle),
                ..everything()
            },
            "api_tokens_pkey",
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

/// All pages of the list, and how many they are.
async fn pages(db: &mut PgConnection, filter: &TokenFilter) -> (Vec<Uuid>, usize) {
    let (mut ids, mut number, mut before) = (Vec::new(), 0, None);
    loop {
        let window = Window { before, limit: 100 };
        let page = list(&mut *db, Reach::All, filter, window, now()).await;
        let page = page.unwrap();
        number += 1;
        ids.extend(page.rows.iter().map(|row| row.id));
        match page.next {
            Some(next) => {
                assert!(before.is_none_or(|before| next < before), "it goes on");
                before = Some(next);
            }
            None => return (ids, number),
        }
    }
}

#[tokio::test]
async fn the_few_that_were_not_used_are_found_in_few_pages() {
    let database = TestDatabase::create().await;
    let mut db = database.pool.acquire().await.unwrap();
    fill(&mut db, MANY_TOKENS).await;
    let end = beginning() + TimeDelta::minutes(MANY_TOKENS + 60);
    // All were used at the end but five: two long ago, two never, and one of which every call was refused.
    sqlx::query(
        "insert into api_token_usage_totals (token_id, usage_count, last_used_at)
        select id, 3, case when n in (7, 12000) then created_at + interval '1 day' when n <> 10000 then $1 end
        from (select id, created_at, row_number() over (order by id) as n from api_tokens) as numbered
        where n not in (1, 15000)
        on conflict (token_id) do update set last_used_at = excluded.last_used_at",
    )
    .bind(end)
    .execute(&mut *db)
    .await
    .unwrap();
    db.execute("analyze").await.unwrap();
    let never = TokenFilter {
        never_used: Some(true),
        ..TokenFilter::default()
    };
    let long = TokenFilter {
        unused_since: Some(end - TimeDelta::minutes(30)),
        ..TokenFilter::default()
    };
    for (filter, few) in [(&never, 3), (&long, 5)] {
        let (found, number) = pages(&mut db, filter).await;
        assert_eq!((found.len(), number), (few, 2), "{filter:?}: {found:?}");
    }

    for filter in [never, long] {
        let window = Window {
            before: None,
            limit: 100,
        };
        let plans = plans(&mut db, Reach::All, &filter, window, now()).await;
        let plans = plans.unwrap();
        let plan = plans.iter().find(|plan| plan.step == "unused").unwrap();
        let mut found = Vec::new();
        nodes(&plan.plan, &mut found);
        let read: Vec<&str> = found.iter().map(|(_, read)| read.as_str()).collect();
        for index in ["api_tokens_pkey", "api_token_usage_totals_pkey"] {
            assert!(read.contains(&index), "{plan:?}");
        }
        for (node, _) in &found {
            let reads_all = ["Seq Scan", "Hash", "Sort"]
                .iter()
                .any(|it| node.contains(it));
            assert!(!reads_all, "{plan:?}");
        }
    }
}

#[tokio::test]
async fn the_many_that_were_not_used_are_told_apart_page_by_page() {
    let database = TestDatabase::create().await;
    let mut db = database.pool.acquire().await.unwrap();
    fill(&mut db, TOKENS).await;
    // Nothing but the names, which no index knows by one letter, tells those in question apart.
    let of = |search: &str| TokenFilter {
        never_used: Some(true),
        search: Some(search.into()),
        ..TokenFilter::default()
    };
    let (found, number) = pages(&mut db, &of("%")).await;
    assert_eq!(found.len(), 3, "{found:?}");
    assert!((3..8).contains(&number), "{number}");
    let (found, _) = pages(&mut db, &of("Q")).await;
    assert!(found.is_empty(), "{found:?}");
}
