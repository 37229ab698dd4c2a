//! Webhooks: lifecycle events sent to somebody's endpoint in the form of Standard Webhooks 1.0, one
//! file per operation. What is sent, and when, is in [`delivery`].
//!
//! An endpoint is within reach like a token: that of another account is not there. Its signing
//! secret is shown once and sealed at rest; it must never reach a log, an error or an event.

pub(crate) mod change;
pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod deliveries;
pub mod delivery;
mod fields;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod replay;
pub(crate) mod rotate_secret;
mod secret;
mod store;
mod view;

use serde_json::Value;
use sqlx::PgConnection;
use tollkeeper_read_model::Reach;
use tollkeeper_read_model::audit::{self, Act, Entry};
use uuid::Uuid;

use crate::commands::Cause;
use crate::http::problem::Problem;
use store::endpoints::{self, Webhook};

/// The webhook, locked until the end of the transaction, if it is within reach and at the `expected`
/// version.
async fn locked(
    db: &mut PgConnection,
    reach: Reach,
    id: Uuid,
    expected: Option<u64>,
) -> Result<Webhook, Problem> {
    let found = endpoints::lock(db, reach, id).await?;
    let webhook = found.ok_or_else(|| Problem::not_found("webhook"))?;
    match expected {
        Some(version) if version != webhook.version => {
            Err(Problem::version_mismatch(webhook.version))
        }
        _ => Ok(webhook),
    }
}

/// Has the audit log say what is done to the webhook, in the transaction that does it. Never with its URL:
/// some hold a secret.
async fn note(
    db: &mut PgConnection,
    cause: &Cause,
    act: Act,
    webhook: &Webhook,
    (name, value): (&str, Value),
) -> Result<(), sqlx::Error> {
    let entry = Entry {
        account_id: webhook.account_id.map(|id| id.0),
        subject_id: Some(webhook.id),
        ..Entry::by(&cause.actor, &cause.request_id, act)
    };
    audit::note(db, &entry.with(name, value)).await
}

fn no_seal_key() -> Problem {
    let detail = "signing secrets are sealed at rest, and no key is configured for that: set \
                  `TOLLKEEPER_SEAL_KEYS`";
    Problem::conflict("SEAL_KEY_MISSING", detail)
}
