//! A part that cannot be read says so in its place; the rest is there.

use super::rows::{Call, THAT_DAY, add, stat, token};
use crate::support::Site;

#[tokio::test]
async fn sums_that_cannot_be_read_do_not_take_the_page_along() {
    let site = Site::start().await;
    let (_, token) = token(&site, "crm-1", "nightly").await;
    add(&site.pool, &token, &[Call::after(0)]).await;
    let client = site.operator().await.client();
    let path = format!("/console/usage?{THAT_DAY}");

    let mut held = site.pool.begin().await.unwrap();
    sqlx::query("lock table account_usage_hourly in access exclusive mode")
        .execute(&mut *held)
        .await
        .unwrap();
    let (status, _, page) = client.get(&path).await;
    assert_eq!(status, 200, "{page}");
    assert!(
        page.contains("<h2>Requests</h2>") && page.contains("Try again"),
        "{page}"
    );
    // When they were read and how far they are complete is known.
    assert!(page.contains("Read at"), "{page}");
    let (status, _, page) = client.get("/console").await;
    assert_eq!(status, 200, "{page}");
    assert!(
        page.contains("Try again") && page.contains("Newest tokens"),
        "{page}"
    );

    held.rollback().await.unwrap();
    let (_, _, page) = client.get(&path).await;
    assert_eq!(stat(&page, "Requests"), "1");
    assert!(!page.contains("Try again"));
}

#[tokio::test]
async fn where_nothing_was_there_is_said_what_to_do() {
    let site = Site::start().await;
    let (account, token) = token(&site, "crm-1", "nightly").await;
    add(&site.pool, &token, &[Call::after(0)]).await;
    let client = site.user(&account).await.client();
    let (_, _, page) = client.get("/console/usage?range=1h").await;
    assert!(page.contains("No requests in this time"), "{page}");
    assert!(page.contains("To the tokens"), "{page}");
    let (_, _, page) = client
        .get(&format!("/console/usage?{THAT_DAY}&method=PUT"))
        .await;
    assert!(page.contains("Without filters"), "{page}");
}
