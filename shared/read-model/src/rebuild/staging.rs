//! The tables that are made anew, in the session of whoever makes them.

use std::mem;

use sqlx::PgConnection;
use tollkeeper_domain::event::Stream;
use tollkeeper_event_store::{
    AuditError, Head, Histories, StoredEvent, head, histories_of, read_checked,
};
use uuid::Uuid;

use super::RebuildError;
use crate::replay::World;

/// Events read at once while catching up.
const PAGE: i64 = 1000;

/// The tables beside the live ones, and the end of the log that they stand for.
///
/// At any time one page of events is in memory, and one history that may go on in the next.
#[derive(Debug)]
pub(super) struct Staging {
    pub(super) at: Head,
}

impl Staging {
    /// Makes the tables from the log as it is now.
    pub(super) async fn fill(db: &mut PgConnection) -> Result<Self, RebuildError> {
        sqlx::query!(r#"select rebuild_begin() as "done: ()""#)
            .fetch_one(&mut *db)
            .await?;
        let at = head(&mut *db).await.map_err(AuditError::from)?;
        let mut histories = Histories::up_to(at);
        let mut world = World::default();
        loop {
            let events = histories.next(db).await?;
            if events.is_empty() {
                break;
            }
            let whole = fold(&mut world, &events)?;
            take(db, &whole, false).await?;
        }
        take(db, &world, false).await?;
        sqlx::query!(r#"select rebuild_index() as "done: ()""#)
            .fetch_one(&mut *db)
            .await?;
        Ok(Self { at })
    }

    /// Brings the tables to the end of the log as `db` sees it now.
    pub(super) async fn catch_up(&mut self, db: &mut PgConnection) -> Result<(), RebuildError> {
        let end = head(&mut *db).await.map_err(AuditError::from)?;
        while self.at.position < end.position {
            let limit = PAGE.min(end.position - self.at.position);
            let events = read_checked(&mut *db, self.at, limit).await?;
            let Some(last) = events.last() else {
                return Err(broken(self.at.position + 1, "missing"));
            };
            let at = Head {
                position: last.position,
                hash: last.hash,
            };
            let mut touched: Vec<Uuid> = events.iter().map(|it| it.stream.id()).collect();
            touched.sort_unstable();
            touched.dedup();
            again(db, &touched, at.position).await?;
            self.at = at;
        }
        if self.at.hash == end.hash {
            Ok(())
        } else {
            Err(broken(self.at.position, "the head names another hash"))
        }
    }

    /// Removes the tables, for whoever uses the session next.
    pub(super) async fn remove(self, db: &mut PgConnection) -> Result<(), sqlx::Error> {
        sqlx::query!(r#"select rebuild_end() as "done: ()""#)
            .fetch_one(db)
            .await?;
        Ok(())
    }
}

/// Folds these histories anew up to `position`.
async fn again(db: &mut PgConnection, streams: &[Uuid], position: i64) -> Result<(), RebuildError> {
    let mut world = World::default();
    let mut after = (Uuid::nil(), 0);
    loop {
        let events = histories_of(&mut *db, streams, after, position)
            .await
            .map_err(AuditError::from)?;
        let Some(last) = events.last() else {
            break;
        };
        after = (last.stream.id(), last.stream_version);
        let whole = fold(&mut world, &events)?;
        take(db, &whole, true).await?;
    }
    take(db, &world, true).await
}

/// Applies the next events, which are ordered by history, and takes out what they leave behind: all
/// but the last, which may go on.
fn fold(world: &mut World, events: &[StoredEvent]) -> Result<World, RebuildError> {
    for event in events {
        world.apply(event)?;
        let owner = match event.stream {
            Stream::Account(id) => Some(id),
            Stream::Token(id) => world.tokens.get(&id).map(|token| token.account_id),
        };
        // Not hashed, because it follows from what is.
        if owner != Some(event.account_id) {
            return Err(broken(event.position, "the account is not the stream's"));
        }
    }
    let mut whole = mem::take(world);
    match events.last().map(|event| event.stream) {
        Some(Stream::Account(id)) => world
            .accounts
            .extend(whole.accounts.remove(&id).map(|account| (id, account))),
        Some(Stream::Token(id)) => world
            .tokens
            .extend(whole.tokens.remove(&id).map(|token| (id, token))),
        None => {}
    }
    Ok(whole)
}

/// Puts the rows of whole histories into the tables; where these are folded `anew`, in place of what
/// was there.
async fn take(db: &mut PgConnection, whole: &World, anew: bool) -> Result<(), RebuildError> {
    let accounts = whole.accounts.keys().map(|id| id.0);
    let ids = accounts.chain(whole.tokens.keys().map(|id| id.0));
    let again: Vec<Uuid> = ids.filter(|_| anew).collect();
    sqlx::query!(
        r#"select rebuild_take($1, $2) as "done: ()""#,
        &again,
        whole.rows().into_json(),
    )
    .fetch_one(db)
    .await?;
    Ok(())
}

fn broken(position: i64, what: &'static str) -> RebuildError {
    RebuildError::Log(AuditError::Broken { position, what })
}
