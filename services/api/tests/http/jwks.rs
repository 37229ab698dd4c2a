//! Account holders with a JWT that their identity provider signed with a private key.

use std::fs;
use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chrono::TimeDelta;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tollkeeper_testkit::stack::{Node, Person};
use tollkeeper_testkit::{FaultProxy, Stack, wait_for};

use crate::support::{challenged, now, problem};

const ISSUER: &str = "https://id.example.com";

/// Settings with this source of keys.
fn settings(source: &str) -> [(&str, &str); 3] {
    [
        ("TOLLKEEPER_JWT_ISSUER", ISSUER),
        ("TOLLKEEPER_JWT_AUDIENCE", "tollkeeper"),
        ("TOLLKEEPER_JWT_JWKS", source),
    ]
}

fn key(algorithm: Algorithm) -> EncodingKey {
    match algorithm {
        Algorithm::ES256 => EncodingKey::from_ec_der(include_bytes!("../keys/ec-p256.der")),
        Algorithm::EdDSA => EncodingKey::from_ed_der(include_bytes!("../keys/ed25519.der")),
        _ => EncodingKey::from_rsa_der(include_bytes!("../keys/rsa-2048.der")),
    }
}

/// The public half of the key for this algorithm, under this name.
fn public(algorithm: Algorithm, kid: &str) -> Value {
    let jwk = Jwk::from_encoding_key(&key(algorithm), algorithm).unwrap();
    let mut jwk = serde_json::to_value(jwk).unwrap();
    jwk["kid"] = kid.into();
    jwk["use"] = "sig".into();
    jwk
}

fn set(keys: &[Value]) -> String {
    json!({ "keys": keys }).to_string()
}

fn jwt(algorithm: Algorithm, kid: Option<&str>, key: &EncodingKey) -> String {
    let end = (now() + TimeDelta::minutes(5)).timestamp();
    let claims = json!({ "iss": ISSUER, "aud": "tollkeeper", "sub": "user-1", "exp": end });
    let mut header = Header::new(algorithm);
    header.kid = kid.map(str::to_owned);
    encode(&header, &claims, key).unwrap()
}

fn signed(algorithm: Algorithm, kid: &str) -> String {
    jwt(algorithm, Some(kid), &key(algorithm))
}

async fn status(person: &Person) -> u16 {
    person.get("/v1/tokens").await.status
}

async fn answered(api: &Node, jwt: &str, wanted: u16) {
    let person = api.bearer(jwt);
    wait_for(&format!("the status {wanted}"), async || {
        status(&person).await == wanted
    })
    .await;
}

#[tokio::test]
async fn each_accepted_algorithm_works_and_no_other() {
    let mut stack = Stack::bare().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.json");
    let rsa = public(Algorithm::RS256, "rsa");
    let mut either = rsa.clone();
    either["kid"] = "either".into();
    either.as_object_mut().unwrap().remove("alg");
    let keys = [
        rsa.clone(),
        either,
        public(Algorithm::PS256, "pss"),
        public(Algorithm::ES256, "ec"),
        public(Algorithm::EdDSA, "ed"),
        json!({ "kty": "oct", "kid": "oct", "k": URL_SAFE_NO_PAD.encode([7; 32]) }),
    ];
    fs::write(&file, set(&keys)).unwrap();
    let api = stack.api(&settings(file.to_str().unwrap())).await;

    for (algorithm, kid) in [
        (Algorithm::RS256, "rsa"),
        (Algorithm::RS256, "either"),
        (Algorithm::PS256, "either"),
        (Algorithm::PS256, "pss"),
        (Algorithm::ES256, "ec"),
        (Algorithm::EdDSA, "ed"),
    ] {
        assert_eq!(
            status(&api.bearer(&signed(algorithm, kid))).await,
            200,
            "{kid}"
        );
    }

    // What an attacker can know: everything public.
    let modulus = rsa["n"].as_str().unwrap();
    let pem = {
        let spki = [
            &RSA_SPKI_START[..],
            &URL_SAFE_NO_PAD.decode(modulus).unwrap(),
            &[2, 3, 1, 0, 1],
        ];
        let lines = STANDARD.encode(spki.concat());
        let lines: Vec<&str> = lines
            .as_bytes()
            .chunks(64)
            .map(|it| str::from_utf8(it).unwrap())
            .collect();
        format!(
            "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
            lines.join("\n")
        )
    };
    let hmac = |secret: &[u8], kid| {
        jwt(
            Algorithm::HS256,
            Some(kid),
            &EncodingKey::from_secret(secret),
        )
    };
    let point = public(Algorithm::ES256, "ec");
    let none = {
        let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let valid = signed(Algorithm::RS256, "rsa");
        let claims = valid.split('.').nth(1).unwrap();
        format!("{}.{claims}.", part(json!({ "alg": "none", "kid": "rsa" })))
    };
    for refused in [
        hmac(pem.as_bytes(), "rsa"),
        hmac(pem.trim_end().as_bytes(), "rsa"),
        hmac(&URL_SAFE_NO_PAD.decode(modulus).unwrap(), "rsa"),
        hmac(modulus.as_bytes(), "rsa"),
        hmac(point["x"].as_str().unwrap().as_bytes(), "ec"),
        hmac(&[7; 32], "oct"),
        none,
        // Another algorithm than the key is for.
        signed(Algorithm::PS256, "rsa"),
        signed(Algorithm::RS256, "pss"),
        signed(Algorithm::RS512, "either"),
        signed(Algorithm::EdDSA, "rsa"),
        signed(Algorithm::ES256, "ed"),
        // Another name, or none.
        signed(Algorithm::RS256, "unknown"),
        jwt(Algorithm::RS256, None, &key(Algorithm::RS256)),
        // Another key under the name.
        jwt(
            Algorithm::RS256,
            Some("rsa"),
            &EncodingKey::from_rsa_der(include_bytes!("../keys/rsa-1024.der")),
        ),
    ] {
        let answer = api.bearer(&refused).get("/v1/tokens").await;
        problem(&answer, 401, "INVALID_JWT");
        challenged(&answer, Some("invalid_token"));
    }
    assert!(api.log_text().contains("a key of the set is left out"));
}

/// The DER of a public RSA key with a modulus of 2,048 bits, up to the modulus.
const RSA_SPKI_START: [u8; 33] = [
    0x30, 0x82, 0x01, 0x22, 0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01,
    0x01, 0x05, 0x00, 0x03, 0x82, 0x01, 0x0f, 0x00, 0x30, 0x82, 0x01, 0x0a, 0x02, 0x82, 0x01, 0x01,
    0x00,
];

#[tokio::test]
async fn a_file_that_changes_is_read_again() {
    let mut stack = Stack::bare().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.json");
    fs::write(&file, set(&[public(Algorithm::ES256, "old")])).unwrap();
    let api = stack.api(&settings(file.to_str().unwrap())).await;
    let (old, new) = (
        signed(Algorithm::ES256, "old"),
        signed(Algorithm::EdDSA, "new"),
    );
    assert_eq!(status(&api.bearer(&old)).await, 200);
    assert_eq!(status(&api.bearer(&new)).await, 401);

    let both = set(&[
        public(Algorithm::ES256, "old"),
        public(Algorithm::EdDSA, "new"),
    ]);
    fs::write(&file, both).unwrap();
    answered(&api, &new, 200).await;
    assert_eq!(status(&api.bearer(&old)).await, 200);

    // As careful people replace a file.
    let next = folder.path().join("next.json");
    fs::write(&next, set(&[public(Algorithm::EdDSA, "new")])).unwrap();
    fs::rename(&next, &file).unwrap();
    answered(&api, &old, 401).await;
    assert_eq!(status(&api.bearer(&new)).await, 200);

    // What is no set changes nothing.
    fs::write(&file, "{").unwrap();
    wait_for("the complaint", async || {
        api.log_text()
            .contains("the keys of JWTs cannot be read again")
    })
    .await;
    assert_eq!(status(&api.bearer(&new)).await, 200);
}

#[tokio::test]
async fn a_file_without_a_key_stops_the_start() {
    let mut stack = Stack::bare().await;
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty.json");
    fs::write(&empty, set(&[])).unwrap();
    for (path, why) in [
        (folder.path().join("absent.json"), "cannot be read"),
        (empty, "none of its 0 keys can be used"),
    ] {
        let api = stack.starting_api(&settings(path.to_str().unwrap()));
        wait_for("the end of the start", async || {
            let log = api.log_text();
            log.contains("cannot start: TOLLKEEPER_JWT_JWKS") && log.contains(why)
        })
        .await;
    }
}

#[tokio::test]
async fn an_issuer_that_is_away_is_waited_for_and_followed() {
    let given = Arc::new(Mutex::new(set(&[public(Algorithm::ES256, "old")])));
    let answer = given.clone();
    let app = Router::new().route("/keys", get(async move || answer.lock().clone()));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let proxy = FaultProxy::start(listener.local_addr().unwrap()).await;
    tokio::spawn(async move { axum::serve(listener, app).await });
    let url = format!("http://{}/keys", proxy.address());
    proxy.cut();

    let mut stack = Stack::bare().await;
    let api = stack.api(&settings(&url)).await;
    let (old, new) = (
        signed(Algorithm::ES256, "old"),
        signed(Algorithm::EdDSA, "new"),
    );
    let answer = api.bearer(&old).get("/v1/tokens").await;
    problem(&answer, 503, "UNAVAILABLE");
    api.operator().get("/v1/tokens").await.expect(200);

    proxy.resume();
    answered(&api, &old, 200).await;
    assert_eq!(status(&api.bearer(&new)).await, 401);
    *given.lock() = set(&[public(Algorithm::EdDSA, "new")]);
    answered(&api, &new, 200).await;
    assert_eq!(status(&api.bearer(&old)).await, 401);

    proxy.cut();
    assert_eq!(status(&api.bearer(&new)).await, 200);
}
