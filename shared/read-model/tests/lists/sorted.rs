//! Sorted pages put together are what the filter means, in that order; and no page reads the table.

use std::cmp::Ordering;

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use proptest::test_runner::{Config, TestRunner};
use serde_json::Value;
use sqlx::{Executor, PgConnection};
use tollkeeper_domain::token::Status;
use tollkeeper_read_model::Reach;
use tollkeeper_read_model::tokens::{
    Period, Place, Sort, SortBy, Sorted, TokenFilter, TokenRow, sorted, sorted_plans,
};
use tollkeeper_testkit::TestDatabase;

use crate::costs::{MANY_TOKENS, nodes};
use crate::meaning::{filter, means};
use crate::tokens::{account, beginning, fill, now};

/// More than a page looks at for what they were used for.
const TOKENS: i64 = 12_000;

const ORDERS: [Sort; 8] = {
    const fn sort(by: SortBy, is_descending: bool) -> Sort {
        Sort { by, is_descending }
    }
    [
        sort(SortBy::Created, false),
        sort(SortBy::Created, true),
        sort(SortBy::Name, false),
        sort(SortBy::Name, true),
        sort(SortBy::Expires, false),
        sort(SortBy::Expires, true),
        sort(SortBy::LastUsed, false),
        sort(SortBy::LastUsed, true),
    ]
};

async fn all_pages(
    db: &mut PgConnection,
    reach: Reach,
    filter: &TokenFilter,
    sort: Sort,
    limit: usize,
) -> Vec<TokenRow> {
    let mut rows = Vec::new();
    let mut after: Option<Place> = None;
    loop {
        let asked = Sorted { sort, after, limit };
        let page = sorted(&mut *db, reach, filter, &asked, now())
            .await
            .unwrap();
        assert!(page.rows.len() <= limit);
        rows.extend(page.rows);
        assert!(
            page.next.is_none() || page.next != asked.after,
            "it goes on"
        );
        match page.next {
            None => return rows,
            next => after = next,
        }
    }
}

/// Tokens of which those used in one hour were used in the opposite order of their ids.
async fn fill_mixed(db: &mut PgConnection, tokens: i64) {
    fill(&mut *db, tokens).await;
    db.execute(
        "update api_token_usage_totals set last_used_at = date_trunc('hour', last_used_at)
            + interval '59 minutes 59 seconds' - (last_used_at - date_trunc('hour', last_used_at));
        analyze api_token_usage_totals",
    )
    .await
    .unwrap();
}

/// The order of times, in which none comes last in either direction.
fn by_time(
    one: Option<DateTime<Utc>>,
    other: Option<DateTime<Utc>>,
    is_descending: bool,
) -> Ordering {
    match (one, other) {
        (Some(one), Some(other)) if is_descending => other.cmp(&one),
        (Some(one), Some(other)) => one.cmp(&other),
        (one, other) => one.is_none().cmp(&other.is_none()),
    }
}

/// The order in which the list is to be; by the hour of the last use, if they are too many for more.
fn order(sort: Sort, is_by_hour: bool, one: &TokenRow, other: &TokenRow) -> Ordering {
    let turned = |order: Ordering| {
        if sort.is_descending {
            order.reverse()
        } else {
            order
        }
    };
    let used = |row: &TokenRow| {
        let hour = |at: DateTime<Utc>| at.duration_trunc(TimeDelta::hours(1)).unwrap();
        row.last_used_at
            .map(|at| if is_by_hour { hour(at) } else { at })
    };
    let by_key = match sort.by {
        SortBy::Created => Ordering::Equal,
        SortBy::Name => turned(one.name.to_lowercase().cmp(&other.name.to_lowercase())),
        SortBy::Expires => by_time(one.expires_at, other.expires_at, sort.is_descending),
        SortBy::LastUsed => by_time(used(one), used(other), sort.is_descending),
    };
    by_key.then_with(|| turned(one.id.cmp(&other.id)))
}

#[test]
fn sorted_pages_put_together_are_what_the_filter_means() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let database = runtime.block_on(async {
        let database = TestDatabase::create().await;
        fill_mixed(&mut database.pool.acquire().await.unwrap(), TOKENS).await;
        database
    });
    let pages = |reach, filter: &TokenFilter, sort, limit| {
        runtime.block_on(async {
            let mut db = database.pool.acquire().await.unwrap();
            all_pages(&mut db, reach, filter, sort, limit).await
        })
    };
    let all = pages(Reach::All, &TokenFilter::default(), ORDERS[0], 5000);
    assert_eq!(all.len(), usize::try_from(TOKENS).unwrap());
    let check = |reach: Reach, filter: &TokenFilter, sort: Sort, limit| {
        let wanted = all.iter();
        let wanted =
            wanted.filter(|row| reach.includes(row.account_id.into()) && means(filter, row));
        let mut wanted: Vec<&TokenRow> = wanted.collect();
        let found = pages(reach, filter, sort, limit);
        let found: Vec<_> = found.iter().collect();
        wanted.sort_by(|one, other| order(sort, false, one, other));
        if sort.by == SortBy::LastUsed && found != wanted {
            wanted.sort_by(|one, other| order(sort, true, one, other));
        }
        assert!(
            found == wanted,
            "{sort:?} {filter:?}: {} of {}",
            found.len(),
            wanted.len()
        );
    };
    for sort in ORDERS {
        check(Reach::All, &TokenFilter::default(), sort, 777);
        // What goes from one part of the list to the next within a page, and at its end.
        check(Reach::Account(account(3)), &TokenFilter::default(), sort, 1);
    }
    let reaches = proptest::sample::select(vec![
        Reach::All,
        Reach::All,
        Reach::Account(account(1)),
        Reach::Account(account(3)),
    ]);
    let config = Config {
        cases: 100,
        failure_persistence: None,
        ..Config::default()
    };
    TestRunner::new(config)
        .run(
            &(
                reaches,
                filter(),
                proptest::sample::select(&ORDERS[..]),
                50..400_usize,
            ),
            |(reach, filter, sort, limit)| {
                check(reach, &filter, sort, limit);
                Ok(())
            },
        )
        .unwrap();
}

#[tokio::test]
async fn few_are_sorted_by_the_moment_of_their_last_use_and_many_by_the_hour() {
    let database = TestDatabase::create().await;
    let mut db = database.pool.acquire().await.unwrap();
    fill_mixed(&mut db, TOKENS).await;
    let latest = Sort {
        by: SortBy::LastUsed,
        is_descending: true,
    };
    let everything = TokenFilter::default();
    for (reach, is_by_hour) in [(Reach::All, true), (Reach::Account(account(2)), false)] {
        let rows = all_pages(&mut db, reach, &everything, latest, 500).await;
        let is_sorted = |is_by_hour| {
            rows.is_sorted_by(|one, other| order(latest, is_by_hour, one, other).is_lt())
        };
        assert!(is_sorted(is_by_hour));
        assert!(!is_sorted(!is_by_hour), "it matters");
    }
}

/// How many rows PostgreSQL expects in a part of which a page looks at 2,000, by samples that it takes; the
/// table has five times as many.
const LOOKED_AT: i64 = MANY_TOKENS / 5;

/// The most rows that a plan expects to sort.
fn most_sorted(plan: &Value) -> i64 {
    match plan {
        Value::Array(plans) => plans.iter().map(most_sorted).max().unwrap_or(0),
        Value::Object(node) => {
            let kind = node.get("Node Type").and_then(Value::as_str);
            let is_sort = kind.is_some_and(|kind| kind.contains("Sort"));
            let rows = node.get("Plan Rows").and_then(Value::as_i64);
            let own = rows.filter(|_| is_sort).unwrap_or(0);
            let below = ["Plan", "Plans"].into_iter().filter_map(|it| node.get(it));
            below.map(most_sorted).fold(own, i64::max)
        }
        _ => 0,
    }
}

#[tokio::test]
async fn no_order_reads_the_table_or_sorts_more_than_a_page_looks_at() {
    let database = TestDatabase::create().await;
    let mut db = database.pool.acquire().await.unwrap();
    fill(&mut db, MANY_TOKENS).await;
    let middle = beginning() + TimeDelta::minutes(MANY_TOKENS / 2);
    let everything = TokenFilter::default;
    let of = |number| TokenFilter {
        account: Some(account(number)),
        ..everything()
    };
    let filters = [
        everything(),
        of(2),
        of(3),
        TokenFilter {
            state: Some(Status::Active),
            ..everything()
        },
        TokenFilter {
            expires: Period {
                after: Some(middle),
                before: None,
            },
            ..of(2)
        },
        TokenFilter {
            never_used: Some(true),
            ..everything()
        },
        TokenFilter {
            unused_since: Some(middle),
            ..of(2)
        },
    ];
    for filter in filters {
        let is_of_account = filter.account.is_some();
        for sort in ORDERS {
            let indexes: &[&str] = match (sort.by, is_of_account) {
                (SortBy::Created, false) => &["api_tokens_pkey"],
                (SortBy::Created, true) => &["api_tokens_account"],
                (SortBy::Name, false) => &["api_tokens_sorted_name"],
                (SortBy::Name, true) => &["api_tokens_account_name"],
                (SortBy::Expires, false) => &["api_tokens_expires_at", "api_tokens_never_expires"],
                (SortBy::Expires, true) => &["api_tokens_account_expires_at"],
                (SortBy::LastUsed, _) => &["api_token_usage_totals_pkey"],
            };
            let mut after = None;
            // The first page, one from within, and so on to the other part of the list.
            for _ in 0..3 {
                let asked = Sorted {
                    sort,
                    after,
                    limit: 50,
                };
                let plans = sorted_plans(&mut db, Reach::All, &filter, &asked, now())
                    .await
                    .unwrap();
                let mut used = Vec::new();
                for plan in &plans {
                    let mut found = Vec::new();
                    nodes(&plan.plan, &mut found);
                    for (node, read) in found {
                        assert_ne!(node, "Seq Scan", "{sort:?} {filter:?}: {plan:?}");
                        used.push(read);
                    }
                    assert!(
                        most_sorted(&plan.plan) <= LOOKED_AT,
                        "{sort:?} {filter:?}: {plan:?}"
                    );
                }
                let is_used = used.iter().any(|it| indexes.contains(&it.as_str()));
                assert!(
                    is_used || plans.is_empty(),
                    "{sort:?} {filter:?}: {plans:?}"
                );
                let far = Sorted {
                    limit: 15_000,
                    ..asked
                };
                let page = sorted(&mut db, Reach::All, &filter, &far, now()).await;
                after = page.unwrap().next;
                if after.is_none() {
                    break;
                }
            }
        }
    }
}
