//! `console_people`: who may sign in to the console. Holders of an account see and do what belongs to it;
//! operators have none and see and do everything.
//!
//! Everything here is the installation's own work on people, so nothing takes a [`crate::Reach`]: whoever asks
//! is an operator, or whoever has the database.

mod email;
mod links;

pub use email::{BadEmail, Email};
pub use links::{
    LINK_LIFETIME, Link, LinkSecret, forget_links, issue_link, owner_of_link, spend_link,
};

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgExecutor};
use tollkeeper_domain::ids::AccountId;
use uuid::Uuid;

/// Somebody who may sign in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonRow {
    /// Who.
    pub id: Uuid,
    /// By which they sign in.
    pub email: String,
    /// The account that they hold; none for operators.
    pub account_id: Option<AccountId>,
    /// What that is called, if it has a name.
    pub account_name: Option<String>,
    /// Whether they have chosen a password.
    pub has_password: bool,
    /// Whether they come by OpenID Connect.
    pub has_identity: bool,
    /// When they were added.
    pub created_at: DateTime<Utc>,
    /// Since when there is no way in for them.
    pub disabled_at: Option<DateTime<Utc>>,
    /// When a session of theirs was last used, as far as one is remembered.
    pub seen_at: Option<DateTime<Utc>>,
}

impl PersonRow {
    /// How the audit log names them.
    #[must_use]
    pub fn actor(&self) -> String {
        actor(&self.email, self.account_id)
    }
}

/// How the audit log names somebody who is signed in.
#[must_use]
pub fn actor(email: &str, account_id: Option<AccountId>) -> String {
    match account_id {
        Some(id) => format!("account:{id}"),
        None => format!("operator:{email}"),
    }
}

struct Row {
    id: Uuid,
    email: String,
    account_id: Option<Uuid>,
    account_name: Option<String>,
    has_password: bool,
    has_identity: bool,
    created_at: DateTime<Utc>,
    disabled_at: Option<DateTime<Utc>>,
    seen_at: Option<DateTime<Utc>>,
}

impl From<Row> for PersonRow {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            email: row.email,
            account_id: row.account_id.map(Into::into),
            account_name: row.account_name,
            has_password: row.has_password,
            has_identity: row.has_identity,
            created_at: row.created_at,
            disabled_at: row.disabled_at,
            seen_at: row.seen_at,
        }
    }
}

/// Somebody to be added.
#[derive(Debug, Clone, Copy)]
pub struct NewPerson<'a> {
    /// Their id, not used before.
    pub id: Uuid,
    /// By which they sign in.
    pub email: &'a Email,
    /// The account that they hold; none for operators.
    pub account_id: Option<AccountId>,
    /// When they are added.
    pub at: DateTime<Utc>,
}

/// Adds somebody, and tells whether nobody had the address before.
///
/// # Errors
/// If the database does not answer, or there is no such account.
pub async fn add(db: impl PgExecutor<'_>, person: NewPerson<'_>) -> Result<bool, sqlx::Error> {
    let role = match person.account_id {
        Some(_) => "user",
        None => "operator",
    };
    let done = sqlx::query!(
        "insert into console_people (id, email, role, account_id, created_at)
        values ($1, $2, $3, $4, $5) on conflict (lower(email)) do nothing",
        person.id,
        person.email.as_str(),
        role,
        person.account_id.map(|id| id.0),
        person.at,
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Those who may sign in, by their addresses: at most `limit`, those after `after`. With `search`, only those
/// whose address or account's name holds it, however its letters are written, or whose account has it as its id
/// or external id.
///
/// # Errors
/// If the database does not answer.
pub async fn list(
    db: impl PgExecutor<'_>,
    search: Option<&str>,
    after: Option<&str>,
    limit: i64,
) -> Result<Vec<PersonRow>, sqlx::Error> {
    let rows = sqlx::query_as!(
        Row,
        r#"select p.id, p.email, p.account_id, p.password_hash is not null as "has_password!",
            exists (select from console_identities where person_id = p.id) as "has_identity!",
            p.created_at, p.disabled_at, n.name as "account_name?",
            (select max(seen_at) from console_sessions where person_id = p.id) as seen_at
        from console_people as p
            left join accounts as a on a.id = p.account_id
            left join account_profiles as n on n.account_id = p.account_id
        where ($1::text is null or lower(p.email) > lower($1))
            and ($2::text is null or strpos(lower(p.email), lower($2)) > 0
                or strpos(lower(n.name), lower($2)) > 0
                or a.external_id = $2 or a.id::text = lower($2))
        order by lower(p.email) limit $3"#,
        after,
        search,
        limit,
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// The person with this id.
///
/// # Errors
/// If the database does not answer.
pub async fn find(db: impl PgExecutor<'_>, id: Uuid) -> Result<Option<PersonRow>, sqlx::Error> {
    let row = sqlx::query_as!(
        Row,
        r#"select p.id, p.email, p.account_id, p.password_hash is not null as "has_password!",
            exists (select from console_identities where person_id = p.id) as "has_identity!",
            p.created_at, p.disabled_at,
            (select name from account_profiles where account_id = p.account_id) as account_name,
            (select max(seen_at) from console_sessions where person_id = p.id) as seen_at
        from console_people as p where p.id = $1"#,
        id,
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map(Into::into))
}

/// The person with this address, however its letters are written.
///
/// # Errors
/// If the database does not answer.
pub async fn find_by_email(
    db: impl PgExecutor<'_>,
    email: &Email,
) -> Result<Option<PersonRow>, sqlx::Error> {
    let row = sqlx::query_as!(
        Row,
        r#"select p.id, p.email, p.account_id, p.password_hash is not null as "has_password!",
            exists (select from console_identities where person_id = p.id) as "has_identity!",
            p.created_at, p.disabled_at,
            (select name from account_profiles where account_id = p.account_id) as account_name,
            (select max(seen_at) from console_sessions where person_id = p.id) as seen_at
        from console_people as p where lower(p.email) = lower($1)"#,
        email.as_str(),
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map(Into::into))
}

/// Whether an operator can sign in: one who is not disabled, and has a password or an identity.
///
/// # Errors
/// If the database does not answer.
pub async fn has_operator(db: impl PgExecutor<'_>) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select exists (
            select from console_people as p where role = 'operator' and disabled_at is null
                and (password_hash is not null
                    or exists (select from console_identities where person_id = p.id))
        ) as "exists!""#,
    )
    .fetch_one(db)
    .await
}

/// Takes away every way in, and ends what goes on: sessions and links. Tells whether there was one. To be
/// called within a transaction.
///
/// # Errors
/// If the database does not answer.
pub async fn disable(
    db: &mut PgConnection,
    id: Uuid,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "update console_people set disabled_at = $2 where id = $1 and disabled_at is null",
        id,
        now,
    )
    .execute(&mut *db)
    .await?;
    sqlx::query!("delete from console_sessions where person_id = $1", id)
        .execute(&mut *db)
        .await?;
    sqlx::query!("delete from console_links where person_id = $1", id)
        .execute(&mut *db)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Lets somebody in again, and tells whether they were disabled.
///
/// # Errors
/// If the database does not answer.
pub async fn enable(db: impl PgExecutor<'_>, id: Uuid) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "update console_people set disabled_at = null where id = $1 and disabled_at is not null",
        id,
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}
