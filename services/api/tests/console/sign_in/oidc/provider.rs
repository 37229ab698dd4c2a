//! A provider of OpenID Connect on the loopback. It checks what a client sends, PKCE among it, redeems a code
//! once, and signs with a key that it made.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use p256::SecretKey;
use p256::pkcs8::EncodePrivateKey;
use parking_lot::Mutex;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use tollkeeper_ambient::{Clock, Entropy, SystemClock, SystemEntropy};

pub(crate) const CLIENT_ID: &str = "toll keeper:1";
pub(crate) const CLIENT_SECRET: &str = "a client's secret / with + signs";

type Parameters = HashMap<String, String>;

/// A provider, and who is signed in there.
#[derive(Clone)]
pub(crate) struct Provider {
    pub(crate) issuer: String,
    key: EncodingKey,
    other_key: EncodingKey,
    world: Arc<Mutex<World>>,
}

#[derive(Default)]
struct World {
    redirect_uri: String,
    /// What is asked with each code that was not redeemed.
    codes: HashMap<String, Parameters>,
    claims: Value,
    metadata: Value,
    signs_with_another_key: bool,
    is_away: bool,
    refuses_with: Option<String>,
}

impl Provider {
    /// Starts one at which `subject` is signed in, with this address.
    pub(crate) async fn start(subject: &str, email: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let provider = Self {
            issuer,
            key: new_key(),
            other_key: new_key(),
            world: Arc::default(),
        };
        provider.claim(json!({ "sub": subject, "email": email, "email_verified": true }));
        let routes = Router::new()
            .route("/.well-known/openid-configuration", get(describe))
            .route("/authorize", get(authorize))
            .route("/token", post(redeem))
            .route("/keys", get(keys))
            .with_state(provider.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        provider
    }

    /// Sends browsers back to there and to nowhere else.
    pub(crate) fn expect_back_at(&self, redirect_uri: &str) {
        redirect_uri.clone_into(&mut self.world.lock().redirect_uri);
    }

    /// Says this of whoever signs in from now on, on top of what it said before. Null takes a claim away.
    pub(crate) fn claim(&self, claims: Value) {
        merge(&mut self.world.lock().claims, claims);
    }

    /// Says this and nothing else.
    pub(crate) fn claim_only(&self, claims: Value) {
        self.world.lock().claims = claims;
    }

    /// Says this in place of what is so of the token itself, too.
    pub(crate) fn claim_keeping_null(&self, claims: Value) {
        let mut world = self.world.lock();
        for (name, value) in claims.as_object().into_iter().flatten() {
            world.claims[name] = value.clone();
        }
    }

    /// Says this of itself, on top of what is so.
    pub(crate) fn describe_as(&self, metadata: Value) {
        self.world.lock().metadata = metadata;
    }

    /// Signs with a key that is not among its keys.
    pub(crate) fn sign_with_another_key(&self, does: bool) {
        self.world.lock().signs_with_another_key = does;
    }

    /// Answers 503 to everything but browsers.
    pub(crate) fn be_away(&self, is: bool) {
        self.world.lock().is_away = is;
    }

    /// Lets nobody in, with this error.
    pub(crate) fn refuse_with(&self, error: Option<&str>) {
        self.world.lock().refuses_with = error.map(str::to_owned);
    }

    fn id_token(&self, nonce: &str) -> String {
        let now = SystemClock.now().timestamp();
        let world = self.world.lock();
        let mut claims = json!({
            "iss": self.issuer, "aud": CLIENT_ID, "iat": now, "exp": now + 300, "nonce": nonce,
        });
        merge(&mut claims, world.claims.clone());
        let key = match world.signs_with_another_key {
            true => &self.other_key,
            false => &self.key,
        };
        let mut header = Header::new(Algorithm::ES256);
        header.kid = Some("key-1".to_owned());
        encode(&header, &claims, key).unwrap()
    }
}

fn new_key() -> EncodingKey {
    let mut bytes = [0; 32];
    SystemEntropy.fill(&mut bytes);
    let key = SecretKey::from_slice(&bytes).unwrap();
    EncodingKey::from_ec_der(key.to_pkcs8_der().unwrap().as_bytes())
}

fn merge(into: &mut Value, patch: Value) {
    if into.is_null() {
        *into = json!({});
    }
    for (name, value) in patch.as_object().into_iter().flatten() {
        into[name] = value.clone();
    }
    let all = into.as_object_mut().unwrap();
    all.retain(|_, value| !value.is_null());
}

async fn describe(State(provider): State<Provider>) -> Response {
    let issuer = &provider.issuer;
    let mut metadata = json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize?tenant=1"),
        "token_endpoint": format!("{issuer}/token"),
        "jwks_uri": format!("{issuer}/keys"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
        "code_challenge_methods_supported": ["S256"],
    });
    let world = provider.world.lock();
    if world.is_away {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    merge(&mut metadata, world.metadata.clone());
    Json(metadata).into_response()
}

async fn keys(State(provider): State<Provider>) -> Json<Value> {
    let jwk = Jwk::from_encoding_key(&provider.key, Algorithm::ES256).unwrap();
    let mut jwk = serde_json::to_value(jwk).unwrap();
    jwk["kid"] = "key-1".into();
    jwk["use"] = "sig".into();
    Json(json!({ "keys": [jwk] }))
}

/// Whoever comes is signed in already, and agrees.
async fn authorize(State(provider): State<Provider>, Query(asked): Query<Parameters>) -> Response {
    let mut world = provider.world.lock();
    let said = |name: &str| asked.get(name).map_or("", String::as_str);
    let is_good = said("tenant") == "1"
        && said("response_type") == "code"
        && said("client_id") == CLIENT_ID
        && said("redirect_uri") == world.redirect_uri
        && said("scope").split(' ').any(|it| it == "openid")
        && said("code_challenge_method") == "S256"
        && said("code_challenge").len() == 43
        && ["state", "nonce"].iter().all(|name| said(name).len() >= 22);
    if !is_good {
        return (StatusCode::BAD_REQUEST, format!("{asked:?}")).into_response();
    }
    let mut back = form_urlencoded::Serializer::new(String::new());
    back.append_pair("state", said("state"));
    if let Some(error) = &world.refuses_with {
        back.append_pair("error", error);
        back.append_pair("error_description", "<script>alert(1)</script>");
    } else {
        let code = format!("code-{}", SystemEntropy.uuid_v7(SystemClock.now()));
        back.append_pair("code", &code);
        back.append_pair("iss", &provider.issuer);
        world.codes.insert(code, asked);
    }
    Redirect::to(&format!("{}?{}", world.redirect_uri, back.finish())).into_response()
}

async fn redeem(State(provider): State<Provider>, headers: HeaderMap, body: String) -> Response {
    let sent: Parameters = form_urlencoded::parse(body.as_bytes())
        .into_owned()
        .collect();
    let said = |name: &str| sent.get(name).map_or("", String::as_str);
    let refused = |error: &str| {
        let body = Json(json!({ "error": error, "error_description": "no" }));
        (StatusCode::BAD_REQUEST, body).into_response()
    };
    let in_body =
        provider.world.lock().metadata["token_endpoint_auth_methods_supported"].is_array();
    let is_known = match in_body {
        true => said("client_id") == CLIENT_ID && said("client_secret") == CLIENT_SECRET,
        false => is_client(&headers),
    };
    if !is_known {
        return refused("invalid_client");
    }
    let Some(asked) = provider.world.lock().codes.remove(said("code")) else {
        return refused("invalid_grant");
    };
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(said("code_verifier")));
    let is_good = said("grant_type") == "authorization_code"
        && said("redirect_uri") == asked["redirect_uri"]
        && challenge == asked["code_challenge"];
    if !is_good {
        return refused("invalid_grant");
    }
    Json(json!({
        "access_token": "of no use",
        "token_type": "Bearer",
        "id_token": provider.id_token(&asked["nonce"]),
    }))
    .into_response()
}

/// RFC 6749, section 2.3.1.
fn is_client(headers: &HeaderMap) -> bool {
    let sent = headers.get(header::AUTHORIZATION);
    let sent = sent.and_then(|value| value.to_str().ok()?.strip_prefix("Basic "));
    let Some(Ok(sent)) = sent.map(|sent| STANDARD.decode(sent)) else {
        return false;
    };
    let sent = String::from_utf8(sent).unwrap();
    let Some((id, secret)) = sent.split_once(':') else {
        return false;
    };
    let plain = |text: &str| {
        let pairs = form_urlencoded::parse(text.as_bytes());
        let names: Vec<String> = pairs.map(|(name, _)| name.into_owned()).collect();
        names.concat()
    };
    plain(id) == CLIENT_ID && plain(secret) == CLIENT_SECRET
}
