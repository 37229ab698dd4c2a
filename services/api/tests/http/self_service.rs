//! `/v1/whoami`, `/settings/api-tokens` and `/api/tokens`.

use reqwest::Method;
use serde_json::{Value, json};
use tollkeeper_testkit::Stack;
use tollkeeper_testkit::stack::Person;

use crate::jwt::{SETTINGS, of};
use crate::support::{bad_fields, manager, path_of, problem, system_account, text, verified_as};

const SETTINGS_PATH: &str = "/settings/api-tokens";

#[tokio::test]
async fn everybody_learns_who_they_are() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&SETTINGS).await;
    let operator = api.operator();
    let who = operator.get("/v1/whoami").await.expect(200);
    assert_eq!(
        who,
        json!({ "kind": "operator", "operator": "test", "account": null })
    );

    let account = operator.account("crm-1").await;
    // No scope is needed to ask who one is.
    let issued = operator
        .issue(&account, json!({ "scopes": ["orders:read"] }))
        .await;
    let holder = api.bearer(text(&issued, "token"));
    let who = holder.get("/v1/whoami").await.expect(200);
    assert_eq!(who["kind"], "token");
    assert_eq!(who["token"]["id"], issued["id"]);
    assert_eq!(who["token"]["scopes"], json!(["orders:read"]));
    assert_eq!(who["account"]["external_id"], "crm-1");

    let someone = api.bearer(&of("user-1"));
    let who = someone.get("/v1/whoami").await.expect(200);
    assert_eq!(who["identity"]["subject"], "user-1");
    assert_eq!(
        (&who["kind"], &who["account"]),
        (&json!("account"), &Value::Null)
    );
    let mine = someone
        .post(SETTINGS_PATH, json!({ "name": "first" }))
        .await
        .expect(201);
    let who = someone.get("/v1/whoami").await.expect(200);
    assert_eq!(who["account"]["id"], mine["account_id"]);

    problem(
        &api.nobody().get("/v1/whoami").await,
        401,
        "UNAUTHENTICATED",
    );
    problem(
        &api.bearer("junk").get("/v1/whoami").await,
        401,
        "MALFORMED",
    );
}

/// Goes through the surface as one account holder, beside another one's token.
async fn manages_its_own(holder: &Person, foreign: &Value) {
    let body = json!({ "name": "ci", "scopes": ["orders:read"], "expires_in_minutes": 60 });
    let issued = holder.post(SETTINGS_PATH, body).await.expect(201);
    assert!(text(&issued, "token").starts_with("tk_live_"));
    let page = holder.get(SETTINGS_PATH).await.expect(200);
    let seen = page["items"].as_array().unwrap();
    assert!(seen.iter().any(|token| token["id"] == issued["id"]));
    assert!(
        seen.iter()
            .all(|token| token["account_id"] == issued["account_id"])
    );
    let path = format!("{SETTINGS_PATH}/{}", text(&issued, "id"));
    let shown = holder.get(&path).await.expect(200);
    assert_eq!(shown["name"], "ci");
    assert_eq!(shown.get("token"), None);

    let theirs = format!("{SETTINGS_PATH}/{}", text(foreign, "id"));
    problem(&holder.get(&theirs).await, 404, "NOT_FOUND");
    problem(&holder.delete(&theirs).await, 404, "NOT_FOUND");
    let elsewhere = json!({ "name": "x", "account_id": foreign["account_id"] });
    bad_fields(
        &holder.post(SETTINGS_PATH, elsewhere).await,
        &["/account_id"],
    );
    bad_fields(
        &holder.post(SETTINGS_PATH, json!({ "name": "" })).await,
        &["/name"],
    );

    let ended = holder
        .delete(&format!("{path}?reason=superseded"))
        .await
        .expect(200);
    assert_eq!(
        (&ended["state"], &ended["revocation_reason"]),
        (&json!("revoked"), &json!("superseded"))
    );
    let shown = holder.get(&path).await.expect(200);
    assert_eq!(shown["is_active"], false, "it stays to be seen");
}

#[tokio::test]
async fn holders_manage_their_own_tokens_and_nobody_elses() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&SETTINGS).await;
    let operator = api.operator();
    let other = operator.account("other").await;
    let foreign = operator.issue(&other, json!({})).await;

    manages_its_own(&api.bearer(&of("user-1")), &foreign).await;

    let account = operator.account("crm-1").await;
    let token = manager(&operator, &account, &["orders:read"]).await;
    manages_its_own(&api.bearer(text(&token, "token")), &foreign).await;

    // What a system account may do elsewhere counts for nothing here.
    let system = system_account(&operator).await;
    let token = manager(&operator, &system, &["orders:read"]).await;
    let gateway = api.bearer(text(&token, "token"));
    gateway.get(&path_of(&foreign)).await.expect(200);
    manages_its_own(&gateway, &foreign).await;

    for answer in [
        operator.get(SETTINGS_PATH).await,
        operator.post(SETTINGS_PATH, json!({ "name": "x" })).await,
    ] {
        problem(&answer, 403, "NO_ACCOUNT");
    }
    problem(
        &api.nobody().get(SETTINGS_PATH).await,
        401,
        "UNAUTHENTICATED",
    );
    let plain = operator.issue(&account, json!({})).await;
    let plain = api.bearer(text(&plain, "token"));
    problem(&plain.get(SETTINGS_PATH).await, 403, "INSUFFICIENT_SCOPE");
    let patched = Person::send(operator.request(Method::PATCH, SETTINGS_PATH)).await;
    problem(&patched, 405, "METHOD_NOT_ALLOWED");
}

#[tokio::test]
async fn a_service_issues_tokens_for_the_users_it_knows() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let body = json!({ "userId": "user123", "scopes": ["read", "write"], "expiresInMinutes": 60 });
    let first = operator.post("/api/tokens", body.clone()).await;
    assert_eq!(first.header("cache-control"), Some("no-store"));
    let first = first.expect(201);
    assert_eq!(first["userId"], "user123");
    assert_eq!(first["scopes"], json!(["read", "write"]));
    assert_eq!(first["isActive"], true);
    let time = |member| {
        text(&first, member)
            .parse::<chrono::DateTime<chrono::Utc>>()
            .unwrap()
    };
    assert_eq!((time("expiresAt") - time("createdAt")).num_minutes(), 60);
    verified_as(&operator, text(&first, "token"), "VALID").await;

    let second = operator.post("/api/tokens", body).await.expect(201);
    let third = json!({ "userId": "user456", "name": "other" });
    operator.post("/api/tokens", third).await.expect(201);
    let accounts = operator
        .get("/v1/accounts?external_id=user123")
        .await
        .expect(200);
    assert_eq!(
        accounts["items"].as_array().unwrap().len(),
        1,
        "one account a user"
    );

    let page = operator
        .get("/api/tokens?userId=user123&limit=1")
        .await
        .expect(200);
    assert_eq!(page["items"][0]["id"], second["id"]);
    assert_eq!(page["items"][0].get("token"), None);
    let next = format!(
        "/api/tokens?userId=user123&cursor={}",
        text(&page, "nextCursor")
    );
    let page = operator.get(&next).await.expect(200);
    assert_eq!(page["items"][0]["id"], first["id"]);
    assert_eq!(page.get("nextCursor"), None);
    let all = operator.get("/api/tokens").await.expect(200);
    let users: Vec<_> = all["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| text(it, "userId"))
        .collect();
    assert_eq!(users, ["user456", "user123", "user123"]);
    let nobody = operator.get("/api/tokens?userId=nobody").await.expect(200);
    assert_eq!(nobody["items"], json!([]));
    problem(
        &operator.get("/api/tokens?user_id=x").await,
        400,
        "INVALID_QUERY",
    );
}

#[tokio::test]
async fn an_account_that_may_have_no_more_is_told_so_on_every_surface() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let full = json!({ "external_id": "crm-1", "token_limit": 1 });
    let account = operator.post("/v1/accounts", full).await.expect(201);
    let only = manager(&operator, text(&account, "id"), &[]).await;
    let own = api.bearer(text(&only, "token"));
    let more = json!({ "name": "one more" });
    for answer in [
        own.post("/v1/tokens", more.clone()).await,
        own.post(SETTINGS_PATH, more).await,
        operator
            .post("/api/tokens", json!({ "userId": "crm-1" }))
            .await,
    ] {
        problem(&answer, 409, "TOO_MANY_TOKENS");
    }
}

#[tokio::test]
async fn a_service_is_told_what_is_wrong_in_its_own_names() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let refused = async |body| operator.post("/api/tokens", body).await;
    let fields = json!({ "userId": "u", "expiresInMinutes": 525_601, "scopes": ["a b"] });
    bad_fields(&refused(fields).await, &["/scopes/0", "/expiresInMinutes"]);
    let most = json!({ "userId": "u", "expiresInMinutes": 525_600 });
    refused(most).await.expect(201);
    let past = json!({ "userId": "u", "expiresAt": "2001-01-01T00:00:00Z" });
    bad_fields(&refused(past).await, &["/expiresAt"]);
    let both = json!({ "userId": "u", "expiresAt": "2101-01-01T00:00:00Z", "expiresInMinutes": 1 });
    bad_fields(&refused(both).await, &["/expiresInMinutes"]);
    for user in ["", "a\0", &"u".repeat(256)] {
        bad_fields(&refused(json!({ "userId": user })).await, &["/userId"]);
    }
    bad_fields(
        &refused(json!({ "userId": "u", "user_id": "u" })).await,
        &["/user_id"],
    );
    bad_fields(&refused(json!({ "scopes": [] })).await, &[""]);
    problem(
        &api.nobody().post("/api/tokens", json!({})).await,
        401,
        "UNAUTHENTICATED",
    );

    let account = operator.account("crm-1").await;
    operator
        .post(&format!("/v1/accounts/{account}/suspend"), json!({}))
        .await
        .expect(200);
    problem(
        &refused(json!({ "userId": "crm-1" })).await,
        409,
        "ACCOUNT_NOT_ACTIVE",
    );
}

#[tokio::test]
async fn a_services_own_token_bounds_what_it_hands_out() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let system = system_account(&operator).await;
    let token = manager(&operator, &system, &["read"]).await;
    let service = api.bearer(text(&token, "token"));
    let body = |user: &str, scope: &str| json!({ "userId": user, "scopes": [scope] });

    // To register somebody takes the right to.
    let new = service.post("/api/tokens", body("user1", "read")).await;
    assert_eq!(
        problem(&new, 403, "INSUFFICIENT_SCOPE")["detail"],
        "this needs the scope `tollkeeper:accounts.write`"
    );
    operator.account("user1").await;
    let issued = service
        .post("/api/tokens", body("user1", "read"))
        .await
        .expect(201);
    assert_eq!(issued["userId"], "user1");
    let wider = service.post("/api/tokens", body("user1", "write")).await;
    problem(&wider, 403, "BEYOND_AUTHORITY");

    let account = operator.account("crm-1").await;
    let own = manager(&operator, &account, &[]).await;
    let own = api.bearer(text(&own, "token"));
    problem(
        &own.post("/api/tokens", body("user1", "read")).await,
        403,
        "BEYOND_AUTHORITY",
    );
    problem(&own.get("/api/tokens").await, 403, "BEYOND_AUTHORITY");
}

#[tokio::test]
async fn many_first_calls_for_one_user_make_one_account() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let calls = (0..20).map(|_| operator.post("/api/tokens", json!({ "userId": "new" })));
    for answer in futures::future::join_all(calls).await {
        answer.expect(201);
    }
    let accounts = operator
        .get("/v1/accounts?external_id=new")
        .await
        .expect(200);
    assert_eq!(accounts["items"].as_array().unwrap().len(), 1);
}
