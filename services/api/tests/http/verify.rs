//! `POST /v1/verify`

use reqwest::Method;
use serde_json::{Value, json};
use tollkeeper_testkit::{Stack, wait_for};

use crate::support::{
    bad_fields, in_seconds, path_of, problem, text, unissued, verified_as, verify, with_header,
};

#[tokio::test]
async fn the_first_answer_is_read_and_the_next_ones_are_remembered() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let made = operator
        .issue(&account, json!({ "scopes": ["a", "b:*"] }))
        .await;
    let secret = text(&made, "token");

    for cache in ["miss", "hit", "hit"] {
        let told = verify(&operator, secret).await;
        assert_eq!(
            (&told["valid"], &told["code"], &told["cache"]),
            (&json!(true), &json!("VALID"), &json!(cache))
        );
        for (member, of) in [
            ("token_id", "id"),
            ("account_id", "account_id"),
            ("environment", "environment"),
            ("scopes", "scopes"),
            ("expires_at", "expires_at"),
            ("version", "version"),
        ] {
            assert_eq!(told[member], made[of], "{member}");
        }
        assert!(told["age_ms"].is_u64(), "{told}");
    }
    let question = Some(json!({ "token": secret }));
    let fresh = ("cache-control", "max-age=0, No-Cache");
    let read = with_header(&operator, Method::POST, "/v1/verify", fresh, question).await;
    let read = read.expect(200);
    assert_eq!(
        (&read["code"], &read["cache"]),
        (&json!("VALID"), &json!("miss"))
    );

    operator
        .patch(&path_of(&made), json!({ "name": "new" }))
        .await
        .expect(200);
    wait_for("the new version", async || {
        verify(&operator, secret).await["version"] == 2
    })
    .await;
}

#[tokio::test]
async fn every_verdict_is_200_and_has_its_code() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let token = async |fields: Value| {
        let made = operator.issue(&account, fields).await;
        (text(&made, "token").to_owned(), path_of(&made))
    };
    let (valid, _) = token(json!({ "scopes": ["orders:*"] })).await;
    let (early, _) = token(json!({ "not_before": in_seconds(3600) })).await;
    let (short, _) = token(json!({ "expires_at": in_seconds(1) })).await;
    let (resting, path) = token(json!({})).await;
    operator
        .post(&format!("{path}/suspend"), json!({}))
        .await
        .expect(200);
    let (ended, path) = token(json!({})).await;
    operator.delete(&path).await.expect(200);
    verified_as(&operator, &short, "EXPIRED").await;

    let flipped = {
        let last = if valid.ends_with('0') { "1" } else { "0" };
        format!("{}{last}", &valid[..valid.len() - 1])
    };
    for (question, code) in [
        (json!({ "token": valid }), "VALID"),
        (
            json!({ "token": valid, "scopes": ["orders:read", "orders:write"] }),
            "VALID",
        ),
        (json!({ "token": valid, "environment": "live" }), "VALID"),
        (
            json!({ "token": valid, "scopes": ["orders:read", "users:read"] }),
            "INSUFFICIENT_SCOPE",
        ),
        (
            json!({ "token": valid, "environment": "test" }),
            "WRONG_ENVIRONMENT",
        ),
        (json!({ "token": early }), "NOT_YET_VALID"),
        (json!({ "token": short }), "EXPIRED"),
        (json!({ "token": resting }), "SUSPENDED"),
        (json!({ "token": ended }), "REVOKED"),
        (json!({ "token": unissued() }), "NOT_FOUND"),
        (json!({ "token": flipped }), "MALFORMED"),
        (json!({ "token": "" }), "MALFORMED"),
        (json!({ "token": "\u{0}é" }), "MALFORMED"),
    ] {
        let told = operator
            .post("/v1/verify", question.clone())
            .await
            .expect(200);
        assert_eq!(told["code"], code, "{question}");
        assert_eq!(told["valid"], code == "VALID");
        let known = !["MALFORMED", "NOT_FOUND"].contains(&code);
        assert_eq!(told["token_id"].is_string(), known, "{told}");
    }
    let suspend = format!("/v1/accounts/{account}/suspend");
    operator.post(&suspend, json!({})).await.expect(200);
    assert_eq!(verify(&operator, &valid).await["code"], "ACCOUNT_SUSPENDED");

    for (question, pointer) in [
        (json!({ "token": valid, "scopes": ["A"] }), "/scopes/0"),
        (
            json!({ "token": valid, "environment": "prod" }),
            "/environment",
        ),
        (json!({ "token": valid, "ip": "somewhere" }), "/ip"),
        (
            json!({ "token": valid, "endpoint": "/a\u{0}b" }),
            "/endpoint",
        ),
        (json!({ "token": valid, "method": "GE\nT" }), "/method"),
        (json!({ "token": 1 }), "/token"),
        (json!({ "token": valid, "color": "red" }), "/color"),
        (json!({}), ""),
    ] {
        bad_fields(&operator.post("/v1/verify", question).await, &[pointer]);
    }
    let question = json!({ "token": valid });
    let answer = api.nobody().post("/v1/verify", question).await;
    problem(&answer, 401, "UNAUTHENTICATED");
}

#[tokio::test]
async fn somebody_elses_token_is_none() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let (own, other) = (
        operator.account("own").await,
        operator.account("other").await,
    );
    let asker = json!({ "scopes": ["tollkeeper:verify"] });
    let asker = operator.issue(&own, asker).await;
    let asker = api.bearer(text(&asker, "token"));
    let sibling = operator.issue(&own, json!({})).await;
    let foreign = operator.issue(&other, json!({})).await;
    let unknown = json!({ "token": unissued() });

    let told = verify(&asker, text(&sibling, "token")).await;
    assert_eq!(told["code"], "VALID");
    let without_age = async |token: &Value| {
        let mut told = verify(&asker, text(token, "token")).await;
        told.as_object_mut().unwrap().remove("age_ms");
        told
    };
    for cache in ["miss", "hit"] {
        let told = without_age(&foreign).await;
        assert_eq!(
            told,
            json!({
                "valid": false, "code": "NOT_FOUND", "token_id": null, "account_id": null,
                "environment": null, "scopes": [], "expires_at": null, "version": null,
                "cache": cache, "rate_limits": [], "quotas": [],
            })
        );
        assert_eq!(
            without_age(&unknown).await,
            told,
            "nothing tells the two apart"
        );
    }
    assert_eq!(
        verify(&operator, text(&foreign, "token")).await["code"],
        "VALID"
    );
}
