//! What happened: the history of a token, the feed, and the past.

use serde_json::{Value, json};
use tollkeeper_testkit::Stack;
use tollkeeper_testkit::stack::{Node, Person};

use crate::jwt::{SETTINGS, of};
use crate::support::{manager, path_of, problem, system_account, text};

/// A token that has gone through most of what can happen to one.
async fn eventful(operator: &Person, account: &str) -> Value {
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

const LIFE: [&str; 8] = [
    "TokenIssued",
    "TokenRenamed",
    "TokenScopesChanged",
    "TokenMetadataChanged",
    "TokenSuspended",
    "TokenResumed",
    "TokenRotated",
    "TokenRevoked",
];

fn types(page: &Value) -> Vec<&str> {
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
async fn the_past_is_what_the_log_says_of_every_moment() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let before = crate::support::in_seconds(0).replace('+', "%2B");
    let token = eventful(&operator, &account).await;
    let path = path_of(&token);
    let history = operator.get(&format!("{path}/events")).await.expect(200);
    let mut states = Vec::new();
    for event in history["items"].as_array().unwrap() {
        let at = text(event, "recorded_at");
        let past = operator.get(&format!("{path}?as_of={at}")).await;
        assert_eq!(past.header("etag"), None);
        let past = past.expect(200);
        // Events of one request are recorded at one moment, so the last of them is seen.
        assert!(past["version"].as_u64() >= event["stream_version"].as_u64());
        assert_eq!(
            (&past["usage_count"], &past["last_used_at"]),
            (&Value::Null, &Value::Null)
        );
        states.push(format!(
            "{} {} {}",
            text(&past, "name"),
            past["scopes"][0],
            text(&past, "state")
        ));
        let listed = operator
            .get(&format!("/v1/tokens?as_of={at}&account_id={account}"))
            .await
            .expect(200);
        assert_eq!(listed["items"], json!([past]));
    }
    let changed = "renamed \"orders:*\"";
    assert_eq!(
        states,
        [
            "a token \"orders:read\" active".to_owned(),
            format!("{changed} active"),
            format!("{changed} active"),
            format!("{changed} active"),
            format!("{changed} suspended"),
            format!("{changed} active"),
            format!("{changed} active"),
            format!("{changed} revoked"),
        ]
    );
    problem(
        &operator.get(&format!("{path}?as_of={before}")).await,
        404,
        "NOT_FOUND",
    );
    let future = crate::support::in_seconds(3600);
    let diff = format!("{path}/diff?to=99&from");
    for read in [
        &format!("{path}?as_of"),
        "/v1/tokens?as_of",
        &diff,
        &format!("{path}/diff?from=1&to"),
    ] {
        let parameter = read.rsplit(['?', '&']).next().unwrap();
        for bad in [
            future.as_str(),
            "-5000-01-01T00:00:00Z",
            "1969-12-31T23:59:59Z",
            "%2B10000-01-01T00:00:00Z",
            "%2B262000-01-01T00:00:00Z",
        ] {
            let answer = operator.get(&format!("{read}={bad}")).await;
            let body = problem(&answer, 400, "INVALID_QUERY");
            let named = format!("`{parameter}`");
            assert!(text(&body, "detail").contains(&named), "{body}");
        }
        for bad in ["yesterday", ""] {
            let answer = operator.get(&format!("{read}={bad}")).await;
            problem(&answer, 400, "INVALID_QUERY");
        }
    }
    let first = "1970-01-01T00:00:00Z";
    let none = operator.get(&format!("/v1/tokens?as_of={first}")).await;
    assert_eq!(none.expect(200)["items"], json!([]));
}

#[tokio::test]
async fn the_past_goes_by_the_clock_that_events_are_recorded_by() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    // As it is when the database's clock was set back: no event is recorded before the last one.
    let ahead = "update event_log_head set recorded_at = clock_timestamp() + interval '1 hour'";
    sqlx::query(ahead)
        .execute(&stack.database.pool)
        .await
        .unwrap();
    let token = operator.issue(&account, json!({})).await;
    let path = path_of(&token);
    let history = operator.get(&format!("{path}/events")).await.expect(200);
    let recorded = text(&history["items"][0], "recorded_at");
    let at = operator.get(&format!("{path}?as_of={recorded}")).await;
    assert_eq!(at.expect(200)["version"], 1);
    let diff = operator.get(&format!("{path}/diff?from={recorded}")).await;
    assert_eq!(diff.expect(200)["changes"], json!([]));
    let before = crate::support::in_seconds(60);
    let unborn = operator.get(&format!("{path}?as_of={before}")).await;
    problem(&unborn, 404, "NOT_FOUND");
    let beyond = crate::support::in_seconds(7200);
    let beyond = operator.get(&format!("{path}?as_of={beyond}")).await;
    problem(&beyond, 400, "INVALID_QUERY");
}

/// More tokens than a page of the past looks at, with ids of the day after tomorrow on.
const LATER: &str = "insert into api_tokens (
        id, account_id, name, environment, token_prefix, scopes, metadata, state, created_at,
        updated_at, version
    )
    select
        (
            lpad(to_hex((extract(epoch from now() + interval '2 days') * 1000)::bigint), 12, '0')
            || '70008000' || lpad(to_hex(n), 12, '0')
        )::uuid,
        $1, 'later', 'live', 'tk_live_', '{}', '{}', 'active', now(), now(), 1
    from generate_series(1, 2100) as n";

#[tokio::test]
async fn a_list_of_the_past_begins_at_its_moment() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let token = operator.issue(&account, json!({})).await;
    let path = format!("{}/events", path_of(&token));
    let history = operator.get(&path).await.expect(200);
    let then = text(&history["items"][0], "recorded_at");
    let id: uuid::Uuid = account.parse().unwrap();
    let later = sqlx::query(LATER).bind(id).execute(&stack.database.pool);
    assert_eq!(later.await.unwrap().rows_affected(), 2100);
    let page = operator
        .get(&format!("/v1/tokens?as_of={then}"))
        .await
        .expect(200);
    assert_eq!(page["items"][0]["id"], token["id"]);
    assert_eq!(page.get("next_cursor"), None);
}

#[tokio::test]
async fn past_lists_are_filtered_by_what_was_and_come_in_pages() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let mut ids = Vec::new();
    for number in 0..5 {
        let fields = json!({ "name": format!("Token {number}"), "scopes": ["a", "b"] });
        let token = operator.issue(&account, fields).await;
        ids.insert(0, text(&token, "id").to_owned());
    }
    let feed = operator
        .get("/v1/events?type=TokenIssued")
        .await
        .expect(200);
    let then = text(&feed["items"][4], "recorded_at").to_owned();
    for id in &ids {
        operator
            .delete(&format!("/v1/tokens/{id}"))
            .await
            .expect(200);
    }
    operator.issue(&account, json!({ "name": "later" })).await;

    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("/v1/tokens?as_of={then}&state=active&scope=b&limit=2{cursor}");
        let page = operator.get(&path).await.expect(200);
        for token in page["items"].as_array().unwrap() {
            seen.push(text(token, "id").to_owned());
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen, ids);
    let count = async |query: &str| {
        let page = operator
            .get(&format!("/v1/tokens?as_of={then}&{query}"))
            .await
            .expect(200);
        page["items"].as_array().unwrap().len()
    };
    assert_eq!(count("search=TOKEN%203").await, 1);
    assert_eq!(count("state=revoked").await, 0);
    assert_eq!(count("environment=test").await, 0);
    assert_eq!(count("scope=c").await, 0);
    assert_eq!(count("prefix=tk_live_").await, 5);
    assert_eq!(count("prefix=tk_test_").await, 0);
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
