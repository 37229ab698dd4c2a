//! Whose usage is seen, and what strangers put into it.

use super::rows::{Call, THAT_DAY, add, id, stat, token};
use crate::support::Site;

#[tokio::test]
async fn nobody_sees_the_usage_of_another_account() {
    let site = Site::start().await;
    let (other, theirs) = token(&site, "crm-1", "secret project").await;
    let (own, mine) = token(&site, "crm-2", "mine").await;
    let call = Call {
        endpoint: "/hidden",
        ..Call::after(0)
    };
    add(&site.pool, &theirs, &[call.clone(), call]).await;
    add(&site.pool, &mine, &[Call::after(1)]).await;
    let client = site.user(&own).await.client();
    let theirs = id(&theirs);
    for path in [
        format!("/console/usage?{THAT_DAY}"),
        format!("/console/usage?{THAT_DAY}&account_id={other}"),
        format!("/console/usage?{THAT_DAY}&token_id={theirs}"),
        format!("/console/usage/requests?token_id={theirs}"),
        "/console/usage/requests".to_owned(),
        "/console".to_owned(),
        format!("/console/usage/export?{THAT_DAY}&what=endpoints"),
        format!("/console/usage/export?{THAT_DAY}&what=tokens&account_id={other}"),
        format!("/console/usage/export?{THAT_DAY}&what=endpoints&token_id={theirs}"),
        format!("/console/usage/requests/export?token_id={theirs}"),
    ] {
        let (_, _, page) = client.get(&path).await;
        let told = page.contains("/hidden") || page.contains("secret project");
        assert!(!told, "{path}: {page}");
    }
    let (_, _, page) = client.get(&format!("/console/usage?{THAT_DAY}")).await;
    assert_eq!(stat(&page, "Requests"), "1");
    assert!(!page.contains("Account id") && !page.contains("Complete through"));
    let (_, _, page) = client
        .get(&format!("/console/usage?{THAT_DAY}&account_id={other}"))
        .await;
    assert_eq!(stat(&page, "Requests"), "0");
    let (status, ..) = client
        .get(&format!("/console/usage?token_id={theirs}"))
        .await;
    assert_eq!(status, 400);
    let (status, ..) = client
        .get(&format!("/console/usage/requests?token_id={theirs}"))
        .await;
    assert_eq!(status, 404);
    let (status, ..) = client
        .get(&format!("/console/usage/requests/export?token_id={theirs}"))
        .await;
    assert_eq!(status, 404);
}

#[tokio::test]
async fn what_strangers_sent_is_no_markup() {
    let site = Site::start().await;
    let (_, token) = token(&site, "crm-1", "<script>alert(1)</script>").await;
    let hostile = Call {
        endpoint: "/<script>alert(1)</script>\"'&",
        user_agent: "\"><img/src=x/onerror=alert(1)>",
        ..Call::after(0)
    };
    add(&site.pool, &token, &[hostile]).await;
    let client = site.operator().await.client();
    let of_token = format!("token_id={}", id(&token));
    for path in [
        format!("/console/usage?{THAT_DAY}"),
        format!("/console/usage?{THAT_DAY}&{of_token}"),
        format!("/console/usage?{THAT_DAY}&endpoint=%22%3E%3Cscript%3Ealert(1)%3C/script%3E"),
        "/console/usage?from=%22%3E%3Cscript%3Ealert(1)%3C/script%3E".to_owned(),
        format!("/console/usage/requests?{of_token}"),
        format!(
            "/console/usage/requests?{of_token}&endpoint=%22%3E%3Cscript%3Ealert(1)%3C/script%3E"
        ),
        "/console/usage/requests".to_owned(),
        "/console".to_owned(),
    ] {
        let (_, headers, page) = client.get(&path).await;
        assert!(
            !page.contains("<script>alert") && !page.contains("<img/src"),
            "{path}: {page}"
        );
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("script-src 'self'"), "{policy}");
        assert!(
            !page.contains(" style=\"") && !page.contains(" onclick="),
            "{path}"
        );
    }
    let (_, _, page) = client.get(&format!("/console/usage?{THAT_DAY}")).await;
    assert!(page.contains("alert(1)"), "it is told: {page}");
}
