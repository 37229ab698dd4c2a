//! What a failed statement means for the batch it was part of.

use thiserror::Error;

/// Why a transaction did not happen.
#[derive(Debug, Error)]
pub enum Fault {
    /// The data itself was refused, by a type (class 22) or a constraint (class 23). Trying again
    /// changes nothing.
    #[error("the database refuses the data (SQLSTATE {code})")]
    Refused {
        /// The SQLSTATE.
        code: String,
        /// The constraint's name, or what else the database said. For the dead letters.
        detail: String,
    },
    /// A row's day has no partition: it was dropped meanwhile, or never made.
    #[error("a day of raw usage has no partition")]
    NoPartition,
    /// Anything else: the connection, a deadlock, a full disk. Trying again may help.
    #[error(transparent)]
    Passing(sqlx::Error),
}

impl From<sqlx::Error> for Fault {
    fn from(error: sqlx::Error) -> Self {
        let Some(database) = error.as_database_error() else {
            return Self::Passing(error);
        };
        let code = database.code().unwrap_or_default().into_owned();
        match (code.as_str(), database.constraint()) {
            // A check violation of no constraint is a row that fits no partition.
            ("23514", None) => Self::NoPartition,
            (refused, constraint) if refused.starts_with("22") || refused.starts_with("23") => {
                let detail = constraint.unwrap_or(database.message()).to_owned();
                Self::Refused { code, detail }
            }
            _ => Self::Passing(error),
        }
    }
}
