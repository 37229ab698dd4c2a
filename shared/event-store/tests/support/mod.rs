//! Submissions to append, and a writer to append them with.

use chrono::{DateTime, Utc};
use sqlx::PgPool;
use tokio_util::sync::{CancellationToken, DropGuard};
use tollkeeper_domain::account::{AccountEvent, AccountRegistered, Role};
use tollkeeper_domain::event::{Event, Stream};
use tollkeeper_domain::ids::AccountId;
use tollkeeper_domain::quota::Quotas;
use tollkeeper_domain::rate_limit::RateLimits;
use tollkeeper_event_store::{NewEvent, Submission, Writer, WriterHandle};
use uuid::Uuid;

/// A running writer; it stops with the guard.
pub(crate) fn writer(pool: &PgPool) -> (WriterHandle, DropGuard) {
    let (writer, handle) = Writer::new(pool.clone());
    let stop = CancellationToken::new();
    tokio::spawn(writer.run(stop.clone()));
    (handle, stop.drop_guard())
}

/// A time that needs all six digits.
pub(crate) fn some_time() -> DateTime<Utc> {
    DateTime::from_timestamp_micros(1_800_000_000_123_456).unwrap()
}

/// One event at version `version` of the stream numbered `stream`.
pub(crate) fn event(stream: u128, version: u64) -> NewEvent {
    let registered = AccountRegistered {
        external_id: Some(format!("stream {stream} – version {version}")),
        identity: None,
        role: Role::User,
        token_limit: None,
        rate_limits: RateLimits::default(),
        quotas: Quotas::default(),
    };
    NewEvent {
        event_id: Uuid::from_u128((stream << 32) | u128::from(version)),
        stream: Stream::Account(AccountId(Uuid::from_u128(stream))),
        account_id: AccountId(Uuid::from_u128(stream)),
        stream_version: version,
        event: Event::Account(AccountEvent::Registered(registered)),
        actor: "operator:test".to_owned(),
        request_id: "request-1".to_owned(),
        occurred_at: some_time(),
    }
}

/// A submission of one such event.
pub(crate) fn submission(stream: u128, version: u64) -> Submission {
    Submission {
        events: vec![event(stream, version)],
        ..Submission::default()
    }
}

/// Another event at the same place in the same stream.
#[allow(dead_code, reason = "not every test file has rivals")]
pub(crate) fn rival(stream: u128, version: u64) -> Submission {
    let mut rival = submission(stream, version);
    rival.events[0].event_id = Uuid::from_u128((1 << 100) | (stream << 32) | u128::from(version));
    rival
}
