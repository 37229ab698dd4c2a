//! `GET /v1/tokens/{id}/usage`

use chrono::TimeDelta;
use serde_json::{Value, json};
use tollkeeper_domain::verdict::Verdict;
use tollkeeper_testkit::Stack;

use super::support::{Call, add, ask, at, counts, groups, hours, long_ago, usage_of};
use crate::support::text;

#[tokio::test]
async fn a_series_has_every_bucket_and_adds_up() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let token = operator.issue(&account, json!({})).await;
    let slow = Call {
        micros: 40_000,
        status: 500,
        ..Call::after(2 * 3600 + 61)
    };
    let refused = Call {
        verdict: Verdict::Revoked,
        status: 401,
        ..Call::after(25 * 3600)
    };
    let calls = [Call::after(0), Call::after(3599), slow, refused];
    add(&stack.database.pool, &token, &calls).await;

    let asked = format!(
        "from={}&to={}&bucket=hour",
        at(long_ago() + TimeDelta::seconds(10)),
        at(long_ago() + TimeDelta::seconds(2 * 3600 + 1)),
    );
    let series = ask(&operator, &usage_of(&token, &asked)).await;
    let moment = |name: &str| text(&series, name).parse().unwrap();
    assert_eq!(
        (moment("from"), moment("to")),
        (long_ago(), long_ago() + TimeDelta::hours(3))
    );
    assert_eq!(
        (series["bucket"].as_str(), &series["read_from"]),
        (Some("hour"), &json!("rollups"))
    );
    assert_eq!(counts(&series), [2, 0, 1]);
    let buckets = &series["buckets"];
    assert_eq!(buckets[1]["latency_us"], Value::Null);
    assert_eq!(
        (&buckets[0]["errors"], &buckets[2]["errors"]),
        (&json!(0), &json!(1))
    );
    assert_eq!(series["total"]["requests"], 3);
    assert_eq!(series["total"]["errors"], 1);
    let latency = &series["total"]["latency_us"];
    for (name, exact) in [("p50", 100), ("p90", 40_000), ("p99", 40_000)] {
        let told = latency[name].as_u64().unwrap();
        assert!(told < 2 * exact && exact < 2 * told, "{name}: {told}");
    }
    assert!(series.get("groups").is_none(), "{series}");

    let days = ask(
        &operator,
        &usage_of(&token, &format!("{}&bucket=day", hours(1, 26))),
    )
    .await;
    assert_eq!(counts(&days), [3, 1]);
    assert_eq!(days["total"]["errors"], 2);
    assert_eq!(days["read_from"], "rollups");
    let minutes = format!("{}&bucket=minute", hours(0, 3));
    let minutes = ask(&operator, &usage_of(&token, &minutes)).await;
    assert_eq!(minutes["read_from"], "requests");
    assert_eq!(counts(&minutes).len(), 180);
    assert_eq!(minutes["buckets"][121]["requests"], 1);
    assert_eq!(minutes["total"], series["total"], "whatever is read");

    for (range, bucket) in [(hours(0, 3), "minute"), (hours(0, 4), "hour")] {
        let usual = ask(&operator, &usage_of(&token, &range)).await;
        assert_eq!(usual["bucket"], bucket, "{range}");
    }
    let month = hours(-27 * 24, 4 * 24);
    let month = ask(&operator, &usage_of(&token, &month)).await;
    assert_eq!(
        (&month["bucket"], counts(&month).len()),
        (&json!("day"), 31)
    );
    let last_day = ask(&operator, &usage_of(&token, "")).await;
    assert!([24, 25].contains(&counts(&last_day).len()), "{last_day}");
    assert_eq!(last_day["total"]["requests"], 0);
}

#[tokio::test]
async fn requests_are_told_apart_by_what_they_have_in_common() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let token = operator.issue(&account, json!({})).await;
    let browser = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
    let calls = [
        Call::after(0),
        Call {
            endpoint: "/orders/7",
            ..Call::after(1)
        },
        Call {
            endpoint: "/orders/8",
            method: "POST",
            status: 503,
            ..Call::after(2)
        },
        Call {
            ip: Some("192.0.2.200"),
            user_agent: browser,
            endpoint: "/orders/9",
            ..Call::after(3)
        },
        Call {
            ip: Some("2001:db8:1:2::3"),
            user_agent: "",
            ..Call::after(4)
        },
        Call {
            ip: None,
            verdict: Verdict::Expired,
            status: 401,
            ..Call::after(5)
        },
    ];
    add(&stack.database.pool, &token, &calls).await;
    let told = async |more: &str| {
        let query = format!("{}&bucket=hour&{more}", hours(0, 1));
        ask(&operator, &usage_of(&token, &query)).await
    };
    let id = text(&token, "id");
    for (group_by, expected, read_from) in [
        (
            "endpoint",
            vec![("/orders", 3), ("/orders/{id}", 3)],
            "rollups",
        ),
        ("method", vec![("GET", 5), ("POST", 1)], "rollups"),
        (
            "status_class",
            vec![("2xx", 4), ("4xx", 1), ("5xx", 1)],
            "rollups",
        ),
        ("token", vec![(id, 6)], "rollups"),
        ("verdict", vec![("VALID", 5), ("EXPIRED", 1)], "requests"),
        (
            "user_agent_family",
            vec![("curl", 4), ("(none)", 1), ("Firefox", 1)],
            "requests",
        ),
        (
            "ip_network",
            vec![("192.0.2.0/24", 4), ("(none)", 1), ("2001:db8:1::/48", 1)],
            "requests",
        ),
    ] {
        let series = told(&format!("group_by={group_by}")).await;
        let expected: Vec<_> = expected
            .iter()
            .map(|(key, n)| ((*key).to_owned(), *n))
            .collect();
        assert_eq!(groups(&series), expected, "{group_by}");
        assert_eq!(series["read_from"], read_from, "{group_by}");
        assert_eq!(series["total"]["requests"], 6);
    }
    let largest = told("group_by=status_class&limit=1").await;
    assert_eq!(
        groups(&largest),
        [("2xx".to_owned(), 4), ("(other)".to_owned(), 2)]
    );
    let rest = &largest["groups"][1]["total"];
    assert_eq!((&rest["requests"], &rest["errors"]), (&json!(2), &json!(2)));
    let minutes = told("group_by=endpoint").await;
    let query = format!("{}&bucket=minute&group_by=endpoint", hours(0, 1));
    let by_minute = ask(&operator, &usage_of(&token, &query)).await;
    assert_eq!(groups(&by_minute), groups(&minutes), "whatever is read");

    for (filter, requests) in [
        ("endpoint=/orders", 3),
        ("endpoint=/orders/%7Bid%7D", 3),
        ("endpoint=/orders/7", 0),
        ("method=POST", 1),
        ("status_class=5xx", 1),
        ("status_class=other", 0),
        ("verdict=EXPIRED", 1),
        (
            "verdict=VALID&endpoint=/orders/%7Bid%7D&method=GET&status_class=2xx",
            2,
        ),
        ("verdict=VALID&endpoint=/orders", 2),
    ] {
        let series = told(filter).await;
        assert_eq!(series["total"]["requests"], requests, "{filter}");
    }
}
