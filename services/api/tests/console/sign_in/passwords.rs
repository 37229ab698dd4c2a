//! Signing in by a password.

use argon2::{Algorithm, Argon2, Params, PasswordHasher, Version};

use super::guest::{DEVICE, Got, Guest, SESSION};
use super::{OTHER, PASSWORD, invited, member, sql};
use crate::support::Site;

const ADA: &str = "ada@example.org";

#[tokio::test]
async fn somebody_comes_in_by_a_link_and_back_by_the_password() {
    let site = Site::start().await;
    let link = invited(&site, ADA, None).await;
    let ada = Guest::of(&site);
    let asked = ada.get("/console/people?after=a%26b").await;
    let way = "/console/sign-in?next=%2Fconsole%2Fpeople%3Fafter%3Da%2526b";
    assert_eq!((asked.status, asked.location()), (303, way));
    let form = ada.get(&link).await;
    assert_eq!(form.status, 200);
    assert!(
        form.text.contains(ADA) && form.text.contains("in 23 hours"),
        "{}",
        form.text
    );
    assert_eq!(form.headers["cache-control"], "no-store");

    assert_eq!(ada.choose(&link, PASSWORD).await.status, 303);
    assert!(ada.is_in().await);
    let out = ada.submit("/console/sign-out", &[]).await;
    assert_eq!(out.location(), "/console/sign-in?done=signed-out");
    assert_eq!(ada.cookie(SESSION), None);
    assert!(!ada.is_in().await);

    assert_eq!(ada.sign_in(ADA, OTHER).await.status, 403);
    assert!(!ada.is_in().await);
    // However the letters are written, and with what was pasted around it.
    assert_eq!(ada.sign_in(" ADA@Example.org ", PASSWORD).await.status, 303);
    assert!(ada.is_in().await);
    let again = ada.get("/console/sign-in").await;
    assert_eq!((again.status, again.location()), (303, "/console"));
}

#[tokio::test]
async fn nobody_learns_who_may_sign_in() {
    let site = Site::start().await;
    member(&site, ADA, None).await;
    invited(&site, "invited@example.org", None).await;
    member(&site, "gone@example.org", None).await;
    let gone = "update console_people set disabled_at = now() where email like 'gone%'";
    assert_eq!(sql(&site, gone).await, 1);
    let guest = Guest::of(&site);
    let mut pages = Vec::new();
    for email in [
        ADA,
        "nobody@example.org",
        "invited@example.org",
        "gone@example.org",
        "no address",
    ] {
        let password = if email == ADA { OTHER } else { PASSWORD };
        let got = guest.sign_in(email, password).await;
        assert_eq!(got.status, 403, "{email}");
        assert!(got.cookies().is_empty(), "{email}");
        pages.push(got.text.replace(email, "EMAIL"));
    }
    pages.dedup();
    assert_eq!(pages.len(), 1, "{pages:#?}");
}

#[tokio::test]
async fn the_way_leads_to_our_own_pages_alone() {
    let site = Site::start().await;
    member(&site, ADA, None).await;
    for (next, leads_to) in [
        ("/console/you", "/console/you"),
        ("/console/tokens?q=a%26b", "/console/tokens?q=a%26b"),
        ("//evil.example/console", "/console"),
        ("https://evil.example/console", "/console"),
        ("/console/../v1/tokens", "/console"),
        ("/console\r\nset-cookie: a=b", "/console"),
    ] {
        let guest = Guest::of(&site);
        let fields = [("email", ADA), ("password", PASSWORD), ("next", next)];
        let got = guest.post("/console/sign-in", &fields).await;
        assert_eq!((got.status, got.location()), (303, leads_to), "{next}");
    }
}

#[tokio::test]
async fn the_cookie_goes_to_this_host_over_tls_alone() {
    let site = Site::start().await;
    member(&site, ADA, None).await;
    let fields = [("email", ADA), ("password", PASSWORD)];
    let host = "keys.example.org";
    let got = Guest::of(&site)
        .post_to_host(host, "/console/sign-in", &fields)
        .await;
    assert_eq!(got.status, 303, "{}", got.text);
    for (name, age) in KEPT {
        let flags = format!("Path=/; Max-Age={age}; HttpOnly; SameSite=Lax; Secure");
        assert_eq!(flags_of(&got, &format!("__Host-{name}")), flags);
    }

    // On the machine itself there is no TLS to be had.
    let got = Guest::of(&site).sign_in(ADA, PASSWORD).await;
    for (name, age) in KEPT {
        let flags = format!("Path=/; Max-Age={age}; HttpOnly; SameSite=Lax");
        assert_eq!(flags_of(&got, name), flags);
    }
}

/// How long the cookies of a sign-in are kept, in seconds: the session's, and the browser's.
const KEPT: [(&str, &str); 2] = [(SESSION, "604800"), (DEVICE, "15552000")];

/// What is said of the cookie of this name beside its secret. There are no others than two.
fn flags_of(got: &Got, name: &str) -> String {
    let cookies = got.cookies();
    assert_eq!(cookies.len(), 2, "{got:?}");
    let start = format!("{name}=");
    let cookie = cookies.iter().find(|it| it.starts_with(&start));
    let (pair, flags) = cookie.expect("the cookie").split_once("; ").unwrap();
    assert_eq!(pair.len(), start.len() + 43, "{pair}");
    flags.to_owned()
}

#[tokio::test]
async fn each_sign_in_has_a_secret_of_its_own() {
    let site = Site::start().await;
    member(&site, ADA, None).await;
    let guest = Guest::of(&site);
    // Somebody put a secret that they know into the browser before.
    let planted = "A".repeat(43);
    guest.set_cookie(SESSION, &planted);
    assert_eq!(guest.sign_in(ADA, PASSWORD).await.status, 303);
    let first = guest.cookie(SESSION).unwrap();
    assert_ne!(first, planted);
    assert_eq!(guest.sign_in(ADA, PASSWORD).await.status, 303);
    let second = guest.cookie(SESSION).unwrap();
    assert_ne!(first, second);
    assert!(guest.is_in().await);
    for over in [planted, first] {
        let other = Guest::of(&site);
        other.set_cookie(SESSION, &over);
        assert!(!other.is_in().await);
    }
}

#[tokio::test]
async fn a_form_of_another_page_signs_nobody_in() {
    let site = Site::start().await;
    member(&site, ADA, None).await;
    let guest = Guest::of(&site);
    let fields = [("email", ADA), ("password", PASSWORD)];
    for origin in [Some("https://evil.example"), Some("null"), None] {
        let got = guest.post_from(origin, "/console/sign-in", &fields).await;
        assert_eq!(got.status, 403, "{origin:?}");
        assert!(got.text.contains("FOREIGN_FORM"), "{}", got.text);
        assert!(got.cookies().is_empty(), "{origin:?}");
    }
}

#[tokio::test]
async fn tables_hold_hashes_and_old_ones_are_made_anew() {
    let site = Site::start().await;
    let ada = member(&site, ADA, None).await;
    let hash = async || {
        let found = sqlx::query_scalar::<_, String>("select password_hash from console_people");
        found.fetch_one(&site.pool).await.unwrap()
    };
    let good = hash().await;
    assert!(
        good.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
        "{good}"
    );
    let weak = Params::new(8 * 1024, 1, 1, None).unwrap();
    let weak = Argon2::new(Algorithm::Argon2id, Version::V0x13, weak);
    let weak = weak.hash_password_with_salt(PASSWORD.as_bytes(), &[7; 16]);
    let changed = sqlx::query("update console_people set password_hash = $1")
        .bind(weak.unwrap().to_string())
        .execute(&site.pool);
    assert_eq!(changed.await.unwrap().rows_affected(), 1);
    assert_eq!(ada.sign_in(ADA, OTHER).await.status, 403);
    assert!(
        hash().await.contains("m=8192"),
        "a wrong one changes nothing"
    );
    assert_eq!(ada.sign_in(ADA, PASSWORD).await.status, 303);
    let better = hash().await;
    assert!(better.starts_with("$argon2id$v=19$m=19456,t=2,p=1$") && better != good);
    assert_eq!(ada.sign_in(ADA, PASSWORD).await.status, 303);
    assert_eq!(hash().await, better);
}
