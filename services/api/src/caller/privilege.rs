//! The privileges that handlers name, and how a caller comes to have one.

use std::marker::PhantomData;

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::http::StatusCode;
use axum::http::request::Parts;
use subtle::ConstantTimeEq;
use tollkeeper_authn::Requirement;
use tollkeeper_check::{Credential, Refusal, presented};
use tollkeeper_domain::authority::Authority;
use tollkeeper_domain::verdict::Verdict;
use tollkeeper_read_model::{Reach, accounts};

use super::{Caller, jwt, must_be_active, own_account, person};
use crate::app::App;
use crate::console::session::Person;
use crate::http::client::Sender;
use crate::http::problem::Problem;

/// A right that a handler needs.
pub(crate) trait Privilege: Send {
    /// The scope by which an API token has it.
    const SCOPE: &'static str;
    /// A scope that it needs beside.
    const AND: Option<&'static str>;
    /// Whether an account holder has it, within the account.
    const FOR_ACCOUNTS: bool;
}

macro_rules! privilege {
    ($(#[$doc:meta])* $name:ident, $scope:literal, $for_accounts:literal) => {
        privilege! { $(#[$doc])* $name, $scope, None, $for_accounts }
    };
    ($(#[$doc:meta])* $name:ident, $scope:literal, $and:expr, $for_accounts:literal) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub(crate) struct $name;

        impl Privilege for $name {
            const SCOPE: &'static str = $scope;
            const AND: Option<&'static str> = $and;
            const FOR_ACCOUNTS: bool = $for_accounts;
        }
    };
}

privilege! {
    /// See tokens.
    TokensRead, "tollkeeper:tokens.read", true
}
privilege! {
    /// Issue, change and end tokens.
    TokensWrite, "tollkeeper:tokens.write", true
}
privilege! {
    /// See what happened.
    EventsRead, "tollkeeper:events.read", true
}
privilege! {
    /// See what tokens were used for.
    UsageRead, "tollkeeper:usage.read", true
}
privilege! {
    /// Report what tokens were used for.
    UsageWrite, "tollkeeper:usage.write", false
}
privilege! {
    /// See the nodes.
    NodesRead, "tollkeeper:events.read", false
}
privilege! {
    /// See how complete usage is.
    CompletenessRead, "tollkeeper:usage.read", false
}
privilege! {
    /// See accounts.
    AccountsRead, "tollkeeper:accounts.write", true
}
privilege! {
    /// Register and change accounts.
    AccountsWrite, "tollkeeper:accounts.write", false
}
privilege! {
    /// Ask about somebody's token.
    Verify, "tollkeeper:verify", false
}

privilege! {
    /// See webhooks, give them new secrets and remove them.
    WebhooksWrite, "tollkeeper:webhooks.write", true
}
privilege! {
    /// Have events sent: a webhook hands the feed on to wherever it points.
    WebhooksFeed, "tollkeeper:webhooks.write", Some(EventsRead::SCOPE), true
}

/// A caller who has the privilege `P`.
#[derive(Debug)]
pub(crate) struct Allowed<P> {
    /// Who that is.
    pub(crate) caller: Caller,
    /// Whose data they may see.
    pub(crate) reach: Reach,
    privilege: PhantomData<P>,
}

impl<P: Privilege> FromRequestParts<App> for Allowed<P> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let needed: Vec<&str> = [P::SCOPE].into_iter().chain(P::AND).collect();
        let caller = only_caller(parts, app, &needed).await?;
        for scope in [P::SCOPE].into_iter().chain(P::AND) {
            let held = match &caller {
                Caller::Operator { .. } => true,
                Caller::Token { scopes, .. } => scopes.covers(scope),
                Caller::Account { .. } => P::FOR_ACCOUNTS,
            };
            if !held {
                return Err(Problem::missing_scope(scope));
            }
        }
        Ok(Self {
            reach: own_account::reach(parts, &caller)?,
            caller,
            privilege: PhantomData,
        })
    }
}

/// Anybody with a credential that works.
impl FromRequestParts<App> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        only_caller(parts, app, &[]).await
    }
}

async fn only_caller(parts: &Parts, app: &App, needed: &[&str]) -> Result<Caller, Problem> {
    // Of a page of the console: no request from outside has it.
    if let Some(person) = parts.extensions.get::<Person>() {
        return person::caller(app, person, &Sender::of(parts, app)).await;
    }
    let credential = presented(&parts.headers)?.only()?;
    let credential = credential.ok_or_else(Problem::unauthenticated)?;
    identify(app, credential, &Sender::of(parts, app), needed).await
}

impl OptionalFromRequestParts<App> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Option<Self>, Problem> {
        if let Some(person) = parts.extensions.get::<Person>() {
            let sender = Sender::of(parts, app);
            return person::caller(app, person, &sender).await.map(Some);
        }
        match presented(&parts.headers)?.only()? {
            Some(credential) => {
                let client = Sender::of(parts, app);
                identify(app, credential, &client, &[]).await.map(Some)
            }
            None => Ok(None),
        }
    }
}

/// Who presents this credential, from this address. To be called once for a request: it is charged to
/// the rate limits of the caller's token, unless that lacks one of the scopes that are needed.
pub(crate) async fn identify(
    app: &App,
    credential: Credential<'_>,
    client: &Sender,
    needed: &[&str],
) -> Result<Caller, Problem> {
    match credential {
        Credential::Key(key) => match operator(app, key) {
            Some(name) => {
                client.holder.is_operator(&name);
                Ok(Caller::Operator { name })
            }
            None => by_token(app, key, client, needed).await,
        },
        Credential::Bearer(token) => by_token(app, token, client, needed).await,
        Credential::Jwt(jwt) => by_jwt(app, jwt, client).await,
    }
}

/// Compares with every key, so that the time tells nothing about any of them.
fn operator(app: &App, presented: &[u8]) -> Option<String> {
    let mut found = None;
    for operator in &app.policy.operators {
        if bool::from(operator.key.expose().as_bytes().ct_eq(presented)) {
            found = Some(operator.name.clone());
        }
    }
    found
}

async fn by_token(
    app: &App,
    token: &[u8],
    client: &Sender,
    needed: &[&str],
) -> Result<Caller, Problem> {
    let requirement = Requirement {
        client: client.address.into(),
        scopes: needed,
        // Calls of this API are not counted as usage, and so use up nothing.
        counted: false,
        ..Requirement::default()
    };
    let verification = app.engine.verify(token, &requirement).await;
    if let Some(identity) = verification.identity() {
        let (id, account) = (identity.token_id(), identity.account_id());
        client.holder.is_token(id, account, identity.account_role());
    }
    match (verification.verdict, verification.identity()) {
        (Verdict::Valid, Some(identity)) => {
            let facts = identity.facts();
            // A secret in its grace must not gain a life beyond it.
            let end = facts
                .expires_at
                .into_iter()
                .chain(facts.secret_valid_until)
                .min();
            Ok(Caller::Token {
                id: identity.token_id(),
                account_id: identity.account_id(),
                role: identity.account_role(),
                scopes: facts.scopes.clone(),
                authority: Authority::Token {
                    scopes: facts.scopes.clone(),
                    expires_at: end.and_then(chrono::DateTime::from_timestamp_micros),
                    environment: facts.environment,
                    restrictions: facts.restrictions.as_deref().cloned().unwrap_or_default(),
                },
            })
        }
        (Verdict::Unavailable, _) => {
            Err(Problem::unavailable("the caller's token cannot be checked"))
        }
        (Verdict::RateLimited, _) => {
            let refusal = Refusal::used_up(verification.verdict, StatusCode::TOO_MANY_REQUESTS);
            Err(refusal.by_limits(&verification).into())
        }
        (Verdict::InsufficientScope, Some(identity)) => {
            let held = &identity.facts().scopes;
            let missing = needed.iter().find(|scope| !held.covers(scope));
            Err(Problem::missing_scope(missing.copied().unwrap_or_default()))
        }
        (Verdict::IpNotAllowed, _) => {
            let detail = "the token you used is not allowed from this address";
            Err(Problem::ip_not_allowed(detail))
        }
        (verdict, _) => {
            let detail = "the API token or key is not accepted";
            Err(Problem::bad_credential(verdict.code(), detail))
        }
    }
}

async fn by_jwt(app: &App, token: &[u8], client: &Sender) -> Result<Caller, Problem> {
    let Some(policy) = &app.policy.jwt else {
        return Err(Problem::bad_credential(
            "INVALID_JWT",
            "JWTs are not accepted here",
        ));
    };
    let holder = jwt::check(policy, token, app.now().timestamp()).await?;
    let found = accounts::find_by_identity(&app.pool, &holder.identity).await?;
    let account = found.map(|row| row.account);
    if let Some(account) = &account {
        client.holder.is_account(account.id);
    }
    if let Some(account) = &account {
        must_be_active(account.lifecycle)?;
    }
    Ok(Caller::Account {
        account_id: account.as_ref().map(|account| account.id),
        authority: Authority::Account {
            granted: holder.granted,
            role: account.map(|account| account.role).unwrap_or_default(),
        },
        identity: holder.identity,
    })
}
