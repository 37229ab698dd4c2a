//! `POST /v1/tokens`

use chrono::{DateTime, TimeDelta};
use serde_json::{Value, json};
use tollkeeper_testkit::Stack;
use uuid::Uuid;

use crate::support::{bad_fields, in_seconds, manager, now, path_of, problem, text, verify};

#[tokio::test]
async fn a_token_is_issued_and_works() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;

    let end = in_seconds(3600);
    let body = json!({
        "account_id": account, "name": "  deploy  ", "environment": "test",
        "scopes": ["orders:read", "orders:*", "orders:read"],
        "metadata": { "team": "ops" }, "expires_at": end,
    });
    let answer = operator.post("/v1/tokens", body).await;
    let mut made = answer.expect(201);
    assert_eq!(answer.header("etag"), Some("\"1\""));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let secret = text(&made, "token").to_owned();
    assert!(
        secret.starts_with("tk_test_") && secret.len() == 46,
        "shape"
    );
    assert_eq!(text(&made, "token_prefix"), &secret[..12]);
    assert_eq!(
        (&made["account_id"], &made["name"], &made["environment"]),
        (&json!(account), &json!("deploy"), &json!("test"))
    );
    assert_eq!(made["scopes"], json!(["orders:*", "orders:read"]));
    assert_eq!(made["metadata"], json!({ "team": "ops" }));
    assert_eq!(
        text(&made, "expires_at").parse::<DateTime<chrono::Utc>>(),
        end.parse()
    );
    assert_eq!(
        (&made["state"], &made["is_active"], &made["version"]),
        (&json!("active"), &json!(true), &json!(1))
    );
    assert_eq!(
        (
            &made["usage_count"],
            &made["last_used_at"],
            &made["last_accessed"]
        ),
        (&json!(0), &Value::Null, &Value::Null)
    );
    assert_eq!(made["issued_by"], Value::Null, "an operator has no token");
    assert_eq!(verify(&operator, &secret).await["code"], "VALID");

    let read = operator.get(&path_of(&made)).await.expect(200);
    made.as_object_mut().unwrap().remove("token");
    assert_eq!(
        read, made,
        "the answer was what is stored, but for the secret"
    );
}

#[tokio::test]
async fn the_secret_is_shown_once() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[("TOLLKEEPER_LOG", "debug")]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let made = operator.issue(&account, json!({})).await;
    let (path, first) = (path_of(&made), text(&made, "token").to_owned());
    let rotated = operator.post(&format!("{path}/rotate"), json!({})).await;
    let second = text(&rotated.expect(200), "token").to_owned();

    let mut answers = vec![
        operator.get(&path).await,
        operator.get("/v1/tokens").await,
        operator.patch(&path, json!({ "name": "other" })).await,
        operator.post(&format!("{path}/suspend"), json!({})).await,
        operator.post(&format!("{path}/resume"), json!({})).await,
        operator
            .post("/v1/verify", json!({ "token": second }))
            .await,
        api.bearer(&second).get("/v1/forward-auth").await,
    ];
    for answer in &answers {
        assert_eq!(answer.status, 200, "{}", answer.text);
    }
    // Answers that refuse something with the secret in it.
    let odd = json!({ "token": second, "scopes": ["X"] });
    answers.push(operator.post("/v1/verify", odd).await);
    answers.push(
        operator
            .post("/v1/verify", json!({ "tokens": second }))
            .await,
    );
    answers.push(api.bearer(&second).get("/v1/tokens").await);
    answers.push(api.bearer(&first).get("/v1/tokens").await);
    answers.push(operator.delete(&path).await);
    for answer in answers {
        for secret in [&first, &second] {
            let shown = format!("{:?}{}", answer.headers, answer.text);
            assert!(!shown.contains(secret.as_str()), "{shown}");
        }
    }
    let log = sqlx::query_scalar::<_, String>(
        "select string_agg(convert_from(payload, 'UTF8'), ' ') from events",
    );
    let log = log.fetch_one(&stack.database.pool).await.unwrap();
    assert!(log.contains("token_prefix"), "the events are there: {log}");
    for secret in [first, second] {
        assert!(!log.contains(&secret), "in the event log");
        assert!(!api.log_text().contains(&secret), "in the process's log");
    }
}

#[tokio::test]
async fn expiries_are_ahead_and_not_too_far() {
    let mut stack = Stack::bare().await;
    let api = stack
        .api(&[("TOLLKEEPER_MAX_TOKEN_LIFETIME_DAYS", "30")])
        .await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let issue = async |mut fields: Value| {
        fields["account_id"] = json!(account);
        fields["name"] = json!("a token");
        operator.post("/v1/tokens", fields).await
    };
    let day = 86_400;
    for (fields, pointer) in [
        (json!({ "expires_at": in_seconds(-1) }), "/expires_at"),
        (json!({ "expires_at": in_seconds(31 * day) }), "/expires_at"),
        (json!({ "expires_in_minutes": 31 * 1440 }), "/expires_at"),
        (json!({ "expires_in_minutes": 0 }), "/expires_in_minutes"),
        (json!({ "expires_in_minutes": -5 }), "/expires_in_minutes"),
        (
            json!({ "expires_in_minutes": i64::MAX }),
            "/expires_in_minutes",
        ),
        (
            json!({ "expires_in_minutes": 5, "expires_at": in_seconds(300) }),
            "/expires_in_minutes",
        ),
        (
            json!({ "not_before": in_seconds(60), "expires_at": in_seconds(30) }),
            "/not_before",
        ),
    ] {
        bad_fields(&issue(fields).await, &[pointer]);
    }

    let ends = async |fields| {
        let made = issue(fields).await.expect(201);
        let end: DateTime<chrono::Utc> = text(&made, "expires_at").parse().unwrap();
        let begun: DateTime<chrono::Utc> = text(&made, "created_at").parse().unwrap();
        end - begun
    };
    assert_eq!(
        ends(json!({ "expires_in_minutes": 5 })).await,
        TimeDelta::minutes(5)
    );
    assert_eq!(ends(json!({})).await, TimeDelta::days(30), "the longest");
}

#[tokio::test]
async fn tokens_may_be_told_to_live_for_ever() {
    let mut stack = Stack::bare().await;
    let api = stack
        .api(&[("TOLLKEEPER_MAX_TOKEN_LIFETIME_DAYS", "0")])
        .await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let made = operator.issue(&account, json!({})).await;
    assert_eq!(made["expires_at"], Value::Null);
    let far = (now() + TimeDelta::days(36_500)).to_rfc3339();
    let made = operator.issue(&account, json!({ "expires_at": far })).await;
    assert_eq!(
        verify(&operator, text(&made, "token")).await["code"],
        "VALID"
    );
}

#[tokio::test]
async fn a_token_is_issued_for_an_account_within_reach() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let (own, other) = (
        operator.account("own").await,
        operator.account("other").await,
    );
    let body = |account: &str| json!({ "name": "a token", "account_id": account });

    let nowhere = Uuid::nil().to_string();
    let answer = operator.post("/v1/tokens", body(&nowhere)).await;
    bad_fields(&answer, &["/account_id"]);
    let answer = operator.post("/v1/tokens", json!({ "name": "x" })).await;
    bad_fields(&answer, &["/account_id"]);
    let answer = api.nobody().post("/v1/tokens", body(&own)).await;
    problem(&answer, 401, "UNAUTHENTICATED");

    let parent = manager(&operator, &own, &["orders:*"]).await;
    let user = api.bearer(text(&parent, "token"));
    for foreign in [&other, &nowhere] {
        let answer = user.post("/v1/tokens", body(foreign)).await;
        bad_fields(&answer, &["/account_id"]);
    }
    let within = json!({ "name": "child", "scopes": ["orders:read"], "expires_in_minutes": 5 });
    let child = user.post("/v1/tokens", within.clone()).await.expect(201);
    assert_eq!(
        (&child["account_id"], &child["issued_by"]),
        (&json!(own), &parent["id"])
    );

    let plain = user.post("/v1/tokens", json!({ "name": "child" })).await;
    let plain = plain.expect(201);
    assert_eq!(
        plain["expires_at"], parent["expires_at"],
        "no longer than its parent"
    );

    for (field, value) in [
        ("scopes", json!(["users:read"])),
        ("scopes", json!(["*"])),
        ("scopes", json!(["tollkeeper:accounts.write"])),
        ("environment", json!("test")),
    ] {
        let mut beyond = within.clone();
        beyond[field] = value;
        problem(
            &user.post("/v1/tokens", beyond).await,
            403,
            "BEYOND_AUTHORITY",
        );
    }
    let short = json!({
        "scopes": ["tollkeeper:tokens.write"], "expires_in_minutes": 60,
    });
    let short = operator.issue(&own, short).await;
    let longer = json!({ "name": "child", "expires_in_minutes": 120 });
    let short = api.bearer(text(&short, "token"));
    let answer = short.post("/v1/tokens", longer).await;
    problem(&answer, 403, "BEYOND_AUTHORITY");
    let reader = operator
        .issue(&own, json!({ "scopes": ["tollkeeper:tokens.read"] }))
        .await;
    let answer = api
        .bearer(text(&reader, "token"))
        .post("/v1/tokens", within)
        .await;
    problem(&answer, 403, "INSUFFICIENT_SCOPE");
}

#[tokio::test]
async fn a_time_outside_the_calendar_is_refused_and_hurts_nobody_else() {
    let mut stack = Stack::bare().await;
    let api = stack
        .api(&[("TOLLKEEPER_MAX_TOKEN_LIFETIME_DAYS", "0")])
        .await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    for (field, time) in [
        ("not_before", "0000-01-01T00:00:00Z"),
        ("not_before", "-0001-01-01T00:00:00Z"),
        ("expires_at", "+10000-01-01T00:00:00Z"),
    ] {
        let body = json!({ "account_id": account, "name": "odd", field: time });
        let (odd, even) = tokio::join!(
            operator.post("/v1/tokens", body),
            operator.post(
                "/v1/tokens",
                json!({ "account_id": account, "name": "even" })
            ),
        );
        bad_fields(&odd, &[&format!("/{field}")]);
        let _ = even.expect(201);
    }
}
