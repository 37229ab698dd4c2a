//! Holders of accounts pass by JWT where the proxy asks for it. They have no token, and the empty header is
//! no room for a forged one.

use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::json;
use tollkeeper_ambient::{Clock, SystemClock};

use crate::Surroundings;
use crate::proxy::Proxy;
use crate::visitor::{Visitor, header, status};

const ISSUER: &str = "https://id.example.com";
const SECRET: &str = "a shared secret of more than 32 bytes";

/// By which the API takes these JWTs.
pub(crate) const SETTINGS: [(&str, &str); 3] = [
    ("TOLLKEEPER_JWT_ISSUER", ISSUER),
    ("TOLLKEEPER_JWT_AUDIENCE", "tollkeeper"),
    ("TOLLKEEPER_JWT_HS256_SECRET", SECRET),
];

fn signed(subject: &str, scope: &str) -> String {
    let end = SystemClock.now().timestamp() + 300;
    let claims = json!({
        "iss": ISSUER, "aud": "tollkeeper", "sub": subject, "exp": end, "scope": scope,
    });
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    encode(&Header::default(), &claims, &key).unwrap()
}

/// Says how many requests have passed.
pub(crate) async fn run(around: &Surroundings, proxy: &Proxy) -> i64 {
    let jwt = signed("user-1", "site:read");
    let holder = around.api.bearer(&jwt);
    let issued = holder.post("/v1/tokens", json!({ "name": "mine" })).await;
    let account = issued.expect(201)["account_id"].clone();
    let visitor = Visitor::new("holder", Some(&jwt), None);
    let tricks: [&[&str]; 2] = [&[], &["X-Tollkeeper-Token-Id: forged"]];
    for lines in tricks {
        let answer = visitor.send_raw(proxy.address, "/api/", lines).await;
        assert_eq!(status(&answer), 200, "{answer}");
        let seen = around.application.last();
        assert_eq!(seen.header("x-tollkeeper-token-id"), None, "{seen:?}");
        let told = seen.header("x-tollkeeper-account-id");
        assert_eq!(told, account.as_str(), "{seen:?}");
        let scopes = seen.header("x-tollkeeper-scopes");
        assert_eq!(scopes, Some("site:read"), "{seen:?}");
    }
    let before = around.application.seen().len();
    let jwt = signed("user-2", "site:read");
    let stranger = Visitor::new("stranger", Some(&jwt), None);
    let answer = stranger.send_raw(proxy.address, "/api/", &[]).await;
    assert_eq!(status(&answer), 401, "{answer}");
    assert_eq!(header(&answer, "x-tollkeeper-code"), Some("NOT_FOUND"));
    assert_eq!(around.application.seen().len(), before, "somebody passed");
    2
}
