//! `console_flows`: a sign-in that is under way at the provider, and the cookie that it is bound to.

use axum::http::{HeaderMap, HeaderValue};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use sha2::{Digest, Sha256};
use sqlx::PgExecutor;
use subtle::ConstantTimeEq;

use crate::console::Console;
use crate::console::session::{Secret, cookie};

/// As long as somebody may take at the provider.
const LIFETIME: TimeDelta = TimeDelta::minutes(10);

/// A sign-in that is under way.
#[derive(Debug)]
pub(super) struct Flow {
    secret: Secret,
    /// Where the way leads then.
    pub(super) next: String,
}

impl Flow {
    /// Begins one.
    pub(super) async fn begin(console: &Console, next: &str) -> Result<Self, sqlx::Error> {
        let secret = Secret::new(console);
        sqlx::query!(
            "insert into console_flows (secret_hash, next, expires_at) values ($1, $2, $3)",
            &secret.hash()[..],
            next,
            console.app.now() + LIFETIME,
        )
        .execute(&console.app.pool)
        .await?;
        let next = next.to_owned();
        Ok(Self { secret, next })
    }

    /// Ends the one that the browser has, if `state` is its own. It is over then, whatever comes of it.
    pub(super) async fn end(
        console: &Console,
        headers: &HeaderMap,
        state: &str,
    ) -> Result<Option<Self>, sqlx::Error> {
        let Some(secret) = cookie::FLOW.read(headers) else {
            return Ok(None);
        };
        let next = sqlx::query_scalar!(
            "delete from console_flows where secret_hash = $1 and expires_at > $2 returning next",
            &secret.hash()[..],
            console.app.now(),
        )
        .fetch_optional(&console.app.pool)
        .await?;
        let flow = next.map(|next| Self { secret, next });
        Ok(flow.filter(|flow| flow.state().as_bytes().ct_eq(state.as_bytes()).into()))
    }

    /// What has the browser keep it.
    pub(super) fn cookie(&self, headers: &HeaderMap) -> HeaderValue {
        cookie::FLOW.keep(headers, &self.secret, LIFETIME)
    }

    /// By which an answer is known to be the one to this question.
    pub(super) fn state(&self) -> String {
        self.secret.derived(b"state")
    }

    /// By which an ID token is known to be for this sign-in.
    pub(super) fn nonce(&self) -> String {
        self.secret.derived(b"nonce")
    }

    /// By which the provider knows that who redeems a code is who asked for it.
    pub(super) fn verifier(&self) -> String {
        self.secret.derived(b"verifier")
    }

    /// What the provider is shown of the verifier before: S256 of RFC 7636, section 4.2.
    pub(super) fn challenge(&self) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(self.verifier()))
    }
}

/// What has the browser forget it.
pub(super) fn forget(headers: &HeaderMap) -> HeaderValue {
    cookie::FLOW.forget(headers)
}

/// Forgets at most `most` that took too long, and tells how many.
///
/// # Errors
/// If the database does not answer.
pub(in crate::console) async fn over(
    db: impl PgExecutor<'_>,
    now: DateTime<Utc>,
    most: i64,
) -> Result<u64, sqlx::Error> {
    let done = sqlx::query!(
        "delete from console_flows where secret_hash in (
            select secret_hash from console_flows where expires_at <= $1 limit $2
        )",
        now,
        most,
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}
