//! The whole life of a token in a real browser, with and without script.

use serde_json::json;
use tollkeeper_testkit::{Browser, wait_for};

use super::{HOSTILE, comes_to, page_of, text, verdict, with_account};
use crate::support::{axe, shot};

/// Shows a page of the console.
async fn open(browser: &Browser, base: &str, path: &str) {
    let url = format!("{base}{path}");
    browser.client.goto(&url).await.expect("the page is there");
}

/// Waits until the browser is on a page whose path ends so.
async fn arrives(browser: &Browser, end: &str) {
    wait_for(end, async || {
        let url = browser.client.current_url().await.expect("a page");
        url.path().ends_with(end)
    })
    .await;
}

/// Fills the form in as somebody does who is in a hurry, and gives the secret.
async fn issue(browser: &Browser, name: &str) -> String {
    browser.fill("#name", name).await;
    browser.fill("#scopes", "orders:read").await;
    browser.click("main form.form button.primary").await;
    browser.text("#secret").await
}

/// Nothing that the browser complains of, but for refusals that were asked for.
async fn is_content(browser: &Browser) {
    let said = browser.log("browser").await;
    let bad = said.iter().filter(|it| it["level"] == "SEVERE");
    let bad: Vec<_> = bad.collect();
    assert!(bad.is_empty(), "{bad:#?}");
}

/// From the form to the receipt of the end.
async fn whole_life(browser: &Browser, site: &crate::support::Site, has_script: bool) {
    let (base, operator) = (site.base(), site.api.operator());
    browser
        .click(r#".page-head a[href^="/console/tokens/new"]"#)
        .await;
    let first = issue(browser, HOSTILE).await;
    assert_eq!(verdict(&operator, &first).await, "VALID");
    browser.click(r#"main > .narrow > p > a.button"#).await;
    browser.see("ol.timeline").await;
    let heading = browser.text("h1").await;
    assert!(heading.starts_with(HOSTILE), "{heading}");
    let page = browser.client.current_url().await.expect("a page");
    let page = page.path().to_owned();

    browser.click(r#".page-head a[href$="/rotate"]"#).await;
    browser.click(r#"input[name="grace"][value="0"]"#).await;
    browser.click("main form.form button.primary").await;
    let second = browser.text("#secret").await;
    comes_to(&operator, &first, "EXPIRED").await;
    assert_eq!(verdict(&operator, &second).await, "VALID");

    for (action, code) in [("suspend", "SUSPENDED"), ("resume", "VALID")] {
        open(browser, &base, &page).await;
        browser
            .click(&format!(r#"form[action$="/{action}"] button"#))
            .await;
        arrives(browser, "/receipt").await;
        comes_to(&operator, &second, code).await;
    }

    open(browser, &base, &page).await;
    browser.click(r#".page-head a[href$="/edit"]"#).await;
    browser.fill("#name", "nightly").await;
    browser.click("main form.form button.primary").await;
    arrives(browser, &page).await;
    assert!(browser.text("h1").await.starts_with("nightly"));

    browser.click(r#".page-head a[href$="/revoke"]"#).await;
    let reason = browser.see("#reason").await;
    reason
        .select_by_value("key_compromise")
        .await
        .expect("a reason");
    browser.click("main form.form button.danger").await;
    arrives(browser, "/receipt").await;
    comes_to(&operator, &second, "REVOKED").await;
    if has_script {
        // The page tells by itself that all have confirmed.
        browser.see(r#"#receipt .notice[data-tone="good"]"#).await;
    }
    open(browser, &base, &page).await;
    let history = browser.text("ol.timeline").await;
    assert!(
        history.contains("Revoked: Somebody else may know the secret"),
        "{history}"
    );
    is_content(browser).await;
}

#[tokio::test]
async fn a_user_takes_a_token_through_its_life() {
    let (site, account, _) = with_account().await;
    let browser = site.user(&account).await.browser().await;
    open(&browser, &site.base(), "/console/tokens").await;
    whole_life(&browser, &site, true).await;
}

#[tokio::test]
async fn everything_works_without_script() {
    let (site, account, _) = with_account().await;
    let browser = site.user(&account).await.browser_without_script().await;
    open(&browser, &site.base(), "/console/tokens").await;
    whole_life(&browser, &site, false).await;
}

#[tokio::test]
async fn an_operator_takes_somebody_elses_token_through_its_life() {
    let (site, ..) = with_account().await;
    let browser = site.operator().await.browser().await;
    open(&browser, &site.base(), "/console/tokens?account=crm-1").await;
    whole_life(&browser, &site, true).await;
}

#[tokio::test]
async fn the_way_back_does_not_show_the_secret_again() {
    let (site, account, _) = with_account().await;
    let browser = site.user(&account).await.browser().await;
    open(&browser, &site.base(), "/console/tokens/new").await;
    let secret = issue(&browser, "once").await;
    browser.click(r#"main > .narrow > p > a.button"#).await;
    browser.see("ol.timeline").await;
    browser.client.back().await.expect("a way back");
    let source = browser.client.source().await.expect("a page");
    assert!(!source.contains(&secret), "{source}");
    let listed = site
        .api
        .operator()
        .get(&format!("/v1/tokens?account_id={account}"))
        .await;
    assert_eq!(
        listed.expect(200)["items"].as_array().map(Vec::len),
        Some(1)
    );
}

#[tokio::test]
async fn all_of_a_page_are_selected_and_revoked() {
    let (site, account, _) = with_account().await;
    let operator = site.api.operator();
    let mut tokens = Vec::new();
    for number in 0..3 {
        let body = json!({ "name": format!("old {number}") });
        tokens.push(operator.issue(&account, body).await);
    }
    let browser = site.operator().await.browser().await;
    open(&browser, &site.base(), "/console/tokens?account=crm-1").await;
    browser.click("input[data-select-all]").await;
    browser.click(".actions button.danger").await;
    browser.see("#confirm").await;
    axe(&browser).await;
    shot(&browser, "tokens-selected").await;
    browser.fill("#confirm", "3").await;
    browser.click("main form.form button.danger").await;
    browser.see(r#".notice[data-tone="good"]"#).await;
    axe(&browser).await;
    for token in &tokens {
        comes_to(&operator, text(token, "token"), "REVOKED").await;
    }
}

#[tokio::test]
async fn axe_finds_nothing_on_any_page_about_tokens() {
    let (site, account, _) = with_account().await;
    let operator = site.api.operator();
    let base = site.base();
    let browser = site.user(&account).await.browser().await;
    open(&browser, &base, "/console/tokens").await;
    axe(&browser).await;
    shot(&browser, "tokens-empty").await;

    let token = operator
        .issue(
            &account,
            json!({
                "name": "nightly deployments",
                "scopes": ["orders:read", "orders:write", "stock:read", "stock:write"],
                "allowed_cidrs": ["192.0.2.0/24", "2001:db8::/32"],
                "metadata": { "team": "checkout" },
                "rate_limits": [{ "name": "requests", "limit": 600, "window_seconds": 60 }],
                "quotas": [{ "name": "month", "limit": 100_000, "refill": "monthly" }],
                "expires_in_minutes": 60 * 24 * 20,
            }),
        )
        .await;
    operator
        .issue(&account, json!({ "name": HOSTILE, "environment": "test" }))
        .await;
    let path = format!("/v1/tokens/{}", text(&token, "id"));
    let narrow = json!({ "scopes": ["orders:read", "orders:write"] });
    operator.patch(&path, narrow).await.expect(200);
    let history = operator.get(&format!("{path}/events")).await.expect(200);
    let then = text(&history["items"][0], "recorded_at").to_owned();
    let page = page_of(&token);
    for (name, path) in [
        ("tokens", "/console/tokens".to_owned()),
        ("tokens-none", "/console/tokens?search=nothing".to_owned()),
        ("token-new", "/console/tokens/new".to_owned()),
        ("token", page.clone()),
        ("token-past", format!("{page}?at={then}")),
        ("token-history", format!("{page}/history")),
        ("token-edit", format!("{page}/edit")),
        ("token-rotate", format!("{page}/rotate")),
        ("token-revoke", format!("{page}/revoke")),
        ("token-receipt", format!("{page}/receipt?version=2")),
        ("token-exposure", format!("{page}/exposure")),
        ("token-try", format!("{page}/try")),
        (
            "tokens-bulk",
            "/console/tokens/bulk?search=nightly".to_owned(),
        ),
    ] {
        open(&browser, &base, &path).await;
        axe(&browser).await;
        shot(&browser, name).await;
    }
    is_content(&browser).await;

    // What only a form leads to.
    open(&browser, &base, "/console/tokens/new").await;
    issue(&browser, "deployments").await;
    axe(&browser).await;
    shot(&browser, "token-secret").await;
    open(&browser, &base, "/console/tokens/new").await;
    browser.fill("#name", "bad").await;
    browser.fill("#scopes", "NOT A SCOPE").await;
    browser.click("main form.form button.primary").await;
    browser.see("#scopes-complaint").await;
    axe(&browser).await;
    shot(&browser, "token-new-refused").await;

    open(&browser, &base, &format!("{page}/edit")).await;
    let theirs = json!({ "name": "renamed meanwhile" });
    operator.patch(&path, theirs).await.expect(200);
    browser.fill("#name", "mine").await;
    browser.click("main form.form button.primary").await;
    browser.see("#meanwhile").await;
    axe(&browser).await;
    shot(&browser, "token-conflict").await;

    open(&browser, &base, "/console/tokens/bulk?search=deployments").await;
    browser.click("main form.form button.primary").await;
    browser.see("#count").await;
    axe(&browser).await;
    shot(&browser, "tokens-plan").await;
}
