//! What can be taken away is what the API answers.

use super::rows::{Call, THAT_DAY, THAT_DAY_OF_THE_API, add, id, token};
use crate::support::Site;

#[tokio::test]
async fn an_export_is_the_answer_of_the_api() {
    let site = Site::start().await;
    let (_, token) = token(&site, "crm-1", "nightly").await;
    let formula = Call {
        endpoint: "=1+1",
        ..Call::after(7)
    };
    add(&site.pool, &token, &[Call::after(0), formula]).await;
    let operator = site.api.operator();
    let client = site.operator().await.client();
    for (what, group_by) in [
        ("status", "status_class"),
        ("endpoints", "endpoint"),
        ("tokens", "token"),
        ("verdicts", "verdict"),
        ("networks", "ip_network"),
        ("agents", "user_agent_family"),
    ] {
        let path = format!("/v1/usage?{THAT_DAY_OF_THE_API}&group_by={group_by}&format=csv");
        let expected = operator.get(&path).await;
        let path = format!("/console/usage/export?{THAT_DAY}&what={what}&format=csv");
        let (status, headers, text) = client.get(&path).await;
        assert_eq!((status, &text), (200, &expected.text), "{what}");
        let name = headers["content-disposition"].to_str().unwrap();
        assert_eq!(name, format!("attachment; filename=\"usage-{what}.csv\""));
    }
    let path = format!("/console/usage/export?{THAT_DAY}&what=status&format=json");
    let (status, headers, text) = client.get(&path).await;
    let answer: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(
        (status, &answer["total"]["requests"]),
        (200, &serde_json::json!(2))
    );
    assert_eq!(headers["content-type"], "application/json");

    let requests = format!("/v1/tokens/{}/usage/requests?format=csv", id(&token));
    let expected = operator.get(&requests).await;
    let path = format!("/console/usage/requests/export?token_id={}", id(&token));
    let (status, _, text) = client.get(&path).await;
    assert_eq!((status, &text), (200, &expected.text));

    for wrong in [
        "what=nothing",
        "what=status&format=xls",
        "what=status&token_id=x",
    ] {
        let (status, ..) = client.get(&format!("/console/usage/export?{wrong}")).await;
        assert_eq!(status, 400, "{wrong}");
    }
}
