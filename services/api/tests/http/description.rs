//! `GET /openapi.json` and `GET /docs`

use tollkeeper_testkit::stack::{Answer, Stack};

use crate::support::problem;

#[tokio::test]
async fn anybody_reads_the_description() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let answer = api.nobody().get("/openapi.json").await;
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert!(answer.header("x-request-id").is_some());
    let document = answer.expect(200);
    assert_eq!(document["openapi"], "3.1.0");
    let checked_in = include_str!("../../../../docs/openapi.json");
    assert_eq!(answer.text, checked_in, "run `cargo xtask generate`");
}

#[tokio::test]
async fn the_page_loads_nothing_from_another_host() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let nobody = api.nobody();

    // Relative, so that it holds below a proxy's prefix too.
    let client = tollkeeper_testkit::http_client_builder()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    let moved = client.get(format!("http://{}/docs", api.public)).send();
    let moved = moved.await.unwrap();
    assert_eq!(moved.status(), 308);
    assert_eq!(moved.headers()["location"], "docs/");
    let page = nobody.get("/docs/").await;
    assert_own_host_only(&page);
    assert_eq!(page.status, 200);
    assert_eq!(page.header("content-type"), Some("text/html"));

    let named = attributes(&page.text);
    assert!(named.len() >= 6, "{named:?}");
    for name in named {
        let name = name.strip_prefix("./").unwrap_or(name);
        assert!(!name.contains([':', '/']), "{name} lies elsewhere");
        let part = nobody.get(&format!("/docs/{name}")).await;
        assert_eq!(part.status, 200, "{name}");
        assert_own_host_only(&part);
        if name.ends_with(".css") {
            for place in part.text.split("url(").skip(1) {
                let place = place.trim_start_matches(['"', '\'']);
                assert!(place.starts_with("data:"), "{name} loads {place:.80}");
            }
            assert!(!part.text.contains("@import"), "{name}");
        }
    }
    let settings = nobody.get("/docs/swagger-initializer.js").await;
    assert!(!settings.text.contains("//petstore"), "{}", settings.text);
    assert!(!settings.text.contains("http"), "{}", settings.text);
    assert!(
        settings.text.contains("\"../openapi.json\""),
        "{}",
        settings.text
    );
    assert!(
        settings.text.contains("\"validatorUrl\": \"none\""),
        "{}",
        settings.text
    );

    for other in ["oauth2-redirect.html", "x", "..%2fCargo.toml"] {
        problem(
            &nobody.get(&format!("/docs/{other}")).await,
            404,
            "NOT_FOUND",
        );
    }
}

/// What its elements load.
fn attributes(html: &str) -> Vec<&str> {
    let places = html
        .split("src=\"")
        .skip(1)
        .chain(html.split("href=\"").skip(1));
    places.filter_map(|rest| rest.split('"').next()).collect()
}

/// The browser is told to ask no other host, whatever a script says.
#[track_caller]
fn assert_own_host_only(answer: &Answer) {
    let policy = answer.header("content-security-policy").expect("a policy");
    assert!(policy.starts_with("default-src 'none';"), "{policy}");
    for directive in policy.split(';').map(str::trim) {
        let (_, sources) = directive.split_once(' ').expect("sources");
        for source in sources.split(' ') {
            assert!(
                ["'none'", "'self'", "data:"].contains(&source),
                "{directive}"
            );
        }
    }
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
}
