//! `POST /v1/verify/batch`

use reqwest::Method;
use serde_json::{Value, json};
use tollkeeper_testkit::stack::Person;
use tollkeeper_testkit::{Stack, wait_for};

use crate::support::{bad_fields, path_of, problem, text, unissued, verify, with_header};

const PATH: &str = "/v1/verify/batch";

async fn batch(asker: &Person, items: &[Value]) -> Vec<Value> {
    let answer = asker.post(PATH, json!({ "items": items })).await;
    let told = answer.expect(200);
    told["items"].as_array().expect("the answers").clone()
}

fn codes(answers: &[Value]) -> Vec<&str> {
    answers.iter().map(|answer| text(answer, "code")).collect()
}

#[tokio::test]
async fn each_is_answered_and_counted_as_if_it_were_asked_alone() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let _ingestor = stack.ingestor(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let made = operator
        .issue(&account, json!({ "scopes": ["orders:*"] }))
        .await;
    let ended = operator.issue(&account, json!({})).await;
    operator.delete(&path_of(&ended)).await.expect(200);
    let (token, ended) = (text(&made, "token"), text(&ended, "token"));
    let questions = [
        json!({ "token": token, "scopes": ["orders:read"], "endpoint": "/orders/17",
            "method": "GET", "ip": "203.0.113.9" }),
        json!({ "token": unissued() }),
        json!({ "token": token, "scopes": ["users:read"] }),
        json!({ "token": ended }),
        json!({ "token": "nonsense" }),
        json!({ "token": token, "environment": "test" }),
    ];
    let expected = [
        "VALID",
        "NOT_FOUND",
        "INSUFFICIENT_SCOPE",
        "REVOKED",
        "MALFORMED",
        "WRONG_ENVIRONMENT",
    ];
    for round in ["cold", "warm"] {
        let together = batch(&operator, &questions).await;
        assert_eq!(codes(&together), expected, "{round}");
        // What memory had not heard of was read once, however often it was asked about.
        let first = if round == "cold" { "miss" } else { "hit" };
        assert_eq!(together[0]["cache"], first, "{round}");
        assert_eq!(together[2]["cache"], first, "{round}");
        for (question, mut told) in questions.iter().zip(together) {
            let mut alone = operator
                .post("/v1/verify", question.clone())
                .await
                .expect(200);
            for answer in [&mut told, &mut alone] {
                answer.as_object_mut().unwrap().remove("age_ms");
                answer.as_object_mut().unwrap().remove("cache");
            }
            assert_eq!(told, alone, "{round}");
        }
    }
    // Three times in each call, and each time alone.
    wait_for("each to be counted", async || {
        operator.get(&path_of(&made)).await.expect(200)["usage_count"] == 12
    })
    .await;
    let kept = sqlx::query_as::<_, (String, String)>(
        "select endpoint, method from api_token_usage where endpoint like '/orders/%'",
    );
    let kept = kept.fetch_all(&stack.database.pool).await.unwrap();
    let orders = ("/orders/17".to_owned(), "GET".to_owned());
    assert_eq!(kept, vec![orders; 4]);
}

#[tokio::test]
async fn a_bad_question_refuses_the_call_and_counts_nothing() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let token = operator.issue(&account, json!({})).await;
    let good = json!({ "token": text(&token, "token") });
    let with = |bad: Value| vec![good.clone(), good.clone(), good.clone(), bad];

    for (bad, pointer) in [
        (
            json!({ "token": "x", "scopes": ["A"] }),
            "/items/3/scopes/0",
        ),
        (json!({ "token": "x", "scopes": "a" }), "/items/3/scopes"),
        (json!({ "token": "x", "ip": "somewhere" }), "/items/3/ip"),
        (
            json!({ "token": "x", "environment": "prod" }),
            "/items/3/environment",
        ),
        (
            json!({ "token": "x", "endpoint": "/a\u{0}b" }),
            "/items/3/endpoint",
        ),
        (
            json!({ "token": "x", "method": "GE\nT" }),
            "/items/3/method",
        ),
        (json!({ "token": 1 }), "/items/3/token"),
        (json!({ "token": "x", "color": "red" }), "/items/3/color"),
        (json!({}), "/items/3"),
    ] {
        let answer = operator.post(PATH, json!({ "items": with(bad) })).await;
        bad_fields(&answer, &[pointer]);
    }
    let both = [
        json!({ "token": "x", "scopes": ["a", "B"] }),
        json!({ "token": "x", "method": "\u{7f}" }),
    ];
    let answer = operator.post(PATH, json!({ "items": both })).await;
    bad_fields(&answer, &["/items/0/scopes/1", "/items/1/method"]);
    for items in [json!([]), json!(vec![&good; 101])] {
        bad_fields(
            &operator.post(PATH, json!({ "items": items })).await,
            &["/items"],
        );
    }
    bad_fields(&operator.post(PATH, json!({})).await, &[""]);
    let answer = operator.post(PATH, json!({ "items": [], "more": 1 })).await;
    bad_fields(&answer, &["/more"]);
    let many = "x".repeat(256 * 1024);
    let answer = operator
        .post(PATH, json!({ "items": [{ "token": many }] }))
        .await;
    problem(&answer, 413, "BODY_TOO_LARGE");
    let answer = api.nobody().post(PATH, json!({ "items": [good] })).await;
    problem(&answer, 401, "UNAUTHENTICATED");

    // Memory still knows nothing of the token: nobody looked it up, so nobody counted it.
    assert_eq!(
        verify(&operator, text(&token, "token")).await["cache"],
        "miss"
    );
}

#[tokio::test]
async fn all_may_be_read_afresh_and_somebody_elses_are_none() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let (own, other) = (
        operator.account("own").await,
        operator.account("other").await,
    );
    let asker = json!({ "scopes": ["tollkeeper:verify"] });
    let asker = operator.issue(&own, asker).await;
    let asker = api.bearer(text(&asker, "token"));
    let mut items = Vec::new();
    for account in [&own, &other] {
        for _ in 0..50 {
            let token = operator.issue(account, json!({})).await;
            items.push(json!({ "token": text(&token, "token") }));
        }
    }
    let expected: Vec<&str> = [["VALID"; 50], ["NOT_FOUND"; 50]].concat();
    for cache in ["miss", "hit"] {
        let told = batch(&asker, &items).await;
        assert_eq!(codes(&told), expected);
        assert!(told.iter().all(|answer| answer["cache"] == cache));
        assert!(told[50..].iter().all(|answer| answer["token_id"].is_null()));
    }
    let fresh = ("cache-control", "no-cache");
    let body = Some(json!({ "items": items }));
    let told = with_header(&asker, Method::POST, PATH, fresh, body).await;
    let told = told.expect(200)["items"].as_array().unwrap().clone();
    assert_eq!(codes(&told), expected);
    assert!(told.iter().all(|answer| answer["cache"] == "miss"));
}
