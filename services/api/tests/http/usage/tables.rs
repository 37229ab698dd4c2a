//! Answers as CSV.

use serde_json::{Value, json};
use tollkeeper_testkit::Stack;
use tollkeeper_testkit::stack::{Answer, Person};

use super::support::{Call, add, at, hours, long_ago, usage_of};
use crate::support::text;

/// The lines of an answer in CSV.
#[track_caller]
fn lines(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.status, 200, "{}", answer.text);
    let kind = answer.header("content-type").unwrap();
    assert!(kind.starts_with("text/csv"), "{kind}");
    let body = answer.text.strip_suffix("\r\n").expect("a last line");
    body.split("\r\n").map(ToOwned::to_owned).collect()
}

async fn used_token(stack: &Stack, operator: &Person) -> Value {
    let account = operator.account("crm-1").await;
    let token = operator
        .issue(&account, json!({ "name": "=cmd|' /C calc'!A0" }))
        .await;
    let calls = [
        Call {
            endpoint: "=1+1",
            user_agent: "@sum, \"quoted\"",
            ..Call::after(0)
        },
        Call {
            status: 404,
            ..Call::after(1)
        },
    ];
    add(&stack.database.pool, &token, &calls).await;
    token
}

#[tokio::test]
async fn usage_is_told_as_a_table_without_formulas() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let token = used_token(&stack, &operator).await;
    let get = async |path: String| lines(&operator.get(&path).await);
    let (first, second) = (at(long_ago()), at(long_ago() + chrono::TimeDelta::hours(1)));

    let query = format!("{}&bucket=hour&format=csv", hours(0, 2));
    assert_eq!(
        get(usage_of(&token, &query)).await,
        [
            "start,requests,errors,p50_us,p90_us,p99_us",
            &format!("{first},2,1,80,112,112"),
            &format!("{second},0,0,,,"),
        ]
    );
    let grouped = get(usage_of(&token, &format!("{query}&group_by=endpoint"))).await;
    assert_eq!(
        grouped[0],
        "group,start,requests,errors,p50_us,p90_us,p99_us"
    );
    assert_eq!(grouped.len(), 5);
    assert!(
        grouped.contains(&format!("'=1+1,{first},1,0,96,96,96")),
        "{grouped:?}"
    );
    let top = get(format!("/v1/usage/tokens?{}&format=csv", hours(0, 1))).await;
    assert_eq!(
        top,
        [
            "token_id,account_id,name,token_prefix,requests,errors",
            &format!(
                "{},{},'=cmd|' /C calc'!A0,{},2,1",
                text(&token, "id"),
                text(&token, "account_id"),
                text(&token, "token_prefix"),
            ),
        ]
    );
}

#[tokio::test]
async fn a_table_of_requests_says_where_it_goes_on() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let token = used_token(&stack, &operator).await;
    let path = format!("/v1/tokens/{}/usage/requests", text(&token, "id"));
    let first = operator.get(&format!("{path}?format=csv&limit=1")).await;
    let newest = at(long_ago() + chrono::TimeDelta::seconds(1));
    assert_eq!(
        lines(&first),
        [
            "timestamp,timestamp_replaced,method,endpoint,status,verdict,response_time_us,ip,user_agent,request_id,token_version",
            &format!("{newest},false,GET,/orders,404,VALID,100,192.0.2.7,curl/8.5.0,,1"),
        ]
    );
    let link = first.header("link").expect("there is more");
    let (next, rest) = link.strip_prefix('<').unwrap().split_once('>').unwrap();
    assert_eq!(rest, "; rel=\"next\"");
    let last = operator.get(next).await;
    let expected = format!(
        "{},false,GET,'=1+1,200,VALID,100,192.0.2.7,\"'@sum, \"\"quoted\"\"\",,1",
        at(long_ago())
    );
    assert_eq!(lines(&last)[1..], [expected]);
    assert_eq!(last.header("link"), None);
}
