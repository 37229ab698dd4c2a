//! Addresses that are no pages, and requests that a page does not take.

use reqwest::Method;
use uuid::Uuid;

use crate::support::{Got, Site, axe, shot};

/// Addresses that no page has: some are near one, some hold what is no id.
const NO_PAGES: [&str; 16] = [
    "/console/nothing",
    "/console/nothing/at/all?x=%3Cscript%3E",
    "/console/tokens/",
    "/console/tokens/x",
    "/console/tokens/x/edit",
    "/console/tokens/x/receipt?version=1",
    "/console/tokens/bulk/x",
    "/console/tokens/019aa5d0-4b1c-7f3e-a1d2-6c7b8a9d0e1f",
    "/console/accounts/x",
    "/console/accounts/x/edit",
    "/console/accounts/x/delete",
    "/console/accounts/019aa5d0-4b1c-7f3e-a1d2-6c7b8a9d0e1f/explode",
    "/console/operation/dead-letters/x",
    "/console/operation/dead-letters/99999999999999999999",
    "/console/password/%FF",
    "/console/assets/nothing.css",
];

/// A page of the console that says this, whatever its status is.
#[track_caller]
fn is_page((status, headers, text): &Got, expected: u16, title: &str) {
    assert_eq!(*status, expected, "{text}");
    assert_eq!(headers["content-type"], "text/html; charset=utf-8");
    assert_eq!(headers["cache-control"], "no-store");
    let policy = headers["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("script-src 'self'"), "{policy}");
    assert!(text.contains(&format!("<h1>{title}</h1>")), "{text}");
    assert_eq!(text.matches("<h1").count(), 1, "{text}");
    assert!(!text.contains("<script>"), "{text}");
}

#[tokio::test]
async fn whoever_is_signed_in_finds_the_way_from_an_address_that_is_no_page() {
    let site = Site::start().await;
    let operator = site.operator().await;
    let client = operator.client();
    for path in NO_PAGES {
        let got = client.get(path).await;
        is_page(&got, 404, "Page not found");
        // Files and links by which somebody gets in are asked for by nobody in particular.
        if !path.starts_with("/console/assets") && !path.starts_with("/console/password") {
            for part in [r#"href="/console/people""#, "ada@example.org", "Sign out"] {
                assert!(got.2.contains(part), "no {part} at {path}: {}", got.2);
            }
        }
    }
    // It is as usable as any other.
    let browser = operator.browser().await;
    let url = format!("{}/console/nothing", site.base());
    browser.client.goto(&url).await.unwrap();
    axe(&browser).await;
    shot(&browser, "no-page").await;
    browser.click("main .actions a").await;
    browser.see("a[aria-current=page][href='/console']").await;
}

#[tokio::test]
async fn a_form_that_leads_to_no_page_leaves_the_way_to_the_others() {
    let site = Site::start().await;
    let client = site.operator().await.client();
    for path in [
        "/console/tokens/x/edit",
        "/console/tokens/x/rotate",
        "/console/tokens/x/suspend",
        "/console/tokens/x/revoke",
        "/console/tokens/x/try",
        "/console/tokens/x/quotas/month/refill",
        "/console/tokens/bulk/x",
        "/console/accounts/x/edit",
        "/console/accounts/x/quotas/month/refill",
        "/console/people/x/disable",
        "/console/you/sessions/x/end",
        "/console/operation/dead-letters/x/replay",
    ] {
        let got = client.post(path, &[("version", "1")]).await;
        is_page(&got, 404, "Page not found");
        for part in [r#"href="/console/people""#, "ada@example.org", "Sign out"] {
            assert!(got.2.contains(part), "no {part} at {path}: {}", got.2);
        }
        // The form in it works, and is for nobody else.
        let token = client.form_token().await;
        assert!(got.2.contains(&token), "{path}: {}", got.2);
        let base = site.base();
        let got = site.nobody().post_from(&base, path, &[]).await;
        is_page(&got, 404, "Page not found");
        assert!(
            !got.2.contains("<nav") && !got.2.contains("<form"),
            "{}",
            got.2
        );
    }
}

#[tokio::test]
async fn a_user_is_told_the_same_of_what_is_not_there_and_of_what_is_not_theirs() {
    let site = Site::start().await;
    let operator = site.api.operator();
    let own = operator.account("own").await;
    let others = operator.account("others").await;
    let token = operator
        .issue(&others, serde_json::json!({ "name": "nightly" }))
        .await;
    let user = site.user(&own).await.client();
    let at = |id: &str| format!("/console/tokens/{id}");
    let foreign = user.get(&at(token["id"].as_str().unwrap())).await;
    let unknown = user.get(&at(&Uuid::nil().to_string())).await;
    let malformed = user.get(&at("x")).await;
    for got in [&foreign, &unknown, &malformed] {
        is_page(got, 404, "Page not found");
        assert!(got.2.contains(r#"href="/console/usage""#), "{}", got.2);
        assert!(!got.2.contains("/console/people"), "{}", got.2);
    }
    let without_id = |got: &Got| {
        let (before, rest) = got.2.split_once("Request id <code>").unwrap();
        let (_, after) = rest.split_once("</code>").unwrap();
        format!("{before}{after}")
    };
    assert_eq!(without_id(&foreign), without_id(&unknown));
    assert_eq!(without_id(&foreign), without_id(&malformed));
}

#[tokio::test]
async fn who_is_not_signed_in_is_told_where_to_and_nothing_else() {
    let site = Site::start().await;
    let nobody = site.nobody();
    for path in [
        "/console/nothing",
        "/console/people/x/y",
        "/console/password/%FF",
    ] {
        for method in [Method::GET, Method::POST, Method::DELETE] {
            if path.contains("password") && method != Method::GET {
                continue;
            }
            let got = nobody.ask(method, path).await;
            is_page(&got, 404, "Page not found");
            assert!(got.2.contains(r#"href="/console/sign-in""#), "{}", got.2);
            assert!(
                !got.2.contains("<nav") && !got.2.contains("<form"),
                "{}",
                got.2
            );
        }
    }
    // What is there leads to the sign-in, whatever its id.
    for path in ["/console/tokens/x", "/console/accounts/x"] {
        let (status, headers, _) = nobody.get(path).await;
        assert_eq!(status, 303, "{path}");
        let to = headers["location"].to_str().unwrap();
        assert!(to.starts_with("/console/sign-in?next="), "{to}");
    }
}

#[tokio::test]
async fn the_address_with_a_slash_is_that_of_the_first_page() {
    let site = Site::start().await;
    let (status, headers, _) = site.nobody().get("/console/").await;
    assert_eq!(
        (status, headers["location"].to_str().unwrap()),
        (308, "/console")
    );
}

#[tokio::test]
async fn a_page_says_by_what_methods_it_is_asked() {
    let site = Site::start().await;
    let client = site.operator().await.client();
    for (method, path, allowed) in [
        (Method::POST, "/console", "GET,HEAD"),
        (Method::POST, "/console/", "GET,HEAD"),
        (Method::DELETE, "/console/tokens", "GET,HEAD"),
        (Method::PUT, "/console/tokens/new", "GET,HEAD,POST"),
        (Method::GET, "/console/sign-out", "POST"),
        (Method::GET, "/console/tokens/selected/revoke", "POST"),
        (Method::POST, "/console/assets/nothing.css", "GET,HEAD"),
    ] {
        let got = client.ask(method.clone(), path).await;
        is_page(&got, 405, "Method not allowed");
        assert_eq!(got.1["allow"], allowed, "{method} {path}");
        assert!(got.2.contains("Sign out"), "{}", got.2);
    }
    let got = site.nobody().ask(Method::DELETE, "/console/people").await;
    is_page(&got, 405, "Method not allowed");
    assert!(!got.2.contains("<nav"), "{}", got.2);
}

#[tokio::test]
async fn an_id_that_is_none_is_told_beside_the_field_that_asks_for_it() {
    let site = Site::start().await;
    let client = site.operator().await.client();
    for path in [
        "/console/operation/dead-letters?source=x",
        "/console/usage?token_id=x",
        "/console/usage?account_id=x",
    ] {
        let (status, _, text) = client.get(path).await;
        assert_eq!(status, 400, "{path}: {text}");
        assert!(text.contains("This is not an id."), "{path}: {text}");
        assert!(text.contains(r#"aria-invalid="true""#), "{path}: {text}");
    }
}
