//! Who calls, and what they may do. A handler names the privilege it needs in its signature, so
//! that it cannot be reached without.

pub(crate) mod jwks;
pub(crate) mod jwt;
mod own_account;
mod person;
mod privilege;

pub(crate) use own_account::OwnAccount;
pub(crate) use privilege::{
    AccountsRead, AccountsWrite, Allowed, CompletenessRead, EventsRead, NodesRead, Privilege,
    TokensRead, TokensWrite, UsageRead, UsageWrite, Verify, WebhooksFeed, WebhooksWrite, identify,
};

use tollkeeper_domain::account::{Identity, Lifecycle, Role};
use tollkeeper_domain::authority::Authority;
use tollkeeper_domain::ids::{AccountId, TokenId};
use tollkeeper_domain::scope::ScopeSet;
use tollkeeper_read_model::Reach;
use uuid::Uuid;

use crate::http::problem::Problem;

/// Who calls.
#[derive(Debug, Clone)]
pub(crate) enum Caller {
    /// Somebody with an operator key.
    Operator {
        /// The key's name.
        name: String,
    },
    /// Somebody with an API token.
    Token {
        /// The token.
        id: TokenId,
        /// Its owner.
        account_id: AccountId,
        /// What the owner is for.
        role: Role,
        /// What the token may be used for.
        scopes: ScopeSet,
        /// What it may hand on.
        authority: Authority,
    },
    /// Somebody with a JWT.
    Account {
        /// Who that is to the issuer.
        identity: Identity,
        /// Their account, once they have one.
        account_id: Option<AccountId>,
        /// What they may hand on.
        authority: Authority,
    },
}

impl Caller {
    /// How the log names the caller.
    pub(crate) fn actor(&self) -> String {
        match self {
            Self::Operator { name } => format!("operator:{name}"),
            Self::Token { id, .. } => format!("token:{id}"),
            Self::Account {
                account_id: Some(id),
                ..
            } => format!("account:{id}"),
            Self::Account {
                account_id: None, ..
            } => "account:new".to_owned(),
        }
    }

    /// Whether the caller may do what this management scope allows.
    pub(crate) fn has(&self, scope: &str) -> bool {
        match self {
            Self::Operator { .. } => true,
            Self::Token { scopes, .. } => scopes.covers(scope),
            Self::Account { .. } => false,
        }
    }

    /// The account that the caller belongs to, where there is one.
    pub(crate) const fn account_id(&self) -> Option<AccountId> {
        match self {
            Self::Operator { .. } => None,
            Self::Token { account_id, .. } => Some(*account_id),
            Self::Account { account_id, .. } => *account_id,
        }
    }

    /// Whose data the caller may see.
    pub(crate) fn reach(&self) -> Reach {
        match self {
            Self::Operator { .. }
            | Self::Token {
                role: Role::System, ..
            } => Reach::All,
            Self::Token { account_id, .. } => Reach::Account(*account_id),
            // Nobody owns the nil id: an account that is not registered yet sees nothing.
            Self::Account { account_id, .. } => {
                Reach::Account(account_id.unwrap_or(AccountId(Uuid::nil())))
            }
        }
    }

    /// What the caller may hand on; none if that has no bounds.
    pub(crate) fn authority(&self) -> Option<&Authority> {
        match self {
            Self::Token { authority, .. } | Self::Account { authority, .. } => Some(authority),
            Self::Operator { .. } => None,
        }
    }

    /// The token that is used, if one is.
    pub(crate) fn token_id(&self) -> Option<TokenId> {
        match self {
            Self::Token { id, .. } => Some(*id),
            Self::Operator { .. } | Self::Account { .. } => None,
        }
    }
}

/// Whether the holder of an account in this state may call.
///
/// # Errors
/// 403 that says why not.
fn must_be_active(account: Lifecycle) -> Result<(), Problem> {
    let (code, detail) = match account {
        Lifecycle::Active => return Ok(()),
        Lifecycle::Suspended => ("ACCOUNT_SUSPENDED", "the account is suspended"),
        // It is not born again.
        Lifecycle::Deleted => ("ACCOUNT_DELETED", "the account is deleted"),
    };
    Err(Problem::forbidden(code, detail))
}
