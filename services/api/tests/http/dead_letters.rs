//! `/v1/dead-letters`: what could not be counted, and having it tried again.

use reqwest::Method;
use serde_json::{Value, json};
use sqlx::PgPool;
use tollkeeper_testkit::stack::{Answer, Person};
use tollkeeper_testkit::{Stack, wait_for, wait_for_some};
use uuid::Uuid;

use crate::support::{bad_fields, limit_token, manager, problem, system_account, text};

const PATH: &str = "/v1/dead-letters";
const REPLAY: &str = "/v1/dead-letters/replay";

/// Letters of a source, one for each reason. Gives their numbers.
async fn put_aside(pool: &PgPool, source: Option<Uuid>, reasons: &[&str]) -> Vec<i64> {
    let mut ids = Vec::new();
    for reason in reasons {
        let id = sqlx::query_scalar(
            "insert into usage_dead_letters
               (received_at, source, first, last, reason, detail, kind, subject, payload)
             values (now(), $1, 7, 9, $2, 'it <is> so', 'message', 'usage.x', 'four')
             returning id",
        )
        .bind(source)
        .bind(reason);
        ids.push(id.fetch_one(pool).await.unwrap());
    }
    ids
}

fn ids(page: &Value) -> Vec<i64> {
    let items = page["items"].as_array().unwrap().iter();
    items.map(|item| item["id"].as_i64().unwrap()).collect()
}

#[tokio::test]
async fn letters_are_listed_in_pages_and_by_reason_and_source() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let source = Uuid::from_u128(1);
    let reasons = ["undecodable", "refused", "overlap", "refused", "refused"];
    let mut all = put_aside(&stack.database.pool, Some(source), &reasons).await;
    all.extend(put_aside(&stack.database.pool, None, &["undecodable"]).await);
    all.reverse();

    let mut listed = Vec::new();
    let mut cursor = String::new();
    loop {
        let path = format!("{PATH}?limit=4{cursor}");
        let page = operator.get(&path).await.expect(200);
        listed.extend(ids(&page));
        match page.get("next_cursor") {
            Some(next) => cursor = format!("&cursor={}", next.as_str().unwrap()),
            None => break,
        }
    }
    assert_eq!(listed, all, "the newest first");
    let refused = operator.get(&format!("{PATH}?reason=refused")).await;
    assert_eq!(ids(&refused.expect(200)), [all[1], all[2], all[4]]);
    let of_source = format!("{PATH}?source={source}&limit=2");
    let of_source = operator.get(&of_source).await.expect(200);
    assert_eq!(ids(&of_source), [all[1], all[2]]);

    let one = operator
        .get(&format!("{PATH}/{}", all[1]))
        .await
        .expect(200);
    let at = one["received_at"].clone();
    let expected = json!({
        "id": all[1], "received_at": at, "reason": "refused", "detail": "it <is> so",
        "kind": "message", "source": source, "first": 7, "last": 9, "bytes": 4,
        "replay_asked_at": null, "replay_failure": null,
    });
    assert_eq!(one, expected);
    for none in ["4711000", "-1", "x", "99999999999999999999"] {
        let answer = operator.get(&format!("{PATH}/{none}")).await;
        problem(&answer, 404, "NOT_FOUND");
    }
    for query in ["limit=0", "cursor=x", "reason=other", "source=x", "of=x"] {
        let answer = operator.get(&format!("{PATH}?{query}")).await;
        problem(&answer, 400, "INVALID_QUERY");
    }
}

#[tokio::test]
async fn letters_are_tried_again_when_somebody_asks_for_it() {
    let mut stack = Stack::bare().await;
    let pool = stack.database.pool.clone();
    sqlx::query("alter table api_token_usage add constraint no_tea check (endpoint <> '/tea')")
        .execute(&pool)
        .await
        .unwrap();
    let api = stack.api(&[]).await;
    let _ingestor = stack.ingestor(&[]).await;
    let operator = api.operator();
    let token = operator
        .issue(&operator.account("shop").await, json!({}))
        .await;
    let caller = api.bearer(text(&token, "token"));
    caller
        .get("/v1/forward-auth/tea?from=path")
        .await
        .expect(200);
    let id = wait_for_some("a letter", async || {
        let listed = operator.get(PATH).await.expect(200);
        ids(&listed).first().copied()
    })
    .await;
    let body = json!({ "ids": [id, 4_711_000] });
    let asked = operator.post(REPLAY, body.clone()).await.expect(200);
    let expected = json!({ "asked": [id], "unknown": [4_711_000], "more": false });
    assert_eq!(asked, expected);
    let path = format!("{PATH}/{id}");
    wait_for("the try to fail", async || {
        let letter = operator.get(&path).await.expect(200);
        letter["replay_failure"].is_string()
    })
    .await;

    sqlx::query("alter table api_token_usage drop constraint no_tea")
        .execute(&pool)
        .await
        .unwrap();
    let again = operator.post(REPLAY, json!({ "reason": "refused" })).await;
    assert_eq!(again.expect(200)["asked"], json!([id]));
    wait_for("the letter to be counted", async || {
        operator.get(&path).await.status == 404
    })
    .await;
    let path = format!("/v1/tokens/{}", text(&token, "id"));
    wait_for("the call to be in the totals", async || {
        operator.get(&path).await.expect(200)["usage_count"] == 1
    })
    .await;

    let noted = operator.get("/v1/audit?action=DeadLettersReplayed").await;
    let noted = noted.expect(200)["items"].as_array().unwrap().clone();
    assert_eq!(noted.len(), 2, "{noted:?}");
    for entry in noted {
        assert_eq!(entry["actor"], "operator:test");
        assert_eq!(entry["details"], json!({ "letters": 1 }));
    }
}

#[tokio::test]
async fn a_request_asks_for_so_many_and_no_more() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let pool = &stack.database.pool;
    // No ingestor runs, so all of them go on waiting.
    put_aside(pool, None, &["overlap"; 1_003]).await;
    let mut told = Vec::new();
    for _ in 0..3 {
        let asked = operator.post(REPLAY, json!({ "reason": "overlap" })).await;
        let asked = asked.expect(200);
        told.push((
            asked["asked"].as_array().unwrap().len(),
            asked["more"].clone(),
        ));
    }
    // The second time those that nobody had asked for come first, and the third time there are none.
    assert_eq!(
        told,
        [
            (1_000, json!(true)),
            (1_000, json!(false)),
            (1_000, json!(false))
        ]
    );
    let asked: i64 = sqlx::query_scalar(
        "select count(*) from usage_dead_letters where replay_asked_at is not null",
    )
    .fetch_one(pool)
    .await
    .unwrap();
    assert_eq!(asked, 1_003);
    let noted: Vec<Value> = sqlx::query_scalar("select details from audit_entries order by number")
        .fetch_all(pool)
        .await
        .unwrap();
    assert_eq!(
        noted,
        [json!({ "letters": 1_000 }), json!({ "letters": 3 })]
    );
}

#[tokio::test]
async fn what_names_no_letters_is_refused() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let post = async |body: Value| operator.post(REPLAY, body).await;
    bad_fields(&post(json!({})).await, &[""]);
    bad_fields(&post(json!({ "ids": null })).await, &[""]);
    bad_fields(&post(json!({ "ids": [] })).await, &["/ids"]);
    bad_fields(&post(json!({ "ids": vec![1; 1_001] })).await, &["/ids"]);
    bad_fields(&post(json!({ "ids": ["1"] })).await, &["/ids/0"]);
    bad_fields(&post(json!({ "reason": "other" })).await, &["/reason"]);
    bad_fields(&post(json!({ "all": true })).await, &["/all"]);
    let raw = async |kind: &'static str, body: String| -> Answer {
        let request = operator.request(Method::POST, REPLAY);
        Person::send(request.header("content-type", kind).body(body)).await
    };
    problem(
        &raw("application/json", "{".into()).await,
        400,
        "MALFORMED_JSON",
    );
    problem(
        &raw("text/plain", "{}".into()).await,
        415,
        "UNSUPPORTED_MEDIA_TYPE",
    );
    let long = " ".repeat(64 * 1024 + 1);
    problem(&raw("application/json", long).await, 413, "BODY_TOO_LARGE");
}

#[tokio::test]
async fn letters_are_for_those_who_act_across_accounts() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let pool = &stack.database.pool;
    let [id] = put_aside(pool, None, &["refused"]).await[..] else {
        panic!("one letter")
    };
    let one = format!("{PATH}/{id}");
    let each = async |person: &Person| {
        let replay = json!({ "ids": [id] });
        [
            person.get(PATH).await,
            person.get(&one).await,
            person.post(REPLAY, replay).await,
        ]
    };
    let refused = async |person: &Person, status: u16, code: &str| {
        for answer in each(person).await {
            problem(&answer, status, code);
        }
    };
    refused(&api.nobody(), 401, "UNAUTHENTICATED").await;
    let account = operator.account("crm-1").await;
    let scopes = ["tollkeeper:usage.read", "tollkeeper:usage.write"];
    let within = manager(&operator, &account, &scopes).await;
    refused(&api.bearer(text(&within, "token")), 403, "BEYOND_AUTHORITY").await;
    let plain = operator.issue(&account, json!({})).await;
    refused(
        &api.bearer(text(&plain, "token")),
        403,
        "INSUFFICIENT_SCOPE",
    )
    .await;

    let system = system_account(&operator).await;
    let token = operator.issue(&system, json!({ "scopes": scopes })).await;
    let caller = api.bearer(text(&token, "token"));
    for answer in each(&caller).await {
        answer.expect(200);
    }
    let limit = json!([{ "name": "once", "limit": 1, "window_seconds": 86_400 }]);
    limit_token(&operator, &token, limit).await;
    caller.get(PATH).await.expect(200);
    refused(&caller, 429, "RATE_LIMITED").await;
    for (method, path) in [
        (Method::GET, PATH),
        (Method::GET, &one),
        (Method::POST, REPLAY),
    ] {
        let two = operator.request(method, path).bearer_auth("tk_live_x");
        problem(&Person::send(two).await, 400, "TWO_CREDENTIALS");
    }
    sqlx::query("drop view usage_dead_letter_list")
        .execute(pool)
        .await
        .unwrap();
    refused(&operator, 503, "UNAVAILABLE").await;
}
