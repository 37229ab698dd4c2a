//! Quotas as those are told of them whose tokens are used up.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use tollkeeper_testkit::stack::Person;
use tollkeeper_testkit::{FaultProxy, Stack, wait_for_some};
use uuid::Uuid;

use crate::support::{bad_fields, forward_auth, now, text, unsigned_problem, verify};

async fn ask(asker: &Person, token: &str, cost: u32) -> Value {
    let question = json!({ "token": token, "cost": cost });
    asker.post("/v1/verify", question).await.expect(200)
}

/// Name, whose it is, and what is left of each quota.
fn left(told: &Value) -> Vec<(String, String, u64)> {
    let quotas = told["quotas"].as_array().unwrap().iter();
    let one = |quota: &Value| {
        let of = |member| text(quota, member).to_owned();
        (of("name"), of("of"), quota["remaining"].as_u64().unwrap())
    };
    quotas.map(one).collect()
}

fn of(name: &str, of: &str, left: u64) -> (String, String, u64) {
    (name.to_owned(), of.to_owned(), left)
}

/// A token of a new account that has these quotas.
async fn counted(operator: &Person, quotas: Value) -> Value {
    let account = operator.post("/v1/accounts", json!({})).await.expect(201);
    let fields = json!({ "quotas": quotas });
    operator.issue(text(&account, "id"), fields).await
}

#[tokio::test]
async fn a_program_that_asks_is_told_how_many_uses_are_left() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let quotas = json!([{ "name": "calls", "limit": 10 }]);
    let token = counted(&operator, quotas).await;
    let secret = text(&token, "token");
    let free = operator.issue(text(&token, "account_id"), json!({})).await;
    let told = verify(&operator, text(&free, "token")).await;
    assert_eq!(told["quotas"], json!([]));

    let told = verify(&operator, secret).await;
    assert_eq!(told["code"], "VALID");
    let calls = json!({
        "name": "calls", "of": "token", "limit": 10, "remaining": 9, "resets_at": null,
    });
    assert_eq!(told["quotas"], json!([calls]));
    let told = ask(&operator, secret, 7).await;
    assert_eq!(left(&told), [of("calls", "token", 2)]);
    let refused = ask(&operator, secret, 3).await;
    assert_eq!(
        (&refused["valid"], &refused["code"]),
        (&json!(false), &json!("QUOTA_EXCEEDED"))
    );
    assert_eq!(refused["token_id"], token["id"]);
    assert_eq!(left(&refused), [of("calls", "token", 2)]);
    for _ in 0..2 {
        let look = ask(&operator, secret, 0).await;
        assert_eq!(look["code"], "VALID");
        assert_eq!(left(&look), [of("calls", "token", 2)]);
    }
    // What would not pass anyway uses nothing, and is told nothing of quotas.
    let question = json!({ "token": secret, "scopes": ["orders:read"] });
    let told = operator.post("/v1/verify", question).await.expect(200);
    assert_eq!(told["code"], "INSUFFICIENT_SCOPE");
    assert_eq!(told["quotas"], json!([]));
    let items = json!({ "items": [{ "token": secret }, { "token": secret }, { "token": secret }] });
    let told = operator.post("/v1/verify/batch", items).await.expect(200);
    let codes: Vec<_> = (0..3).map(|at| told["items"][at]["code"].clone()).collect();
    assert_eq!(codes, ["VALID", "VALID", "QUOTA_EXCEEDED"]);
}

#[tokio::test]
async fn an_accounts_uses_are_shared_and_whoever_may_not_see_a_token_takes_none() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let body = json!({ "quotas": [{ "name": "all", "limit": 4, "refill": "monthly" }] });
    let account = operator.post("/v1/accounts", body).await.expect(201);
    let account = text(&account, "id");
    let own = json!({ "quotas": [{ "name": "own", "limit": 1 }] });
    let one = operator.issue(account, own).await;
    let other = operator.issue(account, json!({})).await;
    let (one, other) = (text(&one, "token"), text(&other, "token"));
    let stranger = operator.account("other").await;
    let asker = json!({ "scopes": ["tollkeeper:verify"] });
    let asker = operator.issue(&stranger, asker).await;
    let asker = api.bearer(text(&asker, "token"));
    for _ in 0..3 {
        let told = verify(&asker, one).await;
        assert_eq!((&told["code"], left(&told)), (&json!("NOT_FOUND"), vec![]));
    }
    let told = verify(&operator, one).await;
    assert_eq!(
        left(&told),
        [of("all", "account", 3), of("own", "token", 0)]
    );
    let resets_at = text(&told["quotas"][0], "resets_at");
    assert!(resets_at.ends_with("-01T00:00:00Z"), "{resets_at}");
    let refused = verify(&operator, one).await;
    assert_eq!(refused["code"], "QUOTA_EXCEEDED");
    assert_eq!(
        left(&ask(&operator, other, 3).await),
        [of("all", "account", 0)]
    );
    assert_eq!(verify(&operator, other).await["code"], "QUOTA_EXCEEDED");
    let told = verify(&asker, other).await;
    assert_eq!(told["code"], "NOT_FOUND", "not even that it is used up");
}

#[tokio::test]
async fn a_proxys_client_is_told_when_there_are_uses_again() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let fields = json!([
        { "name": "life", "limit": 1_000_000_000_000_000_u64 },
        { "name": "month", "limit": 3, "refill": "monthly" },
    ]);
    let token = counted(&operator, fields).await;
    let secret = text(&token, "token");
    let answer = forward_auth(&api, secret, "?cost=2").await;
    answer.expect(200);
    // An integer of a structured field has at most 15 digits.
    let most = "999999999999999";
    let policy = answer.header("ratelimit-policy").unwrap();
    let days = [28, 29, 30, 31].map(|days| {
        let seconds = days * 86_400;
        format!("\"quota:life\";q={most}, \"quota:month\";q=3;w={seconds}")
    });
    assert!(days.iter().any(|it| it == policy), "{policy}");
    let state = answer.header("ratelimit").unwrap();
    let start = "\"quota:life\";r=999999999999998, \"quota:month\";r=1;t=";
    assert!(state.starts_with(start), "{state}");
    assert_eq!(answer.header("retry-after"), None);

    for (query, status) in [("?cost=2", 429), ("?cost=3&deny=403", 403)] {
        let before = now();
        let answer = forward_auth(&api, secret, query).await;
        unsigned_problem(&answer, status, "QUOTA_EXCEEDED");
        assert_eq!(answer.header("x-tollkeeper-code"), Some("QUOTA_EXCEEDED"));
        assert_eq!(answer.header("x-tollkeeper-token-id"), None);
        assert_eq!(answer.header("ratelimit-policy"), Some(policy));
        let after = answer.header("retry-after").unwrap();
        let state = format!("\"quota:month\";r=1;t={after}");
        assert_eq!(
            answer.header("ratelimit"),
            Some(&*state),
            "only what refuses"
        );
        assert!(answer.text.contains("used up for now: `month`"));
        // The first moment of a month, to the second that the header rounds to.
        let wait = TimeDelta::seconds(after.parse().unwrap());
        let told = ask(&operator, secret, 0).await;
        let resets_at: DateTime<Utc> = text(&told["quotas"][1], "resets_at").parse().unwrap();
        assert!(before + wait < resets_at + TimeDelta::seconds(1), "{told}");
        assert!(now() + wait >= resets_at, "{told}");
    }
    // No month has as many.
    let answer = forward_auth(&api, secret, "?cost=4").await;
    unsigned_problem(&answer, 429, "QUOTA_EXCEEDED");
    assert_eq!(answer.header("retry-after"), None);
    assert_eq!(answer.header("ratelimit"), Some("\"quota:month\";r=1"));
    forward_auth(&api, secret, "").await.expect(200);
    forward_auth(&api, secret, "?cost=0").await.expect(200);
    let answer = forward_auth(&api, secret, "").await;
    unsigned_problem(&answer, 429, "QUOTA_EXCEEDED");
}

#[tokio::test]
async fn a_rate_limit_and_a_quota_are_told_of_side_by_side() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let limit = json!({ "name": "a", "limit": 2, "window_seconds": 86_400, "burst": 2, "cost": 1 });
    let fields = json!({ "rate_limits": [limit], "quotas": [{ "name": "a", "limit": 5 }] });
    let token = operator.issue(&account, fields).await;
    let secret = text(&token, "token");
    let answer = forward_auth(&api, secret, "").await;
    answer.expect(200);
    let policy = "\"a\";q=2;w=86400, \"quota:a\";q=5";
    assert_eq!(answer.header("ratelimit-policy"), Some(policy));
    let state = "\"a\";r=1;t=43200, \"quota:a\";r=4";
    assert_eq!(answer.header("ratelimit"), Some(state));
    forward_auth(&api, secret, "").await.expect(200);
    let answer = forward_auth(&api, secret, "").await;
    unsigned_problem(&answer, 429, "RATE_LIMITED");
    let state = answer.header("ratelimit").unwrap();
    assert!(
        state.starts_with("\"a\";r=0;t=") && !state.contains("quota"),
        "{state}"
    );
    assert_eq!(
        left(&ask(&operator, secret, 0).await),
        [of("a", "token", 3)]
    );
}

#[tokio::test]
async fn calls_of_this_api_use_up_nothing() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let token = counted(&operator, json!([{ "name": "once", "limit": 1 }])).await;
    let secret = text(&token, "token");
    let caller = api.bearer(secret);
    for _ in 0..3 {
        caller.get("/v1/whoami").await.expect(200);
    }
    assert_eq!(
        left(&verify(&operator, secret).await),
        [of("once", "token", 0)]
    );
    assert_eq!(verify(&operator, secret).await["code"], "QUOTA_EXCEEDED");
    caller.get("/v1/whoami").await.expect(200);
}

#[tokio::test]
async fn what_cannot_be_counted_uses_up_nothing() {
    let mut stack = Stack::bare().await;
    let proxy = FaultProxy::start(stack.nats.address()).await;
    stack.nats_through(proxy.address());
    let api = stack
        .api(&[
            ("TOLLKEEPER_SPOOL_FULL", "refuse"),
            ("TOLLKEEPER_SPOOL_BYTES", "256KiB"),
        ])
        .await;
    let _ingestor = stack.ingestor(&[]).await;
    let operator = api.operator();
    let token = counted(&operator, json!([{ "name": "calls", "limit": 1_000_000 }])).await;
    let secret = text(&token, "token");
    // Of the limit a use comes back in 2.7 seconds.
    let limit = json!({ "rate_limits": [
        { "name": "requests", "limit": 1_000_000, "window_seconds": 2_678_400, "burst": 1_000_000 },
    ] });
    operator
        .patch(&format!("/v1/tokens/{}", text(&token, "id")), limit)
        .await
        .expect(200);
    proxy.cut();
    // As long as endpoints are kept, so that the spool is full soon.
    let path = format!("/{}", "a".repeat(511));
    let (mut passed, mut refused) = (0, 0);
    while refused < 10 {
        match forward_auth(&api, secret, &path).await.status {
            200 => passed += 1,
            status => {
                assert_eq!(status, 503);
                refused += 1;
            }
        }
        assert!(passed < 100_000, "a spool of 256 KiB is full at some time");
    }
    // The same for many at once. What is left of a segment may be room for one of them in each lane.
    let one = json!({ "token": secret, "endpoint": path });
    let batch = json!({ "items": vec![one; 100] });
    operator.post("/v1/verify/batch", batch).await.expect(503);
    proxy.resume();
    let told = wait_for_some("room in the spool", async || {
        let look = json!({ "token": secret, "cost": 0 });
        let answer = operator.post("/v1/verify", look).await;
        (answer.status == 200).then(|| answer.json())
    })
    .await;
    let most = 1_000_000 - passed;
    let fits = |left: &Value| (most - 8..=most + 50).contains(&left.as_i64().unwrap());
    let (quota, limit) = (&told["quotas"][0], &told["rate_limits"][0]);
    assert!(fits(&quota["remaining"]), "{passed} passed: {quota}");
    assert!(fits(&limit["remaining"]), "{passed} passed: {limit}");
}

/// A period of a balance of the account or token 7.
fn balance(generation: u32, period: &str) -> Value {
    json!({ "owner": Uuid::from_u128(7), "generation": generation, "period": period })
}

fn balances(own: &[Uuid], balances: &[Value]) -> Value {
    json!({ "own": own, "balances": balances })
}

#[tokio::test]
async fn a_node_reads_what_was_used_of_quotas() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    for (generation, period, source, used) in [
        (1, "2026-11-21", 1, 3),
        (1, "2026-11-21", 2, 5),
        (1, "2026-11-21", 3, 7),
        (1, "2026-11-22", 1, 11),
        (2, "1970-01-01", 3, 13),
    ] {
        let row = sqlx::query("insert into quota_balances values ($1, $2, $3::date, $4, $5)");
        let row = row.bind(Uuid::from_u128(7)).bind(generation);
        let row = row.bind(period.parse::<chrono::NaiveDate>().unwrap());
        let row = row.bind(Uuid::from_u128(source)).bind(i64::from(used));
        row.execute(&stack.database.pool).await.unwrap();
    }
    let own = [Uuid::from_u128(1), Uuid::from_u128(2), Uuid::from_u128(4)];
    let asked = [
        balance(2, "1970-01-01"),
        balance(1, "2026-11-21"),
        balance(3, "2026-11-21"),
        balance(1, "2026-11-22"),
        balance(1, "2026-11-21"),
        balance(u32::MAX, "9999-12-31"),
    ];
    let answer = operator.post("/v1/nodes/balances", balances(&own, &asked));
    let answer = answer.await.expect(200);
    let used = |own: u64, others: u64| json!({ "own": own, "others": others });
    let expected = [(0, 13), (8, 7), (0, 0), (11, 0), (8, 7), (0, 0)];
    let expected = expected.map(|(own, others)| used(own, others));
    assert_eq!(answer["used"], json!(expected));
}

#[tokio::test]
async fn balances_that_cannot_be_are_not_asked_about() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let good = || balance(1, "2026-11-21");
    let with = |member: &str, value: Value| {
        let mut balance = good();
        balance[member] = value;
        balances(&[], &[good(), balance])
    };
    for (body, pointers) in [
        (
            balances(&[Uuid::nil(); 401], &vec![good(); 501]),
            &["/own", "/balances"][..],
        ),
        (with("owner", json!("x")), &["/balances/1/owner"]),
        (with("generation", json!(-1)), &["/balances/1/generation"]),
        (with("period", json!("2026-02-30")), &["/balances/1/period"]),
        (with("period", json!("1969-12-31")), &["/balances/1/period"]),
        (with("more", json!(1)), &["/balances/1/more"]),
    ] {
        bad_fields(&operator.post("/v1/nodes/balances", body).await, pointers);
    }
}
