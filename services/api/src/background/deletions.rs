//! What follows on the deletion of an account: its tokens are revoked, so that the history of each
//! says so, its webhooks, the raw usage of their calls and what is reported of it are erased.
//!
//! The deletion itself denies all of the account's tokens at once; nothing here makes anything
//! safe, it makes it clean. Each step is small and leaves its mark in the database.

use std::time::Duration;

use chrono::TimeDelta;
use tokio_util::sync::CancellationToken;
use tollkeeper_domain::token::{Command, RevocationReason};
use tollkeeper_read_model::erasures;

use super::{CHUNK, StepError, in_turn};
use crate::app::App;
use crate::commands::Cause;

/// How often the database is asked for deleted accounts while there are none.
const PAUSE: Duration = Duration::from_secs(1);

/// The most rows of raw usage, or of reports of it, that one statement erases.
const BATCH: i64 = 5000;

/// How long calls of before a deletion may be on their way to the tables before the second and
/// last pass.
const STRAGGLERS: TimeDelta = TimeDelta::hours(1);

/// Goes after deletions until `stop`. Faults are logged and tried again.
pub async fn run(app: App, stop: CancellationToken) {
    let step = || step(&app);
    in_turn(&app.pool, "account-deletions", PAUSE, stop, step).await;
}

/// Does one piece of what is due. Tells whether nothing is.
async fn step(app: &App) -> Result<bool, StepError> {
    let now = app.now();
    let Some(erasure) = erasures::next_due(&app.pool, now).await? else {
        return Ok(true);
    };
    let webhooks = erasures::erase_webhooks(&app.pool, erasure.account_id).await?;
    if webhooks > 0 {
        tracing::info!(account = %erasure.account_id, webhooks,
            "the webhooks of a deleted account are erased");
    }
    let people = erasures::erase_people(&app.pool, erasure.account_id).await?;
    if people > 0 {
        tracing::info!(account = %erasure.account_id, people,
            "those who signed in for a deleted account are erased");
    }
    let limit = i64::try_from(CHUNK).unwrap_or(i64::MAX);
    let tokens = erasures::not_revoked(&app.pool, erasure.account_id, limit).await?;
    if !tokens.is_empty() {
        let cause = Cause {
            actor: "system:account-deletion".to_owned(),
            request_id: app.new_id().to_string(),
        };
        let command = Command::Revoke(RevocationReason::AccountDeleted);
        app.commands
            .change_many(&cause, &tokens, &command, |_, _| {})
            .await?;
        return Ok(false);
    }
    if erasures::erase_reports(&app.pool, erasure.account_id, BATCH).await? > 0 {
        return Ok(false);
    }
    let used = erasures::next_used(&app.pool, erasure.account_id, erasure.done_to).await?;
    if let Some(token) = used {
        let erased = erasures::erase_usage(&app.pool, token, BATCH).await?;
        if erased < BATCH.unsigned_abs() {
            erasures::done_with(&app.pool, &erasure, token).await?;
        }
    } else {
        erasures::pass_over(&app.pool, &erasure, now, now + STRAGGLERS).await?;
        tracing::info!(account = %erasure.account_id, pass = erasure.passes + 1,
            "the usage of a deleted account is erased");
    }
    Ok(false)
}
