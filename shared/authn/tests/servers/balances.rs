//! Reading the real table of what was used of quotas.

use tollkeeper_authn::{BalanceKey, SourceError, TokenSource, Used};
use tollkeeper_domain::quota::{QuotaPeriod, QuotaRefill};
use tollkeeper_testkit::{FaultProxy, TestDatabase};
use uuid::Uuid;

use crate::postgres::source;

const OWNER: Uuid = Uuid::from_u128(7);

fn key(generation: u32, period: QuotaPeriod) -> BalanceKey {
    BalanceKey {
        owner: OWNER,
        generation,
        period,
    }
}

#[tokio::test]
async fn balances_are_read_one_by_one_and_apart_from_ones_own() {
    let database = TestDatabase::create().await;
    let day = QuotaRefill::Daily.period(1_795_000_000_000_000);
    let next = QuotaPeriod(day.0 + 1);
    for (generation, period, by, used) in [
        (1, day, 1, 3),
        (1, day, 2, 5),
        (1, day, 3, 7),
        (1, next, 1, 11),
        (2, QuotaPeriod(0), 3, 13),
    ] {
        sqlx::query("insert into quota_balances values ($1, $2, $3, $4, $5)")
            .bind(OWNER)
            .bind(generation)
            .bind(period.first_day())
            .bind(Uuid::from_u128(by))
            .bind(i64::from(used))
            .execute(&database.pool)
            .await
            .unwrap();
    }
    let source = source(&database.url);
    let asked = [
        key(2, QuotaPeriod(0)),
        key(1, day),
        key(3, day),
        key(1, next),
        key(1, day),
        key(u32::MAX, day),
    ];
    let used = |own, others| Used { own, others };
    for (own, expected) in [
        (
            &[1, 2, 9][..],
            [(0, 13), (8, 7), (0, 0), (11, 0), (8, 7), (0, 0)],
        ),
        (&[], [(0, 13), (0, 15), (0, 0), (0, 11), (0, 15), (0, 0)]),
    ] {
        let own: Vec<Uuid> = own.iter().copied().map(Uuid::from_u128).collect();
        let expected = expected.map(|(own, others)| used(own, others));
        assert_eq!(source.balances(&asked, &own).await.unwrap(), expected);
    }
    assert_eq!(source.balances(&[], &[]).await.unwrap(), []);
}

#[tokio::test]
async fn balances_that_cannot_be_read_are_no_empty_ones() {
    let database = TestDatabase::create().await;
    let proxy = FaultProxy::start(database.tcp_address()).await;
    let source = source(&database.url_through(proxy.address()));
    proxy.cut();
    let read = source.balances(&[key(1, QuotaPeriod(0))], &[]).await;
    assert!(matches!(read, Err(SourceError::Database(_))), "{read:?}");
}
