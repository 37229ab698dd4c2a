//! Why a command comes to nothing, and what the client is told.

use tollkeeper_authn::FeedEvent;
use tollkeeper_domain::ids::AccountId;
use tollkeeper_domain::verdict::Verdict;
use tollkeeper_domain::{BrokenHistory, account, authority::Beyond, token};
use tollkeeper_event_store::{AppendError, ReadError};
use tollkeeper_read_model::replay::ReplayError;

use crate::http::problem::Problem;

/// Why a command comes to nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommandError {
    /// There is nothing of this id within the caller's reach.
    #[error("no such {0}")]
    NotFound(&'static str),
    /// The caller has seen another version.
    #[error("the version is {0} by now")]
    VersionMismatch(u64),
    /// The token's rules refuse it.
    #[error(transparent)]
    Token(#[from] token::Refusal),
    /// The account's rules refuse it.
    #[error(transparent)]
    Account(#[from] account::Refusal),
    /// The caller's own token does not reach so far.
    #[error(transparent)]
    Beyond(#[from] Beyond),
    /// The account is suspended, deleted or not there.
    #[error("account {0} is not active")]
    AccountNotActive(AccountId),
    /// The account has as many live tokens as it may.
    #[error("the account has as many live tokens as it may")]
    TooManyTokens(AccountId),
    /// The caller's token, or its account, has ended while the command waited.
    #[error("the token that you used does not work any more")]
    CallerEnded(Verdict),
    /// Another account has this external id.
    #[error("another account has this external id, or had it when it was deleted")]
    ExternalIdTaken,
    /// Another account has this identity already.
    #[error("another account has this identity")]
    IdentityTaken,
    /// A token has this secret already, or had it once.
    #[error("tokens with these hashes are known already")]
    HashTaken,
    /// Somebody else carries out the request with this idempotency key by now.
    #[error("the reservation of the idempotency key is lost")]
    ReservationLost,
    /// Somebody else was faster; decide again on what is now.
    #[error("the stream has moved on")]
    Conflict,
    /// Others change the same thing all the time. Nothing was done.
    #[error("others are changing this all the time; try again")]
    Busy,
    /// The log cannot be written now.
    #[error("{0}")]
    Unavailable(String),
    /// The log cannot be read now.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    /// Our own fault.
    #[error("{0}")]
    Internal(String),
}

impl From<AppendError> for CommandError {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::AccountNotActive(id) => Self::AccountNotActive(id),
            AppendError::TooManyTokens(id) => Self::TooManyTokens(id),
            AppendError::Refused(constraint) => match constraint.as_str() {
                "accounts_external_id_key" => Self::ExternalIdTaken,
                "accounts_identity_key" => Self::IdentityTaken,
                "api_token_secrets_pkey" => Self::HashTaken,
                _ => Self::Internal(format!("constraint {constraint} refused a row")),
            },
            AppendError::Unavailable(why) => Self::Unavailable(why),
            AppendError::Conflict => Self::Conflict,
            AppendError::ActorEnded(why) => Self::CallerEnded(why),
            AppendError::ReservationLost => Self::ReservationLost,
            AppendError::Canonical(_) | AppendError::TooLarge => Self::Internal(error.to_string()),
        }
    }
}

impl From<ReadError> for CommandError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Database(error) => Self::Database(error),
            ReadError::Unreadable { .. } | ReadError::Damaged { .. } => {
                Self::Internal(error.to_string())
            }
        }
    }
}

impl From<ReplayError> for CommandError {
    fn from(error: ReplayError) -> Self {
        Self::Internal(error.to_string())
    }
}

impl From<BrokenHistory> for CommandError {
    fn from(error: BrokenHistory) -> Self {
        Self::Internal(error.to_string())
    }
}

impl From<serde_json::Error> for CommandError {
    fn from(error: serde_json::Error) -> Self {
        Self::Internal(error.to_string())
    }
}

impl From<CommandError> for Problem {
    fn from(error: CommandError) -> Self {
        let text = error.to_string();
        match error {
            CommandError::NotFound(what) => Self::not_found(what),
            CommandError::VersionMismatch(current) => Self::version_mismatch(current),
            CommandError::Token(refusal) => match refusal {
                token::Refusal::Unknown => Self::not_found("token"),
                token::Refusal::NoSuchQuota => Self::not_found("quota"),
                token::Refusal::Exists => Self::internal("a new id was used before"),
                token::Refusal::Revoked => Self::conflict("TOKEN_REVOKED", text),
                token::Refusal::Expired => Self::conflict("TOKEN_EXPIRED", text),
                token::Refusal::TooManyScopes => Self::bad_field("/scopes", text),
                token::Refusal::Grace => Self::bad_field("/grace_seconds", text),
                token::Refusal::Validity(token::BadField::NeverValid) => {
                    Self::bad_field("/not_before", text)
                }
                token::Refusal::Validity(token::BadField::OutOfCalendar(field)) => {
                    Self::bad_field(&format!("/{field}"), text)
                }
                token::Refusal::Validity(_) => Self::bad_field("/expires_at", text),
            },
            CommandError::Account(refusal) => match refusal {
                account::Refusal::Unknown => Self::not_found("account"),
                account::Refusal::NoSuchQuota => Self::not_found("quota"),
                account::Refusal::Exists => Self::internal("a new id was used before"),
                account::Refusal::Deleted => Self::conflict("ACCOUNT_DELETED", text),
                account::Refusal::Name => Self::bad_field("/external_id", text),
                account::Refusal::SystemRole => Self::bad_field("/role", text),
            },
            CommandError::Beyond(_) => Self::forbidden("BEYOND_AUTHORITY", text),
            CommandError::AccountNotActive(_) => {
                Self::conflict("ACCOUNT_NOT_ACTIVE", "the account is suspended or deleted")
            }
            CommandError::TooManyTokens(_) => Self::conflict("TOO_MANY_TOKENS", text),
            CommandError::CallerEnded(why) => Self::bad_credential(why.code(), text),
            CommandError::ExternalIdTaken => Self::conflict("EXTERNAL_ID_TAKEN", text),
            // Who registers an identity takes the account that is there.
            CommandError::IdentityTaken => Self::internal(text),
            CommandError::HashTaken => Self::conflict("DUPLICATE_HASHES", text),
            CommandError::ReservationLost => Self::in_flight(),
            CommandError::Busy => Self::conflict("BUSY", text).with_retry(),
            // A new stream has nobody to lose against, and the others decide again.
            CommandError::Conflict => Self::internal(text),
            CommandError::Unavailable(_) => Self::unavailable(text),
            CommandError::Database(error) => error.into(),
            CommandError::Internal(_) => Self::internal(text),
        }
    }
}

/// Events as the verifiers hear of them.
pub(super) type Announced = Vec<FeedEvent>;
