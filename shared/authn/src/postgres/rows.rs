//! The statements, and their rows as facts.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgConnection;
use tollkeeper_domain::account::{self, Role};
use tollkeeper_domain::ids::{AccountId, TokenId};
use tollkeeper_domain::network::{Network, NetworkSet};
use tollkeeper_domain::quota::Quotas;
use tollkeeper_domain::rate_limit::RateLimits;
use tollkeeper_domain::scope::ScopeSet;
use tollkeeper_domain::secret::SecretHash;
use tollkeeper_domain::token::{self, Restrictions};

use crate::facts::{AccountFacts, TokenFacts};
use crate::feed::{FeedEvent, LogHead, LoggedEvent};
use crate::source::{Found, Lookup, SourceError};

pub(super) const NO_HEAD: SourceError = SourceError::Corrupt("the log has no head");
const INCOMPLETE: SourceError = SourceError::Corrupt("a token or account breaks its schema");

/// Tokens, accounts and the log's head in the one snapshot of one statement.
///
/// # Errors
/// [`SourceError`] if the primary does not answer, or a replica does.
pub async fn tokens(
    connection: &mut PgConnection,
    digests: &[SecretHash],
) -> Result<Lookup, SourceError> {
    let wanted: Vec<Vec<u8>> = digests.iter().map(|digest| digest.0.to_vec()).collect();
    // The head stands on the left so that it is known even if no digest is.
    let rows = sqlx::query!(
        r#"
        select
            head.position as "head_position!",
            head.hash as "head_hash!",
            head.generation as "head_generation!",
            pg_is_in_recovery() as "replica!",
            secret.secret_hash as "secret_hash?",
            secret.valid_until as "secret_valid_until?",
            token.id as "token_id?",
            token.environment as "environment?",
            token.scopes as "scopes?",
            token.allowed_cidrs as "allowed_cidrs?",
            token.rate_limits as "rate_limits?",
            token.quotas as "quotas?",
            token.not_before as "not_before?",
            token.expires_at as "expires_at?",
            token.state as "token_state?",
            token.version as "token_version?",
            account.id as "account_id?",
            account.role as "role?",
            account.state as "account_state?",
            account.version as "account_version?",
            account.rate_limits as "account_rate_limits?",
            account.quotas as "account_quotas?"
        from event_log_head as head
        left join (
            api_token_secrets as secret
            join api_tokens as token on token.id = secret.token_id
            join accounts as account on account.id = token.account_id
        ) on secret.secret_hash = any($1)
        "#,
        &wanted,
    )
    .fetch_all(connection)
    .await
    .map_err(database)?;

    let first = rows.first().ok_or(NO_HEAD)?;
    primary_only(first.replica)?;
    let head = log_head(first.head_position, &first.head_hash, first.head_generation)?;
    let mut found = Vec::with_capacity(rows.len());
    for row in rows {
        let Some(secret_hash) = row.secret_hash else {
            continue;
        };
        let account_id = AccountId(row.account_id.ok_or(INCOMPLETE)?);
        let environment = row.environment.and_then(|text| text.parse().ok());
        found.push(Found {
            digest: SecretHash(bytes(&secret_hash)?),
            token: TokenFacts {
                token_id: TokenId(row.token_id.ok_or(INCOMPLETE)?),
                account_id,
                version: number(row.token_version.ok_or(INCOMPLETE)?)?,
                environment: environment.ok_or(INCOMPLETE)?,
                scopes: scopes(&row.scopes.ok_or(INCOMPLETE)?),
                not_before: row.not_before.map(micros),
                expires_at: row.expires_at.map(micros),
                secret_valid_until: row.secret_valid_until.map(micros),
                lifecycle: match row.token_state.as_deref() {
                    Some("active") => token::Lifecycle::Active,
                    Some("suspended") => token::Lifecycle::Suspended,
                    Some("revoked") => token::Lifecycle::Revoked,
                    _ => return Err(INCOMPLETE),
                },
                restrictions: restrictions(
                    &row.allowed_cidrs.ok_or(INCOMPLETE)?,
                    row.rate_limits.ok_or(INCOMPLETE)?,
                    row.quotas.ok_or(INCOMPLETE)?,
                )?,
            },
            account: AccountFacts {
                account_id,
                version: number(row.account_version.ok_or(INCOMPLETE)?)?,
                lifecycle: match row.account_state.as_deref() {
                    Some("active") => account::Lifecycle::Active,
                    Some("suspended") => account::Lifecycle::Suspended,
                    Some("deleted") => account::Lifecycle::Deleted,
                    _ => return Err(INCOMPLETE),
                },
                role: match row.role.as_deref() {
                    Some("user") => Role::User,
                    Some("system") => Role::System,
                    _ => return Err(INCOMPLETE),
                },
                rate_limits: {
                    let limits = rate_limits(row.account_rate_limits.ok_or(INCOMPLETE)?)?;
                    (!limits.is_empty()).then(|| Arc::new(limits))
                },
                quotas: {
                    let quotas = quotas(row.account_quotas.ok_or(INCOMPLETE)?)?;
                    (!quotas.is_empty()).then(|| Arc::new(quotas))
                },
            },
        });
    }
    Ok(Lookup { head, found })
}

/// The secrets of the tokens that were used last, by the hour.
pub(super) async fn recently_used(
    connection: &mut PgConnection,
    most: usize,
) -> Result<Vec<SecretHash>, SourceError> {
    let digests = sqlx::query_scalar!(
        "select secret.secret_hash
         from (
            select token_id, last_used_hour from api_token_usage_totals
            where last_used_hour is not null
            order by last_used_hour desc
            limit $1
         ) as used
         join api_token_secrets as secret on secret.token_id = used.token_id
            and (secret.valid_until is null or secret.valid_until > clock_timestamp())
         order by used.last_used_hour desc
         limit $1",
        i64::try_from(most).unwrap_or(i64::MAX),
    )
    .fetch_all(connection)
    .await
    .map_err(database)?;
    digests
        .iter()
        .map(|digest| Ok(SecretHash(bytes(digest)?)))
        .collect()
}

/// A page of the log: up to `limit` events that follow `position`.
///
/// # Errors
/// [`SourceError`] if the primary does not answer.
pub async fn events(
    connection: &mut PgConnection,
    position: u64,
    limit: usize,
) -> Result<Vec<LoggedEvent>, SourceError> {
    let rows = sqlx::query!(
        "select position, stream_type, stream_id, stream_version, type as event_type, payload, \
            recorded_at, hash \
         from events where position > $1 order by position limit $2",
        i64::try_from(position).unwrap_or(i64::MAX),
        i64::try_from(limit).unwrap_or(i64::MAX),
    )
    .fetch_all(connection)
    .await
    .map_err(database)?;
    rows.into_iter()
        .map(|row| {
            Ok(LoggedEvent {
                hash: bytes(&row.hash)?,
                hides_secrets: false,
                event: FeedEvent {
                    recorded_at_micros: Some(micros(row.recorded_at)),
                    ..FeedEvent::of(
                        number(row.position)?,
                        &row.stream_type,
                        row.stream_id,
                        number(row.stream_version)?,
                        &row.event_type,
                        &row.payload,
                    )
                },
            })
        })
        .collect()
}

pub(super) fn database(error: sqlx::Error) -> SourceError {
    SourceError::Database(Box::new(error))
}

/// A replica may lag behind, and revocation rests on reads that do not.
pub(super) fn primary_only(replica: bool) -> Result<(), SourceError> {
    if replica {
        return Err(SourceError::Replica);
    }
    Ok(())
}

pub(super) fn log_head(
    position: i64,
    hash: &[u8],
    generation: i64,
) -> Result<LogHead, SourceError> {
    Ok(LogHead {
        position: number(position)?,
        hash: bytes(hash)?,
        generation: number(generation)?,
    })
}

fn bytes(hash: &[u8]) -> Result<[u8; 32], SourceError> {
    hash.try_into()
        .map_err(|_| SourceError::Corrupt("a hash is not 32 bytes long"))
}

fn number(number: i64) -> Result<u64, SourceError> {
    u64::try_from(number).map_err(|_| SourceError::Corrupt("a version or position is negative"))
}

fn micros(at: DateTime<Utc>) -> i64 {
    at.timestamp_micros()
}

/// Networks, limits or quotas that cannot be read must not make a token free that was bound.
fn restrictions(
    networks: &[String],
    limits: Value,
    uses: Value,
) -> Result<Option<Box<Restrictions>>, SourceError> {
    let parsed = networks.iter().map(|text| text.parse::<Network>());
    let networks: Vec<Network> = parsed.collect::<Result<_, _>>().map_err(|_| INCOMPLETE)?;
    let restrictions = Restrictions {
        allowed_cidrs: NetworkSet::try_from(networks).map_err(|_| INCOMPLETE)?,
        rate_limits: rate_limits(limits)?,
        quotas: quotas(uses)?,
    };
    Ok((!restrictions.is_none()).then(|| Box::new(restrictions)))
}

fn rate_limits(limits: Value) -> Result<RateLimits, SourceError> {
    serde_json::from_value(limits).map_err(|_| INCOMPLETE)
}

fn quotas(quotas: Value) -> Result<Quotas, SourceError> {
    serde_json::from_value(quotas).map_err(|_| INCOMPLETE)
}

/// A text that has not the form of a scope allows nothing, and must not make tokens unreadable.
fn scopes(texts: &[String]) -> ScopeSet {
    texts.iter().filter_map(|text| text.parse().ok()).collect()
}
