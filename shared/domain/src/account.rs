//! The life of an account: the owner of tokens.
//!
//! Names and e-mail addresses are not here: they live beside the log, so that an account can be
//! erased while the log stays whole.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::BrokenHistory;
use crate::ids::AccountId;
use crate::quota::{NewQuotas, QuotaRefilled, Quotas};
use crate::rate_limit::RateLimits;

/// The longest external id, issuer or subject, in characters.
const MAX_NAME_CHARACTERS: usize = 255;

/// What an account is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Its tokens act within it.
    #[default]
    User,
    /// Its tokens act across accounts, as gateways need.
    System,
}

impl Role {
    /// The role as it stands in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::System => "system",
        }
    }
}

/// Who an account is to a JWT issuer.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// The `iss` claim.
    pub issuer: String,
    /// The `sub` claim.
    pub subject: String,
}

/// Something asked of one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Let it come into being.
    Register(AccountRegistered),
    /// Change what can be changed; what is `None` stays as it is.
    Change {
        /// The new name by which the operator knows it, or none.
        external_id: Option<Option<String>>,
        /// The new role.
        role: Option<Role>,
        /// The new limit of live tokens, or that of the installation.
        token_limit: Option<Option<u32>>,
        /// All rate limits from now on.
        rate_limits: Option<RateLimits>,
        /// All quotas from now on.
        quotas: Option<NewQuotas>,
        /// Whether personal data, which is kept beside the log, changes with it.
        profile_changes: bool,
    },
    /// Let its quota of this name be full again.
    RefillQuota(Box<str>),
    /// Deny all its tokens.
    Suspend,
    /// Let its tokens work again.
    Resume,
    /// End it.
    Delete,
}

/// One fact in the life of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", content = "payload")]
#[allow(missing_docs, reason = "each variant's payload says what it is")]
pub enum AccountEvent {
    #[serde(rename = "AccountRegistered")]
    Registered(AccountRegistered),
    #[serde(rename = "AccountChanged")]
    Changed(AccountChanged),
    #[serde(rename = "AccountQuotaRefilled")]
    QuotaRefilled(QuotaRefilled),
    #[serde(rename = "AccountSuspended")]
    Suspended(Empty),
    #[serde(rename = "AccountResumed")]
    Resumed(Empty),
    #[serde(rename = "AccountDeleted")]
    Deleted(Empty),
}

/// A fact that says everything by its name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Empty {}

/// An account came into being.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountRegistered {
    /// The name by which the operator knows it. Not for personal data.
    pub external_id: Option<String>,
    /// Who it is to a JWT issuer, if it was registered by one.
    pub identity: Option<Identity>,
    /// What it is for.
    pub role: Role,
    /// How many live tokens it may have; none for the installation's own limit,
    /// 0 for no limit.
    pub token_limit: Option<u32>,
    /// How much all its tokens together may do in how much time.
    pub rate_limits: RateLimits,
    /// How many uses all its tokens together have.
    pub quotas: Quotas,
}

/// An account is known or used in another way, or its personal data changed, which is not told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountChanged {
    /// The name by which the operator knows it.
    pub external_id: Option<String>,
    /// What it is for.
    pub role: Role,
    /// How many live tokens it may have; none for the installation's own limit,
    /// 0 for no limit.
    pub token_limit: Option<u32>,
    /// How much all its tokens together may do in how much time.
    pub rate_limits: RateLimits,
    /// How many uses all its tokens together have.
    pub quotas: Quotas,
}

/// What was decided about an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = AccountState, description = "What was decided about an account."))]
#[serde(rename_all = "snake_case")]
pub enum Lifecycle {
    /// Its tokens may work.
    Active,
    /// None of its tokens works until it is resumed.
    Suspended,
    /// It is gone for good; only this tombstone is left.
    Deleted,
}

impl Lifecycle {
    /// The state as it stands in JSON and in the tables.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Deleted => "deleted",
        }
    }
}

/// An account as all its events have made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its name for machines.
    pub id: AccountId,
    /// The name by which the operator knows it.
    pub external_id: Option<String>,
    /// Who it is to a JWT issuer.
    pub identity: Option<Identity>,
    /// What it is for.
    pub role: Role,
    /// How many live tokens it may have; none for the installation's own limit,
    /// 0 for no limit.
    pub token_limit: Option<u32>,
    /// How much all its tokens together may do in how much time.
    pub rate_limits: RateLimits,
    /// How many uses all its tokens together have.
    pub quotas: Quotas,
    /// The greatest generation that a quota of its ever had; 0 if none had one.
    pub quota_generation: u32,
    /// What was decided about it.
    pub lifecycle: Lifecycle,
    /// When it came into being.
    pub created_at: DateTime<Utc>,
    /// When the last thing happened to it.
    pub updated_at: DateTime<Utc>,
    /// How many events it has had.
    pub version: u64,
}

/// Why a command comes to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no such account.
    #[error("there is no such account")]
    Unknown,
    /// There is one by this id already.
    #[error("an account with this id exists already")]
    Exists,
    /// A deleted account stays as it is.
    #[error("the account is deleted")]
    Deleted,
    /// A name by which others know it is empty, too long or holds control characters.
    #[error(
        "`external_id`, issuer and subject have 1 to {MAX_NAME_CHARACTERS} characters, none of them a control character"
    )]
    Name,
    /// Holders of a JWT give their own tokens scopes, which would then reach every account.
    #[error("an account that belongs to a JWT's subject cannot be a system account")]
    SystemRole,
    /// It has no such quota.
    #[error("there is no such quota")]
    NoSuchQuota,
}

/// Decides what follows from `command`. No event means that things are so already.
///
/// # Errors
/// A [`Refusal`] that says why nothing follows.
pub fn decide(account: Option<&Account>, command: &Command) -> Result<Vec<AccountEvent>, Refusal> {
    let account = match (account, command) {
        (None, Command::Register(it)) => {
            let identity = it
                .identity
                .iter()
                .flat_map(|who| [&who.issuer, &who.subject]);
            it.external_id
                .iter()
                .chain(identity)
                .try_for_each(|name| check_external_id(name))?;
            return Ok(vec![AccountEvent::Registered(it.clone())]);
        }
        (Some(_), Command::Register(_)) => return Err(Refusal::Exists),
        (None, _) => return Err(Refusal::Unknown),
        (Some(account), _) => account,
    };
    match (command, account.lifecycle) {
        (Command::Delete, Lifecycle::Deleted) => Ok(Vec::new()),
        (_, Lifecycle::Deleted) => Err(Refusal::Deleted),
        (Command::Register(_), _) => Err(Refusal::Exists),
        (
            Command::Change {
                external_id,
                role,
                token_limit,
                rate_limits,
                quotas,
                profile_changes,
            },
            _,
        ) => {
            let changed = AccountChanged {
                external_id: external_id
                    .clone()
                    .unwrap_or_else(|| account.external_id.clone()),
                role: role.unwrap_or(account.role),
                token_limit: token_limit.unwrap_or(account.token_limit),
                rate_limits: rate_limits
                    .clone()
                    .unwrap_or_else(|| account.rate_limits.clone()),
                quotas: match quotas {
                    Some(asked) => account.quotas.becoming(asked, account.quota_generation),
                    None => account.quotas.clone(),
                },
            };
            changed
                .external_id
                .iter()
                .try_for_each(|name| check_external_id(name))?;
            let promoted = changed.role == Role::System && account.role != Role::System;
            if promoted && account.identity.is_some() {
                return Err(Refusal::SystemRole);
            }
            let same = changed.external_id == account.external_id
                && changed.role == account.role
                && changed.token_limit == account.token_limit
                && changed.rate_limits == account.rate_limits
                && changed.quotas == account.quotas;
            if same && !profile_changes {
                return Ok(Vec::new());
            }
            Ok(vec![AccountEvent::Changed(changed)])
        }
        (Command::RefillQuota(name), _) => {
            account.quotas.get(name).ok_or(Refusal::NoSuchQuota)?;
            Ok(vec![AccountEvent::QuotaRefilled(QuotaRefilled {
                name: name.clone(),
                generation: account.quota_generation + 1,
            })])
        }
        (Command::Suspend, Lifecycle::Active) => Ok(vec![AccountEvent::Suspended(Empty {})]),
        (Command::Resume, Lifecycle::Suspended) => Ok(vec![AccountEvent::Resumed(Empty {})]),
        (Command::Suspend | Command::Resume, _) => Ok(Vec::new()),
        (Command::Delete, _) => Ok(vec![AccountEvent::Deleted(Empty {})]),
    }
}

/// Checks an external id: 1 to 255 characters, none of them a control character.
///
/// # Errors
/// [`Refusal::Name`] if it is not.
pub fn check_external_id(name: &str) -> Result<(), Refusal> {
    let fits = (1..=MAX_NAME_CHARACTERS).contains(&name.chars().count());
    if fits && !name.chars().any(char::is_control) {
        Ok(())
    } else {
        Err(Refusal::Name)
    }
}

/// Applies one event that occurred at `at` to the account `id`.
///
/// # Errors
/// [`BrokenHistory`] if the event cannot follow on what was before: the log is damaged.
pub fn evolve(
    account: Option<Account>,
    id: AccountId,
    event: &AccountEvent,
    at: DateTime<Utc>,
) -> Result<Account, BrokenHistory> {
    let mut account = match (account, event) {
        (None, AccountEvent::Registered(it)) => {
            return Ok(Account {
                id,
                external_id: it.external_id.clone(),
                identity: it.identity.clone(),
                role: it.role,
                token_limit: it.token_limit,
                rate_limits: it.rate_limits.clone(),
                quotas: it.quotas.clone(),
                quota_generation: it.quotas.newest_generation(),
                lifecycle: Lifecycle::Active,
                created_at: at,
                updated_at: at,
                version: 1,
            });
        }
        (None, _) => return Err(BrokenHistory::NotBegun(id.0)),
        (Some(_), AccountEvent::Registered(_)) => return Err(BrokenHistory::BegunTwice(id.0)),
        (Some(account), _) => account,
    };
    match event {
        AccountEvent::Registered(_) => {}
        AccountEvent::Changed(it) => {
            account.external_id = it.external_id.clone();
            account.role = it.role;
            account.token_limit = it.token_limit;
            account.rate_limits = it.rate_limits.clone();
            account.quotas = it.quotas.clone();
            let newest = it.quotas.newest_generation();
            account.quota_generation = account.quota_generation.max(newest);
        }
        AccountEvent::QuotaRefilled(it) => {
            account.quotas.renew(&it.name, it.generation);
            account.quota_generation = account.quota_generation.max(it.generation);
        }
        AccountEvent::Suspended(_) => account.lifecycle = Lifecycle::Suspended,
        AccountEvent::Resumed(_) => account.lifecycle = Lifecycle::Active,
        AccountEvent::Deleted(_) => account.lifecycle = Lifecycle::Deleted,
    }
    account.updated_at = at;
    account.version += 1;
    Ok(account)
}
