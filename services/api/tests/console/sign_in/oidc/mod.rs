//! Signing in with OpenID Connect, with a provider that does as the standard says, until it is told not to.

mod believed;
mod people;
mod provider;
mod throttle;

pub(super) use provider::Provider;

use super::guest::{Got, Guest};
use crate::support::Site;

/// A site that people may sign in to with this provider.
pub(super) async fn site_with(provider: &Provider) -> Site {
    let port = tollkeeper_embedded::ports::free().unwrap();
    let listen = format!("127.0.0.1:{port}");
    let settings = [
        ("TOLLKEEPER_LISTEN", listen.clone()),
        ("TOLLKEEPER_PUBLIC_URL", format!("http://{listen}")),
        ("TOLLKEEPER_OIDC_ISSUER", provider.issuer.clone()),
        ("TOLLKEEPER_OIDC_CLIENT_ID", provider::CLIENT_ID.to_owned()),
        (
            "TOLLKEEPER_OIDC_CLIENT_SECRET",
            provider::CLIENT_SECRET.to_owned(),
        ),
        ("TOLLKEEPER_OIDC_NAME", "Example ID".to_owned()),
    ];
    let settings: Vec<(&str, &str)> = settings
        .iter()
        .map(|(name, it)| (*name, it.as_str()))
        .collect();
    let site = Site::with(&settings).await;
    provider.expect_back_at(&format!("http://{listen}/console/sign-in/oidc/callback"));
    site
}

/// Goes to the provider, and is sent back; gives the path with which.
async fn sent_back(guest: &Guest, site: &Site, next: &str) -> String {
    let begun = guest.get(&format!("/console/sign-in/oidc{next}")).await;
    assert_eq!(begun.status, 303, "{}", begun.text);
    let [cookie] = &begun.cookies()[..] else {
        panic!("{begun:?}")
    };
    assert!(cookie.starts_with("tollkeeper-flow="), "{cookie}");
    assert!(
        cookie.ends_with("; Path=/; Max-Age=600; HttpOnly; SameSite=Lax"),
        "{cookie}"
    );
    let there = guest.visit(begun.location()).await;
    assert_eq!(there.status, 303, "{}", there.text);
    let back = there.location().strip_prefix(&site.base());
    back.unwrap_or_else(|| panic!("{there:?}")).to_owned()
}

/// Signs in, or tries to.
async fn sign_in(guest: &Guest, site: &Site) -> Got {
    let back = sent_back(guest, site, "").await;
    guest.get(&back).await
}
