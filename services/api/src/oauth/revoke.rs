//! `POST /oauth/revoke` (RFC 7009)

use super::form::FormFields;
use crate::openapi::errors::{
    OAuthBadRequest, OAuthConflict, OAuthElsewhere, OAuthInternal, OAuthLimited, OAuthTooLarge,
    OAuthUnauthorized, OAuthUnavailable,
};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use tollkeeper_domain::ids::TokenId;
use tollkeeper_domain::secret::SecretHash;
use tollkeeper_domain::token::{Command, RevocationReason};
use tollkeeper_read_model::{Reach, tokens};

use super::NO_STORE;
use super::client::caller;
use super::form::Form;
use crate::app::App;
use crate::caller::Caller;
use crate::commands::{Cause, CommandError, Needs};
use crate::http::client::Sender;
use crate::http::problem::Problem;
use crate::http::request_id::RequestId;

/// Ends a token for good. Whoever holds it may: 200, also for one that nobody knows or that has
/// ended before; 400 for a bad form, 401 if a client's own credential is given and does not work, 403
/// if that is not allowed from the client's address, 503 if it cannot be done now. Where the token
/// itself may be used from does not matter.
#[utoipa::path(
    post,
    path = "/oauth/revoke",
    tag = "OAuth",
    operation_id = "revokeTokenByItself",
    summary = "Revoke a token as OAuth clients do (RFC 7009)",
    description = "Whoever holds a token may end it. The answer is the same for a token that nobody \
        knows.",
    security((), ("ApiKey" = []), ("Bearer" = []), ("Basic" = [])),
    request_body(
        content = FormFields,
        content_type = "application/x-www-form-urlencoded",
    ),
    responses(
        (status = 200, description = "It works no more"),
        OAuthBadRequest,
        OAuthUnauthorized,
        OAuthElsewhere,
        OAuthConflict,
        OAuthTooLarge,
        OAuthLimited,
        OAuthInternal,
        OAuthUnavailable,
    ),
)]
pub(crate) async fn handle(
    State(app): State<App>,
    RequestId(request_id): RequestId,
    client: Sender,
    headers: HeaderMap,
    form: Form,
) -> Result<Response, Problem> {
    let client = caller(&app, (&headers, client), &form, &[]).await?;
    let hash = SecretHash::of(form.token()?.as_bytes());
    let revoked = revoke(&app, client.as_ref(), hash, request_id).await;
    revoked.map_err(Problem::in_oauth_form)?;
    Ok((StatusCode::OK, NO_STORE).into_response())
}

async fn revoke(
    app: &App,
    client: Option<&Caller>,
    hash: SecretHash,
    request_id: String,
) -> Result<(), Problem> {
    // Holding it is enough, whoever's it is.
    let holding = tokens::holding(&app.pool, Reach::All, &[hash]).await?;
    let Some(id): Option<TokenId> = holding.get(&hash).copied() else {
        return Ok(());
    };
    let cause = Cause {
        actor: client.map_or_else(|| format!("token:{id}"), Caller::actor),
        request_id,
    };
    let target = (id, Reach::All);
    let ended = app
        .commands
        .change(&cause, target, None, Needs::Nothing, |token, now| {
            // Who holds a secret whose grace is over holds the token no more.
            if token.opens_with(hash, now) {
                Ok(Command::Revoke(RevocationReason::Unspecified))
            } else {
                Err(CommandError::NotFound("working secret"))
            }
        })
        .await;
    match ended {
        Ok(_) | Err(CommandError::NotFound(_)) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
