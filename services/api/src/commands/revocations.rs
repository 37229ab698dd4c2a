//! Revocations of many tokens: jobs that outlive the process that began them.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::Value;
use tollkeeper_domain::ids::TokenId;
use tollkeeper_domain::token::{Command, RevocationReason, Token};
use tollkeeper_event_store::Rows;
use tollkeeper_read_model::Reach;
use tollkeeper_read_model::revocations::{self, Running};
use uuid::Uuid;

use super::{Cause, CommandError, Commands, Needs};
use crate::background::CHUNK;

/// How long a request works on its own job before it leaves the rest to the background.
const WITHIN_REQUEST: Duration = Duration::from_secs(2);

impl Commands {
    /// Revokes a token and begins a cascade over those that descend from it, in one transaction.
    pub(crate) async fn revoke_cascading(
        &self,
        cause: &Cause,
        (id, reach): (TokenId, Reach),
        expected: Option<u64>,
        reason: RevocationReason,
    ) -> Result<(Token, Running), CommandError> {
        let now = self.clock.now();
        let job = Running {
            id: self.entropy.uuid_v7(now),
            reach,
            root: Some(id),
            reason: reason.as_str().to_owned(),
            actor: cause.actor.clone(),
            request_id: cause.request_id.clone(),
        };
        let choose = |_: &_, _| Ok(Command::Revoke(reason));
        let begin = |token, rows: Option<&mut Rows>| {
            let changed = rows.is_some();
            if let Some(rows) = rows {
                revocations::begin_cascade(&job, now, rows);
            }
            Ok((token, changed))
        };
        let (token, changed) = self
            .change_with(cause, (id, reach), expected, Needs::Nothing, choose, begin)
            .await?;
        if !changed {
            revocations::begin_cascade_now(&self.pool, &job, now).await?;
        }
        Ok((token, job))
    }

    /// Works on a job that was just begun as long as a request may. Tells whether it is done.
    pub(crate) async fn work_within_request(&self, job: &Running) -> Result<bool, CommandError> {
        let begun = self.clock.boot_time();
        while self.clock.boot_time().saturating_sub(begun) < WITHIN_REQUEST {
            if self.work(job).await? {
                return Ok(true);
            }
        }
        revocations::hold(&self.pool, job.id, false).await?;
        Ok(false)
    }

    /// Does the next piece of a job. Tells whether nothing is left.
    ///
    /// Two may do this at once: the log lets only one of them revoke a token, and what came of it
    /// is written with the event.
    pub(crate) async fn work(&self, job: &Running) -> Result<bool, CommandError> {
        let limit = i64::try_from(CHUNK).unwrap_or(i64::MAX);
        let pending = revocations::pending(&self.pool, job.id, limit).await?;
        if pending.is_empty() {
            return self.look_for_more(job).await.map(|more| !more);
        }
        let reason: RevocationReason = serde_json::from_value(Value::String(job.reason.clone()))?;
        let cause = Cause {
            actor: job.actor.clone(),
            request_id: job.request_id.clone(),
        };
        let command = Command::Revoke(reason);
        let note = |id, rows: &mut Rows| revocations::note_revoked(job.id, id, rows);
        let outcome = self.change_many(&cause, &pending, &command, note).await?;
        revocations::note_already_revoked(&self.pool, job.id, &outcome.unchanged).await?;
        revocations::hold(&self.pool, job.id, true).await?;
        Ok(false)
    }

    /// A cascade is over when all that descend from its root are revoked: until then each of them
    /// may have issued another.
    async fn look_for_more(&self, job: &Running) -> Result<bool, CommandError> {
        if let Some(root) = job.root {
            let found = revocations::add_descendants(&self.pool, job.id, root, job.reach).await?;
            if found > 0 {
                return Ok(true);
            }
        }
        let done = revocations::finish(&self.pool, job.id, self.clock.now()).await?;
        Ok(!done)
    }

    /// Leases a job that nobody works on, if there is one.
    pub(crate) async fn abandoned_job(&self) -> Result<Option<Running>, CommandError> {
        Ok(revocations::lease(&self.pool).await?)
    }

    /// Forgets one job that is done since before `done`, or one plan that could last be run before
    /// `planned`. Tells whether there was one.
    pub(crate) async fn forget_job(
        &self,
        done: DateTime<Utc>,
        planned: DateTime<Utc>,
    ) -> Result<bool, CommandError> {
        Ok(revocations::forget_one(&self.pool, done, planned).await?)
    }

    /// Begins a plan, if it can be begun.
    pub(crate) async fn start_plan(
        &self,
        cause: &Cause,
        (id, reach): (Uuid, Reach),
    ) -> Result<Option<Running>, CommandError> {
        let by = (cause.actor.as_str(), cause.request_id.as_str());
        let now = self.clock.now();
        Ok(revocations::start(&self.pool, (id, reach), by, now).await?)
    }
}
