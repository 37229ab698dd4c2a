//! A quota that is full again.

use serde_json::{Value, json};
use tollkeeper_testkit::wait_for;

use super::{between, has, has_not, led, page_of, shown, text, verdict, with_account};

#[tokio::test]
async fn a_quota_is_full_again_and_the_receipt_names_the_node() {
    let (mut site, account, user) = with_account().await;
    let _ingestor = site.stack.ingestor(&[]).await;
    let operator = site.api.operator();
    let quotas = json!([{ "name": "in-all", "limit": 3, "refill": "none" }]);
    let token = operator
        .issue(&account, json!({ "name": "ci", "quotas": quotas }))
        .await;
    let (page, whole) = (page_of(&token), text(&token, "token"));
    let secret = json!({ "token": whole });
    for _ in 0..3 {
        let used = operator.post("/v1/verify", secret.clone()).await;
        assert_eq!(used.expect(200)["code"], "VALID");
    }
    assert_ne!(verdict(&operator, whole).await, "VALID");
    wait_for("what was used to be told", async || {
        shown(user.get(&page).await).contains("0 left of 3")
    })
    .await;
    let path = format!("{page}/quotas/in-all/refill");
    let form = shown(user.get(&page).await);
    has(&form, &format!(r#"action="{path}""#));
    let receipt = led(user.post(&path, &[("version", "1")]).await);
    assert_eq!(receipt, format!("{page}/receipt?version=2"));
    wait_for("every node to confirm", async || {
        let page = shown(user.get(&receipt).await);
        has(&page, "Quota “in-all” refilled");
        page.contains("In force everywhere: 1 of 1 nodes")
    })
    .await;
    wait_for("the token to be let through", async || {
        verdict(&operator, whole).await == "VALID"
    })
    .await;

    // Sent again, as it was shown then: nothing, and the page says why.
    let (status, _, again) = user.post(&path, &[("version", "1")]).await;
    assert_eq!(status, 412, "{again}");
    has(&again, r#"role="alert""#);
    let events = operator
        .get(&format!("/v1/tokens/{}/events", text(&token, "id")))
        .await;
    let events = events.expect(200)["items"].as_array().map(Vec::len);
    assert_eq!(events, Some(2));
}

#[tokio::test]
async fn no_other_quota_and_no_other_token_is_refilled() {
    let (site, account, user) = with_account().await;
    let operator = site.api.operator();
    let quotas = json!([{ "name": "month", "limit": 3, "refill": "monthly" }]);
    let fields = json!({ "name": "ci", "quotas": quotas });
    let token = operator.issue(&account, fields.clone()).await;
    let others = operator.account("others").await;
    let foreign = operator.issue(&others, fields).await;
    let version = [("version", "1")];
    for path in [
        format!("{}/quotas/day/refill", page_of(&token)),
        format!("{}/quotas/..%2F..%2Frotate%3F/refill", page_of(&token)),
        format!("{}/quotas/month/refill", page_of(&foreign)),
    ] {
        let (status, _, page) = user.post(&path, &version).await;
        assert_eq!(status, 404, "{path}: {page}");
    }
    for token in [&token, &foreign] {
        let path = format!("/v1/tokens/{}", text(token, "id"));
        let state: Value = operator.get(&path).await.expect(200);
        assert_eq!(state["version"], 1);
    }
    // Of a token that has ended nothing is refilled.
    let revoke = format!("/v1/tokens/{}", text(&token, "id"));
    operator.delete(&revoke).await.expect(200);
    let page = shown(user.get(&page_of(&token)).await);
    has_not(&page, "/refill");
    let path = format!("{}/quotas/month/refill", page_of(&token));
    let (status, _, answer) = user.post(&path, &[("version", "2")]).await;
    assert_eq!(status, 409, "{answer}");
    assert_eq!(between(&answer, r#"role="alert""#, "</p>").len(), 1);
}
