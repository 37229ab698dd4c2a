//! Signing in with OpenID Connect: the authorization code flow with PKCE (OpenID Connect Core 1.0, section
//! 3.1; RFC 7636; RFC 9700).
//!
//! What the provider is shown of a sign-in (`state`, `nonce`, the verifier of the code) is derived from one
//! secret in the browser's cookie. So an answer that another browser began, or another sign-in, fits none of
//! them; and a row in Postgres, taken away by the first answer, has each end once.

mod claims;
mod flow;
mod identity;
mod provider;

use askama::Template;
use axum::extract::State;
use axum::http::header::{RETRY_AFTER, SET_COOKIE};
use axum::http::{HeaderValue, StatusCode};
use claims::Claims;
use flow::Flow;
pub(in crate::console) use flow::over;
pub use provider::Provider;
use provider::ProviderError;
use serde::Deserialize;

use super::attempt::{self, Why};
use super::throttle::{self, Payer, TooMany};
use super::way;
use crate::console::Console;
use crate::console::frame::Frame;
use crate::console::session::{Visit, begin as begin_session, device};
use crate::console::stop::{Shown, Stop, go_to, page_with};
use crate::console::words;
use crate::http::problem::Problem;
use crate::http::query::Parameters;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Begin {
    /// Where the way leads then.
    #[serde(default)]
    next: String,
}

/// `GET /console/sign-in/oidc`: leads to the provider. A link and not a form, which our pages may send
/// nowhere else.
pub(super) async fn begin(
    State(console): State<Console>,
    visit: Visit,
    Parameters(query): Parameters<Begin>,
) -> Shown {
    let provider = provider(&console)?;
    let (pool, now) = (&console.app.pool, console.app.now());
    let payer = payer(&console, &visit).await?;
    if let Err(too_many) = throttle::charge(pool, &[payer], now).await? {
        attempt::refused(&console, &visit, None, Why::TooMany);
        return later(too_many);
    }
    let metadata = provider.metadata(&console.app.clock).await;
    let metadata = match metadata {
        Ok(metadata) => metadata,
        Err(error) => return out_of_order(provider, &error),
    };
    let flow = Flow::begin(&console, way::own(&query.next)).await?;
    let mut response = go_to(&provider.authorization(&metadata, &flow));
    let headers = response.headers_mut();
    headers.append(SET_COOKIE, flow.cookie(&visit.headers));
    Ok(response)
}

/// Whom a way to the provider is charged to: the browser, where somebody was here before, so that strangers of
/// the same network do not keep them from it; else the network.
async fn payer(console: &Console, visit: &Visit) -> Result<Payer, sqlx::Error> {
    if let Some(browser) = device::read(&visit.headers)
        && device::is_known(console, &browser).await?
    {
        return Ok(Payer::way_of_device(&browser));
    }
    Ok(Payer::way_from(visit.address))
}

/// What the provider sends the browser back with (RFC 6749, section 4.1.2; RFC 9207).
#[derive(Debug, Deserialize)]
pub(super) struct Back {
    #[serde(default)]
    code: String,
    #[serde(default)]
    state: String,
    error: Option<String>,
    iss: Option<String>,
}

/// `GET /console/sign-in/oidc/callback`: the provider has sent somebody back.
pub(super) async fn end(
    State(console): State<Console>,
    visit: Visit,
    Parameters(back): Parameters<Back>,
) -> Shown {
    let provider = provider(&console)?;
    let flow = Flow::end(&console, &visit.headers, &back.state).await?;
    let mut response = match flow {
        Some(flow) => answered(&console, provider, &visit, &flow, back).await?,
        None => {
            let text = "It was begun in another browser or tab, is over, or took too long.";
            stopped(StatusCode::BAD_REQUEST, text.to_owned())?
        }
    };
    let forgotten = flow::forget(&visit.headers);
    response.headers_mut().append(SET_COOKIE, forgotten);
    Ok(response)
}

async fn answered(
    console: &Console,
    provider: &Provider,
    visit: &Visit,
    flow: &Flow,
    back: Back,
) -> Shown {
    // What another provider says must not be taken for what this one does.
    if back.iss.is_some_and(|iss| iss != provider.issuer()) {
        let text = "The answer comes from another provider than the one that was asked.";
        return stopped(StatusCode::BAD_REQUEST, text.to_owned());
    }
    if let Some(error) = back.error {
        return stopped(StatusCode::FORBIDDEN, said(provider, &error));
    }
    let claims = provider.redeem(&console.app.clock, &back.code, flow).await;
    let claims = match claims {
        Ok(claims) => claims,
        Err(error) => return out_of_order(provider, &error),
    };
    let payer = payer(console, visit).await?;
    let mut transaction = console.app.pool.begin().await?;
    let found = identity::person(console, &mut transaction, visit, provider, &claims).await?;
    let Some(person) = found else {
        transaction.rollback().await?;
        attempt::refused(console, visit, None, Why::UnknownIdentity);
        return stopped(StatusCode::FORBIDDEN, unknown(provider, &claims));
    };
    let cookies = begin_session(console, &mut transaction, visit, &person, "oidc").await?;
    // However many sign in from one network, they do not keep others from it.
    throttle::give_back(&mut *transaction, &payer).await?;
    transaction.commit().await?;
    Ok(cookies.along(go_to(&flow.next)))
}

fn provider(console: &Console) -> Result<&Provider, Stop> {
    let provider = console.app.policy.oidc.as_deref();
    provider.ok_or_else(|| Problem::not_found("path").into())
}

/// The errors of RFC 6749, section 4.1.2.1. Other texts are not repeated: whoever leads somebody here chooses
/// them.
fn said(provider: &Provider, error: &str) -> String {
    let name = provider.name();
    match error {
        "access_denied" => format!("{name} says that you, or it, did not agree to it."),
        "temporarily_unavailable" | "server_error" => {
            format!("{name} cannot do it now. Try again in a while.")
        }
        _ => format!("{name} refused it. If that goes on, ask whoever runs this installation."),
    }
}

fn unknown(provider: &Provider, claims: &Claims) -> String {
    let name = provider.name();
    match (&claims.email, claims.verified_email()) {
        (_, Some(email)) => format!(
            "You are signed in with {name} as {email}, and nobody here has this address. Ask an operator to \
            add you."
        ),
        (Some(email), None) => format!(
            "You are signed in with {name} as {email}, but {name} does not vouch for this address. Have it \
            confirmed there, or ask an operator for a password."
        ),
        (None, None) => format!(
            "{name} does not tell your address, so nobody here is known by it. Ask whoever runs this \
            installation."
        ),
    }
}

/// The provider is away or does not do as it should, which is told in the log.
fn out_of_order(provider: &Provider, error: &ProviderError) -> Shown {
    tracing::warn!(%error, "a sign-in with OpenID Connect failed");
    let name = provider.name();
    let text = format!("{name} could not be asked, or did not answer as it should. Try again.");
    stopped(StatusCode::BAD_GATEWAY, text)
}

fn later(too_many: TooMany) -> Shown {
    let wait = words::span(too_many.wait);
    let text = format!("There were too many attempts. Try again in {wait}.");
    let mut response = stopped(StatusCode::TOO_MANY_REQUESTS, text)?;
    let seconds = HeaderValue::from(too_many.wait.num_seconds());
    response.headers_mut().insert(RETRY_AFTER, seconds);
    Ok(response)
}

#[derive(Template)]
#[template(path = "console/sign_in/stopped.html")]
struct Stopped {
    frame: Frame,
    text: String,
}

fn stopped(status: StatusCode, text: String) -> Shown {
    let frame = Frame::outside("You are not signed in");
    page_with(status, &Stopped { frame, text })
}
