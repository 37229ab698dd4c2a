//! `POST /v1/tokens/{id}/rotate`

use serde_json::json;
use tollkeeper_testkit::{Stack, wait_for};

use crate::support::{
    bad_fields, forward_auth, in_seconds, manager, path_of, problem, text, unsigned_problem,
    verified_as, verify,
};

#[tokio::test]
async fn the_old_secret_works_until_its_grace_ends() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let made = operator
        .issue(&account, json!({ "environment": "test" }))
        .await;
    let first = text(&made, "token");
    assert_eq!(verify(&operator, first).await["code"], "VALID");

    let rotate = format!("{}/rotate", path_of(&made));
    let answer = operator
        .post(&rotate, json!({ "grace_seconds": 3600 }))
        .await;
    let rotated = answer.expect(200);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("etag"), Some("\"2\""));
    assert_eq!(
        (&rotated["id"], &rotated["version"]),
        (&made["id"], &json!(2))
    );
    let second = text(&rotated, "token");
    assert!(second != first && second.starts_with("tk_test_"));
    assert_eq!(text(&rotated, "token_prefix"), &second[..12]);
    for secret in [first, second] {
        let told = verify(&operator, secret).await;
        assert_eq!(
            (&told["code"], &told["token_id"]),
            (&json!("VALID"), &made["id"])
        );
    }

    // A later rotation with a shorter grace takes the rest of the longer one away.
    let answer = operator.post(&rotate, json!({ "grace_seconds": 1 })).await;
    let third = answer.expect(200);
    let third = text(&third, "token");
    for earlier in [first, second] {
        verified_as(&operator, earlier, "EXPIRED").await;
        let answer = forward_auth(&api, earlier, "").await;
        unsigned_problem(&answer, 401, "EXPIRED");
    }
    assert_eq!(verify(&operator, third).await["code"], "VALID");
    assert_eq!(forward_auth(&api, third, "").await.status, 200);
}

#[tokio::test]
async fn without_grace_the_old_secret_ends_at_once() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let made = operator.issue(&account, json!({})).await;
    let rotate = format!("{}/rotate", path_of(&made));
    let mut secret = text(&made, "token").to_owned();
    for body in [Some(json!({ "grace_seconds": 0 })), Some(json!({})), None] {
        assert_eq!(verify(&operator, &secret).await["code"], "VALID");
        let answer = match body {
            Some(body) => operator.post(&rotate, body).await,
            None => {
                let bare = operator.request(reqwest::Method::POST, &rotate);
                tollkeeper_testkit::stack::Person::send(bare).await
            }
        };
        let rotated = answer.expect(200);
        assert_eq!(verify(&operator, &secret).await["code"], "EXPIRED");
        secret = text(&rotated, "token").to_owned();
    }
    assert_eq!(verify(&operator, &secret).await["code"], "VALID");
}

#[tokio::test]
async fn what_cannot_be_rotated_is_refused() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let made = operator.issue(&account, json!({})).await;
    let rotate = format!("{}/rotate", path_of(&made));
    for body in [
        json!({ "grace_seconds": -1 }),
        json!({ "grace_seconds": 604_801 }),
        json!({ "grace_seconds": i64::MAX }),
        json!({ "grace_seconds": "1" }),
        json!({ "grace_seconds": 1.5 }),
    ] {
        bad_fields(&operator.post(&rotate, body).await, &["/grace_seconds"]);
    }
    let odd = operator.post(&rotate, json!({ "grace": 1 })).await;
    bad_fields(&odd, &["/grace"]);
    let plain = operator.request(reqwest::Method::POST, &rotate).body("{}");
    let answer = tollkeeper_testkit::stack::Person::send(plain).await;
    problem(&answer, 415, "UNSUPPORTED_MEDIA_TYPE");
    assert_eq!(verify(&operator, text(&made, "token")).await["version"], 1);
    let longest = operator
        .post(&rotate, json!({ "grace_seconds": 604_800 }))
        .await;
    longest.expect(200);

    let short = json!({ "expires_at": in_seconds(1) });
    let path = path_of(&operator.issue(&account, short).await);
    wait_for("the token to expire", async || {
        operator.get(&path).await.expect(200)["state"] == "expired"
    })
    .await;
    let answer = operator.post(&format!("{path}/rotate"), json!({})).await;
    problem(&answer, 409, "TOKEN_EXPIRED");
}

#[tokio::test]
async fn a_secret_in_its_grace_gains_no_life_beyond_it() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let made = manager(&operator, &account, &[]).await;
    let rotate = format!("{}/rotate", path_of(&made));
    let _ = operator
        .post(&rotate, json!({ "grace_seconds": 3600 }))
        .await
        .expect(200);

    // Whoever stole the old secret may use it until its end, and no longer by any way.
    let thief = api.bearer(text(&made, "token"));
    let _ = thief.get(&path_of(&made)).await.expect(200);
    let grabbed = thief.post(&rotate, json!({})).await;
    problem(&grabbed, 403, "BEYOND_AUTHORITY");
    let longer = json!({ "name": "sibling", "expires_at": in_seconds(7200) });
    problem(
        &thief.post("/v1/tokens", longer).await,
        403,
        "BEYOND_AUTHORITY",
    );
    let prolonged = thief
        .patch(&path_of(&made), json!({ "name": "mine" }))
        .await;
    problem(&prolonged, 403, "BEYOND_AUTHORITY");
}
