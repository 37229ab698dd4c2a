//! What a token is after one more fact.

use chrono::{DateTime, Utc};

use super::event::TokenEvent;
use super::expiry::notice_at;
use super::fields::Validity;
use super::state::{Lifecycle, Secret, Token};
use crate::BrokenHistory;
use crate::ids::TokenId;

/// Applies one event that occurred at `at` to the token `id`.
///
/// # Errors
/// [`BrokenHistory`] if the event cannot follow on what was before: the log is damaged.
pub fn evolve(
    token: Option<Token>,
    id: TokenId,
    event: &TokenEvent,
    at: DateTime<Utc>,
) -> Result<Token, BrokenHistory> {
    let mut token = match (token, event) {
        (None, TokenEvent::Issued(issued) | TokenEvent::Imported(issued)) => {
            return Ok(Token {
                id,
                account_id: issued.account_id,
                name: issued.name.clone(),
                environment: issued.environment,
                token_prefix: issued.token_prefix.clone(),
                secrets: vec![Secret {
                    hash: issued.secret_hash,
                    valid_until: None,
                }],
                scopes: issued.scopes.clone(),
                metadata: issued.metadata.clone(),
                validity: Validity {
                    not_before: issued.not_before,
                    expires_at: issued.expires_at,
                },
                restrictions: issued.restrictions(),
                quota_generation: issued.quotas.newest_generation(),
                lifecycle: Lifecycle::Active,
                revocation_reason: None,
                revoked_at: None,
                expiry_notice: issued.expires_at.and_then(|end| notice_at(end - at)),
                issued_by: issued.issued_by,
                created_at: at,
                updated_at: at,
                version: 1,
            });
        }
        (None, _) => return Err(BrokenHistory::NotBegun(id.0)),
        (Some(_), TokenEvent::Issued(_) | TokenEvent::Imported(_)) => {
            return Err(BrokenHistory::BegunTwice(id.0));
        }
        (Some(token), _) => token,
    };
    match event {
        TokenEvent::Issued(_) | TokenEvent::Imported(_) => {}
        TokenEvent::Renamed(it) => token.name = it.name.clone(),
        TokenEvent::ScopesChanged(it) => token.scopes = it.scopes.clone(),
        TokenEvent::ExpiryChanged(it) => {
            token.validity = Validity {
                not_before: it.not_before,
                expires_at: it.expires_at,
            };
            token.expiry_notice = it.expires_at.and_then(|end| notice_at(end - at));
        }
        TokenEvent::RestrictionsChanged(it) => {
            token.restrictions = it.clone();
            let newest = it.quotas.newest_generation();
            token.quota_generation = token.quota_generation.max(newest);
        }
        TokenEvent::QuotaRefilled(it) => {
            token.restrictions.quotas.renew(&it.name, it.generation);
            token.quota_generation = token.quota_generation.max(it.generation);
        }
        TokenEvent::MetadataChanged(it) => token.metadata = it.metadata.clone(),
        TokenEvent::Rotated(it) => {
            let end = it.previous_valid_until;
            for secret in &mut token.secrets {
                let sooner = secret.valid_until.map_or(end, |until| until.min(end));
                secret.valid_until = Some(sooner);
            }
            token.secrets.push(Secret {
                hash: it.secret_hash,
                valid_until: None,
            });
            token.token_prefix = it.token_prefix.clone();
        }
        TokenEvent::Suspended(_) => token.lifecycle = Lifecycle::Suspended,
        TokenEvent::Resumed(_) => token.lifecycle = Lifecycle::Active,
        TokenEvent::Revoked(it) => {
            token.lifecycle = Lifecycle::Revoked;
            token.revocation_reason = Some(it.reason);
            token.revoked_at = Some(at);
        }
        TokenEvent::Expiring(it) => token.expiry_notice = Some(it.days),
    }
    token.updated_at = at;
    token.version += 1;
    Ok(token)
}
