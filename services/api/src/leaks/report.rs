//! `POST /v1/leaks`

use std::collections::HashMap;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, HeaderName};
use futures::{StreamExt, stream};
use serde::Serialize;
use tollkeeper_domain::ids::TokenId;
use tollkeeper_domain::secret::SecretHash;
use tollkeeper_domain::token::{Command, RevocationReason};
use tollkeeper_read_model::{Reach, tokens};
use tollkeeper_runtime::settings::LeakPolicy;
use tollkeeper_usage::Scrubber;
use utoipa::ToSchema;

use super::MAX_REPORT_BYTES;
use super::keys::Keys;
use super::payload::{self, Found};
use crate::app::App;
use crate::commands::{Cause, CommandError, Needs};
use crate::http::body::unread;
use crate::http::problem::Problem;
use crate::http::request_id::RequestId;
use crate::openapi::errors::{
    BadRequest, BadSignature, BodyTooLarge, Internal, InvalidFields, NotFound, Unavailable,
};

const KEY: HeaderName = HeaderName::from_static("github-public-key-identifier");
const SIGNATURE: HeaderName = HeaderName::from_static("github-public-key-signature");

/// How the log names whoever ends a token for this.
const ACTOR: &str = "system:leak-intake";

/// How many tokens are ended at once.
const AT_ONCE: usize = 32;

/// What is said of one token of a report.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LeakLabel, example = json!({
    "token_hash": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "token_type": "tollkeeper_api_token",
    "label": "true_positive",
}))]
pub(crate) struct Label {
    /// The SHA-256 of the token, in hexadecimal digits.
    #[schema(value_type = String, pattern = "^[0-9a-f]{64}$")]
    token_hash: SecretHash,
    /// As the partner called it.
    token_type: String,
    label: Truth,
}

/// Whether the token is one of ours.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Truth {
    TruePositive,
    FalsePositive,
}

/// Takes a signed report of leaked tokens: 200 with a label for each, 400 or 422 if it is not one,
/// 403 if it is not signed by a known key, 404 if reports are not taken, 413 if it is too large.
///
/// A secret that works, or will work, ends its token or lets it rest, as the policy says. One whose
/// grace is over harms nobody, and its token, which has another secret by now, goes on. A report
/// that comes twice changes nothing more.
#[utoipa::path(
    post,
    path = "/v1/leaks",
    tag = "Leaks",
    operation_id = "reportLeaks",
    summary = "Report leaked tokens",
    description = "For partners that scan for secrets, in the form of GitHub's secret scanning \
        partner programme: the signature is its sender's credential. Tokens of this installation \
        are revoked or suspended, as it is configured; others are ignored. 404 where reports are \
        not taken. A report has at most 1 MiB.",
    security(()),
    params(
        ("Github-Public-Key-Identifier" = String, Header, description = "The key that signed"),
        (
            "Github-Public-Key-Signature" = String, Header,
            description = "The base64 of the DER form of an ECDSA signature with P-256 and SHA-256 \
                over the body",
        ),
    ),
    request_body = Vec<Found>,
    responses(
        (status = 200, description = "A label for each token of the report", body = Vec<Label>),
        BadRequest, BadSignature, NotFound, BodyTooLarge, InvalidFields, Internal, Unavailable,
    ),
)]
pub(crate) async fn handle(
    State(app): State<App>,
    RequestId(request_id): RequestId,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Vec<Label>>, Problem> {
    let Some(settings) = &app.policy.leaks else {
        return Err(Problem::not_found("path"));
    };
    let body = body.map_err(|rejection| unread(rejection, MAX_REPORT_BYTES))?;
    let keys = Keys::read(&settings.keys)
        .map_err(|error| Problem::unavailable(format!("TOLLKEEPER_LEAK_KEYS: {error}")))?;
    if !is_signed(&keys, &headers, &body) {
        let detail = "the report is not signed by a key that is known here";
        return Err(Problem::forbidden("BAD_SIGNATURE", detail));
    }
    let report = payload::read(&body)?;
    let found: Vec<(SecretHash, Found)> = report
        .into_iter()
        .map(|found| (SecretHash::of(found.token.as_bytes()), found))
        .collect();
    let hashes: Vec<SecretHash> = found.iter().map(|(hash, _)| *hash).collect();
    let ours = tokens::holding(&app.pool, Reach::All, &hashes).await?;

    let cause = Cause {
        actor: ACTOR.to_owned(),
        request_id,
    };
    let pairs: Vec<(SecretHash, TokenId)> = ours.iter().map(|(hash, id)| (*hash, *id)).collect();
    let ending = pairs.into_iter();
    let ending = ending.map(|(hash, id)| end(&app, &cause, settings.policy, hash, id));
    // All are tried before a failure is told, so that one token does not keep the others alive.
    let ended: Vec<Result<(SecretHash, bool), CommandError>> = stream::iter(ending)
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    let ended: Result<HashMap<SecretHash, bool>, CommandError> = ended.into_iter().collect();
    let ended = ended.map_err(|error| match error {
        // To a partner it is no conflict of its own: the report is to be sent again.
        CommandError::Busy => Problem::unavailable(error),
        error => error.into(),
    })?;
    let labels = found.into_iter().map(|(hash, found)| {
        let token = ours.get(&hash);
        if let Some(id) = token {
            let ended = ended.get(&hash).copied().unwrap_or_default();
            let how = (settings.policy, ended);
            tell(&app.policy.scrubber, *id, &found, how, &cause.request_id);
        }
        Label {
            token_hash: hash,
            token_type: found.kind,
            label: match token {
                Some(_) => Truth::TruePositive,
                None => Truth::FalsePositive,
            },
        }
    });
    Ok(Json(labels.collect()))
}

fn is_signed(keys: &Keys, headers: &HeaderMap, body: &[u8]) -> bool {
    let single = |name: &HeaderName| {
        let mut values = headers.get_all(name).iter();
        values.next().filter(|_| values.next().is_none())
    };
    match (single(&KEY), single(&SIGNATURE)) {
        (Some(key), Some(signature)) => keys.signed(key.as_bytes(), signature.as_bytes(), body),
        _ => false,
    }
}

/// Ends the token if the secret still opens anything. Tells whether it does.
async fn end(
    app: &App,
    cause: &Cause,
    policy: LeakPolicy,
    hash: SecretHash,
    id: TokenId,
) -> Result<(SecretHash, bool), CommandError> {
    let changed = app
        .commands
        .change(
            cause,
            (id, Reach::All),
            None,
            Needs::Nothing,
            |token, now| {
                if !token.opens_with(hash, now) {
                    return Err(CommandError::NotFound("working secret"));
                }
                Ok(match policy {
                    LeakPolicy::Revoke => Command::Revoke(RevocationReason::Leaked),
                    LeakPolicy::Suspend => Command::Suspend,
                })
            },
        )
        .await;
    match changed {
        Ok(_) => Ok((hash, true)),
        Err(CommandError::NotFound(_) | CommandError::Token(_)) => Ok((hash, false)),
        Err(error) => Err(error),
    }
}

/// Where it leaked is for those who look after it, and not for the log of events, which keeps
/// nothing that might be personal.
fn tell(
    scrubber: &Scrubber,
    id: TokenId,
    found: &Found,
    (policy, ended): (LeakPolicy, bool),
    request_id: &str,
) {
    let place = scrubber.scrub(found.url.as_deref().unwrap_or_default());
    let source = scrubber.scrub(found.source.as_deref().unwrap_or_default());
    tracing::warn!(
        request_id,
        token_id = %id,
        %place,
        %source,
        ?policy,
        ended,
        "a token was reported as leaked"
    );
}
