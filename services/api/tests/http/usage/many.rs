//! `GET /v1/usage` and `GET /v1/usage/tokens`

use chrono::TimeDelta;
use serde_json::{Value, json};
use tollkeeper_domain::verdict::Verdict;
use tollkeeper_testkit::Stack;

use super::support::{Call, add, add_requests, ask, groups, hours, long_ago, sum_up};
use crate::support::{path_of, text};

fn requests(series: &Value) -> i64 {
    series["total"]["requests"].as_i64().unwrap()
}

#[tokio::test]
async fn the_usage_of_an_account_is_that_of_its_tokens_and_of_no_others() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let other = operator.account("crm-2").await;
    let scopes = json!({ "scopes": ["tollkeeper:usage.read"] });
    let first = operator.issue(&account, scopes).await;
    let second = operator.issue(&account, json!({})).await;
    let foreign = operator.issue(&other, json!({})).await;
    let pool = &stack.database.pool;
    add(pool, &first, &[Call::after(0)]).await;
    add(pool, &second, &[Call::after(1), Call::after(2)]).await;
    add(pool, &foreign, &(0..4).map(Call::after).collect::<Vec<_>>()).await;
    operator.delete(&path_of(&second)).await.expect(200);

    let range = hours(0, 1);
    let holder = api.bearer(text(&first, "token"));
    for (person, query, expected) in [
        (&operator, String::new(), 7),
        (&operator, format!("&account_id={account}"), 3),
        (&operator, format!("&account_id={other}"), 4),
        (&operator, format!("&token_id={}", text(&second, "id")), 2),
        (
            &operator,
            format!("&account_id={other}&token_id={}", text(&second, "id")),
            0,
        ),
        (&holder, String::new(), 3),
        (&holder, format!("&account_id={account}"), 3),
        (&holder, format!("&account_id={other}"), 0),
        (&holder, format!("&token_id={}", text(&second, "id")), 2),
        (&holder, format!("&token_id={}", text(&foreign, "id")), 0),
    ] {
        for bucket in ["minute", "hour", "day"] {
            let path = format!("/v1/usage?{range}{query}&bucket={bucket}");
            let series = ask(person, &path).await;
            assert_eq!(requests(&series), expected, "{path}");
        }
    }
    let usual = ask(&operator, &format!("/v1/usage?{range}")).await;
    assert_eq!(
        usual["bucket"], "hour",
        "no minute of many unless it is asked for"
    );
    let apart = ask(&holder, &format!("/v1/usage?{range}&group_by=token")).await;
    let expected = [
        (text(&second, "id").to_owned(), 2),
        (text(&first, "id").to_owned(), 1),
    ];
    assert_eq!(groups(&apart), expected);
    let path = format!("/v1/tokens/{}/usage", text(&foreign, "id"));
    holder.get(&path).await.expect(404);
}

#[tokio::test]
async fn the_tokens_that_are_used_most_come_first() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let other = operator.account("crm-2").await;
    let scopes = json!({ "name": "busy", "scopes": ["tollkeeper:usage.read"] });
    let busy = operator.issue(&account, scopes).await;
    let broken = operator.issue(&account, json!({ "name": "broken" })).await;
    let foreign = operator.issue(&other, json!({ "name": "foreign" })).await;
    operator.issue(&account, json!({ "name": "unused" })).await;
    let pool = &stack.database.pool;
    let calls: Vec<Call> = (0..3).map(Call::after).collect();
    add(pool, &busy, &calls).await;
    let failed = Call {
        status: 500,
        ..Call::after(7)
    };
    add(pool, &broken, &[failed.clone(), failed]).await;
    add(pool, &foreign, &calls[..1]).await;

    let range = hours(0, 1);
    let holder = api.bearer(text(&busy, "token"));
    let names = async |person, query: &str| {
        let top = ask(person, &format!("/v1/usage/tokens?{range}{query}")).await;
        let items = top["items"].as_array().unwrap().iter();
        let names: Vec<String> = items.map(|it| text(it, "name").to_owned()).collect();
        names.join(" ")
    };
    assert_eq!(names(&operator, "").await, "busy broken foreign");
    assert_eq!(names(&operator, "&limit=1").await, "busy");
    assert_eq!(names(&operator, "&order=errors").await, "broken");
    assert_eq!(
        names(&operator, &format!("&account_id={other}")).await,
        "foreign"
    );
    assert_eq!(names(&holder, "").await, "busy broken");
    assert_eq!(names(&holder, &format!("&account_id={other}")).await, "");
    let top = ask(&operator, &format!("/v1/usage/tokens?{range}&order=errors")).await;
    let item = &top["items"][0];
    assert_eq!((&item["requests"], &item["errors"]), (&json!(2), &json!(2)));
    assert_eq!(item["token_id"], broken["id"]);
    assert_eq!(item["token_prefix"], broken["token_prefix"]);
    assert_eq!(item["account_id"], account.as_str());
    let from = long_ago() - TimeDelta::days(20);
    let path = format!("/v1/usage/tokens?{}", hours(-20 * 24 + 5, 24));
    let days = ask(&operator, &path).await;
    assert_eq!(text(&days, "from").parse(), Ok(from), "whole days");
    assert_eq!(days["items"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn sums_of_accounts_tell_what_their_requests_tell() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let other = operator.account("crm-2").await;
    let reader = json!({ "scopes": ["tollkeeper:usage.read"] });
    let first = operator.issue(&account, reader).await;
    let mut tokens = vec![first.clone()];
    for owner in [&account, &account, &other] {
        tokens.push(operator.issue(owner, json!({})).await);
    }
    for (number, token) in tokens.iter().enumerate() {
        let calls = (0..10 * (number as i64 + 1)).map(|call| Call {
            at: long_ago() + TimeDelta::minutes(7 * call),
            endpoint: ["/a", "/b", "/c/7"][call as usize % 3],
            method: ["GET", "PUT"][call as usize / 3 % 2],
            status: [200, 401, 500][call as usize / 2 % 3],
            verdict: [Verdict::Valid, Verdict::Revoked][call as usize / 5 % 2],
            micros: 1 << call.min(20),
            ..Call::after(0)
        });
        add_requests(&stack.database.pool, token, &calls.collect::<Vec<_>>()).await;
    }
    sum_up(&stack.database.pool).await;
    let holder = api.bearer(text(&first, "token"));
    let range = hours(0, 16);
    for (person, of_account) in [
        (&operator, String::new()),
        (&operator, format!("&account_id={account}")),
        (&operator, format!("&account_id={other}")),
        (&holder, String::new()),
        (&holder, format!("&account_id={other}")),
    ] {
        for filter in [
            "",
            "&endpoint=/c/%7Bid%7D",
            "&method=PUT",
            "&status_class=4xx",
            "&verdict=REVOKED",
        ] {
            for group in ["", "endpoint", "method", "status_class", "token", "verdict"] {
                let mut path = format!("/v1/usage?{range}{of_account}{filter}&limit=2");
                if !group.is_empty() {
                    path = format!("{path}&group_by={group}");
                }
                let by_rows = ask(person, &format!("{path}&bucket=minute")).await;
                for bucket in ["hour", "day"] {
                    let by_sums = ask(person, &format!("{path}&bucket={bucket}")).await;
                    assert_eq!(by_sums["total"], by_rows["total"], "{path} {bucket}");
                    assert_eq!(totals(&by_sums), totals(&by_rows), "{path} {bucket}");
                    let is_of_rows = group == "token" && filter.starts_with("&verdict");
                    let source = if is_of_rows { "requests" } else { "rollups" };
                    assert_eq!(by_sums["read_from"], source, "{path} {bucket}");
                }
            }
        }
    }
}

/// The groups of a series, each with all of its time together.
fn totals(series: &Value) -> Vec<(&Value, &Value)> {
    let groups = series["groups"].as_array().into_iter().flatten();
    groups
        .map(|group| (&group["key"], &group["total"]))
        .collect()
}
