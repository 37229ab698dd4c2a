//! `/v1/forward-auth`, as reverse proxies ask it, and what is counted of it.

use reqwest::Method;
use serde_json::{Value, json};
use tollkeeper_testkit::stack::{Node, Person};
use tollkeeper_testkit::{Stack, wait_for};

use crate::raw::exchange;
use crate::support::{
    challenged, forward_auth, in_seconds, path_of, text, unissued, unsigned_problem, with_header,
};

/// How many checks the node tells of, by where their answer came from.
async fn checks(api: &Node, source: &str) -> f64 {
    let name = format!("tollkeeper_verification_checks_total{{source=\"{source}\"}} ");
    let metrics = api.about_itself("/metrics").await.text;
    let value = metrics.lines().find_map(|line| line.strip_prefix(&name));
    value.map_or(0.0, |value| value.trim().parse().unwrap())
}

#[tokio::test]
async fn a_check_is_told_of_once_whether_memory_has_the_token_or_not() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let token = operator.issue(&account, json!({})).await;
    for _ in 0..3 {
        let answer = forward_auth(&api, text(&token, "token"), "").await;
        answer.expect(200);
    }
    wait_for("the checks to be told", async || {
        checks(&api, "hit").await >= 2.0 && checks(&api, "miss").await >= 1.0
    })
    .await;
    let told = (checks(&api, "hit").await, checks(&api, "miss").await);
    assert_eq!(told, (2.0, 1.0));
}

#[tokio::test]
async fn who_may_pass_is_named_in_headers() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let scoped = operator
        .issue(&account, json!({ "scopes": ["b:*", "a"] }))
        .await;
    let plain = operator.issue(&account, json!({})).await;

    for (token, scopes) in [(&scoped, "a b:*"), (&plain, "")] {
        let secret = text(token, "token");
        for path in [
            "",
            "/",
            "/orders/17",
            "?env=live",
            "/a?from=original&deny=403",
        ] {
            let path = format!("/v1/forward-auth{path}");
            for method in [Method::GET, Method::POST, Method::DELETE, Method::OPTIONS] {
                let request = api.bearer(secret).request(method, &path);
                let answer = Person::send(request).await;
                answer.expect(200);
                assert_eq!(answer.header("x-tollkeeper-token-id"), token["id"].as_str());
                assert_eq!(
                    answer.header("x-tollkeeper-account-id"),
                    Some(account.as_str())
                );
                assert_eq!(answer.header("x-tollkeeper-scopes"), Some(scopes));
                assert!(answer.text.is_empty());
            }
        }
    }
    // A client's own headers of these names come back as ours, never as its own.
    let forged = ("x-tollkeeper-scopes", "everything");
    let bearer = api.bearer(text(&plain, "token"));
    let answer = with_header(&bearer, Method::GET, "/v1/forward-auth", forged, None).await;
    assert_eq!(answer.header("x-tollkeeper-scopes"), Some(""));
    assert_eq!(
        answer.headers.get_all("x-tollkeeper-scopes").iter().count(),
        1
    );

    for query in ["?scope=a", "?scope=b:c&scope=a", "?scope=b%3A%2A"] {
        assert_eq!(
            forward_auth(&api, text(&scoped, "token"), query)
                .await
                .status,
            200
        );
    }
}

#[tokio::test]
async fn who_may_not_is_told_why() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let token = async |fields: Value| {
        let made = operator.issue(&account, fields).await;
        (text(&made, "token").to_owned(), path_of(&made))
    };
    let (valid, _) = token(json!({ "scopes": ["a"] })).await;
    let (early, _) = token(json!({ "not_before": in_seconds(3600) })).await;
    let (short, _) = token(json!({ "expires_at": in_seconds(1) })).await;
    let (resting, path) = token(json!({})).await;
    operator
        .post(&format!("{path}/suspend"), json!({}))
        .await
        .expect(200);
    let (ended, path) = token(json!({})).await;
    operator.delete(&path).await.expect(200);
    wait_for("the short token to expire", async || {
        forward_auth(&api, &short, "").await.status == 401
    })
    .await;
    let refused = async |token: &str, query, status, code| {
        let answer = forward_auth(&api, token, query).await;
        unsigned_problem(&answer, status, code);
        assert_eq!(answer.header("x-tollkeeper-code"), Some(code));
        assert_eq!(answer.header("x-tollkeeper-token-id"), None);
        answer
    };
    for (token, query, code) in [
        (valid.as_str(), "?env=test", "WRONG_ENVIRONMENT"),
        (&early, "", "NOT_YET_VALID"),
        (&short, "", "EXPIRED"),
        (&resting, "", "SUSPENDED"),
        (&ended, "", "REVOKED"),
        (&unissued(), "", "NOT_FOUND"),
        ("tk_live_nonsense", "", "MALFORMED"),
        (tollkeeper_testkit::stack::OPERATOR_KEY, "", "MALFORMED"),
    ] {
        let answer = refused(token, query, 401, code).await;
        challenged(&answer, Some("invalid_token"));
    }
    let answer = refused(&valid, "?scope=a&scope=b", 403, "INSUFFICIENT_SCOPE").await;
    challenged(&answer, Some("insufficient_scope"));
    assert!(
        answer
            .header("www-authenticate")
            .unwrap()
            .contains("scope=\"a b\"")
    );
    let suspend = format!("/v1/accounts/{account}/suspend");
    operator.post(&suspend, json!({})).await.expect(200);
    refused(&valid, "", 401, "ACCOUNT_SUSPENDED").await;

    let answer = api.nobody().get("/v1/forward-auth").await;
    unsigned_problem(&answer, 401, "UNAUTHENTICATED");
    challenged(&answer, None);
    for query in [
        "?scope=A",
        "?scope=",
        "?env=prod",
        "?deny=401",
        "?from=x",
        "?color=red",
    ] {
        let answer = forward_auth(&api, &valid, query).await;
        unsigned_problem(&answer, 400, "INVALID_QUERY");
    }
    let id = ("x-request-id", "r-1");
    let nobody = api.nobody();
    let answer = with_header(&nobody, Method::GET, "/v1/forward-auth", id, None).await;
    assert_eq!(answer.json()["request_id"], "r-1");
}

#[tokio::test]
async fn a_key_wins_over_whatever_the_site_itself_authorizes_by() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let token = operator.issue(&account, json!({})).await;
    let ended = operator.issue(&account, json!({})).await;
    operator.delete(&path_of(&ended)).await.expect(200);
    let (token, ended) = (text(&token, "token"), text(&ended, "token"));
    let ask = async |key: &str, authorization: &str| {
        let key = ("x-api-key", key);
        let request = api.nobody().request(Method::GET, "/v1/forward-auth");
        let request = request
            .header(key.0, key.1)
            .header("authorization", authorization);
        Person::send(request).await
    };
    for authorization in [
        &format!("Bearer {ended}"),
        "Basic YTpi",
        "Bearer a.b.c",
        "odd",
    ] {
        ask(token, authorization).await.expect(200);
    }
    let answer = ask(ended, &format!("Bearer {token}")).await;
    unsigned_problem(&answer, 401, "REVOKED");

    // Proxies such as nginx make a server error of anything but 401 and 403.
    for authorization in ["Basic YTpi", "Bearer", "odd"] {
        let header = ("authorization", authorization);
        let nobody = api.nobody();
        let answer = with_header(&nobody, Method::GET, "/v1/forward-auth", header, None).await;
        unsigned_problem(&answer, 401, "UNAUTHENTICATED");
        challenged(&answer, None);
    }
    let twice = format!(
        "GET /v1/forward-auth HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\
         X-API-Key: {token}\r\nX-API-Key: {ended}\r\n\r\n"
    );
    let answer = exchange(api.public, twice.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
}

/// One counted request, as its row tells it.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, sqlx::FromRow)]
struct Counted {
    method: String,
    endpoint: String,
    status: i16,
    ip: String,
    user_agent: String,
}

async fn counted(stack: &Stack, token: &Value, how_many: usize) -> Vec<Counted> {
    let id: uuid::Uuid = text(token, "id").parse().unwrap();
    let rows = async || {
        sqlx::query_as::<_, Counted>(
            "select method, endpoint, status, host(ip) as ip, user_agent
            from api_token_usage where token_id = $1",
        )
        .bind(id)
        .fetch_all(&stack.database.pool)
        .await
        .unwrap()
    };
    wait_for("the requests to be counted", async || {
        rows().await.len() >= how_many
    })
    .await;
    let mut rows = rows().await;
    rows.sort();
    rows
}

async fn as_a_proxy(api: &Node, token: &str, source: &str) {
    let path = format!("/v1/forward-auth/own?from={source}");
    let request = api.bearer(token).request(Method::GET, &path);
    let request = request
        .header("x-original-uri", "/orders/17?page=2")
        .header("x-original-method", "POST")
        .header("x-forwarded-uri", "/users")
        .header("x-forwarded-method", "PUT")
        .header("x-forwarded-for", "192.0.2.66, 203.0.113.9")
        .header("user-agent", "curl");
    Person::send(request).await.expect(200);
}

fn row(method: &str, endpoint: &str, ip: &str) -> Counted {
    Counted {
        method: method.to_owned(),
        endpoint: endpoint.to_owned(),
        status: 200,
        ip: ip.to_owned(),
        user_agent: "curl".to_owned(),
    }
}

#[tokio::test]
async fn every_request_of_a_known_token_is_counted_as_it_was() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let _ingestor = stack.ingestor(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let token = operator.issue(&account, json!({})).await;
    let secret = text(&token, "token");
    for source in ["original", "forwarded", "path"] {
        as_a_proxy(&api, secret, source).await;
    }
    let refused = api.bearer(secret).get("/v1/forward-auth/own?scope=a").await;
    assert_eq!(refused.status, 403);

    let rows = counted(&stack, &token, 4).await;
    let mut expected = vec![
        row("POST", "/orders/17", "203.0.113.9"),
        row("PUT", "/users", "203.0.113.9"),
        row("GET", "/own", "203.0.113.9"),
        Counted {
            status: 403,
            user_agent: String::new(),
            ..row("GET", "/own", "127.0.0.1")
        },
    ];
    expected.sort();
    assert_eq!(rows, expected);
    wait_for("the token's totals", async || {
        let read = operator.get(&path_of(&token)).await.expect(200);
        let told = (&read["last_used_at"], &read["last_accessed"]);
        read["usage_count"] == 4 && told.0.is_string() && told.0 == told.1
    })
    .await;
}

#[tokio::test]
async fn only_trusted_proxies_are_believed() {
    let mut stack = Stack::bare().await;
    let settings = [("TOLLKEEPER_TRUSTED_PROXIES", "198.51.100.0/24")];
    let api = stack.api(&settings).await;
    let _ingestor = stack.ingestor(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let token = operator.issue(&account, json!({})).await;
    for source in ["original", "forwarded"] {
        as_a_proxy(&api, text(&token, "token"), source).await;
    }
    let own = || row("GET", "/own", "127.0.0.1");
    assert_eq!(counted(&stack, &token, 2).await, [own(), own()]);
}
