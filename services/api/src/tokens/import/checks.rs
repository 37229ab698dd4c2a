//! Holds the tokens of a call against what the caller may do and what is here already.

use std::collections::{BTreeSet, HashMap};

use tollkeeper_domain::account::Lifecycle;
use tollkeeper_domain::ids::AccountId;
use tollkeeper_domain::secret::SecretHash;
use tollkeeper_read_model::{Reach, accounts, tokens};

use super::items::Item;
use super::{MOST_ERRORS, place};
use crate::app::App;
use crate::caller::{Allowed, Caller, TokensWrite};
use crate::commands::CommandError;
use crate::http::problem::{FieldErrors, Problem};

/// 403 that names the tokens beyond what the caller may hand on.
pub(super) fn within(caller: &Caller, items: &[Item]) -> Result<(), Problem> {
    let mut errors = FieldErrors::default();
    for (index, item) in items.iter().enumerate() {
        if let Err(error) = item.wanted.within(caller) {
            errors.add(place(index), error);
        }
    }
    if errors.is_empty() {
        return Ok(());
    }
    let detail = "the credential you used does not reach all of these tokens";
    Err(Problem::forbidden("BEYOND_AUTHORITY", detail).about(errors))
}

/// 422 that names the tokens whose account is not there, or not within reach; 409 those whose
/// account is not active.
pub(super) async fn check_accounts(
    app: &App,
    allowed: &Allowed<TokensWrite>,
    items: &[Item],
) -> Result<(), Problem> {
    let own = allowed.caller.account_id();
    let is_operator = matches!(allowed.caller, Caller::Operator { .. });
    let asked: BTreeSet<AccountId> = items.iter().filter_map(|it| it.account.or(own)).collect();
    let asked: Vec<AccountId> = asked.into_iter().collect();
    let known = accounts::lifecycles(&app.pool, allowed.reach, &asked).await?;
    let (mut errors, mut inactive) = (FieldErrors::default(), FieldErrors::default());
    for (index, item) in items.iter().enumerate() {
        let pointer = format!("{}/account_id", place(index));
        match item.account.or(own) {
            None if is_operator => {
                errors.add(pointer, "an operator says which account the token is for");
            }
            // Whoever has none yet gets one.
            None => {}
            Some(account) => match known.get(&account) {
                None => errors.add(pointer, "there is no such account"),
                Some(Lifecycle::Active) => {}
                Some(_) => inactive.add(pointer, "the account is suspended or deleted"),
            },
        }
    }
    errors.check_first(MOST_ERRORS)?;
    if inactive.is_empty() {
        return Ok(());
    }
    let detail = "accounts are suspended or deleted";
    Err(Problem::conflict("ACCOUNT_NOT_ACTIVE", detail).about(inactive))
}

/// 409 that names the tokens whose hash comes twice, or is or was that of a token here. Whose that
/// is, is not told.
pub(super) async fn check_hashes(app: &App, items: &[Item]) -> Result<(), Problem> {
    let hashes: Vec<SecretHash> = items.iter().map(|item| item.hash).collect();
    let known = tokens::holding(&app.pool, Reach::All, &hashes).await?;
    let mut seen: HashMap<SecretHash, usize> = HashMap::with_capacity(hashes.len());
    let mut errors = FieldErrors::default();
    for (index, hash) in hashes.iter().enumerate() {
        let pointer = format!("{}/hash", place(index));
        if known.contains_key(hash) {
            errors.add(pointer, "a token with this hash is known already");
        } else if let Some(first) = seen.get(hash) {
            errors.add(
                pointer,
                format!("this is also the hash of {}", place(*first)),
            );
        } else {
            seen.insert(*hash, index);
        }
    }
    if errors.is_empty() {
        return Ok(());
    }
    let detail = format!(
        "{} of the hashes are known already, or come twice",
        errors.len()
    );
    Err(Problem::conflict("DUPLICATE_HASHES", detail).about(errors))
}

/// The error, with the tokens of the account that it is about.
pub(super) fn naming(error: CommandError, owners: &[AccountId]) -> Problem {
    let account = match &error {
        CommandError::AccountNotActive(account) | CommandError::TooManyTokens(account) => *account,
        _ => return error.into(),
    };
    let mut errors = FieldErrors::default();
    let problem = Problem::from(error);
    for (index, owner) in owners.iter().enumerate() {
        if *owner == account {
            let pointer = format!("{}/account_id", place(index));
            errors.add(pointer, "this is the account");
        }
    }
    problem.about(errors)
}
