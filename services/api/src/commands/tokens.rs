//! Commands to tokens.

use chrono::{DateTime, Utc};
use tollkeeper_domain::event::{Event, Stream};
use tollkeeper_domain::ids::{AccountId, TokenId};
use tollkeeper_domain::token::{self, Command, Issue, Token, decide, evolve};
use tollkeeper_event_store::{NewTokens, Rows, Submission, load};
use tollkeeper_read_model::{Reach, replay, tokens};

use super::{ATTEMPTS, Cause, CommandError, Commands};

/// Whether a command may only be carried out while the token's account is active.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Needs {
    /// The account may be suspended.
    Nothing,
    /// The account must be active until the change is committed.
    ActiveAccount,
}

impl Commands {
    /// Lets a token come into being. `answer` makes of it what is answered, and may add rows of its
    /// own to the transaction.
    pub(crate) async fn issue<A>(
        &self,
        cause: &Cause,
        id: TokenId,
        issue: Issue,
        now: DateTime<Utc>,
        answer: impl FnOnce(Token, &mut Rows) -> Result<A, CommandError>,
    ) -> Result<A, CommandError> {
        let account = issue.token.account_id;
        let events = decide(None, &Command::Issue(Box::new(issue)), now)?;
        let (token, mut submission) =
            self.submission(cause, id, None, events, now, Some(account))?;
        let answer = answer(token, &mut submission.rows)?;
        self.commit(submission).await?;
        Ok(answer)
    }

    /// Carries out the command that `choose` makes of the token as it is, if the token is within
    /// reach and at the `expected` version.
    pub(crate) async fn change(
        &self,
        cause: &Cause,
        (id, reach): (TokenId, Reach),
        expected: Option<u64>,
        needs: Needs,
        choose: impl Fn(&Token, DateTime<Utc>) -> Result<Command, CommandError>,
    ) -> Result<Token, CommandError> {
        let answer = |token, _: Option<&mut Rows>| Ok(token);
        self.change_with(cause, (id, reach), expected, needs, choose, answer)
            .await
    }

    /// As [`Self::change`]; `answer` makes of the changed token what is answered, and may add rows
    /// of its own to the transaction, if there is one: nothing may follow from the command. It is
    /// asked again where the command is decided again.
    pub(crate) async fn change_with<A>(
        &self,
        cause: &Cause,
        (id, reach): (TokenId, Reach),
        expected: Option<u64>,
        needs: Needs,
        choose: impl Fn(&Token, DateTime<Utc>) -> Result<Command, CommandError>,
        answer: impl Fn(Token, Option<&mut Rows>) -> Result<A, CommandError>,
    ) -> Result<A, CommandError> {
        let _turn = self.turns.take(Stream::Token(id)).await?;
        let mut attempt = 0;
        loop {
            attempt += 1;
            let history = load(&self.pool, Stream::Token(id)).await?;
            let token = replay::token(&history)?.filter(|it| reach.includes(it.account_id));
            let token = token.ok_or(CommandError::NotFound("token"))?;
            if expected.is_some_and(|version| version != token.version) {
                return Err(CommandError::VersionMismatch(token.version));
            }
            let now = self.clock.now();
            let events = decide(Some(&token), &choose(&token, now)?, now)?;
            if events.is_empty() {
                return answer(token, None);
            }
            let active = (needs == Needs::ActiveAccount).then_some(token.account_id);
            let (token, mut submission) =
                self.submission(cause, id, Some(token), events, now, active)?;
            let answer = answer(token, Some(&mut submission.rows))?;
            let appended = self.commit(submission).await;
            match appended {
                Ok(()) => return Ok(answer),
                Err(CommandError::Conflict) if attempt < ATTEMPTS => {}
                Err(CommandError::Conflict) => return Err(CommandError::Busy),
                Err(error) => return Err(error),
            }
        }
    }

    pub(super) fn submission(
        &self,
        cause: &Cause,
        id: TokenId,
        before: Option<Token>,
        events: Vec<token::TokenEvent>,
        now: DateTime<Utc>,
        active_account: Option<AccountId>,
    ) -> Result<(Token, Submission), CommandError> {
        let version = before.as_ref().map_or(0, |token| token.version);
        let was_live = before.as_ref().is_some_and(|token| token.is_live(now));
        let after = events.iter().try_fold(before, |token, event| {
            evolve(token, id, event, now).map(Some)
        })?;
        let token = after.ok_or_else(|| CommandError::Internal("no event".to_owned()))?;
        let events = events.into_iter().map(Event::Token);
        let account_id = token.account_id;
        let stream = (Stream::Token(id), account_id);
        let new_tokens = (!was_live && token.is_live(now)).then_some(NewTokens {
            account_id,
            count: 1,
            default_limit: self.token_limit,
        });
        let mut submission = Submission {
            events: self.envelopes(cause, stream, version, events, now),
            active_accounts: active_account.into_iter().collect(),
            new_tokens: new_tokens.into_iter().collect(),
            ..Submission::default()
        };
        tokens::project_change(&token, &mut submission.rows);
        Ok((token, submission))
    }
}
