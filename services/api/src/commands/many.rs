//! One command to many tokens, in few submissions.

use tollkeeper_domain::ids::TokenId;
use tollkeeper_domain::token::{Command, decide};
use tollkeeper_event_store::{Rows, Submission, load_tokens};
use tollkeeper_read_model::replay;

use super::{Cause, CommandError, Commands};

/// What became of tokens that were all given one command.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// Something followed from it.
    pub(crate) changed: Vec<TokenId>,
    /// Nothing followed: it was so already, or is not for a token in this state.
    pub(crate) unchanged: Vec<TokenId>,
    /// Somebody else was faster; nothing is decided.
    pub(crate) overtaken: Vec<TokenId>,
}

impl Commands {
    /// Carries out `command` on each of the tokens, as many as it can in one transaction. `note`
    /// adds what is to be written with a token's change, in the same transaction.
    ///
    /// The caller answers for the reach: whoever asked must be allowed to do this to each of them.
    pub(crate) async fn change_many(
        &self,
        cause: &Cause,
        tokens: &[TokenId],
        command: &Command,
        note: impl Fn(TokenId, &mut Rows),
    ) -> Result<Outcome, CommandError> {
        let mut outcome = Outcome::default();
        let mut waiting = vec![tokens];
        while let Some(tokens) = waiting.pop() {
            let histories = load_tokens(&self.pool, tokens).await?;
            let now = self.clock.now();
            let mut whole = Submission::default();
            let (mut changed, mut unchanged) = (Vec::new(), Vec::new());
            for id in tokens {
                let history = histories.get(id).map(Vec::as_slice).unwrap_or_default();
                let token = replay::token(history)?;
                let events = decide(token.as_ref(), command, now).unwrap_or_default();
                if events.is_empty() {
                    unchanged.push(*id);
                    continue;
                }
                let (_, submission) = self.submission(cause, *id, token, events, now, None)?;
                whole.merge(submission);
                note(*id, &mut whole.rows);
                changed.push(*id);
            }
            let committed = if whole.events.is_empty() {
                Ok(())
            } else {
                self.commit(whole).await
            };
            match committed {
                Ok(()) => {
                    outcome.changed.extend(changed);
                    outcome.unchanged.extend(unchanged);
                }
                // One of them has moved on: smaller parts, until it is alone.
                Err(CommandError::Conflict) if tokens.len() > 1 => {
                    let (first, second) = tokens.split_at(tokens.len() / 2);
                    waiting.extend([second, first]);
                }
                Err(CommandError::Conflict) => outcome.overtaken.extend(tokens),
                Err(error) => return Err(error),
            }
        }
        Ok(outcome)
    }
}
