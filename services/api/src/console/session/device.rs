//! Browsers in which somebody has signed in before, known by a cookie of their own (OWASP, "Slow Down Online
//! Guessing Attacks with Device Cookies"). The cookie is no way in: who has it may try passwords of the one
//! person that it is for, however many others try them elsewhere, and as often as these.

use axum::http::{HeaderMap, HeaderValue};
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

use super::cookie::Cookie;
use super::{Secret, Visit};
use crate::console::Console;

/// A browser is known so long after the last sign-in.
pub(in crate::console) const KEPT: TimeDelta = TimeDelta::days(180);

/// As many browsers of one person are known: each has attempts of its own.
const MOST: i64 = 20;

const COOKIE: Cookie = Cookie::new("__Host-tollkeeper-device", "tollkeeper-device");

/// The secret that the browser was given, whosever it was for.
pub(in crate::console) fn read(headers: &HeaderMap) -> Option<Secret> {
    COOKIE.read(headers)
}

/// Whether somebody who may sign in has done so with this browser before, whoever it was.
///
/// # Errors
/// If the database does not answer.
pub(in crate::console) async fn is_known(
    console: &Console,
    secret: &Secret,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select exists (
            select from console_devices as d join console_people as p on p.id = d.person_id
            where d.secret_hash = $1 and d.used_at > $2 and p.disabled_at is null
        ) as "is_known!""#,
        &secret.hash()[..],
        console.app.now() - KEPT,
    )
    .fetch_one(&console.app.pool)
    .await
}

/// Has the browser be known for a person, in the transaction of their sign-in. One that is known already goes on
/// with its secret.
///
/// # Errors
/// If the database does not answer.
pub(super) async fn keep(
    console: &Console,
    db: &mut PgConnection,
    visit: &Visit,
    person_id: Uuid,
) -> Result<HeaderValue, sqlx::Error> {
    let now = console.app.now();
    let before = read(&visit.headers);
    let secret = match before {
        Some(before) if go_on(&mut *db, &before, person_id, now).await? => before,
        _ => {
            let secret = Secret::new(console);
            add(db, &secret, person_id, now).await?;
            secret
        }
    };
    Ok(COOKIE.keep(&visit.headers, &secret, KEPT))
}

async fn go_on(
    db: impl PgExecutor<'_>,
    secret: &Secret,
    person_id: Uuid,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "update console_devices set used_at = $3
        where secret_hash = $1 and person_id = $2 and used_at > $4",
        &secret.hash()[..],
        person_id,
        now,
        now - KEPT,
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

async fn add(
    db: &mut PgConnection,
    secret: &Secret,
    person_id: Uuid,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into console_devices (secret_hash, person_id, used_at) values ($1, $2, $3)",
        &secret.hash()[..],
        person_id,
        now,
    )
    .execute(&mut *db)
    .await?;
    sqlx::query!(
        "delete from console_devices where person_id = $1 and secret_hash not in (
            select secret_hash from console_devices where person_id = $1
            order by used_at desc limit $2
        )",
        person_id,
        MOST,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Has every browser of this person be a stranger again.
///
/// # Errors
/// If the database does not answer.
pub(in crate::console) async fn forget_all(
    db: impl PgExecutor<'_>,
    person_id: Uuid,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "delete from console_devices where person_id = $1",
        person_id
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Forgets at most `most` of those that were not used for long, and tells how many.
///
/// # Errors
/// If the database does not answer.
pub(in crate::console) async fn forget(
    db: impl PgExecutor<'_>,
    now: DateTime<Utc>,
    most: i64,
) -> Result<u64, sqlx::Error> {
    let done = sqlx::query!(
        "delete from console_devices where secret_hash in (
            select secret_hash from console_devices where used_at <= $1 limit $2
        )",
        now - KEPT,
        most,
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}
