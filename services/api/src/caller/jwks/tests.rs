use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::http::{StatusCode as AxumStatus, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures::future::join_all;
use jsonwebtoken::EncodingKey;
use jsonwebtoken::jwk::Jwk;
use parking_lot::Mutex;
use proptest::prelude::*;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tollkeeper_testkit::{FixedClock, wait_for};

use super::set::BadKey;
use super::*;

fn rsa() -> EncodingKey {
    EncodingKey::from_rsa_der(include_bytes!("../../../tests/keys/rsa-2048.der"))
}

fn ec() -> EncodingKey {
    EncodingKey::from_ec_der(include_bytes!("../../../tests/keys/ec-p256.der"))
}

fn ed() -> EncodingKey {
    EncodingKey::from_ed_der(include_bytes!("../../../tests/keys/ed25519.der"))
}

/// The public half under this name, with these members changed or, where null, left out.
fn public(key: &EncodingKey, algorithm: Algorithm, kid: &str, patch: Value) -> Value {
    let mut jwk = serde_json::to_value(Jwk::from_encoding_key(key, algorithm).unwrap()).unwrap();
    jwk["kid"] = kid.into();
    for (name, value) in patch.as_object().unwrap() {
        jwk[name] = value.clone();
    }
    jwk.as_object_mut()
        .unwrap()
        .retain(|_, value| !value.is_null());
    jwk
}

fn read(keys: &[Value]) -> Result<KeySet, BadSet> {
    KeySet::read(json!({ "keys": keys }).to_string().as_bytes())
}

#[test]
fn a_key_is_for_its_own_algorithms_alone() {
    let none = json!({ "alg": null });
    let set = read(&[
        public(&rsa(), Algorithm::RS256, "rsa", none.clone()),
        public(&rsa(), Algorithm::PS256, "pss", json!({ "use": "sig" })),
        public(
            &ec(),
            Algorithm::ES256,
            "ec",
            json!({ "key_ops": ["verify"] }),
        ),
        public(&ed(), Algorithm::EdDSA, "ed", none),
    ])
    .unwrap();
    assert!(set.left_out.is_empty());
    let all = [
        Algorithm::RS256,
        Algorithm::PS256,
        Algorithm::ES256,
        Algorithm::EdDSA,
        Algorithm::HS256,
        Algorithm::RS512,
    ];
    for (kid, good) in [
        ("rsa", &[Algorithm::RS256, Algorithm::PS256][..]),
        ("pss", &[Algorithm::PS256]),
        ("ec", &[Algorithm::ES256]),
        ("ed", &[Algorithm::EdDSA]),
        ("other", &[]),
    ] {
        for algorithm in all {
            let found = set.find(kid, algorithm).is_some();
            assert_eq!(found, good.contains(&algorithm), "{kid} {algorithm:?}");
        }
    }
}

#[test]
fn a_bad_key_is_left_out_and_the_others_stay() {
    let small = EncodingKey::from_rsa_der(include_bytes!("../../../tests/keys/rsa-1024.der"));
    let rs256 = |patch| public(&rsa(), Algorithm::RS256, "bad", patch);
    let es256 = |patch| public(&ec(), Algorithm::ES256, "bad", patch);
    let zero = "A".repeat(43);
    for (bad, why) in [
        (
            json!({ "kty": "oct", "k": "c2VjcmV0", "kid": "bad" }),
            BadKey::Symmetric,
        ),
        (rs256(json!({ "use": "enc" })), BadKey::Use),
        (rs256(json!({ "key_ops": ["encrypt"] })), BadKey::Use),
        (rs256(json!({ "alg": "RS512" })), BadKey::Algorithm),
        (rs256(json!({ "alg": "HS256" })), BadKey::Algorithm),
        (rs256(json!({ "alg": "ES256" })), BadKey::Algorithm),
        (rs256(json!({ "alg": "none" })), BadKey::Algorithm),
        (rs256(json!({ "d": "AQAB" })), BadKey::Private),
        (rs256(json!({ "kid": null })), BadKey::Kid),
        (rs256(json!({ "kid": "" })), BadKey::Kid),
        (rs256(json!({ "kid": "x".repeat(256) })), BadKey::Kid),
        (rs256(json!({ "kid": 7 })), BadKey::Form),
        (rs256(json!({ "n": "!" })), BadKey::Form),
        (rs256(json!({ "n": "" })), BadKey::Rsa),
        (rs256(json!({ "n": "_".repeat(1400) })), BadKey::Rsa),
        (rs256(json!({ "e": "AQ" })), BadKey::Rsa),
        (rs256(json!({ "e": "Ag" })), BadKey::Rsa),
        (
            public(&small, Algorithm::RS256, "bad", json!({})),
            BadKey::Rsa,
        ),
        (es256(json!({ "x": zero, "y": zero })), BadKey::Point),
        (es256(json!({ "x": "AA" })), BadKey::Point),
        (es256(json!({ "crv": "P-384" })), BadKey::Algorithm),
        (
            public(&ed(), Algorithm::EdDSA, "bad", json!({ "x": "AA" })),
            BadKey::Point,
        ),
        (json!({ "kty": "new", "kid": "bad" }), BadKey::Type),
        (json!(7), BadKey::Form),
    ] {
        let good = public(&ed(), Algorithm::EdDSA, "good", json!({}));
        let set = read(&[bad.clone(), good]).unwrap();
        assert_eq!(set.left_out, [(1, why)], "{bad}");
        assert!(set.names("good") && !set.names("bad"), "{bad}");
        assert_eq!(read(&[bad]).err(), Some(BadSet::NoUsableKey(1)));
    }
}

#[test]
fn a_name_that_is_there_twice_names_nothing() {
    let first = public(&rsa(), Algorithm::RS256, "same", json!({}));
    let second = public(&ec(), Algorithm::ES256, "same", json!({}));
    let bad = json!({ "kty": "oct", "k": "c2VjcmV0", "kid": "same" });
    assert_eq!(
        read(&[first.clone(), second]).err(),
        Some(BadSet::NoUsableKey(2))
    );
    assert_eq!(read(&[first, bad]).err(), Some(BadSet::NoUsableKey(2)));
}

#[test]
fn what_is_no_set_is_refused() {
    for text in ["", "[]", "{}", r#"{"keys": {}}"#, "not json"] {
        assert_eq!(
            KeySet::read(text.as_bytes()).err(),
            Some(BadSet::Form),
            "{text}"
        );
    }
    assert_eq!(read(&[]).err(), Some(BadSet::NoUsableKey(0)));
}

proptest! {
    #[test]
    fn any_members_make_a_key_or_none(
        members in proptest::collection::btree_map(
            "kty|crv|n|e|x|y|k|d|use|alg|kid|key_ops",
            "RSA|EC|OKP|oct|P-256|Ed25519|RS256|ES256|sig|[A-Za-z0-9_-]{0,400}",
            0..12,
        ),
    ) {
        let _read = read(&[json!(members)]);
    }
}

/// An issuer whose answer the test decides.
struct Issuer {
    url: String,
    asked: Arc<AtomicUsize>,
    answer: Arc<Mutex<(AxumStatus, String)>>,
}

impl Issuer {
    async fn start() -> Self {
        let asked = Arc::new(AtomicUsize::new(0));
        let answer = Arc::new(Mutex::new((AxumStatus::NOT_FOUND, String::new())));
        let (count, given) = (asked.clone(), answer.clone());
        let keys = move || {
            count.fetch_add(1, Ordering::SeqCst);
            let (status, body) = given.lock().clone();
            async move { (status, body).into_response() }
        };
        let moved = async || -> Response {
            (AxumStatus::FOUND, [(header::LOCATION, "/keys")]).into_response()
        };
        let app = Router::new()
            .route("/keys", get(keys))
            .route("/moved", get(moved));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}/keys", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url, asked, answer }
    }

    fn answers(&self, keys: &[Value]) {
        *self.answer.lock() = (AxumStatus::OK, json!({ "keys": keys }).to_string());
    }

    fn fails(&self) {
        *self.answer.lock() = (AxumStatus::BAD_GATEWAY, String::new());
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

struct Kept {
    keys: Arc<Keys>,
    clock: Arc<FixedClock>,
    _stop: tokio_util::sync::DropGuard,
}

impl Kept {
    async fn of(url: &str) -> Self {
        tollkeeper_runtime::tls::choose_cryptography();
        let clock = Arc::new(FixedClock::default());
        let keys = Keys::new(JwksSource::Url(url.to_owned()), clock.clone()).unwrap();
        let keys = Arc::new(keys);
        let stop = CancellationToken::new();
        tokio::spawn(keys.clone().run(stop.clone()));
        wait_for("the first fetch", async || keys.known.borrow().ended == 1).await;
        let _stop = stop.drop_guard();
        Self { keys, clock, _stop }
    }

    async fn find(&self, kid: &str) -> Option<NoKey> {
        self.keys.find(kid, Algorithm::EdDSA).await.err()
    }
}

#[tokio::test]
async fn invented_names_cannot_have_the_issuer_hammered() {
    let issuer = Issuer::start().await;
    issuer.answers(&[public(&ed(), Algorithm::EdDSA, "a", json!({}))]);
    let kept = Kept::of(&issuer.url).await;
    assert_eq!(kept.find("a").await, None);
    for _ in 0..2 {
        let names: Vec<String> = (0..50).map(|number| format!("x{number}")).collect();
        let found = join_all(names.iter().map(|name| kept.find(name))).await;
        assert!(found.iter().all(|found| *found == Some(NoKey::Unknown)));
    }
    assert_eq!(issuer.asked(), 1, "it was asked a moment ago");

    kept.clock.advance(PAUSE);
    let found = join_all((0..50).map(|_| kept.find("x"))).await;
    assert!(found.iter().all(|found| *found == Some(NoKey::Unknown)));
    assert_eq!(issuer.asked(), 2, "one fetch for all");
}

#[tokio::test]
async fn a_new_key_is_found_and_an_old_one_is_not() {
    let issuer = Issuer::start().await;
    issuer.answers(&[public(&ed(), Algorithm::EdDSA, "old", json!({}))]);
    let kept = Kept::of(&issuer.url).await;
    assert_eq!(kept.find("new").await, Some(NoKey::Unknown));
    issuer.answers(&[public(&ed(), Algorithm::EdDSA, "new", json!({}))]);
    kept.clock.advance(PAUSE);
    assert_eq!(kept.find("new").await, None);
    assert_eq!(kept.find("old").await, Some(NoKey::Unknown));
}

#[tokio::test]
async fn the_last_good_set_goes_on_for_its_time() {
    let issuer = Issuer::start().await;
    issuer.answers(&[public(&ed(), Algorithm::EdDSA, "a", json!({}))]);
    let kept = Kept::of(&issuer.url).await;
    issuer.fails();
    kept.clock.advance(GOOD_FOR - Duration::from_secs(1));
    assert_eq!(kept.find("b").await, Some(NoKey::Unknown));
    assert_eq!(kept.find("a").await, None);
    kept.clock.advance(Duration::from_secs(1));
    assert_eq!(kept.find("a").await, Some(NoKey::Unavailable));
    issuer.answers(&[public(&ed(), Algorithm::EdDSA, "a", json!({}))]);
    kept.clock.advance(PAUSE);
    assert_eq!(kept.find("a").await, None);
}

#[tokio::test]
async fn an_issuer_that_gives_no_good_set_gives_nothing() {
    let issuer = Issuer::start().await;
    let kept = Kept::of(&issuer.url).await;
    assert_eq!(kept.find("a").await, Some(NoKey::Unavailable));
    let good = public(&ed(), Algorithm::EdDSA, "a", json!({}));
    let padding = "x".repeat(256 * 1024);
    for answer in [
        "not json".to_owned(),
        json!({ "keys": [] }).to_string(),
        json!({ "keys": [good], "padding": padding }).to_string(),
    ] {
        *issuer.answer.lock() = (AxumStatus::OK, answer);
        kept.clock.advance(PAUSE);
        assert_eq!(kept.find("a").await, Some(NoKey::Unavailable));
    }
    issuer.answers(std::slice::from_ref(&good));
    let moved = Kept::of(&issuer.url.replace("/keys", "/moved")).await;
    assert_eq!(
        moved.find("a").await,
        Some(NoKey::Unavailable),
        "a redirect is not followed"
    );
}
