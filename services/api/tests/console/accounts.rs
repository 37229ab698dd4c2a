//! Accounts: registering, finding, changing, suspending and deleting them.

use serde_json::{Value, json};
use tollkeeper_testkit::stack::Person;

use crate::support::{Client, Site, axe, unescaped};

const LIST: &str = "/console/accounts";

/// A form that registers an account with nothing but a name.
const EMPTY: [(&str, &str); 5] = [
    ("key", "d0f1c2a3"),
    ("external_id", ""),
    ("email", ""),
    ("role", "user"),
    ("token_limit", ""),
];

async fn shown(client: &Client, path: &str) -> String {
    let (status, _, text) = client.get(path).await;
    assert_eq!(status, 200, "{path}: {text}");
    unescaped(&text)
}

async fn account(operator: &Person, id: &str) -> Value {
    operator
        .get(&format!("/v1/accounts/{id}"))
        .await
        .expect(200)
}

/// Sends a form that succeeds, and gives where it leads.
async fn sent(client: &Client, path: &str, fields: &[(&str, &str)]) -> String {
    let (status, headers, text) = client.post(path, fields).await;
    assert_eq!(status, 303, "{text}");
    headers["location"].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn accounts_are_for_operators() {
    let site = Site::start().await;
    let operator = site.api.operator();
    let id = operator.account("shop").await;
    let user = site.user(&id).await.client();
    let one = format!("{LIST}/{id}");
    let edit = format!("{one}/edit");
    let suspend = format!("{one}/suspend");
    for path in [LIST, "/console/accounts/new", &one, &edit, &suspend] {
        let (status, _, text) = user.get(path).await;
        assert_eq!(status, 403, "{path}: {text}");
    }
    let refill = format!("{one}/quotas/month/refill");
    for path in ["/console/accounts/new", &edit, &suspend, &refill] {
        let fields = [&EMPTY[..], &[("version", "1")]].concat();
        let (status, _, text) = user.post(path, &fields).await;
        assert_eq!(status, 403, "{path}: {text}");
    }
    assert_eq!(account(&operator, &id).await["state"], "active");
}

#[tokio::test]
async fn an_account_is_registered_and_found_by_hand() {
    let site = Site::start().await;
    let operator = site.operator().await;
    let browser = operator.browser().await;
    browser
        .client
        .goto(&format!("{}{LIST}", site.base()))
        .await
        .unwrap();
    assert_eq!(browser.text(".empty h2").await, "No accounts yet");
    axe(&browser).await;
    browser.click(".page-head a.primary").await;
    browser.fill("#name", "Example Shop").await;
    browser.fill("#external_id", "customer-4711").await;
    browser.fill("#email", "nobody").await;
    browser.fill("#limit-name-1", "requests").await;
    browser.fill("#limit-units-1", "6,000").await;
    browser.fill("#limit-window-1", "60").await;
    browser.click("form.form button.primary").await;
    // What is wrong stands beside its field, and what was typed is still there.
    let complaint = browser.text("#email-complaint").await;
    assert_eq!(complaint, "this is not an e-mail address");
    axe(&browser).await;
    let name = browser.see("#name").await.prop("value").await.unwrap();
    assert_eq!(name.as_deref(), Some("Example Shop"));
    browser.fill("#email", "ops@shop.example").await;
    browser.click("form.form button.primary").await;
    let said = browser.text(".notice").await;
    assert!(said.starts_with("The account is registered."), "{said}");
    axe(&browser).await;
    let page = browser.text("main").await;
    for part in [
        "Example Shop",
        "customer-4711",
        "ops@shop.example",
        "6,000 per minute",
    ] {
        assert!(page.contains(part), "{part} in {page}");
    }
    let at = browser.client.current_url().await.unwrap();

    browser
        .client
        .goto(&format!("{}{LIST}", site.base()))
        .await
        .unwrap();
    browser.fill("#q", "customer-4711").await;
    browser.click("form.filters button").await;
    browser.click("table.data th a").await;
    browser.see("dl.facts").await;
    assert_eq!(
        browser.client.current_url().await.unwrap().path(),
        at.path()
    );
    let client = operator.client();
    let none = shown(&client, &format!("{LIST}?q=customer-4712")).await;
    assert!(none.contains("No such account"), "{none}");
    let id = at.path().rsplit('/').next().unwrap().to_owned();
    let (status, headers, _) = client.get(&format!("{LIST}?q={id}")).await;
    assert_eq!(
        (status, headers["location"].to_str().unwrap()),
        (303, at.path())
    );
}

#[tokio::test]
async fn a_form_that_is_sent_twice_registers_once() {
    let site = Site::start().await;
    let client = site.operator().await.client();
    let fields = [&EMPTY[..], &[("name", "Twice")]].concat();
    let first = sent(&client, "/console/accounts/new", &fields).await;
    let second = sent(&client, "/console/accounts/new", &fields).await;
    assert_eq!(first, second);
    let known = |key| [("key", key), ("role", "user"), ("external_id", "twice")];
    sent(&client, "/console/accounts/new", &known("another")).await;
    let again = known("a-third");
    let (status, _, text) = client.post("/console/accounts/new", &again).await;
    assert_eq!(status, 409, "{text}");
    assert!(
        text.contains("another account has this external id"),
        "{text}"
    );
}

#[tokio::test]
async fn an_account_is_changed_only_as_it_was_seen() {
    let site = Site::start().await;
    let operator = site.api.operator();
    let body = json!({
        "name": "<script>alert(1)</script>", "external_id": "shop",
        "quotas": [{ "name": "month", "limit": 100, "refill": "monthly" }],
    });
    let made = operator.post("/v1/accounts", body).await.expect(201);
    let id = made["id"].as_str().unwrap();
    let client = site.operator().await.client();
    let edit = format!("{LIST}/{id}/edit");
    let (_, _, raw) = client.get(&edit).await;
    assert!(
        raw.contains("&#60;script&#62;") && !raw.contains("<script>"),
        "{raw}"
    );
    let fields = [
        ("name", "Shop"),
        ("external_id", "shop"),
        ("email", ""),
        ("role", "system"),
        ("token_limit", "1,000"),
        ("limit_name", "requests"),
        ("limit_units", "60"),
        ("limit_window", "1"),
        ("limit_burst", ""),
        ("quota_name", "month"),
        ("quota_uses", "200"),
        ("quota_refill", "monthly"),
        ("version", "1"),
    ];
    let to = sent(&client, &edit, &fields).await;
    assert_eq!(to, format!("{LIST}/{id}?done=changed"));
    let now = account(&operator, id).await;
    assert_eq!(now["name"], "Shop");
    assert_eq!(now["role"], "system");
    assert_eq!(now["token_limit"], 1_000);
    assert_eq!(now["rate_limits"][0]["limit"], 60);
    assert_eq!(now["quotas"][0]["limit"], 200);
    // Somebody else has changed it meanwhile.
    let (status, _, text) = client.post(&edit, &fields).await;
    assert_eq!(status, 412, "{text}");
    assert!(text.contains("the version is 2 by now"), "{text}");
    let version = [("version", "2")];
    let refill = format!("{LIST}/{id}/quotas/month/refill");
    sent(&client, &refill, &version).await;
    assert_eq!(account(&operator, id).await["quotas"][0]["generation"], 2);
    let wrong = [&fields[..10], &[("quota_uses", "many"), ("version", "3")]].concat();
    let (status, _, text) = client.post(&edit, &wrong).await;
    assert_eq!(status, 422, "{text}");
    assert!(text.contains("quotas-complaint"), "{text}");
    assert!(text.contains(r#"value="many""#), "{text}");
}

#[tokio::test]
async fn suspending_and_deleting_ask_first_and_tell_how_many_tokens_they_stop() {
    let site = Site::start().await;
    let operator = site.api.operator();
    let id = operator.account("shop").await;
    let token = operator.issue(&id, json!({})).await;
    operator.issue(&id, json!({})).await;
    let verdict = async || {
        let question = json!({ "token": token["token"] });
        let told = operator.post("/v1/verify", question).await.expect(200);
        told["code"].as_str().unwrap().to_owned()
    };
    let browser = site.operator().await.browser_without_script().await;
    let page = format!("{}{LIST}/{id}", site.base());
    browser.client.goto(&page).await.unwrap();
    browser.click("a[href$='/suspend']").await;
    browser.says("main", "2 active tokens").await;
    assert_eq!(verdict().await, "VALID");
    browser.click("main button.danger").await;
    browser.says(".notice", "The account is suspended").await;
    assert_eq!(verdict().await, "ACCOUNT_SUSPENDED");
    browser.click("a[href$='/resume']").await;
    browser
        .click("form[action$='/resume'] button.primary")
        .await;
    browser.says(".notice", "The account is resumed").await;
    assert_eq!(verdict().await, "VALID");

    browser.click("a[href$='/delete']").await;
    browser.fill("#typed", "something else").await;
    browser.click("main button.danger").await;
    let complaint = browser.text(".complaint").await;
    assert_eq!(complaint, "type shop to delete it");
    assert_eq!(account(&operator, &id).await["state"], "active");
    browser.fill("#typed", "shop").await;
    browser.click("main button.danger").await;
    browser.says(".notice", "The account is deleted.").await;
    assert_eq!(account(&operator, &id).await["state"], "deleted");
    // There is nothing more to do with it.
    let left = browser.text(".page-head").await;
    assert!(!left.contains("Suspend"), "{left}");
    let client = site.operator().await.client();
    let (status, _, text) = client.post(&format!("{LIST}/{id}/suspend"), &[]).await;
    assert_eq!(status, 409, "{text}");
    assert!(text.contains("the account is deleted"), "{text}");
    let (status, _, _) = client.get(&format!("{LIST}/{id}/explode")).await;
    assert_eq!(status, 404);
}

#[tokio::test]
async fn a_form_of_another_page_changes_nothing() {
    let site = Site::start().await;
    let operator = site.api.operator();
    let id = operator.account("shop").await;
    let client = site.operator().await.client();
    let suspend = format!("{LIST}/{id}/suspend");
    let token = client.form_token().await;
    let base = site.base();
    for (origin, token) in [
        ("https://evil.example", token.as_str()),
        (base.as_str(), "AAAA"),
        (base.as_str(), ""),
    ] {
        let fields = [("form_token", token)];
        let (status, _, text) = client.post_from(origin, &suspend, &fields).await;
        assert_eq!(status, 403, "{text}");
    }
    assert_eq!(account(&operator, &id).await["state"], "active");
}
