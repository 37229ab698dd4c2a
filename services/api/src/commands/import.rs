//! The command that lets many tokens of another system be known here, all of them or none.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use tollkeeper_domain::ids::{AccountId, TokenId};
use tollkeeper_domain::token::{Command, Issue, decide};
use tollkeeper_event_store::{NewTokens, Rows, Submission};

use super::{Cause, CommandError, Commands};

impl Commands {
    /// Imports the tokens in one transaction. `answer` makes of their ids, in the same order, what is
    /// answered, and may add rows of its own to the transaction.
    pub(crate) async fn import<A>(
        &self,
        cause: &Cause,
        issues: Vec<Issue>,
        now: DateTime<Utc>,
        answer: impl FnOnce(Vec<TokenId>, &mut Rows) -> Result<A, CommandError>,
    ) -> Result<A, CommandError> {
        let mut ids = Vec::with_capacity(issues.len());
        let mut whole = Submission::default();
        let mut added: BTreeMap<AccountId, u32> = BTreeMap::new();
        for issue in issues {
            let id = TokenId(self.entropy.uuid_v7(now));
            let events = decide(None, &Command::Import(Box::new(issue)), now)?;
            let (_, submission) = self.submission(cause, id, None, events, now, None)?;
            for new in &submission.new_tokens {
                *added.entry(new.account_id).or_default() += new.count;
            }
            whole.merge(submission);
            ids.push(id);
        }
        // Each account is locked, and its tokens counted, once.
        whole.active_accounts = added.keys().copied().collect();
        let new_tokens = added.into_iter().map(|(account_id, count)| NewTokens {
            account_id,
            count,
            default_limit: self.token_limit,
        });
        whole.new_tokens = new_tokens.collect();
        let answer = answer(ids, &mut whole.rows)?;
        self.commit(whole).await?;
        Ok(answer)
    }
}
