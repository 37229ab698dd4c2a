//! What a check of a token can come to. The codes are part of the public format.

use std::fmt;

/// The outcome of one check, in the order the checks are made.
///
/// The discriminants are stored in usage records and never change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "openapi",
    derive(utoipa::ToSchema),
    schema(
        rename_all = "SCREAMING_SNAKE_CASE",
        description = "What a check came to; the first that applies, in the order of the checks."
    )
)]
#[repr(u8)]
pub enum Verdict {
    /// The token may pass.
    Valid = 0,
    /// The shape or the checksum is wrong; nothing was looked up.
    Malformed = 1,
    /// No such token.
    NotFound = 2,
    /// Revoked for good.
    Revoked = 3,
    /// The account is suspended or deleted.
    AccountSuspended = 4,
    /// The token is suspended.
    Suspended = 5,
    /// Its `not_before` lies ahead.
    NotYetValid = 6,
    /// Its `expires_at` has passed, or this secret's grace after a rotation has.
    Expired = 7,
    /// Issued for another environment than the one asked for.
    WrongEnvironment = 8,
    /// The caller's address is not among the allowed ones.
    IpNotAllowed = 9,
    /// A required scope is missing.
    InsufficientScope = 10,
    /// A rate limit is used up.
    RateLimited = 11,
    /// A quota is used up.
    QuotaExceeded = 12,
    /// The node cannot know.
    Unavailable = 13,
}

impl Verdict {
    /// Every verdict.
    pub const ALL: [Self; 14] = [
        Self::Valid,
        Self::Malformed,
        Self::NotFound,
        Self::Revoked,
        Self::AccountSuspended,
        Self::Suspended,
        Self::NotYetValid,
        Self::Expired,
        Self::WrongEnvironment,
        Self::IpNotAllowed,
        Self::InsufficientScope,
        Self::RateLimited,
        Self::QuotaExceeded,
        Self::Unavailable,
    ];

    /// The stable public code, such as `INSUFFICIENT_SCOPE`.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Valid => "VALID",
            Self::Malformed => "MALFORMED",
            Self::NotFound => "NOT_FOUND",
            Self::Revoked => "REVOKED",
            Self::AccountSuspended => "ACCOUNT_SUSPENDED",
            Self::Suspended => "SUSPENDED",
            Self::NotYetValid => "NOT_YET_VALID",
            Self::Expired => "EXPIRED",
            Self::WrongEnvironment => "WRONG_ENVIRONMENT",
            Self::IpNotAllowed => "IP_NOT_ALLOWED",
            Self::InsufficientScope => "INSUFFICIENT_SCOPE",
            Self::RateLimited => "RATE_LIMITED",
            Self::QuotaExceeded => "QUOTA_EXCEEDED",
            Self::Unavailable => "UNAVAILABLE",
        }
    }

    /// The status with which forward-auth answers.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::Valid => 200,
            Self::Malformed
            | Self::NotFound
            | Self::Revoked
            | Self::AccountSuspended
            | Self::Suspended
            | Self::NotYetValid
            | Self::Expired
            | Self::WrongEnvironment => 401,
            Self::IpNotAllowed | Self::InsufficientScope => 403,
            Self::RateLimited | Self::QuotaExceeded => 429,
            Self::Unavailable => 503,
        }
    }

    /// The verdict with this stored number.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_numbers_are_frozen() {
        for (number, verdict) in Verdict::ALL.into_iter().enumerate() {
            assert_eq!(verdict as usize, number);
            assert_eq!(Verdict::from_number(number as u8), Some(verdict));
        }
        assert_eq!(Verdict::from_number(14), None);
    }
}
