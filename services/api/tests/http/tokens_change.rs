//! `GET`, `PATCH` and `DELETE` of `/v1/tokens/{id}`, and `/suspend` and `/resume`.

use reqwest::Method;
use serde_json::{Value, json};
use tollkeeper_testkit::Stack;
use uuid::Uuid;

use crate::support::{
    bad_fields, in_seconds, manager, path_of, problem, text, verify, with_header,
};

#[tokio::test]
async fn a_token_is_changed_field_by_field() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let fields = json!({ "scopes": ["a"], "metadata": { "k": 1 }, "not_before": in_seconds(-60) });
    let made = operator.issue(&account, fields).await;
    let path = path_of(&made);

    let answer = operator.patch(&path, json!({ "name": "new" })).await;
    let changed = answer.expect(200);
    assert_eq!(
        (&changed["name"], &changed["version"]),
        (&json!("new"), &json!(2))
    );
    assert_eq!(answer.header("etag"), Some("\"2\""));
    assert_eq!(
        (
            &changed["scopes"],
            &changed["metadata"],
            &changed["not_before"]
        ),
        (&made["scopes"], &made["metadata"], &made["not_before"]),
        "the rest stays"
    );
    let same = operator.patch(&path, json!({ "name": "new" })).await;
    assert_eq!(same.expect(200)["version"], 2, "nothing has happened");
    let body = json!({ "scopes": ["b"], "metadata": {}, "not_before": null });
    let changed = operator.patch(&path, body).await.expect(200);
    assert_eq!(
        (
            &changed["scopes"],
            &changed["metadata"],
            &changed["not_before"]
        ),
        (&json!(["b"]), &json!({}), &Value::Null)
    );
    let told = verify(&operator, text(&made, "token")).await;
    assert_eq!(told["scopes"], json!(["b"]), "the next check knows it");
    assert_eq!(told["version"], changed["version"]);

    for (body, pointer) in [
        (json!({ "expires_at": in_seconds(-1) }), "/expires_at"),
        (
            json!({ "expires_at": in_seconds(366 * 86_400) }),
            "/expires_at",
        ),
        (json!({ "expires_at": null }), "/expires_at"),
        (
            json!({ "not_before": in_seconds(365 * 86_400) }),
            "/not_before",
        ),
        (json!({ "name": "" }), "/name"),
        (json!({ "expires_in_minutes": 5 }), "/expires_in_minutes"),
    ] {
        bad_fields(&operator.patch(&path, body).await, &[pointer]);
    }
    assert_eq!(operator.get(&path).await.expect(200), changed);
}

#[tokio::test]
async fn a_change_of_what_was_not_seen_is_refused() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let made = operator.issue(&account, json!({})).await;
    let path = path_of(&made);
    operator
        .patch(&path, json!({ "name": "second" }))
        .await
        .expect(200);

    let rotate = format!("{path}/rotate");
    let (suspend, resume) = (format!("{path}/suspend"), format!("{path}/resume"));
    let change = Some(json!({ "name": "third" }));
    let ways = [
        (Method::PATCH, &path, change.clone()),
        (Method::DELETE, &path, None),
        (Method::POST, &rotate, None),
        (Method::POST, &suspend, None),
        (Method::POST, &resume, None),
    ];
    for (method, path, body) in ways {
        for (tag, status, code) in [
            ("\"1\"", 412, "VERSION_MISMATCH"),
            ("\"3\"", 412, "VERSION_MISMATCH"),
            ("2", 400, "INVALID_HEADER"),
            ("W/\"2\"", 400, "INVALID_HEADER"),
        ] {
            let seen = ("if-match", tag);
            let answer = with_header(&operator, method.clone(), path, seen, body.clone()).await;
            problem(&answer, status, code);
        }
    }
    let seen = ("if-match", "\"2\"");
    let fits = with_header(&operator, Method::PATCH, &path, seen, change.clone()).await;
    assert_eq!(fits.expect(200)["name"], "third");
    let any = with_header(&operator, Method::PATCH, &path, ("if-match", "*"), change).await;
    assert_eq!(any.expect(200)["version"], 3);
}

#[tokio::test]
async fn a_token_rests_goes_on_and_ends() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let made = operator.issue(&account, json!({})).await;
    let (path, secret) = (path_of(&made), text(&made, "token"));
    assert_eq!(verify(&operator, secret).await["code"], "VALID");

    for (change, state, code, version) in [
        ("suspend", "suspended", "SUSPENDED", 2),
        ("resume", "active", "VALID", 3),
    ] {
        for _ in 0..2 {
            let answer = operator.post(&format!("{path}/{change}"), json!({})).await;
            let token = answer.expect(200);
            assert_eq!(
                (&token["state"], &token["version"]),
                (&json!(state), &json!(version))
            );
            assert_eq!(token["is_active"], state == "active");
            assert_eq!(verify(&operator, secret).await["code"], code);
        }
    }

    // The last of them is Tollkeeper's own to give.
    for reason in ["boredom", "", "account_deleted"] {
        let query = operator.delete(&format!("{path}?reason={reason}")).await;
        problem(&query, 400, "INVALID_QUERY");
    }
    let ended = operator
        .delete(&format!("{path}?reason=key_compromise"))
        .await;
    let ended = ended.expect(200);
    assert_eq!(
        (
            &ended["state"],
            &ended["is_active"],
            &ended["revocation_reason"]
        ),
        (&json!("revoked"), &json!(false), &json!("key_compromise"))
    );
    assert!(ended["revoked_at"].is_string());
    assert_eq!(verify(&operator, secret).await["code"], "REVOKED");
    let again = operator.delete(&path).await.expect(200);
    assert_eq!(again, ended, "the first reason and time stay");

    for change in ["suspend", "resume", "rotate"] {
        let answer = operator.post(&format!("{path}/{change}"), json!({})).await;
        problem(&answer, 409, "TOKEN_REVOKED");
    }
    let answer = operator.patch(&path, json!({ "name": "late" })).await;
    problem(&answer, 409, "TOKEN_REVOKED");
}

#[tokio::test]
async fn a_token_of_a_suspended_account_ends_but_does_not_go_on() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let path = path_of(&operator.issue(&account, json!({})).await);
    operator
        .post(&format!("{path}/suspend"), json!({}))
        .await
        .expect(200);
    let suspend = format!("/v1/accounts/{account}/suspend");
    operator.post(&suspend, json!({})).await.expect(200);

    for change in ["resume", "rotate"] {
        let answer = operator.post(&format!("{path}/{change}"), json!({})).await;
        problem(&answer, 409, "ACCOUNT_NOT_ACTIVE");
    }
    assert_eq!(operator.delete(&path).await.expect(200)["state"], "revoked");
}

#[tokio::test]
async fn another_accounts_token_is_as_unknown_as_one_that_never_was() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let (own, other) = (
        operator.account("own").await,
        operator.account("other").await,
    );
    let user = manager(&operator, &own, &[]).await;
    let user = api.bearer(text(&user, "token"));
    let foreign = operator.issue(&other, json!({})).await;

    let (foreign_path, unknown) = (path_of(&foreign), format!("/v1/tokens/{}", Uuid::nil()));
    for (method, suffix, body) in [
        (Method::GET, "", None),
        (Method::PATCH, "", Some(json!({ "name": "mine" }))),
        (Method::DELETE, "", None),
        (Method::POST, "/rotate", None),
        (Method::POST, "/suspend", None),
        (Method::POST, "/resume", None),
    ] {
        let ask = async |path: &str| {
            let path = format!("{path}{suffix}");
            // The same id, so that nothing else may differ.
            let id = ("x-request-id", "r-1");
            let answer = with_header(&user, method.clone(), &path, id, body.clone()).await;
            problem(&answer, 404, "NOT_FOUND")
        };
        let answer = ask(&foreign_path).await;
        assert_eq!(answer, ask(&unknown).await);
        ask("/v1/tokens/nonsense").await;
    }
    let read = operator.get(&foreign_path).await.expect(200);
    assert_eq!(
        (&read["version"], &read["name"]),
        (&json!(1), &json!("a token"))
    );
}

#[tokio::test]
async fn a_token_does_not_touch_what_is_beyond_it() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let parent = manager(&operator, &account, &["orders:*"]).await;
    let user = api.bearer(text(&parent, "token"));
    let stronger = json!({ "scopes": ["users:read"] });
    let stronger = path_of(&operator.issue(&account, stronger).await);
    let weaker = json!({ "scopes": ["orders:read"], "expires_in_minutes": 600 });
    let weaker = path_of(&operator.issue(&account, weaker).await);
    let testing = json!({ "environment": "test" });
    let testing = path_of(&operator.issue(&account, testing).await);

    for path in [&stronger, &testing] {
        operator
            .post(&format!("{path}/suspend"), json!({}))
            .await
            .expect(200);
        for change in ["rotate", "resume"] {
            let answer = user.post(&format!("{path}/{change}"), json!({})).await;
            problem(&answer, 403, "BEYOND_AUTHORITY");
        }
        let answer = user.patch(path, json!({ "name": "mine" })).await;
        problem(&answer, 403, "BEYOND_AUTHORITY");
        // To narrow it is to change it as well.
        let answer = user.patch(path, json!({ "scopes": [] })).await;
        problem(&answer, 403, "BEYOND_AUTHORITY");
    }
    for body in [
        json!({ "scopes": ["orders:read", "users:read"] }),
        json!({ "scopes": ["*"] }),
        json!({ "scopes": ["tollkeeper:verify"] }),
    ] {
        problem(&user.patch(&weaker, body).await, 403, "BEYOND_AUTHORITY");
    }
    let wider = user.patch(&weaker, json!({ "scopes": ["orders:*"] })).await;
    assert_eq!(
        wider.expect(200)["scopes"],
        json!(["orders:*"]),
        "within reach"
    );
    user.post(&format!("{weaker}/rotate"), json!({}))
        .await
        .expect(200);

    let short = json!({
        "scopes": ["tollkeeper:tokens.write", "orders:*"], "expires_in_minutes": 60,
    });
    let short = operator.issue(&account, short).await;
    let short = api.bearer(text(&short, "token"));
    let answer = short
        .patch(&weaker, json!({ "expires_at": in_seconds(30) }))
        .await;
    problem(&answer, 403, "BEYOND_AUTHORITY");
    let answer = short.post(&format!("{weaker}/rotate"), json!({})).await;
    problem(&answer, 403, "BEYOND_AUTHORITY");
    // To deny needs no more than the scope.
    let suspended = user.post(&format!("{stronger}/suspend"), json!({})).await;
    assert_eq!(suspended.expect(200)["state"], "suspended");
    assert_eq!(user.delete(&stronger).await.expect(200)["state"], "revoked");
}
