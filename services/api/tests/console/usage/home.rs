//! The first page.

use chrono::{SecondsFormat, TimeDelta};
use serde_json::json;
use tollkeeper_ambient::{Clock, SystemClock};

use super::rows::{Call, add, stat, token};
use crate::support::Site;

#[tokio::test]
async fn who_has_no_token_is_told_the_one_thing_to_do() {
    let site = Site::start().await;
    let account = site.api.operator().account("crm-1").await;
    let client = site.user(&account).await.client();
    let (status, _, page) = client.get("/console").await;
    assert_eq!(status, 200);
    assert!(page.contains("No token yet"), "{page}");
    assert_eq!(
        page.matches("href=\"/console/tokens/new\"").count(),
        1,
        "{page}"
    );
    assert!(!page.contains("Nodes that verify"), "{page}");
}

#[tokio::test]
async fn the_page_tells_what_matters_to_each() {
    let site = Site::start().await;
    let (account, first) = token(&site, "crm-1", "nightly export").await;
    let (_, other) = token(&site, "crm-2", "of somebody else").await;
    let soon = SystemClock.now() + TimeDelta::days(5);
    let soon = soon.to_rfc3339_opts(SecondsFormat::Secs, true);
    let ending = json!({ "name": "ends soon", "expires_at": soon });
    let operator = site.api.operator();
    operator.issue(&account, ending).await;
    let midnight = SystemClock
        .now()
        .date_naive()
        .and_hms_opt(0, 0, 0)
        .unwrap()
        .and_utc();
    let yesterday = Call::at(midnight - TimeDelta::hours(1));
    let refused = Call {
        status: 403,
        ..Call::at(midnight)
    };
    add(
        &site.pool,
        &first,
        &[Call::at(midnight), refused, yesterday],
    )
    .await;
    add(&site.pool, &other, &[Call::at(midnight)]).await;

    let (_, _, page) = site.user(&account).await.client().get("/console").await;
    assert_eq!(stat(&page, "Requests today"), "2");
    assert_eq!(stat(&page, "Refused or failed today"), "50%");
    assert_eq!(stat(&page, "Requests yesterday"), "1");
    assert!(
        page.contains("ends soon") && page.contains("in 4 days"),
        "{page}"
    );
    assert!(page.contains("Token issued"), "{page}");
    assert!(
        !page.contains("of somebody else") && !page.contains("Nodes that verify"),
        "{page}"
    );

    let (_, _, page) = site.operator().await.client().get("/console").await;
    assert_eq!(stat(&page, "Requests today"), "3");
    assert!(
        page.contains("of somebody else") && page.contains("1 live"),
        "{page}"
    );
}
