//! Each operation with each status it can answer.

use reqwest::Method;
use serde_json::{Value, json};
use tollkeeper_testkit::Stack;
use tollkeeper_testkit::stack::{Answer, Person};
use uuid::Uuid;

use super::SETTINGS;
use crate::jwt;
use crate::support::{bad_fields, challenged, problem, system_account, text, with_header};

const URL: &str = "https://hooks.example.com/tollkeeper";

async fn create(person: &Person, body: Value) -> Value {
    person.post("/v1/webhooks", body).await.expect(201)
}

fn path_of(webhook: &Value) -> String {
    format!("/v1/webhooks/{}", text(webhook, "id"))
}

/// Asks for every operation on one webhook.
async fn every_operation(person: &Person, path: &str) -> Vec<Answer> {
    vec![
        person.get(path).await,
        person.patch(path, json!({ "description": "mine" })).await,
        person
            .post(&format!("{path}/rotate-secret"), json!({}))
            .await,
        person
            .post(&format!("{path}/replay"), json!({ "after": 0 }))
            .await,
        person.get(&format!("{path}/deliveries")).await,
        person.delete(path).await,
    ]
}

#[tokio::test]
async fn a_webhook_lives_from_its_creation_to_its_end() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&SETTINGS).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;

    let body = json!({
        "account_id": account, "url": URL, "types": ["TokenIssued", "TokenRevoked", "TokenIssued"],
        "description": "the CRM",
    });
    let created = operator.post("/v1/webhooks", body).await;
    assert_eq!(created.header("etag"), Some("\"1\""));
    assert_eq!(created.header("cache-control"), Some("no-store"));
    let created = created.expect(201);
    assert!(text(&created, "secret").starts_with("whsec_"));
    assert_eq!(created["types"], json!(["TokenIssued", "TokenRevoked"]));
    assert_eq!(created["state"], "enabled");
    assert_eq!(created["position"], 1, "it begins at the end of the log");

    let path = path_of(&created);
    let found = operator.get(&path).await;
    assert_eq!(found.header("etag"), Some("\"1\""));
    let found = found.expect(200);
    let mut without = created.clone();
    without.as_object_mut().unwrap().remove("secret");
    assert_eq!(found, without, "and the secret is shown no more");
    let sealed = sqlx::query_scalar::<_, Vec<u8>>("select sealed from webhook_secrets");
    let sealed = sealed.fetch_one(&stack.database.pool).await.unwrap();
    assert!(sealed.len() > 60);

    let all = create(&operator, json!({ "url": URL })).await;
    assert_eq!(
        (&all["account_id"], &all["types"]),
        (&Value::Null, &json!([]))
    );
    let ids = async |query: &str| -> Vec<Value> {
        let page = operator
            .get(&format!("/v1/webhooks{query}"))
            .await
            .expect(200);
        let items = page["items"].as_array().unwrap();
        items.iter().map(|item| item["id"].clone()).collect()
    };
    assert_eq!(ids("").await, [all["id"].clone(), created["id"].clone()]);
    assert_eq!(
        ids(&format!("?account_id={account}")).await,
        [created["id"].clone()]
    );
    let first = operator.get("/v1/webhooks?limit=1").await.expect(200);
    let cursor = text(&first, "next_cursor");
    assert_eq!(
        ids(&format!("?cursor={cursor}")).await,
        [created["id"].clone()]
    );

    let change = json!({ "types": [], "description": "", "state": "disabled" });
    let if_match = ("If-Match", "\"1\"");
    let changed = with_header(
        &operator,
        Method::PATCH,
        &path,
        if_match,
        Some(change.clone()),
    )
    .await;
    assert_eq!(changed.header("etag"), Some("\"2\""));
    let changed = changed.expect(200);
    assert_eq!(changed["disabled_reason"], "by_request");
    let again = operator.patch(&path, change.clone()).await.expect(200);
    assert_eq!(again["version"], 2, "nothing has changed");
    let late = with_header(&operator, Method::PATCH, &path, if_match, Some(change)).await;
    problem(&late, 412, "VERSION_MISMATCH");
    for (operation, body) in [
        ("rotate-secret", json!({})),
        ("replay", json!({ "after": 0 })),
    ] {
        let path = format!("{path}/{operation}");
        let late = with_header(&operator, Method::POST, &path, if_match, Some(body)).await;
        problem(&late, 412, "VERSION_MISMATCH");
    }
    let late = with_header(&operator, Method::DELETE, &path, if_match, None).await;
    problem(&late, 412, "VERSION_MISMATCH");

    let enabled = operator
        .patch(&path, json!({ "state": "enabled" }))
        .await
        .expect(200);
    assert_eq!(
        (&enabled["state"], &enabled["disabled_reason"]),
        (&json!("enabled"), &Value::Null)
    );
    let deliveries = operator
        .get(&format!("{path}/deliveries"))
        .await
        .expect(200);
    assert_eq!(deliveries["items"], json!([]));
    operator.delete(&path).await.expect(204);
    for answer in every_operation(&operator, &path).await {
        problem(&answer, 404, "NOT_FOUND");
    }
}

#[tokio::test]
async fn bad_input_is_named() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&SETTINGS).await;
    let operator = api.operator();
    let webhook = create(&operator, json!({ "url": URL })).await;
    let path = path_of(&webhook);
    for (body, pointers) in [
        (json!({ "url": "nowhere" }), vec!["/url"]),
        (json!({ "url": "http://10.0.0.1/" }), vec!["/url"]),
        (json!({ "url": "https://192.168.0.1/" }), vec!["/url"]),
        (
            json!({ "url": URL, "types": ["TokenIssued", "TokenEaten"] }),
            vec!["/types/1"],
        ),
        (
            json!({ "url": URL, "description": "x".repeat(501) }),
            vec!["/description"],
        ),
        (
            json!({ "url": "https://me:pass@example.com/", "types": ["x"], "description": "\u{0}" }),
            vec!["/url", "/types/0", "/description"],
        ),
    ] {
        bad_fields(
            &operator.post("/v1/webhooks", body.clone()).await,
            &pointers,
        );
        bad_fields(&operator.patch(&path, body).await, &pointers);
    }
    let unknown = json!({ "url": URL, "account_id": Uuid::nil() });
    bad_fields(
        &operator.post("/v1/webhooks", unknown).await,
        &["/account_id"],
    );
    for after in [-1, 1_000_000] {
        let answer = operator
            .post(&format!("{path}/replay"), json!({ "after": after }))
            .await;
        bad_fields(&answer, &["/after"]);
    }
    for (operation, body) in [
        ("", json!({ "url": URL, "colour": "red" })),
        ("/replay", json!({})),
        ("/rotate-secret", json!({ "grace": 1 })),
    ] {
        let answer = match operation {
            "" => operator.post("/v1/webhooks", body).await,
            _ => operator.post(&format!("{path}{operation}"), body).await,
        };
        assert_eq!(answer.status, 422, "{}", answer.text);
    }
    problem(
        &operator.get("/v1/webhooks?limit=0").await,
        400,
        "INVALID_QUERY",
    );
    problem(&operator.get("/v1/webhooks/none").await, 404, "NOT_FOUND");
}

#[tokio::test]
async fn nobody_sees_or_touches_the_webhook_of_another_account() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&SETTINGS).await;
    let operator = api.operator();
    let (own, other) = (
        operator.account("own").await,
        operator.account("other").await,
    );
    let scopes = json!({ "scopes": ["tollkeeper:webhooks.write", "tollkeeper:events.read"] });
    let token = operator.issue(&own, scopes.clone()).await;
    let person = api.bearer(text(&token, "token"));
    let mine = create(&person, json!({ "url": URL })).await;
    assert_eq!(mine["account_id"], own.as_str());
    let also = create(&person, json!({ "url": URL, "account_id": own })).await;
    assert_eq!(also["account_id"], own.as_str());
    let body = json!({ "url": URL, "account_id": other });
    bad_fields(
        &person.post("/v1/webhooks", body.clone()).await,
        &["/account_id"],
    );

    let foreign = create(&operator, body).await;
    let everybodys = create(&operator, json!({ "url": URL })).await;
    for hidden in [&foreign, &everybodys] {
        for answer in every_operation(&person, &path_of(hidden)).await {
            problem(&answer, 404, "NOT_FOUND");
        }
    }
    let page = person.get("/v1/webhooks").await.expect(200);
    assert_eq!(page["items"].as_array().unwrap().len(), 2);
    let page = person
        .get(&format!("/v1/webhooks?account_id={other}"))
        .await
        .expect(200);
    assert_eq!(page["items"], json!([]));
    for answer in every_operation(&person, &path_of(&mine)).await {
        assert!([200, 204].contains(&answer.status), "{}", answer.text);
    }

    let plain = operator
        .issue(&own, json!({ "scopes": ["tollkeeper:tokens.read"] }))
        .await;
    let plain = api.bearer(text(&plain, "token"));
    let mut answers = every_operation(&plain, &path_of(&also)).await;
    answers.push(plain.get("/v1/webhooks").await);
    answers.push(plain.post("/v1/webhooks", json!({ "url": URL })).await);
    for answer in answers {
        problem(&answer, 403, "INSUFFICIENT_SCOPE");
        challenged(&answer, Some("insufficient_scope"));
    }
    let mut answers = every_operation(&api.nobody(), &path_of(&also)).await;
    answers.push(api.nobody().get("/v1/webhooks").await);
    answers.push(
        api.nobody()
            .post("/v1/webhooks", json!({ "url": URL }))
            .await,
    );
    for answer in answers {
        problem(&answer, 401, "UNAUTHENTICATED");
    }

    let system = system_account(&operator).await;
    let token = operator.issue(&system, scopes).await;
    let gateway = api.bearer(text(&token, "token"));
    let everybodys = create(&gateway, json!({ "url": URL })).await;
    assert_eq!(everybodys["account_id"], Value::Null);
    let found = gateway.get(&path_of(&foreign)).await.expect(200);
    assert_eq!(found["account_id"], other.as_str());
}

#[tokio::test]
async fn an_account_has_so_many_and_only_while_it_is_active() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&SETTINGS).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let body = json!({ "url": URL, "account_id": account });
    let made = (0..24).map(|_| operator.post("/v1/webhooks", body.clone()));
    let made = futures::future::join_all(made).await;
    assert_eq!(
        made.iter().filter(|answer| answer.status == 201).count(),
        20
    );
    for answer in made.iter().filter(|answer| answer.status != 201) {
        problem(answer, 409, "TOO_MANY_WEBHOOKS");
    }
    let other = operator.account("crm-2").await;
    let suspend = format!("/v1/accounts/{other}/suspend");
    operator.post(&suspend, json!({})).await.expect(200);
    let body = json!({ "url": URL, "account_id": other });
    problem(
        &operator.post("/v1/webhooks", body).await,
        409,
        "ACCOUNT_NOT_ACTIVE",
    );
}

#[tokio::test]
async fn without_a_seal_key_no_secret_comes_into_being() {
    let mut stack = Stack::bare().await;
    let sealing = stack.api(&SETTINGS).await;
    let webhook = create(&sealing.operator(), json!({ "url": URL })).await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let created = operator.post("/v1/webhooks", json!({ "url": URL })).await;
    let rotate = format!("{}/rotate-secret", path_of(&webhook));
    for answer in [created, operator.post(&rotate, json!({})).await] {
        let body = problem(&answer, 409, "SEAL_KEY_MISSING");
        assert!(text(&body, "detail").contains("TOLLKEEPER_SEAL_KEYS"));
    }
    let count = sqlx::query_scalar::<_, i64>("select count(*) from webhook_secrets");
    assert_eq!(count.fetch_one(&stack.database.pool).await.unwrap(), 1);
}

#[tokio::test]
async fn whoever_has_events_sent_may_read_them_and_is_named() {
    let mut stack = Stack::bare().await;
    let settings = [&SETTINGS[..], &jwt::SETTINGS].concat();
    let api = stack.api(&settings).await;
    let operator = api.operator();
    let system = system_account(&operator).await;
    let own = create(&operator, json!({ "url": URL })).await;
    assert_eq!(own["created_by"], Value::Null);
    let path = path_of(&own);

    let alone = json!({ "scopes": ["tollkeeper:webhooks.write"] });
    let alone = operator.issue(&system, alone).await;
    let alone = api.bearer(text(&alone, "token"));
    let body = json!({ "url": URL });
    for answer in [
        alone.post("/v1/webhooks", body.clone()).await,
        alone.patch(&path, body.clone()).await,
        alone
            .post(&format!("{path}/replay"), json!({ "after": 0 }))
            .await,
    ] {
        let body = problem(&answer, 403, "INSUFFICIENT_SCOPE");
        assert!(text(&body, "detail").contains("tollkeeper:events.read"));
        challenged(&answer, Some("insufficient_scope"));
    }
    assert_eq!(operator.get(&path).await.expect(200)["version"], 1);
    alone.get("/v1/webhooks").await.expect(200);
    let rotate = format!("{path}/rotate-secret");
    alone.post(&rotate, json!({})).await.expect(200);

    let both = json!({ "scopes": ["tollkeeper:webhooks.write", "tollkeeper:events.read"] });
    let issued = operator.issue(&system, both).await;
    let both = api.bearer(text(&issued, "token"));
    let made = create(&both, body.clone()).await;
    assert_eq!(
        (&made["account_id"], &made["created_by"]),
        (&Value::Null, &issued["id"])
    );
    // Who made it stays known, whoever changes it and when the token has ended.
    let token = format!("/v1/tokens/{}", text(&issued, "id"));
    operator.delete(&token).await.expect(200);
    let change = json!({ "description": "whose?" });
    let changed = operator.patch(&path_of(&made), change).await.expect(200);
    assert_eq!(changed["created_by"], issued["id"]);
    let page = operator.get("/v1/webhooks?limit=1").await.expect(200);
    assert_eq!(page["items"][0]["created_by"], issued["id"]);

    // An account holder has both by being the holder, whatever scopes the JWT is for.
    let claims = json!({ "scope": "orders:read" });
    let holder = jwt::signed(jsonwebtoken::Algorithm::HS256, jwt::SECRET, &claims);
    let holder = api.bearer(&holder);
    holder.get("/v1/events").await.expect(200);
    let mine = create(&holder, body).await;
    assert_eq!(mine["created_by"], Value::Null);
    assert!(mine["account_id"].is_string());
}
