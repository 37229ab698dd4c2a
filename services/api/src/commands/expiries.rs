//! Tells of tokens that are about to expire, 30, 7 and 1 days ahead, each once: an event in the
//! token's own history, which the relay, feeds and webhooks carry on like any other.
//!
//! Whether a token is due is decided on its history at the moment of writing, so one that was
//! revoked or prolonged meanwhile is not told of, and two processes never tell twice.

#[cfg(test)]
mod tests;

use tollkeeper_domain::token::Command;
use tollkeeper_read_model::expiry;

use super::{Cause, CommandError, Commands};

impl Commands {
    /// Tells of the next `most` that are due. Tells whether these were all, or none of them could
    /// be told of now.
    pub(crate) async fn announce_expiries(&self, most: usize) -> Result<bool, CommandError> {
        let now = self.clock.now();
        let limit = i64::try_from(most).unwrap_or(i64::MAX);
        let due = expiry::notice_due(&self.pool, now, limit).await?;
        let cause = Cause {
            actor: "system:expiry-notices".to_owned(),
            request_id: self.entropy.uuid_v7(now).to_string(),
        };
        let told = self
            .change_many(&cause, &due, &Command::AnnounceExpiry, |_, _| {})
            .await?;
        Ok(due.len() < most || told.changed.is_empty())
    }
}
