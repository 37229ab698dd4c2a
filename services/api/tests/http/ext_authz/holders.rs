//! Account holders, with the JWT by which they call the API itself.

use jsonwebtoken::Algorithm;
use serde_json::{Value, json};
use tollkeeper_testkit::Stack;

use super::{api, bearer};
use crate::jwt;
use crate::support::text;

#[tokio::test]
async fn account_holders_pass_where_the_route_allows_it() {
    let mut stack = Stack::bare().await;
    let (api, grpc) = api(&mut stack, &jwt::SETTINGS).await;
    let holder = api.bearer(&jwt::of("user-1"));
    let issued = holder.post("/v1/tokens", json!({ "name": "mine" })).await;
    let issued = issued.expect(201);
    let claims = json!({ "sub": "user-1", "scope": "orders:*" });
    let granted = jwt::signed(Algorithm::HS256, jwt::SECRET, &claims);
    let demanded = [("jwt", "allow"), ("scope", "orders:read")];
    let told = bearer(grpc, &granted, &demanded).await;
    assert!(told.passes && told.code == 0, "{told:?}");
    // Each takes the place of the client's, also where it is empty.
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned(), 2);
    let expected = [
        header("x-tollkeeper-token-id", ""),
        header("x-tollkeeper-account-id", text(&issued, "account_id")),
        header("x-tollkeeper-scopes", "orders:*"),
    ];
    assert_eq!(told.headers, expected);
    let (plain, stranger) = (jwt::of("user-1"), jwt::of("user-2"));
    for (jwt, context, status, code) in [
        (&plain, &demanded[..], 403, "INSUFFICIENT_SCOPE"),
        (&stranger, &demanded[..1], 401, "NOT_FOUND"),
        (&granted, &demanded[1..], 401, "MALFORMED"),
    ] {
        let told = bearer(grpc, jwt, context).await;
        assert_eq!(told.status, Some(status), "{told:?}");
        let body: Value = serde_json::from_str(&told.body).unwrap();
        assert_eq!(body["code"], code);
    }
}
