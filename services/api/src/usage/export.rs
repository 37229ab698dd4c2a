//! Usage that is taken away as a file leaves an entry in the audit log, which is committed before anything
//! is read.

use tollkeeper_domain::ids::{AccountId, TokenId};
use tollkeeper_read_model::audit::{self, Act, Entry};

use crate::app::App;
use crate::caller::{Allowed, Caller, UsageRead};
use crate::http::csv::Format;
use crate::http::problem::Problem;
use crate::http::request_id::RequestId;

/// Whose usage somebody asks for.
pub(super) struct Export<'a> {
    caller: &'a Caller,
    request_id: String,
    account: Option<AccountId>,
    token: Option<TokenId>,
}

impl<'a> Export<'a> {
    /// Of this token, of this account, or of all that the caller may see.
    pub(super) fn new(
        allowed: &'a Allowed<UsageRead>,
        RequestId(request_id): RequestId,
        token: Option<TokenId>,
        account: Option<AccountId>,
    ) -> Self {
        let own = allowed.reach.account().map(AccountId);
        Self {
            caller: &allowed.caller,
            request_id,
            account: own.or(account),
            token,
        }
    }

    /// Notes it down, if the answer is one to be taken away.
    ///
    /// # Errors
    /// 503 if it cannot be noted: then nothing is told.
    pub(super) async fn note(&self, app: &App, format: Format, path: &str) -> Result<(), Problem> {
        match format {
            Format::Json => Ok(()),
            Format::Csv => self.act(app, Act::UsageExported, path).await,
        }
    }

    /// Notes it down as this act.
    ///
    /// # Errors
    /// As of [`Export::note`].
    pub(super) async fn act(&self, app: &App, act: Act, path: &str) -> Result<(), Problem> {
        let actor = self.caller.actor();
        let entry = Entry {
            account_id: self.account.map(|id| id.0),
            subject_id: self.token.map(|id| id.0),
            ..Entry::by(&actor, &self.request_id, act)
        };
        Ok(audit::note(&app.pool, &entry.with("path", path)).await?)
    }
}
