//! The way to NATS.
//!
//! The client reconnects by itself, for ever; this module tells the log and `/readyz` what it does.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_nats::jetstream::{self, Context};
use async_nats::{Client, ConnectError, ConnectOptions, Event, ServerAddr};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::Deserialize;
use tollkeeper_telemetry::process::{NATS_CONNECTED, NATS_CREDENTIALS_EXPIRY, NATS_RECONNECTS};

use crate::health::ReadinessHandle;
use crate::metrics::tell_expiry;
use crate::settings::BrokerSettings;

/// The first attempts come quickly, so that a restarted broker is found at once.
const RECONNECT_FIRST: Duration = Duration::from_millis(50);
const RECONNECT_MOST: Duration = Duration::from_secs(2);

/// A machine that lost its power closes no connection: three unanswered questions do, and the client
/// goes to another server of the cluster.
const PING: Duration = Duration::from_secs(5);

/// Why there is no client at all. An absent server is not such a reason.
#[derive(Debug, thiserror::Error)]
pub enum NatsError {
    #[error("a NATS server's address is not valid: {0}")]
    Address(#[source] io::Error),

    #[error("the NATS credentials are not valid: {0}")]
    Credentials(#[source] io::Error),

    #[error("cannot connect to NATS: {0}")]
    Connect(#[from] ConnectError),
}

/// A client under `name`. It returns at once, connected or not: what is published meanwhile waits,
/// and `readiness` follows the connection.
///
/// # Errors
/// When the settings cannot make a client.
pub async fn connect(
    settings: &BrokerSettings,
    name: &str,
    readiness: ReadinessHandle,
) -> Result<Client, NatsError> {
    let servers = bare(settings)?;
    readiness.not_ready("NATS is not connected yet");
    let credentials = settings.credentials.as_ref();
    let expiry = credentials.and_then(|credentials| expiry(credentials.expose()));
    tell_expiry(&NATS_CREDENTIALS_EXPIRY, expiry);
    let was_connected = Arc::new(AtomicBool::new(false));
    let options = options(settings, name)?
        .retry_on_initial_connect()
        .max_reconnects(None)
        .reconnect_delay_callback(reconnect_delay)
        .event_callback(move |event| {
            let (readiness, was_connected) = (readiness.clone(), was_connected.clone());
            async move {
                follow(&event, &readiness);
                measure(&event, &was_connected);
            }
        });
    Ok(options.connect(servers).await?)
}

/// A client that is connected now, for a command that does one thing and ends.
///
/// # Errors
/// When the settings cannot make a client or no server answers.
pub async fn connect_once(settings: &BrokerSettings, name: &str) -> Result<Client, NatsError> {
    let servers = bare(settings)?;
    Ok(options(settings, name)?.connect(servers).await?)
}

/// The servers without logins: the client logs the addresses that it is given.
fn bare(settings: &BrokerSettings) -> Result<Vec<ServerAddr>, NatsError> {
    let servers = settings.addresses().map_err(NatsError::Address)?;
    let bare = servers.into_iter().map(|server| {
        let mut url = server.into_inner();
        // Only a URL without a host has no place for one, and then there is nothing to take out.
        let _ = (url.set_username(""), url.set_password(None));
        ServerAddr::from_url(url)
    });
    bare.collect::<io::Result<_>>().map_err(NatsError::Address)
}

/// The client ignores the login in a server's URL, so it is taken from the first one here. Answers come
/// to an inbox of the program's name, which is all that its user at the broker has to be allowed.
fn options(settings: &BrokerSettings, name: &str) -> Result<ConnectOptions, NatsError> {
    let mut options = ConnectOptions::new()
        .name(name)
        .custom_inbox_prefix(format!("_INBOX.{name}"))
        .ping_interval(PING);
    let servers = settings.addresses().map_err(NatsError::Address)?;
    if let Some(server) = servers.iter().find(|server| server.has_user_pass()) {
        let user = server.username().unwrap_or_default().to_owned();
        options = match server.password() {
            Some(password) => options.user_and_password(user, password.to_owned()),
            None => options.token(user),
        };
    }
    if let Some(authorities) = &settings.authorities {
        options = options
            .require_tls(true)
            .add_root_certificates(authorities.clone());
    }
    match &settings.credentials {
        None => Ok(options),
        // The client wants an end of line that a secret, read from a file, has lost.
        Some(credentials) => options
            .credentials(&format!("{}\n", credentials.expose()))
            .map_err(NatsError::Credentials),
    }
}

/// The JetStream context of a client.
#[must_use]
pub fn jetstream(client: &Client) -> Context {
    jetstream::new(client.clone())
}

fn reconnect_delay(attempts: usize) -> Duration {
    let doublings = u32::try_from(attempts.min(6)).unwrap_or(6);
    (RECONNECT_FIRST * 2_u32.pow(doublings)).min(RECONNECT_MOST)
}

fn follow(event: &Event, readiness: &ReadinessHandle) {
    match event {
        Event::Connected => {
            tracing::info!("NATS is connected");
            readiness.ready();
        }
        Event::Disconnected => {
            tracing::warn!("NATS is away");
            readiness.not_ready("NATS is away");
        }
        Event::Closed => readiness.not_ready("the NATS connection is closed"),
        Event::Draining => {}
        // The client reports each failed attempt, and nothing else in this way. The log tells of the change
        // of state alone; whoever asks is told why it lasts.
        Event::ClientError(error) => {
            tracing::debug!(%error, "NATS client");
            readiness.not_ready(format!("NATS is away: {error}"));
        }
        other => tracing::warn!(event = %other, "NATS"),
    }
}

fn measure(event: &Event, was_connected: &AtomicBool) {
    match event {
        Event::Connected => {
            NATS_CONNECTED.handle().set(1.0);
            if was_connected.swap(true, Ordering::Relaxed) {
                NATS_RECONNECTS.handle().increment(1);
            }
        }
        Event::Disconnected | Event::Closed => NATS_CONNECTED.handle().set(0.0),
        _ => {}
    }
}

/// When the user's JWT in the content of a credentials file expires, in seconds since the Unix epoch;
/// none if it does not say.
fn expiry(credentials: &str) -> Option<i64> {
    #[derive(Deserialize)]
    struct Claims {
        exp: i64,
    }
    let mut lines = credentials.lines();
    let jwt = lines
        .by_ref()
        .find(|line| line.contains("BEGIN NATS USER JWT"));
    let jwt = jwt.and_then(|_| lines.next())?;
    let claims = BASE64_URL_SAFE_NO_PAD.decode(jwt.trim().split('.').nth(1)?);
    let claims: Claims = serde_json::from_slice(&claims.ok()?).ok()?;
    // 0 is what the tools of NATS write for never.
    (claims.exp > 0).then_some(claims.exp)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Secret;

    fn credentials(claims: &str) -> String {
        let claims = BASE64_URL_SAFE_NO_PAD.encode(claims);
        format!(
            "-----BEGIN NATS USER JWT-----\neyJ0eXAiOiJKV1QifQ.{claims}.c2lnbmF0dXJl\n\
             ------END NATS USER JWT------\n\n-----BEGIN USER NKEY SEED-----\nSU\n"
        )
    }

    #[test]
    fn credentials_tell_when_they_expire_if_they_do() {
        let expiring = credentials(r#"{"name":"api","exp":1800000000,"nats":{}}"#);
        assert_eq!(expiry(&expiring), Some(1_800_000_000));
        assert_eq!(expiry(&expiring.replace('\n', "\r\n")), Some(1_800_000_000));
        assert_eq!(expiry(&credentials(r#"{"exp":0}"#)), None);
        assert_eq!(expiry(&credentials(r#"{"name":"api"}"#)), None);
        assert_eq!(expiry("no credentials"), None);
    }

    #[test]
    fn credentials_are_taken_with_and_without_an_end_of_line() {
        let whole = credentials("{}").replace(
            "SU\n",
            "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY\n\
             ------END USER NKEY SEED------\n",
        );
        for text in [whole.as_str(), whole.trim_end()] {
            let settings = BrokerSettings {
                servers: Secret::new("nats://one".to_owned()),
                credentials: Some(Secret::new(text.to_owned())),
                authorities: None,
            };
            assert!(options(&settings, "tollkeeper-api").is_ok(), "{text}");
        }
    }

    #[test]
    fn the_client_is_given_addresses_without_their_logins() {
        let settings = BrokerSettings {
            servers: Secret::new("nats://me:secret@one:4222,tls://token@two,three".to_owned()),
            credentials: None,
            authorities: None,
        };
        let servers = bare(&settings).unwrap();
        assert!(servers.iter().all(|server| !server.has_user_pass()));
        let shown = format!("{servers:?}");
        assert!(
            !shown.contains("secret") && !shown.contains("token"),
            "{shown}"
        );
        let hosts: Vec<&str> = servers.iter().map(ServerAddr::host).collect();
        assert_eq!(hosts, ["one", "two", "three"]);
        assert!(servers[1].tls_required());
    }

    #[test]
    fn the_delay_grows_to_its_bound() {
        assert_eq!(reconnect_delay(0), RECONNECT_FIRST);
        assert_eq!(reconnect_delay(1_000), RECONNECT_MOST);
    }
}
