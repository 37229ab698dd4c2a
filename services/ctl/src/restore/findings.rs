//! What follows from the events that are lost, for each token and account.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgPool;
use tollkeeper_domain::account::Lifecycle;
use tollkeeper_domain::ids::AccountId;
use tollkeeper_read_model::{Reach, accounts, tokens};
use uuid::Uuid;

use super::Error;
use super::told::{Kind, Told};

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum What {
    /// It works again, and was revoked.
    Revoke,
    /// It works again, and was suspended.
    Suspend,
    /// It is there again, and was deleted.
    Delete,
    /// It is as it was before, which only a person can judge.
    Look,
    /// It is not there any more.
    Gone,
}

/// What became of a token or an account.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Finding {
    pub(super) what: What,
    /// The lost event that it follows from.
    #[serde(flatten)]
    pub(super) event: Told,
}

impl What {
    /// Whether it is a denial, which can be given again without asking.
    pub(super) const fn is_to_be_redone(self) -> bool {
        matches!(self, Self::Revoke | Self::Suspend | Self::Delete)
    }
}

/// What follows from these events, in their order, as far as it has not been done again by `now`. Tokens
/// come before accounts: those of a deleted account cannot be changed.
pub(super) async fn findings(
    pool: &PgPool,
    lost: &[Told],
    now: DateTime<Utc>,
) -> Result<Vec<Finding>, Error> {
    let mut histories: BTreeMap<(Kind, Uuid), Vec<&Told>> = BTreeMap::new();
    for event in lost {
        let history = histories.entry((event.stream_type, event.stream_id));
        history.or_default().push(event);
    }
    let mut found = Vec::new();
    for ((kind, id), history) in histories {
        let (wanted, state) = match kind {
            Kind::Token => (of_token(&history), state_of_token(pool, id, now).await?),
            Kind::Account => (of_account(&history), state_of_account(pool, id).await?),
        };
        found.extend(still_wanted(wanted, state));
    }
    Ok(found)
}

/// How a token or an account is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Absent,
    Works,
    Rests,
    Ended,
}

/// Leaves out what has been done again, and what nothing can be done about.
fn still_wanted(wanted: Vec<Finding>, state: State) -> Vec<Finding> {
    let mut left = wanted;
    match state {
        State::Absent => {
            // The event that made it may not have been told.
            left.truncate(1);
            left.iter_mut().for_each(|it| it.what = What::Gone);
        }
        State::Works => {}
        State::Rests => left.retain(|it| it.what != What::Suspend),
        State::Ended => left.clear(),
    }
    left
}

fn of_token(history: &[&Told]) -> Vec<Finding> {
    if let Some(born) = last(history, &["TokenIssued", "TokenImported"]) {
        return vec![finding(What::Gone, born)];
    }
    if let Some(revoked) = last(history, &["TokenRevoked"]) {
        // That its account is deleted is found with the account.
        let by_itself = revoked.payload["reason"] == "account_deleted";
        return Vec::from_iter((!by_itself).then(|| finding(What::Revoke, revoked)));
    }
    // That it will expire is told again by itself.
    changes(
        history,
        ["TokenSuspended", "TokenResumed"],
        &["TokenExpiring"],
    )
}

fn of_account(history: &[&Told]) -> Vec<Finding> {
    if let Some(born) = last(history, &["AccountRegistered"]) {
        return vec![finding(What::Gone, born)];
    }
    if let Some(deleted) = last(history, &["AccountDeleted"]) {
        return vec![finding(What::Delete, deleted)];
    }
    changes(history, ["AccountSuspended", "AccountResumed"], &[])
}

/// Whether it rested in the end, and the last change of each other kind.
fn changes(
    history: &[&Told],
    [suspended, resumed]: [&str; 2],
    of_no_concern: &[&str],
) -> Vec<Finding> {
    let mut kinds: BTreeMap<&str, &Told> = BTreeMap::new();
    for event in history {
        let kind = match event.name.as_str() {
            name if name == resumed => suspended,
            name => name,
        };
        kinds.insert(kind, event);
    }
    let concerns = kinds
        .values()
        .filter(|it| !of_no_concern.contains(&it.name.as_str()));
    let mut found: Vec<Finding> = concerns
        .map(|event| {
            let rests = event.name == suspended;
            finding(if rests { What::Suspend } else { What::Look }, event)
        })
        .collect();
    found.sort_by_key(|it| it.event.position);
    found
}

fn last<'a>(history: &[&'a Told], names: &[&str]) -> Option<&'a Told> {
    let mut named = history.iter().rev();
    named.find(|it| names.contains(&it.name.as_str())).copied()
}

fn finding(what: What, event: &Told) -> Finding {
    Finding {
        what,
        event: event.clone(),
    }
}

async fn state_of_token(pool: &PgPool, id: Uuid, now: DateTime<Utc>) -> Result<State, Error> {
    let token = tokens::find(pool, Reach::All, id.into(), now).await?;
    Ok(match token.as_ref().map(|it| it.state.as_str()) {
        None => State::Absent,
        Some("revoked") => State::Ended,
        Some("suspended") => State::Rests,
        Some(_) => State::Works,
    })
}

async fn state_of_account(pool: &PgPool, id: Uuid) -> Result<State, Error> {
    let id = AccountId(id);
    let accounts = accounts::lifecycles(pool, Reach::All, &[id]).await?;
    Ok(match accounts.get(&id) {
        None => State::Absent,
        Some(Lifecycle::Active) => State::Works,
        Some(Lifecycle::Suspended) => State::Rests,
        Some(Lifecycle::Deleted) => State::Ended,
    })
}

#[cfg(test)]
mod tests;
