//! Tells the audit log of attempts to sign in that were refused.

use axum::http::StatusCode;
use uuid::Uuid;

use crate::audit::{self, Attempt, Kind, Who};
use crate::console::Console;
use crate::console::session::{Newcomer, Visit};

/// Why somebody is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// There is nobody with this address and password.
    WrongPassword,
    /// Too many attempts.
    TooMany,
    /// The provider knows them, and nobody here does.
    UnknownIdentity,
}

impl Why {
    const fn outcome(self) -> (StatusCode, &'static str) {
        match self {
            Self::WrongPassword => (StatusCode::FORBIDDEN, "WRONG_PASSWORD"),
            Self::TooMany => (StatusCode::TOO_MANY_REQUESTS, "TOO_MANY_ATTEMPTS"),
            Self::UnknownIdentity => (StatusCode::FORBIDDEN, "UNKNOWN_IDENTITY"),
        }
    }
}

/// Notes an attempt to sign in as somebody, where there is such a person. Who tried is not known.
pub(super) fn refused(console: &Console, visit: &Visit, tried: Option<&Newcomer>, why: Why) {
    let (status, code) = why.outcome();
    let network = visit.network(console);
    let subject: Option<Uuid> = tried.map(|person| person.id);
    let id = console.app.policy.scrubber.scrub(&visit.request_id);
    console.app.refusals.add(Attempt {
        at: console.app.now(),
        kind: Kind {
            who: Who::Stranger(network.clone()),
            operation: audit::SIGN_IN,
            status,
            code,
        },
        account: tried.and_then(|person| person.account_id),
        network,
        subject,
        request_id: id.into_owned(),
    });
}
