//! `POST /v1/verify`: a program asks about a token it was shown.

use std::net::IpAddr;

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
use zeroize::Zeroizing;

use super::counted::{Asked, count};
use crate::app::App;
use crate::caller::{Allowed, Verify};
use crate::http::body::Body;
use crate::http::problem::{FieldErrors, Problem};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Question {
    token: Zeroizing<String>,
    #[serde(default)]
    scopes: Vec<String>,
    ip: Option<IpAddr>,
    environment: Option<Environment>,
    endpoint: Option<String>,
    method: Option<String>,
}

/// What is known of the token. Nothing but `valid` and `code` where it is not the asker's to see.
#[derive(Debug, Serialize)]
pub(crate) struct Answer {
    valid: bool,
    code: &'static str,
    token_id: Option<TokenId>,
    account_id: Option<AccountId>,
    environment: Option<Environment>,
    scopes: Vec<String>,
    expires_at: Option<DateTime<Utc>>,
    version: Option<u64>,
    age_ms: Option<u128>,
    cache: &'static str,
}

/// 200 whatever the verdict; errors only for a bad question. `Cache-Control: no-cache` has the
/// token read afresh.
pub(crate) async fn handle(
    State(app): State<App>,
    allowed: Allowed<Verify>,
    headers: HeaderMap,
    Body(question): Body<Question>,
) -> Result<Json<Answer>, Problem> {
    let began = app.clock.boot_time();
    let mut errors = FieldErrors::default();
    for (index, scope) in question.scopes.iter().enumerate() {
        errors.take(format!("/scopes/{index}"), scope.parse::<Scope>());
    }
    for (pointer, text) in [
        ("/endpoint", &question.endpoint),
        ("/method", &question.method),
    ] {
        // They could not be kept with the usage.
        if text
            .as_ref()
            .is_some_and(|text| text.chars().any(char::is_control))
        {
            errors.add(pointer, "this holds no control characters");
        }
    }
    errors.check()?;
    let scopes: Vec<&str> = question.scopes.iter().map(String::as_str).collect();
    let requirement = Requirement {
        environment: question.environment,
        scopes: &scopes,
        fresh: wants_fresh(&headers),
    };
    let verification = app
        .engine
        .verify(question.token.as_bytes(), &requirement)
        .await;
    let identity = verification.identity();
    if identity.is_some_and(|it| !allowed.reach.includes(it.account_id())) {
        return Ok(Json(Answer::unknown(&verification)));
    }
    let asked = Asked {
        endpoint: question.endpoint.as_deref(),
        method: question.method.as_deref(),
        ip: question.ip,
    };
    count(&app, &verification, began, &asked)?;
    Ok(Json(Answer::of(&verification)))
}

fn wants_fresh(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::CACHE_CONTROL).iter();
    let mut directives = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|it| it.split(','));
    directives.any(|it| matches!(it.trim(), "no-cache" | "no-store"))
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
        }
    }
}
