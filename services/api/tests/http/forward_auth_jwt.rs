//! JWTs of account holders at `/v1/forward-auth`: only where the proxy asks for it, and counted nowhere.

use chrono::TimeDelta;
use jsonwebtoken::Algorithm;
use reqwest::Method;
use serde_json::{Value, json};
use tollkeeper_testkit::stack::{Answer, Node, Person};
use tollkeeper_testkit::{FaultProxy, Stack, wait_for};

use crate::jwt::{SECRET, SETTINGS, of, signed};
use crate::support::{challenged, forward_auth, now, text, unsigned_problem, with_header};

/// A holder's account, made by its first write.
async fn registered(api: &Node, subject: &str) -> Value {
    let holder = api.bearer(&of(subject));
    let issued = holder.post("/v1/tokens", json!({ "name": "mine" })).await;
    issued.expect(201)
}

fn granted(subject: &str, scopes: &str) -> String {
    let claims = json!({ "sub": subject, "scope": scopes });
    signed(Algorithm::HS256, SECRET, &claims)
}

fn passes(answer: &Answer, account: &str, scopes: &str) {
    answer.expect(200);
    let headers = [
        ("x-tollkeeper-token-id", ""),
        ("x-tollkeeper-account-id", account),
        ("x-tollkeeper-scopes", scopes),
    ];
    for (name, value) in headers {
        assert_eq!(answer.header(name), Some(value), "{name}");
        assert_eq!(answer.headers.get_all(name).iter().count(), 1);
    }
    assert!(answer.text.is_empty());
}

fn refused(answer: &Answer, status: u16, code: &str) {
    unsigned_problem(answer, status, code);
    assert_eq!(answer.header("x-tollkeeper-code"), Some(code));
    assert_eq!(answer.header("x-tollkeeper-account-id"), None);
}

#[tokio::test]
async fn holders_pass_where_the_proxy_allows_it_and_are_not_counted() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&SETTINGS).await;
    let _ingestor = stack.ingestor(&[]).await;
    let made = registered(&api, "user-1").await;
    let (account, token) = (text(&made, "account_id"), text(&made, "token"));
    let plain = of("user-1");
    let scoped = granted("user-1", "orders:* site:read");

    for more in ["", "&from=original&deny=403", "&uri=/orders?cost=0"] {
        let query = format!("?jwt=allow{more}");
        let answer = forward_auth(&api, &plain, &query).await;
        passes(&answer, account, "");
    }
    let query = "?jwt=allow&scope=site:read&scope=orders:write";
    let answer = forward_auth(&api, &scoped, query).await;
    passes(&answer, account, "orders:* site:read");
    // What a client says of itself comes back as ours.
    let forged = ("x-tollkeeper-token-id", "forged");
    let bearer = api.bearer(&scoped);
    let path = "/v1/forward-auth?jwt=allow";
    let answer = with_header(&bearer, Method::POST, path, forged, None).await;
    passes(&answer, account, "orders:* site:read");

    // Only where it is said; and a key wins, as it does elsewhere.
    let answer = forward_auth(&api, &scoped, "").await;
    unsigned_problem(&answer, 401, "MALFORMED");
    let key = ("x-api-key", "tk_live_nonsense");
    let answer = with_header(&bearer, Method::GET, path, key, None).await;
    refused(&answer, 401, "MALFORMED");

    // Tokens are judged and counted as ever, and they alone.
    let answer = forward_auth(&api, token, "?jwt=allow").await;
    answer.expect(200);
    assert_eq!(answer.header("x-tollkeeper-token-id"), made["id"].as_str());
    let counted = async || -> i64 {
        sqlx::query_scalar("select count(*) from api_token_usage")
            .fetch_one(&stack.database.pool)
            .await
            .unwrap()
    };
    wait_for("the token's request to be counted", async || {
        counted().await > 0
    })
    .await;
    assert_eq!(counted().await, 1);
}

#[tokio::test]
async fn holders_who_may_not_pass_are_told_why() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&SETTINGS).await;
    let operator = api.operator();
    let made = registered(&api, "user-1").await;
    let account = text(&made, "account_id").to_owned();
    let at = |minutes| (now() + TimeDelta::minutes(minutes)).timestamp();
    let hs256 = |patch: Value| signed(Algorithm::HS256, SECRET, &patch);
    let other = signed(
        Algorithm::HS256,
        "another secret of more than 32 bytes",
        &json!({}),
    );
    for (jwt, query, code) in [
        (hs256(json!({ "aud": "somebody else" })), "", "MALFORMED"),
        (
            hs256(json!({ "iss": "https://evil.example.com" })),
            "",
            "MALFORMED",
        ),
        (hs256(json!({ "exp": null })), "", "MALFORMED"),
        (other, "", "MALFORMED"),
        ("a.b.c".to_owned(), "", "MALFORMED"),
        (hs256(json!({ "exp": at(-5) })), "", "EXPIRED"),
        (hs256(json!({ "nbf": at(5) })), "", "NOT_YET_VALID"),
        (of("user-2"), "", "NOT_FOUND"),
        (of("user-1"), "&env=live", "WRONG_ENVIRONMENT"),
    ] {
        let answer = forward_auth(&api, &jwt, &format!("?jwt=allow{query}")).await;
        refused(&answer, 401, code);
        challenged(&answer, Some("invalid_token"));
        assert!(!answer.text.contains(&jwt));
    }
    let accounts = sqlx::query_scalar::<_, i64>("select count(*) from accounts");
    let accounts = accounts.fetch_one(&stack.database.pool).await.unwrap();
    assert_eq!(accounts, 1, "who is refused is not registered");

    for jwt in [of("user-1"), granted("user-1", "orders:* site")] {
        let answer = forward_auth(&api, &jwt, "?jwt=allow&scope=site:read").await;
        refused(&answer, 403, "INSUFFICIENT_SCOPE");
        challenged(&answer, Some("insufficient_scope"));
    }

    let ask = async || forward_auth(&api, &of("user-1"), "?jwt=allow").await;
    let path = format!("/v1/accounts/{account}");
    let suspended = operator.post(&format!("{path}/suspend"), json!({})).await;
    suspended.expect(200);
    refused(&ask().await, 401, "ACCOUNT_SUSPENDED");
    let resumed = operator.post(&format!("{path}/resume"), json!({})).await;
    resumed.expect(200);
    passes(&ask().await, &account, "");
    assert!(operator.delete(&path).await.status < 300);
    refused(&ask().await, 401, "ACCOUNT_SUSPENDED");

    // Nobody's JWT is taken where none is configured.
    let api = stack.api(&[]).await;
    let answer = forward_auth(&api, &of("user-1"), "?jwt=allow").await;
    refused(&answer, 401, "MALFORMED");
}

#[tokio::test]
async fn no_holder_passes_while_the_account_cannot_be_read() {
    let mut stack = Stack::bare().await;
    let proxy = FaultProxy::start(stack.database.tcp_address()).await;
    stack.database_through(proxy.address());
    let api = stack.api(&SETTINGS).await;
    let made = registered(&api, "user-1").await;
    let account = text(&made, "account_id");
    let ask = async || forward_auth(&api, &of("user-1"), "?jwt=allow").await;
    passes(&ask().await, account, "");
    for fault in [FaultProxy::pause, FaultProxy::cut] {
        fault(&proxy);
        let answer = ask().await;
        refused(&answer, 503, "UNAVAILABLE");
        assert!(answer.header("retry-after").is_some());
        proxy.resume();
        wait_for("the account to be read again", async || {
            ask().await.status == 200
        })
        .await;
    }
}

/// A proxy that appends its client's path appends the client's query, too.
#[tokio::test]
async fn no_client_can_free_itself_of_anything_by_its_query() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&SETTINGS).await;
    let made = registered(&api, "user-1").await;
    let token = text(&made, "token");
    for credential in [token, &of("user-1")] {
        for path in [
            "/orders?cost=0",
            "/?jwt=allow",
            "/a?from=original&jwt=allow",
        ] {
            let request = api
                .bearer(credential)
                .request(Method::GET, &format!("/v1/forward-auth{path}"));
            let answer = Person::send(request).await;
            unsigned_problem(&answer, 400, "INVALID_QUERY");
        }
    }
    for query in [
        "?cost=0",
        "?cost=0&uri=/orders?cost=7",
        "?jwt=allow&uri=/orders",
    ] {
        forward_auth(&api, token, query).await.expect(200);
    }
}
