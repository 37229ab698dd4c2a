//! What is believed of what comes back from a provider, and what is not.

use serde_json::json;
use tollkeeper_ambient::{Clock, SystemClock};
use tollkeeper_testkit::{wait_for, wait_for_some};

use super::super::invited;
use super::provider::Provider;
use super::{Guest, sent_back, sign_in, site_with};
use crate::support::Site;

const ADA: &str = "ada@example.org";

async fn ready() -> (Provider, Site) {
    let provider = Provider::start("subject-1", ADA).await;
    let site = site_with(&provider).await;
    invited(&site, ADA, None).await;
    (provider, site)
}

#[tokio::test]
async fn an_id_token_is_for_this_sign_in_or_for_nothing() {
    let (provider, site) = ready().await;
    let now = SystemClock.now().timestamp();
    let truth = json!({ "sub": "subject-1", "email": ADA, "email_verified": true });
    let lies = [
        (json!({ "nonce": "another" }), "nonce"),
        (json!({ "nonce": null }), "nonce"),
        (
            json!({ "aud": "somebody-else" }),
            "this issuer for this client",
        ),
        (json!({ "aud": null }), "this issuer for this client"),
        (
            json!({ "iss": "https://evil.example" }),
            "this issuer for this client",
        ),
        (json!({ "exp": now - 60 }), "expired"),
        (json!({ "exp": null }), "this issuer for this client"),
        (json!({ "iat": now + 600 }), "future"),
        (json!({ "azp": "somebody-else" }), "not authorized"),
        (
            json!({ "aud": [super::provider::CLIENT_ID, "somebody-else"] }),
            "not authorized",
        ),
        (json!({ "sub": "" }), "subject"),
    ];
    for (told, (lie, check)) in lies.into_iter().enumerate() {
        provider.claim_only(truth.clone());
        provider.claim_keeping_null(lie.clone());
        let guest = Guest::of(&site);
        let got = sign_in(&guest, &site).await;
        assert_eq!(got.status, 502, "{lie}: {}", got.text);
        assert!(!guest.is_in().await, "{lie}");
        let line = wait_for_some("the log to say why", async || {
            let log = site.api.log_text();
            let mut lines = log
                .lines()
                .filter(|line| line.contains("OpenID Connect failed"));
            lines.nth(told).map(str::to_owned)
        })
        .await;
        assert!(line.contains(check), "{lie}: {line}");
    }
    provider.claim_only(truth);
    provider.sign_with_another_key(true);
    assert_eq!(sign_in(&Guest::of(&site), &site).await.status, 502);
    provider.sign_with_another_key(false);
    let good = Guest::of(&site);
    assert_eq!(sign_in(&good, &site).await.status, 303);
    assert!(good.is_in().await);
}

#[tokio::test]
async fn an_answer_fits_the_question_of_its_browser_once() {
    let (_provider, site) = ready().await;
    let ada = Guest::of(&site);
    let back = sent_back(&ada, &site, "").await;

    // Somebody else is led to the end of a sign-in that they did not begin.
    let victim = Guest::of(&site);
    assert_eq!(victim.get(&back).await.status, 400);
    let _own = sent_back(&victim, &site, "").await;
    assert_eq!(victim.get(&back).await.status, 400);
    assert!(!victim.is_in().await);

    // The state is changed.
    let bent = back.replace("state=", "state=x");
    assert_eq!(ada.get(&bent).await.status, 400);
    assert!(!ada.is_in().await);
    assert_eq!(ada.get(&back).await.status, 400, "the first answer ends it");

    let back = sent_back(&ada, &site, "").await;
    let flow = ada.cookie("tollkeeper-flow").unwrap();
    assert_eq!(ada.get(&back).await.status, 303);
    let replay = Guest::of(&site);
    replay.set_cookie("tollkeeper-flow", &flow);
    assert_eq!(replay.get(&back).await.status, 400);
    assert!(!replay.is_in().await);
}

#[tokio::test]
async fn a_code_is_of_use_to_who_asked_for_it_alone() {
    let (_provider, site) = ready().await;
    let code = |path: &str| {
        let (_, rest) = path.split_once("code=").unwrap();
        rest.split('&').next().unwrap().to_owned()
    };
    let (ada, thief) = (Guest::of(&site), Guest::of(&site));
    let back = sent_back(&ada, &site, "").await;
    let of_thief = sent_back(&thief, &site, "").await;
    // A stolen code in a sign-in of one's own: the provider finds another verifier (PKCE).
    let injected = of_thief.replace(&code(&of_thief), &code(&back));
    let got = thief.get(&injected).await;
    assert_eq!(got.status, 502, "{}", got.text);
    assert!(!thief.is_in().await);
    wait_for("the log to say why", async || {
        site.api.log_text().contains("invalid_grant")
    })
    .await;
    assert!(!site.api.log_text().contains(&code(&back)));
    // It is used up by that.
    assert_eq!(ada.get(&back).await.status, 502);
}

#[tokio::test]
async fn the_answer_of_another_provider_is_not_taken_for_this_ones() {
    let (provider, site) = ready().await;
    let ada = Guest::of(&site);
    let back = sent_back(&ada, &site, "").await;
    let (head, _) = back.split_once("&iss=").unwrap();
    let mixed = format!("{head}&iss=https%3A%2F%2Fevil.example");
    let got = ada.get(&mixed).await;
    assert_eq!(got.status, 400);
    assert!(got.text.contains("another provider"), "{}", got.text);
    assert!(!ada.is_in().await);

    provider.refuse_with(Some("access_denied"));
    let got = sign_in(&ada, &site).await;
    assert_eq!(got.status, 403);
    assert!(
        got.text.contains("did not agree") && !got.text.contains("alert"),
        "{}",
        got.text
    );
    provider.refuse_with(Some("<script>alert(1)</script>"));
    let got = sign_in(&ada, &site).await;
    assert_eq!(got.status, 403);
    assert!(!got.text.contains("alert"), "{}", got.text);
}

#[tokio::test]
async fn a_sign_in_that_takes_too_long_is_over() {
    let (_provider, site) = ready().await;
    let ada = Guest::of(&site);
    let back = sent_back(&ada, &site, "").await;
    let late = "update console_flows set expires_at = now()";
    assert_eq!(super::super::sql(&site, late).await, 1);
    assert_eq!(ada.get(&back).await.status, 400);
    assert!(!ada.is_in().await);
}

#[tokio::test]
async fn a_description_is_of_the_issuer_and_leads_to_good_places() {
    for lie in [
        json!({ "issuer": "https://evil.example" }),
        json!({ "token_endpoint": "http://evil.example/token" }),
        json!({ "jwks_uri": "ftp://127.0.0.1/keys" }),
        json!({ "authorization_endpoint": null }),
    ] {
        let (provider, site) = ready().await;
        provider.describe_as(lie.clone());
        let got = Guest::of(&site).get("/console/sign-in/oidc").await;
        assert_eq!(got.status, 502, "{lie}");
    }
}

#[tokio::test]
async fn the_secret_goes_where_the_provider_wants_it() {
    let (provider, site) = ready().await;
    let in_body = json!({ "token_endpoint_auth_methods_supported": ["client_secret_post"] });
    provider.describe_as(in_body);
    let ada = Guest::of(&site);
    assert_eq!(sign_in(&ada, &site).await.status, 303);
    assert!(!site.api.log_text().contains(super::provider::CLIENT_SECRET));
}

#[tokio::test]
async fn without_a_provider_there_is_no_way_to_one() {
    let site = Site::start().await;
    let guest = Guest::of(&site);
    for path in [
        "/console/sign-in/oidc",
        "/console/sign-in/oidc/callback?code=a&state=b",
    ] {
        assert_eq!(guest.get(path).await.status, 404, "{path}");
    }
    assert!(
        !guest
            .get("/console/sign-in")
            .await
            .text
            .contains("Sign in with")
    );
}
