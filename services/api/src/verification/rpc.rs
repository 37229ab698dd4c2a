//! `POST /v1/verify`: a program asks about a token it was shown.

use crate::openapi::errors::WithBody;
use std::net::IpAddr;
use std::time::Duration;
use utoipa::ToSchema;
use utoipa::openapi::{ObjectBuilder, OneOfBuilder, Schema, SchemaFormat, Type};

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tollkeeper_authn::{Requirement, Verification};
use tollkeeper_domain::ids::{AccountId, TokenId};
use tollkeeper_domain::scope::Scope;
use tollkeeper_domain::secret::Environment;
use tollkeeper_domain::verdict::Verdict;
use tollkeeper_read_model::Reach;
use zeroize::Zeroizing;

use super::counted::{Asked, count, count_told};
use super::limits::{MAX_COST, State as LimitState, Uses};
use crate::app::App;
use crate::caller::{Allowed, Verify};
use crate::http::body::Body;
use crate::http::problem::{FieldErrors, Problem};
use crate::http::request_id::RequestId;

/// A token and what is demanded of it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Verify, example = json!({
    "token": "tk_live_Xk2pV9aQ0bR7cS4dT1eU8fW5gY3hZ6iN2jM0q1aB2c",
    "scopes": ["orders:read"],
    "ip": "203.0.113.9",
    "environment": "live",
    "endpoint": "/orders/42",
    "method": "GET",
    "cost": 1,
}))]
pub(crate) struct Question {
    /// The token as it was presented.
    #[schema(value_type = String)]
    token: Zeroizing<String>,
    /// The scopes that it must hold.
    #[serde(default)]
    #[schema(value_type = Vec<Scope>)]
    scopes: Vec<String>,
    /// Where the request came from. Without it a token that is bound to networks is
    /// `IP_NOT_ALLOWED`.
    #[schema(schema_with = address)]
    ip: Option<IpAddr>,
    /// The environment that it must be for.
    environment: Option<Environment>,
    /// The path of the request, for the usage.
    #[schema(pattern = r"^[^\x00-\x1f\x7f-\x9f]*$")]
    endpoint: Option<String>,
    /// The method of the request, for the usage.
    #[schema(pattern = r"^[^\x00-\x1f\x7f-\x9f]*$")]
    method: Option<String>,
    /// How many times over the request is charged to each rate limit, and how many uses it takes of each
    /// quota: 1 if nothing is said. With 0 it is a look, which is charged to none and refused by none.
    #[schema(maximum = 1_000_000)]
    cost: Option<u32>,
}

/// What is known of the token. Nothing but `valid` and `code` where it is not the asker's to see.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Verification, example = json!({
    "valid": true,
    "code": "VALID",
    "token_id": "019aa5d0-4b1c-7f3e-a1d2-6c7b8a9d0e1f",
    "account_id": "019aa5d0-1f2e-7a10-9c3b-5d6e7f809101",
    "environment": "live",
    "scopes": ["orders:read", "orders:write"],
    "expires_at": "2026-12-01T09:30:00Z",
    "version": 1,
    "age_ms": 212,
    "cache": "hit",
    "rate_limits": [{
        "name": "requests",
        "of": "token",
        "limit": 100,
        "window_seconds": 60,
        "burst": 100,
        "remaining": 99,
        "reset_seconds": 1,
        "retry_after_seconds": 0,
    }],
    "quotas": [{
        "name": "calls",
        "of": "account",
        "limit": 100_000,
        "remaining": 91_204,
        "resets_at": "2026-12-01T00:00:00Z",
    }],
}))]
pub(crate) struct Answer {
    /// Whether the token may pass.
    valid: bool,
    /// The verdict.
    #[schema(value_type = Verdict)]
    code: &'static str,
    #[schema(required)]
    token_id: Option<TokenId>,
    #[schema(required)]
    account_id: Option<AccountId>,
    #[schema(required)]
    environment: Option<Environment>,
    /// The scopes that it holds.
    #[schema(value_type = Vec<Scope>)]
    scopes: Vec<String>,
    #[schema(required)]
    expires_at: Option<DateTime<Utc>>,
    #[schema(required)]
    version: Option<u64>,
    /// How old the knowledge is, in milliseconds.
    #[schema(required, value_type = Option<u64>)]
    age_ms: Option<u128>,
    /// Whether memory was enough.
    #[schema(pattern = "^(hit|miss)$")]
    cache: &'static str,
    /// The rate limits of its account, then its own, as they are after the request; none where
    /// something else refused it.
    rate_limits: Vec<LimitState>,
    /// The quotas of its account, then its own, likewise.
    quotas: Vec<Uses>,
}

/// 200 whatever the verdict; errors only for a bad question. `Cache-Control: no-cache` has the
/// token read afresh.
#[utoipa::path(
    post,
    path = "/v1/verify",
    tag = "Verification",
    operation_id = "verifyToken",
    summary = "Ask about a token you were shown",
    description = "The answer is 200 whatever the verdict, and the request is counted as one of the \
        token. A token that is not yours to see is `NOT_FOUND`.",
    params(("Cache-Control" = Option<String>, Header, description = "`no-cache` has the token read afresh")),
    request_body = Question,
    responses(
        (
            status = 200,
            description = "What is known of it",
            body = Answer,
        ),
        WithBody<Verify>,
    ),
)]
pub(crate) async fn handle(
    State(app): State<App>,
    allowed: Allowed<Verify>,
    headers: HeaderMap,
    request_id: RequestId,
    Body(question): Body<Question>,
) -> Result<Json<Answer>, Problem> {
    let began = app.clock.boot_time();
    let mut errors = FieldErrors::default();
    question.check(&mut errors);
    errors.check()?;
    let scopes = question.scopes();
    let requirement = question.requirement(&scopes, wants_fresh(&headers), allowed.reach);
    let verification = app.engine.verify(question.token(), &requirement).await;
    question
        .answer(&app, &allowed, (began, &request_id), &verification)
        .map(Json)
}

impl Question {
    /// Notes what is wrong with it.
    pub(super) fn check(&self, errors: &mut FieldErrors) {
        for (index, scope) in self.scopes.iter().enumerate() {
            errors.take(format!("/scopes/{index}"), scope.parse::<Scope>());
        }
        for (pointer, text) in [("/endpoint", &self.endpoint), ("/method", &self.method)] {
            // They could not be kept with the usage.
            if text
                .as_ref()
                .is_some_and(|text| text.chars().any(char::is_control))
            {
                errors.add(pointer, "this holds no control characters");
            }
        }
        if self.cost.is_some_and(|cost| cost > MAX_COST) {
            errors.add("/cost", format!("this is 0 to {MAX_COST}"));
        }
    }

    /// The token as it was presented.
    pub(super) fn token(&self) -> &[u8] {
        self.token.as_bytes()
    }

    /// The scopes that it must hold.
    pub(super) fn scopes(&self) -> Vec<&str> {
        self.scopes.iter().map(String::as_str).collect()
    }

    /// What is demanded of the token. A token that is not the asker's to see is charged nothing.
    pub(super) fn requirement<'a>(
        &self,
        scopes: &'a [&'a str],
        fresh: bool,
        reach: Reach,
    ) -> Requirement<'a> {
        Requirement {
            environment: self.environment,
            client: self.ip.into(),
            scopes,
            fresh,
            cost: self.cost.unwrap_or(1),
            charged: match reach {
                Reach::All => None,
                Reach::Account(account) => Some(account),
            },
            counted: true,
        }
    }

    /// Counts the request, begun that long after boot and with this id, and tells what the asker may
    /// know.
    ///
    /// # Errors
    /// 503 if it cannot be counted.
    pub(super) fn answer(
        &self,
        app: &App,
        allowed: &Allowed<Verify>,
        (began, request_id): (Duration, &RequestId),
        verification: &Verification,
    ) -> Result<Answer, Problem> {
        let identity = verification.identity();
        if identity.is_some_and(|it| !allowed.reach.includes(it.account_id())) {
            count_told(app, Verdict::NotFound, began);
            return Ok(Answer::unknown(verification));
        }
        let asked = Asked {
            endpoint: self.endpoint.as_deref(),
            method: self.method.as_deref(),
            ip: self.ip,
            request_id: &request_id.0,
        };
        count(app, verification, began, &asked)?;
        Ok(Answer::of(verification))
    }
}

/// An address of either version, or none.
fn address() -> Schema {
    let version = |name: &str, example: &str| {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::Custom(name.to_owned())))
            .examples([example])
    };
    let either = OneOfBuilder::new()
        .item(version("ipv4", "203.0.113.9"))
        .item(version("ipv6", "2001:db8::1"))
        .item(ObjectBuilder::new().schema_type(Type::Null))
        .description(Some(
            "Where the request came from. Without it a token that is bound to networks is \
             `IP_NOT_ALLOWED`.",
        ));
    Schema::OneOf(either.build())
}

/// Whether the token shall be read afresh (RFC 9111, section 5.2.1.4).
pub(super) fn wants_fresh(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::CACHE_CONTROL).iter();
    let mut directives = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|it| it.split(','));
    let fresh = ["no-cache", "no-store"];
    directives.any(|it| {
        fresh
            .iter()
            .any(|name| it.trim().eq_ignore_ascii_case(name))
    })
}

impl Answer {
    fn of(verification: &Verification) -> Self {
        let unknown = Self::unknown(verification);
        let Some(identity) = verification.identity() else {
            let verdict = verification.verdict;
            return Self {
                valid: false,
                code: verdict.code(),
                ..unknown
            };
        };
        let facts = identity.facts();
        Self {
            valid: verification.is_valid(),
            code: verification.verdict.code(),
            token_id: Some(identity.token_id()),
            account_id: Some(identity.account_id()),
            environment: Some(facts.environment),
            scopes: facts.scopes.iter().map(ToString::to_string).collect(),
            expires_at: facts.expires_at.and_then(DateTime::from_timestamp_micros),
            version: Some(identity.version()),
            rate_limits: verification.rate_limits().map(LimitState::from).collect(),
            quotas: verification.quotas().map(Uses::from).collect(),
            ..unknown
        }
    }

    /// The answer for a token that is not there, or not the asker's to see.
    fn unknown(verification: &Verification) -> Self {
        Self {
            valid: false,
            code: Verdict::NotFound.code(),
            token_id: None,
            account_id: None,
            environment: None,
            scopes: Vec::new(),
            expires_at: None,
            version: None,
            age_ms: verification.age.map(|age| age.as_millis()),
            cache: verification.cache.as_str(),
            rate_limits: Vec::new(),
            quotas: Vec::new(),
        }
    }
}
