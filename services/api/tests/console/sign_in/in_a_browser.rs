//! Signing in, in a browser as people have it.

use tollkeeper_testkit::Browser;

use super::oidc::{Provider, site_with};
use super::{OTHER, PASSWORD, invited};
use crate::support::{Site, axe, shot};

const ADA: &str = "ada@example.org";

/// Through all of it by the keys and clicks of a person.
async fn walk(site: &Site, browser: &Browser, with_script: bool) {
    let link = invited(site, ADA, None).await;
    let go = async |path: &str| {
        let url = format!("{}{path}", site.base());
        browser.client.goto(&url).await.unwrap();
    };
    go(&link).await;
    browser.fill("#password", PASSWORD).await;
    browser.fill("#repeated", PASSWORD).await;
    browser.click("main button.primary").await;
    assert_eq!(browser.text(".who a").await, ADA);

    browser.click(".who button").await;
    browser.see("#email").await;
    assert!(browser.text("main .notice").await.contains("signed out"));
    browser.fill("#email", ADA).await;
    browser.fill("#password", OTHER).await;
    browser.click("main button.primary").await;
    let complaint = browser.text("#complaint").await;
    assert!(
        complaint.contains("nobody with this address and password"),
        "{complaint}"
    );
    let typed = browser.see("#email").await.prop("value").await.unwrap();
    assert_eq!(typed.as_deref(), Some(ADA));
    if with_script {
        axe(browser).await;
        shot(browser, "sign-in-refused").await;
    }
    go("/console/sign-in?next=%2Fconsole%2Fyou").await;
    browser.fill("#email", ADA).await;
    browser.fill("#password", PASSWORD).await;
    browser.click("main button.primary").await;
    browser.see("#sessions").await;

    browser.fill("#current", PASSWORD).await;
    browser.fill("#password", OTHER).await;
    browser.fill("#repeated", OTHER).await;
    browser
        .click("main form[action='/console/you/password'] button")
        .await;
    browser.says("main .notice", "is changed").await;
    browser.click("button.danger").await;
    browser.see("#email").await;
    assert!(browser.text("main .notice").await.contains("everywhere"));
}

#[tokio::test]
async fn with_script() {
    let site = Site::start().await;
    let browser = Browser::start().await;
    walk(&site, &browser, true).await;
    let said = browser.log("browser").await;
    let complaints = said.iter().filter(|it| {
        // Chromium tells of each answer that is no success.
        it["level"] == "SEVERE" && !it["message"].as_str().unwrap().contains("403")
    });
    assert_eq!(complaints.count(), 0, "{said:#?}");
}

#[tokio::test]
async fn without_script() {
    let site = Site::start().await;
    let browser = Browser::without_script().await;
    walk(&site, &browser, false).await;
}

#[tokio::test]
async fn who_sends_a_form_after_the_session_is_told_and_comes_back_to_it() {
    let site = Site::start().await;
    let browser = Browser::start().await;
    let link = invited(&site, ADA, None).await;
    let url = format!("{}{link}", site.base());
    browser.client.goto(&url).await.unwrap();
    browser.fill("#password", PASSWORD).await;
    browser.fill("#repeated", PASSWORD).await;
    browser.click("main button.primary").await;
    browser.see(".who a").await;
    let page = format!("{}/console/people/new?account=shop", site.base());
    browser.client.goto(&page).await.unwrap();
    browser.fill("#email", "grace@example.org").await;
    super::sql(&site, "delete from console_sessions").await;
    browser.click("main button.primary").await;
    let notice = browser.text("main .notice").await;
    assert!(notice.contains("what you sent was not done"), "{notice}");
    axe(&browser).await;
    browser.fill("#email", ADA).await;
    browser.fill("#password", PASSWORD).await;
    browser.click("main button.primary").await;
    browser.see("form[action='/console/people']").await;
    assert_eq!(browser.client.current_url().await.unwrap().as_str(), page);
}

#[tokio::test]
async fn with_openid_connect() {
    let provider = Provider::start("subject-1", ADA).await;
    let site = site_with(&provider).await;
    let browser = Browser::start().await;
    let url = format!("{}/console/sign-in?next=%2Fconsole%2Fyou", site.base());
    browser.client.goto(&url).await.unwrap();
    browser.see("#provider").await;
    axe(&browser).await;
    shot(&browser, "sign-in").await;
    browser.click("#provider").await;
    browser.says("main", "nobody here has this address").await;
    axe(&browser).await;
    shot(&browser, "sign-in-stopped").await;

    invited(&site, ADA, None).await;
    browser.client.goto(&url).await.unwrap();
    browser.click("#provider").await;
    browser.see("#sessions").await;
    assert_eq!(browser.text(".who a").await, ADA);
    assert!(browser.text("main").await.contains("Example ID"));
}

#[tokio::test]
async fn pages_are_for_everybody_to_use() {
    let site = Site::start().await;
    let account = site.api.operator().account("shop").await;
    let link = invited(&site, "holder@example.org", Some(account.parse().unwrap())).await;
    let operator = site.operator().await;
    let browser = operator.browser().await;
    for (path, name) in [
        (link.as_str(), "password-link"),
        ("/console/password/none", "password-link-over"),
        ("/console/you", "you"),
        ("/console/people", "people"),
        ("/console/people/new", "people-new"),
    ] {
        let url = format!("{}{path}", site.base());
        browser.client.goto(&url).await.unwrap();
        browser.see("h1").await;
        axe(&browser).await;
        shot(&browser, name).await;
    }
    browser.fill("#email", "grace@example.org").await;
    browser.click("main button.primary").await;
    let shown = browser.text("#link").await;
    assert!(
        shown.starts_with(&format!("{}/console/password/", site.base())),
        "{shown}"
    );
    axe(&browser).await;
}
