//! `POST /oauth/introspect` (RFC 7662)

use super::form::FormFields;
use crate::openapi::errors::{
    OAuthBadRequest, OAuthForbidden, OAuthInternal, OAuthLimited, OAuthTooLarge, OAuthUnauthorized,
    OAuthUnavailable,
};
use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tollkeeper_authn::{Client, Requirement, Verification};
use tollkeeper_domain::ids::{AccountId, TokenId};
use tollkeeper_domain::network::Network;
use tollkeeper_domain::secret::Environment;
use tollkeeper_domain::token::Restrictions;
use tollkeeper_domain::verdict::Verdict;
use utoipa::ToSchema;
use utoipa::openapi::{Object, ObjectBuilder, Type};

use super::NO_STORE;
use super::client::{CHALLENGE, caller};
use super::form::Form;
use crate::app::App;
use crate::caller::{Privilege, Verify};
use crate::http::client::Sender;
use crate::http::problem::Problem;
use crate::http::request_id::RequestId;
use crate::verification::counted::{Asked, count, count_told};

/// What is told of a token that works; of another nothing but that it does not.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
#[schema(example = json!({
    "active": true,
    "scope": "orders:read orders:write",
    "token_type": "Bearer",
    "exp": 1_796_117_400,
    "sub": "019aa5d0-1f2e-7a10-9c3b-5d6e7f809101",
    "jti": "019aa5d0-4b1c-7f3e-a1d2-6c7b8a9d0e1f",
    "account_id": "019aa5d0-1f2e-7a10-9c3b-5d6e7f809101",
    "environment": "live",
    "version": 1,
}))]
pub(crate) enum Introspection {
    /// It works now.
    Active {
        #[schema(schema_with = always::<true>)]
        active: bool,
        #[serde(flatten)]
        known: Known,
    },
    /// It does not.
    Inactive {
        #[schema(schema_with = always::<false>)]
        active: bool,
    },
}

/// What a member is in one case.
fn always<const VALUE: bool>() -> Object {
    ObjectBuilder::new()
        .schema_type(Type::Boolean)
        .enum_values(Some([VALUE]))
        .build()
}

/// Who asks is the server that was shown the token, and RFC 7662 has no member that says where the
/// token came from: the server judges that by `allowed_cidrs`. It is a look and no use of the token: no
/// rate limit is charged, and none makes a token inactive.
const ASKED_BY_A_SERVER: Requirement<'_> = Requirement {
    environment: None,
    client: Client::JudgedElsewhere,
    scopes: &[],
    fresh: false,
    cost: 0,
    charged: None,
    counted: false,
};

/// The members of RFC 7662, section 2.2, and four of our own.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = IntrospectedToken)]
pub(crate) struct Known {
    /// The scopes, with spaces between them.
    scope: String,
    token_type: &'static str,
    /// First second at which it works no more.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    exp: Option<i64>,
    /// First second at which it works.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    nbf: Option<i64>,
    /// The account.
    sub: AccountId,
    /// The token.
    jti: TokenId,
    account_id: AccountId,
    environment: Environment,
    version: u64,
    /// The networks from which it may be used, if it is bound to some. You judge the address: who
    /// asks here is not who uses it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<Network>, required = false)]
    allowed_cidrs: Vec<String>,
}

/// Tells whether a token works: 200, also for one that does not; 400 for a bad form, 401 without a
/// credential that works, 403 without `tollkeeper:verify` or from an address that the credential is not
/// allowed from, 503 if it cannot be known.
#[utoipa::path(
    post,
    path = "/oauth/introspect",
    tag = "OAuth",
    operation_id = "introspectToken",
    summary = "Ask about a token as OAuth clients do (RFC 7662)",
    description = "For callers with `tollkeeper:verify`. Of a token that does not work, or is not yours \
        to see, nothing is told but that. The request is counted as one of the token, and charged to \
        none of its rate limits.",
    security(("ApiKey" = []), ("Bearer" = []), ("Basic" = [])),
    request_body(
        content = FormFields,
        content_type = "application/x-www-form-urlencoded",
    ),
    responses(
        (
            status = 200,
            description = "Whether it works",
            body = Introspection,
        ),
        OAuthBadRequest,
        OAuthUnauthorized,
        OAuthForbidden,
        OAuthTooLarge,
        OAuthLimited,
        OAuthInternal,
        OAuthUnavailable,
    ),
)]
pub(crate) async fn handle(
    State(app): State<App>,
    client: Sender,
    headers: HeaderMap,
    RequestId(request_id): RequestId,
    form: Form,
) -> Result<Response, Problem> {
    let began = app.clock.boot_time();
    let unknown = || {
        let problem = Problem::unauthenticated().in_oauth_form();
        problem.with_challenge(CHALLENGE)
    };
    let caller = caller(&app, (&headers, client), &form, &[Verify::SCOPE])
        .await?
        .ok_or_else(unknown)?;
    if !caller.has(Verify::SCOPE) {
        return Err(Problem::missing_scope(Verify::SCOPE).in_oauth_form());
    }
    let token = form.token()?.as_bytes();
    let verification = app.engine.verify(token, &ASKED_BY_A_SERVER).await;
    let identity = verification.identity();
    if identity.is_some_and(|it| !caller.reach().includes(it.account_id())) {
        count_told(&app, Verdict::NotFound, began);
        return Ok((NO_STORE, Json(Introspection::INACTIVE)).into_response());
    }
    let asked = Asked {
        request_id: &request_id,
        ..Asked::default()
    };
    count(&app, &verification, began, &asked).map_err(Problem::in_oauth_form)?;
    if verification.verdict == Verdict::Unavailable {
        return Err(Problem::known_unavailable().in_oauth_form());
    }
    Ok((NO_STORE, Json(Introspection::of(&verification))).into_response())
}

fn networks(restrictions: &Restrictions) -> Vec<String> {
    let networks = restrictions.allowed_cidrs.iter();
    networks.map(ToString::to_string).collect()
}

impl Introspection {
    const INACTIVE: Self = Self::Inactive { active: false };

    fn of(verification: &Verification) -> Self {
        let identity = verification.identity();
        let known = identity
            .filter(|_| verification.is_valid())
            .map(|identity| {
                let facts = identity.facts();
                // A secret in its grace ends with the grace.
                let ends = facts.expires_at.into_iter().chain(facts.secret_valid_until);
                let seconds = |micros: i64| micros.div_euclid(1_000_000);
                Known {
                    scope: facts.scopes.as_str().to_owned(),
                    token_type: "Bearer",
                    exp: ends.min().map(seconds),
                    nbf: facts.not_before.map(seconds),
                    sub: identity.account_id(),
                    jti: identity.token_id(),
                    account_id: identity.account_id(),
                    environment: facts.environment,
                    version: identity.version(),
                    allowed_cidrs: facts
                        .restrictions
                        .as_deref()
                        .map(networks)
                        .unwrap_or_default(),
                }
            });
        known.map_or(Self::INACTIVE, |known| Self::Active {
            active: true,
            known,
        })
    }
}
