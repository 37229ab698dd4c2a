//! What can be asked about tokens and accounts: one file a table, with what is projected into it
//! and the queries that read it side by side.
//!
//! Rows are written only in the transaction that appends the events they come from, but for those of
//! usage, which the ingestor writes and whose sums [`rollups`] puts right, and for reports of usage, which the
//! API takes in. Queries that touch an account's data take a [`Reach`], so that none can forget whose data
//! it may see.

pub mod accounts;
pub mod audit;
pub mod erasures;
pub mod expiry;
pub mod nodes;
pub mod people;
pub mod quota_balances;
pub mod rebuild;
pub mod replay;
pub mod revocations;
pub mod rollups;
pub mod standby;
pub mod tokens;
pub mod usage;

use tollkeeper_domain::ids::AccountId;
use uuid::Uuid;

/// Whose data a query may see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Everybody's.
    All,
    /// This account's.
    Account(AccountId),
}

impl Reach {
    /// The one account, or null for all.
    #[must_use]
    pub fn account(self) -> Option<Uuid> {
        match self {
            Self::All => None,
            Self::Account(id) => Some(id.0),
        }
    }

    /// Whether data of `account` may be seen.
    #[must_use]
    pub fn includes(self, account: AccountId) -> bool {
        self == Self::All || self == Self::Account(account)
    }
}

/// A stored value that the domain does not know, which no writer of ours writes.
#[derive(Debug, thiserror::Error)]
#[error("column {column} holds a value that is not known")]
struct UnknownValue {
    column: &'static str,
}

/// A decoding error of the database driver for such a value.
fn unknown(column: &'static str) -> sqlx::Error {
    sqlx::Error::Decode(Box::new(UnknownValue { column }))
}
