//! Rate limits as those are told of them whose tokens are used up.

use reqwest::Method;
use serde_json::{Value, json};
use tollkeeper_testkit::stack::{Answer, Node, Person};
use tollkeeper_testkit::{Stack, wait_for};

use crate::support::{
    bad_fields, forward_auth, limit_account, limit_token, limited, path_of, problem,
    system_account, text, unsigned_problem, verify,
};

/// So many units a day, which come back too slowly for any test to see it.
pub(crate) fn daily(name: &str, limit: u32) -> Value {
    json!({ "name": name, "limit": limit, "window_seconds": 86_400, "burst": limit, "cost": 1 })
}

async fn ask(asker: &Person, token: &str, cost: u32) -> Value {
    let question = json!({ "token": token, "cost": cost });
    asker.post("/v1/verify", question).await.expect(200)
}

/// Name, whose it is, and what is left of each limit.
fn left(told: &Value) -> Vec<(String, String, u64)> {
    let limits = told["rate_limits"].as_array().unwrap().iter();
    let one = |limit: &Value| {
        let of = |member| text(limit, member).to_owned();
        (of("name"), of("of"), limit["remaining"].as_u64().unwrap())
    };
    limits.map(one).collect()
}

fn of(name: &str, of: &str, left: u64) -> (String, String, u64) {
    (name.to_owned(), of.to_owned(), left)
}

#[tokio::test]
async fn a_program_that_asks_is_told_what_is_left() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let free = operator.issue(&account, json!({})).await;
    assert_eq!(
        verify(&operator, text(&free, "token")).await["rate_limits"],
        json!([])
    );

    let token = limited(&operator, json!([daily("day", 10)])).await;
    let secret = text(&token, "token");
    let told = verify(&operator, secret).await;
    assert_eq!(told["code"], "VALID");
    assert_eq!(
        told["rate_limits"],
        json!([{
            "name": "day", "of": "token", "limit": 10, "window_seconds": 86_400, "burst": 10,
            "remaining": 9, "reset_seconds": 8_640, "retry_after_seconds": 0,
        }])
    );
    assert_eq!(
        left(&ask(&operator, secret, 7).await),
        [of("day", "token", 2)]
    );
    let refused = ask(&operator, secret, 3).await;
    assert_eq!(
        (&refused["valid"], &refused["code"]),
        (&json!(false), &json!("RATE_LIMITED"))
    );
    assert_eq!(refused["token_id"], token["id"]);
    let limit = &refused["rate_limits"][0];
    assert_eq!(limit["remaining"], 2);
    let wait = limit["retry_after_seconds"].as_u64().unwrap();
    assert!((1..=8_640).contains(&wait), "{limit}");
    let never = ask(&operator, secret, 11).await;
    assert_eq!(never["rate_limits"][0]["retry_after_seconds"], Value::Null);
    for _ in 0..2 {
        let look = ask(&operator, secret, 0).await;
        assert_eq!(
            (&look["code"], left(&look)),
            (&json!("VALID"), vec![of("day", "token", 2)])
        );
    }
    // What would not pass anyway is not charged, and is told nothing of limits.
    let question = json!({ "token": secret, "scopes": ["orders:read"] });
    let told = operator.post("/v1/verify", question).await.expect(200);
    assert_eq!(
        (&told["code"], left(&told)),
        (&json!("INSUFFICIENT_SCOPE"), vec![])
    );

    for (cost, pointer) in [
        (json!(1_000_001), "/cost"),
        (json!(-1), "/cost"),
        (json!(1.5), "/cost"),
        (json!("1"), "/cost"),
    ] {
        let question = json!({ "token": secret, "cost": cost });
        bad_fields(&operator.post("/v1/verify", question).await, &[pointer]);
    }
}

#[tokio::test]
async fn an_account_has_limits_that_its_tokens_share() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let one = limited(&operator, json!([daily("own", 2)])).await;
    let account = text(&one, "account_id");
    let other = operator.issue(account, json!({})).await;
    limit_account(&operator, account, json!([daily("all", 4)])).await;
    let (one, other) = (text(&one, "token"), text(&other, "token"));
    for _ in 0..2 {
        assert_eq!(verify(&operator, one).await["code"], "VALID");
    }
    let refused = verify(&operator, one).await;
    assert_eq!(refused["code"], "RATE_LIMITED");
    assert_eq!(
        left(&refused),
        [of("all", "account", 2), of("own", "token", 0)]
    );
    for left_over in [1, 0] {
        let told = verify(&operator, other).await;
        assert_eq!(
            (&told["code"], left(&told)),
            (&json!("VALID"), vec![of("all", "account", left_over)])
        );
    }
    assert_eq!(verify(&operator, other).await["code"], "RATE_LIMITED");
    let answer = forward_auth(&api, other, "").await;
    assert!(
        answer
            .header("ratelimit")
            .unwrap()
            .starts_with("\"account:all\";r=0;t=")
    );
}

#[tokio::test]
async fn whoever_may_not_see_a_token_uses_nothing_of_it_up() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let token = limited(&operator, json!([daily("day", 1)])).await;
    let other = operator.account("other").await;
    let asker = json!({ "scopes": ["tollkeeper:verify"] });
    let asker = operator.issue(&other, asker).await;
    let asker = api.bearer(text(&asker, "token"));
    for _ in 0..3 {
        let told = verify(&asker, text(&token, "token")).await;
        assert_eq!((&told["code"], left(&told)), (&json!("NOT_FOUND"), vec![]));
    }
    assert_eq!(
        verify(&operator, text(&token, "token")).await["code"],
        "VALID"
    );
    let told = verify(&asker, text(&token, "token")).await;
    assert_eq!(told["code"], "NOT_FOUND", "not even that it is used up");
}

#[tokio::test]
async fn a_proxys_client_is_told_when_to_come_again() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let mut burst = daily("burst", 8_640);
    burst["burst"] = json!(5);
    let limits = json!([burst, daily("day", 10)]);
    let token = limited(&operator, limits).await;
    let secret = text(&token, "token");
    let policy = "\"burst\";q=8640;w=86400;burst=5, \"day\";q=10;w=86400";

    let answer = forward_auth(&api, secret, "?cost=2").await;
    answer.expect(200);
    assert_eq!(answer.header("ratelimit-policy"), Some(policy));
    let state = "\"burst\";r=3;t=20, \"day\";r=8;t=17280";
    assert_eq!(answer.header("ratelimit"), Some(state));
    assert_eq!(answer.header("retry-after"), None);

    // No waiting helps where it costs more than may be taken at once.
    for (query, status) in [("?cost=6", 429), ("?cost=1000000&deny=403", 403)] {
        let answer = forward_auth(&api, secret, query).await;
        unsigned_problem(&answer, status, "RATE_LIMITED");
        assert_eq!(answer.header("x-tollkeeper-code"), Some("RATE_LIMITED"));
        assert_eq!(answer.header("x-tollkeeper-token-id"), None);
        assert_eq!(answer.header("ratelimit-policy"), Some(policy));
        assert!(
            answer
                .header("ratelimit")
                .unwrap()
                .starts_with("\"burst\";r=")
        );
        assert_eq!(answer.header("retry-after"), None);
        assert!(answer.text.contains("more than may be taken at once"));
    }
    // The day is over before the burst is.
    limit_token(&operator, &token, json!([burst, daily("day", 2)])).await;
    let fresh = json!({ "token": secret, "cost": 0 });
    let read = operator.request(Method::POST, "/v1/verify").json(&fresh);
    Person::send(read.header("cache-control", "no-cache"))
        .await
        .expect(200);
    let policy = policy.replace("q=10", "q=2");
    for (query, status) in [("", 429), ("?deny=403", 403)] {
        let answer = forward_auth(&api, secret, query).await;
        unsigned_problem(&answer, status, "RATE_LIMITED");
        assert_eq!(answer.header("ratelimit-policy"), Some(&*policy));
        let after = answer.header("retry-after").unwrap();
        let state = format!("\"day\";r=0;t={after}");
        assert_eq!(
            answer.header("ratelimit"),
            Some(&*state),
            "only what refuses"
        );
    }
    // A look is not refused.
    forward_auth(&api, secret, "?cost=0").await.expect(200);
    for query in ["?cost=-1", "?cost=1000001", "?cost=x", "?cost="] {
        let answer = forward_auth(&api, secret, query).await;
        unsigned_problem(&answer, 400, "INVALID_QUERY");
    }
    let free = operator.issue(text(&token, "account_id"), json!({})).await;
    let answer = forward_auth(&api, text(&free, "token"), "").await;
    answer.expect(200);
    assert_eq!(
        (
            answer.header("ratelimit"),
            answer.header("ratelimit-policy")
        ),
        (None, None)
    );
}

/// A form sent to one of the OAuth operations.
async fn oauth(api: &Node, bearer: &str, path: &str, token: &str) -> Answer {
    let request = api.bearer(bearer).request(Method::POST, path);
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    Person::send(request.body(format!("token={token}"))).await
}

#[tokio::test]
async fn to_introspect_a_token_is_no_use_of_it() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let system = system_account(&operator).await;
    let server = json!({ "scopes": ["tollkeeper:verify"] });
    let server = operator.issue(&system, server).await;
    limit_token(&operator, &server, json!([daily("asks", 4)])).await;
    let server = text(&server, "token");
    let token = limited(&operator, json!([daily("day", 1)])).await;
    let token = text(&token, "token");
    let introspect = async || oauth(&api, server, "/oauth/introspect", token).await;
    for _ in 0..2 {
        assert_eq!(introspect().await.expect(200)["active"], true);
    }
    assert_eq!(verify(&operator, token).await["code"], "VALID");
    // Used up for now, and a token that works all the same.
    assert_eq!(introspect().await.expect(200)["active"], true);
    assert_eq!(verify(&operator, token).await["code"], "RATE_LIMITED");

    // The one who asks is charged.
    assert_eq!(introspect().await.expect(200)["active"], true);
    for path in ["/oauth/introspect", "/oauth/revoke"] {
        let refused = oauth(&api, server, path, token).await;
        assert_eq!(refused.expect(429)["error"], "temporarily_unavailable");
        assert!(refused.header("retry-after").is_some(), "{path}");
    }
    assert_eq!(
        ask(&operator, token, 0).await["code"],
        "VALID",
        "it was not revoked"
    );
}

#[tokio::test]
async fn whoever_is_used_up_learns_nothing_of_nodes() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let system = system_account(&operator).await;
    let scopes = json!({ "scopes": [
        "tollkeeper:events.read", "tollkeeper:accounts.write", "tollkeeper:verify",
    ] });
    let token = operator.issue(&system, scopes).await;
    limit_token(&operator, &token, json!([daily("once", 1)])).await;
    let caller = api.bearer(text(&token, "token"));
    let nodes = caller.get("/v1/nodes").await.expect(200);
    let node = format!("/v1/nodes/{}", text(&nodes["items"][0], "id"));
    problem(&caller.get("/v1/nodes").await, 429, "RATE_LIMITED");
    problem(&caller.delete(&node).await, 429, "RATE_LIMITED");
    let report = caller.request(Method::PUT, &node).json(&json!({}));
    problem(&Person::send(report).await, 429, "RATE_LIMITED");
    problem(&caller.get("/v1/nodes/events").await, 429, "RATE_LIMITED");
    for path in ["/v1/nodes/lookup", "/v1/nodes/ledger", "/v1/nodes/balances"] {
        problem(&caller.post(path, json!({})).await, 429, "RATE_LIMITED");
    }
}

#[tokio::test]
async fn what_one_node_lets_through_counts_on_the_other() {
    let mut stack = Stack::bare().await;
    let (here, there) = (stack.api(&[]).await, stack.api(&[]).await);
    let (here, there) = (here.operator(), there.operator());
    let token = limited(&here, json!([daily("day", 4)])).await;
    let token = text(&token, "token");
    assert_eq!(left(&ask(&there, token, 0).await), [of("day", "token", 4)]);
    assert_eq!(ask(&here, token, 3).await["code"], "VALID");
    wait_for("the other node to hear of it", async || {
        left(&ask(&there, token, 0).await) == [of("day", "token", 1)]
    })
    .await;
    assert_eq!(ask(&there, token, 2).await["code"], "RATE_LIMITED");
}

#[tokio::test]
async fn a_caller_who_lacks_the_scope_is_charged_nothing() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let token = limited(&operator, json!([daily("day", 1)])).await;
    let caller = api.bearer(text(&token, "token"));
    for _ in 0..2 {
        problem(&caller.get("/v1/tokens").await, 403, "INSUFFICIENT_SCOPE");
    }
    caller.get("/v1/whoami").await.expect(200);
    let refused = caller.get("/v1/whoami").await;
    problem(&refused, 429, "RATE_LIMITED");
    assert!(refused.header("retry-after").is_some());
    problem(&caller.get("/v1/tokens").await, 403, "INSUFFICIENT_SCOPE");
    // What is used up is still its holder's to end, by others.
    operator.delete(&path_of(&token)).await.expect(200);
}
