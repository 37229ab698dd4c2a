//! Reads the tokens of a call.

use chrono::{DateTime, Utc};
use tollkeeper_domain::ids::AccountId;
use tollkeeper_domain::secret::{Environment, SecretHash};
use tollkeeper_domain::token::{BadField, Issue, Metadata, TokenIssued, TokenName, Validity};

use super::{ImportToken, MOST_ERRORS, place};
use crate::app::App;
use crate::caller::Caller;
use crate::http::problem::{FieldErrors, Problem};
use crate::tokens::fields::{Asked, cut, scopes};
use crate::tokens::issue::{Wanted, expiry};

/// The most tokens in one call: they are events of one transaction.
const MOST_TOKENS: usize = 1000;

/// The longest beginning of a secret that is kept to recognise it by.
const MAX_PREFIX_CHARACTERS: usize = 12;

/// One token in the domain's terms.
pub(super) struct Item {
    /// The owner, if the call says it.
    pub(super) account: Option<AccountId>,
    pub(super) hash: SecretHash,
    token_prefix: String,
    pub(super) wanted: Wanted,
}

impl Item {
    /// What is asked of the log; `own` is the account where the call names none.
    pub(super) fn issue(
        &self,
        app: &App,
        caller: &Caller,
        own: Option<AccountId>,
    ) -> Result<Issue, Problem> {
        let account_id = self.account.or(own);
        let wanted = &self.wanted;
        Ok(Issue {
            token: TokenIssued {
                account_id: account_id
                    .ok_or_else(|| Problem::internal("a token without an account"))?,
                name: wanted.name.clone(),
                environment: wanted.environment,
                token_prefix: self.token_prefix.clone(),
                secret_hash: self.hash,
                scopes: wanted.scopes.clone(),
                metadata: wanted.metadata.clone(),
                not_before: wanted.validity.not_before,
                expires_at: wanted.validity.expires_at,
                allowed_cidrs: wanted.restrictions.allowed_cidrs.clone(),
                rate_limits: wanted.restrictions.rate_limits.clone(),
                quotas: wanted.restrictions.quotas.clone(),
                issued_by: caller.token_id(),
            },
            longest: app.policy.longest_lifetime,
        })
    }
}

/// Reads all tokens, and tells of everything that is wrong with them at once.
pub(super) fn read(
    app: &App,
    caller: &Caller,
    tokens: Vec<ImportToken>,
    now: DateTime<Utc>,
) -> Result<Vec<Item>, Problem> {
    if !(1..=MOST_TOKENS).contains(&tokens.len()) {
        let detail = format!("a call imports 1 to {MOST_TOKENS} tokens");
        return Err(Problem::bad_field("/tokens", detail));
    }
    let mut errors = FieldErrors::default();
    let mut items = Vec::with_capacity(tokens.len());
    for (index, token) in tokens.into_iter().enumerate() {
        let mut own = FieldErrors::default();
        items.extend(item(app, caller, token, now, &mut own));
        errors.add_all(&place(index), own);
        if errors.len() > MOST_ERRORS {
            break;
        }
    }
    errors.check_first(MOST_ERRORS)?;
    Ok(items)
}

fn item(
    app: &App,
    caller: &Caller,
    token: ImportToken,
    now: DateTime<Utc>,
    errors: &mut FieldErrors,
) -> Option<Item> {
    let name = errors.take("/name", TokenName::new(&token.name));
    let hash = errors.take("/hash", token.hash.parse::<SecretHash>());
    let prefix = &token.token_prefix;
    if prefix.len() > MAX_PREFIX_CHARACTERS || !prefix.bytes().all(|it| it.is_ascii_graphic()) {
        let detail = format!("this has at most {MAX_PREFIX_CHARACTERS} visible ASCII characters");
        errors.add("/token_prefix", detail);
    }
    let metadata = errors.take("/metadata", Metadata::new(token.metadata));
    let scopes = scopes(&token.scopes, errors);
    let asked = Asked {
        allowed_cidrs: token.allowed_cidrs,
        rate_limits: token.rate_limits,
        quotas: token.quotas,
    };
    let restrictions = asked.restrictions(caller.authority(), errors);
    let before = errors.len();
    let validity = Validity {
        not_before: token.not_before.map(cut),
        expires_at: expiry(
            app,
            caller.authority(),
            token.expires_at,
            token.expires_in_minutes,
            now,
            errors,
        ),
    };
    if errors.len() == before {
        let checked = validity.check(now, app.policy.longest_lifetime);
        if let Err(bad) = checked {
            errors.add(pointer(&bad), bad);
        }
    }
    Some(Item {
        account: token.account_id.map(AccountId),
        hash: hash?,
        token_prefix: token.token_prefix,
        wanted: Wanted {
            name: name?,
            environment: token.environment.unwrap_or(Environment::Live),
            scopes,
            metadata: metadata?,
            validity,
            restrictions: restrictions?,
        },
    })
}

/// The field that a validity is refused for.
fn pointer(bad: &BadField) -> String {
    match bad {
        BadField::NeverValid => "/not_before".to_owned(),
        BadField::OutOfCalendar(field) => format!("/{field}"),
        _ => "/expires_at".to_owned(),
    }
}
