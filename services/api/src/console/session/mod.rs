//! Who is signed in: a secret in the browser's cookie, its hash in Postgres, read for every page, so that
//! whoever is signed out is out at once. And which browsers were here before.

mod begin;
mod browser;
pub(super) mod cookie;
pub(super) mod device;
pub(super) mod store;
mod visit;

use std::fmt;

use axum::extract::FromRequestParts;
use axum::http::Method;
use axum::http::header::{HOST, REFERER};
use axum::http::request::Parts;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use tollkeeper_domain::ids::AccountId;
use uuid::Uuid;

pub(super) use begin::{Newcomer, begin};
pub(super) use visit::Visit;

use super::api::Api;
use super::asker::Asker;
use super::sign_in::way;
use super::stop::Stop;
use super::{Console, PREFIX};
use crate::http::problem::Problem;

/// A session ends when it was not used for so long.
pub(super) const IDLE: TimeDelta = TimeDelta::hours(12);

/// A session ends so long after it began, however much it was used.
pub(super) const LONGEST: TimeDelta = TimeDelta::days(7);

const SECRET_BYTES: usize = 32;

/// What somebody may see and do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// What belongs to this account.
    User(AccountId),
    /// Everything.
    Operator,
}

/// Somebody who is signed in. An extension of the requests that the console makes in their name; no request
/// from outside has it.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    /// Who.
    pub(crate) id: Uuid,
    /// By which they sign in.
    pub(crate) email: String,
    /// What they may see and do.
    pub(crate) role: Role,
}

/// What the cookie holds. It is shown to nobody else.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Secret([u8; SECRET_BYTES]);

impl Secret {
    /// A new one.
    pub(super) fn new(console: &Console) -> Self {
        let mut bytes = [0; SECRET_BYTES];
        console.app.entropy.fill(&mut bytes);
        Self(bytes)
    }

    /// Reads it from a cookie.
    pub(super) fn read(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        Some(Self(bytes.try_into().ok()?))
    }

    /// As a cookie holds it.
    pub(super) fn expose(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// A text that nobody makes without it, and from which it cannot be told.
    pub(super) fn derived(&self, purpose: &[u8]) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("any length is a key");
        mac.update(purpose);
        URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
    }

    /// As the table holds it.
    pub(super) fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.0).into()
    }

    /// What forms of this session carry: no other page can read it, and nobody makes it without the secret.
    pub(super) fn form_token(&self) -> String {
        self.derived(b"form")
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Who is signed in by this secret, if the session goes on.
///
/// # Errors
/// If the database does not answer.
pub(super) async fn person(
    console: &Console,
    secret: &Secret,
) -> Result<Option<Person>, sqlx::Error> {
    let found = store::find(&console.app.pool, secret, console.app.now()).await?;
    Ok(found.map(|found| found.person))
}

/// Whoever asks for a page. Without a session the way leads to the sign-in.
#[derive(Debug)]
pub(super) struct SignedIn {
    /// Who that is.
    pub(super) person: Person,
    /// The session.
    pub(super) session: Uuid,
    /// What every form carries, as `form_token`.
    pub(super) form_token: String,
    /// The management API, in their name.
    pub(super) api: Api,
}

impl FromRequestParts<Console> for SignedIn {
    type Rejection = Stop;

    async fn from_request_parts(parts: &mut Parts, console: &Console) -> Result<Self, Stop> {
        let found = match cookie::read(&parts.headers) {
            Some(secret) => {
                let found = store::find(&console.app.pool, &secret, console.app.now()).await?;
                found.map(|found| (secret, found))
            }
            None => None,
        };
        let Some((secret, found)) = found else {
            return Err(Stop::SignIn {
                next: back(parts).to_owned(),
                was_form: parts.method == Method::POST,
            });
        };
        let form_token = secret.form_token();
        Asker::is(parts, &found.person, &form_token);
        Ok(Self {
            api: Api::new(console.api.clone(), found.person.clone(), parts),
            person: found.person,
            session: found.id,
            form_token,
        })
    }
}

/// Where whoever signs in goes on: the page that they asked for, or the one that holds the form they sent.
fn back(parts: &Parts) -> &str {
    if parts.method == Method::GET {
        return parts.uri.path_and_query().map_or(PREFIX, |it| it.as_str());
    }
    let text = |name| parts.headers.get(name).and_then(|it| it.to_str().ok());
    let within = text(HOST).zip(text(REFERER)).and_then(|(host, page)| {
        let (_, page) = page.split_once("://")?;
        page.strip_prefix(host)
    });
    way::own(within.unwrap_or(PREFIX))
}

/// An operator. Others are told that the page is not theirs.
#[derive(Debug)]
pub(super) struct OperatorIn(pub(super) SignedIn);

impl FromRequestParts<Console> for OperatorIn {
    type Rejection = Stop;

    async fn from_request_parts(parts: &mut Parts, console: &Console) -> Result<Self, Stop> {
        let signed_in = SignedIn::from_request_parts(parts, console).await?;
        signed_in.must_be_operator()?;
        Ok(Self(signed_in))
    }
}

impl SignedIn {
    /// # Errors
    /// 403 for whoever is not an operator.
    pub(super) fn must_be_operator(&self) -> Result<(), Problem> {
        match self.person.role {
            Role::Operator => Ok(()),
            Role::User(_) => Err(Problem::forbidden("NOT_OPERATOR", "this is for operators")),
        }
    }
}
