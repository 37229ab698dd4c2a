//! What happened: the history of a token, the feed, and the past.

use serde_json::{Value, json};
use tollkeeper_testkit::Stack;
use tollkeeper_testkit::stack::{Node, Person};

use crate::jwt::{SETTINGS, of};
use crate::support::{manager, path_of, problem, system_account, text};

/// A token that has gone through most of what can happen to one.
pub(crate) async fn eventful(operator: &Person, account: &str) -> Value {
    let issued = operator
        .issue(account, json!({ "scopes": ["orders:read"] }))
        .await;
    let path = path_of(&issued);
    let change = json!({ "name": "renamed", "scopes": ["orders:*"], "metadata": { "team": "a" } });
    operator.patch(&path, change).await.expect(200);
    for step in ["suspend", "resume", "rotate"] {
        operator
            .post(&format!("{path}/{step}"), json!({}))
            .await
            .expect(200);
    }
    operator
        .delete(&format!("{path}?reason=superseded"))
        .await
        .expect(200);
    issued
}

pub(crate) const LIFE: [&str; 8] = [
    "TokenIssued",
    "TokenRenamed",
    "TokenScopesChanged",
    "TokenMetadataChanged",
    "TokenSuspended",
    "TokenResumed",
    "TokenRotated",
    "TokenRevoked",
];

pub(crate) fn types(page: &Value) -> Vec<&str> {
    let items = page["items"].as_array().expect("items");
    items.iter().map(|event| text(event, "type")).collect()
}

#[tokio::test]
async fn a_token_has_a_history() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let token = eventful(&operator, &account).await;
    let path = format!("{}/events", path_of(&token));
    let answer = operator.get(&path).await;
    let page = answer.expect(200);
    assert_eq!(types(&page), LIFE);
    assert_eq!(page.get("next_cursor"), None);
    assert!(!answer.text.contains("secret_hash"), "{}", answer.text);
    let first = &page["items"][0];
    assert_eq!(first["stream_id"], token["id"]);
    assert_eq!(first["account_id"], account.as_str());
    assert_eq!(first["actor"], "operator:test");
    assert_eq!(first["payload"]["scopes"], json!(["orders:read"]));
    assert_eq!(page["items"][7]["payload"]["reason"], "superseded");

    // In pages it is the same.
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = operator
            .get(&format!("{path}?limit=3{cursor}"))
            .await
            .expect(200);
        seen.extend(page["items"].as_array().unwrap().clone());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(json!(seen), page["items"]);
    for bad in ["cursor=x", "cursor=-1", "limit=0", "limit=201", "after=1"] {
        let answer = operator.get(&format!("{path}?{bad}")).await;
        problem(&answer, 400, "INVALID_QUERY");
    }
    let nowhere = "/v1/tokens/01890a5d-ac96-774b-bcce-b302099a8057/events";
    problem(&operator.get(nowhere).await, 404, "NOT_FOUND");
    problem(&api.nobody().get(&path).await, 401, "UNAUTHENTICATED");
}

#[tokio::test]
async fn the_feed_is_the_log_and_goes_on_where_it_was_left() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let (mine, theirs) = (
        operator.account("mine").await,
        operator.account("theirs").await,
    );
    eventful(&operator, &mine).await;
    eventful(&operator, &theirs).await;

    let (mut after, mut seen) = (0, Vec::new());
    loop {
        let page = operator
            .get(&format!("/v1/events?after={after}&limit=5"))
            .await
            .expect(200);
        seen.extend(page["items"].as_array().unwrap().clone());
        after = page["next_after"].as_i64().unwrap();
        if page["has_more"] == false {
            break;
        }
    }
    let positions: Vec<i64> = seen
        .iter()
        .map(|it| it["position"].as_i64().unwrap())
        .collect();
    assert_eq!(positions, (1..=18).collect::<Vec<_>>());
    assert_eq!(after, 18);
    assert!(!json!(seen).to_string().contains("secret_hash"));

    let get = async |query: &str| operator.get(&format!("/v1/events?{query}")).await;
    let of_mine = get(&format!("account_id={mine}")).await.expect(200);
    assert_eq!(types(&of_mine)[0], "AccountRegistered");
    assert_eq!(types(&of_mine)[1..], LIFE);
    let revoked = get("type=TokenRevoked,TokenSuspended").await.expect(200);
    assert_eq!(
        types(&revoked),
        [
            "TokenSuspended",
            "TokenRevoked",
            "TokenSuspended",
            "TokenRevoked"
        ]
    );
    let nothing = get(&format!("type=AccountDeleted&account_id={mine}"))
        .await
        .expect(200);
    assert_eq!(
        (&nothing["items"], &nothing["next_after"]),
        (&json!([]), &json!(18))
    );
    for bad in [
        "after=-1",
        "after=19",
        "after=x",
        "type=TokenExploded",
        "type=",
        "wait_seconds=31",
        "limit=0",
        "cursor=1",
        "account_id=x",
    ] {
        problem(&get(bad).await, 400, "INVALID_QUERY");
    }
}

async fn reader(api: &Node, account: &str) -> Person {
    let operator = api.operator();
    let token = manager(&operator, account, &["tollkeeper:events.read"]).await;
    api.bearer(text(&token, "token"))
}

#[tokio::test]
async fn everybody_sees_the_history_of_their_own_account_alone() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&SETTINGS).await;
    let operator = api.operator();
    let (mine, theirs) = (
        operator.account("mine").await,
        operator.account("theirs").await,
    );
    let foreign = operator.issue(&theirs, json!({})).await;
    let holder = api.bearer(&of("user-1"));
    let own = holder
        .post("/v1/tokens", json!({ "name": "own" }))
        .await
        .expect(201);

    for (caller, account) in [
        (reader(&api, &mine).await, mine.as_str()),
        (holder, text(&own, "account_id")),
    ] {
        let page = caller.get("/v1/events").await.expect(200);
        let items = page["items"].as_array().unwrap();
        assert!(items.len() >= 2);
        assert!(
            items.iter().all(|event| event["account_id"] == account),
            "{page}"
        );
        let asked = caller
            .get(&format!("/v1/events?account_id={theirs}"))
            .await
            .expect(200);
        assert_eq!(asked["items"], json!([]));
        let path = path_of(&foreign);
        problem(
            &caller.get(&format!("{path}/events")).await,
            404,
            "NOT_FOUND",
        );
        problem(
            &caller
                .get(&format!("{path}?as_of=2026-01-01T00:00:00Z"))
                .await,
            404,
            "NOT_FOUND",
        );
        problem(
            &caller.get(&format!("{path}/diff?from=1")).await,
            404,
            "NOT_FOUND",
        );
    }
    let system = system_account(&operator).await;
    let all = reader(&api, &system)
        .await
        .get("/v1/events")
        .await
        .expect(200);
    assert_eq!(
        all["items"].as_array().unwrap()[0]["account_id"],
        mine.as_str()
    );
    let blind = manager(&operator, &mine, &[]).await;
    let blind = api.bearer(text(&blind, "token"));
    problem(&blind.get("/v1/events").await, 403, "INSUFFICIENT_SCOPE");
    problem(
        &api.nobody().get("/v1/events").await,
        401,
        "UNAUTHENTICATED",
    );
}

#[tokio::test]
async fn two_points_of_a_history_are_compared() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let token = eventful(&operator, &account).await;
    let path = format!("{}/diff", path_of(&token));
    let fields = |diff: &Value| -> Vec<String> {
        let changes = diff["changes"].as_array().unwrap();
        changes
            .iter()
            .map(|it| text(it, "field").to_owned())
            .collect()
    };
    let diff = operator
        .get(&format!("{path}?from=1&to=4"))
        .await
        .expect(200);
    assert_eq!(fields(&diff), ["metadata", "name", "scopes"]);
    assert_eq!(
        diff["changes"][2],
        json!({ "field": "scopes", "from": ["orders:read"], "to": ["orders:*"] })
    );
    assert_eq!(
        (&diff["from"]["version"], &diff["to"]["version"]),
        (&json!(1), &json!(4))
    );
    let same = operator
        .get(&format!("{path}?from=4&to=4"))
        .await
        .expect(200);
    assert_eq!(same["changes"], json!([]));
    let whole = operator.get(&format!("{path}?from=4")).await.expect(200);
    assert_eq!(
        fields(&whole),
        [
            "is_active",
            "revocation_reason",
            "revoked_at",
            "state",
            "token_prefix"
        ]
    );
    let born = operator
        .get(&format!("{path}?from=0&to=1"))
        .await
        .expect(200);
    assert_eq!(born["from"], Value::Null);
    assert!(fields(&born).contains(&"name".to_owned()));
    let by_time = format!("{path}?from=2026-01-01T00:00:00Z&to=2");
    assert_eq!(
        operator.get(&by_time).await.expect(200)["from"],
        Value::Null
    );

    for bad in [
        "",
        "from=x",
        "from=2&to=1",
        "from=1&to=2099-01-01T00:00:00Z",
        "from=1&more=1",
    ] {
        problem(
            &operator.get(&format!("{path}?{bad}")).await,
            400,
            "INVALID_QUERY",
        );
    }
    let unborn = format!("{path}?from=0&to=0");
    problem(&operator.get(&unborn).await, 404, "NOT_FOUND");
    problem(&api.nobody().get(&path).await, 401, "UNAUTHENTICATED");
}
