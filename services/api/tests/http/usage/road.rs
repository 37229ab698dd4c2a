//! From a request to the answer about it, through the broker and the ingestor.

use serde_json::json;
use tollkeeper_testkit::{Stack, wait_for};

use super::support::{ask, groups, usage_of};
use crate::support::{forward_auth, in_seconds, path_of, text};

#[tokio::test]
async fn what_passed_and_what_was_refused_is_told() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let _ingestor = stack.ingestor(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let token = operator.issue(&account, json!({})).await;
    let secret = text(&token, "token");
    for _ in 0..3 {
        assert_eq!(forward_auth(&api, secret, "").await.status, 200);
    }
    let revoked = format!("{}?wait=applied", path_of(&token));
    operator.delete(&revoked).await.expect(200);
    assert_eq!(forward_auth(&api, secret, "").await.status, 401);

    wait_for("the usage to be counted", async || {
        let day = ask(&operator, &usage_of(&token, "bucket=day")).await;
        day["total"]["requests"] == 4
    })
    .await;
    for bucket in ["minute", "hour", "day"] {
        let query = format!("from={}&bucket={bucket}", in_seconds(-3600));
        let series = ask(&operator, &usage_of(&token, &query)).await;
        let total = &series["total"];
        assert_eq!(
            (&total["requests"], &total["errors"]),
            (&json!(4), &json!(1)),
            "{bucket}"
        );
        assert!(total["latency_us"]["p99"].is_u64(), "{series}");
    }
    let apart = ask(&operator, &usage_of(&token, "bucket=hour&group_by=verdict")).await;
    assert_eq!(
        groups(&apart),
        [("VALID".to_owned(), 3), ("REVOKED".to_owned(), 1)]
    );
    let path = format!("/v1/tokens/{}/usage/requests?limit=1", text(&token, "id"));
    let newest = ask(&operator, &path).await;
    assert_eq!(newest["items"][0]["verdict"], "REVOKED");
}
