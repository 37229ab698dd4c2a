//! A token is issued once, and its secret is shown once.

use serde_json::json;

use super::{HOSTILE, comes_to, field, has, has_not, secret, shown, text, verdict, with_account};

#[tokio::test]
async fn the_secret_is_shown_on_one_page_and_works() {
    let (site, _, user) = with_account().await;
    let form = shown(user.get("/console/tokens/new").await);
    has_not(&form, r#"name="account""#);
    let key = field(&form, "key");
    let fields = [
        ("key", key.as_str()),
        ("name", HOSTILE),
        ("environment", "test"),
        ("scopes", "orders:read\r\norders:write"),
        ("expiry", "30d"),
        ("allowed_cidrs", "127.0.0.0/8"),
        ("limit_name", "requests"),
        ("limit_units", "1,000"),
        ("limit_window", "60"),
        ("limit_burst", ""),
        ("limit_cost", ""),
        ("quota_name", "month"),
        ("quota_uses", "5000"),
        ("quota_refill", "monthly"),
        ("metadata", r#"{"team": "<i>"}"#),
    ];
    let (status, headers, page) = user.post("/console/tokens/new", &fields).await;
    assert_eq!(status, 200, "{page}");
    assert_eq!(headers["cache-control"], "no-store");
    let shown_once = secret(&page);
    assert!(shown_once.starts_with("tk_test_"), "{shown_once}");
    let origin = site.base();
    has(&page, &format!("Bearer {shown_once}"));
    has(&page, &format!("{origin}/v1/whoami"));
    has_not(&page, "<script>alert");

    let operator = site.api.operator();
    let told = site
        .api
        .bearer(&shown_once)
        .get("/v1/whoami")
        .await
        .expect(200);
    let token = &told["token"];
    assert_eq!(token["name"], HOSTILE);
    assert_eq!(token["scopes"], json!(["orders:read", "orders:write"]));
    assert_eq!(token["allowed_cidrs"], json!(["127.0.0.0/8"]));
    let limit = json!({ "name": "requests", "limit": 1000, "window_seconds": 60,
        "burst": 1000, "cost": 1 });
    assert_eq!(token["rate_limits"], json!([limit]));
    assert_eq!(token["quotas"][0]["limit"], 5000);
    assert_eq!(token["metadata"], json!({ "team": "<i>" }));
    assert!(token["expires_at"].is_string());

    // Nowhere else, and not in the log.
    let path = format!("/console/tokens/{}", text(token, "id"));
    for path in [path.as_str(), "/console/tokens", "/console"] {
        has_not(&shown(user.get(path).await), &shown_once);
    }
    assert!(!site.api.log_text().contains(&shown_once));
    let page = shown(user.get(&path).await);
    has(&page, "1,000 per 1 minute");
    has(&page, "5,000 a month");
    has(&page, "&#60;i&#62;");
    has_not(&page, "<i>");
    // The checker names no address, and one is asked for.
    assert_eq!(verdict(&operator, &shown_once).await, "IP_NOT_ALLOWED");
}

#[tokio::test]
async fn a_form_that_is_sent_twice_issues_one_token() {
    let (site, account, user) = with_account().await;
    let form = shown(user.get("/console/tokens/new").await);
    let key = field(&form, "key");
    let fields = [
        ("key", key.as_str()),
        ("name", "once"),
        ("environment", "live"),
    ];
    let first = shown(user.post("/console/tokens/new", &fields).await);
    let secret = secret(&first);
    // Without keys to seal with, nothing is kept of a secret; loading the page again says so.
    let again = shown(user.post("/console/tokens/new", &fields).await);
    has_not(&again, &secret);
    has(&again, "The secret is not shown again");
    has(&again, "Give it a new secret");
    let operator = site.api.operator();
    let listed = operator
        .get(&format!("/v1/tokens?account_id={account}"))
        .await;
    assert_eq!(
        listed.expect(200)["items"].as_array().map(Vec::len),
        Some(1)
    );

    // The same form with something else in it is another wish, and says what has happened.
    let fields = [
        ("key", key.as_str()),
        ("name", "another"),
        ("environment", "live"),
    ];
    let (status, _, page) = user.post("/console/tokens/new", &fields).await;
    assert_eq!(status, 422);
    has(&page, "has issued a token already");
    assert_ne!(field(&page, "key"), key);
    has(&page, r#"value="another""#);
}

#[tokio::test]
async fn what_cannot_be_accepted_stands_beside_its_field() {
    let (site, account, user) = with_account().await;
    let fields = [
        ("key", "k"),
        ("name", " "),
        ("environment", "live"),
        ("scopes", "orders:read BAD"),
        ("allowed_cidrs", "10.0.0.0/99"),
        ("limit_name", "UPPER"),
        ("limit_units", "5"),
        ("limit_window", "60"),
        ("expiry", "at"),
        ("expires_at", "2001-01-01T00:00"),
    ];
    let (status, _, page) = user.post("/console/tokens/new", &fields).await;
    assert_eq!(status, 422);
    for id in ["name", "scopes", "allowed_cidrs", "rate_limits"] {
        has(&page, &format!(r#"id="{id}-complaint""#));
    }
    has(&page, "orders:read BAD");
    has(&page, "UPPER");
    has(&page, r#"aria-invalid="true""#);
    // What the console reads itself.
    for (name, value, id) in [
        ("metadata", "[1]", "metadata"),
        ("expires_at", "soon", "expires_at"),
    ] {
        let fields = [
            ("name", "x"),
            ("environment", "live"),
            ("expiry", "at"),
            (name, value),
        ];
        let (status, _, page) = user.post("/console/tokens/new", &fields).await;
        assert_eq!(status, 422);
        has(&page, &format!(r#"id="{id}-complaint""#));
    }
    let listed = site
        .api
        .operator()
        .get(&format!("/v1/tokens?account_id={account}"))
        .await;
    assert_eq!(listed.expect(200)["items"], json!([]));
}

#[tokio::test]
async fn operators_say_whose_token_it_is() {
    let (site, account, _) = with_account().await;
    let client = site.operator().await.client();
    let form = shown(client.get("/console/tokens/new?account=crm-1").await);
    assert_eq!(field(&form, "account"), "crm-1");
    has(&form, r#"<option value="crm-1">"#);
    for (named, complaint) in [
        ("", "say whose token it is to be"),
        ("crm-2", "there is no account"),
        (
            "019aa5d0-1f2e-7a10-9c3b-5d6e7f809101",
            "there is no such account",
        ),
    ] {
        let fields = [
            ("key", "k"),
            ("name", "x"),
            ("environment", "live"),
            ("account", named),
        ];
        let (status, _, page) = client.post("/console/tokens/new", &fields).await;
        assert_eq!(status, 422, "{named}");
        has(&page, complaint);
    }
    for named in ["crm-1", account.as_str()] {
        let fields = [
            ("name", "x"),
            ("environment", "live"),
            ("account", named),
            ("key", named),
        ];
        let page = shown(client.post("/console/tokens/new", &fields).await);
        comes_to(&site.api.operator(), &secret(&page), "VALID").await;
    }
}

#[tokio::test]
async fn nobody_gives_what_they_may_not() {
    let (_site, _, user) = with_account().await;
    let fields = [
        ("key", "k"),
        ("name", "manager"),
        ("environment", "live"),
        ("scopes", "tollkeeper:verify"),
    ];
    let (status, _, page) = user.post("/console/tokens/new", &fields).await;
    assert_eq!(status, 403, "{page}");
    has(&page, "<h1>Issue a token</h1>");
    has(&page, "tollkeeper:verify");
}

#[tokio::test]
async fn a_policy_bounds_what_can_be_chosen() {
    let site = crate::support::Site::with(&[("TOLLKEEPER_MAX_TOKEN_LIFETIME_DAYS", "45")]).await;
    let account = site.api.operator().account("crm-1").await;
    let user = site.user(&account).await.client();
    let page = shown(user.get("/console/tokens/new").await);
    has(&page, r#"value="30d""#);
    has_not(&page, r#"value="60d""#);
    has_not(&page, r#"value="never""#);
    has(&page, "As late as may be: in 45 days");
    let fields = [
        ("key", "k"),
        ("name", "x"),
        ("environment", "live"),
        ("expiry", "longest"),
    ];
    secret(&shown(user.post("/console/tokens/new", &fields).await));
}
