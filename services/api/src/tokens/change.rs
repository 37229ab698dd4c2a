//! `PATCH /v1/tokens/{id}`

use crate::openapi::errors::{NotFound, TokenRevoked, VersionMismatch, WithBody};
use axum::extract::State;
use axum::response::IntoResponse;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Map, Value};
use tollkeeper_domain::authority::Extent;
use tollkeeper_domain::ids::TokenId;
use tollkeeper_domain::network::Network;
use tollkeeper_domain::quota::NewQuota;
use tollkeeper_domain::rate_limit::{NewRateLimit, RateLimit};
use tollkeeper_domain::scope::Scope;
use tollkeeper_domain::token::{Change, Command, Metadata, TokenName};
use tollkeeper_read_model::tokens;
use utoipa::ToSchema;

use super::fields::{cut, networks, scopes, within};
use super::view::{ChangedToken, TokenView};
use crate::app::App;
use crate::caller::{Allowed, TokensWrite};
use crate::commands::{Cause, Needs};
use crate::http::body::{Body, nullable};
use crate::http::path::Id;
use crate::http::problem::{FieldErrors, Problem};
use crate::http::query::Parameters;
use crate::http::request_id::RequestId;
use crate::http::version::IfMatch;
use crate::nodes::Wait;
use crate::{quotas, rate_limits};

/// What to change of a token.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "name": "nightly deployments", "scopes": ["orders:read"] }))]
pub(crate) struct ChangeToken {
    /// The new name.
    #[schema(
        min_length = 1,
        max_length = 100,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$"
    )]
    name: Option<String>,
    /// All scopes from now on.
    #[schema(value_type = Option<Vec<Scope>>, max_items = 100)]
    scopes: Option<Vec<String>>,
    /// All metadata from now on.
    #[schema(value_type = Option<Object>)]
    metadata: Option<Map<String, Value>>,
    /// All networks from now on from which it may be used: at most 64. `[]` is from anywhere.
    #[schema(value_type = Option<Vec<Network>>, max_items = 64)]
    allowed_cidrs: Option<Vec<String>>,
    /// All rate limits from now on: at most 8, each with a name of its own. `[]` is as much as it will.
    /// A limit of a name that stays goes on from what was consumed.
    #[schema(value_type = Option<Vec<NewRateLimit>>, max_items = 8)]
    rate_limits: Option<Vec<RateLimit>>,
    /// All quotas from now on: at most 4, each with a name of its own. `[]` is as many uses as it will.
    /// A quota of a name and a refill that stay goes on from what was used.
    #[schema(max_items = 4)]
    quotas: Option<Vec<NewQuota>>,
    /// The new start, or null for none.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<DateTime<Utc>>)]
    not_before: Option<Option<DateTime<Utc>>>,
    /// The new end, or null for none where the installation allows it.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<DateTime<Utc>>)]
    expires_at: Option<Option<DateTime<Utc>>>,
}

/// Changes what the body names: 200, 403 beyond the caller's own token, 404, 409 once revoked, or
/// 412 where `If-Match` names another version.
#[utoipa::path(
    patch,
    path = "/v1/tokens/{id}",
    tag = "Tokens",
    operation_id = "changeToken",
    summary = "Change a token",
    description = "What the body does not name stays as it is. Both the token as it is and as it would \
        become must lie within what the caller has.",
    params(("id" = TokenId, Path, description = "The token"), IfMatch, Wait),
    request_body = ChangeToken,
    responses(
        (
            status = 200,
            description = "The token as it is now",
            body = ChangedToken,
            headers(("ETag" = String, description = "The version, for `If-Match`")),
        ),
        WithBody<TokensWrite>,
        NotFound,
        TokenRevoked,
        VersionMismatch,
    ),
)]
pub(crate) async fn handle(
    State(app): State<App>,
    allowed: Allowed<TokensWrite>,
    Id(id): Id,
    IfMatch(expected): IfMatch,
    RequestId(request_id): RequestId,
    Parameters(wait): Parameters<Wait>,
    Body(body): Body<ChangeToken>,
) -> Result<impl IntoResponse, Problem> {
    let mut errors = FieldErrors::default();
    let change = Change {
        name: body
            .name
            .and_then(|name| errors.take("/name", TokenName::new(&name))),
        scopes: body.scopes.map(|texts| scopes(&texts, &mut errors)),
        metadata: body
            .metadata
            .and_then(|it| errors.take("/metadata", Metadata::new(it))),
        allowed_cidrs: body
            .allowed_cidrs
            .and_then(|texts| networks(&texts, &mut errors)),
        rate_limits: body
            .rate_limits
            .and_then(|asked| rate_limits::check(asked, &mut errors)),
        quotas: body
            .quotas
            .and_then(|asked| quotas::check(asked, &mut errors)),
        not_before: body.not_before.map(|time| time.map(cut)),
        expires_at: body.expires_at.map(|time| time.map(cut)),
        longest: app.policy.longest_lifetime,
    };
    errors.check()?;

    let cause = Cause {
        actor: allowed.caller.actor(),
        request_id,
    };
    let authority = allowed.caller.authority();
    let target = (id.into(), allowed.reach);
    // Read before: a fault after the commit must not hide what has happened.
    let usage = tokens::usage(&app.pool, allowed.reach, id.into()).await?;
    let changed = app
        .commands
        .change(&cause, target, expected, Needs::Nothing, |token, _| {
            if let Some(authority) = authority {
                // What it is and what it would become must both lie within the caller's reach.
                within(Some(authority), token)?;
                let restrictions = change.restrictions(token);
                authority.reaches(Extent {
                    scopes: change.scopes.as_ref().unwrap_or(&token.scopes),
                    validity: &change.validity(token),
                    environment: token.environment,
                    restrictions: &restrictions,
                })?;
                let before = &token.restrictions.quotas;
                authority.may_refill(restrictions.quotas.renewed(before))?;
            }
            Ok(Command::Change(Box::new(change.clone())))
        });
    let view = TokenView::new(changed.await?, usage, app.now());
    Ok(ChangedToken::new(view, wait.over(&app).await))
}
