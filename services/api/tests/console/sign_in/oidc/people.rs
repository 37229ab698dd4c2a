//! Whom the provider's word lets in, and as whom.

use serde_json::{Value, json};

use super::super::{PASSWORD, invited, member, sql};
use super::provider::Provider;
use super::{Guest, sent_back, sign_in, site_with};

const ADA: &str = "ada@example.org";

#[tokio::test]
async fn somebody_is_known_by_an_address_first_and_by_their_identity_then() {
    let provider = Provider::start("subject-1", "Ada@Example.org").await;
    let site = site_with(&provider).await;
    invited(&site, ADA, None).await;
    let ada = Guest::of(&site);
    let page = ada.get("/console/sign-in").await.text;
    assert!(page.contains("Sign in with Example ID"), "{page}");
    let back = sent_back(&ada, &site, "?next=/console/people").await;
    let got = ada.get(&back).await;
    assert_eq!(
        (got.status, got.location()),
        (303, "/console/people"),
        "{}",
        got.text
    );
    assert!(ada.is_in().await);
    assert_eq!(ada.cookie("tollkeeper-flow"), None);

    // The provider knows them by another address now, for which it does not vouch.
    provider.claim(json!({ "email": "ada@elsewhere.example", "email_verified": false }));
    let again = Guest::of(&site);
    assert_eq!(sign_in(&again, &site).await.status, 303);
    assert!(again.get("/console/you").await.text.contains(ADA));

    // Somebody else gets the address there, and not what belongs to it here.
    provider.claim(json!({ "sub": "subject-2", "email": ADA, "email_verified": true }));
    let other = Guest::of(&site);
    let got = sign_in(&other, &site).await;
    assert_eq!(got.status, 403, "{}", got.text);
    assert!(!other.is_in().await);
    let linked: i64 = sqlx::query_scalar("select count(*) from console_identities")
        .fetch_one(&site.pool)
        .await
        .unwrap();
    assert_eq!(linked, 1);
}

#[tokio::test]
async fn strangers_are_told_whom_to_ask() {
    let provider = Provider::start("subject-1", "stranger@example.org").await;
    let site = site_with(&provider).await;
    invited(&site, ADA, None).await;
    for (claims, text) in [
        (json!({}), "nobody here has this address"),
        (
            json!({ "email": ADA, "email_verified": false }),
            "does not vouch",
        ),
        (
            json!({ "email": ADA, "email_verified": "true" }),
            "does not vouch",
        ),
        (
            json!({ "email": ADA, "email_verified": null }),
            "does not vouch",
        ),
        (json!({ "email": null }), "does not tell your address"),
    ] {
        provider.claim(claims.clone());
        let guest = Guest::of(&site);
        let got = sign_in(&guest, &site).await;
        assert_eq!(got.status, 403, "{claims}");
        assert!(got.text.contains(text), "{claims}: {}", got.text);
        assert!(!guest.is_in().await, "{claims}");
        provider.claim(json!({ "email": "stranger@example.org", "email_verified": true }));
    }
    provider.claim(json!({ "email": ADA }));
    sql(&site, "update console_people set disabled_at = now()").await;
    let guest = Guest::of(&site);
    assert_eq!(sign_in(&guest, &site).await.status, 403);
    sql(&site, "update console_people set disabled_at = null").await;
    assert_eq!(sign_in(&guest, &site).await.status, 303);
    sql(&site, "update console_people set disabled_at = now()").await;
    assert!(!guest.is_in().await);
    assert_eq!(
        sign_in(&guest, &site).await.status,
        403,
        "who is linked is disabled too"
    );
}

#[tokio::test]
async fn the_holder_of_an_account_needs_nobody_to_add_them() {
    let provider = Provider::start("holder-1", "holder@example.org").await;
    let site = site_with(&provider).await;
    let operator = site.api.operator();
    let id = operator.account("shop").await;
    // As it is after the holder has registered with a JWT of the provider.
    let known = "update accounts set identity_issuer = $1, identity_subject = 'holder-1'";
    let known = sqlx::query(known)
        .bind(&provider.issuer)
        .execute(&site.pool);
    assert_eq!(known.await.unwrap().rows_affected(), 1);
    let holder = Guest::of(&site);
    provider.claim(json!({ "email_verified": false }));
    assert_eq!(sign_in(&holder, &site).await.status, 403);
    provider.claim(json!({ "email_verified": true }));
    assert_eq!(sign_in(&holder, &site).await.status, 303);
    let you = holder.get("/console/you").await.text;
    assert!(
        you.contains(&id) && !you.contains("/console/people"),
        "{you}"
    );
    let log = operator.get("/v1/audit?limit=50").await.expect(200);
    let actions = log["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| &item["action"]);
    let actions: Vec<&Value> = actions.collect();
    for action in ["PersonAdded", "PersonLinked", "PersonSignedIn"] {
        assert!(actions.iter().any(|it| *it == action), "{action}: {log}");
    }

    sql(&site, "delete from console_people").await;
    sql(&site, "update accounts set state = 'suspended'").await;
    assert_eq!(
        sign_in(&Guest::of(&site), &site).await.status,
        403,
        "a suspended account"
    );
}

#[tokio::test]
async fn a_provider_that_is_away_leaves_the_other_ways() {
    let provider = Provider::start("subject-1", ADA).await;
    let site = site_with(&provider).await;
    member(&site, ADA, None).await;
    provider.be_away(true);
    let guest = Guest::of(&site);
    let got = guest.get("/console/sign-in/oidc").await;
    assert_eq!(got.status, 502);
    assert!(
        got.text.contains("Example ID could not be asked"),
        "{}",
        got.text
    );
    assert_eq!(guest.sign_in(ADA, PASSWORD).await.status, 303);
    provider.be_away(false);
    let other = Guest::of(&site);
    assert_eq!(sign_in(&other, &site).await.status, 303);
}
