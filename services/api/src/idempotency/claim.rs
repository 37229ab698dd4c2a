//! The right to carry out what a key stands for.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use tollkeeper_event_store::Rows;
use uuid::Uuid;

use super::answer::Answer;
use super::store::{self, Id};
use crate::app::App;
use crate::http::problem::Problem;

/// What our functions raise where somebody else holds the key by now.
const LOST: &str = "TK003";

/// The right of a request to do what its key stands for; of one without a key, to do it anyhow.
#[derive(Debug, Clone)]
pub(crate) struct Claim(Option<Arc<Held>>);

/// A key while it is reserved for this request. Dropped without an answer, it is given up, which
/// undoes what may still be under way; if that fails too, the reservation runs out.
pub(super) struct Held {
    app: App,
    id: Id,
    holder: Uuid,
    settled: AtomicBool,
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Held")
            .field("holder", &self.holder)
            .finish_non_exhaustive()
    }
}

impl Claim {
    pub(super) const fn none() -> Self {
        Self(None)
    }

    pub(super) const fn of(held: Arc<Held>) -> Self {
        Self(Some(held))
    }

    /// Adds the answer to the rows of the transaction that it tells of.
    pub(crate) fn keep(&self, answer: &Answer, rows: &mut Rows) {
        if let Some(held) = &self.0 {
            rows.push("idempotency_keys", held.row(answer));
        }
    }

    /// Writes the answer in the transaction that it tells of, where that appends nothing.
    ///
    /// # Errors
    /// 409 if somebody else holds the key by now.
    pub(crate) async fn keep_in(
        &self,
        transaction: &mut PgConnection,
        answer: &Answer,
    ) -> Result<(), Problem> {
        let Some(held) = &self.0 else {
            return Ok(());
        };
        let rows = Value::Array(vec![held.row(answer)]);
        store::write(transaction, rows).await.map_err(|error| {
            let code = error.as_database_error().and_then(|it| it.code());
            if code.is_some_and(|code| code == LOST) {
                Problem::in_flight()
            } else {
                error.into()
            }
        })
    }
}

impl Held {
    pub(super) fn new(app: &App, id: Id, holder: Uuid) -> Self {
        Self {
            app: app.clone(),
            id,
            holder,
            settled: AtomicBool::new(false),
        }
    }

    fn row(&self, answer: &Answer) -> Value {
        let headers = answer.headers.iter();
        let headers: Map<String, Value> = headers
            .filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.into())))
            .collect();
        let mut row = json!({
            "caller": self.id.caller,
            "route": self.id.route,
            "key": self.id.key,
            "holder": self.holder,
            "status": answer.status.as_u16(),
            "headers": headers,
            "body": answer.body,
            "profile_of": answer.profile_of,
        });
        if let Some(secret) = &answer.secret {
            row["secret_member"] = secret.member.into();
            if let Some(sealer) = &self.app.sealer {
                let purpose = purpose(&self.id, &answer.body);
                let sealed = sealer.seal(&purpose, secret.text.as_bytes());
                let digits: String = sealed.iter().map(|byte| format!("{byte:02x}")).collect();
                row["sealed"] = format!("\\x{digits}").into();
            }
        }
        row
    }

    /// The answer is kept: there is nothing left to give up.
    pub(super) fn answered(&self) {
        self.settled.store(true, Ordering::Relaxed);
    }

    /// Gives the key up, which is free when this returns.
    pub(super) async fn release(&self) {
        match store::release(&self.app.pool, &self.id, self.holder).await {
            Ok(()) => self.settled.store(true, Ordering::Relaxed),
            Err(error) => tracing::debug!(%error, "a key is not given up yet"),
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.settled.load(Ordering::Relaxed) {
            return;
        }
        let (app, id, holder) = (self.app.clone(), self.id.clone(), self.holder);
        tokio::spawn(async move {
            if let Err(error) = store::release(&app.pool, &id, holder).await {
                tracing::debug!(%error, "a reservation runs out by itself");
            }
        });
    }
}

/// What a sealed secret is bound to: the caller, the request, and the answer with its token's id.
pub(super) fn purpose(id: &Id, body: &str) -> Vec<u8> {
    let mut hash = Sha256::new();
    // None of these holds U+0000.
    for part in [&id.caller, &id.route, &id.key, body] {
        hash.update(part.as_bytes());
        hash.update(b"\0");
    }
    [b"secret of a kept answer ".as_slice(), &hash.finalize()].concat()
}
