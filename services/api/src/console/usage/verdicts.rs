//! Verdicts in words.

use tollkeeper_domain::verdict::Verdict;

/// What a check came to, for people.
pub(in crate::console) fn words(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Valid => "Allowed",
        Verdict::Malformed => "Not a token",
        Verdict::NotFound => "Unknown token",
        Verdict::Revoked => "Token revoked",
        Verdict::AccountSuspended => "Account suspended",
        Verdict::Suspended => "Token suspended",
        Verdict::NotYetValid => "Not valid yet",
        Verdict::Expired => "Token expired",
        Verdict::WrongEnvironment => "Wrong environment",
        Verdict::IpNotAllowed => "Address not allowed",
        Verdict::InsufficientScope => "Scope missing",
        Verdict::RateLimited => "Too many requests",
        Verdict::QuotaExceeded => "Quota used up",
        Verdict::Unavailable => "Could not be checked",
    }
}

/// The same of its code; a code that is not known is its own word.
pub(super) fn of_code(code: &str) -> &str {
    let known = Verdict::ALL.into_iter().find(|it| it.code() == code);
    match known {
        Some(verdict) => words(verdict),
        None => code,
    }
}
