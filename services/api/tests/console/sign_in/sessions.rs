//! Sessions: how long they go on, and who ends them.

use super::guest::{Guest, SESSION};
use super::{OTHER, PASSWORD, member, sql};
use crate::support::Site;

const ADA: &str = "ada@example.org";

/// Somebody who is signed in twice.
async fn twice(site: &Site) -> (Guest, Guest) {
    let first = member(site, ADA, None).await;
    let second = Guest::of(site);
    assert_eq!(second.sign_in(ADA, PASSWORD).await.status, 303);
    assert!(first.is_in().await && second.is_in().await);
    (first, second)
}

#[tokio::test]
async fn a_session_ends_when_it_is_not_used_or_too_old() {
    let site = Site::start().await;
    for over in [
        "update console_sessions set seen_at = now() - interval '12 hours 1 minute'",
        "update console_sessions set expires_at = now() - interval '1 second'",
        "update console_people set disabled_at = now()",
        "delete from console_people",
    ] {
        let email = format!("person-{}@example.org", over.len());
        let guest = member(&site, &email, None).await;
        let just_in_time =
            "update console_sessions set seen_at = now() - interval '11 hours 59 minutes'";
        sql(&site, just_in_time).await;
        assert!(guest.is_in().await, "before: {over}");
        assert!(sql(&site, over).await >= 1);
        assert!(!guest.is_in().await, "{over}");
        // Nor does a form of it do anything, and who sent it is told.
        let got = guest
            .post("/console/you/sign-out-everywhere", &[("form_token", "x")])
            .await;
        assert_eq!(
            (got.status, got.location()),
            (303, "/console/sign-in?next=%2Fconsole&done=form-lost")
        );
    }
}

#[tokio::test]
async fn that_it_is_used_is_noted() {
    let site = Site::start().await;
    let guest = member(&site, ADA, None).await;
    sql(
        &site,
        "update console_sessions set seen_at = now() - interval '2 minutes'",
    )
    .await;
    assert!(guest.is_in().await);
    let recent: bool =
        sqlx::query_scalar("select seen_at > now() - interval '1 minute' from console_sessions")
            .fetch_one(&site.pool)
            .await
            .unwrap();
    assert!(recent);
}

#[tokio::test]
async fn signing_out_everywhere_ends_each_session() {
    let site = Site::start().await;
    let (first, second) = twice(&site).await;
    let stranger = member(&site, "grace@example.org", None).await;
    let got = first.submit("/console/you/sign-out-everywhere", &[]).await;
    let way = "/console/sign-in?done=signed-out-everywhere";
    assert_eq!((got.status, got.location()), (303, way));
    assert!(!first.is_in().await && !second.is_in().await);
    assert!(stranger.is_in().await);
}

#[tokio::test]
async fn one_of_ones_own_sessions_is_ended_and_no_other() {
    let site = Site::start().await;
    let (first, second) = twice(&site).await;
    let page = first.get("/console/you").await.text;
    assert!(page.contains("this one"), "{page}");
    let (_, rest) = page.split_once("/console/you/sessions/").unwrap();
    let id = rest.split('/').next().unwrap();
    let path = format!("/console/you/sessions/{id}/end");
    let stranger = member(&site, "grace@example.org", None).await;
    assert_eq!(stranger.submit(&path, &[]).await.status, 404);
    assert!(second.is_in().await);
    let got = first.submit(&path, &[]).await;
    assert_eq!(got.location(), "/console/you?done=session-ended");
    assert!(first.is_in().await && !second.is_in().await);
}

#[tokio::test]
async fn a_form_carries_the_token_of_its_session() {
    let site = Site::start().await;
    let (first, second) = twice(&site).await;
    let stolen = second.form_token().await;
    for token in [stolen.as_str(), "", "x"] {
        let fields = [("form_token", token)];
        let got = first
            .post("/console/you/sign-out-everywhere", &fields)
            .await;
        assert_eq!(got.status, 403, "{token}");
        assert!(got.text.contains("FOREIGN_FORM"), "{}", got.text);
    }
    let own = first.form_token().await;
    let fields = [("form_token", own.as_str())];
    let foreign = Some("https://evil.example");
    let got = first
        .post_from(foreign, "/console/you/sign-out-everywhere", &fields)
        .await;
    assert_eq!(got.status, 403);
    assert!(first.is_in().await && second.is_in().await);
    let got = first
        .post("/console/you/sign-out-everywhere", &fields)
        .await;
    assert_eq!(got.status, 303);
}

#[tokio::test]
async fn a_new_password_leaves_one_session_with_a_new_secret() {
    let site = Site::start().await;
    let (first, second) = twice(&site).await;
    let before = first.cookie(SESSION).unwrap();
    for (current, new, repeated, complaint) in [
        (OTHER, OTHER, OTHER, "This is not your password."),
        (PASSWORD, OTHER, PASSWORD, "The two are not the same."),
        (PASSWORD, "password1", "password1", "one of the first"),
        (PASSWORD, ADA, ADA, "one of the first"),
        (PASSWORD, "short", "short", "at least 8"),
    ] {
        let fields = [
            ("current", current),
            ("password", new),
            ("repeated", repeated),
        ];
        let got = first.submit("/console/you/password", &fields).await;
        assert_eq!(got.status, 422, "{complaint}");
        assert!(got.text.contains(complaint), "{}", got.text);
    }
    let fields = [
        ("current", PASSWORD),
        ("password", OTHER),
        ("repeated", OTHER),
    ];
    let got = first.submit("/console/you/password", &fields).await;
    assert_eq!(
        got.location(),
        "/console/you?done=password-changed",
        "{}",
        got.text
    );
    assert_ne!(first.cookie(SESSION).unwrap(), before);
    assert!(first.is_in().await && !second.is_in().await);
    let old = Guest::of(&site);
    old.set_cookie(SESSION, &before);
    assert!(!old.is_in().await);
    assert_eq!(old.sign_in(ADA, PASSWORD).await.status, 403);
    assert_eq!(old.sign_in(ADA, OTHER).await.status, 303);
}
