//! New secrets, rest and end, and where they are known.

use serde_json::json;
use tollkeeper_testkit::wait_for;

use super::{
    between, comes_to, field, has, has_not, led, page_of, secret, shown, text, verdict,
    with_account,
};

#[tokio::test]
async fn a_token_rests_and_works_again_and_the_receipt_names_the_node() {
    let (site, account, user) = with_account().await;
    let operator = site.api.operator();
    let token = operator.issue(&account, json!({ "name": "ci" })).await;
    let (page, whole) = (page_of(&token), text(&token, "token"));
    for (change, code, words) in [
        ("suspend", "SUSPENDED", "Suspended"),
        ("resume", "VALID", "Resumed"),
    ] {
        let receipt = led(user.post(&format!("{page}/{change}"), &[]).await);
        assert!(receipt.starts_with(&format!("{page}/receipt?version=")));
        comes_to(&operator, whole, code).await;
        wait_for("every node to confirm", async || {
            let page = shown(user.get(&receipt).await);
            has(&page, words);
            page.contains("In force everywhere: 1 of 1 nodes") && !page.contains("data-live=")
        })
        .await;
    }
    // Only operators are told what the nodes are called.
    let nodes = operator.get("/v1/nodes").await.expect(200);
    let node = &nodes["items"][0];
    let receipt = format!("{page}/receipt?version=2");
    let users = shown(user.get(&receipt).await);
    has(&users, text(node, "id"));
    let words = format!("{} (…", text(node, "name"));
    has_not(&users, &words);
    let operators = site.operator().await.client();
    has(&shown(operators.get(&receipt).await), &words);
    // There is no receipt of what has not been.
    let (status, ..) = user.get(&format!("{page}/receipt?version=99")).await;
    assert_eq!(status, 404);
}

#[tokio::test]
async fn a_token_is_rotated_twice_and_the_earlier_secrets_end() {
    let (site, account, user) = with_account().await;
    let operator = site.api.operator();
    let token = operator.issue(&account, json!({ "name": "ci" })).await;
    let (page, first) = (page_of(&token), text(&token, "token"));
    let rotate = format!("{page}/rotate");
    let form = shown(user.get(&rotate).await);
    let key = field(&form, "key");
    let fields = [("key", key.as_str()), ("grace", "3600")];
    let (status, headers, rotated) = user.post(&rotate, &fields).await;
    assert_eq!(
        (status, &headers["cache-control"] == "no-store"),
        (200, true)
    );
    let second = secret(&rotated);
    has(&rotated, "They work until");
    for secret in [first, &second] {
        assert_eq!(verdict(&operator, secret).await, "VALID");
    }
    // The form sent again makes no further secret, and shows this one no more.
    let again = shown(user.post(&rotate, &fields).await);
    has_not(&again, &second);
    has(&again, "The secret is not shown again");
    assert_eq!(verdict(&operator, &second).await, "VALID");

    let fields = [("key", "another"), ("grace", "0")];
    let rotated = shown(user.post(&rotate, &fields).await);
    has(&rotated, "They work no more");
    let third = secret(&rotated);
    for secret in [first, &second] {
        comes_to(&operator, secret, "EXPIRED").await;
    }
    assert_eq!(verdict(&operator, &third).await, "VALID");
    let shown_page = shown(user.get(&page).await);
    assert_eq!(shown_page.matches("Given a new secret").count(), 2);
    has_not(&shown_page, &third);

    let fields = [("key", "yet-another"), ("grace", "99999999")];
    let (status, ..) = user.post(&rotate, &fields).await;
    assert_eq!(status, 422);
}

#[tokio::test]
async fn a_revocation_has_a_reason_and_a_receipt() {
    let (site, account, user) = with_account().await;
    let operator = site.api.operator();
    let token = operator.issue(&account, json!({ "name": "ci" })).await;
    let (page, whole) = (page_of(&token), text(&token, "token"));
    let revoke = format!("{page}/revoke");
    has(
        &shown(user.get(&revoke).await),
        r#"<option value="leaked">"#,
    );
    let (status, _, refused) = user.post(&revoke, &[("reason", "account_deleted")]).await;
    assert_eq!(status, 400, "{refused}");
    assert_eq!(verdict(&operator, whole).await, "VALID");

    let receipt = led(user.post(&revoke, &[("reason", "leaked")]).await);
    has(
        &shown(user.get(&receipt).await),
        "Revoked: It was found where everybody can read it",
    );
    comes_to(&operator, whole, "REVOKED").await;
    // What is revoked stays so: to ask again changes nothing, and nothing else can be done.
    assert_eq!(
        led(user.post(&revoke, &[("reason", "leaked")]).await),
        receipt
    );
    let ended = shown(user.get(&page).await);
    has(&ended, r#"data-state="revoked""#);
    for action in ["edit", "rotate", "revoke", "suspend", "resume"] {
        has_not(&ended, &format!(r#"{page}/{action}""#));
    }
    for change in ["suspend", "resume"] {
        let (status, _, answer) = user.post(&format!("{page}/{change}"), &[]).await;
        assert_eq!(status, 409);
        has(&answer, r#"role="alert""#);
    }
    let fields = [("key", "k"), ("grace", "0")];
    let (status, ..) = user.post(&format!("{page}/rotate"), &fields).await;
    assert_eq!(status, 409);
}

#[tokio::test]
async fn what_a_token_has_issued_can_end_with_it() {
    let (site, account, user) = with_account().await;
    let operator = site.api.operator();
    let scopes = ["tollkeeper:tokens.read", "tollkeeper:tokens.write"];
    let parent = operator
        .issue(&account, json!({ "name": "parent", "scopes": scopes }))
        .await;
    let by = site.api.bearer(text(&parent, "token"));
    let child = by
        .post("/v1/tokens", json!({ "name": "child" }))
        .await
        .expect(201);
    let revoke = format!("{}/revoke", page_of(&parent));
    has(&shown(user.get(&revoke).await), r#"name="cascade""#);
    let progress = led(user
        .post(&revoke, &[("reason", "superseded"), ("cascade", "yes")])
        .await);
    assert!(progress.starts_with("/console/tokens/bulk/"), "{progress}");
    wait_for("the cascade to be done", async || {
        let page = shown(user.get(&progress).await);
        page.contains("All of them are revoked")
    })
    .await;
    comes_to(&operator, text(&child, "token"), "REVOKED").await;
    // The child tells which token issued it, and the parent's page is a link away.
    let page = shown(user.get(&page_of(&child)).await);
    has(&page, &format!(r#"href="{}""#, page_of(&parent)));
}

#[tokio::test]
async fn a_form_of_another_page_changes_nothing() {
    let (site, account, user) = with_account().await;
    let operator = site.api.operator();
    let token = operator.issue(&account, json!({ "name": "ci" })).await;
    let (page, whole) = (page_of(&token), text(&token, "token"));
    let form_token = user.form_token().await;
    let other = site
        .visitor("other@example.org", account.parse().ok())
        .await;
    let stolen = other.client().form_token().await;
    for path in ["suspend", "revoke", "rotate", "edit"] {
        let path = format!("{page}/{path}");
        let own = [
            ("form_token", form_token.as_str()),
            ("key", "k"),
            ("grace", "0"),
        ];
        let (status, ..) = user.post_from("https://evil.example", &path, &own).await;
        assert_eq!(status, 403, "{path}");
        for token in ["", &stolen] {
            let fields = [("form_token", token), ("key", "k"), ("grace", "0")];
            let (status, ..) = user.post_from(&site.base(), &path, &fields).await;
            assert_eq!(status, 403, "{path}");
        }
    }
    assert_eq!(verdict(&operator, whole).await, "VALID");
    let events = operator
        .get(&format!("/v1/tokens/{}/events", text(&token, "id")))
        .await;
    assert_eq!(
        events.expect(200)["items"].as_array().map(Vec::len),
        Some(1)
    );
    assert_eq!(
        between(&shown(user.get(&page).await), "<li>\n<time", "</li>").len(),
        1
    );
}
