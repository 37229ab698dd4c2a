//! Which facts follow from a command, or why none do.

use chrono::{DateTime, TimeDelta, Utc};

use super::command::{Change, Command, Issue, Rotate};
use super::event::{
    Empty, TokenEvent, TokenExpiring, TokenExpiryChanged, TokenIssued, TokenMetadataChanged,
    TokenRenamed, TokenRevoked, TokenRotated, TokenScopesChanged,
};
use super::expiry::notice_at;
use super::fields::{BadField, Validity};
use super::state::{Lifecycle, Status, Token};
use crate::quota::QuotaRefilled;
use crate::scope::MAX_SCOPES;

/// The longest grace that a rotation may leave to the earlier secrets.
pub const MAX_GRACE: TimeDelta = TimeDelta::days(7);

/// Why a command comes to nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no such token.
    #[error("there is no such token")]
    Unknown,
    /// There is one by this id already.
    #[error("a token with this id exists already")]
    Exists,
    /// A revoked token stays as it is.
    #[error("the token is revoked")]
    Revoked,
    /// An expired token gets no new secret.
    #[error("the token has expired")]
    Expired,
    /// Too many scopes.
    #[error("a token holds at most {MAX_SCOPES} scopes")]
    TooManyScopes,
    /// The grace is negative or too long.
    #[error("the grace lasts 0 to {} seconds", MAX_GRACE.num_seconds())]
    Grace,
    /// It has no such quota.
    #[error("there is no such quota")]
    NoSuchQuota,
    /// The validity asked for cannot be.
    #[error(transparent)]
    Validity(#[from] BadField),
}

/// Decides what follows from `command` at `now`. No event means that things are so already.
///
/// # Errors
/// A [`Refusal`] that says why nothing follows.
pub fn decide(
    token: Option<&Token>,
    command: &Command,
    now: DateTime<Utc>,
) -> Result<Vec<TokenEvent>, Refusal> {
    let token = match (token, command) {
        (None, Command::Issue(issue)) => {
            return decide_issue(issue, now).map(|token| vec![TokenEvent::Issued(token)]);
        }
        (None, Command::Import(issue)) => {
            return decide_issue(issue, now).map(|token| vec![TokenEvent::Imported(token)]);
        }
        (Some(_), Command::Issue(_) | Command::Import(_)) => return Err(Refusal::Exists),
        (None, _) => return Err(Refusal::Unknown),
        (Some(token), _) => token,
    };
    if token.lifecycle == Lifecycle::Revoked {
        return match command {
            Command::Revoke(_) | Command::AnnounceExpiry => Ok(Vec::new()),
            _ => Err(Refusal::Revoked),
        };
    }
    match (command, token.lifecycle) {
        (Command::Issue(_) | Command::Import(_), _) => Err(Refusal::Exists),
        (Command::Change(change), _) => decide_change(token, change, now),
        (Command::RefillQuota(name), _) => {
            let quotas = &token.restrictions.quotas;
            quotas.get(name).ok_or(Refusal::NoSuchQuota)?;
            Ok(vec![TokenEvent::QuotaRefilled(QuotaRefilled {
                name: name.clone(),
                generation: token.quota_generation + 1,
            })])
        }
        (Command::Rotate(rotate), _) => decide_rotate(token, rotate, now),
        (Command::Suspend, Lifecycle::Active) => Ok(vec![TokenEvent::Suspended(Empty {})]),
        (Command::Resume, Lifecycle::Suspended) => Ok(vec![TokenEvent::Resumed(Empty {})]),
        (Command::Suspend | Command::Resume, _) => Ok(Vec::new()),
        (Command::Revoke(reason), _) => {
            Ok(vec![TokenEvent::Revoked(TokenRevoked { reason: *reason })])
        }
        (Command::AnnounceExpiry, _) => Ok(decide_notice(token, now).into_iter().collect()),
    }
}

/// Of several notices that were missed only the one that is true now is given.
fn decide_notice(token: &Token, now: DateTime<Utc>) -> Option<TokenEvent> {
    let expires_at = token.validity.expires_at.filter(|end| *end > now)?;
    let days = notice_at(expires_at - now)?;
    let news = token.expiry_notice.is_none_or(|given| days < given);
    news.then_some(TokenEvent::Expiring(TokenExpiring { days, expires_at }))
}

fn decide_issue(issue: &Issue, now: DateTime<Utc>) -> Result<Box<TokenIssued>, Refusal> {
    let token = &issue.token;
    if token.scopes.len() > MAX_SCOPES {
        return Err(Refusal::TooManyScopes);
    }
    let validity = Validity {
        not_before: token.not_before,
        expires_at: token.expires_at,
    };
    validity.check(now, issue.longest)?;
    Ok(Box::new(token.clone()))
}

fn decide_change(
    token: &Token,
    change: &Change,
    now: DateTime<Utc>,
) -> Result<Vec<TokenEvent>, Refusal> {
    let mut events = Vec::new();
    if let Some(name) = change.name.as_ref().filter(|name| **name != token.name) {
        events.push(TokenEvent::Renamed(TokenRenamed { name: name.clone() }));
    }
    if let Some(scopes) = change
        .scopes
        .as_ref()
        .filter(|scopes| **scopes != token.scopes)
    {
        if scopes.len() > MAX_SCOPES {
            return Err(Refusal::TooManyScopes);
        }
        events.push(TokenEvent::ScopesChanged(TokenScopesChanged {
            scopes: scopes.clone(),
        }));
    }
    let validity = change.validity(token);
    if validity != token.validity {
        validity.check(now, change.longest)?;
        events.push(TokenEvent::ExpiryChanged(TokenExpiryChanged {
            not_before: validity.not_before,
            expires_at: validity.expires_at,
        }));
    }
    let restrictions = change.restrictions(token);
    if restrictions != token.restrictions {
        events.push(TokenEvent::RestrictionsChanged(restrictions));
    }
    if let Some(metadata) = change.metadata.as_ref().filter(|it| **it != token.metadata) {
        events.push(TokenEvent::MetadataChanged(TokenMetadataChanged {
            metadata: metadata.clone(),
        }));
    }
    Ok(events)
}

fn decide_rotate(
    token: &Token,
    rotate: &Rotate,
    now: DateTime<Utc>,
) -> Result<Vec<TokenEvent>, Refusal> {
    if token.status(now) == Status::Expired {
        return Err(Refusal::Expired);
    }
    if rotate.grace < TimeDelta::zero() || rotate.grace > MAX_GRACE {
        return Err(Refusal::Grace);
    }
    Ok(vec![TokenEvent::Rotated(TokenRotated {
        token_prefix: rotate.token_prefix.clone(),
        secret_hash: rotate.secret_hash,
        previous_valid_until: now + rotate.grace,
    })])
}
