//! What is left of quotas, as it is counted.

use std::collections::BTreeSet;

use chrono::{NaiveDate, TimeDelta};
use serde_json::{Value, json};
use tollkeeper_domain::quota::QuotaRefill;
use tollkeeper_testkit::Stack;

use crate::support::{now, path_of, text};

/// The periods that a request may count in now or in a moment, as the night may come meanwhile.
fn periods(refill: QuotaRefill) -> BTreeSet<NaiveDate> {
    let moments = [now(), now() + TimeDelta::days(1)];
    let periods = moments.map(|at| refill.period(at.timestamp_micros()).first_day());
    periods.into_iter().collect()
}

/// Counts as the ingestor does it, from a source of its own.
async fn count(stack: &Stack, owner: &str, generation: i32, refill: QuotaRefill, used: i64) {
    for period in periods(refill) {
        counted_in(stack, owner, generation, period, used).await;
    }
}

async fn counted_in(stack: &Stack, owner: &str, generation: i32, period: NaiveDate, used: i64) {
    let owner: uuid::Uuid = owner.parse().unwrap();
    sqlx::query("insert into quota_balances values ($1, $2, $3, gen_random_uuid(), $4)")
        .bind(owner)
        .bind(generation)
        .bind(period)
        .bind(used)
        .execute(&stack.database.pool)
        .await
        .unwrap();
}

/// Name, generation, what was used, and what is left.
fn uses(told: &Value) -> Vec<(&str, u64, u64, u64)> {
    let items = told["items"].as_array().unwrap().iter();
    let number = |it: &Value, member: &str| it[member].as_u64().unwrap();
    let one = |it| {
        let [generation, used, left] =
            ["generation", "used", "remaining"].map(|member| number(it, member));
        (text(it, "name"), generation, used, left)
    };
    items.map(one).collect()
}

#[tokio::test]
async fn what_is_left_is_that_of_this_period_and_generation() {
    use QuotaRefill::{Daily, Monthly, None};

    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let quotas = json!({ "quotas": [
        { "name": "all", "limit": 10 },
        { "name": "day", "limit": 20, "refill": "daily" },
        { "name": "month", "limit": 30, "refill": "monthly" },
    ] });
    let account = operator.post("/v1/accounts", quotas.clone()).await;
    let account = text(&account.expect(201), "id").to_owned();
    let account_path = format!("/v1/accounts/{account}");
    let token = operator.issue(&account, quotas).await;
    for (owner, path) in [
        (text(&token, "id"), path_of(&token)),
        (&*account, account_path),
    ] {
        let path = format!("{path}/quotas");
        let told = async || operator.get(&path).await.expect(200);
        let begun = told().await;
        assert_eq!(
            uses(&begun),
            [("all", 1, 0, 10), ("day", 2, 0, 20), ("month", 3, 0, 30)]
        );
        let all = json!({
            "name": "all", "limit": 10, "refill": "none", "generation": 1, "used": 0,
            "remaining": 10, "period": null, "resets_at": null,
        });
        assert_eq!(begun["items"][0], all);
        for (place, refill) in [(1, Daily), (2, Monthly)] {
            let item = &begun["items"][place];
            let period: NaiveDate = text(item, "period").parse().unwrap();
            assert!(periods(refill).contains(&period), "{item}");
            let begins = period.and_time(chrono::NaiveTime::MIN).and_utc();
            let ends = refill.ends(begins.timestamp_micros()).unwrap();
            assert_eq!(item["resets_at"], json!(ends));
        }

        // From several sources, and more than there was.
        count(&stack, owner, 1, None, 8).await;
        count(&stack, owner, 1, None, 7).await;
        count(&stack, owner, 2, Daily, 5).await;
        count(&stack, owner, 3, Monthly, 29).await;
        count(&stack, owner, 3, Monthly, 1).await;
        // Of an earlier period, and of a generation that is not theirs.
        let long_ago = NaiveDate::from_ymd_opt(2020, 1, 1).unwrap();
        counted_in(&stack, owner, 2, long_ago, 9).await;
        count(&stack, owner, 4, Daily, 9).await;
        assert_eq!(
            uses(&told().await),
            [("all", 1, 15, 0), ("day", 2, 5, 15), ("month", 3, 30, 0)]
        );

        let refill = format!("{path}/all/refill");
        operator.post(&refill, json!({})).await.expect(200);
        // What comes late counts for the balance that was charged.
        count(&stack, owner, 1, None, 100).await;
        count(&stack, owner, 5, None, 1).await;
        assert_eq!(uses(&told().await)[0], ("all", 4, 0, 10));
    }
}
