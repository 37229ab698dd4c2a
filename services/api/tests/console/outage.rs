//! The database is cut off while somebody works: the page says what to do, nothing that was typed is lost, and
//! the same browser goes on afterwards.

use serde_json::{Value, json};
use tollkeeper_testkit::{Browser, wait_for};

use crate::support::{Client, Got, Site, axe, shot};

const TITLE: &str = "The console cannot answer now";

async fn open(browser: &Browser, site: &Site, path: &str) {
    let url = format!("{}{path}", site.base());
    browser.client.goto(&url).await.expect("it is answered");
}

/// Waits until the console answers again.
async fn is_back(client: &Client) {
    wait_for("the database to be back", async || {
        client.get("/console/you").await.0 == 200
    })
    .await;
}

/// An account's tokens of this name.
async fn named(site: &Site, account: &str, name: &str) -> Vec<Value> {
    let path = format!("/v1/tokens?account_id={account}");
    let listed = site.api.operator().get(&path).await.expect(200);
    let all = listed["items"].as_array().expect("a list").clone();
    all.into_iter().filter(|it| it["name"] == name).collect()
}

#[track_caller]
fn is_told((status, headers, text): &Got) {
    assert_eq!(*status, 503, "{text}");
    assert_eq!(headers["content-type"], "text/html; charset=utf-8");
    let wait = headers["retry-after"].to_str().expect("when to come back");
    assert!(wait.parse::<u32>().is_ok_and(|it| it > 0), "{wait}");
    assert!(text.contains(&format!("<h1>{TITLE}</h1>")), "{text}");
    // The session goes on.
    assert!(headers.get("set-cookie").is_none());
}

#[tokio::test]
async fn somebody_who_reads_tries_again_and_goes_on() {
    let (site, proxy) = Site::through_proxy().await;
    let account = site.api.operator().account("crm-1").await;
    let user = site.user(&account).await;
    let browser = user.browser().await;
    open(&browser, &site, "/console/tokens").await;
    assert_eq!(browser.text("h1").await, "Tokens");

    proxy.cut();
    let path = "/console/usage?range=7d&method=GET";
    open(&browser, &site, path).await;
    assert_eq!(browser.text("h1").await, TITLE);
    axe(&browser).await;
    shot(&browser, "cut-off").await;
    let again = browser.see("main a.primary").await;
    let leads = again.attr("href").await.expect("an attribute");
    assert_eq!(leads.as_deref(), Some(path));
    // It is tried in vain as well.
    again.click().await.expect("a link");
    assert_eq!(browser.text("h1").await, TITLE);

    proxy.resume();
    is_back(&user.client()).await;
    browser.click("main a.primary").await;
    browser.see("form.filters").await;
    assert_eq!(browser.text("h1").await, "Usage");
    assert_eq!(browser.text(".who a span").await, user.email);
}

#[tokio::test]
async fn a_form_is_not_lost_and_is_done_once() {
    let (site, proxy) = Site::through_proxy().await;
    let account = site.api.operator().account("crm-1").await;
    let user = site.user(&account).await;
    let browser = user.browser().await;
    let name = r#"nightly "<b>" & more"#;
    open(&browser, &site, "/console/tokens/new").await;
    browser.fill("#name", name).await;
    browser.fill("#scopes", "orders:read\norders:write").await;

    proxy.cut();
    browser.click("main form.form button.primary").await;
    assert_eq!(browser.text("main > .narrow h1").await, TITLE);
    let kept = r#"main form button.primary"#;
    assert_eq!(browser.text(kept).await, "Send it again");
    axe(&browser).await;
    shot(&browser, "cut-off-form").await;

    proxy.resume();
    is_back(&user.client()).await;
    assert_eq!(named(&site, &account, name).await, Vec::<Value>::new());
    browser.click(kept).await;
    let secret = browser.text("#secret").await;
    let [token] = &named(&site, &account, name).await[..] else {
        panic!("not one token");
    };
    assert_eq!(token["scopes"], json!(["orders:read", "orders:write"]));
    let told = site.api.bearer(&secret).get("/v1/whoami").await;
    assert_eq!(told.expect(200)["token"]["id"], token["id"]);
}

#[tokio::test]
async fn what_is_told_of_a_form_depends_on_what_it_holds() {
    let (site, proxy) = Site::through_proxy().await;
    let account = site.api.operator().account("crm-1").await;
    let client = site.user(&account).await.client();
    let token = client.form_token().await;
    let base = site.base();

    proxy.cut();
    is_told(&client.get("/console/tokens").await);
    let fields = [
        ("form_token", token.as_str()),
        ("id", "1"),
        ("id", "2"),
        ("count", "\"><script>"),
    ];
    let path = "/console/tokens/selected/revoke";
    let got = client.post_from(&base, path, &fields).await;
    is_told(&got);
    for part in [
        r#"<form method="post" action="/console/tokens/selected/revoke">"#,
        r#"name="id" value="1""#,
        r#"name="id" value="2""#,
        r#"name="count" value="&#34;&#62;&#60;script&#62;""#,
        "not done twice",
    ] {
        assert!(got.2.contains(part), "no {part} in {}", got.2);
    }
    let password = "nine grey herons";
    let fields = [
        ("form_token", token.as_str()),
        ("current", password),
        ("password", password),
        ("repeated", password),
    ];
    let change = client.post_from(&base, "/console/you/password", &fields);
    let fields = [("email", "ada@example.org"), ("password", password)];
    let sign_in = client.post_from(&base, "/console/sign-in", &fields);
    for got in [change.await, sign_in.await] {
        is_told(&got);
        assert!(!got.2.contains(password), "{}", got.2);
        assert!(got.2.contains("Go back in your browser"), "{}", got.2);
    }
    // A page of somebody else puts nothing into ours.
    let fields = [("form_token", token.as_str()), ("id", "planted")];
    let (status, _, text) = client
        .post_from("https://evil.example", path, &fields)
        .await;
    assert_eq!(status, 403);
    assert!(!text.contains("planted"), "{text}");

    proxy.resume();
    is_back(&client).await;
}

#[tokio::test]
async fn a_network_that_swallows_everything_is_told_like_one_that_is_gone() {
    let (site, proxy) = Site::through_proxy().await;
    let account = site.api.operator().account("crm-1").await;
    let user = site.user(&account).await;
    let client = user.client();
    let token = client.form_token().await;

    proxy.pause();
    let fields = [("form_token", token.as_str()), ("name", "kept")];
    let base = site.base();
    let (page, form) = tokio::join!(
        client.get("/console/tokens"),
        client.post_from(&base, "/console/tokens/new", &fields),
    );
    is_told(&page);
    is_told(&form);
    assert!(form.2.contains(r#"name="name" value="kept""#), "{}", form.2);

    proxy.resume();
    is_back(&client).await;
    let (status, ..) = client.get("/console/tokens").await;
    assert_eq!(status, 200);
}

#[tokio::test]
async fn what_a_page_follows_stands_as_it_was_and_goes_on() {
    let (site, proxy) = Site::through_proxy().await;
    let operator = site.operator().await;
    let browser = operator.browser().await;
    open(&browser, &site, "/console/operation").await;
    browser.see("#operation table").await;
    proxy.cut();
    browser.see("#operation[data-late]").await;
    browser.see("#operation table").await;
    proxy.resume();
    browser.see("#operation:not([data-late])").await;

    // It is looked at last, as that stops what goes on by itself.
    proxy.cut();
    browser.see("#operation[data-late]").await;
    axe(&browser).await;
}
