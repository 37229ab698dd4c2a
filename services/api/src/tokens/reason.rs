//! The reasons that a caller may give for a revocation.

use serde::Deserialize;
use tollkeeper_domain::token::RevocationReason;
use utoipa::ToSchema;

/// Why a token is to be revoked. That its account was deleted is for Tollkeeper alone to say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum GivenReason {
    /// Nobody said.
    #[default]
    Unspecified,
    /// Somebody else may know the secret.
    KeyCompromise,
    /// The holder may no longer do what it allowed.
    PrivilegeWithdrawn,
    /// Another token took its place.
    Superseded,
    /// What used it is no more.
    CessationOfOperation,
    /// It was found where everybody can read it.
    Leaked,
}

impl From<GivenReason> for RevocationReason {
    fn from(reason: GivenReason) -> Self {
        match reason {
            GivenReason::Unspecified => Self::Unspecified,
            GivenReason::KeyCompromise => Self::KeyCompromise,
            GivenReason::PrivilegeWithdrawn => Self::PrivilegeWithdrawn,
            GivenReason::Superseded => Self::Superseded,
            GivenReason::CessationOfOperation => Self::CessationOfOperation,
            GivenReason::Leaked => Self::Leaked,
        }
    }
}
