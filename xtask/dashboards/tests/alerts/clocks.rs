//! What ends by the clock: certificates and credentials that have three days left.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{Datelike, Days};
use nkeys::KeyPair;
use rcgen::{CertificateParams, date_time_ymd};
use serde_json::{Value, json};
use tollkeeper_ambient::{Clock, SystemClock};
use tollkeeper_dashboards::world::World;

use crate::Seen;

const CERTIFICATE: &str = "TollkeeperCertificateExpiring";
const CREDENTIALS: &str = "TollkeeperCredentialsExpiring";

/// Writes a certificate that lasts so many days, and its key.
fn write_certificate(folder: &Path, days: u64) {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    let end = SystemClock.now().date_naive() + Days::new(days);
    let (month, day) = (end.month() as u8, end.day() as u8);
    params.not_after = date_time_ymd(end.year(), month, day);
    let certificate = params.self_signed(&key).unwrap();
    std::fs::write(folder.join("tls.key"), key.serialize_pem()).unwrap();
    std::fs::write(folder.join("tls.crt"), certificate.pem()).unwrap();
}

/// Writes credentials of a user that last so many days.
fn write_credentials(file: &Path, days: i64) {
    let (account, user) = (KeyPair::new_account(), KeyPair::new_user());
    let now = SystemClock.now().timestamp();
    let claims = json!({
        "jti": "test", "iat": now, "exp": now + days * 86_400,
        "iss": account.public_key(), "sub": user.public_key(), "name": "test",
        "nats": { "type": "user", "version": 2, "pub": {}, "sub": {}, "subs": -1, "data": -1, "payload": -1 },
    });
    let encoded = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
    let header = json!({ "typ": "JWT", "alg": "ed25519-nkey" });
    let signed = format!("{}.{}", encoded(&header), encoded(&claims));
    let signature = URL_SAFE_NO_PAD.encode(account.sign(signed.as_bytes()).unwrap());
    let seed = user.seed().unwrap();
    let text = format!(
        "-----BEGIN NATS USER JWT-----\n{signed}.{signature}\n------END NATS USER JWT------\n\n\
         -----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n\n\
         *************************************************************\n"
    );
    std::fs::write(file, text).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_ends_soon_is_told_until_it_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    write_certificate(folder.path(), 3);
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (certificate, key) = (path("tls.crt"), path("tls.key"));
    let settings = [
        ("TOLLKEEPER_TLS_CERT", certificate.as_str()),
        ("TOLLKEEPER_TLS_KEY", key.as_str()),
    ];
    let world = World::start(&[&settings]).await;
    let mut seen = Seen::default();
    seen.fires(&world, CERTIFICATE).await;
    write_certificate(folder.path(), 90);
    seen.clears(&world, CERTIFICATE).await;
    seen.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_end_soon_are_told_until_they_are_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("user.creds");
    write_credentials(&file, 3);
    let settings = [("TOLLKEEPER_NATS_CREDENTIALS_FILE", file.to_str().unwrap())];
    let mut world = World::start(&[&settings]).await;
    let mut seen = Seen::default();
    seen.fires(&world, CREDENTIALS).await;
    write_credentials(&file, 90);
    assert!(world.apis[0].stop().await.success());
    world.apis[0].restart();
    world.apis[0].ready().await;
    seen.clears(&world, CREDENTIALS).await;
    seen.end();
}
