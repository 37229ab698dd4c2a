//! `tollkeeper operator`: who may do everything in the console. Works on the database: whoever has that needs no
//! other leave, and has lost no password.

use std::process::ExitCode;

use sqlx::PgPool;
use tollkeeper_ambient::{Clock, Entropy, SystemClock, SystemEntropy};
use tollkeeper_read_model::audit::{self, Act, Entry};
use tollkeeper_read_model::people::{self, Email, LinkSecret, NewPerson, PersonRow};
use tollkeeper_runtime::database::{self, PoolShape};
use tollkeeper_runtime::settings::{self, Binary, DatabaseSettings, SettingsError, Source};
use uuid::Uuid;

use crate::out::say;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Add an operator, and print the link by which they set a password
    Create(Person),
    /// List the operators
    List,
    /// Print a new link by which an operator sets a password, in place of any before
    Link(Person),
    /// Take an operator's ways in away, and sign them out everywhere
    Disable(Person),
    /// Let an operator in again
    Enable(Person),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Person {
    /// The address by which they sign in
    email: Email,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Settings(#[from] SettingsError),

    #[error("TOLLKEEPER_DATABASE_URL: {0}")]
    Database(#[from] sqlx::Error),

    #[error("somebody with the address {0} is there already")]
    Known(Email),

    #[error("there is no operator with the address {0}")]
    Unknown(Email),

    #[error("{0} is disabled: enable them first")]
    Disabled(Email),
}

/// The most people in a list: operators are few.
const MOST: i64 = 10_000;

pub(crate) async fn run(command: &Command) -> Result<ExitCode, Error> {
    let source = Source::from_process(Binary::Ctl)?;
    let base = settings::console_url(&source)?;
    let database = DatabaseSettings::read(&source)?;
    let pool = database::pool(&database, &PoolShape::new("tollkeeper operator", 2))?;
    match command {
        Command::Create(Person { email }) => {
            let secret = create(&pool, email).await?;
            tell(base.as_str(), email, &secret);
        }
        Command::List => {
            let all = people::list(&pool, None, None, MOST).await?;
            let operators = all.iter().filter(|person| person.account_id.is_none());
            operators.for_each(|person| say(&line(person)));
        }
        Command::Link(Person { email }) => {
            let secret = link(&pool, email).await?;
            tell(base.as_str(), email, &secret);
        }
        Command::Disable(Person { email }) => {
            disable(&pool, email).await?;
            say(&format!(
                "{email} cannot sign in any more, and is signed out everywhere"
            ));
        }
        Command::Enable(Person { email }) => {
            enable(&pool, email).await?;
            say(&format!("{email} can sign in again"));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Adds an operator, and gives the link by which they set a password.
pub(crate) async fn create(pool: &PgPool, email: &Email) -> Result<LinkSecret, Error> {
    let now = SystemClock.now();
    let person = NewPerson {
        id: SystemEntropy.uuid_v7(now),
        email,
        account_id: None,
        at: now,
    };
    let mut transaction = pool.begin().await?;
    if !people::add(&mut *transaction, person).await? {
        return Err(Error::Known(email.clone()));
    }
    let entry = about(person.id, Act::PersonAdded).with("role", "operator");
    audit::note(&mut *transaction, &entry).await?;
    let secret = new_link();
    people::issue_link(&mut *transaction, person.id, &secret, now).await?;
    audit::note(&mut *transaction, &about(person.id, Act::PersonLinkIssued)).await?;
    transaction.commit().await?;
    Ok(secret)
}

/// Gives an operator a new link.
pub(crate) async fn link(pool: &PgPool, email: &Email) -> Result<LinkSecret, Error> {
    let person = find(pool, email).await?;
    if person.disabled_at.is_some() {
        return Err(Error::Disabled(email.clone()));
    }
    let secret = new_link();
    let mut transaction = pool.begin().await?;
    people::issue_link(&mut *transaction, person.id, &secret, SystemClock.now()).await?;
    audit::note(&mut *transaction, &about(person.id, Act::PersonLinkIssued)).await?;
    transaction.commit().await?;
    Ok(secret)
}

async fn disable(pool: &PgPool, email: &Email) -> Result<(), Error> {
    let person = find(pool, email).await?;
    let mut transaction = pool.begin().await?;
    if people::disable(&mut transaction, person.id, SystemClock.now()).await? {
        audit::note(&mut *transaction, &about(person.id, Act::PersonDisabled)).await?;
    }
    Ok(transaction.commit().await?)
}

async fn enable(pool: &PgPool, email: &Email) -> Result<(), Error> {
    let person = find(pool, email).await?;
    let mut transaction = pool.begin().await?;
    if people::enable(&mut *transaction, person.id).await? {
        audit::note(&mut *transaction, &about(person.id, Act::PersonEnabled)).await?;
    }
    Ok(transaction.commit().await?)
}

async fn find(pool: &PgPool, email: &Email) -> Result<PersonRow, Error> {
    let found = people::find_by_email(pool, email).await?;
    let operator = found.filter(|person| person.account_id.is_none());
    operator.ok_or_else(|| Error::Unknown(email.clone()))
}

fn new_link() -> LinkSecret {
    LinkSecret::generate(|bytes| SystemEntropy.fill(bytes))
}

fn about(person: Uuid, act: Act) -> Entry<'static> {
    Entry {
        subject_id: Some(person),
        ..Entry::by_login(act)
    }
}

/// Shows the link on purpose: it is for the person at the terminal, to be handed over.
fn tell(base: &str, email: &Email, secret: &LinkSecret) {
    say(&format!(
        "{email} sets a password with this link, once, within 24 hours:\n\n  {base}{}\n",
        secret.expose_path()
    ));
}

fn line(person: &PersonRow) -> String {
    let state = match (
        person.disabled_at,
        person.has_password || person.has_identity,
    ) {
        (Some(_), _) => "disabled",
        (None, true) => "active",
        (None, false) => "invited",
    };
    let seen = person.seen_at.map_or_else(
        || "not seen lately".to_owned(),
        |at| format!("seen {}", at.format("%Y-%m-%dT%H:%M:%SZ")),
    );
    format!("{} {state}, {seen}", person.email)
}
