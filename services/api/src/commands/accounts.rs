//! Commands to accounts.

use tollkeeper_domain::account::{
    Account, AccountRegistered, Command, Identity, Role, decide, evolve,
};
use tollkeeper_domain::event::{Event, Stream};
use tollkeeper_domain::ids::AccountId;
use tollkeeper_domain::quota::Quotas;
use tollkeeper_domain::rate_limit::RateLimits;
use tollkeeper_event_store::{Rows, Submission, load};
use tollkeeper_read_model::accounts::{self, AccountRow, Profile};
use tollkeeper_read_model::{Reach, replay};

use super::{ATTEMPTS, Cause, CommandError, Commands};

/// What to change of an account's profile: nothing of what is `None`.
#[derive(Debug, Clone, Default)]
pub(crate) struct ProfileChange {
    /// Its new name, or none.
    pub(crate) name: Option<Option<String>>,
    /// Its new e-mail address, or none.
    pub(crate) email: Option<Option<String>>,
}

impl ProfileChange {
    /// Everything is forgotten.
    pub(crate) fn erase() -> Self {
        Self {
            name: Some(None),
            email: Some(None),
        }
    }

    fn apply(&self, known: &Profile) -> Profile {
        Profile {
            name: self.name.clone().unwrap_or_else(|| known.name.clone()),
            email: self.email.clone().unwrap_or_else(|| known.email.clone()),
        }
    }
}

impl Commands {
    /// Lets an account come into being. `answer` makes of it what is answered, and may add rows of
    /// its own to the transaction.
    pub(crate) async fn register<A>(
        &self,
        cause: &Cause,
        registered: AccountRegistered,
        profile: &Profile,
        answer: impl FnOnce(Account, &mut Rows) -> Result<A, CommandError>,
    ) -> Result<A, CommandError> {
        let now = self.clock.now();
        let id = AccountId(self.entropy.uuid_v7(now));
        let (account, mut submission) =
            self.decide_account(cause, id, None, &Command::Register(registered))?;
        accounts::keep_profile(id, profile, &mut submission.rows);
        let answer = answer(account, &mut submission.rows)?;
        self.commit(submission).await?;
        Ok(answer)
    }

    /// The account of a JWT's identity, registered if this is the first time that it writes.
    pub(crate) async fn account_of(
        &self,
        cause: &Cause,
        identity: &Identity,
    ) -> Result<AccountId, CommandError> {
        let registered = AccountRegistered {
            external_id: None,
            identity: Some(identity.clone()),
            role: Role::User,
            token_limit: None,
            rate_limits: RateLimits::default(),
            quotas: Quotas::default(),
        };
        let id = |account: Account, _: &mut Rows| Ok(account.id);
        match self
            .register(cause, registered, &Profile::default(), id)
            .await
        {
            Ok(id) => Ok(id),
            // Another request of the same holder was faster.
            Err(CommandError::IdentityTaken) => {
                let found = accounts::find_by_identity(&self.pool, identity).await?;
                found
                    .map(|row| row.account.id)
                    .ok_or(CommandError::NotFound("account"))
            }
            Err(error) => Err(error),
        }
    }

    /// Carries out the command on the account, if it is within reach and at the `expected`
    /// version. What changes of the `profile` is kept in the transaction of what follows; that it
    /// changes is something that happened, too.
    pub(crate) async fn change_account(
        &self,
        cause: &Cause,
        (id, reach): (AccountId, Reach),
        expected: Option<u64>,
        command: &Command,
        profile: &ProfileChange,
    ) -> Result<AccountRow, CommandError> {
        let _turn = self.turns.take(Stream::Account(id)).await?;
        let mut attempt = 0;
        loop {
            attempt += 1;
            let history = load(&self.pool, Stream::Account(id)).await?;
            let account = replay::account(&history)?.filter(|it| reach.includes(it.id));
            let account = account.ok_or(CommandError::NotFound("account"))?;
            if expected.is_some_and(|version| version != account.version) {
                return Err(CommandError::VersionMismatch(account.version));
            }
            // Read after the history: if somebody else changes it from now on, the log has moved on.
            let found = accounts::find(&self.pool, reach, id).await?;
            let known = found.ok_or(CommandError::NotFound("account"))?.profile;
            let wanted = profile.apply(&known);
            let mut command = command.clone();
            if let Command::Change {
                profile_changes, ..
            } = &mut command
            {
                *profile_changes = wanted != known;
            }
            let (account, mut submission) =
                self.decide_account(cause, id, Some(account), &command)?;
            let row = AccountRow {
                account,
                profile: wanted,
            };
            if submission.events.is_empty() {
                return Ok(row);
            }
            accounts::keep_profile(id, &row.profile, &mut submission.rows);
            match self.commit(submission).await {
                Ok(()) => return Ok(row),
                Err(CommandError::Conflict) if attempt < ATTEMPTS => {}
                Err(CommandError::Conflict) => return Err(CommandError::Busy),
                Err(error) => return Err(error),
            }
        }
    }

    fn decide_account(
        &self,
        cause: &Cause,
        id: AccountId,
        before: Option<Account>,
        command: &Command,
    ) -> Result<(Account, Submission), CommandError> {
        let now = self.clock.now();
        let version = before.as_ref().map_or(0, |account| account.version);
        let events = decide(before.as_ref(), command)?;
        let after = events.iter().try_fold(before, |account, event| {
            evolve(account, id, event, now).map(Some)
        })?;
        let account = after.ok_or_else(|| CommandError::Internal("no event".to_owned()))?;
        let events: Vec<_> = events.into_iter().map(Event::Account).collect();
        let mut submission = Submission {
            changing_accounts: vec![id],
            ..Submission::default()
        };
        if !events.is_empty() {
            accounts::project(&account, &mut submission.rows);
        }
        submission.events = self.envelopes(cause, (Stream::Account(id), id), version, events, now);
        Ok((account, submission))
    }
}
