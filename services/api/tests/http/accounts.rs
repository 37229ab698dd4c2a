//! `/v1/accounts`

use reqwest::Method;
use serde_json::{Value, json};
use tollkeeper_testkit::Stack;
use uuid::Uuid;

use crate::support::{bad_fields, challenged, problem, system_account, text, with_header};

#[tokio::test]
async fn an_account_is_registered_read_and_changed() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();

    let body = json!({ "external_id": "crm-1", "name": "Ada", "email": "ada@example.com" });
    let answer = operator.post("/v1/accounts", body).await;
    let made = answer.expect(201);
    assert_eq!(answer.header("etag"), Some("\"1\""));
    assert_eq!(
        (&made["external_id"], &made["name"], &made["email"]),
        (&json!("crm-1"), &json!("Ada"), &json!("ada@example.com"))
    );
    assert_eq!(
        (&made["role"], &made["state"], &made["version"]),
        (&json!("user"), &json!("active"), &json!(1))
    );
    let path = format!("/v1/accounts/{}", text(&made, "id"));
    let read = operator.get(&path).await;
    assert_eq!(read.expect(200), made);
    assert_eq!(read.header("etag"), Some("\"1\""));

    let taken = json!({ "external_id": "crm-1" });
    let again = operator.post("/v1/accounts", taken.clone()).await;
    problem(&again, 409, "EXTERNAL_ID_TAKEN");
    let other = operator.account("crm-2").await;
    let other = format!("/v1/accounts/{other}");
    problem(
        &operator.patch(&other, taken).await,
        409,
        "EXTERNAL_ID_TAKEN",
    );

    let body = json!({ "external_id": "crm-9" });
    let seen = ("if-match", "\"1\"");
    let changed = with_header(&operator, Method::PATCH, &path, seen, Some(body.clone())).await;
    assert_eq!(changed.expect(200)["external_id"], "crm-9");
    assert_eq!(changed.header("etag"), Some("\"2\""));
    let late = with_header(&operator, Method::PATCH, &path, seen, Some(body)).await;
    problem(&late, 412, "VERSION_MISMATCH");

    let erased = operator.patch(&path, json!({ "email": null })).await;
    assert_eq!(erased.expect(200)["email"], Value::Null);
    let read = operator.get(&path).await.expect(200);
    assert_eq!(
        (&read["name"], &read["email"]),
        (&json!("Ada"), &json!(null))
    );
    let system = operator.patch(&path, json!({ "role": "system" })).await;
    assert_eq!(system.expect(200)["role"], "system");
}

#[tokio::test]
async fn what_cannot_be_an_account_is_refused() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let id = operator.account("there").await;
    let path = format!("/v1/accounts/{id}");

    for (body, pointers) in [
        (json!({ "name": "" }), vec!["/name"]),
        (json!({ "name": "x".repeat(201) }), vec!["/name"]),
        (json!({ "name": "a\u{0}b" }), vec!["/name"]),
        (json!({ "email": "nobody" }), vec!["/email"]),
        (json!({ "name": "", "email": "@" }), vec!["/name", "/email"]),
        (json!({ "external_id": "" }), vec!["/external_id"]),
        (
            json!({ "external_id": "x".repeat(256) }),
            vec!["/external_id"],
        ),
        (json!({ "external_id": 7 }), vec!["/external_id"]),
        (json!({ "role": "king" }), vec!["/role"]),
        (json!({ "color": "red" }), vec!["/color"]),
    ] {
        let registered = operator.post("/v1/accounts", body.clone()).await;
        bad_fields(&registered, &pointers);
        bad_fields(&operator.patch(&path, body).await, &pointers);
    }
    let only = operator.get("/v1/accounts").await.expect(200);
    assert_eq!(only["items"].as_array().unwrap().len(), 1);

    for unknown in [Uuid::nil().to_string(), "nonsense".to_owned()] {
        let path = format!("/v1/accounts/{unknown}");
        problem(&operator.get(&path).await, 404, "NOT_FOUND");
        problem(&operator.patch(&path, json!({})).await, 404, "NOT_FOUND");
        for change in ["suspend", "resume"] {
            let path = format!("{path}/{change}");
            problem(&operator.post(&path, json!({})).await, 404, "NOT_FOUND");
        }
    }
    let bad = with_header(
        &operator,
        Method::PATCH,
        &path,
        ("if-match", "1"),
        Some(json!({})),
    )
    .await;
    problem(&bad, 400, "INVALID_HEADER");
    let nobody = api.nobody();
    problem(&nobody.get(&path).await, 401, "UNAUTHENTICATED");
    problem(&nobody.get("/v1/accounts").await, 401, "UNAUTHENTICATED");
    let made = nobody.post("/v1/accounts", json!({})).await;
    problem(&made, 401, "UNAUTHENTICATED");
}

#[tokio::test]
async fn a_suspended_account_denies_all_its_tokens_at_once() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let path = format!("/v1/accounts/{account}");
    let (first, second) = (
        operator.issue(&account, json!({})).await,
        operator.issue(&account, json!({})).await,
    );
    let verdicts = async || {
        let mut codes = Vec::new();
        for token in [&first, &second] {
            let told = crate::support::verify(&operator, text(token, "token")).await;
            codes.push(text(&told, "code").to_owned());
        }
        codes
    };
    assert_eq!(verdicts().await, ["VALID", "VALID"]);

    for _ in 0..2 {
        let answer = operator.post(&format!("{path}/suspend"), json!({})).await;
        assert_eq!(answer.expect(200)["state"], "suspended");
        assert_eq!(answer.header("etag"), Some("\"2\""));
        assert_eq!(verdicts().await, ["ACCOUNT_SUSPENDED", "ACCOUNT_SUSPENDED"]);
    }
    let fields = json!({ "account_id": account, "name": "late" });
    let late = operator.post("/v1/tokens", fields).await;
    problem(&late, 409, "ACCOUNT_NOT_ACTIVE");

    for _ in 0..2 {
        let answer = operator.post(&format!("{path}/resume"), json!({})).await;
        assert_eq!(answer.expect(200)["state"], "active");
        assert_eq!(answer.header("etag"), Some("\"3\""));
        assert_eq!(verdicts().await, ["VALID", "VALID"]);
    }
}

#[tokio::test]
async fn accounts_are_listed_in_pages_and_found_by_their_external_id() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let mut made = Vec::new();
    for number in 0..5 {
        made.push(operator.account(&format!("crm-{number}")).await);
    }
    made.reverse();

    let mut listed = Vec::new();
    let mut path = "/v1/accounts?limit=2".to_owned();
    loop {
        let page = operator.get(&path).await.expect(200);
        let items = page["items"].as_array().unwrap();
        listed.extend(items.iter().map(|item| text(item, "id").to_owned()));
        let Some(cursor) = page["next_cursor"].as_str() else {
            break;
        };
        path = format!("/v1/accounts?limit=2&cursor={cursor}");
    }
    assert_eq!(listed, made, "all of them once, the newest first");

    let found = operator
        .get("/v1/accounts?external_id=crm-3")
        .await
        .expect(200);
    assert_eq!(found["items"].as_array().unwrap().len(), 1);
    assert_eq!(found["items"][0]["external_id"], "crm-3");
    for query in [
        "limit=0",
        "limit=201",
        "limit=x",
        "cursor=x",
        "color=red",
        "external_id=%00",
    ] {
        let answer = operator.get(&format!("/v1/accounts?{query}")).await;
        problem(&answer, 400, "INVALID_QUERY");
    }
}

#[tokio::test]
async fn tokens_manage_accounts_as_far_as_their_own_goes() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let (own, other) = (
        operator.account("own").await,
        operator.account("other").await,
    );
    let of = |id: &str| format!("/v1/accounts/{id}");
    let scopes = json!({ "scopes": ["tollkeeper:accounts.write"] });

    let user = operator.issue(&own, scopes.clone()).await;
    let user = api.bearer(text(&user, "token"));
    let body = json!({ "name": "Grace" });
    let renamed = user.patch(&of(&own), body.clone()).await;
    assert_eq!(renamed.expect(200)["name"], "Grace");
    assert_eq!(user.get(&of(&own)).await.expect(200)["id"], own);
    let listed = user.get("/v1/accounts").await.expect(200);
    assert_eq!(
        listed["items"].as_array().unwrap().len(),
        1,
        "its own alone"
    );
    problem(&user.get(&of(&other)).await, 404, "NOT_FOUND");
    problem(
        &user.patch(&of(&other), body.clone()).await,
        404,
        "NOT_FOUND",
    );
    for (path, body) in [
        ("/v1/accounts".to_owned(), json!({})),
        (format!("{}/suspend", of(&own)), json!({})),
        (format!("{}/resume", of(&own)), json!({})),
    ] {
        problem(&user.post(&path, body).await, 403, "BEYOND_AUTHORITY");
    }
    for body in [json!({ "external_id": "x" }), json!({ "role": "system" })] {
        problem(&user.patch(&of(&own), body).await, 403, "BEYOND_AUTHORITY");
    }

    let plain = operator.issue(&own, json!({ "scopes": ["*"] })).await;
    let refused = api.bearer(text(&plain, "token")).get(&of(&own)).await;
    problem(&refused, 403, "INSUFFICIENT_SCOPE");
    challenged(&refused, Some("insufficient_scope"));

    let system = system_account(&operator).await;
    let token = operator.issue(&system, scopes).await;
    let system = api.bearer(text(&token, "token"));
    let renamed = system.patch(&of(&other), body).await;
    assert_eq!(renamed.expect(200)["name"], "Grace");
    let made = system.account("made by a token").await;
    assert_eq!(system.get(&of(&made)).await.expect(200)["role"], "user");
    let suspended = system
        .post(&format!("{}/suspend", of(&made)), json!({}))
        .await;
    assert_eq!(suspended.expect(200)["state"], "suspended");
    let role = json!({ "role": "system" });
    let made = system.post("/v1/accounts", role.clone()).await;
    problem(&made, 403, "BEYOND_AUTHORITY");
    problem(
        &system.patch(&of(&other), role).await,
        403,
        "BEYOND_AUTHORITY",
    );
}

#[tokio::test]
async fn changes_of_two_fields_at_once_both_hold() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let path = format!("/v1/accounts/{}", operator.account("crm-1").await);
    for round in 0..20 {
        let name = json!({ "name": format!("Ada {round}") });
        let email = json!({ "email": format!("ada{round}@example.com") });
        let (one, other) = tokio::join!(operator.patch(&path, name), operator.patch(&path, email));
        one.expect(200);
        other.expect(200);
        let now = operator.get(&path).await.expect(200);
        assert_eq!(
            (text(&now, "name"), text(&now, "email")),
            (
                &*format!("Ada {round}"),
                &*format!("ada{round}@example.com")
            )
        );
    }
}
