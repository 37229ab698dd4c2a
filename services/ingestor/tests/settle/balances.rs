//! What was used of quotas: by the time of the event, once, and never of another balance.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use tollkeeper_domain::quota::{QuotaCharge, QuotaCharges, QuotaOwner, QuotaRefill};
use tollkeeper_domain::verdict::Verdict;
use tollkeeper_ingestor::remove_old_balances;

use super::*;

const ACCOUNT: Uuid = Uuid::from_u128(1);
const TOKEN: Uuid = Uuid::from_u128(0x70);
const OTHER_SOURCE: Uuid = Uuid::from_u128(0x5eee);

/// A row without its source, or the sum over the sources.
type Balance = (Uuid, i32, NaiveDate, i64);

/// A request at this moment that cost so many units of these quotas.
fn use_of(
    quotas: &[(QuotaOwner, u32, QuotaRefill)],
    cost: u32,
    at_micros: i64,
) -> UsageEvent<'static> {
    let mut charges = QuotaCharges::default();
    for &(owner, generation, refill) in quotas {
        assert!(charges.push(QuotaCharge {
            owner,
            generation,
            refill,
        }));
    }
    UsageEvent {
        token_id: tollkeeper_domain::ids::TokenId(TOKEN),
        account_id: tollkeeper_domain::ids::AccountId(ACCOUNT),
        verdict: Verdict::Valid,
        status: 200,
        at_micros,
        cost,
        charges,
        ..event(1, at_micros)
    }
}

fn own(generation: u32) -> (QuotaOwner, u32, QuotaRefill) {
    (QuotaOwner::Token, generation, QuotaRefill::None)
}

fn micros(at: DateTime<Utc>) -> i64 {
    at.timestamp_micros()
}

/// Every balance, over all sources.
async fn balances(pool: &PgPool) -> Vec<Balance> {
    sqlx::query_as(
        "select owner, generation, period, sum(used)::bigint from quota_balances
         group by 1, 2, 3 order by 1, 2, 3",
    )
    .fetch_all(pool)
    .await
    .unwrap()
}

fn for_ever() -> NaiveDate {
    DateTime::UNIX_EPOCH.date_naive()
}

#[tokio::test]
async fn a_use_counts_for_token_and_account_at_its_cost_by_source() {
    let pool = TestDatabase::create().await.pool;
    let settler = settler(&pool);
    let account = (QuotaOwner::Account, 4, QuotaRefill::None);
    let both = use_of(&[account, own(1), own(2)], 3, now());
    let one = use_of(&[own(2)], 1, now());
    let nothing = use_of(&[], 5, now());
    let free = use_of(&[own(2)], 0, now());
    settler
        .settle(&[
            batch(SOURCE, 1, &[both, one, nothing, free]),
            batch(OTHER_SOURCE, 1, &[one, one]),
        ])
        .await
        .unwrap();
    let rows: Vec<(Uuid, i32, Uuid, i64)> = sqlx::query_as(
        "select owner, generation, source, used from quota_balances order by 1, 2, 3",
    )
    .fetch_all(&pool)
    .await
    .unwrap();
    assert_eq!(
        rows,
        [
            (ACCOUNT, 4, SOURCE, 3),
            (TOKEN, 1, SOURCE, 3),
            (TOKEN, 2, SOURCE, 4),
            (TOKEN, 2, OTHER_SOURCE, 2)
        ]
    );
    assert_eq!(balances(&pool).await[2], (TOKEN, 2, for_ever(), 6));
}

#[tokio::test]
async fn what_is_late_counts_for_its_own_generation() {
    let pool = TestDatabase::create().await.pool;
    let settler = settler(&pool);
    let before = use_of(&[own(1)], 1, now());
    let after = use_of(&[own(2)], 1, now());
    settler
        .settle(&[batch(OTHER_SOURCE, 1, &[after])])
        .await
        .unwrap();
    // Charged before the refill, and hours on its way.
    settler
        .settle(&[batch(SOURCE, 1, &[before, before])])
        .await
        .unwrap();
    assert_eq!(
        balances(&pool).await,
        [(TOKEN, 1, for_ever(), 2), (TOKEN, 2, for_ever(), 1)]
    );
}

#[tokio::test]
async fn the_time_of_the_event_says_in_which_period_it_counts() {
    let pool = TestDatabase::create().await.pool;
    let settler = settler(&pool);
    let today = clock().now().date_naive();
    let midnight = |day: NaiveDate| micros(day.and_time(chrono::NaiveTime::MIN).and_utc());
    let first_of_month = today - TimeDelta::days(chrono::Datelike::day0(&today).into());
    let yesterday = today - TimeDelta::days(1);
    let last_month = first_of_month - TimeDelta::days(1);
    let last_month = last_month - TimeDelta::days(chrono::Datelike::day0(&last_month).into());
    let daily = (QuotaOwner::Token, 1, QuotaRefill::Daily);
    let monthly = (QuotaOwner::Token, 2, QuotaRefill::Monthly);
    let never = own(3);
    let quotas = [daily, monthly, never];
    let events = [
        use_of(&quotas, 1, midnight(today)),
        use_of(&quotas, 1, midnight(today) - 1),
        use_of(&quotas, 1, midnight(first_of_month)),
        use_of(&quotas, 1, midnight(first_of_month) - 1),
    ];
    // Late, and in the wrong order.
    for (index, event) in events.iter().rev().enumerate() {
        let number = index as u64 + 1;
        settler
            .settle(&[batch(SOURCE, number, &[*event])])
            .await
            .unwrap();
    }
    let mut expected = BTreeMap::new();
    for event in &events {
        for (_, generation, refill) in quotas {
            let day = refill.period(event.at_micros).first_day();
            *expected.entry((generation as i32, day)).or_insert(0) += 1;
        }
    }
    // What the rules of periods come to, in words.
    assert_eq!(expected[&(3, for_ever())], 4);
    assert!(expected[&(2, last_month)] >= 1 && expected[&(2, first_of_month)] >= 1);
    assert!(expected[&(1, today)] >= 1 && expected[&(1, yesterday)] >= 1);
    let expected: Vec<Balance> = expected
        .into_iter()
        .map(|((generation, day), used)| (TOKEN, generation, day, used))
        .collect();
    assert_eq!(balances(&pool).await, expected);
}

#[tokio::test]
async fn a_time_that_cannot_be_believed_counts_at_its_arrival() {
    let pool = TestDatabase::create().await.pool;
    let daily = (QuotaOwner::Token, 1, QuotaRefill::Daily);
    let (before, event) = (now(), use_of(&[daily], 1, i64::MAX));
    settler(&pool)
        .settle(&[batch(SOURCE, 1, &[event])])
        .await
        .unwrap();
    let counted = balances(&pool).await;
    let days = [before, now()].map(|at| QuotaRefill::Daily.period(at).first_day());
    assert!(
        counted.len() == 1 && days.contains(&counted[0].2),
        "{counted:?}"
    );
}

#[tokio::test]
async fn what_is_delivered_again_raises_nothing() {
    let pool = TestDatabase::create().await.pool;
    let settler = settler(&pool);
    let uses = [use_of(&[own(1)], 2, now()); 10];
    let whole = batch(SOURCE, 1, &uses);
    settler
        .settle(&[whole.clone(), whole.clone()])
        .await
        .unwrap();
    settler
        .settle(&[whole, batch(SOURCE, 3, &uses[..4])])
        .await
        .unwrap();
    // Partly settled: to the dead letters with it.
    let overlap = settler.settle(&[batch(SOURCE, 6, &uses)]).await.unwrap();
    assert_eq!(overlap.overlaps, 1);
    assert_eq!(balances(&pool).await, [(TOKEN, 1, for_ever(), 20)]);
}

#[tokio::test]
async fn of_a_halved_batch_the_good_events_count_once() {
    let pool = TestDatabase::create().await.pool;
    let settler = settler(&pool);
    let mut uses = [use_of(&[own(1)], 1, now()); 100];
    uses[13].user_agent = "\0";
    // Two that no honest node makes: a generation of none, and one beyond the table's numbers.
    uses[50] = use_of(&[own(0)], 1, now());
    uses[70] = use_of(&[own(u32::MAX)], 1, now());
    let group = [batch(SOURCE, 1, &uses)];
    let summary = settler.settle(&group).await.unwrap();
    assert_eq!((summary.events, summary.dead_records), (97, 3));
    assert_eq!(
        letters(&pool).await,
        [
            letter(14, 14, "refused", "record"),
            letter(51, 51, "refused", "record"),
            letter(71, 71, "undecodable", "record")
        ]
    );
    settler.settle(&group).await.unwrap();
    assert_eq!(balances(&pool).await, [(TOKEN, 1, for_ever(), 97)]);
}

#[tokio::test]
async fn usage_without_quotas_asks_nothing_of_the_balances() {
    let pool = TestDatabase::create().await.pool;
    // A statement that names the table fails, also if it changes no row.
    let refuse = "create function refuse() returns trigger language plpgsql as
        $$ begin raise exception 'not asked for' using errcode = '23514', constraint = 'refuse'; end $$";
    let each = "create trigger refuse before insert or update on quota_balances
        for each statement execute function refuse()";
    for statement in [refuse, each] {
        sqlx::query(statement).execute(&pool).await.unwrap();
    }
    let charged = use_of(&[own(1)], 1, now());
    let refused = settler(&pool)
        .settle(&[batch(OTHER_SOURCE, 1, &[charged])])
        .await
        .unwrap();
    assert_eq!(refused.dead_records, 1, "so it would be noticed");
    let all = events(50);
    settler(&pool)
        .settle(&[batch(SOURCE, 1, &all)])
        .await
        .unwrap();
    assert_counted(&pool, &expected(&all)).await;
}

#[tokio::test]
async fn balances_go_when_their_period_is_long_over_and_not_before() {
    let pool = TestDatabase::create().await.pool;
    let now = "2026-11-21T10:00:00Z".parse::<DateTime<Utc>>().unwrap();
    // Begun 72 and 71 days ago: one of the two may have been a month that ended 40 days ago.
    for day in ["2026-09-10", "2026-09-11", "2026-11-21", "1970-01-01"] {
        sqlx::query("insert into quota_balances values ($1, 1, $2::date, $3, 5)")
            .bind(TOKEN)
            .bind(day.parse::<NaiveDate>().unwrap())
            .bind(SOURCE)
            .execute(&pool)
            .await
            .unwrap();
    }
    remove_old_balances(&pool, now).await.unwrap();
    let days: Vec<String> = balances(&pool)
        .await
        .iter()
        .map(|balance| balance.2.to_string())
        .collect();
    assert_eq!(days, ["1970-01-01", "2026-09-11", "2026-11-21"]);
}
