//! Account holders with a JWT of their identity provider.

use chrono::TimeDelta;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use tollkeeper_testkit::Stack;

use crate::support::{bad_fields, challenged, now, path_of, problem, text, unsigned_problem};

const ISSUER: &str = "https://id.example.com";
pub(crate) const SECRET: &str = "a shared secret of more than 32 bytes";

pub(crate) const SETTINGS: [(&str, &str); 3] = [
    ("TOLLKEEPER_JWT_ISSUER", ISSUER),
    ("TOLLKEEPER_JWT_AUDIENCE", "tollkeeper"),
    ("TOLLKEEPER_JWT_HS256_SECRET", SECRET),
];

/// A JWT with these claims changed or, where null, left out.
pub(crate) fn signed(algorithm: Algorithm, secret: &str, patch: &Value) -> String {
    let end = (now() + TimeDelta::minutes(5)).timestamp();
    let mut claims = json!({ "iss": ISSUER, "aud": "tollkeeper", "sub": "user-1", "exp": end });
    for (name, value) in patch.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims
        .as_object_mut()
        .unwrap()
        .retain(|_, value| !value.is_null());
    let key = EncodingKey::from_secret(secret.as_bytes());
    encode(&Header::new(algorithm), &claims, &key).unwrap()
}

pub(crate) fn of(subject: &str) -> String {
    signed(Algorithm::HS256, SECRET, &json!({ "sub": subject }))
}

async fn accounts(stack: &Stack) -> i64 {
    let count = sqlx::query_scalar::<_, i64>("select count(*) from accounts");
    count.fetch_one(&stack.database.pool).await.unwrap()
}

#[tokio::test]
async fn an_account_comes_into_being_at_its_first_write() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&SETTINGS).await;
    let operator = api.operator();
    let foreign = operator.account("user-1").await;
    let holder = api.bearer(&of("user-1"));

    for path in ["/v1/tokens", "/v1/accounts"] {
        let page = holder.get(path).await.expect(200);
        assert_eq!(page["items"], json!([]));
    }
    problem(
        &holder.get(&format!("/v1/accounts/{foreign}")).await,
        404,
        "NOT_FOUND",
    );
    let refused = holder.post("/v1/tokens", json!({ "name": "" })).await;
    bad_fields(&refused, &["/name"]);
    let other = json!({ "name": "mine", "account_id": foreign });
    bad_fields(
        &holder.post("/v1/tokens", other.clone()).await,
        &["/account_id"],
    );
    assert_eq!(
        accounts(&stack).await,
        1,
        "reads and refusals register nobody"
    );

    let issue = json!({ "name": "mine", "scopes": ["orders:read"] });
    let first = holder.post("/v1/tokens", issue.clone()).await.expect(201);
    let account = text(&first, "account_id");
    assert_ne!(
        account, foreign,
        "the external id of somebody else is no identity"
    );
    let second = holder.post("/v1/tokens", issue).await.expect(201);
    assert_eq!(second["account_id"], first["account_id"]);
    assert_eq!(accounts(&stack).await, 2);
    bad_fields(&holder.post("/v1/tokens", other).await, &["/account_id"]);
    let listed = holder.get("/v1/tokens").await.expect(200);
    assert_eq!(listed["items"].as_array().unwrap().len(), 2);
    let own = holder
        .get(&format!("/v1/accounts/{account}"))
        .await
        .expect(200);
    assert_eq!(
        (&own["external_id"], &own["role"]),
        (&Value::Null, &json!("user"))
    );
    // What the holder issued with management scopes would reach every account.
    let promoted = json!({ "role": "system" });
    let promoted = operator
        .patch(&format!("/v1/accounts/{account}"), promoted)
        .await;
    bad_fields(&promoted, &["/role"]);
    let actors = sqlx::query_scalar::<_, String>(
        "select distinct actor from events where type = 'TokenIssued'",
    );
    let actors = actors.fetch_all(&stack.database.pool).await.unwrap();
    assert_eq!(actors, [format!("account:{account}")]);

    let path = path_of(&first);
    let stranger = api.bearer(&of("user-2"));
    problem(&stranger.get(&path).await, 404, "NOT_FOUND");
    problem(&stranger.delete(&path).await, 404, "NOT_FOUND");
    assert_eq!(
        accounts(&stack).await,
        2,
        "a change of nothing registers nobody"
    );
    let rotated = holder.post(&format!("{path}/rotate"), json!({})).await;
    rotated.expect(200);
    assert_eq!(holder.delete(&path).await.expect(200)["state"], "revoked");
}

#[tokio::test]
async fn one_holder_in_many_requests_gets_one_account() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&SETTINGS).await;
    let holder = api.bearer(&of("user-1"));
    let issues = (0..8).map(|_| holder.post("/v1/tokens", json!({ "name": "mine" })));
    let made = futures::future::join_all(issues).await;
    let first = made[0].expect(201)["account_id"].clone();
    for answer in made {
        assert_eq!(answer.expect(201)["account_id"], first);
    }
    assert_eq!(accounts(&stack).await, 1);
}

#[tokio::test]
async fn holders_do_nothing_to_accounts_and_ask_about_no_token() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&SETTINGS).await;
    let operator = api.operator();
    let holder = api.bearer(&of("user-1"));
    let made = holder
        .post("/v1/tokens", json!({ "name": "mine" }))
        .await
        .expect(201);
    let account = text(&made, "account_id");
    let path = format!("/v1/accounts/{account}");

    let question = json!({ "token": made["token"] });
    problem(
        &holder.post("/v1/verify", question).await,
        403,
        "INSUFFICIENT_SCOPE",
    );
    problem(
        &holder.post("/v1/accounts", json!({})).await,
        403,
        "INSUFFICIENT_SCOPE",
    );
    problem(
        &holder.patch(&path, json!({})).await,
        403,
        "INSUFFICIENT_SCOPE",
    );
    for change in ["suspend", "resume"] {
        let answer = holder.post(&format!("{path}/{change}"), json!({})).await;
        problem(&answer, 403, "INSUFFICIENT_SCOPE");
    }
    let asked = holder.get("/v1/forward-auth").await;
    unsigned_problem(&asked, 401, "MALFORMED");

    operator
        .post(&format!("{path}/suspend"), json!({}))
        .await
        .expect(200);
    problem(&holder.get("/v1/tokens").await, 403, "ACCOUNT_SUSPENDED");
    let late = holder.post("/v1/tokens", json!({ "name": "late" })).await;
    problem(&late, 403, "ACCOUNT_SUSPENDED");
    operator
        .post(&format!("{path}/resume"), json!({}))
        .await
        .expect(200);
    holder.get("/v1/tokens").await.expect(200);
}

#[tokio::test]
async fn a_jwt_proves_all_that_is_asked_or_nothing() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&SETTINGS).await;
    let at = |minutes| (now() + TimeDelta::minutes(minutes)).timestamp();
    let hs256 = |patch| signed(Algorithm::HS256, SECRET, &patch);
    let unsigned = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.eyJzdWIiOiJ1c2VyLTEifQ.";
    api.bearer(&hs256(json!({ "aud": ["x", "tollkeeper"] })))
        .get("/v1/tokens")
        .await
        .expect(200);
    for refused in [
        hs256(json!({ "exp": at(-5) })),
        hs256(json!({ "exp": null })),
        hs256(json!({ "nbf": at(5) })),
        hs256(json!({ "aud": "somebody else" })),
        hs256(json!({ "aud": null })),
        hs256(json!({ "iss": "https://evil.example.com" })),
        hs256(json!({ "iss": null })),
        hs256(json!({ "sub": null })),
        hs256(json!({ "sub": "" })),
        hs256(json!({ "sub": "a\u{0}b" })),
        hs256(json!({ "sub": "x".repeat(256) })),
        signed(
            Algorithm::HS256,
            "another secret of more than 32 bytes",
            &json!({}),
        ),
        signed(Algorithm::HS384, SECRET, &json!({})),
        signed(Algorithm::HS512, SECRET, &json!({})),
        unsigned.to_owned(),
        "..".to_owned(),
    ] {
        let person = api.bearer(&refused);
        let issue = json!({ "name": "mine" });
        for answer in [
            person.get("/v1/tokens").await,
            person.post("/v1/tokens", issue).await,
        ] {
            problem(&answer, 401, "INVALID_JWT");
            challenged(&answer, Some("invalid_token"));
            assert!(!answer.text.contains(&refused));
        }
    }
    assert_eq!(accounts(&stack).await, 0);
}

#[tokio::test]
async fn holders_hand_on_what_holders_have_and_their_issuer_grants() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&SETTINGS).await;
    let issue = async |jwt: &str, scopes: Value| {
        let body = json!({ "name": "mine", "scopes": scopes });
        api.bearer(jwt).post("/v1/tokens", body).await
    };
    let plain = of("user-1");
    for scope in [
        "tollkeeper:verify",
        "tollkeeper:accounts.write",
        "tollkeeper:usage.write",
    ] {
        problem(
            &issue(&plain, json!([scope])).await,
            403,
            "BEYOND_AUTHORITY",
        );
    }
    let _ = issue(&plain, json!(["orders:*", "tollkeeper:tokens.write"]))
        .await
        .expect(201);

    let claims = json!({ "sub": "user-2", "scope": "orders:* reports:read" });
    let granted = signed(Algorithm::HS256, SECRET, &claims);
    let _ = issue(&granted, json!(["orders:read", "reports:read"]))
        .await
        .expect(201);
    problem(
        &issue(&granted, json!(["admin"])).await,
        403,
        "BEYOND_AUTHORITY",
    );

    // A stronger token that an operator gave the account is not the holder's to renew.
    let operator = api.operator();
    let accounts = operator.get("/v1/accounts").await.expect(200);
    let account = text(&accounts["items"][0], "id");
    let strong = operator
        .issue(account, json!({ "scopes": ["tollkeeper:verify"] }))
        .await;
    let rotate = format!("{}/rotate", path_of(&strong));
    let taken = api.bearer(&granted).post(&rotate, json!({})).await;
    problem(&taken, 403, "BEYOND_AUTHORITY");
}
