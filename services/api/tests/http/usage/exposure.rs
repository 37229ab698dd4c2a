//! `GET /v1/tokens/{id}/exposure`

use chrono::TimeDelta;
use serde_json::{Value, json};
use tollkeeper_domain::verdict::Verdict;
use tollkeeper_testkit::{Stack, wait_for};

use super::support::{Call, add_requests, ask, at, long_ago, refused};
use crate::support::{now, path_of, text};

fn report_on(token: &Value, query: &str) -> String {
    format!("{}/exposure?{query}", path_of(token))
}

/// The keys of a kind, how often they were seen, and how often they passed.
fn traces(report: &Value, kind: &str) -> Vec<(Value, i64, i64)> {
    let items = report[kind]["items"].as_array().unwrap().iter();
    let short = |it: &Value| {
        let number = |name: &str| it[name].as_i64().unwrap();
        (it["key"].clone(), number("requests"), number("allowed"))
    };
    items.map(short).collect()
}

fn moment(value: &Value) -> chrono::DateTime<chrono::Utc> {
    value.as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn everything_that_a_leaked_token_did_is_reported() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let token = operator.issue(&account, json!({})).await;
    let other = operator.issue(&account, json!({})).await;
    let pool = &stack.database.pool;
    let thief = Call {
        ip: Some("198.51.100.9"),
        endpoint: "/orders/7",
        ..Call::after(100)
    };
    let caught = Call {
        at: long_ago() + TimeDelta::seconds(300),
        verdict: Verdict::IpNotAllowed,
        status: 403,
        method: "DELETE",
        ..thief.clone()
    };
    let calls = [
        Call::after(0),
        Call::after(60),
        thief,
        caught,
        Call {
            ip: None,
            ..Call::after(200)
        },
    ];
    add_requests(pool, &token, &calls).await;
    add_requests(pool, &other, &[Call::after(70)]).await;

    let since = format!("since={}", at(long_ago() + TimeDelta::seconds(60)));
    let report = ask(&operator, &report_on(&token, &since)).await;
    assert_eq!(report["revocation"], Value::Null);
    assert_eq!(
        (&report["requests"], &report["allowed"]),
        (&json!(4), &json!(3))
    );
    let second = |seconds| long_ago() + TimeDelta::seconds(seconds);
    assert_eq!(moment(&report["first_seen"]), second(60));
    assert_eq!(moment(&report["last_seen"]), second(300));
    assert_eq!(moment(&report["last_allowed"]), second(200));
    assert_eq!(moment(&report["last_refused"]), second(300));
    for (kind, expected) in [
        (
            "verdicts",
            vec![(json!("VALID"), 3, 3), (json!("IP_NOT_ALLOWED"), 1, 0)],
        ),
        (
            "endpoints",
            vec![(json!("/orders"), 2, 2), (json!("/orders/{id}"), 2, 1)],
        ),
        (
            "methods",
            vec![(json!("GET"), 3, 3), (json!("DELETE"), 1, 0)],
        ),
        (
            "addresses",
            vec![
                (json!("198.51.100.9"), 2, 1),
                (json!("192.0.2.7"), 1, 1),
                (Value::Null, 1, 1),
            ],
        ),
        (
            "networks",
            vec![
                (json!("198.51.100.0/24"), 2, 1),
                (json!("192.0.2.0/24"), 1, 1),
                (Value::Null, 1, 1),
            ],
        ),
    ] {
        assert_eq!(traces(&report, kind), expected, "{kind}");
        assert_eq!(report[kind]["count"], expected.len(), "{kind}");
    }
    let address = &report["addresses"]["items"][0];
    assert_eq!(moment(&address["first_seen"]), second(100));
    assert_eq!(moment(&address["last_seen"]), second(300));

    assert_eq!(report["usage_unmarked_sources"], 0);
    wait_for("usage to be complete beyond what was read", async || {
        let later = ask(&operator, &report_on(&token, &since)).await;
        moment(&later["usage_complete_through"]) > moment(&report["as_of"])
    })
    .await;
    // A process that vanished with calls that nobody has counted, and one of an older version.
    for row in [
        "insert into usage_reporters
           (id, name, started_at, seen_at, sources, marked_at, appended, checked_at, checked,
            complete_through)
         values (gen_random_uuid(), 'gone', '2026-03-01T00:00:00Z', '2026-03-01T12:00:00Z',
            array[gen_random_uuid()], '2026-03-01T12:00:00Z', array[3], '2026-03-01T11:59:59Z', array[1],
            '2026-03-01T11:59:58Z')",
        "insert into usage_sources (source) values (gen_random_uuid())",
    ] {
        sqlx::query(row).execute(pool).await.unwrap();
    }
    let unsure = ask(&operator, &report_on(&token, &since)).await;
    assert_eq!(
        (
            &unsure["usage_complete_through"],
            &unsure["usage_unmarked_sources"]
        ),
        (&json!("2026-03-01T11:59:58Z"), &json!(1))
    );

    let none = ask(&operator, &report_on(&token, "")).await;
    assert_eq!(none["requests"], 0, "before the token was");
    assert_eq!(none["first_seen"], Value::Null);
    assert_eq!(none["addresses"], json!({ "items": [], "count": 0 }));
    let many: Vec<Call> = (0..120)
        .map(|second| Call {
            method: if second < 60 { "GET" } else { "PUT" },
            ..Call::after(second)
        })
        .collect();
    add_requests(pool, &other, &many).await;
    sqlx::query("update api_token_usage set ip = '2001:db8::'::inet + (response_time_us + extract(epoch from \"timestamp\")::bigint % 1000)")
        .execute(pool)
        .await
        .unwrap();
    let since = format!("since={}", at(long_ago()));
    let report = ask(&operator, &report_on(&other, &since)).await;
    assert_eq!(report["addresses"]["items"].as_array().unwrap().len(), 100);
    assert_eq!(report["addresses"]["count"], 120);
    assert_eq!(
        traces(&report, "networks"),
        [(json!("2001:db8::/48"), 121, 121)]
    );
}

#[tokio::test]
async fn nodes_that_may_still_let_it_pass_are_named() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    // It may go on for as long as it runs, so it is pending however long it is silent.
    let other = stack.api(&[("TOLLKEEPER_STALE_POLICY", "allow")]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let token = operator.issue(&account, json!({})).await;
    other.freeze().await;
    let revoked = operator.delete(&path_of(&token)).await.expect(200);
    let late = Call {
        at: moment(&revoked["revoked_at"]) + TimeDelta::milliseconds(1),
        ..Call::after(0)
    };
    let refused = Call {
        verdict: Verdict::Revoked,
        status: 401,
        ..late.clone()
    };
    let early = Call {
        at: now() - TimeDelta::hours(1),
        ..late.clone()
    };
    add_requests(&stack.database.pool, &token, &[early, late, refused]).await;

    let since = format!("since={}", at(now() - TimeDelta::days(1)));
    let path = report_on(&token, &since);
    // This node applies it by itself.
    wait_for("one node to be pending", async || {
        let report = ask(&operator, &path).await;
        let revocation = &report["revocation"];
        revocation["pending"].as_array().unwrap().len() == 1
            && revocation["applied"].as_array().unwrap().len() == 1
    })
    .await;
    let report = ask(&operator, &path).await;
    let revocation = &report["revocation"];
    assert_eq!(revocation["revoked_at"], revoked["revoked_at"]);
    assert_eq!(revocation["applied_everywhere"], false);
    assert_eq!(revocation["allowed_after"], 1);
    assert_eq!(
        (&report["requests"], &report["allowed"]),
        (&json!(3), &json!(2))
    );
    let events = ask(&operator, "/v1/events").await;
    let last = events["items"].as_array().unwrap().last().unwrap();
    assert_eq!(
        (&last["type"], &last["position"]),
        (&json!("TokenRevoked"), &revocation["position"])
    );

    other.signal(tollkeeper_testkit::stack::Signal::CONT);
    wait_for("all nodes to have applied it", async || {
        let report = ask(&operator, &path).await;
        report["revocation"]["applied_everywhere"] == true
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_asked_of_an_exposure_is_named() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let token = operator.issue(&account, json!({})).await;
    for query in ["since=yesterday", "since=1969-01-01T00:00:00Z"] {
        let answer = operator.get(&report_on(&token, query)).await;
        refused(&answer, "INVALID_QUERY", "since");
    }
    let foreign = operator.account("crm-2").await;
    let scopes = json!({ "scopes": ["tollkeeper:usage.read"] });
    let stranger = operator.issue(&foreign, scopes).await;
    let stranger = api.bearer(text(&stranger, "token"));
    stranger.get(&report_on(&token, "")).await.expect(404);
}
