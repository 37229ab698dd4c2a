//! Account holders at a proxy, with the JWT by which they call the API itself: `jwt=allow`.
//!
//! It is no token's request, so nothing is counted and no limit is charged. How the account stands is
//! read from the primary for each request, within bounds of its own, and never written.

use std::time::Duration;

use axum::http::HeaderMap;
use tokio::sync::Semaphore;
use tollkeeper_check::{CheckHeaders, Credential, Refusal};
use tollkeeper_domain::account::Lifecycle;
use tollkeeper_domain::ids::AccountId;
use tollkeeper_domain::scope::{Scope, ScopeSet};
use tollkeeper_domain::verdict::Verdict;
use tollkeeper_read_model::accounts;

use super::options::Options;
use crate::app::App;
use crate::caller::jwt::{self, BadJwt, Holder};
use crate::http::problem::Problem;

/// How long a request waits: as long as one for a token that is not in memory.
const PATIENCE: Duration = Duration::from_secs(2);

/// The most requests that wait or read; beyond it the answer is 503 at once.
const MOST_WAITING: usize = 1024;

/// The most reads at once, of the connections that management has too.
const MOST_READING: usize = 4;

/// Bounds what JWTs at proxies may have of the database.
#[derive(Debug)]
pub struct AccountReads {
    waiting: Semaphore,
    reading: Semaphore,
}

impl Default for AccountReads {
    fn default() -> Self {
        Self {
            waiting: Semaphore::new(MOST_WAITING),
            reading: Semaphore::new(MOST_READING),
        }
    }
}

/// An account whose holder may pass.
#[derive(Debug)]
pub(crate) struct Admitted {
    /// The account.
    pub(crate) account_id: AccountId,
    /// What the issuer grants; nothing if it does not say.
    pub(crate) scopes: ScopeSet,
}

/// The JWT of a request, where one may pass.
pub(crate) fn jwt_of<'a>(headers: &'a HeaderMap, options: &Options) -> Option<&'a [u8]> {
    if !options.accounts {
        return None;
    }
    match CheckHeaders::of(headers).credential() {
        Some(Credential::Jwt(jwt)) => Some(jwt),
        Some(Credential::Key(_) | Credential::Bearer(_)) | None => None,
    }
}

/// Judges the holder of a JWT in a request that began that long after boot.
///
/// # Errors
/// What the client is answered instead.
pub(crate) async fn judge(
    app: &App,
    jwt: &[u8],
    options: &Options,
    began: Duration,
) -> Result<Admitted, Problem> {
    let judged = tokio::time::timeout(PATIENCE, admit(app, jwt, options)).await;
    let judged = judged.unwrap_or(Err(Verdict::Unavailable));
    let verdict = judged.as_ref().err().copied().unwrap_or(Verdict::Valid);
    let took = app.clock.boot_time().saturating_sub(began);
    app.measures.verified(verdict, took);
    judged.map_err(|verdict| {
        let scopes: Vec<_> = options.scopes.iter().map(Scope::as_str).collect();
        Refusal::of(verdict, verdict.status(), &scopes.join(" ")).into()
    })
}

/// In the order of the checks of a token.
async fn admit(app: &App, jwt: &[u8], options: &Options) -> Result<Admitted, Verdict> {
    let policy = app.policy.jwt.as_ref().ok_or(Verdict::Malformed)?;
    let holder = jwt::check(policy, jwt, app.now().timestamp()).await;
    let holder = holder.map_err(|bad| match bad {
        BadJwt::Unproven | BadJwt::Nobody => Verdict::Malformed,
        BadJwt::Early => Verdict::NotYetValid,
        BadJwt::Expired => Verdict::Expired,
        BadJwt::Unavailable => Verdict::Unavailable,
    })?;
    let account_id = active(app, &holder).await?;
    // A JWT is for none.
    if options.environment.is_some() {
        return Err(Verdict::WrongEnvironment);
    }
    let scopes = holder.granted.unwrap_or_default();
    let covered = options.scopes.iter().all(|it| scopes.covers(it.as_str()));
    if !covered {
        return Err(Verdict::InsufficientScope);
    }
    Ok(Admitted { account_id, scopes })
}

/// The account of a holder, as it stands now.
async fn active(app: &App, holder: &Holder) -> Result<AccountId, Verdict> {
    let AccountReads { waiting, reading } = &app.account_reads;
    let _place = waiting.try_acquire().map_err(|_| Verdict::Unavailable)?;
    let _turn = reading.acquire().await.map_err(|_| Verdict::Unavailable)?;
    let found = accounts::find_by_identity(&app.pool, &holder.identity).await;
    let account = found.map_err(|error| {
        tracing::warn!(%error, "the account of a JWT cannot be read");
        Verdict::Unavailable
    })?;
    let account = account.ok_or(Verdict::NotFound)?.account;
    match account.lifecycle {
        Lifecycle::Active => Ok(account.id),
        Lifecycle::Suspended | Lifecycle::Deleted => Err(Verdict::AccountSuspended),
    }
}
