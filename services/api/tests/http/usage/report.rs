//! `POST /v1/usage`

mod kept;

use chrono::TimeDelta;
use futures::future::join_all;
use serde_json::{Value, json};
use sqlx::PgPool;
use tollkeeper_testkit::{Stack, wait_for};

use super::support::{ask, usage_of};
use crate::jwt;
use crate::support::{
    bad_fields, in_seconds, now, path_of, problem, system_account, text, unissued,
};

const PATH: &str = "/v1/usage";

/// An id that nothing has.
const NOTHING: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

/// A usual call of the token.
fn call(token: &Value, id: &str) -> Value {
    json!({
        "id": id,
        "token_id": token["id"],
        "endpoint": "/orders/7",
        "method": "GET",
        "status": 200,
    })
}

/// The call with these members changed or, where null, left out.
fn changed(mut call: Value, patch: &Value) -> Value {
    let members = call.as_object_mut().unwrap();
    for (name, value) in patch.as_object().unwrap() {
        members.insert(name.clone(), value.clone());
    }
    members.retain(|_, value| !value.is_null());
    call
}

fn outcomes(report: &Value) -> Vec<&str> {
    let results = report["results"].as_array().unwrap().iter();
    results.map(|it| text(it, "outcome")).collect()
}

async fn count(pool: &PgPool, table: &str) -> i64 {
    let count = sqlx::AssertSqlSafe(format!("select count(*) from {table}"));
    sqlx::query_scalar(count).fetch_one(pool).await.unwrap()
}

#[tokio::test]
async fn what_is_reported_is_counted_once_and_told_as_it_was() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let _ingestor = stack.ingestor(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let token = operator.issue(&account, json!({})).await;
    let other = operator.issue(&account, json!({})).await;
    let at = in_seconds(-3600);
    let leaky = format!("/leak/{}?key=1", unissued());
    let full = json!({
        "endpoint": leaky,
        "method": "DELETE",
        "status": 403,
        "timestamp": at,
        "response_time_us": 812,
        "ip": "2001:db8::7",
        "user_agent": format!("curl {}", unissued()),
        "verdict": "INSUFFICIENT_SCOPE",
    });
    let events = [
        changed(call(&token, "a"), &full),
        call(&token, "b"),
        // The same call once more, and one that only has its name.
        call(&token, "b"),
        changed(call(&token, "a"), &json!({ "status": 500 })),
        // Of one account, whatever the token.
        call(&other, "b"),
        changed(call(&token, "c"), &json!({ "token_id": NOTHING })),
        changed(call(&token, "d"), &json!({ "method": "NO SPACE" })),
    ];
    let report = operator.post(PATH, json!({ "events": events })).await;
    let report = report.expect(200);
    let expected = [
        "accepted",
        "accepted",
        "duplicate",
        "duplicate",
        "duplicate",
        "rejected",
        "rejected",
    ];
    assert_eq!(outcomes(&report), expected);
    assert_eq!(
        (
            &report["accepted"],
            &report["duplicates"],
            &report["rejected"]
        ),
        (&json!(2), &json!(3), &json!(2))
    );
    let again = operator.post(PATH, json!({ "events": events[..2] })).await;
    assert_eq!(outcomes(&again.expect(200)), ["duplicate", "duplicate"]);

    wait_for("the calls to be counted", async || {
        ask(&operator, &usage_of(&token, "bucket=day")).await["total"]["requests"] == 2
    })
    .await;
    let path = format!("{}/usage/requests?limit=10", path_of(&token));
    let requests = ask(&operator, &path).await;
    let items = requests["items"].as_array().unwrap();
    assert_eq!(
        (items.len(), &items[0]["endpoint"]),
        (2, &json!("/orders/7"))
    );
    let told = json!({
        "timestamp": items[1]["timestamp"],
        "timestamp_replaced": false,
        "method": "DELETE",
        "endpoint": "/leak/[redacted]",
        "status": 403,
        "verdict": "INSUFFICIENT_SCOPE",
        "response_time_us": 812,
        "ip": "2001:db8::7",
        "user_agent": "curl [redacted]",
        "request_id": null,
        "token_version": 1,
    });
    assert_eq!(items[1], told);
    assert_eq!(items[1]["timestamp"], json!(at));
    let row = ask(&operator, &path_of(&token)).await;
    assert_eq!(row["usage_count"], 2);
    assert_eq!(row["last_used_at"], items[0]["timestamp"]);
    let late = operator.post(PATH, json!({ "events": [call(&token, "a")] }));
    assert_eq!(outcomes(&late.await.expect(200)), ["duplicate"]);
}

#[tokio::test]
async fn what_is_wrong_with_a_call_is_told_and_holds_up_no_other() {
    let mut stack = Stack::bare().await;
    let api = stack
        .api(&[("TOLLKEEPER_USAGE_RETENTION_DAYS", "30")])
        .await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let token = operator.issue(&account, json!({})).await;
    let long_ago = in_seconds(-30 * 86_400 - 60);
    let secret = unissued();
    let cases = [
        (json!({ "id": "" }), "INVALID_FIELDS", vec!["/id"]),
        (
            json!({ "id": "x".repeat(65) }),
            "INVALID_FIELDS",
            vec!["/id"],
        ),
        (json!({ "id": "a b" }), "INVALID_FIELDS", vec!["/id"]),
        (json!({ "id": secret }), "INVALID_FIELDS", vec!["/id"]),
        (json!({ "id": 7 }), "INVALID_FIELDS", vec!["/id"]),
        (json!({ "id": null }), "INVALID_FIELDS", vec![""]),
        (json!({ "color": "red" }), "INVALID_FIELDS", vec!["/color"]),
        (
            json!({ "token_id": secret }),
            "INVALID_FIELDS",
            vec!["/token_id"],
        ),
        (
            json!({ "endpoint": "" }),
            "INVALID_FIELDS",
            vec!["/endpoint"],
        ),
        (
            json!({ "endpoint": "/\u{0}" }),
            "INVALID_FIELDS",
            vec!["/endpoint"],
        ),
        (json!({ "method": "" }), "INVALID_FIELDS", vec!["/method"]),
        (
            json!({ "method": "X".repeat(17) }),
            "INVALID_FIELDS",
            vec!["/method"],
        ),
        (json!({ "status": 99 }), "INVALID_FIELDS", vec!["/status"]),
        (
            json!({ "status": 70_000 }),
            "INVALID_FIELDS",
            vec!["/status"],
        ),
        (
            json!({ "response_time_us": -1 }),
            "INVALID_FIELDS",
            vec!["/response_time_us"],
        ),
        (
            json!({ "ip": "192.0.2.0/24" }),
            "INVALID_FIELDS",
            vec!["/ip"],
        ),
        (
            json!({ "user_agent": "\u{0}" }),
            "INVALID_FIELDS",
            vec!["/user_agent"],
        ),
        (
            json!({ "verdict": "NOT_FOUND" }),
            "INVALID_FIELDS",
            vec!["/verdict"],
        ),
        (
            json!({ "verdict": "GONE", "status": 600 }),
            "INVALID_FIELDS",
            vec!["/status", "/verdict"],
        ),
        (
            json!({ "timestamp": "yesterday" }),
            "INVALID_FIELDS",
            vec!["/timestamp"],
        ),
        (
            json!({ "timestamp": in_seconds(600) }),
            "TIMESTAMP_OUT_OF_RANGE",
            vec!["/timestamp"],
        ),
        (
            json!({ "timestamp": long_ago }),
            "TIMESTAMP_OUT_OF_RANGE",
            vec!["/timestamp"],
        ),
        (
            json!({ "token_id": NOTHING }),
            "NOT_FOUND",
            vec!["/token_id"],
        ),
    ];
    let wrong = cases
        .iter()
        .map(|(patch, _, _)| changed(call(&token, "a"), patch));
    let mut events: Vec<Value> = wrong.collect();
    events.push(json!(["a", token["id"], "/", "GET", 200]));
    events.push(call(&token, "a"));
    let answer = operator.post(PATH, json!({ "events": events })).await;
    let report = answer.expect(200);
    assert!(!answer.text.contains(&secret), "{}", answer.text);
    let results = report["results"].as_array().unwrap();
    for (place, (patch, code, pointers)) in cases.iter().enumerate() {
        let result = &results[place];
        assert_eq!(result["outcome"], "rejected", "{patch}");
        assert_eq!(result["code"], *code, "{patch}: {result}");
        let errors = result["errors"].as_array().unwrap().iter();
        let found: Vec<&str> = errors.map(|error| text(error, "pointer")).collect();
        let place = format!("/events/{place}");
        let expected = pointers.iter().map(|it| format!("{place}{it}"));
        assert_eq!(found, expected.collect::<Vec<_>>(), "{patch}");
    }
    assert_eq!(results[cases.len()]["outcome"], "rejected");
    assert_eq!(results[cases.len() + 1], json!({ "outcome": "accepted" }));
    assert_eq!(count(&stack.database.pool, "usage_reports").await, 1);
    assert_eq!(count(&stack.database.pool, "usage_report_ids").await, 1);
}

#[tokio::test]
async fn a_report_has_so_many_calls_and_bytes() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let token = operator.issue(&account, json!({})).await;
    let most: Vec<Value> = (0..1001).map(|it| call(&token, &format!("{it}"))).collect();
    for events in [&most[..0], &most[..]] {
        let answer = operator.post(PATH, json!({ "events": events })).await;
        bad_fields(&answer, &["/events"]);
    }
    let more = json!({ "events": [], "color": "red" });
    bad_fields(&operator.post(PATH, more).await, &["/color"]);
    let large = changed(
        call(&token, "x"),
        &json!({ "user_agent": "x".repeat(1 << 20) }),
    );
    let large = operator.post(PATH, json!({ "events": [large] })).await;
    problem(&large, 413, "BODY_TOO_LARGE");
    let report = operator.post(PATH, json!({ "events": most[..1000] })).await;
    assert_eq!(report.expect(200)["accepted"], 1000);
}

#[tokio::test]
async fn of_reports_at_once_each_call_is_accepted_by_one() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let other = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let token = operator.issue(&account, json!({})).await;
    let mut events: Vec<Value> = (0..300).map(|it| call(&token, &format!("{it}"))).collect();
    let nodes = [api.operator(), other.operator()];
    let reports = (0..8).map(|turn| {
        // Not two in the same order.
        events.rotate_left(37);
        let body = json!({ "events": events });
        nodes[turn % 2].post(PATH, body)
    });
    let answers = join_all(reports.collect::<Vec<_>>()).await;
    let accepted = answers.iter().map(|it| it.expect(200)["accepted"].as_u64());
    assert_eq!(accepted.map(Option::unwrap).sum::<u64>(), 300);
    let _ingestor = stack.ingestor(&[]).await;
    wait_for("all to be counted", async || {
        count(&stack.database.pool, "usage_reports").await == 0
    })
    .await;
    let row = ask(&operator, &path_of(&token)).await;
    assert_eq!(row["usage_count"], 300);
    assert_eq!(count(&stack.database.pool, "api_token_usage").await, 300);
}

#[tokio::test]
async fn calls_are_reported_of_tokens_within_reach_alone() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&jwt::SETTINGS).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let token = operator.issue(&account, json!({})).await;
    let foreign = operator.account("crm-2").await;
    let foreign = operator.issue(&foreign, json!({})).await;
    let scopes = json!({ "scopes": ["tollkeeper:usage.write"] });
    let own = operator.issue(&account, scopes.clone()).await;
    let own = api.bearer(text(&own, "token"));
    let events = json!({ "events": [call(&token, "a"), call(&foreign, "a")] });
    let report = own.post(PATH, events.clone()).await.expect(200);
    assert_eq!(outcomes(&report), ["accepted", "rejected"]);
    assert_eq!(report["results"][1]["code"], "NOT_FOUND");
    let nothing = changed(call(&token, "b"), &json!({ "token_id": NOTHING }));
    let unknown = own.post(PATH, json!({ "events": [{}, nothing] })).await;
    assert_eq!(
        unknown.expect(200)["results"][1],
        report["results"][1],
        "not there and not yours are the same"
    );
    // Ids are told apart by the account of the token, and not by who reports.
    let system = system_account(&operator).await;
    let gateway = operator.issue(&system, scopes).await;
    let gateway = api.bearer(text(&gateway, "token"));
    let report = gateway.post(PATH, events.clone()).await.expect(200);
    assert_eq!(outcomes(&report), ["duplicate", "accepted"]);
    // Usage is what account holders are billed by.
    let holder = api.bearer(&jwt::of("user-1"));
    problem(&holder.post(PATH, events).await, 403, "INSUFFICIENT_SCOPE");
}
