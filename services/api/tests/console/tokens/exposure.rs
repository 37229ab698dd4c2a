//! What a token did, and what a change would have refused.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use sqlx::PgPool;
use tollkeeper_ambient::{Clock, SystemClock};
use uuid::Uuid;

use super::{has, has_not, led, page_of, shown, text, with_account};

/// A single request, as the ingestor writes it.
async fn request(pool: &PgPool, token: &Value, at: DateTime<Utc>, endpoint: &str, ip: &str) {
    let id = |member| text(token, member).parse::<Uuid>().expect("an id");
    sqlx::query("select usage_partition_create($1::date)")
        .bind(at.date_naive())
        .execute(pool)
        .await
        .expect("a day of usage");
    sqlx::query(
        r#"insert into api_token_usage (token_id, account_id, "timestamp", token_version,
            response_time_us, status, verdict, timestamp_replaced, method, endpoint, user_agent, ip)
        values ($1, $2, $3, 1, 100, 200, 0, false, 'GET', $4, $5, $6::inet)"#,
    )
    .bind(id("id"))
    .bind(id("account_id"))
    .bind(at)
    .bind(endpoint)
    .bind("curl/8.5.0 <img src=x>")
    .bind(ip)
    .execute(pool)
    .await
    .expect("a request");
}

#[tokio::test]
async fn what_a_token_did_is_told_and_a_hostile_path_is_text() {
    let (site, account, user) = with_account().await;
    let operator = site.api.operator();
    let token = operator.issue(&account, json!({ "name": "leaked" })).await;
    let exposure = format!("{}/exposure", page_of(&token));
    has(&shown(user.get(&exposure).await), "It did nothing");

    let now = SystemClock.now();
    let at = |minutes| now - TimeDelta::minutes(minutes);
    request(&site.pool, &token, at(30), "/orders", "192.0.2.7").await;
    request(
        &site.pool,
        &token,
        at(20),
        "/<script>alert(1)</script>",
        "198.51.100.9",
    )
    .await;
    let since = (at(60)).format("%Y-%m-%dT%H%%3A%M").to_string();
    let page = shown(user.get(&format!("{exposure}?since={since}")).await);
    has(
        &page,
        r#"<span class="value">2</span> <span class="label">requests</span>"#,
    );
    has(&page, "<code>192.0.2.7</code>");
    has(&page, "<code>198.51.100.9</code>");
    has(&page, "&#60;script&#62;");
    has_not(&page, "<script>alert");
    has(&page, "It still works");

    let shown_page = shown(user.get(&page_of(&token)).await);
    has(&shown_page, "<code>198.51.100.9</code>");
    has(&shown_page, "curl/8.5.0 &#60;img");
    has_not(&shown_page, "<img src=x>");

    led(user
        .post(
            &format!("{}/revoke", page_of(&token)),
            &[("reason", "leaked")],
        )
        .await);
    tollkeeper_testkit::wait_for("every node to refuse it", async || {
        let page = shown(user.get(&format!("{exposure}?since={since}")).await);
        page.contains("Every node refuses it") && page.contains("Nothing passed after that")
    })
    .await;

    let (status, _, page) = user.get(&format!("{exposure}?since=lately")).await;
    assert_eq!(status, 400);
    has(&page, "This is no moment");
    let (status, _, page) = user
        .get(&format!("{exposure}?since=0001-01-01T00%3A00"))
        .await;
    assert_eq!(status, 400);
    has(&page, r#"role="alert""#);
}

#[tokio::test]
async fn a_change_is_tried_on_what_has_been() {
    let (site, account, user) = with_account().await;
    let operator = site.api.operator();
    let token = operator.issue(&account, json!({ "name": "ci" })).await;
    let at = SystemClock.now() - TimeDelta::minutes(20);
    request(&site.pool, &token, at, "/orders", "192.0.2.7").await;
    request(&site.pool, &token, at, "/orders", "198.51.100.9").await;
    let path = format!("{}/try", page_of(&token));
    has(&shown(user.get(&path).await), r#"name="allowed_cidrs""#);

    let fields = [("days", "7"), ("allowed_cidrs", "192.0.2.0/24")];
    let page = shown(user.post(&path, &fields).await);
    has(&page, "1 of 2 requests would have been refused");
    has(&page, "IP_NOT_ALLOWED: 1");
    has(&page, "<code>198.51.100.9</code>");
    has(&page, "192.0.2.0/24</textarea>");
    let fields = [("days", "7"), ("allowed_cidrs", "0.0.0.0/0 ::/0")];
    has(
        &shown(user.post(&path, &fields).await),
        "Nothing would have been refused",
    );
    for (fields, id) in [
        (
            [("days", "7"), ("allowed_cidrs", "everywhere")],
            "allowed_cidrs",
        ),
        ([("days", "none"), ("allowed_cidrs", "")], "days"),
    ] {
        let (status, _, page) = user.post(&path, &fields).await;
        assert_eq!(status, 422);
        has(&page, &format!(r#"id="{id}-complaint""#));
    }
    let now = operator
        .get(&format!("/v1/tokens/{}", text(&token, "id")))
        .await
        .expect(200);
    assert_eq!(now["version"], 1);
}
