//! Pages put together are what the filter means.

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use sqlx::PgConnection;
use tollkeeper_domain::ids::TokenId;
use tollkeeper_domain::secret::Environment;
use tollkeeper_domain::token::Status;
use tollkeeper_read_model::Reach;
use tollkeeper_read_model::tokens::{Period, TokenFilter, TokenRow, Window, list};
use tollkeeper_testkit::TestDatabase;
use uuid::Uuid;

use crate::tokens::{TOKENS, account, beginning, fill, now};

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

pub(crate) fn filter() -> impl Strategy<Value = TokenFilter> {
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
        (
            one_of([true, false]),
            proptest::option::weighted(0.2, time()),
        ),
    )
        .prop_map(
            |(chosen, (created, last_used, expires), used)| TokenFilter {
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
                never_used: used.0,
                unused_since: used.1,
            },
        )
}

/// What the filter means, said once more and in another way.
pub(crate) fn means(filter: &TokenFilter, row: &TokenRow) -> bool {
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
        && fits(filter.never_used.as_ref(), |never| {
            *never == row.last_used_at.is_none()
        })
        && fits(filter.unused_since.as_ref(), |since| {
            row.last_used_at.unwrap_or(row.created_at) < *since
        })
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
