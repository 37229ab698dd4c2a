//! `GET /v1/usage/completeness`: what was given out beside what the ledger holds.

use serde_json::{Value, json};
use sqlx::PgPool;
use tollkeeper_testkit::stack::Person;
use tollkeeper_testkit::{Stack, wait_for};
use uuid::Uuid;

use crate::support::{limit_token, manager, problem, system_account, text};

const PATH: &str = "/v1/usage/completeness";

/// Sources of made-up runs, older than any that a test starts.
const LIVE: Uuid = Uuid::from_u128(5);
const VANISHED: Uuid = Uuid::from_u128(4);
const ENDED: Uuid = Uuid::from_u128(3);
const CLOSED: Uuid = Uuid::from_u128(2);
const UNMARKED: Uuid = Uuid::from_u128(1);

/// A run with one lane that was heard of so many seconds ago.
async fn reported(pool: &PgPool, source: Uuid, appended: i64, seconds_ago: f64, has_ended: bool) {
    sqlx::query(
        "insert into usage_reporters
           (id, name, started_at, seen_at, sources, marked_at, appended, checked_at, checked,
            complete_through, ended_at)
         values ($1, 'gateway-7', now() - interval '1 day', now() - make_interval(secs => $3),
            array[$1], '2026-03-01T12:00:10Z', array[$2::bigint], '2026-03-01T12:00:05Z', array[4],
            '2026-03-01T12:00:00Z', case when $4 then now() end)",
    )
    .bind(source)
    .bind(appended)
    .bind(seconds_ago)
    .bind(has_ended)
    .execute(pool)
    .await
    .unwrap();
}

async fn settled(pool: &PgPool, source: Uuid, ranges: &[(i64, i64, &str)], last: Option<i64>) {
    sqlx::query("insert into usage_sources (source, final_sequence) values ($1, $2)")
        .bind(source)
        .bind(last)
        .execute(pool)
        .await
        .unwrap();
    for (first, last, outcome) in ranges {
        sqlx::query("insert into usage_ledger values ($1, $2, $3, $4)")
            .bind(source)
            .bind(first)
            .bind(last)
            .bind(outcome)
            .execute(pool)
            .await
            .unwrap();
    }
}

async fn shown(operator: &Person, source: Uuid) -> Value {
    let all = operator.get(&format!("{PATH}?limit=200")).await.expect(200);
    let items = all["items"].as_array().unwrap();
    let found = items
        .iter()
        .find(|item| text(item, "source") == source.to_string());
    found.unwrap_or_else(|| panic!("{all}")).clone()
}

#[track_caller]
fn holds(shown: &Value, expected: Value) {
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&shown[name], value, "{name} of {shown}");
    }
}

#[tokio::test]
async fn what_is_missing_is_told_from_what_is_on_its_way() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let pool = &stack.database.pool;
    let ranges = [
        (1, 4, "counted"),
        (5, 5, "dead"),
        (8, 9, "counted"),
        (10, 12, "dropped"),
    ];
    let holes = json!([{ "first": 6, "last": 7 }]);

    reported(pool, LIVE, 20, 0.0, false).await;
    settled(pool, LIVE, &ranges, None).await;
    let live = shown(&operator, LIVE).await;
    holds(
        &live,
        json!({
            "state": "live", "appended": 20, "counted": 6, "dead": 1, "dropped": 3,
            "pending": 8, "missing": 2, "missing_ranges": holes, "complete": false,
            "appended_at": "2026-03-01T12:00:10Z",
            // The numbers of the mark before are settled, those of the last one are not.
            "complete_through": "2026-03-01T12:00:05Z",
        }),
    );
    assert_eq!(live["reporter"]["name"], "gateway-7");
    assert!(live["lag_seconds"].as_f64().unwrap() > 0.0);

    // Of a process that is gone nothing is on its way.
    reported(pool, VANISHED, 20, 60.0, false).await;
    settled(pool, VANISHED, &ranges, None).await;
    let tail = json!([{ "first": 6, "last": 7 }, { "first": 13, "last": 20 }]);
    holds(
        &shown(&operator, VANISHED).await,
        json!({ "state": "vanished", "pending": 0, "missing": 10, "missing_ranges": tail }),
    );

    reported(pool, ENDED, 4, 60.0, true).await;
    settled(pool, ENDED, &ranges[..1], None).await;
    holds(
        &shown(&operator, ENDED).await,
        json!({
            "state": "ended", "pending": 0, "missing": 0, "complete": false,
            "complete_through": "2026-03-01T12:00:10Z",
        }),
    );

    // It went on after its last mark, and has said so since.
    reported(pool, CLOSED, 4, 60.0, false).await;
    settled(pool, CLOSED, &[(1, 12, "counted")], Some(12)).await;
    holds(
        &shown(&operator, CLOSED).await,
        json!({ "state": "closed", "appended": 12, "counted": 12, "missing": 0, "complete": true }),
    );

    settled(pool, UNMARKED, &[(3, 3, "counted")], None).await;
    holds(
        &shown(&operator, UNMARKED).await,
        json!({
            "state": "unmarked", "reporter": null, "appended": 3, "appended_at": null,
            "counted": 1, "missing": 2, "complete": false, "complete_through": null,
            "lag_seconds": null,
        }),
    );

    let all = operator.get(PATH).await.expect(200);
    // The vanished one holds all back. The test's own API has a lane for each core.
    assert_eq!(all["complete_through"], "2026-03-01T12:00:05Z");
    assert_eq!(all["vanished_sources"], 1);
    assert_eq!(all["unmarked_sources"], 1);
    let own = all["items"].as_array().unwrap().len() as i64 - 5;
    assert_eq!(all["incomplete_sources"], own + 4);
}

#[tokio::test]
async fn a_node_says_how_far_it_has_got_and_when_it_ends() {
    let mut stack = Stack::bare().await;
    let mut api = stack.api(&[]).await;
    let standing = stack.api(&[]).await;
    let other = standing.operator();
    let operator = api.operator();
    let token = operator
        .issue(&operator.account("crm-1").await, json!({}))
        .await;
    let nodes = operator.get("/v1/nodes").await.expect(200);
    let ids: Vec<&str> = nodes["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|node| text(node, "id"))
        .collect();
    for _ in 0..5 {
        let passed = api.bearer(text(&token, "token"));
        passed.get("/v1/forward-auth/x").await.expect(200);
    }
    let used = async || {
        let all = other.get(PATH).await.expect(200);
        let mut items = all["items"].as_array().unwrap().clone();
        items.retain(|item| item["appended"].as_i64() > Some(0));
        items
    };
    wait_for("the uses to be marked", async || {
        let marked = used().await;
        marked
            .iter()
            .map(|item| item["appended"].as_i64().unwrap())
            .sum::<i64>()
            == 5
    })
    .await;
    for source in used().await {
        // Nobody counts here.
        assert_eq!(source["pending"], source["appended"], "{source}");
        assert!(ids.contains(&text(&source["reporter"], "id")), "{source}");
    }
    assert!(api.stop().await.success());
    for source in used().await {
        assert_eq!(source["state"], "ended", "{source}");
        assert_eq!(source["missing"], source["appended"], "{source}");
    }
}

#[tokio::test]
async fn it_is_shown_in_pages_to_those_who_act_across_accounts() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let pool = &stack.database.pool;
    for source in 1..=5_u128 {
        let last = (source == 2).then_some(1);
        settled(pool, Uuid::from_u128(source), &[(1, 1, "counted")], last).await;
    }
    let mut listed = Vec::new();
    let mut cursor = String::new();
    loop {
        let path = format!("{PATH}?incomplete=true&limit=2{cursor}");
        let page = operator.get(&path).await.expect(200);
        for item in page["items"].as_array().unwrap() {
            listed.push(text(item, "source").parse::<Uuid>().unwrap());
        }
        match page.get("next_cursor") {
            Some(next) => cursor = format!("&cursor={}", next.as_str().unwrap()),
            None => break,
        }
    }
    let made_up: Vec<u128> = listed
        .iter()
        .map(Uuid::as_u128)
        .filter(|&source| source <= 5)
        .collect();
    assert_eq!(
        made_up,
        [5, 4, 3, 1],
        "the newest first, without the complete one"
    );

    for query in [
        "limit=0",
        "limit=201",
        "cursor=x",
        "incomplete=perhaps",
        "of=x",
    ] {
        problem(
            &operator.get(&format!("{PATH}?{query}")).await,
            400,
            "INVALID_QUERY",
        );
    }
    let account = operator.account("crm-1").await;
    let token = manager(&operator, &account, &["tollkeeper:usage.read"]).await;
    let within = api.bearer(text(&token, "token"));
    problem(&within.get(PATH).await, 403, "BEYOND_AUTHORITY");
    let token = operator.issue(&account, json!({})).await;
    let plain = api.bearer(text(&token, "token"));
    problem(&plain.get(PATH).await, 403, "INSUFFICIENT_SCOPE");
    problem(&api.nobody().get(PATH).await, 401, "UNAUTHENTICATED");

    let system = system_account(&operator).await;
    let scopes = json!({ "scopes": ["tollkeeper:usage.read"] });
    let token = operator.issue(&system, scopes).await;
    let limit = json!([{ "name": "once", "limit": 1, "window_seconds": 86_400 }]);
    limit_token(&operator, &token, limit).await;
    let caller = api.bearer(text(&token, "token"));
    caller.get(PATH).await.expect(200);
    problem(&caller.get(PATH).await, 429, "RATE_LIMITED");

    sqlx::query("alter table usage_reporters rename to usage_reporters_elsewhere")
        .execute(pool)
        .await
        .unwrap();
    sqlx::query("drop view usage_completeness")
        .execute(pool)
        .await
        .unwrap();
    problem(&operator.get(PATH).await, 503, "UNAVAILABLE");
}
